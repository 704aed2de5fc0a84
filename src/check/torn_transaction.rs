//! `torn-transaction`: some records of a transaction can be read, and others cannot.
//!
//! **Definition.** After the drain, of one transaction whose commit was asked for, in whatever partitions its records lie: a
//! drain reader read at least one, and at least one other can be read by nobody, although a drain reader read its partition to
//! the end. Where nobody knows whether it was committed, all of them or none; where the commit was acknowledged, all of them: one of
//! which nothing is left is torn too. Records that the client library refused were never part of it.
//!
//! **Why Kafka promises it.** The coordinator writes down that a transaction is to be committed before it tells any partition,
//! and tells all of them until each has it in its log, also after a fail-over (KIP-98). A producer asks for a commit only after
//! each record was acknowledged.
//!
//! **What the drain resolves.** A transaction of unknown outcome which the drain shows whole was committed, and one of which it
//! shows nothing was not. Both are right, and counted in the notes. For that the drain has to see the end of it: whoever claims
//! the transactional id next fences the one before and has the coordinator end what it left open, and so does the transaction's
//! time-out; the end offsets of a drain are those that readers can reach, once nothing is open below the log's end any more.
//!
//! **Against Jepsen.** Jepsen has it in `lost-write`: what was read of an indeterminate transaction makes all of it due. Of a
//! committed transaction both speak here too: each record that is missing is lost, and the transaction is torn.
//!
//! **When it cannot tell**: part of the log was not read; rows may be missing; the history does not tell of transactions' ends; a
//! record may have lain below the log's start, where retention removes records by right; readers are still kept from the end of
//! its partition, where it may lie; or corrupt bytes were read in its partition, which may be it. What a fault deleted on purpose, at an offset that was acknowledged, is not missed. Where no
//! producer runs transactions, there is nothing to judge.
//!
//! **Examined**: transactions whose commit was asked for and of which at least one record is known to be there or not to be
//! there. **Found**: transactions.

use crate::anomaly::{CheckName, CheckResult};
use crate::history::SendRow;
use crate::history::event::TransactionEnding;
use crate::kafka::{Offset, Outcome};

use super::Checker;
use super::aborted_read::NO_TRANSACTIONS;
use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::index::Slot;
use super::log::Content;
use super::transactions::Fate;
use super::whereabouts::Whereabouts;

/// Looks for transactions of which only some records are there.
pub struct TornTransaction;

/// What the drain knows of a record.
enum Presence {
    Readable,
    Absent,
    /// A fault deleted it on purpose.
    Deleted,
    /// Retention may have removed it, corrupt bytes may be it, or its place was not read.
    Doubtful,
}

/// One transaction's records, counted.
#[derive(Clone, Copy, Default)]
struct Tally {
    readable: u64,
    absent: u64,
    doubtful: u64,
    /// Of which corrupt bytes may be all that is left.
    obscured: u64,
    /// The first one that is absent: its partition, as a place among all, and its send.
    missing: Option<(usize, Slot)>,
}

impl Checker for TornTransaction {
    fn name(&self) -> CheckName {
        CheckName::TornTransaction
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::TornTransaction);
        if !evidence.transactions.are_run() {
            return findings.not_applicable(NO_TRANSACTIONS);
        }
        findings.doubts(&evidence.blind_spots());
        evidence.transactions.untold().into_iter().for_each(|doubt| findings.doubt(doubt));
        let tallies = tallies(evidence);
        let (mut doubtful, mut unseen, mut committed, mut aborted) = (0u64, 0u64, 0u64, 0u64);
        for (at, tally) in tallies.iter().enumerate() {
            findings.examined += u64::from(tally.readable + tally.absent > 0);
            let fate = evidence.transactions.all[at].fate();
            match (tally.readable, tally.missing, tally.doubtful, tally.obscured) {
                (1.., Some(missing), ..) => torn(evidence, (at, tally), missing, &mut findings),
                (0, Some(missing), ..) if fate == Fate::Committed => {
                    torn(evidence, (at, tally), missing, &mut findings);
                }
                (1.., None, 1.., _) | (1.., None, _, 1..) => doubtful += 1,
                (0, _, 1.., _) if fate != Fate::Aborted => unseen += 1,
                (readable, _, 0, 0) if fate == Fate::Unknown => {
                    committed += u64::from(readable > 0);
                    aborted += u64::from(readable == 0 && tally.absent > 0);
                }
                _ => {}
            }
        }
        if doubtful > 0 {
            findings.doubt(format!(
                "Of {doubtful} transactions some records were read, and nobody can tell whether others are missing."
            ));
        }
        if unseen > 0 {
            findings.doubt(format!(
                "Of {unseen} transactions whose commit was asked for no record was read, and nobody can tell whether any is there."
            ));
        }
        if committed + aborted > 0 {
            findings.remark(format!(
                "Of the transactions whose outcome nobody was told, the drain shows {committed} whole, so that they were committed, \
                 and nothing of {aborted}, so that they were aborted."
            ));
        }
        findings.finish()
    }
}

fn tallies(evidence: &Evidence<'_>) -> Vec<Tally> {
    let transactions = &evidence.transactions;
    let mut tallies = vec![Tally::default(); transactions.all.len()];
    for (number, partition) in evidence.partitions.iter().enumerate() {
        let has_corrupt =
            partition.log.sightings.iter().any(|sighting| partition.content(sighting) == Content::Corrupt);
        for (slot, send) in partition.sends.iter() {
            let Some(at) = transactions.of(partition.key, send.id()) else { continue };
            if transactions.all[at].ending != TransactionEnding::Commit || send.outcome == Outcome::Fail {
                continue;
            }
            let tally = &mut tallies[at];
            match presence(partition, slot, send) {
                Presence::Readable => tally.readable += 1,
                Presence::Absent if has_corrupt => tally.obscured += 1,
                Presence::Absent => {
                    tally.absent += 1;
                    tally.missing = tally.missing.or(Some((number, slot)));
                }
                Presence::Deleted => {}
                Presence::Doubtful => tally.doubtful += 1,
            }
        }
    }
    tallies
}

fn presence(partition: &PartitionEvidence<'_>, slot: Slot, send: &SendRow) -> Presence {
    if partition.log.is_drained(slot) {
        return Presence::Readable;
    }
    let start = partition.range.map_or(Offset(0), |(start, _)| start);
    let acked = send.offset.filter(|_| send.outcome == Outcome::Ok);
    match acked {
        Some(offset) if offset < start && partition.deleted_below.is_some_and(|below| offset < below) => {
            Presence::Deleted
        }
        Some(offset) if offset < start => Presence::Doubtful,
        None if start > Offset(0) => Presence::Doubtful,
        // A transaction that is open keeps readers from more than its own records.
        _ if partition.is_drained() && partition.hidden.is_none() => Presence::Absent,
        _ => Presence::Doubtful,
    }
}

fn torn(
    evidence: &Evidence<'_>,
    (at, tally): (usize, &Tally),
    (partition, slot): (usize, Slot),
    findings: &mut Findings,
) {
    let partition = &evidence.partitions[partition];
    let send = partition.sends.send(slot);
    findings.violation(|| {
        let transaction = &evidence.transactions.all[at];
        let outcome = match transaction.fate() {
            Fate::Committed => "whose commit was acknowledged",
            Fate::Unknown | Fate::Aborted => "of which nobody knows whether it was committed",
        };
        let text = format!(
            "Of transaction {} of {}, {outcome}, {} records can be read and {} cannot: {} is missing from {}.",
            transaction.number,
            evidence.label(transaction.process),
            tally.readable,
            tally.absent,
            evidence.name(send.id()),
            partition.name(),
        );
        let acked = send.offset.filter(|_| send.outcome == Outcome::Ok);
        let still = acked.and_then(|offset| Whereabouts::of(evidence, partition).tell(send.id(), offset));
        partition.about(evidence, send, None, [Some(text), still].into_iter().flatten().collect::<Vec<_>>().join(" "))
    });
}
