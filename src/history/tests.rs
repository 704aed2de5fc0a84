//! What is written is what is read; and what was cut anywhere is read up to there, or refused with a reason.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::clock::Clock;
use super::event::LogRange;
use super::reader::{self, ReadError};
use super::recorder::{Recorder, Totals};
use super::{Closure, Event, EventKind, History, ProcessRole, ReadRow, ReplicaRow, Seal, SendRow, SourceRow};
use crate::kafka::replica::{Checksum, StoredBatch};
use crate::kafka::{
    BrokerId, LeaderEpoch, Offset, Outcome, Partition, ProcessId, ReadStatus, RecordId, Sequence, TimeNs, TopicIndex,
};

const FILES: [&str; 5] = ["events.jsonl", "sends.arrows", "reads.arrows", "sources.arrows", "replicas.arrows"];

fn header() -> EventKind {
    EventKind::RunStarted {
        format_version: super::FORMAT_VERSION,
        run: "r".to_owned(),
        scenario: "s".to_owned(),
        seed: 1,
        started_utc: "2026-01-01T00:00:00.000Z".to_owned(),
        topics: vec!["a".to_owned(), "b".to_owned()],
        partitions: vec![2, 1],
        scenario_crc32: 0,
        plan_crc32: 0,
        asked_crc32: None,
    }
}

fn create(dir: &Path) -> Recorder {
    Recorder::create(dir, Clock::start(), header(), None).expect("a new history")
}

fn write(sends: &[SendRow], reads: &[ReadRow]) -> (TempDir, Totals) {
    write_all(sends, reads, &[sample_replica(1), sample_replica(2)])
}

fn write_all(sends: &[SendRow], reads: &[ReadRow], replicas: &[ReplicaRow]) -> (TempDir, Totals) {
    let dir = tempfile::tempdir().expect("a directory");
    let recorder = create(dir.path());
    let handle = recorder.handle();
    let role = ProcessRole::Drain { reader: 0 };
    handle.event(EventKind::ProcessStarted { process: ProcessId(9), role });
    for batch in sends.chunks(7) {
        handle.sends(batch.to_vec());
    }
    for batch in reads.chunks(7) {
        handle.reads(batch.to_vec());
    }
    handle.sources(sends.iter().map(source_of).collect());
    handle.replicas(replicas.to_vec());
    handle.event(EventKind::ProcessEnded { process: ProcessId(9), reason: "done".to_owned() });
    let totals = recorder.finish().expect("a whole history");
    (dir, totals)
}

fn sends_of(history: &History) -> Vec<SendRow> {
    history.partitions.values().flat_map(|partition| partition.sends.clone()).collect()
}

/// What a transformer might have made a record of.
fn source_of(send: &SendRow) -> SourceRow {
    SourceRow {
        process: send.process,
        topic: send.topic,
        partition: send.partition,
        sequence: send.sequence,
        source_topic: TopicIndex(send.topic.0 ^ 1),
        source_partition: send.partition,
        source_offset: Offset(i64::from(send.bytes) - 7),
    }
}

fn reads_of(history: &History) -> Vec<ReadRow> {
    history.partitions.values().flat_map(|partition| partition.reads.clone()).collect()
}

/// Topic a has partitions 0 and 1, topic b has 0.
fn place() -> impl Strategy<Value = (TopicIndex, Partition)> {
    prop_oneof![Just((0, 0)), Just((0, 1)), Just((1, 0))]
        .prop_map(|(topic, number)| (TopicIndex(topic), Partition(number)))
}

fn send_row() -> impl Strategy<Value = SendRow> {
    let numbers = (any::<u32>(), any::<u64>(), any::<u32>(), any::<[u64; 3]>(), any::<i16>());
    (place(), numbers, 0..3_u8, any::<Option<i64>>(), any::<Option<i32>>()).prop_map(
        |((topic, partition), (process, sequence, bytes, times, error), outcome, offset, broker)| SendRow {
            process: ProcessId(process),
            topic,
            partition,
            sequence: Sequence(sequence),
            bytes,
            scheduled_ns: TimeNs(times[0]),
            invoke_ns: TimeNs(times[1]),
            complete_ns: TimeNs(times[2]),
            outcome: Outcome::from_u8(outcome).expect("0, 1 and 2 are outcomes"),
            error,
            offset: offset.map(Offset),
            broker: broker.map(BrokerId),
        },
    )
}

fn read_row() -> impl Strategy<Value = ReadRow> {
    let numbers = (any::<u32>(), any::<i64>(), any::<u64>(), any::<u32>(), any::<u64>(), any::<u32>());
    (place(), numbers, 0..4_u8, any::<Option<i32>>()).prop_map(
        |((topic, partition), (reader, offset, read, process, sequence, bytes), status, epoch)| ReadRow {
            reader: ProcessId(reader),
            topic,
            partition,
            offset: Offset(offset),
            leader_epoch: epoch.map(LeaderEpoch),
            read_ns: TimeNs(read),
            status: ReadStatus::from_u8(status).expect("0 to 3 are statuses"),
            record: RecordId { process: ProcessId(process), sequence: Sequence(sequence) },
            bytes,
        },
    )
}

fn replicas_of(history: &History) -> Vec<ReplicaRow> {
    history.partitions.values().flat_map(|partition| partition.replicas.clone()).collect()
}

fn replica_row() -> impl Strategy<Value = ReplicaRow> {
    let numbers = (any::<i32>(), any::<[i64; 3]>(), any::<[i32; 3]>(), any::<[u32; 2]>(), any::<[i16; 2]>());
    (place(), numbers, 0..2_u8).prop_map(|((topic, partition), (broker, wide, plain, unsigned, short), checksum)| {
        let batch = StoredBatch {
            base_offset: Offset(wide[0]),
            last_offset: Offset(wide[1]),
            leader_epoch: LeaderEpoch(plain[0]),
            bytes: unsigned[0],
            crc: unsigned[1],
            checksum: Checksum::from_u8(checksum).expect("0 and 1 are checksums"),
            attributes: short[0],
            producer_id: wide[2],
            producer_epoch: short[1],
            base_sequence: plain[1],
            records: plain[2],
        };
        ReplicaRow { broker: BrokerId(broker), topic, partition, batch }
    })
}

fn is_prefix<T: PartialEq>(short: &[T], long: &[T]) -> bool {
    long.starts_with(short)
}

fn assert_prefix(cut: &History, whole: &History) {
    assert!(is_prefix(&cut.events, &whole.events));
    assert_eq!(cut.partitions.len(), whole.partitions.len());
    for (place, partition) in &cut.partitions {
        assert!(is_prefix(&partition.sends, &whole.partitions[place].sends));
        assert!(is_prefix(&partition.reads, &whole.partitions[place].reads));
        assert!(is_prefix(&partition.replicas, &whole.partitions[place].replicas));
        assert!(is_prefix(&partition.sources, &whole.partitions[place].sources));
    }
}

/// Reads the history with one file cut at every length.
fn cut_everywhere(dir: &TempDir) {
    let whole = reader::read(dir.path()).expect("a readable history");
    for file in FILES {
        let path = dir.path().join(file);
        let bytes = std::fs::read(&path).expect("the file");
        for length in 0..bytes.len() {
            std::fs::write(&path, &bytes[..length]).expect("the cut file");
            match reader::read(dir.path()) {
                Ok(cut) => {
                    assert_prefix(&cut, &whole);
                    // A stream's end mark and the last line's end carry no evidence: only they may be missing unnoticed.
                    assert_eq!(cut.closure == Closure::Whole, cut == whole, "{file} cut at {length}");
                }
                Err(ReadError::NoHeader { .. }) => assert_eq!(file, "events.jsonl"),
                Err(error) => panic!("{file} cut at {length}: {error}"),
            }
        }
        std::fs::write(&path, &bytes).expect("the whole file");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_what_is_read(
        sends in prop::collection::vec(send_row(), 0..40),
        reads in prop::collection::vec(read_row(), 0..40),
    ) {
        let (dir, totals) = write(&sends, &reads);
        let history = reader::read(dir.path()).expect("a readable history");
        prop_assert_eq!(&history.closure, &Closure::Whole);
        prop_assert_eq!((totals.sends, totals.reads), (sends.len() as u64, reads.len() as u64));
        prop_assert_eq!(totals.events, history.events.len() as u64);
        let (mut sends, mut reads) = (sends, reads);
        sends.sort_by_key(|row| (row.topic, row.partition));
        reads.sort_by_key(|row| (row.topic, row.partition));
        prop_assert_eq!(sends_of(&history), sends);
        prop_assert_eq!(reads_of(&history), reads);
        prop_assert_eq!(history.processes.get(&ProcessId(9)), Some(&ProcessRole::Drain { reader: 0 }));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn what_replicas_stored_is_what_is_read(mut replicas in prop::collection::vec(replica_row(), 0..40)) {
        let (dir, totals) = write_all(&[], &[], &replicas);
        let history = reader::read(dir.path()).expect("a readable history");
        prop_assert_eq!(&history.closure, &Closure::Whole);
        prop_assert_eq!(totals.replicas, replicas.len() as u64);
        replicas.sort_by_key(|row| (row.topic, row.partition));
        prop_assert_eq!(replicas_of(&history), replicas);
    }

    #[test]
    fn what_records_were_made_of_is_what_is_read(sends in prop::collection::vec(send_row(), 0..40)) {
        let (dir, totals) = write_all(&sends, &[], &[]);
        let history = reader::read(dir.path()).expect("a readable history");
        prop_assert_eq!(totals.sources, sends.len() as u64);
        let found: Vec<SourceRow> = history.partitions.values().flat_map(|partition| partition.sources.clone()).collect();
        prop_assert_eq!(found, sends_of(&history).iter().map(source_of).collect::<Vec<_>>());
    }
}

#[test]
fn a_history_from_before_sources_and_replicas_were_recorded_is_whole() {
    let (dir, _) = write_all(&[sample_send()], &[], &[]);
    let events = dir.path().join(FILES[0]);
    let text = std::fs::read_to_string(&events).expect("events");
    let seal = text.find(",\"sources\":").expect("the seals of what came later");
    std::fs::write(&events, format!("{}}}}}\n", &text[..seal])).expect("an older history");
    for file in &FILES[3..] {
        std::fs::remove_file(dir.path().join(file)).expect("no such file then");
    }
    assert_eq!(reader::read(dir.path()).expect("a readable history").closure, Closure::Whole);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2, ..ProptestConfig::default() })]

    #[test]
    fn a_history_cut_at_any_byte_is_read_up_to_there(
        sends in prop::collection::vec(send_row(), 1..20),
        reads in prop::collection::vec(read_row(), 1..20),
    ) {
        cut_everywhere(&write(&sends, &reads).0);
    }
}

#[test]
fn every_partition_is_there_even_if_nothing_happened_in_it() {
    let (dir, _) = write(&[], &[]);
    let history = reader::read(dir.path()).expect("a readable history");
    let places: Vec<_> = history.partitions.keys().map(|(topic, partition)| (topic.0, partition.0)).collect();
    assert_eq!(places, [(0, 0), (0, 1), (1, 0)]);
}

#[test]
fn a_recorder_that_was_killed_leaves_what_was_flushed() {
    let dir = tempfile::tempdir().expect("a directory");
    let copy = tempfile::tempdir().expect("another directory");
    let recorder = create(dir.path());
    recorder.handle().event(EventKind::Interrupted { signal: "SIGINT".to_owned() });
    recorder.handle().sends(vec![sample_send(), sample_send()]);
    // The promise is one second; a slow machine gets the benefit of the doubt.
    std::thread::sleep(Duration::from_secs(2));
    for file in FILES {
        std::fs::copy(dir.path().join(file), copy.path().join(file)).expect("a copy");
    }
    let history = reader::read(copy.path()).expect("a readable history");
    assert_eq!((history.events.len(), sends_of(&history).len()), (2, 2));
    let Closure::Cut(reason) = &history.closure else { panic!("{:?}", history.closure) };
    assert!(reason.contains("events.jsonl has no run-ended"), "{reason}");
}

#[test]
fn a_file_of_another_run_is_noticed() {
    let (one, _) = write(&[sample_send()], &[]);
    let (two, _) = write(&[sample_send(), sample_send()], &[]);
    std::fs::copy(two.path().join(FILES[1]), one.path().join(FILES[1])).expect("a copy");
    let error = reader::read(one.path()).expect_err("another file");
    assert!(matches!(&error, ReadError::Altered { path, .. } if path.ends_with(FILES[1])), "{error}");
}

#[test]
fn rows_that_do_not_match_the_count_of_run_ended_are_noticed() {
    let (dir, _) = write(&[sample_send(), sample_send()], &[]);
    let events = dir.path().join(FILES[0]);
    let text = std::fs::read_to_string(&events).expect("events");
    std::fs::write(&events, text.replacen("\"sends\":2,", "\"sends\":3,", 1)).expect("a damaged count");
    let history = reader::read(dir.path()).expect("a readable history");
    let Closure::Cut(reason) = &history.closure else { panic!("{:?}", history.closure) };
    assert!(reason.contains("2 of the 3 rows"), "{reason}");

    std::fs::write(&events, text.replacen("\"sends\":2,", "\"sends\":1,", 1)).expect("a damaged count");
    let error = reader::read(dir.path()).expect_err("too many rows");
    assert!(matches!(error, ReadError::TooMany { found: 2, counted: 1, .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn no_flipped_bit_is_read_as_what_was_recorded(
        sends in prop::collection::vec(send_row(), 1..20),
        reads in prop::collection::vec(read_row(), 1..20),
        bit in 0..8_u8,
    ) {
        let (dir, _) = write(&sends, &reads);
        for file in FILES {
            let path = dir.path().join(file);
            let bytes = std::fs::read(&path).expect("the file");
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                std::fs::write(&path, &damaged).expect("the damaged file");
                let read = reader::read(dir.path());
                let whole = read.as_ref().is_ok_and(|history| history.closure == Closure::Whole);
                prop_assert!(!whole || harmless(&bytes, &damaged), "{} byte {}: {:?}", file, at, read);
            }
            std::fs::write(&path, &bytes).expect("the whole file");
        }
    }
}

/// Whether two files differ in the time of `run-ended` alone: nothing is judged by it, and its line cannot be in its seal.
fn harmless(before: &[u8], after: &[u8]) -> bool {
    let last_line = |bytes: &[u8]| -> Option<(usize, EventKind)> {
        let text = std::str::from_utf8(bytes).ok()?;
        let start = text.trim_end().rfind('\n')? + 1;
        let event: Event = serde_json::from_str(&text[start..]).ok()?;
        Some((start, event.kind))
    };
    let (before_end, after_end) = (last_line(before), last_line(after));
    before_end.is_some()
        && before_end == after_end
        && before_end.is_some_and(|(start, _)| before[..start] == after[..start])
}

#[test]
fn a_line_taken_out_of_the_middle_is_noticed() {
    let (dir, _) = write(&[], &[]);
    let path = dir.path().join(FILES[0]);
    let text = std::fs::read_to_string(&path).expect("events");
    let kept: Vec<&str> =
        text.split_inclusive('\n').enumerate().filter(|(at, _)| *at != 1).map(|(_, line)| line).collect();
    std::fs::write(&path, kept.concat()).expect("a damaged history");
    let error = reader::read(dir.path()).expect_err("a line is missing");
    assert!(matches!(&error, ReadError::Altered { path, .. } if path.ends_with(FILES[0])), "{error}");
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let (dir, _) = write(&[], &[]);
    let path = dir.path().join(FILES[0]);
    let text = std::fs::read_to_string(&path).expect("events");
    let newer = text.replacen("\"format_version\":1", "\"format_version\":99", 1) + "{\"event\":\"from-the-future\"}\n";
    std::fs::write(&path, newer).expect("a newer history");
    let error = reader::read(dir.path()).expect_err("a newer format");
    assert!(error.to_string().contains("format version 99"), "{error}");
}

#[test]
fn a_line_that_means_nothing_is_refused_with_its_number() {
    let (dir, _) = write(&[], &[]);
    let path = dir.path().join(FILES[0]);
    let text = std::fs::read_to_string(&path).expect("events");
    std::fs::write(&path, text.replacen("process-started", "process-strated", 1)).expect("a damaged history");
    let error = reader::read(dir.path()).expect_err("no event");
    assert!(matches!(error, ReadError::Line { line: 2, .. }), "{error}");
}

#[test]
fn a_row_of_a_partition_that_the_run_did_not_have_is_refused() {
    let mut row = sample_send();
    row.partition = Partition(7);
    let (dir, _) = write(&[sample_send(), row], &[]);
    let error = reader::read(dir.path()).expect_err("no such partition");
    assert!(matches!(error, ReadError::Place { row: 1, partition: 7, .. }), "{error}");
}

#[test]
fn a_history_begins_with_run_started() {
    let dir = tempfile::tempdir().expect("a directory");
    let end = EventKind::RunEnded { sends: 0, reads: 0, seal: Seal::default() };
    Recorder::create(dir.path(), Clock::start(), end, None).expect_err("no header");
}

#[test]
fn an_existing_history_is_never_written_over() {
    let (dir, _) = write(&[sample_send()], &[]);
    Recorder::create(dir.path(), Clock::start(), header(), None).expect_err("a refusal");
    assert_eq!(reader::read(dir.path()).expect("the old history").closure, Closure::Whole);
}

#[test]
fn whatever_comes_after_the_end_shows_as_a_failure_and_blocks_nobody() {
    let dir = tempfile::tempdir().expect("a directory");
    let recorder = create(dir.path());
    let handle = recorder.handle();
    recorder.finish().expect("a whole history");
    assert_eq!(handle.failed(), None);
    handle.sends(vec![sample_send()]);
    assert!(handle.failed().is_some());
}

#[test]
fn a_file_that_takes_no_more_is_told_and_blocks_nobody() {
    // A pipe that nobody reads any more fails like a full disk: some time after the file was opened.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let pipe = File::from(OwnedFd::from(writer));
    let dir = tempfile::tempdir().expect("a directory");
    let recorder = Recorder::create_with(dir.path(), Clock::start(), header(), None, |name| {
        if name == FILES[1] { pipe.try_clone() } else { File::create_new(dir.path().join(name)) }
    })
    .expect("files that open");
    drop(reader);
    let handle = recorder.handle();
    for _ in 0..500 {
        handle.sends(vec![sample_send(); 4096]);
        handle.event(EventKind::Interrupted { signal: "SIGINT".to_owned() });
    }
    let error = recorder.finish().expect_err("a file that takes no more");
    assert!(error.to_string().contains("sends.arrows"), "{error}");
    assert!(handle.failed().is_some());
}

#[test]
fn a_disk_that_is_full_from_the_start_is_told_at_once() {
    // Linux has a device for it: every write to it fails for want of space.
    if !Path::new("/dev/full").exists() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let error = Recorder::create_with(dir.path(), Clock::start(), header(), None, |_| {
        File::options().write(true).open("/dev/full")
    })
    .expect_err("a full disk");
    assert!(error.to_string().contains("cannot write"), "{error}");
}

#[test]
fn the_display_sees_every_event_in_the_order_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let (tap, display) = std::sync::mpsc::channel();
    let recorder = Recorder::create(dir.path(), Clock::start(), header(), Some(tap)).expect("a new history");
    recorder.handle().event(EventKind::Interrupted { signal: "SIGINT".to_owned() });
    recorder.finish().expect("a whole history");
    let history = reader::read(dir.path()).expect("a readable history");
    assert_eq!(display.iter().collect::<Vec<_>>(), history.events);
}

#[test]
fn an_end_offset_of_an_older_history_tells_no_high_watermark() {
    let text = r#"{"partition":"chat-0","start":0,"end":7}"#;
    let old: LogRange = serde_json::from_str(text).expect("a range without one");
    assert_eq!((old.end, old.high_watermark), (Offset(7), None));
    assert_eq!(serde_json::to_string(&old).expect("plain data"), text);
    let new = LogRange { high_watermark: Some(Offset(9)), ..old };
    let text = serde_json::to_string(&new).expect("plain data");
    assert_eq!(serde_json::from_str::<LogRange>(&text).expect("its own format"), new);
}

fn sample_send() -> SendRow {
    SendRow {
        process: ProcessId(1),
        topic: TopicIndex(0),
        partition: Partition(1),
        sequence: Sequence(2),
        bytes: 64,
        scheduled_ns: TimeNs(3),
        invoke_ns: TimeNs(4),
        complete_ns: TimeNs(5),
        outcome: Outcome::Ok,
        error: 0,
        offset: Some(Offset(6)),
        broker: None,
    }
}

fn sample_replica(broker: i32) -> ReplicaRow {
    let batch = StoredBatch {
        base_offset: Offset(10),
        last_offset: Offset(12),
        leader_epoch: LeaderEpoch(4),
        bytes: 300,
        crc: 0xfeed,
        checksum: Checksum::Right,
        attributes: 0,
        producer_id: 4000,
        producer_epoch: 0,
        base_sequence: 7,
        records: 3,
    };
    ReplicaRow { broker: BrokerId(broker), topic: TopicIndex(0), partition: Partition(0), batch }
}
