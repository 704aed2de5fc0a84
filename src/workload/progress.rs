//! Where a consumer group stands: one table per group, written by the members that own the partitions, read by all of them
//! to know when the group has reached the end offsets.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use super::reading::{Spot, Topics};
use crate::history::event::LogRange;

/// Nobody knows where the partition's owner stands.
const UNKNOWN: i64 = -1;

/// One group's positions, and once the drain began, where they have to get.
#[derive(Debug)]
pub struct Progress {
    positions: BTreeMap<Spot, AtomicI64>,
    drain: OnceLock<Goal>,
}

#[derive(Debug)]
struct Goal {
    ends: BTreeMap<Spot, i64>,
    deadline: Instant,
}

/// What a member should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Read on, the load is running.
    Run,
    /// Read on, the group has not reached the end offsets.
    Drain,
    /// The group has reached them.
    Done,
    /// It has not, and the limit has passed.
    OutOfTime,
}

impl Progress {
    /// A group that reads these partitions.
    pub fn new(spots: impl IntoIterator<Item = Spot>) -> Self {
        let positions = spots.into_iter().map(|spot| (spot, AtomicI64::new(UNKNOWN))).collect();
        Self { positions, drain: OnceLock::new() }
    }

    /// The owner's next offset in a partition.
    pub fn stands_at(&self, spot: Spot, next: i64) {
        if let Some(position) = self.positions.get(&spot) {
            position.store(next, Ordering::Release);
        }
    }

    /// A partition has a new owner, which may begin anywhere.
    pub fn forget(&self, spot: Spot) {
        self.stands_at(spot, UNKNOWN);
    }

    /// Sets the end offsets, and how long they may take to reach. The first call stands.
    pub fn drain_to(&self, ranges: &[LogRange], topics: &Topics, deadline: Instant) {
        let mut ends = BTreeMap::new();
        for range in ranges.iter().filter(|range| range.end > range.start) {
            if let Some(topic) = topics.index(&range.partition.topic) {
                ends.insert((topic, range.partition.partition), range.end.0);
            }
        }
        self.drain.get_or_init(|| Goal { ends, deadline });
    }

    /// What a member should do now.
    pub fn order(&self) -> Order {
        match self.drain.get() {
            None => Order::Run,
            Some(goal) if self.has_reached(goal) => Order::Done,
            Some(goal) if Instant::now() >= goal.deadline => Order::OutOfTime,
            Some(_) => Order::Drain,
        }
    }

    /// The partitions whose end was not reached: where the owner stands (-1 when unknown) and where the end is.
    pub fn missing(&self) -> Vec<(Spot, i64, i64)> {
        let Some(goal) = self.drain.get() else { return Vec::new() };
        let behind = |(spot, position): (&Spot, &AtomicI64)| {
            let (position, end) = (position.load(Ordering::Acquire), *goal.ends.get(spot)?);
            (position < end).then_some((*spot, position, end))
        };
        self.positions.iter().filter_map(behind).collect()
    }

    fn has_reached(&self, goal: &Goal) -> bool {
        let at_end = |(spot, position): (&Spot, &AtomicI64)| {
            goal.ends.get(spot).is_none_or(|end| position.load(Ordering::Acquire) >= *end)
        };
        self.positions.iter().all(at_end)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::history::recorder::Recorder;
    use crate::kafka::{Offset, Partition, TopicIndex, TopicPartition};
    use crate::workload::testing;

    const A: Spot = (TopicIndex(0), Partition(0));
    const B: Spot = (TopicIndex(0), Partition(1));

    fn range(partition: i32, end: i64) -> LogRange {
        LogRange { partition: TopicPartition::new("chat", partition), start: Offset(0), end: Offset(end) }
    }

    fn draining(limit: Duration) -> (Progress, Recorder) {
        let recorder = testing::recorder(&[("chat", 2)]).1;
        let progress = Progress::new([A, B]);
        assert_eq!(progress.order(), Order::Run);
        let topics = Topics::of(&recorder.handle());
        progress.drain_to(&[range(0, 5), range(1, 0)], &topics, Instant::now() + limit);
        (progress, recorder)
    }

    #[test]
    fn a_group_is_done_when_every_partition_with_records_is_at_its_end() {
        let (progress, _recorder) = draining(Duration::from_secs(60));
        assert_eq!(progress.order(), Order::Drain);
        progress.stands_at(A, 5);
        assert_eq!(progress.order(), Order::Done);
    }

    #[test]
    fn a_new_owner_makes_a_partition_unfinished_again() {
        let (progress, _recorder) = draining(Duration::from_secs(60));
        progress.stands_at(A, 5);
        progress.forget(A);
        assert_eq!(progress.order(), Order::Drain);
        assert_eq!(progress.missing(), [(A, -1, 5)]);
    }

    #[test]
    fn a_group_that_is_late_runs_out_of_time() {
        let (progress, _recorder) = draining(Duration::ZERO);
        assert_eq!(progress.order(), Order::OutOfTime);
    }
}
