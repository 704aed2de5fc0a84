//! `junit.xml`, for CI: the scenario is a suite; its checks, thresholds and faults are cases.
//!
//! Many dashboards show a skipped case as green. So what nobody can tell is skipped where it stands, and the suite has one
//! more case, `conclusive`, that fails whenever the whole run is inconclusive.

use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::status::{check_words, first_reason};
use super::{Report, Standing, format};
use crate::verdict::{CheckLine, RunOutcome, ThresholdLine, Verdict};

/// The file's text.
pub fn render(report: &Report) -> String {
    let verdict = &report.verdict;
    let took = Duration::from_nanos(report.end_ns.0);
    let mut suite = TestSuite::new(verdict.scenario.as_str());
    suite.timestamp = report.environment.started_utc.parse().ok();
    suite.set_time(took);
    suite.add_property(("seed", verdict.seed.to_string().as_str()));
    suite.add_property(("run", verdict.run.as_str()));
    suite.add_property(("image", report.environment.image.as_deref().unwrap_or("none")));
    suite.add_property(("reproduce", report.reproduce_command("scenario.toml").as_str()));
    suite.add_test_cases(verdict.checks.iter().map(|line| check_case(line, verdict)));
    suite.add_test_cases(verdict.thresholds.iter().map(threshold_case));
    for line in &verdict.faults {
        let name = format!("fault {} is proven", line.id);
        suite.add_test_case(case(&name, Standing::of_fault(line), &line.proof, &[]));
    }
    suite.add_test_case(conclusive(report));
    for case in &mut suite.test_cases {
        case.set_classname(format!("wiber-chaos.{}", verdict.scenario));
    }
    let mut junit = quick_junit::Report::new("wiber-chaos");
    junit.set_time(took);
    junit.timestamp = suite.timestamp;
    junit.add_test_suite(suite);
    junit.to_string().expect("XML is written to memory")
}

fn check_case(line: &CheckLine, verdict: &Verdict) -> TestCase {
    let message = format!(
        "{}: {}, {} found among {} examined",
        check_words(line, verdict),
        line.expect,
        format::count(line.found),
        format::count(line.examined)
    );
    let witnesses = line.examples.iter().map(|anomaly| anomaly.explanation.clone());
    let details: Vec<String> = line.notes.iter().cloned().chain(witnesses).collect();
    case(line.check.name(), Standing::of_check(line, verdict), &message, &details)
}

fn threshold_case(line: &ThresholdLine) -> TestCase {
    let measured = line.measured_ms.map_or_else(|| "nothing was measured".to_owned(), format::duration_ms);
    let message = format!("{measured}; at most {} is fine", format::duration_ms(line.max_ms));
    case(&format!("{} threshold", line.metric.name()), Standing::of_threshold(line), &message, &[])
}

/// Fails whenever nobody can tell, because a skipped case fails nothing.
fn conclusive(report: &Report) -> TestCase {
    let standing = match report.verdict.outcome {
        RunOutcome::Inconclusive => Standing::Broken,
        RunOutcome::Pass | RunOutcome::Fail => Standing::Met,
    };
    case("conclusive", standing, first_reason(&report.verdict), &report.verdict.reasons)
}

fn case(name: &str, standing: Standing, message: &str, details: &[String]) -> TestCase {
    let mut status = match standing {
        Standing::Met => return TestCase::new(name, TestCaseStatus::success()),
        Standing::Skipped | Standing::Unknown => TestCaseStatus::skipped(),
        Standing::Broken => TestCaseStatus::non_success(NonSuccessKind::Failure),
    };
    status.set_message(message);
    if !details.is_empty() {
        status.set_description(details.join("\n"));
    }
    TestCase::new(name, status)
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
    fn hostile_text_is_escaped() {
        let xml = render(&fixture::hostile());
        assert!(!xml.contains("<script") && !xml.contains('\u{1b}'));
    }
}
