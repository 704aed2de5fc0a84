//! What the witness was shown: the reader of the drain that waits for no commits (`ProcessRole::Witness`).
//!
//! It is given everything there is, of transactions that were aborted too. Nobody relies on that, so that its reads are part of no
//! log that is judged (`log`); but bytes that are damaged are damaged for it too, an offset has one record for it too, and what it
//! passed over is not there.

use crate::history::{Closure, ReadRow};
use crate::kafka::{Offset, ProcessId};

use super::readers::Readers;
use super::timeline::{PartitionKey, Timeline};

/// What it was shown of one partition.
pub struct Shown<'a> {
    /// The witness.
    pub witness: ProcessId,
    /// It was shown everything below this offset.
    pub reached: Offset,
    /// Its reads, by offset.
    pub reads: Vec<&'a ReadRow>,
}

impl<'a> Shown<'a> {
    /// `None` where there was no witness, or it got nowhere in this partition.
    pub fn of(
        (key, reads): (PartitionKey, &'a [ReadRow]),
        (timeline, readers, closure): (&Timeline, &Readers, &Closure),
    ) -> Option<Self> {
        if !readers.have_witness() {
            return None;
        }
        let is_whole = matches!(closure, Closure::Whole);
        let mut reads: Vec<&ReadRow> = reads.iter().filter(|read| readers.is_witness(read.reader)).collect();
        reads.sort_by_key(|read| read.offset);
        let stood = timeline.drained.iter().find(|(process, _)| readers.is_witness(**process));
        let position = stood.and_then(|(process, positions)| Some((*process, *positions.get(&key)?)));
        let last = reads.last().map(|read| (read.reader, Offset(read.offset.0.saturating_add(1))));
        let (witness, reached) = match (position, last) {
            // In a cut history the event may have been flushed and the rows not.
            (Some((_, stood)), Some((witness, last))) if is_whole => (witness, stood.max(last)),
            (Some(stood), None) if is_whole => stood,
            (_, last) => last?,
        };
        Some(Self { witness, reached, reads })
    }

    /// What it was shown at an offset.
    pub fn at(&self, offset: Offset) -> impl Iterator<Item = &'a ReadRow> + '_ {
        let from = self.reads.partition_point(|read| read.offset < offset);
        self.reads[from..].iter().take_while(move |read| read.offset == offset).copied()
    }
}
