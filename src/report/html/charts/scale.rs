//! From values to heights, and the lines across a plot that tell them.

use maud::{Markup, html};

use super::kind::Kind;
use crate::report::format;
use crate::report::html::axis::coordinate as c;
use crate::report::html::frame::Frame;
use crate::report::html::points::Points;

/// From values to heights.
pub(super) enum Scale {
    Linear { most: f64, step: f64, text: fn(f64) -> String },
    Decades { low: i32, high: i32 },
}

impl Scale {
    pub(super) fn of(series: &Points, kind: Kind) -> Self {
        let values = || series.points.iter().flat_map(|p| kind.lines().iter().filter_map(move |l| (l.value)(p)));
        let most = values().fold(0.0_f64, f64::max);
        // A low plot has room for fewer lines.
        let lines = if kind.height() > 100.0 { 4.0 } else { 2.0 };
        let linear = |text: fn(f64) -> String| {
            let step = round_step(most / lines);
            Self::Linear { most: ((most / step).ceil() * step).max(step), step, text }
        };
        match kind {
            Kind::Throughput | Kind::Errors | Kind::Replication | Kind::Unread => linear(count),
            Kind::Lag => linear(wait),
            Kind::Latency => {
                let least = values().filter(|value| *value > 0.0).fold(f64::MAX, f64::min);
                let decade = |value: f64| value.log10().clamp(-3.0, 7.0);
                let low = if least < f64::MAX { decade(least).floor() } else { -1.0 };
                let high = if most > 0.0 { decade(most).ceil().max(low + 1.0) } else { low + 1.0 };
                #[expect(clippy::cast_possible_truncation, reason = "whole numbers between -3 and 8")]
                Self::Decades { low: low as i32, high: high as i32 }
            }
        }
    }

    pub(super) fn y(&self, value: f64, frame: &Frame<'_>) -> f64 {
        let part = match self {
            Self::Linear { most, .. } => value / most,
            Self::Decades { low, high } => {
                let (low, high) = (f64::from(*low), f64::from(*high));
                if value > 0.0 { (value.log10() - low) / (high - low) } else { 0.0 }
            }
        };
        frame.bottom - part.clamp(0.0, 1.0) * (frame.bottom - frame.top)
    }

    /// The horizontal lines and their values.
    pub(super) fn grid(&self, frame: &Frame<'_>) -> Markup {
        html! {
            @for (value, text) in self.values() {
                @let y = self.y(value, frame);
                line class="grid" x1=(c(frame.axis.left)) x2=(c(frame.axis.right)) y1=(c(y)) y2=(c(y)) {}
                text class="tick end" x=(c(frame.axis.left - 8.0)) y=(c(y + 4.0)) { (text) }
            }
        }
    }

    fn values(&self) -> Vec<(f64, String)> {
        match self {
            Self::Linear { most, step, text } => {
                let whole = (most / step).round();
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "from 0 to some thousand lines at most"
                )]
                let lines = whole as u32;
                (0..=lines).map(|index| f64::from(index) * step).map(|value| (value, text(value))).collect()
            }
            Self::Decades { low, high } => {
                (*low..=*high).map(|power| 10_f64.powi(power)).map(|value| (value, latency(value))).collect()
            }
        }
    }
}

/// 1, 2 or 5 times a power of ten, not below the value and at least 1.
fn round_step(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|step| *step >= value).unwrap_or(10.0 * power)
}

fn count(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{} M", c(v / 1e6)),
        v if v >= 1e4 => format!("{} k", c(v / 1e3)),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 10,000")]
        v => format::count(v as u64),
    }
}

fn wait(ms: f64) -> String {
    if ms >= 1e3 { format!("{} s", c(ms / 1e3)) } else { format!("{ms} ms") }
}

fn latency(ms: f64) -> String {
    match ms {
        v if v >= 1e3 => format!("{} s", v / 1e3),
        v if v >= 1.0 => format!("{v} ms"),
        v => format!("{} µs", (v * 1e3).round()),
    }
}
