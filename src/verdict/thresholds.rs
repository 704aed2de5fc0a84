//! Thresholds: one number measured, one limit, valid within it.
//!
//! What there was nothing to measure for is unknown. A recovery that was never seen is measured by how long it had lasted
//! when the history ended: beyond the limit that is a breach, within it nobody can tell. In the same way a cut history shows
//! how long something lasted at least, and no percentile: nobody knows which rows are missing.

use crate::anomaly::Validity;
use crate::history::{Closure, History};
use crate::kafka::{Outcome, TimeNs};
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
pub fn judge(history: &History, scenario: &Scenario, measured: &Measured) -> Vec<ThresholdLine> {
    let needs_latency =
        |metric| matches!(metric, Metric::ProduceLatencyP50 | Metric::ProduceLatencyP99 | Metric::ProduceLatencyMax);
    let latencies = scenario
        .thresholds
        .iter()
        .any(|threshold| needs_latency(threshold.metric))
        .then(|| latencies(history))
        .flatten();
    let lines = scenario.thresholds.iter().map(|threshold| {
        let value = match threshold.metric {
            Metric::Unavailability => measured.unavailability_ns.map_or(Value::Nothing, Value::Exactly),
            Metric::Recovery => slowest(&measured.recoveries),
            Metric::ConsumeStall => measured.consume_stall_ns.map_or(Value::Nothing, Value::Exactly),
            Metric::CatchUp => slowest(&measured.catch_ups),
            Metric::ProduceLatencyP50 => percentile(latencies.as_ref(), 50),
            Metric::ProduceLatencyP99 => percentile(latencies.as_ref(), 99),
            Metric::ProduceLatencyMax => percentile(latencies.as_ref(), 100),
        };
        let value = match &history.closure {
            Closure::Whole => value,
            Closure::Cut(_) => value.of_a_part(threshold.metric),
        };
        let max_ns = u64::try_from(threshold.max.as_nanos()).unwrap_or(u64::MAX);
        let (measured, verdict) = match value {
            Value::Exactly(ns) | Value::AtLeast(ns) if ns > max_ns => (Some(ns), Validity::Invalid),
            Value::Exactly(ns) => (Some(ns), Validity::Valid),
            Value::AtLeast(_) | Value::Nothing => (None, Validity::Unknown),
        };
        let measured_ms = measured.map(|ns| TimeNs(ns).as_millis());
        ThresholdLine { metric: threshold.metric, max_ms: TimeNs(max_ns).as_millis(), measured_ms, verdict }
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

/// From schedule to acknowledgement, in microseconds, sorted; `None` when nothing was acknowledged. Exact, so that a limit
/// is judged by the very figure that the report shows.
fn latencies(history: &History) -> Option<Vec<u32>> {
    let sends = history.partitions.values().flat_map(|rows| &rows.sends);
    let mut latencies: Vec<u32> = sends
        .filter(|send| send.outcome == Outcome::Ok)
        .map(|send| u32::try_from(send.complete_ns.since(send.scheduled_ns) / 1000).unwrap_or(u32::MAX))
        .collect();
    latencies.sort_unstable();
    (!latencies.is_empty()).then_some(latencies)
}

/// The nearest-rank quantile, given as a share of a hundred: the value at place `ceil(percent / 100 * n)`.
fn percentile(latencies: Option<&Vec<u32>>, percent: usize) -> Value {
    latencies.map_or(Value::Nothing, |sorted| {
        let place = (sorted.len() * percent).div_ceil(100).max(1) - 1;
        Value::Exactly(u64::from(sorted[place]) * 1000)
    })
}
