//! What three replicas of each drawn partition store in the end: the log, in batches of one producer's neighbouring records.

use crate::history::{EventKind, ReplicaRow};
use crate::kafka::replica::{Checksum, ReplicaLog, StoredBatch};
use crate::kafka::{BrokerId, ClusterView, LeaderEpoch, Offset, Partition, PartitionView, TopicPartition};

use super::{Appended, Drawn};
use crate::check::testing::RunBuilder;

/// The replicas' brokers; the first one leads in the end, and the second one did before it was killed.
pub(crate) const BROKERS: [i32; 3] = [1, 2, 3];

/// No batch has more records than this.
const RECORDS_MAX: usize = 4;

impl Drawn {
    /// Writes what the replicas store, and the last look at them, as of the present ends.
    pub(super) fn store(&mut self) {
        let of_audit =
            |kind: &EventKind| matches!(kind, EventKind::ClusterObserved { .. } | EventKind::ReplicasRead { .. });
        self.run.history.events.retain(|event| !of_audit(&event.kind));
        let time = self.run.history.events.iter().map(|event| event.time_ns.0).max().unwrap_or(0);
        let partitions: Vec<(i32, i64)> = (0i32..).zip(self.ends.iter().copied()).collect();
        let brokers = || BROKERS.map(BrokerId).to_vec();
        let (epoch, leader) = self.term(time);
        let views = partitions.iter().map(|(partition, _)| PartitionView {
            partition: TopicPartition::new("chat", *partition),
            leader: Some(leader),
            leader_epoch: Some(epoch),
            replicas: brokers(),
            isr: brokers(),
        });
        let view = ClusterView { brokers: brokers(), partitions: views.collect(), ..ClusterView::default() };
        self.run.event(time, EventKind::ClusterObserved { view });
        for (partition, _) in &partitions {
            let batches = self.batches(&self.logs[usize::try_from(*partition).expect("few partitions")]);
            self.run.rows(*partition).replicas = BROKERS
                .iter()
                .flat_map(|broker| batches.iter().map(move |batch| row(*broker, *partition, *batch)))
                .collect();
        }
        for broker in brokers() {
            let logs = partitions.iter().map(|(partition, end)| ReplicaLog {
                partition: TopicPartition::new("chat", *partition),
                start: Offset(0),
                end: Offset(*end),
                batches: 0,
                bytes: 0,
                breaks: Vec::new(),
                unread_from: None,
            });
            let logs = logs.collect();
            self.run.event(time, EventKind::ReplicasRead { broker, logs });
        }
    }
}

fn row(broker: i32, partition: i32, batch: StoredBatch) -> ReplicaRow {
    let (topic, _) = RunBuilder::chat(partition);
    ReplicaRow { broker: BrokerId(broker), topic, partition: Partition(partition), batch }
}

impl Drawn {
    fn batches(&self, log: &[Appended]) -> Vec<StoredBatch> {
        let together = |one: &Appended, two: &Appended| {
            two.offset == one.offset + 1
                && two.record.process == one.record.process
                && two.record.sequence.0 == one.record.sequence.0 + 1
                && self.term(one.time) == self.term(two.time)
        };
        let batches = log.chunk_by(together).flat_map(|run| run.chunks(RECORDS_MAX));
        batches.map(|records| batch(records, self.term(records[0].time).0)).collect()
    }
}

fn batch(records: &[Appended], leader_epoch: LeaderEpoch) -> StoredBatch {
    let (first, last) = (records[0], records[records.len() - 1]);
    StoredBatch {
        base_offset: Offset(first.offset),
        last_offset: Offset(last.offset),
        leader_epoch,
        bytes: 100,
        crc: crc32fast::hash(format!("{records:?}").as_bytes()),
        checksum: Checksum::Right,
        attributes: 0,
        producer_id: i64::from(first.record.process.0) + 4000,
        producer_epoch: 0,
        base_sequence: i32::try_from(first.record.sequence.0).expect("few records"),
        records: i32::try_from(records.len()).expect("few records"),
    }
}
