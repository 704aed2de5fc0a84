//! What a person sees when a run ends: the verdict first, then what it rests on, then what to do about it.
//!
//! Symbols and words carry the meaning; colour only repeats it. Text from scenarios and brokers cannot move the cursor.

pub mod compare;
mod paint;
mod suite;

use std::fmt::Write as _;
use std::path::Path;

pub use paint::Style;
use paint::{Ink, Page};
pub use suite::{SuiteLine, suite};

use super::status::{check_words, first_reason, measured_words, outcome_word};
use super::{Report, Standing, Window, format};
use crate::verdict::{FaultLine, RunOutcome};

/// The summary of one run whose files lie in `dir`.
pub fn render(report: &Report, style: Style, dir: &Path) -> String {
    let mut page = Page::new(style);
    headline(report, &mut page);
    checks(report, &mut page);
    faults(report, &mut page);
    thresholds(report, &mut page);
    figures(report, &mut page);
    closing(report, &mut page, dir);
    page.text
}

fn headline(report: &Report, page: &mut Page) {
    let verdict = &report.verdict;
    let standing = Standing::of_run(verdict);
    let word = outcome_word(verdict.outcome).to_uppercase();
    page.ink(Ink::of(standing), &format!("{} {word}", standing.symbol()));
    page.line(&format!("  {}: {}", verdict.scenario, first_reason(verdict)));
    for reason in verdict.reasons.iter().skip(1) {
        page.line(&format!("  {reason}"));
    }
    let took = format::duration_ms(report.end_ns.as_millis());
    let facts = format!(
        "  verdict {}, exit code {}, seed {}, run {}, {took}",
        verdict.verdict, verdict.exit_code, verdict.seed, verdict.run
    );
    page.ink(Ink::Faint, &facts);
    page.line("");
    if let Some(missing) = &report.cut {
        page.line(&format!("  the history is cut: {missing}"));
    }
}

fn checks(report: &Report, page: &mut Page) {
    if report.verdict.checks.is_empty() {
        return;
    }
    page.heading(&format!(
        "  {:<22}  {:<9}  {:<7} {:>11} {:>9}  result",
        "check", "expected", "verdict", "examined", "found"
    ));
    let reasons = &report.verdict.reasons;
    for line in &report.verdict.checks {
        let standing = Standing::of_check(line, &report.verdict);
        page.ink(Ink::of(standing), &format!("  {} {:<20}", standing.symbol(), line.check));
        page.line(&format!(
            "  {:<9}  {:<7} {:>11} {:>9}  {}",
            line.expect,
            line.verdict,
            format::count(line.examined),
            format::count(line.found),
            check_words(line, &report.verdict)
        ));
        // What the headline says already is not said again here.
        let told = |note: &str| reasons.iter().any(|reason| reason.contains(note.trim_end_matches('.')));
        for note in line.notes.iter().filter(|note| standing != Standing::Met && !told(note)) {
            page.line(&format!("      {note}"));
        }
    }
}

fn faults(report: &Report, page: &mut Page) {
    if report.verdict.faults.is_empty() {
        return;
    }
    page.heading("  faults");
    for (line, band) in report.verdict.faults.iter().zip(&report.faults) {
        let standing = Standing::of_fault(line);
        page.ink(Ink::of(standing), &format!("  {} {}", standing.symbol(), line.id));
        page.line(&format!("  {}", band.sentence));
        page.line(&format!("      proof: {}", line.proof));
        if line.injected_ms.is_some() {
            page.line(&format!("      {}", consequences(line)));
            if let Some(text) = consequences_for_groups(line) {
                page.line(&format!("      {text}"));
            }
        }
    }
}

/// What a fault did to the load, in one line.
fn consequences(line: &FaultLine) -> String {
    let is_of_clients = line.targets.iter().all(|victim| victim.broker().is_none());
    let (well, missing) = if is_of_clients {
        ("at work again", "not seen at work after the heal")
    } else {
        ("every ISR full again", "not every ISR seen full again after the heal")
    };
    let recovery = match line.recovery_ms {
        Some(recovery_ms) => format!("; {well} {} after the heal", format::duration_ms(recovery_ms)),
        None => format!("; {missing}"),
    };
    let unavailable = line.unavailability_ms.map_or_else(String::new, |unavailability_ms| {
        format!("; unavailable for {} at most", format::duration_ms(unavailability_ms))
    });
    format!("{} overlapped it{unavailable}{recovery}", format::counted(line.sends_overlapping, "send"))
}

/// What a fault did to the consumer groups, where there are any.
fn consequences_for_groups(line: &FaultLine) -> Option<String> {
    let stalled_ms = line.consume_stall_ms?;
    let settled = line.settled_ms.map_or_else(
        || "no partition changed hands".to_owned(),
        |settled_ms| format!("the last partition changed hands {} after it began", format::duration_ms(settled_ms)),
    );
    let caught_up = match (line.caught_up_ms, line.still_behind_ms) {
        (_, Some(ms)) => format!("not caught up {} after the heal, when the history ended", format::duration_ms(ms)),
        (Some(ms), None) => format!("caught up {} after the heal", format::duration_ms(ms)),
        (None, None) => "no heal to catch up with".to_owned(),
    };
    Some(format!("groups stalled for {} at most; {settled}; {caught_up}", format::duration_ms(stalled_ms)))
}

fn thresholds(report: &Report, page: &mut Page) {
    if report.verdict.thresholds.is_empty() {
        return;
    }
    page.heading("  thresholds");
    for line in &report.verdict.thresholds {
        let standing = Standing::of_threshold(line);
        page.ink(Ink::of(standing), &format!("  {} {:<22}", standing.symbol(), line.metric.name()));
        page.line(&format!("  {}, at most {}", measured_words(line), format::duration_ms(line.max_ms)));
    }
}

fn figures(report: &Report, page: &mut Page) {
    let counts = &report.verdict.counts;
    page.heading("  figures");
    page.line(&format!(
        "  records       {} sent, {} acked, {} failed, {} indeterminate",
        format::count(counts.sent),
        format::count(counts.acked),
        format::count(counts.failed),
        format::count(counts.indeterminate)
    ));
    page.line(&format!(
        "  reads         {}; {} distinct in the log",
        format::count(counts.read),
        format::count(counts.read_distinct)
    ));
    for line in &report.verdict.rates {
        page.line(&format!(
            "  rate          {:.0} a second of {:.0} that {} were asked for",
            line.sent_per_second, line.asked_per_second, line.producers
        ));
    }
    page.line(&format!("  availability  {}", availability(report)));
    let latency = report.latencies.iter().find(|window| window.window == Window::Run).and_then(|w| w.latency);
    if let Some(latency) = latency {
        page.line(&format!(
            "  latency       p50 {}, p99 {}, max {}",
            format::duration_us(latency.p50_us),
            format::duration_us(latency.p99_us),
            format::duration_us(latency.max_us)
        ));
    }
}

/// The longest unavailability, and of which partition.
fn availability(report: &Report) -> String {
    let availability = &report.verdict.availability;
    let Some(longest_ms) = availability.max_unavailability_ms else { return "nothing was sent".to_owned() };
    let mut text = format!("unavailable for {} at most", format::duration_ms(longest_ms));
    let worst = availability.partitions.iter().max_by_key(|line| line.max_unavailability_ms);
    if let Some(worst) = worst.filter(|line| line.max_unavailability_ms > Some(0)) {
        write!(text, ", on {}", worst.partition).expect("a String takes all");
        if let Some(began_ms) = worst.began_ms {
            write!(text, " from {}", format::moment_ms(began_ms)).expect("a String takes all");
        }
    }
    text
}

/// The last lines, which scroll away last: what was wrong, where to read on, how to see it again.
fn closing(report: &Report, page: &mut Page, dir: &Path) {
    page.line("");
    match report.verdict.outcome {
        RunOutcome::Pass => {}
        RunOutcome::Fail => failure(report, page, dir),
        RunOutcome::Inconclusive => {
            page.ink(Ink::Doubtful, "inconclusive:");
            page.line(&format!(" {}", first_reason(&report.verdict)));
        }
    }
    page.line(&format!("report: {}", dir.join("report.html").display()));
    if report.verdict.outcome != RunOutcome::Pass {
        let scenario = dir.join("scenario.toml").display().to_string();
        page.line(&format!("repeat: {}", report.reproduce_command(&scenario)));
    }
}

/// The first anomaly that the scenario does not allow; where there is none, because something required was not seen or took too
/// long, what decided instead.
fn failure(report: &Report, page: &mut Page, dir: &Path) {
    let verdict = &report.verdict;
    let broken = |check| Standing::is_broken(check, verdict);
    let Some(anomaly) = report.anomalies.iter().find(|anomaly| broken(anomaly.check)) else {
        page.ink(Ink::Bad, "failed:");
        return page.line(&format!(" {}", first_reason(verdict)));
    };
    page.ink(Ink::Bad, &format!("{}:", anomaly.check));
    page.line(&format!(" {}", anomaly.explanation));
    let check = anomaly.check;
    let found = verdict.checks.iter().find(|line| line.check == check).map_or(0, |line| line.found);
    let listed = report.anomalies.iter().filter(|anomaly| anomaly.check == check).count() as u64;
    if found > 1 {
        let listed =
            if listed < found { format!("{} of them are", format::count(listed)) } else { "all are".to_owned() };
        let file = dir.join("anomalies.csv");
        page.line(&format!("one of {} that {check} found; {listed} in {}", format::count(found), file.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::CheckName;
    use crate::report::fixture;

    fn dir() -> &'static Path {
        Path::new("reports/some/20260301T120000Z-42")
    }

    #[test]
    fn a_valid_run_without_colour() {
        insta::assert_snapshot!("valid_plain", render(&fixture::valid(), Style::Plain, dir()));
    }

    #[test]
    fn a_failed_run_ends_with_the_anomaly_the_report_and_the_command() {
        insta::assert_snapshot!("invalid_plain", render(&fixture::invalid(), Style::Plain, dir()));
    }

    #[test]
    fn an_inconclusive_run_says_why_nobody_can_tell() {
        insta::assert_snapshot!("inconclusive_plain", render(&fixture::inconclusive(), Style::Plain, dir()));
    }

    /// What stands below the last empty line.
    fn last_lines(report: &Report) -> String {
        let page = render(report, Style::Plain, dir());
        page.rsplit("\n\n").next().expect("a split has a last part").to_owned()
    }

    #[test]
    fn an_anomaly_that_is_allowed_is_not_named_as_the_failure() {
        let mut report = fixture::invalid();
        report.anomalies.sort_by_key(|anomaly| anomaly.check != CheckName::Duplicate);
        assert_eq!(report.anomalies[0].check, CheckName::Duplicate);
        assert!(last_lines(&report).starts_with("lost-write: "), "{}", last_lines(&report));
    }

    #[test]
    fn a_failure_without_an_anomaly_ends_with_what_decided() {
        let mut report = fixture::valid();
        report.verdict.outcome = RunOutcome::Fail;
        report.verdict.exit_code = 3;
        report.verdict.reasons.insert(0, "unavailability was 9.100 s; at most 5.000 s is fine.".to_owned());
        insta::assert_snapshot!(last_lines(&report), @r"
        failed: unavailability was 9.100 s; at most 5.000 s is fine.
        report: reports/some/20260301T120000Z-42/report.html
        repeat: wiber-chaos run reports/some/20260301T120000Z-42/scenario.toml --seed 42
        ");
    }

    #[test]
    fn colour_adds_nothing_but_colour() {
        let coloured = render(&fixture::invalid(), Style::Colour, dir());
        insta::assert_snapshot!("invalid_colour", coloured.replace('\u{1b}', "␛"));
        let mut plain = String::new();
        for (index, piece) in coloured.split("\u{1b}[").enumerate() {
            plain.push_str(if index == 0 { piece } else { piece.split_once('m').expect("a whole code").1 });
        }
        assert_eq!(plain, render(&fixture::invalid(), Style::Plain, dir()));
    }

    #[test]
    fn hostile_names_cannot_reach_the_terminal() {
        let shown = render(&fixture::hostile(), Style::Plain, dir());
        assert!(!shown.contains('\u{1b}'));
    }

    #[test]
    fn an_empty_run_is_still_a_page() {
        assert!(render(&fixture::empty(), Style::Plain, dir()).starts_with("? INCONCLUSIVE  empty: "));
    }
}
