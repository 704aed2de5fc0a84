//! `commit-regression`: a new owner began before everything that its group may have committed.
//!
//! **Definition.** For each ownership interval of a group's member in which it read something: the first read lies below every
//! offset that may have stood committed when it began (`commits`), and something stood. With one member after another and no
//! commit in doubt that is the last acknowledged commit, as in Jepsen's terms the last `ok` and all later `info` ones are.
//!
//! **Why Kafka promises it.** A commit is acknowledged once the in-sync replicas of the coordinator's log have it, and a
//! coordinator that takes over reads that log before it answers. Records that were committed come again only if a commit was
//! lost, or if an owner was set to another offset by a reset that nothing called for. Redelivery of what was *not* committed is
//! legal, and counted by `redelivery`.
//!
//! **What breaks it by right**: an unclean election, after which a log may end before what was committed. The client finds that
//! out and begins at the log's start. A scenario that elects so has to allow this check to find something.
//!
//! **When it cannot tell**: in a cut history. A commit that nobody answered counts as one that may stand, so that it only ever
//! lowers what an owner is held to. Of a group with `commit = "auto"` the commits that it told are enough (`handover`). Without
//! consumer groups there is nothing to examine by construction.
//!
//! **Examined**: ownership intervals with a read.

use crate::anomaly::{CheckName, CheckResult};

use super::Checker;
use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::handover::{Handover, Needs, NoHandovers, judge_handovers};
use super::readings::about_read;

/// Looks for owners that began too early in the log.
pub struct CommitRegression;

impl Checker for CommitRegression {
    fn name(&self) -> CheckName {
        CheckName::CommitRegression
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::CommitRegression);
        match judge_handovers(evidence, &mut findings, Needs::AcknowledgedCommits, check_handover) {
            Ok(()) => {
                if let Some(doubt) = evidence.torn() {
                    findings.doubt(doubt);
                }
                findings.finish()
            }
            Err(NoHandovers::NoGroup(why)) => findings.not_applicable(why),
            Err(NoHandovers::Untold(why)) => findings.skipped(why),
        }
    }
}

fn check_handover(
    evidence: &Evidence<'_>,
    partition: &PartitionEvidence<'_>,
    handover: &Handover<'_>,
    findings: &mut Findings,
) {
    if handover.begin().is_some() {
        return;
    }
    let Handover { reading, first, standing, .. } = handover;
    let Some(lowest) = standing.offsets.iter().min() else { return };
    findings.violation(|| {
        let text = format!(
            "{} was given {} and began at offset {} or before, although no commit below {lowest} may have stood there.",
            evidence.label(reading.reader),
            partition.name(),
            first.offset,
        );
        about_read(evidence, partition, reading.party, first, text)
    });
}
