//! What is true of one run and not of the other: never noise.

use std::cmp::Ordering;

use super::{Finding, Side, Subject, Trend};
use crate::fault::FaultId;
use crate::report::Standing;
use crate::report::status::{check_words, outcome_word};
use crate::verdict::{CheckLine, FaultLine, ThresholdLine, Verdict};

/// All of them, what weighs most first.
pub(super) fn all(before: &Side, after: &Side) -> Vec<Finding> {
    let (before, after) = (&before.verdict, &after.verdict);
    let mut findings = Vec::new();
    findings.extend(outcome(before, after));
    findings.extend(verdict(before, after));
    for line in &before.checks {
        let other = after.checks.iter().find(|other| other.check == line.check);
        findings.extend(other.and_then(|other| check((line, before), (other, after))));
    }
    findings.extend(thresholds(before, after));
    findings.extend(faults(before, after));
    findings
}

/// Which way it went from one standing to another.
fn trend(before: Standing, after: Standing) -> Trend {
    match after.cmp(&before) {
        Ordering::Less => Trend::Better,
        Ordering::Equal => Trend::Different,
        Ordering::Greater => Trend::Worse,
    }
}

fn outcome(before: &Verdict, after: &Verdict) -> Option<Finding> {
    // By the code as well: a run may fail for an invariant, or for a threshold.
    let told = |verdict: &Verdict| format!("{} (exit code {})", outcome_word(verdict.outcome), verdict.exit_code);
    let differs = (before.outcome, before.exit_code) != (after.outcome, after.exit_code);
    differs.then(|| Finding {
        subject: Subject::Outcome,
        before: told(before),
        after: told(after),
        trend: match trend(Standing::of_run(before), Standing::of_run(after)) {
            // Both failed: an invariant weighs more than a threshold, and has the lower code.
            Trend::Different if after.exit_code < before.exit_code => Trend::Worse,
            Trend::Different => Trend::Better,
            moved => moved,
        },
        stands: Standing::of_run(after),
    })
}

/// What was true of the cluster, where nothing followed from that.
fn verdict(before: &Verdict, after: &Verdict) -> Option<Finding> {
    (before.verdict != after.verdict && before.outcome == after.outcome).then(|| Finding {
        subject: Subject::Verdict,
        before: before.verdict.to_string(),
        after: after.verdict.to_string(),
        trend: Trend::Different,
        stands: Standing::of_run(after),
    })
}

fn check((before, of_before): (&CheckLine, &Verdict), (after, of_after): (&CheckLine, &Verdict)) -> Option<Finding> {
    let standing = (Standing::of_check(before, of_before), Standing::of_check(after, of_after));
    let differs = before.verdict != after.verdict || standing.0 != standing.1;
    let told = |line: &CheckLine, verdict: &Verdict| format!("{} ({})", line.verdict, check_words(line, verdict));
    differs.then(|| Finding {
        subject: Subject::Check(before.check),
        before: told(before, of_before),
        after: told(after, of_after),
        trend: trend(weighed(standing.0), weighed(standing.1)),
        stands: standing.1,
    })
}

/// One that was skipped found nothing wrong either.
fn weighed(standing: Standing) -> Standing {
    standing.max(Standing::Met)
}

/// Thresholds of one metric, in their order.
fn thresholds(before: &Verdict, after: &Verdict) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut left: Vec<&ThresholdLine> = after.thresholds.iter().collect();
    for line in &before.thresholds {
        let Some(at) = left.iter().position(|other| other.metric == line.metric) else { continue };
        let other = left.remove(at);
        if line.verdict != other.verdict {
            findings.push(Finding {
                subject: Subject::Threshold(line.metric),
                before: line.verdict.to_string(),
                after: other.verdict.to_string(),
                trend: trend(Standing::of_threshold(line), Standing::of_threshold(other)),
                stands: Standing::of_threshold(other),
            });
        }
    }
    findings
}

fn faults(before: &Verdict, after: &Verdict) -> Vec<Finding> {
    let proof = |line: &FaultLine| if line.proven { "proven" } else { "not proven" };
    let lone = |line: &FaultLine, there: [&str; 2]| Finding {
        subject: Subject::Fault(line.id.clone()),
        before: there[0].to_owned(),
        after: there[1].to_owned(),
        trend: Trend::Different,
        stands: Standing::of_fault(line),
    };
    let mut findings = Vec::new();
    for line in &before.faults {
        let Some(other) = after.faults.iter().find(|other| other.id == line.id) else {
            findings.push(lone(line, [proof(line), "not there"]));
            continue;
        };
        if line.proven != other.proven {
            findings.push(Finding {
                subject: Subject::Fault(line.id.clone()),
                before: proof(line).to_owned(),
                after: proof(other).to_owned(),
                trend: trend(Standing::of_fault(line), Standing::of_fault(other)),
                stands: Standing::of_fault(other),
            });
        }
        findings.extend(endings(line, other));
    }
    let new = after.faults.iter().filter(|line| !before.faults.iter().any(|other| other.id == line.id));
    findings.extend(new.map(|line| lone(line, ["not there", proof(line)])));
    findings
}

/// Whether what a fault broke was seen well again: the cluster, partitions to producers, and groups; of each where both runs had it.
fn endings(before: &FaultLine, after: &FaultLine) -> impl Iterator<Item = Finding> {
    type About = fn(FaultId) -> Subject;
    type Seen = fn(&FaultLine) -> Option<bool>;
    let all: [(About, Seen); 3] = [
        (Subject::Recovery, |line| line.healed_ms.map(|_| line.recovery_ms.is_some())),
        (Subject::AckedAgain, |line| line.unavailability_ms.map(|ms| ms == 0 || line.acked_again_ms.is_some())),
        (Subject::CaughtUp, |line| match (line.caught_up_ms, line.still_behind_ms) {
            (None, None) => None,
            (_, behind) => Some(behind.is_none()),
        }),
    ];
    let word = |seen| if seen { "seen" } else { "not seen" };
    all.map(|(subject, seen)| {
        let (seen_before, seen_after) = (seen(before)?, seen(after)?);
        (seen_before != seen_after).then(|| Finding {
            subject: subject(before.id.clone()),
            before: word(seen_before).to_owned(),
            after: word(seen_after).to_owned(),
            trend: if seen_after { Trend::Better } else { Trend::Worse },
            stands: if seen_after { Standing::Met } else { Standing::Broken },
        })
    })
    .into_iter()
    .flatten()
}
