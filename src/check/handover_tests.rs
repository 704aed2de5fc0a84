//! Where owners begin, by hand: each sentence of `group-skip`, `commit-regression`, `commits` and `handover`.

use crate::anomaly::{CheckName, CheckResult, Validity};
use crate::history::Closure;
use crate::history::event::RevocationCause;
use crate::kafka::Outcome;
use crate::scenario::CommitMode;

use super::check_all;
use super::testing::{RunBuilder, id};

const DRAIN: u32 = 100;
const ONE: u32 = 10;
const TWO: u32 = 11;
const THREE: u32 = 12;

/// Ten acknowledged records, which the drain found; member one owns the partition from time 10 on and reads `offsets` from
/// time 20 on, one a nanosecond.
fn run(offsets: std::ops::Range<i64>) -> RunBuilder {
    let mut run = RunBuilder::new(1);
    run.drain_reader(DRAIN);
    for (number, member) in (0..).zip([ONE, TWO, THREE]) {
        run.member(member, "readers", number);
    }
    for sequence in 0..10_u64 {
        run.acked(0, sequence, sequence.cast_signed());
        run.read(DRAIN, 0, sequence.cast_signed(), id(0, sequence));
    }
    run.end_offsets(&[(0, 0, 10)]);
    run.drained(DRAIN, 0, 10);
    run.assigned(10, ONE, 0);
    reads(&mut run, 20, ONE, offsets);
    run
}

fn reads(run: &mut RunBuilder, from: u64, member: u32, offsets: std::ops::Range<i64>) {
    for (time, offset) in (from..).zip(offsets) {
        run.read_at(time, member, 0, offset, id(0, offset.cast_unsigned()));
    }
}

/// Member one reads the first five, commits as told at time 40, and gives up; member two takes over at time 60 and reads from
/// `begin` on, from time 70 on.
fn handed_over(commits: &[(Outcome, i64)], begin: i64) -> RunBuilder {
    let mut run = run(0..5);
    for (time, (outcome, offset)) in (40..).zip(commits) {
        run.committed(time, ONE, *outcome, 0, *offset);
    }
    run.revoked(50, ONE, 0, RevocationCause::Rebalance);
    run.assigned(60, TWO, 0);
    reads(&mut run, 70, TWO, begin..10);
    run
}

fn answer(run: &RunBuilder, check: CheckName) -> CheckResult {
    let answers = check_all(&run.history, &run.scenario, &run.plan);
    answers.into_iter().find(|answer| answer.check == check).expect("every check answers")
}

/// What `group-skip` and `commit-regression` found.
fn found(run: &RunBuilder) -> (u64, u64) {
    (answer(run, CheckName::GroupSkip).found, answer(run, CheckName::CommitRegression).found)
}

#[test]
fn an_owner_that_begins_at_the_last_commit_is_fine() {
    let run = handed_over(&[(Outcome::Ok, 2), (Outcome::Ok, 4)], 4);
    for check in [CheckName::GroupSkip, CheckName::CommitRegression] {
        let answer = answer(&run, check);
        assert_eq!((answer.validity, answer.examined, answer.found), (Validity::Valid, 2, 0), "{answer:?}");
    }
}

#[test]
fn an_owner_that_begins_before_the_last_acknowledged_commit_steps_back() {
    let run = handed_over(&[(Outcome::Ok, 2), (Outcome::Ok, 4)], 3);
    assert_eq!(found(&run), (0, 1));
    let anomaly = answer(&run, CheckName::CommitRegression).anomalies.remove(0);
    assert_eq!((anomaly.group.as_deref(), anomaly.record), (Some("readers"), Some(id(0, 3))));
    assert_eq!(
        anomaly.explanation,
        "readers/1.0 was given chat-0 and began at offset 3 or before, although no commit below 4 may have stood there."
    );
}

#[test]
fn an_owner_that_begins_beyond_every_commit_skips_what_nobody_had_read() {
    let run = handed_over(&[(Outcome::Ok, 4)], 7);
    // Offset 4 was read by member one: nobody missed it.
    assert_eq!(found(&run), (2, 0));
    let anomaly = answer(&run, CheckName::GroupSkip).anomalies.remove(0);
    assert_eq!((anomaly.group.as_deref(), anomaly.record), (Some("readers"), Some(id(0, 5))));
    assert_eq!(
        anomaly.explanation,
        "readers/1.0 was given chat-0 and began at offset 7, although no commit may have stood there above 4; it passed over \
         chatters/0.0 #5 at offset 5."
    );
}

#[test]
fn what_somebody_reads_only_later_was_skipped_all_the_same() {
    let mut run = handed_over(&[(Outcome::Ok, 5)], 6);
    run.read_at(99, ONE, 0, 5, id(0, 5));
    assert_eq!(found(&run), (1, 0));
    assert_eq!(answer(&run, CheckName::GroupDelivery).found, 0);
}

#[test]
fn where_nothing_is_committed_an_owner_begins_at_the_logs_start() {
    assert_eq!(found(&handed_over(&[], 0)), (0, 0));
    assert_eq!(found(&handed_over(&[(Outcome::Fail, 5)], 0)), (0, 0));
    assert_eq!(found(&handed_over(&[(Outcome::Fail, 7)], 7)), (2, 0));
    assert_eq!(found(&run(2..10)), (2, 0));
}

#[test]
fn a_commit_that_nobody_answered_may_stand_or_not() {
    for begin in [2, 5] {
        assert_eq!(found(&handed_over(&[(Outcome::Ok, 2), (Outcome::Info, 5)], begin)), (0, 0), "{begin}");
    }
    assert_eq!(found(&handed_over(&[(Outcome::Ok, 2), (Outcome::Info, 5)], 1)), (0, 1));
    assert_eq!(found(&handed_over(&[(Outcome::Ok, 2), (Outcome::Info, 5)], 6)), (1, 0));
    // Alone it may not stand either, so that the log's start is a beginning by right.
    assert_eq!(found(&handed_over(&[(Outcome::Info, 5)], 0)), (0, 0));
}

#[test]
fn one_that_nobody_answered_may_be_taken_in_after_the_same_owners_next() {
    assert_eq!(found(&handed_over(&[(Outcome::Ok, 1), (Outcome::Info, 2), (Outcome::Ok, 5)], 2)), (0, 0));
    assert_eq!(found(&handed_over(&[(Outcome::Ok, 1), (Outcome::Info, 2), (Outcome::Ok, 5)], 1)), (0, 1));
}

#[test]
fn a_later_owners_commit_is_the_end_of_one_that_nobody_answered() {
    let commits = [(Outcome::Ok, 1), (Outcome::Info, 2), (Outcome::Ok, 5)];
    let after = |second: &[i64]| {
        let mut run = handed_over(&commits, 5);
        for (time, offset) in (80..).zip(second) {
            run.committed(time, TWO, Outcome::Ok, 0, *offset);
        }
        run.revoked(90, TWO, 0, RevocationCause::Rebalance);
        run.assigned(95, THREE, 0);
        reads(&mut run, 100, THREE, 3..10);
        found(&run).1
    };
    assert_eq!(after(&[]), 0);
    assert_eq!(after(&[7]), 1);
}

#[test]
fn a_commit_that_was_on_its_way_at_the_handover_may_stand_or_not() {
    // Member one's commit of 5 is answered after member two's first read, or between.
    for answered in [65, 200] {
        for begin in [2, 5] {
            let mut run = handed_over(&[(Outcome::Ok, 2)], begin);
            run.committed(answered, ONE, Outcome::Ok, 0, 5);
            assert_eq!(found(&run), (0, 0), "{answered} {begin}");
        }
        let mut run = handed_over(&[(Outcome::Ok, 2)], 1);
        run.committed(answered, ONE, Outcome::Ok, 0, 5);
        assert_eq!(found(&run), (0, 1));
    }
    // It cannot have been on its way if another one was answered in between, after the first read.
    let mut run = handed_over(&[(Outcome::Ok, 2)], 6);
    run.committed(200, ONE, Outcome::Ok, 0, 2);
    run.committed(201, ONE, Outcome::Ok, 0, 6);
    assert_eq!(found(&run), (1, 0));
}

#[test]
fn commits_of_two_owners_that_were_on_their_way_together_may_have_come_in_any_order() {
    let third = |begin: i64| {
        let mut run = handed_over(&[(Outcome::Ok, 2)], 2);
        run.committed(80, ONE, Outcome::Ok, 0, 5);
        run.committed(81, TWO, Outcome::Ok, 0, 4);
        run.revoked(90, TWO, 0, RevocationCause::Rebalance);
        run.assigned(95, THREE, 0);
        reads(&mut run, 100, THREE, begin..10);
        found(&run)
    };
    assert_eq!([4, 5].map(third), [(0, 0); 2]);
    assert_eq!(third(3), (0, 1));
}

#[test]
fn an_owners_own_commits_explain_no_beginning_of_its() {
    let mut run = handed_over(&[(Outcome::Ok, 5)], 7);
    run.committed(90, TWO, Outcome::Ok, 0, 10);
    assert_eq!(found(&run), (2, 0));
    let mut run = handed_over(&[(Outcome::Ok, 5)], 3);
    run.committed(90, TWO, Outcome::Ok, 0, 10);
    assert_eq!(found(&run), (0, 1));
}

#[test]
fn what_a_killed_member_committed_and_never_processed_is_no_skip() {
    let mut run = run(0..2);
    run.scenario.groups[0].commit = CommitMode::BeforeProcess;
    run.committed(40, ONE, Outcome::Info, 0, 5);
    run.revoked(41, ONE, 0, RevocationCause::Crashed);
    run.assigned(60, TWO, 0);
    reads(&mut run, 70, TWO, 5..10);
    assert_eq!(found(&run), (0, 0));
}

#[test]
fn what_lies_below_the_logs_start_is_skipped_by_nobody() {
    let mut run = handed_over(&[(Outcome::Ok, 4)], 8);
    run.rows(0).reads.retain(|read| read.reader.0 != DRAIN || read.offset.0 >= 8);
    run.history.events.retain(|event| !matches!(event.kind, crate::history::EventKind::EndOffsets { .. }));
    run.end_offsets(&[(0, 8, 10)]);
    assert_eq!(found(&run), (0, 0));
}

#[test]
fn where_a_group_that_commits_by_a_timer_begins_too_late_nobody_can_tell() {
    let mut run = handed_over(&[(Outcome::Ok, 4)], 8);
    run.scenario.groups[0].commit = CommitMode::Auto;
    let skip = answer(&run, CheckName::GroupSkip);
    assert_eq!((skip.validity, skip.examined), (Validity::Skipped, 0));
    assert_eq!(skip.notes, ["No group tells its commits, so nobody knows where its members had to begin."]);
    run.member(20, "others", 0);
    run.assigned(10, 20, 0);
    reads(&mut run, 20, 20, 0..10);
    let skip = answer(&run, CheckName::GroupSkip);
    assert_eq!((skip.validity, skip.examined, skip.found), (Validity::Valid, 1, 0));
    assert_eq!(skip.notes, ["readers does not tell its commits: where its members begin is not judged."]);
}

#[test]
fn a_group_that_commits_by_a_timer_may_not_begin_before_all_that_it_told() {
    for (begin, found) in [(2, 1), (4, 0), (8, 0)] {
        let mut run = handed_over(&[(Outcome::Ok, 4)], begin);
        run.scenario.groups[0].commit = CommitMode::Auto;
        let regression = answer(&run, CheckName::CommitRegression);
        assert_eq!(regression.found, found, "{regression:?}");
        assert!(regression.examined > 0, "{regression:?}");
    }
}

#[test]
fn groups_hold_one_another_to_nothing() {
    let mut run = handed_over(&[(Outcome::Ok, 4)], 4);
    run.member(20, "others", 0);
    run.assigned(60, 20, 0);
    reads(&mut run, 70, 20, 0..10);
    assert_eq!(found(&run), (0, 0));
}

#[test]
fn a_scenario_without_groups_has_no_handovers() {
    let mut run = run(0..0);
    run.scenario.groups.clear();
    for check in [CheckName::GroupSkip, CheckName::CommitRegression] {
        let answer = answer(&run, check);
        assert_eq!((answer.validity, answer.examined), (Validity::Valid, 0), "{answer:?}");
    }
}

#[test]
fn in_a_cut_history_nobody_can_tell() {
    for begin in [2, 8] {
        let mut run = handed_over(&[(Outcome::Ok, 4)], begin);
        run.history.closure = Closure::Cut("the last line is torn".to_owned());
        for check in [CheckName::GroupSkip, CheckName::CommitRegression] {
            let answer = answer(&run, check);
            assert_eq!((answer.validity, answer.found), (Validity::Unknown, 0), "{answer:?}");
        }
    }
}
