//! A consumer for people: prints records as they come, and commits a record's offset only after it was printed.
//!
//! A member of a group that joins for the first time settles where it begins, and commits that, before it reads: else a
//! partition that changes hands before its first commit would be begun anew at its end, and what came meanwhile be passed by.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use rdkafka::{ClientContext, Message, Offset, TopicPartitionList};

use super::print::{self, Shape};
use crate::kafka::Access;

/// How long a poll waits: how soon a stop is heard.
const POLL: Duration = Duration::from_millis(100);

/// How long each question about offsets may take while partitions change hands.
const OFFSETS_LIMIT: Duration = Duration::from_secs(10);

/// How many records may be printed before they are flushed and may be committed.
const FLUSH_EVERY: usize = 1000;

/// Where a reader begins that has no commit to go on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// At the first record that there is.
    Earliest,
    /// After the last one: only what comes from now on.
    Latest,
}

/// What to read, and until when.
#[derive(Clone, Debug)]
pub struct Following {
    /// The topics.
    pub topics: Vec<String>,
    /// How many partitions each of them has, for a reader without a group.
    pub partitions: Vec<usize>,
    /// The group; without one the reader owns everything, and commits nothing.
    pub group: Option<String>,
    /// Where to begin.
    pub beginning: Beginning,
    /// How records are printed.
    pub shape: Shape,
    /// After how many records to end.
    pub max: Option<u64>,
    /// After how long without a record to end.
    pub quiet: Option<Duration>,
}

/// Why the reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As many records as were asked for.
    Enough,
    /// None came for as long as was asked for.
    Quiet,
    /// It was told to stop.
    Stopped,
    /// Nobody reads what is printed any more.
    Unread,
}

/// How the reading went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Followed {
    /// How many records were printed.
    pub printed: u64,
    /// Why it ended.
    pub end: End,
}

/// Why the reading failed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// A property, or a subscription, that librdkafka refuses.
    #[error("cannot make the consumer: {0}")]
    Client(#[source] KafkaError),
    /// Records can no longer be printed.
    #[error("cannot write to stdout: {0}")]
    Output(#[source] io::Error),
    /// An error that no waiting mends.
    #[error("cannot go on reading: {0}")]
    Broken(String),
}

/// Reads and prints until it is told to stop, or has read enough. Blocks. `notes` hears of assignments and of trouble.
pub fn follow(
    access: &Access,
    following: &Following,
    out: Box<dyn Write + Send>,
    notes: Box<dyn Write + Send>,
    stop: &AtomicBool,
) -> Result<Followed, FollowError> {
    let context = Reader {
        state: Mutex::new(State { out, notes, unflushed: BTreeMap::new(), printed: 0, broken: None, troubled: false }),
        beginning: following.beginning,
        shape: following.shape,
        group: following.group.clone(),
    };
    let consumer: BaseConsumer<Reader> =
        config(access, following).create_with_context(context).map_err(FollowError::Client)?;
    begin(&consumer, following).map_err(FollowError::Client)?;
    let ended = read(&consumer, following, stop);
    let settled = consumer.context().settle(&consumer);
    // Dropping it gives up the partitions and leaves the group, so that others need not wait for its session to end.
    let printed = consumer.context().state().printed;
    drop(consumer);
    match (ended, settled) {
        (Err(FollowError::Output(error)), _) | (Ok(_), Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(Followed { printed, end: End::Unread })
        }
        (Ok(_), Err(error)) => Err(FollowError::Output(error)),
        (ended, _) => Ok(Followed { printed, end: ended? }),
    }
}

fn config(access: &Access, following: &Following) -> rdkafka::ClientConfig {
    let mut config = super::config(access);
    let reset = match following.beginning {
        Beginning::Earliest => "earliest",
        Beginning::Latest => "latest",
    };
    config.set("auto.offset.reset", reset).set("enable.auto.offset.store", "false");
    let mut default = |name: &str, value: &str| {
        if !access.properties.contains_key(name) {
            config.set(name, value);
        }
    };
    default("fetch.wait.max.ms", "100");
    default("auto.commit.interval.ms", "1000");
    match &following.group {
        Some(group) => {
            // Under KIP-848 the broker decides on the session, and librdkafka refuses a client that names it.
            if access.properties.get("group.protocol").is_none_or(|protocol| protocol != "consumer") {
                default("session.timeout.ms", "10000");
            }
            config.set("group.id", group).set("enable.auto.commit", "true");
        }
        None => {
            config.set("group.id", "wiber-chaos-reader").set("enable.auto.commit", "false");
        }
    }
    config
}

fn begin(consumer: &BaseConsumer<Reader>, following: &Following) -> KafkaResult<()> {
    if following.group.is_some() {
        let topics: Vec<&str> = following.topics.iter().map(String::as_str).collect();
        return consumer.subscribe(&topics);
    }
    let offset = match following.beginning {
        Beginning::Earliest => Offset::Beginning,
        Beginning::Latest => Offset::End,
    };
    let mut list = TopicPartitionList::new();
    for (topic, count) in following.topics.iter().zip(&following.partitions) {
        for partition in 0..i32::try_from(*count).unwrap_or(i32::MAX) {
            list.add_partition_offset(topic, partition, offset)?;
        }
    }
    consumer.assign(&list)
}

fn read(consumer: &BaseConsumer<Reader>, following: &Following, stop: &AtomicBool) -> Result<End, FollowError> {
    let reader = consumer.context();
    let mut last_heard = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        // What is there is printed in one go; only a pause, or a full batch, is worth a flush.
        let is_idle = match consumer.poll(Duration::ZERO) {
            Some(message) => {
                last_heard = Instant::now();
                reader.hear(message)?;
                false
            }
            None => true,
        };
        if following.max.is_some_and(|max| reader.state().printed >= max) {
            return Ok(End::Enough);
        }
        if is_idle || reader.state().unflushed_count() >= FLUSH_EVERY {
            reader.flush(consumer).map_err(FollowError::Output)?;
        }
        if let Some(broken) = reader.state().broken.take() {
            return Err(FollowError::Broken(broken));
        }
        if is_idle {
            if following.quiet.is_some_and(|quiet| last_heard.elapsed() >= quiet) {
                return Ok(End::Quiet);
            }
            if let Some(message) = consumer.poll(POLL) {
                last_heard = Instant::now();
                reader.hear(message)?;
            }
        }
    }
    Ok(End::Stopped)
}

/// What librdkafka calls back into, on the thread that polls.
struct Reader {
    state: Mutex<State>,
    beginning: Beginning,
    shape: Shape,
    group: Option<String>,
}

struct State {
    out: Box<dyn Write + Send>,
    notes: Box<dyn Write + Send>,
    /// The next offset of each partition whose last records are printed and not yet flushed, and how many they are.
    unflushed: BTreeMap<(String, i32), (i64, usize)>,
    printed: u64,
    broken: Option<String>,
    /// Whether the last thing told was that no broker answers.
    troubled: bool,
}

impl State {
    fn unflushed_count(&self) -> usize {
        self.unflushed.values().map(|(_, count)| count).sum()
    }

    /// Notes are for whoever watches; where they cannot be written, nobody does.
    fn note(&mut self, text: &str) {
        let _ = writeln!(self.notes, "{text}");
        let _ = self.notes.flush();
    }
}

impl Reader {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, message: KafkaResult<rdkafka::message::BorrowedMessage<'_>>) -> Result<(), FollowError> {
        let message = match message {
            Ok(message) => message,
            Err(error) => return self.complain(&error),
        };
        let mut state = self.state();
        if std::mem::take(&mut state.troubled) {
            state.note("the cluster answers again");
        }
        print::record(&mut state.out, &message, self.shape).map_err(FollowError::Output)?;
        state.printed += 1;
        let last = state.unflushed.entry((message.topic().to_owned(), message.partition())).or_default();
        *last = (message.offset() + 1, last.1 + 1);
        Ok(())
    }

    fn complain(&self, error: &KafkaError) -> Result<(), FollowError> {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                Err(FollowError::Broken("the topic is gone".to_owned()))
            }
            Some(
                RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::Fatal,
            ) => Err(FollowError::Broken(error.to_string())),
            _ => {
                self.state().note(&format!("trouble: {error}"));
                Ok(())
            }
        }
    }

    /// Lets what is printed reach its reader, and only then offers its offsets to be committed.
    fn flush(&self, consumer: &BaseConsumer<Self>) -> io::Result<()> {
        let mut state = self.state();
        if state.unflushed.is_empty() {
            return Ok(());
        }
        state.out.flush()?;
        let flushed = std::mem::take(&mut state.unflushed);
        drop(state);
        if self.group.is_some() {
            for ((topic, partition), (next, _)) in flushed {
                // `store_offset` takes the offset of the last record, and stores the one after it.
                if let Err(error) = consumer.store_offset(&topic, partition, next - 1) {
                    self.state().note(&format!("trouble: the offset of {topic}-{partition} was not kept: {error}"));
                }
            }
        }
        Ok(())
    }

    /// Before partitions are given up: flushes, and commits what was flushed.
    fn settle(&self, consumer: &BaseConsumer<Self>) -> io::Result<()> {
        self.flush(consumer)?;
        if self.group.is_none() {
            return Ok(());
        }
        match consumer.commit_consumer_state(CommitMode::Sync) {
            Ok(()) => {}
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::NoOffset) => {}
            Err(error) => {
                let text =
                    format!("trouble: the last offsets were not committed, so the records may come again: {error}");
                self.state().note(&text);
            }
        }
        Ok(())
    }

    /// Gives each partition that the group has never committed its first offset, and commits that.
    fn settle_beginnings(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList) -> KafkaResult<()> {
        let committed = consumer.committed_offsets(list.clone(), OFFSETS_LIMIT)?;
        let mut fresh = TopicPartitionList::new();
        for entry in committed.elements() {
            if matches!(entry.offset(), Offset::Offset(_)) {
                continue;
            }
            let (first, next) = consumer.fetch_watermarks(entry.topic(), entry.partition(), OFFSETS_LIMIT)?;
            let start = match self.beginning {
                Beginning::Earliest => first,
                Beginning::Latest => next,
            };
            list.set_partition_offset(entry.topic(), entry.partition(), Offset::Offset(start))?;
            fresh.add_partition_offset(entry.topic(), entry.partition(), Offset::Offset(start))?;
        }
        if fresh.count() > 0 {
            consumer.commit(&fresh, CommitMode::Sync)?;
        }
        Ok(())
    }

    fn assigned(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList) {
        let names = names(list);
        if let Err(error) = self.settle_beginnings(consumer, list) {
            let text = format!("trouble: where to begin was not settled, so records may be passed by: {error}");
            self.state().note(&text);
        }
        let assigned = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(list),
            _ => consumer.assign(list),
        };
        let mut state = self.state();
        state.note(&format!("assigned: {names}"));
        if let Err(error) = assigned {
            state.broken = Some(format!("the assignment was refused: {error}"));
        }
    }

    fn revoked(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let lost = consumer.assignment_lost();
        if lost {
            // Whoever was thrown out of the group may not commit; others read these again.
            self.state().unflushed.clear();
        } else if let Err(error) = self.settle(consumer) {
            self.state().broken = Some(format!("cannot write to stdout: {error}"));
        }
        let unassigned = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
            _ => consumer.unassign(),
        };
        let mut state = self.state();
        if list.count() > 0 {
            state.note(&format!("{}: {}", if lost { "lost" } else { "revoked" }, names(list)));
        }
        if let Err(error) = unassigned {
            state.broken = Some(format!("the revocation was refused: {error}"));
        }
    }
}

impl ClientContext for Reader {
    fn error(&self, error: KafkaError, reason: &str) {
        let mut state = self.state();
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) if !state.troubled => {
                state.troubled = true;
                state.note("no broker answers; reading goes on when one does");
            }
            Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL) => {
                state.broken = Some(reason.to_owned());
            }
            // Single connections come and go; that none is left is what matters.
            _ => {}
        }
    }
}

impl ConsumerContext for Reader {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assigned(consumer, list),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => self.revoked(consumer, list),
            other => {
                let code: RDKafkaErrorCode = other.into();
                self.state().note(&format!("trouble: the group could not be joined: {code}"));
                self.revoked(consumer, list);
            }
        }
    }
}

/// The partitions of a list, in order: `chat-0, chat-1`.
fn names(list: &TopicPartitionList) -> String {
    let mut names: Vec<(String, i32)> =
        list.elements().iter().map(|entry| (entry.topic().to_owned(), entry.partition())).collect();
    names.sort();
    if names.is_empty() {
        return "nothing".to_owned();
    }
    names.into_iter().map(|(topic, partition)| format!("{topic}-{partition}")).collect::<Vec<_>>().join(", ")
}
