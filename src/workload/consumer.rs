//! A member of a consumer group: one thread, one librdkafka client.
//!
//! A member polls until the group has reached the end offsets it is given, then commits, says where it stands, and leaves.
//! When it commits is the scenario's choice:
//! - after-process: rows are recorded, then committed in passing about every 100 ms, and at once before partitions are
//!   given up (at-least-once);
//! - before-process: a batch is committed, and the result awaited, before its rows are recorded (at-most-once);
//! - auto: offsets of recorded rows are offered to librdkafka's timer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaResult;
use serde::{Deserialize, Serialize};

use super::close;
use super::committer::{self, Committer};
use super::membership::{COMMIT_LIMIT, Membership};
use super::native::inbox::{BATCH_MAX, Inbox};
use super::native::letter::Letter;
use super::progress::{Order, Progress};
use super::reading::{self, Topics};
use super::seat::{self, Health};
use super::shared::Shared;
use crate::history::{EventKind, ProcessRole, ReadRow};
use crate::kafka::ProcessId;
use crate::scenario::CommitMode;

/// How long is waited for a record, or for an event where none can come.
const POLL: Duration = Duration::from_millis(10);
/// How often a draining member asks where it stands in partitions of which it read nothing.
const LOOK_UP_EVERY: Duration = Duration::from_millis(500);
/// Lives begin this far apart at least.
const BETWEEN_LIVES: Duration = Duration::from_secs(1);

/// What a member is to do.
#[derive(Clone, Serialize, Deserialize)]
pub struct Assignment {
    /// The group.
    pub group: String,
    /// Which member.
    pub member: u32,
    /// The topics it subscribes to.
    pub topics: Vec<String>,
    /// When it commits.
    pub commit: CommitMode,
    /// The client's configuration.
    #[serde(with = "super::config::as_map")]
    pub config: ClientConfig,
}

/// What makes a member go before the group has finished.
#[derive(Clone, Debug, Default)]
pub struct Exits {
    /// The run is given up.
    pub abort: Arc<AtomicBool>,
    /// This member is to leave, and the load goes on.
    pub leave: Arc<AtomicBool>,
}

impl Exits {
    /// Exits of a member that leaves with the load only.
    pub fn with(abort: &Arc<AtomicBool>) -> Self {
        Self { abort: Arc::clone(abort), leave: Arc::default() }
    }

    fn told(&self) -> Option<End> {
        if self.abort.load(Ordering::Relaxed) {
            return Some(End::Aborted);
        }
        self.leave.load(Ordering::Relaxed).then_some(End::Left)
    }
}

/// A member with its first client made, ready to run.
pub struct Member {
    assignment: Assignment,
    shared: Shared,
    progress: Arc<Progress>,
    exits: Exits,
    lives: u32,
    life: Option<Life>,
}

impl Member {
    /// Makes the client of this life, counted from 0; an error here is one of configuration.
    pub fn new(
        assignment: Assignment,
        shared: Shared,
        progress: Arc<Progress>,
        exits: Exits,
        incarnation: u32,
    ) -> KafkaResult<Self> {
        let mut member = Self { assignment, shared, progress, exits, lives: incarnation, life: None };
        member.life = Some(member.begin_life()?);
        Ok(member)
    }

    /// Reads until the group is drained, through as many lives as that takes; returns how many there were, those before
    /// this member was made included. Blocks the thread.
    pub fn run(mut self) -> u32 {
        loop {
            let born = Instant::now();
            if self.live() != End::Fatal {
                return self.lives;
            }
            self.life = self.live_again(born);
            if self.life.is_none() {
                return self.lives;
            }
        }
    }

    /// Reads until the group is drained or the client is of no use. Blocks the thread.
    pub fn live(&mut self) -> End {
        let Some(mut life) = self.life.take() else { return End::Aborted };
        let end = life.poll_until_the_end(&self.progress, &self.exits, &self.shared);
        life.close(&self.shared, &self.progress, end);
        end
    }

    fn live_again(&mut self, born: Instant) -> Option<Life> {
        let mut not_before = born + BETWEEN_LIVES;
        loop {
            while Instant::now() < not_before {
                let over = matches!(self.progress.order(), Order::Done | Order::OutOfTime);
                if over || self.exits.told().is_some() {
                    return None;
                }
                std::thread::sleep(POLL);
            }
            match self.begin_life() {
                Ok(life) => return Some(life),
                Err(error) => {
                    let Assignment { group, member, .. } = &self.assignment;
                    let message = format!("cannot make a new client for {group}/{member}: {error}");
                    self.shared.recorder.event(EventKind::HarnessError { message });
                    not_before = Instant::now() + BETWEEN_LIVES;
                }
            }
        }
    }

    fn begin_life(&mut self) -> KafkaResult<Life> {
        let Assignment { group, member, topics, commit, config } = &self.assignment;
        let recorder = &self.shared.recorder;
        let process = self.shared.ids.next();
        let context = Membership::new(process, self.shared.clone(), *commit, Arc::clone(&self.progress));
        let consumer: Arc<BaseConsumer<Membership>> = Arc::new(config.create_with_context(context)?);
        let role = ProcessRole::Consumer { group: group.clone(), member: *member, incarnation: self.lives };
        let label = role.label();
        self.shared.gauge.begins(process, self.lives);
        self.lives += 1;
        recorder.event(EventKind::ProcessStarted { process, role });
        let committer = match commit {
            CommitMode::Auto => None,
            CommitMode::AfterProcess | CommitMode::BeforeProcess => {
                let run_topics = Topics::of(recorder);
                match Committer::start(
                    Arc::clone(&consumer),
                    process,
                    run_topics,
                    recorder.clone(),
                    self.shared.herald.clone(),
                ) {
                    Ok((committer, thread)) => {
                        consumer.context().commit_through(committer);
                        Some(thread)
                    }
                    Err(error) => {
                        let message = format!("{label} cannot commit: its thread did not start: {error}");
                        recorder.event(EventKind::HarnessError { message });
                        None
                    }
                }
            }
        };
        let inbox = Inbox::open(&consumer, &consumer.context().switch);
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&names)?;
        Ok(Life { process, label, inbox, consumer, committer, rows: Vec::with_capacity(BATCH_MAX) })
    }
}

/// Why a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The group reached the end offsets.
    Drained,
    /// It did not in time.
    OutOfTime,
    /// The run was given up.
    Aborted,
    /// The member was told to leave.
    Left,
    /// The client is of no use any more.
    Fatal,
}

impl End {
    fn reason(self, progress: &Progress, topics: &Topics) -> String {
        match self {
            Self::Drained => "the group reached the end offsets".to_owned(),
            Self::OutOfTime => {
                let missing = progress.missing();
                let stood = missing.iter().map(|(spot, at, end)| format!("{} at {at} of {end}", topics.named(*spot)));
                let stood: Vec<String> = stood.collect();
                format!("the group did not reach the end offsets in time: {} (-1: unknown)", stood.join(", "))
            }
            Self::Aborted => "the run was given up".to_owned(),
            Self::Left => "told to leave the group".to_owned(),
            Self::Fatal => "a fatal error of the client".to_owned(),
        }
    }
}

/// One incarnation: a client and its process id.
struct Life {
    process: ProcessId,
    label: String,
    /// Dropped before the last hold on the client is.
    inbox: Inbox<Membership>,
    consumer: Arc<BaseConsumer<Membership>>,
    committer: Option<JoinHandle<()>>,
    /// Room for a batch.
    rows: Vec<ReadRow>,
}

impl Life {
    fn poll_until_the_end(&mut self, progress: &Progress, exits: &Exits, shared: &Shared) -> End {
        let context = Arc::clone(self.consumer.context());
        let mut looked_up = Instant::now();
        let mut last_record = Instant::now();
        loop {
            match progress.order() {
                Order::Done => return End::Drained,
                Order::OutOfTime => return End::OutOfTime,
                Order::Drain if looked_up.elapsed() >= LOOK_UP_EVERY => {
                    context.look_up_positions(&self.consumer);
                    looked_up = Instant::now();
                }
                Order::Drain | Order::Run => {}
            }
            if let Some(end) = exits.told() {
                return end;
            }
            if context.seat.errors.is_fatal() {
                return End::Fatal;
            }
            // A drain is done at full speed: what a slow member left behind has to be read in time.
            let is_slow = !shared.gauge.tempo().is_zero() && progress.order() == Order::Run;
            let read = self.read(if is_slow { 1 } else { BATCH_MAX });
            if read > 0 && is_slow {
                last_record = shared.gauge.spend(last_record, || {
                    progress.order() != Order::Run || exits.told().is_some() || context.seat.errors.is_fatal()
                });
            }
            context.process_when_due(&self.consumer);
        }
    }

    /// Serves an event, should one wait, and then reads what records there are, `most` at most. Events come first, so that nothing
    /// is read of a partition whose loss waits to be heard of; returns how many records were read.
    fn read(&mut self, most: usize) -> usize {
        let context = Arc::clone(self.consumer.context());
        let (for_events, for_records) = if context.is_idle() { (POLL, Duration::ZERO) } else { (Duration::ZERO, POLL) };
        self.serve_event(for_events);
        let Self { inbox, rows, .. } = self;
        let mut sitting = context.seat.sitting();
        inbox.read(most, for_records, &mut |letter| sitting.take(letter, rows, &context.seat.errors));
        reading::at_one_time(rows);
        let read = rows.len();
        context.take(rows);
        read
    }

    /// Hears one event: partitions given and taken, errors, what became of commits. A record that is not led to the inbox comes
    /// out here, and is read, too.
    fn serve_event(&self, wait: Duration) {
        let context = self.consumer.context();
        match self.consumer.poll(wait) {
            Some(Ok(message)) => {
                let mut rows = Vec::new();
                context.seat.sitting().take(Letter::of(&message), &mut rows, &context.seat.errors);
                context.take(&mut rows);
            }
            Some(Err(error)) => context.seat.errors.note(&error, &error.to_string()),
            None => {}
        }
    }

    /// Commits, says where the member stands, leaves the group, and lets the client go.
    fn close(mut self, shared: &Shared, progress: &Progress, end: End) {
        let Shared { recorder, .. } = shared;
        // What was missing is told as it stood before this member gave its partitions up.
        let reason = end.reason(progress, &Topics::of(recorder));
        let context = Arc::clone(self.consumer.context());
        context.settle(&self.consumer);
        if matches!(end, End::Drained | End::OutOfTime) {
            let positions = committer::named(&context.positions(), &Topics::of(recorder));
            recorder.event(EventKind::Drained { process: self.process, positions });
        }
        context.leave();
        if let Some(thread) = self.committer.take() {
            close::join(thread, &format!("commits of {}", self.label), recorder, Instant::now() + COMMIT_LIMIT);
        }
        let health = if end == End::Fatal { Health::Fatal } else { Health::Fine };
        if let Some(message) = seat::leave_group(&self.consumer, &self.label, health, || {
            self.serve_event(POLL);
        }) {
            recorder.event(EventKind::HarnessError { message });
        }
        // What came out of the queue while it was closed has been read, though nothing of it is committed.
        context.settle(&self.consumer);
        context.seat.errors.mute();
        recorder.event(EventKind::ProcessEnded { process: self.process, reason });
        close::destroy((self.inbox, self.consumer), &self.label, recorder, close::DESTROY_LIMIT);
    }
}
