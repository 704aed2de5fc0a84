//! What differs between two runs, for a terminal: the conclusion first, then what it rests on, then what may explain it.

use super::paint::{Ink, Page, Style};
use crate::report::compare::{Comparison, Finding, Measure, Named, Trend};
use crate::report::format;
use crate::report::status::outcome_word;

/// The whole comparison.
pub fn render(comparison: &Comparison, style: Style) -> String {
    let mut page = Page::new(style);
    headline(comparison, &mut page);
    asked(comparison, &mut page);
    caveats(comparison, &mut page);
    findings(comparison, &mut page);
    measures(comparison, &mut page);
    page.text
}

fn ink(trend: Trend) -> Ink {
    match trend {
        Trend::Same => Ink::Faint,
        Trend::Different => Ink::Doubtful,
        Trend::Better => Ink::Good,
        Trend::Worse => Ink::Bad,
    }
}

fn headline(comparison: &Comparison, page: &mut Page) {
    let trend = comparison.conclusion;
    let shown = if trend == Trend::Same { Ink::Good } else { ink(trend) };
    page.ink(shown, &format!("{} {}", trend.symbol(), trend.word().to_uppercase()));
    page.line(&format!("  {}", comparison.sentence()));
    named("before", &comparison.before, page);
    named("after", &comparison.after, page);
}

fn named(place: &str, run: &Named, page: &mut Page) {
    let outcome = outcome_word(run.outcome);
    page.ink(
        Ink::Faint,
        &format!("  {place:<6}  {}, run {}: {outcome}, verdict {}", run.scenario, run.run, run.verdict),
    );
    page.line("");
}

fn asked(comparison: &Comparison, page: &mut Page) {
    if comparison.asked.is_empty() {
        return;
    }
    page.heading("  the scenarios differ");
    for asked in &comparison.asked {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "not there".to_owned());
        page.line(&format!("    {}: {} → {}", asked.key, shown(&asked.before), shown(&asked.after)));
    }
}

fn caveats(comparison: &Comparison, page: &mut Page) {
    if comparison.caveats.is_empty() {
        return;
    }
    page.heading("  before a difference is believed");
    for caveat in &comparison.caveats {
        page.ink(Ink::Doubtful, "  !");
        page.line(&format!(" {caveat}"));
    }
}

fn findings(comparison: &Comparison, page: &mut Page) {
    if comparison.findings.is_empty() {
        return;
    }
    page.heading("  never noise");
    for Finding { subject, before, after, trend, .. } in &comparison.findings {
        page.ink(ink(*trend), &format!("  {} {:<22}", trend.symbol(), subject.words()));
        page.line(&format!("  {before} → {after}: {}", trend.word()));
    }
}

fn measures(comparison: &Comparison, page: &mut Page) {
    let width = comparison.measures.iter().map(|measure| measure.title().chars().count()).max().unwrap_or(0);
    let beyond = comparison.beyond_noise();
    if !beyond.is_empty() {
        heading("beyond noise", width, page);
        for measure in beyond {
            row(measure, width, page);
        }
    }
    if comparison.within_noise().next().is_some() {
        heading("within noise", width, page);
        comparison.within_noise().for_each(|measure| row(measure, width, page));
    }
}

fn heading(title: &str, width: usize, page: &mut Page) {
    let title = format!("  {title:<width$}", width = width + 2);
    page.heading(&format!("{title}  {:>12} {:>12} {:>12}", "before", "after", "change"));
}

fn row(measure: &Measure, width: usize, page: &mut Page) {
    let trend = measure.trend;
    page.ink(ink(trend), &format!("  {} {:<width$}", trend.symbol(), format::visible(&measure.title())));
    let (before, after) = (measure.shown(measure.before), measure.shown(measure.after));
    let word = if trend == Trend::Same { String::new() } else { format!("  {}", trend.word()) };
    page.line(&format!("  {before:>12} {after:>12} {:>12}{word}", measure.change()));
}
