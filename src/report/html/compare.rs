//! Two runs on one page: whether anything differs beyond noise, what, and by how much. Complete without scripts, and alone.

use maud::{DOCTYPE, Markup, html};

use super::{head, scrolled};
use crate::report::compare::{Comparison, Finding, Measure, Named, Trend};
use crate::report::status::outcome_word;

const OWN_STYLE: &str = include_str!("compare.css");

/// The whole page.
pub fn render(comparison: &Comparison) -> String {
    let (before, after) = (&comparison.before.scenario, &comparison.after.scenario);
    let what = if before == after { before.clone() } else { format!("{before} and {after}") };
    let trend = comparison.conclusion;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(&format!("{} {}: {what}", trend.symbol(), trend.word()), OWN_STYLE))
            body {
                (banner(comparison, &what))
                main {
                    @if !comparison.asked.is_empty() || !comparison.caveats.is_empty() { (explains(comparison)) }
                    (differences(comparison))
                    (within(comparison))
                }
                footer {
                    "A difference counts beyond a floor and a share of the larger value, here × " (comparison.noise)
                    "; what is true and what follows is never noise."
                }
            }
        }
    };
    let mut text = page.into_string();
    text.push('\n');
    text
}

/// The style sheet's name for a trend.
fn class_of(trend: Trend) -> &'static str {
    match trend {
        Trend::Same => "same",
        Trend::Different => "unknown",
        Trend::Better => "met",
        Trend::Worse => "broken",
    }
}

fn banner(comparison: &Comparison, what: &str) -> Markup {
    let trend = comparison.conclusion;
    let class = if trend == Trend::Same { "met" } else { class_of(trend) };
    html! {
        header class={ "banner " (class) } {
            div class="inner" {
                p class="eyebrow" { "wiber-chaos · two runs" }
                h1 { (what) }
                div class="outcome" {
                    span class="badge" { span aria-hidden="true" { (trend.symbol()) } " " (trend.word()) }
                    p class="reason" { (comparison.sentence()) }
                }
                div class="sides" {
                    (side("Before", &comparison.before))
                    (side("After", &comparison.after))
                }
            }
        }
    }
}

fn side(place: &str, run: &Named) -> Markup {
    html! {
        dl class={ "side " (place.to_lowercase()) } {
            div { dt { (place) } dd { (run.run) } }
            div { dt { "Scenario" } dd { (run.scenario) } }
            div { dt { "Outcome" } dd { (outcome_word(run.outcome)) ", verdict " (run.verdict) } }
        }
    }
}

fn explains(comparison: &Comparison) -> Markup {
    let rows = html! {
        table {
            caption { span { "What was asked of the runs: the keys of scenario.toml that differ." } }
            thead { tr { th scope="col" { "Key" } th scope="col" { "Before" } th scope="col" { "After" } } }
            tbody { @for asked in &comparison.asked { tr {
                th scope="row" { code { (asked.key) } }
                td { (value(asked.before.as_ref())) }
                td { (value(asked.after.as_ref())) }
            } } }
        }
    };
    html! {
        section aria-labelledby="explains-heading" {
            h2 id="explains-heading" { "What it may come from" }
            @if !comparison.caveats.is_empty() {
                ul class="caveats" { @for caveat in &comparison.caveats { li { (caveat) } } }
            }
            @if !comparison.asked.is_empty() { (scrolled("Keys that differ", &rows)) }
        }
    }
}

fn value(text: Option<&String>) -> Markup {
    html! { @match text { Some(text) => { code { (text) } } None => { span class="empty" { "not there" } } } }
}

fn differences(comparison: &Comparison) -> Markup {
    let beyond = comparison.beyond_noise();
    html! {
        section aria-labelledby="differences-heading" {
            h2 id="differences-heading" { "What differs" }
            @if comparison.conclusion == Trend::Same {
                p class="empty" { "Nothing beyond noise: what differs below is what two runs of one scenario differ by." }
            }
            @if !comparison.findings.is_empty() { (findings(&comparison.findings)) }
            @if !beyond.is_empty() { (measures("Measures that differ beyond noise.", &beyond)) }
        }
    }
}

fn findings(findings: &[Finding]) -> Markup {
    let table = html! {
        table {
            caption { span { "What is true of one run and not of the other: never noise." } }
            thead { tr {
                th scope="col" { "Change" } th scope="col" { "Of" } th scope="col" { "Before" } th scope="col" { "After" }
            } }
            tbody { @for finding in findings {
                tr class=(class_of(finding.trend)) {
                    td { (pill(finding.trend)) }
                    th scope="row" { span class="name" { (finding.subject.words()) } }
                    td { (finding.before) }
                    td { (finding.after) }
                }
            } }
        }
    };
    scrolled("Findings", &table)
}

fn pill(trend: Trend) -> Markup {
    html! { span class={ "pill " (class_of(trend)) } { span aria-hidden="true" { (trend.symbol()) } " " (trend.word()) } }
}

fn within(comparison: &Comparison) -> Markup {
    let within: Vec<&Measure> = comparison.within_noise().collect();
    html! {
        @if !within.is_empty() {
            section aria-labelledby="within-heading" {
                h2 id="within-heading" { "Within noise" }
                (measures("Measures that differ as two runs of one scenario do.", &within))
            }
        }
    }
}

fn measures(caption: &str, measures: &[&Measure]) -> Markup {
    let table = html! {
        table class="measures" {
            caption { span { (caption) } }
            thead { tr {
                th scope="col" { "Change" } th scope="col" { "Measure" } th scope="col" class="number" { "Before" }
                th scope="col" class="number" { "After" } th scope="col" class="number" { "Difference" }
                th scope="col" class="bars" { "Before and after" }
            } }
            tbody { @for measure in measures { (row(measure)) } }
        }
    };
    scrolled(caption, &table)
}

fn row(measure: &Measure) -> Markup {
    let of = measure.of.words();
    html! {
        tr class=(class_of(measure.trend)) {
            td { (pill(measure.trend)) }
            th scope="row" {
                span class="name" { (measure.name) }
                @if !of.is_empty() { span class="aside" { (of) } }
            }
            td class="number" { (measure.shown(measure.before)) }
            td class="number" { (measure.shown(measure.after)) }
            td class="number" { (measure.change()) }
            td class="bars" aria-hidden="true" { (bars(measure)) }
        }
    }
}

/// Both values as bars, of which the larger one is as long as there is room.
fn bars(measure: &Measure) -> Markup {
    let (before, after) = (measure.before.unwrap_or(0), measure.after.unwrap_or(0));
    let permille = |value: u64| u128::from(value) * 1000 / u128::from(before.max(after).max(1));
    let width = |value: u64| format!("width:{}.{}%", permille(value) / 10, permille(value) % 10);
    html! {
        span class="pair" {
            span class="before" style=(width(before)) {}
            span class="after" style=(width(after)) {}
        }
    }
}
