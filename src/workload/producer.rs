//! A producer: one thread, one librdkafka client, thousands of records in flight, each accounted for.
//!
//! The client is polled by the thread that sends, so that sends, delivery reports and rows need no other thread. Records
//! fall due by the clock ([`super::pace`]) and wait when the in-flight limit is reached. A fatal error (of idempotence, say)
//! ends the client: what was in flight is resolved by the outcome table, and the producer lives on as a new process.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, PurgeConfig};
use rdkafka::types::RDKafkaErrorCode;

use super::close;
use super::counters::{Counters, ProcessIds};
use super::errors::ClientErrors;
use super::held::{Cause, Held};
use super::in_flight::{Pending, SendContext, error_code};
use super::outcome::Acks;
use super::pace::Pace;
use super::payload::{self, MIN_BYTES, Place, RunTag, Stamp, splitmix64};
use crate::history::recorder::RecorderHandle;
use crate::history::{EventKind, ProcessRole};
use crate::kafka::{Outcome, Partition, ProcessId, RecordId, Sequence, TimeNs, TopicIndex};
use crate::scenario::Rate;

/// How many records are sent between two polls.
const BURST: usize = 128;
/// Rows go to the recorder in batches of this many, or this often.
const ROWS_PER_BATCH: usize = 4096;
const ROWS_EVERY_NS: u64 = 100_000_000;
/// How long the thread sleeps at most while it has nothing to send or may not.
const NAP: Duration = Duration::from_millis(1);
/// How long a producer waits after librdkafka refused a record for good, lest refusals flood the history.
const AFTER_REFUSAL: Duration = Duration::from_millis(10);
/// How long purged records may take to be reported.
const PURGE_LIMIT: Duration = Duration::from_secs(5);
/// Lives begin this far apart at least.
const BETWEEN_LIVES: Duration = Duration::from_secs(1);

/// What a producer is to do.
pub struct Assignment {
    /// The scenario's name for it.
    pub name: String,
    /// Which of that name.
    pub index: u32,
    /// The topic's name.
    pub topic: String,
    /// The topic.
    pub topic_index: TopicIndex,
    /// The partitions it sends to; never empty.
    pub partitions: Vec<Partition>,
    /// How fast.
    pub rate: Rate,
    /// Payload sizes, both ends included.
    pub size_bytes: (u32, u32),
    /// How many distinct keys.
    pub keys: u32,
    /// How many records may be in flight.
    pub in_flight: u32,
    /// The seed of keys and sizes.
    pub seed: u64,
    /// What an acknowledgement means.
    pub acks: Acks,
    /// The client's configuration.
    pub config: ClientConfig,
}

/// What all clients of a load share.
#[derive(Clone)]
pub struct Shared {
    /// The run, as payloads name it.
    pub run: RunTag,
    /// Where everything is recorded.
    pub recorder: RecorderHandle,
    /// The live totals.
    pub counters: Arc<Counters>,
    /// Hands out process ids.
    pub ids: Arc<ProcessIds>,
}

/// Tells producers to stop.
#[derive(Debug, Default)]
pub struct StopOrder {
    given: AtomicBool,
    deadline: OnceLock<Instant>,
}

impl StopOrder {
    /// Stops scheduling; what is in flight may take until `deadline`. The first order stands.
    pub fn give(&self, deadline: Instant) {
        self.deadline.get_or_init(|| deadline);
        self.given.store(true, Ordering::Release);
    }

    fn deadline(&self) -> Option<Instant> {
        if self.given.load(Ordering::Acquire) { self.deadline.get().copied() } else { None }
    }
}

/// A producer with its first client made, ready to run.
pub struct Producer {
    assignment: Assignment,
    shared: Shared,
    stop: Arc<StopOrder>,
    lives: u32,
    life: Option<Life>,
    choices: Choices,
}

impl Producer {
    /// Makes the first client; an error here is one of configuration.
    pub fn new(assignment: Assignment, shared: Shared, stop: Arc<StopOrder>) -> KafkaResult<Self> {
        let choices = Choices { state: assignment.seed, number: 0, draft: None };
        let mut producer = Self { assignment, shared, stop, lives: 0, life: None, choices };
        producer.life = Some(producer.begin_life()?);
        Ok(producer)
    }

    /// Sends until told to stop, then resolves what is in flight. Blocks the thread.
    pub fn run(mut self) {
        let pace = Pace::new(self.shared.recorder.now(), self.assignment.rate);
        while let Some(mut life) = self.life.take() {
            let born = Instant::now();
            let end = life.send_until_the_end(&self.assignment, &self.shared, &self.stop, &pace, &mut self.choices);
            let (deadline, reason) = match end {
                End::Told(deadline) => (deadline, "the load ended"),
                End::Fatal => (Instant::now(), "a fatal error of the client"),
            };
            life.close(&self.shared, deadline, reason);
            if matches!(end, End::Fatal) {
                self.life = self.live_again(born);
            }
        }
    }

    fn live_again(&mut self, born: Instant) -> Option<Life> {
        let mut not_before = born + BETWEEN_LIVES;
        loop {
            while Instant::now() < not_before {
                if self.stop.deadline().is_some() {
                    return None;
                }
                std::thread::sleep(NAP);
            }
            match self.begin_life() {
                Ok(life) => return Some(life),
                Err(error) => {
                    let Assignment { name, index, .. } = &self.assignment;
                    let message = format!("cannot make a new client for {name}/{index}: {error}");
                    self.shared.recorder.event(EventKind::HarnessError { message });
                    not_before = Instant::now() + BETWEEN_LIVES;
                }
            }
        }
    }

    fn begin_life(&mut self) -> KafkaResult<Life> {
        let assignment = &self.assignment;
        let Shared { recorder, counters, ids, .. } = &self.shared;
        let process = ids.next();
        let errors = ClientErrors::new(process, recorder.clone());
        let table = (process, assignment.topic_index, assignment.in_flight.max(1) as usize);
        let context = SendContext::new(errors, recorder.clock(), assignment.acks, Arc::clone(counters), table);
        let client = assignment.config.create_with_context(context)?;
        let role =
            ProcessRole::Producer { name: assignment.name.clone(), index: assignment.index, incarnation: self.lives };
        self.lives += 1;
        let label = role.label();
        recorder.event(EventKind::ProcessStarted { process, role });
        Ok(Life {
            process,
            label,
            client,
            sequences: vec![0; assignment.partitions.len()],
            payload: Vec::new(),
            key: Vec::new(),
            held: Held::new(process, recorder.now()),
            rows_sent_ns: recorder.now(),
        })
    }
}

/// What chance decides for each record, by the seed. Goes on from one life to the next.
struct Choices {
    state: u64,
    number: u64,
    draft: Option<Draft>,
}

/// A record that is due, and keeps its key and size until librdkafka takes it.
#[derive(Clone, Copy)]
struct Draft {
    number: u64,
    key: u32,
    bytes: u32,
}

impl Choices {
    /// The record to be sent next, if one is due.
    fn next(&mut self, due: u64, assignment: &Assignment) -> Option<Draft> {
        if self.draft.is_none() && self.number < due {
            let (least, most) = assignment.size_bytes;
            let span = u64::from(most.saturating_sub(least)) + 1;
            let key = splitmix64(&mut self.state) % u64::from(assignment.keys.max(1));
            let extra = splitmix64(&mut self.state) % span;
            #[expect(clippy::cast_possible_truncation, reason = "remainders of 32-bit numbers")]
            let (key, extra) = (key as u32, extra as u32);
            let bytes = least.saturating_add(extra).max(MIN_BYTES);
            self.draft = Some(Draft { number: self.number, key, bytes });
            self.number += 1;
        }
        self.draft
    }
}

enum End {
    Told(Instant),
    Fatal,
}

/// What one attempt to send came to.
enum Attempt {
    Taken,
    Full(Cause),
    Refused,
    Fatal,
}

/// What one burst of attempts came to.
enum Burst {
    /// There may be more to send at once.
    Sent,
    /// Nothing is due.
    Idle,
    Full(Cause),
    Refused,
    Fatal,
}

/// One incarnation: a client, its process id, and its sequence numbers.
struct Life {
    process: ProcessId,
    label: String,
    client: BaseProducer<SendContext>,
    sequences: Vec<u64>,
    payload: Vec<u8>,
    key: Vec<u8>,
    held: Held,
    rows_sent_ns: TimeNs,
}

impl Life {
    fn send_until_the_end(
        &mut self,
        assignment: &Assignment,
        shared: &Shared,
        stop: &StopOrder,
        pace: &Pace,
        choices: &mut Choices,
    ) -> End {
        loop {
            if let Some(deadline) = stop.deadline() {
                return End::Told(deadline);
            }
            if self.client.context().errors.is_fatal() {
                return End::Fatal;
            }
            match self.burst(assignment, shared, pace, choices) {
                Burst::Sent => self.client.poll(Duration::ZERO),
                Burst::Idle => self.client.poll(NAP),
                Burst::Refused => self.client.poll(AFTER_REFUSAL),
                Burst::Fatal => return End::Fatal,
                Burst::Full(cause) => {
                    let start = Instant::now();
                    self.client.poll(NAP);
                    // At the greatest rate the in-flight limit is the pace, not a hindrance to it.
                    if pace.is_open() || cause != Cause::InFlight {
                        self.held.add(cause, start.elapsed());
                    }
                }
            }
            self.hand_over_rows(shared, ROWS_PER_BATCH);
            self.held.tell(&shared.recorder);
        }
    }

    fn burst(&mut self, assignment: &Assignment, shared: &Shared, pace: &Pace, choices: &mut Choices) -> Burst {
        let due = pace.due(shared.recorder.now());
        for _ in 0..BURST {
            let Some(draft) = choices.next(due, assignment) else { return Burst::Idle };
            match self.attempt(assignment, shared, pace, draft) {
                Attempt::Taken => choices.draft = None,
                Attempt::Refused => {
                    choices.draft = None;
                    return Burst::Refused;
                }
                Attempt::Full(cause) => return Burst::Full(cause),
                Attempt::Fatal => return Burst::Fatal,
            }
        }
        Burst::Sent
    }

    /// Hands one record to librdkafka. `invoke_ns` is taken before, so that no record can be in a log before it.
    fn attempt(&mut self, assignment: &Assignment, shared: &Shared, pace: &Pace, draft: Draft) -> Attempt {
        let chosen = draft.key as usize % assignment.partitions.len();
        let partition = assignment.partitions[chosen];
        let sequence = Sequence(self.sequences[chosen]);
        let invoke_ns = shared.recorder.now();
        let scheduled_ns = pace.scheduled(draft.number, invoke_ns);
        let pending = Pending { partition, sequence, bytes: draft.bytes, scheduled_ns, invoke_ns };
        let context = self.client.context();
        let Some(slot) = context.ledger().enter(pending) else { return Attempt::Full(Cause::InFlight) };

        self.key.clear();
        write!(self.key, "k{}", draft.key).expect("a vector takes every write");
        let record = RecordId { process: self.process, sequence };
        let target = Place { topic: assignment.topic_index, partition };
        let stamp = Stamp { run: shared.run, record, place: target, send_ns: invoke_ns, bytes: draft.bytes };
        payload::encode(&mut self.payload, &stamp, &self.key);
        let message = BaseRecord::with_opaque_to(&assignment.topic, slot)
            .partition(partition.0)
            .key(self.key.as_slice())
            .payload(self.payload.as_slice());
        match self.client.send(message).map_err(|(error, _)| error) {
            Ok(()) => {
                self.sequences[chosen] += 1;
                shared.counters.add_sent();
                Attempt::Taken
            }
            Err(KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) => {
                context.ledger().withdraw(slot);
                Attempt::Full(Cause::ClientQueue)
            }
            Err(KafkaError::MessageProduction(RDKafkaErrorCode::Fatal)) => {
                context.ledger().withdraw(slot);
                Attempt::Fatal
            }
            Err(error) => {
                context.ledger().refuse(slot, error_code(&error), shared.recorder.now());
                context.errors.note(&error, &format!("a record was refused: {error}"));
                self.sequences[chosen] += 1;
                shared.counters.add_sent();
                shared.counters.add_outcome(Outcome::Fail);
                Attempt::Refused
            }
        }
    }

    /// Gives the recorder the rows that wait, if they are `enough` or have waited long.
    fn hand_over_rows(&mut self, shared: &Shared, enough: usize) {
        let now = shared.recorder.now();
        let rows = {
            let mut ledger = self.client.context().ledger();
            let waiting = ledger.waiting();
            if waiting == 0 || (waiting < enough && now.since(self.rows_sent_ns) < ROWS_EVERY_NS) {
                return;
            }
            ledger.take_rows()
        };
        self.rows_sent_ns = now;
        shared.counters.note_acked_ends(&rows);
        self.held.add(Cause::Recorder, shared.recorder.sends(rows));
    }

    /// Waits for what is in flight until `deadline`, purges the rest, accounts for all of it, and lets the client go.
    fn close(mut self, shared: &Shared, deadline: Instant, reason: &str) {
        self.poll_until_settled(shared, deadline);
        if self.client.context().ledger().in_flight() > 0 {
            self.client.purge(PurgeConfig::default().queue().inflight().non_blocking());
            self.poll_until_settled(shared, Instant::now() + PURGE_LIMIT);
        }
        let (invoked, resolved, unexpected) = {
            let mut ledger = self.client.context().ledger();
            for _ in 0..ledger.abandon(shared.recorder.now()) {
                shared.counters.add_outcome(Outcome::Info);
            }
            (ledger.invoked, ledger.resolved, ledger.unexpected)
        };
        self.hand_over_rows(shared, 0);
        let Shared { recorder, .. } = shared;
        if invoked != resolved || unexpected > 0 {
            let message = format!(
                "{} invoked {invoked} sends but accounted for {resolved}, with {unexpected} reports of no send",
                self.label
            );
            recorder.event(EventKind::HarnessError { message });
        }
        self.client.context().errors.mute();
        recorder.event(EventKind::ProcessEnded { process: self.process, reason: reason.to_owned() });
        close::destroy(self.client, &self.label, recorder, close::DESTROY_LIMIT);
    }

    fn poll_until_settled(&mut self, shared: &Shared, deadline: Instant) {
        while self.client.context().ledger().in_flight() > 0 && Instant::now() < deadline {
            self.client.poll(NAP * 5);
            self.hand_over_rows(shared, ROWS_PER_BATCH);
        }
    }
}
