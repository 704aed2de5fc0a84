//! `inconsistent-offsets`: one offset was seen with two records, or a record was acknowledged at one offset and read at
//! another.
//!
//! **Definition.** Jepsen's: bring together what every read saw at an offset and what the acknowledgement of every record
//! that must have been committed says about it; an offset with two records is inconsistent. Beyond Jepsen, a record that
//! was acknowledged at one offset and read only at others is inconsistent too, also when its offset holds nothing.
//!
//! **Why Kafka promises it.** An offset is given to one record for ever; consumers store offsets and come back to them.
//! Logs that diverge after an unclean election, or after a truncation of acknowledged records, break it.
//!
//! **Which operations count**: all reads of all readers, the witness's too (intact, misplaced or foreign; corrupt bytes may be any record and
//! contradict nothing), and the acknowledgements with an offset of `ok` sends. A lost record whose offset was given to
//! another one is found here and in `lost-write`: both are true. A record read at its acknowledged offset and at a further
//! one is a `duplicate` only.
//!
//! **When it cannot tell**: part of the log was not read, or rows may be missing.
//!
//! **Examined**: sightings, offsets that the witness was shown, and acknowledged offsets. **Found**: offsets that reads disagree about, and acknowledgements
//! that the log or another acknowledgement contradicts.

use std::cell::LazyCell;

use crate::anomaly::{CheckName, CheckResult};
use crate::history::SendRow;
use crate::kafka::{Offset, Outcome};

use super::Checker;
use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::index::Slot;
use super::log::Content;
use super::whereabouts::Whereabouts;

/// Looks for offsets with two meanings.
pub struct InconsistentOffsets;

impl Checker for InconsistentOffsets {
    fn name(&self) -> CheckName {
        CheckName::InconsistentOffsets
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::InconsistentOffsets);
        findings.doubts(&evidence.blind_spots());
        for partition in &evidence.partitions {
            // What was read, and what was acknowledged.
            findings.examined += partition.log.sightings.len() as u64 + 2 * partition.plain.records();
            compare_reads(evidence, partition, &mut findings);
            compare_shown(evidence, partition, &mut findings);
            compare_acks(evidence, partition, &mut findings);
        }
        findings.finish()
    }
}

/// Offsets at which reads show two records.
fn compare_reads(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, findings: &mut Findings) {
    for group in partition.log.sightings.chunk_by(|left, right| left.offset == right.offset) {
        let contents: Vec<_> = match group {
            [_] => continue,
            group => group.iter().map(|sighting| partition.content(sighting)).collect(),
        };
        let first = contents[0];
        let Some(at) = contents.iter().position(|content| content.contradicts(first)) else { continue };
        findings.violation(|| {
            let [one, other] = [&group[0], &group[at]].map(|sighting| {
                let reader = evidence.label(partition.reads[sighting.read()].reader);
                format!("{} (read by {reader})", evidence.describe(partition.content(sighting)))
            });
            let text = format!("Offset {} holds {one} and {other}.", group[0].offset);
            match group[at].slot() {
                Some(slot) => partition.about(evidence, partition.sends.send(slot), Some(group[at].offset), text),
                None => partition.witness(evidence, None, Some(group[at].offset), text),
            }
        });
    }
}

/// What the witness was shown against what everybody else read, and against an earlier look of its own.
fn compare_shown(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, findings: &mut Findings) {
    let Some(shown) = &partition.shown else { return };
    let log = &partition.log;
    for reads in shown.reads.chunk_by(|one, other| one.offset == other.offset) {
        findings.examined += 1;
        let offset = reads[0].offset;
        let mut pairs = log.at(offset).flat_map(|one| log.at(offset).map(move |other| (one, other)));
        let is_told = pairs.any(|(one, other)| {
            partition.content(&log.sightings[one]).contradicts(partition.content(&log.sightings[other]))
        });
        if is_told {
            continue;
        }
        let seen = log.at(offset).map(|place| partition.content(&log.sightings[place]));
        let mut known = seen.chain(reads.iter().map(|read| Content::of(read)));
        let others = |content: Content| reads.iter().find(|read| Content::of(read).contradicts(content));
        let Some((content, read)) = known.find_map(|content| others(content).map(|read| (content, read))) else {
            continue;
        };
        findings.violation(|| {
            let text = format!(
                "Offset {offset} holds {}, and {} was shown {} there.",
                evidence.describe(content),
                evidence.label(shown.witness),
                evidence.describe(Content::of(read)),
            );
            match content {
                Content::Intact(record) if partition.sends.find(record).is_some() => {
                    let slot = partition.sends.find(record).expect("it was found");
                    partition.about(evidence, partition.sends.send(slot), Some(offset), text)
                }
                _ => partition.witness(evidence, None, Some(offset), text),
            }
        });
    }
}

/// Acknowledgements against the log and against one another.
fn compare_acks(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, findings: &mut Findings) {
    let whereabouts = LazyCell::new(|| Whereabouts::of(evidence, partition));
    let acked = |(slot, send): (Slot, &SendRow)| {
        send.offset.filter(|_| send.outcome == Outcome::Ok).map(|offset| (offset, slot))
    };
    let mut claims: Vec<(Offset, Slot)> = partition.sends.iter().filter_map(acked).collect();
    claims.sort_unstable();
    findings.examined += claims.len() as u64;
    for claims in claims.chunk_by(|left, right| left.0 == right.0) {
        let mut unconfirmed = None;
        for (offset, slot) in claims {
            if partition.log.place_at(*slot, *offset).is_some() {
                continue;
            }
            let contradiction = contradiction(evidence, partition, *offset, *slot).or_else(|| {
                let other: Slot = unconfirmed?;
                Some(format!("{} was acknowledged there too", evidence.name(partition.sends.send(other).id())))
            });
            unconfirmed = Some(*slot);
            let Some(contradiction) = contradiction else { continue };
            let send = partition.sends.send(*slot);
            findings.violation(|| {
                let still = whereabouts.tell(send.id(), *offset).map_or_else(String::new, |still| format!(" {still}"));
                let text = format!(
                    "{} was acknowledged at offset {offset}, but {contradiction}.{still}",
                    evidence.name(send.id())
                );
                partition.about(evidence, send, elsewhere(partition, *slot).or(Some(*offset)), text)
            });
        }
    }
}

/// What the log says against an acknowledgement that it does not confirm.
fn contradiction(
    evidence: &Evidence<'_>,
    partition: &PartitionEvidence<'_>,
    offset: Offset,
    slot: Slot,
) -> Option<String> {
    let moved = elsewhere(partition, slot).map(|place| format!("was read at offset {place}"));
    let log = &partition.log;
    let mut contents = log.at(offset).map(|place| partition.content(&log.sightings[place]));
    let taken = contents.find(|content| *content != Content::Corrupt);
    match (taken, moved) {
        (Some(content), None) => Some(format!("{} was read there", evidence.describe(content))),
        (Some(content), Some(moved)) => Some(format!("{moved}, and {} was read there", evidence.describe(content))),
        (None, moved) => moved,
    }
}

/// The first offset at which the record was read.
fn elsewhere(partition: &PartitionEvidence<'_>, slot: Slot) -> Option<Offset> {
    partition.log.places(slot).next().map(|place| partition.log.sightings[place].offset)
}
