//! `aborted-read`: a record was read of a transaction that was certainly aborted.
//!
//! **Definition.** A reader read an intact record of a producer that runs transactions, although the record's transaction is
//! aborted (`transactions`: its commit was never asked for, or certainly refused), or although its send is `fail`. In the run's
//! words both are one thing: nobody can have committed the record.
//!
//! **Why Kafka promises it.** To consumers with `isolation.level=read_committed` a leader gives nothing beyond the last stable
//! offset, and names the aborted transactions among what it gives, whose records the consumer drops (KIP-98). With
//! `read_uncommitted` there is no such promise, which a control shows: a group that reads so is judged like any other.
//!
//! **Against Jepsen.** Its G1a: an `ok` poll saw a value whose writer failed. Here every read counts, and a transaction fails
//! also where nobody confirmed its abort, if its commit was never asked for: a commit from an earlier transaction that arrives
//! late and commits this one (KAFKA-17754) is found.
//!
//! **What was hidden.** A drain has one reader more, the witness, which reads `read_uncommitted`. What it read is no violation:
//! it shows that aborted records were there in the log, and were not given to those who wait for commits. Its count is in the
//! notes.
//!
//! **When it cannot tell**: part of the log was not read, or rows may be missing. Records of transactions of which nobody knows
//! whether they were committed are no witnesses. Where no producer runs transactions, there is nothing to judge.
//!
//! **Examined**: sightings (one content at one offset) of records that were sent in transactions. **Found**: sightings.

use std::collections::BTreeSet;

use crate::anomaly::{CheckName, CheckResult};
use crate::history::SendRow;
use crate::kafka::Outcome;

use super::Checker;
use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::log::Content;
use super::transactions::Fate;

/// What the checks of transactions say where there are none.
pub(super) const NO_TRANSACTIONS: &str = "No producer puts its records into transactions.";

/// Looks for records that nobody can have committed.
pub struct AbortedRead;

impl Checker for AbortedRead {
    fn name(&self) -> CheckName {
        CheckName::AbortedRead
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::AbortedRead);
        if !evidence.transactions.are_run() {
            return findings.not_applicable(NO_TRANSACTIONS);
        }
        findings.doubts(&evidence.blind_spots());
        let mut aborted = 0;
        for partition in &evidence.partitions {
            let sends = partition.sends.iter().filter(|(_, send)| evidence.transactions.are_of(send.process));
            aborted += sends.filter(|(_, send)| was_aborted(evidence, partition, send)).count();
            for place in 0..partition.log.sightings.len() {
                check_sighting(evidence, partition, place, &mut findings);
            }
        }
        findings.remark(hidden(evidence, aborted));
        findings.finish()
    }
}

/// How much there was to hide, as a sentence.
fn hidden(evidence: &Evidence<'_>, aborted: usize) -> String {
    let sent = format!("{aborted} records were sent in transactions that were certainly aborted");
    if !evidence.readers.have_witness() {
        return format!("{sent}.");
    }
    let (mut there, mut given) = (BTreeSet::new(), 0u64);
    for partition in &evidence.partitions {
        for read in partition.reads.iter().filter(|read| evidence.readers.is_witness(read.reader)) {
            let Content::Intact(record) = Content::of(read) else { continue };
            let Some(slot) = partition.sends.find(record) else { continue };
            let is_aborted = evidence.transactions.are_of(record.process)
                && was_aborted(evidence, partition, partition.sends.send(slot));
            if is_aborted && there.insert((partition.key, slot)) {
                given += u64::from(partition.log.is_seen(slot));
            }
        }
    }
    format!(
        "{sent}; the witness, which waits for no commits, read {} of them, and other readers {given} of those.",
        there.len()
    )
}

/// Whether nobody can have committed a record that was sent in a transaction.
fn was_aborted(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, send: &SendRow) -> bool {
    send.outcome == Outcome::Fail || evidence.transactions.fate(partition.key, send.id()) == Some(Fate::Aborted)
}

fn check_sighting(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, place: usize, findings: &mut Findings) {
    let sighting = &partition.log.sightings[place];
    let Some(send) = sighting.slot().map(|slot| partition.sends.send(slot)) else { return };
    if !evidence.transactions.are_of(send.process) {
        return;
    }
    findings.examined += 1;
    if was_aborted(evidence, partition, send) {
        findings.violation(|| {
            let text = format!(
                "{} at offset {} was read by {}, although its transaction was aborted.",
                evidence.name(send.id()),
                sighting.offset,
                readers(evidence, partition, place),
            );
            partition.about(evidence, send, Some(sighting.offset), text)
        });
    }
}

/// Who read what lies at a place, for people.
fn readers(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, place: usize) -> String {
    let log = &partition.log;
    let drains = evidence.readers.drains.iter().zip(&log.by_drain).filter(|(_, seen)| seen.get(place));
    let groups = evidence.readers.groups.iter().zip(&log.by_group).filter(|(_, seen)| seen.get(place));
    let names: Vec<String> = groups
        .map(|(group, _)| format!("group {group}"))
        .chain(drains.map(|(reader, _)| evidence.label(*reader).to_string()))
        .collect();
    names.join(", ")
}
