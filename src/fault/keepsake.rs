//! What a fault puts back as it found it. Two that change the same thing at the same time cannot both: the second found what
//! the first had made of it, and whoever is healed last puts that back.

use std::collections::BTreeSet;
use std::fmt;

use super::{Action, FaultId, FaultKind, Lever, Scene};
use crate::kafka::levers::ConfigOwner;
use crate::kafka::{BrokerId, TopicPartition};

/// A thing that is looked at before it is changed, and put back as it was seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keepsake {
    /// A setting of a topic.
    TopicSetting {
        /// Whose.
        topic: String,
        /// Which.
        key: String,
    },
    /// A setting that holds for every broker which has none of its own.
    DefaultSetting {
        /// Which.
        key: String,
    },
    /// A setting of each broker that is struck.
    BrokerSetting {
        /// Which.
        key: String,
    },
    /// A partition's replicas, their order, and its leader.
    Placement(TopicPartition),
    /// What each broker that is struck may use.
    Limits,
}

impl Keepsake {
    /// Whether each broker has one of its own, so that it matters who is struck.
    pub fn is_of_each_broker(&self) -> bool {
        match self {
            Self::BrokerSetting { .. } | Self::Limits => true,
            Self::TopicSetting { .. } | Self::DefaultSetting { .. } | Self::Placement(_) => false,
        }
    }
}

impl fmt::Display for Keepsake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TopicSetting { topic, key } => write!(f, "`{key}` of topic `{topic}`"),
            Self::DefaultSetting { key } => write!(f, "`{key}` of all brokers"),
            Self::BrokerSetting { key } => write!(f, "`{key}` of the same broker"),
            Self::Placement(partition) => write!(f, "the replicas of {partition}"),
            Self::Limits => f.write_str("the limits of the same broker"),
        }
    }
}

impl FaultKind {
    /// What it puts back as it found it, wherever it strikes.
    pub fn keepsakes(&self) -> BTreeSet<Keepsake> {
        let (target, others) = (BrokerId(1), vec![BrokerId(2), BrokerId(3)]);
        let all = [&[target], &others[..]].concat();
        let fault = FaultId("asked".to_owned());
        let scene = Scene { fault, targets: vec![target.into()], to: others, reachable: all.clone(), all, seed: 0 };
        self.strokes(&scene).iter().flat_map(|stroke| stroke.action.keepsakes()).collect()
    }
}

impl Action {
    fn keepsakes(&self) -> Vec<Keepsake> {
        match self {
            Self::Limit { .. } => vec![Keepsake::Limits],
            Self::Lever(Lever::Configure { owner, set }) => {
                let setting = |key: &String| match owner {
                    ConfigOwner::Topic(topic) => Keepsake::TopicSetting { topic: topic.clone(), key: key.clone() },
                    ConfigOwner::AllBrokers => Keepsake::DefaultSetting { key: key.clone() },
                    ConfigOwner::Broker(_) => Keepsake::BrokerSetting { key: key.clone() },
                };
                set.keys().map(setting).collect()
            }
            Self::Lever(Lever::Transfer { partition, .. } | Lever::Reassign { partition, .. }) => {
                vec![Keepsake::Placement(partition.clone())]
            }
            // Of these nothing is put back, or the same whatever was there before: a process runs, a disk is free.
            Self::Lever(Lever::Elect { .. } | Lever::DeleteRecords { .. } | Lever::FailOver)
            | Self::Signal { .. }
            | Self::Stop { .. }
            | Self::Freeze
            | Self::Fill
            | Self::Lock { .. }
            | Self::Throttle { .. }
            | Self::Damage { .. }
            | Self::Wipe
            | Self::Disconnect
            | Self::Cut { .. }
            | Self::Shape { .. } => Vec::new(),
        }
    }
}
