//! Large histories of runs that never were, valid but for what is planted in them. Written through the recorder itself, row after
//! row, so that a history may be larger than memory.
//!
//! A record is what a real run makes of it: one send, one read by a member of a group, and two by the readers of the drain.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "its records are counted in millions, and its partitions on one hand"
)]

use std::collections::BTreeMap;
use std::path::Path;

use wiber_chaos::history::clock::Clock;
use wiber_chaos::history::event::{LogRange, Position};
use wiber_chaos::history::recorder::{Recorder, RecorderHandle};
use wiber_chaos::history::{EventKind, FORMAT_VERSION, Phase, ProcessRole, ReadRow, SendRow};
use wiber_chaos::kafka::{
    BrokerId, LeaderEpoch, Offset, Outcome, Partition, ProcessId, ReadStatus, RecordId, Sequence, TimeNs, TopicIndex,
    TopicPartition,
};
use wiber_chaos::{plan, scenario};

/// How many rows are handed over at a time, as clients do.
const BATCH: u64 = 4096;
const PARTITIONS: u64 = 3;
/// Two producers, which send in turns of so many records to a partition.
const PRODUCERS: [u32; 2] = [1, 2];
const TURN: u64 = 64;
pub const MEMBERS: [u32; 3] = [10, 11, 12];
const DRAINS: [u32; 2] = [20, 21];
/// From one send to the next, from a send to its acknowledgement, and from there to the member's read.
const STEP_NS: u64 = 10_000;
const ACK_NS: u64 = 5_000_000;
const READ_NS: u64 = 2_000_000;
/// By how much acknowledgements differ.
const LATEST_NS: u64 = 1_000_000;
/// Each record's payload, in bytes.
const BYTES: u32 = 128;

/// How many anomalies of each kind there are to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Planted {
    /// Acknowledged records that the drain did not find.
    pub lost: u64,
    /// Records that lie at the next offset too, in the place of nobody.
    pub duplicated: u64,
    /// Neighbours of one producer that lie in each other's place.
    pub reordered: u64,
}

impl Planted {
    pub fn total(&self) -> u64 {
        self.lost + self.duplicated + self.reordered
    }
}

/// What was made.
pub struct Made {
    pub bytes: u64,
    pub rows: u64,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Lost,
    Duplicated,
    /// With the next record of its partition.
    Swapped,
}

/// Makes a run's directory with a history of so many records.
pub fn make(directory: &Path, records: u64, planted: Planted) -> Result<Made, String> {
    let told = |error: &dyn std::error::Error| error.to_string();
    if directory.exists() {
        std::fs::remove_dir_all(directory).map_err(|error| told(&error))?;
    }
    std::fs::create_dir_all(directory).map_err(|error| told(&error))?;
    let scenario_toml = scenario_toml();
    let scenario = scenario::parse("scenario.toml", &scenario_toml).map_err(|error| error.to_string())?.scenario;
    let plan_json = plan::to_json(&plan::plan(&scenario, 1));
    std::fs::write(directory.join("scenario.toml"), scenario_toml).map_err(|error| told(&error))?;
    std::fs::write(directory.join("plan.json"), plan_json).map_err(|error| told(&error))?;

    let faults = faults(records, planted);
    let history = directory.join("history");
    let recorder = Recorder::create(&history, Clock::start(), run_started("synthetic"), None);
    let recorder = recorder.map_err(|error| told(&error))?;
    let handle = recorder.handle();
    begin(&handle);
    let mut from = 0;
    while from < records {
        let to = (from + BATCH).min(records);
        handle.sends((from..to).map(|record| sent(record, &faults)).collect());
        for (member, partition) in MEMBERS.iter().zip(0..PARTITIONS) {
            let own = (from..to).filter(|record| record % PARTITIONS == partition);
            handle.reads(own.filter_map(|record| seen(record, *member, &faults)).collect());
        }
        from = to;
    }
    drain(&handle, records, &faults);
    drop(handle);
    let totals = recorder.finish().map_err(|error| told(&error))?;
    Ok(Made { bytes: bytes_in(&history)?, rows: totals.sends + totals.reads })
}

/// The first event.
pub fn run_started(run: &str) -> EventKind {
    EventKind::RunStarted {
        format_version: FORMAT_VERSION,
        run: run.to_owned(),
        scenario: "synthetic".to_owned(),
        seed: 1,
        started_utc: "2026-01-01T00:00:00Z".to_owned(),
        topics: vec!["chat".to_owned()],
        partitions: vec![PARTITIONS as u32],
        scenario_crc32: 0,
        plan_crc32: 0,
        asked_crc32: None,
    }
}

/// A record's send as it should be.
pub fn send(record: u64) -> SendRow {
    let invoke = 1_000_000_000 + record * STEP_NS;
    let id = id(record);
    SendRow {
        process: id.process,
        topic: TopicIndex(0),
        partition: partition(record),
        sequence: id.sequence,
        bytes: BYTES,
        scheduled_ns: TimeNs(invoke),
        invoke_ns: TimeNs(invoke),
        // Not all alike, so that the file compresses as a real one does.
        complete_ns: TimeNs(invoke + ACK_NS + record.wrapping_mul(0x9E37_79B9) % LATEST_NS),
        outcome: Outcome::Ok,
        error: 0,
        offset: Some(offset(record)),
        broker: Some(BrokerId(1 + (record % PARTITIONS) as i32)),
    }
}

/// A member's read of a record as it should be.
pub fn read(record: u64, reader: u32) -> ReadRow {
    let send = send(record);
    ReadRow {
        reader: ProcessId(reader),
        topic: send.topic,
        partition: send.partition,
        offset: offset(record),
        leader_epoch: Some(LeaderEpoch(0)),
        // A reader's clock does not step back, however its records were acknowledged.
        read_ns: TimeNs(send.invoke_ns.0 + ACK_NS + LATEST_NS + READ_NS),
        status: ReadStatus::Intact,
        record: send.id(),
        bytes: BYTES,
    }
}

fn partition(record: u64) -> Partition {
    Partition((record % PARTITIONS) as i32)
}

fn offset(record: u64) -> Offset {
    Offset((record / PARTITIONS) as i64)
}

/// Whose record it is, and which of those that this producer sent to the partition.
fn id(record: u64) -> RecordId {
    let place = record / PARTITIONS;
    let (turn, within) = (place / TURN, place % TURN);
    let process = PRODUCERS[(turn % 2) as usize];
    RecordId { process: ProcessId(process), sequence: Sequence(turn / 2 * TURN + within) }
}

/// Spread evenly over the whole, none beside another one, each in the middle of a turn.
fn faults(records: u64, planted: Planted) -> BTreeMap<u64, Fault> {
    let kinds =
        [(Fault::Lost, planted.lost), (Fault::Duplicated, planted.duplicated), (Fault::Swapped, planted.reordered)];
    let kinds: Vec<Fault> = kinds.iter().flat_map(|(fault, count)| (0..*count).map(|_| *fault)).collect();
    let turns = records / PARTITIONS / TURN;
    let apart = turns / (kinds.len() as u64 + 1);
    let place = |number: u64| ((number + 1) * apart * TURN + TURN / 2) * PARTITIONS + number % PARTITIONS;
    (0_u64..).zip(kinds).map(|(number, fault)| (place(number), fault)).collect()
}

fn sent(record: u64, faults: &BTreeMap<u64, Fault>) -> SendRow {
    let row = send(record);
    let before = record.checked_sub(PARTITIONS);
    let offset_of = |other: u64| Some(offset(other));
    match (faults.get(&record), before.and_then(|before| faults.get(&before)), before) {
        (Some(Fault::Swapped), ..) => SendRow { offset: offset_of(record + PARTITIONS), ..row },
        (_, Some(Fault::Swapped), Some(before)) => SendRow { offset: offset_of(before), ..row },
        // Its place is the copy's; nobody was told where it lies, or whether it does.
        (_, Some(Fault::Duplicated), _) => SendRow { outcome: Outcome::Info, offset: None, broker: None, ..row },
        _ => row,
    }
}

/// What a reader is given at a record's offset, if anything.
fn seen(record: u64, reader: u32, faults: &BTreeMap<u64, Fault>) -> Option<ReadRow> {
    let row = read(record, reader);
    let before = record.checked_sub(PARTITIONS);
    match (faults.get(&record), before.and_then(|before| faults.get(&before)), before) {
        (Some(Fault::Lost), ..) => None,
        (Some(Fault::Swapped), ..) => Some(ReadRow { record: id(record + PARTITIONS), ..row }),
        (_, Some(Fault::Swapped | Fault::Duplicated), Some(before)) => Some(ReadRow { record: id(before), ..row }),
        _ => Some(row),
    }
}

fn begin(handle: &RecorderHandle) {
    let started = |process: u32, role| EventKind::ProcessStarted { process: ProcessId(process), role };
    for (index, process) in (0..).zip(PRODUCERS) {
        let role = ProcessRole::Producer { name: "chatters".to_owned(), index, incarnation: 0 };
        handle.event_at(TimeNs(1), started(process, role));
    }
    for (member, process) in (0..).zip(MEMBERS) {
        let role = ProcessRole::Consumer { group: "readers".to_owned(), member, incarnation: 0 };
        handle.event_at(TimeNs(1), started(process, role));
        let partitions = vec![TopicPartition::new("chat", member.cast_signed())];
        handle.event_at(TimeNs(2), EventKind::Assigned { process: ProcessId(process), partitions });
    }
    handle.event_at(TimeNs(3), EventKind::PhaseStarted { phase: Phase::Warmup });
}

fn drain(handle: &RecorderHandle, records: u64, faults: &BTreeMap<u64, Fault>) {
    let load_ended = 1_000_000_000 + records * STEP_NS + 10 * (ACK_NS + READ_NS);
    handle.event_at(TimeNs(load_ended), EventKind::PhaseStarted { phase: Phase::Drain });
    let end = |partition: u64| Offset(((records + PARTITIONS - 1 - partition) / PARTITIONS) as i64);
    let named = |partition: u64| TopicPartition::new("chat", partition as i32);
    let ranges = (0..PARTITIONS).map(|partition| LogRange {
        partition: named(partition),
        start: Offset(0),
        end: end(partition),
        high_watermark: Some(end(partition)),
    });
    handle.event_at(TimeNs(load_ended + 1), EventKind::EndOffsets { ranges: ranges.collect() });
    let position = |partition: u64| Position { partition: named(partition), offset: end(partition) };
    let mut done = vec![];
    for (process, partition) in MEMBERS.iter().zip(0..PARTITIONS) {
        done.push((*process, vec![position(partition)]));
    }
    for (reader, process) in (0..).zip(DRAINS) {
        let role = ProcessRole::Drain { reader };
        handle.event_at(TimeNs(load_ended + 2), EventKind::ProcessStarted { process: ProcessId(process), role });
        done.push((process, (0..PARTITIONS).map(position).collect()));
    }
    // Both at once, a batch of one partition after another, as librdkafka gives them.
    let mut from = 0;
    while from < records {
        let to = (from + BATCH * PARTITIONS).min(records);
        for process in DRAINS {
            for partition in 0..PARTITIONS {
                let own = (from..to).filter(|record| record % PARTITIONS == partition);
                let rows = own.filter_map(|record| seen(record, process, faults));
                let late = |row: ReadRow| ReadRow { read_ns: TimeNs(load_ended + 1000 + from * 1000), ..row };
                handle.reads(rows.map(late).collect());
            }
        }
        from = to;
    }
    let end_ns = load_ended + 2000 + records * 1000;
    for (process, positions) in done {
        handle.event_at(TimeNs(end_ns), EventKind::Drained { process: ProcessId(process), positions });
    }
    for process in PRODUCERS.iter().chain(&MEMBERS).chain(&DRAINS) {
        let reason = "the load ended".to_owned();
        handle.event_at(TimeNs(end_ns + 1), EventKind::ProcessEnded { process: ProcessId(*process), reason });
    }
}

fn scenario_toml() -> String {
    format!(
        "name = \"synthetic\"\nseed = 1\n[[topic]]\nname = \"chat\"\npartitions = {PARTITIONS}\nreplication-factor = 3\n\
         [[producer]]\nname = \"chatters\"\ncount = 2\ntopic = \"chat\"\n\
         [[consumer-group]]\nname = \"readers\"\ntopics = [\"chat\"]\nmembers = 3\n"
    )
}

/// How many bytes the files of a directory have.
pub fn bytes_in(directory: &Path) -> Result<u64, String> {
    let entries = std::fs::read_dir(directory).map_err(|error| error.to_string())?;
    let sizes = entries.map(|entry| entry.and_then(|entry| entry.metadata()).map(|data| data.len()));
    sizes.sum::<Result<u64, _>>().map_err(|error| error.to_string())
}
