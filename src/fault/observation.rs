//! What was seen of a fault's target, by witnesses that do not know of one another.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::disk::{DiskLimits, Room};
use super::lever::Reign;
use super::{Allowance, LinkSeen, RulesSeen};
use crate::kafka::levers::ConfigState;
use crate::kafka::{BrokerId, Offset, PartitionView};

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
    /// No engine is known that could tell: the broker itself and the others are its only witnesses.
    Unwatched,
}

impl ProcessState {
    /// What tells this life from the next; `None` where nothing lives.
    pub fn life(&self) -> Option<&str> {
        match self {
            Self::Running { started_at } | Self::Paused { started_at } => Some(started_at),
            Self::Exited { .. } | Self::Missing | Self::Unwatched => None,
        }
    }
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
    /// What else the fault's proof asked to see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sights: Vec<Sight>,
}

impl Observation {
    /// Whether it runs, as far as an engine can tell, and answers.
    pub fn works(&self) -> bool {
        matches!(self.process, ProcessState::Running { .. } | ProcessState::Unwatched)
            && matches!(self.probe, Probe::Answered { .. })
    }
}

/// The answer to a [`super::Question`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "sight", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Sight {
    /// What became of connections.
    Links {
        /// From where this broker is.
        from: BrokerId,
        /// Those that must not come about while the fault is in force.
        cut: Vec<LinkSeen>,
        /// Those that must.
        open: Vec<LinkSeen>,
    },
    /// The fault's rules, in each network where they should be.
    Rules {
        /// One for each.
        holders: Vec<RulesSeen>,
    },
    /// What it may use, as the engine tells it.
    Limits {
        /// Processor time, in thousandths of one; `None` for as much as there is.
        cpu_millis: Option<u32>,
        /// Memory in bytes; `None` for as much as there is.
        memory_bytes: Option<u64>,
        /// What the kernel shows of it in the control groups, which is what holds. Histories from before that was looked at
        /// have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<Allowance>,
        /// In how many periods it was held back since its life began, because it had used its processor time up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_back: Option<u64>,
        /// What its host has, where the engine tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<Allowance>,
    },
    /// The networks that it is in.
    Networks {
        /// Its address in each.
        addresses: Vec<Ipv4Addr>,
    },
    /// How much room is on its disk.
    Room(Room),
    /// How fast it may use its disk.
    DiskLimits(DiskLimits),
    /// A partition, as the brokers tell it.
    Partition(PartitionView),
    /// Settings.
    Settings {
        /// Each, in the order of the question.
        states: Vec<ConfigState>,
    },
    /// From where a partition can be read.
    LogStart {
        /// The first offset that is still there.
        log_start: Offset,
    },
    /// Who leads the controllers.
    Controller(Reign),
    /// What was asked is to be seen from where this broker is, which does not run: there was nothing to see.
    NotRunning {
        /// The broker.
        broker: BrokerId,
    },
    /// What was asked could not be seen.
    Blind {
        /// Why.
        reason: String,
    },
}
