//! `index.html`: all runs of a directory on one page. What became of each scenario over time first, then a row a run, the latest
//! first. Complete without scripts, and alone: its links lead to the reports beside it.

mod spark;
mod trends;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use maud::{DOCTYPE, Markup, html};

use super::{class_of, head, pill, scrolled};
use crate::anomaly::CheckName;
use crate::report::index::{Entry, Longest, Page, Told, longest_recovery};
use crate::report::status::{first_reason, outcome_word};
use crate::report::{Standing, format};
use crate::verdict::{RunOutcome, Verdict};

const OWN_STYLE: &str = include_str!("index/style.css");

/// The whole page, of runs in their order.
pub fn render(entries: &[Entry]) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(&format!("wiber-chaos: {}", format::counted(entries.len() as u64, "run")), OWN_STYLE))
            body {
                (banner(entries))
                main {
                    section aria-labelledby="scenarios-heading" {
                        h2 id="scenarios-heading" { "Scenarios" }
                        (trends::trends(entries))
                    }
                    section aria-labelledby="runs-heading" {
                        h2 id="runs-heading" { "Runs" }
                        (runs(entries))
                    }
                }
                footer { "By each run’s verdict.json; wiber-chaos check judges a run anew." }
            }
        }
    };
    let mut text = page.into_string();
    text.push('\n');
    text
}

/// How the runs ended, in a few numbers.
fn banner(entries: &[Entry]) -> Markup {
    let verdicts: Vec<&Verdict> = entries.iter().filter_map(Entry::verdict).collect();
    let ended = |outcome| verdicts.iter().filter(|verdict| verdict.outcome == outcome).count() as u64;
    let lost: u64 = verdicts.iter().map(|verdict| lost(verdict)).sum();
    let acked: u64 = verdicts.iter().map(|verdict| verdict.counts.acked).sum();
    let worst = verdicts.iter().map(|verdict| Standing::of_run(verdict)).max().unwrap_or(Standing::Unknown);
    let scenarios: BTreeSet<&str> = entries.iter().map(Entry::scenario).collect();
    let tiles = [
        ("scenarios", format::count(scenarios.len() as u64)),
        ("runs", format::count(entries.len() as u64)),
        ("passed", format::count(ended(RunOutcome::Pass))),
        ("failed", format::count(ended(RunOutcome::Fail))),
        ("inconclusive", format::count(ended(RunOutcome::Inconclusive))),
        ("not judged", format::count((entries.len() - verdicts.len()) as u64)),
        ("acknowledged", format::count(acked)),
        ("lost", format::count(lost)),
    ];
    html! {
        header class={ "banner " (class_of(worst)) } {
            div class="inner" {
                p class="eyebrow" { "wiber-chaos · all runs" }
                h1 { (format::counted(entries.len() as u64, "run")) }
                @if let (Some(last), Some(first)) = (entries.first(), entries.last()) {
                    p class="description" { (moment(&first.started_utc)) " to " (moment(&last.started_utc)) }
                }
                dl class="tiles" { @for (name, value) in tiles { div { dt { (name) } dd { (value) } } } }
            }
        }
    }
}

/// Acknowledged records that are not in the log.
fn lost(verdict: &Verdict) -> u64 {
    verdict.checks.iter().filter(|line| line.check == CheckName::LostWrite).map(|line| line.found).sum()
}

/// `2026-03-01T12:00:00.123Z` as `2026-03-01 12:00:00`, which is UTC.
fn moment(started_utc: &str) -> String {
    let seconds = started_utc.get(..19).unwrap_or(started_utc);
    if seconds.is_empty() { "–".to_owned() } else { seconds.replacen('T', " ", 1) }
}

fn runs(entries: &[Entry]) -> Markup {
    let table = html! {
        table class="runs" {
            caption { span { "The latest first. Times are UTC." } }
            thead { tr {
                th scope="col" { "Outcome" } th scope="col" { "Scenario" } th scope="col" { "Began" }
                th scope="col" class="number" { "Seed" } th scope="col" class="number" { "Acknowledged" }
                th scope="col" class="number" { "Lost" } th scope="col" class="number" { "Checks met" }
                th scope="col" class="number" { "Longest recovery" } th scope="col" { "Report" }
            } }
            tbody { @for entry in entries { (run(entry)) } }
        }
    };
    scrolled("Runs", &table)
}

fn run(entry: &Entry) -> Markup {
    match &entry.told {
        Told::Judged(verdict) => judged(entry, verdict),
        Told::Unjudged(why) => html! {
            tr class="unknown" {
                td { (pill(Standing::Unknown, "not judged")) }
                th scope="row" { span class="name" { (entry.scenario()) } span class="aside" { (why) } }
                td { (moment(&entry.started_utc)) }
                td class="number" colspan="5" {}
                td { (link(entry)) }
            }
        },
    }
}

fn judged(entry: &Entry, verdict: &Verdict) -> Markup {
    let standing = Standing::of_run(verdict);
    let met = verdict.checks.iter().filter(|line| Standing::of_check(line, verdict) == Standing::Met).count();
    let asked = verdict.checks.iter().filter(|line| Standing::of_check(line, verdict) != Standing::Skipped).count();
    html! {
        tr class=(class_of(standing)) {
            td { (pill(standing, outcome_word(verdict.outcome))) }
            th scope="row" {
                span class="name" { (verdict.scenario) }
                @if standing != Standing::Met { span class="aside" { (first_reason(verdict)) } }
            }
            td { (moment(&entry.started_utc)) }
            td class="number" { (verdict.seed) }
            td class="number" { (format::count(verdict.counts.acked)) }
            td class="number" { (format::count(lost(verdict))) }
            td class="number" { (met) " of " (asked) }
            td class="number" { (longest(longest_recovery(verdict))) }
            td { (link(entry)) }
        }
    }
}

fn longest(longest: Longest) -> String {
    match longest {
        Longest::Ms(ms) => format::duration_ms(ms),
        Longest::NotSeen => "not seen".to_owned(),
        Longest::Nothing => "–".to_owned(),
    }
}

fn link(entry: &Entry) -> Markup {
    html! {
        @match entry.page {
            Page::There => {
                a href={ (address(&entry.path)) "/report.html" } aria-label={ "Report of " (entry.run()) } { "report" }
            },
            Page::Missing => { span class="empty" { "none" } },
        }
    }
}

/// A relative path as an address: whatever could end it or mean something else is written as its bytes. It never begins as a scheme
/// would (`a:`), because it begins with `./`.
fn address(path: &str) -> String {
    let mut address = String::from("./");
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            address.push(char::from(byte));
        } else {
            write!(address, "%{byte:02X}").expect("a String takes all that is written to it");
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Report, fixture};

    fn entry(report: &Report, path: &str) -> Entry {
        Entry::new(
            path.to_owned(),
            Some(&report.environment),
            Told::Judged(Box::new(report.verdict.clone())),
            Page::There,
        )
    }

    fn page() -> String {
        let unjudged = Told::Unjudged("the run died before it was judged".to_owned());
        render(&[
            entry(&fixture::valid(), "kill-one/20260301T120000Z-42"),
            entry(&fixture::invalid(), "acks-one-unclean/20260301T120000Z-42"),
            entry(&fixture::inconclusive(), "pause-controller/a b%c#d"),
            entry(&fixture::hostile(), "<script>/\"onload=\""),
            Entry::new("soak/20260228T120000Z-7".to_owned(), None, unjudged, Page::Missing),
        ])
    }

    #[test]
    fn every_run_has_its_row_and_its_link() {
        let page = page();
        assert!(page.contains("href=\"./kill-one/20260301T120000Z-42/report.html\""));
        assert!(page.contains("href=\"./pause-controller/a%20b%25c%23d/report.html\""));
        assert!(page.contains("the run died before it was judged") && page.contains("2026-02-28 12:00:00"));
        assert!(page.contains("1,000") && page.contains("6.5 s"), "what was lost, and the longest recovery");
    }

    #[test]
    fn the_page_is_alone_and_what_is_hostile_is_text() {
        let page = page();
        assert!(!page.contains("<script") && !page.contains(" onload="));
        assert!(
            !page.contains("http:") && !page.contains("https:") && !page.contains(" src=") && !page.contains("<link")
        );
        assert!(!page.contains("NaN") && !page.contains("inf\""));
    }

    #[test]
    fn a_directory_of_no_runs_is_a_page_too() {
        assert!(render(&[]).contains("0 runs"));
    }
}
