//! Tests of the whole load against librdkafka's mock cluster, from the first record to the history read back.
//!
//! The mock keeps logs and groups, but elects no leaders and has no replicas: it shows that every record is accounted for,
//! never that Kafka is right.

mod carried;
mod taken;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::drain::{ReaderKind, drain};
use super::ends;
use super::testing;
use super::{Counters, Workload};
use crate::history::event::{RevocationCause, TransactionEnding, TransactionStage};
use crate::history::recorder::{Recorder, RecorderHandle};
use crate::history::{Closure, EventKind, History, ProcessRole, reader};
use crate::kafka::{Access, Endpoint, Offset, Outcome, ProcessId, ReadStatus};
use crate::plan::{ClientSeed, Plan, PlannedPhases};
use crate::scenario::{
    ClusterKind, ClusterSpec, CommitMode, EvidenceFloor, GroupSpec, Phases, ProducerSpec, Rate, Scenario, TopicSpec,
    TransactionSpec,
};

const LIMIT: Duration = Duration::from_secs(60);
const PARTITIONS: u32 = 3;

type Mock = MockCluster<'static, DefaultProducerContext>;

fn access(mock: &Mock) -> Access {
    Access::plaintext(Endpoint::parse_list(&mock.bootstrap_servers()).expect("addresses"))
}

fn mock() -> Mock {
    let mock = Mock::new(3).expect("a mock cluster");
    mock.create_topic("chat", PARTITIONS.cast_signed(), 3).expect("a topic");
    mock
}

fn producer(name: &str, count: u32, rate: Rate) -> ProducerSpec {
    ProducerSpec {
        name: name.to_owned(),
        count,
        topic: "chat".to_owned(),
        partitions: vec![],
        rate,
        size_bytes: (64, 200),
        keys: 50,
        in_flight: 2000,
        headers: 0,
        transactions: None,
        config: BTreeMap::new(),
    }
}

fn group(name: &str, members: u32, commit: CommitMode) -> GroupSpec {
    GroupSpec { name: name.to_owned(), topics: vec!["chat".to_owned()], members, commit, config: BTreeMap::new() }
}

fn scenario(producers: Vec<ProducerSpec>, groups: Vec<GroupSpec>) -> Scenario {
    let second = Duration::from_secs(1);
    Scenario {
        name: "test".to_owned(),
        description: None,
        seed: Some(7),
        cluster: ClusterSpec {
            kind: ClusterKind::Mock,
            brokers: 3,
            image: None,
            heap_bytes: 0,
            disk_bytes: None,
            start_limit: second,
            config: BTreeMap::new(),
            attach: None,
        },
        topics: vec![TopicSpec {
            name: "chat".to_owned(),
            partitions: PARTITIONS,
            replication_factor: 3,
            config: BTreeMap::new(),
        }],
        producers,
        groups,
        transformers: Vec::new(),
        phases: Phases { warmup: second, chaos: second, recovery: second, drain: second },
        faults: vec![],
        safety: crate::scenario::Safety::default(),
        expect: BTreeMap::new(),
        evidence: EvidenceFloor::default(),
        thresholds: vec![],
    }
}

fn plan(scenario: &Scenario) -> Plan {
    let seeds = scenario.producers.iter().flat_map(|spec| {
        let seed = |index| ClientSeed { name: spec.name.clone(), index, seed: 1000 + u64::from(index) };
        (0..spec.count).map(seed)
    });
    Plan {
        schema_version: 1,
        scenario: scenario.name.clone(),
        seed: 7,
        phases: PlannedPhases { warmup_ms: 0, chaos_ms: 0, recovery_limit_ms: 0, drain_limit_ms: 0 },
        steps: vec![],
        safety: crate::plan::PlannedSafety::default(),
        clients: seeds.collect(),
    }
}

fn wait_until(what: &str, counters: &Counters, enough: impl Fn(super::Totals) -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !enough(counters.totals()) {
        assert!(Instant::now() < deadline, "{what} did not happen; last seen {:?}", counters.totals());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Ends the load, drains groups and fresh readers, finishes the recorder, and reads the history back.
fn wind_up(mut load: Workload, access: &Access, recorder: Recorder, path: &Path) -> History {
    let handle = recorder.handle();
    load.finish_producers(LIMIT);
    load.end_leftovers(LIMIT);
    let ends = load.end_offsets(access, &[("chat".to_owned(), PARTITIONS)], LIMIT).expect("end offsets");
    assert!(ends.missing.is_empty(), "{ends:?}");
    let ranges = ends.ranges;
    handle.event(EventKind::EndOffsets { ranges: ranges.clone() });
    load.drain_groups(&ranges, LIMIT);
    let summary = drain(access, &ranges, &load.drain_readers(2), &load.ids(), &handle, LIMIT).expect("a drain");
    assert!(summary.complete(), "{summary:?}");
    let totals = recorder.finish().expect("a whole history");
    let history = reader::read(path).expect("a readable history");
    assert_eq!(history.closure, Closure::Whole);
    assert_eq!(history.partitions.values().map(|p| p.sends.len() as u64).sum::<u64>(), totals.sends);
    history
}

fn harness_errors(history: &History) -> Vec<&EventKind> {
    history
        .events
        .iter()
        .map(|event| &event.kind)
        .filter(|kind| matches!(kind, EventKind::HarnessError { .. }))
        .collect()
}

/// Sequences of each process to each partition are 0, 1, 2, ...
fn assert_dense(history: &History) {
    for (place, partition) in &history.partitions {
        let mut sequences: BTreeMap<ProcessId, BTreeSet<u64>> = BTreeMap::new();
        for row in &partition.sends {
            let process = sequences.entry(row.process).or_default();
            assert!(process.insert(row.sequence.0), "{place:?} {row:?} has two rows");
            assert!(row.scheduled_ns <= row.invoke_ns && row.invoke_ns <= row.complete_ns, "{row:?}");
        }
        for (process, numbers) in sequences {
            assert_eq!(numbers.last().copied(), Some(numbers.len() as u64 - 1), "{place:?} {process}");
        }
    }
}

/// Each reader group (and each drain reader) saw every acknowledged record, at the offset that was acknowledged.
fn assert_read_by_everybody(history: &History, groups: &[&str]) {
    let mut readers: BTreeMap<String, BTreeSet<ProcessId>> = BTreeMap::new();
    for (process, role) in &history.processes {
        let name = match role {
            ProcessRole::Consumer { group, .. } => group.clone(),
            ProcessRole::Drain { reader } => format!("drain {reader}"),
            ProcessRole::Witness => "witness".to_owned(),
            ProcessRole::Producer { .. } => continue,
        };
        readers.entry(name).or_default().insert(*process);
    }
    assert_eq!(readers.len(), groups.len() + 2);
    for partition in history.partitions.values() {
        for (name, processes) in &readers {
            let read: BTreeSet<_> = partition
                .reads
                .iter()
                .filter(|row| processes.contains(&row.reader))
                .inspect(|row| assert_eq!(row.status, ReadStatus::Intact))
                .map(|row| (row.record, row.offset))
                .collect();
            for row in partition.sends.iter().filter(|row| row.outcome == Outcome::Ok) {
                let offset = row.offset.expect("an acknowledgement names its offset");
                assert!(read.contains(&(row.id(), offset)), "{name} did not read {row:?}");
            }
        }
    }
}

fn recorder() -> ((tempfile::TempDir, std::path::PathBuf), Recorder, RecorderHandle) {
    let (dir, recorder) = testing::recorder(&[("chat", PARTITIONS)]);
    let handle = recorder.handle();
    (dir, recorder, handle)
}

#[test]
fn every_record_of_a_quiet_cluster_is_acknowledged_and_read_by_every_group_and_the_drain() {
    let mock = mock();
    let access = access(&mock);
    let groups = ["after", "before", "auto"];
    let scenario = scenario(
        vec![producer("chatters", 2, Rate::PerSecond(5000.0))],
        vec![
            group("after", 2, CommitMode::AfterProcess),
            group("before", 1, CommitMode::BeforeProcess),
            group("auto", 1, CommitMode::Auto),
        ],
    );
    let ((_dir, path), recorder, handle) = recorder();
    let load = Workload::start(&scenario, &plan(&scenario), &access, &handle).expect("a load");
    let counters = load.counters();
    wait_until("20,000 acknowledgements", &counters, |totals| totals.acked >= 20_000);
    let history = wind_up(load, &access, recorder, &path);

    assert_eq!(harness_errors(&history), Vec::<&EventKind>::new());
    let sends: Vec<_> = history.partitions.values().flat_map(|partition| &partition.sends).collect();
    assert!(sends.len() >= 20_000);
    assert!(sends.iter().all(|row| row.outcome == Outcome::Ok && row.error == 0 && row.broker.is_some()));
    assert_eq!(counters.totals().sent, sends.len() as u64);
    assert_eq!(counters.totals().in_flight, 0);
    assert_dense(&history);
    assert_read_by_everybody(&history, &groups);
    assert_groups_tell_their_story(&history, &groups);
}

/// Every group's members were assigned every partition, committed to the end, left, and stood at the end offsets.
fn assert_groups_tell_their_story(history: &History, groups: &[&str]) {
    let ends: BTreeMap<_, Offset> = history
        .events
        .iter()
        .find_map(|event| match &event.kind {
            EventKind::EndOffsets { ranges } => Some(ranges.iter().map(|range| (range.partition.clone(), range.end))),
            _ => None,
        })
        .expect("end offsets")
        .collect();
    for name in groups {
        let is_member = |process: &ProcessId| matches!(history.processes.get(process), Some(ProcessRole::Consumer { group, .. }) if group == name);
        let (mut stood, mut committed, mut assigned, mut closed) =
            (BTreeMap::new(), BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let (mut given, mut given_in) = (Vec::new(), Vec::new());
        for event in &history.events {
            match &event.kind {
                EventKind::Drained { process, positions } if is_member(process) => {
                    stood.extend(positions.iter().map(|p| (p.partition.clone(), p.offset)));
                }
                EventKind::Committed { process, outcome: Outcome::Ok, positions, .. } if is_member(process) => {
                    committed.extend(positions.iter().map(|p| (p.partition.clone(), p.offset)));
                }
                EventKind::Assigned { process, partitions } if is_member(process) => {
                    assigned.extend(partitions.iter().cloned());
                    given.extend((!partitions.is_empty()).then_some((process, partitions)));
                }
                EventKind::AssignedIn { process, generation, partitions } if is_member(process) => {
                    assert!(generation.0 > 0, "{name}: {generation}");
                    given_in.push((process, partitions));
                }
                EventKind::Revoked { process, partitions, cause: RevocationCause::Closed } if is_member(process) => {
                    closed.extend(partitions.iter().cloned());
                }
                _ => {}
            }
        }
        // Each member tells both in its own order, and no other member waits for it.
        given.sort_by_key(|(process, _)| *process);
        given_in.sort_by_key(|(process, _)| *process);
        assert_eq!(given_in, given, "{name} was given partitions in no generation");
        assert_eq!(stood, ends, "{name} stood elsewhere");
        assert_eq!(committed, ends, "{name} committed elsewhere");
        assert_eq!(assigned.len(), PARTITIONS as usize, "{name}");
        assert!(!closed.is_empty(), "{name} gave nothing up when it left");
    }
}

#[test]
fn every_send_is_accounted_for_while_brokers_go_and_come_back() {
    let mock = mock();
    let access = access(&mock);
    let mut spec = producer("chatters", 2, Rate::PerSecond(2000.0));
    spec.config.insert("message.timeout.ms".to_owned(), "3000".to_owned());
    let scenario = scenario(vec![spec], vec![group("after", 2, CommitMode::AfterProcess)]);
    let ((_dir, path), recorder, handle) = recorder();
    let load = Workload::start(&scenario, &plan(&scenario), &access, &handle).expect("a load");
    let counters = load.counters();
    wait_until("1,000 acknowledgements", &counters, |totals| totals.acked >= 1000);
    for broker in 1..=3 {
        mock.broker_down(broker).expect("a broker that goes");
    }
    wait_until("a send of unknown outcome", &counters, |totals| totals.indeterminate > 0);
    for broker in 1..=3 {
        mock.broker_up(broker).expect("a broker that comes back");
    }
    let before = counters.totals().acked;
    wait_until("new acknowledgements", &counters, |totals| totals.acked > before + 1000);
    let history = wind_up(load, &access, recorder, &path);

    let rows: u64 = history.partitions.values().map(|partition| partition.sends.len() as u64).sum();
    assert_eq!(rows, counters.totals().sent);
    let producer_errors = harness_errors(&history);
    assert_eq!(producer_errors, Vec::<&EventKind>::new());
    assert_dense(&history);
    assert!(history.events.iter().any(|event| matches!(event.kind, EventKind::ClientError { .. })));
    assert!(history.events.iter().any(|event| matches!(event.kind, EventKind::Backpressure { .. })));
}

#[test]
fn a_producer_that_meets_a_fatal_error_lives_on_as_a_new_process() {
    let mock = mock();
    let access = access(&mock);
    let scenario = scenario(vec![producer("chatters", 1, Rate::PerSecond(2000.0))], vec![]);
    let ((_dir, path), recorder, handle) = recorder();
    let load = Workload::start(&scenario, &plan(&scenario), &access, &handle).expect("a load");
    let counters = load.counters();
    wait_until("1,000 acknowledgements", &counters, |totals| totals.acked >= 1000);
    // At the head of the line, this means that producer and broker disagree: idempotence cannot go on.
    let desynchronised = RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    mock.request_errors(RDKafkaApiKey::Produce, &[desynchronised]);
    wait_until("a send of unknown outcome", &counters, |totals| totals.indeterminate > 0);
    let before = counters.totals().acked;
    wait_until("new acknowledgements", &counters, |totals| totals.acked > before + 1000);
    let history = wind_up(load, &access, recorder, &path);

    let lives: BTreeSet<u32> = history
        .processes
        .values()
        .filter_map(|role| if let ProcessRole::Producer { incarnation, .. } = role { Some(*incarnation) } else { None })
        .collect();
    assert_eq!(lives, BTreeSet::from([0, 1]));
    assert_dense(&history);
    let rows: u64 = history.partitions.values().map(|partition| partition.sends.len() as u64).sum();
    assert_eq!(rows, counters.totals().sent);
    assert_eq!(harness_errors(&history), Vec::<&EventKind>::new());
    assert!(history.events.iter().any(|event| matches!(&event.kind,
        EventKind::ProcessEnded { reason, .. } if reason == "a fatal error of the client")));
}

#[test]
fn sends_that_nobody_answers_become_info_rows_when_the_load_is_finished() {
    let mock = mock();
    let access = access(&mock);
    let scenario = scenario(vec![producer("chatters", 1, Rate::Max)], vec![]);
    let ((_dir, path), recorder, handle) = recorder();
    let mut load = Workload::start(&scenario, &plan(&scenario), &access, &handle).expect("a load");
    let counters = load.counters();
    wait_until("1,000 acknowledgements", &counters, |totals| totals.acked >= 1000);
    mock.broker_down(-1).expect("brokers that go");
    // The limit is full for moments while the brokers still answer, so it has to stay full without an acknowledgement.
    let acked = std::cell::Cell::new(u64::MAX);
    wait_until("a full in-flight limit and silence", &counters, |totals| {
        std::thread::sleep(Duration::from_millis(300));
        acked.replace(totals.acked) == totals.acked && totals.in_flight >= 2000
    });
    let start = Instant::now();
    load.finish_producers(Duration::from_millis(300));
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    recorder.finish().expect("a whole history");
    let history = reader::read(&path).expect("a readable history");
    assert_dense(&history);
    let totals = counters.totals();
    let rows = history.partitions.values().flat_map(|partition| &partition.sends);
    assert_eq!(rows.clone().count() as u64, totals.sent);
    assert!(rows.filter(|row| row.outcome == Outcome::Info).count() >= 1000);
    assert_eq!((totals.in_flight, totals.failed), (0, 0));
    assert_eq!(harness_errors(&history), Vec::<&EventKind>::new());
}

#[test]
fn without_acks_nothing_counts_as_acknowledged() {
    let mock = mock();
    let access = access(&mock);
    let mut spec = producer("chatters", 1, Rate::PerSecond(1000.0));
    spec.config.insert("acks".to_owned(), "0".to_owned());
    let scenario = scenario(vec![spec], vec![]);
    let ((_dir, path), recorder, handle) = recorder();
    let load = Workload::start(&scenario, &plan(&scenario), &access, &handle).expect("a load");
    let counters = load.counters();
    wait_until("500 sends", &counters, |totals| totals.indeterminate >= 500);
    let history = wind_up(load, &access, recorder, &path);
    let outcomes: BTreeSet<Outcome> =
        history.partitions.values().flat_map(|partition| &partition.sends).map(|row| row.outcome).collect();
    assert_eq!(outcomes, BTreeSet::from([Outcome::Info]));
}

#[test]
fn offsets_that_no_broker_tells_are_missing_and_say_so() {
    let mock = mock();
    let access = access(&mock);
    mock.broker_down(-1).expect("brokers that go");
    let topics = [("chat".to_owned(), 1)];
    let ends = ends::end_offsets(&access, &topics, &BTreeMap::new(), &BTreeSet::new(), Duration::from_secs(2))
        .expect("a client");
    assert!(ends.ranges.is_empty(), "{ends:?}");
    let error = ends.missing.first().expect("one partition is missing");
    assert!(error.to_string().contains("chat-0"), "{error}");
    assert!(error.to_string().contains("last seen"), "{error}");
}

#[test]
fn a_wrong_property_is_refused_before_anything_is_sent() {
    let mut spec = producer("chatters", 1, Rate::Max);
    spec.config.insert("no.such.property".to_owned(), "1".to_owned());
    let scenario = scenario(vec![spec], vec![]);
    let ((_dir, _), _recorder, handle) = recorder();
    let error =
        Workload::start(&scenario, &plan(&scenario), &Access::plaintext(vec![Endpoint::new("127.0.0.1", 1)]), &handle)
            .err()
            .expect("a refusal");
    assert_eq!(error.to_string(), "cannot make a client for chatters/0");
}

#[test]
fn records_in_transactions_are_acknowledged_with_their_commits_and_fail_with_their_aborts() {
    let mock = mock();
    let access = access(&mock);
    let mut spec = producer("payers", 1, Rate::PerSecond(2000.0));
    let (every, timeout) = (Duration::from_millis(50), Duration::from_secs(30));
    spec.transactions = Some(TransactionSpec { records: 40, every, abort_millionths: 250_000, timeout });
    let scenario = scenario(vec![spec], vec![]);
    let ((_dir, path), recorder, handle) = recorder();
    let load = Workload::start(&scenario, &plan(&scenario), &access, &handle).expect("a load");
    wait_until("3000 outcomes", &load.counters(), |totals| totals.acked > 2000 && totals.failed > 300);
    let history = wind_up(load, &access, recorder, &path);
    assert_eq!(harness_errors(&history), Vec::<&EventKind>::new());
    assert_dense(&history);
    let sends: Vec<_> = history.partitions.values().flat_map(|partition| &partition.sends).collect();
    // Those of one transaction end at one time, in one way, and are as many as it may hold at most.
    let mut transactions: BTreeMap<u64, Vec<Outcome>> = BTreeMap::new();
    for send in &sends {
        transactions.entry(send.complete_ns.0).or_default().push(send.outcome);
        assert_eq!(send.offset.is_some(), send.outcome == Outcome::Ok, "{send:?}");
    }
    for outcomes in transactions.values() {
        assert!(outcomes.len() <= 40 && outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
    }
    let aborted = transactions.values().filter(|outcomes| outcomes[0] == Outcome::Fail).count() as f64;
    let share = aborted / transactions.len() as f64;
    assert!((0.05..0.6).contains(&share), "{share} of {}", transactions.len());
    assert!(sends.iter().all(|send| send.outcome != Outcome::Info), "the mock answered everything");
    assert_each_is_told(&history);
}

/// Every record is told to be part of one transaction, whose end is the record's; and each transaction's end was answered.
fn assert_each_is_told(history: &History) {
    let (mut told, mut asked, mut answered) = (BTreeMap::new(), Vec::new(), Vec::new());
    for event in &history.events {
        let EventKind::Transaction { number, stage, .. } = &event.kind else { continue };
        match stage {
            TransactionStage::Invoke { ending, began_ns, records } => {
                assert!(*began_ns <= event.time_ns, "{event:?}");
                asked.push(number.0);
                for span in records {
                    for sequence in span.first.0..span.first.0 + span.count {
                        let known = told.insert((span.partition.partition, sequence), *ending);
                        assert_eq!(known, None, "{event:?} has a record of another transaction");
                    }
                }
            }
            TransactionStage::Ok => answered.push(number.0),
            TransactionStage::Fail { .. } | TransactionStage::Info { .. } => {
                panic!("the mock refuses nothing: {event:?}")
            }
        }
    }
    assert_eq!(asked, (0..asked.len() as u64).collect::<Vec<_>>());
    assert_eq!(asked, answered);
    let sends = history.partitions.values().flat_map(|partition| &partition.sends);
    for send in sends {
        let ending = if send.outcome == Outcome::Ok { TransactionEnding::Commit } else { TransactionEnding::Abort };
        assert_eq!(told.remove(&(send.partition, send.sequence.0)), Some(ending), "{send:?}");
    }
    assert!(told.is_empty(), "told of records that nobody sent: {told:?}");
}

/// Not a check: prints how fast the load runs against the mock, for whoever wonders.
#[test]
#[ignore = "a measurement, of which nothing is asserted; run it alone, in a release build"]
fn how_fast_the_load_is() {
    let mock = mock();
    let access = access(&mock);
    let mut spec = producer("chatters", 1, Rate::Max);
    spec.size_bytes = (128, 128);
    spec.in_flight = 50_000;
    let scenario = scenario(vec![spec], vec![]);
    let ((_dir, path), recorder, handle) = recorder();
    let mut load = Workload::start(&scenario, &plan(&scenario), &access, &handle).expect("a load");
    let counters = load.counters();
    let start = Instant::now();
    std::thread::sleep(Duration::from_secs(5));
    let produced = counters.totals();
    let produced_per_s = produced.acked as f64 / start.elapsed().as_secs_f64();
    load.finish_producers(LIMIT);
    let ranges = load.end_offsets(&access, &[("chat".to_owned(), PARTITIONS)], LIMIT).expect("end offsets").ranges;
    let start = Instant::now();
    let summary = drain(&access, &ranges, &ReaderKind::fresh(1), &load.ids(), &handle, LIMIT).expect("a drain");
    let read_per_s = summary.read as f64 / start.elapsed().as_secs_f64();
    recorder.finish().expect("a whole history");
    let start = Instant::now();
    let history = reader::read(&path).expect("a readable history");
    let rows: usize = history.partitions.values().map(|partition| partition.sends.len() + partition.reads.len()).sum();
    let rows_per_s = rows as f64 / start.elapsed().as_secs_f64();
    let message =
        format!("acked {produced_per_s:.0}/s, drained {read_per_s:.0}/s, history read at {rows_per_s:.0} rows/s");
    std::io::Write::write_all(&mut std::io::stderr(), format!("{message}; {produced:?}\n").as_bytes()).expect("stderr");
}
