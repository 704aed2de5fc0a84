//! How far the logs reach once the load has ended and the faults are healed.
//!
//! The partitions' leaders are asked. A new leader refuses to answer until its high watermark covers what it was elected
//! with (KIP-207), so that with acks=all no acknowledged record lies beyond the answer. With weaker acks a leader
//! acknowledges before its high watermark moves, so an answer that ends before an offset that was acknowledged is asked
//! again for a while: followers that are late for a moment must not look like a lost tail. What stays short is short.
//!
//! Where a transaction is still open, readers are kept from what lies behind its first record (the last stable offset), also
//! from what was acknowledged there. That is no lost tail, and its coordinator ends it at its time-out: such a partition is
//! asked again as long as there is time. When that is over its range ends where readers get to, and its high watermark says
//! how much more there is. Every partition is asked for that in the end, since a range alone does not tell a log that ends from
//! one that readers are kept from; and where producers run transactions it is asked for from the beginning, because a commit
//! that has reached one partition and not yet the other would look torn.
//!
//! A partition that nobody answers for is told as missing, and keeps nobody from reading the others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::config;
use super::drain::DrainError;
use crate::history::event::{LogRange, Position};
use crate::kafka::{Access, Offset, TopicPartition};

/// One question for a partition's offsets may take this long; then the next partition is asked.
const ASK_LIMIT: Duration = Duration::from_secs(3);
const BETWEEN_ROUNDS: Duration = Duration::from_millis(200);
/// How long followers may need to fetch the last records of a log after its load has ended. Kafka itself gives a follower
/// up only after `replica.lag.time.max.ms`, 30 s, but one that runs fetches at least twice a second.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(10);

/// What was learnt of the logs' ends.
#[derive(Debug, Default)]
pub struct Ends {
    /// The range of each partition that was told, in the order asked for.
    pub ranges: Vec<LogRange>,
    /// Why the others are not known.
    pub missing: Vec<DrainError>,
}

/// What is known of one partition so far.
#[derive(Clone, Debug)]
enum Known {
    /// Nothing; the last answer.
    Nothing(String),
    /// A range that ends before an acknowledged offset.
    Short(LogRange),
    /// A range that ends before an acknowledged offset, because readers are kept from what lies behind.
    HeldBack(LogRange),
    /// A range that covers all that was acknowledged.
    Whole(LogRange),
}

/// Asks for the range of every partition of `topics` (names and numbers of partitions), in rounds, until `limit`. `acked`
/// holds one past the highest offset acknowledged in each partition, and `in_transactions` the topics that are written to in
/// transactions.
pub fn end_offsets(
    access: &Access,
    topics: &[(String, u32)],
    acked: &BTreeMap<TopicPartition, i64>,
    in_transactions: &BTreeSet<String>,
    limit: Duration,
) -> Result<Ends, DrainError> {
    let began = Instant::now();
    let consumer: BaseConsumer = config::observer(access)
        .create()
        .map_err(|source| DrainError::Client { purpose: "end offsets".to_owned(), source })?;
    let mut known: Vec<(TopicPartition, Known)> = topics
        .iter()
        .flat_map(|(topic, count)| (0..count.cast_signed()).map(|number| TopicPartition::new(topic.clone(), number)))
        .map(|partition| (partition, Known::Nothing("not asked yet".to_owned())))
        .collect();
    let log: BaseConsumer = config::log_observer(access)
        .create()
        .map_err(|source| DrainError::Client { purpose: "the logs' ends".to_owned(), source })?;
    loop {
        for (partition, known) in &mut known {
            if !matches!(known, Known::Whole(_)) {
                let left = limit.saturating_sub(began.elapsed()).clamp(Duration::from_millis(1), ASK_LIMIT);
                *known = ask(&consumer, partition, acked.get(partition).copied().unwrap_or(0), left);
                if let Known::Whole(range) = known
                    && in_transactions.contains(&partition.topic)
                {
                    *known = stable(&log, range.clone());
                }
            }
        }
        let nothing = known.iter().any(|(_, known)| matches!(known, Known::Nothing(_)));
        let short = known.iter().any(|(_, known)| matches!(known, Known::Short(_) | Known::HeldBack(_)));
        let elapsed = began.elapsed();
        if (!nothing && !short) || elapsed >= limit {
            return Ok(settle(with_high_watermarks(&log, known), limit));
        }
        if !nothing && elapsed >= CATCH_UP_LIMIT {
            let known = with_high_watermarks(&log, known.clone());
            if known.iter().all(|(_, known)| matches!(known, Known::Whole(_) | Known::Short(_))) {
                return Ok(settle(known, limit));
            }
        }
        std::thread::sleep(BETWEEN_ROUNDS);
    }
}

/// Asks once more where each of these logs begins: retention may have moved that on while they were read. Those that nobody answers
/// for within `limit` are named, with the last answer.
pub fn log_starts(
    access: &Access,
    partitions: &[TopicPartition],
    limit: Duration,
) -> Result<(Vec<Position>, Vec<DrainError>), DrainError> {
    let deadline = Instant::now() + limit;
    let consumer: BaseConsumer = config::observer(access)
        .create()
        .map_err(|source| DrainError::Client { purpose: "the logs' starts".to_owned(), source })?;
    let (mut starts, mut missing) = (Vec::new(), Vec::new());
    for partition in partitions {
        let last_seen = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match ask(&consumer, partition, 0, left.clamp(Duration::from_millis(1), ASK_LIMIT)) {
                Known::Nothing(last_seen) if Instant::now() >= deadline => break Some(last_seen),
                Known::Nothing(_) => std::thread::sleep(BETWEEN_ROUNDS),
                Known::Short(range) | Known::HeldBack(range) | Known::Whole(range) => {
                    starts.push(Position { partition: range.partition, offset: range.start });
                    break None;
                }
            }
        };
        missing.extend(last_seen.map(|last_seen| DrainError::Offsets {
            partition: partition.clone(),
            limit,
            last_seen,
        }));
    }
    Ok((starts, missing))
}

fn ask(consumer: &BaseConsumer, partition: &TopicPartition, acked_end: i64, limit: Duration) -> Known {
    match consumer.fetch_watermarks(&partition.topic, partition.partition.0, limit) {
        Ok((start, end)) if start >= 0 && end >= start => {
            let (start, last) = (Offset(start), Offset(end));
            let range = LogRange { partition: partition.clone(), start, end: last, high_watermark: None };
            if end >= acked_end { Known::Whole(range) } else { Known::Short(range) }
        }
        Ok((start, end)) => Known::Nothing(format!("start {start}, end {end}")),
        Err(error) => Known::Nothing(error.to_string()),
    }
}

/// Adds the high watermarks, and tells of those partitions that are short because readers are kept from the rest of the log.
fn with_high_watermarks(log: &BaseConsumer, known: Vec<(TopicPartition, Known)>) -> Vec<(TopicPartition, Known)> {
    let told = known.into_iter().map(|(partition, known)| {
        let known = match known {
            Known::Nothing(_) | Known::HeldBack(_) => known,
            Known::Short(range) => match high_watermark(log, &partition) {
                Ok(end) if end > range.end => Known::HeldBack(LogRange { high_watermark: Some(end), ..range }),
                Ok(end) => Known::Short(LogRange { high_watermark: Some(end), ..range }),
                // Whether its tail is lost or only held back nobody knows.
                Err(reason) => Known::Nothing(reason),
            },
            Known::Whole(range) => {
                let high_watermark = high_watermark(log, &partition).ok();
                Known::Whole(LogRange { high_watermark, ..range })
            }
        };
        (partition, known)
    });
    told.collect()
}

/// A range that covers all that was acknowledged, unless readers are kept from the rest of the log.
fn stable(log: &BaseConsumer, range: LogRange) -> Known {
    match high_watermark(log, &range.partition) {
        Ok(end) if end > range.end => Known::HeldBack(LogRange { high_watermark: Some(end), ..range }),
        Ok(end) => Known::Whole(LogRange { high_watermark: Some(end), ..range }),
        Err(reason) => Known::Nothing(reason),
    }
}

/// Where a partition's log ends for its replicas, whoever may read it.
fn high_watermark(log: &BaseConsumer, partition: &TopicPartition) -> Result<Offset, String> {
    match ask(log, partition, 0, ASK_LIMIT) {
        Known::Whole(range) => Ok(range.end),
        Known::Nothing(reason) => Err(reason),
        Known::Short(_) | Known::HeldBack(_) => unreachable!("no log ends before offset 0"),
    }
}

fn settle(known: Vec<(TopicPartition, Known)>, limit: Duration) -> Ends {
    let mut ends = Ends::default();
    for (partition, known) in known {
        match known {
            Known::Whole(range) | Known::Short(range) | Known::HeldBack(range) => ends.ranges.push(range),
            Known::Nothing(last_seen) => ends.missing.push(DrainError::Offsets { partition, limit, last_seen }),
        }
    }
    ends
}
