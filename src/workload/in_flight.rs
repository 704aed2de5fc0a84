//! The sends that one producer has in flight, and the rows they become: each invoked send becomes exactly one row.
//!
//! A send in a transaction becomes its row when the transaction ends, because only then is known what became of it.
//!
//! A send is known to librdkafka by its slot's number. The delivery callback runs on the producer's own thread, inside
//! `poll`, so that the lock is never contended.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use rdkafka::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;

use super::counters::Counters;
use super::errors::ClientErrors;
use super::native;
use super::outcome::{self, Acks, Judgement, TransactionEnd};
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

/// What decides how a send ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Its own delivery report.
    Alone,
    /// The end of the transaction that it is part of.
    InTransactions,
}

/// The table of sends in flight, and the rows of those resolved.
#[derive(Debug)]
pub struct Ledger {
    process: ProcessId,
    topic: TopicIndex,
    slots: Vec<Option<Pending>>,
    free: Vec<usize>,
    rows: Vec<SendRow>,
    mode: Mode,
    /// What was reported of the records of the transaction under way.
    reported: Vec<(Pending, Resolution)>,
    /// How many sends were invoked.
    pub invoked: u64,
    /// How many became rows.
    pub resolved: u64,
    /// How many delivery reports came for no send in flight: a fault of this table or of the library.
    pub unexpected: u64,
}

impl Ledger {
    fn new(process: ProcessId, topic: TopicIndex, in_flight: usize, mode: Mode) -> Self {
        Self {
            process,
            topic,
            slots: vec![None; in_flight],
            free: (0..in_flight).rev().collect(),
            rows: Vec::new(),
            mode,
            reported: Vec::new(),
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
        self.finish(slot, Resolution { complete_ns, outcome, error, offset: None, broker: None });
    }

    /// Resolves everything still in flight as unknown, because the client is being closed; returns how many there were.
    pub fn abandon(&mut self, complete_ns: TimeNs) -> u64 {
        let Judgement { outcome, .. } = outcome::abandoned();
        let error = RDKafkaErrorCode::PurgeInflight as i16;
        let resolution = Resolution { complete_ns, outcome, error, offset: None, broker: None };
        let before = self.resolved;
        for slot in 0..self.slots.len() {
            if self.slots[slot].is_some() {
                self.finish(slot, resolution);
            }
        }
        self.resolved - before
    }

    /// Whether every send of the transaction under way is acknowledged by itself, so that it may be committed.
    pub fn may_commit(&self) -> bool {
        self.in_flight() == 0 && self.reported.iter().all(|(_, end)| end.outcome == Outcome::Ok)
    }

    /// The transaction under way ended like this: what was reported of its records becomes rows. Returns their outcomes.
    pub fn settle(&mut self, transaction: TransactionEnd, complete_ns: TimeNs) -> Vec<Outcome> {
        let reported = std::mem::take(&mut self.reported);
        self.resolved += reported.len() as u64;
        let settled = reported.into_iter().map(|(pending, end)| {
            let Judgement { outcome, .. } = outcome::judge_in_transaction(end.outcome, transaction);
            let offset = end.offset.filter(|_| outcome == Outcome::Ok);
            row(self.process, self.topic, &pending, Resolution { complete_ns, outcome, offset, ..end })
        });
        let rows: Vec<SendRow> = settled.collect();
        let outcomes = rows.iter().map(|row| row.outcome).collect();
        self.rows.extend(rows);
        outcomes
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

    /// librdkafka reported on a send.
    fn report(&mut self, slot: usize, end: Resolution) {
        match self.mode {
            Mode::Alone => self.finish(slot, end),
            Mode::InTransactions => {
                let pending = self.release(slot);
                self.reported.extend(pending.map(|pending| (pending, end)));
            }
        }
    }

    fn finish(&mut self, slot: usize, end: Resolution) {
        let Some(pending) = self.release(slot) else { return };
        self.resolved += 1;
        self.rows.push(row(self.process, self.topic, &pending, end));
    }

    fn release(&mut self, slot: usize) -> Option<Pending> {
        let pending = self.slots.get_mut(slot).and_then(Option::take);
        match pending {
            Some(_) => self.free.push(slot),
            None => self.unexpected += 1,
        }
        pending
    }
}

fn row(process: ProcessId, topic: TopicIndex, pending: &Pending, end: Resolution) -> SendRow {
    SendRow {
        process,
        topic,
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
    }
}

/// The row of a send whose client's process was killed.
pub fn killed(process: ProcessId, topic: TopicIndex, pending: &Pending, complete_ns: TimeNs) -> SendRow {
    let Judgement { outcome, .. } = outcome::killed();
    let error = RDKafkaErrorCode::PurgeInflight as i16;
    row(process, topic, pending, Resolution { complete_ns, outcome, error, offset: None, broker: None })
}

/// Each report is stamped when it is heard.
const EACH: u64 = u64::MAX;
/// The next report is stamped when it is heard, and those after it are, too.
const NEXT: u64 = u64::MAX - 1;

/// What librdkafka calls back into: delivery reports and errors of one producer.
pub struct SendContext {
    clock: Clock,
    /// When the reports that are being heard came, or one of [`EACH`] and [`NEXT`].
    heard_ns: AtomicU64,
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
        (process, topic, in_flight, mode): (ProcessId, TopicIndex, usize, Mode),
    ) -> Self {
        let ledger = Mutex::new(Ledger::new(process, topic, in_flight, mode));
        Self { clock, heard_ns: AtomicU64::new(EACH), acks, counters, ledger, errors }
    }

    /// The time.
    pub fn now(&self) -> TimeNs {
        self.clock.now()
    }

    /// Hears the reports of one event, which `poll` has librdkafka give: they came together, and so bear one time. Only the
    /// client's own thread hears in this way.
    pub fn hear(&self, poll: impl FnOnce()) {
        self.heard_ns.store(NEXT, Ordering::Relaxed);
        poll();
        self.heard_ns.store(EACH, Ordering::Relaxed);
    }

    fn heard(&self) -> TimeNs {
        match self.heard_ns.load(Ordering::Relaxed) {
            EACH => self.clock.now(),
            NEXT => {
                let now = self.clock.now();
                self.heard_ns.store(now.0, Ordering::Relaxed);
                now
            }
            heard => TimeNs(heard),
        }
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
        let complete_ns = self.heard();
        let (message, error) = match report {
            Ok(message) => (message, 0),
            Err((error, message)) => (message, error_code(error)),
        };
        let Judgement { outcome, .. } = outcome::judge(native::persistence(message), error, self.acks);
        let offset = (outcome == Outcome::Ok && message.offset() >= 0).then(|| Offset(message.offset()));
        let broker = native::broker(message);
        let mut ledger = self.ledger();
        let before = ledger.resolved;
        ledger.report(slot, Resolution { complete_ns, outcome, error, offset, broker });
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
        let mut ledger = Ledger::new(ProcessId(1), TopicIndex(0), 2, Mode::Alone);
        assert!(ledger.enter(pending(0)).is_some());
        let second = ledger.enter(pending(1)).expect("a free slot");
        assert_eq!(ledger.enter(pending(2)), None);
        ledger.withdraw(second);
        assert_eq!((ledger.in_flight(), ledger.invoked), (1, 1));
        assert!(ledger.enter(pending(1)).is_some());
    }

    #[test]
    fn every_invoked_send_becomes_one_row_and_no_report_makes_two() {
        let mut ledger = Ledger::new(ProcessId(1), TopicIndex(0), 4, Mode::Alone);
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

    #[test]
    fn a_send_in_a_transaction_becomes_its_row_when_that_has_ended() {
        let mut ledger = Ledger::new(ProcessId(1), TopicIndex(0), 4, Mode::InTransactions);
        let end =
            |outcome| Resolution { complete_ns: TimeNs(3), outcome, error: 0, offset: Some(Offset(5)), broker: None };
        let mut written = |sequence, outcome| {
            let slot = ledger.enter(pending(sequence)).expect("a free slot");
            ledger.report(slot, end(outcome));
            ledger.may_commit()
        };
        assert!(written(0, Outcome::Ok));
        assert!(!written(1, Outcome::Info));
        assert_eq!((ledger.in_flight(), ledger.waiting(), ledger.resolved), (0, 0, 0));
        assert_eq!(ledger.settle(TransactionEnd::Aborted, TimeNs(9)), [Outcome::Fail, Outcome::Fail]);
        let rows = ledger.take_rows();
        assert!(rows.iter().all(|row| row.complete_ns == TimeNs(9) && row.offset.is_none()), "{rows:?}");
        let slot = ledger.enter(pending(2)).expect("a free slot");
        ledger.report(slot, end(Outcome::Ok));
        assert_eq!(ledger.settle(TransactionEnd::Committed, TimeNs(10)), [Outcome::Ok]);
        assert_eq!(ledger.take_rows()[0].offset, Some(Offset(5)));
        assert_eq!((ledger.invoked, ledger.resolved, ledger.unexpected), (3, 3, 0));
    }
}
