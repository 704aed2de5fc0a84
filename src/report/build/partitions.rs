//! Each partition's figures, and its leaders over time as the cluster's metadata told them.

use std::collections::BTreeMap;

use crate::history::tally::{PartitionReads, Tally};
use crate::history::{EventKind, History};
use crate::kafka::{Offset, Outcome, PartitionView, TimeNs, TopicPartition};
use crate::report::{LeaderSpan, PartitionReport, Stall};
use crate::verdict::Verdict;

/// One entry a partition of the history.
pub(super) fn reports(history: &History, tally: &Tally, verdict: &Verdict, end_ns: TimeNs) -> Vec<PartitionReport> {
    let mut spans = leader_spans(history, end_ns);
    let ranges = ranges(history);
    let mut reports: Vec<PartitionReport> = Vec::with_capacity(history.partitions.len());
    for (place, sends) in tally.sends.partitions.iter() {
        let partition = TopicPartition { topic: history.topic_name(place.0), partition: place.1 };
        let name = partition.to_string();
        let line = verdict.availability.partitions.iter().find(|line| line.partition == name);
        reports.push(PartitionReport {
            outages: line.map(|line| line.outages.clone()).unwrap_or_default(),
            sent: sends.sent,
            acked: sends.of(Outcome::Ok),
            failed: sends.of(Outcome::Fail),
            indeterminate: sends.of(Outcome::Info),
            range: ranges.get(&partition).copied(),
            drained_distinct: tally.reads.partitions.get(place).map_or(0, PartitionReads::drained_of_this_run),
            max_unavailability_ms: line.and_then(|line| line.max_unavailability_ms),
            unavailable_from_ms: line.and_then(|line| line.began_ms),
            stall: line.and_then(|line| {
                let longest_ms = line.max_consume_stall_ms?;
                Some(Stall { longest_ms, from_ms: line.stall_began_ms, group: line.stalled_group.clone() })
            }),
            spans: spans.remove(&partition).unwrap_or_default(),
            partition,
        });
    }
    reports.sort_by(|a, b| a.partition.cmp(&b.partition));
    reports
}

/// The last range that was read of each partition.
fn ranges(history: &History) -> BTreeMap<TopicPartition, (Offset, Offset)> {
    let mut last = BTreeMap::new();
    for event in &history.events {
        if let EventKind::EndOffsets { ranges } = &event.kind {
            for range in ranges {
                last.insert(range.partition.clone(), (range.start, range.end));
            }
        }
    }
    last
}

fn leader_spans(history: &History, end_ns: TimeNs) -> BTreeMap<TopicPartition, Vec<LeaderSpan>> {
    let mut spans: BTreeMap<TopicPartition, Vec<LeaderSpan>> = BTreeMap::new();
    for event in &history.events {
        if let EventKind::ClusterObserved { view } = &event.kind {
            for seen in &view.partitions {
                extend(spans.entry(seen.partition.clone()).or_default(), seen, event.time_ns, end_ns);
            }
        }
    }
    spans
}

/// Begins a new span where leader, epoch or ISR size changes. The last span always reaches to the end of the run.
fn extend(spans: &mut Vec<LeaderSpan>, seen: &PartitionView, now: TimeNs, end_ns: TimeNs) {
    let size = |brokers: &[_]| u32::try_from(brokers.len()).unwrap_or(u32::MAX);
    let (isr, replicas) = (size(&seen.isr), size(&seen.replicas));
    if let Some(last) = spans.last_mut() {
        let same = (last.leader, last.leader_epoch, last.isr, last.replicas)
            == (seen.leader, seen.leader_epoch, isr, replicas);
        if same {
            return;
        }
        last.end_ns = now;
    }
    let (leader, leader_epoch) = (seen.leader, seen.leader_epoch);
    spans.push(LeaderSpan { leader, leader_epoch, isr, replicas, start_ns: now, end_ns });
}

#[cfg(test)]
mod tests {
    use crate::kafka::BrokerId;
    use crate::report::fixture;

    #[test]
    fn a_leader_change_and_a_shrunken_isr_make_spans() {
        let report = fixture::valid();
        let spans: Vec<_> = report.partitions[1].spans.iter().map(|span| (span.leader, span.isr)).collect();
        let (two, three) = (Some(BrokerId(2)), Some(BrokerId(3)));
        assert_eq!(spans, [(two, 3), (three, 2), (three, 3), (two, 3)]);
    }

    #[test]
    fn the_drain_s_distinct_records_are_counted_once() {
        let report = fixture::valid();
        let acked: u64 = report.partitions.iter().map(|partition| partition.acked).sum();
        let drained: u64 = report.partitions.iter().map(|partition| partition.drained_distinct).sum();
        assert!(drained >= acked && drained <= acked + report.verdict.counts.indeterminate);
    }
}
