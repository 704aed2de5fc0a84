//! `report.html`: one self-contained page that answers "can I trust this run?" first, and "what happened?" below that.
//!
//! Everything is inline and complete without scripts; the one script only adds what moves: a stretch of time and a cursor that all
//! charts share, and filters of long tables. The page makes no request, so that it opens from a file, an archive or a CI artefact with
//! a strict content policy alike.

mod anomalies;
mod axis;
mod charts;
pub mod compare;
mod configuration;
mod figures;
mod frame;
pub mod index;
mod places;
mod points;
mod tables;
mod timeline;
mod verdict;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::status::outcome_word;
use super::{Report, Standing};

/// What every page looks like.
const STYLE: &str = include_str!("html/style.css");

/// What the report's page does where scripts may run, in the order in which one part needs another.
const SCRIPT: &str = concat!(
    include_str!("html/script/axis.js"),
    include_str!("html/script/zoom.js"),
    include_str!("html/script/cursor.js"),
    include_str!("html/script/filter.js")
);

/// The sections below the verdict, in order: anchor and title.
const SECTIONS: [(&str, &str); 9] = [
    ("checks", "Checks"),
    ("timeline", "Timeline"),
    ("load", "Load over time"),
    ("faults", "Faults"),
    ("availability", "Availability"),
    ("anomalies", "Anomalies"),
    ("figures", "Figures"),
    ("incidents", "Incidents"),
    ("configuration", "Configuration"),
];

/// The head of a page: its title, and how it looks.
fn head(title: &str, own_style: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) }
            style { (PreEscaped(STYLE)) (PreEscaped(own_style)) }
        }
    }
}

/// The whole page.
pub fn render(report: &Report) -> String {
    let verdict = &report.verdict;
    let title =
        format!("{} {}: {}", Standing::of_run(verdict).symbol(), outcome_word(verdict.outcome), verdict.scenario);
    let series = points::Points::of(report);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(&title, ""))
            body {
                a class="skip" href="#checks" { "Skip to the checks" }
                (verdict::banner(report))
                nav aria-label="Sections" {
                    @for (anchor, title) in SECTIONS { a href={ "#" (anchor) } { (title) } }
                }
                main {
                    (section("checks", &verdict::checks(report)))
                    div class="over-time" {
                        (time_bar())
                        (section("timeline", &timeline::timeline(report)))
                        (section("load", &charts::charts(report, &series)))
                    }
                    (section("faults", &tables::faults(report)))
                    (section("availability", &tables::availability(report)))
                    (section("anomalies", &anomalies::anomalies(report)))
                    (section("figures", &figures::figures(report)))
                    (section("incidents", &tables::incidents(report)))
                    (section("configuration", &configuration::configuration(report)))
                }
                footer { "wiber-chaos " (report.environment.wiber_chaos) ", run " (verdict.run) }
                script type="application/json" id="points" { (PreEscaped(series.json())) }
                script { (PreEscaped(SCRIPT)) }
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

/// The buttons of the time bar but the last: what each does, in a word for the script, in words and as a symbol.
const ZOOMS: [(&str, &str, &str); 4] =
    [("in", "Zoom in", "+"), ("out", "Zoom out", "−"), ("earlier", "Earlier", "◂"), ("later", "Later", "▸")];

/// What moves the time axis of all charts at once. Without scripts nothing could, and it is not shown.
fn time_bar() -> Markup {
    html! {
        div class="time-bar" role="toolbar" aria-label="Time shown in all charts" hidden {
            @for (act, name, symbol) in ZOOMS {
                button type="button" data-zoom=(act) aria-label=(name) title=(name) { (symbol) }
            }
            button type="button" data-zoom="all" { "Whole run" }
            output class="shown" {}
            label { "Moment " input type="range" data-moment step="any" value="0"; }
        }
    }
}

/// Of what somebody may see a part only, by words that it holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Filter {
    /// A table's rows.
    Rows,
    /// A table's bodies, each of several rows that belong together.
    Bodies,
}

/// A table as [`scrolled`] shows it, which can be filtered where scripts may run.
fn filtered(label: &str, filter: Filter, table: &Markup) -> Markup {
    let items = match filter {
        Filter::Rows => "rows",
        Filter::Bodies => "bodies",
    };
    html! {
        div data-filter=(items) data-filter-name={ "Filter: " (label) } { (scrolled(label, table)) }
    }
}

/// A table that scrolls in its own box, so that the page never scrolls sideways; focusable, so that keys scroll it too.
fn scrolled(label: &str, table: &Markup) -> Markup {
    html! { div class="scroll" role="group" tabindex="0" aria-label=(label) { (table) } }
}

/// A standing as a pill: symbol, word and colour, any of which suffices.
fn pill(standing: Standing, words: &str) -> Markup {
    html! { span class={ "pill " (class_of(standing)) } { span aria-hidden="true" { (standing.symbol()) } " " (words) } }
}

/// The style sheet's name for a standing.
fn class_of(standing: Standing) -> &'static str {
    match standing {
        Standing::Met => "met",
        Standing::Skipped => "skipped",
        Standing::Unknown => "unknown",
        Standing::Broken => "broken",
    }
}

#[cfg(test)]
mod tests;
