//! Histories of which Jepsen's analysis would throw, so that nothing is known of them.

use super::{SETTINGS, always_bad, clean, judged};
use crate::jepsen::{Options, SubVia, Thrown, Validity, judge, read};

/// Unknown under every setting, for this reason.
#[track_caller]
fn unknown(short: &str, fits: fn(&Thrown) -> bool) {
    for setting in SETTINGS {
        let verdict = judged(short, setting);
        assert_eq!(verdict.validity, Validity::Unknown, "{setting:?}: {verdict:?}");
        assert!(verdict.thrown.iter().any(fits), "{:?}", verdict.thrown);
        assert_eq!(verdict.findings.types().count() + verdict.bad.len(), 0, "nothing else is claimed");
    }
}

#[test]
fn a_polled_value_that_nobody_sent_is_unknown() {
    for stage in ["ok", "info", "fail"] {
        unknown(
            &format!(
                "0 ok send [[:send :x [0 :a]]]
                 1 ok poll [[:poll {{:x [[0 :a]]}}]]
                 2 {stage} poll [[:poll {{:x [[1 :z]]}}]]"
            ),
            |thrown| matches!(thrown, Thrown::NoWriter { .. }),
        );
    }
}

#[test]
fn a_polled_value_whose_send_never_ended_is_unknown() {
    unknown(
        "0 > send [[:send :x :a]]
         1 ok poll [[:poll {:x [[0 :a]]}]]
         1 ok poll [[:poll]]",
        |thrown| matches!(thrown, Thrown::NoWriter { .. }),
    );
}

#[test]
fn a_send_that_never_ended_and_that_nobody_read_is_nothing() {
    clean(
        "0 > send [[:send :x :a]]
         1 ok send [[:send :x [1 :b]]]
         2 ok poll [[:poll {:x [[1 :b]]}]]",
    );
}

#[test]
fn a_key_of_whose_reads_no_place_is_known_is_unknown() {
    let nothing_placed: fn(&Thrown) -> bool = |thrown| matches!(thrown, Thrown::NothingPlaced(_));
    unknown("0 ok send [[:send :x :a]]\n1 ok poll [[:poll {:x [[nil :a]]}]]", nothing_placed);
    // No record at all is no record with a place, even where the log is known.
    unknown("0 ok send [[:send :x [0 :a]]]\n1 ok poll [[:poll {:x []}]]", nothing_placed);
    // Jepsen's logs begin at offset 0.
    unknown("0 ok send [[:send :x [-1 :a]]]\n1 ok poll [[:poll {:x [[-1 :a]]}]]", nothing_placed);
    clean("0 ok send [[:send :x [0 :a]]]\n1 ok poll [[:poll {:x []}]]\n1 ok poll [[:poll {:x [[0 :a]]}]]");
    // A place that a send knows is a place.
    clean("0 ok send [[:send :x [0 :a]]]\n1 ok poll [[:poll {:x [[nil :a]]}]]");
}

#[test]
fn a_history_without_clients_is_unknown() {
    for text in ["", "[]", "{:index 0 :process :nemesis :type :info :f :kill :value nil}"] {
        let history = read(text).expect("legal EDN");
        let verdict = judge(&history, &Options { sub_via: vec![SubVia::Assign], ww_deps: false });
        assert_eq!(verdict.thrown, [Thrown::NoClientOps], "{text}");
        assert_eq!(verdict.validity, Validity::Unknown);
    }
}

#[test]
fn a_process_with_two_operations_at_a_time_is_unknown() {
    unknown(
        "0 > send [[:send :x :a]]
         0 ok send [[:send :x [0 :a]]]
         1 ok poll [[:poll {:x [[0 :a]]}]]",
        |thrown| matches!(thrown, Thrown::DoubleInvoke { .. }),
    );
}

#[test]
fn an_end_without_a_beginning_is_unknown() {
    unknown("0 < ok send [[:send :x [0 :a]]]\n1 ok poll [[:poll {:x [[0 :a]]}]]", |thrown| {
        matches!(thrown, Thrown::NotRunning(_))
    });
    // Nobody asks for the pairs of a history in which nothing was sent or polled.
    always_bad("0 < ok assign [:x]", "empty-transaction-graph");
}

#[test]
fn what_would_be_sorted_has_to_be_of_one_kind() {
    unknown(
        "0 ok send [[:send :x [0 :a]]]
         0 ok send [[:send 0 [0 :a]]]
         1 ok poll [[:poll]]",
        |thrown| matches!(thrown, Thrown::Incomparable { .. }),
    );
    unknown(
        "0 ok send [[:send :x [0 :a]]]
         0 ok send [[:send :x [0 1]]]
         1 ok poll [[:poll {:x [[0 :a]]}]]
         2 ok poll [[:poll {:x [[0 1]]}]]",
        |thrown| matches!(thrown, Thrown::Incomparable { .. }),
    );
}
