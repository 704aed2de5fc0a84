//! `producer-order`: one producer's records lie in another order than it sent them.
//!
//! **Definition.** Go through a partition's final log by offset, and keep of each record its first place. The sequences of
//! one process must increase. A hole is no violation: where its send was `fail` or `info` it is legal, and where it was
//! `ok` it is `lost-write`'s.
//!
//! **Why Kafka promises it.** "Messages sent by a producer to a particular topic partition will be appended in the order
//! they are sent" (Kafka's documentation, 4.1): with idempotence for up to five requests in flight, because the leader
//! refuses a batch whose number does not follow (KIP-98); without it, only for one request in flight, so that scenarios
//! which switch it off should allow this. Jepsen's sends are synchronous, one record in flight; it cannot see this.
//!
//! **Which records count**: intact records of the final log with a send row. A process is one life of a producer, so a
//! producer that was made anew starts a sequence of its own. Only first places count, so that a duplicated batch is a
//! `duplicate`, and an inversion only if a consumer that drops duplicates would still see it. Offsets at which the final
//! log shows two records are left out: they are `inconsistent-offsets`'.
//!
//! **When it cannot tell**: part of the log was not read, or rows may be missing.
//!
//! **Examined**: records of the final log. **Found**: records that lie after a later one of their process.

use crate::anomaly::{CheckName, CheckResult};
use crate::history::SendRow;
use crate::kafka::{Offset, ProcessId, Sequence};

use super::Checker;
use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::log::Sighting;

/// Looks for inversions inside one producer's records.
pub struct ProducerOrder;

/// The highest sequence of one process so far, and where it lies.
#[derive(Clone, Copy)]
struct Latest {
    process: ProcessId,
    sequence: Sequence,
    offset: Offset,
}

impl Checker for ProducerOrder {
    fn name(&self) -> CheckName {
        CheckName::ProducerOrder
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::ProducerOrder);
        findings.doubts(&evidence.blind_spots());
        for partition in &evidence.partitions {
            check_partition(evidence, partition, &mut findings);
        }
        findings.finish()
    }
}

fn check_partition(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, findings: &mut Findings) {
    let mut seen = super::bits::Bits::unset(partition.sends.len());
    // One entry a process, sorted: a partition has few, and most look-ups hit the one that wrote the batch.
    let mut latest: Vec<Latest> = Vec::new();
    for (sighting, send) in uncontested(partition) {
        let Some(slot) = sighting.slot() else { continue };
        if seen.get(slot.index()) {
            continue;
        }
        seen.set(slot.index());
        findings.examined += 1;
        let now = Latest { process: send.process, sequence: send.sequence, offset: sighting.offset };
        match latest.binary_search_by_key(&send.process, |latest| latest.process) {
            Err(at) => latest.insert(at, now),
            Ok(at) if latest[at].sequence < now.sequence => latest[at] = now,
            Ok(at) => {
                let before = latest[at];
                findings.violation(|| {
                    let text = format!(
                        "{} lies at offset {}, after #{} of the same producer at offset {}.",
                        evidence.name(send.id()),
                        sighting.offset,
                        before.sequence,
                        before.offset
                    );
                    partition.about(evidence, send, Some(sighting.offset), text)
                });
            }
        }
    }
}

/// The final log by offset, without the offsets that show two records.
fn uncontested<'p>(partition: &'p PartitionEvidence<'_>) -> impl Iterator<Item = (&'p Sighting, &'p SendRow)> {
    let log = &partition.log;
    let is_final = |place: usize| log.sightings.get(place).filter(|_| partition.is_final(place));
    (0..log.sightings.len()).filter_map(move |place| {
        let sighting = is_final(place)?;
        let send = partition.sends.send(sighting.slot()?);
        let contested = log.at_neighbours(place).any(|other| {
            is_final(other).is_some_and(|other| partition.content(other).contradicts(partition.content(sighting)))
        });
        (!contested).then_some((sighting, send))
    })
}
