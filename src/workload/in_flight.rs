//! The sends that one producer has in flight, and the rows they become: each invoked send becomes exactly one row.
//!
//! A send is known to librdkafka by its slot's number. The delivery callback runs on the producer's own thread, inside
//! `poll`, so that the lock is never contended.

use std::sync::{Arc, Mutex, MutexGuard};

use rdkafka::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;

use super::counters::Counters;
use super::errors::ClientErrors;
use super::outcome::{self, Acks, Judgement};
use super::status;
use crate::history::SendRow;
use crate::history::clock::Clock;
use crate::kafka::{BrokerId, Offset, Outcome, Partition, ProcessId, Sequence, TimeNs, TopicIndex};

/// A send that was invoked and not yet resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its partition.
    pub partition: Partition,
    /// Its number among the process's records to the partition.
    pub sequence: Sequence,
    /// The payload's length.
    pub bytes: u32,
    /// When it was due.
    pub scheduled_ns: TimeNs,
    /// When it was handed over.
    pub invoke_ns: TimeNs,
}

/// How a send ended.
#[derive(Clone, Copy, Debug)]
struct Resolution {
    complete_ns: TimeNs,
    outcome: Outcome,
    error: i16,
    offset: Option<Offset>,
    broker: Option<BrokerId>,
}

/// The table of sends in flight, and the rows of those resolved.
#[derive(Debug)]
pub struct Ledger {
    process: ProcessId,
    topic: TopicIndex,
    slots: Vec<Option<Pending>>,
    free: Vec<usize>,
    rows: Vec<SendRow>,
    /// How many sends were invoked.
    pub invoked: u64,
    /// How many became rows.
    pub resolved: u64,
    /// How many delivery reports came for no send in flight: a fault of this table or of the library.
    pub unexpected: u64,
}

impl Ledger {
    fn new(process: ProcessId, topic: TopicIndex, in_flight: usize) -> Self {
        Self {
            process,
            topic,
            slots: vec![None; in_flight],
            free: (0..in_flight).rev().collect(),
            rows: Vec::new(),
            invoked: 0,
            resolved: 0,
            unexpected: 0,
        }
    }

    /// Enters a send that is about to be invoked; `None` while as many as allowed are in flight.
    pub fn enter(&mut self, pending: Pending) -> Option<usize> {
        let slot = self.free.pop()?;
        self.slots[slot] = Some(pending);
        self.invoked += 1;
        Some(slot)
    }

    /// Takes back a send that librdkafka did not take: it was never invoked.
    pub fn withdraw(&mut self, slot: usize) {
        if self.slots[slot].take().is_some() {
            self.free.push(slot);
            self.invoked -= 1;
        }
    }

    /// Resolves a send that librdkafka refused for good.
    pub fn refuse(&mut self, slot: usize, error: i16, complete_ns: TimeNs) {
        let Judgement { outcome, .. } = outcome::refused();
        self.resolve(slot, Resolution { complete_ns, outcome, error, offset: None, broker: None });
    }

    /// Resolves everything still in flight as unknown, because the client is being closed; returns how many there were.
    pub fn abandon(&mut self, complete_ns: TimeNs) -> u64 {
        let Judgement { outcome, .. } = outcome::abandoned();
        let error = RDKafkaErrorCode::PurgeInflight as i16;
        let resolution = Resolution { complete_ns, outcome, error, offset: None, broker: None };
        let before = self.resolved;
        for slot in 0..self.slots.len() {
            if self.slots[slot].is_some() {
                self.resolve(slot, resolution);
            }
        }
        self.resolved - before
    }

    /// How many sends are in flight.
    pub fn in_flight(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// How many rows wait to be recorded.
    pub fn waiting(&self) -> usize {
        self.rows.len()
    }

    /// The rows since the last time.
    pub fn take_rows(&mut self) -> Vec<SendRow> {
        let capacity = self.rows.len();
        std::mem::replace(&mut self.rows, Vec::with_capacity(capacity))
    }

    fn resolve(&mut self, slot: usize, end: Resolution) {
        let Some(pending) = self.slots.get_mut(slot).and_then(Option::take) else {
            self.unexpected += 1;
            return;
        };
        self.free.push(slot);
        self.resolved += 1;
        self.rows.push(SendRow {
            process: self.process,
            topic: self.topic,
            partition: pending.partition,
            sequence: pending.sequence,
            bytes: pending.bytes,
            scheduled_ns: pending.scheduled_ns,
            invoke_ns: pending.invoke_ns,
            complete_ns: end.complete_ns,
            outcome: end.outcome,
            error: end.error,
            offset: end.offset,
            broker: end.broker,
        });
    }
}

/// What librdkafka calls back into: delivery reports and errors of one producer.
pub struct SendContext {
    clock: Clock,
    acks: Acks,
    counters: Arc<Counters>,
    ledger: Mutex<Ledger>,
    /// The client's errors.
    pub errors: ClientErrors,
}

impl SendContext {
    /// The context of a new producer that may have `in_flight` records in flight.
    pub fn new(
        errors: ClientErrors,
        clock: Clock,
        acks: Acks,
        counters: Arc<Counters>,
        (process, topic, in_flight): (ProcessId, TopicIndex, usize),
    ) -> Self {
        Self { clock, acks, counters, ledger: Mutex::new(Ledger::new(process, topic, in_flight)), errors }
    }

    /// The table of sends in flight.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("no holder of this lock panics")
    }
}

impl ClientContext for SendContext {
    fn error(&self, error: KafkaError, reason: &str) {
        self.errors.note(&error, reason);
    }
}

impl ProducerContext for SendContext {
    type DeliveryOpaque = usize;

    fn delivery(&self, report: &DeliveryResult<'_>, slot: usize) {
        let complete_ns = self.clock.now();
        let (message, error) = match report {
            Ok(message) => (message, 0),
            Err((error, message)) => (message, error_code(error)),
        };
        let Judgement { outcome, .. } = outcome::judge(status::persistence(message), error, self.acks);
        let offset = (outcome == Outcome::Ok && message.offset() >= 0).then(|| Offset(message.offset()));
        let broker = status::broker(message);
        let mut ledger = self.ledger();
        let before = ledger.resolved;
        ledger.resolve(slot, Resolution { complete_ns, outcome, error, offset, broker });
        if ledger.resolved > before {
            self.counters.add_outcome(outcome);
        }
    }
}

/// The code of an error as rows store it.
pub fn error_code(error: &KafkaError) -> i16 {
    let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
    i16::try_from(code as i32).expect("librdkafka's codes lie between -200 and a few hundred")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(sequence: u64) -> Pending {
        Pending {
            partition: Partition(0),
            sequence: Sequence(sequence),
            bytes: 64,
            scheduled_ns: TimeNs(1),
            invoke_ns: TimeNs(2),
        }
    }

    #[test]
    fn no_more_than_the_limit_is_ever_in_flight() {
        let mut ledger = Ledger::new(ProcessId(1), TopicIndex(0), 2);
        assert!(ledger.enter(pending(0)).is_some());
        let second = ledger.enter(pending(1)).expect("a free slot");
        assert_eq!(ledger.enter(pending(2)), None);
        ledger.withdraw(second);
        assert_eq!((ledger.in_flight(), ledger.invoked), (1, 1));
        assert!(ledger.enter(pending(1)).is_some());
    }

    #[test]
    fn every_invoked_send_becomes_one_row_and_no_report_makes_two() {
        let mut ledger = Ledger::new(ProcessId(1), TopicIndex(0), 4);
        let first = ledger.enter(pending(0)).expect("a free slot");
        let second = ledger.enter(pending(1)).expect("a free slot");
        ledger.enter(pending(2)).expect("a free slot");
        ledger.refuse(first, -186, TimeNs(3));
        ledger.refuse(first, -186, TimeNs(3));
        ledger.refuse(second, -186, TimeNs(4));
        assert_eq!(ledger.abandon(TimeNs(5)), 1);
        let outcomes: Vec<Outcome> = ledger.take_rows().iter().map(|row| row.outcome).collect();
        assert_eq!(outcomes, [Outcome::Fail, Outcome::Fail, Outcome::Info]);
        assert_eq!((ledger.invoked, ledger.resolved, ledger.unexpected, ledger.in_flight()), (3, 3, 1, 0));
    }
}
