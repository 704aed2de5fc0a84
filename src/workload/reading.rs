//! From a message that librdkafka delivered to a row of the history; what group members and drain readers share.

use rdkafka::message::{BorrowedMessage, Message};

use super::payload::{self, Place, RunTag};
use super::status;
use crate::history::ReadRow;
use crate::history::recorder::RecorderHandle;
use crate::kafka::{Offset, Partition, ProcessId, TimeNs, TopicIndex, TopicPartition};

/// A partition, as tables of positions name it.
pub type Spot = (TopicIndex, Partition);

/// The topics of a run by name and index.
#[derive(Clone, Debug)]
pub struct Topics(Vec<String>);

impl Topics {
    /// The topics of the run that is being recorded.
    pub fn of(recorder: &RecorderHandle) -> Self {
        Self(recorder.header().topics.clone())
    }

    /// A topic's index.
    pub fn index(&self, name: &str) -> Option<TopicIndex> {
        let place = self.0.iter().position(|topic| topic == name)?;
        u16::try_from(place).ok().map(TopicIndex)
    }

    /// A topic's name.
    pub fn name(&self, topic: TopicIndex) -> &str {
        self.0.get(usize::from(topic.0)).map_or("", String::as_str)
    }

    /// A spot as events name it.
    pub fn named(&self, (topic, partition): Spot) -> TopicPartition {
        TopicPartition { topic: self.name(topic).to_owned(), partition }
    }
}

/// Judges a message and makes its row; `None` for a topic that is none of the run's.
pub fn row(
    message: &BorrowedMessage<'_>,
    reader: ProcessId,
    run: RunTag,
    topics: &Topics,
    read_ns: TimeNs,
) -> Option<ReadRow> {
    let topic = topics.index(message.topic())?;
    let partition = Partition(message.partition());
    let payload = message.payload().unwrap_or_default();
    let key = message.key().unwrap_or_default();
    let (status, record) = payload::decode(run, Place { topic, partition }, key, payload);
    Some(ReadRow {
        reader,
        topic,
        partition,
        offset: Offset(message.offset()),
        leader_epoch: status::leader_epoch(message),
        read_ns,
        status,
        record,
        bytes: u32::try_from(payload.len()).unwrap_or(u32::MAX),
    })
}
