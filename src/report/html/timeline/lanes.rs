//! The report's spans as bars on the time axis, and the same spans as rows of a table.

use std::collections::BTreeMap;

use super::{Bar, Lane, Link};
use crate::anomaly::CheckName;
use crate::kafka::{BrokerId, TimeNs};
use crate::report::html::axis::TimeAxis;
use crate::report::html::places;
use crate::report::{BrokerState, GroupReport, GroupSpan, LeaderSpan, PartitionReport, Report, format};
use crate::verdict::Outage;

/// How many colours there are for leaders; beyond, they repeat, and the labels tell.
const LEADER_COLOURS: i32 = 6;

/// More outages of one partition than this nobody can tell apart in its lane: the longest are drawn.
const MOST_OUTAGES: usize = 200;

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
                        BrokerState::Cut => Some("cut"),
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
    lanes.extend(controller_lane(report, axis));
    lanes.extend(partitions.iter().map(|partition| partition_lane(partition, axis)));
    lanes.extend(report.groups.iter().filter(|group| !group.spans.is_empty()).map(|group| group_lane(group, axis)));
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
        link: None,
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

/// Who the controller was; no lane where nobody ever named one.
fn controller_lane(report: &Report, axis: TimeAxis) -> Option<Lane> {
    if report.controllers.iter().all(|span| span.controller.is_none()) {
        return None;
    }
    let bars = report.controllers.iter().filter_map(|span| {
        let class =
            span.controller.map_or("bar no-leader".to_owned(), |broker| format!("bar {}", leader_class(broker)));
        let mut bar = bar(axis, span.start_ns, span.end_ns, &class)?;
        bar.labels = match span.controller {
            Some(broker) => vec![broker.to_string(), broker.0.to_string()],
            None => vec!["none known".to_owned()],
        };
        bar.hint = controller_state(span.controller);
        Some(bar)
    });
    Some(Lane { name: "controller".to_owned(), bars: bars.collect() })
}

fn controller_state(controller: Option<BrokerId>) -> String {
    controller.map_or_else(|| "no controller known".to_owned(), |broker| format!("{broker} is the controller"))
}

/// Over how many members a group's partitions were spread; hatched while some had no owner.
fn group_lane(group: &GroupReport, axis: TimeAxis) -> Lane {
    let all = group.spans.iter().map(|span| span.owned).max().unwrap_or(0);
    let bars = group.spans.iter().filter_map(|span| {
        let class = if span.owned < all { "bar unowned" } else { "bar owned" };
        let mut bar = bar(axis, span.start_ns, span.end_ns, class)?;
        bar.pattern = (span.owned < all).then_some("isr");
        bar.labels = vec![group_state(span, all), format!("{} of {all}", span.owned), span.owned.to_string()];
        bar.hint = format!("{}: {}", group.group, group_state(span, all));
        Some(bar)
    });
    Lane { name: group.group.clone(), bars: bars.collect() }
}

fn group_state(span: &GroupSpan, all: u32) -> String {
    let members = format::counted(u64::from(span.owners), "member");
    if span.owned == all {
        format!("{} on {members}", format::counted(u64::from(all), "partition"))
    } else {
        format!("{} of {} on {members}", span.owned, format::counted(u64::from(all), "partition"))
    }
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
    let mut outages: Vec<&Outage> = partition.outages.iter().collect();
    outages.sort_by_key(|outage| std::cmp::Reverse(outage.to_ms - outage.from_ms));
    outages.truncate(MOST_OUTAGES);
    outages.sort_by_key(|outage| outage.from_ms);
    bars.extend(outages.into_iter().filter_map(|outage| {
        let (from, to) = (TimeNs::from_millis(outage.from_ms), TimeNs::from_millis(outage.to_ms));
        let mut bar = bar(axis, from, to, "bar unavailable")?;
        bar.level = 0.18;
        let took = format::duration_ms(outage.to_ms - outage.from_ms);
        bar.hint = format!("{} unavailable for {took}", partition.partition);
        Some(bar)
    }));
    Lane { name: partition.partition.to_string(), bars }
}

/// One lane for each check that found something, with a bar for each second in which affected records were sent,
/// the higher the more of them.
fn anomalies(report: &Report, axis: TimeAxis) -> Vec<Lane> {
    let lanes = CheckName::ALL.into_iter().filter_map(|check| {
        let seconds = per_second(report, check);
        let cards = first_cards(report, check);
        let most = seconds.values().max().copied().unwrap_or(1);
        let bars = seconds.iter().filter_map(|(second, count)| {
            let (from, to) = (TimeNs(second * 1_000_000_000), TimeNs((second + 1) * 1_000_000_000));
            let mut bar = bar(axis, from, to, "bar anomaly")?;
            bar.level = *count as f64 / most as f64;
            bar.hint = format!("{check}: {} in second {second}", format::counted(*count, "record"));
            let to = cards.get(second).map_or_else(|| places::cards_of(check), |card| places::card(*card));
            bar.link = Some(Link { check, second: *second, to });
            Some(bar)
        });
        let bars: Vec<Bar> = bars.collect();
        (!bars.is_empty()).then(|| Lane { name: check.name().to_owned(), bars })
    });
    lanes.collect()
}

/// How many of a check's anomalies are marked in each second.
fn per_second(report: &Report, check: CheckName) -> BTreeMap<u64, u64> {
    let mut seconds = BTreeMap::new();
    let of_check = report.anomalies.iter().filter(|anomaly| anomaly.check == check);
    for second in of_check.filter_map(|anomaly| places::second(report, anomaly)) {
        *seconds.entry(second).or_default() += 1;
    }
    seconds
}

/// The first card of each second in which a check's anomalies are marked.
fn first_cards(report: &Report, check: CheckName) -> BTreeMap<u64, usize> {
    let mut first = BTreeMap::new();
    for card in &report.cards {
        let anomaly = &report.anomalies[card.anomaly];
        if anomaly.check == check
            && let Some(second) = places::second(report, anomaly)
        {
            first.entry(second).or_insert(card.anomaly);
        }
    }
    first
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
    let controllers = report.controllers.iter().map(|span| Row {
        lane: "controller".to_owned(),
        state: controller_state(span.controller),
        start_ns: span.start_ns,
        end_ns: span.end_ns,
    });
    let partitions = report.partitions.iter().flat_map(|partition| {
        let led = partition.spans.iter().map(|span| (leader_state(span), span.start_ns, span.end_ns));
        let out = |outage: &Outage| {
            let [from, to] = [outage.from_ms, outage.to_ms].map(TimeNs::from_millis);
            ("unavailable to producers".to_owned(), from, to)
        };
        led.chain(partition.outages.iter().map(out)).map(|(state, start_ns, end_ns)| Row {
            lane: partition.partition.to_string(),
            state,
            start_ns,
            end_ns,
        })
    });
    let groups = report.groups.iter().flat_map(|group| {
        let all = group.spans.iter().map(|span| span.owned).max().unwrap_or(0);
        group.spans.iter().map(move |span| Row {
            lane: group.group.clone(),
            state: group_state(span, all),
            start_ns: span.start_ns,
            end_ns: span.end_ns,
        })
    });
    let anomalies = CheckName::ALL.into_iter().flat_map(|check| {
        per_second(report, check).into_iter().map(move |(second, count)| Row {
            lane: check.name().to_owned(),
            state: format::counted(count, "record"),
            start_ns: TimeNs(second * 1_000_000_000),
            end_ns: TimeNs((second + 1) * 1_000_000_000),
        })
    });
    phases.chain(brokers).chain(controllers).chain(partitions).chain(groups).chain(anomalies).collect()
}

fn state_word(state: BrokerState) -> &'static str {
    match state {
        BrokerState::Up => "up",
        BrokerState::Unregistered => "not registered",
        BrokerState::Cut => "cut off",
        BrokerState::Paused => "paused",
        BrokerState::Down => "down",
    }
}

fn state_class(state: BrokerState) -> &'static str {
    match state {
        BrokerState::Unregistered => "unregistered",
        BrokerState::Cut => "cut-off",
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
