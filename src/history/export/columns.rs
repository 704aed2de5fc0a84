//! Rows as the columns of their tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::types::{Int16Type, Int32Type, Int64Type, UInt32Type, UInt64Type};
use arrow_array::{ArrayRef, StringArray};
use arrow_schema::{DataType, Field};

use crate::history::columns::{column, nullable, optional, required};
use crate::history::reader::Stored;
use crate::history::{ReadRow, ReplicaRow, SendRow, SourceRow};
use crate::kafka::replica::Codec;
use crate::kafka::{ProcessId, ReadStatus, RecordId, TopicIndex};

/// What the numbers in rows are called.
pub(super) struct Names {
    topics: Vec<String>,
    processes: BTreeMap<ProcessId, String>,
}

impl Names {
    pub(super) fn of(stored: &Stored) -> Self {
        let processes = stored.processes().iter().map(|(process, role)| (*process, role.label())).collect();
        Self { topics: stored.header().topics.clone(), processes }
    }

    /// A topic's name. Rows of topics that the run did not have are refused by the reader.
    fn topic(&self, topic: TopicIndex) -> &str {
        self.topics.get(usize::from(topic.0)).map_or("", String::as_str)
    }

    /// A process's label; `None` when its start is not in the history.
    pub(super) fn process(&self, process: ProcessId) -> Option<&str> {
        self.processes.get(&process).map(String::as_str)
    }
}

fn words<'a, R>(rows: &'a [R], word: impl Fn(&'a R) -> &'a str) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(rows.iter().map(word)))
}

fn words_or_null<'a, R>(rows: &'a [R], word: impl Fn(&'a R) -> Option<&'a str>) -> ArrayRef {
    Arc::new(rows.iter().map(word).collect::<StringArray>())
}

pub(super) fn send_fields() -> Vec<Field> {
    vec![
        required("process", DataType::UInt32),
        optional("process_name", DataType::Utf8),
        required("topic", DataType::Utf8),
        required("partition", DataType::Int32),
        required("sequence", DataType::UInt64),
        required("bytes", DataType::UInt32),
        required("scheduled_ns", DataType::UInt64),
        required("invoke_ns", DataType::UInt64),
        required("complete_ns", DataType::UInt64),
        required("outcome", DataType::Utf8),
        required("error", DataType::Int16),
        optional("offset", DataType::Int64),
        optional("broker", DataType::Int32),
    ]
}

pub(super) fn sends(names: &Names, rows: &[SendRow]) -> Vec<ArrayRef> {
    vec![
        column::<_, UInt32Type>(rows, |row| row.process.0),
        words_or_null(rows, |row| names.process(row.process)),
        words(rows, |row| names.topic(row.topic)),
        column::<_, Int32Type>(rows, |row| row.partition.0),
        column::<_, UInt64Type>(rows, |row| row.sequence.0),
        column::<_, UInt32Type>(rows, |row| row.bytes),
        column::<_, UInt64Type>(rows, |row| row.scheduled_ns.0),
        column::<_, UInt64Type>(rows, |row| row.invoke_ns.0),
        column::<_, UInt64Type>(rows, |row| row.complete_ns.0),
        words(rows, |row| row.outcome.name()),
        column::<_, Int16Type>(rows, |row| row.error),
        nullable::<_, Int64Type>(rows, |row| row.offset.map(|offset| offset.0)),
        nullable::<_, Int32Type>(rows, |row| row.broker.map(|broker| broker.0)),
    ]
}

pub(super) fn read_fields() -> Vec<Field> {
    vec![
        required("reader", DataType::UInt32),
        optional("reader_name", DataType::Utf8),
        required("topic", DataType::Utf8),
        required("partition", DataType::Int32),
        required("offset", DataType::Int64),
        optional("leader_epoch", DataType::Int32),
        required("read_ns", DataType::UInt64),
        required("status", DataType::Utf8),
        optional("process", DataType::UInt32),
        optional("process_name", DataType::Utf8),
        optional("sequence", DataType::UInt64),
        required("bytes", DataType::UInt32),
    ]
}

/// Whose record it was, unless what the bytes say of that means nothing.
fn sender(row: &ReadRow) -> Option<RecordId> {
    matches!(row.status, ReadStatus::Intact | ReadStatus::Misplaced).then_some(row.record)
}

pub(super) fn reads(names: &Names, rows: &[ReadRow]) -> Vec<ArrayRef> {
    vec![
        column::<_, UInt32Type>(rows, |row| row.reader.0),
        words_or_null(rows, |row| names.process(row.reader)),
        words(rows, |row| names.topic(row.topic)),
        column::<_, Int32Type>(rows, |row| row.partition.0),
        column::<_, Int64Type>(rows, |row| row.offset.0),
        nullable::<_, Int32Type>(rows, |row| row.leader_epoch.map(|epoch| epoch.0)),
        column::<_, UInt64Type>(rows, |row| row.read_ns.0),
        words(rows, |row| row.status.name()),
        nullable::<_, UInt32Type>(rows, |row| sender(row).map(|record| record.process.0)),
        words_or_null(rows, |row| sender(row).and_then(|record| names.process(record.process))),
        nullable::<_, UInt64Type>(rows, |row| sender(row).map(|record| record.sequence.0)),
        column::<_, UInt32Type>(rows, |row| row.bytes),
    ]
}

pub(super) fn source_fields() -> Vec<Field> {
    vec![
        required("process", DataType::UInt32),
        optional("process_name", DataType::Utf8),
        required("topic", DataType::Utf8),
        required("partition", DataType::Int32),
        required("sequence", DataType::UInt64),
        required("source_topic", DataType::Utf8),
        required("source_partition", DataType::Int32),
        required("source_offset", DataType::Int64),
    ]
}

pub(super) fn sources(names: &Names, rows: &[SourceRow]) -> Vec<ArrayRef> {
    vec![
        column::<_, UInt32Type>(rows, |row| row.process.0),
        words_or_null(rows, |row| names.process(row.process)),
        words(rows, |row| names.topic(row.topic)),
        column::<_, Int32Type>(rows, |row| row.partition.0),
        column::<_, UInt64Type>(rows, |row| row.sequence.0),
        words(rows, |row| names.topic(row.source_topic)),
        column::<_, Int32Type>(rows, |row| row.source_partition.0),
        column::<_, Int64Type>(rows, |row| row.source_offset.0),
    ]
}

pub(super) fn replica_fields() -> Vec<Field> {
    vec![
        required("broker", DataType::Int32),
        required("topic", DataType::Utf8),
        required("partition", DataType::Int32),
        required("base_offset", DataType::Int64),
        required("last_offset", DataType::Int64),
        required("leader_epoch", DataType::Int32),
        required("bytes", DataType::UInt32),
        required("crc", DataType::UInt32),
        required("checksum", DataType::Utf8),
        required("attributes", DataType::Int16),
        optional("codec", DataType::Utf8),
        required("producer_id", DataType::Int64),
        required("producer_epoch", DataType::Int16),
        required("base_sequence", DataType::Int32),
        required("records", DataType::Int32),
    ]
}

pub(super) fn replicas(names: &Names, rows: &[ReplicaRow]) -> Vec<ArrayRef> {
    vec![
        column::<_, Int32Type>(rows, |row| row.broker.0),
        words(rows, |row| names.topic(row.topic)),
        column::<_, Int32Type>(rows, |row| row.partition.0),
        column::<_, Int64Type>(rows, |row| row.batch.base_offset.0),
        column::<_, Int64Type>(rows, |row| row.batch.last_offset.0),
        column::<_, Int32Type>(rows, |row| row.batch.leader_epoch.0),
        column::<_, UInt32Type>(rows, |row| row.batch.bytes),
        column::<_, UInt32Type>(rows, |row| row.batch.crc),
        words(rows, |row| row.batch.checksum.name()),
        column::<_, Int16Type>(rows, |row| row.batch.attributes),
        words_or_null(rows, |row| row.batch.codec().map(Codec::name)),
        column::<_, Int64Type>(rows, |row| row.batch.producer_id),
        column::<_, Int16Type>(rows, |row| row.batch.producer_epoch),
        column::<_, Int32Type>(rows, |row| row.batch.base_sequence),
        column::<_, Int32Type>(rows, |row| row.batch.records),
    ]
}
