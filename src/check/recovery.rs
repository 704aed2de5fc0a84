//! How long the cluster needed after a heal until it was whole: every broker registered, every partition's ISR full.
//! A view that shows fewer partitions than the run has is not whole: metadata leaves out what a broker does not know yet.
//!
//! Views are recorded only when they change, so the last one from before the heal still holds at the heal. It may be stale
//! (a controller needs seconds to notice a dead broker): if a later view shows the cluster broken before anything else was
//! injected, the recovery ends with the first whole view after that one. A fault that never broke it recovered at once.

use crate::history::{Event, EventKind};
use crate::kafka::{ClusterView, TimeNs};

/// When the cluster was whole again after a heal at `healed`, or `None` if that was never seen. For a broker that was
/// started anew, `healed` is when it answered: what was said before may be of its former life.
pub fn whole_again(events: &[Event], healed: TimeNs, brokers: u32) -> Option<TimeNs> {
    let partitions = announced(events);
    let view = |event: &Event| match &event.kind {
        EventKind::ClusterObserved { view } => Some(is_whole(view, brokers, partitions)),
        EventKind::ClusterWhole { .. } => Some(true),
        EventKind::ClusterNotWhole { .. } | EventKind::ClusterUnreachable { .. } => Some(false),
        _ => None,
    };
    let (before, after) = events.split_at(events.partition_point(|event| event.time_ns <= healed));
    let whole_at_heal = before.iter().rev().find_map(view).unwrap_or(false);
    let mut waiting = !whole_at_heal;
    for event in after {
        match (view(event), waiting) {
            (Some(true), true) => return Some(event.time_ns),
            (Some(false), false) => waiting = true,
            (None, false) if matches!(event.kind, EventKind::Inject { .. }) => return Some(healed),
            // The wait for wholeness is over and saw nothing broken.
            (Some(true), false) if matches!(event.kind, EventKind::ClusterWhole { .. }) => return Some(healed),
            _ => {}
        }
    }
    (!waiting).then_some(healed)
}

/// How many partitions the run has in all its topics. At least one: nothing at all is never whole.
fn announced(events: &[Event]) -> usize {
    let announced = events.iter().find_map(|event| match &event.kind {
        EventKind::RunStarted { partitions, .. } => Some(partitions.iter().map(|count| *count as usize).sum()),
        _ => None,
    });
    announced.unwrap_or(1).max(1)
}

fn is_whole(view: &ClusterView, brokers: u32, partitions: usize) -> bool {
    view.brokers.len() >= brokers as usize
        && view.partitions.len() >= partitions
        && view.partitions.iter().all(|partition| partition.leader.is_some())
        && view.under_replicated().next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::{BrokerId, PartitionView, TopicPartition};

    fn seen(time: u64, isr: &[i32]) -> Event {
        let brokers = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
        let partition = PartitionView {
            partition: TopicPartition::new("chat", 0),
            leader: Some(BrokerId(isr[0])),
            leader_epoch: None,
            replicas: brokers(&[1, 2, 3]),
            isr: brokers(isr),
        };
        let view = ClusterView { brokers: brokers(isr), partitions: vec![partition], ..ClusterView::default() };
        Event { time_ns: TimeNs(time), kind: EventKind::ClusterObserved { view } }
    }

    #[test]
    fn recovery_ends_with_the_first_whole_view_after_the_heal() {
        let events = [seen(1, &[1, 2, 3]), seen(20, &[1, 3]), seen(40, &[1, 2, 3])];
        assert_eq!(whole_again(&events, TimeNs(30), 3), Some(TimeNs(40)));
    }

    #[test]
    fn a_stale_view_at_the_heal_does_not_hide_the_recovery() {
        let events = [seen(1, &[1, 2, 3]), seen(35, &[1, 3]), seen(40, &[1, 2, 3])];
        assert_eq!(whole_again(&events, TimeNs(30), 3), Some(TimeNs(40)));
    }

    #[test]
    fn what_never_broke_recovered_at_once() {
        assert_eq!(whole_again(&[seen(1, &[1, 2, 3])], TimeNs(30), 3), Some(TimeNs(30)));
    }

    #[test]
    fn a_view_that_lacks_partitions_is_not_whole() {
        let started = EventKind::RunStarted {
            format_version: crate::history::FORMAT_VERSION,
            run: String::new(),
            scenario: String::new(),
            seed: 42,
            started_utc: String::new(),
            topics: vec!["chat".to_owned()],
            partitions: vec![2],
            scenario_crc32: 0,
            plan_crc32: 0,
            asked_crc32: None,
        };
        let events = [Event { time_ns: TimeNs(0), kind: started }, seen(1, &[1, 2, 3]), seen(40, &[1, 2, 3])];
        assert_eq!(whole_again(&events, TimeNs(30), 3), None);
    }

    #[test]
    fn what_never_came_back_has_no_recovery() {
        assert_eq!(whole_again(&[seen(1, &[1, 2, 3]), seen(20, &[1, 3])], TimeNs(30), 3), None);
    }
}
