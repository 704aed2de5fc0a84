//! The faults' vocabulary: what can be done to a broker, to which one, and what was observed of it. Data only.
//!
//! A fault never knows whom it strikes: kind and target are orthogonal, and the nemesis brings them together.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::kafka::{BrokerId, TopicPartition};

/// A fault's name in its scenario, unique there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub String);

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A POSIX signal that a kill may send. Closed, because each ends a broker in its own way, and the proof knows how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Signal {
    /// `SIGKILL`: the process is gone at once, nothing is flushed.
    #[serde(rename = "SIGKILL")]
    Kill,
    /// `SIGTERM`: Kafka hands its leaderships over, flushes, and leaves.
    #[serde(rename = "SIGTERM")]
    Term,
    /// `SIGABRT`: the JVM aborts with a core-dump message.
    #[serde(rename = "SIGABRT")]
    Abort,
}

impl Signal {
    /// The name as the engine takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "SIGKILL",
            Self::Term => "SIGTERM",
            Self::Abort => "SIGABRT",
        }
    }

    /// The exit code of a process that this signal ended: 128 + the signal's number.
    pub fn exit_code(self) -> i64 {
        match self {
            Self::Kill => 137,
            Self::Term => 143,
            Self::Abort => 134,
        }
    }
}

/// What is done to the target.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Send a signal to the broker's process; healed by starting it again.
    Kill {
        /// Which signal.
        signal: Signal,
    },
    /// `SIGTERM`, then `SIGKILL` after the grace; healed by starting it again.
    Stop {
        /// How long the broker may take to leave in order.
        grace_ms: u64,
    },
    /// Stop in order and start at once; the fault lasts until the broker answers again.
    Restart {
        /// How long the broker may take to leave in order.
        grace_ms: u64,
    },
    /// Freeze the broker's processes (the kernel still accepts connections); healed by thawing them.
    Pause,
}

impl FaultKind {
    /// The word for this kind in scenarios, CSV files and reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Kill { .. } => "kill",
            Self::Stop { .. } => "stop",
            Self::Restart { .. } => "restart",
            Self::Pause => "pause",
        }
    }
}

/// Whom a fault strikes. Resolved at injection, each time anew.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// `broker:2`: that broker.
    Broker(BrokerId),
    /// `leader:chat-0`: the partition's leader at that moment.
    Leader(TopicPartition),
    /// `follower:chat-0`: one in-sync follower of the partition, the lowest id first.
    Follower(TopicPartition),
    /// `followers:chat-0`: every replica of the partition but its leader.
    Followers(TopicPartition),
    /// `controller`: the active controller.
    Controller,
    /// `coordinator:chat-consumers`: the broker that coordinates the consumer group.
    Coordinator(String),
    /// `random` or `random:2`: that many brokers, drawn by the plan's seed.
    Random(usize),
    /// `minority`: the greatest number of brokers that leaves a majority, drawn by the plan's seed.
    Minority,
    /// `majority`: the smallest number of brokers that is a majority, drawn by the plan's seed.
    Majority,
    /// `all`: every broker.
    All,
    /// `same:<fault id>`: whom that fault struck when it was last injected.
    Same(FaultId),
}

/// The text names no target.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not a target: {reason}")]
pub struct NotATarget {
    /// What was written.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Target {
    /// The forms a target may take, for messages.
    pub const FORMS: &'static str = "broker:N, leader:TOPIC-P, follower:TOPIC-P, followers:TOPIC-P, controller, \
         coordinator:GROUP, random, random:N, minority, majority, all, same:FAULT";
}

impl FromStr for Target {
    type Err = NotATarget;

    fn from_str(text: &str) -> Result<Self, NotATarget> {
        let refuse = |reason: String| NotATarget { text: text.to_owned(), reason };
        let (word, argument) = match text.split_once(':') {
            Some((word, argument)) => (word, Some(argument)),
            None => (text, None),
        };
        let partition = |argument: &str| argument.parse::<TopicPartition>().map_err(|error| refuse(error.to_string()));
        match (word, argument) {
            ("broker", Some(id)) => match id.parse() {
                Ok(id) => Ok(Self::Broker(BrokerId(id))),
                Err(_) => Err(refuse(format!("`{id}` is not a broker id"))),
            },
            ("leader", Some(argument)) => Ok(Self::Leader(partition(argument)?)),
            ("follower", Some(argument)) => Ok(Self::Follower(partition(argument)?)),
            ("followers", Some(argument)) => Ok(Self::Followers(partition(argument)?)),
            ("coordinator", Some(group)) if !group.is_empty() => Ok(Self::Coordinator(group.to_owned())),
            ("same", Some(fault)) if !fault.is_empty() => Ok(Self::Same(FaultId(fault.to_owned()))),
            ("random", Some(count)) => match count.parse() {
                Ok(count) if count > 0 => Ok(Self::Random(count)),
                _ => Err(refuse(format!("`{count}` is not a number of brokers"))),
            },
            ("controller", None) => Ok(Self::Controller),
            ("random", None) => Ok(Self::Random(1)),
            ("minority", None) => Ok(Self::Minority),
            ("majority", None) => Ok(Self::Majority),
            ("all", None) => Ok(Self::All),
            _ => Err(refuse(format!("expected one of {}", Self::FORMS))),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker(BrokerId(id)) => write!(f, "broker:{id}"),
            Self::Leader(partition) => write!(f, "leader:{partition}"),
            Self::Follower(partition) => write!(f, "follower:{partition}"),
            Self::Followers(partition) => write!(f, "followers:{partition}"),
            Self::Controller => f.write_str("controller"),
            Self::Coordinator(group) => write!(f, "coordinator:{group}"),
            Self::Random(1) => f.write_str("random"),
            Self::Random(count) => write!(f, "random:{count}"),
            Self::Minority => f.write_str("minority"),
            Self::Majority => f.write_str("majority"),
            Self::All => f.write_str("all"),
            Self::Same(fault) => write!(f, "same:{fault}"),
        }
    }
}

impl TryFrom<String> for Target {
    type Error = NotATarget;

    fn try_from(text: String) -> Result<Self, NotATarget> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

/// Where in a fault's life something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// Before it was injected.
    Before,
    /// While it was in force.
    During,
    /// After it was healed.
    After,
}

/// The state of a broker's container (or of the mock's broker), as the engine tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum ProcessState {
    /// It runs; `started_at` tells one life from the next.
    Running {
        /// When this life began, in the engine's own words (RFC 3339).
        started_at: String,
    },
    /// It is frozen; it will run on from where it stands.
    Paused {
        /// When this life began.
        started_at: String,
    },
    /// It ended.
    Exited {
        /// With this code; 128 + n after signal n.
        exit_code: i64,
    },
    /// The engine does not know it.
    Missing,
}

/// How the broker answered a protocol request (`ApiVersions`) sent to its client port on a fresh connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "probe", rename_all = "kebab-case")]
pub enum Probe {
    /// It answered.
    Answered {
        /// After this long.
        elapsed_ms: u64,
    },
    /// The connection was refused or reset: nobody listens.
    Refused,
    /// The connection was made, but no answer came in time.
    Silent,
    /// Not even the connection was made in time.
    Unreachable,
}

/// What the rest of the cluster thought of a broker, by its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Whether it is registered and not fenced.
    pub registered: bool,
    /// How many partitions of the scenario's topics it is a replica of.
    pub replica_of: u32,
    /// In how many of them it is in sync.
    pub in_isr_of: u32,
    /// How many of them it leads.
    pub leads: u32,
}

/// One look at one target of a fault: three witnesses that do not know of one another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// What the engine said.
    pub process: ProcessState,
    /// What the broker itself answered.
    pub probe: Probe,
    /// What the other brokers said; `None` when none of them answered.
    pub standing: Option<Standing>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_target_survives_a_round_trip() {
        for text in [
            "broker:2",
            "leader:chat-0",
            "follower:chat-room-1",
            "followers:chat-0",
            "controller",
            "coordinator:chat-consumers",
            "random",
            "random:2",
            "minority",
            "majority",
            "all",
            "same:kill",
        ] {
            assert_eq!(text.parse::<Target>().map(|target| target.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_no_target_is_refused_with_a_reason() {
        for text in ["broker", "broker:x", "leader:chat", "random:0", "controller:1", "same:", "everyone"] {
            let error = text.parse::<Target>().expect_err(text);
            assert_eq!(error.text, text);
        }
    }
}
