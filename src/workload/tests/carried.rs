//! What Kafka carries beside payload and key arrives as it was sent, and is called corrupt where it does not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Timestamp};

use super::{
    Access, CommitMode, LIMIT, Mock, ReadStatus, access, assert_read_by_everybody, group, harness_errors, mock, plan,
    producer, recorder, scenario, wait_until, wind_up,
};
use crate::history::clock::Clock;
use crate::history::event::LogRange;
use crate::history::{EventKind, reader};
use crate::kafka::{Offset, Partition, ProcessId, RecordId, Sequence, TimeNs, TopicIndex, TopicPartition};
use crate::scenario::{ProducerSpec, Rate};
use crate::workload::counters::ProcessIds;
use crate::workload::drain::{ReaderKind, drain};
use crate::workload::payload::{self, Place, RunTag, Stamp};
use crate::workload::{Workload, headers};

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

/// The records of the producer that gives them no key have so many headers, and no others have.
const HEADERS_WITHOUT_KEY: u8 = 5;

fn packed(codec: &str, headers: u8) -> ProducerSpec {
    let config = BTreeMap::from([("compression.type".to_owned(), codec.to_owned())]);
    let keys = if headers == HEADERS_WITHOUT_KEY { 0 } else { 50 };
    ProducerSpec { keys, headers, config, ..producer(codec, 1, Rate::PerSecond(1000.0)) }
}

/// How many headers the records of each producer have in the log, and whether all timestamps are those of their making and those
/// records have keys that are to have one; read
/// by a client that knows nothing of payloads.
fn seen(access: &Access, run_start_ms: i64) -> BTreeSet<usize> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", access.bootstrap_servers())
        .set("group.id", "onlooker")
        .set("auto.offset.reset", "earliest")
        .create()
        .expect("a consumer");
    consumer.subscribe(&["chat"]).expect("a subscription");
    let mut counts = BTreeSet::new();
    let (mut read, deadline) = (0, Instant::now() + LIMIT);
    // As many as were acknowledged at least: whose come first is for the machine to say.
    while read < 5000 {
        assert!(Instant::now() < deadline, "only {read} records were read");
        // A poll also ends for the group's own affairs.
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message.expect("no error");
        read += 1;
        let headers = message.headers().map_or(0, Headers::count);
        assert_eq!(message.key().is_none(), headers == usize::from(HEADERS_WITHOUT_KEY), "{headers}");
        counts.insert(headers);
        let Timestamp::CreateTime(made_ms) = message.timestamp() else { panic!("{:?}", message.timestamp()) };
        assert!((run_start_ms..run_start_ms + 600_000).contains(&made_ms), "{made_ms}");
    }
    counts
}

#[test]
fn keys_headers_and_timestamps_come_back_as_they_were_sent_through_every_codec() {
    let mock = mock();
    let access = access(&mock);
    let producers = CODECS.iter().zip([0, 1, 4, 5, 16]).map(|(codec, headers)| packed(codec, headers)).collect();
    let scenario = scenario(producers, vec![group("after", 1, CommitMode::AfterProcess)]);
    let ((_dir, path), recorder, handle) = recorder();
    let load = Workload::start(&scenario, &plan(&scenario), &access, &handle).expect("a load");
    wait_until("5,000 acknowledgements", &load.counters(), |totals| totals.acked >= 5000);
    let run_start_ms = handle.clock().wall_ms(TimeNs(0));
    let history = wind_up(load, &access, recorder, &path);
    assert_eq!(harness_errors(&history), Vec::<&EventKind>::new());
    assert_read_by_everybody(&history, &["after"]);
    assert_eq!(seen(&access, run_start_ms), BTreeSet::from([0, 1, 4, 5, 16]));
}

/// A record as it might have become on its way.
struct Carried {
    headers: OwnedHeaders,
    timestamp_ms: i64,
}

const ANNOUNCED: u8 = 4;
const SENT: TimeNs = TimeNs(7_654_321);

fn id(sequence: u64) -> RecordId {
    RecordId { process: ProcessId(3), sequence: Sequence(sequence) }
}

fn listed<'a>(headers: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>) -> OwnedHeaders {
    headers.into_iter().fold(OwnedHeaders::new(), |list, (key, value)| list.insert(Header { key, value }))
}

/// Sends these to chat-0, each with a payload that announces [`ANNOUNCED`] headers and [`SENT`].
fn send(mock: &Mock, records: Vec<Carried>) {
    let client: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", mock.bootstrap_servers()).create().expect("a producer");
    let place = Place { topic: TopicIndex(0), partition: Partition(0) };
    for (sequence, carried) in (0..).zip(records) {
        let mut bytes = Vec::new();
        let run = RunTag::of("test-run");
        let stamp = Stamp { run, record: id(sequence), place, send_ns: SENT, headers: ANNOUNCED, bytes: 64 };
        payload::encode(&mut bytes, &stamp, Some(b"k"));
        let record = BaseRecord::to("chat").partition(0).key("k").payload(&bytes);
        let sent = client.send(record.headers(carried.headers).timestamp(carried.timestamp_ms));
        assert!(sent.is_ok(), "{sequence}");
    }
    client.flush(LIMIT).expect("every record is delivered");
}

/// Every way in which headers or timestamp may have changed, in the order of the statuses that they are worth.
fn damaged(clock: Clock) -> Vec<(Carried, ReadStatus)> {
    let timestamp_ms = clock.wall_ms(SENT);
    let mut records = Vec::new();
    let mut add = |headers: OwnedHeaders, timestamp_ms: i64, status: ReadStatus| {
        records.push((Carried { headers, timestamp_ms }, status));
    };
    let whole = |sequence: u64| -> Vec<headers::Header> { headers::drawn(id(sequence), ANNOUNCED).collect() };
    let pairs = |drawn: &[headers::Header]| listed(drawn.iter().map(|header| (header.key(), header.value())));
    add(pairs(&whole(0)), timestamp_ms, ReadStatus::Intact);
    add(pairs(&whole(1)), timestamp_ms + 1, ReadStatus::Corrupt);
    add(pairs(&whole(2)[..3]), timestamp_ms, ReadStatus::Corrupt);
    add(OwnedHeaders::new(), timestamp_ms, ReadStatus::Corrupt);
    let mut swapped = whole(4);
    swapped.swap(0, 1);
    add(pairs(&swapped), timestamp_ms, ReadStatus::Corrupt);
    let null_for_empty = whole(5);
    let value = |header: &headers::Header| header.value().map(<[u8]>::to_vec).filter(|value| !value.is_empty());
    let values: Vec<_> = null_for_empty.iter().map(value).collect();
    let changed = null_for_empty.iter().zip(&values).map(|(header, value)| (header.key(), value.as_deref()));
    add(listed(changed), timestamp_ms, ReadStatus::Corrupt);
    add(pairs(&whole(6)).insert(Header { key: "more", value: Some("1") }), timestamp_ms, ReadStatus::Corrupt);
    add(pairs(&whole(7)), timestamp_ms, ReadStatus::Intact);
    records
}

#[test]
fn a_record_whose_headers_or_timestamp_changed_on_the_way_is_corrupt() {
    let mock = mock();
    let access = access(&mock);
    let ((_dir, path), recorder, handle) = recorder();
    let (records, expected): (Vec<_>, Vec<_>) = damaged(handle.clock()).into_iter().unzip();
    let end = Offset(i64::try_from(records.len()).expect("a few"));
    send(&mock, records);
    let partition = TopicPartition { topic: "chat".to_owned(), partition: Partition(0) };
    let ranges = [LogRange { partition, start: Offset(0), end, high_watermark: None }];
    let summary =
        drain(&access, &ranges, &[ReaderKind::Fresh(0)], &ProcessIds::default(), &handle, LIMIT).expect("a drain");
    assert!(summary.complete(), "{summary:?}");
    recorder.finish().expect("a whole history");
    let history = reader::read(&path).expect("a readable history");
    let reads = history.partitions.values().flat_map(|partition| &partition.reads);
    let found: Vec<ReadStatus> = reads.map(|read| read.status).collect();
    assert_eq!(found, expected);
}
