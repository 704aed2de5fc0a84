//! `crash-skip`: a group passed records by that a member had committed, and not yet processed, when it was killed.
//!
//! **Definition.** For each group that commits before it processes (`commit = "before-process"`): a record that certainly lies
//! in the log (as `group-delivery` has it), that no member read, and that lies between what the group had read by then and
//! what a killed member had committed, or may have (`crashed`).
//!
//! **Legal unless the scenario says otherwise.** That is what at-most-once means: the commit says that the record is done with,
//! and whoever begins there cannot know that it is not. So this check is `allowed` by default. Then what it finds is no
//! violation: it is counted, the notes tell it group by group, and the answer is valid. A scenario that forbids it (nothing
//! that was sent may go unprocessed) or requires it (a control) makes a violation of each such record.
//!
//! **Beside `group-delivery`**, which excuses these records and no others: what a group passed by without a crash, or beyond
//! what the killed member had committed, was somebody's to read. `group-skip` is no judge of it, because the next owner begins
//! where the commit stands, as it has to.
//!
//! **Against Jepsen**: its consumers record what they got before they commit.
//!
//! **When it cannot tell**: what the drain did not read; in a cut history, where a member's last reads may be missing.
//!
//! **Examined**: the records that certainly lie in the log, once for each such group. **Found**: those of them that were
//! skipped. Where no group commits before it processes there is nothing to examine by
//! construction.

use crate::anomaly::{CheckName, CheckResult, Expectation};
use crate::scenario::{CommitMode, GroupSpec};

use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::readers::Party;
use super::readings::of_party;
use super::{Checker, crashed, group_delivery};

/// Looks for records that were committed and never processed, because the member that did so died in between.
pub struct CrashSkip;

impl Checker for CrashSkip {
    fn name(&self) -> CheckName {
        CheckName::CrashSkip
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::CrashSkip);
        let hasty = |group: &&GroupSpec| group.commit == CommitMode::BeforeProcess;
        let mut groups = evidence.scenario.all_groups().filter(hasty).peekable();
        if groups.peek().is_none() {
            return findings
                .not_applicable("No group commits before it processes, so that no crash can skip anything.");
        }
        findings.doubts(&evidence.blind_spots());
        for group in groups {
            check_group(evidence, group, &mut findings);
        }
        findings.finish()
    }
}

fn check_group(evidence: &Evidence<'_>, group: &GroupSpec, findings: &mut Findings) {
    let number = evidence.readers.group(&group.name).expect("the scenario's groups are numbered");
    let is_legal = evidence.scenario.expectation(CheckName::CrashSkip) == Expectation::Allowed;
    let mut skipped = 0;
    let partitions = evidence.partitions.iter();
    for partition in partitions.filter(|partition| group.topics.iter().any(|topic| **topic == *partition.topic)) {
        let places = skipped_places(evidence, partition, group, number, findings);
        skipped += places.len();
        if is_legal {
            continue;
        }
        for place in places {
            let Some((_, send)) = partition.certain(place) else { continue };
            findings.violation(|| {
                let offset = partition.log.sightings[place].offset;
                let text = format!(
                    "{} at offset {offset} of {} was committed by a member of {} that was killed before it processed it; no \
                     member ever did.",
                    evidence.name(send.id()),
                    partition.name(),
                    group.name,
                );
                of_party(evidence, Party::Group(number), partition.about(evidence, send, Some(offset), text))
            });
        }
    }
    if skipped > 0 && is_legal {
        findings.legal(skipped as u64);
        findings.remark(format!(
            "{skipped} records were committed by members of {} that were killed before they processed them, which at-most-once \
             delivery allows.",
            group.name
        ));
    }
}

/// The places in the log of what the group skipped by crashes; counts what was examined.
fn skipped_places(
    evidence: &Evidence<'_>,
    partition: &PartitionEvidence<'_>,
    group: &GroupSpec,
    number: usize,
    findings: &mut Findings,
) -> Vec<usize> {
    let windows = crashed::excused(evidence, partition, group, number);
    let mut skipped = Vec::new();
    for (place, sighting) in partition.log.sightings.iter().enumerate() {
        let Some((slot, _)) = partition.certain(place) else { continue };
        findings.examined += 1;
        let is_inside = windows.iter().any(|window| window.contains(&sighting.offset));
        if is_inside && !evidence.is_cut() && !group_delivery::is_delivered(partition, number, slot, place) {
            skipped.push(place);
        }
    }
    skipped
}
