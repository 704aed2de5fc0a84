//! Checks and expectations make a verdict: what is true, what follows for the run, and the exit code. Pure.
//!
//! [`Verdict`] is `verdict.json`, schema version 1. Two questions are kept apart:
//!
//! - `verdict`: what is true of the cluster. The worst of all checks, whatever the scenario expects of them.
//! - `outcome`: what follows for the run. The first of these that holds:
//!
//! | when | outcome | exit code |
//! |---|---|---|
//! | a forbidden check is invalid | fail | 1 |
//! | a required check is valid, and so is `coverage`: the evidence was there, and the anomaly was not | fail | 1 |
//! | a threshold is breached | fail | 3 |
//! | a forbidden or required check, `coverage` or a threshold is unknown | inconclusive | 4 |
//! | none of these | pass | 0 |

pub mod counts;
mod judge;
mod measure;
pub mod thresholds;

#[cfg(test)]
mod tests;

pub use judge::judge;

use serde::{Deserialize, Serialize};

use crate::anomaly::{Anomaly, CheckName, Expectation, Validity};
use crate::fault::{FaultId, Victim};
use crate::scenario::Metric;

/// What follows for the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// Every expectation was met.
    Pass,
    /// An expectation was not met.
    Fail,
    /// Nobody can tell.
    Inconclusive,
}

/// `verdict.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// 1.
    pub schema_version: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The run's id.
    pub run: String,
    /// The seed.
    pub seed: u64,
    /// What is true of the cluster.
    pub verdict: Validity,
    /// What follows for the run.
    pub outcome: RunOutcome,
    /// The process's exit code for this run alone.
    pub exit_code: u8,
    /// Why, the most important first. Whole sentences; never empty.
    pub reasons: Vec<String>,
    /// How much happened.
    pub counts: Counts,
    /// One line a check, in the order of `CheckName::ALL`.
    pub checks: Vec<CheckLine>,
    /// One line a fault, in the plan's order.
    pub faults: Vec<FaultLine>,
    /// One line a threshold, in the scenario's order.
    pub thresholds: Vec<ThresholdLine>,
    /// How available the cluster was.
    pub availability: Availability,
    /// One line a set of producers that sends at a rate, in the scenario's order.
    #[serde(default)]
    pub rates: Vec<RateLine>,
}

/// What a reader of a verdict must know whose expectations were written after the run.
pub const EDITED: &str = "scenario.toml was changed after the run: this is judged by what it says now.";

/// How fast producers sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateLine {
    /// Their name.
    pub producers: String,
    /// How many records a second all of them were asked for.
    pub asked_per_second: f64,
    /// How many they sent, while they were asked for any.
    pub sent_per_second: f64,
}

/// How much happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Sends invoked.
    pub sent: u64,
    /// Sends acknowledged (`ok`).
    pub acked: u64,
    /// Sends that certainly failed (`fail`).
    pub failed: u64,
    /// Sends of unknown outcome (`info`).
    pub indeterminate: u64,
    /// Records read, by every reader together.
    pub read: u64,
    /// Distinct records found in the log by the drain.
    pub read_distinct: u64,
}

/// One check's line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckLine {
    /// Which.
    pub check: CheckName,
    /// What the scenario expects of it.
    pub expect: Expectation,
    /// What it says.
    pub verdict: Validity,
    /// How much it examined.
    pub examined: u64,
    /// How many violations it found, or, if it is valid, things that the scenario allows.
    pub found: u64,
    /// The worst few of them.
    pub examples: Vec<Anomaly>,
    /// Whole sentences on what a reader should know.
    pub notes: Vec<String>,
}

/// One fault's line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultLine {
    /// Its name.
    pub id: FaultId,
    /// Its kind's name.
    pub kind: String,
    /// The target as the scenario wrote it.
    pub target: String,
    /// Whom it struck.
    pub targets: Vec<Victim>,
    /// Its parameters in words, as a plan shows them, such as `from every other broker, packets dropped`; empty when it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// When the engine had carried it out, in milliseconds of the run; `None` when it never did.
    pub injected_ms: Option<u64>,
    /// When it was undone.
    pub healed_ms: Option<u64>,
    /// Whether it provably bit and provably healed.
    pub proven: bool,
    /// The proof, or what is missing from it, in short clauses; after `mock: ` where the cluster was only mocked.
    pub proof: String,
    /// Sends invoked or in flight while it was in force.
    pub sends_overlapping: u64,
    /// How long after the heal every partition's ISR was full again, or, where only clients were struck, each of them was at
    /// work again; `None` where that was never seen.
    pub recovery_ms: Option<u64>,
    /// The longest time that a partition acknowledged nothing although sends were waiting, of those that overlap the time
    /// from when it was asked for until it was healed, and from then on; `None` when it was never asked for, or nothing was sent.
    pub unavailability_ms: Option<u64>,
    /// How long after it was asked for a send first failed or was given up that was under way while it was in force; `None`
    /// when none was.
    #[serde(default)]
    pub first_failure_ms: Option<u64>,
    /// How long after it was asked for the partition acknowledged again that had been unavailable for longest; `None` when none
    /// was, or when it was not seen to before nobody waited any more.
    #[serde(default)]
    pub acked_again_ms: Option<u64>,
    /// How long after it was asked for the groups' partitions changed hands for the last time before the next fault or the end
    /// of the load; `None` when none did.
    #[serde(default)]
    pub settled_ms: Option<u64>,
    /// How long after the heal every group had read all that had been acknowledged by then; `None` where that was never seen, or
    /// where no group read.
    #[serde(default)]
    pub caught_up_ms: Option<u64>,
    /// For how long at least, from the heal to the history's end, a group had not read all of that; `None` where all groups had, or
    /// none read.
    #[serde(default)]
    pub still_behind_ms: Option<u64>,
    /// The longest time that a group got nothing of a partition although acknowledged records waited for it, counted as
    /// `unavailability_ms`; `None` when it was never asked for, or no group read.
    #[serde(default)]
    pub consume_stall_ms: Option<u64>,
}

/// One threshold's line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThresholdLine {
    /// What was measured.
    pub metric: Metric,
    /// The greatest value that is fine.
    pub max_ms: u64,
    /// What was measured; `None` when there was nothing to measure, or when it was not over.
    pub measured_ms: Option<u64>,
    /// How long it had lasted, within the limit, when the history ended and it was not over; `None` when it was.
    #[serde(default)]
    pub at_least_ms: Option<u64>,
    /// `valid` within, `invalid` beyond, `unknown` when there was nothing to measure or it was not over.
    pub verdict: Validity,
}

/// How available the cluster was to producers and consumers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Availability {
    /// The longest time that some partition acknowledged nothing although sends were waiting; `None` when nothing was sent.
    pub max_unavailability_ms: Option<u64>,
    /// The longest time that some group got nothing of some partition although acknowledged records waited for it; `None` when no
    /// group read.
    #[serde(default)]
    pub max_consume_stall_ms: Option<u64>,
    /// One line a partition.
    pub partitions: Vec<PartitionAvailability>,
}

/// How available one partition was to producers and consumers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartitionAvailability {
    /// `chat-0`.
    pub partition: String,
    /// Sends acknowledged.
    pub acked: u64,
    /// The longest time that it acknowledged nothing although sends were waiting; `None` when nothing was sent to it.
    pub max_unavailability_ms: Option<u64>,
    /// When that began, in milliseconds of the run.
    pub began_ms: Option<u64>,
    /// Every such time of half a second and more, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outages: Vec<Outage>,
    /// The longest time that a group got nothing of it although acknowledged records waited; `None` when no group read of it.
    #[serde(default)]
    pub max_consume_stall_ms: Option<u64>,
    /// When that began.
    #[serde(default)]
    pub stall_began_ms: Option<u64>,
    /// Which group that was.
    #[serde(default)]
    pub stalled_group: Option<String>,
}

/// A time in which a partition acknowledged nothing although sends were waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// When it began, in milliseconds of the run.
    pub from_ms: u64,
    /// When it was over.
    pub to_ms: u64,
}
