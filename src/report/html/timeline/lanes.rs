//! The report's spans as bars on the time axis, and the same spans as rows of a table.

use super::{Bar, Lane};
use crate::anomaly::CheckName;
use crate::kafka::{BrokerId, TimeNs};
use crate::report::html::axis::TimeAxis;
use crate::report::{BrokerState, LeaderSpan, PartitionReport, Report, format};

/// How many colours there are for leaders; beyond, they repeat, and the labels tell.
const LEADER_COLOURS: i32 = 6;

/// A stall shorter than this is no outage, and its bar would be thinner than a pixel.
const SHORTEST_OUTAGE_MS: u64 = 500;

/// A stretch of a lane, as a row.
pub(super) struct Row {
    pub(super) lane: String,
    pub(super) state: String,
    pub(super) start_ns: TimeNs,
    pub(super) end_ns: TimeNs,
}

/// Every lane, from the top.
pub(super) fn all(report: &Report, partitions: &[&PartitionReport], axis: TimeAxis) -> Vec<Lane> {
    let mut lanes = vec![phases(report, axis)];
    lanes.extend(report.brokers.iter().map(|lane| {
        Lane {
            name: lane.broker.to_string(),
            bars: lane
                .spans
                .iter()
                .filter_map(|span| {
                    let took = format::duration_ms(span.end_ns.since(span.start_ns) / 1_000_000);
                    let word = state_word(span.state);
                    let mut bar = bar(axis, span.start_ns, span.end_ns, &format!("bar {}", state_class(span.state)))?;
                    bar.pattern = match span.state {
                        BrokerState::Down => Some("down"),
                        BrokerState::Paused => Some("paused"),
                        BrokerState::Up | BrokerState::Unregistered => None,
                    };
                    bar.labels = vec![format!("{word} {took}"), word.to_owned()];
                    if span.state == BrokerState::Up {
                        bar.labels.remove(0);
                    }
                    bar.hint = format!("{} {word} for {took}", lane.broker);
                    Some(bar)
                })
                .collect(),
        }
    }));
    lanes.extend(partitions.iter().map(|partition| partition_lane(partition, axis)));
    lanes.extend(anomalies(report, axis));
    lanes
}

/// A bar between two moments, unless it lies wholly beyond the axis.
fn bar(axis: TimeAxis, start_ns: TimeNs, end_ns: TimeNs, class: &str) -> Option<Bar> {
    let (from, to) = axis.seconds();
    if end_ns.as_secs_f64() <= from || start_ns.as_secs_f64() >= to {
        return None;
    }
    let (start, end) = (axis.x(start_ns), axis.x(end_ns));
    Some(Bar {
        start,
        end,
        class: class.to_owned(),
        level: 1.0,
        pattern: None,
        labels: Vec::new(),
        hint: String::new(),
    })
}

fn phases(report: &Report, axis: TimeAxis) -> Lane {
    let bars = report.phases.iter().filter_map(|span| {
        let mut bar = bar(axis, span.start_ns, span.end_ns, "bar phase")?;
        bar.labels = vec![span.phase.name().to_owned()];
        let took = format::duration_ms(span.end_ns.since(span.start_ns) / 1_000_000);
        bar.hint = format!("{} for {took}", span.phase.name());
        Some(bar)
    });
    Lane { name: "phase".to_owned(), bars: bars.collect() }
}

fn partition_lane(partition: &PartitionReport, axis: TimeAxis) -> Lane {
    let mut bars: Vec<Bar> = Vec::new();
    for span in &partition.spans {
        let class = span.leader.map_or("bar no-leader".to_owned(), |leader| format!("bar {}", leader_class(leader)));
        if let Some(mut bar) = bar(axis, span.start_ns, span.end_ns, &class) {
            bar.pattern = (span.isr < span.replicas).then_some("isr");
            bar.labels = leader_labels(span);
            bar.hint = format!("{}: {}", partition.partition, leader_state(span));
            bars.push(bar);
        }
    }
    if let (Some(outage_ms), Some(from_ms)) = (partition.max_unavailability_ms, partition.unavailable_from_ms)
        && outage_ms >= SHORTEST_OUTAGE_MS
    {
        let (from, to) = (TimeNs::from_millis(from_ms), TimeNs::from_millis(from_ms + outage_ms));
        if let Some(mut bar) = bar(axis, from, to, "bar unavailable") {
            bar.level = 0.18;
            bar.hint = format!("{} unavailable for {}", partition.partition, format::duration_ms(outage_ms));
            bars.push(bar);
        }
    }
    Lane { name: partition.partition.to_string(), bars }
}

/// One lane for each check that found something, with a bar for each second in which affected records were sent,
/// the higher the more of them.
fn anomalies(report: &Report, axis: TimeAxis) -> Vec<Lane> {
    let lanes = CheckName::ALL.into_iter().filter_map(|check| {
        let of_check = report.anomalies.iter().filter(|anomaly| anomaly.check == check);
        let mut seconds: std::collections::BTreeMap<u64, u64> = std::collections::BTreeMap::new();
        for time in of_check.filter_map(|anomaly| anomaly.send_ns.or(anomaly.ack_ns)) {
            *seconds.entry(time.0 / 1_000_000_000).or_default() += 1;
        }
        let most = seconds.values().max().copied().unwrap_or(1);
        let bars = seconds.iter().filter_map(|(second, count)| {
            let (from, to) = (TimeNs(second * 1_000_000_000), TimeNs((second + 1) * 1_000_000_000));
            let mut bar = bar(axis, from, to, "bar anomaly")?;
            bar.level = *count as f64 / most as f64;
            bar.hint = format!("{check}: {} sent in second {second}", format::counted(*count, "record"));
            Some(bar)
        });
        let bars: Vec<Bar> = bars.collect();
        (!bars.is_empty()).then(|| Lane { name: check.name().to_owned(), bars })
    });
    lanes.collect()
}

/// Every span as a row, lane by lane.
pub(super) fn rows(report: &Report) -> Vec<Row> {
    let phases = report.phases.iter().map(|span| Row {
        lane: "phase".to_owned(),
        state: span.phase.name().to_owned(),
        start_ns: span.start_ns,
        end_ns: span.end_ns,
    });
    let brokers = report.brokers.iter().flat_map(|lane| {
        lane.spans.iter().map(|span| Row {
            lane: lane.broker.to_string(),
            state: state_word(span.state).to_owned(),
            start_ns: span.start_ns,
            end_ns: span.end_ns,
        })
    });
    let partitions = report.partitions.iter().flat_map(|partition| {
        partition.spans.iter().map(|span| Row {
            lane: partition.partition.to_string(),
            state: leader_state(span),
            start_ns: span.start_ns,
            end_ns: span.end_ns,
        })
    });
    phases.chain(brokers).chain(partitions).collect()
}

fn state_word(state: BrokerState) -> &'static str {
    match state {
        BrokerState::Up => "up",
        BrokerState::Unregistered => "not registered",
        BrokerState::Paused => "paused",
        BrokerState::Down => "down",
    }
}

fn state_class(state: BrokerState) -> &'static str {
    match state {
        BrokerState::Unregistered => "unregistered",
        other => state_word(other),
    }
}

fn leader_class(leader: BrokerId) -> String {
    format!("leader-{}", leader.0.rem_euclid(LEADER_COLOURS))
}

/// The leader and a short ISR, from the longest text to the shortest.
fn leader_labels(span: &LeaderSpan) -> Vec<String> {
    let Some(leader) = span.leader else { return vec!["no leader".to_owned()] };
    let short = leader.0.to_string();
    if span.isr < span.replicas {
        let isr = format!("ISR {}/{}", span.isr, span.replicas);
        vec![format!("leader {leader}, {isr}"), format!("{leader}, {isr}"), isr, short]
    } else {
        vec![format!("leader {leader}"), leader.to_string(), short]
    }
}

fn leader_state(span: &LeaderSpan) -> String {
    let leader = format::or_dash(span.leader, |leader| format!("led by {leader}")).replace('–', "no leader");
    let epoch = span.leader_epoch.map_or_else(String::new, |epoch| format!(" in epoch {epoch}"));
    format!("{leader}{epoch}, ISR {} of {}", span.isr, span.replicas)
}
