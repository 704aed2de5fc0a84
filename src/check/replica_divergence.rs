//! `replica-divergence`: two replicas store different things below the high watermark, or one stores what its own checksum denies.
//!
//! **Definition.** When the drain has ended, all brokers are halted at once and their logs are read from their disks, batch by
//! batch. Below the partition's high watermark, as the cluster told it after the heals:
//! - every batch's bytes make the CRC-32C that it carries;
//! - a replica in sync has a log, and it reaches the high watermark;
//! - every replica has, at each offset, the batch that the leader has there (where the leader's log was not read, that of the
//!   replica in sync whose log is longest), the same in each of: base and last offset, leader epoch, length, CRC-32C, attributes
//!   (codec, transactional, control), producer id and epoch, base sequence, number of records.
//!
//! A stretch in which two replicas' batches do not begin at the same offsets is one divergence.
//!
//! **Why Kafka promises it.** A follower appends what it fetched as it is, and a batch is below the high watermark only once every
//! replica in sync has it. Clients cannot see a breach of this: they are served by leaders alone, until another one leads.
//!
//! **From where, to where.** Replicas remove old segments each at its own time, so two of them are compared from the greater of
//! their logs' starts and the cluster's on. A replica that was *not in sync* owes nothing, and is compared up to its own log's end;
//! how short it is is told. Once its batches are of an earlier leader's than the others' there, its log is a tail that it has not
//! yet cut off, as it would on its way back into sync: told, and no divergence. Of two batches of one epoch at one offset that excuse
//! does not hold, because one leader wrote both.
//!
//! **When it cannot tell**: nobody knows the high watermark, or who was in sync; a replica's broker was not read, or not to the end
//! because there was too much; a replica in sync begins above the cluster's log start (retention may have removed it, or a disk may
//! have lost it); in a cut history. **Skipped**, neither valid nor unknown, where nobody was to look: on a cluster that is there
//! already, and on a mock; and in runs from before there was an audit.
//!
//! **Examined**: batches below the high watermark, once a replica.

use std::cmp::Ordering;

use crate::anomaly::{CheckName, CheckResult};
use crate::history::ReplicaRow;
use crate::kafka::replica::{Break, Checksum, Span, StoredBatch};
use crate::kafka::{BrokerId, LeaderEpoch, Offset};

use super::Checker;
use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::replicas::{Replica, Replicas, Standing, names};

/// Looks for replicas that are not copies of one another.
pub struct ReplicaDivergence;

impl Checker for ReplicaDivergence {
    fn name(&self) -> CheckName {
        CheckName::ReplicaDivergence
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::ReplicaDivergence);
        let timeline = &evidence.timeline;
        if let Some(reason) = &timeline.audit_skipped {
            return findings.skipped(format!("The brokers' disks were not read: {reason}."));
        }
        if timeline.audits.is_empty() && !evidence.is_cut() {
            return findings.skipped("The run ended without an audit of the brokers' disks.");
        }
        findings.doubts(evidence.torn().as_slice());
        for (broker, read) in &timeline.audits {
            if let Err(reason) = read {
                findings.doubt(format!("The disk of {broker} could not be read: {reason}."));
            }
        }
        for partition in &evidence.partitions {
            Comparison::check(evidence, partition, &mut findings);
        }
        findings.finish()
    }
}

/// The comparison of one partition's replicas.
struct Comparison<'a, 'f> {
    evidence: &'a Evidence<'a>,
    partition: &'a PartitionEvidence<'a>,
    replicas: Replicas<'a>,
    /// The cluster's log start and high watermark.
    range: (Offset, Offset),
    findings: &'f mut Findings,
}

impl<'a> Comparison<'a, '_> {
    fn check(evidence: &'a Evidence<'a>, partition: &'a PartitionEvidence<'a>, findings: &mut Findings) {
        let name = partition.name();
        let Some((start, end)) = partition.range else {
            return findings.doubt(format!("Nobody knows up to where the replicas of {name} have to agree."));
        };
        // Readers of committed records may be kept from the log's end; replicas have it all the same.
        let range = (start, partition.high_watermark.unwrap_or(end));
        let replicas = Replicas::of(evidence, partition);
        let untold: Vec<BrokerId> =
            replicas.unread.iter().copied().filter(|broker| !evidence.timeline.audits.contains_key(broker)).collect();
        if !untold.is_empty() {
            findings.doubt(format!("No audit tells of the replicas of {name} on {}.", names(&untold)));
        }
        if evidence.timeline.last_view.as_ref().and_then(|view| view.partition(&name)).is_none() {
            findings.doubt(format!("Nobody knows which replicas of {name} were in sync when the brokers were halted."));
        }
        let mut comparison = Comparison { evidence, partition, replicas, range, findings };
        for (broker, standing) in comparison.replicas.without_log.clone() {
            comparison.miss_log(broker, standing);
        }
        for replica in comparison.replicas.read.clone() {
            comparison.look_at(&replica);
        }
        if let [reference, others @ ..] = comparison.replicas.read.clone().as_slice() {
            for other in others {
                comparison.compare(reference, other);
            }
        }
    }

    fn violation(&mut self, offset: Offset, text: impl FnOnce() -> String) {
        let (evidence, partition) = (self.evidence, self.partition);
        self.findings.violation(|| partition.witness(evidence, None, Some(offset), text()));
    }

    fn miss_log(&mut self, broker: BrokerId, standing: Standing) {
        let (name, (start, end)) = (self.partition.name(), self.range);
        match standing {
            Standing::Behind => self.findings.remark(format!("{broker} was not in sync and has no log of {name}.")),
            Standing::Leader | Standing::InSync => self.violation(start, || {
                format!("{broker} was in sync and has no log of {name}, whose high watermark is {end}.")
            }),
        }
    }

    /// Looks at one replica alone: its checksums, and how far it reaches.
    fn look_at(&mut self, replica: &Replica<'a>) {
        let (name, (start, end)) = (self.partition.name(), self.range);
        let Replica { broker, standing, log, .. } = *replica;
        let batches = replica.within(start, end);
        self.findings.examined += batches.len() as u64;
        for row in batches.iter().filter(|row| row.batch.checksum == Checksum::Wrong) {
            let batch = &row.batch;
            let whole = self.whole_elsewhere(broker, batch);
            self.violation(batch.base_offset, || {
                format!(
                    "{broker}'s batch at {} of {name} is damaged: its bytes do not make its CRC-32C {:08x}; {whole}.",
                    batch.span(),
                    batch.crc
                )
            });
        }
        // Where another replica has batches there, the comparison finds it.
        let is_alone = |offset: Offset| {
            let mut others = self.replicas.read.iter().filter(|other| other.broker != broker);
            !others.any(|other| other.at(offset).is_some())
        };
        let inside = |broken: &&Break| (start..end.min(log.end)).contains(&broken.offset);
        let broken: Vec<Break> =
            log.breaks.iter().filter(inside).filter(|broken| is_alone(broken.offset)).copied().collect();
        for Break { segment, position, bytes, offset } in broken {
            self.violation(offset, || {
                format!(
                    "{broker}'s log of {name} has {bytes} bytes that are no batch at offset {offset}, from byte {position} of segment \
                     {segment} on, and no other replica has anything there."
                )
            });
        }
        if let Some(from) = log.unread_from.filter(|from| *from < end) {
            self.findings
                .doubt(format!("The log of {name} on {broker} was too long to be read from offset {from} on."));
        } else if log.end < end {
            self.come_short(replica);
        }
        if log.start > start && standing != Standing::Behind {
            self.findings.doubt(format!(
                "{broker}'s log of {name} begins at {}, and the cluster's began at {start}: nobody knows what removed the rest.",
                log.start
            ));
        }
    }

    fn come_short(&mut self, replica: &Replica<'a>) {
        let (name, end) = (self.partition.name(), self.range.1);
        let Replica { broker, standing, log, .. } = *replica;
        let broken = log.breaks.iter().find(|broken| broken.offset >= log.end);
        let rest =
            broken.map_or_else(String::new, |broken| format!("; {} bytes after that are no batch", broken.bytes));
        match standing {
            Standing::Behind => self.findings.remark(format!(
                "{broker} was not in sync: its log of {name} ends at {}, below the high watermark {end}{rest}.",
                log.end
            )),
            Standing::Leader | Standing::InSync => self.violation(log.end, || {
                format!(
                    "{broker} was in sync, and its log of {name} ends at {}, below the high watermark {end}{rest}.",
                    log.end
                )
            }),
        }
    }

    /// Who else has a damaged batch, and has it whole.
    fn whole_elsewhere(&self, broker: BrokerId, damaged: &StoredBatch) -> String {
        let has = |replica: &&Replica<'_>| {
            let batch = replica.at(damaged.base_offset);
            batch.is_some_and(|batch| batch.base_offset == damaged.base_offset && batch.checksum == Checksum::Right)
        };
        let others = self.replicas.read.iter().filter(|replica| replica.broker != broker).filter(has);
        match others.map(|replica| replica.broker).collect::<Vec<_>>().as_slice() {
            [] => "no other replica has it whole".to_owned(),
            [one] => format!("{one} has it whole"),
            some => format!("{} have it whole", names(some)),
        }
    }

    /// Walks through two logs side by side.
    fn compare(&mut self, reference: &Replica<'a>, other: &Replica<'a>) {
        let from = self.range.0.max(reference.log.start).max(other.log.start);
        let to = self.range.1.min(reference.log.end).min(other.log.end);
        let (mut left, mut right) = (reference.within(from, to), other.within(from, to));
        while let ([one, ..], [two, ..]) = (left, right) {
            if other.standing == Standing::Behind && two.batch.leader_epoch < one.batch.leader_epoch {
                return self.tell_of_tail(other, two.batch.base_offset, two.batch.leader_epoch);
            }
            if one.batch.base_offset == two.batch.base_offset {
                self.hold_against(reference, &one.batch, other, &two.batch);
                (left, right) = (&left[1..], &right[1..]);
            } else {
                let (skipped_left, skipped_right) = misaligned(left, right);
                self.tell_of_gap(reference, &left[..skipped_left], other, &right[..skipped_right]);
                (left, right) = (&left[skipped_left..], &right[skipped_right..]);
            }
        }
        if !(left.is_empty() && right.is_empty()) {
            self.tell_of_gap(reference, left, other, right);
        }
    }

    fn hold_against(&mut self, one: &Replica<'a>, left: &StoredBatch, two: &Replica<'a>, right: &StoredBatch) {
        // A damaged batch has been told already, and what its head says is not to be believed.
        if left == right || left.checksum == Checksum::Wrong || right.checksum == Checksum::Wrong {
            return;
        }
        let (name, one, two) = (self.partition.name(), one.broker, two.broker);
        self.violation(left.base_offset, || {
            format!(
                "{one} and {two} store different batches at {} of {name}: {}.",
                left.span(),
                differences(left, right).join(", ")
            )
        });
    }
}

impl<'a> Comparison<'a, '_> {
    /// Two logs whose batches do not begin at the same offsets for a while.
    fn tell_of_gap(&mut self, one: &Replica<'a>, left: &[ReplicaRow], two: &Replica<'a>, right: &[ReplicaRow]) {
        let rows = || left.iter().chain(right);
        let first = rows().map(|row| row.batch.base_offset).min().unwrap_or(self.range.0);
        let last = rows().map(|row| row.batch.last_offset).max().unwrap_or(first);
        let name = self.partition.name();
        self.violation(first, || {
            format!(
                "At {} of {name}, {} and {}{}{}.",
                Span(first, last),
                stored(one.broker, left),
                stored(two.broker, right),
                broken(one, first, last),
                broken(two, first, last)
            )
        });
    }

    fn tell_of_tail(&mut self, other: &Replica<'a>, from: Offset, epoch: LeaderEpoch) {
        let (name, broker) = (self.partition.name(), other.broker);
        self.findings.remark(format!(
            "{broker} was not in sync: its log of {name} is from offset {from} on what an earlier leader wrote, of epoch {epoch}, \
             and it had still to cut that off."
        ));
    }
}

/// How many batches of each side come before the next two that begin at the same offset.
fn misaligned(left: &[ReplicaRow], right: &[ReplicaRow]) -> (usize, usize) {
    let (mut one, mut two) = (0, 0);
    while let (Some(left), Some(right)) = (left.get(one), right.get(two)) {
        match left.batch.base_offset.cmp(&right.batch.base_offset) {
            Ordering::Equal => return (one, two),
            Ordering::Less => one += 1,
            Ordering::Greater => two += 1,
        }
    }
    (left.len(), right.len())
}

fn stored(broker: BrokerId, rows: &[ReplicaRow]) -> String {
    match rows {
        [] => format!("{broker} stores no batch"),
        [row] => format!("{broker} stores one at {}", row.batch.span()),
        rows => format!("{broker} stores {} batches", rows.len()),
    }
}

/// What lies in a replica's log where batches should.
fn broken(replica: &Replica<'_>, first: Offset, last: Offset) -> String {
    let found = replica.log.breaks.iter().find(|broken| (first..=last).contains(&broken.offset));
    found.map_or_else(String::new, |broken| {
        let Break { segment, position, bytes, .. } = broken;
        format!("; {}'s {bytes} bytes from byte {position} of segment {segment} on are no batches", replica.broker)
    })
}

/// In what two batches differ.
fn differences(left: &StoredBatch, right: &StoredBatch) -> Vec<String> {
    let fields = [
        ("last offset", left.last_offset.to_string(), right.last_offset.to_string()),
        ("leader epoch", left.leader_epoch.to_string(), right.leader_epoch.to_string()),
        ("length", left.bytes.to_string(), right.bytes.to_string()),
        ("CRC-32C", format!("{:08x}", left.crc), format!("{:08x}", right.crc)),
        ("attributes", left.attributes.to_string(), right.attributes.to_string()),
        ("producer id", left.producer_id.to_string(), right.producer_id.to_string()),
        ("producer epoch", left.producer_epoch.to_string(), right.producer_epoch.to_string()),
        ("base sequence", left.base_sequence.to_string(), right.base_sequence.to_string()),
        ("number of records", left.records.to_string(), right.records.to_string()),
    ];
    let differing = fields.into_iter().filter(|(_, left, right)| left != right);
    differing.map(|(field, left, right)| format!("{field} {left} and {right}")).collect()
}
