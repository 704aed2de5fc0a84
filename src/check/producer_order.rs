//! `producer-order`: one producer's records lie in another order than it sent them.
//!
//! **Definition.** Go through a partition's final log by offset, and keep of each record its first place. The sequences of
//! one process must increase over those that are `ok`. A hole is no violation: where its send was `fail` or `info` it is legal, and where it was
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
//! **Not judged**: pairs of which one is `info`. When a send times out, a producer without a transactional id asks for a
//! new producer id and goes on; a copy of the old send that is still under way may then be appended behind newer ones, by
//! right. A record that lies late and is `info`, or is late only against `info` records, is counted in the notes. A `fail`
//! that lies in the log at all is `phantom`'s.
//!
//! **When it cannot tell**: part of the log was not read, or rows may be missing.
//!
//! **Examined**: records of the final log. **Found**: `ok` records that lie after a later `ok` one of their
//! process.

use crate::anomaly::{CheckName, CheckResult};
use crate::history::SendRow;
use crate::kafka::{Offset, Outcome, ProcessId, Sequence};

use super::Checker;
use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::log::Sighting;

/// Looks for inversions inside one producer's records.
pub struct ProducerOrder;

/// The highest sequences of one process so far.
#[derive(Clone, Copy)]
struct Latest {
    process: ProcessId,
    /// Of all its records.
    highest: Sequence,
    /// Of its acknowledged ones, and where it lies.
    acked: Option<(Sequence, Offset)>,
}

impl Checker for ProducerOrder {
    fn name(&self) -> CheckName {
        CheckName::ProducerOrder
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::ProducerOrder);
        findings.doubts(&evidence.blind_spots());
        let mut unknown = 0;
        for partition in &evidence.partitions {
            unknown += check_partition(evidence, partition, &mut findings);
        }
        if unknown > 0 {
            findings.remark(format!(
                "{unknown} records lie after later ones of their producers, but the outcome of one or the other send is \
                 unknown: that is legal."
            ));
        }
        findings.finish()
    }
}

/// How many records lie late by right is the answer; the others are found.
fn check_partition(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, findings: &mut Findings) -> u64 {
    let mut unknown = 0;
    findings.examined += partition.plain.records();
    let mut seen = super::bits::Bits::unset(partition.sends.len());
    // One entry a process, sorted: a partition has few, and most look-ups hit the one that wrote the batch.
    let mut latest: Vec<Latest> = Vec::new();
    for (sighting, send) in uncontested(partition) {
        let Some(slot) = sighting.slot() else { continue };
        if seen.get(slot.index()) || send.outcome == Outcome::Fail {
            continue;
        }
        seen.set(slot.index());
        findings.examined += 1;
        let at = latest.binary_search_by_key(&send.process, |latest| latest.process).unwrap_or_else(|at| {
            latest.insert(at, Latest { process: send.process, highest: send.sequence, acked: None });
            at
        });
        let latest = &mut latest[at];
        let is_late = send.sequence < latest.highest;
        latest.highest = latest.highest.max(send.sequence);
        let acked = latest.acked.filter(|_| send.outcome == Outcome::Ok);
        if let Some((before, offset)) = acked.filter(|(before, _)| *before > send.sequence) {
            findings.violation(|| {
                let text = format!(
                    "{} lies at offset {}, after #{before} of the same producer at offset {offset}.",
                    evidence.name(send.id()),
                    sighting.offset,
                );
                partition.about(evidence, send, Some(sighting.offset), text)
            });
            continue;
        }
        unknown += u64::from(is_late);
        if send.outcome == Outcome::Ok {
            latest.acked = Some((send.sequence, sighting.offset));
        }
    }
    unknown
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
