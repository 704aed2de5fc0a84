//! The columns of `sources.arrows`.

use arrow_array::types::{Int32Type, Int64Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field};

use super::{BadColumns, Columnar, column, required, values};
use crate::history::SourceRow;
use crate::kafka::{Offset, Partition, ProcessId, Sequence, TopicIndex};

impl Columnar for SourceRow {
    const FILE: &'static str = "sources.arrows";

    fn fields() -> Vec<Field> {
        vec![
            required("process", DataType::UInt32),
            required("topic", DataType::UInt16),
            required("partition", DataType::Int32),
            required("sequence", DataType::UInt64),
            required("source_topic", DataType::UInt16),
            required("source_partition", DataType::Int32),
            required("source_offset", DataType::Int64),
        ]
    }

    fn columns(rows: &[Self]) -> Vec<ArrayRef> {
        vec![
            column::<_, UInt32Type>(rows, |row| row.process.0),
            column::<_, UInt16Type>(rows, |row| row.topic.0),
            column::<_, Int32Type>(rows, |row| row.partition.0),
            column::<_, UInt64Type>(rows, |row| row.sequence.0),
            column::<_, UInt16Type>(rows, |row| row.source_topic.0),
            column::<_, Int32Type>(rows, |row| row.source_partition.0),
            column::<_, Int64Type>(rows, |row| row.source_offset.0),
        ]
    }

    fn rows(batch: &RecordBatch) -> Result<Vec<Self>, BadColumns> {
        let process = values::<UInt32Type>(batch, "process")?;
        let topic = values::<UInt16Type>(batch, "topic")?;
        let partition = values::<Int32Type>(batch, "partition")?;
        let sequence = values::<UInt64Type>(batch, "sequence")?;
        let source_topic = values::<UInt16Type>(batch, "source_topic")?;
        let source_partition = values::<Int32Type>(batch, "source_partition")?;
        let source_offset = values::<Int64Type>(batch, "source_offset")?;
        let row_at = |row: usize| Self {
            process: ProcessId(process[row]),
            topic: TopicIndex(topic[row]),
            partition: Partition(partition[row]),
            sequence: Sequence(sequence[row]),
            source_topic: TopicIndex(source_topic[row]),
            source_partition: Partition(source_partition[row]),
            source_offset: Offset(source_offset[row]),
        };
        Ok((0..batch.num_rows()).map(row_at).collect())
    }

    fn place(&self) -> (TopicIndex, Partition) {
        (self.topic, self.partition)
    }
}
