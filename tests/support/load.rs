//! A load to be disturbed: a scenario made by hand, a recorder in a directory of its own, and the history read back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wiber_chaos::check::Checker;
use wiber_chaos::check::evidence::Evidence;
use wiber_chaos::check::group_delivery::GroupDelivery;
use wiber_chaos::history::clock::Clock;
use wiber_chaos::history::event::RevocationCause;
use wiber_chaos::history::recorder::{Recorder, RecorderHandle};
use wiber_chaos::history::{Closure, Event, EventKind, FORMAT_VERSION, History, ProcessRole, reader};
use wiber_chaos::kafka::{Access, Outcome, ProcessId, ReadStatus, TimeNs, TopicPartition};
use wiber_chaos::plan::{ClientSeed, Plan, PlannedPhases};
use wiber_chaos::scenario::{
    ClusterKind, ClusterSpec, CommitMode, EvidenceFloor, GroupSpec, Phases, ProducerSpec, Rate, Scenario, TopicSpec,
};
use wiber_chaos::workload::apart::{Apart, Clients};
use wiber_chaos::workload::control::Controls;
use wiber_chaos::workload::{Totals, Workload, drain};

pub const PARTITIONS: u32 = 4;
/// How long a test waits for something to be seen.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// A member that is silent for this long is thought dead by its group.
pub const SESSION: Duration = Duration::from_secs(6);
/// A member that is killed cannot be thought dead sooner after it: its last heartbeat was half a second before at most, and
/// the rest is for clocks and scheduling.
pub const EARLIEST: Duration = Duration::from_secs(5);

pub fn producer(rate: Rate) -> ProducerSpec {
    ProducerSpec {
        name: "chatters".to_owned(),
        count: 1,
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

pub fn group(members: u32, commit: CommitMode) -> GroupSpec {
    let properties =
        [("session.timeout.ms", SESSION.as_millis().to_string()), ("heartbeat.interval.ms", "500".to_owned())];
    let config = properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    GroupSpec { name: "readers".to_owned(), topics: vec!["chat".to_owned()], members, commit, config }
}

pub fn scenario(producers: Vec<ProducerSpec>, groups: Vec<GroupSpec>) -> Scenario {
    let second = Duration::from_secs(1);
    Scenario {
        name: "clients".to_owned(),
        description: None,
        seed: Some(7),
        cluster: ClusterSpec {
            kind: ClusterKind::Docker,
            brokers: 3,
            image: None,
            heap_bytes: 384 << 20,
            start_limit: Duration::from_secs(120),
            config: BTreeMap::new(),
            disk_bytes: None,
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
        safety: wiber_chaos::scenario::Safety::default(),
        expect: BTreeMap::new(),
        evidence: EvidenceFloor::default(),
        thresholds: vec![],
    }
}

fn plan(scenario: &Scenario) -> Plan {
    let seeds = scenario.producers.iter().flat_map(|spec| {
        (0..spec.count).map(|index| ClientSeed { name: spec.name.clone(), index, seed: 1000 + u64::from(index) })
    });
    Plan {
        schema_version: 1,
        scenario: scenario.name.clone(),
        seed: 7,
        phases: PlannedPhases { warmup_ms: 0, chaos_ms: 0, recovery_limit_ms: 0, drain_limit_ms: 0 },
        steps: vec![],
        safety: wiber_chaos::plan::PlannedSafety::default(),
        clients: seeds.collect(),
    }
}

/// A load that runs, every client in a process of its own.
pub struct Running {
    _home: TempDir,
    path: PathBuf,
    scenario: Scenario,
    plan: Plan,
    access: Access,
    recorder: Recorder,
    pub handle: RecorderHandle,
    pub load: Workload,
}

/// A load that ended, with what it recorded.
pub struct Ended {
    pub history: History,
    scenario: Scenario,
    plan: Plan,
    pub totals: Totals,
}

impl Running {
    pub fn start(scenario: Scenario, access: &Access) -> Self {
        Self::start_with(scenario, access, Clients::All)
    }

    pub fn start_with(scenario: Scenario, access: &Access, clients: Clients) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("history");
        let clock = Clock::start();
        let header = EventKind::RunStarted {
            format_version: FORMAT_VERSION,
            run: "clients-run".to_owned(),
            scenario: scenario.name.clone(),
            seed: 7,
            started_utc: clock.started_utc(),
            topics: scenario.topics.iter().map(|topic| topic.name.clone()).collect(),
            partitions: scenario.topics.iter().map(|topic| topic.partitions).collect(),
            scenario_crc32: 0,
            plan_crc32: 0,
            asked_crc32: None,
        };
        let recorder = Recorder::create(&path, clock, header, None).expect("a new history");
        let handle = recorder.handle();
        let plan = plan(&scenario);
        let apart = Apart::of_program(clients, env!("CARGO_BIN_EXE_wiber-chaos"));
        let load = Workload::start_apart(&scenario, &plan, access, &handle, apart).expect("a load");
        Self { _home: home, path, scenario, plan, access: access.clone(), recorder, handle, load }
    }

    pub fn controls(&self) -> std::sync::Arc<Controls> {
        self.load.controls()
    }

    pub fn wait_until(&self, what: &str, enough: impl Fn(Totals) -> bool) {
        let counters = self.load.counters();
        wait_for(what, || (enough(counters.totals()), format!("{:?}", counters.totals())));
    }

    /// So many more acknowledgements than now.
    pub fn wait_for_acks(&self, more: u64) {
        let before = self.load.counters().totals().acked;
        self.wait_until(&format!("{more} more acknowledgements"), |totals| totals.acked >= before + more);
    }

    /// Ends the load, drains groups and fresh readers, and reads the history back.
    pub fn wind_up(mut self) -> Ended {
        self.load.finish_producers(PATIENCE / 3);
        let topics = [("chat".to_owned(), PARTITIONS)];
        let ends = self.load.end_offsets(&self.access, &topics, PATIENCE).expect("end offsets");
        assert!(ends.missing.is_empty(), "{ends:?}");
        // The mock keeps 5 MB a partition; what it dropped nobody can ask for.
        assert!(ends.ranges.iter().all(|range| range.start.0 == 0), "logs were cut at their start: {ends:?}");
        self.handle.event(EventKind::EndOffsets { ranges: ends.ranges.clone() });
        self.load.drain_groups(&ends.ranges, PATIENCE);
        let summary = drain::drain(
            &self.access,
            &ends.ranges,
            &drain::ReaderKind::fresh(1),
            &self.load.ids(),
            &self.handle,
            PATIENCE,
        );
        assert!(summary.as_ref().expect("a drain").complete(), "{summary:?}");
        let totals = self.load.counters().totals();
        drop(self.load);
        self.recorder.finish().expect("a whole history");
        let history = reader::read(&self.path).expect("a readable history");
        assert_eq!(history.closure, Closure::Whole);
        Ended { history, scenario: self.scenario, plan: self.plan, totals }
    }
}

/// Waits until `look` says that it is so.
pub fn wait_for(what: &str, look: impl Fn() -> (bool, String)) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (done, last_seen) = look();
        if done {
            return;
        }
        assert!(Instant::now() < deadline, "{what} did not happen; last seen {last_seen}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Ended {
    pub fn events(&self, wanted: impl Fn(&EventKind) -> bool) -> Vec<&Event> {
        self.history.events.iter().filter(|event| wanted(&event.kind)).collect()
    }

    pub fn process(&self, label: &str) -> ProcessId {
        self.find_process(label).unwrap_or_else(|| panic!("{label} is not among {:?}", self.history.processes))
    }

    pub fn find_process(&self, label: &str) -> Option<ProcessId> {
        self.history.processes.iter().find(|(_, role)| role.label() == label).map(|(process, _)| *process)
    }

    /// When a process was given each partition for the first time since then: it may have owned it before.
    pub fn assigned_since(&self, process: ProcessId, since: TimeNs) -> BTreeMap<TopicPartition, TimeNs> {
        let mut assigned = BTreeMap::new();
        for event in self.history.events.iter().filter(|event| event.time_ns >= since) {
            if let EventKind::Assigned { process: who, partitions } = &event.kind
                && *who == process
            {
                for partition in partitions {
                    assigned.entry(partition.clone()).or_insert(event.time_ns);
                }
            }
        }
        assigned
    }

    /// The partitions whose ownership ended in this way, and when.
    pub fn revoked(&self, process: ProcessId, cause: RevocationCause) -> BTreeMap<TopicPartition, TimeNs> {
        let mut revoked = BTreeMap::new();
        for event in &self.history.events {
            if let EventKind::Revoked { process: who, partitions, cause: why } = &event.kind
                && (*who, *why) == (process, cause)
            {
                revoked.extend(partitions.iter().map(|partition| (partition.clone(), event.time_ns)));
            }
        }
        revoked
    }

    /// What must hold whatever was done to the clients: every send has one row, nothing acknowledged is missing from the
    /// logs, the group got every record, the harness complains of nothing, and every process that began has ended.
    pub fn assert_accounted_for(&self) {
        let complaints = self.events(|kind| matches!(kind, EventKind::HarnessError { .. }));
        assert!(complaints.is_empty(), "{complaints:?}");
        let (mut rows, mut by_outcome) = (0, BTreeMap::<Outcome, u64>::new());
        for (place, partition) in &self.history.partitions {
            let mut sequences: BTreeMap<ProcessId, BTreeSet<u64>> = BTreeMap::new();
            let drained: BTreeSet<_> = partition
                .reads
                .iter()
                .filter(|read| matches!(self.history.processes[&read.reader], ProcessRole::Drain { .. }))
                .map(|read| read.record)
                .collect();
            // Producers may live in processes of their own, and the timestamps that they set are compared with this one's clock.
            let odd = partition.reads.iter().find(|read| read.status != ReadStatus::Intact);
            assert_eq!(odd, None, "{place:?}: not as it was sent");
            for row in &partition.sends {
                rows += 1;
                *by_outcome.entry(row.outcome).or_default() += 1;
                assert!(sequences.entry(row.process).or_default().insert(row.sequence.0), "two rows: {row:?}");
                assert!(row.scheduled_ns <= row.invoke_ns && row.invoke_ns <= row.complete_ns, "{row:?}");
                assert!(row.outcome != Outcome::Ok || drained.contains(&row.id()), "{place:?}: {row:?} is lost");
            }
            for (process, numbers) in &sequences {
                assert_eq!(numbers.last().copied(), Some(numbers.len() as u64 - 1), "{place:?} {process}");
            }
            let known: BTreeSet<_> = partition.sends.iter().map(wiber_chaos::history::SendRow::id).collect();
            assert!(drained.is_subset(&known), "{place:?}: a record without a send row was read");
        }
        let Totals { sent, acked, failed, indeterminate, in_flight, .. } = self.totals;
        assert_eq!((rows, in_flight), (sent, 0), "{:?}", self.totals);
        let counted = |outcome| by_outcome.get(&outcome).copied().unwrap_or(0);
        assert_eq!(
            (counted(Outcome::Ok), counted(Outcome::Fail), counted(Outcome::Info)),
            (acked, failed, indeterminate)
        );
        let began = self.events(|kind| matches!(kind, EventKind::ProcessStarted { .. })).len();
        assert_eq!(self.events(|kind| matches!(kind, EventKind::ProcessEnded { .. })).len(), began);
    }

    /// The checker's own word on the group, and its notes.
    pub fn group_delivery(&self) -> wiber_chaos::anomaly::CheckResult {
        let evidence = Evidence::gather(&self.history, &self.scenario, &self.plan);
        GroupDelivery.check(&evidence)
    }
}
