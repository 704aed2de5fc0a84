//! `corrupt`: a record was read whose bytes are not those that were sent, or not where they were sent.
//!
//! **Definition.** Some reader read a record with this run's header whose length, key or checksum disagrees with its
//! bytes; or whose headers or timestamp are not those that its payload announces; or an intact record in another topic or
//! partition than its header names; or one whose length is not the length that its send recorded.
//!
//! **What is compared.** Everything that Kafka carries for a record: the payload with its key, by the checksum inside
//! (`workload::payload`); the number of headers, their order, keys and values, null and empty told apart
//! (`workload::headers`), none where none were sent; and the timestamp, to the millisecond, unless the record says that the
//! broker put its own in its place (`LogAppendTime`). Producers of older builds set no timestamp, and theirs is not judged.
//!
//! **Why Kafka promises it.** Batches carry a CRC-32C that brokers verify on append and clients on fetch
//! (`check.crcs`); our own comparison covers what lies above: compression, batching, routing, and a batch that a broker
//! unpacks and packs again.
//!
//! **Which reads count**: every reader's, the witness's too, because bytes that are whole for one reader may be broken for
//! another, and what was aborted only the witness is given.
//!
//! **When it cannot tell**: part of the log was not read, or rows may be missing.
//!
//! **Examined**: reads. **Found**: sightings (one content at one offset, however many readers saw it), and reads of the witness.

use crate::anomaly::{Anomaly, CheckName, CheckResult};

use super::Checker;
use super::evidence::{Evidence, PartitionEvidence, as_read};
use super::finding::Findings;
use super::log::{Content, Sighting};

/// Looks for records that are not what was sent.
pub struct Corrupt;

impl Checker for Corrupt {
    fn name(&self) -> CheckName {
        CheckName::Corrupt
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::Corrupt);
        findings.doubts(&evidence.blind_spots());
        for partition in &evidence.partitions {
            findings.examined += partition.reads.len() as u64 + partition.plain.reads();
            for sighting in &partition.log.sightings {
                if matches!(partition.content(sighting), Content::Corrupt | Content::Misplaced(_)) {
                    findings.violation(|| broken(evidence, partition, sighting));
                }
            }
            for read in &partition.log.odd_lengths {
                findings.violation(|| odd_length(evidence, partition, *read));
            }
            shown_broken(evidence, partition, &mut findings);
        }
        findings.finish()
    }
}

/// What only the witness was given.
fn shown_broken(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, findings: &mut Findings) {
    let Some(shown) = &partition.shown else { return };
    let log = &partition.log;
    for read in shown.reads.iter().copied() {
        let content = Content::of(read);
        let is_told = log.at(read.offset).any(|place| partition.content(&log.sightings[place]) == content);
        let is_odd = || match content {
            Content::Intact(record) => {
                partition.sends.find(record).is_some_and(|slot| partition.sends.send(slot).bytes != read.bytes)
            }
            _ => matches!(content, Content::Corrupt | Content::Misplaced(_)),
        };
        if !is_told && is_odd() {
            findings.violation(|| {
                let text = format!(
                    "{} was shown {} at offset {}, {} bytes long: not what was sent there.",
                    evidence.label(read.reader),
                    evidence.describe(content),
                    read.offset,
                    read.bytes,
                );
                let record = match content {
                    Content::Intact(record) | Content::Misplaced(record) => Some(record),
                    Content::Foreign | Content::Corrupt => None,
                };
                as_read(evidence, read, partition.witness(evidence, record, Some(read.offset), text))
            });
        }
    }
}

fn broken(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, sighting: &Sighting) -> Anomaly {
    let read = &partition.reads[sighting.read()];
    let reader = evidence.label(read.reader);
    let (record, what) = match partition.content(sighting) {
        Content::Misplaced(record) => {
            (Some(record), format!("{}, which was sent to another partition", evidence.name(record)))
        }
        _ => (None, "bytes, headers or a timestamp that are not those that were sent".to_owned()),
    };
    let text = format!("{reader} read, at offset {}, {what}.", sighting.offset);
    as_read(evidence, read, partition.witness(evidence, record, Some(sighting.offset), text))
}

fn odd_length(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, read: u32) -> Anomaly {
    let read = &partition.reads[read as usize];
    let send = partition.sends.find(read.record).map(|slot| partition.sends.send(slot));
    let expected = send.map_or(0, |send| send.bytes);
    let text = format!(
        "{} read {} with {} bytes at offset {}; {expected} bytes were sent.",
        evidence.label(read.reader),
        evidence.name(read.record),
        read.bytes,
        read.offset,
    );
    partition.about_read(evidence, read, text)
}
