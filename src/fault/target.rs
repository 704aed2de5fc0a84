//! Whom a fault strikes: the words of a scenario, resolved at injection from what the cluster says then.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::FaultId;
use crate::kafka::{BrokerId, TopicPartition};

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
    /// `producer:chatters` or `producer:chatters/0`: one of these producers, drawn by the plan's seed, or that one.
    Producer {
        /// The producers' name.
        name: String,
        /// Which of them, from 0.
        index: Option<u32>,
    },
    /// `member:chat-consumers` or `member:chat-consumers/1`: one member of the group, drawn by the plan's seed, or that one.
    Member {
        /// The group.
        group: String,
        /// Which member, from 0.
        index: Option<u32>,
    },
    /// `group:chat-consumers`: the group as a whole.
    Group(String),
    /// `same:<fault id>`: whom that fault struck when it was last injected.
    Same(FaultId),
    /// `broker:1, leader:chat-0`: all of these, each broker once. At least two, and none of them a set.
    Set(Vec<Target>),
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
    /// The forms a target among the brokers may take, for messages.
    pub const FORMS: &'static str = "broker:N, leader:TOPIC-P, follower:TOPIC-P, followers:TOPIC-P, controller, \
         coordinator:GROUP, random, random:N, minority, majority, all, same:FAULT";

    /// Each target that it is made of: the members of a set, else itself.
    pub fn members(&self) -> &[Self] {
        match self {
            Self::Set(members) => members,
            single => std::slice::from_ref(single),
        }
    }

    /// All of these as one target; `None` of none.
    pub fn all_of(targets: &[Self]) -> Option<Self> {
        let mut members: Vec<Self> = targets.iter().flat_map(Self::members).cloned().collect();
        match members.len() {
            0 => None,
            1 => members.pop(),
            _ => Some(Self::Set(members)),
        }
    }
    /// The forms a target among the load's clients may take.
    pub const CLIENT_FORMS: &'static str = "producer:NAME, producer:NAME/N, member:GROUP, member:GROUP/N, same:FAULT";

    /// Those of them that are producers.
    pub const PRODUCER_FORMS: &'static str = "producer:NAME, producer:NAME/N, same:FAULT";

    /// Those of them that are members of groups.
    pub const MEMBER_FORMS: &'static str = "member:GROUP, member:GROUP/N, same:FAULT";
}

impl FromStr for Target {
    type Err = NotATarget;

    fn from_str(text: &str) -> Result<Self, NotATarget> {
        let refuse = |reason: String| NotATarget { text: text.to_owned(), reason };
        if text.contains(',') {
            let members: Vec<Self> = text.split(',').map(|member| member.trim().parse()).collect::<Result<_, _>>()?;
            return Ok(Self::Set(members));
        }
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
            ("producer", Some(client)) => {
                let (name, index) = numbered(client).ok_or_else(|| refuse(format!("`{client}` names no producer")))?;
                Ok(Self::Producer { name, index })
            }
            ("member", Some(client)) => {
                let (group, index) = numbered(client).ok_or_else(|| refuse(format!("`{client}` names no member")))?;
                Ok(Self::Member { group, index })
            }
            ("group", Some(group)) if !group.is_empty() => Ok(Self::Group(group.to_owned())),
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
            _ => Err(refuse(format!("expected one of {}, or {}", Self::FORMS, Self::CLIENT_FORMS))),
        }
    }
}

/// `chatters` or `chatters/0`.
fn numbered(text: &str) -> Option<(String, Option<u32>)> {
    let (name, index) = match text.split_once('/') {
        Some((name, index)) => (name, Some(index.parse().ok()?)),
        None => (text, None),
    };
    (!name.is_empty()).then(|| (name.to_owned(), index))
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
            Self::Producer { name, index: None } => write!(f, "producer:{name}"),
            Self::Producer { name, index: Some(index) } => write!(f, "producer:{name}/{index}"),
            Self::Member { group, index: None } => write!(f, "member:{group}"),
            Self::Member { group, index: Some(index) } => write!(f, "member:{group}/{index}"),
            Self::Group(group) => write!(f, "group:{group}"),
            Self::Same(fault) => write!(f, "same:{fault}"),
            Self::Set(members) => {
                let members: Vec<String> = members.iter().map(ToString::to_string).collect();
                f.write_str(&members.join(", "))
            }
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
            "broker:1, leader:chat-0, random:2",
            "producer:chatters",
            "producer:chatters/0",
            "member:chat-consumers",
            "member:chat-consumers/1",
            "group:chat-consumers",
        ] {
            assert_eq!(text.parse::<Target>().map(|target| target.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn a_set_is_flat_and_one_target_is_no_set() {
        let set = "broker:1, all".parse::<Target>().expect("two targets");
        assert_eq!(set.members(), [Target::Broker(BrokerId(1)), Target::All]);
        let nested = Target::all_of(&[Target::Controller, set]).expect("three targets");
        assert_eq!(nested.to_string(), "controller, broker:1, all");
        assert_eq!(Target::all_of(&[Target::All]), Some(Target::All));
        assert_eq!(Target::all_of(&[]), None);
        assert!("broker:1,".parse::<Target>().is_err());
    }

    #[test]
    fn what_is_no_target_is_refused_with_a_reason() {
        for text in [
            "broker",
            "broker:x",
            "leader:chat",
            "random:0",
            "controller:1",
            "same:",
            "everyone",
            "producer",
            "producer:",
            "producer:/0",
            "member:g/x",
            "member:g/",
            "group:",
        ] {
            let error = text.parse::<Target>().expect_err(text);
            assert_eq!(error.text, text);
        }
    }
}
