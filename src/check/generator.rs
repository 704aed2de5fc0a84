//! Draws whole, valid runs: several producers, partitions with holes, failed and indeterminate sends, groups whose partitions
//! change hands (`consume`), a producer that runs transactions (`transact`), two drain readers and a witness, a broker killed and
//! started again with all its proofs, and three replicas that store the same (`store`).
//!
//! The draw simulates one log a partition: a send is appended at one moment between its invocation and its completion, so
//! that whatever the draws are, nothing that a checker forbids happens.

mod consume;
mod store;
mod transact;
pub(crate) mod transform;

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::fault::kinds::kill::Kill;
use crate::fault::{FaultId, FaultKind, Moment, Observation, Probe, ProcessState, Signal, Standing, Target};
use crate::history::event::FaultStage;
use crate::history::{EventKind, ProcessRole, Seal};
use crate::kafka::{BrokerId, LeaderEpoch, Outcome, ProcessId, RecordId, TimeNs};
use crate::plan::{PlannedStart, Step};

use super::testing::{RunBuilder, id};

pub(crate) use store::BROKERS;

/// Nanoseconds between two appends.
pub(crate) const STEP: u64 = 1_000_000;
/// The drain readers' processes.
pub(crate) const DRAINS: [u32; 2] = [100, 101];

/// The reader that waits for no commits.
pub(crate) const WITNESS: u32 = 110;
/// The process that runs transactions.
pub(crate) const PAYER: u32 = 60;

/// A drawn run, and what only the simulated cluster knows.
#[derive(Clone, Debug)]
pub(crate) struct Drawn {
    pub(crate) run: RunBuilder,
    /// By partition: the log's records in offset order, with the time of the append.
    pub(crate) logs: Vec<Vec<Appended>>,
    /// By partition: the end offset.
    pub(crate) ends: Vec<i64>,
    /// By group and partition: the member that owned it last.
    pub(crate) owners: BTreeMap<(String, i32), u32>,
    /// What lies in the logs and was never committed: partition, record, offset.
    pub(crate) hidden: Vec<(i32, RecordId, i64)>,
    /// The groups' names.
    pub(crate) groups: Vec<String>,
    /// Where owners began that had no choice: nothing else can have stood committed.
    pub(crate) beginnings: Vec<Beginning>,
    /// When broker 2 was killed, which led everything until then.
    struck: u64,
    /// When the drain began.
    drain_began: u64,
    /// The time of the last read or event of a group.
    clock: u64,
}

/// An owner was given a partition of which its group had committed everything below one place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beginning {
    pub(crate) owner: u32,
    pub(crate) partition: i32,
    pub(crate) given: u64,
    /// The place in the log of the last committed record.
    pub(crate) committed: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Appended {
    pub(crate) record: RecordId,
    pub(crate) offset: i64,
    pub(crate) time: u64,
    pub(crate) outcome: Outcome,
}

/// How much to draw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) partitions: u32,
    pub(crate) producers: u32,
    pub(crate) groups: u32,
    pub(crate) sends: u32,
}

impl Shape {
    /// What the damages are tried on.
    pub(crate) const SAMPLE: Self = Self { partitions: 2, producers: 3, groups: 2, sends: 120 };
}

/// Draws a valid run.
pub(crate) fn draw(seed: u64, shape: Shape) -> Drawn {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let partitions = shape.partitions as usize;
    let mut drawn = Drawn {
        run: RunBuilder::new(shape.partitions),
        logs: vec![Vec::new(); partitions],
        ends: vec![0; partitions],
        owners: BTreeMap::new(),
        hidden: Vec::new(),
        groups: (0..shape.groups).map(|group| format!("group-{group}")).collect(),
        beginnings: Vec::new(),
        struck: u64::from(shape.sends) / 3 * STEP,
        drain_began: 0,
        clock: 0,
    };
    let header = EventKind::RunStarted {
        format_version: crate::history::FORMAT_VERSION,
        run: "20260101T000000Z-42".to_owned(),
        scenario: "by-hand".to_owned(),
        seed: 42,
        started_utc: "2026-01-01T00:00:00Z".to_owned(),
        topics: vec!["chat".to_owned()],
        partitions: vec![shape.partitions],
        scenario_crc32: 0,
        plan_crc32: 0,
        asked_crc32: None,
    };
    drawn.run.event(0, header);
    for process in 0..shape.producers {
        let role = ProcessRole::Producer { name: "chatters".to_owned(), index: process, incarnation: 0 };
        drawn.run.event(0, EventKind::ProcessStarted { process: ProcessId(process), role });
    }
    transact::transact(&mut drawn, &mut rng);
    produce(&mut drawn, shape, &mut rng);
    disturb(&mut drawn, shape);
    let loaded = drawn.run.history.events.last().map_or(0, |event| event.time_ns.0);
    for process in (0..shape.producers).chain([PAYER]) {
        let reason = "the load ended".to_owned();
        drawn.run.event(loaded, EventKind::ProcessEnded { process: ProcessId(process), reason });
    }
    drawn.clock = loaded;
    consume::consume(&mut drawn, &mut rng);
    drawn.drain_began = drawn.tick();
    drain(&mut drawn);
    bear_witness(&mut drawn);
    drawn.reseal();
    drawn
}

fn produce(drawn: &mut Drawn, shape: Shape, rng: &mut ChaCha8Rng) {
    let mut next: BTreeMap<(u32, usize), u64> = BTreeMap::new();
    for step in 1..=u64::from(shape.sends) {
        let time = step * STEP;
        let process = rng.random_range(0..shape.producers);
        let partition = rng.random_range(0..drawn.logs.len());
        let sequence = next.entry((process, partition)).or_default();
        let record = id(process, *sequence);
        *sequence += 1;
        let outcome = match rng.random_range(0..10) {
            0 => Outcome::Fail,
            1 => Outcome::Info,
            _ => Outcome::Ok,
        };
        let appended = outcome == Outcome::Ok || (outcome == Outcome::Info && rng.random_bool(0.5));
        let invoked = time - rng.random_range(0..time.min(20 * STEP));
        let completed = time + rng.random_range(1..20 * STEP);
        // What the old leader took in and did not answer in its lifetime the next one acknowledges when it is sent again.
        let (_, answered_by) = drawn.term(completed);
        let mut send = drawn.run.send(process, partition.try_into().expect("few partitions"), record.sequence.0);
        if appended {
            // Transaction markers and compaction leave holes.
            let hole = if rng.random_bool(0.05) { rng.random_range(1..3) } else { 0 };
            let offset = drawn.ends[partition] + hole;
            drawn.ends[partition] = offset + 1;
            drawn.logs[partition].push(Appended { record, offset, time, outcome });
            if outcome == Outcome::Ok {
                send = send.offset(offset).broker(answered_by);
            }
        }
        send.outcome(outcome).times(invoked, completed).push();
    }
    for rows in drawn.run.history.partitions.values_mut() {
        rows.sends.sort_by_key(|send| send.complete_ns);
    }
}

/// Kills broker 2 for the middle third of the load.
fn disturb(drawn: &mut Drawn, shape: Shape) {
    let fault = FaultId("kill".to_owned());
    let (struck, healed) = (u64::from(shape.sends) / 3 * STEP, u64::from(shape.sends) * 2 / 3 * STEP);
    drawn.run.plan.steps.push(Step {
        fault: fault.clone(),
        kind: FaultKind::Kill(Kill { signal: Signal::Kill }),
        target: Target::Broker(BrokerId(2)),
        draw: vec![2, 1, 3],
        start: PlannedStart::AtMs(0),
        duration_ms: 1,
        seed: 0,
        series: None,
    });
    let standing = |registered: bool, in_isr_of| Some(Standing { registered, replica_of: 2, in_isr_of, leads: 0 });
    let running = |started_at: &str| ProcessState::Running { started_at: started_at.to_owned() };
    let look = |moment, process, probe, standing| EventKind::Proof {
        fault: fault.clone(),
        moment,
        target: BrokerId(2),
        observation: Observation { process, probe, standing, sights: Vec::new() },
    };
    let answered = Probe::Answered { elapsed_ms: 3 };
    let inject = |stage| EventKind::Inject { fault: fault.clone(), stage };
    let heal = |stage| EventKind::Heal { fault: fault.clone(), stage };
    let before = running("2026-01-01T00:00:00Z");
    let exited = ProcessState::Exited { exit_code: 137 };
    let events = [
        (struck - 2, look(Moment::Before, before, answered.clone(), standing(true, 2))),
        (struck - 1, inject(FaultStage::Invoke { targets: vec![BrokerId(2).into()] })),
        (struck, inject(FaultStage::Ok)),
        (struck + STEP, look(Moment::During, exited.clone(), Probe::Refused, standing(true, 2))),
        (struck + 6 * STEP, look(Moment::During, exited, Probe::Refused, standing(false, 0))),
        (healed - 1, heal(FaultStage::Invoke { targets: vec![BrokerId(2).into()] })),
        (healed, heal(FaultStage::Ok)),
        (healed + 3 * STEP, look(Moment::After, running("2026-01-01T00:00:09Z"), answered, standing(true, 2))),
        (healed + 4 * STEP, EventKind::ClusterWhole { waited_ms: 4 }),
    ];
    for (time, kind) in events {
        drawn.run.event(time, kind);
    }
}

fn drain(drawn: &mut Drawn) {
    for process in DRAINS {
        drawn.run.drain_reader(process);
        for partition in 0..drawn.logs.len() {
            for Appended { record, offset, .. } in drawn.logs[partition].clone() {
                drawn.read(process, partition.try_into().expect("few partitions"), offset, record);
            }
        }
    }
}

/// One more reader, which is shown everything.
fn bear_witness(drawn: &mut Drawn) {
    drawn.run.history.processes.insert(ProcessId(WITNESS), ProcessRole::Witness);
    for partition in 0..drawn.logs.len() {
        let place = partition.try_into().expect("few partitions");
        let hidden = drawn.hidden.iter().filter(|(there, ..)| *there == place);
        let hidden = hidden.map(|(_, record, offset)| (*offset, *record));
        let shown = drawn.logs[partition].iter().map(|appended| (appended.offset, appended.record));
        let mut all: Vec<_> = hidden.chain(shown).collect();
        all.sort_unstable();
        for (offset, record) in all {
            drawn.read(WITNESS, place, offset, record);
        }
    }
}

impl Drawn {
    /// The next moment.
    fn tick(&mut self) -> u64 {
        self.clock += STEP / 1_000;
        self.clock
    }

    /// A reader reads a record, later than everything before.
    pub(crate) fn read(&mut self, reader: u32, partition: i32, offset: i64, record: RecordId) {
        let (time, epoch) = (self.tick(), self.epoch_at(partition, offset));
        self.run.read_at(time, reader, partition, offset, record);
        self.run.rows(partition).reads.last_mut().expect("it was added").leader_epoch = Some(epoch);
    }

    /// Which leader epoch it was at a time, and who led: in every partition broker 2, until it was killed, then broker 1.
    pub(crate) fn term(&self, time: u64) -> (LeaderEpoch, BrokerId) {
        if time < self.struck { (LeaderEpoch(0), BrokerId(BROKERS[1])) } else { (LeaderEpoch(1), BrokerId(BROKERS[0])) }
    }

    /// Under which epoch an offset was written. What was hidden came before everything else, and what is not known after it.
    pub(crate) fn epoch_at(&self, partition: i32, offset: i64) -> LeaderEpoch {
        let log = &self.logs[usize::try_from(partition).expect("counted from 0")];
        let next = log.partition_point(|appended| appended.offset < offset);
        let time = log.get(next).map_or(u64::MAX, |appended| appended.time);
        self.term(time).0
    }

    /// Writes the events that depend on everything before: end offsets, positions, what the
    /// replicas store, and the closing counts.
    pub(crate) fn reseal(&mut self) {
        let closing = |kind: &EventKind| {
            matches!(kind, EventKind::EndOffsets { .. } | EventKind::Drained { .. } | EventKind::RunEnded { .. })
        };
        self.run.history.events.retain(|event| !closing(&event.kind));
        let ends: Vec<(i32, i64)> = (0i32..).zip(self.ends.iter().copied()).collect();
        let ranges: Vec<(i32, i64, i64)> = ends.iter().map(|(partition, end)| (*partition, 0, *end)).collect();
        self.run.end_offsets(&ranges);
        let told = self.run.history.events.last_mut().expect("it was added");
        told.time_ns = TimeNs(self.drain_began);
        if let EventKind::EndOffsets { ranges } = &mut told.kind {
            for range in ranges {
                range.high_watermark = Some(range.end);
            }
        }
        for (partition, end) in &ends {
            for process in DRAINS.into_iter().chain([WITNESS]) {
                self.run.drained(process, *partition, *end);
            }
            for ((_, owned), owner) in self.owners.clone() {
                if owned == *partition {
                    self.run.drained(owner, *partition, *end);
                }
            }
        }
        self.store();
        self.recount();
    }

    /// Makes `run-ended` count the rows that there are.
    pub(crate) fn recount(&mut self) {
        let end = self.run.history.events.iter().map(|event| event.time_ns).max().unwrap_or(TimeNs(0));
        self.run.history.events.retain(|event| !matches!(event.kind, EventKind::RunEnded { .. }));
        let rows = self.run.history.partitions.values();
        let rows = rows.fold((0, 0), |sum, rows| (sum.0 + rows.sends.len() as u64, sum.1 + rows.reads.len() as u64));
        self.run.event(end.0, EventKind::RunEnded { sends: rows.0, reads: rows.1, seal: Seal::default() });
        self.run.history.events.sort_by_key(|event| event.time_ns);
    }
}
