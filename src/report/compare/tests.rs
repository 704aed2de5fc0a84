//! Two runs, compared: what is noise, what never is, and how it is told.

use super::noise::Factor;
use super::*;
use crate::anomaly::Expectation;
use crate::report::terminal::Style;
use crate::report::{Report, fixture, html, terminal};
use crate::verdict::RateLine;

fn one() -> Factor {
    Factor::default()
}

fn compared(before: &Report, after: &Report) -> Comparison {
    compare(&Side::of(before), &Side::of(after), one())
}

/// The same run, a little slower and faster here and there, as the next run of a scenario is.
fn next_run() -> Report {
    let mut report = fixture::valid();
    report.verdict.run = "20260301T130000Z-42".to_owned();
    let longer = |ms: &mut Option<u64>, by| *ms = ms.map(|ms| ms + by);
    longer(&mut report.verdict.availability.max_unavailability_ms, 1_900);
    let fault = &mut report.verdict.faults[0];
    longer(&mut fault.unavailability_ms, 1_900);
    fault.recovery_ms = fault.recovery_ms.map(|ms| ms + 2_000);
    longer(&mut fault.consume_stall_ms, 2_500);
    report.verdict.counts.acked -= report.verdict.counts.acked / 20;
    report
}

/// A run whose brokers were missed only 30 s later, because they were asked to be more patient.
fn patient() -> Report {
    let mut report = next_run();
    report.scenario_toml = report.scenario_toml.replace(
        "config = { \"min.insync.replicas\" = 2 }",
        "config = { \"min.insync.replicas\" = 2, \"broker.session.timeout.ms\" = 39000 }",
    );
    let longer = |ms: &mut Option<u64>| *ms = ms.map(|ms| ms + 28_000);
    longer(&mut report.verdict.availability.max_unavailability_ms);
    let fault = &mut report.verdict.faults[0];
    longer(&mut fault.unavailability_ms);
    fault.recovery_ms = fault.recovery_ms.map(|ms| ms + 24_000);
    report
}

#[test]
fn a_run_beside_itself_has_no_difference_at_all() {
    for report in [fixture::valid(), fixture::invalid(), fixture::inconclusive(), fixture::empty()] {
        let comparison = compare(&Side::of(&report), &Side::of(&report), "0".parse().expect("a factor"));
        assert_eq!(comparison.conclusion, Trend::Same, "{}", comparison.sentence());
        assert!(comparison.asked.is_empty() && comparison.findings.is_empty());
    }
}

#[test]
fn two_runs_of_one_scenario_differ_by_noise_only() {
    let comparison = compared(&fixture::valid(), &next_run());
    assert_eq!(comparison.sentence(), "no difference beyond noise");
    assert!(comparison.measures.iter().any(|measure| measure.before != measure.after), "and yet they differ");
}

#[test]
fn a_longer_session_timeout_is_told_by_the_recovery_and_by_the_key_that_was_changed() {
    let comparison = compared(&fixture::valid(), &patient());
    assert_eq!(comparison.conclusion, Trend::Worse);
    let beyond: Vec<String> = comparison.beyond_noise().iter().map(|measure| measure.title()).collect();
    assert!(beyond.contains(&"kill: recovery".to_owned()), "{beyond:?}");
    assert_eq!(comparison.asked[0].key, "cluster.config.broker.session.timeout.ms");
    assert_eq!(compared(&patient(), &fixture::valid()).conclusion, Trend::Better);
}

#[test]
fn a_check_that_turned_is_never_noise() {
    let comparison =
        compare(&Side::of(&fixture::valid()), &Side::of(&fixture::invalid()), "100".parse().expect("a factor"));
    assert_eq!(comparison.conclusion, Trend::Worse);
    let told = |subject: &Subject| comparison.findings.iter().find(|finding| finding.subject == *subject);
    assert_eq!(told(&Subject::Outcome).map(|finding| finding.trend), Some(Trend::Worse));
    assert_eq!(told(&Subject::Check(CheckName::LostWrite)).map(|finding| finding.trend), Some(Trend::Worse));
}

#[test]
fn an_anomaly_that_is_allowed_in_both_is_different_and_not_worse() {
    let allowed = |found| {
        let mut report = fixture::valid();
        let line = report.verdict.checks.iter_mut().find(|line| line.check == CheckName::Duplicate).expect("the check");
        line.expect = Expectation::Allowed;
        (line.found, line.verdict) = (found, if found == 0 { Validity::Valid } else { Validity::Invalid });
        report
    };
    let comparison = compared(&allowed(0), &allowed(3));
    assert_eq!(comparison.conclusion, Trend::Different);
    assert!(comparison.sentence().starts_with("duplicate "), "{}", comparison.sentence());
}

#[test]
fn how_much_is_redelivered_is_noise_up_to_what_is_read_in_a_stall() {
    let redelivered = |found| {
        let mut report = fixture::valid();
        report.verdict.rates =
            vec![RateLine { producers: "chatters".to_owned(), asked_per_second: 4_000.0, sent_per_second: 4_000.0 }];
        report.verdict.availability.max_consume_stall_ms = Some(10_000);
        let line =
            report.verdict.checks.iter_mut().find(|line| line.check == CheckName::Redelivery).expect("the check");
        line.found = found;
        report
    };
    assert_eq!(compared(&redelivered(792), &redelivered(26_243)).conclusion, Trend::Same);
    assert_eq!(compared(&redelivered(792), &redelivered(90_000)).conclusion, Trend::Worse);
}

#[test]
fn a_recovery_that_nobody_saw_is_worse_than_any_that_was_seen() {
    let mut unseen = fixture::valid();
    unseen.verdict.faults[0].recovery_ms = None;
    let comparison = compared(&fixture::valid(), &unseen);
    let finding = comparison.findings.first().expect("a finding");
    assert_eq!((&finding.subject, finding.trend), (&Subject::Recovery(FaultId("kill".to_owned())), Trend::Worse));
}

#[test]
fn groups_that_never_caught_up_and_partitions_that_never_acknowledged_again_are_worse_than_any_that_did() {
    let mut unseen = fixture::valid();
    let fault = &mut unseen.verdict.faults[0];
    (fault.caught_up_ms, fault.still_behind_ms, fault.acked_again_ms) = (None, Some(30_000), None);
    let comparison = compared(&fixture::valid(), &unseen);
    let told: Vec<(String, Trend)> = comparison.findings.iter().map(|it| (it.subject.words(), it.trend)).collect();
    assert_eq!(told, [("kill: acked again".to_owned(), Trend::Worse), ("kill: caught up".to_owned(), Trend::Worse)]);
}

#[test]
fn a_run_without_any_load_is_neither_quicker_nor_better_than_one_that_had_some() {
    for lifeless in [fixture::aborted(), fixture::empty()] {
        for (before, after) in [(&lifeless, &fixture::valid()), (&fixture::valid(), &lifeless)] {
            let comparison = compared(before, after);
            let judged: Vec<_> = comparison.measures.iter().filter(|measure| measure.trend != Trend::Same).collect();
            assert!(judged.is_empty(), "{judged:?}");
        }
    }
}

#[test]
fn faults_that_only_one_run_has_are_told() {
    let mut other = fixture::valid();
    other.verdict.faults[0].id = FaultId("pause".to_owned());
    let comparison = compared(&fixture::valid(), &other);
    let told: Vec<String> = comparison.findings.iter().map(|finding| finding.subject.words()).collect();
    assert_eq!(told, ["fault kill", "fault pause"]);
    assert_eq!(comparison.conclusion, Trend::Different);
}

#[test]
fn two_failed_runs_without_a_difference_are_not_told_as_if_all_was_well() {
    let comparison = compared(&fixture::invalid(), &fixture::invalid());
    assert_eq!(comparison.sentence(), "no difference beyond noise; both runs failed");
}

#[test]
fn the_terminal_shows_what_differs_first() {
    let shown = terminal::compare::render(&compared(&fixture::valid(), &patient()), Style::Plain);
    let first: Vec<&str> = shown.lines().take(3).collect();
    assert!(first[0].starts_with("✗ WORSE  ") && first[0].contains(" → "), "{shown}");
    assert!(first[1].starts_with("  before  kill-one, run 20260301T120000Z-42: pass"), "{shown}");
    let place = |text: &str| shown.find(text).unwrap_or_else(|| panic!("{text} in:\n{shown}"));
    assert!(place("session.timeout.ms: not there → 39000") < place("beyond noise"), "{shown}");
    assert!(
        place("✗ kill: recovery") < place("within noise") && place("+26.0 s  worse") < place("within noise"),
        "{shown}"
    );
    assert!(place("within noise") < place("= latency p50"), "{shown}");
}

#[test]
fn the_terminal_says_that_nothing_differs() {
    let shown = terminal::compare::render(&compared(&fixture::valid(), &next_run()), Style::Plain);
    assert!(shown.starts_with("= SAME  no difference beyond noise\n"), "{shown}");
    assert!(!shown.contains("beyond noise  ") && !shown.contains("never noise"), "{shown}");
}

#[test]
fn hostile_names_reach_neither_the_terminal_nor_the_page() {
    let comparison = compared(&fixture::hostile(), &fixture::invalid());
    assert!(!terminal::compare::render(&comparison, Style::Plain).contains('\u{1b}'));
    assert!(!html::compare::render(&comparison).contains("<script"));
}

#[test]
fn the_page_is_alone_and_makes_no_request() {
    for (before, after) in [(fixture::valid(), patient()), (fixture::valid(), next_run())] {
        let page = html::compare::render(&compared(&before, &after));
        assert!(
            !page.contains("http:") && !page.contains("https:") && !page.contains(" src=") && !page.contains("<link")
        );
    }
}

#[test]
fn programs_are_told_the_same() {
    let json = serde_json::to_value(compared(&fixture::valid(), &patient())).expect("plain data");
    assert_eq!((&json["schema_version"], &json["conclusion"]), (&1.into(), &"worse".into()));
    let recovery = json["measures"].as_array().into_iter().flatten().find(|it| it["name"] == "recovery");
    let recovery = recovery.expect("the recovery");
    assert_eq!(
        (&recovery["of"]["fault"], &recovery["unit"], &recovery["trend"]),
        (&"kill".into(), &"ms".into(), &"worse".into())
    );
}
