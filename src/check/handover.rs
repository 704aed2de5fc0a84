//! Where the owners of a partition began, and where they had to.
//!
//! A member that is given a partition asks its group's coordinator where the group stands there, and begins at what stands
//! committed, or at the log's start if nothing does. So at each ownership interval's first read it is known which offsets the
//! owner may have been told ([`super::commits`]), and the first read tells which it was not told: it is no lower than where the
//! owner began, and everything between the two was passed over by it.
//!
//! **Which groups are judged.** Those whose members commit by hand (`after-process`, `before-process`): each of their commits
//! is in the history, also when its member was killed before the answer came. With `auto` the client library commits by a
//! timer and tells afterwards, or, if it dies, never: nobody knows how far on the next owner may begin. But what it did not tell
//! comes after what it told, and a member that goes forward commits nothing lower; so that an owner must not begin before all that
//! was told.

use crate::history::ReadRow;
use crate::kafka::Offset;
use crate::scenario::{CommitMode, GroupSpec};

use super::commits::{Commits, Standing};
use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::ownership::Intervals;
use super::readers::Party;
use super::readings::{Begins, Reading, Readings};
use super::timeline::PartitionKey;

/// One beginning of an owner.
pub struct Handover<'r> {
    /// The group.
    pub group: usize,
    /// What everybody read of the partition.
    pub readings: &'r Readings,
    /// What the owner read.
    pub reading: &'r Reading,
    /// Its first read.
    pub first: &'r ReadRow,
    /// What may have stood committed.
    pub standing: Standing,
}

impl Handover<'_> {
    /// The highest offset at which the owner may have begun by right, given its first read; `None` if each one that may have
    /// stood lies beyond that.
    pub fn begin(&self) -> Option<Offset> {
        let nothing = self.standing.maybe_nothing.then_some(Offset(0));
        let told = self.standing.offsets.iter().copied().filter(|offset| *offset <= self.first.offset);
        told.chain(nothing).max()
    }
}

/// What has to be known of a group's commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// All of them: whoever looks for an owner that began too late.
    EveryCommit,
    /// Only that no commit is lower than those that were acknowledged: whoever looks for one that began too early. What the client
    /// library committed by its timer and did not tell comes after what it told, and is no lower.
    AcknowledgedCommits,
}

/// Why no handover is judged.
pub(super) enum NoHandovers {
    /// There are none by construction.
    NoGroup(&'static str),
    /// Nobody can.
    Untold(&'static str),
}

/// Judges each handover of each group whose handovers can be judged, unless the history is cut; or says why there is none.
pub(super) fn judge_handovers(
    evidence: &Evidence<'_>,
    findings: &mut Findings,
    needs: Needs,
    judge: fn(&Evidence<'_>, &PartitionEvidence<'_>, &Handover<'_>, &mut Findings),
) -> Result<(), NoHandovers> {
    if evidence.scenario.all_groups().next().is_none() {
        let why = "The scenario declares no consumer group, so nobody had to begin where another one had ended.";
        return Err(NoHandovers::NoGroup(why));
    }
    let (judged, silent): (Vec<&GroupSpec>, Vec<&GroupSpec>) =
        evidence.scenario.all_groups().partition(|group| tells_enough(group, needs));
    if judged.is_empty() {
        let why = "No group tells its commits, so nobody knows where its members had to begin.";
        return Err(NoHandovers::Untold(why));
    }
    for group in silent {
        findings.remark(format!("{} does not tell its commits: where its members begin is not judged.", group.name));
    }
    let judged: Vec<usize> = judged.iter().filter_map(|group| evidence.readers.group(&group.name)).collect();
    let intervals = Intervals::new(evidence.history);
    let commits = Commits::new(evidence, &intervals);
    for partition in &evidence.partitions {
        let readings = Readings::of(evidence, partition, &intervals);
        for group in &judged {
            for handover in handovers(partition, &readings, &commits, *group) {
                findings.examined += 1;
                if !evidence.is_cut() {
                    judge(evidence, partition, &handover, findings);
                }
            }
        }
    }
    Ok(())
}

/// Where each owner may have begun at the highest, and where it read first, of every group that can be judged at all.
pub(super) fn begins_at(
    evidence: &Evidence<'_>,
    intervals: &Intervals,
    commits: &Commits,
) -> Vec<(PartitionKey, Offset, Offset)> {
    let groups: Vec<usize> =
        evidence.scenario.all_groups().filter_map(|group| evidence.readers.group(&group.name)).collect();
    let mut begins = Vec::new();
    for partition in &evidence.partitions {
        let readings = Readings::of(evidence, partition, intervals);
        for group in &groups {
            let handovers = handovers(partition, &readings, commits, *group);
            begins.extend(
                handovers
                    .iter()
                    .filter_map(|handover| handover.begin().map(|begin| (partition.key, begin, handover.first.offset))),
            );
        }
    }
    begins
}

fn tells_enough(group: &GroupSpec, needs: Needs) -> bool {
    group.commit != CommitMode::Auto || needs == Needs::AcknowledgedCommits
}

fn handovers<'r>(
    partition: &PartitionEvidence<'r>,
    readings: &'r Readings,
    commits: &Commits,
    group: usize,
) -> Vec<Handover<'r>> {
    let mut own: Vec<&Reading> = readings
        .all
        .iter()
        .filter(|reading| reading.party == Party::Group(group) && reading.begins == Begins::Given)
        .collect();
    own.sort_by_key(|reading| reading.since);
    let first = |reading: &Reading| reading.reads(partition).next().expect("a reading has a row at least");
    let hands: Vec<_> = own.iter().map(|reading| (reading.since, first(reading).read_ns)).collect();
    let standing = commits.standing(group, &partition.name(), &hands);
    let pairs = own.into_iter().zip(standing);
    pairs.map(|(reading, standing)| Handover { group, readings, reading, first: first(reading), standing }).collect()
}
