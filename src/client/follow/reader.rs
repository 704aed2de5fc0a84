//! What librdkafka calls back into while a consumer is polled: records, assignments, and trouble.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedMessage;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use rdkafka::{ClientContext, Message, Offset, TopicPartitionList};

use super::desk::Desk;
use super::{Beginning, FollowError, Following};
use crate::client::print::{self, Shape};

/// How long all questions about offsets may take together while partitions change hands.
const OFFSETS_LIMIT: Duration = Duration::from_secs(10);

/// How long a topic may be unknown before it is asked whether it is gone: brokers learn of a new one one after another.
const GONE_LIMIT: Duration = Duration::from_secs(10);
const METADATA_LIMIT: Duration = Duration::from_secs(5);

/// A consumer's context. Everything happens on the thread that polls; the locks are for librdkafka's sake.
pub(super) struct Reader {
    pub(super) desk: Desk,
    health: Mutex<Health>,
    beginning: Beginning,
    shape: Shape,
    group: Option<String>,
    topics: Vec<String>,
}

/// Whether a reader has anything to read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Standing {
    /// It has had no partitions since then.
    Without(Instant),
    /// It has partitions, and no record came since then.
    With(Instant),
}

struct Health {
    standing: Standing,
    /// The next offset of each partition whose last records are printed and not yet flushed, and how many they are. Of this
    /// client only: one that is being left must not take those of the next one for its own.
    unflushed: BTreeMap<(String, i32), (i64, usize)>,
    broken: Option<String>,
    /// Since when the brokers say that a topic does not exist.
    unknown_since: Option<Instant>,
}

impl Reader {
    pub(super) fn new(following: &Following, desk: Desk) -> Self {
        Self {
            desk,
            health: Mutex::new(Health {
                standing: Standing::Without(Instant::now()),
                unflushed: BTreeMap::new(),
                broken: None,
                unknown_since: None,
            }),
            beginning: following.beginning,
            shape: following.shape,
            group: following.group.clone(),
            topics: following.topics.clone(),
        }
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is anything to read, and since when nothing came.
    pub(super) fn standing(&self) -> Standing {
        self.health().standing
    }

    /// From now on there is something to read.
    pub(super) fn has_partitions(&self) {
        self.health().standing = Standing::With(Instant::now());
    }

    /// How many printed records are not yet flushed.
    pub(super) fn unflushed(&self) -> usize {
        self.health().unflushed.values().map(|(_, count)| count).sum()
    }

    /// Prints a record, or tells of an error.
    pub(super) fn hear(&self, message: KafkaResult<BorrowedMessage<'_>>) -> Result<(), FollowError> {
        let message = match message {
            Ok(message) => message,
            Err(error) => return self.complain(&error),
        };
        let mut state = self.desk.state();
        print::record(&mut state.out, &message, self.shape).map_err(FollowError::Output)?;
        state.printed += 1;
        let partition = (message.topic().to_owned(), message.partition());
        state.reached.insert(partition.clone(), message.offset() + 1);
        drop(state);
        let mut health = self.health();
        health.standing = Standing::With(Instant::now());
        health.unknown_since = None;
        let last = health.unflushed.entry(partition).or_default();
        *last = (message.offset() + 1, last.1 + 1);
        Ok(())
    }

    fn complain(&self, error: &KafkaError) -> Result<(), FollowError> {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                self.health().unknown_since.get_or_insert_with(Instant::now);
                Ok(())
            }
            Some(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::GroupAuthorizationFailed) => {
                Err(FollowError::Broken(error.to_string()))
            }
            Some(RDKafkaErrorCode::Fatal) => {
                // The client's own callback has heard the reason; here there is only the word.
                let reason = self.health().broken.take();
                Err(FollowError::Broken(reason.unwrap_or_else(|| error.to_string())))
            }
            // The callback below hears of these too. Single connections come and go; that none is left is what matters.
            Some(
                RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::PartitionEOF,
            ) => Ok(()),
            _ => {
                self.desk.note_once(format!("trouble: {error}"));
                Ok(())
            }
        }
    }

    /// Whether it makes sense to go on.
    pub(super) fn is_well(&self, consumer: &BaseConsumer<Self>) -> Result<(), FollowError> {
        if let Some(broken) = self.health().broken.take() {
            return Err(FollowError::Broken(broken));
        }
        let is_suspicious = self.health().unknown_since.is_some_and(|since| since.elapsed() >= GONE_LIMIT);
        if !is_suspicious {
            return Ok(());
        }
        self.health().unknown_since = None;
        for topic in &self.topics {
            let Ok(metadata) = consumer.fetch_metadata(Some(topic), METADATA_LIMIT) else { continue };
            let error = metadata
                .topics()
                .iter()
                .find(|it| it.name() == topic)
                .and_then(rdkafka::metadata::MetadataTopic::error);
            if error == Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
                return Err(FollowError::Broken(format!("topic `{topic}` is gone")));
            }
        }
        Ok(())
    }

    /// Lets what is printed reach its reader, and only then offers its offsets to be committed.
    pub(super) fn flush(&self, consumer: &BaseConsumer<Self>) -> io::Result<()> {
        if self.health().unflushed.is_empty() {
            return Ok(());
        }
        self.desk.state().out.flush()?;
        let flushed = std::mem::take(&mut self.health().unflushed);
        if self.group.is_some() {
            for ((topic, partition), (next, _)) in flushed {
                // `store_offset` takes the offset of the last record, and stores the one after it.
                if let Err(error) = consumer.store_offset(&topic, partition, next - 1) {
                    self.desk.note(&format!("trouble: the offset of {topic}-{partition} was not kept: {error}"));
                }
            }
        }
        Ok(())
    }

    /// Commits what was flushed, and waits for it.
    pub(super) fn commit(&self, consumer: &BaseConsumer<Self>) {
        if self.group.is_none() {
            return;
        }
        match consumer.commit_consumer_state(CommitMode::Sync) {
            Ok(()) => {}
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::NoOffset) => {}
            Err(error) => {
                self.desk.note(&format!(
                    "trouble: the last offsets were not committed, so the records may come again: {error}"
                ));
            }
        }
    }

    /// Gives each partition that the group has never committed its first offset, and commits that.
    fn settle_beginnings(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList) {
        let deadline = Instant::now() + OFFSETS_LIMIT;
        let committed = match consumer.committed_offsets(list.clone(), OFFSETS_LIMIT) {
            Ok(committed) => committed,
            Err(error) => return self.tell_unsettled("all", &error),
        };
        let mut fresh = TopicPartitionList::new();
        for entry in committed.elements() {
            let name = format!("{}-{}", entry.topic(), entry.partition());
            // Only one that is certainly without a commit is begun: to commit over an answer that failed would skip records.
            match (entry.error(), entry.offset()) {
                (Err(error), _) => self.tell_unsettled(&name, &error),
                (Ok(()), Offset::Invalid) => {
                    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(100));
                    let settled = self.settle(consumer, entry.topic(), entry.partition(), left, list, &mut fresh);
                    if let Err(error) = settled {
                        self.tell_unsettled(&name, &error);
                    }
                }
                (Ok(()), _) => {}
            }
        }
        if fresh.count() > 0
            && let Err(error) = consumer.commit(&fresh, CommitMode::Sync)
        {
            self.tell_unsettled("new partitions", &error);
        }
    }

    fn settle(
        &self,
        consumer: &BaseConsumer<Self>,
        topic: &str,
        partition: i32,
        limit: Duration,
        list: &mut TopicPartitionList,
        fresh: &mut TopicPartitionList,
    ) -> KafkaResult<()> {
        let (first, next) = consumer.fetch_watermarks(topic, partition, limit)?;
        let start = Offset::Offset(match self.beginning {
            Beginning::Earliest => first,
            Beginning::Latest => next,
        });
        list.set_partition_offset(topic, partition, start)?;
        fresh.add_partition_offset(topic, partition, start)
    }

    fn tell_unsettled(&self, what: &str, error: &KafkaError) {
        self.desk.note(&format!(
            "trouble: where {what} begins could not be settled, so it may begin with the oldest record: {error}"
        ));
    }

    fn assigned(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList) {
        let names = names(list);
        self.settle_beginnings(consumer, list);
        let assigned = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(list),
            _ => consumer.assign(list),
        };
        self.desk.note(&format!("assigned: {names}"));
        self.has_partitions();
        if let Err(error) = assigned {
            self.health().broken = Some(format!("the assignment was refused: {error}"));
        }
    }

    fn revoked(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let was_lost = consumer.assignment_lost();
        if was_lost {
            // Whoever was thrown out of the group may not commit; others read these again.
            self.health().unflushed.clear();
        } else {
            match self.flush(consumer) {
                Ok(()) => self.commit(consumer),
                Err(error) => self.health().broken = Some(format!("cannot write to stdout: {error}")),
            }
        }
        let unassigned = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
            _ => consumer.unassign(),
        };
        // Silence says nothing of the topic from now on.
        self.health().standing = Standing::Without(Instant::now());
        if list.count() > 0 {
            self.desk.note(&format!("{}: {}", if was_lost { "lost" } else { "revoked" }, names(list)));
        }
        if let Err(error) = unassigned {
            self.health().broken = Some(format!("the revocation was refused: {error}"));
        }
    }
}

impl ClientContext for Reader {
    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                self.desk.note_once("no broker answers; reading goes on when one does".to_owned());
            }
            Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL | RDKafkaErrorCode::Fatal) => {
                self.health().broken = Some(reason.to_owned());
            }
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
                self.desk.note_once(format!("trouble: the group could not be joined: {code}"));
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
