//! Where a consumer group stands: one table per group, written by the members that own the partitions, read by all of them
//! to know when the group has reached the end offsets.
//!
//! Only the member that was given a partition last may say where it stands there: one that slept through a rebalance and
//! wakes up still believes in its old positions. A member in a process of its own has a table of its own, which tells its
//! positions to the group's and is told by it what to do.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::reading::{Spot, Topics};
use crate::history::event::LogRange;
use crate::kafka::ProcessId;

/// Nobody knows where the partition's owner stands.
const UNKNOWN: i64 = -1;

/// One group's positions, and once the drain began, where they have to get.
pub struct Progress {
    stands: Mutex<BTreeMap<Spot, Stand>>,
    drain: OnceLock<Goal>,
    lead: Lead,
}

/// Where the latest owner of a partition stands.
#[derive(Clone, Copy, Debug)]
struct Stand {
    owner: Option<ProcessId>,
    next: i64,
    /// Where an owner was last known to stand, for displays: nothing is decided by it.
    seen: i64,
}

impl Stand {
    /// The partition has another owner, or none, of which nobody knows yet where it stands.
    fn passes_to(&mut self, owner: Option<ProcessId>) {
        *self = Self { owner, next: UNKNOWN, ..*self };
    }
}

/// Who decides when the group has finished.
enum Lead {
    /// This table, which knows every member's positions.
    Own,
    /// Another process's table.
    Told { tell: Box<dyn Fn(Spot, i64) + Send + Sync>, end: OnceLock<Order> },
}

#[derive(Debug)]
struct Goal {
    ends: BTreeMap<Spot, i64>,
    deadline: Instant,
}

/// What a member should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
        Self::with(spots, Lead::Own)
    }

    /// The table of one member in a process of its own: positions go to `tell`, and the end comes by [`Progress::end`].
    pub fn told(spots: impl IntoIterator<Item = Spot>, tell: impl Fn(Spot, i64) + Send + Sync + 'static) -> Self {
        Self::with(spots, Lead::Told { tell: Box::new(tell), end: OnceLock::new() })
    }

    fn with(spots: impl IntoIterator<Item = Spot>, lead: Lead) -> Self {
        let nobody = Stand { owner: None, next: UNKNOWN, seen: 0 };
        let stands = spots.into_iter().map(|spot| (spot, nobody)).collect();
        Self { stands: Mutex::new(stands), drain: OnceLock::new(), lead }
    }

    /// Where each partition's owner was last known to stand; its start where none ever was.
    pub fn last_seen(&self) -> Vec<(Spot, i64)> {
        self.stands().iter().map(|(spot, stand)| (*spot, stand.seen)).collect()
    }

    /// The partitions that the group reads.
    pub fn spots(&self) -> Vec<Spot> {
        self.stands().keys().copied().collect()
    }

    /// `process` stands at this next offset, which counts if it is the partition's owner.
    pub fn stands_at(&self, spot: Spot, process: ProcessId, next: i64) {
        if let Some(stand) = self.stands().get_mut(&spot).filter(|stand| stand.owner == Some(process)) {
            stand.next = next;
            stand.seen = next;
        }
        if let Lead::Told { tell, .. } = &self.lead {
            tell(spot, next);
        }
    }

    /// A partition has a new owner, which may begin anywhere.
    pub fn given_to(&self, spot: Spot, process: ProcessId) {
        if let Some(stand) = self.stands().get_mut(&spot) {
            stand.passes_to(Some(process));
        }
    }

    /// A member gives a partition up: where its next owner will begin, nobody knows.
    pub fn given_up(&self, spot: Spot, process: ProcessId) {
        if let Some(stand) = self.stands().get_mut(&spot).filter(|stand| stand.owner == Some(process)) {
            stand.passes_to(None);
        }
    }

    /// A member is dead: where its partitions' next owners will begin, nobody knows.
    pub fn forget(&self, process: ProcessId) {
        for stand in self.stands().values_mut().filter(|stand| stand.owner == Some(process)) {
            stand.passes_to(None);
        }
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

    /// Where the group has to get, once that is known.
    pub fn goal(&self) -> Option<(Vec<(Spot, i64)>, Instant)> {
        self.drain.get().map(|goal| (goal.ends.iter().map(|(spot, end)| (*spot, *end)).collect(), goal.deadline))
    }

    /// Sets the end offsets as the group's table has them, in a table that is told when the end is reached.
    pub fn aim(&self, ends: impl IntoIterator<Item = (Spot, i64)>, deadline: Instant) {
        self.drain.get_or_init(|| Goal { ends: ends.into_iter().collect(), deadline });
    }

    /// The group has finished, in this way and with what missing (see [`Progress::missing`]): only for a table that is told.
    pub fn end(&self, order: Order, missing: &[(Spot, i64, i64)]) {
        let Lead::Told { end, .. } = &self.lead else { return };
        for (spot, at, _) in missing {
            if let Some(stand) = self.stands().get_mut(spot) {
                stand.next = *at;
            }
        }
        end.get_or_init(|| order);
    }

    /// What a member should do now.
    pub fn order(&self) -> Order {
        let goal = self.drain.get();
        if let Lead::Told { end, .. } = &self.lead {
            return end.get().copied().unwrap_or(if goal.is_some() { Order::Drain } else { Order::Run });
        }
        match goal {
            None => Order::Run,
            Some(goal) if self.has_reached(goal) => Order::Done,
            Some(goal) if Instant::now() >= goal.deadline => Order::OutOfTime,
            Some(_) => Order::Drain,
        }
    }

    /// The partitions whose end was not reached: where the owner stands (-1 when unknown) and where the end is.
    pub fn missing(&self) -> Vec<(Spot, i64, i64)> {
        let Some(goal) = self.drain.get() else { return Vec::new() };
        let behind = |(spot, stand): (&Spot, &Stand)| {
            let end = *goal.ends.get(spot)?;
            (stand.next < end).then_some((*spot, stand.next, end))
        };
        self.stands().iter().filter_map(behind).collect()
    }

    fn has_reached(&self, goal: &Goal) -> bool {
        let at_end = |(spot, stand): (&Spot, &Stand)| goal.ends.get(spot).is_none_or(|end| stand.next >= *end);
        self.stands().iter().all(at_end)
    }

    fn stands(&self) -> MutexGuard<'_, BTreeMap<Spot, Stand>> {
        self.stands.lock().unwrap_or_else(PoisonError::into_inner)
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
    const ONE: ProcessId = ProcessId(1);
    const TWO: ProcessId = ProcessId(2);

    fn range(partition: i32, end: i64) -> LogRange {
        let partition = TopicPartition::new("chat", partition);
        LogRange { partition, start: Offset(0), end: Offset(end), high_watermark: None }
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
        progress.given_to(A, ONE);
        progress.stands_at(A, ONE, 5);
        assert_eq!(progress.order(), Order::Done);
    }

    #[test]
    fn a_new_owner_makes_a_partition_unfinished_again() {
        let (progress, _recorder) = draining(Duration::from_secs(60));
        progress.given_to(A, ONE);
        progress.stands_at(A, ONE, 5);
        progress.given_to(A, TWO);
        assert_eq!(progress.order(), Order::Drain);
        assert_eq!(progress.missing(), [(A, -1, 5)]);
    }

    #[test]
    fn where_an_owner_last_stood_is_shown_while_nobody_owns_the_partition() {
        let progress = Progress::new([A, B]);
        progress.given_to(A, ONE);
        progress.stands_at(A, ONE, 5);
        progress.given_up(A, ONE);
        assert_eq!(progress.last_seen(), [(A, 5), (B, 0)]);
        progress.given_to(A, TWO);
        progress.stands_at(A, TWO, 3);
        assert_eq!(progress.last_seen(), [(A, 3), (B, 0)], "the next owner went back");
    }

    #[test]
    fn a_group_that_is_late_runs_out_of_time() {
        let (progress, _recorder) = draining(Duration::ZERO);
        assert_eq!(progress.order(), Order::OutOfTime);
    }

    #[test]
    fn a_member_that_slept_through_a_rebalance_says_nothing_that_counts() {
        let (progress, _recorder) = draining(Duration::from_secs(60));
        progress.given_to(A, ONE);
        progress.given_to(A, TWO);
        progress.stands_at(A, TWO, 3);
        progress.stands_at(A, ONE, 5);
        assert_eq!(progress.missing(), [(A, 3, 5)]);
    }

    #[test]
    fn where_a_dead_member_stood_does_not_finish_the_group() {
        let (progress, _recorder) = draining(Duration::from_secs(60));
        progress.given_to(A, ONE);
        progress.stands_at(A, ONE, 5);
        progress.forget(TWO);
        assert_eq!(progress.order(), Order::Done);
        progress.forget(ONE);
        assert_eq!(progress.order(), Order::Drain);
    }

    #[test]
    fn a_table_that_is_told_decides_nothing_by_itself() {
        let told = std::sync::Arc::new(Mutex::new(Vec::new()));
        let teller = std::sync::Arc::clone(&told);
        let progress = Progress::told([A, B], move |spot, next| teller.lock().expect("a list").push((spot, next)));
        progress.aim([(A, 5)], Instant::now());
        progress.given_to(A, ONE);
        progress.stands_at(A, ONE, 5);
        assert_eq!(progress.order(), Order::Drain);
        progress.end(Order::OutOfTime, &[(A, 2, 5)]);
        assert_eq!((progress.order(), progress.missing()), (Order::OutOfTime, vec![(A, 2, 5)]));
        assert_eq!(*told.lock().expect("a list"), [(A, 5)]);
    }
}
