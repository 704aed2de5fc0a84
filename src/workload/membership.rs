//! A group member's state: what it owns, what it has read and not yet recorded, and where it stands. librdkafka calls back
//! into it on the member's own thread, inside `poll`.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientContext, TopicPartitionList};

use super::committer::{self, Committer, Positions};
use super::errors::ClientErrors;
use super::outcome::judge_commit;
use super::progress::Progress;
use super::reading::{self, Spot, Topics};
use super::shared::Shared;
use super::status;
use crate::history::event::RevocationCause;
use crate::history::{EventKind, ReadRow};
use crate::kafka::{Outcome, Partition, ProcessId, TimeNs, TopicPartition};
use crate::scenario::CommitMode;

/// Rows are processed in batches of this many, or this often.
const ROWS_PER_BATCH: usize = 4096;
const ROWS_EVERY_NS: u64 = 100_000_000;
/// How long a commit that is waited for may take. librdkafka itself gives up on a coordinator after the session timeout.
pub const COMMIT_LIMIT: Duration = Duration::from_secs(15);

/// One member, as its client sees it.
pub struct Membership {
    process: ProcessId,
    shared: Shared,
    topics: Topics,
    mode: CommitMode,
    progress: Arc<Progress>,
    state: Mutex<State>,
    closing: AtomicBool,
    /// The client's errors.
    pub errors: ClientErrors,
}

#[derive(Default)]
struct State {
    owned: BTreeSet<Spot>,
    rows: Vec<ReadRow>,
    processed_ns: Option<TimeNs>,
    /// Next offsets of what was processed, of owned partitions only.
    positions: Positions,
    committed: Positions,
    committer: Option<Arc<Committer>>,
}

impl Membership {
    /// A member that owns nothing yet.
    pub fn new(process: ProcessId, shared: Shared, mode: CommitMode, progress: Arc<Progress>) -> Self {
        Self {
            process,
            topics: Topics::of(&shared.recorder),
            mode,
            progress,
            state: Mutex::default(),
            closing: AtomicBool::new(false),
            errors: ClientErrors::new(process, shared.recorder.clone()),
            shared,
        }
    }

    /// Lets the member commit through a thread of its own.
    pub fn commit_through(&self, committer: Committer) {
        self.state().committer = Some(Arc::new(committer));
    }

    /// Takes in a message.
    pub fn take(&self, message: &BorrowedMessage<'_>) {
        let clock = self.shared.recorder.clock();
        let row = reading::row(message, self.process, self.shared.run, &self.topics, clock)
            .expect("members subscribe to topics of the run only");
        self.state().rows.push(row);
    }

    /// Processes what was read, if there is enough of it or it has waited long.
    pub fn process_when_due(&self, consumer: &BaseConsumer<Self>) {
        let now = self.shared.recorder.now();
        let due = {
            let state = self.state();
            let waited = state.processed_ns.is_none_or(|last| now.since(last) >= ROWS_EVERY_NS);
            state.rows.len() >= ROWS_PER_BATCH || (waited && (!state.rows.is_empty() || state.has_uncommitted()))
        };
        if due {
            self.process_rows(consumer, now);
            if self.mode == CommitMode::AfterProcess {
                self.commit_in_passing();
            }
        }
    }

    /// Processes what was read and commits it, and waits for that: before partitions are given up.
    pub fn settle(&self, consumer: &BaseConsumer<Self>) {
        self.process_rows(consumer, self.shared.recorder.now());
        if self.mode == CommitMode::AfterProcess {
            self.commit_and_wait();
        }
    }

    /// From now on partitions are given up because the member leaves; its last commit has been made.
    pub fn leave(&self) {
        self.closing.store(true, Ordering::Release);
        self.state().committer = None;
    }

    /// Asks librdkafka, and the group's coordinator if need be, where the member stands in partitions of which it has read
    /// nothing: control records pass without a message, and a new owner may have nothing left to read.
    pub fn look_up_positions(&self, consumer: &BaseConsumer<Self>, limit: Duration) {
        let Ok(list) = consumer.position() else { return };
        let mut known = committer::positions(&list, &self.topics);
        let unknown: Vec<Spot> = {
            let state = self.state();
            // Rows that wait to be processed are not behind the member yet.
            if !state.rows.is_empty() {
                return;
            }
            state.owned.iter().filter(|spot| !known.contains_key(*spot)).copied().collect()
        };
        let mut wanted = TopicPartitionList::new();
        for (topic, partition) in &unknown {
            wanted.add_partition(self.topics.name(*topic), partition.0);
        }
        if !unknown.is_empty()
            && let Ok(committed) = consumer.committed_offsets(wanted, limit)
        {
            known.extend(committer::positions(&committed, &self.topics));
        }
        let mut state = self.state();
        for (spot, next) in known {
            if state.owned.contains(&spot) && state.positions.get(&spot).is_none_or(|position| *position < next) {
                state.positions.insert(spot, next);
                self.progress.stands_at(spot, self.process, next);
            }
        }
    }

    /// Where the member stands in the partitions it owns, as far as it knows.
    pub fn positions(&self) -> Positions {
        self.state().positions.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// To process a record is to record it. Commits before that, or offers the offsets to librdkafka's timer after it, as
    /// the mode has it.
    fn process_rows(&self, consumer: &BaseConsumer<Self>, now: TimeNs) {
        let rows = {
            let mut state = self.state();
            state.processed_ns = Some(now);
            let capacity = state.rows.len();
            let rows = std::mem::replace(&mut state.rows, Vec::with_capacity(capacity));
            for row in &rows {
                let spot = (row.topic, row.partition);
                if state.owned.contains(&spot) {
                    state.positions.insert(spot, row.offset.0 + 1);
                }
            }
            rows
        };
        if self.mode == CommitMode::BeforeProcess {
            self.commit_and_wait();
        }
        self.shared.counters.add_read(rows.len());
        self.shared.gauge.add_read(rows.len() as u64, now);
        // The recorder may hold the member back; unlike a producer's, its time is nobody's measure.
        let _held: Duration = self.shared.recorder.reads(rows);
        let positions = self.positions();
        for (spot, next) in &positions {
            self.progress.stands_at(*spot, self.process, *next);
        }
        if self.mode == CommitMode::Auto && !positions.is_empty() {
            self.offer_to_timer(consumer, &positions);
        }
    }

    fn offer_to_timer(&self, consumer: &BaseConsumer<Self>, positions: &Positions) {
        let stored = committer::list(positions, &self.topics).and_then(|list| consumer.store_offsets(&list));
        if let Err(error) = stored {
            self.errors.note(&error, &format!("offsets could not be stored: {error}"));
        }
    }

    fn commit_in_passing(&self) {
        let mut state = self.state();
        let committed = match &state.committer {
            Some(committer) if state.has_uncommitted() => committer.try_commit(&state.positions),
            _ => false,
        };
        if committed {
            state.committed = state.positions.clone();
        }
    }

    fn commit_and_wait(&self) {
        let (committer, positions) = {
            let state = self.state();
            (state.committer.clone(), state.positions.clone())
        };
        let Some(committer) = committer else { return };
        if committer.commit(&positions, COMMIT_LIMIT) {
            self.state().committed = positions;
        } else {
            let message = format!("a commit of {} took longer than {} s", self.process, COMMIT_LIMIT.as_secs());
            self.errors.note(&KafkaError::ConsumerCommit(RDKafkaErrorCode::OperationTimedOut), &message);
        }
    }

    fn assigned(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let spots = self.spots(list);
        let (process, partitions) = (self.process, self.named(&spots));
        self.shared.recorder.event(EventKind::Assigned { process, partitions: partitions.clone() });
        if let Some(generation) = status::generation(consumer).filter(|_| !partitions.is_empty()) {
            self.shared.recorder.event(EventKind::AssignedIn { process, generation, partitions });
        }
        let mut state = self.state();
        for spot in spots {
            state.owned.insert(spot);
            state.positions.remove(&spot);
            state.committed.remove(&spot);
            self.progress.given_to(spot, self.process);
        }
    }

    fn revoked(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let cause = match (self.closing.load(Ordering::Acquire), consumer.assignment_lost()) {
            (true, _) => RevocationCause::Closed,
            (false, true) => RevocationCause::Lost,
            (false, false) => RevocationCause::Rebalance,
        };
        if cause == RevocationCause::Lost {
            // Whoever was thrown out of the group may not commit; what it has read is recorded all the same.
            self.state().owned.clear();
            self.state().positions.clear();
            self.process_rows(consumer, self.shared.recorder.now());
        } else {
            self.settle(consumer);
        }
        let spots = self.spots(list);
        if !spots.is_empty() {
            let partitions = self.named(&spots);
            self.shared.recorder.event(EventKind::Revoked { process: self.process, partitions, cause });
        }
        let mut state = self.state();
        for spot in spots {
            state.owned.remove(&spot);
            state.positions.remove(&spot);
            state.committed.remove(&spot);
        }
    }

    fn spots(&self, list: &TopicPartitionList) -> BTreeSet<Spot> {
        let spot = |topic: &str, partition| Some((self.topics.index(topic)?, Partition(partition)));
        list.elements().iter().filter_map(|entry| spot(entry.topic(), entry.partition())).collect()
    }

    fn named(&self, spots: &BTreeSet<Spot>) -> Vec<TopicPartition> {
        spots.iter().map(|spot| self.topics.named(*spot)).collect()
    }
}

impl State {
    fn has_uncommitted(&self) -> bool {
        self.committer.is_some() && self.positions != self.committed
    }
}

impl ClientContext for Membership {
    fn error(&self, error: KafkaError, reason: &str) {
        self.errors.note(&error, reason);
    }
}

impl ConsumerContext for Membership {
    /// An ownership interval begins before its first read can, and ends before anybody else's can begin.
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => self.assigned(consumer, list),
            Rebalance::Revoke(list) => self.revoked(consumer, list),
            Rebalance::Error(error) => self.errors.note(error, &error.to_string()),
        }
    }

    /// Results of librdkafka's own commits: by its timer, and at revocation in that mode.
    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        let code = result.as_ref().err().and_then(KafkaError::rdkafka_error_code);
        let positions = committer::positions(offsets, &self.topics);
        if positions.is_empty() || code == Some(RDKafkaErrorCode::NoOffset) {
            return;
        }
        let failed = offsets.elements().iter().find_map(|entry| entry.error().err());
        let outcome = match (&result, &failed) {
            (Ok(()), None) => Outcome::Ok,
            // Some partitions failed: the event has one outcome for all, so that nobody may rely on any.
            (Ok(()), Some(_)) => Outcome::Info,
            (Err(_), _) => code.map_or(Outcome::Info, |code| judge_commit(code as i32)),
        };
        let error = result.err().or(failed).map(|error| error.to_string());
        let positions = committer::named(&positions, &self.topics);
        self.shared.recorder.event(EventKind::Committed { process: self.process, outcome, positions, error });
    }
}
