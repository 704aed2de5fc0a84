//! Where a partition's replicas are, who leads them, and how far their logs reach.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kafka::{BrokerId, Offset, TopicPartition};

/// How a new leader is chosen (KIP-460).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Election {
    /// The first replica of the partition's list leads, if it is in sync.
    Preferred,
    /// Where there is no leader, any replica that lives leads, in sync or not. What it lacks is lost.
    Unclean,
}

/// What became of an election that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Elected {
    /// A leader was elected.
    Held,
    /// There was nothing to elect: the preferred replica leads, or (unclean) there is a leader. An election that an
    /// earlier attempt brought about, whose answer was lost, shows as this too; who leads tells.
    NotNeeded,
}

/// A partition's replicas in their order, and its leader: all that a moved leader or replica has to be put back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Which partition.
    pub partition: TopicPartition,
    /// Its replicas, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// Its leader, which need not be the preferred one; `None` while it has none.
    pub leader: Option<BrokerId>,
}

/// A change of replicas that the cluster has not finished yet (KIP-455).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reassignment {
    /// Which partition.
    pub partition: TopicPartition,
    /// All replicas of now, those that are being added or removed included.
    pub replicas: Vec<BrokerId>,
    /// Those that have still to catch up.
    pub adding: Vec<BrokerId>,
    /// Those that go once the others have.
    pub removing: Vec<BrokerId>,
}

impl fmt::Display for Reassignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: adding {}, removing {}", self.partition, ids(&self.adding), ids(&self.removing))
    }
}

/// Up to where records are to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Before {
    /// Those before this offset.
    Offset(Offset),
    /// All that are committed at the moment that the leader hears of it.
    HighWatermark,
}

impl fmt::Display for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offset(offset) => write!(f, "offset {offset}"),
            Self::HighWatermark => f.write_str("the high watermark"),
        }
    }
}

/// From where to where a partition can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogBounds {
    /// The first offset that is still there.
    pub log_start: Offset,
    /// The first offset that is not committed yet.
    pub high_watermark: Offset,
}

/// One replica of a partition on its broker's disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaLog {
    /// The directory that it lies in, on the broker.
    pub directory: String,
    /// How large it is, in bytes; of all its segments, without their indexes.
    pub bytes: u64,
    /// How many offsets its end lies behind the high watermark that its broker knows of.
    pub offset_lag: u64,
}

/// What one broker said of a partition's replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplicaLook {
    /// It has one.
    There(ReplicaLog),
    /// It has none.
    Absent,
    /// It did not say; why not.
    Unanswered(String),
}

/// Ids for people: `broker-1, broker-3`, or `nobody`.
fn ids(ids: &[BrokerId]) -> String {
    if ids.is_empty() {
        return "nobody".to_owned();
    }
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placement_is_the_same_after_a_ledger_has_held_it() {
        let placement = Placement {
            partition: TopicPartition::new("chat-room", 2),
            replicas: vec![BrokerId(2), BrokerId(1)],
            leader: Some(BrokerId(1)),
        };
        let text = serde_json::to_string(&placement).expect("data");
        assert_eq!(text, r#"{"partition":"chat-room-2","replicas":[2,1],"leader":1}"#);
        assert_eq!(serde_json::from_str::<Placement>(&text).expect("the same data"), placement);
    }

    #[test]
    fn a_reassignment_says_who_comes_and_who_goes() {
        let (partition, replicas) = (TopicPartition::new("chat", 0), vec![BrokerId(3), BrokerId(1)]);
        let reassignment = Reassignment { partition, replicas, adding: vec![BrokerId(3)], removing: Vec::new() };
        assert_eq!(reassignment.to_string(), "chat-0: adding broker-3, removing nobody");
    }
}
