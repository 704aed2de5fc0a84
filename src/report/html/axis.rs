//! The time axis that all charts of the page share, and its round ticks.

use crate::history::Phase;
use crate::kafka::TimeNs;
use crate::report::Report;

/// For which width a chart is drawn. Each is drawn for both, and the style sheet shows the one that fits, so that text keeps
/// its size on a phone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// A desk.
    Wide,
    /// A phone.
    Narrow,
}

impl Size {
    pub(super) const BOTH: [Self; 2] = [Self::Wide, Self::Narrow];

    /// The class of the drawing, which is also part of its ids.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Narrow => "narrow",
        }
    }

    /// The drawing's width in user units, about a pixel each.
    pub(super) fn width(self) -> f64 {
        match self {
            Self::Wide => 1120.0,
            Self::Narrow => 400.0,
        }
    }

    /// Where the plot begins: left of it stand the labels.
    pub(super) fn left(self) -> f64 {
        match self {
            Self::Wide => 142.0,
            Self::Narrow => 80.0,
        }
    }

    fn most_ticks(self) -> u64 {
        match self {
            Self::Wide => 12,
            Self::Narrow => 5,
        }
    }
}

/// Time from left to right.
#[derive(Clone, Copy)]
pub(super) struct TimeAxis {
    from_ns: u64,
    to_ns: u64,
    pub(super) left: f64,
    pub(super) right: f64,
}

impl TimeAxis {
    /// From the load's beginning to its end and the drain's: starting and stopping brokers would only squeeze the rest.
    pub(super) fn of(report: &Report, size: Size) -> Self {
        let start = report.phases.iter().find(|span| span.phase != Phase::Start).map_or(0, |span| span.start_ns.0);
        let stop = report.phases.iter().find(|span| span.phase == Phase::Stop);
        let end = stop.map_or(report.end_ns.0, |span| span.start_ns.0);
        let to_ns = if end > start { end } else { start + 1_000_000_000 };
        Self { from_ns: start, to_ns, left: size.left(), right: size.width() - 24.0 }
    }

    /// The axis's first and last moment in seconds.
    pub(super) fn seconds(self) -> (f64, f64) {
        (TimeNs(self.from_ns).as_secs_f64(), TimeNs(self.to_ns).as_secs_f64())
    }

    /// Where a moment lies; one beyond the axis lies at its end.
    pub(super) fn x(self, time: TimeNs) -> f64 {
        self.x_of_secs(time.as_secs_f64())
    }

    /// Where a moment in seconds lies.
    pub(super) fn x_of_secs(self, seconds: f64) -> f64 {
        let (from, to) = self.seconds();
        self.left + ((seconds - from) / (to - from)).clamp(0.0, 1.0) * (self.right - self.left)
    }

    /// Round moments in seconds, each with its text: as many as have room.
    pub(super) fn ticks(self, size: Size) -> Vec<(u64, String)> {
        const STEPS: [u64; 16] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400];
        let (from, to) = (self.from_ns.div_ceil(1_000_000_000), self.to_ns / 1_000_000_000);
        let span = to.saturating_sub(from);
        let step = STEPS.into_iter().find(|step| span / step <= size.most_ticks()).unwrap_or(86_400);
        (from.div_ceil(step)..=to / step).map(|index| (index * step, tick_text(index * step, step))).collect()
    }
}

/// The text of a tick, in the unit of the step from one to the next, so that an axis speaks of minutes all along or not at all.
fn tick_text(seconds: u64, step: u64) -> String {
    match seconds {
        _ if step < 60 => format!("{seconds} s"),
        0..7_200 => format!("{} min", seconds / 60),
        _ if seconds.is_multiple_of(3_600) => format!("{} h", seconds / 3_600),
        _ => format!("{}:{:02} h", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// A coordinate with one decimal, enough for any screen.
pub(super) fn coordinate(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// About how wide a text of the charts' size is.
pub(super) fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * 6.4
}
