//! Throughput and latency over time, on the time axis of the whole page, under the faults' bands.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::axis::{TimeAxis, coordinate as c};
use super::frame::{Frame, LABEL_ROW, both, label_rows};
use super::points::{Point, Points};
use super::scrolled;
use crate::report::{Report, format};

/// The height of a plot.
const HEIGHT: f64 = 200.0;

/// One line of a chart.
struct Line {
    class: &'static str,
    name: &'static str,
    value: fn(&Point) -> Option<f64>,
}

const THROUGHPUT: [Line; 4] = [
    Line { class: "sent", name: "sent", value: |point| Some(point.sent) },
    Line { class: "acked", name: "acknowledged", value: |point| Some(point.acked) },
    Line { class: "read", name: "read by groups", value: |point| Some(point.read) },
    Line { class: "not-acked", name: "failed or indeterminate", value: |point| Some(point.not_acked) },
];

const LATENCY: [Line; 3] = [
    Line { class: "p50", name: "p50", value: |point| point.p50_ms },
    Line { class: "p99", name: "p99", value: |point| point.p99_ms },
    Line { class: "max", name: "longest", value: |point| point.max_ms },
];

/// Both charts, or a sentence where there is nothing to draw.
pub(super) fn charts(report: &Report, series: &Points) -> Markup {
    if series.points.is_empty() {
        return html! { p class="empty" { "Nothing was recorded while the load ran." } };
    }
    html! {
        @if series.seconds_each > 1 {
            p class="aside" {
                "The run is long: each point covers " (series.seconds_each) " seconds. Rates are their mean, latencies those of \
                 the worst of them. " code { "timeline.csv" } " has every second."
            }
        }
        (chart(report, series, &Kind::Throughput))
        (chart(report, series, &Kind::Latency))
        (data(series))
    }
}

enum Kind {
    Throughput,
    Latency,
}

impl Kind {
    fn id(&self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Latency => "latency",
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::Throughput => "Records a second",
            Self::Latency => "Produce latency, logarithmic",
        }
    }

    fn lines(&self) -> &'static [Line] {
        match self {
            Self::Throughput => &THROUGHPUT,
            Self::Latency => &LATENCY,
        }
    }
}

fn chart(report: &Report, series: &Points, kind: &Kind) -> Markup {
    let scale = Scale::of(series, kind);
    let description = description(series, kind);
    html! {
        figure data-chart=(kind.id()) {
            figcaption {
                span class="chart-title" { (kind.title()) }
                span class="legend" { @for line in kind.lines() {
                    span {
                        svg class="swatch" viewBox="0 0 26 10" aria-hidden="true" {
                            line class={ "line " (line.class) } x1="1" x2="25" y1="5" y2="5" {}
                        }
                        (line.name)
                    }
                } }
                span class="readout" aria-hidden="true" {}
            }
            (both(|size| {
                let axis = TimeAxis::of(report, size);
                let top = 8.0 + LABEL_ROW * label_rows(report, axis) as f64;
                let frame = Frame { report, id: kind.id(), size, axis, top, bottom: top + HEIGHT };
                let content = html! {
                    (frame.time_ticks())
                    (scale.grid(&frame))
                    (frame.fault_bands())
                    (frame.fault_labels())
                    @for line in kind.lines() { (draw(line, series, &scale, &frame)) }
                };
                frame.svg(kind.title(), &description, &content)
            }))
        }
    }
}

/// What somebody who cannot see the chart should know of it.
fn description(series: &Points, kind: &Kind) -> String {
    let most = |value: fn(&Point) -> Option<f64>| {
        let with_value = series.points.iter().filter_map(|point| value(point).map(|value| (value, point.second)));
        with_value.fold(None, |best: Option<(f64, u64)>, next| match best {
            Some(best) if best.0 >= next.0 => Some(best),
            _ => Some(next),
        })
    };
    let mut text = String::new();
    for line in kind.lines() {
        match most(line.value) {
            Some((value, second)) => {
                let unit = if matches!(kind, Kind::Latency) { " ms" } else { " a second" };
                write!(text, "{}: at most {value:.1}{unit}, at second {second}. ", line.name)
            }
            None => write!(text, "{}: nothing. ", line.name),
        }
        .expect("a String takes all");
    }
    text.push_str("The table below the charts has the numbers.");
    text
}

/// From values to heights.
enum Scale {
    Linear { most: f64, step: f64 },
    Decades { low: i32, high: i32 },
}

impl Scale {
    fn of(series: &Points, kind: &Kind) -> Self {
        let values = || series.points.iter().flat_map(|p| kind.lines().iter().filter_map(move |l| (l.value)(p)));
        let most = values().fold(0.0_f64, f64::max);
        match kind {
            Kind::Throughput => {
                let step = round_step(most / 4.0);
                Self::Linear { most: ((most / step).ceil() * step).max(step), step }
            }
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

    fn y(&self, value: f64, frame: &Frame<'_>) -> f64 {
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
    fn grid(&self, frame: &Frame<'_>) -> Markup {
        let values: Vec<(f64, String)> = match self {
            Self::Linear { most, step } => {
                let whole = (most / step).round();
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "from 0 to some thousand lines at most"
                )]
                let lines = whole as u32;
                (0..=lines).map(|index| f64::from(index) * step).map(|value| (value, rate(value))).collect()
            }
            Self::Decades { low, high } => {
                (*low..=*high).map(|power| 10_f64.powi(power)).map(|value| (value, latency(value))).collect()
            }
        };
        html! {
            @for (value, text) in values {
                @let y = self.y(value, frame);
                line class="grid" x1=(c(frame.axis.left)) x2=(c(frame.axis.right)) y1=(c(y)) y2=(c(y)) {}
                text class="tick end" x=(c(frame.axis.left - 8.0)) y=(c(y + 4.0)) { (text) }
            }
        }
    }
}

/// 1, 2 or 5 times a power of ten, not below the value and at least 1.
fn round_step(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|step| *step >= value).unwrap_or(10.0 * power)
}

fn rate(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{} M", c(v / 1e6)),
        v if v >= 1e4 => format!("{} k", c(v / 1e3)),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 10,000")]
        v => format::count(v as u64),
    }
}

fn latency(ms: f64) -> String {
    match ms {
        v if v >= 1e3 => format!("{} s", v / 1e3),
        v if v >= 1.0 => format!("{v} ms"),
        v => format!("{} µs", (v * 1e3).round()),
    }
}

/// One line, broken where there is no value; a lone point becomes a short dash.
fn draw(line: &Line, series: &Points, scale: &Scale, frame: &Frame<'_>) -> Markup {
    let mut path = String::new();
    let mut pen_down = false;
    for point in &series.points {
        let Some(value) = (line.value)(point) else {
            pen_down = false;
            continue;
        };
        let middle = point.second as f64 + point.covers as f64 / 2.0;
        let (x, y) = (frame.axis.x_of_secs(middle), scale.y(value, frame));
        if pen_down {
            write!(path, "L{} {}", c(x), c(y)).expect("a String takes all");
        } else {
            write!(path, "M{} {}h.1", c(x), c(y)).expect("a String takes all");
        }
        pen_down = true;
    }
    html! { path class={ "line " (line.class) } d=(path) {} }
}

/// The numbers behind the charts.
fn data(series: &Points) -> Markup {
    let number = |value: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of records, rounded")]
        let whole = value.round() as u64;
        format::count(whole)
    };
    let ms = |value: Option<f64>| format::or_dash(value, |value| format!("{value:.2}"));
    let table = html! {
        table class="data" {
            thead { tr {
                th scope="col" class="number" { "Second" }
                th scope="col" class="number" { "Sent/s" } th scope="col" class="number" { "Acknowledged/s" }
                th scope="col" class="number" { "Failed or indeterminate/s" } th scope="col" class="number" { "Read/s" }
                th scope="col" class="number" { "p50 ms" } th scope="col" class="number" { "p99 ms" }
                th scope="col" class="number" { "Longest ms" }
            } }
            tbody { @for point in &series.points { tr {
                th scope="row" class="number" { (format::count(point.second)) }
                td class="number" { (number(point.sent)) } td class="number" { (number(point.acked)) }
                td class="number" { (number(point.not_acked)) } td class="number" { (number(point.read)) }
                td class="number" { (ms(point.p50_ms)) } td class="number" { (ms(point.p99_ms)) }
                td class="number" { (ms(point.max_ms)) }
            } } }
        }
    };
    html! { details { summary { "The numbers behind both charts" } (scrolled("Throughput and latency", &table)) } }
}
