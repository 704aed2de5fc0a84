//! Whether records are there, once and at one place: lost writes, duplicates, offsets, aborted and own reads, unseen ones.

use super::{Expected, always_bad, clean, expect, judged, names};
use crate::jepsen::{SubVia, Witness};

#[test]
fn what_was_sent_and_polled_in_order_is_clean() {
    clean(
        "0 ok send [[:send :x [0 :a]]]
         0 ok send [[:send :x [1 :b]]]
         1 ok poll [[:poll {:x [[0 :a] [1 :b]]}]]",
    );
    clean(
        "0 ok txn [[:send 0 [0 1]] [:send 1 [0 1]] [:poll {}]]
         0 ok assign [0 1]
         0 ok txn [[:poll {0 [[0 1]], 1 [[0 1]]}] [:send 0 [2 2]]]
         1 ok subscribe [0]
         1 ok poll [[:poll {0 [[0 1]]}] [:poll {0 [[2 2]]}]]
         2 info crash nil
         3 ok debug-topic-partitions {0 {:leader \"n1\"}}",
    );
}

#[test]
fn a_value_at_two_offsets_is_a_duplicate_under_many_names() {
    let found = "duplicate int-nonmonotonic-poll nonmonotonic-send";
    expect(
        "0 ok send [[:send :x [0 :a]]]
         0 ok send [[:send :x [1 :b]]]
         1 ok poll [[:poll {:x [[0 :a] [1 :b] [2 :a]]}]]",
        &Expected {
            found: [found, "G0 PL-1-cycle-exists duplicate int-nonmonotonic-poll nonmonotonic-send"],
            bad: [found; 4],
        },
    );
}

#[test]
fn a_send_and_a_poll_that_disagree_about_the_offset_are_a_duplicate() {
    // The places of a are before b and after it, so that each of the two sends comes before the other.
    expect(
        "0 ok send [[:send :x [1 :a]]]
         1 info send [[:send :x :b]]
         2 ok poll [[:poll {:x [[2 :b] [3 :a]]}]]
         2 ok poll [[:poll]]",
        &Expected { found: ["duplicate", "G0 PL-1-cycle-exists duplicate"], bad: ["duplicate"; 4] },
    );
}

#[test]
fn failed_polls_tell_of_offsets_and_failed_sends_do_not() {
    always_bad(
        "0 ok send [[:send :x [1 0]]]
         0 fail send [[:send :x [2 1]]]
         1 fail poll [[:poll {:x [[11 0] [12 1]]}]]
         2 ok poll [[:poll {:x [[1 0]]}]]",
        "duplicate",
    );
}

#[test]
fn two_values_at_one_offset_are_inconsistent() {
    always_bad(
        "0 ok send [[:send :x [0 1]]]
         1 ok send [[:send :x [0 2]]]
         2 ok poll [[:poll {:x [[0 1]]}]]
         3 ok poll [[:poll {:x [[0 2]]}]]",
        "inconsistent-offsets",
    );
}

#[test]
fn an_unknown_send_contradicts_nobody_until_something_of_it_is_read() {
    let sends = "0 info send [[:send :x [0 1]] [:send :y 1]]
                 1 ok send [[:send :x [0 2]]]";
    expect(
        sends,
        &Expected { found: ["empty-transaction-graph unseen"; 2], bad: ["empty-transaction-graph unseen"; 4] },
    );
    // The last operation is the first that polls y, so that is unseen, too.
    always_bad(&format!("{sends}\n2 ok poll [[:poll {{:y [[5 1]]}}]]"), "inconsistent-offsets unseen");
}

#[test]
fn of_two_values_at_one_offset_the_order_keeps_the_one_that_a_clojure_set_yields_first() {
    // A set of 2 and 3 yields 3 first, so the place of 2 is not known, and nobody who read 2 skipped anything.
    let history = |one: i64, other: i64| {
        format!(
            "0 ok send [[:send :x [0 2]]]
             1 ok send [[:send :x [0 3]]]
             0 ok send [[:send :x [1 5]]]
             0 ok send [[:send :x [2 8]]]
             2 ok poll [[:poll {{:x [[0 {one}] [2 8]]}}]]
             3 ok poll [[:poll {{:x [[1 5]]}}]]
             4 ok poll [[:poll {{:x [[0 {other}]]}}]]"
        )
    };
    always_bad(&history(2, 3), "inconsistent-offsets");
    always_bad(&history(3, 2), "inconsistent-offsets int-poll-skip");
}

#[test]
fn duplicates_are_counted_where_offsets_are_inconsistent_too() {
    let one = |value| format!("0 ok send [[:send :x [0 {value}]]]\n1 ok poll [[:poll {{:x [[1 {value}]]}}]]\n");
    let history: String = (0..10).map(one).collect();
    let verdict = judged(&history, (SubVia::Assign, false));
    assert_eq!(names(verdict.findings.types()), "duplicate inconsistent-offsets");
    let counts: Vec<usize> = verdict.findings.0.values().map(|found| found.count).collect();
    assert_eq!(counts, [10, 2]);
}

#[test]
fn a_failed_value_that_is_read_is_an_aborted_read() {
    let send = "0 fail send [[:send :x :b] [:send :y :c]]";
    // What a key's first poll read counts as unseen if nothing comes after it.
    always_bad(&format!("{send}\n1 ok poll [[:poll {{:x [[0 :b]]}}]]"), "G1a unseen");
    always_bad(&format!("{send}\n1 ok poll [[:poll {{:x [[0 :b]]}}]]\n1 ok poll [[:poll]]"), "G1a");
    always_bad(
        "0 fail txn [[:poll {}] [:send :x :b]]
         1 ok txn [[:poll {:x [[0 :b]]}] [:send :y [0 :d]]]
         2 ok txn [[:poll {:y [[0 :d]]}]]",
        "G1a",
    );
}

#[test]
fn a_failed_value_in_a_failed_or_unknown_poll_is_reported_by_nothing() {
    for stage in ["fail", "info"] {
        clean(&format!(
            "0 fail send [[:send :x :b]]
             1 {stage} poll [[:poll {{:x [[0 :b]]}}]]
             2 ok send [[:send :x [1 :c]]]
             3 ok poll [[:poll {{:x [[1 :c]]}}]]"
        ));
    }
}

#[test]
fn a_transaction_that_polls_what_it_sent_reads_before_the_commit_whatever_became_of_it() {
    for stage in ["ok", "info", "fail"] {
        always_bad(
            &format!(
                "1 ok poll [[:poll]]
                 0 {stage} txn [[:send :x [0 :a]] [:poll {{:x [[0 :a]]}}]]"
            ),
            "precommitted-read",
        );
    }
}

#[test]
fn a_transaction_alone_depends_on_nobody() {
    always_bad("0 ok txn [[:send :x [0 :a]] [:poll {:x [[0 :a]]}]]", "empty-transaction-graph precommitted-read");
}

#[test]
fn a_value_below_what_was_read_is_lost_and_unseen() {
    always_bad(
        "0 ok send [[:send :x [0 :a]]]
         0 ok send [[:send :x [1 :b]]]
         1 ok poll [[:poll {:x [[1 :b]]}]]",
        "lost-write unseen",
    );
}

#[test]
fn the_loss_of_the_end_is_unseen_only() {
    always_bad(
        "0 ok send [[:send :x [0 :a]]]
         0 ok send [[:send :x [1 :b]]]
         1 ok poll [[:poll {:x [[0 :a]]}]]",
        "unseen",
    );
}

#[test]
fn the_loss_of_a_value_without_an_offset_is_unseen_only() {
    for send in ["[:send :x :a]", "[:send :x [nil :a]]"] {
        always_bad(
            &format!(
                "0 ok send [{send}]
                 0 ok send [[:send :x [1 :b]]]
                 1 ok poll [[:poll {{:x [[1 :b]]}}]]"
            ),
            "unseen",
        );
    }
}

#[test]
fn a_value_that_only_a_failed_poll_read_is_lost() {
    always_bad(
        "0 ok send [[:send :x [0 :a]]]
         0 ok send [[:send :x [1 :b]]]
         1 fail poll [[:poll {:x [[0 :a]]}]]
         1 ok poll [[:poll {:x [[1 :b]]}]]",
        "lost-write unseen",
    );
}

#[test]
fn an_unknown_send_that_nobody_read_is_never_lost() {
    clean(
        "0 info send [[:send :x [0 :a]]]
         1 ok send [[:send :x [1 :b]]]
         2 ok poll [[:poll {:x [[1 :b]]}]]",
    );
}

#[test]
fn an_unknown_transaction_of_which_one_part_was_read_has_to_be_there_whole() {
    let before = "0 info send [[:send :x :a] [:send :y [0 :b]]]
                  1 info send [[:send :y :c]]";
    let after = "3 ok poll [[:poll {:y [[1 :c]]}]]
                 3 ok poll [[:poll]]";
    clean(&format!("{before}\n{after}"));
    always_bad(&format!("{before}\n2 ok poll [[:poll {{:x [[0 :a]]}}]]\n{after}"), "lost-write");
}

#[test]
fn a_value_that_another_one_replaced_is_lost_whichever_the_order_kept() {
    // b took the place of a at offset 0.
    let history = "0 ok send [[:send :x [0 :a]]]
                   0 ok send [[:send :x [0 :b]] [:send :x [2 :c]]]
                   0 ok poll [[:poll {:x [[0 :b] [2 :c]]}]]";
    let verdict = judged(history, (SubVia::Assign, false));
    let lost = &verdict.findings.0[&crate::jepsen::ErrorType::LostWrite];
    assert_eq!(lost.count, 1);
    let Witness::Lost { value, index, max_read_index, .. } = &lost.examples[0] else { panic!("{lost:?}") };
    assert_eq!((value.to_string().as_str(), *index, *max_read_index), (":a", 0, 1));
}

#[test]
fn unseen_is_judged_at_the_last_ok_operation_only() {
    clean(
        "0 ok send [[:send :x [0 :a]]]
         1 ok poll [[:poll]]
         1 ok poll [[:poll {:x [[0 :a]]}]]
         0 info send [[:send :x :b]]
         0 fail send [[:send :x :c]]",
    );
}

#[test]
fn what_the_last_operation_polls_of_a_key_without_acknowledged_sends_counts_as_unseen() {
    let history = "0 info send [[:send :x [0 :a]]]
                   1 ok poll [[:poll]]
                   1 ok poll [[:poll {:x [[0 :a]]}]]";
    always_bad(history, "unseen");
    clean(&format!("{history}\n1 ok poll [[:poll]]"));
    clean(
        "0 ok send [[:send :x [0 :b]]]
         2 ok poll [[:poll {:x [[0 :b]]}]]
         3 info send [[:send :x [1 :a]]]
         1 ok poll [[:poll {:x [[1 :a]]}]]",
    );
}

#[test]
fn a_witness_names_keys_values_offsets_and_operations() {
    let verdict = judged(
        "0 ok send [[:send 7 [3 41]]]
         0 ok send [[:send 7 [4 42]]]
         1 ok poll [[:poll {7 [[4 42]]}]]",
        (SubVia::Assign, false),
    );
    let json = serde_json::to_value(&verdict.findings).expect("plain data");
    let op = |index: i64, process: i64, f: &str| serde_json::json!({ "index": index, "line": index + 1, "process": process, "type": "ok", "f": f });
    assert_eq!(
        json,
        serde_json::json!({
            "lost-write": { "count": 1, "examples": [{
                "key": 7, "value": 41, "index": 0, "max_read_index": 1, "writer": op(1, 0, "send"), "max_read": op(5, 1, "poll"),
            }] },
            "unseen": { "count": 1, "examples": [{ "key": 7, "count": 1, "messages": [41] }] },
        })
    );
}
