//! Transactions of one producer's life: when one begins, when it ends, and what is known of its end.
//!
//! All records of a transaction are polled for before its commit is asked for. So a transaction that was never complete is
//! aborted without its commit ever having been asked for, and its records certainly fail; once the commit was asked for, only
//! its acknowledgement says anything, and everything else is unknown ([`super::outcome::judge_in_transaction`]). A life that
//! does not know how its transaction ended, or was told that it is fenced, is over, as Jepsen's processes are after an info.
//!
//! The history is told of each ([`told::Told`]): which records it has before its end is asked for, and how that ended.
//!
//! librdkafka's calls block and need somebody who polls meanwhile. So each is made on a thread of its own, while the
//! producer's polls, within a limit and in slices after which the order to stop is heard.

mod told;

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;

use super::in_flight::SendContext;
use super::native;
use super::outcome::TransactionEnd;
use super::payload::{splitmix64, splitmix64_skip};
use super::serve::rest;
use crate::history::event::TransactionEnding;
use crate::kafka::Outcome;
use crate::scenario::TransactionSpec;

pub use told::Told;

/// How long one call may take before the order to stop is looked at; librdkafka goes on where it was.
const SLICE: Duration = Duration::from_secs(2);
/// How long a group's coordinator may take to answer offsets, which may have to be elected; and how much longer the client library
/// may take to say so.
const OFFSETS_LIMIT: Duration = Duration::from_secs(5);
const OFFSETS_GRACE: Duration = Duration::from_secs(3);
/// How long a transaction's end, or the first call of a life, may take in all. Brokers need seconds to elect coordinators.
const CALL_LIMIT: Duration = Duration::from_secs(60);
/// How long the reports of an aborted transaction's records may take.
const REPORT_LIMIT: Duration = Duration::from_secs(5);
/// How long the thread rests between two looks at what it waits for.
const PAUSE: Duration = Duration::from_millis(1);
/// Sets these draws apart from those of keys and sizes.
const SALT: u64 = 0x7472_616e_7361_6374;
/// What librdkafka calls a producer in whose place another one writes.
const FENCED: [RDKafkaErrorCode; 3] =
    [RDKafkaErrorCode::Fenced, RDKafkaErrorCode::ProducerFenced, RDKafkaErrorCode::InvalidProducerEpoch];

/// How a transaction is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intent {
    Commit,
    Abort,
}

/// The transaction under way.
struct Open {
    began: Instant,
    records: u32,
    intent: Intent,
    /// librdkafka takes no more records: something in it went wrong.
    is_spoilt: bool,
}

/// What a transaction is to hold besides records.
pub enum Offered {
    /// Nothing.
    Nothing,
    /// A consumer group's next offsets (KIP-98), which are the group's once the transaction is committed. The coordinator
    /// refuses those of a member that the group has gone on without (KIP-447).
    Offsets(Arc<Offsets>),
}

/// How far a member has read.
pub struct Offsets {
    /// The next offsets, by partition.
    pub next: TopicPartitionList,
    /// Who the member was when it had read up to there.
    pub member: ConsumerGroupMetadata,
}

/// Whether the producer's life goes on after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It does.
    GoOn,
    /// The client is of no use any more, or nobody knows what became of its transaction.
    NewLife,
}

/// One life's transactions.
pub struct Transactions {
    spec: TransactionSpec,
    seed: u64,
    open: Option<Open>,
    told: Told,
}

impl Transactions {
    /// None is open yet.
    pub fn new(spec: TransactionSpec, seed: u64, told: Told) -> Self {
        Self { spec, seed, open: None, told }
    }

    /// How many more records the transaction under way takes.
    pub fn room(&self) -> usize {
        let taken = self.open.as_ref().map_or(0, |open| open.records);
        self.spec.records.saturating_sub(taken) as usize
    }

    /// Whether one is under way.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether the one under way has to end now.
    pub fn is_over(&self) -> bool {
        self.open.as_ref().is_some_and(|open| {
            open.is_spoilt || open.records >= self.spec.records || open.began.elapsed() >= self.spec.every
        })
    }

    /// Records were handed over.
    pub fn add(&mut self, records: usize) {
        if let Some(open) = &mut self.open {
            open.records = open.records.saturating_add(u32::try_from(records).unwrap_or(u32::MAX));
        }
    }

    /// librdkafka takes no more records for the one under way.
    pub fn spoil(&mut self) {
        if let Some(open) = &mut self.open {
            open.is_spoilt = true;
        }
    }

    /// Makes the transactional id this client's own; whoever had it is fenced, and what it left open is aborted. Blocks until
    /// that is done or `stop` names a time that has passed.
    pub fn claim<C: ProducerContext + 'static>(
        client: &BaseProducer<C>,
        stop: impl Fn() -> Option<Instant>,
    ) -> KafkaResult<()> {
        patiently(client, stop, |client| client.init_transactions(SLICE))
    }

    /// Begins one, unless one is under way. `first` is the number of its first record, by which the seed decides its end;
    /// `next` are the sequences of the next record to each partition.
    pub fn begin(&mut self, client: &BaseProducer<SendContext>, first: u64, next: &[u64]) -> KafkaResult<()> {
        if self.open.is_none() {
            self.told.begins(next);
            client.begin_transaction()?;
            let intent = intent(self.seed, first, self.spec.abort_millionths);
            self.open = Some(Open { began: Instant::now(), records: 0, intent, is_spoilt: false });
        }
        Ok(())
    }

    /// Ends the one under way: by its commit if all of its records are acknowledged, what is `offered` besides them is taken,
    /// and the seed does not have it aborted, else by its abort. Its records, which are those below the sequences `next`, become
    /// rows. Blocks.
    pub fn end(
        &mut self,
        client: &Arc<BaseProducer<SendContext>>,
        next: &[u64],
        offered: &Offered,
        stop: impl Fn() -> Option<Instant> + Copy,
    ) -> Ended {
        let Some(open) = self.open.take() else { return Ended { end: TransactionEnd::Aborted, next: Next::GoOn } };
        let deadline = Instant::now() + self.spec.timeout;
        let is_up = || is_dead(client) || open.is_spoilt;
        while client.context().ledger().in_flight() > 0 && !is_up() && Instant::now() < until(deadline, stop) {
            rest(client, PAUSE);
        }
        let complete = client.context().ledger().may_commit() && !is_up();
        let is_to_commit = complete && open.intent == Intent::Commit;
        let taken = if is_to_commit { offer(client, offered) } else { Some(Ok(())) };
        let Some(taken) = taken else { return self.abandon(client, next) };
        if let Err(error) = &taken {
            client.context().errors.note(error, &format!("a transaction did not take its offsets: {error}"));
        }
        let result = if is_to_commit && taken.is_ok() {
            self.told.closes(TransactionEnding::Commit, next);
            patiently(client, stop, |client| client.commit_transaction(SLICE)).map(|()| TransactionEnd::Committed)
        } else {
            self.told.closes(TransactionEnding::Abort, next);
            let aborted = patiently(client, stop, |client| client.abort_transaction(SLICE));
            match aborted {
                Ok(()) => Ok(TransactionEnd::Aborted),
                // Its commit was never asked for.
                Err(error) if is_fenced(client) => {
                    self.told.ended(TransactionEnd::Fenced, &error.to_string());
                    return Ended { end: TransactionEnd::Fenced, next: Next::NewLife };
                }
                Err(error) => Err(error),
            }
        };
        let unanswered =
            if is_to_commit && taken.is_ok() { TransactionEnd::Unknown } else { TransactionEnd::Abandoned };
        match &result {
            Ok(end) => self.told.ended(*end, ""),
            Err(error) => self.told.ended(unanswered, &error.to_string()),
        }
        // A report that came later would be taken for one of the next transaction.
        let reported = Instant::now() + REPORT_LIMIT;
        while client.context().ledger().in_flight() > 0 && Instant::now() < reported {
            rest(client, PAUSE);
        }
        match result {
            Ok(end) if client.context().ledger().in_flight() > 0 => Ended { end, next: Next::NewLife },
            Ok(end) => Ended { end, next: Next::GoOn },
            Err(error) => {
                client.context().errors.note(&error, &format!("a transaction did not end: {error}"));
                Ended { end: unanswered, next: Next::NewLife }
            }
        }
    }

    /// The client library does not come back with an answer, and is of no use any more. The commit was never asked for.
    fn abandon(&mut self, client: &BaseProducer<SendContext>, next: &[u64]) -> Ended {
        let limit = OFFSETS_LIMIT + OFFSETS_GRACE;
        let reason = format!("the client library did not answer to a group's offsets within {} s", limit.as_secs());
        client.context().errors.note(&KafkaError::MessageProduction(RDKafkaErrorCode::OperationTimedOut), &reason);
        self.told.closes(TransactionEnding::Abandon, next);
        self.told.ended(TransactionEnd::Abandoned, &reason);
        Ended { end: TransactionEnd::Abandoned, next: Next::NewLife }
    }

    /// What is certain of the one under way although it was not ended, because its client is of no use any more.
    pub fn give_up(&mut self, client: &BaseProducer<SendContext>, next: &[u64]) -> TransactionEnd {
        if self.open.take().is_none() {
            return TransactionEnd::Unknown;
        }
        self.told.closes(TransactionEnding::Abandon, next);
        let (end, reason) = match fenced(client) {
            Some((_, text)) => (TransactionEnd::Fenced, text),
            None => (TransactionEnd::Abandoned, "its client was of no use any more".to_owned()),
        };
        self.told.ended(end, &reason);
        end
    }
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What is known of its end.
    pub end: TransactionEnd,
    /// Whether its producer's life goes on.
    pub next: Next,
}

/// Whether this client was told that another one writes in its place, and by which error: its name and its text.
pub fn fenced<C: ProducerContext>(client: &BaseProducer<C>) -> Option<(String, String)> {
    let (code, text) = fatal(client)?;
    FENCED.contains(&code).then(|| (native::code_name(code), text))
}

/// Whether this client met an error after which it is of no use.
pub fn is_dead<C: ProducerContext>(client: &BaseProducer<C>) -> bool {
    fatal(client).is_some()
}

fn is_fenced<C: ProducerContext>(client: &BaseProducer<C>) -> bool {
    fenced(client).is_some()
}

fn fatal<C: ProducerContext>(client: &BaseProducer<C>) -> Option<(RDKafkaErrorCode, String)> {
    client.client().fatal_error()
}

/// Settles the records of the transaction that ended like this; gives their outcomes.
pub fn settle(client: &BaseProducer<SendContext>, end: TransactionEnd) -> Vec<Outcome> {
    let context = client.context();
    let now = context.now();
    context.ledger().settle(end, now)
}

fn intent(seed: u64, first: u64, abort_millionths: u32) -> Intent {
    let mut state = splitmix64_skip(seed ^ SALT, first);
    let is_drawn = splitmix64(&mut state) % 1_000_000 < u64::from(abort_millionths);
    if is_drawn { Intent::Abort } else { Intent::Commit }
}

fn until(deadline: Instant, stop: impl Fn() -> Option<Instant>) -> Instant {
    stop().map_or(deadline, |stop| stop.min(deadline))
}

/// Hands the offsets over that a transaction is to hold; `None` where no answer came. While the group's coordinator is away
/// librdkafka (2.12) may never come back from this call, whatever its time-out: then its thread is left behind, with the client.
fn offer(client: &Arc<BaseProducer<SendContext>>, offered: &Offered) -> Option<KafkaResult<()>> {
    let Offered::Offsets(offsets) = offered else { return Some(Ok(())) };
    let until = Instant::now() + OFFSETS_LIMIT + OFFSETS_GRACE;
    let (answer, answered) = mpsc::channel();
    let (caller, offsets) = (Arc::clone(client), Arc::clone(offsets));
    thread::spawn(move || {
        let Offsets { next, member } = &*offsets;
        // Whoever waited may have given up.
        let _ = answer.send(caller.send_offsets_to_transaction(next, member, OFFSETS_LIMIT));
    });
    loop {
        match answered.recv_timeout(PAUSE) {
            Ok(result) => return Some(result),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) if Instant::now() >= until => return None,
            Err(RecvTimeoutError::Timeout) => {
                client.poll(Duration::ZERO);
            }
        }
    }
}

/// Makes a call again and again, as long as librdkafka says that it goes on where it was, until it is done or time is up.
fn patiently<C: ProducerContext + 'static>(
    client: &BaseProducer<C>,
    stop: impl Fn() -> Option<Instant>,
    call: impl Fn(&BaseProducer<C>) -> KafkaResult<()> + Sync,
) -> KafkaResult<()> {
    let deadline = Instant::now() + CALL_LIMIT;
    loop {
        let result = thread::scope(|scope| {
            let calling = scope.spawn(|| call(client));
            while !calling.is_finished() {
                client.poll(Duration::ZERO);
                thread::sleep(PAUSE);
            }
            calling.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        let goes_on = matches!(&result, Err(KafkaError::Transaction(error)) if error.is_retriable());
        if !goes_on || is_dead(client) || Instant::now() >= until(deadline, &stop) {
            return result;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_which_transactions_are_aborted_and_about_how_many() {
        let aborted =
            |seed| (0..10_000_u64).filter(|first| intent(seed, *first, 50_000) == Intent::Abort).collect::<Vec<_>>();
        assert_eq!(aborted(42), aborted(42));
        assert_ne!(aborted(42), aborted(43));
        assert!((400..600).contains(&aborted(42).len()), "{}", aborted(42).len());
        assert!((0..10_000).all(|first| intent(42, first, 0) == Intent::Commit));
    }
}
