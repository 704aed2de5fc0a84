//! The faults' vocabulary: what can be done to whom, by which actions, and what has to be seen before anybody believes it.
//!
//! One fault is one file in [`kinds`], and one arm of [`FaultKind`]: its parameters and how they are written, the actions
//! that it is made of, and the rule by which it is proven. All of it is data and pure functions. The nemesis carries
//! actions out and knows how each is undone; it never asks which fault they belong to. So a new fault that is made of the
//! actions there are needs nothing but its file.

pub mod action;
pub mod allowance;
pub mod case;
pub mod deed;
pub mod hold;
pub mod keepsake;
pub mod keys;
pub mod kinds;
pub mod lever;
pub mod observation;
pub mod signal;
pub mod target;
pub mod wiring;

pub mod network;

pub mod disk;

pub mod client;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kafka::BrokerId;

pub use action::{Action, Course, Need, Question, Scene, State, Stroke};
pub use allowance::Allowance;
pub use case::{Case, Handover, Look, NextLife, Testimony, Times, ToldFenced};
pub use client::{ClientAction, ClientSeen, ClientSight, Strikes};
pub use deed::Deed;
pub use hold::{Hold, is_full_around};
pub use keys::{Keys, Noted, WordOrTarget};
pub use kinds::{Fault, FaultFacts, FaultKind};
pub use lever::Lever;
pub use observation::{Observation, Probe, ProcessState, Sight, Standing};
pub use signal::Signal;
pub use target::{NotATarget, Target};
pub use wiring::{Ends, Link, LinkSeen, Plane, RulesSeen, Unseen, Wire};

/// A fault's name in its scenario, unique there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub String);

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whom a fault struck: a broker, or a client of the load by its label (`chatters/0`), or a consumer group by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Victim {
    /// A broker, by its id.
    Broker(BrokerId),
    /// A producer or a member of a consumer group, by its label; or a whole group, by its name.
    Client(String),
}

impl Victim {
    /// The broker that it is, if it is one.
    pub fn broker(&self) -> Option<BrokerId> {
        match self {
            Self::Broker(broker) => Some(*broker),
            Self::Client(_) => None,
        }
    }

    /// The client's label, or the group's name, if it is one.
    pub fn client(&self) -> Option<&str> {
        match self {
            Self::Broker(_) => None,
            Self::Client(label) => Some(label),
        }
    }
}

impl From<BrokerId> for Victim {
    fn from(broker: BrokerId) -> Self {
        Self::Broker(broker)
    }
}

impl fmt::Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker(broker) => broker.fmt(f),
            Self::Client(label) => f.write_str(label),
        }
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
