//! What the events say, brought together: end offsets, how far readers got, and what went wrong in the harness.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::event::{LogRange, Position};
use crate::history::{EventKind, History};
use crate::kafka::{Offset, Partition, ProcessId, TimeNs, TopicIndex, TopicPartition};

/// A partition as the columnar history names it.
pub type PartitionKey = (TopicIndex, Partition);

/// How the cluster was after the faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wholeness {
    /// Every broker was registered, and every ISR was full.
    Whole,
    /// It was waited for in vain; says what was missing.
    NotWhole(String),
    /// Nobody looked.
    NotObserved,
}

/// The events' digest.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// The run's id, empty when its first event is missing.
    pub run: String,
    /// Each partition's range after the load, from the last `end-offsets`.
    pub ranges: BTreeMap<PartitionKey, LogRange>,
    /// Where each reader stood when its drain ended.
    pub drained: BTreeMap<ProcessId, BTreeMap<PartitionKey, Offset>>,
    /// What the harness said of itself.
    pub harness_errors: Vec<String>,
    /// The signal that interrupted the run.
    pub interrupted: Option<String>,
    /// The cluster after the last heal.
    pub wholeness: Wholeness,
    /// Processes that were started and never ended: rows that they had not handed in yet may be missing.
    pub unfinished: BTreeSet<ProcessId>,
    /// What `run-ended` counted: sends and reads.
    pub totals: Option<(u64, u64)>,
    /// The last event's time.
    pub end: TimeNs,
}

impl Timeline {
    /// Reads the events once.
    pub fn new(history: &History) -> Self {
        let mut timeline = Self {
            run: String::new(),
            ranges: BTreeMap::new(),
            drained: BTreeMap::new(),
            harness_errors: Vec::new(),
            interrupted: None,
            wholeness: Wholeness::NotObserved,
            unfinished: BTreeSet::new(),
            totals: None,
            end: history.events.iter().map(|event| event.time_ns).max().unwrap_or(TimeNs(0)),
        };
        let keys = Keys::new(history);
        for event in &history.events {
            timeline.take(&event.kind, &keys);
        }
        timeline
    }

    fn take(&mut self, kind: &EventKind, keys: &Keys<'_>) {
        match kind {
            EventKind::RunStarted { run, .. } => self.run.clone_from(run),
            EventKind::ProcessStarted { process, .. } => {
                self.unfinished.insert(*process);
            }
            EventKind::ProcessEnded { process, .. } => {
                self.unfinished.remove(process);
            }
            EventKind::EndOffsets { ranges } => {
                self.ranges =
                    ranges.iter().filter_map(|range| Some((keys.key(&range.partition)?, range.clone()))).collect();
            }
            EventKind::Drained { process, positions } => {
                let reached = self.drained.entry(*process).or_default();
                for Position { partition, offset } in positions {
                    if let Some(key) = keys.key(partition) {
                        let position = reached.entry(key).or_insert(*offset);
                        *position = (*position).max(*offset);
                    }
                }
            }
            EventKind::HarnessError { message } => self.harness_errors.push(message.clone()),
            EventKind::Interrupted { signal } => self.interrupted = Some(signal.clone()),
            // What was whole before a fault says nothing of afterwards.
            EventKind::Inject { .. } | EventKind::Heal { .. } => self.wholeness = Wholeness::NotObserved,
            EventKind::ClusterWhole { .. } => self.wholeness = Wholeness::Whole,
            EventKind::ClusterNotWhole { last_seen, .. } => self.wholeness = Wholeness::NotWhole(last_seen.clone()),
            EventKind::RunEnded { sends, reads, .. } => self.totals = Some((*sends, *reads)),
            _ => {}
        }
    }
}

/// From topic names to the columnar history's keys.
struct Keys<'a> {
    topics: BTreeMap<&'a str, TopicIndex>,
}

impl<'a> Keys<'a> {
    fn new(history: &'a History) -> Self {
        let topics = (0u16..).zip(&history.topics).map(|(index, name)| (name.as_str(), TopicIndex(index))).collect();
        Self { topics }
    }

    fn key(&self, partition: &TopicPartition) -> Option<PartitionKey> {
        Some((*self.topics.get(partition.topic.as_str())?, partition.partition))
    }
}
