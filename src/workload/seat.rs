//! A member's seat in its group: what every client that subscribes does alike, whatever it makes of what it reads.
//!
//! It tells the history which partitions the group gives and takes, and in which generation; it finds out where the group stands
//! where nothing has been read; and it gives the seat up within a limit.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};

use super::committer::{self, Positions};
use super::errors::ClientErrors;
use super::native;
use super::progress::Progress;
use super::reading::{Sitting, Spot, Topics};
use super::shared::Shared;
use crate::history::event::RevocationCause;
use crate::history::{EventKind, ReadRow};
use crate::kafka::{Partition, ProcessId};

/// Rows of what was read go to the recorder in batches of this many, or this often.
pub const ROWS_PER_BATCH: usize = 4096;
/// See [`ROWS_PER_BATCH`].
pub const ROWS_EVERY_NS: u64 = 100_000_000;
/// How long the coordinator's answer to where the group stands may take.
const LOOK_UP_LIMIT: Duration = Duration::from_secs(1);
/// How long leaving the group may take.
const LEAVE_LIMIT: Duration = Duration::from_secs(20);
/// How often a closed client's queue is looked at for what is left in it: the result of librdkafka's last commit lies there
/// when it says that it is closed.
const LAST_POLLS: usize = 10;

/// One client's.
pub struct Seat {
    /// Whose it is.
    pub process: ProcessId,
    /// What it shares with the load's other clients.
    pub shared: Shared,
    /// The topics of the run.
    pub topics: Topics,
    /// How far its group has got.
    pub progress: Arc<Progress>,
    /// The client's errors.
    pub errors: ClientErrors,
    is_closing: AtomicBool,
}

impl Seat {
    /// A seat to which nothing was given yet.
    pub fn new(process: ProcessId, shared: Shared, progress: Arc<Progress>) -> Self {
        Self {
            process,
            topics: Topics::of(&shared.recorder),
            progress,
            errors: ClientErrors::new(process, shared.recorder.clone()),
            is_closing: AtomicBool::new(false),
            shared,
        }
    }

    /// What the client is about to read.
    pub fn sitting(&self) -> Sitting<'_> {
        Sitting::of(self.process, self.shared.run, &self.topics, self.shared.recorder.clock())
    }

    /// From now on partitions are given up because the client leaves.
    pub fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
    }

    /// Whether it is leaving.
    pub fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    /// Tells that the group gave it partitions. Called before the first read of them can be.
    pub fn tell_assigned<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        list: &TopicPartitionList,
    ) -> BTreeSet<Spot> {
        let spots = self.spots(list);
        let (process, partitions, recorder) = (self.process, self.named(&spots), &self.shared.recorder);
        recorder.event(EventKind::Assigned { process, partitions: partitions.clone() });
        if let Some(generation) = native::generation(consumer).filter(|_| !partitions.is_empty()) {
            recorder.event(EventKind::AssignedIn { process, generation, partitions });
        }
        spots
    }

    /// Why the group takes partitions.
    pub fn cause<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>) -> RevocationCause {
        match (self.is_closing(), consumer.assignment_lost()) {
            (true, _) => RevocationCause::Closed,
            (false, true) => RevocationCause::Lost,
            (false, false) => RevocationCause::Rebalance,
        }
    }

    /// Tells that it gave partitions up. Called before anybody else's first read of them can be.
    pub fn tell_revoked(&self, list: &TopicPartitionList, cause: RevocationCause) -> BTreeSet<Spot> {
        let spots = self.spots(list);
        if !spots.is_empty() {
            let partitions = self.named(&spots);
            self.shared.recorder.event(EventKind::Revoked { process: self.process, partitions, cause });
        }
        spots
    }

    /// Gives the recorder what was read. The recorder may hold the client back; unlike a producer's, its time is nobody's measure.
    pub fn hand_over(&self, rows: Vec<ReadRow>) {
        self.shared.counters.add_read(rows.len());
        let _held: Duration = self.shared.recorder.reads(rows);
    }

    /// Where it stands in partitions of which nothing that it read waits: asks librdkafka, and the group's coordinator if need
    /// be, because control records pass without a message, and a new owner may have nothing left to read. `idle` names those
    /// partitions, and is asked after librdkafka.
    pub fn look_up<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        idle: impl FnOnce() -> BTreeSet<Spot>,
    ) -> Positions {
        let Ok(list) = consumer.position() else { return Positions::new() };
        let mut known = committer::positions(&list, &self.topics);
        let idle = idle();
        // After a seek librdkafka names no position until the next record.
        known.retain(|spot, _| idle.contains(spot));
        let mut wanted = TopicPartitionList::new();
        for (topic, partition) in idle.iter().filter(|spot| !known.contains_key(*spot)) {
            wanted.add_partition(self.topics.name(*topic), partition.0);
        }
        if wanted.count() > 0
            && let Ok(committed) = consumer.committed_offsets(wanted, LOOK_UP_LIMIT)
        {
            known.extend(committer::positions(&committed, &self.topics));
        }
        known
    }

    /// Moves `positions` on to what was `known` of partitions that are still `owned`.
    pub fn advance(&self, positions: &mut Positions, owned: &BTreeSet<Spot>, known: Positions) {
        for (spot, next) in known {
            if owned.contains(&spot) && positions.get(&spot).is_none_or(|position| *position < next) {
                positions.insert(spot, next);
                self.progress.stands_at(spot, self.process, next);
            }
        }
    }

    fn spots(&self, list: &TopicPartitionList) -> BTreeSet<Spot> {
        let spot = |topic: &str, partition| Some((self.topics.index(topic)?, Partition(partition)));
        list.elements().iter().filter_map(|entry| spot(entry.topic(), entry.partition())).collect()
    }

    fn named(&self, spots: &BTreeSet<Spot>) -> Vec<crate::kafka::TopicPartition> {
        spots.iter().map(|spot| self.topics.named(*spot)).collect()
    }
}

/// What is known of a client that leaves its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It can talk to the coordinator.
    Fine,
    /// It met a fatal error, after which librdkafka does not leave a group; the session timeout does it.
    Fatal,
}

/// Leaves the group by hand, because dropping the client would do so without a limit and throw messages away; `poll` takes what
/// comes out of the queue meanwhile, and waits for it a little. Returns what went wrong.
pub fn leave_group<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    label: &str,
    health: Health,
    mut poll: impl FnMut(),
) -> Option<String> {
    match consumer.close_queue() {
        Err(_) if health == Health::Fatal => None,
        Err(error) => Some(format!("{label} could not leave its group: {error}")),
        Ok(()) => {
            let deadline = Instant::now() + LEAVE_LIMIT;
            while !consumer.closed() && Instant::now() < deadline {
                poll();
            }
            for _ in 0..LAST_POLLS {
                poll();
            }
            let late = format!("{label} did not leave its group within {} s", LEAVE_LIMIT.as_secs());
            (!consumer.closed()).then_some(late)
        }
    }
}
