//! The load over time: throughput, errors, latency, replication and lag, on the time axis of the whole page, under the faults' bands.

mod data;
mod kind;
mod scale;

use std::fmt::Write as _;

use maud::{Markup, html};

use super::axis::{TimeAxis, coordinate as c};
use super::frame::{Frame, LABEL_ROW, Nature, both, label_rows};
use super::points::{Point, Points};
use crate::report::Report;
use kind::{Kind, Line};
use scale::Scale;

/// All charts and the numbers behind them, or a sentence where there is nothing to draw.
pub(super) fn charts(report: &Report, series: &Points) -> Markup {
    if series.points.is_empty() {
        return html! { p class="empty" { "Nothing was recorded while the load ran." } };
    }
    html! {
        @if series.seconds_each > 1 {
            p class="aside" {
                "The run is long: each point covers " (series.seconds_each) " seconds. Rates are their mean, all else is as it was in \
                 the worst of them. " code { "timeline.csv" } " has every second."
            }
        }
        @for kind in Kind::ALL { (chart(report, series, kind)) }
        (data::table(series))
    }
}

fn chart(report: &Report, series: &Points, kind: Kind) -> Markup {
    if let Some(sentence) = kind.nothing_to_draw(series, report) {
        return html! {
            div class="no-chart" { span class="chart-title" { (kind.title()) } " " span class="empty" { (sentence) } }
        };
    }
    let scale = Scale::of(series, kind);
    let description = description(series, kind);
    html! {
        figure data-chart=(kind.id()) {
            figcaption {
                span class="chart-title" { (kind.title()) }
                span class="legend" { @for line in kind.lines() {
                    span data-line=(line.class) {
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
                let bottom = top + kind.height();
                let frame = Frame { report, id: kind.id(), nature: Nature::Picture, size, axis, top, bottom };
                let moves = html! {
                    (frame.fault_bands())
                    @for line in kind.lines() { (draw(line, series, &scale, &frame)) }
                };
                frame.svg(kind.title(), &description, &scale.grid(&frame), &moves)
            }))
        }
    }
}

/// What somebody who cannot see the chart should know of it.
fn description(series: &Points, kind: Kind) -> String {
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
                write!(text, "{}: at most {value:.1}{}, at second {second}. ", line.name, kind.unit())
            }
            None => write!(text, "{}: nothing. ", line.name),
        }
        .expect("a String takes all");
    }
    text.push_str("The table below the charts has the numbers.");
    text
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
