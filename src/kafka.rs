//! Kafka's vocabulary as types: ids that cannot be swapped, and the choices that the protocol knows.
//!
//! Data only: nothing here does I/O, so that every module, pure or not, can speak the same words.

mod access;
mod groups;
pub mod levers;
pub mod replica;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use access::{
    Access, DEFAULT_PORT, Endpoint, NotAnEndpoint, UnknownVariable, expand, is_secret, is_understood_tls,
};
pub use groups::{GroupMissing, GroupOffset, GroupView, Lag, MemberView, Missing, PartitionLag};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty), $display:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $display, self.0)
            }
        }
    };
}

id!(
    /// A broker's `node.id`, counted from 1 in clusters that this project starts. Shown as `broker-2`.
    BrokerId(i32), "broker-{}"
);
id!(
    /// A partition's number inside its topic, counted from 0.
    Partition(i32), "{}"
);
id!(
    /// A record's place in its partition's log, counted from 0. Kafka gives each place to one record for ever.
    Offset(i64), "{}"
);
id!(
    /// One client instance, in Jepsen's sense: a client that is created anew gets a new process id. Unique in a run.
    ProcessId(u32), "p{}"
);
id!(
    /// A topic's place in the scenario's list of topics; what the columnar history stores instead of a name.
    TopicIndex(u16), "topic#{}"
);
id!(
    /// A record's number among those that one process sent to one partition: 0, 1, 2, ... without holes.
    Sequence(u64), "{}"
);
id!(
    /// A transaction's number among those of one process: 0, 1, 2, ... without holes.
    TransactionNumber(u64), "{}"
);
id!(
    /// A partition leader's term, or the controller's. It grows by each election and never steps back.
    LeaderEpoch(i32), "{}"
);
id!(
    /// A consumer group's generation: what its members were given between two rebalances. It grows by each rebalance.
    Generation(i32), "{}"
);
id!(
    /// Monotonic time in nanoseconds since the run's origin (`run-started.started_utc` is the origin's wall-clock time).
    TimeNs(u64), "{} ns"
);

impl Default for TimeNs {
    /// The run's origin.
    fn default() -> Self {
        Self(0)
    }
}

impl TimeNs {
    /// The time in whole milliseconds, as verdicts and CSV files show it.
    pub fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The time in seconds, for people and charts.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// A time from milliseconds since the run's origin.
    pub fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    /// How many nanoseconds lie between an earlier time and this one; 0 when `earlier` is later.
    pub fn since(self, earlier: TimeNs) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A partition of a named topic; `chat-0` in text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: String,
    /// The partition inside it.
    pub partition: Partition,
}

impl TopicPartition {
    /// A partition of `topic`.
    pub fn new(topic: impl Into<String>, partition: i32) -> Self {
        Self { topic: topic.into(), partition: Partition(partition) }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

impl From<TopicPartition> for String {
    fn from(tp: TopicPartition) -> Self {
        tp.to_string()
    }
}

/// The text is not of the form `topic-partition`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a partition: expected `<topic>-<number>`, such as `chat-0`")]
pub struct NotAPartition(pub String);

impl FromStr for TopicPartition {
    type Err = NotAPartition;

    /// Splits at the last dash, because topic names may hold dashes themselves.
    fn from_str(text: &str) -> Result<Self, NotAPartition> {
        let (topic, number) = text.rsplit_once('-').ok_or_else(|| NotAPartition(text.to_owned()))?;
        match number.parse::<i32>() {
            Ok(partition) if partition >= 0 && !topic.is_empty() => Ok(Self::new(topic, partition)),
            _ => Err(NotAPartition(text.to_owned())),
        }
    }
}

impl TryFrom<String> for TopicPartition {
    type Error = NotAPartition;

    fn try_from(text: String) -> Result<Self, NotAPartition> {
        text.parse()
    }
}

/// How an operation ended, in Jepsen's sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Outcome {
    /// It certainly happened.
    Ok = 0,
    /// It certainly did not happen, and never will.
    Fail = 1,
    /// Nobody knows: it may have happened, or may happen yet.
    Info = 2,
}

impl Outcome {
    /// The outcome stored as this byte, or `None` when no outcome is.
    pub fn from_u8(byte: u8) -> Option<Self> {
        [Self::Ok, Self::Fail, Self::Info].into_iter().find(|outcome| *outcome as u8 == byte)
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Fail => "fail",
            Self::Info => "info",
        }
    }
}

/// What a reader found when it looked inside a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum ReadStatus {
    /// Header, length, key, CRC, Kafka's headers and the timestamp agree, and the record lies in the partition it was sent to.
    Intact = 0,
    /// It carries no header of ours, or that of another run: nobody in this run sent it.
    Foreign = 1,
    /// The header is ours, but its length, key or CRC disagrees with the bytes, or Kafka's headers or the timestamp with it.
    Corrupt = 2,
    /// Intact, but in another topic or partition than it was sent to.
    Misplaced = 3,
}

impl ReadStatus {
    /// The status stored as this byte, or `None` when no status is.
    pub fn from_u8(byte: u8) -> Option<Self> {
        [Self::Intact, Self::Foreign, Self::Corrupt, Self::Misplaced].into_iter().find(|status| *status as u8 == byte)
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intact => "intact",
            Self::Foreign => "foreign",
            Self::Corrupt => "corrupt",
            Self::Misplaced => "misplaced",
        }
    }
}

/// A record's identity, written into its payload: which process sent it, and as which of its records to that partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordId {
    /// The producer's process.
    pub process: ProcessId,
    /// The record's number among that process's records to the partition.
    pub sequence: Sequence,
}

/// What the cluster's metadata said of one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionView {
    /// Which partition.
    pub partition: TopicPartition,
    /// Its leader, or `None` while it has none.
    pub leader: Option<BrokerId>,
    /// The leader's epoch, where the protocol version tells it.
    pub leader_epoch: Option<LeaderEpoch>,
    /// All its replicas, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// The replicas in sync.
    pub isr: Vec<BrokerId>,
}

/// What one look at the cluster's metadata showed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterView {
    /// The brokers that are registered and not fenced.
    pub brokers: Vec<BrokerId>,
    /// The active controller, where the cluster tells it.
    pub controller: Option<BrokerId>,
    /// The controller's epoch, where the cluster tells it.
    pub controller_epoch: Option<LeaderEpoch>,
    /// Every partition of the scenario's topics, in order.
    pub partitions: Vec<PartitionView>,
}

impl ClusterView {
    /// What this view says of one partition.
    pub fn partition(&self, wanted: &TopicPartition) -> Option<&PartitionView> {
        self.partitions.iter().find(|view| view.partition == *wanted)
    }

    /// The partitions whose ISR lacks a replica.
    pub fn under_replicated(&self) -> impl Iterator<Item = &PartitionView> {
        self.partitions.iter().filter(|view| view.isr.len() < view.replicas.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_name_may_hold_dashes() {
        assert_eq!("chat-room-7-2".parse(), Ok(TopicPartition::new("chat-room-7", 2)));
    }

    #[test]
    fn text_without_a_number_is_not_a_partition() {
        for text in ["chat", "chat-", "-1", "chat-x", ""] {
            assert_eq!(text.parse::<TopicPartition>(), Err(NotAPartition(text.to_owned())));
        }
    }
}
