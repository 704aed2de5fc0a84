//! On which replicas a lost record still is: what each broker's disk held at the record's offset when it had been halted.
//!
//! A batch does not say whose records it holds, but by which producer id it was sent, and which id a process had follows from
//! its records that are certain: the batch at such a record's offset was sent by it. So a batch at a lost record's offset *may be*
//! its own if it is by one of its process's ids, and is another's if it is by none of them, or if a drain reader read another
//! record there and the batch is the leader's own. Without ids (a producer without idempotence) only that second way is left.

use std::collections::{BTreeMap, BTreeSet};

use crate::kafka::replica::StoredBatch;
use crate::kafka::{BrokerId, LeaderEpoch, Offset, ProcessId, RecordId};

use super::evidence::{Evidence, PartitionEvidence};
use super::log::Content;
use super::replicas::{Replica, Replicas, names};

/// One partition's replicas, and which producer ids are whose.
pub struct Whereabouts<'a> {
    partition: &'a PartitionEvidence<'a>,
    replicas: Replicas<'a>,
    ids: BTreeMap<ProcessId, BTreeSet<i64>>,
}

/// What a replica has at a record's offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    /// A batch by the record's own producer.
    Own(LeaderEpoch),
    /// A batch, and nobody can tell whose.
    Somebodys(LeaderEpoch),
    /// A batch of other records.
    Anothers(LeaderEpoch),
    /// Nothing.
    Nothing,
}

impl<'a> Whereabouts<'a> {
    /// Of one partition's records.
    pub fn of(evidence: &'a Evidence<'a>, partition: &'a PartitionEvidence<'a>) -> Self {
        let replicas = Replicas::of(evidence, partition);
        let mut ids: BTreeMap<ProcessId, BTreeSet<i64>> = BTreeMap::new();
        if let Some(leader) = replicas.read.first() {
            for (place, sighting) in partition.log.sightings.iter().enumerate() {
                let Some((_, send)) = partition.certain(place) else { continue };
                let batch = leader.at(sighting.offset).filter(|batch| batch.producer_id >= 0);
                if let Some(batch) = batch {
                    ids.entry(send.process).or_default().insert(batch.producer_id);
                }
            }
        }
        Self { partition, replicas, ids }
    }

    /// A batch of the leader's for each producer id of which it is not known whose it is.
    pub fn nobodys(&self) -> impl Iterator<Item = &'a StoredBatch> {
        let mut known: BTreeSet<i64> = self.ids.values().flatten().copied().collect();
        let batches = self.replicas.read.first().map_or(&[][..], |leader| leader.batches);
        batches
            .iter()
            .map(|row| &row.batch)
            .filter(move |batch| batch.producer_id >= 0 && known.insert(batch.producer_id))
    }

    /// Where a record that was lost from an offset still is, as a sentence; `None` where no replica was read.
    pub fn tell(&self, record: RecordId, offset: Offset) -> Option<String> {
        let mut found: BTreeMap<Found, Vec<BrokerId>> = BTreeMap::new();
        for replica in &self.replicas.read {
            found.entry(self.find(replica, record, offset)).or_default().push(replica.broker);
        }
        let clauses: Vec<String> = found.into_iter().map(|(found, brokers)| clause(found, &brokers)).collect();
        (!clauses.is_empty()).then(|| format!("At that offset of their logs, {}.", clauses.join("; ")))
    }

    fn find(&self, replica: &Replica<'_>, record: RecordId, offset: Offset) -> Found {
        let Some(batch) = replica.at(offset) else { return Found::Nothing };
        let epoch = batch.leader_epoch;
        if self.is_of_another(batch, record, offset) {
            return Found::Anothers(epoch);
        }
        match self.ids.get(&record.process) {
            Some(ids) if ids.contains(&batch.producer_id) => Found::Own(epoch),
            Some(_) if batch.producer_id >= 0 => Found::Anothers(epoch),
            _ => Found::Somebodys(epoch),
        }
    }

    /// Whether it is the very batch that holds another record there, which a drain reader read.
    fn is_of_another(&self, batch: &StoredBatch, record: RecordId, offset: Offset) -> bool {
        let leaders = self.replicas.read.first().and_then(|leader| leader.at(offset));
        let log = &self.partition.log;
        let read_another = log.at(offset).any(|place| {
            log.drained.get(place) && self.partition.content(&log.sightings[place]).contradicts(Content::Intact(record))
        });
        read_another && leaders == Some(batch)
    }
}

fn clause(found: Found, brokers: &[BrokerId]) -> String {
    let who = names(brokers);
    let (has, end) = if brokers.len() == 1 { ("has", "s") } else { ("have", "") };
    match found {
        Found::Own(epoch) => format!("{who} still {has} a batch of its producer's, of leader epoch {epoch}"),
        Found::Somebodys(epoch) => {
            format!("{who} {has} a batch of leader epoch {epoch}, and nobody can tell whose records are in it")
        }
        Found::Anothers(epoch) => format!("{who} {has} another record, of leader epoch {epoch}"),
        Found::Nothing => format!("{who} store{end} nothing"),
    }
}
