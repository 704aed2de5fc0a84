//! `junit.xml`, for CI: the scenario is a suite; set-up, its checks, thresholds and faults, and clean-up are cases.
//!
//! Many dashboards show a skipped case as green. So what nobody can tell is skipped where it stands, and the suite has one
//! more case, `conclusive`, that fails whenever the whole run is inconclusive.
//!
//! The file holds the schema of Jenkins' xunit plugin (`junit-10.xsd`), which is stricter than other readers are: tests say, in
//! words of our own, which elements and attributes that knows.

#[cfg(test)]
mod structure;
mod xml;

use std::time::Duration;

use super::status::{check_words, first_reason, measured_words};
use super::{Report, Standing, format};
use crate::anomaly::Expectation;
use crate::history::Phase;
use crate::verdict::{CheckLine, EDITED, FaultLine, RunOutcome, ThresholdLine, Verdict};
use xml::{Case, End, Suite, Why};

/// The file's text.
pub fn render(report: &Report) -> String {
    let verdict = &report.verdict;
    let mut cases = vec![set_up(report)];
    cases.extend(verdict.checks.iter().map(|line| check_case(line, verdict)));
    cases.extend(verdict.thresholds.iter().map(threshold_case));
    cases.extend(verdict.faults.iter().map(fault_case));
    cases.extend([clean_up(report), conclusive(report)]);
    cases.extend(edited(report));
    let suite = Suite {
        name: verdict.scenario.clone(),
        timestamp: report.environment.started_utc.parse().ok().map(|began: jiff::Timestamp| began.to_string()),
        took: Duration::from_nanos(report.end_ns.0),
        properties: vec![
            ("seed", verdict.seed.to_string()),
            ("run", verdict.run.clone()),
            ("image", report.environment.image.clone().unwrap_or_else(|| "none".to_owned())),
            ("reproduce", report.reproduce_command("scenario.toml")),
        ],
        cases,
    };
    suite.render()
}

/// Whether the load ever began: else the run says nothing of Kafka, and why is the environment's to say.
fn set_up(report: &Report) -> Case {
    let began = report.phases.iter().any(|span| span.phase == Phase::Warmup);
    let why = || Why {
        kind: "set-up",
        message: "the run ended before its load began".to_owned(),
        details: report.incidents.iter().map(|incident| incident.text.clone()).collect(),
    };
    let end = if began { End::Passed } else { End::Errored(why()) };
    Case { name: "set-up".to_owned(), took: took(report, Phase::Start), end }
}

/// Whether all that the run made and broke was removed and healed, as far as the run could tell.
fn clean_up(report: &Report) -> Case {
    let end = match (&report.left_behind, &report.cut) {
        (Some(what), _) => End::Errored(Why {
            kind: "unclean",
            message: what.clone(),
            details: vec!["wiber-chaos clean removes what is left".to_owned()],
        }),
        (None, Some(missing)) => End::Skipped(Why {
            kind: "unknown",
            message: format!("nobody can tell what is left: {missing}"),
            details: vec!["wiber-chaos clean removes what is left".to_owned()],
        }),
        (None, None) => End::Passed,
    };
    Case { name: "clean-up".to_owned(), took: took(report, Phase::Stop), end }
}

/// How long a phase took.
fn took(report: &Report, phase: Phase) -> Option<Duration> {
    let span = report.phases.iter().find(|span| span.phase == phase)?;
    Some(Duration::from_nanos(span.end_ns.0.saturating_sub(span.start_ns.0)))
}

fn check_case(line: &CheckLine, verdict: &Verdict) -> Case {
    let message = format!(
        "{}: {}, {} found among {} examined",
        check_words(line, verdict),
        line.expect,
        format::count(line.found),
        format::count(line.examined)
    );
    let witnesses = line.examples.iter().map(|anomaly| anomaly.explanation.clone());
    let details: Vec<String> = line.notes.iter().cloned().chain(witnesses).collect();
    let broken = if line.expect == Expectation::Required { "not-seen" } else { "violated" };
    case(line.check.name(), Standing::of_check(line, verdict), broken, message, details)
}

fn threshold_case(line: &ThresholdLine) -> Case {
    let message = format!("{}; at most {} is fine", measured_words(line), format::duration_ms(line.max_ms));
    let name = format!("{} threshold", line.metric.name());
    case(&name, Standing::of_threshold(line), "breached", message, Vec::new())
}

fn fault_case(line: &FaultLine) -> Case {
    let name = format!("fault {} is proven", line.id);
    case(&name, Standing::of_fault(line), "unproven", line.proof.clone(), Vec::new())
}

/// Fails whenever nobody can tell, because a skipped case fails nothing.
fn conclusive(report: &Report) -> Case {
    let standing = match report.verdict.outcome {
        RunOutcome::Inconclusive => Standing::Broken,
        RunOutcome::Pass | RunOutcome::Fail => Standing::Met,
    };
    let (message, details) = (first_reason(&report.verdict).to_owned(), report.verdict.reasons.clone());
    case("conclusive", standing, "inconclusive", message, details)
}

/// There only where a run is judged by expectations that were written after it: skipped, so that a dashboard shows it.
fn edited(report: &Report) -> Option<Case> {
    let told = report.verdict.reasons.iter().find(|reason| *reason == EDITED)?;
    Some(case("the scenario is the one that ran", Standing::Unknown, "edited", told.clone(), Vec::new()))
}

/// A case by its standing; `broken` is the word for it where it is broken.
fn case(name: &str, standing: Standing, broken: &'static str, message: String, details: Vec<String>) -> Case {
    let why = |kind| Why { kind, message, details };
    let end = match standing {
        Standing::Met => End::Passed,
        Standing::Skipped => End::Skipped(why("skipped")),
        Standing::Unknown => End::Skipped(why("unknown")),
        Standing::Broken => End::Failed(why(broken)),
    };
    Case { name: name.to_owned(), took: None, end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_valid_run_has_no_failures() {
        insta::assert_snapshot!("valid", render(&fixture::valid()));
    }

    #[test]
    fn a_violated_check_is_a_failure_with_its_witnesses() {
        insta::assert_snapshot!("invalid", render(&fixture::invalid()));
    }

    #[test]
    fn an_inconclusive_run_is_skipped_cases_and_one_failure() {
        let xml = render(&fixture::inconclusive());
        insta::assert_snapshot!("inconclusive", xml);
        assert_eq!(xml.matches("<failure").count(), 1);
    }

    #[test]
    fn a_run_that_never_began_is_an_error_of_its_set_up() {
        let xml = render(&fixture::aborted());
        insta::assert_snapshot!("aborted", xml);
        assert_eq!((xml.matches("<error").count(), xml.matches("<failure").count()), (1, 1));
    }

    #[test]
    fn what_is_left_behind_is_an_error_of_the_clean_up() {
        let xml = render(&fixture::unclean());
        assert!(xml.contains("<error type=\"unclean\" message=\"container wiber-x-kafka-2\">"), "{xml}");
    }

    #[test]
    fn expectations_that_were_written_after_the_run_are_a_skipped_case() {
        let mut report = fixture::valid();
        assert!(!render(&report).contains("the scenario is the one that ran"));
        report.verdict.reasons.insert(1, EDITED.to_owned());
        let xml = render(&report);
        assert!(
            xml.contains("the scenario is the one that ran") && xml.contains("judged by what it says now"),
            "{xml}"
        );
    }

    #[test]
    fn hostile_text_is_escaped() {
        let xml = render(&fixture::hostile());
        assert!(!xml.contains("<script") && !xml.contains('\u{1b}'));
    }
}
