//! A card a scenario: how its runs ended, and how long what its faults did has lasted from run to run.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::spark::{Point, Spark, shown};
use crate::report::html::{class_of, pill};
use crate::report::index::{Entry, Longest, longest_recovery};
use crate::report::status::outcome_word;
use crate::report::{Standing, format};
use crate::verdict::Verdict;

/// More points than this would lie on one another; the last ones are shown.
const MOST_POINTS: usize = 60;

/// One card a scenario, by name.
pub(super) fn trends(entries: &[Entry]) -> Markup {
    let mut scenarios: BTreeMap<&str, Vec<(&Entry, &Verdict)>> = BTreeMap::new();
    // Entries come the latest first, and a line goes from left to right.
    for (entry, verdict) in entries.iter().rev().filter_map(|entry| entry.verdict().map(|verdict| (entry, verdict))) {
        scenarios.entry(entry.scenario()).or_default().push((entry, verdict));
    }
    html! {
        @if scenarios.is_empty() { p class="empty" { "No run here was judged." } }
        div class="trends" {
            @for (at, (name, runs)) in scenarios.iter().enumerate() { (card(at, name, runs)) }
        }
    }
}

fn card(at: usize, name: &str, runs: &[(&Entry, &Verdict)]) -> Markup {
    let last = runs.last().map(|(_, verdict)| *verdict);
    let shown = &runs[runs.len().saturating_sub(MOST_POINTS)..];
    html! {
        article class="trend" {
            h3 { (name) }
            p class="aside" {
                @if let Some(last) = last {
                    span class=(class_of(Standing::of_run(last))) {
                        (pill(Standing::of_run(last), outcome_word(last.outcome)))
                    }
                    " last, of " (format::counted(runs.len() as u64, "run"))
                }
            }
            (line(at, "recovery", "Longest recovery after a heal", shown, longest_recovery))
            (line(at, "outage", "Longest unavailability of a partition", shown, unavailability))
            (line(at, "stall", "Longest stall of a consumer group", shown, stall))
        }
    }
}

/// Nothing sent is no availability.
fn unavailability(verdict: &Verdict) -> Longest {
    let known = verdict.availability.max_unavailability_ms.filter(|_| verdict.counts.sent > 0);
    known.map_or(Longest::Nothing, Longest::Ms)
}

fn stall(verdict: &Verdict) -> Longest {
    let known = verdict.availability.max_consume_stall_ms.filter(|_| verdict.counts.read > 0);
    known.map_or(Longest::Nothing, Longest::Ms)
}

type Value = fn(&Verdict) -> Longest;

/// One line of a card: its name, its drawing, and its last value. Nothing where no run has any.
fn line(at: usize, id: &str, title: &str, runs: &[(&Entry, &Verdict)], value: Value) -> Markup {
    let point = |(entry, verdict): &(&Entry, &Verdict)| Point {
        run: entry.run().to_owned(),
        standing: Standing::of_run(verdict),
        longest: value(verdict),
    };
    let points: Vec<Point> = runs.iter().map(point).collect();
    let Some(last) = points.iter().rev().map(|point| point.longest).find(|longest| *longest != Longest::Nothing) else {
        return html! {};
    };
    let spark = Spark { id: format!("spark-{at}-{id}"), title: title.to_owned(), points };
    html! {
        div class="spark-line" {
            span class="spark-title" { (title) }
            (spark.svg())
            span class="spark-value" { (shown(last)) }
        }
    }
}
