//! The transactions of a history, each of which is one `txn` of Jepsen's: all that it sent, and how it ended.

use std::collections::BTreeMap;

use super::{History, Row, rows};
use crate::history::event::{Span, TransactionEnding, TransactionStage};
use crate::history::{EventKind, PartitionHistory};
use crate::kafka::{Outcome, Partition, ProcessId, RecordId, TimeNs, TopicIndex};

/// One transaction.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) process: ProcessId,
    pub(super) began: TimeNs,
    pub(super) ended: TimeNs,
    /// Ok when its commit was acknowledged, fail when that was never asked for.
    pub(super) outcome: Outcome,
    /// Its sends, by key and in the order in which they were sent; at least one.
    pub(super) rows: Vec<Row>,
}

/// Every transaction with records, in the order in which they closed. Records that the client library refused are not among
/// theirs.
pub(super) fn transactions(history: &History, partitions: &[&PartitionHistory]) -> Vec<Transaction> {
    let sends = Sends::new(history, partitions);
    let (mut all, mut open) = (Vec::new(), BTreeMap::new());
    for event in &history.events {
        let EventKind::Transaction { process, number, stage } = &event.kind else { continue };
        let outcome = match stage {
            TransactionStage::Invoke { ending, began_ns, records } => {
                open.insert((*process, *number), (all.len(), *ending));
                let outcome = if *ending == TransactionEnding::Commit { Outcome::Info } else { Outcome::Fail };
                let rows = records.iter().flat_map(|span| sends.of(*process, span)).collect();
                let process = *process;
                all.push(Transaction { process, began: *began_ns, ended: event.time_ns, outcome, rows });
                continue;
            }
            TransactionStage::Ok => Outcome::Ok,
            TransactionStage::Fail { .. } => Outcome::Fail,
            TransactionStage::Info { .. } => Outcome::Info,
        };
        let Some((at, ending)) = open.get(&(*process, *number)) else { continue };
        all[*at].ended = event.time_ns;
        if *ending == TransactionEnding::Commit {
            all[*at].outcome = outcome;
        }
    }
    for transaction in &mut all {
        let may_be = |row: &Row| {
            let send = &partitions[row.0 as usize].sends[row.1 as usize];
            transaction.outcome == Outcome::Fail || send.outcome != Outcome::Fail
        };
        transaction.rows.retain(may_be);
    }
    all.retain(|transaction| !transaction.rows.is_empty());
    all
}

/// The rows of a history's sends, by record.
struct Sends<'h> {
    history: &'h History,
    keys: BTreeMap<(TopicIndex, Partition), u32>,
    sorted: Vec<Vec<(RecordId, Row)>>,
}

impl<'h> Sends<'h> {
    fn new(history: &'h History, partitions: &[&PartitionHistory]) -> Self {
        let mut sorted = vec![Vec::new(); partitions.len()];
        for (row, send) in rows(partitions, |partition| &partition.sends) {
            sorted[row.0 as usize].push((send.id(), row));
        }
        for sends in &mut sorted {
            sends.sort_unstable();
        }
        Self { history, keys: history.partitions.keys().copied().zip(0..).collect(), sorted }
    }

    /// The sends of a span, by their sequences.
    fn of(&self, process: ProcessId, span: &Span) -> Vec<Row> {
        let topic = self.history.topics.iter().position(|topic| *topic == span.partition.topic);
        let topic = topic.and_then(|topic| u16::try_from(topic).ok());
        let key = topic.and_then(|topic| self.keys.get(&(TopicIndex(topic), span.partition.partition)));
        let Some(sends) = key.map(|key| &self.sorted[*key as usize]) else { return Vec::new() };
        let past = span.first.0.saturating_add(span.count);
        let from = sends.partition_point(|(record, _)| (record.process, record.sequence) < (process, span.first));
        let inside = |(record, _): &&(RecordId, Row)| record.process == process && record.sequence.0 < past;
        sends[from..].iter().take_while(inside).map(|(_, row)| *row).collect()
    }
}
