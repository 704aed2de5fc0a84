//! Keeps the house tidy: which room may use which, and the habits that no compiler enforces.
//!
//! The table below is the layout. A new arrow is a decision: make it here, where a reviewer sees it, and in
//! ARCHITECTURE.md, which shows the same table with reasons.

mod arrows;
mod caught;
mod rules;
mod tree;

use std::collections::BTreeSet;

use arrows::{ANYTHING, Table};
use tree::{assert_none, load};

/// Which rooms (top modules) each room may use. Each uses rooms above it only, so data flows one way.
const TABLE: Table<'static> = &[
    ("kafka", &[]),
    ("fault", &["kafka"]),
    ("anomaly", &["kafka"]),
    ("jepsen", &[]),
    ("history", &["kafka", "fault"]),
    ("scenario", &["kafka", "fault", "anomaly"]),
    ("plan", &["fault", "scenario"]),
    ("check", &["kafka", "fault", "anomaly", "history", "scenario", "plan"]),
    ("verdict", &["kafka", "fault", "anomaly", "history", "scenario", "plan", "check"]),
    ("report", &["kafka", "fault", "anomaly", "history", "scenario", "plan", "verdict"]),
    ("cluster", &["kafka", "fault", "history", "scenario"]),
    ("workload", &["kafka", "fault", "history", "scenario", "plan"]),
    ("client", &["kafka", "cluster", "workload"]),
    ("nemesis", &["kafka", "fault", "history", "plan", "cluster", "workload"]),
    (
        "run",
        &[
            "kafka", "fault", "history", "scenario", "plan", "check", "verdict", "report", "cluster", "workload",
            "nemesis",
        ],
    ),
    ("doctor", &["kafka", "fault", "scenario", "cluster", "run"]),
    ("cli", ANYTHING),
    ("main", &["cli"]),
];

/// Rooms that judge a stored history, on any machine and at any time.
const JUDGES: [&str; 4] = ["jepsen", "check", "verdict", "report"];

/// Rooms that make a history.
const MAKERS: [&str; 7] = ["cluster", "workload", "client", "nemesis", "run", "doctor", "cli"];

#[test]
fn no_room_uses_a_room_that_the_table_does_not_give_it() {
    assert_none(arrows::new_arrows(&arrows::arrows(&load()), TABLE));
}

#[test]
fn the_table_holds_no_arrow_that_nobody_draws() {
    let files = load();
    assert_none(arrows::stale_arrows(&files, &arrows::arrows(&files), TABLE));
}

#[test]
fn the_table_has_no_cycle_because_each_room_uses_rooms_above_it_only() {
    assert_eq!(arrows::upward_arrows(TABLE), Vec::<String>::new());
}

#[test]
fn the_table_has_every_room_of_the_library_and_no_other() {
    let listed: BTreeSet<String> = TABLE.iter().map(|(room, _)| (*room).to_owned()).collect();
    let mut declared = arrows::declared_rooms(&load());
    declared.insert("main".to_owned());
    assert_eq!(listed, declared);
}

#[test]
fn those_who_judge_a_history_never_reach_those_who_make_it() {
    for judge in JUDGES {
        let reached = arrows::reach(TABLE, judge);
        let makers: Vec<&str> = MAKERS.into_iter().filter(|maker| reached.contains(maker)).collect();
        assert_eq!(makers, Vec::<&str>::new(), "reached from `{judge}`");
    }
}

#[test]
fn the_architecture_shows_the_same_table() {
    let files = load();
    let page = files.iter().find(|file| file.path == "ARCHITECTURE.md").expect("the repository has ARCHITECTURE.md");
    let missing: Vec<String> = TABLE
        .iter()
        .map(|(room, uses)| match *uses {
            [] => format!("| `{room}` | nothing |"),
            ANYTHING => format!("| `{room}` | anything |"),
            uses => format!("| `{room}` | {} |", uses.join(", ")),
        })
        .filter(|row| !page.text.lines().any(|line| line.starts_with(row.as_str())))
        .collect();
    assert_eq!(missing, Vec::<String>::new(), "rows that ARCHITECTURE.md lacks");
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    assert_none(rules::long_files(&load()));
}

#[test]
fn unsafe_code_lives_in_one_module() {
    assert_none(rules::unsafe_code(&load()));
}

#[test]
fn no_macro_leaves_something_for_later() {
    assert_none(rules::later_macros(&load()));
}

#[test]
fn no_word_leaves_something_for_later() {
    assert_none(rules::later_words(&load()));
}

#[test]
fn every_file_begins_with_its_module_doc() {
    assert_none(rules::missing_module_docs(&load()));
}

#[test]
fn no_line_ends_in_white_space() {
    assert_none(rules::trailing_space(&load()));
}

#[test]
fn tabs_are_where_a_format_wants_them_only() {
    assert_none(rules::tabs(&load()));
}

#[test]
fn a_lint_is_silenced_by_expect_with_a_reason_only() {
    assert_none(rules::silenced_lints(&load()));
}
