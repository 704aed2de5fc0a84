//! Whether consumers read on where they had left off.

use super::{always_bad, bad_unless_subscribed, clean};

const SENDS: &str = "0 ok send [[:send :x [0 :a]]]
                     0 ok send [[:send :x [1 :b]]]
                     0 ok send [[:send :x [2 :c]]]
                     9 ok poll [[:poll {:x [[0 :a] [1 :b] [2 :c]]}]]\n";

fn with_sends(polls: &str) -> String {
    format!("{SENDS}{polls}")
}

#[test]
fn a_process_that_goes_past_a_value_skips() {
    let polls = "1 ok poll [[:poll {:x [[0 :a]]}]]
                 1 ok txn [[:poll {:x [[2 :c]]}]]";
    bad_unless_subscribed(&with_sends(polls), "poll-skip");
}

#[test]
fn a_process_that_reads_again_or_goes_back_is_nonmonotonic() {
    for first in ["[1 :b]", "[0 :a] [1 :b]"] {
        let polls = format!(
            "1 ok poll [[:poll {{:x [[0 :a] [1 :b]]}}]]
             1 ok poll [[:poll {{:x [{first} [2 :c]]}}]]"
        );
        bad_unless_subscribed(&with_sends(&polls), "nonmonotonic-poll");
    }
}

#[test]
fn a_new_process_may_begin_anywhere() {
    clean(&with_sends("1 ok poll [[:poll {:x [[0 :a]]}]]\n2 ok poll [[:poll {:x [[2 :c]]}]]"));
}

#[test]
fn an_assignment_that_leaves_a_key_out_forgets_it_and_one_that_names_it_does_not() {
    for function in ["assign", "subscribe"] {
        for (assignment, forgotten) in [
            (format!("1 ok {function} [:y]"), true),
            (format!("1 info {function} [:y]"), true),
            (format!("1 ok {function} nil"), true),
            (format!("1 fail {function} [:y]"), false),
            (format!("1 ok {function} [:x :y]"), false),
            (format!("1 ok {function} [:x] | :seek-to-beginning? true"), false),
            (format!("2 ok {function} [:y]"), false),
        ] {
            let history = with_sends(&format!(
                "1 ok poll [[:poll {{:x [[0 :a]]}}]]
                 {assignment}
                 1 ok poll [[:poll {{:x [[2 :c]]}}]]"
            ));
            if forgotten { clean(&history) } else { bad_unless_subscribed(&history, "poll-skip") }
        }
    }
}

#[test]
fn an_empty_result_makes_a_process_forget_its_position_and_none_keeps_it() {
    let around = |poll: &str| {
        with_sends(&format!(
            "1 ok poll [[:poll {{:x [[0 :a]]}}]]
             1 ok poll {poll}
             1 ok poll [[:poll {{:x [[2 :c]]}}]]"
        ))
    };
    clean(&around("[[:poll {:x []}]]"));
    bad_unless_subscribed(&around("[[:poll {}]]"), "poll-skip");
    bad_unless_subscribed(&around("[[:poll]]"), "poll-skip");
    bad_unless_subscribed(&around("nil"), "poll-skip");
}

#[test]
fn failed_and_unknown_polls_leave_the_position_where_it_was() {
    for stage in ["fail", "info"] {
        let after = |next: &str| {
            with_sends(&format!(
                "1 ok txn [[:poll {{:x [[0 :a]]}}]]
                 1 {stage} txn [[:poll {{:x [[1 :b]]}}]]
                 1 ok txn [[:poll {{:x [{next}]}}]]"
            ))
        };
        clean(&after("[1 :b] [2 :c]"));
        bad_unless_subscribed(&after("[2 :c]"), "poll-skip");
    }
}

#[test]
fn failed_and_unknown_polls_are_held_to_the_position_themselves() {
    for stage in ["fail", "info"] {
        let polls = format!("1 ok txn [[:poll {{:x [[0 :a]]}}]]\n1 {stage} txn [[:poll {{:x [[2 :c]]}}]]");
        bad_unless_subscribed(&with_sends(&polls), "poll-skip");
    }
}

#[test]
fn a_rebalance_excuses_nothing_between_operations() {
    let polls = "1 ok poll [[:poll {:x [[0 :a]]}]]
                 1 ok poll [[:poll {:x [[2 :c]]}]] | :rebalance-log [{:keys [:x]}]";
    bad_unless_subscribed(&with_sends(polls), "poll-skip");
}

#[test]
fn a_gap_in_the_offsets_is_no_skip() {
    clean(
        "0 ok txn [[:send :x [0 :a]]]
         0 ok txn [[:send :x [7 :b]]]
         1 ok poll [[:poll {:x [[0 :a] [7 :b]]}]]
         2 ok poll [[:poll {:x [[0 :a]]}]]
         2 ok poll [[:poll {:x [[7 :b]]}]]",
    );
}

#[test]
fn a_value_whose_place_nobody_knows_is_held_against_nobody() {
    let polls = "0 info send [[:send :x :d]]
                 1 ok poll [[:poll {:x [[0 :a] [nil :d]]}]]
                 1 ok poll [[:poll {:x [[2 :c]]}]]";
    clean(&with_sends(polls));
}

#[test]
fn one_operation_that_goes_past_a_value_skips_within() {
    for stage in ["ok", "info", "fail"] {
        for polled in ["[[:poll {:x [[0 :a] [2 :c]]}]]", "[[:poll {:x [[0 :a]]}] [:poll {:x [[2 :c]]}]]"] {
            always_bad(&with_sends(&format!("1 {stage} poll {polled}")), "int-poll-skip");
        }
    }
}

#[test]
fn one_operation_that_reads_again_or_goes_back_is_nonmonotonic_within() {
    for polled in ["[[:poll {:x [[1 :b] [1 :b]]}]]", "[[:poll {:x [[1 :b]]}] [:poll {:x [[0 :a]]}]]"] {
        always_bad(&with_sends(&format!("1 ok txn {polled}")), "int-nonmonotonic-poll");
    }
}

#[test]
fn a_rebalance_excuses_its_own_keys_within_its_own_operation() {
    let skip = "1 ok poll [[:poll {:x [[0 :a] [2 :c]]}]]";
    clean(&with_sends(&format!("{skip} | :rebalance-log [{{:keys [:y]}} {{:keys [:x]}}]")));
    always_bad(&with_sends(&format!("{skip} | :rebalance-log [{{:keys [:y]}}]")), "int-poll-skip");
    always_bad(
        &with_sends(&format!("1 ok poll [[:poll {{}}]] | :rebalance-log [{{:keys [:x]}}]\n{skip}")),
        "int-poll-skip",
    );
}

#[test]
fn polls_in_a_send_tell_of_the_log_and_are_nobodys_reads() {
    // Such an operation is malformed, and this is what the definitions make of it.
    clean(&with_sends("1 ok send [[:poll {:x [[0 :a] [2 :c]]}]]"));
}
