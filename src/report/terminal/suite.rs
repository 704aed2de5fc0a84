//! The table that closes a suite of several scenarios.

use std::path::PathBuf;

use super::paint::{Ink, Page, Style};
use crate::report::format;

/// One scenario of a suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuiteLine {
    /// Its name.
    pub scenario: String,
    /// How it ended, in one line.
    pub outcome: String,
    /// Its exit code.
    pub exit_code: u8,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Its report, if it got as far as that.
    pub report: Option<PathBuf>,
    /// The command that repeats it, likewise.
    pub repeat: Option<String>,
}

/// One line a scenario, where to read on about those that did not pass, and the exit code of the whole, which the caller knows: only the command line ranks exit codes.
pub fn suite(lines: &[SuiteLine], exit_code: u8, style: Style) -> String {
    let mut page = Page::new(style);
    let width = lines.iter().map(|line| line.scenario.chars().count()).max().unwrap_or(0).max(8);
    page.heading(&format!("  {:<width$}  {:>4}  {:>11}  outcome", "scenario", "exit", "took"));
    for line in lines {
        let (ink, symbol) = match line.exit_code {
            0 => (Ink::Good, "✓"),
            4 => (Ink::Doubtful, "?"),
            _ => (Ink::Bad, "✗"),
        };
        page.ink(ink, &format!("{symbol} {:<width$}", line.scenario));
        let took = format::duration_ms(line.duration_ms);
        page.line(&format!("  {:>4}  {took:>11}  {}", line.exit_code, line.outcome));
        if line.exit_code != 0 {
            let report = line.report.as_ref().map(|report| format!("    report: {}", report.display()));
            let repeat = line.repeat.as_ref().map(|repeat| format!("    repeat: {repeat}"));
            report.into_iter().chain(repeat).for_each(|text| page.line(&text));
        }
    }
    let passed = lines.iter().filter(|line| line.exit_code == 0).count();
    page.line("");
    page.line(&format!("{passed} of {} passed; exit code {exit_code}", lines.len()));
    page.text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(scenario: &str, exit_code: u8, outcome: &str) -> SuiteLine {
        let (scenario, outcome) = (scenario.to_owned(), outcome.to_owned());
        let run = format!("reports/{scenario}/20260301T120000Z-42");
        let repeat = Some(format!("wiber-chaos run {run}/scenario.toml --seed 42"));
        let report = Some(PathBuf::from(run).join("report.html"));
        SuiteLine { scenario, outcome, exit_code, duration_ms: 72_400, report, repeat }
    }

    #[test]
    fn the_exit_code_of_the_whole_closes_the_table() {
        let never_began = SuiteLine { report: None, repeat: None, ..line("wipe", 5, "no Docker engine answers") };
        let lines = [
            never_began,
            line("kill-one", 0, "pass: every expectation was met"),
            line("pause-controller", 4, "inconclusive: the fault is not proven"),
            line("acks-one-unclean", 1, "fail: 1,000 acknowledged records are not in the log"),
        ];
        insta::assert_snapshot!("suite", suite(&lines, 1, Style::Plain));
    }
}
