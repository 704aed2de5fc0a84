//! `(Scenario, seed) -> Plan`: everything that chance decides, decided before anything starts. Pure.
//!
//! The same scenario and seed give the same plan, byte by byte, on every machine: the draws come from ChaCha8, whose
//! stream is fixed. A plan fixes what the harness does, never how a real cluster interleaves it.

use serde::{Deserialize, Serialize};

use crate::fault::{FaultId, FaultKind, Target};

/// Every step of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The plan format's version.
    pub schema_version: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The seed that everything below was drawn from.
    pub seed: u64,
    /// The phases and their limits, in milliseconds.
    pub phases: PlannedPhases,
    /// The faults, by their time.
    pub steps: Vec<Step>,
    /// One seed for each client of the load.
    pub clients: Vec<ClientSeed>,
}

/// The phases and their limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPhases {
    /// Load without faults.
    pub warmup_ms: u64,
    /// Load with faults.
    pub chaos_ms: u64,
    /// At most.
    pub recovery_limit_ms: u64,
    /// At most.
    pub drain_limit_ms: u64,
}

/// One fault, with its time and the draw that decides a random target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The fault's name.
    pub fault: FaultId,
    /// What is done.
    pub kind: FaultKind,
    /// To whom.
    pub target: Target,
    /// A permutation of the broker ids, drawn by the seed: a random target takes the first of it.
    pub draw: Vec<i32>,
    /// When.
    pub start: PlannedStart,
    /// How long it stays in force.
    pub duration_ms: u64,
}

/// When a step's turn comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlannedStart {
    /// This long after the chaos phase began.
    AtMs(u64),
    /// After another fault was healed and the ISR was full again.
    After {
        /// The other fault.
        fault: FaultId,
        /// How much longer.
        delay_ms: u64,
    },
}

/// A seed for one client's own choices (keys, sizes, bytes).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSeed {
    /// The producers' or group's name.
    pub name: String,
    /// Which of them, from 0.
    pub index: u32,
    /// Its seed.
    pub seed: u64,
}
