//! Records that a fault deleted on purpose: they are missed by nobody, and whatever else is missing is.

use crate::anomaly::{CheckName, CheckResult, Validity};
use crate::fault::lever::RecordsDeleted;
use crate::fault::{Deed, FaultId};
use crate::history::EventKind;
use crate::kafka::levers::LogBounds;
use crate::kafka::{BrokerId, Offset, TopicPartition};

use super::check_all;
use super::testing::{RunBuilder, id};

const DRAIN: u32 = 100;

/// Ten acknowledged records, of which the drain found those from `found` on in a log that begins at `start`; a fault deleted
/// up to `deleted`.
fn run(start: i64, found: i64, deleted: Option<i64>) -> RunBuilder {
    let mut run = RunBuilder::new(1);
    run.drain_reader(DRAIN);
    for offset in 0i64..10 {
        run.acked(0, offset.cast_unsigned(), offset);
        if offset >= found {
            run.read(DRAIN, 0, offset, id(0, offset.cast_unsigned()));
        }
    }
    if let Some(deleted) = deleted {
        let before = LogBounds { log_start: Offset(0), high_watermark: Offset(10) };
        let (partition, log_start) = (TopicPartition::new("chat", 0), Offset(deleted));
        let deed = Deed::RecordsDeleted(RecordsDeleted { partition, before, log_start });
        run.event(2_500_000, EventKind::Deed { fault: FaultId("d".to_owned()), target: BrokerId(1), deed });
    }
    run.end_offsets(&[(0, start, 10)]);
    run.drained(DRAIN, 0, 10);
    run
}

fn answer(run: &RunBuilder, check: CheckName) -> CheckResult {
    let answers = check_all(&run.history, &run.scenario, &run.plan);
    answers.into_iter().find(|answer| answer.check == check).expect("every check answers")
}

fn begins(run: &RunBuilder) -> bool {
    answer(run, CheckName::Coverage).notes.iter().any(|note| note.contains("begins at offset"))
}

#[test]
fn what_a_fault_deleted_is_not_lost() {
    let run = run(4, 4, Some(4));
    let lost = answer(&run, CheckName::LostWrite);
    assert_eq!((lost.validity, lost.found, lost.examined), (Validity::Valid, 0, 6), "{lost:?}");
    assert_eq!(lost.notes, ["4 acknowledged records of chat-0 were deleted on purpose, by a fault."]);
    assert!(!begins(&run));
}

#[test]
fn what_no_fault_deleted_is_missed_as_ever() {
    let run = run(4, 4, None);
    assert_eq!(answer(&run, CheckName::LostWrite).validity, Validity::Unknown);
    assert!(begins(&run));
}

#[test]
fn what_is_missing_above_the_deleted_is_lost() {
    let lost = answer(&run(4, 6, Some(4)), CheckName::LostWrite);
    assert_eq!((lost.validity, lost.found), (Validity::Invalid, 2), "{lost:?}");
}

#[test]
fn what_retention_removed_beyond_the_deleted_is_still_unknown() {
    let run = run(6, 6, Some(4));
    let lost = answer(&run, CheckName::LostWrite);
    assert_eq!((lost.validity, lost.found), (Validity::Unknown, 0), "{lost:?}");
    assert!(begins(&run));
}

#[test]
fn a_deletion_that_did_not_last_excuses_nothing() {
    let lost = answer(&run(0, 4, Some(4)), CheckName::LostWrite);
    assert_eq!((lost.validity, lost.found), (Validity::Invalid, 4), "{lost:?}");
}

#[test]
fn a_record_without_an_offset_may_have_been_deleted() {
    let mut run = run(4, 4, Some(4));
    run.send(0, 0, 10).push();
    let lost = answer(&run, CheckName::LostWrite);
    assert_eq!((lost.validity, lost.found), (Validity::Unknown, 0), "{lost:?}");
}
