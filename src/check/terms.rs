//! Which leader epoch wrote which offsets of a partition's final log, as the drain reader that got furthest was given them.
//!
//! Every batch carries the epoch of the leader that appended it (KIP-101), and a client is given it with each record. Epochs
//! change a few times a run, so that a log's epochs are a few stretches, whatever its length.

use crate::history::ReadRow;
use crate::kafka::{LeaderEpoch, Offset, ProcessId};

use super::evidence::PartitionEvidence;

/// The epochs of one partition's final log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Where each stretch of one epoch begins; `None` where the reader was not told it.
    stretches: Vec<(Offset, Option<LeaderEpoch>)>,
    /// One past the last offset that was read.
    end: Offset,
    /// Who read: its place in `Readers::drains`.
    reader: usize,
}

impl Terms {
    /// Reads the rows of the drain reader that got furthest; `None` where there is none.
    pub fn of(partition: &PartitionEvidence<'_>) -> Option<Self> {
        let furthest = partition.reaches.iter().enumerate().max_by_key(|(place, reach)| {
            // Of equals the first one.
            (reach.reached, std::cmp::Reverse(*place))
        });
        let (reader, reach) = furthest?;
        let mut terms = Self { stretches: Vec::new(), end: Offset(0), reader };
        let mut plain = partition.plain.spans.iter().peekable();
        for read in rising(partition.reads, reach.reader) {
            while let Some(span) = plain.next_if(|span| span.start < read.offset) {
                terms.go_on(span.start, span.end, span.epoch);
            }
            terms.go_on(read.offset, Offset(read.offset.0.saturating_add(1)), read.leader_epoch);
        }
        plain.for_each(|span| terms.go_on(span.start, span.end, span.epoch));
        Some(terms)
    }

    fn go_on(&mut self, start: Offset, end: Offset, epoch: Option<LeaderEpoch>) {
        if self.stretches.last().is_none_or(|(_, last)| *last != epoch) {
            self.stretches.push((start, epoch));
        }
        self.end = end;
    }

    /// The epoch of an offset; `None` where the reader read nothing so far, or was not told.
    pub fn at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let next = self.stretches.partition_point(|(from, _)| *from <= offset);
        let (_, epoch) = self.stretches.get(next.checked_sub(1)?)?;
        epoch.filter(|_| offset < self.end)
    }

    /// The drain reader whose rows these are, by its place in `Readers::drains`.
    pub fn reader(&self) -> usize {
        self.reader
    }
}

/// A reader's rows in the order in which it read them, but for those with which it stepped back, which are `nonmonotonic-poll`'s.
fn rising(reads: &[ReadRow], reader: ProcessId) -> impl Iterator<Item = &ReadRow> {
    let mut last = Offset(-1);
    reads.iter().filter(move |read| {
        let rises = read.reader == reader && read.offset > last;
        if rises {
            last = read.offset;
        }
        rises
    })
}
