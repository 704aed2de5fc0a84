//! What is exported is what was recorded, in words; and the columns are the documented ones.

use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

use super::{ExportError, Format, Table, write};
use crate::history::clock::Clock;
use crate::history::reader::{self, ReadError, Stored};
use crate::history::recorder::Recorder;
use crate::history::{Closure, EventKind, FORMAT_VERSION, Phase, ProcessRole, ReadRow, ReplicaRow, SendRow, SourceRow};
use crate::kafka::replica::{Checksum, StoredBatch};
use crate::kafka::{
    BrokerId, LeaderEpoch, Offset, Outcome, Partition, ProcessId, ReadStatus, RecordId, Sequence, TimeNs, TopicIndex,
};

fn send(sequence: u64, outcome: Outcome) -> SendRow {
    let is_ok = outcome == Outcome::Ok;
    SendRow {
        process: ProcessId(1),
        topic: TopicIndex(1),
        partition: Partition(0),
        sequence: Sequence(sequence),
        bytes: 128,
        scheduled_ns: TimeNs(1000 + sequence),
        invoke_ns: TimeNs(2000 + sequence),
        complete_ns: TimeNs(3000 + sequence),
        outcome,
        error: if is_ok { 0 } else { -192 },
        offset: is_ok.then_some(Offset(sequence.cast_signed())),
        broker: is_ok.then_some(BrokerId(2)),
    }
}

fn read(offset: i64, status: ReadStatus) -> ReadRow {
    ReadRow {
        reader: ProcessId(2),
        topic: TopicIndex(1),
        partition: Partition(0),
        offset: Offset(offset),
        leader_epoch: (offset % 2 == 0).then_some(LeaderEpoch(4)),
        read_ns: TimeNs(9000),
        status,
        record: RecordId { process: ProcessId(1), sequence: Sequence(offset.cast_unsigned()) },
        bytes: 128,
    }
}

fn replica(broker: i32, attributes: i16, checksum: Checksum) -> ReplicaRow {
    let batch = StoredBatch {
        base_offset: Offset(0),
        last_offset: Offset(2),
        leader_epoch: LeaderEpoch(4),
        bytes: 700,
        crc: 0xdead_beef,
        checksum,
        attributes,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        records: 3,
    };
    ReplicaRow { broker: BrokerId(broker), topic: TopicIndex(1), partition: Partition(0), batch }
}

/// As if a transformer had made it.
fn source_of(send: &SendRow) -> SourceRow {
    SourceRow {
        process: send.process,
        topic: send.topic,
        partition: send.partition,
        sequence: send.sequence,
        source_topic: TopicIndex(1),
        source_partition: Partition(0),
        source_offset: Offset(40 + send.sequence.0.cast_signed()),
    }
}

/// A history of a run with the topics `a`, of 2 partitions, and `b`, of 1.
fn history(sends: &[SendRow], reads: &[ReadRow], replicas: &[ReplicaRow]) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let header = EventKind::RunStarted {
        format_version: FORMAT_VERSION,
        run: "r".to_owned(),
        scenario: "s".to_owned(),
        seed: 1,
        started_utc: "2026-01-01T00:00:00.000Z".to_owned(),
        topics: vec!["a".to_owned(), "b".to_owned()],
        partitions: vec![2, 1],
        scenario_crc32: 0,
        plan_crc32: 0,
        asked_crc32: None,
    };
    let recorder = Recorder::create(dir.path(), Clock::start(), header, None).expect("a new history");
    let handle = recorder.handle();
    let producer = ProcessRole::Producer { name: "chatters".to_owned(), index: 0, incarnation: 0 };
    handle.event_at(TimeNs(10), EventKind::ProcessStarted { process: ProcessId(1), role: producer });
    let member = ProcessRole::Consumer { group: "readers".to_owned(), member: 1, incarnation: 0 };
    handle.event_at(TimeNs(10), EventKind::ProcessStarted { process: ProcessId(2), role: member });
    handle.event_at(TimeNs(20), EventKind::PhaseStarted { phase: Phase::Chaos });
    let message = "quotes \" and, commas\nand lines".to_owned();
    handle.event_at(TimeNs(30), EventKind::HarnessError { message });
    handle.sends(sends.to_vec());
    handle.reads(reads.to_vec());
    handle.sources(sends.iter().map(source_of).collect());
    handle.replicas(replicas.to_vec());
    recorder.finish().expect("a whole history");
    dir
}

fn sample() -> TempDir {
    use ReadStatus::{Corrupt, Foreign, Intact, Misplaced};
    let sends = [send(0, Outcome::Ok), send(1, Outcome::Fail), send(2, Outcome::Info)];
    let reads = [read(0, Intact), read(1, Foreign), read(2, Corrupt), read(3, Misplaced)];
    let replicas = [replica(1, 4, Checksum::Right), replica(2, 0x10, Checksum::Wrong), replica(3, 7, Checksum::Right)];
    history(&sends, &reads, &replicas)
}

fn exported(dir: &Path, table: Table, format: Format) -> (Vec<u8>, Closure) {
    let mut stored = Stored::open(dir).expect("a readable history");
    let mut out = Vec::new();
    write(&mut stored, table, format, &mut out).expect("a vector takes every write");
    (out, stored.closure())
}

fn text(dir: &Path, table: Table, format: Format) -> String {
    String::from_utf8(exported(dir, table, format).0).expect("text")
}

/// The times of the first and the last event are the clock's own.
fn without_clock(text: &str) -> String {
    let known = |line: &&str| !line.contains("run-started") && !line.contains("run-ended");
    text.lines().filter(known).collect::<Vec<_>>().join("\n")
}

#[test]
fn csv_is_for_spreadsheets() {
    let dir = sample();
    for table in [Table::Sends, Table::Reads, Table::Sources, Table::Replicas] {
        insta::assert_snapshot!(format!("{}_csv", table.name()), text(dir.path(), table, Format::Csv));
    }
    insta::assert_snapshot!("events_csv", without_clock(&text(dir.path(), Table::Events, Format::Csv)));
}

#[test]
fn json_lines_have_every_column() {
    let dir = sample();
    for table in [Table::Sends, Table::Reads, Table::Sources, Table::Replicas] {
        insta::assert_snapshot!(format!("{}_jsonl", table.name()), text(dir.path(), table, Format::Jsonl));
    }
    for table in Table::ALL {
        for line in text(dir.path(), table, Format::Jsonl).lines() {
            let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).expect("an object");
            assert!(table.fields().iter().all(|field| object.contains_key(field.name())), "{line}");
            assert_eq!(object.len(), table.fields().len(), "{line}");
        }
    }
}

#[test]
fn an_events_detail_is_json_and_with_its_columns_all_that_was_recorded() {
    let dir = sample();
    let history = reader::read(dir.path()).expect("a readable history");
    let lines = text(dir.path(), Table::Events, Format::Jsonl);
    assert_eq!(lines.lines().count(), history.events.len());
    let stored = std::fs::read_to_string(dir.path().join("events.jsonl")).expect("events");
    for (line, stored) in lines.lines().zip(stored.lines()) {
        let mut row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).expect("an object");
        let detail = row.remove("detail").expect("a detail");
        row.remove("process_name");
        row.retain(|_, value| !value.is_null());
        let detail: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(detail.as_str().expect("text")).expect("an object");
        row.extend(detail);
        let stored: serde_json::Map<String, serde_json::Value> = serde_json::from_str(stored).expect("an event");
        let stored: serde_json::Map<_, _> = stored.into_iter().filter(|(_, value)| !value.is_null()).collect();
        row.retain(|_, value| !value.is_null());
        assert_eq!(row, stored);
    }
}

fn parquet(dir: &Path, table: Table) -> Vec<RecordBatch> {
    let (bytes, _) = exported(dir, table, Format::Parquet);
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).expect("a Parquet file");
    let schema = builder.schema();
    assert_eq!(schema.metadata().get("run").map(String::as_str), Some("r"));
    assert_eq!(schema.metadata().get("started_utc").map(String::as_str), Some("2026-01-01T00:00:00.000Z"));
    let found: Vec<_> = schema.fields().iter().map(|field| field.as_ref().clone()).collect();
    assert_eq!(found, table.fields());
    let batches = builder.build().expect("a reader").map(|batch| batch.expect("a batch"));
    batches.collect()
}

fn optional<T: Array, V>(array: &T, row: usize, value: impl Fn(&T, usize) -> V) -> Option<V> {
    array.is_valid(row).then(|| value(array, row))
}

#[test]
fn parquet_read_back_is_every_send() {
    let outcomes = [Outcome::Ok, Outcome::Fail, Outcome::Info];
    let sends: Vec<SendRow> = (0..150_000_u32).map(|n| send(u64::from(n), outcomes[n as usize % 3])).collect();
    let dir = history(&sends, &[], &[]);
    let mut back = Vec::new();
    for batch in parquet(dir.path(), Table::Sends) {
        let words = |name: &str| batch.column_by_name(name).expect("a column").as_string::<i32>().clone();
        let wide = |name: &str| batch.column_by_name(name).expect("a column").as_primitive::<UInt64Type>().clone();
        let (names, topics, outcomes) = (words("process_name"), words("topic"), words("outcome"));
        let (sequences, scheduled) = (wide("sequence"), wide("scheduled_ns"));
        let (invoked, completed) = (wide("invoke_ns"), wide("complete_ns"));
        let offsets = batch.column_by_name("offset").expect("a column").as_primitive::<Int64Type>();
        let brokers = batch.column_by_name("broker").expect("a column").as_primitive::<Int32Type>();
        for row in 0..batch.num_rows() {
            assert_eq!((names.value(row), topics.value(row)), ("chatters/0.0", "b"));
            let outcome = [Outcome::Ok, Outcome::Fail, Outcome::Info]
                .into_iter()
                .find(|outcome| outcome.name() == outcomes.value(row));
            let expected = send(sequences.value(row), outcome.expect("a word for an outcome"));
            assert_eq!(
                SendRow {
                    scheduled_ns: TimeNs(scheduled.value(row)),
                    invoke_ns: TimeNs(invoked.value(row)),
                    complete_ns: TimeNs(completed.value(row)),
                    offset: optional(offsets, row, |array, row| Offset(array.value(row))),
                    broker: optional(brokers, row, |array, row| BrokerId(array.value(row))),
                    ..expected
                },
                expected
            );
            back.push(expected);
        }
    }
    assert_eq!(back, sends);
}

#[test]
fn whose_bytes_mean_nothing_names_no_sender() {
    let dir = sample();
    let batch = parquet(dir.path(), Table::Reads).remove(0);
    let processes = batch.column_by_name("process").expect("a column").as_primitive::<UInt32Type>();
    let found: Vec<Option<u32>> = processes.iter().collect();
    assert_eq!(found, [Some(1), None, None, Some(1)]);
}

#[test]
fn a_table_without_rows_has_its_columns() {
    let dir = history(&[], &[], &[]);
    for table in [Table::Sends, Table::Reads, Table::Sources, Table::Replicas] {
        let names: Vec<String> = table.fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(text(dir.path(), table, Format::Csv), names.join(",") + "\n");
        assert_eq!(text(dir.path(), table, Format::Jsonl), "");
        assert_eq!(parquet(dir.path(), table).iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
    }
}

#[test]
fn a_cut_history_is_written_as_far_as_it_goes() {
    let sends: Vec<SendRow> = (0..100_000).map(|n| send(n, Outcome::Ok)).collect();
    let dir = history(&sends, &[], &[]);
    let path = dir.path().join("sends.arrows");
    let bytes = std::fs::read(&path).expect("the file");
    std::fs::write(&path, &bytes[..bytes.len() - 1000]).expect("a file cut short");
    let (out, closure) = exported(dir.path(), Table::Sends, Format::Csv);
    let lines = String::from_utf8(out).expect("text").lines().count();
    assert!((2..100_001).contains(&lines), "{lines}");
    assert!(matches!(closure, Closure::Cut(_)), "{closure:?}");
}

#[test]
fn an_altered_history_is_refused_before_anything_is_written() {
    let dir = sample();
    let path = dir.path().join("reads.arrows");
    let mut bytes = std::fs::read(&path).expect("the file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).expect("a damaged file");
    assert!(matches!(Stored::open(dir.path()), Err(ReadError::Altered { .. })));
}

/// Takes nothing, as a pipe does whose reader went away.
struct Closed;

impl std::io::Write for Closed {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }
}

#[test]
fn a_reader_that_went_away_is_told_apart_from_other_failures() {
    let dir = sample();
    for format in [Format::Csv, Format::Jsonl, Format::Parquet] {
        let mut stored = Stored::open(dir.path()).expect("a readable history");
        let error = write(&mut stored, Table::Sends, format, Closed).expect_err("nobody reads");
        let ExportError::Write(error) = error else { panic!("{format:?}: {error:?}") };
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    }
}

#[test]
fn the_reference_tells_of_every_column_in_order() {
    let reference = include_str!("../../../docs/history.md");
    for table in Table::ALL {
        let start = reference.find(&format!("\n## {}\n", table.name())).expect("a section a table");
        let section = reference[start + 4..].split("\n## ").next().expect("a first part");
        let documented: Vec<(&str, &str)> = section
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
            .filter_map(|(name, rest)| Some((name, rest.split_once(" |")?.0)))
            .collect();
        let fields = table.fields();
        let types: Vec<String> = fields.iter().map(word).collect();
        let found: Vec<(&str, &str)> =
            fields.iter().zip(&types).map(|(field, word)| (field.name().as_str(), word.as_str())).collect();
        assert_eq!(documented, found, "{}", table.name());
    }
}

fn word(field: &Field) -> String {
    let word = match field.data_type() {
        DataType::Utf8 => "text",
        DataType::Int16 => "i16",
        DataType::Int32 => "i32",
        DataType::Int64 => "i64",
        DataType::UInt32 => "u32",
        DataType::UInt64 => "u64",
        other => panic!("no word for {other}"),
    };
    if field.is_nullable() { format!("{word} or null") } else { word.to_owned() }
}
