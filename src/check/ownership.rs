//! Ownership intervals of a group's partitions: from `assigned` to `revoked`, or to the member's end.
//!
//! Two members that hold one partition at once are a window in which records may be delivered twice. It is told, never
//! judged: a member that was thrown out learns of it late, and until then believes that it still owns.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{EventKind, History, ProcessRole};
use crate::kafka::{ProcessId, TopicPartition};

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
