//! What is not kept of a history's rows because nothing is the matter with it.
//!
//! Nearly all of a long run is plain: each record was acknowledged once, at an offset that is its own, and read there once by everybody who
//! had to, in order and unharmed. What checks need to know of that much is told here in a few numbers; the rows of everything else, and of
//! what lies beside it, are in [`super::PartitionHistory`]. What counts as plain, and why no check can tell the difference, says
//! `check::sieve`.

use crate::kafka::{LeaderEpoch, Offset};

/// The plain parts of one partition's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plain {
    /// Where they lie, in order; neighbours are one unless their epochs differ.
    pub spans: Vec<PlainSpan>,
    /// By group, in the order of the groups' names: how often its members read in them, which is once a record or never.
    pub group_reads: Vec<u64>,
    /// By group: how many of these reads were before anybody was asked where the log ends.
    pub early_reads: Vec<u64>,
    /// How many readers of the drain read them, each of them once.
    pub drains: u64,
}

/// One stretch of plain offsets, each of which holds a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainSpan {
    /// The first one.
    pub start: Offset,
    /// One past the last.
    pub end: Offset,
    /// Under which leader epoch all of it was read, by everybody; `None` when nobody was told.
    pub epoch: Option<LeaderEpoch>,
}

impl PlainSpan {
    /// How many records lie in it.
    pub fn len(&self) -> u64 {
        (self.end.0 - self.start.0).max(0).unsigned_abs()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Plain {
    /// How many records are plain.
    pub fn records(&self) -> u64 {
        self.spans.iter().map(PlainSpan::len).sum()
    }

    /// How many of them everybody was told the leader epoch of.
    pub fn with_epoch(&self) -> u64 {
        self.spans.iter().filter(|span| span.epoch.is_some()).map(PlainSpan::len).sum()
    }

    /// How many reads of them there were, by everybody.
    pub fn reads(&self) -> u64 {
        self.drained_reads() + self.group_reads.iter().sum::<u64>()
    }

    /// How many of these were of the drain.
    pub fn drained_reads(&self) -> u64 {
        self.records() * self.drains
    }

    /// One past the last of them; 0 where nothing is plain.
    pub fn end(&self) -> Offset {
        self.spans.last().map_or(Offset(0), |span| span.end)
    }
}
