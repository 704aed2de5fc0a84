//! What the events say, brought together: end offsets, how far readers got, and what went wrong in the harness.

use std::collections::{BTreeMap, BTreeSet};

use crate::fault::Deed;
use crate::history::event::{LogRange, Phase, Position};
use crate::history::{Event, EventKind, History};
use crate::kafka::replica::ReplicaLog;
use crate::kafka::{BrokerId, ClusterView, Offset, Partition, ProcessId, TimeNs, TopicIndex, TopicPartition};

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
    /// When these were told.
    pub ranges_ns: Option<TimeNs>,
    /// Where each partition began after the drain, as far as somebody asked then too.
    pub starts: BTreeMap<PartitionKey, Offset>,
    /// When the final drain began, before which nobody asked for any range.
    pub drain_began: Option<TimeNs>,
    /// Below which offset faults deleted a partition's records on purpose, and the cluster confirmed it.
    pub deleted: BTreeMap<PartitionKey, Offset>,
    /// Where each reader stood when its drain ended.
    pub drained: BTreeMap<ProcessId, BTreeMap<PartitionKey, Offset>>,
    /// What the harness said of itself.
    pub harness_errors: Vec<String>,
    /// The signal that interrupted the run.
    pub interrupted: Option<String>,
    /// The run's deadline in milliseconds, when it passed before the chaos phase was over.
    pub deadline_ms: Option<u64>,
    /// The cluster after the last heal.
    pub wholeness: Wholeness,
    /// Processes that were started and never ended: rows that they had not handed in yet may be missing.
    pub unfinished: BTreeSet<ProcessId>,
    /// What `run-ended` counted: sends and reads.
    pub totals: Option<(u64, u64)>,
    /// What was read from each broker's disk in the end, or why nothing was.
    pub audits: BTreeMap<BrokerId, Result<Vec<ReplicaLog>, String>>,
    /// Why nobody was to read the brokers' disks.
    pub audit_skipped: Option<String>,
    /// What the cluster's metadata was at the last look; `None` when nobody answered then.
    pub last_view: Option<ClusterView>,
    /// The last event's time.
    pub end: TimeNs,
}

impl Timeline {
    /// Reads the events once.
    pub fn new(history: &History) -> Self {
        let mut timeline = Self {
            run: String::new(),
            ranges: BTreeMap::new(),
            starts: BTreeMap::new(),
            ranges_ns: None,
            drain_began: None,
            deleted: BTreeMap::new(),
            drained: BTreeMap::new(),
            harness_errors: Vec::new(),
            interrupted: None,
            deadline_ms: None,
            wholeness: Wholeness::NotObserved,
            unfinished: BTreeSet::new(),
            totals: None,
            audits: BTreeMap::new(),
            audit_skipped: None,
            last_view: None,
            end: history.events.iter().map(|event| event.time_ns).max().unwrap_or(TimeNs(0)),
        };
        let keys = Keys::new(history);
        for event in &history.events {
            timeline.take(event, &keys);
        }
        timeline
    }

    fn take(&mut self, event: &Event, keys: &Keys<'_>) {
        match &event.kind {
            EventKind::RunStarted { run, .. } => self.run.clone_from(run),
            EventKind::ProcessStarted { process, .. } => {
                self.unfinished.insert(*process);
            }
            EventKind::ProcessEnded { process, .. } => {
                self.unfinished.remove(process);
            }
            EventKind::PhaseStarted { phase: Phase::Drain } => self.drain_began = Some(event.time_ns),
            EventKind::EndOffsets { ranges } => {
                self.ranges_ns = Some(event.time_ns);
                self.ranges =
                    ranges.iter().filter_map(|range| Some((keys.key(&range.partition)?, range.clone()))).collect();
            }
            EventKind::LogStarts { starts } => {
                let starts = starts.iter().filter_map(|start| Some((keys.key(&start.partition)?, start.offset)));
                self.starts = starts.collect();
            }
            EventKind::Deed { deed: Deed::RecordsDeleted(done), .. } => {
                if let Some(key) = keys.key(&done.partition) {
                    let below = self.deleted.entry(key).or_insert(done.log_start);
                    *below = (*below).max(done.log_start);
                }
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
            EventKind::DeadlinePassed { deadline_ms } => self.deadline_ms = Some(*deadline_ms),
            // What was whole before a fault says nothing of afterwards.
            EventKind::Inject { .. } | EventKind::Heal { .. } => self.wholeness = Wholeness::NotObserved,
            EventKind::ClusterWhole { .. } => self.wholeness = Wholeness::Whole,
            EventKind::ClusterNotWhole { last_seen, .. } => self.wholeness = Wholeness::NotWhole(last_seen.clone()),
            EventKind::ClusterObserved { view } => self.last_view = Some(view.clone()),
            EventKind::ClusterUnreachable { .. } => self.last_view = None,
            EventKind::ReplicasRead { broker, logs } => drop(self.audits.insert(*broker, Ok(logs.clone()))),
            EventKind::ReplicasUnread { broker, reason } => drop(self.audits.insert(*broker, Err(reason.clone()))),
            EventKind::AuditSkipped { reason } => self.audit_skipped = Some(reason.clone()),
            EventKind::RunEnded { sends, reads, .. } => self.totals = Some((*sends, *reads)),
            _ => {}
        }
    }
}

/// From topic names to the columnar history's keys.
pub(super) struct Keys<'a> {
    topics: BTreeMap<&'a str, TopicIndex>,
}

impl<'a> Keys<'a> {
    /// The run's topics.
    pub(super) fn new(history: &'a History) -> Self {
        let topics = (0u16..).zip(&history.topics).map(|(index, name)| (name.as_str(), TopicIndex(index))).collect();
        Self { topics }
    }

    /// The key of a partition, if the run has it.
    pub(super) fn key(&self, partition: &TopicPartition) -> Option<PartitionKey> {
        Some((*self.topics.get(partition.topic.as_str())?, partition.partition))
    }
}
