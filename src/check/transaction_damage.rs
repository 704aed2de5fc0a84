//! Ways to damage the transactions of a valid run.

use crate::history::event::{TransactionEnding, TransactionStage};
use crate::history::{EventKind, ReadRow};
use crate::kafka::{Outcome, TransactionNumber};

use super::generator::{DRAINS, Drawn, PAYER, WITNESS};
use super::testing::{RunBuilder, id};

/// The first transaction of this ending and outcome, of which there are records in the log if there may be any: its number, and the sequences of its records in partition 0.
fn first(drawn: &Drawn, ending: TransactionEnding, outcome: Outcome) -> Option<(TransactionNumber, Vec<u64>)> {
    let events = &drawn.run.history.events;
    let ended = |wanted: TransactionNumber| {
        events.iter().find_map(|event| match &event.kind {
            EventKind::Transaction { number, stage, .. } if *number == wanted => match stage {
                TransactionStage::Invoke { .. } => None,
                TransactionStage::Ok => Some(Outcome::Ok),
                TransactionStage::Fail { .. } => Some(Outcome::Fail),
                TransactionStage::Info { .. } => Some(Outcome::Info),
            },
            _ => None,
        })
    };
    events.iter().find_map(|event| match &event.kind {
        EventKind::Transaction { number, stage: TransactionStage::Invoke { ending: how, records, .. }, .. }
            if *how == ending && ended(*number) == Some(outcome) =>
        {
            let span = records.iter().find(|span| span.partition.partition.0 == 0)?;
            Some((*number, (span.first.0..span.first.0 + span.count).collect()))
        }
        _ => None,
    })
}

/// A drain reader reads the first record of a transaction, at the offset where it lies.
fn read_first(drawn: &mut Drawn, ending: TransactionEnding, outcome: Outcome) -> Option<()> {
    let (_, sequences) = first(drawn, ending, outcome)?;
    let offset = drawn.ends[0];
    for reader in DRAINS.into_iter().chain([WITNESS]) {
        drawn.read(reader, 0, offset, id(PAYER, sequences[0]));
    }
    drawn.ends[0] += 1;
    drawn.reseal();
    Some(())
}

pub(super) fn read_aborted(drawn: &mut Drawn) -> Option<()> {
    read_first(drawn, TransactionEnding::Abort, Outcome::Ok)
}

pub(super) fn read_fenced(drawn: &mut Drawn) -> Option<()> {
    read_first(drawn, TransactionEnding::Abandon, Outcome::Fail)
}

/// The commit is asked for when everybody has read the records.
pub(super) fn commit_late(drawn: &mut Drawn) -> Option<()> {
    let (late, _) = first(drawn, TransactionEnding::Commit, Outcome::Ok)?;
    let end = drawn.run.history.events.last()?.time_ns;
    for event in &mut drawn.run.history.events {
        if matches!(&event.kind, EventKind::Transaction { number, .. } if *number == late) {
            event.time_ns = end;
        }
    }
    drawn.recount();
    Some(())
}

/// Nobody reads these records of partition 0.
fn hide(drawn: &mut Drawn, sequences: &[u64]) {
    let hidden: Vec<_> = sequences.iter().map(|sequence| id(PAYER, *sequence)).collect();
    drawn.run.rows(0).reads.retain(|read| !hidden.contains(&read.record));
    drawn.recount();
}

pub(super) fn tear_the_unheard(drawn: &mut Drawn) -> Option<()> {
    let (_, sequences) = first(drawn, TransactionEnding::Commit, Outcome::Info)?;
    hide(drawn, &sequences[1..]);
    Some(())
}

pub(super) fn tear_the_committed(drawn: &mut Drawn) -> Option<()> {
    let (_, sequences) = first(drawn, TransactionEnding::Commit, Outcome::Ok)?;
    hide(drawn, &sequences[..1]);
    Some(())
}

pub(super) fn lose_the_committed(drawn: &mut Drawn) -> Option<()> {
    let (number, _) = first(drawn, TransactionEnding::Commit, Outcome::Ok)?;
    hide_all(drawn, number)
}

/// Which is legal: then it was aborted.
pub(super) fn lose_the_unheard(drawn: &mut Drawn) -> Option<()> {
    let (number, _) = first(drawn, TransactionEnding::Commit, Outcome::Info)?;
    hide_all(drawn, number)
}

fn hide_all(drawn: &mut Drawn, wanted: TransactionNumber) -> Option<()> {
    let spans = drawn.run.history.events.iter().find_map(|event| match &event.kind {
        EventKind::Transaction { number, stage: TransactionStage::Invoke { records, .. }, .. } if *number == wanted => {
            Some(records.clone())
        }
        _ => None,
    })?;
    for span in spans {
        let sequences = span.first.0..span.first.0 + span.count;
        let is_hidden = |read: &ReadRow| read.record.process.0 == PAYER && sequences.contains(&read.record.sequence.0);
        let key = RunBuilder::chat(span.partition.partition.0);
        drawn.run.history.partitions.get_mut(&key)?.reads.retain(|read| !is_hidden(read));
    }
    drawn.recount();
    Some(())
}

/// A history of before transactions were told; the scenario still says who runs them.
pub(super) fn untold(drawn: &mut Drawn) -> Option<()> {
    let told = drawn.run.history.events.len();
    drawn.run.history.events.retain(|event| !matches!(event.kind, EventKind::Transaction { .. }));
    drawn.run.runs_transactions("payers");
    (drawn.run.history.events.len() < told).then_some(())
}
