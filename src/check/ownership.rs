//! Ownership intervals of a group's partitions: from `assigned` to `revoked`, or to the member's end.
//!
//! Two members that hold one partition at once are a window in which records may be delivered twice. Across generations it is told,
//! never judged: a member that was thrown out learns of it late, and until then believes that it still owns. Within one
//! generation `double-ownership` judges it.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Event, EventKind, History, ProcessRole};
use crate::kafka::{ProcessId, TimeNs, TopicPartition};

/// One ownership interval; both ends belong to it. One that nothing ended has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// When the member was given the partition.
    pub from: TimeNs,
    /// When it gave it up, lost it, or died.
    pub until: Option<TimeNs>,
}

impl Interval {
    /// Whether the member owned the partition at a time after `from`.
    pub fn lasts_at(&self, time: TimeNs) -> bool {
        self.until.is_none_or(|until| time <= until)
    }
}

/// Every ownership interval of every partition.
#[derive(Clone, Debug, Default)]
pub struct Intervals {
    owned: BTreeMap<TopicPartition, BTreeMap<ProcessId, Vec<Interval>>>,
    /// When a member went back in a partition that it went on owning.
    returns: BTreeMap<TopicPartition, BTreeMap<ProcessId, Vec<TimeNs>>>,
}

impl Intervals {
    /// Reads the events once.
    pub fn new(history: &History) -> Self {
        let mut all = Self::default();
        for event in in_time_order(history) {
            match &event.kind {
                EventKind::Assigned { process, partitions } => {
                    for partition in partitions {
                        let intervals = all.owned.entry(partition.clone()).or_default().entry(*process).or_default();
                        // Whoever is given what it has begins anew: from its group's commit, not from where it was.
                        end(intervals, event.time_ns);
                        intervals.push(Interval { from: event.time_ns, until: None });
                    }
                }
                EventKind::WentBack { process, positions } => {
                    for position in positions {
                        let returns = all.returns.entry(position.partition.clone()).or_default();
                        returns.entry(*process).or_default().push(event.time_ns);
                    }
                }
                EventKind::Revoked { process, partitions, .. } => {
                    for partition in partitions {
                        let owners = all.owned.get_mut(partition);
                        owners.and_then(|owners| owners.get_mut(process)).into_iter().for_each(|intervals| {
                            end(intervals, event.time_ns);
                        });
                    }
                }
                EventKind::ProcessEnded { process, .. } => {
                    for intervals in all.owned.values_mut().filter_map(|owners| owners.get_mut(process)) {
                        end(intervals, event.time_ns);
                    }
                }
                _ => {}
            }
        }
        all
    }

    /// When a member went back in a partition that it went on owning, in time order.
    pub fn returns(&self, partition: &TopicPartition, process: ProcessId) -> &[TimeNs] {
        self.returns.get(partition).and_then(|members| members.get(&process)).map_or(&[], Vec::as_slice)
    }

    /// A member's intervals of a partition, in time order.
    pub fn of(&self, partition: &TopicPartition, process: ProcessId) -> &[Interval] {
        self.owned.get(partition).and_then(|owners| owners.get(&process)).map_or(&[], Vec::as_slice)
    }
}

fn end(intervals: &mut [Interval], time: TimeNs) {
    if let Some(last) = intervals.last_mut() {
        last.until.get_or_insert(time);
    }
}

/// The events by time. Events of clients in processes of their own are written when they arrive, which is a little later.
pub(super) fn in_time_order(history: &History) -> Vec<&Event> {
    let mut events: Vec<&Event> = history.events.iter().collect();
    events.sort_by_key(|event| event.time_ns);
    events
}

/// One sentence for each group in which two members held a partition at the same time.
pub fn overlaps(history: &History) -> Vec<String> {
    let mut owners: BTreeMap<(&str, TopicPartition), BTreeSet<ProcessId>> = BTreeMap::new();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for event in &history.events {
        match &event.kind {
            EventKind::Assigned { process, partitions } => {
                let Some(group) = group(history, *process) else { continue };
                for partition in partitions {
                    let holders = owners.entry((group, partition.clone())).or_default();
                    if holders.iter().any(|holder| holder != process) {
                        *counts.entry(group).or_default() += 1;
                    }
                    holders.insert(*process);
                }
            }
            EventKind::Revoked { process, partitions, .. } => {
                let Some(group) = group(history, *process) else { continue };
                for partition in partitions {
                    if let Some(holders) = owners.get_mut(&(group, partition.clone())) {
                        holders.remove(process);
                    }
                }
            }
            EventKind::ProcessEnded { process, .. } => {
                for holders in owners.values_mut() {
                    holders.remove(process);
                }
            }
            _ => {}
        }
    }
    let sentence = |(group, count)| {
        format!("{count} times a member of {group} was given a partition that another member still held (rebalances).")
    };
    counts.into_iter().map(sentence).collect()
}

fn group(history: &History, process: ProcessId) -> Option<&str> {
    match history.processes.get(&process) {
        Some(ProcessRole::Consumer { group, .. }) => Some(group),
        _ => None,
    }
}
