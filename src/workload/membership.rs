//! A group member's state: what it owns, what it has read and not yet recorded, and where it stands. librdkafka calls back
//! into it on the member's own thread, inside `poll`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientContext, TopicPartitionList};

use super::committer::{self, Committer, Positions};
use super::native::inbox::Switch;
use super::outcome::judge_commit;
use super::progress::Progress;
use super::reading::{self, Spot};
use super::seat::{ROWS_EVERY_NS, ROWS_PER_BATCH, Seat};
use super::shared::Shared;
use crate::history::event::RevocationCause;
use crate::history::{EventKind, ReadRow};
use crate::kafka::{Outcome, ProcessId, TimeNs};
use crate::scenario::CommitMode;

/// How long a commit that is waited for may take. librdkafka itself gives up on a coordinator after the session timeout.
pub const COMMIT_LIMIT: Duration = Duration::from_secs(15);

/// One member, as its client sees it.
pub struct Membership {
    /// What it has of its group.
    pub seat: Seat,
    /// Leads the partitions that it is given to its inbox.
    pub switch: Arc<Switch>,
    mode: CommitMode,
    state: Mutex<State>,
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
        Self { seat: Seat::new(process, shared, progress), switch: Arc::default(), mode, state: Mutex::default() }
    }

    /// Lets the member commit through a thread of its own.
    pub fn commit_through(&self, committer: Committer) {
        self.state().committer = Some(Arc::new(committer));
    }

    /// Whether it owns nothing, so that no record can come.
    pub fn is_idle(&self) -> bool {
        self.state().owned.is_empty()
    }

    /// Takes in what was read, and leaves the vector empty.
    pub fn take(&self, rows: &mut Vec<ReadRow>) {
        self.state().rows.append(rows);
    }

    /// Processes what was read, if there is enough of it or it has waited long.
    pub fn process_when_due(&self, consumer: &BaseConsumer<Self>) {
        let now = self.seat.shared.recorder.now();
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
        self.process_rows(consumer, self.seat.shared.recorder.now());
        if self.mode == CommitMode::AfterProcess {
            self.commit_and_wait();
        }
    }

    /// From now on partitions are given up because the member leaves; its last commit has been made.
    pub fn leave(&self) {
        self.seat.close();
        self.state().committer = None;
    }

    /// Finds out where the member stands in partitions of which it has read nothing.
    pub fn look_up_positions(&self, consumer: &BaseConsumer<Self>) {
        // Rows that wait to be processed are not behind the member yet.
        let known = self.seat.look_up(consumer, || {
            let state = self.state();
            if state.rows.is_empty() { state.owned.clone() } else { BTreeSet::new() }
        });
        let State { owned, positions, .. } = &mut *self.state();
        self.seat.advance(positions, owned, known);
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
            for (spot, next) in reading::reached(&rows) {
                if state.owned.contains(&spot) {
                    state.positions.insert(spot, next);
                }
            }
            rows
        };
        if self.mode == CommitMode::BeforeProcess {
            self.commit_and_wait();
        }
        self.seat.shared.gauge.add_read(rows.len() as u64, now);
        self.seat.hand_over(rows);
        let positions = self.positions();
        for (spot, next) in &positions {
            self.seat.progress.stands_at(*spot, self.seat.process, *next);
        }
        if self.mode == CommitMode::Auto && !positions.is_empty() {
            self.offer_to_timer(consumer, &positions);
        }
    }

    fn offer_to_timer(&self, consumer: &BaseConsumer<Self>, positions: &Positions) {
        let stored = committer::list(positions, &self.seat.topics).and_then(|list| consumer.store_offsets(&list));
        if let Err(error) = stored {
            self.seat.errors.note(&error, &format!("offsets could not be stored: {error}"));
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
        if committer.commit(&positions, COMMIT_LIMIT).is_some() {
            self.state().committed = positions;
        } else {
            let message = format!("a commit of {} took longer than {} s", self.seat.process, COMMIT_LIMIT.as_secs());
            self.seat.errors.note(&KafkaError::ConsumerCommit(RDKafkaErrorCode::OperationTimedOut), &message);
        }
    }

    fn assigned(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let spots = self.seat.tell_assigned(consumer, list);
        for (topic, partition) in &spots {
            self.switch.lead(consumer, self.seat.topics.name(*topic), *partition);
        }
        let mut state = self.state();
        for spot in spots {
            state.owned.insert(spot);
            state.positions.remove(&spot);
            state.committed.remove(&spot);
            self.seat.progress.given_to(spot, self.seat.process);
        }
    }

    fn revoked(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let cause = self.seat.cause(consumer);
        if cause == RevocationCause::Lost {
            // Whoever was thrown out of the group may not commit; what it has read is recorded all the same.
            self.state().owned.clear();
            self.state().positions.clear();
            self.process_rows(consumer, self.seat.shared.recorder.now());
        } else {
            self.settle(consumer);
        }
        let spots = self.seat.tell_revoked(list, cause);
        let mut state = self.state();
        for spot in spots {
            state.owned.remove(&spot);
            state.positions.remove(&spot);
            state.committed.remove(&spot);
        }
    }
}

impl State {
    fn has_uncommitted(&self) -> bool {
        self.committer.is_some() && self.positions != self.committed
    }
}

impl ClientContext for Membership {
    fn error(&self, error: KafkaError, reason: &str) {
        self.seat.errors.note(&error, reason);
    }
}

impl ConsumerContext for Membership {
    /// An ownership interval begins before its first read can, and ends before anybody else's can begin.
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => self.assigned(consumer, list),
            Rebalance::Revoke(list) => self.revoked(consumer, list),
            Rebalance::Error(error) => self.seat.errors.note(error, &error.to_string()),
        }
    }

    /// Results of librdkafka's own commits: by its timer, and at revocation in that mode.
    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        let code = result.as_ref().err().and_then(KafkaError::rdkafka_error_code);
        let positions = committer::positions(offsets, &self.seat.topics);
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
        let positions = committer::named(&positions, &self.seat.topics);
        self.seat.shared.recorder.event(EventKind::Committed { process: self.seat.process, outcome, positions, error });
    }
}
