//! Each consumer group's figures: what it read, how often it read something again, how its members came and went.

use std::collections::BTreeMap;

use crate::history::event::{Position, RevocationCause};
use crate::history::{EventKind, History, ProcessRole};
use crate::kafka::{Offset, Outcome, ProcessId, TopicPartition};
use crate::report::GroupReport;
use crate::scenario::Scenario;

/// One entry a group, by name: those of the scenario and any other that a process belonged to.
pub(super) fn reports(history: &History, scenario: &Scenario) -> Vec<GroupReport> {
    let mut groups: BTreeMap<&str, GroupReport> = BTreeMap::new();
    for spec in scenario.all_groups() {
        groups.insert(&spec.name, empty(&spec.name));
    }
    let group_of = |process: &ProcessId| match history.processes.get(process) {
        Some(ProcessRole::Consumer { group, .. }) => Some(group.as_str()),
        _ => None,
    };
    for group in history.processes.keys().filter_map(group_of) {
        groups.entry(group).or_insert_with(|| empty(group)).members += 1;
    }
    for event in &history.events {
        if let Some(group) = subject(&event.kind).and_then(group_of).and_then(|group| groups.get_mut(group)) {
            count_event(&event.kind, group);
        }
    }
    count_reads(history, &group_of, &mut groups);
    for (group, behind) in behind(history, &group_of) {
        if let Some(report) = groups.get_mut(group) {
            report.behind = Some(behind);
        }
    }
    groups.into_values().collect()
}

fn empty(group: &str) -> GroupReport {
    GroupReport {
        group: group.to_owned(),
        members: 0,
        reads: 0,
        redeliveries: 0,
        assignments: 0,
        rebalances: 0,
        losses: 0,
        commits_ok: 0,
        commits_not_ok: 0,
        behind: None,
    }
}

/// The member that an event of group life is about.
fn subject(event: &EventKind) -> Option<&ProcessId> {
    match event {
        EventKind::Assigned { process, .. }
        | EventKind::Revoked { process, .. }
        | EventKind::Committed { process, .. } => Some(process),
        _ => None,
    }
}

fn count_event(event: &EventKind, group: &mut GroupReport) {
    match event {
        EventKind::Assigned { .. } => group.assignments += 1,
        EventKind::Revoked { cause: RevocationCause::Rebalance, .. } => group.rebalances += 1,
        EventKind::Revoked { cause: RevocationCause::Lost, .. } => group.losses += 1,
        EventKind::Committed { outcome: Outcome::Ok, .. } => group.commits_ok += 1,
        EventKind::Committed { .. } => group.commits_not_ok += 1,
        _ => {}
    }
}

fn count_reads<'a>(
    history: &'a History,
    group_of: &impl Fn(&ProcessId) -> Option<&'a str>,
    groups: &mut BTreeMap<&'a str, GroupReport>,
) {
    for rows in history.partitions.values() {
        let mut offsets: BTreeMap<&str, Vec<Offset>> = BTreeMap::new();
        for read in &rows.reads {
            if let Some(group) = group_of(&read.reader) {
                offsets.entry(group).or_default().push(read.offset);
            }
        }
        for (group, mut offsets) in offsets {
            let reads = offsets.len() as u64;
            offsets.sort_unstable();
            offsets.dedup();
            if let Some(report) = groups.get_mut(group) {
                report.reads += reads;
                report.redeliveries += reads - offsets.len() as u64;
            }
        }
    }
}

/// How many records lay behind each group's furthest drained position, over the partitions whose end offset is known.
fn behind<'a>(history: &'a History, group_of: &impl Fn(&ProcessId) -> Option<&'a str>) -> BTreeMap<&'a str, u64> {
    let mut ends: BTreeMap<&TopicPartition, Offset> = BTreeMap::new();
    let mut furthest: BTreeMap<(&str, &TopicPartition), Offset> = BTreeMap::new();
    for event in &history.events {
        match &event.kind {
            EventKind::EndOffsets { ranges } => ends.extend(ranges.iter().map(|range| (&range.partition, range.end))),
            EventKind::Drained { process, positions } => {
                for Position { partition, offset } in positions {
                    if let Some(group) = group_of(process) {
                        let place = furthest.entry((group, partition)).or_insert(*offset);
                        *place = (*place).max(*offset);
                    }
                }
            }
            _ => {}
        }
    }
    let mut behind: BTreeMap<&str, u64> = BTreeMap::new();
    for ((group, partition), position) in furthest {
        let left = ends.get(partition).map_or(0, |end| end.0.saturating_sub(position.0).max(0).unsigned_abs());
        *behind.entry(group).or_default() += left;
    }
    behind
}

#[cfg(test)]
mod tests {
    use crate::report::fixture;

    #[test]
    fn an_offset_read_twice_by_one_group_is_a_redelivery() {
        let report = fixture::valid();
        let group = &report.groups[0];
        assert_eq!((group.members, group.redeliveries, group.behind), (2, 40, Some(0)));
        assert_eq!(group.reads - group.redeliveries, report.verdict.counts.read_distinct);
    }
}
