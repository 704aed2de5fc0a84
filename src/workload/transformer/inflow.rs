//! What a transformer reads: its member of the group, what it owns, where it stands, and from where the transaction under way
//! was made. librdkafka calls back into it on the transformer's own thread, inside `poll`.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, ConsumerGroupMetadata, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientContext, TopicPartitionList};

use super::{Assignment, End};
use crate::history::{EventKind, ProcessRole, ReadRow};
use crate::kafka::{Outcome, TimeNs};
use crate::scenario::OffsetsCommitted;
use crate::workload::close;
use crate::workload::committer::{self, Committer, Positions};
use crate::workload::membership::COMMIT_LIMIT;
use crate::workload::native::letter::Letter;
use crate::workload::progress::Progress;
use crate::workload::reading::{Spot, Topics};
use crate::workload::seat::{self, Health, ROWS_EVERY_NS, ROWS_PER_BATCH, Seat};
use crate::workload::shared::Shared;

/// How long a poll waits for a message.
const POLL: Duration = Duration::from_millis(5);
/// How long going back may take.
const SEEK_LIMIT: Duration = Duration::from_secs(10);

/// A record that came in.
pub struct Arrival {
    /// As the history has it.
    pub row: ReadRow,
    /// Its key, if it has one.
    pub key: Option<Vec<u8>>,
}

/// The member of one life.
pub struct Inflow {
    consumer: Arc<BaseConsumer<Ownership>>,
    /// What commits where the group does so by itself.
    committer: Option<(Committer, JoinHandle<()>)>,
    label: String,
}

impl Inflow {
    /// Makes the client, tells the history of it, and subscribes.
    pub fn begin(
        assignment: &Assignment,
        shared: &Shared,
        progress: &Arc<Progress>,
        incarnation: u32,
    ) -> KafkaResult<Self> {
        let (process, recorder) = (shared.ids.next(), &shared.recorder);
        let ownership = Ownership {
            seat: Seat::new(process, shared.clone(), Arc::clone(progress)),
            state: Mutex::default(),
            is_lost: AtomicBool::new(false),
        };
        let consumer: Arc<BaseConsumer<Ownership>> = Arc::new(assignment.config.create_with_context(ownership)?);
        let (group, member) = (assignment.group.clone(), assignment.out.index);
        let role = ProcessRole::Consumer { group, member, incarnation };
        let label = role.label();
        recorder.event(EventKind::ProcessStarted { process, role });
        let committer = match assignment.offsets {
            OffsetsCommitted::InTransaction => None,
            OffsetsCommitted::Afterwards => {
                let (client, topics) = (Arc::clone(&consumer), Topics::of(recorder));
                let started = Committer::start(client, process, topics, recorder.clone(), shared.herald.clone());
                let tell = |error| {
                    let message = format!("{label} cannot commit: its thread did not start: {error}");
                    recorder.event(EventKind::HarnessError { message });
                };
                started.map_err(tell).ok()
            }
        };
        consumer.subscribe(&[&assignment.from])?;
        Ok(Self { consumer, committer, label })
    }

    /// What came in, if anything did within a few milliseconds.
    pub fn poll(&self) -> Option<Arrival> {
        let own = self.own();
        own.hand_over_rows(ROWS_PER_BATCH);
        match self.consumer.poll(POLL)? {
            Ok(message) => {
                let letter = Letter::of(&message);
                let row = own.seat.sitting().row(letter).expect("transformers subscribe to topics of the run only");
                let key = letter.key().map(<[u8]>::to_vec);
                own.take(row).then_some(Arrival { row, key })
            }
            Err(error) => {
                own.seat.errors.note(&error, &error.to_string());
                None
            }
        }
    }

    /// Whether the client is of no use any more.
    pub fn is_fatal(&self) -> bool {
        self.own().seat.errors.is_fatal() || self.own().is_lost.load(Ordering::Relaxed)
    }

    /// Whether partitions were taken away of which something is in the transaction under way. Told once.
    pub fn was_disturbed(&self) -> bool {
        std::mem::take(&mut self.own().state().is_disturbed)
    }

    /// The next offsets of what was read since the last transaction ended.
    pub fn since_last(&self) -> Positions {
        self.own().state().next.clone()
    }

    /// Positions as librdkafka takes them.
    pub fn list(&self, positions: &Positions) -> KafkaResult<TopicPartitionList> {
        committer::list(positions, &self.own().seat.topics)
    }

    /// Who the member is, as the group has it now; `None` where it is in none.
    pub fn member(&self) -> Option<ConsumerGroupMetadata> {
        self.consumer.group_metadata()
    }

    /// What was read up to there counts, and so does the commit of it, if the transaction held that.
    pub fn passed(&self, read: &Positions, is_committed: bool) {
        let own = self.own();
        if is_committed {
            own.tell_committed(read, Outcome::Ok, None);
        }
        let mut state = own.state();
        state.from.clear();
        state.next.clear();
        for (spot, next) in read {
            state.positions.insert(*spot, *next);
            own.seat.progress.stands_at(*spot, own.seat.process, *next);
        }
        if !is_committed {
            state.uncommitted.extend(read.iter().map(|(spot, next)| (*spot, *next)));
        }
    }

    /// Nobody knows whether what was read up to there is committed.
    pub fn in_doubt(&self, read: &Positions) {
        let reason = "nobody knows how the transaction ended".to_owned();
        self.own().tell_committed(read, Outcome::Info, Some(reason));
    }

    /// Goes back to where the transaction that was aborted had begun.
    pub fn go_back(&self, shared: &Shared) {
        let own = self.own();
        own.hand_over_rows(0);
        let from = {
            let mut state = own.state();
            state.next.clear();
            let owned = state.owned.clone();
            let mut from = std::mem::take(&mut state.from);
            from.retain(|spot, _| owned.contains(spot));
            from
        };
        if from.is_empty() {
            return;
        }
        let sought = self.list(&from).and_then(|list| self.consumer.seek_partitions(list, SEEK_LIMIT));
        let failed = sought.and_then(|list| list.elements().iter().try_for_each(TopicPartitionListElem::error));
        if let Err(error) = failed {
            own.seat
                .errors
                .note(&error, &format!("could not go back to where an aborted transaction had begun: {error}"));
            own.is_lost.store(true, Ordering::Relaxed);
            return;
        }
        let positions = committer::named(&from, &own.seat.topics);
        shared.recorder.event(EventKind::WentBack { process: own.seat.process, positions });
    }

    /// Commits what has passed and is not committed yet, and waits for the answer.
    pub fn commit(&self) {
        let own = self.own();
        let positions = own.state().uncommitted.clone();
        if positions.is_empty() {
            return;
        }
        let Some((committer, _)) = &self.committer else { return };
        match committer.commit(&positions, COMMIT_LIMIT) {
            Some(Outcome::Ok) => own.state().uncommitted.clear(),
            // They are committed again with the next ones.
            Some(_) => {}
            None => {
                let message = format!("a commit of {} took longer than {} s", self.label, COMMIT_LIMIT.as_secs());
                let error = KafkaError::ConsumerCommit(RDKafkaErrorCode::OperationTimedOut);
                own.seat.errors.note(&error, &message);
            }
        }
    }

    /// Finds out where the member stands in partitions of which nothing waits to be transformed.
    pub fn look_up_positions(&self) {
        let own = self.own();
        let known = own.seat.look_up(&self.consumer, || {
            let state = own.state();
            state.owned.iter().filter(|spot| !state.from.contains_key(*spot)).copied().collect()
        });
        let State { owned, positions, .. } = &mut *own.state();
        own.seat.advance(positions, owned, known);
    }

    /// Says where the member stands, leaves the group, and lets the client go.
    pub fn close(self, shared: &Shared, progress: &Progress, end: End) {
        let Self { consumer, committer, label } = self;
        let (recorder, own) = (&shared.recorder, Arc::clone(consumer.context()));
        own.hand_over_rows(0);
        let reason = match end {
            End::OutOfTime => {
                let missing = progress.missing();
                let stood =
                    missing.iter().map(|(spot, at, end)| format!("{} at {at} of {end}", own.seat.topics.named(*spot)));
                let stood: Vec<String> = stood.collect();
                format!("{}: {} (-1: unknown)", end.reason(), stood.join(", "))
            }
            _ => end.reason().to_owned(),
        };
        if matches!(end, End::Drained | End::OutOfTime) {
            let positions = committer::named(&own.state().positions, &own.seat.topics);
            recorder.event(EventKind::Drained { process: own.seat.process, positions });
        }
        own.seat.close();
        if let Some((committer, thread)) = committer {
            drop(committer);
            close::join(thread, &format!("commits of {label}"), recorder, Instant::now() + COMMIT_LIMIT);
        }
        if end == End::Fatal {
            progress.forget(own.seat.process);
        }
        let health = if end == End::Fatal { Health::Fatal } else { Health::Fine };
        // What still comes out of the queue is not read: nothing is made of it.
        if let Some(message) = seat::leave_group(&consumer, &label, health, || drop(consumer.poll(POLL))) {
            recorder.event(EventKind::HarnessError { message });
        }
        own.hand_over_rows(0);
        own.seat.errors.mute();
        recorder.event(EventKind::ProcessEnded { process: own.seat.process, reason });
        close::destroy(consumer, &label, recorder, close::DESTROY_LIMIT);
    }

    fn own(&self) -> &Ownership {
        self.consumer.context()
    }
}

/// What the client owns.
struct Ownership {
    seat: Seat,
    state: Mutex<State>,
    /// It does not know where it stands.
    is_lost: AtomicBool,
}

#[derive(Default)]
struct State {
    owned: BTreeSet<Spot>,
    /// The first offsets that were read since the last transaction ended, and the next ones.
    from: Positions,
    next: Positions,
    /// The next offsets of what has passed.
    positions: Positions,
    /// Those of them that the group itself has yet to commit.
    uncommitted: Positions,
    rows: Vec<ReadRow>,
    handed_ns: Option<TimeNs>,
    is_disturbed: bool,
}

impl State {
    fn forget(&mut self, spot: Spot) {
        for positions in [&mut self.from, &mut self.next, &mut self.positions, &mut self.uncommitted] {
            positions.remove(&spot);
        }
    }
}

impl Ownership {
    /// Takes a record in; whether the member owns its partition, so that it may make something of it.
    fn take(&self, row: ReadRow) -> bool {
        let mut state = self.state();
        let spot = (row.topic, row.partition);
        state.rows.push(row);
        if !state.owned.contains(&spot) {
            return false;
        }
        state.from.entry(spot).or_insert(row.offset.0);
        state.next.insert(spot, row.offset.0 + 1);
        true
    }

    /// Gives the recorder the rows that wait, if they are `enough` or have waited long.
    fn hand_over_rows(&self, enough: usize) {
        let now = self.seat.shared.recorder.now();
        let rows = {
            let mut state = self.state();
            let is_due = state.handed_ns.is_none_or(|last| now.since(last) >= ROWS_EVERY_NS);
            if state.rows.is_empty() || (state.rows.len() < enough && !is_due) {
                return;
            }
            state.handed_ns = Some(now);
            let capacity = state.rows.len();
            std::mem::replace(&mut state.rows, Vec::with_capacity(capacity))
        };
        // No progress of the instance: what it got done is what it wrote.
        self.seat.hand_over(rows);
    }

    fn tell_committed(&self, positions: &Positions, outcome: Outcome, error: Option<String>) {
        if positions.is_empty() {
            return;
        }
        let positions = committer::named(positions, &self.seat.topics);
        self.seat.shared.recorder.event(EventKind::Committed { process: self.seat.process, outcome, positions, error });
    }

    fn assigned(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let spots = self.seat.tell_assigned(consumer, list);
        let mut state = self.state();
        for spot in spots {
            state.owned.insert(spot);
            state.forget(spot);
            self.seat.progress.given_to(spot, self.seat.process);
        }
    }

    fn revoked(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let cause = self.seat.cause(consumer);
        self.hand_over_rows(0);
        let (spots, is_closing) = (self.seat.tell_revoked(list, cause), self.seat.is_closing());
        let mut state = self.state();
        for spot in spots {
            state.is_disturbed |= state.from.contains_key(&spot);
            state.owned.remove(&spot);
            state.forget(spot);
            // Who has reached the end and leaves has said where it stood.
            if !is_closing {
                self.seat.progress.given_up(spot, self.seat.process);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}

impl ClientContext for Ownership {
    fn error(&self, error: KafkaError, reason: &str) {
        self.seat.errors.note(&error, reason);
    }
}

impl ConsumerContext for Ownership {
    /// An ownership interval begins before its first read can, and ends before anybody else's can begin.
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => self.assigned(consumer, list),
            Rebalance::Revoke(list) => self.revoked(consumer, list),
            Rebalance::Error(error) => self.seat.errors.note(error, &error.to_string()),
        }
    }
}
