//! What one reader read in one ownership interval, by hand: each sentence of `poll-skip`, `nonmonotonic-poll` and `readings`.

use crate::anomaly::{CheckName, CheckResult, Validity};
use crate::history::Closure;
use crate::history::event::RevocationCause;
use crate::kafka::{LeaderEpoch, Outcome, ReadStatus};

use super::check_all;
use super::testing::{RunBuilder, id};

const DRAIN: u32 = 100;
const MEMBER: u32 = 10;

/// Six acknowledged records at offsets 0 to 5, which the drain found; a member that owns the partition from time 10 on.
fn run() -> RunBuilder {
    let mut run = RunBuilder::new(1);
    run.drain_reader(DRAIN);
    run.member(MEMBER, "readers", 0);
    for sequence in 0..6_u64 {
        run.acked(0, sequence, sequence.cast_signed());
        run.read(DRAIN, 0, sequence.cast_signed(), id(0, sequence));
    }
    run.end_offsets(&[(0, 0, 6)]);
    run.drained(DRAIN, 0, 6);
    run.assigned(10, MEMBER, 0);
    run
}

/// The member reads these offsets, one a nanosecond from a time on.
fn reads(run: &mut RunBuilder, from: u64, offsets: &[i64]) {
    for (time, offset) in (from..).zip(offsets) {
        run.read_at(time, MEMBER, 0, *offset, id(0, offset.cast_unsigned()));
    }
}

fn answer(run: &RunBuilder, check: CheckName) -> CheckResult {
    let answers = check_all(&run.history, &run.scenario, &run.plan);
    answers.into_iter().find(|answer| answer.check == check).expect("every check answers")
}

/// What `poll-skip` and `nonmonotonic-poll` found.
fn found(run: &RunBuilder) -> (u64, u64) {
    (answer(run, CheckName::PollSkip).found, answer(run, CheckName::NonmonotonicPoll).found)
}

#[test]
fn who_reads_one_record_after_another_neither_skips_nor_steps_back() {
    let mut run = run();
    reads(&mut run, 20, &[0, 1, 2, 3, 4, 5]);
    assert_eq!(found(&run), (0, 0));
    for check in [CheckName::PollSkip, CheckName::NonmonotonicPoll] {
        let answer = answer(&run, check);
        assert_eq!((answer.validity, answer.examined), (Validity::Valid, 12), "{answer:?}");
        assert_eq!(answer.notes, Vec::<String>::new());
    }
}

#[test]
fn each_record_that_was_jumped_over_is_a_skip() {
    let mut run = run();
    reads(&mut run, 20, &[0, 3, 4, 5]);
    assert_eq!(found(&run), (2, 0));
    let answer = answer(&run, CheckName::PollSkip);
    let first = &answer.anomalies[0];
    assert_eq!(first.group.as_deref(), Some("readers"));
    assert_eq!(
        first.explanation,
        "readers/0.0 read offsets 0 and then 3 of chat-0 in one ownership interval, and passed over chatters/0.0 #1 at offset 1."
    );
}

#[test]
fn where_an_interval_begins_is_not_for_these_checks_to_judge() {
    let mut run = run();
    reads(&mut run, 20, &[3, 4, 5]);
    assert_eq!(found(&run), (0, 0));
}

#[test]
fn a_record_that_another_member_reads_is_still_a_skip_of_this_one() {
    let mut run = run();
    run.member(11, "readers", 1);
    run.assigned(40, 11, 0);
    reads(&mut run, 20, &[0, 1, 3]);
    run.read_at(50, 11, 0, 2, id(0, 2));
    assert_eq!(found(&run), (1, 0));
}

#[test]
fn what_nobody_found_in_the_end_was_not_skipped() {
    let mut run = run();
    reads(&mut run, 20, &[0, 1, 3, 4, 5]);
    run.rows(0).reads.retain(|read| read.offset.0 != 2);
    assert_eq!(found(&run), (0, 0));
    assert_eq!(answer(&run, CheckName::LostWrite).found, 1);
}

#[test]
fn a_record_of_a_failed_send_and_an_offset_with_two_records_are_skipped_by_nobody() {
    let mut run = run();
    reads(&mut run, 20, &[0, 1, 3, 4, 5]);
    let send = &mut run.rows(0).sends[2];
    (send.outcome, send.offset) = (Outcome::Fail, None);
    assert_eq!(found(&run).0, 0);
    let send = &mut run.rows(0).sends[2];
    send.outcome = Outcome::Info;
    assert_eq!(found(&run).0, 1);
    run.drain_reader(DRAIN + 1);
    run.send(1, 0, 0).outcome(Outcome::Info).push();
    run.read(DRAIN + 1, 0, 2, id(1, 0));
    assert_eq!(found(&run).0, 0);
}

#[test]
fn what_was_written_after_the_log_was_cut_off_was_not_there_to_be_skipped() {
    let skipped = |epochs: [i32; 3]| {
        let mut run = run();
        reads(&mut run, 20, &[0, 1, 3, 4, 5]);
        for read in &mut run.rows(0).reads {
            let epoch = match (read.reader.0, read.offset.0) {
                (DRAIN, 2) => epochs[1],
                (MEMBER, 3) => epochs[2],
                _ => epochs[0],
            };
            read.leader_epoch = Some(LeaderEpoch(epoch));
        }
        found(&run).0
    };
    assert_eq!(skipped([1, 1, 1]), 1);
    assert_eq!(skipped([1, 1, 2]), 1);
    assert_eq!(skipped([1, 2, 1]), 0);
}

#[test]
fn what_the_logs_start_may_have_passed_was_not_skipped() {
    let mut run = run();
    reads(&mut run, 20, &[0, 1, 5]);
    assert_eq!(found(&run).0, 3);
    // The drain read it all before the member jumped, and nobody looked again.
    run.rows(0).reads.iter_mut().filter(|read| read.reader.0 == DRAIN).for_each(|read| read.read_ns.0 = 19);
    assert_eq!(found(&run).0, 0);
}

#[test]
fn a_step_back_and_the_same_offset_again_are_no_skip() {
    let mut run = run();
    reads(&mut run, 20, &[0, 1, 2, 1, 2, 2, 3, 4, 5]);
    assert_eq!(found(&run), (0, 2));
    let answer = answer(&run, CheckName::NonmonotonicPoll);
    let texts: Vec<&str> = answer.anomalies.iter().map(|anomaly| anomaly.explanation.as_str()).collect();
    assert_eq!(
        texts,
        [
            "readers/0.0 read offset 2 of chat-0 and then offset 1 in one ownership interval: stepped back.",
            "readers/0.0 read offset 2 of chat-0 and then offset 2 in one ownership interval: the same again.",
        ]
    );
    assert_eq!(
        (answer.anomalies[0].record, answer.anomalies[0].acked_offset.map(|at| at.0)),
        (Some(id(0, 1)), Some(1))
    );
}

#[test]
fn corrupt_bytes_are_read_too() {
    let mut run = run();
    reads(&mut run, 20, &[0, 1, 2, 2, 3, 4, 5]);
    run.rows(0).reads.iter_mut().filter(|read| read.offset.0 == 2).for_each(|read| read.status = ReadStatus::Corrupt);
    assert_eq!(found(&run), (0, 1));
    assert_eq!(answer(&run, CheckName::NonmonotonicPoll).anomalies[0].record, None);
}

#[test]
fn whoever_is_given_a_partition_again_begins_anew() {
    for gives_it_up in [true, false] {
        let mut run = run();
        reads(&mut run, 20, &[0, 1, 2]);
        if gives_it_up {
            run.revoked(30, MEMBER, 0, RevocationCause::Rebalance);
        }
        run.assigned(31, MEMBER, 0);
        reads(&mut run, 40, &[1, 2, 3]);
        run.assigned(50, MEMBER, 0);
        reads(&mut run, 60, &[5]);
        assert_eq!(found(&run), (0, 0), "{gives_it_up}");
    }
}

#[test]
fn events_that_were_written_late_count_by_their_time() {
    let mut run = run();
    reads(&mut run, 20, &[0, 1, 2]);
    reads(&mut run, 40, &[1, 2, 3, 4, 5]);
    run.assigned(31, MEMBER, 0);
    run.revoked(30, MEMBER, 0, RevocationCause::Rebalance);
    assert_eq!(found(&run), (0, 0));
}

#[test]
fn reads_outside_of_every_interval_are_told_and_not_judged() {
    let mut run = run();
    reads(&mut run, 5, &[4, 2]);
    reads(&mut run, 20, &[0, 1]);
    run.revoked(30, MEMBER, 0, RevocationCause::Lost);
    reads(&mut run, 40, &[5, 3]);
    assert_eq!(found(&run), (0, 0));
    let notes = answer(&run, CheckName::PollSkip).notes;
    assert_eq!(notes, ["4 reads lie outside of every ownership interval, and were not judged."]);
}

#[test]
fn a_group_that_read_and_was_never_seen_to_own_leaves_a_doubt() {
    let mut run = run();
    run.history.events.retain(|event| !matches!(event.kind, crate::history::EventKind::Assigned { .. }));
    reads(&mut run, 20, &[0, 1, 2, 3, 4, 5]);
    for check in [CheckName::PollSkip, CheckName::NonmonotonicPoll] {
        let answer = answer(&run, check);
        assert_eq!((answer.validity, answer.found), (Validity::Unknown, 0), "{answer:?}");
    }
}

#[test]
fn a_drain_reader_is_assigned_for_all_its_life() {
    let mut run = run();
    run.drain_reader(DRAIN + 1);
    for offset in [0, 1, 3, 2, 4, 5] {
        run.read(DRAIN + 1, 0, offset, id(0, offset.cast_unsigned()));
    }
    assert_eq!(found(&run), (1, 1));
    assert_eq!(answer(&run, CheckName::PollSkip).anomalies[0].group, None);
}

#[test]
fn in_a_cut_history_nobody_can_tell() {
    let mut run = run();
    reads(&mut run, 20, &[0, 3, 2]);
    run.history.closure = Closure::Cut("the last line is torn".to_owned());
    for check in [CheckName::PollSkip, CheckName::NonmonotonicPoll] {
        let answer = answer(&run, check);
        assert_eq!((answer.validity, answer.found), (Validity::Unknown, 0), "{answer:?}");
    }
}
