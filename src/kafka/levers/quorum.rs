//! The controllers' quorum as its leader sees it (KIP-595).

use serde::{Deserialize, Serialize};

use crate::kafka::{BrokerId, Endpoint, LeaderEpoch, Offset};

/// What one look at the quorum showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorum {
    /// The active controller.
    pub leader: BrokerId,
    /// Its term: after a fail-over it is greater.
    pub epoch: LeaderEpoch,
    /// Up to where a majority has the metadata log.
    pub high_watermark: Offset,
    /// Those who vote, the leader included.
    pub voters: Vec<QuorumReplica>,
    /// Those who follow without a vote: brokers that are no controllers.
    pub observers: Vec<QuorumReplica>,
}

impl Quorum {
    /// A voter by its id.
    pub fn voter(&self, id: BrokerId) -> Option<&QuorumReplica> {
        self.voters.iter().find(|voter| voter.id == id)
    }
}

/// The quorum before and after its leader was deposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailOver {
    /// Before.
    pub before: Quorum,
    /// After: another leader, in a later term.
    pub after: Quorum,
}

/// One node of the quorum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuorumReplica {
    /// Which node.
    pub id: BrokerId,
    /// Where its log ends; `None` where the leader does not know yet.
    pub log_end: Option<Offset>,
    /// When the leader last heard a fetch of it, in milliseconds since 1970 by the leader's clock; `None` where never.
    pub last_fetch_ms: Option<i64>,
    /// When it last had all that the leader had, in milliseconds since 1970 by the leader's clock; `None` where never.
    pub last_caught_up_ms: Option<i64>,
    /// Where it listens as a controller, inside the cluster's network; empty where brokers do not tell (before 3.9) and of
    /// observers.
    pub endpoints: Vec<Endpoint>,
}
