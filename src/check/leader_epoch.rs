//! `leader-epoch`: leader epochs fell as offsets rose, or one epoch had two leaders.
//!
//! **Definition.** A leader epoch is a leader's term in one partition; each election begins a new one, with a greater number.
//! So, in each partition:
//! - *epochs never fall* as offsets rise: in the final log, as a drain reader or the witness was given it, and in the log that
//!   the leader stored in the end (of the replicas that were read: the last known leader's, else that of the one in sync whose log
//!   is longest);
//! - *one epoch has one leader*: all that is known of who led in an epoch names one broker. Two are a split brain.
//!
//! The controllers' quorum is such a partition too (`__cluster_metadata`): what was observed names one controller an epoch, because
//! the quorum's leader itself answers for it.
//!
//! **Why Kafka promises it.** The controller numbers each partition's elections in the metadata log, a leader stamps what it
//! appends with its number (KIP-101), followers and clients refuse older numbers (KIP-320), and a replica cuts off what a newer
//! leader does not have before it follows it. An unclean election gives records away, and no epoch twice.
//!
//! **Who led, by acknowledgements.** The broker that acknowledged a record need not have appended it: a producer with idempotence
//! that sends again what an earlier leader took in is told the old offset by the *next* leader. That is no split brain, so an
//! acknowledgement counts only if a later leader cannot have given it: if some record that was sent after it was over lies in
//! the log under the *same* epoch. That record was appended later still, so the term was not over when the acknowledgement was
//! given. The epoch of a record is the final log's, and only where it lies at its acknowledged offset and nobody saw another one
//! there. One thing could mislead: an unclean election that brings back what a deposed leader had gone on taking in.
//! Then two brokers took in records at once, which the finding says.
//!
//! **Who led, by metadata.** Each observation is one broker's whole answer and never merged of several (`cluster::view` keeps the
//! newest). A broker that lags behind tells old epochs with their old leaders: both come from one image of the metadata log,
//! which has each epoch once, and every change of the leader gets a new one. So two observations that name two leaders for one
//! epoch convict, however old they are; one that names nobody (its leader is not registered) says nothing. Metadata and
//! acknowledgements are held against each other, too.
//!
//! **What is told and not judged**: that an observation shows a lower epoch than one before it. Whoever is asked then may know less
//! than whoever was asked before, who may be dead by now.
//!
//! **Not judged here**: batches of other replicas than the leader's, which are `replica-divergence`'s, and so are batches whose
//! checksum denies them; an epoch that a record had when a member read it, and has no more, which is `high-watermark`'s.
//!
//! **When it cannot tell**: part of the log was not read, or rows may be missing. Records of which no reader was told the epoch are not
//! examined. **Skipped** where nobody was told any epoch.
//!
//! **Examined**: reads of drain readers and of the witness with an epoch, the leader's batches, acknowledgements that count, and
//! pairs of epoch and leader, and of epoch and controller, that were observed. **Found**: falls, each offset once, and epochs with two
//! leaders.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::anomaly::{Anomaly, CheckName, CheckResult};
use crate::history::{EventKind, SendRow};
use crate::kafka::replica::Checksum;
use crate::kafka::{BrokerId, LeaderEpoch, Offset, Outcome, Partition, ProcessId, TimeNs, TopicPartition};

use super::Checker;
use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::readers::Party;
use super::replicas::Replicas;
use super::terms::Terms;

/// Looks for terms that end after others began, and for terms of two leaders.
pub struct LeaderEpochs;

impl Checker for LeaderEpochs {
    fn name(&self) -> CheckName {
        CheckName::LeaderEpoch
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::LeaderEpoch);
        findings.doubts(&evidence.blind_spots());
        let observed = Observed::new(evidence);
        for partition in &evidence.partitions {
            check_reads(evidence, partition, &mut findings);
            check_disk(evidence, partition, &mut findings);
            check_leaders(evidence, partition, &observed, &mut findings);
        }
        check_controllers(evidence, &observed, &mut findings);
        if observed.falls > 0 {
            findings.remark(format!(
                "{} times a partition's epoch was observed lower than before: whoever was asked then knew less. Nobody is convicted of that.",
                observed.falls
            ));
        }
        if findings.examined == 0 && evidence.blind_spots().is_empty() {
            return findings.skipped("Nobody was told a leader epoch: no reader, no observer, and no disk was read.");
        }
        findings.finish()
    }
}

/// Where a reader of the final log stands.
#[derive(Clone, Copy)]
struct Last {
    offset: Offset,
    epoch: LeaderEpoch,
}

/// Falls in what the readers of the final log were given.
fn check_reads(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, findings: &mut Findings) {
    let mut stand: BTreeMap<ProcessId, Last> = BTreeMap::new();
    let mut told: BTreeSet<Offset> = BTreeSet::new();
    findings.examined += partition.plain.with_epoch() * partition.plain.drains;
    for read in partition.reads {
        let readers = &evidence.readers;
        let is_last = matches!(readers.party(read.reader), Some(Party::Drain(_))) || readers.is_witness(read.reader);
        let Some(epoch) = read.leader_epoch.filter(|_| is_last) else { continue };
        findings.examined += 1;
        let now = Last { offset: read.offset, epoch };
        let before = *stand.entry(read.reader).or_insert(now);
        if before.offset > read.offset {
            continue;
        }
        stand.insert(read.reader, now);
        if before.epoch > epoch && told.insert(read.offset) {
            findings.violation(|| {
                let text = format!(
                    "Offset {} of {} was written under leader epoch {epoch}, and offset {} before it under epoch {}, as {} read them.",
                    read.offset,
                    partition.name(),
                    before.offset,
                    before.epoch,
                    evidence.label(read.reader),
                );
                partition.witness(evidence, None, Some(read.offset), text)
            });
        }
    }
}

/// Falls in what the leader stored.
fn check_disk(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, findings: &mut Findings) {
    let replicas = Replicas::of(evidence, partition);
    let Some(leader) = replicas.read.first() else { return };
    let batches = leader.batches.iter().map(|row| &row.batch).filter(|batch| batch.checksum == Checksum::Right);
    let batches: Vec<_> = batches.collect();
    findings.examined += batches.len() as u64;
    for pair in batches.windows(2) {
        let (before, batch) = (pair[0], pair[1]);
        if batch.leader_epoch < before.leader_epoch {
            findings.violation(|| {
                let text = format!(
                    "{} stores a batch at {} of {} of leader epoch {}, behind one at {} of epoch {}.",
                    leader.broker,
                    batch.span(),
                    partition.name(),
                    batch.leader_epoch,
                    before.span(),
                    before.leader_epoch,
                );
                partition.witness(evidence, None, Some(batch.base_offset), text)
            });
        }
    }
}

/// Who led in each epoch, as the observations of the cluster say.
#[derive(Default)]
struct Observed {
    /// By partition and epoch: each leader that was named, and when first.
    leaders: BTreeMap<TopicPartition, BTreeMap<LeaderEpoch, BTreeMap<BrokerId, TimeNs>>>,
    /// By the controllers' epoch: each controller that was named, and when first.
    controllers: BTreeMap<LeaderEpoch, BTreeMap<BrokerId, TimeNs>>,
    /// How many times a partition's epoch was lower than before.
    falls: u64,
}

impl Observed {
    fn new(evidence: &Evidence<'_>) -> Self {
        let mut observed = Self::default();
        let mut highest: BTreeMap<&TopicPartition, LeaderEpoch> = BTreeMap::new();
        for event in &evidence.history.events {
            let EventKind::ClusterObserved { view } = &event.kind else { continue };
            if let Some((controller, epoch)) = view.controller.zip(view.controller_epoch) {
                observed.controllers.entry(epoch).or_default().entry(controller).or_insert(event.time_ns);
            }
            for partition in &view.partitions {
                let Some(epoch) = partition.leader_epoch else { continue };
                let known = highest.entry(&partition.partition).or_insert(epoch);
                observed.falls += u64::from(epoch < *known);
                *known = epoch.max(*known);
                if let Some(leader) = partition.leader {
                    let epochs = observed.leaders.entry(partition.partition.clone()).or_default();
                    epochs.entry(epoch).or_default().entry(leader).or_insert(event.time_ns);
                }
            }
        }
        observed
    }
}

/// Epochs of the controllers' quorum with two leaders.
fn check_controllers(evidence: &Evidence<'_>, observed: &Observed, findings: &mut Findings) {
    for (epoch, controllers) in &observed.controllers {
        findings.examined += controllers.len() as u64;
        // The quorum's log is a partition like any other; where the run has none of its own, nobody was told anything.
        let Some(partition) = evidence.partitions.first().filter(|_| controllers.len() > 1) else { continue };
        findings.violation(|| {
            let named = controllers.iter().map(|(broker, time)| tell(evidence, *broker, Claim::Observed(*time)));
            let text = format!(
                "Epoch {epoch} of the controllers' quorum had {} leaders: {}.",
                controllers.len(),
                named.collect::<Vec<_>>().join("; ")
            );
            let witness = partition.witness(evidence, None, None, text);
            Anomaly { topic: Arc::from("__cluster_metadata"), partition: Partition(0), ..witness }
        });
    }
}

/// Why a broker is held for the leader of an epoch.
#[derive(Clone, Copy)]
enum Claim<'a> {
    Observed(TimeNs),
    Acknowledged(&'a SendRow),
}

/// By epoch and broker: why.
type Claims<'a> = BTreeMap<LeaderEpoch, BTreeMap<BrokerId, Claim<'a>>>;

/// Epochs with two leaders.
fn check_leaders(
    evidence: &Evidence<'_>,
    partition: &PartitionEvidence<'_>,
    observed: &Observed,
    findings: &mut Findings,
) {
    let mut claims: Claims<'_> = BTreeMap::new();
    for (epoch, leaders) in observed.leaders.get(&partition.name()).into_iter().flatten() {
        findings.examined += leaders.len() as u64;
        let named = leaders.iter().map(|(leader, time)| (*leader, Claim::Observed(*time)));
        claims.entry(*epoch).or_default().extend(named);
    }
    findings.examined += acknowledgers(partition, &mut claims);
    for (epoch, leaders) in claims.iter().filter(|(_, leaders)| leaders.len() > 1) {
        findings.violation(|| {
            let told: Vec<String> = leaders.iter().map(|(broker, claim)| tell(evidence, *broker, *claim)).collect();
            let text = format!(
                "Leader epoch {epoch} of {} had {} leaders: {}.",
                partition.name(),
                told.len(),
                told.join("; ")
            );
            let send = leaders.values().find_map(|claim| match claim {
                Claim::Acknowledged(send) => Some(*send),
                Claim::Observed(_) => None,
            });
            match send {
                Some(send) => partition.about(evidence, send, send.offset, text),
                None => partition.witness(evidence, None, None, text),
            }
        });
    }
}

/// Adds who acknowledged records of each epoch before the epoch was certainly over; returns how many acknowledgements counted.
fn acknowledgers<'a>(partition: &'a PartitionEvidence<'_>, claims: &mut Claims<'a>) -> u64 {
    let Some(terms) = Terms::of(partition) else { return 0 };
    let written = |place: usize| -> Option<(&'a SendRow, LeaderEpoch, Offset)> {
        let (_, send) = partition.certain(place)?;
        let offset = partition.log.sightings[place].offset;
        Some((send, terms.at(offset)?, offset))
    };
    let places = 0..partition.log.sightings.len();
    let mut lasted: BTreeMap<LeaderEpoch, TimeNs> = BTreeMap::new();
    for (send, epoch, _) in places.clone().filter_map(written) {
        let last = lasted.entry(epoch).or_insert(send.invoke_ns);
        *last = send.invoke_ns.max(*last);
    }
    // All of those were given before their epoch was over, by brokers of which some other row tells (`sieve`).
    let mut counted = partition.plain.with_epoch();
    for (send, epoch, offset) in places.filter_map(written) {
        let is_acked = send.outcome == Outcome::Ok && send.offset == Some(offset);
        let Some(broker) = send.broker.filter(|_| is_acked && send.complete_ns < lasted[&epoch]) else { continue };
        counted += 1;
        claims.entry(epoch).or_default().entry(broker).or_insert(Claim::Acknowledged(send));
    }
    counted
}

fn tell(evidence: &Evidence<'_>, broker: BrokerId, claim: Claim<'_>) -> String {
    match claim {
        Claim::Observed(time) => format!("the metadata named {broker} at {:.3} s", time.as_secs_f64()),
        Claim::Acknowledged(send) => {
            let offset = send.offset.map_or_else(String::new, |offset| format!(" at offset {offset}"));
            format!(
                "{broker} acknowledged {}{offset} at {:.3} s, before the epoch was over",
                evidence.name(send.id()),
                send.complete_ns.as_secs_f64()
            )
        }
    }
}
