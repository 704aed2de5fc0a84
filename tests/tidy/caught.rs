//! A rule that cannot fail proves nothing: each is shown an offence here, and something that only looks like one.

use crate::arrows::{self, ANYTHING, Table};
use crate::rules::{self, LINES_MAX};
use crate::tree::{Offence, SourceFile};

const SMALL: Table<'static> = &[("kafka", &[]), ("history", &["kafka"]), ("check", &["history"]), ("cli", ANYTHING)];

fn new_arrows(path: &str, text: &str) -> Vec<String> {
    let found = arrows::new_arrows(&arrows::arrows(&[SourceFile::new(path, text)]), SMALL);
    found.iter().map(ToString::to_string).collect()
}

fn offences(rule: fn(&[SourceFile]) -> Vec<Offence>, path: &str, text: &str) -> Vec<String> {
    rule(&[SourceFile::new(path, text)]).iter().map(ToString::to_string).collect()
}

#[track_caller]
fn assert_caught(rule: fn(&[SourceFile]) -> Vec<Offence>, path: &str, line: usize, text: &str) {
    let found = offences(rule, path, text);
    let place = format!("{path}:{line}: ");
    assert!(found.len() == 1 && found[0].starts_with(&place), "expected one at {place}, found {found:?}");
}

#[test]
fn a_new_arrow_is_found_wherever_a_path_may_stand() {
    for text in [
        "use crate::cli;",
        "use crate::{kafka::Offset, cli::Arguments};",
        "use super::super::cli::Arguments;",
        "use super::{Closure, super::cli};",
        "fn f() { crate::cli::run(); }",
        "fn f(_: &crate::cli::Arguments) {}",
        "fn f() { assert!(crate::cli::run()); }",
        "macro_rules! m { () => { $crate::cli::run() }; }",
        "mod inner { mod most { use super::super::super::super::cli; } }",
        "struct S { #[serde(with = \"crate::cli::units\")] field: u8 }",
        "pub use crate::cli::Arguments;",
    ] {
        assert_eq!(
            new_arrows("src/history/row.rs", text),
            ["src/history/row.rs:1: `history` may not use `cli`"],
            "{text}"
        );
    }
}

#[test]
fn an_arrow_of_the_table_or_inside_a_room_is_no_offence() {
    for text in [
        "use crate::kafka::{Offset, Partition};",
        "use super::writer::Rows;",
        "use super::{writer, self};",
        "use crate::history::writer;",
        "use self::inner::cli;",
        "mod tests { use super::*; }",
        "//! See [`crate::cli`].",
        "pub(crate) fn f() { std::cli::run(); other::crate_cli(); }",
    ] {
        assert_eq!(new_arrows("src/history/row.rs", text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn taking_the_whole_crate_at_once_is_an_offence() {
    for text in ["use crate::*;", "use crate as c;", "use crate::{self as c};", "use super::super::*;"] {
        assert_eq!(
            new_arrows("src/history/row.rs", text),
            ["src/history/row.rs:1: `history` may not use `*`"],
            "{text}"
        );
    }
}

#[test]
fn a_room_that_the_table_does_not_know_may_use_nothing() {
    assert_eq!(new_arrows("src/attic.rs", "use crate::kafka;"), ["src/attic.rs:1: `attic` may not use `kafka`"]);
    assert_eq!(new_arrows("src/cli.rs", "use crate::attic;"), ["src/cli.rs:1: `cli` may not use `attic`"]);
}

#[test]
fn the_program_reaches_the_library_by_its_name() {
    assert_eq!(new_arrows("src/main.rs", "use wiber_chaos::cli;"), ["src/main.rs:1: `main` may not use `cli`"]);
}

#[test]
fn a_stale_arrow_is_found_once_every_room_has_code() {
    let stale = |check: &str| {
        let rooms = ["kafka", "history", "check", "cli"];
        let texts = ["pub struct Offset;", "use crate::kafka;", check, "fn run() {}"];
        let files: Vec<_> =
            rooms.iter().zip(texts).map(|(room, text)| SourceFile::new(&format!("src/{room}.rs"), text)).collect();
        let found = arrows::stale_arrows(&files, &arrows::arrows(&files), SMALL);
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(stale("fn check() {}"), ["src/check.rs:1: nothing in `check` uses `history` any more"]);
    assert_eq!(stale("use crate::history;"), Vec::<String>::new());
    assert_eq!(stale("//! The checks."), Vec::<String>::new(), "an unwritten room is no stale one");
}

#[test]
fn a_cycle_in_the_table_is_found() {
    let cycle: Table<'_> = &[("kafka", &["history"]), ("history", &["kafka"])];
    assert_eq!(arrows::upward_arrows(cycle), ["`kafka` uses `history`, which is not above it"]);
    assert_eq!(arrows::upward_arrows(&[("kafka", &["kafka"])]), ["`kafka` uses `kafka`, which is not above it"]);
    assert_eq!(arrows::upward_arrows(SMALL), Vec::<String>::new());
}

#[test]
fn a_room_reached_by_way_of_another_is_reached() {
    assert!(arrows::reach(SMALL, "check").contains("kafka"));
    assert!(arrows::reach(SMALL, "cli").contains("check"));
    assert!(!arrows::reach(SMALL, "check").contains("cli"));
}

#[test]
fn a_file_of_one_line_too_many_is_caught() {
    assert_caught(rules::long_files, "src/a.rs", LINES_MAX + 1, &"\n".repeat(LINES_MAX + 1));
    assert!(offences(rules::long_files, "src/a.rs", &"\n".repeat(LINES_MAX)).is_empty());
}

#[test]
fn unsafe_code_outside_its_module_is_caught() {
    assert_caught(rules::unsafe_code, "src/a.rs", 2, "fn f() {\n    unsafe { g() }\n}");
    assert_caught(rules::unsafe_code, "src/workload/natively.rs", 1, "unsafe fn f() {}");
    for path in ["src/workload/native.rs", "src/workload/native/inbox.rs"] {
        assert!(offences(rules::unsafe_code, path, "unsafe fn f() {}").is_empty());
    }
    assert!(offences(rules::unsafe_code, "src/a.rs", "// unsafe\nconst A: &str = \"unsafe\";").is_empty());
}

#[test]
fn macros_that_leave_something_are_caught() {
    for name in ["todo", "unimplemented", "dbg"] {
        assert_caught(rules::later_macros, "tests/a.rs", 2, &format!("fn f() {{\n    {name}!()\n}}"));
    }
    assert!(offences(rules::later_macros, "src/a.rs", "fn todo() { dbg(); }").is_empty());
}

#[test]
fn words_that_leave_something_are_caught_in_any_file() {
    for word in [concat!("TO", "DO"), concat!("FIX", "ME")] {
        assert_caught(rules::later_words, "docker/a.sh", 2, &format!("true\n# {word}: later\n"));
        assert!(offences(rules::later_words, "a.md", &format!("x{word}s")).is_empty());
    }
}

#[test]
fn a_file_without_a_module_doc_is_caught() {
    assert_caught(rules::missing_module_docs, "src/a.rs", 1, "fn f() {}");
    assert_caught(rules::missing_module_docs, "src/a.rs", 1, "/// Of the function.\nfn f() {}");
    assert!(offences(rules::missing_module_docs, "src/a.rs", "//! Of the file.\nfn f() {}").is_empty());
}

#[test]
fn white_space_at_a_lines_end_is_caught() {
    assert_caught(rules::trailing_space, "a.toml", 2, "a = 1\nb = 2\x20\n");
    assert_caught(rules::trailing_space, "a.toml", 1, "a = 1\r\x20\n");
    assert!(offences(rules::trailing_space, "a.toml", "a = 1\n").is_empty());
}

#[test]
fn tabs_are_caught() {
    assert_caught(rules::tabs, "src/a.rs", 1, "\tfn f() {}");
    assert!(offences(rules::tabs, "Makefile", "a:\n\ttrue\n").is_empty());
}

#[test]
fn silenced_lints_are_caught() {
    for text in
        ["#[allow(dead_code)]\nfn f() {}", "#![allow(dead_code)]", "#[cfg_attr(test, allow(dead_code))]\nfn f() {}"]
    {
        assert_caught(rules::silenced_lints, "src/a.rs", 1, text);
    }
    assert_caught(rules::silenced_lints, "src/a.rs", 2, "mod m {\n    #[expect(dead_code)]\n    fn f() {}\n}");
    let fine = "#[expect(dead_code, reason = \"called by C\")]\nfn f() { allow(x); [expect(y)]; }";
    assert!(offences(rules::silenced_lints, "src/a.rs", fine).is_empty());
}
