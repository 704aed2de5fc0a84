//! What the brokers' disks held of one partition when they had been halted: each replica's log, and what the cluster had last
//! said of it.

use std::collections::BTreeMap;

use crate::history::ReplicaRow;
use crate::kafka::replica::{ReplicaLog, StoredBatch};
use crate::kafka::{BrokerId, Offset, PartitionView};

use super::evidence::{Evidence, PartitionEvidence};

/// What the cluster had last said of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It led, and so the others' logs follow its own.
    Leader,
    /// It was in sync: it has everything below the high watermark.
    InSync,
    /// It was not, or nobody knows.
    Behind,
}

/// One replica's log.
#[derive(Clone, Copy, Debug)]
pub struct Replica<'a> {
    /// Whose disk it lay on.
    pub broker: BrokerId,
    /// What the cluster had last said of it.
    pub standing: Standing,
    /// Where it begins and ends.
    pub log: &'a ReplicaLog,
    /// Its batches, by offset.
    pub batches: &'a [ReplicaRow],
}

impl<'a> Replica<'a> {
    /// The batch that takes an offset.
    pub fn at(&self, offset: Offset) -> Option<&'a StoredBatch> {
        let next = self.batches.partition_point(|row| row.batch.base_offset <= offset);
        let row = &self.batches[next.checked_sub(1)?];
        (row.batch.last_offset >= offset).then_some(&row.batch)
    }

    /// The batches with an offset at or above `from` that begin below `to`.
    pub fn within(&self, from: Offset, to: Offset) -> &'a [ReplicaRow] {
        // By base offsets, which ascend: what a damaged head says of its batch's end may be anything.
        let after = self.batches.partition_point(|row| row.batch.base_offset <= from);
        let takes_it = |row: &ReplicaRow| row.batch.base_offset == from || row.batch.last_offset >= from;
        let first = after.checked_sub(1).filter(|at| takes_it(&self.batches[*at])).unwrap_or(after);
        let end = self.batches.partition_point(|row| row.batch.base_offset < to);
        self.batches.get(first..end).unwrap_or_default()
    }
}

/// Every replica of a partition.
#[derive(Clone, Debug, Default)]
pub struct Replicas<'a> {
    /// Those whose logs were read, the leader first, then those in sync.
    pub read: Vec<Replica<'a>>,
    /// Those whose brokers' disks were read, and had no log of the partition.
    pub without_log: Vec<(BrokerId, Standing)>,
    /// Those whose brokers' disks were not read, or of which no audit tells.
    pub unread: Vec<BrokerId>,
}

impl<'a> Replicas<'a> {
    /// The replicas of a partition, as the last look at the cluster named them. Where nobody looked, they are whatever brokers
    /// have a log of it.
    pub fn of(evidence: &'a Evidence<'a>, partition: &PartitionEvidence<'a>) -> Self {
        let name = partition.name();
        let audits = &evidence.timeline.audits;
        let view = evidence.timeline.last_view.as_ref().and_then(|view| view.partition(&name));
        let rows: BTreeMap<BrokerId, &[ReplicaRow]> = partition
            .replicas
            .chunk_by(|one, next| one.broker == next.broker)
            .map(|rows| (rows[0].broker, rows))
            .collect();
        let brokers: Vec<BrokerId> =
            view.map_or_else(|| audits.keys().copied().collect(), |view| view.replicas.clone());
        let mut replicas = Self::default();
        for broker in brokers {
            let standing = standing(view, broker);
            let Some(Ok(logs)) = audits.get(&broker) else {
                replicas.unread.push(broker);
                continue;
            };
            match logs.iter().find(|log| log.partition == name) {
                Some(log) => {
                    let batches = rows.get(&broker).copied().unwrap_or_default();
                    replicas.read.push(Replica { broker, standing, log, batches });
                }
                // Without a view it may be no replica at all.
                None if view.is_none() => {}
                None => replicas.without_log.push((broker, standing)),
            }
        }
        replicas.read.sort_by_key(|replica| (replica.standing, std::cmp::Reverse(replica.log.end), replica.broker));
        replicas
    }
}

fn standing(view: Option<&PartitionView>, broker: BrokerId) -> Standing {
    match view {
        Some(view) if view.leader == Some(broker) => Standing::Leader,
        Some(view) if view.isr.contains(&broker) => Standing::InSync,
        _ => Standing::Behind,
    }
}

/// Brokers for people: `broker-1`, `broker-1 and broker-2`, `broker-1, broker-2 and broker-3`.
pub fn names(brokers: &[BrokerId]) -> String {
    let names: Vec<String> = brokers.iter().map(ToString::to_string).collect();
    match names.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        names => names.concat(),
    }
}
