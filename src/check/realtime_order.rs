//! `realtime-order`: a record was sent after another one's acknowledgement, yet lies before it.
//!
//! **Definition.** For acknowledged sends A and B to one partition: if A's acknowledgement arrived before B's send was
//! invoked, whichever producers they came from, A's offset is below B's. This is linearizability's real-time order for a
//! log; Jepsen calls a break `G0-realtime` and always allows it.
//!
//! **Why Kafka promises it.** A partition has one log, its leader appends at the end only, and a record is acknowledged
//! after it was appended. An election may truncate only what was never committed. A break shows two leaders at once.
//!
//! **Which sends count.** Those that are `ok` with an offset at which the final log holds that very record. An
//! acknowledgement that the log does not confirm is charged to `lost-write` or `inconsistent-offsets`.
//!
//! **Sound under retries.** The acknowledged offset is that of a copy which was appended between the send's invocation and
//! its acknowledgement, whichever retry that was: A's copy was there before B's client knew of B. A duplicate of either
//! changes nothing, because only the acknowledged copies are compared. All times come from one clock in one process.
//!
//! **When it cannot tell**: part of the log was not read, or rows may be missing.
//!
//! **Examined**: confirmed acknowledgements. **Found**: records B with at least one witness A; the one reported is the
//! highest A. One sweep over invocations and acknowledgements by time, with a running maximum: O(n log n).

use crate::anomaly::{CheckName, CheckResult};
use crate::history::SendRow;
use crate::kafka::{Offset, Outcome};

use super::Checker;
use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::index::Slot;

/// Looks for inversions against real time.
pub struct RealtimeOrder;

impl Checker for RealtimeOrder {
    fn name(&self) -> CheckName {
        CheckName::RealtimeOrder
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::RealtimeOrder);
        findings.doubts(&evidence.blind_spots());
        for partition in &evidence.partitions {
            check_partition(evidence, partition, &mut findings);
        }
        findings.finish()
    }
}

fn check_partition(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, findings: &mut Findings) {
    let send = |slot: u32| partition.sends.send(Slot(slot));
    let confirmed = partition.sends.iter().filter(|(slot, send)| confirmed_at(partition, *slot, send).is_some());
    let mut by_ack: Vec<u32> = confirmed.map(|(slot, _)| slot.0).collect();
    let mut by_invocation = by_ack.clone();
    by_ack.sort_by_key(|slot| send(*slot).complete_ns);
    by_invocation.sort_by_key(|slot| send(*slot).invoke_ns);
    findings.examined += by_ack.len() as u64 + partition.plain.records();

    let mut acked = by_ack.iter().copied().map(send).peekable();
    let mut highest: Option<&SendRow> = None;
    for later in by_invocation.iter().copied().map(send) {
        while let Some(earlier) = acked.next_if(|earlier| earlier.complete_ns < later.invoke_ns) {
            if highest.is_none_or(|highest| highest.offset < earlier.offset) {
                highest = Some(earlier);
            }
        }
        if let Some(earlier) = highest.filter(|earlier| earlier.offset > later.offset) {
            findings.violation(|| partition.about(evidence, later, later.offset, explain(evidence, earlier, later)));
        }
    }
}

/// The acknowledged offset, if the final log holds the record there.
fn confirmed_at(partition: &PartitionEvidence<'_>, slot: Slot, send: &SendRow) -> Option<Offset> {
    let offset = send.offset.filter(|_| send.outcome == Outcome::Ok)?;
    let place = partition.log.place_at(slot, offset)?;
    partition.is_final(place).then_some(offset)
}

fn explain(evidence: &Evidence<'_>, earlier: &SendRow, later: &SendRow) -> String {
    let offset = |send: &SendRow| send.offset.map_or_else(String::new, |offset| format!(" at offset {offset}"));
    format!(
        "{} was sent {:.3} ms after {} had been acknowledged{}, yet lies before it{}.",
        evidence.name(later.id()),
        later.invoke_ns.since(earlier.complete_ns) as f64 / 1e6,
        evidence.name(earlier.id()),
        offset(earlier),
        offset(later),
    )
}
