//! A step's summary in Markdown: a table of all scenarios, and what went wrong in each that did not pass.

use std::fmt::Write as _;

use super::Told;
use crate::report::status::{check_words, outcome_word};
use crate::report::{Standing, format};
use crate::verdict::CheckLine;

/// How many anomalies of one check are named; `anomalies.csv` has them all.
const NAMED: usize = 5;

/// Memory takes every byte.
const TAKES_ALL: &str = "a String takes all that is written to it";

/// One scenario of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    standing: Standing,
    scenario: String,
    outcome: String,
    exit_code: u8,
    took_ms: Option<u64>,
    /// In Markdown; nothing of a run that passed.
    details: String,
}

impl Entry {
    /// Of a judged run.
    pub fn of_run(told: Told<'_>) -> Self {
        let verdict = &told.report.verdict;
        let passed = told.exit_code == 0;
        let unclean = Standing::of_run(verdict) == Standing::Met && !passed;
        Self {
            standing: if unclean { Standing::Broken } else { Standing::of_run(verdict) },
            scenario: verdict.scenario.clone(),
            outcome: format!("{}, {}", outcome_word(verdict.outcome), verdict.verdict),
            exit_code: told.exit_code,
            took_ms: Some(told.report.end_ns.as_millis()),
            details: if passed { String::new() } else { details(told) },
        }
    }

    /// Of a run that came to no verdict.
    pub fn of_failure(scenario: &str, exit_code: u8, why: &str) -> Self {
        Self {
            standing: Standing::Broken,
            scenario: scenario.to_owned(),
            outcome: "no verdict".to_owned(),
            exit_code,
            took_ms: None,
            details: fenced("text", why),
        }
    }
}

/// The whole summary; the exit code is that of the process, which the caller knows.
pub fn render(entries: &[Entry], exit_code: u8) -> String {
    let passed = entries.iter().filter(|entry| entry.exit_code == 0).count();
    let mut text = format!("## wiber-chaos: {passed} of {} passed, exit code {exit_code}\n\n", entries.len());
    text.push_str("| | scenario | outcome, verdict | exit code | took |\n|---|---|---|---:|---:|\n");
    for entry in entries {
        let (scenario, took) = (plain(&entry.scenario), format::or_dash(entry.took_ms, format::duration_ms));
        let symbol = entry.standing.symbol();
        writeln!(text, "| {symbol} | {scenario} | {} | {} | {took} |", entry.outcome, entry.exit_code)
            .expect(TAKES_ALL);
    }
    for entry in entries.iter().filter(|entry| !entry.details.is_empty()) {
        let heading = format!("{} {}", entry.standing.symbol(), plain(&entry.scenario));
        write!(text, "\n### {heading}\n\n{}", entry.details).expect(TAKES_ALL);
    }
    text.push('\n');
    text
}

/// Why a run did not pass, and what to do next.
fn details(told: Told<'_>) -> String {
    let verdict = &told.report.verdict;
    let mut text = String::new();
    for reason in &verdict.reasons {
        writeln!(text, "- {}", plain(reason)).expect(TAKES_ALL);
    }
    if let Some(what) = &told.report.left_behind {
        writeln!(text, "- not clean: {}", plain(what)).expect(TAKES_ALL);
    }
    let failing = |line: &&CheckLine| matches!(Standing::of_check(line, verdict), Standing::Broken | Standing::Unknown);
    let failing: Vec<&CheckLine> = verdict.checks.iter().filter(failing).collect();
    if !failing.is_empty() {
        text.push_str("\n| | check | expected | verdict | examined | found | result |\n");
        text.push_str("|---|---|---|---|---:|---:|---|\n");
        for line in &failing {
            check_row(&mut text, told, line);
        }
    }
    for line in failing.iter().filter(|line| Standing::of_check(line, verdict) == Standing::Broken) {
        anomalies(&mut text, told, line);
    }
    for line in verdict.faults.iter().filter(|line| !line.proven) {
        let (fault, proof) = (plain(&line.id.0), plain(&line.proof));
        writeln!(text, "\nThe fault **{fault}** is not proven: {proof}").expect(TAKES_ALL);
    }
    let next = format!("\nReport: {}. To repeat the run:\n\n", code(&told.page()));
    text + &next + &fenced("sh", &told.repeat())
}

fn check_row(text: &mut String, told: Told<'_>, line: &CheckLine) {
    let verdict = &told.report.verdict;
    writeln!(
        text,
        "| {} | {} | {} | {} | {} | {} | {} |",
        Standing::of_check(line, verdict).symbol(),
        line.check,
        line.expect,
        line.verdict,
        format::count(line.examined),
        format::count(line.found),
        check_words(line, verdict)
    )
    .expect(TAKES_ALL);
}

/// The first anomalies that a broken check names, and where the others are.
fn anomalies(text: &mut String, told: Told<'_>, line: &CheckLine) {
    if line.examples.is_empty() {
        return;
    }
    let named = line.examples.len().min(NAMED);
    writeln!(text, "\n**{}**\n", line.check).expect(TAKES_ALL);
    for example in &line.examples[..named] {
        writeln!(text, "- {}", plain(&example.explanation)).expect(TAKES_ALL);
    }
    let more = line.found.saturating_sub(named as u64);
    if more > 0 {
        let file = told.dir.join("anomalies.csv").display().to_string();
        let listed = told.report.anomalies.iter().filter(|anomaly| anomaly.check == line.check).count() as u64;
        let where_to =
            if listed < line.found { format!("; {} are in", format::count(listed)) } else { " in".to_owned() };
        writeln!(text, "- {} more{where_to} {}", format::count(more), code(&file)).expect(TAKES_ALL);
    }
}

/// Text that is no Markdown, on one line.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in format::visible(text).chars() {
        if "\\`*_[]<>|~&#".contains(letter) {
            plain.push('\\');
        }
        plain.push(letter);
    }
    plain
}

/// A path or a name as code. What would end a code span is shown as text.
fn code(text: &str) -> String {
    let shown = format::visible(text);
    if shown.contains(['`', '|']) { plain(&shown) } else { format!("`{shown}`") }
}

/// Lines as code, fenced by more backticks than any of them holds.
fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let lines: Vec<String> = text.lines().map(format::visible).collect();
    format!("{fence}{language}\n{}\n{fence}\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::github::testing::told;
    use crate::report::{Report, fixture};
    use crate::scenario::Lines;

    fn entry(report: &Report) -> Entry {
        Entry::of_run(told(report, &Lines::default()))
    }

    #[test]
    fn a_step_is_a_table_and_what_went_wrong() {
        let refused = "no Docker engine answers\n  help: docker/setup.sh starts one\n";
        let entries = [
            entry(&fixture::valid()),
            entry(&fixture::invalid()),
            entry(&fixture::inconclusive()),
            Entry::of_failure("kill-leader", 5, refused),
        ];
        insta::assert_snapshot!(render(&entries, 1));
    }

    #[test]
    fn a_run_that_passed_is_a_row_and_no_more() {
        let shown = render(&[entry(&fixture::valid())], 0);
        assert!(shown.starts_with("## wiber-chaos: 1 of 1 passed, exit code 0\n"), "{shown}");
        assert!(!shown.contains("###"), "{shown}");
    }

    #[test]
    fn a_run_that_left_something_behind_did_not_pass() {
        let report = fixture::unclean();
        let entry = Entry::of_run(Told { exit_code: 6, ..told(&report, &Lines::default()) });
        let shown = render(&[entry], 6);
        assert!(shown.contains("| ✗ | kill-one | pass, valid | 6 |"), "{shown}");
        assert!(shown.contains("- not clean: container wiber-x-kafka-2\n"), "{shown}");
    }

    #[test]
    fn no_text_becomes_markup() {
        let shown = render(&[entry(&fixture::hostile())], 1);
        assert!(!shown.contains("<script>") && !shown.contains('\u{1b}'), "{shown}");
        assert_eq!(plain("a|b `c` <d> *e*\nf"), "a\\|b \\`c\\` \\<d\\> \\*e\\*\\\\nf");
        assert_eq!(fenced("sh", "a ``` b"), "````sh\na ``` b\n````\n");
        assert_eq!((code("a b"), code("a`b")), ("`a b`".to_owned(), "a\\`b".to_owned()));
    }
}
