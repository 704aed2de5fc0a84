//! What Kafka itself lets an administrator do, as faults do it: elections, moved leaders and replicas, settings, deleted
//! records, a deposed controller. They act through Kafka's protocol, so that they need no container.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kafka::levers::{ConfigOwner, ConfigState, Elected, Election, LogBounds};
use crate::kafka::{BrokerId, LeaderEpoch, Offset, PartitionView, TopicPartition};

/// One such act. Candidates are looked at when it is done, because leaders and ISRs move.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Lever {
    /// Have a partition's leader elected. Not undone: elections are what puts leaders where they belong.
    Elect {
        /// Of which partition.
        partition: TopicPartition,
        /// How.
        election: Election,
    },
    /// Make an in-sync follower the leader. Undone by the old order of the replicas and the old leader.
    Transfer {
        /// Of which partition.
        partition: TopicPartition,
        /// Whom: the first of these that follows in sync.
        to: Vec<BrokerId>,
    },
    /// Change a partition's replicas. Undone by the old ones.
    Reassign {
        /// Of which partition.
        partition: TopicPartition,
        /// How.
        how: Rearrangement,
    },
    /// Change settings while the brokers run. Undone by exactly what their owner had set before.
    Configure {
        /// Whose.
        owner: ConfigOwner,
        /// What they are to be.
        set: BTreeMap<String, String>,
    },
    /// Delete a share of a partition's committed records, from the start of its log. Not undone: nothing brings them back.
    DeleteRecords {
        /// Of which partition.
        partition: TopicPartition,
        /// How much of what can be read, in millionths.
        millionths: u32,
    },
    /// Have the controllers elect another leader. Not undone: the old one lives on as a follower.
    FailOver,
}

/// What is done to a partition's list of replicas.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Rearrangement {
    /// One replica gives its place to a broker that had none, which copies all data.
    Move {
        /// Which gives.
        from: Giver,
        /// Who takes: the first of these that has no replica.
        to: Vec<BrokerId>,
    },
    /// The first replica becomes the last: another one is preferred, and no byte is moved.
    Rotate,
}

/// Which replica gives its place away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Giver {
    /// The leader: the others elect one of themselves.
    Leader,
    /// The last of the list that does not lead.
    Follower,
}

/// Why replicas cannot be arranged, or a leader not be moved, as a fault wants it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPossible {
    /// Nobody may take the leadership.
    #[error("{partition} has no in-sync follower among {}; in sync are {}", shown(wanted), shown(isr))]
    NoFollower {
        /// Which partition.
        partition: TopicPartition,
        /// Who was to lead.
        wanted: Vec<BrokerId>,
        /// Who is in sync.
        isr: Vec<BrokerId>,
    },
    /// Nobody is left to take a replica.
    #[error("{partition} has a replica on each of {}", shown(wanted))]
    NoTaker {
        /// Which partition.
        partition: TopicPartition,
        /// Who was to take one.
        wanted: Vec<BrokerId>,
    },
    /// The giver is not there.
    #[error("{partition} has no replica to give away: {}", leader.map_or("nobody leads it".to_owned(), |leader| format!("{leader} alone has it")))]
    NoGiver {
        /// Which partition.
        partition: TopicPartition,
        /// Its leader.
        leader: Option<BrokerId>,
    },
    /// A list of one has no other order.
    #[error("{partition} has one replica, which has no other order")]
    OneReplica {
        /// Which partition.
        partition: TopicPartition,
    },
}

impl Rearrangement {
    /// The partition's replicas after it.
    pub fn of(&self, now: &PartitionView) -> Result<Vec<BrokerId>, NotPossible> {
        let partition = || now.partition.clone();
        match self {
            Self::Rotate if now.replicas.len() < 2 => Err(NotPossible::OneReplica { partition: partition() }),
            Self::Rotate => {
                let mut replicas = now.replicas.clone();
                replicas.rotate_left(1);
                Ok(replicas)
            }
            Self::Move { from, to } => {
                let taker = to.iter().copied().find(|broker| !now.replicas.contains(broker));
                let taker = taker.ok_or_else(|| NotPossible::NoTaker { partition: partition(), wanted: to.clone() })?;
                let giver = match from {
                    Giver::Leader => now.leader,
                    Giver::Follower => now.replicas.iter().rev().copied().find(|replica| now.leader != Some(*replica)),
                };
                let giver = giver.ok_or_else(|| NotPossible::NoGiver { partition: partition(), leader: now.leader })?;
                let swap = |replica: &BrokerId| if *replica == giver { taker } else { *replica };
                Ok(now.replicas.iter().map(swap).collect())
            }
        }
    }
}

/// Who of these may take a partition's leadership: the first that follows in sync.
pub fn successor(now: &PartitionView, to: &[BrokerId]) -> Result<BrokerId, NotPossible> {
    let may = |broker: &BrokerId| now.isr.contains(broker) && now.leader != Some(*broker);
    to.iter().copied().find(may).ok_or_else(|| NotPossible::NoFollower {
        partition: now.partition.clone(),
        wanted: to.to_vec(),
        isr: now.isr.clone(),
    })
}

/// A partition before and after its leader or its replicas were changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Before.
    pub before: PartitionView,
    /// After.
    pub after: PartitionView,
}

/// A partition before and after an election, and what Kafka said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElectionHeld {
    /// Before.
    pub before: PartitionView,
    /// Kafka's answer.
    pub outcome: Elected,
    /// After.
    pub after: PartitionView,
}

/// Settings before and after they were changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configured {
    /// Whose.
    pub owner: ConfigOwner,
    /// Before.
    pub before: Vec<ConfigState>,
    /// After.
    pub after: Vec<ConfigState>,
}

/// A log whose start moved up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordsDeleted {
    /// Whose.
    pub partition: TopicPartition,
    /// From where to where it could be read before.
    pub before: LogBounds,
    /// From where it can be read now: every record below was deleted on purpose.
    pub log_start: Offset,
}

/// Who leads the controllers' quorum, and in which term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reign {
    /// The active controller.
    pub leader: BrokerId,
    /// Its term.
    pub epoch: LeaderEpoch,
}

/// The controller before and after it was deposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deposed {
    /// Before.
    pub before: Reign,
    /// After.
    pub after: Reign,
}

impl fmt::Display for Giver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
        })
    }
}

/// Ids for people.
pub fn shown(ids: &[BrokerId]) -> String {
    if ids.is_empty() {
        return "nobody".to_owned();
    }
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[i32]) -> Vec<BrokerId> {
        ids.iter().copied().map(BrokerId).collect()
    }

    fn view(leader: Option<i32>, replicas: &[i32], isr: &[i32]) -> PartitionView {
        PartitionView {
            partition: TopicPartition::new("chat", 0),
            leader: leader.map(BrokerId),
            leader_epoch: None,
            replicas: ids(replicas),
            isr: ids(isr),
        }
    }

    #[test]
    fn the_successor_follows_in_sync() {
        let now = view(Some(2), &[2, 3, 1], &[2, 1]);
        assert_eq!(successor(&now, &ids(&[3, 2, 1])), Ok(BrokerId(1)));
        let error = successor(&now, &ids(&[3])).expect_err("3 is out of sync");
        assert_eq!(error.to_string(), "chat-0 has no in-sync follower among broker-3; in sync are broker-2, broker-1");
    }

    #[test]
    fn a_moved_replica_keeps_its_place_in_the_list() {
        let now = view(Some(2), &[2, 3], &[2, 3]);
        let moved = |from| Rearrangement::Move { from, to: ids(&[2, 1, 4]) };
        assert_eq!(moved(Giver::Follower).of(&now), Ok(ids(&[2, 1])));
        assert_eq!(moved(Giver::Leader).of(&now), Ok(ids(&[1, 3])));
        assert_eq!(Rearrangement::Rotate.of(&now), Ok(ids(&[3, 2])));
    }

    #[test]
    fn what_cannot_be_arranged_says_why() {
        let told = |how: Rearrangement, now: &PartitionView| how.of(now).expect_err("impossible").to_string();
        let moved = |from, to: &[i32]| Rearrangement::Move { from, to: ids(to) };
        assert_eq!(
            told(moved(Giver::Follower, &[2, 3]), &view(Some(2), &[2, 3], &[2, 3])),
            "chat-0 has a replica on each of broker-2, broker-3"
        );
        let alone = view(Some(2), &[2], &[2]);
        assert!(told(moved(Giver::Follower, &[1]), &alone).ends_with("broker-2 alone has it"));
        assert!(told(moved(Giver::Leader, &[1]), &view(None, &[2, 3], &[3])).ends_with("nobody leads it"));
        assert!(told(Rearrangement::Rotate, &alone).contains("no other order"));
    }
}
