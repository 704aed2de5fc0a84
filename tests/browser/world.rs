//! Runs that never were, as the recorder would have written them: three brokers, one of which is killed again and again under load.
//! For pages that no mock cluster can give: of records lost, of a fault that did not bite, of an hour.

mod log;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use wiber_chaos::fault::{FaultId, Moment, Observation, Probe, ProcessState, Standing};
use wiber_chaos::history::clock::Clock;
use wiber_chaos::history::event::{FaultStage, LogRange, Position, RevocationCause};
use wiber_chaos::history::recorder::{Recorder, RecorderHandle};
use wiber_chaos::history::{Environment, EventKind, FORMAT_VERSION, Phase, ProcessRole};
use wiber_chaos::kafka::{
    BrokerId, ClusterView, LeaderEpoch, Offset, Outcome, PartitionView, ProcessId, TimeNs, TopicPartition,
};
use wiber_chaos::{plan, scenario};

use log::Log;

/// How many partitions there are, and which of them the killed broker leads.
pub const PARTITIONS: i32 = 3;
pub const STRUCK: i32 = 1;
/// The broker that is killed, and who leads its partition meanwhile.
const VICTIM: BrokerId = BrokerId(2);
const HEIR: BrokerId = BrokerId(3);
/// The producers, the group's members, and the readers of the drain.
pub const PRODUCERS: [u32; 2] = [1, 2];
const MEMBERS: [u32; 2] = [10, 11];
const DRAINS: [u32; 2] = [20, 21];

/// When the phases begin, in milliseconds, up to the chaos.
const OBSERVED_MS: u64 = 3_000;
const WARMUP_MS: u64 = 4_000;
const CHAOS_MS: u64 = 10_000;
/// How long after a kill another leader is elected, and how long after a heal the broker is registered, in every ISR, leading again.
const ELECTED_MS: u64 = 3_000;
const REGISTERED_MS: u64 = 2_000;
const WHOLE_MS: u64 = 4_000;
const PREFERRED_MS: u64 = 6_000;
/// How long after a kill the group's members give their partitions up, and get them back.
const REVOKED_MS: u64 = 1_000;
const ASSIGNED_MS: u64 = 2_500;

/// The events, with their time in milliseconds; put in order when all are there.
type Events = Vec<(u64, EventKind)>;

/// What is wrong with the run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Nothing.
    Valid,
    /// What the killed broker acknowledged last is gone.
    Loses,
    /// The broker that was to be killed went on running.
    NeverBites,
}

/// What a run is like.
#[derive(Clone, Copy)]
pub struct World {
    /// The scenario's name.
    pub name: &'static str,
    /// How long the chaos is, in seconds.
    pub chaos_s: u64,
    /// How often the broker is killed.
    pub strikes: u64,
    /// How many records are sent a second.
    pub per_second: u64,
    pub ending: Ending,
}

impl World {
    /// Writes the run's directory; the check makes the rest of it.
    pub fn write(&self, directory: &Path) {
        fs::create_dir_all(directory).expect("the run's directory");
        let toml = self.scenario_toml();
        let scenario = scenario::parse("scenario.toml", &toml).expect("the scenario is right").scenario;
        let plan_json = plan::to_json(&plan::plan(&scenario, 1));
        let environment = serde_json::to_string(&Self::environment(directory)).expect("an environment is plain data");
        fs::write(directory.join("scenario.toml"), &toml).expect("the scenario");
        fs::write(directory.join("plan.json"), &plan_json).expect("the plan");
        fs::write(directory.join("environment.json"), environment).expect("the environment");
        let header = EventKind::RunStarted {
            format_version: FORMAT_VERSION,
            run: name_of(directory),
            scenario: self.name.to_owned(),
            seed: 1,
            started_utc: "2026-03-01T12:00:00Z".to_owned(),
            topics: vec!["chat".to_owned()],
            partitions: vec![PARTITIONS.unsigned_abs()],
            scenario_crc32: crc32fast::hash(toml.as_bytes()),
            plan_crc32: crc32fast::hash(plan_json.as_bytes()),
            asked_crc32: None,
        };
        let recorder = Recorder::create(&directory.join("history"), Clock::start(), header, None).expect("a recorder");
        self.record(&recorder.handle());
        recorder.finish().expect("the history is written");
    }

    fn scenario_toml(&self) -> String {
        let mut toml = format!(
            "name = \"{}\"\ndescription = \"A broker is killed and started again, {} times.\"\nseed = 1\n\
             [cluster]\nkind = \"mock\"\nbrokers = 3\n[[topic]]\nname = \"chat\"\npartitions = {PARTITIONS}\n\
             replication-factor = 3\n[[producer]]\nname = \"chatters\"\ncount = 2\ntopic = \"chat\"\nrate = \"{}/s\"\n\
             config = {{ acks = \"all\" }}\n[[consumer-group]]\nname = \"readers\"\ntopics = [\"chat\"]\nmembers = 2\n\
             [phases]\nwarmup = \"6s\"\nchaos = \"{}s\"\nrecovery = \"10s\"\ndrain = \"10s\"\n",
            self.name, self.strikes, self.per_second, self.chaos_s
        );
        for strike in 0..self.strikes {
            let [from, to] = [self.killed_ms(strike), self.healed_ms(strike)];
            let (at, lasts) = (from - CHAOS_MS, to - from);
            write!(
                toml,
                "[[fault]]\nid = \"kill-{}\"\nat = \"{at}ms\"\nfor = \"{lasts}ms\"\nkill = {{ target = \"broker:2\" }}\n",
                strike + 1
            )
            .expect("a String takes all");
        }
        toml
    }

    fn environment(directory: &Path) -> Environment {
        Environment {
            run: name_of(directory),
            started_utc: "2026-03-01T12:00:00Z".to_owned(),
            wiber_chaos: env!("CARGO_PKG_VERSION").to_owned(),
            cluster: "mock".to_owned(),
            brokers: (1..=3).map(|id| format!("broker-{id} 127.0.0.1:4000{id}")).collect(),
            ..Environment::default()
        }
    }

    fn apart_ms(&self) -> u64 {
        self.chaos_s * 1_000 / self.strikes.max(1)
    }

    /// When the broker is killed.
    fn killed_ms(&self, strike: u64) -> u64 {
        CHAOS_MS + self.apart_ms() * strike + self.apart_ms() / 5
    }

    /// When it is started again.
    fn healed_ms(&self, strike: u64) -> u64 {
        self.killed_ms(strike) + (self.apart_ms() / 3).min(30_000)
    }

    /// When the load ends.
    fn drain_ms(&self) -> u64 {
        CHAOS_MS + self.chaos_s * 1_000 + 2_000
    }

    /// Whether the strikes do anything.
    fn bites(&self) -> bool {
        self.ending != Ending::NeverBites
    }

    fn record(&self, handle: &RecorderHandle) {
        let logs: Vec<Log> = (0..PARTITIONS).map(|partition| Log::of(self, partition)).collect();
        let mut events = Events::new();
        Self::begin(&mut events);
        for strike in 0..self.strikes {
            self.strike(&mut events, strike, &logs);
        }
        self.end(&mut events, &logs);
        events.sort_by_key(|(ms, _)| *ms);
        for (ms, kind) in events {
            handle.event_at(TimeNs::from_millis(ms), kind);
        }
        for log in &logs {
            handle.sends(log.sends.clone());
            handle.reads(log.reads_of(MEMBERS[usize::from(log.partition == 2)]));
            for process in DRAINS {
                handle.reads(log.drained_by(process, self.drain_ms() + 300));
            }
        }
    }

    fn begin(events: &mut Events) {
        let started = |process: u32, role| EventKind::ProcessStarted { process: ProcessId(process), role };
        at(events, 40, EventKind::PhaseStarted { phase: Phase::Start });
        at(events, OBSERVED_MS, observed(&[1, 2, 3], VICTIM, 3, 0));
        at(events, WARMUP_MS, EventKind::PhaseStarted { phase: Phase::Warmup });
        for (index, process) in (0..).zip(PRODUCERS) {
            let role = ProcessRole::Producer { name: "chatters".to_owned(), index, incarnation: 0 };
            at(events, WARMUP_MS, started(process, role));
        }
        for (member, process) in (0..).zip(MEMBERS) {
            let role = ProcessRole::Consumer { group: "readers".to_owned(), member, incarnation: 0 };
            at(events, WARMUP_MS, started(process, role));
            at(events, WARMUP_MS, EventKind::Assigned { process: ProcessId(process), partitions: owned_by(process) });
        }
        at(events, CHAOS_MS, EventKind::PhaseStarted { phase: Phase::Chaos });
    }

    fn strike(&self, events: &mut Events, strike: u64, logs: &[Log]) {
        let (killed, healed) = (self.killed_ms(strike), self.healed_ms(strike));
        let fault = FaultId(format!("kill-{}", strike + 1));
        let targets = vec![VICTIM.into()];
        let invoke = FaultStage::Invoke { targets };
        let inject = |stage| EventKind::Inject { fault: fault.clone(), stage };
        let heal = |stage| EventKind::Heal { fault: fault.clone(), stage };
        let look = |moment, observation| EventKind::Proof { fault: fault.clone(), moment, target: VICTIM, observation };
        let (lives, dead) = (running(strike), if self.bites() { exited() } else { running(strike) });
        let next = if self.bites() { running(strike + 1) } else { running(strike) };
        at(events, killed - 60, look(Moment::Before, lives));
        at(events, killed - 50, inject(invoke.clone()));
        at(events, killed, inject(FaultStage::Ok));
        at(events, killed + 200, look(Moment::During, dead));
        if self.bites() {
            self.aftermath(events, strike, logs);
        }
        at(events, healed - 500, heal(invoke));
        at(events, healed, heal(FaultStage::Ok));
        at(events, healed + 1_500, look(Moment::After, next));
        at(events, healed + WHOLE_MS + 100, EventKind::ClusterWhole { waited_ms: WHOLE_MS + 100 });
    }

    /// What the cluster and the group make of a kill.
    fn aftermath(&self, events: &mut Events, strike: u64, logs: &[Log]) {
        let (killed, healed) = (self.killed_ms(strike), self.healed_ms(strike));
        let epoch = Self::epoch_before(strike);
        for process in PRODUCERS {
            let (code, message) = ("_TRANSPORT".to_owned(), "127.0.0.1:40002/2: connection refused".to_owned());
            at(events, killed + 20, EventKind::ClientError { process: ProcessId(process), code, message });
        }
        for process in MEMBERS {
            let (process_id, partitions) = (ProcessId(process), owned_by(process));
            let revoked = killed + REVOKED_MS;
            let own = logs.iter().filter(|log| partitions.iter().any(|own| own.partition.0 == log.partition));
            let positions: Vec<Position> = own.map(|log| log.position_at(revoked)).collect();
            let commit = EventKind::Committed { process: process_id, outcome: Outcome::Ok, positions, error: None };
            let cause = RevocationCause::Rebalance;
            at(events, revoked, commit);
            at(events, revoked, EventKind::Revoked { process: process_id, partitions: partitions.clone(), cause });
            at(events, killed + ASSIGNED_MS, EventKind::Assigned { process: process_id, partitions });
        }
        at(events, killed + ELECTED_MS, observed(&[1, 3], HEIR, 2, epoch + 1));
        at(events, healed + REGISTERED_MS, observed(&[1, 2, 3], HEIR, 2, epoch + 1));
        at(events, healed + WHOLE_MS, observed(&[1, 2, 3], HEIR, 3, epoch + 1));
        at(events, healed + PREFERRED_MS, observed(&[1, 2, 3], VICTIM, 3, epoch + 2));
    }

    /// The leader epoch of the struck partition before a strike: each one takes it to another leader and back.
    fn epoch_before(strike: u64) -> i32 {
        i32::try_from(strike * 2).expect("few strikes")
    }

    fn end(&self, events: &mut Events, logs: &[Log]) {
        let drain = self.drain_ms();
        at(events, drain - 2_000, EventKind::PhaseStarted { phase: Phase::Recovery });
        at(events, drain - 1_900, EventKind::ClusterWhole { waited_ms: 100 });
        at(events, drain, EventKind::PhaseStarted { phase: Phase::Drain });
        let range = |log: &Log| {
            let (partition, start, end) = (named(log.partition), Offset(0), Offset(log.end));
            LogRange { partition, start, end, high_watermark: Some(end) }
        };
        at(events, drain + 100, EventKind::EndOffsets { ranges: logs.iter().map(range).collect() });
        let position = |log: &Log| Position { partition: named(log.partition), offset: Offset(log.end) };
        let ended = drain + 3_000;
        for (reader, process) in (0..).zip(DRAINS) {
            let role = ProcessRole::Drain { reader };
            at(events, drain + 200, EventKind::ProcessStarted { process: ProcessId(process), role });
            let positions = logs.iter().map(position).collect();
            at(events, ended - 100, EventKind::Drained { process: ProcessId(process), positions });
        }
        for process in MEMBERS {
            let own = logs.iter().filter(|log| owned_by(process).iter().any(|own| own.partition.0 == log.partition));
            let positions = own.map(position).collect();
            at(events, ended - 100, EventKind::Drained { process: ProcessId(process), positions });
        }
        for process in PRODUCERS.into_iter().chain(MEMBERS).chain(DRAINS) {
            let reason = "the load ended".to_owned();
            at(events, ended, EventKind::ProcessEnded { process: ProcessId(process), reason });
        }
        at(events, ended + 100, EventKind::PhaseStarted { phase: Phase::Stop });
    }
}

fn name_of(directory: &Path) -> String {
    directory.file_name().expect("a run has a name").to_string_lossy().into_owned()
}

fn at(events: &mut Events, ms: u64, kind: EventKind) {
    events.push((ms, kind));
}

fn named(partition: i32) -> TopicPartition {
    TopicPartition::new("chat", partition)
}

fn owned_by(member: u32) -> Vec<TopicPartition> {
    if member == MEMBERS[0] { vec![named(0), named(1)] } else { vec![named(2)] }
}

/// A broker that runs and answers, in its n-th life.
fn running(life: u64) -> Observation {
    Observation {
        process: ProcessState::Running { started_at: format!("2026-03-01T{:02}:{:02}:00Z", 12 + life / 60, life % 60) },
        probe: Probe::Answered { elapsed_ms: 3 },
        standing: Some(Standing { registered: true, replica_of: 3, in_isr_of: 3, leads: 1 }),
        sights: Vec::new(),
    }
}

fn exited() -> Observation {
    Observation {
        process: ProcessState::Exited { exit_code: 137 },
        probe: Probe::Refused,
        standing: Some(Standing { registered: false, replica_of: 3, in_isr_of: 0, leads: 0 }),
        sights: Vec::new(),
    }
}

/// The cluster as its metadata shows it: who is registered, who leads the struck partition in which epoch, how large the ISRs are.
fn observed(brokers: &[i32], leader: BrokerId, isr: usize, epoch: i32) -> EventKind {
    let ids = |ids: &[i32]| ids.iter().map(|id| BrokerId(*id)).collect::<Vec<_>>();
    let partition = |partition: i32| PartitionView {
        partition: named(partition),
        leader: Some(if partition == STRUCK { leader } else { BrokerId(partition + 1) }),
        leader_epoch: Some(LeaderEpoch(if partition == STRUCK { epoch } else { 0 })),
        replicas: ids(&[1, 2, 3]),
        isr: ids(if isr == 3 { &[1, 2, 3] } else { &[1, 3] }),
    };
    let view = ClusterView {
        brokers: ids(brokers),
        controller: Some(BrokerId(1)),
        controller_epoch: None,
        partitions: (0..PARTITIONS).map(partition).collect(),
    };
    EventKind::ClusterObserved { view }
}
