//! `group-delivery`: a consumer group passed an acknowledged record by without any member getting it.
//!
//! **Definition.** For each group and each partition of a topic that it subscribes to: every record that must be in the
//! log (`ok`, or `info` and read) and that a drain reader found must have been read by at least one member of the group,
//! if it lies below the offset that the group reached there: one past the highest offset that its members read, or the
//! position at which a member's drain ended, whichever is higher. Groups that share a topic owe each other nothing: each
//! has to get every record (fan-out), by whichever of its members (sharing).
//!
//! **Why Kafka promises it.** A group starts at the earliest offset or at its last commit, and a member commits only what
//! it was given; so between two commits nothing is skipped, through every rebalance (at-least-once). Members that commit
//! before they process lose records if the *member* dies in between: what `crashed` finds to be lost in that way is excused
//! here, told in the notes, and `crash-skip`'s to judge.
//!
//! **Which reads count**: those of the group's members, also of corrupt bytes at the record's offset (that is `corrupt`'s).
//! What the log itself lost is `lost-write`'s alone.
//!
//! An offset at which reads show two records owes nobody anything: which one it holds is `inconsistent-offsets`' question.
//!
//! **Not judged**: reading a record again is `redelivery`'s. Moments at which two members held one partition are told in the
//! notes: a member may learn late that it lost a partition, so that overlapping ownership alone is no proof of a violation.
//!
//! **When it cannot tell**: the record lies beyond what the group reached (the group did not finish its drain); the
//! partition was not drained, so that nobody knows what is owed; in a cut history, where a member's last reads may be
//! missing, nothing missing is a violation.
//!
//! **Examined**: records owed, once a group. A scenario without groups gives this check nothing to examine by
//! construction: it is valid, and says so.
//!
//! **Where it went wrong** is for others to say: inside an ownership interval `poll-skip`, where one begins `group-skip`.

use std::sync::Arc;

use crate::anomaly::{Anomaly, CheckName, CheckResult};
use crate::kafka::Offset;
use crate::scenario::GroupSpec;

use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::index::Slot;
use super::log::Content;
use super::ownership;
use super::{Checker, crashed};

/// Looks for records that a group never got.
pub struct GroupDelivery;

/// What a group did not get of one partition.
#[derive(Default)]
struct Gaps {
    owed: u64,
    beyond: u64,
    uncertain: u64,
    excused: u64,
}

impl Checker for GroupDelivery {
    fn name(&self) -> CheckName {
        CheckName::GroupDelivery
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::GroupDelivery);
        if evidence.scenario.all_groups().next().is_none() {
            return findings.not_applicable("The scenario declares no consumer group, so nothing had to be delivered.");
        }
        findings.doubts(&evidence.blind_spots());
        for group in evidence.scenario.all_groups() {
            check_group(evidence, group, &mut findings);
        }
        for sentence in ownership::overlaps(evidence.history) {
            findings.remark(sentence);
        }
        findings.finish()
    }
}

fn check_group(evidence: &Evidence<'_>, group: &GroupSpec, findings: &mut Findings) {
    let number = evidence.readers.group(&group.name).expect("the scenario's groups are numbered");
    let (mut owed, mut excused) = (0, 0);
    for partition in &evidence.partitions {
        if !group.topics.iter().any(|topic| **topic == *partition.topic) {
            continue;
        }
        let gaps = check_partition(evidence, partition, group, number, findings);
        let name = partition.name();
        if gaps.beyond > 0 {
            findings.doubt(format!(
                "{} did not finish {name}: {} records lie beyond what it reached.",
                group.name, gaps.beyond
            ));
        }
        if gaps.uncertain > 0 {
            findings.doubt(format!(
                "{} has no row for {} records of {name}; the history is cut, so the rows may have been lost.",
                group.name, gaps.uncertain
            ));
        }
        owed += gaps.owed;
        excused += gaps.excused;
    }
    findings.examined += owed;
    if owed == 0 {
        findings.doubt(format!("Nothing was owed to {}: no acknowledged record was found in its topics.", group.name));
    }
    if excused > 0 {
        findings.remark(format!(
            "{excused} records were committed by members of {} that were killed before they processed them: crash-skip judges \
             them.",
            group.name
        ));
    }
}

fn check_partition(
    evidence: &Evidence<'_>,
    partition: &PartitionEvidence<'_>,
    group: &GroupSpec,
    number: usize,
    findings: &mut Findings,
) -> Gaps {
    let log = &partition.log;
    let reached = reached(evidence, partition, number);
    let excused = crashed::excused(evidence, partition, group, number);
    let mut gaps = Gaps { owed: partition.plain.records(), ..Gaps::default() };
    for (place, sighting) in log.sightings.iter().enumerate() {
        let Some((slot, send)) = partition.certain(place) else { continue };
        gaps.owed += 1;
        if is_delivered(partition, number, slot, place) {
            continue;
        }
        if evidence.is_cut() {
            gaps.uncertain += 1;
        } else if sighting.offset >= reached {
            gaps.beyond += 1;
        } else if excused.iter().any(|window| window.contains(&sighting.offset)) {
            gaps.excused += 1;
        } else {
            findings.violation(|| {
                let text = format!(
                    "{} lies at offset {}; {} went on to {reached} without any member reading it.",
                    evidence.name(send.id()),
                    sighting.offset,
                    group.name
                );
                let witness = partition.about(evidence, send, Some(sighting.offset), text);
                Anomaly { group: Some(Arc::from(group.name.as_str())), ..witness }
            });
        }
    }
    gaps
}

/// How far the group got in the partition, by its members' reads and by where their drains ended.
pub(super) fn reached(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, group: usize) -> Offset {
    let drained = evidence
        .timeline
        .drained
        .iter()
        .filter(|(process, _)| evidence.readers.party(**process) == Some(super::readers::Party::Group(group)));
    let drained = drained.filter_map(|(_, positions)| positions.get(&partition.key).copied()).max();
    drained.unwrap_or(Offset(0)).max(partition.log.group_reached[group])
}

/// Whether some member of the group got the record of a sighting, or corrupt bytes in its place.
pub(super) fn is_delivered(partition: &PartitionEvidence<'_>, group: usize, slot: Slot, place: usize) -> bool {
    let log = &partition.log;
    let got = &log.by_group[group];
    got.get(place)
        || log.places(slot).any(|place| got.get(place))
        || log
            .at_neighbours(place)
            .any(|other| got.get(other) && partition.content(&log.sightings[other]) == Content::Corrupt)
}
