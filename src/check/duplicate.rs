//! `duplicate`: one record lies at more than one offset of its partition.
//!
//! **Definition.** Some intact record (process, sequence) was read at two offsets, by whatever readers. Reading one offset
//! again is redelivery, which at-least-once groups do by right, and no duplicate. Jepsen's `duplicate` is the same.
//!
//! **Why Kafka promises it.** An idempotent producer numbers its batches, and the leader drops a batch that it appended
//! already (KIP-98); a new leader knows the numbers from its own log. Without idempotence a retry may append twice.
//!
//! **Which reads count**: every intact read of a record with a send row, groups' and drain's alike: an offset that a group
//! read and that was given to another record later shows here as well as in `inconsistent-offsets`.
//!
//! **When it cannot tell**: part of the log was not read, or rows may be missing.
//!
//! **Examined**: records that were read. **Found**: records with more than one offset, each once.

use crate::anomaly::{CheckName, CheckResult};

use super::Checker;
use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::index::Slot;

/// How many offsets of one record a sentence names.
const NAMED: usize = 5;

/// Looks for records at several offsets.
pub struct Duplicate;

impl Checker for Duplicate {
    fn name(&self) -> CheckName {
        CheckName::Duplicate
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::Duplicate);
        findings.doubts(&evidence.blind_spots());
        for partition in &evidence.partitions {
            findings.examined += partition.plain.records();
            findings.examined += partition.sends.iter().filter(|(slot, _)| partition.log.is_seen(*slot)).count() as u64;
            for slot in partition.log.duplicated() {
                findings.violation(|| {
                    let send = partition.sends.send(slot);
                    let offsets: Vec<_> =
                        partition.log.places(slot).map(|place| partition.log.sightings[place].offset).collect();
                    partition.about(evidence, send, offsets.last().copied(), explain(evidence, partition, slot))
                });
            }
        }
        findings.finish()
    }
}

fn explain(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, slot: Slot) -> String {
    let offsets: Vec<String> =
        partition.log.places(slot).map(|place| partition.log.sightings[place].offset.to_string()).collect();
    let more = match offsets.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = &offsets[..offsets.len().min(NAMED)];
    format!("{} lies at offsets {}{more}.", evidence.name(partition.sends.send(slot).id()), named.join(", "))
}
