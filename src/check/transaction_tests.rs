//! Histories of transactional producers, by hand: control records take offsets that nobody reads, records of aborted
//! transactions are in the log and read by nobody, and one that is read nevertheless is found. Each sentence of `aborted-read`,
//! `precommitted-read` and `torn-transaction`.

use crate::anomaly::{CheckName, CheckResult, Validity};
use crate::history::event::{Span, TransactionEnding, TransactionStage};
use crate::history::{EventKind, ProcessRole, ReadRow};
use crate::kafka::{Outcome, ProcessId, ReadStatus, Sequence, TimeNs, TopicPartition, TransactionNumber};

use super::check_all;
use super::testing::{RunBuilder, id};

const DRAIN: u32 = 100;
const MEMBER: u32 = 10;

/// Three transactions of two records, each followed by a control record: offsets 0 and 1, 3 and 4, 6 and 7, the log's end at
/// 9. The second one was aborted; `sees_aborted` is whoever read its first record.
fn run(sees_aborted: Option<u32>) -> RunBuilder {
    let mut run = RunBuilder::new(1);
    run.drain_reader(DRAIN);
    run.member(MEMBER, "readers", 0);
    run.assigned(0, MEMBER, 0);
    for sequence in 0..6_u64 {
        let offset = (sequence + sequence / 2).cast_signed();
        if sequence / 2 == 1 {
            run.send(0, 0, sequence).outcome(Outcome::Fail).push();
            if let Some(reader) = sees_aborted.filter(|_| sequence == 2) {
                run.read(reader, 0, offset, id(0, sequence));
            }
            continue;
        }
        run.acked(0, sequence, offset);
        run.read(DRAIN, 0, offset, id(0, sequence));
        run.read(MEMBER, 0, offset, id(0, sequence));
    }
    run.end_offsets(&[(0, 0, 9)]);
    run.drained(DRAIN, 0, 9);
    run.drained(MEMBER, 0, 9);
    run
}

/// The same, with what its producer told of its transactions; the last one's outcome is as given.
fn told(sees_aborted: Option<u32>, last: Outcome) -> RunBuilder {
    let mut run = run(sees_aborted);
    run.runs_transactions("chatters");
    for number in 0..3 {
        let ending = if number == 1 { TransactionEnding::Abort } else { TransactionEnding::Commit };
        let outcome = if number == 2 { last } else { Outcome::Ok };
        let stage = match outcome {
            Outcome::Ok => TransactionStage::Ok,
            Outcome::Fail => TransactionStage::Fail { reason: "fenced".to_owned() },
            Outcome::Info => TransactionStage::Info { reason: "timed out".to_owned() },
        };
        close(&mut run, number, ending, stage);
    }
    let outcome = |sequence: u64| if sequence / 2 == 2 { last } else { Outcome::Ok };
    for send in run.rows(0).sends.iter_mut().filter(|send| send.outcome == Outcome::Ok) {
        send.outcome = outcome(send.sequence.0);
        send.offset = send.offset.filter(|_| send.outcome == Outcome::Ok);
    }
    run
}

fn close(run: &mut RunBuilder, number: u64, ending: TransactionEnding, stage: TransactionStage) {
    let transaction =
        |stage| EventKind::Transaction { process: ProcessId(0), number: TransactionNumber(number), stage };
    let records = vec![Span { partition: TopicPartition::new("chat", 0), first: Sequence(2 * number), count: 2 }];
    run.event(900_000, transaction(TransactionStage::Invoke { ending, began_ns: TimeNs(0), records }));
    run.event(950_000, transaction(stage));
}

/// Nobody reads the record of this sequence.
fn hide(run: &mut RunBuilder, sequence: u64) {
    run.rows(0).reads.retain(|read| read.record != id(0, sequence));
}

fn answer(run: &RunBuilder, check: CheckName) -> CheckResult {
    answers(run).into_iter().find(|answer| answer.check == check).expect("every check answers")
}

/// What all checks say but `coverage`, which asks for more than these few records, and those that ask what nobody tells here: what
/// disks hold, leader epochs and generations.
fn answers(run: &RunBuilder) -> Vec<CheckResult> {
    let apart = [CheckName::Coverage, CheckName::ReplicaDivergence, CheckName::LeaderEpoch, CheckName::DoubleOwnership];
    let answers = check_all(&run.history, &run.scenario, &run.plan);
    answers.into_iter().filter(|answer| !apart.contains(&answer.check)).collect()
}

fn found(run: &RunBuilder) -> Vec<CheckName> {
    answers(run).into_iter().filter(|answer| answer.found > 0).map(|answer| answer.check).collect()
}

#[test]
fn offsets_of_control_records_and_of_aborted_ones_are_missed_by_nobody() {
    for answer in answers(&run(None)) {
        assert_eq!((answer.validity, answer.found), (Validity::Valid, 0), "{answer:?}");
    }
}

#[test]
fn a_failed_record_that_is_read_is_a_phantom_where_nobody_runs_transactions() {
    assert_eq!(found(&run(Some(DRAIN))), [CheckName::Phantom]);
    assert_eq!(found(&run(Some(MEMBER))), [CheckName::Phantom]);
}

#[test]
fn a_committed_record_that_is_missing_is_lost_although_its_neighbours_are_holes() {
    let mut run = run(None);
    run.rows(0).reads.retain(|read| read.offset.0 != 4 && read.offset.0 != 6);
    assert_eq!(found(&run), [CheckName::LostWrite]);
}

#[test]
fn a_record_of_an_aborted_transaction_that_is_read_is_found_whoever_read_it() {
    for reader in [DRAIN, MEMBER] {
        assert_eq!(found(&told(Some(reader), Outcome::Ok)), [CheckName::AbortedRead]);
    }
    let anomaly = answer(&told(Some(MEMBER), Outcome::Ok), CheckName::AbortedRead).anomalies.remove(0);
    insta::assert_snapshot!(anomaly.explanation, @"chatters/0.0 #2 at offset 3 was read by group readers, although its transaction was aborted.");
}

#[test]
fn a_history_without_transactions_ends_still_finds_what_was_aborted_and_does_not_know_the_rest() {
    let mut run = run(Some(DRAIN));
    run.runs_transactions("chatters");
    assert_eq!(found(&run), [CheckName::AbortedRead]);
    for check in [CheckName::PrecommittedRead, CheckName::TornTransaction] {
        assert_eq!(answer(&run, check).validity, Validity::Unknown);
    }
}

#[test]
fn a_transaction_whose_abort_nobody_answered_was_never_committed() {
    let mut run = told(Some(DRAIN), Outcome::Ok);
    for event in &mut run.history.events {
        if let EventKind::Transaction { number: TransactionNumber(1), stage, .. } = &mut event.kind
            && *stage == TransactionStage::Ok
        {
            *stage = TransactionStage::Info { reason: "timed out".to_owned() };
        }
    }
    run.rows(0)
        .sends
        .iter_mut()
        .filter(|send| send.outcome == Outcome::Fail)
        .for_each(|send| send.outcome = Outcome::Info);
    assert_eq!(found(&run), [CheckName::AbortedRead]);
}

#[test]
fn a_record_that_is_read_before_its_commit_is_asked_for_is_found() {
    let mut run = told(None, Outcome::Ok);
    let read = run.rows(0).reads.iter_mut().find(|read| read.reader == ProcessId(MEMBER)).expect("it read");
    read.read_ns = TimeNs(899_999);
    run.history.events.iter_mut().for_each(|event| {
        // The member owned the partition by then.
        if matches!(event.kind, EventKind::Assigned { .. }) {
            event.time_ns = TimeNs(0);
        }
    });
    let answer = answer(&run, CheckName::PrecommittedRead);
    assert_eq!((answer.validity, answer.found, answer.examined), (Validity::Invalid, 1, 8));
    insta::assert_snapshot!(answer.anomalies[0].explanation, @"readers/0.0 read chatters/0.0 #0 at offset 0, 0.0 ms before the commit of its transaction was asked for.");
}

#[test]
fn what_was_read_between_the_asking_and_the_answer_is_no_violation() {
    let mut run = told(None, Outcome::Ok);
    run.rows(0).reads.iter_mut().for_each(|read| read.read_ns = TimeNs(900_000));
    assert_eq!(answer(&run, CheckName::PrecommittedRead).validity, Validity::Valid);
}

#[test]
fn a_transaction_of_unknown_outcome_is_resolved_by_the_drain() {
    let whole = answer(&told(None, Outcome::Info), CheckName::TornTransaction);
    assert_eq!((whole.validity, whole.examined), (Validity::Valid, 2));
    insta::assert_snapshot!(whole.notes.join("\n"), @"Of the transactions whose outcome nobody was told, the drain shows 1 whole, so that they were committed, and nothing of 0, so that they were aborted.");
    let mut gone = told(None, Outcome::Info);
    hide(&mut gone, 4);
    hide(&mut gone, 5);
    assert_eq!(found(&gone), []);
    insta::assert_snapshot!(answer(&gone, CheckName::TornTransaction).notes.join("\n"), @"Of the transactions whose outcome nobody was told, the drain shows 0 whole, so that they were committed, and nothing of 1, so that they were aborted.");
}

#[test]
fn half_of_a_transaction_of_unknown_outcome_is_torn_although_no_record_of_it_was_acknowledged() {
    let mut run = told(None, Outcome::Info);
    hide(&mut run, 5);
    assert_eq!(found(&run), [CheckName::TornTransaction]);
    let anomaly = answer(&run, CheckName::TornTransaction).anomalies.remove(0);
    insta::assert_snapshot!(anomaly.explanation, @"Of transaction 2 of chatters/0.0, of which nobody knows whether it was committed, 1 records can be read and 1 cannot: chatters/0.0 #5 is missing from chat-0.");
}

#[test]
fn half_of_a_committed_transaction_is_lost_and_torn_and_so_is_all_of_it() {
    let mut run = told(None, Outcome::Ok);
    hide(&mut run, 5);
    assert_eq!(found(&run), [CheckName::LostWrite, CheckName::TornTransaction]);
    hide(&mut run, 4);
    assert_eq!(found(&run), [CheckName::LostWrite, CheckName::TornTransaction]);
}

#[test]
fn an_acknowledged_commit_that_vanished_whole_is_found_though_nobody_was_told_of_its_records() {
    // A client whose process was killed between the answer to its commit and the handing in of its rows.
    let mut run = told(None, Outcome::Ok);
    for sequence in [4, 5] {
        hide(&mut run, sequence);
        let send = run.rows(0).sends.iter_mut().find(|send| send.sequence == Sequence(sequence)).expect("it was sent");
        (send.outcome, send.offset) = (Outcome::Info, None);
    }
    assert_eq!(found(&run), [CheckName::LostWrite, CheckName::TornTransaction]);
    let lost = answer(&run, CheckName::LostWrite);
    assert_eq!(lost.found, 2);
    insta::assert_snapshot!(lost.anomalies[0].explanation, @"chatters/0.0 #4 is of a transaction whose commit was acknowledged, and the drain read to 9 without finding it.");
}

#[test]
fn a_transaction_that_stays_open_at_the_logs_end_leaves_a_doubt() {
    let mut run = told(None, Outcome::Info);
    hide(&mut run, 4);
    hide(&mut run, 5);
    run.end_offsets(&[(0, 0, 6)]);
    for event in &mut run.history.events {
        if let EventKind::EndOffsets { ranges } = &mut event.kind {
            ranges[0].high_watermark = Some(crate::kafka::Offset(9));
        }
    }
    let torn = answer(&run, CheckName::TornTransaction);
    assert_eq!((torn.validity, torn.found), (Validity::Unknown, 0), "{torn:?}");
    insta::assert_snapshot!(torn.notes.join("\n"), @"Of 1 transactions whose commit was asked for no record was read, and nobody can tell whether any is there.");
    let coverage = check_all(&run.history, &run.scenario, &run.plan).pop().expect("coverage is the last");
    assert_eq!((coverage.check, coverage.validity), (CheckName::Coverage, Validity::Unknown));
    assert!(coverage.notes.iter().any(|note| note.contains("nobody knows how it ends")), "{coverage:?}");
}

/// The witness was shown everything, the aborted records too, but for what is done to the record at offset 1.
fn witnessed(change: fn(&mut RunBuilder)) -> Vec<CheckName> {
    const WITNESS: u32 = 110;
    let mut run = told(None, Outcome::Ok);
    run.history.processes.insert(ProcessId(WITNESS), ProcessRole::Witness);
    for sequence in 0..6_u64 {
        run.read(WITNESS, 0, (sequence + sequence / 2).cast_signed(), id(0, sequence));
    }
    run.drained(WITNESS, 0, 9);
    change(&mut run);
    let answers = answers(&run);
    answers.into_iter().filter(|answer| answer.validity != Validity::Valid).map(|answer| answer.check).collect()
}

fn second_look(run: &mut RunBuilder) -> &mut ReadRow {
    let reads = &mut run.rows(0).reads;
    reads.iter_mut().find(|read| read.reader == ProcessId(110) && read.offset.0 == 1).expect("it was read")
}

#[test]
fn what_the_witness_is_shown_is_the_same_log_whole_and_once() {
    assert_eq!(witnessed(|_| ()), []);
    assert_eq!(witnessed(|run| second_look(run).status = ReadStatus::Corrupt), [CheckName::Corrupt]);
    assert_eq!(witnessed(|run| second_look(run).bytes += 1), []);
    assert_eq!(
        witnessed(|run| second_look(run).status = ReadStatus::Misplaced),
        [CheckName::Corrupt, CheckName::InconsistentOffsets]
    );
    assert_eq!(
        witnessed(|run| second_look(run).status = ReadStatus::Foreign),
        [CheckName::Phantom, CheckName::InconsistentOffsets]
    );
    assert_eq!(witnessed(|run| second_look(run).record = id(0, 4)), [CheckName::InconsistentOffsets]);
    assert_eq!(
        witnessed(|run| second_look(run).record = id(7, 0)),
        [CheckName::Phantom, CheckName::InconsistentOffsets]
    );
    assert_eq!(
        witnessed(|run| run.rows(0).reads.retain(|read| read.reader != ProcessId(110) || read.offset.0 != 1)),
        [CheckName::LostWrite]
    );
}

#[test]
fn what_retention_may_have_removed_is_not_torn_but_unknown() {
    let mut run = told(None, Outcome::Info);
    hide(&mut run, 4);
    run.end_offsets(&[(0, 7, 9)]);
    let answer = answer(&run, CheckName::TornTransaction);
    assert_eq!((answer.validity, answer.found), (Validity::Unknown, 0), "{answer:?}");
}

#[test]
fn a_record_that_the_client_library_refused_is_not_missed_in_its_transaction() {
    let mut run = told(None, Outcome::Ok);
    hide(&mut run, 5);
    let refused = run.rows(0).sends.iter_mut().find(|send| send.sequence == Sequence(5)).expect("it was sent");
    (refused.outcome, refused.offset) = (Outcome::Fail, None);
    assert_eq!(found(&run), []);
}

#[test]
fn what_only_a_group_read_that_waits_for_no_commits_need_not_be_in_the_log() {
    let mut run = told(None, Outcome::Info);
    run.rows(0).reads.retain(|read| read.reader != ProcessId(DRAIN) || read.record.sequence.0 < 4);
    assert_eq!(found(&run), [CheckName::LostWrite]);
    let uncommitted = ("isolation.level".to_owned(), "read_uncommitted".to_owned());
    run.scenario.groups[0].config.extend([uncommitted]);
    assert_eq!(found(&run), []);
}
