//! A producer: one thread, one librdkafka client, thousands of records in flight, each accounted for.
//!
//! The client is polled by the thread that sends, so that sends, delivery reports and rows need no other thread. Records
//! fall due by the clock ([`super::pace`]) and wait when the in-flight limit is reached. A fatal error (of idempotence, say)
//! ends the client: what was in flight is resolved by the outcome table, and the producer lives on as a new process. So does
//! one that was fenced, under the same transactional id ([`super::transaction`]).

pub mod life;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::KafkaResult;
use rdkafka::producer::Producer as _;
use serde::{Deserialize, Serialize};

use super::choices::{Choices, Draft};
use super::held::Cause;
use super::in_flight::Pending;
use super::outcome::Acks;
use super::pace::Pace;
use super::serve::{rest, serve};
use super::shared::{Shared, StopOrder};
use super::transaction::{self, Next, Offered, Transactions};
use crate::history::EventKind;
use crate::kafka::{Partition, Sequence, TopicIndex};
use crate::scenario::{Rate, TransactionSpec};
use life::{Attempt, Invoked, Life};

/// How many records are sent between two polls.
const BURST: usize = 128;
/// Rows go to the recorder in batches of this many, or this often.
const ROWS_PER_BATCH: usize = 4096;
const ROWS_EVERY_NS: u64 = 100_000_000;
/// How long the thread rests while it has nothing to send or may not: by so much later may it hear of a delivery.
const NAP: Duration = Duration::from_micros(500);
/// How long a producer waits after librdkafka refused a record for good, lest refusals flood the history.
const AFTER_REFUSAL: Duration = Duration::from_millis(10);
/// Lives begin this far apart at least.
const BETWEEN_LIVES: Duration = Duration::from_secs(1);

/// What a producer is to do.
#[derive(Clone, Serialize, Deserialize)]
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
    /// How many distinct keys; 0: none has a key.
    pub keys: u32,
    /// How many records may be in flight.
    pub in_flight: u32,
    /// How many headers each record gets.
    pub headers: u8,
    /// The seed of keys and sizes.
    pub seed: u64,
    /// What an acknowledgement means.
    pub acks: Acks,
    /// How its records are put into transactions, if they are.
    pub transactions: Option<TransactionSpec>,
    /// The client's configuration.
    #[serde(with = "super::config::as_map")]
    pub config: ClientConfig,
}

/// With what a producer's life begins.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Birth {
    /// Which life it is, from 0.
    pub incarnation: u32,
    /// The first record to be sent.
    pub first: u64,
    /// When each falls due.
    pub pace: Pace,
}

/// A producer with its first client made, ready to run.
pub struct Producer {
    assignment: Assignment,
    shared: Shared,
    stop: Arc<StopOrder>,
    lives: u32,
    pace: Pace,
    life: Option<Life>,
    choices: Choices,
}

impl Producer {
    /// Makes the first client; an error here is one of configuration.
    pub fn new(assignment: Assignment, shared: Shared, stop: Arc<StopOrder>) -> KafkaResult<Self> {
        let pace = Pace::new(shared.recorder.now(), assignment.rate);
        Self::born(assignment, shared, stop, Birth { incarnation: 0, first: 0, pace })
    }

    /// The same for a life that goes on where another one, in another process, ended.
    pub fn born(assignment: Assignment, shared: Shared, stop: Arc<StopOrder>, birth: Birth) -> KafkaResult<Self> {
        let choices = Choices::new(assignment.seed, birth.first);
        let Birth { incarnation: lives, pace, .. } = birth;
        let mut producer = Self { assignment, shared, stop, lives, pace, life: None, choices };
        producer.life = Some(producer.begin_life()?);
        Ok(producer)
    }

    /// Sends until told to stop, through as many lives as that takes, then resolves what is in flight. Blocks the thread.
    pub fn run(mut self) {
        loop {
            let born = Instant::now();
            if self.live() == End::Told {
                return;
            }
            self.life = self.live_again(born);
            if self.life.is_none() {
                return;
            }
        }
    }

    /// Sends until told to stop or until the client is of no use, and resolves what is in flight. Blocks the thread.
    pub fn live(&mut self) -> End {
        let Some(mut life) = self.life.take() else { return End::Told };
        let halt = life.send_until_the_end(&self.assignment, &self.shared, &self.stop, &self.pace, &mut self.choices);
        let (deadline, reason, end) = match halt {
            Halt::Told(deadline) => (deadline, "the load ended", End::Told),
            Halt::Fatal => (Instant::now(), "a fatal error of the client", End::Fatal),
            Halt::Doubt => (Instant::now(), "nobody knows how its transaction ended", End::Fatal),
        };
        let fenced = life.tell_if_fenced(&self.shared);
        life.close(&self.shared, deadline, if fenced { "it was fenced" } else { reason });
        end
    }

    /// The record with which the next life would begin.
    pub fn first_undone(&self) -> u64 {
        self.choices.first_undone()
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
        let life = Life::begin(&self.assignment, &self.shared, self.lives)?;
        self.lives += 1;
        Ok(life)
    }
}

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The load ended.
    Told,
    /// The client is of no use any more.
    Fatal,
}

/// Why the sending ended.
enum Halt {
    Told(Instant),
    Fatal,
    /// Nobody knows how the last transaction ended.
    Doubt,
}

/// A record that is about to be handed over, and the number of its key.
#[derive(Clone, Copy)]
struct Drawn {
    record: Invoked,
    key: Option<u32>,
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

impl Life {
    fn send_until_the_end(
        &mut self,
        assignment: &Assignment,
        shared: &Shared,
        stop: &StopOrder,
        pace: &Pace,
        choices: &mut Choices,
    ) -> Halt {
        while self.transactions.is_some()
            && let Err(error) = Transactions::claim(&self.client, || stop.deadline())
        {
            let reason = format!("the transactional id could not be claimed: {error}");
            self.client.context().errors.note(&error, &reason);
            if let Some(deadline) = stop.deadline() {
                return Halt::Told(deadline);
            }
            if transaction::is_dead(&self.client) {
                return Halt::Fatal;
            }
            rest(&self.client, AFTER_REFUSAL);
        }
        loop {
            if let Some(deadline) = stop.deadline() {
                return Halt::Told(deadline);
            }
            if self.client.context().errors.is_fatal() {
                return Halt::Fatal;
            }
            if self.transactions.as_ref().is_some_and(Transactions::is_over)
                && let Some(ended) = self.end_transaction(shared, &Offered::Nothing, || stop.deadline())
                && ended.next == Next::NewLife
            {
                return Halt::Doubt;
            }
            match self.burst(assignment, shared, pace, choices) {
                Burst::Sent => {
                    serve(&self.client);
                }
                Burst::Idle => rest(&self.client, NAP),
                Burst::Refused => rest(&self.client, AFTER_REFUSAL),
                Burst::Fatal => return Halt::Fatal,
                Burst::Full(cause) => {
                    let start = Instant::now();
                    rest(&self.client, NAP);
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

    /// Hands what is due to librdkafka, as much as there is room for and a burst at most.
    fn burst(&mut self, assignment: &Assignment, shared: &Shared, pace: &Pace, choices: &mut Choices) -> Burst {
        let due = pace.due(shared.recorder.now());
        let most = self.transactions.as_ref().map_or(BURST, |transactions| transactions.room().min(BURST));
        let first = choices.draw(due, BURST, assignment).front().map(|draft| draft.number);
        if let (Some(transactions), Some(first)) = (&mut self.transactions, first)
            && let Err(error) = transactions.begin(&self.client, first, &self.sequences)
        {
            self.client.context().errors.note(&error, &format!("a transaction could not begin: {error}"));
            return if transaction::is_dead(&self.client) { Burst::Fatal } else { Burst::Refused };
        }
        let drafts = choices.draw(due, BURST, assignment);
        let waiting = drafts.len().min(most);
        let invoked = self.enter(assignment, shared, pace, drafts.iter().take(most));
        if invoked.is_empty() {
            return if waiting == 0 { Burst::Idle } else { Burst::Full(Cause::InFlight) };
        }
        shared.herald.sends(self.process, assignment.topic_index, invoked.iter().map(|send| &send.record.pending));
        let (mut sent, mut key) = (0, Vec::new());
        let burst = loop {
            let Some(next) = invoked.get(sent) else {
                let full = invoked.len() < waiting;
                break if full { Burst::Full(Cause::InFlight) } else { Burst::Sent };
            };
            let key = next.key.map(|number| write_key(&mut key, number));
            match self.send(assignment, shared, &next.record, key) {
                Attempt::Taken => {}
                Attempt::Refused => {
                    choices.done();
                    sent += 1;
                    break Burst::Refused;
                }
                Attempt::Full(cause) => break Burst::Full(cause),
                Attempt::Spoilt => {
                    self.transactions.iter_mut().for_each(Transactions::spoil);
                    break Burst::Refused;
                }
                Attempt::Fatal => break Burst::Fatal,
            }
            choices.done();
            sent += 1;
        };
        shared.count_sent(sent);
        self.transactions.iter_mut().for_each(|transactions| transactions.add(sent));
        let mut ledger = self.client.context().ledger();
        invoked[sent..].iter().for_each(|unsent| ledger.withdraw(unsent.record.slot));
        burst
    }

    /// Enters what is due into the table of sends in flight, until that is full. `invoke_ns` is taken before any of it is
    /// handed over, so that no record can be in a log before it.
    fn enter<'a>(
        &self,
        assignment: &Assignment,
        shared: &Shared,
        pace: &Pace,
        drafts: impl ExactSizeIterator<Item = &'a Draft>,
    ) -> Vec<Drawn> {
        let mut next = self.sequences.clone();
        let invoke_ns = shared.recorder.now();
        let mut ledger = self.client.context().ledger();
        let mut invoked = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let Draft { chosen, key, .. } = *draft;
            let pending = Pending {
                partition: assignment.partitions[chosen],
                sequence: Sequence(next[chosen]),
                bytes: draft.bytes,
                scheduled_ns: pace.scheduled(draft.number, invoke_ns),
                invoke_ns,
            };
            let Some(slot) = ledger.enter(pending) else { break };
            next[chosen] += 1;
            invoked.push(Drawn { record: Invoked { slot, chosen, pending }, key });
        }
        invoked
    }
}

/// Writes `k` and the number in decimal, as is done for every record: by hand.
fn write_key(key: &mut Vec<u8>, number: u32) -> &[u8] {
    key.clear();
    key.push(b'k');
    let digits = number.checked_ilog10().unwrap_or(0) + 1;
    for place in (0..digits).rev() {
        key.push(b'0' + (number / 10_u32.pow(place) % 10) as u8);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_number_in_decimal() {
        let mut key = Vec::new();
        for number in [0, 1, 9, 10, 99, 100, 12_345, 999_999_999, 1_000_000_000, u32::MAX] {
            assert_eq!(write_key(&mut key, number), format!("k{number}").into_bytes());
        }
    }
}
