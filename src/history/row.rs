//! One row of the columnar history: a completed send, a record that was read, what a transformer made a record of, or a batch
//! that a replica stores.

use crate::kafka::replica::StoredBatch;
use crate::kafka::{
    BrokerId, LeaderEpoch, Offset, Outcome, Partition, ProcessId, ReadStatus, RecordId, Sequence, TimeNs, TopicIndex,
};

/// One send, from invocation to completion. Each invoked send has exactly one row in a whole history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendRow {
    /// The producer's process.
    pub process: ProcessId,
    /// Where it was sent.
    pub topic: TopicIndex,
    /// Where it was sent.
    pub partition: Partition,
    /// The record's number among the process's records to the partition.
    pub sequence: Sequence,
    /// The payload's length in bytes.
    pub bytes: u32,
    /// When the load's clock asked for it. Never later than `invoke_ns`; latency counts from here.
    pub scheduled_ns: TimeNs,
    /// When it was handed to the client library.
    pub invoke_ns: TimeNs,
    /// When its outcome was known.
    pub complete_ns: TimeNs,
    /// How it ended.
    pub outcome: Outcome,
    /// librdkafka's error code (`rd_kafka_resp_err_t`), 0 for none.
    pub error: i16,
    /// The offset that the acknowledgement named; `None` without one.
    pub offset: Option<Offset>,
    /// The broker that acknowledged; `None` when unknown.
    pub broker: Option<BrokerId>,
}

impl SendRow {
    /// The record's identity.
    pub fn id(&self) -> RecordId {
        RecordId { process: self.process, sequence: self.sequence }
    }

    /// How long it took in microseconds, from when it was due to when its outcome was known.
    pub fn latency_us(&self) -> u32 {
        u32::try_from(self.complete_ns.since(self.scheduled_ns) / 1_000).unwrap_or(u32::MAX)
    }
}

/// One record as one reader saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRow {
    /// The reading process: a group's member or a drain reader.
    pub reader: ProcessId,
    /// Where it was read.
    pub topic: TopicIndex,
    /// Where it was read.
    pub partition: Partition,
    /// At which offset.
    pub offset: Offset,
    /// The leader's epoch that the fetched batch carried; `None` when unknown.
    pub leader_epoch: Option<LeaderEpoch>,
    /// When it came out of the client library; what came out of it together has one time.
    pub read_ns: TimeNs,
    /// What was found inside.
    pub status: ReadStatus,
    /// The identity in the payload. Meaningless unless `status` is intact or misplaced.
    pub record: RecordId,
    /// The payload's length in bytes.
    pub bytes: u32,
}

/// What a transformer made one record of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceRow {
    /// The transformer's producer.
    pub process: ProcessId,
    /// Where the record was sent.
    pub topic: TopicIndex,
    /// Where the record was sent.
    pub partition: Partition,
    /// The record's number among the process's records to the partition.
    pub sequence: Sequence,
    /// Where the transformer had read what it made the record of.
    pub source_topic: TopicIndex,
    /// Where it had read that.
    pub source_partition: Partition,
    /// At which offset.
    pub source_offset: Offset,
}

impl SourceRow {
    /// The identity of the record that was made.
    pub fn id(&self) -> RecordId {
        RecordId { process: self.process, sequence: self.sequence }
    }
}

/// One batch as one replica stored it when its broker had been stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaRow {
    /// Whose disk it lay on.
    pub broker: BrokerId,
    /// In which log.
    pub topic: TopicIndex,
    /// In which log.
    pub partition: Partition,
    /// The batch.
    pub batch: StoredBatch,
}
