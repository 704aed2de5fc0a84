//! `report.html`: one self-contained page that answers "can I trust this run?" first, and "what happened?" below that.
//!
//! Everything is inline and complete without scripts; the one script only adds a cursor shared by the charts. The page makes no
//! request, so that it opens from a file, an archive or a CI artefact with a strict content policy alike.

mod anomalies;
mod axis;
mod charts;
mod configuration;
mod figures;
mod frame;
mod points;
mod tables;
mod timeline;
mod verdict;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::status::outcome_word;
use super::{Report, Standing};

const STYLE: &str = include_str!("html/style.css");
const CURSOR: &str = include_str!("html/cursor.js");

/// The sections below the verdict, in order: anchor and title.
const SECTIONS: [(&str, &str); 9] = [
    ("checks", "Checks"),
    ("timeline", "Timeline"),
    ("load", "Throughput and latency"),
    ("faults", "Faults"),
    ("availability", "Availability"),
    ("anomalies", "Anomalies"),
    ("figures", "Figures"),
    ("incidents", "Incidents"),
    ("configuration", "Configuration"),
];

/// The whole page.
pub fn render(report: &Report) -> String {
    let verdict = &report.verdict;
    let title =
        format!("{} {}: {}", Standing::of_run(verdict).symbol(), outcome_word(verdict.outcome), verdict.scenario);
    let series = points::Points::of(report);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a class="skip" href="#checks" { "Skip to the checks" }
                (verdict::banner(report))
                nav aria-label="Sections" {
                    @for (anchor, title) in SECTIONS { a href={ "#" (anchor) } { (title) } }
                }
                main {
                    (section("checks", &verdict::checks(report)))
                    (section("timeline", &timeline::timeline(report)))
                    (section("load", &charts::charts(report, &series)))
                    (section("faults", &tables::faults(report)))
                    (section("availability", &tables::availability(report)))
                    (section("anomalies", &anomalies::anomalies(report)))
                    (section("figures", &figures::figures(report)))
                    (section("incidents", &tables::incidents(report)))
                    (section("configuration", &configuration::configuration(report)))
                }
                footer { "wiber-chaos " (report.environment.wiber_chaos) ", run " (verdict.run) }
                script type="application/json" id="points" { (PreEscaped(series.json())) }
                script { (PreEscaped(CURSOR)) }
            }
        }
    };
    let mut text = page.into_string();
    text.push('\n');
    text
}

/// A section with its heading, by its anchor in [`SECTIONS`].
fn section(anchor: &str, content: &Markup) -> Markup {
    let title = SECTIONS.iter().find(|(known, _)| *known == anchor).map_or(anchor, |(_, title)| title);
    let heading = format!("{anchor}-heading");
    html! {
        section id=(anchor) aria-labelledby=(heading) {
            h2 id=(heading) { (title) }
            (content)
        }
    }
}

/// A table that scrolls in its own box, so that the page never scrolls sideways; focusable, so that keys scroll it too.
fn scrolled(label: &str, table: &Markup) -> Markup {
    html! { div class="scroll" role="region" tabindex="0" aria-label=(label) { (table) } }
}

/// A standing as a pill: symbol, word and colour, any of which suffices.
fn pill(standing: Standing, words: &str) -> Markup {
    html! { span class={ "pill " (class_of(standing)) } { span aria-hidden="true" { (standing.symbol()) } " " (words) } }
}

/// The style sheet's name for a standing.
fn class_of(standing: Standing) -> &'static str {
    match standing {
        Standing::Met => "met",
        Standing::Skipped | Standing::Unknown => "unknown",
        Standing::Broken => "broken",
    }
}

#[cfg(test)]
mod tests;
