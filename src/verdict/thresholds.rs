//! Thresholds: one number measured, one limit, valid within it.
//!
//! What there was nothing to measure for is unknown. A recovery that was never seen is measured by how long it had lasted
//! when the history ended: beyond the limit that is a breach, within it nobody can tell. In the same way a cut history shows
//! how long something lasted at least, and no percentile: nobody knows which rows are missing.

use crate::anomaly::Validity;
use crate::history::Closure;
use crate::history::tally::{Histogram, Tally};
use crate::kafka::TimeNs;
use crate::scenario::{Metric, Scenario};

use super::ThresholdLine;

/// What the thresholds that are not latencies are measured by.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// The longest unavailability of any partition in nanoseconds; `None` when nothing was sent.
    pub unavailability_ns: Option<u64>,
    /// The longest stall of any group in any partition in nanoseconds; `None` when no group read.
    pub consume_stall_ns: Option<u64>,
    /// From each heal until the cluster was whole.
    pub recoveries: Vec<Lasted>,
    /// From each heal until every group had caught up with it.
    pub catch_ups: Vec<Lasted>,
}

/// How long something lasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasted {
    /// This many nanoseconds.
    Exactly(u64),
    /// It was not over after this many nanoseconds, when the history ended.
    AtLeast(u64),
}

/// A measurement in nanoseconds, or what is known of it.
#[derive(Clone, Copy)]
enum Value {
    Exactly(u64),
    AtLeast(u64),
    Nothing,
}

impl Value {
    /// What the same measurement of a part says of the whole.
    fn of_a_part(self, metric: Metric) -> Self {
        match (metric, self) {
            (Metric::ProduceLatencyP50 | Metric::ProduceLatencyP99, _) | (_, Self::Nothing) => Self::Nothing,
            (_, Self::Exactly(ns) | Self::AtLeast(ns)) => Self::AtLeast(ns),
        }
    }
}

/// Judges every threshold, in the scenario's order.
pub fn judge(closure: &Closure, tally: &Tally, scenario: &Scenario, measured: &Measured) -> Vec<ThresholdLine> {
    let latency = &tally.sends.latency;
    let lines = scenario.thresholds.iter().map(|threshold| {
        let value = match threshold.metric {
            Metric::Unavailability => measured.unavailability_ns.map_or(Value::Nothing, Value::Exactly),
            Metric::Recovery => slowest(&measured.recoveries),
            Metric::ConsumeStall => measured.consume_stall_ns.map_or(Value::Nothing, Value::Exactly),
            Metric::CatchUp => slowest(&measured.catch_ups),
            Metric::ProduceLatencyP50 => quantile(latency, 500),
            Metric::ProduceLatencyP99 => quantile(latency, 990),
            Metric::ProduceLatencyMax => quantile(latency, 1000),
        };
        let value = match closure {
            Closure::Whole => value,
            Closure::Cut(_) => value.of_a_part(threshold.metric),
        };
        let limit_ns = u64::try_from(threshold.max.as_nanos()).unwrap_or(u64::MAX);
        let (measured, at_least, verdict) = match value {
            Value::Exactly(ns) | Value::AtLeast(ns) if ns > limit_ns => (Some(ns), None, Validity::Invalid),
            Value::Exactly(ns) => (Some(ns), None, Validity::Valid),
            Value::AtLeast(ns) => (None, Some(ns), Validity::Unknown),
            Value::Nothing => (None, None, Validity::Unknown),
        };
        let [measured_ms, at_least_ms] = [measured, at_least].map(|ns| ns.map(|ns| TimeNs(ns).as_millis()));
        let max_ms = TimeNs(limit_ns).as_millis();
        ThresholdLine { metric: threshold.metric, max_ms, measured_ms, at_least_ms, verdict }
    });
    lines.collect()
}

fn slowest(all: &[Lasted]) -> Value {
    let over = |lasted: &Lasted| matches!(lasted, Lasted::Exactly(_));
    let longest = all.iter().map(|lasted| match lasted {
        Lasted::Exactly(ns) | Lasted::AtLeast(ns) => *ns,
    });
    match longest.max() {
        None => Value::Nothing,
        Some(longest) if all.iter().all(over) => Value::Exactly(longest),
        Some(longest) => Value::AtLeast(longest),
    }
}

/// From schedule to acknowledgement: the quantile that the report shows.
fn quantile(latency: &Histogram, per_mille: u64) -> Value {
    latency.quantile_us(per_mille).map_or(Value::Nothing, |us| Value::Exactly(u64::from(us) * 1000))
}
