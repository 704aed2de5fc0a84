//! Jepsen's cases by hand: the bound of `lost-write`, what counts as committed, and where this project goes further.

use crate::anomaly::{CheckName, CheckResult, Validity};
use crate::history::Closure;
use crate::kafka::{Offset, Outcome};

use super::check_all;
use super::testing::{RunBuilder, id};

const DRAIN: u32 = 100;
const MEMBER: u32 = 10;

/// One partition, drained from `start` to `reached`; it ends at `end`. Rows are for the test to add.
fn drained(start: i64, reached: i64, end: i64) -> RunBuilder {
    let mut run = RunBuilder::new(1);
    run.drain_reader(DRAIN);
    run.end_offsets(&[(0, start, end)]);
    run.drained(DRAIN, 0, reached);
    run
}

fn answer(run: &RunBuilder, check: CheckName) -> CheckResult {
    let mut answers = check_all(&run.history, &run.scenario, &run.plan);
    answers.remove(CheckName::ALL.iter().position(|name| *name == check).expect("every check is in the list"))
}

fn lost(run: &RunBuilder) -> (Validity, u64) {
    let answer = answer(run, CheckName::LostWrite);
    (answer.validity, answer.found)
}

#[test]
fn what_lies_below_the_highest_read_must_be_read() {
    let mut run = drained(0, 0, 9);
    for sequence in 0..3 {
        run.acked(0, sequence, sequence.cast_signed());
    }
    run.read(DRAIN, 0, 0, id(0, 0));
    run.read(DRAIN, 0, 2, id(0, 2));
    assert_eq!(lost(&run), (Validity::Invalid, 1));
}

#[test]
fn above_the_highest_read_nobody_can_tell() {
    let mut run = drained(0, 1, 9);
    run.acked(0, 0, 0);
    run.acked(0, 1, 1);
    run.read(DRAIN, 0, 0, id(0, 0));
    assert_eq!(lost(&run), (Validity::Unknown, 0));
}

#[test]
fn the_tail_counts_once_the_drain_is_complete() {
    let mut run = drained(0, 1, 1);
    run.acked(0, 0, 0);
    run.acked(0, 1, 1);
    run.read(DRAIN, 0, 0, id(0, 0));
    assert_eq!(lost(&run), (Validity::Invalid, 1));
    let text = &answer(&run, CheckName::LostWrite).anomalies[0].explanation;
    assert!(text.contains("acknowledged at offset 1, beyond the log's end at 1"), "{text}");
}

#[test]
fn an_indeterminate_send_that_nobody_read_is_never_lost() {
    let mut run = drained(0, 1, 1);
    run.acked(0, 0, 0);
    run.send(0, 0, 1).outcome(Outcome::Info).push();
    run.read(DRAIN, 0, 0, id(0, 0));
    assert_eq!(lost(&run), (Validity::Valid, 0));
}

#[test]
fn an_indeterminate_send_that_a_group_read_must_stay() {
    let mut run = drained(0, 2, 2);
    run.member(MEMBER, "readers", 0);
    run.acked(0, 0, 0);
    run.send(0, 0, 1).outcome(Outcome::Info).push();
    run.read(MEMBER, 0, 1, id(0, 1));
    run.read(DRAIN, 0, 0, id(0, 0));
    assert_eq!(lost(&run), (Validity::Invalid, 1));
}

#[test]
fn a_failed_send_is_never_lost() {
    let mut run = drained(0, 1, 1);
    run.acked(0, 0, 0);
    run.send(0, 0, 1).outcome(Outcome::Fail).push();
    run.read(DRAIN, 0, 0, id(0, 0));
    assert_eq!(lost(&run), (Validity::Valid, 0));
}

#[test]
fn an_acknowledgement_without_an_offset_is_judged_by_a_complete_drain_only() {
    let without_offset = |reached| {
        let mut run = drained(0, reached, 5);
        run.acked(0, 0, 0);
        run.send(0, 0, 1).push();
        run.read(DRAIN, 0, 0, id(0, 0));
        lost(&run)
    };
    assert_eq!(without_offset(5), (Validity::Invalid, 1));
    assert_eq!(without_offset(4), (Validity::Unknown, 0));
}

#[test]
fn what_retention_removed_is_not_lost_and_not_valid() {
    let mut run = drained(1, 2, 2);
    run.acked(0, 0, 0);
    run.acked(0, 1, 1);
    run.read(DRAIN, 0, 1, id(0, 1));
    assert_eq!(lost(&run), (Validity::Unknown, 0));
    run.member(MEMBER, "readers", 0);
    run.read(MEMBER, 0, 0, id(0, 0));
    assert_eq!(lost(&run), (Validity::Valid, 0), "a group read it before retention removed it");
}

#[test]
fn offsets_as_large_as_they_get_cost_nothing() {
    let far = i64::MAX - 1;
    let mut run = drained(0, far + 1, far + 1);
    run.acked(0, 0, 0);
    run.acked(0, 1, far);
    run.read(DRAIN, 0, 0, id(0, 0));
    run.read(DRAIN, 0, far, id(0, 1));
    assert_eq!(lost(&run), (Validity::Valid, 0));
}

#[test]
fn a_cut_history_does_not_take_missing_rows_for_lost_records() {
    let mut run = drained(0, 3, 3);
    run.history.closure = Closure::Cut("the last line is torn".to_owned());
    for sequence in 0..3 {
        run.acked(0, sequence, sequence.cast_signed());
    }
    run.read(DRAIN, 0, 1, id(0, 1));
    // #0 lies below the reader's own last row, so it was passed; #2 may have been read and not flushed.
    assert_eq!(lost(&run), (Validity::Invalid, 1));
}

#[test]
fn a_cut_history_makes_an_unknown_record_no_phantom() {
    let mut run = drained(0, 1, 1);
    run.read(DRAIN, 0, 0, id(0, 0));
    assert_eq!(answer(&run, CheckName::Phantom).validity, Validity::Invalid);
    run.history.closure = Closure::Cut("the last line is torn".to_owned());
    let answer = answer(&run, CheckName::Phantom);
    assert_eq!((answer.validity, answer.found), (Validity::Unknown, 0));
}

#[test]
fn two_acknowledgements_of_one_offset_contradict_each_other() {
    let mut run = drained(0, 0, 9);
    run.acked(0, 0, 7);
    run.acked(1, 0, 7);
    let answer = answer(&run, CheckName::InconsistentOffsets);
    assert_eq!((answer.validity, answer.found), (Validity::Invalid, 1));
}

#[test]
fn reading_an_offset_again_is_no_duplicate() {
    let mut run = drained(0, 1, 1);
    run.member(MEMBER, "readers", 0);
    run.acked(0, 0, 0);
    for reader in [MEMBER, MEMBER, DRAIN, DRAIN] {
        run.read(reader, 0, 0, id(0, 0));
    }
    assert_eq!(answer(&run, CheckName::Duplicate).validity, Validity::Valid);
    assert_eq!(answer(&run, CheckName::GroupDelivery).validity, Validity::Valid);
    assert_eq!(answer(&run, CheckName::Redelivery).validity, Validity::Valid);
}

#[test]
fn sends_in_flight_together_may_lie_in_any_order() {
    let mut run = drained(0, 2, 2);
    run.send(0, 0, 0).offset(1).times(0, 10).push();
    run.send(1, 0, 0).offset(0).times(10, 20).push();
    run.read(DRAIN, 0, 0, id(1, 0));
    run.read(DRAIN, 0, 1, id(0, 0));
    assert_eq!(answer(&run, CheckName::RealtimeOrder).validity, Validity::Valid, "10 is not before 10");
    run.rows(0).sends[1].invoke_ns.0 = 11;
    let answer = answer(&run, CheckName::RealtimeOrder);
    assert_eq!((answer.validity, answer.found), (Validity::Invalid, 1));
    assert_eq!(answer.anomalies[0].record, Some(id(1, 0)));
}

#[test]
fn an_acknowledgement_that_the_log_does_not_confirm_takes_no_part_in_order() {
    let mut run = drained(0, 2, 2);
    run.send(0, 0, 0).offset(1).times(0, 10).push();
    run.send(1, 0, 0).offset(0).times(20, 30).push();
    run.read(DRAIN, 0, 0, id(1, 0));
    assert_eq!(answer(&run, CheckName::RealtimeOrder).found, 0);
    assert_eq!(lost(&run), (Validity::Invalid, 1));
}

#[test]
fn a_scenario_without_groups_has_nothing_to_deliver() {
    let answer = answer(&drained(0, 0, 0), CheckName::GroupDelivery);
    assert_eq!((answer.validity, answer.examined), (Validity::Valid, 0));
    assert_eq!(answer.notes, ["The scenario declares no consumer group, so nothing had to be delivered."]);
}

#[test]
fn everything_is_found_and_the_witnesses_are_whole() {
    let mut run = drained(0, 500, 500);
    for sequence in 0..500 {
        run.acked(0, sequence, sequence.cast_signed());
    }
    let answer = answer(&run, CheckName::LostWrite);
    assert_eq!((answer.examined, answer.found, answer.anomalies.len()), (500, 500, 500));
    let first = &answer.anomalies[0];
    assert_eq!((first.check, first.acked_offset), (CheckName::LostWrite, Some(Offset(0))));
    assert_eq!(first.producer.as_deref(), Some("chatters/0.0"));
}

/// Records of one producer in the order in which they lie, each with its outcome.
fn lying(records: &[(u64, Outcome)]) -> CheckResult {
    let end = i64::try_from(records.len()).expect("a few records");
    let mut run = drained(0, end, end);
    for ((sequence, outcome), offset) in records.iter().zip(0..) {
        let send = run.send(0, 0, *sequence).outcome(*outcome);
        if *outcome == Outcome::Ok {
            send.offset(offset).push();
        } else {
            send.push();
        }
        run.read(DRAIN, 0, offset, id(0, *sequence));
    }
    answer(&run, CheckName::ProducerOrder)
}

#[test]
fn an_unknown_send_that_arrives_late_is_told_and_no_inversion() {
    for records in [[(1, Outcome::Ok), (0, Outcome::Info)], [(1, Outcome::Info), (0, Outcome::Ok)]] {
        let answer = lying(&records);
        assert_eq!((answer.validity, answer.found), (Validity::Valid, 0));
        assert!(answer.notes[0].starts_with("1 records lie after later ones"), "{:?}", answer.notes);
    }
}

#[test]
fn an_unknown_send_in_between_hides_no_inversion() {
    let answer = lying(&[(1, Outcome::Ok), (2, Outcome::Info), (0, Outcome::Ok)]);
    assert_eq!((answer.validity, answer.found), (Validity::Invalid, 1));
}
