//! The columns of `replicas.arrows`.

use arrow_array::types::{Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field};

use super::{BadColumns, Columnar, column, made, required, values};
use crate::history::ReplicaRow;
use crate::kafka::replica::{Checksum, StoredBatch};
use crate::kafka::{BrokerId, LeaderEpoch, Offset, Partition, TopicIndex};

impl Columnar for ReplicaRow {
    const FILE: &'static str = "replicas.arrows";

    fn fields() -> Vec<Field> {
        vec![
            required("broker", DataType::Int32),
            required("topic", DataType::UInt16),
            required("partition", DataType::Int32),
            required("base_offset", DataType::Int64),
            required("last_offset", DataType::Int64),
            required("leader_epoch", DataType::Int32),
            required("bytes", DataType::UInt32),
            required("crc", DataType::UInt32),
            required("checksum", DataType::UInt8),
            required("attributes", DataType::Int16),
            required("producer_id", DataType::Int64),
            required("producer_epoch", DataType::Int16),
            required("base_sequence", DataType::Int32),
            required("records", DataType::Int32),
        ]
    }

    fn columns(rows: &[Self]) -> Vec<ArrayRef> {
        vec![
            column::<_, Int32Type>(rows, |row| row.broker.0),
            column::<_, UInt16Type>(rows, |row| row.topic.0),
            column::<_, Int32Type>(rows, |row| row.partition.0),
            column::<_, Int64Type>(rows, |row| row.batch.base_offset.0),
            column::<_, Int64Type>(rows, |row| row.batch.last_offset.0),
            column::<_, Int32Type>(rows, |row| row.batch.leader_epoch.0),
            column::<_, UInt32Type>(rows, |row| row.batch.bytes),
            column::<_, UInt32Type>(rows, |row| row.batch.crc),
            column::<_, UInt8Type>(rows, |row| row.batch.checksum as u8),
            column::<_, Int16Type>(rows, |row| row.batch.attributes),
            column::<_, Int64Type>(rows, |row| row.batch.producer_id),
            column::<_, Int16Type>(rows, |row| row.batch.producer_epoch),
            column::<_, Int32Type>(rows, |row| row.batch.base_sequence),
            column::<_, Int32Type>(rows, |row| row.batch.records),
        ]
    }

    fn rows(batch: &RecordBatch) -> Result<Vec<Self>, BadColumns> {
        let broker = values::<Int32Type>(batch, "broker")?;
        let topic = values::<UInt16Type>(batch, "topic")?;
        let partition = values::<Int32Type>(batch, "partition")?;
        let base_offset = values::<Int64Type>(batch, "base_offset")?;
        let last_offset = values::<Int64Type>(batch, "last_offset")?;
        let leader_epoch = values::<Int32Type>(batch, "leader_epoch")?;
        let bytes = values::<UInt32Type>(batch, "bytes")?;
        let crc = values::<UInt32Type>(batch, "crc")?;
        let checksum = values::<UInt8Type>(batch, "checksum")?;
        let attributes = values::<Int16Type>(batch, "attributes")?;
        let producer_id = values::<Int64Type>(batch, "producer_id")?;
        let producer_epoch = values::<Int16Type>(batch, "producer_epoch")?;
        let base_sequence = values::<Int32Type>(batch, "base_sequence")?;
        let records = values::<Int32Type>(batch, "records")?;
        let row_at = |row: usize| {
            let byte = checksum[row];
            Ok(Self {
                broker: BrokerId(broker[row]),
                topic: TopicIndex(topic[row]),
                partition: Partition(partition[row]),
                batch: StoredBatch {
                    base_offset: Offset(base_offset[row]),
                    last_offset: Offset(last_offset[row]),
                    leader_epoch: LeaderEpoch(leader_epoch[row]),
                    bytes: bytes[row],
                    crc: crc[row],
                    checksum: Checksum::from_u8(byte).ok_or(BadColumns::Byte { column: "checksum", row, byte })?,
                    attributes: attributes[row],
                    producer_id: producer_id[row],
                    producer_epoch: producer_epoch[row],
                    base_sequence: base_sequence[row],
                    records: records[row],
                },
            })
        };
        made(batch.num_rows(), row_at)
    }

    fn place(&self) -> (TopicIndex, Partition) {
        (self.topic, self.partition)
    }
}
