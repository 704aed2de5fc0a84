//! The checkers' vocabulary: which checks there are, what a scenario may expect of them, and what they find. Data only.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::kafka::{BrokerId, LeaderEpoch, Offset, Partition, RecordId, TimeNs};

/// A check by its stable name: the word in scenarios, verdicts, CSV files and reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckName {
    /// An acknowledged record is not in the log.
    LostWrite,
    /// One record lies at two offsets.
    Duplicate,
    /// One producer's records lie in another order than it sent them.
    ProducerOrder,
    /// A record was sent after another one's acknowledgement, yet lies before it.
    RealtimeOrder,
    /// A record was read that nobody sent, or whose send certainly failed.
    Phantom,
    /// A record was read whose bytes are not those that were sent, or not where they were sent.
    Corrupt,
    /// One offset was seen with two records, or a record was acknowledged at one offset and read at another.
    InconsistentOffsets,
    /// A consumer group passed an acknowledged record by without any member getting it.
    GroupDelivery,
    /// A reader jumped over a record of a partition while it owned it.
    PollSkip,
    /// A reader stepped back in a partition, or stood still, while it owned it.
    NonmonotonicPoll,
    /// A new owner began beyond everything that its group may have committed, and so passed records by.
    GroupSkip,
    /// A new owner began before everything that its group may have committed.
    CommitRegression,
    /// A consumer group got a record more than once.
    Redelivery,
    /// A group passed records by that a member had committed, and not yet processed, when it was killed.
    CrashSkip,
    /// Two members of a consumer group were given one partition in one generation, and held it at once.
    DoubleOwnership,
    /// A record was read of a transaction that was certainly aborted.
    AbortedRead,
    /// A record was read before the commit of its transaction was asked for.
    PrecommittedRead,
    /// Some records of a transaction can be read, and others cannot.
    TornTransaction,
    /// A record that a transformer read was made into none, or into more than one.
    ExactlyOnce,
    /// Two replicas store different things below the high watermark, or one stores what its checksum denies.
    ReplicaDivergence,
    /// A leader epoch fell as offsets rose, or two brokers led in one epoch.
    LeaderEpoch,
    /// What a reader had been given was cut off: the high watermark stepped back below it.
    HighWatermark,
    /// Too little happened, or too little of it was proven, for the other checks to mean anything.
    Coverage,
}

impl CheckName {
    /// Every check, in the order that reports show them.
    pub const ALL: [Self; 23] = [
        Self::LostWrite,
        Self::Duplicate,
        Self::ProducerOrder,
        Self::RealtimeOrder,
        Self::Phantom,
        Self::Corrupt,
        Self::InconsistentOffsets,
        Self::GroupDelivery,
        Self::PollSkip,
        Self::NonmonotonicPoll,
        Self::GroupSkip,
        Self::CommitRegression,
        Self::Redelivery,
        Self::CrashSkip,
        Self::DoubleOwnership,
        Self::AbortedRead,
        Self::PrecommittedRead,
        Self::TornTransaction,
        Self::ExactlyOnce,
        Self::ReplicaDivergence,
        Self::LeaderEpoch,
        Self::HighWatermark,
        Self::Coverage,
    ];

    /// The stable name, such as `lost-write`.
    pub fn name(self) -> &'static str {
        match self {
            Self::LostWrite => "lost-write",
            Self::Duplicate => "duplicate",
            Self::ProducerOrder => "producer-order",
            Self::RealtimeOrder => "realtime-order",
            Self::Phantom => "phantom",
            Self::Corrupt => "corrupt",
            Self::InconsistentOffsets => "inconsistent-offsets",
            Self::GroupDelivery => "group-delivery",
            Self::PollSkip => "poll-skip",
            Self::NonmonotonicPoll => "nonmonotonic-poll",
            Self::GroupSkip => "group-skip",
            Self::CommitRegression => "commit-regression",
            Self::Redelivery => "redelivery",
            Self::CrashSkip => "crash-skip",
            Self::DoubleOwnership => "double-ownership",
            Self::AbortedRead => "aborted-read",
            Self::PrecommittedRead => "precommitted-read",
            Self::TornTransaction => "torn-transaction",
            Self::ExactlyOnce => "exactly-once",
            Self::ReplicaDivergence => "replica-divergence",
            Self::LeaderEpoch => "leader-epoch",
            Self::HighWatermark => "high-watermark",
            Self::Coverage => "coverage",
        }
    }

    /// What the check asks, in one short sentence for reports.
    pub fn question(self) -> &'static str {
        match self {
            Self::LostWrite => "Is every acknowledged record still in the log?",
            Self::Duplicate => "Does every record lie at one offset only?",
            Self::ProducerOrder => "Do each producer's records lie in the order it sent them?",
            Self::RealtimeOrder => "Does a record sent after another's acknowledgement lie after it?",
            Self::Phantom => "Was every record that was read really sent, and not refused?",
            Self::Corrupt => "Is every record that was read the one that was sent, byte by byte?",
            Self::InconsistentOffsets => "Does each offset hold one record, the one acknowledged there?",
            Self::GroupDelivery => "Did every consumer group get every acknowledged record?",
            Self::PollSkip => "Did no reader jump over a record of a partition that it owned?",
            Self::NonmonotonicPoll => "Did every reader go forward only, while it owned a partition?",
            Self::GroupSkip => "Did no new owner begin beyond what its group had committed?",
            Self::CommitRegression => "Did no new owner begin before what its group had committed?",
            Self::Redelivery => "Did no consumer group get a record more than once?",
            Self::CrashSkip => "Did no group skip what a killed member had committed and not yet processed?",
            Self::DoubleOwnership => "Did no two members of a group hold a partition in one generation?",
            Self::AbortedRead => "Was no record read of a transaction that was aborted?",
            Self::PrecommittedRead => "Was no record read before its transaction's commit was asked for?",
            Self::TornTransaction => "Can each transaction's records be read all, or none of them?",
            Self::ExactlyOnce => "Was each record that was to be transformed made into exactly one?",
            Self::ReplicaDivergence => "Do all replicas store the same, each as its checksums say?",
            Self::LeaderEpoch => "Did leader epochs only grow, with one leader each?",
            Self::HighWatermark => "Did nothing that was read get cut off again?",
            Self::Coverage => "Did the faults bite, and was there enough evidence?",
        }
    }

    /// What is expected of it where the scenario says nothing. What Kafka promises may not be broken; what comes with the way a
    /// group commits may come.
    pub fn usual_expectation(self) -> Expectation {
        match self {
            Self::Redelivery | Self::CrashSkip => Expectation::Allowed,
            _ => Expectation::Forbidden,
        }
    }
}

impl fmt::Display for CheckName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for CheckName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|check| check.name() == text).ok_or(())
    }
}

/// What a scenario says of an anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// Finding one fails the run.
    Forbidden,
    /// Finding one is counted and shown, and changes nothing.
    Allowed,
    /// Finding none fails the run: the scenario is a control, which must be caught.
    Required,
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Forbidden => "forbidden",
            Self::Allowed => "allowed",
            Self::Required => "required",
        })
    }
}

/// What is true, as far as the evidence goes. The worst of several is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Validity {
    /// Nobody was to look: what is to be looked at is not there, or not for us to see. Says nothing about the rest. In a verdict also
    /// the answer of a check to which the run gave nothing to examine.
    Skipped,
    /// Nothing is wrong, and there was enough evidence to say so.
    Valid,
    /// Nobody can tell.
    Unknown,
    /// Something is wrong, and there is a witness.
    Invalid,
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Skipped => "skipped",
            Self::Valid => "valid",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
        })
    }
}

/// One violation with its witness: everything that a person needs to find it in the history and in the brokers' logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anomaly {
    /// Which check found it.
    pub check: CheckName,
    /// The topic.
    pub topic: Arc<str>,
    /// The partition of the topic.
    pub partition: Partition,
    /// The record concerned, unless the bytes name none.
    pub record: Option<RecordId>,
    /// Its producer as `name/index.incarnation`, such as `chatters/0.0`.
    pub producer: Option<Arc<str>>,
    /// The offset at which it was seen, if it was.
    pub offset: Option<Offset>,
    /// The offset at which it was acknowledged, if it was.
    pub acked_offset: Option<Offset>,
    /// When its send was invoked.
    pub send_ns: Option<TimeNs>,
    /// When its send was acknowledged.
    pub ack_ns: Option<TimeNs>,
    /// The broker that acknowledged it.
    pub acked_by: Option<BrokerId>,
    /// Who read what is wrong, for anomalies of reading, such as `chat-consumers/1.0`.
    pub reader: Option<Arc<str>>,
    /// When it was read.
    pub read_ns: Option<TimeNs>,
    /// The leader epoch under which it was read.
    pub leader_epoch: Option<LeaderEpoch>,
    /// The consumer group concerned, for anomalies of delivery.
    pub group: Option<Arc<str>>,
    /// What happened, as one plain sentence.
    pub explanation: String,
}

impl Anomaly {
    /// When its record was sent, or what else is known first of its life.
    pub fn moment(&self) -> Option<TimeNs> {
        self.send_ns.or(self.ack_ns).or(self.read_ns)
    }
}

/// What one checker says of one history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Which check.
    pub check: CheckName,
    /// Its answer.
    pub validity: Validity,
    /// How many things it examined (records, reads or faults, as the checker's module doc says).
    pub examined: u64,
    /// How many violations there are, and things that would be if the scenario did not allow them; never less than
    /// `anomalies.len()`.
    pub found: u64,
    /// The violations in the order of the log, partition by partition, at most `check::finding::KEPT`.
    pub anomalies: Vec<Anomaly>,
    /// Why the answer is unknown, or what else a reader should know. Whole sentences.
    pub notes: Vec<String>,
}
