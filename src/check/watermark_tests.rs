//! What was read and cut off again, by hand: each sentence of `high-watermark`.

use crate::anomaly::{CheckName, CheckResult, Validity};
use crate::history::event::Phase;
use crate::history::{Closure, EventKind, ProcessRole};
use crate::kafka::{LeaderEpoch, Offset, Outcome, ProcessId};

use super::check_all;
use super::testing::{RunBuilder, id};

const DRAIN: u32 = 100;
const MEMBER: u32 = 10;
const WITNESS: u32 = 110;
/// When members read, and when the end offsets were told.
const READ: u64 = 2_000_000;
const TOLD: u64 = 3_000_000;

/// Five records, which a member read before the drain; the drain found those below `end`, as the high watermark says.
fn run(end: u64) -> RunBuilder {
    let mut run = RunBuilder::new(1);
    run.drain_reader(DRAIN);
    run.member(MEMBER, "cooks", 0);
    for sequence in 0..5_u64 {
        run.acked(0, sequence, sequence.cast_signed());
        run.read_at(READ, MEMBER, 0, sequence.cast_signed(), id(0, sequence));
        if sequence < end {
            run.read_at(TOLD + 1, DRAIN, 0, sequence.cast_signed(), id(0, sequence));
        }
    }
    run.end_offsets(&[(0, 0, end.cast_signed())]);
    run.drained(DRAIN, 0, end.cast_signed());
    run
}

/// The high watermark was told beside the end for those who wait for commits.
fn told(run: &mut RunBuilder, high_watermark: i64) {
    for event in &mut run.history.events {
        if let EventKind::EndOffsets { ranges } = &mut event.kind {
            ranges[0].high_watermark = Some(Offset(high_watermark));
        }
    }
}

fn waits_for_no_commits(run: &mut RunBuilder) {
    run.scenario.groups[0].config.insert("isolation.level".to_owned(), "read_uncommitted".to_owned());
}

fn answer(run: &RunBuilder) -> CheckResult {
    let answers = check_all(&run.history, &run.scenario, &run.plan);
    answers.into_iter().find(|answer| answer.check == CheckName::HighWatermark).expect("every check answers")
}

#[track_caller]
fn assert_valid(run: &RunBuilder, examined: u64) {
    let answer = answer(run);
    assert_eq!((answer.validity, answer.examined, answer.found), (Validity::Valid, examined, 0), "{answer:?}");
}

#[track_caller]
fn assert_told(run: &RunBuilder, sentence: &str) {
    let answer = answer(run);
    assert_eq!((answer.validity, answer.found), (Validity::Invalid, 1), "{answer:?}");
    assert_eq!(answer.anomalies[0].explanation, sentence);
    assert_eq!(answer.anomalies[0].group.as_deref(), Some("cooks"));
}

#[test]
fn a_log_that_goes_on_behind_what_was_read_is_valid() {
    assert_valid(&run(5), 5);
}

#[test]
fn a_log_that_ends_before_what_was_read_is_told_once_a_partition() {
    let sentence = "cooks/0.0 read chatters/0.0 #4 at offset 4, and later the high watermark of chat-0 was 3: it had stepped back \
                    behind 2 of the offsets that were read.";
    assert_told(&run(3), sentence);
    let mut run = run(3);
    told(&mut run, 3);
    assert_told(&run, sentence);
}

#[test]
fn whatever_was_read_there_counts_its_outcome_does_not() {
    let mut run = run(4);
    run.rows(0).sends[4].outcome = Outcome::Fail;
    assert_told(
        &run,
        "cooks/0.0 read chatters/0.0 #4 at offset 4, and later the high watermark of chat-0 was 4: it had stepped back behind 1 of \
         the offsets that were read.",
    );
}

#[test]
fn an_end_that_an_open_transaction_holds_back_is_not_the_high_watermark() {
    let mut run = run(3);
    told(&mut run, 5);
    assert_valid(&run, 5);
}

#[test]
fn what_was_read_after_the_question_may_have_been_appended_after_it() {
    let mut late = run(3);
    let asked = [TOLD, READ];
    for (row, time) in [(6, asked[0]), (7, asked[0])] {
        let read = &mut late.rows(0).reads[row];
        assert_eq!(read.reader, ProcessId(MEMBER));
        read.read_ns.0 = time;
    }
    assert_valid(&late, 3);
    let mut draining = run(3);
    draining.event(asked[1], EventKind::PhaseStarted { phase: Phase::Drain });
    draining.rows(0).reads[0].read_ns.0 = READ - 1;
    assert_valid(&draining, 1);
}

#[test]
fn whoever_waits_for_no_commits_is_held_to_the_high_watermark_alone() {
    let mut run = run(3);
    waits_for_no_commits(&mut run);
    let unknown = answer(&run);
    assert_eq!(unknown.validity, Validity::Unknown, "{unknown:?}");
    assert_eq!(unknown.notes, ["Nobody was told the high watermark of chat-0, of which members had read 5 records."]);
    told(&mut run, 5);
    assert_valid(&run, 5);
}

/// A member that waits for no commits reads a record of unknown outcome in a transaction, at offset 5; the witness reads these.
fn doubtful(shown: &[i64]) -> RunBuilder {
    let mut run = run(5);
    waits_for_no_commits(&mut run);
    run.runs_transactions("payers");
    let payer = ProcessRole::Producer { name: "payers".to_owned(), index: 0, incarnation: 0 };
    run.history.processes.insert(ProcessId(60), payer);
    run.history.processes.insert(ProcessId(WITNESS), ProcessRole::Witness);
    run.send(60, 0, 0).outcome(Outcome::Info).push();
    run.read_at(READ, MEMBER, 0, 5, id(60, 0));
    for offset in shown {
        run.read_at(TOLD + 1, WITNESS, 0, *offset, id(60, 0));
    }
    told(&mut run, 8);
    run
}

#[test]
fn what_only_those_were_given_who_wait_for_no_commits_vanishes_if_the_witness_passes_over_it() {
    assert_valid(&doubtful(&[5, 6]), 7);
    // Nobody was shown what lies there.
    let unshown = answer(&doubtful(&[4]));
    assert_eq!((unshown.validity, unshown.examined, unshown.found), (Validity::Unknown, 6, 0), "{unshown:?}");
    assert_told(
        &doubtful(&[4, 6]),
        "cooks/0.0 read payers/0.0 #0 at offset 5, and witness later passed that offset and was shown nothing there.",
    );
}

#[test]
fn what_was_deleted_at_the_start_did_not_vanish() {
    let mut run = doubtful(&[4, 6]);
    for event in &mut run.history.events {
        if let EventKind::EndOffsets { ranges } = &mut event.kind {
            ranges[0].start = Offset(6);
        }
    }
    assert_eq!(answer(&run).found, 0);
}

/// The member and the drain read all under epoch 1, but for one offset.
fn under_epochs(offset: i64, (member, drain): (i32, i32)) -> RunBuilder {
    let mut run = run(5);
    for read in &mut run.rows(0).reads {
        let epoch = if read.reader == ProcessId(MEMBER) { member } else { drain };
        read.leader_epoch = Some(LeaderEpoch(if read.offset.0 == offset { epoch } else { 1 }));
    }
    run
}

#[test]
fn a_record_that_lies_there_under_another_epoch_was_written_anew() {
    assert_valid(&under_epochs(2, (1, 1)), 10);
    assert_told(
        &under_epochs(2, (0, 1)),
        "cooks/0.0 read chatters/0.0 #2 at offset 2 under leader epoch 0, and the drain found it there under epoch 1: it had been cut \
         off, and appended anew.",
    );
}

#[test]
fn another_record_at_that_offset_is_for_another_check_to_tell() {
    let mut run = under_epochs(2, (0, 1));
    let other = id(0, 4);
    run.rows(0).reads.iter_mut().filter(|read| read.reader.0 == MEMBER && read.offset.0 == 2).for_each(|read| {
        read.record = other;
    });
    assert_valid(&run, 10);
}

#[test]
fn without_groups_nobody_reads_before_the_end() {
    assert_valid(&RunBuilder::small(), 0);
}

#[test]
fn where_nobody_asked_for_the_end_nobody_can_tell() {
    let mut run = run(5);
    run.history.events.retain(|event| !matches!(event.kind, EventKind::EndOffsets { .. }));
    assert_eq!(answer(&run).validity, Validity::Unknown);
}

#[test]
fn a_cut_history_is_never_valid() {
    let mut run = run(5);
    run.history.closure = Closure::Cut("it has no run-ended event".to_owned());
    assert_eq!(answer(&run).validity, Validity::Unknown);
}
