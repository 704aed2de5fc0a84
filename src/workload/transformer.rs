//! A transformer: one instance of an application that consumes, transforms and produces, one thread and two clients.
//!
//! What its consumer reads, its producer writes on: for each record one of the same size and key, to the partition of the same
//! number. That happens in transactions, each of which holds the offsets of what it was made of, so that both count or neither
//! does (KIP-98). After an abort the instance goes back to where the aborted transaction had begun; in the history a new
//! ownership interval begins there. A partition that is taken away ends the transaction under way by its abort, before the next
//! record is read; should the instance learn of it late, the coordinator refuses its offsets (KIP-447).
//!
//! A life that does not know how its transaction ended is over, and both clients with it: the next one begins where the group
//! stands, which is where the coordinator lets it be known once nothing is open any more.

mod inflow;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::KafkaResult;
use rdkafka::producer::Producer as _;

use super::in_flight::Pending;
use super::producer;
use super::producer::life::{Attempt, Invoked, Life as Outflow};
use super::progress::{Order, Progress};
use super::serve::{rest, serve};
use super::shared::Shared;
use super::transaction::{self, Next, Offered, Offsets, Transactions};
use crate::history::{EventKind, SourceRow};
use crate::kafka::{ReadStatus, Sequence};
use crate::scenario::OffsetsCommitted;
use crate::workload::outcome::TransactionEnd;
use inflow::{Arrival, Inflow};

/// How long the thread rests while it has nothing to do.
const NAP: Duration = Duration::from_millis(1);
/// How long a record waits for room in the client's queue before its transaction is given up.
const ROOM_LIMIT: Duration = Duration::from_secs(5);
/// Rows of sources go to the recorder in batches of this many at least, and when a transaction ends.
const ROWS_PER_BATCH: usize = 4096;
/// How often offsets are committed by the group itself, where they are: as an application's timer would.
const AFTERWARDS_EVERY: Duration = Duration::from_secs(5);
/// How often a draining instance asks where it stands in partitions of which it read nothing.
const LOOK_UP_EVERY: Duration = Duration::from_millis(500);
/// Lives begin this far apart at least.
const BETWEEN_LIVES: Duration = Duration::from_secs(1);
/// How much longer than the drain the end of a transaction may take.
const END_GRACE: Duration = Duration::from_secs(10);

/// What a transformer is to do.
#[derive(Clone)]
pub struct Assignment {
    /// Its group, which bears its name.
    pub group: String,
    /// The topic it reads.
    pub from: String,
    /// Its member's configuration.
    pub config: ClientConfig,
    /// What its producer is to do; which instance it is stands there.
    pub out: producer::Assignment,
    /// Where it commits the offsets of what it has read.
    pub offsets: OffsetsCommitted,
}

/// One instance with its first clients made, ready to run.
pub struct Transformer {
    assignment: Assignment,
    shared: Shared,
    progress: Arc<Progress>,
    abort: Arc<AtomicBool>,
    lives: u32,
    life: Option<Life>,
}

impl Transformer {
    /// Makes the first clients; an error here is one of configuration.
    pub fn new(
        assignment: Assignment,
        shared: Shared,
        progress: Arc<Progress>,
        abort: Arc<AtomicBool>,
    ) -> KafkaResult<Self> {
        let mut transformer = Self { assignment, shared, progress, abort, lives: 0, life: None };
        transformer.life = Some(transformer.begin_life()?);
        Ok(transformer)
    }

    /// Transforms until its group has reached the end offsets, through as many lives as that takes. Blocks the thread.
    pub fn run(mut self) {
        while let Some(mut life) = self.life.take() {
            let born = Instant::now();
            let end = life.transform_until_the_end(&self.assignment, &self.shared, &self.progress, &self.abort);
            life.close(&self.shared, &self.progress, end);
            if end == End::Fatal {
                self.life = self.live_again(born);
            }
        }
    }

    fn live_again(&mut self, born: Instant) -> Option<Life> {
        let mut not_before = born + BETWEEN_LIVES;
        loop {
            while Instant::now() < not_before {
                let is_over = matches!(self.progress.order(), Order::Done | Order::OutOfTime);
                if is_over || self.abort.load(Ordering::Relaxed) {
                    return None;
                }
                std::thread::sleep(NAP);
            }
            match self.begin_life() {
                Ok(life) => return Some(life),
                Err(error) => {
                    let Assignment { group, out, .. } = &self.assignment;
                    let message = format!("cannot make new clients for {group}/{}: {error}", out.index);
                    self.shared.recorder.event(EventKind::HarnessError { message });
                    not_before = Instant::now() + BETWEEN_LIVES;
                }
            }
        }
    }

    fn begin_life(&mut self) -> KafkaResult<Life> {
        let inflow = Inflow::begin(&self.assignment, &self.shared, &self.progress, self.lives)?;
        let outflow = match Outflow::begin(&self.assignment.out, &self.shared, self.lives) {
            Ok(outflow) => outflow,
            Err(error) => {
                inflow.close(&self.shared, &self.progress, End::Fatal);
                return Err(error);
            }
        };
        self.lives += 1;
        let (sources, made, committed) = (Vec::new(), 0, Instant::now());
        Ok(Life { inflow, outflow, sources, made, committed })
    }
}

/// Why a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The group reached the end offsets.
    Drained,
    /// It did not in time.
    OutOfTime,
    /// The run was given up.
    Aborted,
    /// One of the clients is of no use any more, or nobody knows how its transaction ended.
    Fatal,
}

impl End {
    fn reason(self) -> &'static str {
        match self {
            Self::Drained => "the group reached the end offsets",
            Self::OutOfTime => "the group did not reach the end offsets in time",
            Self::Aborted => "the run was given up",
            Self::Fatal => "a client was of no use any more, or nobody knows how its transaction ended",
        }
    }
}

/// One incarnation: two clients, each with a process id of its own.
struct Life {
    inflow: Inflow,
    outflow: Outflow,
    /// What the records that were handed over were made of, since the last time that was told.
    sources: Vec<SourceRow>,
    /// How many records were made.
    made: u64,
    /// When the group committed by itself last.
    committed: Instant,
}

impl Life {
    fn transform_until_the_end(
        &mut self,
        assignment: &Assignment,
        shared: &Shared,
        progress: &Progress,
        abort: &AtomicBool,
    ) -> End {
        let given_up = || abort.load(Ordering::Relaxed).then(Instant::now);
        let deadline = || given_up().or_else(|| progress.goal().map(|(_, deadline)| deadline + END_GRACE));
        if let Err(error) = Transactions::claim(&self.outflow.client, deadline) {
            let reason = format!("the transactional id could not be claimed: {error}");
            self.outflow.client.context().errors.note(&error, &reason);
            return match deadline() {
                Some(_) if abort.load(Ordering::Relaxed) => End::Aborted,
                Some(deadline) if Instant::now() >= deadline => End::OutOfTime,
                _ => End::Fatal,
            };
        }
        let mut looked_up = Instant::now();
        loop {
            match progress.order() {
                Order::Done => return End::Drained,
                Order::OutOfTime => return End::OutOfTime,
                Order::Drain if looked_up.elapsed() >= LOOK_UP_EVERY => {
                    self.inflow.look_up_positions();
                    looked_up = Instant::now();
                }
                Order::Drain | Order::Run => {}
            }
            if abort.load(Ordering::Relaxed) {
                return End::Aborted;
            }
            if transaction::is_dead(&self.outflow.client) || self.inflow.is_fatal() {
                return End::Fatal;
            }
            if self.inflow.was_disturbed() {
                self.transactions().spoil();
            }
            if self.transactions().is_over() && self.end_transaction(assignment, shared, deadline) == Next::NewLife {
                return End::Fatal;
            }
            self.commit_afterwards(assignment);
            match self.inflow.poll() {
                Some(arrival) => self.pass_on(assignment, shared, &arrival),
                None => drop(serve(&self.outflow.client)),
            }
        }
    }

    fn transactions(&mut self) -> &mut Transactions {
        self.outflow.transactions.as_mut().expect("a transformer's producer runs transactions")
    }

    /// Writes what is to be made of a record. What cannot be written spoils the transaction, so that it is read again.
    fn pass_on(&mut self, assignment: &Assignment, shared: &Shared, arrival: &Arrival) {
        let Outflow { client, transactions, sequences, .. } = &mut self.outflow;
        let transactions = transactions.as_mut().expect("a transformer's producer runs transactions");
        if let Err(error) = transactions.begin(client, self.made, sequences) {
            client.context().errors.note(&error, &format!("a transaction could not begin: {error}"));
            self.inflow.go_back(shared);
            return rest(&self.outflow.client, NAP);
        }
        // What is not a record of this run has been passed by, and is not made anything of.
        if arrival.row.status == ReadStatus::Intact && !self.write(assignment, shared, arrival) {
            self.transactions().spoil();
        }
    }

    /// Whether librdkafka took it.
    fn write(&mut self, assignment: &Assignment, shared: &Shared, arrival: &Arrival) -> bool {
        let out = &assignment.out;
        let chosen = arrival.row.partition.0.unsigned_abs() as usize % out.partitions.len();
        let sequence = Sequence(self.outflow.sequences[chosen]);
        let now = shared.recorder.now();
        let (partition, bytes) = (out.partitions[chosen], arrival.row.bytes);
        let pending = Pending { partition, sequence, bytes, scheduled_ns: now, invoke_ns: now };
        let Some(slot) = self.outflow.client.context().ledger().enter(pending) else { return false };
        let invoked = Invoked { slot, chosen, pending };
        let room_until = Instant::now() + ROOM_LIMIT;
        loop {
            match self.outflow.send(out, shared, &invoked, arrival.key.as_deref()) {
                Attempt::Taken => break,
                Attempt::Full(_) if Instant::now() < room_until => rest(&self.outflow.client, NAP),
                Attempt::Refused => {
                    shared.count_sent(1);
                    return false;
                }
                Attempt::Full(_) | Attempt::Spoilt | Attempt::Fatal => {
                    self.outflow.client.context().ledger().withdraw(slot);
                    return false;
                }
            }
        }
        shared.count_sent(1);
        self.made += 1;
        self.transactions().add(1);
        self.sources.push(SourceRow {
            process: self.outflow.process,
            topic: out.topic_index,
            partition,
            sequence,
            source_topic: arrival.row.topic,
            source_partition: arrival.row.partition,
            source_offset: arrival.row.offset,
        });
        if self.sources.len() >= ROWS_PER_BATCH {
            self.tell_sources(shared);
        }
        true
    }

    /// Ends the transaction under way, together with the offsets of what it was made of.
    fn end_transaction(
        &mut self,
        assignment: &Assignment,
        shared: &Shared,
        stop: impl Fn() -> Option<Instant> + Copy,
    ) -> Next {
        self.tell_sources(shared);
        let read = self.inflow.since_last();
        let offsets = self.inflow.list(&read).ok().zip(self.inflow.member());
        let offered = match offsets {
            _ if assignment.offsets == OffsetsCommitted::Afterwards => Offered::Nothing,
            Some((next, member)) => Offered::Offsets(Arc::new(Offsets { next, member })),
            // Whoever is in no group, or has read what it cannot name, has nothing to commit.
            None => {
                self.transactions().spoil();
                Offered::Nothing
            }
        };
        let ended = self.outflow.end_transaction(shared, &offered, stop).expect("it runs transactions");
        self.outflow.hand_over_rows(shared, 0);
        let is_told = assignment.offsets == OffsetsCommitted::InTransaction;
        match ended.end {
            TransactionEnd::Committed => self.inflow.passed(&read, is_told),
            TransactionEnd::Aborted => self.inflow.go_back(shared),
            TransactionEnd::Unknown if is_told => self.inflow.in_doubt(&read),
            TransactionEnd::Unknown | TransactionEnd::Abandoned | TransactionEnd::Fenced => {}
        }
        ended.next
    }

    fn commit_afterwards(&mut self, assignment: &Assignment) {
        if assignment.offsets == OffsetsCommitted::Afterwards && self.committed.elapsed() >= AFTERWARDS_EVERY {
            self.inflow.commit();
            self.committed = Instant::now();
        }
    }

    fn tell_sources(&mut self, shared: &Shared) {
        shared.recorder.sources(std::mem::take(&mut self.sources));
    }

    /// Aborts what is open, says where the instance stands, leaves the group, and lets both clients go.
    fn close(mut self, shared: &Shared, progress: &Progress, end: End) {
        self.tell_sources(shared);
        self.transactions().spoil();
        let fenced = self.outflow.tell_if_fenced(shared);
        let reason = if fenced { "it was fenced" } else { end.reason() };
        self.outflow.close(shared, Instant::now() + END_GRACE, reason);
        if end == End::Drained {
            self.inflow.commit();
        }
        self.inflow.close(shared, progress, end);
    }
}
