//! The anomalies that a person is shown in full, each with the log around it. A person reads some dozens; all are in the CSV.

use std::collections::BTreeMap;

use super::label;
use crate::anomaly::{Anomaly, CheckName};
use crate::history::{History, PartitionHistory, ProcessRole};
use crate::kafka::{Offset, Outcome, Partition, ReadStatus, TopicIndex};
use crate::report::{Card, NamedRecord, Neighbour};

/// How many anomalies are shown in full.
const MOST: usize = 50;

/// How many offsets before and after the anomaly's own are shown.
const REACH: i64 = 3;

/// The cards, in the anomalies' order.
pub(super) fn cards(history: &History, anomalies: &[Anomaly]) -> Vec<Card> {
    let chosen = choose(anomalies);
    let mut logs: BTreeMap<(TopicIndex, Partition), BTreeMap<Offset, Neighbour>> = BTreeMap::new();
    for index in &chosen {
        if let Some((place, offset)) = place_of(history, &anomalies[*index]) {
            let log = logs.entry(place).or_default();
            for near in offset.0.saturating_sub(REACH).max(0)..=offset.0.saturating_add(REACH) {
                let empty = Neighbour { offset: Offset(near), acked: Vec::new(), found: Vec::new() };
                log.entry(Offset(near)).or_insert(empty);
            }
        }
    }
    for (place, log) in &mut logs {
        if let Some(rows) = history.partitions.get(place) {
            fill(history, rows, log);
        }
    }
    let neighbourhood = |index: usize| {
        let Some((place, offset)) = place_of(history, &anomalies[index]) else { return Vec::new() };
        let range = Offset(offset.0.saturating_sub(REACH))..=Offset(offset.0.saturating_add(REACH));
        let near = logs.get(&place).into_iter().flat_map(|log| log.range(range.clone()));
        near.map(|(_, neighbour)| neighbour).filter(|n| !n.acked.is_empty() || !n.found.is_empty()).cloned().collect()
    };
    chosen.into_iter().map(|anomaly| Card { anomaly, neighbourhood: neighbourhood(anomaly), log: Vec::new() }).collect()
}

/// Takes from each check in turn, so that a thousand lost records do not hide the one that was made up.
fn choose(anomalies: &[Anomaly]) -> Vec<usize> {
    let mut by_check: BTreeMap<CheckName, Vec<usize>> = BTreeMap::new();
    for (index, anomaly) in anomalies.iter().enumerate() {
        by_check.entry(anomaly.check).or_default().push(index);
    }
    // The one that happened first is among them in any case: it is what led to the others.
    for indices in by_check.values_mut() {
        let moment = |at: &usize| anomalies[indices[*at]].moment().map_or(u64::MAX, |time| time.0);
        if let Some(first) = (0..indices.len()).min_by_key(moment) {
            indices[..=first].rotate_right(1);
        }
    }
    let mut chosen = Vec::with_capacity(MOST.min(anomalies.len()));
    let deepest = by_check.values().map(Vec::len).max().unwrap_or(0);
    'rounds: for round in 0..deepest {
        for indices in by_check.values() {
            if let Some(index) = indices.get(round) {
                chosen.push(*index);
                if chosen.len() == MOST {
                    break 'rounds;
                }
            }
        }
    }
    chosen.sort_unstable();
    chosen
}

/// Where in the log to look: where it was acknowledged, for that is where a lost record should be; else where it was seen.
fn place_of(history: &History, anomaly: &Anomaly) -> Option<((TopicIndex, Partition), Offset)> {
    let offset = anomaly.acked_offset.or(anomaly.offset)?;
    let topic = history.topics.iter().position(|topic| **topic == *anomaly.topic)?;
    Some(((TopicIndex(u16::try_from(topic).ok()?), anomaly.partition), offset))
}

fn fill(history: &History, rows: &PartitionHistory, log: &mut BTreeMap<Offset, Neighbour>) {
    for send in rows.sends.iter().filter(|send| send.outcome == Outcome::Ok) {
        if let Some(neighbour) = send.offset.and_then(|offset| log.get_mut(&offset)) {
            let producer = label(history, send.process);
            neighbour.acked.push(NamedRecord { record: send.id(), producer });
        }
    }
    for read in &rows.reads {
        let by_drain = matches!(history.processes.get(&read.reader), Some(ProcessRole::Drain { .. }));
        if let Some(neighbour) = by_drain.then(|| log.get_mut(&read.offset)).flatten() {
            let producer = match read.status {
                ReadStatus::Intact => label(history, read.record.process),
                ReadStatus::Misplaced => format!("{}, misplaced", label(history, read.record.process)),
                ReadStatus::Foreign => "a record that is not of this run".to_owned(),
                ReadStatus::Corrupt => "damaged bytes".to_owned(),
            };
            neighbour.found.push(NamedRecord { record: read.record, producer });
        }
    }
    for neighbour in log.values_mut() {
        neighbour.acked.sort();
        neighbour.found.sort();
        neighbour.found.dedup();
    }
}

#[cfg(test)]
mod tests {
    use crate::report::fixture;

    #[test]
    fn a_check_with_few_anomalies_is_not_crowded_out() {
        let report = fixture::invalid();
        let shown = report.cards.iter().map(|card| report.anomalies[card.anomaly].check.name());
        assert_eq!(report.cards.len(), 50);
        assert_eq!(shown.filter(|name| *name == "duplicate").count(), 2);
    }

    #[test]
    fn the_neighbourhood_shows_what_was_acknowledged_and_what_is_there() {
        let report = fixture::invalid();
        let card = &report.cards[0];
        let anomaly = &report.anomalies[card.anomaly];
        let own = card.neighbourhood.iter().find(|n| Some(n.offset) == anomaly.acked_offset).expect("its own offset");
        assert_eq!(own.acked.iter().map(|named| Some(named.record)).collect::<Vec<_>>(), [anomaly.record]);
        assert!(own.found.iter().all(|named| Some(named.record) != anomaly.record));
    }
}
