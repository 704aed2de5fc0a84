//! Counts, consumer groups, and latency by stretch of the run.

use maud::{Markup, html};

use super::scrolled;
use crate::report::{Latency, Report, Window, format};

/// The three tables.
pub(super) fn figures(report: &Report) -> Markup {
    html! {
        (counts(report))
        (latencies(report))
        @if !report.groups.is_empty() { (groups(report)) }
    }
}

fn counts(report: &Report) -> Markup {
    let counts = &report.verdict.counts;
    let rows = [
        ("sent", counts.sent, "sends invoked"),
        ("acked", counts.acked, "acknowledged: the cluster said that it has them"),
        (
            "failed",
            counts.failed,
            "refused, or of a transaction that was aborted: nobody who waits for commits is ever given them",
        ),
        ("indeterminate", counts.indeterminate, "nobody knows: may be in the log or not, and either is legal"),
        ("read", counts.read, "records read, by groups and drain together"),
        ("read, distinct", counts.read_distinct, "distinct records that the drain found in the log"),
        ("in flight at most", report.max_in_flight, "sends waiting at once, over all producers"),
    ];
    let rates = report.verdict.rates.iter().map(|line| {
        let of = format!("of {:.0} a second that {} were asked for", line.asked_per_second, line.producers);
        (format!("{:.0}/s", line.sent_per_second), of)
    });
    let table = html! {
        table {
            caption { span { "Records" } }
            tbody { @for (name, value, meaning) in rows { tr {
                th scope="row" { (name) } td class="number" { (format::count(value)) } td class="text" { (meaning) }
            } }
            @for (value, meaning) in rates { tr {
                th scope="row" { "rate" } td class="number" { (value) } td class="text" { (meaning) }
            } } }
        }
    };
    scrolled("Records", &table)
}

fn latencies(report: &Report) -> Markup {
    let us = |latency: Option<Latency>, value: fn(Latency) -> u32| {
        format::or_dash(latency, |latency| format::duration_us(value(latency)))
    };
    let table = html! {
        table {
            caption { span { "Produce latency, from schedule to acknowledgement" } }
            thead { tr {
                th scope="col" { "Sends" } th scope="col" class="number" { "Count" } th scope="col" class="number" { "p50" }
                th scope="col" class="number" { "p90" } th scope="col" class="number" { "p99" }
                th scope="col" class="number" { "p99.9" } th scope="col" class="number" { "Longest" }
            } }
            tbody { @for window in &report.latencies {
                @let latency = window.latency;
                tr {
                    th scope="row" { (window_text(&window.window)) }
                    td class="number" { (format::count(latency.map_or(0, |latency| latency.count))) }
                    td class="number" { (us(latency, |latency| latency.p50_us)) }
                    td class="number" { (us(latency, |latency| latency.p90_us)) }
                    td class="number" { (us(latency, |latency| latency.p99_us)) }
                    td class="number" { (us(latency, |latency| latency.p999_us)) }
                    td class="number" { (us(latency, |latency| latency.max_us)) }
                }
            } }
        }
    };
    scrolled("Latency", &table)
}

fn window_text(window: &Window) -> String {
    match window {
        Window::Run => "all".to_owned(),
        Window::Phase(phase) => format!("scheduled in {}", phase.name()),
        Window::Fault(fault) => format!("waiting during {fault}"),
    }
}

fn groups(report: &Report) -> Markup {
    let table = html! {
        table {
            caption { span { "Consumer groups" } }
            thead { tr {
                th scope="col" { "Group" } th scope="col" class="number" { "Members" }
                th scope="col" class="number" { "Reads" } th scope="col" class="number" { "Redeliveries" }
                th scope="col" class="number" { "Assignments" } th scope="col" class="number" { "Rebalances" }
                th scope="col" class="number" { "Thrown out" } th scope="col" class="number" { "Commits" }
                th scope="col" class="number" { "Commits not ok" } th scope="col" class="number" { "Behind at the end" }
            } }
            tbody { @for group in &report.groups { tr {
                th scope="row" { span class="name" { (group.group) } }
                td class="number" { (format::count(group.members)) }
                td class="number" { (format::count(group.reads)) }
                td class="number" { (format::count(group.redeliveries)) }
                td class="number" { (format::count(group.assignments)) }
                td class="number" { (format::count(group.rebalances)) }
                td class="number" { (format::count(group.losses)) }
                td class="number" { (format::count(group.commits_ok)) }
                td class="number" { (format::count(group.commits_not_ok)) }
                td class="number" { (format::or_dash(group.behind, format::count)) }
            } } }
        }
    };
    scrolled("Consumer groups", &table)
}
