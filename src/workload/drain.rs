//! The final drain: fresh readers that read every log from its start to its end.
//!
//! Readers are new clients, assigned by hand, in groups of their own that commit nothing: they share no state with the
//! load. They read as librdkafka does by default, `read_committed`; but for the witness, which reads whatever is in the log,
//! so that what was aborted is seen to be there and to be hidden.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::close;
use super::committer::{self, Positions};
use super::config;
use super::counters::ProcessIds;
use super::errors::ClientErrors;
use super::native::inbox::{BATCH_MAX, Inbox, Switch};
use super::native::letter::Letter;
use super::payload::RunTag;
use super::reading::{self, Sitting, Spot, Topics};
use crate::history::event::LogRange;
use crate::history::recorder::RecorderHandle;
use crate::history::{EventKind, ProcessRole, ReadRow};
use crate::kafka::{Access, ProcessId, TopicPartition};
use crate::scenario::Isolation;

const POLL: Duration = Duration::from_millis(20);
const ROWS_PER_BATCH: usize = 4096;
/// How often a reader asks librdkafka where it stands, for control records at a log's end pass without a message.
const LOOK_UP_EVERY: Duration = Duration::from_millis(200);
/// How much longer than the drain's limit a reader's thread may take to close its client.
const CLOSE_LIMIT: Duration = Duration::from_secs(30);

/// Why a drain could not be done.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// A client could not be made.
    #[error("cannot make a client for {purpose}")]
    Client {
        /// What for.
        purpose: String,
        /// Why.
        source: KafkaError,
    },
    /// A partition's offsets could not be learnt within the limit.
    #[error("the offsets of {partition} were not told within {} s; last seen: {last_seen}", limit.as_secs())]
    Offsets {
        /// Which.
        partition: TopicPartition,
        /// How long was waited for all partitions together.
        limit: Duration,
        /// The last answer.
        last_seen: String,
    },
    /// A range names a topic that the run does not have.
    #[error("`{0}` is no topic of this run")]
    UnknownTopic(String),
    /// A reader's thread could not be started.
    #[error("cannot start a drain reader's thread")]
    Thread(#[source] std::io::Error),
}

/// How far the drain got in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionDrain {
    /// What was to be read.
    pub range: LogRange,
    /// The next offset of each reader, in the readers' order.
    pub reached: Vec<i64>,
}

impl PartitionDrain {
    /// Whether every reader reached the end.
    pub fn complete(&self) -> bool {
        self.reached.iter().all(|next| *next >= self.range.end.0)
    }
}

/// How far the drain got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrainSummary {
    /// Partition by partition, in the order of the ranges.
    pub partitions: Vec<PartitionDrain>,
    /// How many records were read, by all readers together.
    pub read: u64,
}

impl DrainSummary {
    /// Whether every reader reached every end.
    pub fn complete(&self) -> bool {
        self.partitions.iter().all(PartitionDrain::complete)
    }
}

/// A reader of a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReaderKind {
    /// One that waits for commits, by its number from 0.
    Fresh(u32),
    /// The one that does not.
    Witness,
}

impl ReaderKind {
    /// So many readers that wait for commits.
    pub fn fresh(count: u32) -> Vec<Self> {
        (0..count).map(Self::Fresh).collect()
    }

    fn role(self) -> ProcessRole {
        match self {
            Self::Fresh(reader) => ProcessRole::Drain { reader },
            Self::Witness => ProcessRole::Witness,
        }
    }

    fn isolation(self) -> Isolation {
        match self {
            Self::Fresh(_) => Isolation::Committed,
            Self::Witness => Isolation::Uncommitted,
        }
    }
}

/// Reads every range from start to end with each of `readers`, made fresh; records what they read and where they stood.
/// Blocks until all have reached every end, or until `limit`.
pub fn drain(
    access: &Access,
    ranges: &[LogRange],
    readers: &[ReaderKind],
    ids: &ProcessIds,
    recorder: &RecorderHandle,
    limit: Duration,
) -> Result<DrainSummary, DrainError> {
    let deadline = Instant::now() + limit;
    let topics = Topics::of(recorder);
    let mut spots = BTreeMap::new();
    for range in ranges {
        let topic = &range.partition.topic;
        let index = topics.index(topic).ok_or_else(|| DrainError::UnknownTopic(topic.clone()))?;
        spots.insert((index, range.partition.partition), (range.start.0, range.end.0));
    }
    // All clients are made before any reads: a drain begins whole or not at all.
    let made: Result<Vec<Reader>, DrainError> =
        readers.iter().map(|reader| Reader::new(access, *reader, ids, recorder, &spots)).collect();
    let mut threads = Vec::new();
    for reader in made? {
        let label = reader.label.clone();
        let thread = std::thread::Builder::new()
            .name(label.clone())
            .spawn(move || reader.run(deadline))
            .map_err(DrainError::Thread)?;
        threads.push((label, thread));
    }
    let mut summary = DrainSummary {
        partitions: ranges.iter().map(|range| PartitionDrain { range: range.clone(), reached: Vec::new() }).collect(),
        read: 0,
    };
    for (label, thread) in threads {
        let (positions, read) =
            close::join(thread, &label, recorder, deadline + CLOSE_LIMIT).unwrap_or((Positions::new(), 0));
        summary.read += read;
        for partition in &mut summary.partitions {
            let TopicPartition { topic, partition: number } = &partition.range.partition;
            let spot = topics.index(topic).map(|topic| (topic, *number));
            partition.reached.push(spot.and_then(|spot| positions.get(&spot).copied()).unwrap_or(-1));
        }
    }
    Ok(summary)
}

struct ReaderContext(ClientErrors);

impl ClientContext for ReaderContext {
    fn error(&self, error: KafkaError, reason: &str) {
        self.0.note(&error, reason);
    }
}

impl ConsumerContext for ReaderContext {}

/// One fresh reader.
struct Reader {
    process: ProcessId,
    label: String,
    recorder: RecorderHandle,
    topics: Topics,
    run: RunTag,
    /// Dropped before the last hold on the client is.
    inbox: Inbox<ReaderContext>,
    consumer: Arc<BaseConsumer<ReaderContext>>,
    ends: BTreeMap<Spot, i64>,
    positions: Positions,
    rows: Vec<ReadRow>,
    read: u64,
}

impl Reader {
    fn new(
        access: &Access,
        reader: ReaderKind,
        ids: &ProcessIds,
        recorder: &RecorderHandle,
        spots: &BTreeMap<Spot, (i64, i64)>,
    ) -> Result<Self, DrainError> {
        let process = ids.next();
        let role = reader.role();
        let label = role.label();
        let run = &recorder.header().run;
        let group = format!("wiber-chaos-{}-{run}-{}", label.replace('/', "-"), process.0);
        let failed = |source| DrainError::Client { purpose: role.label(), source };
        let context = ReaderContext(ClientErrors::new(process, recorder.clone()));
        let consumer: BaseConsumer<ReaderContext> =
            config::drain(access, &group, &label, reader.isolation()).create_with_context(context).map_err(failed)?;
        let (consumer, topics, switch) = (Arc::new(consumer), Topics::of(recorder), Arc::<Switch>::default());
        let inbox = Inbox::open(&consumer, &switch);
        for (topic, partition) in spots.keys() {
            switch.lead(&consumer, topics.name(*topic), *partition);
        }
        assign(&consumer, &topics, spots).map_err(failed)?;
        recorder.event(EventKind::ProcessStarted { process, role });
        Ok(Self {
            process,
            label,
            recorder: recorder.clone(),
            run: RunTag::of(run),
            topics,
            inbox,
            consumer,
            ends: spots.iter().map(|(spot, (_, end))| (*spot, *end)).collect(),
            positions: spots.iter().map(|(spot, (start, _))| (*spot, *start)).collect(),
            rows: Vec::with_capacity(ROWS_PER_BATCH + BATCH_MAX),
            read: 0,
        })
    }

    fn run(mut self, deadline: Instant) -> (Positions, u64) {
        let mut looked_up = Instant::now();
        while !self.is_done() && Instant::now() < deadline {
            self.read();
            if self.rows.len() >= ROWS_PER_BATCH {
                self.hand_over_rows();
            }
            if looked_up.elapsed() >= LOOK_UP_EVERY {
                self.look_up_positions();
                looked_up = Instant::now();
            }
        }
        self.hand_over_rows();
        self.close(deadline)
    }

    /// Serves an event, should one wait, and reads what records there are.
    fn read(&mut self) {
        let Self { process, recorder, topics, run, inbox, consumer, positions, rows, .. } = self;
        let (before, errors) = (rows.len(), &consumer.context().0);
        let sitting = || Sitting::of(*process, *run, topics, recorder.clock());
        match consumer.poll(Duration::ZERO) {
            Some(Ok(message)) => sitting().take(Letter::of(&message), rows, errors),
            Some(Err(error)) => errors.note(&error, &error.to_string()),
            None => {}
        }
        let mut sitting = sitting();
        inbox.read(BATCH_MAX, POLL, &mut |letter| sitting.take(letter, rows, errors));
        reading::at_one_time(&mut rows[before..]);
        positions.extend(reading::reached(&rows[before..]));
    }

    fn is_done(&self) -> bool {
        self.ends.iter().all(|(spot, end)| self.positions.get(spot).is_some_and(|next| next >= end))
    }

    fn look_up_positions(&mut self) {
        let Ok(list) = self.consumer.position() else { return };
        for (spot, next) in committer::positions(&list, &self.topics) {
            let position = self.positions.entry(spot).or_insert(next);
            *position = next.max(*position);
        }
    }

    fn hand_over_rows(&mut self) {
        let rows = std::mem::replace(&mut self.rows, Vec::with_capacity(ROWS_PER_BATCH + BATCH_MAX));
        self.read += rows.len() as u64;
        // The recorder may hold the reader back, which nobody measures.
        let _held: Duration = self.recorder.reads(rows);
    }

    fn close(self, deadline: Instant) -> (Positions, u64) {
        let Self { process, label, recorder, topics, inbox, consumer, positions, read, .. } = self;
        let reason = if Instant::now() < deadline { "reached every end offset" } else { "ran out of time" };
        recorder.event(EventKind::Drained { process, positions: committer::named(&positions, &topics) });
        consumer.context().0.mute();
        recorder.event(EventKind::ProcessEnded { process, reason: reason.to_owned() });
        close::destroy((inbox, consumer), &label, &recorder, close::DESTROY_LIMIT);
        (positions, read)
    }
}

fn assign(
    consumer: &BaseConsumer<ReaderContext>,
    topics: &Topics,
    spots: &BTreeMap<Spot, (i64, i64)>,
) -> KafkaResult<()> {
    let mut list = TopicPartitionList::with_capacity(spots.len());
    for ((topic, partition), (start, _)) in spots {
        list.add_partition_offset(topics.name(*topic), partition.0, Offset::Offset(*start))?;
    }
    consumer.assign(&list)
}
