//! A consumer for people: prints records as they come, and commits a record's offset only after it was printed.
//!
//! A member of a group that joins for the first time settles where it begins, and commits that, before it reads: else a
//! partition that changes hands before its first commit would be begun anew at its end, and what came meanwhile be passed by.

mod desk;
mod pulse;
mod reader;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};

use super::print::Shape;
use crate::kafka::Access;
use desk::Desk;
use pulse::Pulse;
use reader::{Reader, Standing};

/// How long a poll waits when there is nothing: how soon a stop is heard.
const POLL: Duration = Duration::from_millis(100);

/// How many records may be printed before they are flushed and may be committed.
const FLUSH_EVERY: usize = 1000;

/// How long a member that is to end when it is quiet may take to be given its partitions first. A member that died without
/// a word holds its share for its session, and a coordinator that died is replaced within seconds.
const JOIN_LIMIT: Duration = Duration::from_secs(60);

/// How long the last commit and leaving the group may take together.
const LEAVE_LIMIT: Duration = Duration::from_secs(15);

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
    /// After how long without a record to end, counted from when there were partitions to read.
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
    /// The group gave it nothing to read in time.
    #[error("the group was not joined within {} s\n  help: is its coordinator up? `wiber-chaos status` shows the group", JOIN_LIMIT.as_secs())]
    NotJoined,
    /// An error that no waiting mends.
    #[error("cannot go on reading: {0}")]
    Broken(String),
}

/// Reads and prints until it is told to stop, or has read enough. Blocks. `notes` hears of assignments and of trouble.
/// However it ends, the last commit and the leave take [`LEAVE_LIMIT`] at most.
pub fn follow(
    access: &Access,
    following: &Following,
    out: Box<dyn Write + Send>,
    notes: Box<dyn Write + Send>,
    stop: &AtomicBool,
) -> Result<Followed, FollowError> {
    let desk = Desk::new(out, notes);
    let ended = loop {
        match live(access, following, &desk, stop) {
            Ok(Life::CutOff) => {
                desk.note("trouble: the client lost every broker, although they answer; it begins anew");
            }
            Ok(Life::Ended(end)) => break Ok(end),
            Err(error) => break Err(error),
        }
    };
    let printed = desk.printed();
    match ended {
        Err(FollowError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(Followed { printed, end: End::Unread })
        }
        ended => ended.map(|end| Followed { printed, end }),
    }
}

/// How a client's life ended.
enum Life {
    /// With the reading.
    Ended(End),
    /// It can reach nobody any more, although a new client could: after an answer without brokers, as a restarting cluster
    /// gives it, librdkafka forgets them all and never asks again (librdkafka issue 5301).
    CutOff,
}

/// One client's life, from its making to its leave.
fn live(access: &Access, following: &Following, desk: &Desk, stop: &AtomicBool) -> Result<Life, FollowError> {
    let consumer: BaseConsumer<Reader> = config(access, following)
        .create_with_context(Reader::new(following, desk.clone()))
        .map_err(FollowError::Client)?;
    begin(&consumer, following).map_err(FollowError::Client)?;
    let ended = read(&consumer, access, following, stop);
    // Records that were printed and could not be flushed are not committed, and come again to whoever reads next.
    let flushed = consumer.context().flush(&consumer).map_err(FollowError::Output);
    leave(consumer, desk);
    ended.and_then(|life| flushed.map(|()| life))
}

fn config(access: &Access, following: &Following) -> rdkafka::ClientConfig {
    let mut config = super::config(access);
    // Where to begin is settled by us. This is for offsets that are gone, by retention or truncation: the oldest record
    // that there is comes next, and none is passed by.
    config.set("auto.offset.reset", "earliest").set("enable.auto.offset.store", "false");
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
            // A later life goes on where the one before it stood.
            let reached = consumer.context().desk.reached(topic, partition).map(Offset::Offset);
            list.add_partition_offset(topic, partition, reached.unwrap_or(offset))?;
        }
    }
    consumer.assign(&list)?;
    consumer.context().has_partitions();
    Ok(())
}

fn read(
    consumer: &BaseConsumer<Reader>,
    access: &Access,
    following: &Following,
    stop: &AtomicBool,
) -> Result<Life, FollowError> {
    let reader = consumer.context();
    let mut is_idle = false;
    let mut pulse = Pulse::new();
    while !stop.load(Ordering::Relaxed) {
        // What is there is printed in one go; only a pause, or a full batch, is worth a flush.
        let heard = consumer.poll(if is_idle { POLL } else { Duration::ZERO });
        is_idle = heard.is_none();
        if let Some(message) = heard {
            pulse.felt();
            reader.hear(message)?;
            if following.max.is_some_and(|max| reader.desk.printed() >= max) {
                return Ok(Life::Ended(End::Enough));
            }
        }
        if is_idle || reader.unflushed() >= FLUSH_EVERY {
            reader.flush(consumer).map_err(FollowError::Output)?;
        }
        reader.is_well(consumer)?;
        if is_idle && pulse.is_gone(consumer, access, &following.topics) {
            return Ok(Life::CutOff);
        }
        let Some(quiet) = following.quiet else { continue };
        match reader.standing() {
            Standing::With(since) if since.elapsed() >= quiet => return Ok(Life::Ended(End::Quiet)),
            Standing::Without(since) if since.elapsed() >= quiet.max(JOIN_LIMIT) => return Err(FollowError::NotJoined),
            _ => {}
        }
    }
    Ok(Life::Ended(End::Stopped))
}

/// Commits what was flushed, gives up the partitions and leaves the group, so that others need not wait for the session to
/// end. A coordinator that does not answer must not hold anybody up: librdkafka knows no limit for either.
fn leave(consumer: BaseConsumer<Reader>, desk: &Desk) {
    let (done, finished) = mpsc::channel();
    let spawned = std::thread::Builder::new().name("leave".to_owned()).spawn(move || {
        consumer.context().commit(&consumer);
        drop(consumer);
        // Whoever waited may have given up.
        let _ = done.send(());
    });
    match spawned {
        Ok(_) if finished.recv_timeout(LEAVE_LIMIT).is_ok() => {}
        Ok(_) => desk.note(&format!(
            "trouble: the group was not left within {} s; what was printed last may come again",
            LEAVE_LIMIT.as_secs()
        )),
        Err(error) => desk.note(&format!("trouble: the group was not left: {error}")),
    }
}
