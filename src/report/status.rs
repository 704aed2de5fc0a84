//! How a line of the verdict stands against what the scenario expects of it: one table that every renderer shares.

use super::format;
use crate::anomaly::{CheckName, Expectation, Validity};
use crate::verdict::{CheckLine, FaultLine, RunOutcome, ThresholdLine, Verdict};

/// Whether an expectation was met. The worst of several is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It was not asked.
    Skipped,
    /// It was.
    Met,
    /// Nobody can tell.
    Unknown,
    /// It was not.
    Broken,
}

impl Standing {
    /// A symbol that tells them apart without colour.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Skipped => "-",
            Self::Met => "✓",
            Self::Unknown => "?",
            Self::Broken => "✗",
        }
    }

    /// How a check stands, by the rule that the verdict follows: finding something breaks a forbidden one; finding nothing
    /// breaks a required one, but only where the evidence was there, for else nobody can tell.
    pub fn of_check(line: &CheckLine, verdict: &Verdict) -> Self {
        let covered = || verdict.checks.iter().any(|l| l.check == CheckName::Coverage && l.verdict == Validity::Valid);
        match (line.expect, line.verdict) {
            (Expectation::Forbidden, Validity::Invalid) => Self::Broken,
            (Expectation::Required, Validity::Valid) if covered() => Self::Broken,
            (_, Validity::Unknown) | (Expectation::Required, Validity::Valid | Validity::Skipped) => Self::Unknown,
            (_, Validity::Skipped) => Self::Skipped,
            _ => Self::Met,
        }
    }

    /// Whether what the scenario expects of a check does not hold.
    pub fn is_broken(check: CheckName, verdict: &Verdict) -> bool {
        let line = verdict.checks.iter().find(|line| line.check == check);
        line.is_some_and(|line| Self::of_check(line, verdict) == Self::Broken)
    }

    /// How a threshold stands.
    pub fn of_threshold(line: &ThresholdLine) -> Self {
        match line.verdict {
            Validity::Skipped => Self::Skipped,
            Validity::Valid => Self::Met,
            Validity::Unknown => Self::Unknown,
            Validity::Invalid => Self::Broken,
        }
    }

    /// How a fault stands: one that is not proven proves nothing about the cluster.
    pub fn of_fault(line: &FaultLine) -> Self {
        if line.proven { Self::Met } else { Self::Unknown }
    }

    /// How the whole run stands.
    pub fn of_run(verdict: &Verdict) -> Self {
        match verdict.outcome {
            RunOutcome::Pass => Self::Met,
            RunOutcome::Inconclusive => Self::Unknown,
            RunOutcome::Fail => Self::Broken,
        }
    }
}

/// The word for a check's standing, which says why: `met`, `found, as allowed`, `not seen`, ...
pub(super) fn check_words(line: &CheckLine, verdict: &Verdict) -> &'static str {
    match (Standing::of_check(line, verdict), line.expect, line.found) {
        (Standing::Skipped, ..) => "skipped",
        (Standing::Unknown, ..) => "unknown",
        (Standing::Broken, Expectation::Required, _) => "required, not seen",
        (Standing::Broken, ..) => "violated",
        (Standing::Met, Expectation::Required, _) => "caught, as required",
        (Standing::Met, Expectation::Allowed, 1..) => "found, as allowed",
        (Standing::Met, ..) => "holds",
    }
}

/// What came of a threshold's measurement.
pub(super) fn measured_words(line: &ThresholdLine) -> String {
    match (line.measured_ms, line.at_least_ms) {
        (Some(ms), _) => format::duration_ms(ms),
        (None, Some(ms)) => format!("not over after {}", format::duration_ms(ms)),
        (None, None) => "nothing was measured".to_owned(),
    }
}

/// How a group caught up with a fault's heal, for a table.
pub(super) fn caught_up_words(line: &FaultLine) -> String {
    match (line.caught_up_ms, line.still_behind_ms) {
        (_, Some(ms)) => format!("not in {}", format::duration_ms(ms)),
        (caught_up_ms, None) => format::or_dash(caught_up_ms, format::duration_ms),
    }
}

/// The word for a run's outcome.
pub(super) fn outcome_word(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Pass => "pass",
        RunOutcome::Fail => "fail",
        RunOutcome::Inconclusive => "inconclusive",
    }
}

/// The verdict's most important reason.
pub(super) fn first_reason(verdict: &Verdict) -> &str {
    verdict.reasons.first().map_or("No reason was recorded.", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_required_anomaly_that_was_not_seen_breaks_the_run_only_where_the_evidence_was_there() {
        let mut verdict = fixture::valid().verdict;
        verdict.checks[0].expect = Expectation::Required;
        assert_eq!(Standing::of_check(&verdict.checks[0], &verdict), Standing::Broken);
        let coverage = verdict.checks.last_mut().expect("the check of coverage");
        coverage.verdict = Validity::Unknown;
        assert_eq!(Standing::of_check(&verdict.checks[0], &verdict), Standing::Unknown);
        verdict.checks[0].verdict = Validity::Invalid;
        assert_eq!(Standing::of_check(&verdict.checks[0], &verdict), Standing::Met);
    }
}
