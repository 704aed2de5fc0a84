//! What a group that commits before it processes may lose when a member's process is killed.
//!
//! Such a member commits a batch, then processes it. If it dies in between, nobody will ever process those records: that is
//! what at-most-once means. They lie below a position that the dead member committed (or may have committed, when no answer
//! came), and above everything that the group had read by then. Nothing else is excused: what lies below an earlier read was
//! passed by before, and what lies beyond the commit was the next owner's to read.

use std::ops::Range;

use crate::history::EventKind;
use crate::history::event::RevocationCause;
use crate::kafka::{Offset, Outcome, ProcessId, TimeNs};
use crate::scenario::{CommitMode, GroupSpec};

use super::evidence::{Evidence, PartitionEvidence};
use super::readers::Party;

/// The offsets of one partition that the group may have lost by crashes; none for a group that commits otherwise.
pub fn excused(
    evidence: &Evidence<'_>,
    partition: &PartitionEvidence<'_>,
    group: &GroupSpec,
    number: usize,
) -> Vec<Range<Offset>> {
    if group.commit != CommitMode::BeforeProcess {
        return Vec::new();
    }
    let name = partition.name();
    let crashes = evidence.history.events.iter().filter_map(|event| match &event.kind {
        EventKind::Revoked { process, partitions, cause: RevocationCause::Crashed }
            if evidence.readers.party(*process) == Some(Party::Group(number)) && partitions.contains(&name) =>
        {
            Some((*process, event.time_ns))
        }
        _ => None,
    });
    crashes.filter_map(|(process, died)| window(evidence, partition, number, process, died)).collect()
}

fn window(
    evidence: &Evidence<'_>,
    partition: &PartitionEvidence<'_>,
    number: usize,
    process: ProcessId,
    died: TimeNs,
) -> Option<Range<Offset>> {
    let name = partition.name();
    let committed = evidence.history.events.iter().filter_map(|event| match &event.kind {
        EventKind::Committed { process: who, outcome: Outcome::Ok | Outcome::Info, positions, .. }
            if *who == process =>
        {
            positions.iter().find(|position| position.partition == name).map(|position| position.offset)
        }
        _ => None,
    });
    let end = committed.max()?;
    let earlier = partition.reads.iter().filter(|row| {
        row.offset < end && row.read_ns <= died && evidence.readers.party(row.reader) == Some(Party::Group(number))
    });
    let start = earlier.map(|row| Offset(row.offset.0 + 1)).max().unwrap_or(Offset(0));
    (start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::super::check_all;
    use super::super::testing::{RunBuilder, id};
    use super::*;
    use crate::anomaly::{CheckName, CheckResult, Expectation, Validity};
    use crate::history::event::Position;
    use crate::kafka::TopicPartition;

    const DEAD: u32 = 20;
    const HEIR: u32 = 21;

    /// What `group-delivery` says of [`crashed_run`].
    fn crash(commit: CommitMode, committed: Option<(Outcome, i64)>, heir: u64) -> CheckResult {
        answer(&crashed_run(commit, committed, heir), CheckName::GroupDelivery)
    }

    fn answer(run: &RunBuilder, check: CheckName) -> CheckResult {
        let answers = check_all(&run.history, &run.scenario, &run.plan);
        answers.into_iter().find(|answer| answer.check == check).expect("every check answers")
    }

    /// Ten records; the member that died had read two and committed up to `committed`, and the next owner began at `heir`.
    fn crashed_run(commit: CommitMode, committed: Option<(Outcome, i64)>, heir: u64) -> RunBuilder {
        let mut run = RunBuilder::small();
        let drain = run.drain_reader(10);
        run.member(DEAD, "readers", 0);
        run.member(HEIR, "readers", 1);
        run.scenario.groups[0].commit = commit;
        for sequence in 0..10_u64 {
            let offset = sequence.cast_signed();
            run.acked(1, sequence, offset);
            run.read(drain, 0, offset, id(1, sequence));
            if sequence < 2 {
                run.read(DEAD, 0, offset, id(1, sequence));
            }
            if sequence >= heir {
                run.read(HEIR, 0, offset, id(1, sequence));
            }
        }
        let chat = TopicPartition::new("chat", 0);
        let dead = ProcessId(DEAD);
        if let Some((outcome, offset)) = committed {
            let positions = vec![Position { partition: chat.clone(), offset: Offset(offset) }];
            run.event(2_100_000, EventKind::Committed { process: dead, outcome, positions, error: None });
        }
        let cause = RevocationCause::Crashed;
        run.event(2_200_000, EventKind::Revoked { process: dead, partitions: vec![chat], cause });
        run.end_offsets(&[(0, 0, 10), (1, 0, 0)]);
        run.drained(10, 0, 10);
        run.drained(HEIR, 0, 10);
        run
    }

    #[test]
    fn records_committed_and_lost_with_a_killed_member_are_what_at_most_once_means() {
        let result = crash(CommitMode::BeforeProcess, Some((Outcome::Ok, 5)), 5);
        assert_eq!(result.found, 0, "{result:?}");
        assert!(result.notes.iter().any(|note| note.contains("3 records")), "{:?}", result.notes);
    }

    #[test]
    fn they_are_counted_and_violations_only_where_the_scenario_does_not_allow_them() {
        let mut run = crashed_run(CommitMode::BeforeProcess, Some((Outcome::Info, 5)), 5);
        let legal = answer(&run, CheckName::CrashSkip);
        assert_eq!((legal.validity, legal.found, legal.examined), (Validity::Valid, 3, 10), "{legal:?}");
        assert!(legal.notes.iter().any(|note| note.starts_with("3 records were committed")), "{:?}", legal.notes);
        for expect in [Expectation::Forbidden, Expectation::Required] {
            run.scenario.expect.insert(CheckName::CrashSkip, expect);
            let skipped = answer(&run, CheckName::CrashSkip);
            assert_eq!((skipped.validity, skipped.found), (Validity::Invalid, 3), "{skipped:?}");
            let records: Vec<_> = skipped.anomalies.iter().map(|anomaly| anomaly.record).collect();
            assert_eq!(records, [2, 3, 4].map(|sequence| Some(id(1, sequence))));
        }
    }

    #[test]
    fn what_the_dead_member_never_committed_is_no_crash_skip() {
        let mut run = crashed_run(CommitMode::BeforeProcess, Some((Outcome::Ok, 5)), 7);
        run.scenario.expect.insert(CheckName::CrashSkip, Expectation::Forbidden);
        assert_eq!(answer(&run, CheckName::CrashSkip).found, 3, "the other two are group-delivery's");
    }

    #[test]
    fn a_group_that_commits_after_it_processes_cannot_skip_by_a_crash() {
        let mut run = crashed_run(CommitMode::AfterProcess, Some((Outcome::Ok, 5)), 5);
        run.scenario.expect.insert(CheckName::CrashSkip, Expectation::Forbidden);
        assert_eq!(answer(&run, CheckName::CrashSkip).validity, Validity::Valid);
    }

    #[test]
    fn a_commit_that_nobody_answered_excuses_as_much() {
        assert_eq!(crash(CommitMode::BeforeProcess, Some((Outcome::Info, 5)), 5).found, 0);
    }

    #[test]
    fn what_the_dead_member_never_committed_was_the_next_owners_to_read() {
        assert_eq!(crash(CommitMode::BeforeProcess, Some((Outcome::Ok, 5)), 7).found, 2);
        assert_eq!(crash(CommitMode::BeforeProcess, None, 5).found, 3);
        assert_eq!(crash(CommitMode::BeforeProcess, Some((Outcome::Fail, 5)), 5).found, 3);
    }

    #[test]
    fn a_group_that_commits_after_it_processes_has_no_excuse() {
        assert_eq!(crash(CommitMode::AfterProcess, Some((Outcome::Ok, 5)), 5).found, 3);
        assert_eq!(crash(CommitMode::Auto, Some((Outcome::Ok, 5)), 5).found, 3);
    }

    #[test]
    fn a_record_that_is_read_again_after_a_crash_is_no_violation() {
        assert_eq!(crash(CommitMode::AfterProcess, Some((Outcome::Ok, 1)), 1).found, 0);
    }
}
