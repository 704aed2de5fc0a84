//! `high-watermark`: what a reader had been given was cut off again.
//!
//! **Definition.** A reader is given only what lies below the high watermark, and what lies below it stays where it is until
//! retention or a deletion removes it from the log's *start*. So the high watermark had stepped back below something that a
//! reader was given, if
//! - *the log ends at or before it*: a group's member read an offset before anybody was asked where the logs end, and the high
//!   watermark that was told then lies at or below that offset. For a group that waits for commits the last stable offset does where
//!   nobody told the high watermark; for others it does not, because they are given what lies beyond;
//! - *it vanished*: a member that waits for no commits was given a record in a transaction which the witness, who was shown
//!   everything there is, passed over;
//! - *it was written anew*: a record was read at an offset under one leader epoch, and the drain finds the same record at the same
//!   offset under another. What one leader wrote was cut off, and what another one wrote has its place.
//!
//! **Why Kafka promises it.** The high watermark is what every replica in sync has, and only such a replica is elected. A new leader
//! tells no end offset before its high watermark has reached what it was elected with (KIP-207), so that the question
//! cannot meet one that lags behind after an election. Deletions move a log's start, never its end: none excuses this. An unclean
//! election gives it away, and so does a last replica standing that comes back without its log's end.
//!
//! **What it adds.** `lost-write` misses *records*, and counts what was acknowledged, or read by somebody who waits for commits. This
//! asks for *places*: whatever was there, of whatever outcome, also what was aborted, not of this run, or found again elsewhere.
//! Where a log's end was cut off and not written to again, both are true. A place that another record has now is
//! `inconsistent-offsets`' alone, and what was read of the middle of the log and is gone is `lost-write`'s, unless it owes nothing.
//!
//! **Which reads count.** Those of before the drain began, and of before the end offsets were told: what came later may have been
//! appended after the question. Between one look and the next nobody sees the high watermark but through what is read, so that
//! within an epoch no more than this can be said of it.
//!
//! **When it cannot tell**: nobody knows where a partition ended that a member had read; a cut history. Without consumer groups
//! nobody reads before the end, and there is nothing to examine by construction.
//!
//! **Examined**: reads of members that count, and reads whose epoch is held against the drain's. **Found**: partitions that end too
//! early, and records that vanished or were written anew.

use std::collections::BTreeSet;

use crate::anomaly::{CheckName, CheckResult};
use crate::history::ReadRow;
use crate::kafka::{Offset, TimeNs};

use super::Checker;
use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::log::Content;
use super::readers::Party;
use super::readings::about_read;
use super::terms::Terms;
use super::whereabouts::Whereabouts;

/// Looks for what was read and cut off afterwards.
pub struct HighWatermark;

impl Checker for HighWatermark {
    fn name(&self) -> CheckName {
        CheckName::HighWatermark
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::HighWatermark);
        if evidence.readers.groups.is_empty() {
            return findings.not_applicable("The scenario declares no consumer group, so nobody read before the end.");
        }
        findings.doubts(evidence.torn().as_slice());
        for partition in &evidence.partitions {
            check_end(evidence, partition, &mut findings);
            check_vanished(evidence, partition, &mut findings);
            check_written_anew(evidence, partition, &mut findings);
        }
        findings.finish()
    }
}

/// What members read before anybody asked where the logs end.
fn early<'a>(
    evidence: &'a Evidence<'_>,
    partition: &'a PartitionEvidence<'_>,
) -> impl Iterator<Item = (usize, &'a ReadRow)> {
    let asked = [partition.told_ns, evidence.timeline.drain_began].into_iter().flatten().min();
    let asked = asked.unwrap_or(TimeNs(u64::MAX));
    let reads = partition.reads.iter().filter(move |read| read.read_ns < asked);
    reads.filter_map(|read| match evidence.readers.party(read.reader) {
        Some(Party::Group(group)) => Some((group, read)),
        _ => None,
    })
}

/// Whether the log ends at or before something that was read.
fn check_end(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, findings: &mut Findings) {
    let told = evidence.timeline.ranges.get(&partition.key);
    let end = |group: usize| {
        let stable = evidence.readers.waits_for_commits(group).then(|| told.map(|range| range.end)).flatten();
        told.and_then(|range| range.high_watermark).or(stable)
    };
    let mut unasked = 0_u64;
    let mut highest: Option<(usize, &ReadRow, Offset)> = None;
    let mut beyond: BTreeSet<Offset> = BTreeSet::new();
    for (group, read) in early(evidence, partition) {
        let Some(end) = end(group) else {
            unasked += 1;
            continue;
        };
        findings.examined += 1;
        if read.offset < end {
            continue;
        }
        beyond.insert(read.offset);
        if highest.is_none_or(|(_, highest, _)| highest.offset < read.offset) {
            highest = Some((group, read, end));
        }
    }
    for (group, early) in partition.plain.early_reads.iter().enumerate() {
        *(if end(group).is_some() { &mut findings.examined } else { &mut unasked }) += early;
    }
    if unasked > 0 {
        findings.doubt(format!(
            "Nobody was told the high watermark of {}, of which members had read {unasked} records.",
            partition.name()
        ));
    }
    let Some((group, read, end)) = highest else { return };
    findings.violation(|| {
        let text = format!(
            "{} read {} at offset {}, and later the high watermark of {} was {end}: it had stepped back behind {} of the offsets that \
             were read.",
            evidence.label(read.reader),
            evidence.describe(Content::of(read)),
            read.offset,
            partition.name(),
            beyond.len(),
        );
        let still = match Content::of(read) {
            Content::Intact(record) => Whereabouts::of(evidence, partition).tell(record, read.offset),
            _ => None,
        };
        let text = [Some(text), still].into_iter().flatten().collect::<Vec<_>>().join(" ");
        about_read(evidence, partition, Party::Group(group), read, text)
    });
}

/// Whether the witness passed over what a member was given that waits for no commits, and that no other check misses.
fn check_vanished(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, findings: &mut Findings) {
    let readers = &evidence.readers;
    if (0..readers.groups.len()).all(|group| readers.waits_for_commits(group)) {
        return;
    }
    let start = partition.range.map_or(Offset(0), |(start, _)| start);
    let mut told: BTreeSet<Offset> = BTreeSet::new();
    let mut unshown = 0;
    for (group, read) in early(evidence, partition) {
        let Content::Intact(record) = Content::of(read) else { continue };
        let is_in_doubt = evidence.transactions.are_of(record.process) && !readers.waits_for_commits(group);
        if !is_in_doubt || read.offset < start {
            continue;
        }
        let slot = partition.sends.find(record);
        if slot.is_some_and(|slot| partition.must_have(evidence, slot, partition.sends.send(slot))) {
            continue;
        }
        let Some(shown) = partition.shown.as_ref().filter(|shown| read.offset < shown.reached) else {
            unshown += 1;
            continue;
        };
        findings.examined += 1;
        if shown.at(read.offset).next().is_none() && told.insert(read.offset) {
            findings.violation(|| {
                let text = format!(
                    "{} read {} at offset {}, and {} later passed that offset and was shown nothing there.",
                    evidence.label(read.reader),
                    evidence.name(record),
                    read.offset,
                    evidence.label(shown.witness),
                );
                about_read(evidence, partition, Party::Group(group), read, text)
            });
        }
    }
    if unshown > 0 {
        findings.doubt(format!(
            "Members read {unshown} records of transactions in {}, and the witness did not get there: nobody knows whether they vanished.",
            partition.name()
        ));
    }
}

/// Whether what was read under one epoch lies there under another.
fn check_written_anew(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, findings: &mut Findings) {
    let Some(terms) = Terms::of(partition) else { return };
    let log = &partition.log;
    let groups = partition.plain.group_reads.iter().filter(|reads| **reads > 0).count() as u64;
    findings.examined += partition.plain.with_epoch() * groups;
    let mut told: BTreeSet<Offset> = BTreeSet::new();
    for read in partition.reads {
        let Some(party @ Party::Group(_)) = evidence.readers.party(read.reader) else { continue };
        let Some((epoch, found)) = read.leader_epoch.zip(terms.at(read.offset)) else { continue };
        findings.examined += 1;
        let content = Content::of(read);
        if epoch == found || !matches!(content, Content::Intact(_)) {
            continue;
        }
        let mut there = log.at(read.offset).filter(|place| log.by_drain[terms.reader()].get(*place));
        let is_same = there.any(|place| partition.content(&log.sightings[place]) == content);
        if is_same && told.insert(read.offset) {
            findings.violation(|| {
                let text = format!(
                    "{} read {} at offset {} under leader epoch {epoch}, and the drain found it there under epoch {found}: it had \
                     been cut off, and appended anew.",
                    evidence.label(read.reader),
                    evidence.describe(content),
                    read.offset,
                );
                about_read(evidence, partition, party, read, text)
            });
        }
    }
}
