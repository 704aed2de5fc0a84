//! Swim lanes: phases, what each broker was up to, who led each partition, where anomalies lie; faults across all of them.

mod lanes;

use maud::{Markup, html};

use super::axis::{TimeAxis, coordinate as c, text_width};
use super::frame::{Frame, LABEL_ROW, Nature, both, label_rows};
use super::places::{LANES, mark};
use super::{Filter, filtered};
use crate::anomaly::CheckName;
use crate::report::{BrokerState, PartitionReport, Report, format};

/// A lane's height, and the gap below it.
const LANE: f64 = 22.0;
const GAP: f64 = 6.0;

/// More partitions than this make a poster, not a chart.
const MOST_PARTITIONS: usize = 24;

/// One lane: its name and its bars.
struct Lane {
    name: String,
    bars: Vec<Bar>,
}

/// A stretch of a lane.
struct Bar {
    start: f64,
    end: f64,
    class: String,
    /// How much of the lane's height it fills, from the bottom.
    level: f64,
    /// The pattern that lies over its colour.
    pattern: Option<&'static str>,
    /// Written into it where there is room: the first text that fits.
    labels: Vec<String>,
    /// Shown when the pointer rests on it.
    hint: String,
    /// Where it leads, when it is a link.
    link: Option<Link>,
}

/// A bar that somebody may follow, and be led back to.
struct Link {
    /// What names the bar within its drawing.
    check: CheckName,
    second: u64,
    /// The anchor that it leads to.
    to: String,
}

/// The lanes, a legend, and the same as a table.
pub(super) fn timeline(report: &Report) -> Markup {
    if report.phases.is_empty() && report.brokers.iter().all(|lane| lane.spans.is_empty()) {
        return html! { p class="empty" { "No phase and no state of the cluster was recorded." } };
    }
    let partitions = partitions_shown(report);
    let hidden = report.partitions.len() - partitions.len();
    html! {
        figure data-chart="lanes" {
            figcaption {
                span class="chart-title" { "Who was up, who led, and when faults struck" }
                span class="legend" {
                    span { span class="key up" {} "up" }
                    span { span class="key down" {} "down" }
                    span { span class="key paused" {} "paused" }
                    span { span class="key cut-off" {} "cut off" }
                    span { span class="key unregistered" {} "not registered" }
                    span { span class="key isr" {} "ISR below full, or partitions without an owner" }
                    span { span class="key unavailable" {} "unavailable to producers for half a second or more" }
                }
                span class="readout" aria-hidden="true" {}
            }
            (both(|size| {
                let axis = TimeAxis::of(report, size);
                let lanes = lanes::all(report, &partitions, axis);
                let top = 8.0 + LABEL_ROW * label_rows(report, axis) as f64;
                let bottom = top + lanes.len() as f64 * (LANE + GAP);
                let frame = Frame { report, id: LANES, nature: Nature::Map, size, axis, top, bottom };
                let at = |index: usize| top + GAP / 2.0 + index as f64 * (LANE + GAP);
                let still = html! { @for (index, lane) in lanes.iter().enumerate() { (ground(lane, &frame, at(index))) } };
                let moves = html! {
                    @for (index, lane) in lanes.iter().enumerate() { (bars(lane, &frame, at(index))) }
                    g aria-hidden="true" { (frame.fault_bands()) }
                    // Last, so that no hatching lies over what is to be read.
                    g aria-hidden="true" {
                        @for (index, lane) in lanes.iter().enumerate() { (labels(lane, at(index))) }
                    }
                };
                frame.svg("Phases, brokers, partitions and faults over time", &description(report), &still, &moves)
            }))
        }
        @if hidden > 0 {
            p class="aside" {
                (format::counted(hidden as u64, "partition")) " that changed less often "
                @if hidden == 1 { "is" } @else { "are" } " not drawn; the table under Availability has all of them."
            }
        }
        (data(report))
    }
}

/// The partitions that are drawn: all, or those that changed the most, in their own order.
fn partitions_shown(report: &Report) -> Vec<&PartitionReport> {
    let mut shown: Vec<&PartitionReport> = report.partitions.iter().collect();
    if shown.len() > MOST_PARTITIONS {
        shown.sort_by_key(|p| (std::cmp::Reverse((p.spans.len(), p.max_unavailability_ms)), p.partition.clone()));
        shown.truncate(MOST_PARTITIONS);
        shown.sort_by(|a, b| a.partition.cmp(&b.partition));
    }
    shown
}

/// A lane's name and its line.
fn ground(lane: &Lane, frame: &Frame<'_>, y: f64) -> Markup {
    let middle = c(y + LANE / 2.0 + 4.0);
    html! {
        line class="lane" x1=(c(frame.axis.left)) x2=(c(frame.axis.right)) y1=(c(y + LANE / 2.0)) y2=(c(y + LANE / 2.0)) {}
        text class="lane-name end" x=(c(frame.axis.left - 8.0)) y=(middle) { (shortened(&lane.name, frame)) }
    }
}

/// A lane's bars. Those that lead somewhere are told to everybody; the others are in the table.
fn bars(lane: &Lane, frame: &Frame<'_>, y: f64) -> Markup {
    html! {
        @if lane.bars.iter().any(|bar| bar.link.is_some()) {
            g { @for bar in &lane.bars { (linked_bar(bar, frame, y)) } }
        } @else {
            g aria-hidden="true" { @for bar in &lane.bars { (draw_bar(bar, frame, y)) } }
        }
    }
}

fn linked_bar(bar: &Bar, frame: &Frame<'_>, y: f64) -> Markup {
    let Some(Link { check, second, to }) = &bar.link else { return draw_bar(bar, frame, y) };
    html! {
        a id=(mark(frame, *check, *second)) class="mark" href={ "#" (to) } aria-label=(bar.hint) {
            // The bar may be low; whoever aims at it has the lane's whole height.
            rect class="aim" x=(c(bar.start)) y=(c(y)) width=(c((bar.end - bar.start).max(1.0))) height=(c(LANE)) {}
            (draw_bar(bar, frame, y))
        }
    }
}

fn draw_bar(bar: &Bar, frame: &Frame<'_>, y: f64) -> Markup {
    let width = c((bar.end - bar.start).max(1.0));
    let height = (LANE * bar.level).max(2.0);
    let (x, top, height) = (c(bar.start), c(y + LANE - height), c(height));
    html! {
        rect class=(bar.class) x=(x) y=(top) width=(width) height=(height) rx="2" { title { (bar.hint) } }
        @if let Some(pattern) = bar.pattern {
            rect class="over" x=(x) y=(top) width=(width) height=(height) rx="2" fill=(frame.pattern(pattern)) {}
        }
    }
}

/// What is written into a lane's bars: the first text that has room, and all of them for whoever zooms.
fn labels(lane: &Lane, y: f64) -> Markup {
    let baseline = c(y + LANE / 2.0 + 4.0);
    html! {
        @for bar in lane.bars.iter().filter(|bar| !bar.labels.is_empty()) {
            text class="bar-label" x=(c(bar.start + 5.0)) y=(baseline) data-begins=(c(bar.start)) data-ends=(c(bar.end))
                data-labels=(bar.labels.join("|"))
            {
                (bar.labels.iter().find(|label| text_width(label) + 8.0 < bar.end - bar.start).map_or("", String::as_str))
            }
        }
    }
}

/// A lane's name as far as there is room left of the plot: a long one keeps its end, where numbers stand.
fn shortened(name: &str, frame: &Frame<'_>) -> String {
    let mut kept: String = name.to_owned();
    while text_width(&kept) > frame.axis.left - 10.0 {
        kept = kept.chars().skip(if kept.starts_with('…') { 2 } else { 1 }).collect();
        kept.insert(0, '…');
    }
    kept
}

fn description(report: &Report) -> String {
    let mut sentences: Vec<String> = report.faults.iter().map(|fault| fault.sentence.clone()).collect();
    for lane in &report.brokers {
        let troubled = lane.spans.iter().filter(|span| span.state != BrokerState::Up).count();
        if troubled > 0 {
            let stretches = format::counted(troubled as u64, "stretch").replace("stretchs", "stretches");
            sentences.push(format!("{} was not up in {stretches}.", lane.broker));
        }
    }
    sentences.push("The table below the chart has every change.".to_owned());
    sentences.join(" ")
}

/// Every stretch of every lane as a row.
fn data(report: &Report) -> Markup {
    let rows = lanes::rows(report);
    let table = html! {
        table class="data" {
            thead { tr {
                th scope="col" { "Lane" } th scope="col" { "State" } th scope="col" class="number" { "From" }
                th scope="col" class="number" { "Lasted" }
            } }
            tbody { @for row in &rows { tr {
                th scope="row" { (row.lane) } td { (row.state) }
                td class="number" { (format::moment_ms(row.start_ns.as_millis())) }
                td class="number" { (format::duration_ms(row.end_ns.since(row.start_ns) / 1_000_000)) }
            } } }
        }
    };
    html! { details { summary { "The lanes as a table" } (filtered("Lanes", Filter::Rows, &table)) } }
}
