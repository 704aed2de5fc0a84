//! Consumer groups as an observer sees them: members, what they own, and how far they lag.

use serde::{Deserialize, Serialize};

use super::{Offset, TopicPartition};

/// What one look at a consumer group showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupView {
    /// Its id.
    pub group: String,
    /// Its state in Kafka's own word: `Stable`, `Empty`, `PreparingRebalance`, ...
    pub state: String,
    /// Its members.
    pub members: Vec<MemberView>,
    /// What it committed, partition by partition.
    pub offsets: Vec<GroupOffset>,
}

/// One member of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberView {
    /// The id that the coordinator gave it.
    pub member: String,
    /// What its client calls itself.
    pub client: String,
    /// Where it connects from.
    pub host: String,
    /// The partitions that it owns.
    pub owns: Vec<TopicPartition>,
}

/// How far a group is in a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupOffset {
    /// Which partition.
    pub partition: TopicPartition,
    /// The next offset that it will read; `None` where it owns the partition and has committed nothing yet.
    pub committed: Option<Offset>,
    /// The partition's high watermark; `None` where its leader did not answer.
    pub end: Option<Offset>,
}

impl GroupOffset {
    /// How many records it has still to read; `None` where that is not known.
    pub fn lag(&self) -> Option<u64> {
        let (committed, end) = (self.committed?, self.end?);
        Some(u64::try_from(end.0 - committed.0).unwrap_or(0))
    }
}

impl GroupView {
    /// How many records it has still to read, in all partitions of which that is known.
    pub fn lag(&self) -> u64 {
        self.offsets.iter().filter_map(GroupOffset::lag).sum()
    }
}
