//! The top of the page: the verdict in a sentence, how to repeat the run, and the checks behind it.

use maud::{Markup, html};

use super::{Filter, anomalies, class_of, filtered, pill, scrolled};
use crate::anomaly::{CheckName, Validity};
use crate::report::status::{check_words, first_reason, measured_words, outcome_word};
use crate::report::{Report, Standing, Window, format};
use crate::verdict::{CheckLine, Verdict};

/// The banner.
pub(super) fn banner(report: &Report) -> Markup {
    let verdict = &report.verdict;
    let standing = Standing::of_run(verdict);
    html! {
        header class={ "banner " (class_of(standing)) } {
            div class="inner" {
                p class="eyebrow" { "wiber-chaos · run " (verdict.run) }
                h1 { (verdict.scenario) }
                @if let Some(description) = &report.description { p class="description" { (description) } }
                div class="outcome" {
                    span class="badge" {
                        span aria-hidden="true" { (standing.symbol()) } " " (outcome_word(verdict.outcome))
                    }
                    p class="reason" { (first_reason(verdict)) }
                }
                @if standing != Standing::Met && !report.cards.is_empty() { p { (anomalies::jump_to_first(report)) } }
                @if verdict.reasons.len() > 1 {
                    ul class="reasons" { @for reason in &verdict.reasons[1..] { li { (reason) } } }
                }
                @if let Some(missing) = &report.cut {
                    p class="cut" { strong { "The history is cut: " } (missing) "." }
                }
                (tiles(report))
                (repeat(report))
            }
        }
    }
}

/// The few numbers that a person compares between runs.
fn tiles(report: &Report) -> Markup {
    let verdict = &report.verdict;
    let proven = verdict.faults.iter().filter(|fault| fault.proven).count();
    let latency = report.latencies.iter().find(|window| window.window == Window::Run).and_then(|w| w.latency);
    let tiles = [
        ("acknowledged", format::count(verdict.counts.acked)),
        ("lost", lost(verdict)),
        ("indeterminate", format::count(verdict.counts.indeterminate)),
        ("anomalies", format::count(report.anomalies_found())),
        ("faults proven", format!("{proven} of {}", verdict.faults.len())),
        ("unavailability", format::or_dash(verdict.availability.max_unavailability_ms, format::duration_ms)),
        ("latency p99", format::or_dash(latency, |latency| format::duration_us(latency.p99_us))),
        ("duration", format::duration_ms(report.end_ns.as_millis())),
    ];
    html! { dl class="tiles" { @for (name, value) in tiles { div { dt { (name) } dd { (value) } } } } }
}

/// How many acknowledged records are not in the log any more, as far as anybody can tell.
fn lost(verdict: &Verdict) -> String {
    let line = verdict.checks.iter().find(|line| line.check == CheckName::LostWrite);
    match line.map(|line| (line.verdict, line.found)) {
        Some((Validity::Valid | Validity::Invalid, found)) => format::count(found),
        Some((Validity::Unknown, _)) => "unknown".to_owned(),
        Some((Validity::Skipped, _)) | None => format::or_dash(None, format::count),
    }
}

fn repeat(report: &Report) -> Markup {
    html! {
        p class="repeat" {
            span { "Repeat from this run’s directory" }
            code { (report.reproduce_command("scenario.toml")) }
            span { "verdict " (report.verdict.verdict) ", exit code " (report.verdict.exit_code) }
        }
    }
}

/// The checks: those that fail first, then those that nobody can tell, then the rest.
pub(super) fn checks(report: &Report) -> Markup {
    let mut lines: Vec<&CheckLine> = report.verdict.checks.iter().collect();
    lines.sort_by_key(|line| std::cmp::Reverse(Standing::of_check(line, &report.verdict)));
    let table = html! {
        table class="checks" {
            caption { span { "Each check asks one question of the whole history." } }
            thead { tr {
                th scope="col" { "Result" } th scope="col" { "Check" } th scope="col" class="number" { "Found" }
                th scope="col" class="number" { "Examined" } th scope="col" { "Expected" }
                th scope="col" { "Verdict" }
            } }
            tbody { @for line in lines { (check(line, &report.verdict)) } }
        }
    };
    html! {
        (filtered("Checks", Filter::Rows, &table))
        @if !report.verdict.thresholds.is_empty() { (thresholds(report)) }
    }
}

fn check(line: &CheckLine, verdict: &Verdict) -> Markup {
    let standing = Standing::of_check(line, verdict);
    html! {
        tr class=(class_of(standing)) {
            td { (pill(standing, check_words(line, verdict))) }
            th scope="row" {
                span class="name" { (line.check) }
                span class="aside" { (line.check.question()) }
                @for note in &line.notes { span class="note" { (note) } }
            }
            td class="number" { (format::count(line.found)) }
            td class="number" { (format::count(line.examined)) }
            td { (line.expect) }
            td { (line.verdict) }
        }
    }
}

fn thresholds(report: &Report) -> Markup {
    let table = html! {
        table {
            caption { span { "Thresholds" } }
            thead { tr {
                th scope="col" { "Result" } th scope="col" { "Metric" } th scope="col" class="number" { "Measured" }
                th scope="col" class="number" { "At most" }
            } }
            tbody { @for line in &report.verdict.thresholds {
                @let standing = Standing::of_threshold(line);
                @let words = match standing {
                    Standing::Met => "within",
                    Standing::Skipped | Standing::Unknown => "unknown",
                    Standing::Broken => "breached",
                };
                tr class=(class_of(standing)) {
                    td { (pill(standing, words)) }
                    th scope="row" { span class="name" { (line.metric.name()) } }
                    td class="number" { (measured_words(line)) }
                    td class="number" { (format::duration_ms(line.max_ms)) }
                }
            } }
        }
    };
    scrolled("Thresholds", &table)
}
