//! What a transformer reads: its member of the group, what it owns, where it stands, and from where the transaction under way
//! was made. librdkafka calls back into it on the transformer's own thread, inside `poll`.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, ConsumerGroupMetadata, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientContext, TopicPartitionList};

use super::{Assignment, End};
use crate::history::event::RevocationCause;
use crate::history::{EventKind, ProcessRole, ReadRow};
use crate::kafka::{Outcome, Partition, ProcessId, TimeNs, TopicPartition};
use crate::workload::close;
use crate::workload::committer::{self, Positions};
use crate::workload::errors::ClientErrors;
use crate::workload::outcome::judge_commit;
use crate::workload::progress::Progress;
use crate::workload::reading::{self, Spot, Topics};
use crate::workload::shared::Shared;
use crate::workload::status;

/// How long a poll waits for a message.
const POLL: Duration = Duration::from_millis(5);
/// Rows go to the recorder in batches of this many, or this often.
const ROWS_PER_BATCH: usize = 4096;
const ROWS_EVERY_NS: u64 = 100_000_000;
/// How long going back may take, and the coordinator's answer to where the group stands.
const SEEK_LIMIT: Duration = Duration::from_secs(10);
const LOOK_UP_LIMIT: Duration = Duration::from_secs(1);
/// How long leaving the group may take, and how often a closed client's queue is looked at for what is left in it.
const LEAVE_LIMIT: Duration = Duration::from_secs(20);
const LAST_POLLS: usize = 10;

/// A record that came in.
pub struct Arrival {
    /// As the history has it.
    pub row: ReadRow,
    /// Its key.
    pub key: Vec<u8>,
}

/// The member of one life.
pub struct Inflow {
    consumer: BaseConsumer<Ownership>,
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
            process,
            shared: shared.clone(),
            topics: Topics::of(recorder),
            progress: Arc::clone(progress),
            state: Mutex::default(),
            errors: ClientErrors::new(process, recorder.clone()),
            is_closing: AtomicBool::new(false),
            is_lost: AtomicBool::new(false),
        };
        let consumer: BaseConsumer<Ownership> = assignment.config.create_with_context(ownership)?;
        let (group, member) = (assignment.group.clone(), assignment.out.index);
        let role = ProcessRole::Consumer { group, member, incarnation };
        let label = role.label();
        recorder.event(EventKind::ProcessStarted { process, role });
        consumer.subscribe(&[&assignment.from])?;
        Ok(Self { consumer, label })
    }

    /// What came in, if anything did within a few milliseconds.
    pub fn poll(&self) -> Option<Arrival> {
        let own = self.own();
        own.hand_over_rows(ROWS_PER_BATCH);
        match self.consumer.poll(POLL)? {
            Ok(message) => {
                let clock = own.shared.recorder.clock();
                let row = reading::row(&message, own.process, own.shared.run, &own.topics, clock)
                    .expect("transformers subscribe to topics of the run only");
                let key = message.key().unwrap_or_default().to_vec();
                own.take(row).then_some(Arrival { row, key })
            }
            Err(error) => {
                own.errors.note(&error, &error.to_string());
                None
            }
        }
    }

    /// Whether the client is of no use any more.
    pub fn is_fatal(&self) -> bool {
        self.own().errors.is_fatal() || self.own().is_lost.load(Ordering::Relaxed)
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
        committer::list(positions, &self.own().topics)
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
            own.progress.stands_at(*spot, own.process, *next);
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
            own.errors.note(&error, &format!("could not go back to where an aborted transaction had begun: {error}"));
            own.is_lost.store(true, Ordering::Relaxed);
            return;
        }
        let positions = committer::named(&from, &own.topics);
        shared.recorder.event(EventKind::WentBack { process: own.process, positions });
    }

    /// Commits what has passed and is not committed yet, and waits for the answer.
    pub fn commit(&self) {
        let own = self.own();
        let positions = own.state().uncommitted.clone();
        if positions.is_empty() {
            return;
        }
        let result = self.list(&positions).and_then(|list| self.consumer.commit(&list, CommitMode::Sync));
        let code = result.as_ref().err().and_then(KafkaError::rdkafka_error_code);
        // Nothing to commit is what librdkafka says of positions that stand committed already.
        if code == Some(RDKafkaErrorCode::NoOffset) {
            return own.state().uncommitted.clear();
        }
        let outcome = match &result {
            Ok(()) => Outcome::Ok,
            Err(_) => code.map_or(Outcome::Info, |code| judge_commit(code as i32)),
        };
        if outcome == Outcome::Ok {
            own.state().uncommitted.clear();
        }
        own.tell_committed(&positions, outcome, result.err().map(|error| error.to_string()));
    }

    /// Asks librdkafka, and the group's coordinator if need be, where the member stands in partitions of which nothing waits to
    /// be transformed: control records pass without a message, and a new owner may have nothing left to read.
    pub fn look_up_positions(&self) {
        let own = self.own();
        let Ok(list) = self.consumer.position() else { return };
        let mut known = committer::positions(&list, &own.topics);
        let idle: BTreeSet<Spot> = {
            let state = own.state();
            // After a seek librdkafka names no position until the next record.
            state.owned.iter().filter(|spot| !state.from.contains_key(*spot)).copied().collect()
        };
        known.retain(|spot, _| idle.contains(spot));
        let mut wanted = TopicPartitionList::new();
        for (topic, partition) in idle.iter().filter(|spot| !known.contains_key(*spot)) {
            wanted.add_partition(own.topics.name(*topic), partition.0);
        }
        if wanted.count() > 0
            && let Ok(committed) = self.consumer.committed_offsets(wanted, LOOK_UP_LIMIT)
        {
            known.extend(committer::positions(&committed, &own.topics));
        }
        let mut state = own.state();
        for (spot, next) in known {
            if state.owned.contains(&spot) && state.positions.get(&spot).is_none_or(|position| *position < next) {
                state.positions.insert(spot, next);
                own.progress.stands_at(spot, own.process, next);
            }
        }
    }

    /// Says where the member stands, leaves the group, and lets the client go.
    pub fn close(self, shared: &Shared, progress: &Progress, end: End) {
        let Self { consumer, label } = self;
        let (recorder, own) = (&shared.recorder, Arc::clone(consumer.context()));
        own.hand_over_rows(0);
        let reason = match end {
            End::OutOfTime => {
                let missing = progress.missing();
                let stood =
                    missing.iter().map(|(spot, at, end)| format!("{} at {at} of {end}", own.topics.named(*spot)));
                let stood: Vec<String> = stood.collect();
                format!("{}: {} (-1: unknown)", end.reason(), stood.join(", "))
            }
            _ => end.reason().to_owned(),
        };
        if matches!(end, End::Drained | End::OutOfTime) {
            let positions = committer::named(&own.state().positions, &own.topics);
            recorder.event(EventKind::Drained { process: own.process, positions });
        }
        own.is_closing.store(true, Ordering::Relaxed);
        if end == End::Fatal {
            progress.forget(own.process);
        }
        if let Some(message) = leave(&consumer, &label, end) {
            recorder.event(EventKind::HarnessError { message });
        }
        own.hand_over_rows(0);
        own.errors.mute();
        recorder.event(EventKind::ProcessEnded { process: own.process, reason });
        close::destroy(consumer, &label, recorder, close::DESTROY_LIMIT);
    }

    fn own(&self) -> &Ownership {
        self.consumer.context()
    }
}

/// Closes by hand what dropping the client would close, because the latter has no limit. What still comes out of the queue is
/// not read: nothing is made of it.
fn leave(consumer: &BaseConsumer<Ownership>, label: &str, end: End) -> Option<String> {
    match consumer.close_queue() {
        // After a fatal error librdkafka does not leave a group; the session timeout does it.
        Err(_) if end == End::Fatal => None,
        Err(error) => Some(format!("{label} could not leave its group: {error}")),
        Ok(()) => {
            let deadline = Instant::now() + LEAVE_LIMIT;
            while !consumer.closed() && Instant::now() < deadline {
                drop(consumer.poll(POLL));
            }
            for _ in 0..LAST_POLLS {
                drop(consumer.poll(POLL));
            }
            let late = format!("{label} did not leave its group within {} s", LEAVE_LIMIT.as_secs());
            (!consumer.closed()).then_some(late)
        }
    }
}

/// What the client owns.
struct Ownership {
    process: ProcessId,
    shared: Shared,
    topics: Topics,
    progress: Arc<Progress>,
    state: Mutex<State>,
    errors: ClientErrors,
    is_closing: AtomicBool,
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
        let now = self.shared.recorder.now();
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
        self.shared.counters.add_read(rows.len());
        let _held: Duration = self.shared.recorder.reads(rows);
    }

    fn tell_committed(&self, positions: &Positions, outcome: Outcome, error: Option<String>) {
        if positions.is_empty() {
            return;
        }
        let positions = committer::named(positions, &self.topics);
        self.shared.recorder.event(EventKind::Committed { process: self.process, outcome, positions, error });
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
            state.forget(spot);
            self.progress.given_to(spot, self.process);
        }
    }

    fn revoked(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let cause = match (self.is_closing.load(Ordering::Relaxed), consumer.assignment_lost()) {
            (true, _) => RevocationCause::Closed,
            (false, true) => RevocationCause::Lost,
            (false, false) => RevocationCause::Rebalance,
        };
        self.hand_over_rows(0);
        let spots = self.spots(list);
        if !spots.is_empty() {
            let partitions = self.named(&spots);
            self.shared.recorder.event(EventKind::Revoked { process: self.process, partitions, cause });
        }
        let is_closing = self.is_closing.load(Ordering::Relaxed);
        let mut state = self.state();
        for spot in spots {
            state.is_disturbed |= state.from.contains_key(&spot);
            state.owned.remove(&spot);
            state.forget(spot);
            // Who has reached the end and leaves has said where it stood.
            if !is_closing {
                self.progress.given_up(spot, self.process);
            }
        }
    }

    fn spots(&self, list: &TopicPartitionList) -> BTreeSet<Spot> {
        let spot = |topic: &str, partition| Some((self.topics.index(topic)?, Partition(partition)));
        list.elements().iter().filter_map(|entry| spot(entry.topic(), entry.partition())).collect()
    }

    fn named(&self, spots: &BTreeSet<Spot>) -> Vec<TopicPartition> {
        spots.iter().map(|spot| self.topics.named(*spot)).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}

impl ClientContext for Ownership {
    fn error(&self, error: KafkaError, reason: &str) {
        self.errors.note(&error, reason);
    }
}

impl ConsumerContext for Ownership {
    /// An ownership interval begins before its first read can, and ends before anybody else's can begin.
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => self.assigned(consumer, list),
            Rebalance::Revoke(list) => self.revoked(consumer, list),
            Rebalance::Error(error) => self.errors.note(error, &error.to_string()),
        }
    }
}
