//! Made-up runs that look like real ones, for the renderers' tests and for looking at the pages.

mod judged;
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Inputs, Report, build};
use crate::anomaly::{CheckName, CheckResult, Expectation};
use crate::fault::kinds::kill::Kill;
use crate::fault::{FaultId, FaultKind, Signal, Target};
use crate::history::{
    Closure, Environment, Event, EventKind, History, PartitionHistory, Phase, ProcessRole, Seal, SendRow,
};
use crate::kafka::{Offset, Outcome, Partition, ProcessId, Sequence, TimeNs, TopicIndex, TopicPartition};
use crate::plan::{ClientSeed, Plan, PlannedPhases, PlannedSafety, PlannedStart, Step};
use crate::scenario::{
    Again, ClusterKind, ClusterSpec, CommitMode, EvidenceFloor, FaultSpec, GroupSpec, Metric, Phases, ProducerSpec,
    Rate, Safety, Scenario, Spread, Start, Threshold, TopicSpec,
};
use crate::verdict::Verdict;
use world::World;

/// A killed broker, a nine-second dip in a third of the traffic, nothing lost.
pub(crate) fn valid() -> Report {
    let world = World { seconds: 54, ..World::default() };
    let history = world.history();
    let verdict = judged::valid(&history);
    report("kill-one", &history, &verdict, &[])
}

/// A thousand acknowledged records lost, and two duplicates that the scenario allows.
pub(crate) fn invalid() -> Report {
    let world = World { seconds: 54, lost: 1000, per_second: 500, ..World::default() };
    let history = world.history();
    let results = judged::losses(&history);
    let verdict = judged::invalid(&history, &results);
    report("acks-one-unclean", &history, &verdict, &results)
}

/// A fault that was never proven, and a harness that died in the drain.
pub(crate) fn inconclusive() -> Report {
    let world = World { seconds: 54, bites: false, whole: false, ..World::default() };
    let history = world.history();
    let verdict = judged::inconclusive(&history);
    report("pause-controller", &history, &verdict, &[])
}

/// No engine answered, so that nothing ever began.
pub(crate) fn aborted() -> Report {
    let message = "no Docker engine answers: connection refused".to_owned();
    let ended = EventKind::RunEnded { sends: 0, reads: 0, seal: Seal::default() };
    let events = vec![phase(40, Phase::Start), at(900, EventKind::HarnessError { message }), at(910, ended)];
    let history = History { events, closure: Closure::Whole, ..bare(Vec::new()) };
    report("kill-one", &history, &judged::aborted(), &[])
}

/// A run that found nothing wrong, and could not remove a container.
pub(crate) fn unclean() -> Report {
    let mut history = World { seconds: 54, ..World::default() }.history();
    history.events.push(at(53_690, EventKind::LeftBehind { what: "container wiber-x-kafka-2".to_owned() }));
    let verdict = judged::valid(&history);
    report("kill-one", &history, &verdict, &[])
}

/// Two hours, so that charts must be thinned out.
pub(crate) fn long() -> Report {
    let world = World { seconds: 7200, per_second: 6, ..World::default() };
    let history = world.history();
    let verdict = judged::valid(&history);
    report("soak", &history, &verdict, &[])
}

/// Names and messages that try to break out of every format.
pub(crate) fn hostile() -> Report {
    const NAME: &str = "<script>alert(\"1\")</script>&amp;,\n\u{1b}[31m=cmd()";
    let mut report = invalid();
    report.verdict.scenario = NAME.to_owned();
    report.verdict.run = NAME.to_owned();
    report.verdict.reasons = vec![NAME.to_owned()];
    report.description = Some(NAME.to_owned());
    report.scenario_toml = NAME.to_owned();
    report.environment.image = Some(NAME.to_owned());
    report.verdict.faults[0].id = FaultId(NAME.to_owned());
    report.verdict.faults[0].proof = NAME.to_owned();
    report.faults[0].id = FaultId(NAME.to_owned());
    report.faults[0].sentence = NAME.to_owned();
    report.partitions[0].partition = TopicPartition::new(NAME, 0);
    report.groups[0].group = NAME.to_owned();
    for anomaly in &mut report.anomalies {
        anomaly.explanation = NAME.to_owned();
        anomaly.topic = NAME.into();
        anomaly.producer = Some(NAME.into());
    }
    report
}

/// A history with nothing in it.
pub(crate) fn empty() -> Report {
    let history = bare(Vec::new());
    report("empty", &history, &judged::nothing("empty"), &[])
}

/// One send whose completion time is damaged.
pub(crate) fn with_a_damaged_time() -> Report {
    of_sends(&[(0, u64::MAX, Outcome::Ok)])
}

/// Sends given by schedule (which is also their invocation), completion and outcome.
pub(crate) fn of_sends(sends: &[(u64, u64, Outcome)]) -> Report {
    let row = |(index, (begin, end, outcome)): (usize, &(u64, u64, Outcome))| SendRow {
        process: ProcessId(0),
        topic: TopicIndex(0),
        partition: Partition(0),
        sequence: Sequence(index as u64),
        bytes: 100,
        scheduled_ns: TimeNs(*begin),
        invoke_ns: TimeNs(*begin),
        complete_ns: TimeNs(*end),
        outcome: *outcome,
        error: 0,
        offset: (*outcome == Outcome::Ok).then_some(Offset(i64::try_from(index).expect("few sends"))),
        broker: None,
    };
    let history = bare(sends.iter().enumerate().map(row).collect());
    report("sends", &history, &judged::nothing("sends"), &[])
}

fn bare(sends: Vec<SendRow>) -> History {
    let mut partitions = BTreeMap::new();
    if !sends.is_empty() {
        partitions.insert((TopicIndex(0), Partition(0)), PartitionHistory { sends, ..PartitionHistory::default() });
    }
    History {
        events: Vec::new(),
        topics: vec!["chat".to_owned()],
        processes: BTreeMap::new(),
        partitions,
        closure: Closure::Cut("there is no run-ended event".to_owned()),
        tally: None,
    }
}

fn report(name: &str, history: &History, verdict: &Verdict, results: &[CheckResult]) -> Report {
    let scenario = scenario(name);
    let verdict = Verdict { scenario: name.to_owned(), ..verdict.clone() };
    build(Inputs {
        history,
        scenario: &scenario,
        scenario_toml: TOML,
        plan: &plan(name),
        environment: &environment(),
        verdict: &verdict,
        results,
        broker_logs: &[],
    })
}

const TOML: &str = r#"name = "kill-one"
description = "Acknowledged records survive a hard kill of a partition's leader."
seed = 42

[cluster]
brokers = 3
config = { "min.insync.replicas" = 2 }

[[topic]]
name = "chat"
partitions = 3
replication-factor = 3

[[fault]]
id = "kill"
at = "5s"
for = "15s"
kill = { target = "leader:chat-1" }

[expect]
duplicate = "allowed"
"#;

fn scenario(name: &str) -> Scenario {
    Scenario {
        name: name.to_owned(),
        description: Some("Acknowledged records survive a hard kill of a partition's leader.".to_owned()),
        seed: Some(42),
        cluster: ClusterSpec {
            kind: ClusterKind::Docker,
            brokers: 3,
            image: None,
            heap_bytes: 512 << 20,
            disk_bytes: None,
            start_limit: Duration::from_secs(120),
            config: BTreeMap::from([("min.insync.replicas".to_owned(), "2".to_owned())]),
            attach: None,
        },
        topics: vec![TopicSpec {
            name: "chat".to_owned(),
            partitions: 3,
            replication_factor: 3,
            config: BTreeMap::new(),
        }],
        producers: vec![ProducerSpec {
            name: "chatters".to_owned(),
            count: 2,
            topic: "chat".to_owned(),
            partitions: Vec::new(),
            rate: Rate::PerSecond(100.0),
            size_bytes: (100, 200),
            keys: 64,
            in_flight: 10_000,
            headers: 0,
            transactions: None,
            config: BTreeMap::new(),
        }],
        groups: vec![GroupSpec {
            name: "chat-consumers".to_owned(),
            topics: vec!["chat".to_owned()],
            members: 2,
            commit: CommitMode::AfterProcess,
            config: BTreeMap::new(),
        }],
        transformers: Vec::new(),
        phases: Phases {
            warmup: Duration::from_secs(5),
            chaos: Duration::from_secs(30),
            recovery: Duration::from_secs(60),
            drain: Duration::from_secs(60),
        },
        faults: vec![FaultSpec {
            id: FaultId("kill".to_owned()),
            kind: FaultKind::Kill(Kill { signal: Signal::Kill }),
            target: Target::Leader(TopicPartition::new("chat", 1)),
            start: Start::At(Duration::from_secs(5)),
            duration: Spread::exactly(Duration::from_secs(15)),
            again: Again::Once,
        }],
        safety: Safety::default(),
        expect: BTreeMap::from([(CheckName::Duplicate, Expectation::Allowed)]),
        evidence: EvidenceFloor::default(),
        thresholds: vec![Threshold { metric: Metric::Unavailability, max: Duration::from_secs(20) }],
    }
}

fn plan(name: &str) -> Plan {
    Plan {
        schema_version: 1,
        scenario: name.to_owned(),
        seed: 42,
        phases: PlannedPhases { warmup_ms: 5_000, chaos_ms: 30_000, recovery_limit_ms: 60_000, drain_limit_ms: 60_000 },
        steps: vec![Step {
            fault: FaultId("kill".to_owned()),
            kind: FaultKind::Kill(Kill { signal: Signal::Kill }),
            target: Target::Leader(TopicPartition::new("chat", 1)),
            draw: vec![2, 3, 1],
            start: PlannedStart::AtMs(5_000),
            duration_ms: 15_000,
            seed: 0,
            series: None,
        }],
        safety: PlannedSafety::default(),
        clients: vec![
            ClientSeed { name: "chatters".to_owned(), index: 0, seed: 11 },
            ClientSeed { name: "chatters".to_owned(), index: 1, seed: 12 },
        ],
    }
}

fn environment() -> Environment {
    Environment {
        run: "20260301T120000Z-42".to_owned(),
        started_utc: "2026-03-01T12:00:00Z".to_owned(),
        wiber_chaos: "0.1.0".to_owned(),
        librdkafka: "2.12.1".to_owned(),
        cluster: "docker".to_owned(),
        image: Some("apache/kafka:4.2.0".to_owned()),
        image_digest: Some("sha256:9f1c".to_owned()),
        engine: Some("Docker 28.0.1, API 1.48".to_owned()),
        host: Some("Debian 12, Linux 6.18".to_owned()),
        cpus: Some(2),
        memory_bytes: Some(24 << 30),
        brokers: (1..=3).map(|id| format!("broker-{id} 127.0.0.1:4000{id}")).collect(),
    }
}

/// An event at a time in milliseconds.
fn at(time_ms: u64, kind: EventKind) -> Event {
    Event { time_ns: TimeNs::from_millis(time_ms), kind }
}

/// A phase's beginning.
fn phase(time_ms: u64, phase: Phase) -> Event {
    at(time_ms, EventKind::PhaseStarted { phase })
}

/// The processes of every made-up run.
fn processes() -> BTreeMap<ProcessId, ProcessRole> {
    let producer = |index| ProcessRole::Producer { name: "chatters".to_owned(), index, incarnation: 0 };
    let consumer = |member| ProcessRole::Consumer { group: "chat-consumers".to_owned(), member, incarnation: 0 };
    BTreeMap::from([
        (ProcessId(0), producer(0)),
        (ProcessId(1), producer(1)),
        (ProcessId(2), consumer(0)),
        (ProcessId(3), consumer(1)),
        (ProcessId(4), ProcessRole::Drain { reader: 0 }),
    ])
}
