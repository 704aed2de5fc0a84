//! The history of a run: everything that clients, nemesis and observers did and saw, append-only.
//!
//! A history directory holds five files. `events.jsonl` has the events that come a few per second, one JSON object a line
//! ([`Event`]). `sends.arrows`, `reads.arrows`, `sources.arrows` and `replicas.arrows` are Arrow IPC streams with one row per
//! completed send ([`SendRow`]), per record read ([`ReadRow`]), per record that a transformer made ([`SourceRow`]), and per batch
//! that a replica stored in the end ([`ReplicaRow`]); Polars, `DuckDB` and pyarrow open them as they are. All are flushed at
//! least once a second, so that a killed harness loses one second of evidence at most; a file that ends in the middle of a line
//! or batch is read up to there, and the history is then [`Closure::Cut`].

pub mod clock;
mod columns;
pub mod edn;
pub mod environment;
pub mod event;
pub mod export;
pub mod plain;
pub mod reader;
pub mod recorder;
pub mod row;
pub mod seal;
pub mod tally;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use environment::Environment;
pub use event::{Event, EventKind, Phase, ProcessRole};
pub use plain::{Plain, PlainSpan};
pub use row::{ReadRow, ReplicaRow, SendRow, SourceRow};
pub use seal::Seal;
use tally::Tally;

use crate::kafka::{Partition, ProcessId, TopicIndex};

/// The version of the format that this build writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

/// Everything recorded about one partition, in recorded order (each process's rows in its own order).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartitionHistory {
    /// Completed sends to the partition.
    pub sends: Vec<SendRow>,
    /// Reads from the partition, by groups' members and by the drain alike.
    pub reads: Vec<ReadRow>,
    /// What transformers made their records to the partition of.
    pub sources: Vec<SourceRow>,
    /// What the replicas stored in the end, broker by broker, each in the order of its log.
    pub replicas: Vec<ReplicaRow>,
    /// Where sends and reads are left out above, because nothing is the matter there; nowhere, unless somebody sifted the history.
    pub plain: Plain,
}

/// Whether a history is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closure {
    /// It ends with `run-ended`, after every recorder was flushed and closed.
    Whole,
    /// It does not: the harness died, or is still running. Says what is missing.
    Cut(String),
}

/// A whole history in memory: what checkers and reports work on.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// The events, in time order.
    pub events: Vec<Event>,
    /// The scenario's topics; a [`TopicIndex`] points into this.
    pub topics: Vec<String>,
    /// Who each process was.
    pub processes: BTreeMap<ProcessId, ProcessRole>,
    /// Sends and reads by partition; every partition of every topic is there, empty or not.
    pub partitions: BTreeMap<(TopicIndex, Partition), PartitionHistory>,
    /// Whether the history is whole.
    pub closure: Closure,
    /// What was counted of the rows as they were read; `None` where nobody counted.
    pub tally: Option<Arc<Tally>>,
}

impl History {
    /// The name of a topic, or `topic#N` when the history does not know it.
    pub fn topic_name(&self, topic: TopicIndex) -> String {
        self.topics.get(usize::from(topic.0)).cloned().unwrap_or_else(|| topic.to_string())
    }
}
