//! How things stood when the record of an anomaly was written, or when it was read if that is what was wrong: who led the partition,
//! who was in sync, whose it was, and which faults were in force. A person who reads an anomaly asks this first.
//!
//! The leader and the ISR are those of the last look at the cluster's metadata before that moment, which comes a few times a
//! second: a change that nobody has seen yet is not in it.

use std::collections::BTreeMap;

use crate::anomaly::Anomaly;
use crate::history::{EventKind, History};
use crate::kafka::{PartitionView, ProcessId, TimeNs, TopicPartition};
use crate::report::{Circumstances, FaultBand, PhaseSpan, format};

use super::label;

/// What the events tell of one partition, in the order of time.
#[derive(Default)]
struct Course<'a> {
    looks: Vec<(TimeNs, &'a PartitionView)>,
    owned: Vec<Owned>,
}

/// A member had the partition for a while; to the end of the run unless somebody saw it end.
struct Owned {
    by: ProcessId,
    from: TimeNs,
    until: Option<TimeNs>,
}

/// One entry an anomaly, in their order; `None` for an anomaly of which no time is known.
pub(super) fn of_all(
    history: &History,
    anomalies: &[Anomaly],
    phases: &[PhaseSpan],
    faults: &[FaultBand],
    end_ns: TimeNs,
) -> Vec<Option<Circumstances>> {
    let courses = courses(history);
    let of_one = |anomaly: &Anomaly| {
        // What is wrong with a read is so when it was read, whenever its record was written.
        let at_ns = anomaly.read_ns.or(anomaly.ack_ns).or(anomaly.send_ns)?;
        let from_ns = anomaly.read_ns.or(anomaly.send_ns).unwrap_or(at_ns);
        let partition = TopicPartition { topic: anomaly.topic.to_string(), partition: anomaly.partition };
        let course = courses.get(&partition);
        let in_force = |fault: &&FaultBand| {
            fault.span(end_ns).is_some_and(|(injected, healed)| injected <= at_ns && from_ns <= healed)
        };
        Some(Circumstances {
            at_ns,
            phase: phases.iter().rfind(|span| span.start_ns <= at_ns).map(|span| span.phase),
            standing: course.and_then(|course| course.standing(at_ns)).cloned(),
            owners: course.map(|course| course.owners(history, at_ns)).unwrap_or_default(),
            faults: faults.iter().filter(in_force).map(|fault| fault.id.clone()).collect(),
            next: next_fault(faults, at_ns)
                .into_iter()
                .chain(course.and_then(|course| course.next_leader(at_ns)))
                .collect(),
        })
    };
    anomalies.iter().map(of_one).collect()
}

/// The first fault that came into force after a moment. What is lost was mostly there until then.
fn next_fault(faults: &[FaultBand], at_ns: TimeNs) -> Option<String> {
    let later = faults.iter().filter_map(|fault| Some((fault.injected_ns.filter(|time| *time > at_ns)?, &fault.id)));
    later.min().map(|(time, id)| format!("{id} {} later", format::duration_ms(time.since(at_ns) / 1_000_000)))
}

impl Course<'_> {
    fn standing(&self, at_ns: TimeNs) -> Option<&PartitionView> {
        let seen = self.looks.partition_point(|(time, _)| *time <= at_ns);
        seen.checked_sub(1).map(|last| self.looks[last].1)
    }

    /// The first other leader that was seen after a moment.
    fn next_leader(&self, at_ns: TimeNs) -> Option<String> {
        let then = self.standing(at_ns)?;
        let seen = self.looks.partition_point(|(time, _)| *time <= at_ns);
        let (time, next) = self.looks[seen..].iter().find(|(_, view)| {
            view.leader.is_some() && (view.leader, view.leader_epoch) != (then.leader, then.leader_epoch)
        })?;
        let leader = next.leader.expect("it was looked for");
        let epoch = next.leader_epoch.map_or_else(String::new, |epoch| format!(" in epoch {epoch}"));
        Some(format!("{leader} led{epoch} {} later", format::duration_ms(time.since(at_ns) / 1_000_000)))
    }

    fn owners(&self, history: &History, at_ns: TimeNs) -> Vec<String> {
        let had = |owned: &&Owned| owned.from <= at_ns && owned.until.is_none_or(|until| at_ns <= until);
        self.owned.iter().filter(had).map(|owned| label(history, owned.by)).collect()
    }
}

fn courses(history: &History) -> BTreeMap<TopicPartition, Course<'_>> {
    let mut courses: BTreeMap<TopicPartition, Course<'_>> = BTreeMap::new();
    let mut events: Vec<_> = history.events.iter().collect();
    events.sort_by_key(|event| event.time_ns);
    for event in events {
        match &event.kind {
            EventKind::ClusterObserved { view } => {
                for seen in &view.partitions {
                    courses.entry(seen.partition.clone()).or_default().looks.push((event.time_ns, seen));
                }
            }
            EventKind::Assigned { process, partitions } => {
                for partition in partitions {
                    let owned = Owned { by: *process, from: event.time_ns, until: None };
                    courses.entry(partition.clone()).or_default().owned.push(owned);
                }
            }
            EventKind::Revoked { process, partitions, .. } => {
                for partition in partitions {
                    end(&mut courses, partition, *process, event.time_ns);
                }
            }
            _ => {}
        }
    }
    courses
}

fn end(courses: &mut BTreeMap<TopicPartition, Course<'_>>, partition: &TopicPartition, by: ProcessId, time: TimeNs) {
    let Some(course) = courses.get_mut(partition) else { return };
    for owned in course.owned.iter_mut().filter(|owned| owned.by == by && owned.until.is_none()) {
        owned.until = Some(time);
    }
}

#[cfg(test)]
mod tests {
    use crate::kafka::BrokerId;
    use crate::report::fixture;

    #[test]
    fn every_anomaly_with_a_time_has_its_circumstances() {
        let report = fixture::invalid();
        assert_eq!(report.circumstances.len(), report.anomalies.len());
        for (anomaly, circumstances) in report.anomalies.iter().zip(&report.circumstances) {
            let circumstances = circumstances.as_ref().expect("the fixture's anomalies have times");
            assert_eq!(Some(circumstances.at_ns), anomaly.ack_ns.or(anomaly.send_ns));
            assert!(circumstances.phase.is_some() && circumstances.standing.is_some());
        }
    }

    #[test]
    fn the_leader_is_the_last_one_seen_before_the_acknowledgement() {
        let report = fixture::invalid();
        for (anomaly, circumstances) in report.anomalies.iter().zip(report.circumstances.iter().flatten()) {
            let partition = report.partitions.iter().find(|partition| {
                *partition.partition.topic == *anomaly.topic && partition.partition.partition == anomaly.partition
            });
            let spans = &partition.expect("an anomaly's partition").spans;
            let span = spans.iter().rfind(|span| span.start_ns <= circumstances.at_ns).expect("it was observed");
            let standing = circumstances.standing.as_ref().expect("it was observed");
            assert_eq!((standing.leader, standing.leader_epoch), (span.leader, span.leader_epoch));
            assert!(standing.isr.iter().all(|broker| (1..=3).map(BrokerId).any(|known| known == *broker)));
        }
    }

    #[test]
    fn what_came_next_names_the_fault_and_the_leader_that_followed() {
        let report = fixture::invalid();
        let injected = report.faults[0].injected_ns.expect("it struck");
        for circumstances in report.circumstances.iter().flatten() {
            let names_it = circumstances.next.iter().any(|clause| clause.starts_with(&report.faults[0].id.to_string()));
            assert_eq!(names_it, circumstances.at_ns < injected, "{circumstances:?}");
        }
        assert!(
            report.circumstances.iter().flatten().any(|then| then.next.iter().any(|clause| clause.contains(" led")))
        );
    }

    #[test]
    fn a_fault_counts_if_it_was_in_force_while_the_record_was_on_its_way() {
        let report = fixture::invalid();
        let (from, to) = report.faults[0].span(report.end_ns).expect("it struck");
        for (anomaly, circumstances) in report.anomalies.iter().zip(report.circumstances.iter().flatten()) {
            let (sent, acked) = (anomaly.send_ns.expect("a time"), circumstances.at_ns);
            assert_eq!(circumstances.faults.contains(&report.faults[0].id), from <= acked && sent <= to);
        }
    }
}
