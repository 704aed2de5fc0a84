//! The columnar layout of `sends.arrows`, `reads.arrows`, `sources.arrows` and `replicas.arrows`: rows to Arrow batches and back.
//!
//! One column a field, under the field's name. Enums are bytes; the schema's metadata names their values, the run, the
//! format's version and the topics, so that each file explains itself to a person in a notebook.

mod replicas;
mod sources;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::{Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

use crate::history::{FORMAT_VERSION, ReadRow, SendRow};
use crate::kafka::{
    BrokerId, LeaderEpoch, Offset, Outcome, Partition, ProcessId, ReadStatus, RecordId, Sequence, TimeNs, TopicIndex,
};

/// The metadata key of the format's version.
pub(super) const VERSION_KEY: &str = "format_version";

/// A value in a row that no writer of this format writes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadColumns {
    /// A column is missing.
    #[error("column `{0}` is missing")]
    Missing(&'static str),
    /// A column holds another type.
    #[error("column `{column}` holds {found}")]
    Type {
        /// Which.
        column: &'static str,
        /// What it holds.
        found: String,
    },
    /// A value is missing where none may be.
    #[error("row {row} of the batch has no `{column}`")]
    Null {
        /// Which.
        column: &'static str,
        /// Counted from 0 inside the batch.
        row: usize,
    },
    /// A byte stands for no value of its enum.
    #[error("row {row} of the batch has `{column}` {byte}, which means nothing")]
    Byte {
        /// Which.
        column: &'static str,
        /// Counted from 0 inside the batch.
        row: usize,
        /// The byte.
        byte: u8,
    },
}

/// A kind of row that has a file of its own.
pub(super) trait Columnar: Copy + Sized {
    /// The file's name inside the history directory.
    const FILE: &'static str;
    /// The columns, in order.
    fn fields() -> Vec<Field>;
    /// Rows as arrays, in the order of [`Columnar::fields`].
    fn columns(rows: &[Self]) -> Vec<ArrayRef>;
    /// A batch as rows.
    fn rows(batch: &RecordBatch) -> Result<Vec<Self>, BadColumns>;
    /// The partition that the row belongs to.
    fn place(&self) -> (TopicIndex, Partition);
}

/// The schema of a file of such rows.
pub(super) fn schema<R: Columnar>(run: &str, topics: &[String]) -> SchemaRef {
    let topics = serde_json::Value::from(topics.to_vec()).to_string();
    let metadata = HashMap::from([
        (VERSION_KEY.to_owned(), FORMAT_VERSION.to_string()),
        ("run".to_owned(), run.to_owned()),
        ("topics".to_owned(), topics),
        ("outcome".to_owned(), r#"["ok","fail","info"]"#.to_owned()),
        ("status".to_owned(), r#"["intact","foreign","corrupt","misplaced"]"#.to_owned()),
        ("checksum".to_owned(), r#"["right","wrong"]"#.to_owned()),
    ]);
    Arc::new(Schema::new_with_metadata(R::fields(), metadata))
}

/// Rows as one batch.
pub(super) fn batch<R: Columnar>(schema: &SchemaRef, rows: &[R]) -> Result<RecordBatch, ArrowError> {
    RecordBatch::try_new(Arc::clone(schema), R::columns(rows))
}

pub(super) fn required(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, false)
}

pub(super) fn optional(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

pub(super) fn column<R, T: ArrowPrimitiveType>(rows: &[R], value: impl Fn(&R) -> T::Native) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::from_iter_values(rows.iter().map(value)))
}

pub(super) fn nullable<R, T: ArrowPrimitiveType>(rows: &[R], value: impl Fn(&R) -> Option<T::Native>) -> ArrayRef {
    Arc::new(rows.iter().map(value).collect::<PrimitiveArray<T>>())
}

fn array<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    column: &'static str,
) -> Result<&'a PrimitiveArray<T>, BadColumns> {
    let array = batch.column_by_name(column).ok_or(BadColumns::Missing(column))?;
    array
        .as_any()
        .downcast_ref::<PrimitiveArray<T>>()
        .ok_or_else(|| BadColumns::Type { column, found: array.data_type().to_string() })
}

fn values<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    column: &'static str,
) -> Result<&'a [T::Native], BadColumns> {
    let array = array::<T>(batch, column)?;
    if array.null_count() == 0 {
        return Ok(array.values());
    }
    let row = (0..array.len()).find(|row| array.is_null(*row)).expect("one of them is null");
    Err(BadColumns::Null { column, row })
}

/// Rows made one by one. Their room is taken at once, which collecting results does not do: this is done for every row of a history.
fn made<R>(count: usize, row_at: impl Fn(usize) -> Result<R, BadColumns>) -> Result<Vec<R>, BadColumns> {
    let mut rows = Vec::with_capacity(count);
    for row in 0..count {
        rows.push(row_at(row)?);
    }
    Ok(rows)
}

fn value_or_null<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    array.is_valid(row).then(|| array.value(row))
}

impl Columnar for SendRow {
    const FILE: &'static str = "sends.arrows";

    fn fields() -> Vec<Field> {
        vec![
            required("process", DataType::UInt32),
            required("topic", DataType::UInt16),
            required("partition", DataType::Int32),
            required("sequence", DataType::UInt64),
            required("bytes", DataType::UInt32),
            required("scheduled_ns", DataType::UInt64),
            required("invoke_ns", DataType::UInt64),
            required("complete_ns", DataType::UInt64),
            required("outcome", DataType::UInt8),
            required("error", DataType::Int16),
            optional("offset", DataType::Int64),
            optional("broker", DataType::Int32),
        ]
    }

    fn columns(rows: &[Self]) -> Vec<ArrayRef> {
        vec![
            column::<_, UInt32Type>(rows, |row| row.process.0),
            column::<_, UInt16Type>(rows, |row| row.topic.0),
            column::<_, Int32Type>(rows, |row| row.partition.0),
            column::<_, UInt64Type>(rows, |row| row.sequence.0),
            column::<_, UInt32Type>(rows, |row| row.bytes),
            column::<_, UInt64Type>(rows, |row| row.scheduled_ns.0),
            column::<_, UInt64Type>(rows, |row| row.invoke_ns.0),
            column::<_, UInt64Type>(rows, |row| row.complete_ns.0),
            column::<_, UInt8Type>(rows, |row| row.outcome as u8),
            column::<_, Int16Type>(rows, |row| row.error),
            nullable::<_, Int64Type>(rows, |row| row.offset.map(|offset| offset.0)),
            nullable::<_, Int32Type>(rows, |row| row.broker.map(|broker| broker.0)),
        ]
    }

    fn rows(batch: &RecordBatch) -> Result<Vec<Self>, BadColumns> {
        let process = values::<UInt32Type>(batch, "process")?;
        let topic = values::<UInt16Type>(batch, "topic")?;
        let partition = values::<Int32Type>(batch, "partition")?;
        let sequence = values::<UInt64Type>(batch, "sequence")?;
        let bytes = values::<UInt32Type>(batch, "bytes")?;
        let scheduled = values::<UInt64Type>(batch, "scheduled_ns")?;
        let invoke = values::<UInt64Type>(batch, "invoke_ns")?;
        let complete = values::<UInt64Type>(batch, "complete_ns")?;
        let outcome = values::<UInt8Type>(batch, "outcome")?;
        let error = values::<Int16Type>(batch, "error")?;
        let offset = array::<Int64Type>(batch, "offset")?;
        let broker = array::<Int32Type>(batch, "broker")?;
        let row_at = |row: usize| {
            Ok(Self {
                process: ProcessId(process[row]),
                topic: TopicIndex(topic[row]),
                partition: Partition(partition[row]),
                sequence: Sequence(sequence[row]),
                bytes: bytes[row],
                scheduled_ns: TimeNs(scheduled[row]),
                invoke_ns: TimeNs(invoke[row]),
                complete_ns: TimeNs(complete[row]),
                outcome: Outcome::from_u8(outcome[row]).ok_or(BadColumns::Byte {
                    column: "outcome",
                    row,
                    byte: outcome[row],
                })?,
                error: error[row],
                offset: value_or_null(offset, row).map(Offset),
                broker: value_or_null(broker, row).map(BrokerId),
            })
        };
        made(batch.num_rows(), row_at)
    }

    fn place(&self) -> (TopicIndex, Partition) {
        (self.topic, self.partition)
    }
}

impl Columnar for ReadRow {
    const FILE: &'static str = "reads.arrows";

    fn fields() -> Vec<Field> {
        vec![
            required("reader", DataType::UInt32),
            required("topic", DataType::UInt16),
            required("partition", DataType::Int32),
            required("offset", DataType::Int64),
            optional("leader_epoch", DataType::Int32),
            required("read_ns", DataType::UInt64),
            required("status", DataType::UInt8),
            required("process", DataType::UInt32),
            required("sequence", DataType::UInt64),
            required("bytes", DataType::UInt32),
        ]
    }

    fn columns(rows: &[Self]) -> Vec<ArrayRef> {
        vec![
            column::<_, UInt32Type>(rows, |row| row.reader.0),
            column::<_, UInt16Type>(rows, |row| row.topic.0),
            column::<_, Int32Type>(rows, |row| row.partition.0),
            column::<_, Int64Type>(rows, |row| row.offset.0),
            nullable::<_, Int32Type>(rows, |row| row.leader_epoch.map(|epoch| epoch.0)),
            column::<_, UInt64Type>(rows, |row| row.read_ns.0),
            column::<_, UInt8Type>(rows, |row| row.status as u8),
            column::<_, UInt32Type>(rows, |row| row.record.process.0),
            column::<_, UInt64Type>(rows, |row| row.record.sequence.0),
            column::<_, UInt32Type>(rows, |row| row.bytes),
        ]
    }

    fn rows(batch: &RecordBatch) -> Result<Vec<Self>, BadColumns> {
        let reader = values::<UInt32Type>(batch, "reader")?;
        let topic = values::<UInt16Type>(batch, "topic")?;
        let partition = values::<Int32Type>(batch, "partition")?;
        let offset = values::<Int64Type>(batch, "offset")?;
        let epoch = array::<Int32Type>(batch, "leader_epoch")?;
        let read = values::<UInt64Type>(batch, "read_ns")?;
        let status = values::<UInt8Type>(batch, "status")?;
        let process = values::<UInt32Type>(batch, "process")?;
        let sequence = values::<UInt64Type>(batch, "sequence")?;
        let bytes = values::<UInt32Type>(batch, "bytes")?;
        let row_at = |row: usize| {
            Ok(Self {
                reader: ProcessId(reader[row]),
                topic: TopicIndex(topic[row]),
                partition: Partition(partition[row]),
                offset: Offset(offset[row]),
                leader_epoch: value_or_null(epoch, row).map(LeaderEpoch),
                read_ns: TimeNs(read[row]),
                status: ReadStatus::from_u8(status[row]).ok_or(BadColumns::Byte {
                    column: "status",
                    row,
                    byte: status[row],
                })?,
                record: RecordId { process: ProcessId(process[row]), sequence: Sequence(sequence[row]) },
                bytes: bytes[row],
            })
        };
        made(batch.num_rows(), row_at)
    }

    fn place(&self) -> (TopicIndex, Partition) {
        (self.topic, self.partition)
    }
}
