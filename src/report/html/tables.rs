//! What the faults did, how available each partition was, and what else happened.

use maud::{Markup, html};

use super::{Filter, class_of, filtered, pill, places};
use crate::report::status::caught_up_words;
use crate::report::{FaultBand, PartitionReport, Report, Standing, format};
use crate::verdict::FaultLine;

/// The faults, each with its proof.
pub(super) fn faults(report: &Report) -> Markup {
    if report.verdict.faults.is_empty() {
        return html! { p class="empty" { "The scenario has no faults." } };
    }
    let table = html! {
        table {
            caption { span {
                "After: since it was asked for. Recovery: every ISR is full again, or the clients that were struck are at work. Caught up:                  the groups have read all that was acknowledged by the heal."
            } }
            thead { tr {
                th scope="col" { "Proven" } th scope="col" { "Fault" } th scope="col" class="number" { "Injected" }
                th scope="col" class="number" { "Healed" } th scope="col" class="number" { "First failure after" }
                th scope="col" class="number" { "Acknowledged again after" }
                th scope="col" class="number" { "Recovery after heal" }
                th scope="col" class="number" { "Unavailability" } th scope="col" class="number" { "Consumers stalled" }
                th scope="col" class="number" { "Groups stable after" } th scope="col" class="number" { "Caught up after heal" }
                th scope="col" class="number" { "Sends overlapping" }
            } }
            @for (index, (line, band)) in report.verdict.faults.iter().zip(&report.faults).enumerate() {
                (fault(index, line, band))
            }
        }
    };
    filtered("Faults", Filter::Bodies, &table)
}

/// Its figures in one row, and what is said of it across all columns below them.
fn fault(index: usize, line: &FaultLine, band: &FaultBand) -> Markup {
    let standing = Standing::of_fault(line);
    html! {
        tbody class="fault" id=(places::fault_row(index)) {
            tr class=(class_of(standing)) {
                td { (pill(standing, if line.proven { "proven" } else { "not proven" })) }
                th scope="row" { span class="name" {
                    @if let Some(from) = line.injected_ms {
                        a href="#timeline" data-from=(from) data-to=[line.healed_ms] { (line.id) }
                    } @else {
                        (line.id)
                    }
                } }
                td class="number" { (format::or_dash(line.injected_ms, format::moment_ms)) }
                td class="number" { (format::or_dash(line.healed_ms, format::moment_ms)) }
                td class="number" { (format::or_dash(line.first_failure_ms, format::duration_ms)) }
                td class="number" { (format::or_dash(line.acked_again_ms, format::duration_ms)) }
                td class="number" { (format::or_dash(line.recovery_ms, format::duration_ms)) }
                td class="number" { (format::or_dash(line.unavailability_ms, format::duration_ms)) }
                td class="number" { (format::or_dash(line.consume_stall_ms, format::duration_ms)) }
                td class="number" { (format::or_dash(line.settled_ms, format::duration_ms)) }
                td class="number" { (caught_up_words(line)) }
                td class="number" { (format::count(line.sends_overlapping)) }
            }
            tr class={ (class_of(standing)) " told" } {
                td colspan="12" {
                    span class="aside" { (band.sentence) }
                    span class="note" { "Proof: " (line.proof) }
                }
            }
        }
    }
}

/// The partitions: how long each was unavailable, and what came of its sends.
pub(super) fn availability(report: &Report) -> Markup {
    if report.partitions.is_empty() {
        return html! { p class="empty" { "No partition was recorded." } };
    }
    let worst = report.partitions.iter().filter_map(|partition| partition.max_unavailability_ms).max().unwrap_or(0);
    let table = html! {
        table {
            caption { span { "Unavailable: acknowledged nothing although sends were waiting. Stall: a group got nothing although acknowledged records waited." } }
            thead { tr {
                th scope="col" { "Partition" } th scope="col" { "Longest unavailability" }
                th scope="col" class="number" { "From" } th scope="col" class="number" { "Longest stall of a group" }
                th scope="col" class="number" { "Sent" }
                th scope="col" class="number" { "Acknowledged" } th scope="col" class="number" { "Failed" }
                th scope="col" class="number" { "Indeterminate" } th scope="col" class="number" { "Log" }
                th scope="col" class="number" { "Distinct in the log" }
            } }
            tbody { @for partition in &report.partitions { (available(partition, worst)) } }
        }
    };
    filtered("Availability by partition", Filter::Rows, &table)
}

fn available(line: &PartitionReport, worst_ms: u64) -> Markup {
    // The meter compares the partitions with one another; the number beside it is the value.
    let percent = line.max_unavailability_ms.map_or(0, |ms| (ms * 100).checked_div(worst_ms).unwrap_or(0));
    let log = format::or_dash(line.range, |(start, end)| {
        let shown = |offset: i64| format::count(offset.max(0).unsigned_abs());
        format!("{} to {}", shown(start.0), shown(end.0))
    });
    html! {
        tr {
            th scope="row" { span class="name" { (line.partition) } }
            td class="metered" {
                span class="meter" aria-hidden="true" { span style={ "width:" (percent) "%" } {} }
                (format::or_dash(line.max_unavailability_ms, format::duration_ms))
            }
            td class="number" { (format::or_dash(line.unavailable_from_ms, format::moment_ms)) }
            td class="number" { (format::or_dash(line.stall.as_ref().map(|stall| stall.longest_ms), format::duration_ms)) }
            td class="number" { (format::count(line.sent)) }
            td class="number" { (format::count(line.acked)) }
            td class="number" { (format::count(line.failed)) }
            td class="number" { (format::count(line.indeterminate)) }
            td class="number" { (log) }
            td class="number" { (format::count(line.drained_distinct)) }
        }
    }
}

/// More lines than this are noise.
const MOST_INCIDENTS: usize = 100;

/// What else happened, the first first.
pub(super) fn incidents(report: &Report) -> Markup {
    if report.incidents.is_empty() {
        return html! { p class="empty" { "None: no client, no broker and no part of the harness reported an error." } };
    }
    let hidden = report.incidents.len().saturating_sub(MOST_INCIDENTS);
    let table = html! {
        table {
            thead { tr {
                th scope="col" class="number" { "First at" } th scope="col" class="number" { "Times" }
                th scope="col" { "Whom" } th scope="col" { "What" }
            } }
            tbody { @for incident in report.incidents.iter().take(MOST_INCIDENTS) { tr {
                td class="number" { (format::moment_ms(incident.first_ns.as_millis())) }
                td class="number" { (format::count(incident.count)) }
                th scope="row" { (incident.subject) } td class="text" { (incident.text) }
            } } }
        }
    };
    html! {
        (filtered("Incidents", Filter::Rows, &table))
        @if hidden > 0 {
            p class="aside" { (format::count(hidden as u64)) " more are in " code { "history/events.jsonl" } "." }
        }
    }
}
