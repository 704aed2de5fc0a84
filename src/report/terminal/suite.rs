//! The table that closes a suite of several scenarios.

use super::paint::{Ink, Page, Style};
use crate::report::format;

/// The exit codes from the worst to the best, as far as scenarios of a suite are compared by them. A violation is masked by
/// nothing; an interruption or an unknown code comes after it and before everything else.
const WORST_FIRST: [u8; 6] = [1, 6, 3, 5, 4, 0];

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
}

/// One line a scenario, and the exit code of the whole: the worst of them.
pub fn suite(lines: &[SuiteLine], style: Style) -> String {
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
    }
    let passed = lines.iter().filter(|line| line.exit_code == 0).count();
    page.line("");
    page.line(&format!("{passed} of {} passed; exit code {}", lines.len(), worst(lines)));
    page.text
}

/// The exit code of the whole suite.
fn worst(lines: &[SuiteLine]) -> u8 {
    let rank = |code: u8| match code {
        1 => (0, 0),
        _ => WORST_FIRST.iter().position(|known| *known == code).map_or((1, 0), |place| (2, place)),
    };
    lines.iter().map(|line| line.exit_code).min_by_key(|code| rank(*code)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(scenario: &str, exit_code: u8, outcome: &str) -> SuiteLine {
        let (scenario, outcome) = (scenario.to_owned(), outcome.to_owned());
        SuiteLine { scenario, outcome, exit_code, duration_ms: 72_400 }
    }

    #[test]
    fn the_worst_exit_code_closes_the_table() {
        let lines = [
            line("kill-one", 0, "pass: every expectation was met"),
            line("pause-controller", 4, "inconclusive: the fault is not proven"),
            line("acks-one-unclean", 1, "fail: 1,000 acknowledged records are not in the log"),
        ];
        insta::assert_snapshot!("suite", suite(&lines, Style::Plain));
    }

    #[test]
    fn nothing_masks_a_violation_and_an_interruption_masks_the_rest() {
        let of = |codes: &[u8]| worst(&codes.iter().map(|code| line("x", *code, "")).collect::<Vec<_>>());
        assert_eq!(of(&[0, 130, 1, 6]), 1);
        assert_eq!(of(&[0, 130, 6]), 130);
        assert_eq!(of(&[0, 4, 5]), 5);
        assert_eq!(of(&[0, 4, 3, 5]), 3);
        assert_eq!(of(&[]), 0);
    }
}
