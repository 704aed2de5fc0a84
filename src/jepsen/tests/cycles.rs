//! Cycles, by the names that Elle gives them.

use super::{Expected, always_bad, clean, expect, judged, never_bad};
use crate::jepsen::{ErrorType, Step, SubVia, Witness};

/// Found without ww-deps too, and bad unless they are inferred.
#[track_caller]
fn bad_without_ww_deps(short: &str, found: &'static str) {
    expect(short, &Expected { found: [found; 2], bad: [found, "", found, ""] });
}

#[test]
fn two_transactions_that_lie_before_each_other_are_g0_and_never_bad() {
    never_bad(
        "0 > send [[:send :x :a] [:send :y :a]]
         1 > send [[:send :x :b] [:send :y :b]]
         0 < ok send [[:send :x [0 :a]] [:send :y [1 :a]]]
         1 < ok send [[:send :x [1 :b]] [:send :y [0 :b]]]
         2 ok poll [[:poll {:x [[0 :a] [1 :b]], :y [[0 :b] [1 :a]]}]]",
        "G0 PL-1-cycle-exists",
    );
}

#[test]
fn a_send_that_was_over_before_another_began_and_lies_after_it_is_never_bad() {
    never_bad(
        "0 ok send [[:send :x [1 :a]]]
         1 ok send [[:send :x [0 :b]]]
         2 ok poll [[:poll {:x [[0 :b] [1 :a]]}]]",
        "G0-realtime strong-PL-1-cycle-exists",
    );
}

const SAW_EACH_OTHER: &str = "0 > txn [[:send :x :a] [:poll]]
                              1 > txn [[:send :y :b] [:poll]]
                              0 < ok txn [[:send :x [0 :a]] [:poll {:y [[0 :b]]}]]
                              1 < ok txn [[:send :y [0 :b]] [:poll {:x [[0 :a]]}]]";

#[test]
fn two_transactions_that_saw_each_other_are_g1c() {
    bad_without_ww_deps(SAW_EACH_OTHER, "G1c PL-2-cycle-exists");
}

#[test]
fn a_transaction_that_saw_another_and_lies_before_it_is_g1c_with_ww_deps() {
    never_bad(
        "0 > txn [[:send :x :a] [:send :y :c]]
         1 > txn [[:poll] [:send :y :b]]
         0 < ok txn [[:send :x [0 :a]] [:send :y [2 :c]]]
         1 < ok txn [[:poll {:x [[0 :a]]}] [:send :y [1 :b]]]
         2 ok poll [[:poll {:y [[1 :b] [2 :c]]}]]",
        "G1c PL-2-cycle-exists",
    );
}

#[test]
fn a_value_that_was_read_before_its_send_began_is_bad_without_ww_deps_only() {
    bad_without_ww_deps(
        "1 ok poll [[:poll {:x [[0 :a]]}]]
         0 ok send [[:send :x [0 :a]]]",
        "G1c-realtime strong-PL-2-cycle-exists",
    );
    bad_without_ww_deps(
        "1 ok poll [[:poll {:x [[0 :a]]}]]
         0 info send [[:send :x [0 :a]]]
         1 ok poll [[:poll]]",
        "G1c-realtime strong-PL-2-cycle-exists",
    );
}

#[test]
fn failed_operations_take_part_in_cycles() {
    expect(
        "1 ok poll [[:poll {:x [[0 :a]]}]]
         0 fail send [[:send :x :a]]
         1 ok poll [[:poll]]",
        &Expected {
            found: ["G1a G1c-realtime strong-PL-2-cycle-exists"; 2],
            bad: [
                "G1a G1c-realtime strong-PL-2-cycle-exists",
                "G1a",
                "G1a G1c-realtime strong-PL-2-cycle-exists",
                "G1a",
            ],
        },
    );
}

#[test]
fn nothing_comes_after_an_unknown_or_failed_operation_in_real_time() {
    for stage in ["info", "fail"] {
        clean(&format!(
            "1 {stage} poll [[:poll {{:x [[0 :a]]}}]]
             0 ok send [[:send :x [0 :a]]]
             2 ok poll [[:poll {{:x [[0 :a]]}}]]"
        ));
    }
}

#[test]
fn real_time_leads_through_operations_that_came_between() {
    bad_without_ww_deps(
        "1 ok poll [[:poll {:x [[0 :a]]}]]
         2 ok poll [[:poll]]
         3 ok poll [[:poll]]
         0 ok send [[:send :x [0 :a]]]",
        "G1c-realtime strong-PL-2-cycle-exists",
    );
}

#[test]
fn each_component_is_looked_at_by_itself() {
    let found = "G0-realtime G1c PL-2-cycle-exists strong-PL-1-cycle-exists";
    expect(
        &format!(
            "{SAW_EACH_OTHER}
             2 ok send [[:send :q [1 :d]]]
             3 ok send [[:send :q [0 :e]]]
             4 ok poll [[:poll {{:q [[0 :e] [1 :d]]}}]]"
        ),
        &Expected {
            found: ["G1c PL-2-cycle-exists", found],
            bad: ["G1c PL-2-cycle-exists", "", "G1c PL-2-cycle-exists", ""],
        },
    );
}

#[test]
fn a_worse_cycle_makes_the_milder_ones_of_its_component_redundant() {
    // The two lie before each other, saw each other, and the second began after the first was over.
    let found = "G0 PL-1-cycle-exists";
    expect(
        "0 ok txn [[:send :x [0 :a]] [:send :y [1 :a]] [:poll {:y [[0 :b]]}]]
         1 ok txn [[:send :x [1 :b]] [:send :y [0 :b]] [:poll {:x [[0 :a]]}]]
         2 ok poll [[:poll {:x [[1 :b]], :y [[1 :a]]}]]",
        &Expected {
            found: ["G1c PL-2-cycle-exists", found],
            bad: ["G1c PL-2-cycle-exists", "", "G1c PL-2-cycle-exists", ""],
        },
    );
}

#[test]
fn a_cycle_is_named_by_its_reasons_and_not_by_what_was_searched() {
    // The second began after the first and polled what it had sent, so the search for a G0-realtime ends in another G1c.
    let history = "0 ok txn [[:send :y [1 :c]]]
                   1 ok txn [[:poll {:y [[1 :c]]}] [:send :y [0 :b]]]
                   2 ok poll [[:poll {:y [[0 :b] [1 :c]]}]]";
    never_bad(history, "G1c PL-2-cycle-exists strong-PL-1-cycle-exists");
    let verdict = judged(history, (SubVia::Assign, true));
    assert_eq!(verdict.findings.0[&ErrorType::G1c].count, 2);
}

#[test]
fn a_cycle_comes_with_the_reason_of_each_step() {
    let verdict = judged(SAW_EACH_OTHER, (SubVia::Assign, false));
    let Witness::Cycle { cycle, steps } = &verdict.findings.0[&ErrorType::G1c].examples[0] else { panic!("no cycle") };
    let indices: Vec<i64> = cycle.iter().map(|op| op.index).collect();
    // As in Jepsen's own test of this history, which begins at the second transaction.
    assert_eq!(indices, [3, 2]);
    let values: Vec<String> = steps
        .iter()
        .map(|step| match step {
            Step::Wr { key, value } => format!("{key} {value}"),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(values, [":y :b", ":x :a"]);
}

#[test]
fn jepsens_own_cycles_begin_where_they_begin_there() {
    let g0 = "0 > send [[:send :x :a] [:send :y :a]]
              1 > send [[:send :x :b] [:send :y :b]]
              0 < ok send [[:send :x [0 :a]] [:send :y [1 :a]]]
              1 < ok send [[:send :x [1 :b]] [:send :y [0 :b]]]";
    let g1c = "0 > txn [[:send :x :a] [:send :y :c]]
               1 > txn [[:poll] [:send :y :b]]
               0 < ok txn [[:send :x [0 :a]] [:send :y [2 :c]]]
               1 < ok txn [[:poll {:x [[0 :a]]}] [:send :y [1 :b]]]";
    for (history, error, begins) in [(g0, ErrorType::G0, [3, 2]), (g1c, ErrorType::G1c, [2, 3])] {
        let verdict = judged(history, (SubVia::Assign, true));
        let Witness::Cycle { cycle, .. } = &verdict.findings.0[&error].examples[0] else { panic!("no cycle") };
        assert_eq!(cycle.iter().map(|op| op.index).collect::<Vec<_>>(), begins, "{error:?}");
    }
}

#[test]
fn operations_that_depend_on_nobody_are_an_error_by_themselves() {
    always_bad("0 ok poll [[:poll]]", "empty-transaction-graph");
    always_bad("0 ok assign [:x]", "empty-transaction-graph");
    always_bad("0 info crash nil", "empty-transaction-graph");
}
