//! What lies at the end of the log and was not read: lost, hidden by an open transaction, or late.

use crate::anomaly::{CheckName, CheckResult, Validity};
use crate::history::EventKind;
use crate::history::event::Position;
use crate::kafka::{Offset, TopicPartition};

use super::check_all;
use super::testing::{RunBuilder, id};

const DRAIN: u32 = 10;
const MEMBER: u32 = 20;

/// Ten acknowledged records, of which readers of committed records get to the first six; the cluster said so at 3 ms, and
/// where the high watermark is, if anybody asked.
fn run(high_watermark: Option<i64>) -> RunBuilder {
    let mut run = RunBuilder::new(1);
    run.drain_reader(DRAIN);
    run.member(MEMBER, "readers", 0);
    for offset in 0..10_i64 {
        let record = id(0, offset.cast_unsigned());
        run.acked(0, record.sequence.0, offset);
        if offset < 6 {
            run.read(DRAIN, 0, offset, record);
            run.read(MEMBER, 0, offset, record);
        }
    }
    run.end_offsets(&[(0, 0, 6)]);
    for event in &mut run.history.events {
        if let EventKind::EndOffsets { ranges } = &mut event.kind {
            ranges[0].high_watermark = high_watermark.map(Offset);
        }
    }
    run.drained(DRAIN, 0, 6);
    run.drained(MEMBER, 0, 6);
    run
}

fn answer(run: &RunBuilder, check: CheckName) -> CheckResult {
    let answers = check_all(&run.history, &run.scenario, &run.plan);
    answers.into_iter().find(|answer| answer.check == check).expect("every check answers")
}

#[test]
fn a_tail_beyond_the_high_watermark_is_lost() {
    for high_watermark in [None, Some(6)] {
        let lost = answer(&run(high_watermark), CheckName::LostWrite);
        assert_eq!((lost.validity, lost.found), (Validity::Invalid, 4), "{lost:?}");
        assert!(lost.anomalies[0].explanation.contains("beyond the log's end at 6"), "{lost:?}");
    }
}

#[test]
fn a_tail_above_the_last_stable_offset_is_told_apart_and_unknown() {
    let run = run(Some(10));
    let lost = answer(&run, CheckName::LostWrite);
    assert_eq!((lost.validity, lost.found), (Validity::Unknown, 0), "{lost:?}");
    let note = "4 records of chat-0 lie, or may lie, above the last stable offset 6 and below the high watermark 10: an open \
                transaction keeps readers from them.";
    assert!(lost.notes.iter().any(|told| told == note), "{lost:?}");
    let coverage = answer(&run, CheckName::Coverage);
    assert!(coverage.notes.iter().any(|told| told.contains("an open transaction keeps readers")), "{coverage:?}");
}

#[test]
fn what_lies_beyond_even_the_high_watermark_is_lost_though_a_transaction_is_open() {
    let lost = answer(&run(Some(9)), CheckName::LostWrite);
    assert_eq!((lost.validity, lost.found), (Validity::Invalid, 1), "{lost:?}");
    assert_eq!(lost.anomalies[0].acked_offset, Some(Offset(9)));
    assert!(lost.anomalies[0].explanation.contains("beyond the log's end at 9"), "{lost:?}");
}

#[test]
fn an_open_transaction_that_hides_nothing_acknowledged_loses_nothing_and_leaves_a_doubt() {
    let mut run = run(Some(10));
    run.rows(0).sends.truncate(6);
    assert_eq!(answer(&run, CheckName::LostWrite).validity, Validity::Valid);
    let coverage = answer(&run, CheckName::Coverage);
    let doubt =
        "chat-0 ends at 10, and an open transaction keeps readers from what lies above 6: nobody knows how it ends.";
    assert!(coverage.notes.iter().any(|told| told == doubt), "{coverage:?}");
}

#[test]
fn a_record_without_an_offset_may_lie_above_the_last_stable_one() {
    let mut run = run(Some(10));
    run.rows(0).sends.truncate(6);
    run.send(0, 0, 6).push();
    let lost = answer(&run, CheckName::LostWrite);
    assert_eq!((lost.validity, lost.found), (Validity::Unknown, 0), "{lost:?}");
}

#[test]
fn a_tail_that_a_member_read_after_the_end_was_told_is_delayed_and_one_read_before_is_lost() {
    for (read_ns, expected) in [(3_000_000, (Validity::Unknown, 0)), (2_999_999, (Validity::Invalid, 4))] {
        let mut run = run(Some(6));
        for offset in 6..10_i64 {
            run.read_at(read_ns, MEMBER, 0, offset, id(0, offset.cast_unsigned()));
        }
        let lost = answer(&run, CheckName::LostWrite);
        assert_eq!((lost.validity, lost.found), expected, "{lost:?}");
        let is_told =
            lost.notes.iter().any(|note| note.contains("4 acknowledged records of chat-0 came to light only after"));
        assert_eq!(is_told, expected.1 == 0, "{lost:?}");
    }
}

#[test]
fn what_retention_removed_while_the_drain_read_is_not_lost_but_unknown() {
    let mut run = run(Some(6));
    run.rows(0).sends.truncate(6);
    run.rows(0).reads.retain(|read| read.reader.0 != DRAIN || read.offset.0 >= 4);
    run.rows(0).reads.retain(|read| read.reader.0 != MEMBER || read.offset.0 >= 2);
    let lost = answer(&run, CheckName::LostWrite);
    assert_eq!((lost.validity, lost.found), (Validity::Invalid, 4), "{lost:?}");
    let starts = vec![Position { partition: TopicPartition::new("chat", 0), offset: Offset(4) }];
    run.event(5_000_000, EventKind::LogStarts { starts });
    let lost = answer(&run, CheckName::LostWrite);
    assert_eq!((lost.validity, lost.found), (Validity::Unknown, 0), "{lost:?}");
}

#[test]
fn a_record_without_an_offset_may_have_lain_below_the_logs_start() {
    for (start, expected) in [(0, (Validity::Invalid, 1)), (2, (Validity::Unknown, 0))] {
        let mut run = run(None);
        run.rows(0).sends.truncate(6);
        run.rows(0).reads.retain(|read| read.offset.0 >= start);
        run.rows(0).sends.retain(|send| send.offset.is_none_or(|offset| offset.0 >= start));
        run.send(0, 0, 6).push();
        run.end_offsets(&[(0, start, 6)]);
        let lost = answer(&run, CheckName::LostWrite);
        assert_eq!((lost.validity, lost.found), expected, "{lost:?}");
    }
}

#[test]
fn another_record_read_late_at_the_place_excuses_nothing() {
    let mut run = run(Some(6));
    run.read_at(4_000_000, MEMBER, 0, 9, id(0, 3));
    let lost = answer(&run, CheckName::LostWrite);
    assert_eq!((lost.validity, lost.found), (Validity::Invalid, 4), "{lost:?}");
}
