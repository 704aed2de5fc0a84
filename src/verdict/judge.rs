//! Makes the verdict of one run.

use crate::anomaly::{CheckName, CheckResult, Expectation, Validity};
use crate::check::timeline::Timeline;
use crate::check::{self, rates};
use crate::history::History;
use crate::history::tally::Tally;
use crate::kafka::TimeNs;
use crate::plan::Plan;
use crate::scenario::{ClusterKind, Scenario, Threshold};

use super::measure::measure;
use super::{CheckLine, RateLine, RunOutcome, ThresholdLine, Verdict, counts, thresholds};

/// How many violations of one check the verdict shows; `anomalies.csv` has them all.
const EXAMPLES: usize = 8;

/// What a reader of a mock's verdict must not miss.
const MOCK: &str = "The cluster was librdkafka's mock: nothing here proves anything about Kafka.";

/// Brings checks and expectations together.
pub fn judge(history: &History, scenario: &Scenario, plan: &Plan, results: &[CheckResult]) -> Verdict {
    let timeline = Timeline::new(history);
    let tally = check::tally(history, plan);
    let (faults, availability, measured) = measure(history, scenario, plan, (&timeline, &tally));
    let checks: Vec<CheckLine> = results.iter().map(|result| line(scenario, result)).collect();
    let thresholds = thresholds::judge(&history.closure, &tally, scenario, &measured);
    let Judgement { outcome, exit_code, mut reasons } = judgement(&checks, &thresholds, &scenario.thresholds);
    if scenario.cluster.kind == ClusterKind::Mock {
        // Second, so that the first still says why; verdict and exit code stay, so that pipelines can be tried.
        reasons.insert(1, MOCK.to_owned());
    }
    Verdict {
        schema_version: 1,
        scenario: scenario.name.clone(),
        run: timeline.run,
        seed: plan.seed,
        // A history that nothing checked is nothing that anybody knows of.
        verdict: checks.iter().map(|check| check.verdict).max().unwrap_or(Validity::Unknown),
        outcome,
        exit_code,
        reasons,
        counts: counts::count(&tally),
        checks,
        faults,
        thresholds,
        availability,
        rates: rates(history, &tally, scenario),
    }
}

fn rates(history: &History, tally: &Tally, scenario: &Scenario) -> Vec<RateLine> {
    let tenths = |rate: f64| (rate * 10.0).round() / 10.0;
    let line = |achieved: rates::Achieved| RateLine {
        producers: achieved.producers,
        asked_per_second: tenths(achieved.asked_per_second),
        sent_per_second: tenths(achieved.sent_per_second),
    };
    rates::achieved(history, tally, scenario).into_iter().map(line).collect()
}

fn line(scenario: &Scenario, result: &CheckResult) -> CheckLine {
    // A check to which the run gives nothing to examine is right, and says nothing.
    let says_nothing =
        result.validity == Validity::Valid && result.examined == 0 && result.check != CheckName::Coverage;
    CheckLine {
        check: result.check,
        expect: scenario.expectation(result.check),
        verdict: if says_nothing { Validity::Skipped } else { result.validity },
        examined: result.examined,
        found: result.found,
        examples: result.anomalies.iter().take(EXAMPLES).cloned().collect(),
        notes: result.notes.clone(),
    }
}

/// What follows for the run, and why.
struct Judgement {
    outcome: RunOutcome,
    exit_code: u8,
    reasons: Vec<String>,
}

/// The ranks of reasons: the first rank that has any decides; reasons of later ranks still stand in the list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Violation,
    RequiredNotSeen,
    ThresholdBreached,
    Inconclusive,
    Fine,
}

fn judgement(checks: &[CheckLine], thresholds: &[ThresholdLine], limits: &[Threshold]) -> Judgement {
    let coverage = checks.iter().find(|check| check.check == CheckName::Coverage);
    let covered = coverage.is_some_and(|check| check.verdict == Validity::Valid);
    // Evidence that is missing is the cause of most other doubts, so it is told before them.
    let causes_first = coverage.into_iter().chain(checks.iter().filter(|check| check.check != CheckName::Coverage));
    let mut reasons: Vec<(Rank, String)> = causes_first.flat_map(|check| reason(check, covered)).collect();
    reasons.extend(doubts(checks).into_iter().map(|sentence| (Rank::Inconclusive, sentence)));
    reasons.extend(thresholds.iter().zip(limits).filter_map(|(line, limit)| threshold_reason(line, limit)));
    if coverage.is_none() {
        reasons.push((Rank::Inconclusive, "Nobody checked whether there was enough evidence.".to_owned()));
    }
    if reasons.iter().all(|(rank, _)| *rank == Rank::Fine) {
        reasons.insert(0, (Rank::Fine, everything_held(checks)));
    }
    reasons.sort_by_key(|(rank, _)| *rank);
    let (outcome, exit_code) = match reasons[0].0 {
        Rank::Violation | Rank::RequiredNotSeen => (RunOutcome::Fail, 1),
        Rank::ThresholdBreached => (RunOutcome::Fail, 3),
        Rank::Inconclusive => (RunOutcome::Inconclusive, 4),
        Rank::Fine => (RunOutcome::Pass, 0),
    };
    Judgement { outcome, exit_code, reasons: reasons.into_iter().map(|(_, sentence)| sentence).collect() }
}

fn reason(check: &CheckLine, covered: bool) -> Vec<(Rank, String)> {
    let name = check.check;
    let found = match check.found {
        1 => format!("{name} found 1 violation"),
        found => format!("{name} found {found} violations"),
    };
    match (check.expect, check.verdict) {
        // Coverage is never an anomaly to allow or to require: without evidence nothing else means anything.
        (_, Validity::Unknown) if name == CheckName::Coverage && !check.notes.is_empty() => {
            check.notes.iter().map(|note| (Rank::Inconclusive, note.clone())).collect()
        }
        (Expectation::Forbidden, Validity::Invalid) => {
            let example =
                check.examples.first().map_or_else(String::new, |example| format!(" {}", example.explanation));
            vec![(Rank::Violation, format!("{found}.{example}"))]
        }
        (Expectation::Required, Validity::Invalid) => vec![(Rank::Fine, format!("{found}, as the scenario requires."))],
        (Expectation::Allowed, Validity::Invalid) => vec![(Rank::Fine, format!("{found}, which the scenario allows."))],
        (Expectation::Required, Validity::Valid) if name == CheckName::Coverage => Vec::new(),
        (Expectation::Required, Validity::Valid) if covered => {
            vec![(
                Rank::RequiredNotSeen,
                format!("{name} found nothing, although the scenario requires it and the evidence is ample."),
            )]
        }
        (Expectation::Required, Validity::Valid) => {
            let text = format!(
                "{name} found nothing, which the scenario requires, but the evidence is not ample enough to tell."
            );
            vec![(Rank::Inconclusive, text)]
        }
        (Expectation::Required, Validity::Skipped) => {
            let why = first_note(check);
            let text = format!("{name} was skipped, although the scenario requires it to find something: {why}.");
            vec![(Rank::Inconclusive, text)]
        }
        (Expectation::Required, Validity::Unknown) => {
            let why = first_note(check);
            let text = format!("{name} is unknown, although the scenario requires it to find something: {why}.");
            vec![(Rank::Inconclusive, text)]
        }
        (Expectation::Forbidden | Expectation::Allowed, _) => Vec::new(),
    }
}

/// The forbidden checks, and `coverage` where it gave no reason, that are unknown. One cause often leaves many of them in
/// doubt in the same words, so each cause is told once.
fn doubts(checks: &[CheckLine]) -> Vec<String> {
    let mut causes: Vec<(&str, Vec<&str>)> = Vec::new();
    for check in checks.iter().filter(|check| check.verdict == Validity::Unknown) {
        let told_already = check.check == CheckName::Coverage && !check.notes.is_empty();
        let asked = check.expect == Expectation::Forbidden || check.check == CheckName::Coverage;
        if told_already || !asked || check.expect == Expectation::Required {
            continue;
        }
        let note = first_note(check);
        match causes.iter_mut().find(|(cause, _)| *cause == note) {
            Some((_, names)) => names.push(check.check.name()),
            None => causes.push((note, vec![check.check.name()])),
        }
    }
    let sentence = |(cause, names): (&str, Vec<&str>)| match names.as_slice() {
        [name] => format!("{name} is unknown: {cause}."),
        names => format!("{} are unknown: {cause}.", names.join(", ")),
    };
    causes.into_iter().map(sentence).collect()
}

/// Why a check is unknown, without its full stop.
fn first_note(check: &CheckLine) -> &str {
    check.notes.first().map_or("it gave no reason", |note| note.trim_end_matches('.'))
}

fn threshold_reason(line: &ThresholdLine, limit: &Threshold) -> Option<(Rank, String)> {
    let metric = line.metric.name();
    let max = limit.max.as_secs_f64();
    match (line.verdict, line.measured_ms) {
        (Validity::Invalid, Some(ms)) => {
            let measured = TimeNs::from_millis(ms).as_secs_f64();
            Some((Rank::ThresholdBreached, format!("{metric} was {measured:.3} s; at most {max:.3} s is fine.")))
        }
        (Validity::Valid, _) => None,
        _ => Some((Rank::Inconclusive, format!("{metric} could not be measured; at most {max:.3} s is fine."))),
    }
}

fn everything_held(checks: &[CheckLine]) -> String {
    let of = |validity: Validity| checks.iter().filter(|check| check.verdict == validity).count();
    let idle = match of(Validity::Skipped) {
        0 => String::new(),
        idle => format!(", {idle} had nothing to judge"),
    };
    format!("Every expectation was met: {} of {} checks are valid{idle}.", of(Validity::Valid), checks.len())
}
