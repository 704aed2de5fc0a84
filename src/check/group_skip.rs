//! `group-skip`: a new owner began beyond everything that its group may have committed, and so passed records by.
//!
//! **Definition.** For each ownership interval of a group's member in which it read something: the highest offset at or below
//! the first read that may have stood committed when it began (`commits`), or the log's start if it may be that nothing was.
//! Every record that certainly lies from there up to the first read (`Readings::passed`), and that no member of the group had
//! read before that read, was passed by.
//!
//! **Why Kafka promises it.** At-least-once delivery across a handover: the next owner begins where the group's commit stands,
//! and a member commits only what it was given. An owner that begins later was told an offset that nobody committed, or was
//! set to another one by a reset that nothing called for.
//!
//! **Beside `group-delivery`**, which says that a record reached no member at all: that names the loss, and this the moment. A
//! record that a later owner happens to read after all is a `group-skip` alone. A record committed by a member that was killed
//! before it processed it (`before-process`) is none: its commit may stand, whatever was read.
//!
//! **Against Jepsen**: there where a subscriber begins is not judged at all.
//!
//! **When it cannot tell**: what the drain did not read; in a cut history. Groups that do not tell their commits are not
//! judged (`handover`), which the notes say. **Skipped** where no group does; without consumer groups there is nothing to examine by
//! construction.
//!
//! **Examined**: ownership intervals with a read.

use crate::anomaly::{CheckName, CheckResult};
use crate::kafka::Offset;

use super::Checker;
use super::evidence::{Evidence, PartitionEvidence, as_read};
use super::finding::Findings;
use super::handover::{Handover, Needs, NoHandovers, judge_handovers};
use super::readers::Party;
use super::readings::of_party;

/// Looks for owners that began too late in the log.
pub struct GroupSkip;

impl Checker for GroupSkip {
    fn name(&self) -> CheckName {
        CheckName::GroupSkip
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::GroupSkip);
        match judge_handovers(evidence, &mut findings, Needs::EveryCommit, check_handover) {
            Ok(()) => {
                findings.doubts(&evidence.blind_spots());
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
    let Handover { group, readings, reading, first, .. } = handover;
    // Where everything that may have stood lies beyond the first read, the owner began too early: no skip.
    let Some(begin) = handover.begin() else { return };
    let mut places: Vec<usize> = readings.passed(evidence, partition, begin..first.offset, first).collect();
    if places.is_empty() {
        return;
    }
    let offset = |place: usize| partition.log.sightings[place].offset;
    let had = read_before(evidence, partition, *group, begin, handover);
    places.retain(|place| had.binary_search(&offset(*place)).is_err());
    for place in places {
        let Some((_, send)) = partition.certain(place) else { continue };
        findings.violation(|| {
            let text = format!(
                "{} was given {} and began at offset {}, although no commit may have stood there above {begin}; it passed over {} \
                 at offset {}.",
                evidence.label(reading.reader),
                partition.name(),
                first.offset,
                evidence.name(send.id()),
                offset(place),
            );
            of_party(evidence, reading.party, as_read(evidence, first, partition.about(evidence, send, Some(offset(place)), text)))
        });
    }
}

/// The offsets from `begin` up to the first read that members of the group had read before it, sorted.
fn read_before(
    evidence: &Evidence<'_>,
    partition: &PartitionEvidence<'_>,
    group: usize,
    begin: Offset,
    handover: &Handover<'_>,
) -> Vec<Offset> {
    let between = begin..handover.first.offset;
    let earlier = partition.reads.iter().filter(|read| {
        between.contains(&read.offset)
            && read.read_ns < handover.first.read_ns
            && evidence.readers.party(read.reader) == Some(Party::Group(group))
    });
    let mut offsets: Vec<Offset> = earlier.map(|read| read.offset).collect();
    offsets.sort_unstable();
    offsets
}
