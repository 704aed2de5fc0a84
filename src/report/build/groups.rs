//! Each consumer group's figures: what it read, how often it read something again, how its members came and went.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::event::{Position, RevocationCause};
use crate::history::tally::Tally;
use crate::history::{EventKind, History, ProcessRole};
use crate::kafka::{Offset, Outcome, ProcessId, TimeNs, TopicPartition};
use crate::report::{GroupReport, GroupSpan};
use crate::scenario::Scenario;

/// One entry a group, by name: those of the scenario and any other that a process belonged to.
pub(super) fn reports((history, tally): (&History, &Tally), scenario: &Scenario, end_ns: TimeNs) -> Vec<GroupReport> {
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
    for (place, _) in tally.reads.partitions.iter() {
        for (group, report) in &mut groups {
            if let Some(read) = tally.reads.group(place, group) {
                report.reads += read.reads;
                report.redeliveries += read.again();
            }
        }
    }
    for (group, behind) in behind(history, &group_of) {
        if let Some(report) = groups.get_mut(group) {
            report.behind = Some(behind);
        }
    }
    for (name, report) in &mut groups {
        report.spans = spans(history, end_ns, |process| group_of(process) == Some(*name));
    }
    groups.into_values().collect()
}

/// How a group's partitions were spread over its members, replayed from what they were given and gave up.
fn spans(history: &History, end_ns: TimeNs, is_member: impl Fn(&ProcessId) -> bool) -> Vec<GroupSpan> {
    let mut owned: BTreeMap<ProcessId, BTreeSet<&TopicPartition>> = BTreeMap::new();
    let mut spans: Vec<GroupSpan> = Vec::new();
    for event in &history.events {
        match &event.kind {
            EventKind::Assigned { process, partitions } if is_member(process) => {
                owned.entry(*process).or_default().extend(partitions);
            }
            EventKind::Revoked { process, partitions, .. } if is_member(process) => {
                if let Some(own) = owned.get_mut(process) {
                    own.retain(|partition| !partitions.contains(partition));
                }
            }
            EventKind::ProcessEnded { process, .. } if is_member(process) => {
                owned.remove(process);
            }
            _ => continue,
        }
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let (owners, partitions) = (
            count(owned.values().filter(|own| !own.is_empty()).count()),
            count(owned.values().flatten().collect::<BTreeSet<_>>().len()),
        );
        match spans.last_mut() {
            Some(last) if (last.owners, last.owned) == (owners, partitions) => continue,
            Some(last) => last.end_ns = event.time_ns,
            None => {}
        }
        spans.push(GroupSpan { owners, owned: partitions, start_ns: event.time_ns, end_ns });
    }
    spans
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
        spans: Vec::new(),
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

    #[test]
    fn a_groups_partitions_are_followed_from_member_to_member() {
        let report = fixture::valid();
        let spans: Vec<_> = report.groups[0].spans.iter().map(|span| (span.owners, span.owned)).collect();
        assert_eq!(spans, [(1, 2), (2, 3), (1, 1), (2, 3)]);
        assert_eq!(report.groups[0].spans.last().map(|span| span.end_ns), Some(report.end_ns));
    }
}
