//! What became of each transaction, and which records it has.
//!
//! A producer tells before it asks for a transaction's end which one it asks for, and which records there are. Only who opened
//! a transaction can ask for its commit. So one is *aborted*, whatever was answered, when its producer asked for its abort or
//! for nothing: its commit was never asked for, and never will be. It is *committed* when the coordinator acknowledged its
//! commit. Where the commit was asked for and the answer never came, or was an error, nobody knows: *unknown*, which the drain
//! may resolve (`torn-transaction`).
//!
//! A transaction that its producer had under way when its process was killed is not here: nobody knows which of its last sends
//! were part of it. Those sends are info, and belong to no transaction. Nor are there any in a history of before they were told.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::event::{Span, TransactionEnding, TransactionStage};
use crate::history::{EventKind, History, ProcessRole};
use crate::kafka::{Outcome, ProcessId, RecordId, TimeNs, TransactionNumber};
use crate::scenario::Scenario;

use super::timeline::{Keys, PartitionKey};

/// What is known of a transaction's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its commit was acknowledged.
    Committed,
    /// Its commit was asked for, and nobody knows what came of it.
    Unknown,
    /// Its commit was never asked for, or certainly refused.
    Aborted,
}

/// One transaction that takes no more records.
#[derive(Clone, Copy, Debug)]
pub struct Transaction {
    /// Its producer.
    pub process: ProcessId,
    /// Which of its producer's.
    pub number: TransactionNumber,
    /// Which end was asked for.
    pub ending: TransactionEnding,
    /// From when on that may have been asked for.
    pub invoke_ns: TimeNs,
    /// How that ended; info when nobody answered.
    pub outcome: Outcome,
}

impl Transaction {
    /// What became of it.
    pub fn fate(&self) -> Fate {
        match (self.ending, self.outcome) {
            (TransactionEnding::Abort | TransactionEnding::Abandon, _) | (_, Outcome::Fail) => Fate::Aborted,
            (TransactionEnding::Commit, Outcome::Ok) => Fate::Committed,
            (TransactionEnding::Commit, Outcome::Info) => Fate::Unknown,
        }
    }
}

/// One transaction's records in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Stretch {
    process: ProcessId,
    first: u64,
    past: u64,
    transaction: usize,
}

/// The transactions of a run.
#[derive(Clone, Debug, Default)]
pub struct Transactions {
    /// Every one, in the order in which they closed.
    pub all: Vec<Transaction>,
    stretches: BTreeMap<PartitionKey, Vec<Stretch>>,
    producers: BTreeSet<ProcessId>,
}

impl Transactions {
    /// Reads the events once.
    pub fn new(history: &History, scenario: &Scenario) -> Self {
        let is_transactional = |role: &ProcessRole| match role {
            ProcessRole::Producer { name, .. } => {
                scenario.all_producers().any(|spec| spec.name == *name && spec.transactions.is_some())
            }
            _ => false,
        };
        let producers =
            history.processes.iter().filter(|(_, role)| is_transactional(role)).map(|(process, _)| *process);
        let mut transactions = Self { producers: producers.collect(), ..Self::default() };
        let keys = Keys::new(history);
        let mut closed = BTreeMap::new();
        for event in &history.events {
            let EventKind::Transaction { process, number, stage } = &event.kind else { continue };
            let outcome = match stage {
                TransactionStage::Invoke { ending, records, .. } => {
                    closed.insert((*process, *number), transactions.all.len());
                    transactions.close((*process, *number), *ending, event.time_ns, records, &keys);
                    continue;
                }
                TransactionStage::Ok => Outcome::Ok,
                TransactionStage::Fail { .. } => Outcome::Fail,
                TransactionStage::Info { .. } => Outcome::Info,
            };
            if let Some(at) = closed.get(&(*process, *number)) {
                transactions.all[*at].outcome = outcome;
            }
        }
        transactions.stretches.values_mut().for_each(|stretches| stretches.sort_unstable());
        transactions
    }

    fn close(
        &mut self,
        (process, number): (ProcessId, TransactionNumber),
        ending: TransactionEnding,
        invoke_ns: TimeNs,
        records: &[Span],
        keys: &Keys<'_>,
    ) {
        self.producers.insert(process);
        for Span { partition, first, count } in records {
            if let Some(key) = keys.key(partition) {
                let past = first.0.saturating_add(*count);
                let stretch = Stretch { process, first: first.0, past, transaction: self.all.len() };
                self.stretches.entry(key).or_default().push(stretch);
            }
        }
        self.all.push(Transaction { process, number, ending, invoke_ns, outcome: Outcome::Info });
    }

    /// Whether some producer of the run puts its records into transactions.
    pub fn are_run(&self) -> bool {
        !self.producers.is_empty()
    }

    /// Whether this process puts its records into transactions, all of them.
    pub fn are_of(&self, process: ProcessId) -> bool {
        self.producers.contains(&process)
    }

    /// The transaction that a record sent to this partition belongs to, as a place in `all`.
    pub fn of(&self, key: PartitionKey, record: RecordId) -> Option<usize> {
        let stretches = self.stretches.get(&key)?;
        let sequence = record.sequence.0;
        let after = stretches.partition_point(|at| (at.process, at.first) <= (record.process, sequence));
        let stretch = stretches.get(after.checked_sub(1)?)?;
        (stretch.process == record.process && sequence < stretch.past).then_some(stretch.transaction)
    }

    /// What became of the transaction of a record; `None` when it belongs to none that is known.
    pub fn fate(&self, key: PartitionKey, record: RecordId) -> Option<Fate> {
        self.of(key, record).map(|at| self.all[at].fate())
    }

    /// Why nobody can tell of transactions although they were run; `None` when their ends are there, or there were none.
    pub fn untold(&self) -> Option<&'static str> {
        (self.are_run() && self.all.is_empty())
            .then_some("The history tells of no transaction's end, nor which records each had.")
    }
}
