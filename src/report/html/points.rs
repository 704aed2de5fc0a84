//! The series as the charts show them: a point a second, or a point for several seconds when a run is long.

use std::fmt::Write as _;

use super::axis::{Size, TimeAxis};
use crate::report::{Report, Second};

/// More points than this no chart can show apart.
const MOST_POINTS: usize = 480;

/// The series of a page.
pub(super) struct Points {
    /// How many seconds each point covers.
    pub(super) seconds_each: usize,
    pub(super) points: Vec<Point>,
}

/// One point: rates are means over its seconds; all else is as it was in the worst of them.
pub(super) struct Point {
    /// Its first second.
    pub(super) second: u64,
    /// How many seconds it covers; fewer than the others at the end of a run.
    pub(super) covers: u64,
    pub(super) sent: f64,
    pub(super) acked: f64,
    pub(super) failed: f64,
    pub(super) indeterminate: f64,
    pub(super) read: f64,
    pub(super) p50_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
    pub(super) max_ms: Option<f64>,
    pub(super) under_replicated: Option<f64>,
    pub(super) unread: Option<f64>,
    pub(super) lag_ms: Option<f64>,
}

impl Points {
    pub(super) fn of(report: &Report) -> Self {
        let (from, to) = TimeAxis::of(report, Size::Wide).seconds();
        let shown: Vec<&Second> = report
            .seconds
            .iter()
            .filter(|second| second.second as f64 + 1.0 > from && (second.second as f64) < to)
            .collect();
        let seconds_each = shown.len().div_ceil(MOST_POINTS).max(1);
        Self { seconds_each, points: shown.chunks(seconds_each).map(point).collect() }
    }

    /// Columns of numbers for the cursor's read-out. Nothing in it comes from a name, and so nothing can end the script.
    pub(super) fn json(&self) -> String {
        let mut text = String::from("{");
        let column = |text: &mut String, name: &str, value: &dyn Fn(&Point) -> Option<f64>| {
            if text.len() > 1 {
                text.push(',');
            }
            write!(text, "\"{name}\":[").expect("a String takes all");
            for (index, point) in self.points.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                match value(point) {
                    Some(value) => write!(text, "{comma}{}", (value * 100.0).round() / 100.0),
                    None => write!(text, "{comma}null"),
                }
                .expect("a String takes all");
            }
            text.push(']');
        };
        column(&mut text, "second", &|point| Some(point.second as f64));
        column(&mut text, "sent", &|point| Some(point.sent));
        column(&mut text, "acked", &|point| Some(point.acked));
        column(&mut text, "failed", &|point| Some(point.failed));
        column(&mut text, "indeterminate", &|point| Some(point.indeterminate));
        column(&mut text, "read", &|point| Some(point.read));
        column(&mut text, "p50", &|point| point.p50_ms);
        column(&mut text, "p99", &|point| point.p99_ms);
        column(&mut text, "max", &|point| point.max_ms);
        column(&mut text, "under_replicated", &|point| point.under_replicated);
        column(&mut text, "unread", &|point| point.unread);
        column(&mut text, "lag", &|point| point.lag_ms);
        write!(text, ",\"each\":{}}}", self.seconds_each).expect("a String takes all");
        text
    }
}

fn point(seconds: &[&Second]) -> Point {
    let mean = |value: fn(&Second) -> u64| {
        seconds.iter().map(|second| value(second)).sum::<u64>() as f64 / seconds.len() as f64
    };
    let worst = |value: fn(&crate::report::Latency) -> u32| {
        let worst = seconds.iter().filter_map(|second| second.latency.as_ref()).map(value).max();
        worst.map(|us| f64::from(us) / 1000.0)
    };
    let most =
        |value: fn(&Second) -> Option<u64>| seconds.iter().filter_map(|second| value(second)).max().map(|v| v as f64);
    Point {
        second: seconds[0].second,
        covers: seconds.len() as u64,
        sent: mean(|second| second.sent),
        acked: mean(|second| second.acked),
        failed: mean(|second| second.failed),
        indeterminate: mean(|second| second.indeterminate),
        read: mean(|second| second.read),
        p50_ms: worst(|latency| latency.p50_us),
        p99_ms: worst(|latency| latency.p99_us),
        max_ms: worst(|latency| latency.max_us),
        under_replicated: most(|second| second.under_replicated.map(u64::from)),
        unread: most(|second| second.unread),
        lag_ms: most(|second| second.lag_ms),
    }
}
