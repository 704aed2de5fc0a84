//! Whether a producer's records lie in the order in which it sent them.

use super::{Expected, always_bad, expect, never_bad};

const BACKWARDS: &str = "2 ok poll [[:poll {:x [[0 :b] [1 :a]]}]]";

#[test]
fn a_process_whose_later_send_lies_before_the_earlier_is_nonmonotonic() {
    expect(
        &format!(
            "0 ok send [[:send :x [1 :a]]]
             0 ok send [[:send :x [0 :b]]]
             {BACKWARDS}"
        ),
        &Expected {
            found: ["nonmonotonic-send", "G0-realtime nonmonotonic-send strong-PL-1-cycle-exists"],
            bad: ["nonmonotonic-send"; 4],
        },
    );
}

#[test]
fn unknown_sends_count_and_failed_ones_do_not() {
    always_bad(
        &format!(
            "0 info txn [[:send :x [1 :a]]]
             0 ok txn [[:send :x [0 :b]]]
             {BACKWARDS}"
        ),
        "nonmonotonic-send",
    );
    always_bad(
        &format!(
            "0 fail send [[:send :x :a]]
             0 ok send [[:send :x [0 :b]]]
             {BACKWARDS}"
        ),
        "G1a",
    );
}

#[test]
fn an_assignment_makes_a_process_forget_its_sends_too() {
    let around = |assignment: &str| {
        format!(
            "0 ok send [[:send :x [1 :a]]]
             {assignment}
             0 ok send [[:send :x [0 :b]]]
             {BACKWARDS}"
        )
    };
    let found = "G0-realtime strong-PL-1-cycle-exists";
    never_bad(&around("0 ok assign [:y]"), found);
    never_bad(&around("0 info subscribe [:y]"), found);
    for kept in ["0 ok assign [:x :y]", "0 fail assign [:y]", "1 ok assign [:y]"] {
        expect(
            &around(kept),
            &Expected {
                found: ["nonmonotonic-send", "G0-realtime nonmonotonic-send strong-PL-1-cycle-exists"],
                bad: ["nonmonotonic-send"; 4],
            },
        );
    }
}

#[test]
fn sends_of_one_operation_that_changed_places_are_nonmonotonic_within() {
    for stage in ["ok", "info", "fail"] {
        // A failed operation's own offsets are not believed, so its places are known by the poll only.
        let history = format!(
            "1 ok poll [[:poll]]
             0 {stage} txn [[:send :x [1 :a]] [:send :x [0 :b]]]
             1 info poll [[:poll {{:x [[0 :b] [1 :a]]}}]]
             2 ok poll [[:poll {{:x [[0 :b] [1 :a]]}}]]
             2 ok poll [[:poll]]"
        );
        let found = if stage == "fail" { "G1a int-nonmonotonic-send" } else { "int-nonmonotonic-send" };
        always_bad(&history, found);
    }
}

#[test]
fn what_lies_between_the_sends_of_one_operation_is_never_bad() {
    expect(
        "0 > txn [[:send :x :a] [:send :x :c]]
         1 > send [[:send :x :b]]
         0 < ok txn [[:send :x [0 :a]] [:send :x [2 :c]]]
         1 < ok send [[:send :x [1 :b]]]
         2 ok poll [[:poll {:x [[0 :a] [1 :b] [2 :c]]}]]",
        &Expected { found: ["int-send-skip", "G0 PL-1-cycle-exists int-send-skip"], bad: [""; 4] },
    );
}

#[test]
fn an_offset_that_only_a_poll_knows_places_a_send() {
    expect(
        "0 > send [[:send :x :a] [:send :x :c]]
         1 > send [[:send :x :b]]
         0 < ok send [[:send :x [1 :a]] [:send :x :c]]
         1 < info send [[:send :x :b]]
         2 ok poll [[:poll {:x [[1 :a] [2 :b] [3 :c]]}]]",
        &Expected { found: ["int-send-skip", "G0 PL-1-cycle-exists int-send-skip"], bad: [""; 4] },
    );
}
