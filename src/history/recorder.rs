//! The recorder: one thread that writes everything clients, nemesis and observers hand it, append-only.
//!
//! Two bounded queues lead to it. Rows come by the hundred thousand; events are few, and a phase change or a proof must
//! never wait behind rows, so each kind has a queue of its own and events are taken first. A full queue blocks the sender
//! and tells it for how long: nothing is dropped and nothing grows, and the load's accounts show who was held back.
//!
//! A disk that fails is not swallowed. The first error is kept: [`RecorderHandle::failed`] shows it at once,
//! [`Recorder::finish`] returns it, and until then the queues are emptied into nothing, so that nobody blocks for ever.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::writer::{Rows, Writer};
use super::{Event, EventKind, ReadRow, ReplicaRow, SendRow, SourceRow};
use crate::kafka::{TimeNs, TopicIndex};

/// How many events may wait. At a few per second, this is never full unless the disk stands still.
const EVENTS_WAITING: usize = 4096;
/// How many batches of rows may wait; at 4096 rows each, about 40 MB.
const BATCHES_WAITING: usize = 128;
/// How often what is written reaches the file at the latest.
const FLUSH_EVERY: Duration = Duration::from_millis(500);

/// Why a history could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The first event must be `run-started`.
    #[error("a history begins with run-started, not with another event")]
    NoHeader,
    /// A file could not be made.
    #[error("cannot create {}", path.display())]
    Create {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start the recorder's thread")]
    Thread(#[source] io::Error),
    /// Something could not be written; the history lacks what came after.
    #[error("the history is incomplete: {0}")]
    Write(String),
    /// The writing thread panicked.
    #[error("the recorder's thread panicked")]
    Panicked,
}

/// How much a finished history holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Events, the first and the last included.
    pub events: u64,
    /// Send rows.
    pub sends: u64,
    /// Read rows.
    pub reads: u64,
    /// Rows of what transformers made records of.
    pub sources: u64,
    /// Replica rows.
    pub replicas: u64,
}

/// What a history says about itself at its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The run's id.
    pub run: String,
    /// The topics; [`TopicIndex`] counts them.
    pub topics: Vec<String>,
    /// The number of partitions of each topic.
    pub partitions: Vec<u32>,
}

/// What can be handed to a recorder.
#[derive(Debug)]
pub enum Handed {
    /// An event.
    Event(Event),
    /// Completed sends.
    Sends(Vec<SendRow>),
    /// Records read.
    Reads(Vec<ReadRow>),
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    header: Header,
    way: Way,
    closed: AtomicBool,
    failure: Failure,
}

/// Where what is handed in goes.
enum Way {
    /// To this process's recorder.
    Queues { events: Sender<Event>, rows: Sender<Rows> },
    /// To the recorder of another process; whoever hands something in waits until it is out of this one.
    Elsewhere(Box<dyn Fn(Handed) + Send + Sync>),
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Queues { .. } => "Queues",
            Self::Elsewhere(_) => "Elsewhere",
        })
    }
}

/// The first thing that went wrong with the files, shared by the writing thread and everybody who asks.
#[derive(Clone, Debug, Default)]
pub(super) struct Failure(Arc<OnceLock<String>>);

impl Failure {
    pub(super) fn set(&self, message: String) {
        self.0.get_or_init(|| message);
    }

    pub(super) fn get(&self) -> Option<String> {
        self.0.get().cloned()
    }
}

/// A way to hand things to the recorder; cheap to clone, for any thread.
#[derive(Clone, Debug)]
pub struct RecorderHandle(Arc<Shared>);

impl RecorderHandle {
    /// A handle in another process than the recorder's. `hand` returns when what it was given no longer depends on this
    /// process, so that a SIGKILL of it loses nothing that was handed in.
    pub fn elsewhere(clock: Clock, header: Header, hand: impl Fn(Handed) + Send + Sync + 'static) -> Self {
        let (way, failure) = (Way::Elsewhere(Box::new(hand)), Failure::default());
        Self(Arc::new(Shared { clock, header, way, closed: AtomicBool::new(false), failure }))
    }

    /// Records an event, stamped with the present time. Blocks while the queue of events is full.
    pub fn event(&self, kind: EventKind) {
        self.event_at(self.now(), kind);
    }

    /// Records an event that happened at `time_ns`.
    pub fn event_at(&self, time_ns: TimeNs, kind: EventKind) {
        let event = Event { time_ns, kind };
        match &self.0.way {
            Way::Queues { events, .. } => drop(self.send(events, event)),
            Way::Elsewhere(hand) => hand(Handed::Event(event)),
        }
    }

    /// Records completed sends. Returns for how long the caller was held back by a full queue.
    pub fn sends(&self, batch: Vec<SendRow>) -> Duration {
        self.rows(batch, Rows::Sends, Handed::Sends)
    }

    /// Records what was read. Returns for how long the caller was held back by a full queue.
    pub fn reads(&self, batch: Vec<ReadRow>) -> Duration {
        self.rows(batch, Rows::Reads, Handed::Reads)
    }

    /// Records what transformers made records of. They run in this process: another one's recorder takes no such rows.
    pub fn sources(&self, batch: Vec<SourceRow>) {
        self.own_rows(batch, Rows::Sources, "what a record was made of");
    }

    /// Records what replicas stored. Only the run itself reads their disks: a client in another process cannot.
    pub fn replicas(&self, batch: Vec<ReplicaRow>) {
        self.own_rows(batch, Rows::Replicas, "replicas' batches");
    }

    fn own_rows<T>(&self, batch: Vec<T>, to_queue: fn(Vec<T>) -> Rows, what: &str) {
        match &self.0.way {
            _ if batch.is_empty() => {}
            Way::Queues { rows, .. } => drop(self.send(rows, to_queue(batch))),
            Way::Elsewhere(_) => self.0.failure.set(format!("a client told of {what}")),
        }
    }

    fn rows<T>(&self, batch: Vec<T>, to_queue: fn(Vec<T>) -> Rows, to_other: fn(Vec<T>) -> Handed) -> Duration {
        match &self.0.way {
            _ if batch.is_empty() => Duration::ZERO,
            Way::Queues { rows, .. } => self.send(rows, to_queue(batch)),
            Way::Elsewhere(hand) => {
                let start = Instant::now();
                hand(to_other(batch));
                start.elapsed()
            }
        }
    }

    /// The time since the run's origin.
    pub fn now(&self) -> TimeNs {
        self.0.clock.now()
    }

    /// The run's clock.
    pub fn clock(&self) -> Clock {
        self.0.clock
    }

    /// What the history says about itself at its start.
    pub fn header(&self) -> &Header {
        &self.0.header
    }

    /// A topic's place among the run's topics.
    pub fn topic_index(&self, topic: &str) -> Option<TopicIndex> {
        let place = self.0.header.topics.iter().position(|name| name == topic)?;
        u16::try_from(place).ok().map(TopicIndex)
    }

    /// What went wrong with the files first, if anything did.
    pub fn failed(&self) -> Option<String> {
        self.0.failure.get()
    }

    fn send<T>(&self, queue: &Sender<T>, item: T) -> Duration {
        if self.0.closed.load(Ordering::Acquire) {
            self.0.failure.set("something was handed to the recorder after it was finished".to_owned());
            return Duration::ZERO;
        }
        match queue.try_send(item) {
            Ok(()) => Duration::ZERO,
            Err(TrySendError::Full(item)) => {
                let start = Instant::now();
                if queue.send(item).is_err() {
                    self.0.failure.set("the recorder's thread ended while something waited to be written".to_owned());
                }
                start.elapsed()
            }
            Err(TrySendError::Disconnected(_)) => {
                self.0.failure.set("the recorder's thread has ended".to_owned());
                Duration::ZERO
            }
        }
    }
}

/// The recorder of one run.
#[derive(Debug)]
pub struct Recorder {
    handle: RecorderHandle,
    stop: Sender<()>,
    thread: JoinHandle<Totals>,
}

impl Recorder {
    /// Creates the history's files in `dir` and writes `header`, which must be `run-started`. Every event also goes
    /// to `tap`, in the order written, for a live display.
    pub fn create(
        dir: &Path,
        clock: Clock,
        header: EventKind,
        tap: Option<std::sync::mpsc::Sender<Event>>,
    ) -> Result<Self, RecorderError> {
        // An existing history is evidence: it is never written over.
        Self::create_with(dir, clock, header, tap, |name| File::create_new(dir.join(name)))
    }

    /// The same, with files that `open` opens.
    pub(super) fn create_with(
        dir: &Path,
        clock: Clock,
        header: EventKind,
        tap: Option<std::sync::mpsc::Sender<Event>>,
        open: impl Fn(&str) -> io::Result<File>,
    ) -> Result<Self, RecorderError> {
        let EventKind::RunStarted { run, topics, partitions, .. } = &header else {
            return Err(RecorderError::NoHeader);
        };
        let about = Header { run: run.clone(), topics: topics.clone(), partitions: partitions.clone() };
        let failure = Failure::default();
        let mut writer = Writer::create(dir, &about, tap, open)?;
        writer.event(&Event { time_ns: clock.now(), kind: header }).map_err(RecorderError::Write)?;
        writer.flush().map_err(RecorderError::Write)?;

        let (events, event_queue) = bounded(EVENTS_WAITING);
        let (rows, row_queue) = bounded(BATCHES_WAITING);
        let (stop, stopped) = bounded(1);
        let pump = Pump { writer, clock, events: event_queue, rows: row_queue, stopped, failure: failure.clone() };
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || pump.run())
            .map_err(RecorderError::Thread)?;
        let way = Way::Queues { events, rows };
        let shared = Shared { clock, header: about, way, closed: AtomicBool::new(false), failure };
        Ok(Self { handle: RecorderHandle(Arc::new(shared)), stop, thread })
    }

    /// A way to hand things to the recorder.
    pub fn handle(&self) -> RecorderHandle {
        self.handle.clone()
    }

    /// Writes what still waits, then `run-ended`, and has the disk confirm it. Whatever is handed in after this is lost,
    /// and shows in [`RecorderHandle::failed`].
    pub fn finish(self) -> Result<Totals, RecorderError> {
        self.handle.0.closed.store(true, Ordering::Release);
        // The queue holds one, and this is the only one ever put there; an error means that the thread panicked.
        self.stop.send(()).map_err(|_| RecorderError::Panicked)?;
        let totals = self.thread.join().map_err(|_| RecorderError::Panicked)?;
        match self.handle.failed() {
            Some(message) => Err(RecorderError::Write(message)),
            None => Ok(totals),
        }
    }
}

/// The writing thread's loop.
struct Pump {
    writer: Writer,
    clock: Clock,
    events: Receiver<Event>,
    rows: Receiver<Rows>,
    stopped: Receiver<()>,
    failure: Failure,
}

impl Pump {
    fn run(mut self) -> Totals {
        let mut last_flush = Instant::now();
        loop {
            self.take_events();
            if last_flush.elapsed() >= FLUSH_EVERY {
                self.keep_going(Writer::flush);
                last_flush = Instant::now();
            }
            let wait = FLUSH_EVERY.saturating_sub(last_flush.elapsed());
            crossbeam_channel::select_biased! {
                recv(self.events) -> event => if let Ok(event) = event {
                    self.keep_going(|writer| writer.event(&event));
                },
                recv(self.rows) -> rows => if let Ok(rows) = rows {
                    self.keep_going(|writer| writer.rows(rows));
                },
                // A disconnected stop means that the `Recorder` was dropped: a history without `run-ended` is what it is.
                recv(self.stopped) -> stop => return self.close(stop.is_ok()),
                default(wait) => {}
            }
        }
    }

    fn take_events(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.keep_going(|writer| writer.event(&event));
        }
    }

    fn close(mut self, finished: bool) -> Totals {
        self.take_events();
        while let Ok(rows) = self.rows.try_recv() {
            self.keep_going(|writer| writer.rows(rows));
        }
        self.take_events();
        self.keep_going(Writer::close_rows);
        // What came while the files were closed is in none of them, and a history without it must not look whole.
        self.fail_if_something_came();
        if finished && self.failure.get().is_none() {
            let clock = self.clock;
            self.keep_going(|writer| writer.end(clock.now()));
        }
        self.fail_if_something_came();
        self.writer.totals()
    }

    fn fail_if_something_came(&self) {
        if !(self.events.is_empty() && self.rows.is_empty()) {
            self.failure.set("something was handed to the recorder while it was finished".to_owned());
        }
    }

    /// Does one piece of work unless an earlier one failed; a history with a hole in it must not look whole.
    fn keep_going(&mut self, work: impl FnOnce(&mut Writer) -> Result<(), String>) {
        if self.failure.get().is_none()
            && let Err(message) = work(&mut self.writer)
        {
            self.failure.set(message);
        }
    }
}
