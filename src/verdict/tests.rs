//! The verdict by hand: what follows from which answers, and how the exit codes outrank one another.

use std::time::Duration;

use crate::anomaly::{Anomaly, CheckName, CheckResult, Expectation, Validity};
use crate::check::check_all;
use crate::check::damage;
use crate::check::generator::{Drawn, STEP, Shape, draw};
use crate::check::testing::RunBuilder;
use crate::history::event::FaultStage;
use crate::history::{Closure, Event, EventKind};
use crate::kafka::{BrokerId, ClusterView, Outcome, Partition, PartitionView, TimeNs, TopicPartition};
use crate::scenario::{ClusterKind, Metric, Threshold};

use super::{RunOutcome, Verdict, judge};

/// A run whose checks answered as told; those not told of are valid.
fn judged(run: &RunBuilder, told: &[(CheckName, Validity, u64)]) -> Verdict {
    judge(&run.history, &run.scenario, &run.plan, &results(told))
}

fn results(told: &[(CheckName, Validity, u64)]) -> Vec<CheckResult> {
    let answer = |check| {
        let told = told.iter().find(|(name, ..)| *name == check);
        let (validity, found) = told.map_or((Validity::Valid, 0), |(_, validity, found)| (*validity, *found));
        let anomalies = (0..found).map(|number| anomaly(check, number)).collect();
        let notes = if validity == Validity::Unknown { vec!["Nobody looked.".to_owned()] } else { Vec::new() };
        CheckResult { check, validity, examined: 10, found, anomalies, notes }
    };
    CheckName::ALL.into_iter().map(answer).collect()
}

fn anomaly(check: CheckName, number: u64) -> Anomaly {
    Anomaly {
        check,
        topic: "chat".into(),
        partition: Partition(0),
        record: None,
        producer: None,
        offset: None,
        acked_offset: None,
        send_ns: None,
        ack_ns: None,
        acked_by: None,
        reader: None,
        read_ns: None,
        leader_epoch: None,
        group: None,
        explanation: format!("Witness {number}."),
    }
}

fn with(expect: &[(CheckName, Expectation)]) -> RunBuilder {
    let mut run = RunBuilder::small();
    run.send(0, 0, 0).times(0, 5_000_000_000).push();
    run.scenario.expect = expect.iter().copied().collect();
    run
}

fn limited(mut run: RunBuilder, metric: Metric, max_ms: u64) -> RunBuilder {
    run.scenario.thresholds.push(Threshold { metric, max: Duration::from_millis(max_ms) });
    run
}

fn ending(verdict: &Verdict) -> (Validity, RunOutcome, u8) {
    (verdict.verdict, verdict.outcome, verdict.exit_code)
}

#[test]
fn when_everything_holds_the_run_passes() {
    let verdict = judged(&with(&[]), &[]);
    assert_eq!(ending(&verdict), (Validity::Valid, RunOutcome::Pass, 0));
    let all = CheckName::ALL.len();
    assert_eq!(verdict.reasons, [format!("Every expectation was met: {all} of {all} checks are valid.")]);
}

#[test]
fn a_forbidden_violation_fails_whatever_else_is_the_case() {
    let run = limited(with(&[(CheckName::Duplicate, Expectation::Required)]), Metric::Unavailability, 1);
    let verdict = judged(
        &run,
        &[
            (CheckName::LostWrite, Validity::Invalid, 12),
            (CheckName::Coverage, Validity::Unknown, 0),
            (CheckName::Phantom, Validity::Unknown, 0),
        ],
    );
    assert_eq!(ending(&verdict), (Validity::Invalid, RunOutcome::Fail, 1));
    assert_eq!(verdict.reasons[0], "lost-write found 12 violations. Witness 0.");
    let line = &verdict.checks[0];
    assert_eq!((line.found, line.examples.len()), (12, 8));
}

#[test]
fn an_allowed_violation_is_told_and_changes_only_the_verdict() {
    let run = with(&[(CheckName::Duplicate, Expectation::Allowed)]);
    let verdict = judged(&run, &[(CheckName::Duplicate, Validity::Invalid, 1)]);
    assert_eq!(ending(&verdict), (Validity::Invalid, RunOutcome::Pass, 0));
    assert!(verdict.reasons.contains(&"duplicate found 1 violation, which the scenario allows.".to_owned()));
}

#[test]
fn a_control_passes_when_its_anomaly_is_found() {
    let run = with(&[(CheckName::LostWrite, Expectation::Required)]);
    let verdict = judged(&run, &[(CheckName::LostWrite, Validity::Invalid, 1000)]);
    assert_eq!(ending(&verdict), (Validity::Invalid, RunOutcome::Pass, 0));
    assert!(verdict.reasons.contains(&"lost-write found 1000 violations, as the scenario requires.".to_owned()));
}

#[test]
fn a_control_fails_when_its_anomaly_is_not_found_although_the_evidence_is_ample() {
    let run = with(&[(CheckName::LostWrite, Expectation::Required)]);
    let verdict = judged(&run, &[]);
    assert_eq!(ending(&verdict), (Validity::Valid, RunOutcome::Fail, 1));
}

#[test]
fn a_control_without_evidence_is_inconclusive() {
    let run = with(&[(CheckName::LostWrite, Expectation::Required)]);
    for missing in [CheckName::Coverage, CheckName::LostWrite] {
        let verdict = judged(&run, &[(missing, Validity::Unknown, 0)]);
        assert_eq!(ending(&verdict), (Validity::Unknown, RunOutcome::Inconclusive, 4));
    }
}

#[test]
fn doubt_about_a_forbidden_check_is_inconclusive_and_about_an_allowed_one_is_not() {
    let doubt = [(CheckName::Duplicate, Validity::Unknown, 0)];
    let verdict = judged(&with(&[]), &doubt);
    assert_eq!(ending(&verdict), (Validity::Unknown, RunOutcome::Inconclusive, 4));
    assert_eq!(verdict.reasons, ["duplicate is unknown: Nobody looked."]);
    let verdict = judged(&with(&[(CheckName::Duplicate, Expectation::Allowed)]), &doubt);
    assert_eq!(ending(&verdict), (Validity::Unknown, RunOutcome::Pass, 0));
}

#[test]
fn no_expectation_excuses_missing_coverage() {
    for expect in [Expectation::Forbidden, Expectation::Allowed, Expectation::Required] {
        let run = with(&[(CheckName::Coverage, expect)]);
        let verdict = judged(&run, &[(CheckName::Coverage, Validity::Unknown, 0)]);
        assert_eq!(ending(&verdict), (Validity::Unknown, RunOutcome::Inconclusive, 4));
    }
}

#[test]
fn a_breached_threshold_comes_before_doubt_and_after_violations() {
    let run = limited(with(&[]), Metric::Unavailability, 4999);
    let doubt = (CheckName::Duplicate, Validity::Unknown, 0);
    assert_eq!(ending(&judged(&run, &[])), (Validity::Valid, RunOutcome::Fail, 3));
    assert_eq!(ending(&judged(&run, &[doubt])), (Validity::Unknown, RunOutcome::Fail, 3));
    assert_eq!(ending(&judged(&run, &[doubt, (CheckName::Corrupt, Validity::Invalid, 1)])).2, 1);
    assert_eq!(judged(&run, &[]).reasons, ["unavailability was 5.000 s; at most 4.999 s is fine."]);
    assert_eq!(judged(&limited(with(&[]), Metric::Unavailability, 5000), &[]).exit_code, 0);
}

#[test]
fn a_threshold_with_nothing_to_measure_is_inconclusive() {
    let verdict = judged(&limited(with(&[]), Metric::Recovery, 1000), &[]);
    assert_eq!(ending(&verdict), (Validity::Valid, RunOutcome::Inconclusive, 4));
    assert_eq!(verdict.thresholds[0].measured_ms, None);
}

#[test]
fn a_recovery_lasts_until_the_broker_answers_whatever_the_others_believed() {
    let mut drawn = draw(7, Shape::SAMPLE);
    let heal = |event: &&Event| matches!(event.kind, EventKind::Heal { stage: FaultStage::Ok, .. });
    let healed = drawn.run.history.events.iter().find(heal).expect("a heal").time_ns;
    let view = whole_view();
    drawn.run.event(healed.0 - 2, EventKind::ClusterObserved { view });
    drawn.run.history.events.sort_by_key(|event| event.time_ns);
    let verdict = judged(&drawn.run, &[]);
    assert_eq!(verdict.faults[0].recovery_ms, Some(TimeNs(3 * STEP).as_millis()));
}

#[test]
fn a_cause_that_leaves_several_checks_in_doubt_is_told_once() {
    let doubts = [CheckName::Duplicate, CheckName::Phantom].map(|check| (check, Validity::Unknown, 0));
    assert_eq!(judged(&with(&[]), &doubts).reasons, ["duplicate, phantom are unknown: Nobody looked."]);
}

fn whole_view() -> ClusterView {
    let brokers: Vec<BrokerId> = (1..=3).map(BrokerId).collect();
    let partition = |number| PartitionView {
        partition: TopicPartition::new("chat", number),
        leader: Some(BrokerId(1)),
        leader_epoch: None,
        replicas: brokers.clone(),
        isr: brokers.clone(),
    };
    ClusterView { brokers: brokers.clone(), partitions: (0..8).map(partition).collect(), ..ClusterView::default() }
}

#[test]
fn a_cut_history_may_breach_a_threshold_and_never_keeps_one() {
    let cut = |metric, max_ms| {
        let mut run = limited(with(&[]), metric, max_ms);
        run.history.closure = Closure::Cut("the harness died".to_owned());
        judged(&run, &[]).thresholds[0].verdict
    };
    assert_eq!(cut(Metric::Unavailability, 4999), Validity::Invalid);
    assert_eq!(cut(Metric::Unavailability, 60_000), Validity::Unknown);
    assert_eq!(cut(Metric::ProduceLatencyMax, 1), Validity::Invalid);
    assert_eq!(cut(Metric::ProduceLatencyP99, 1), Validity::Unknown);
}

#[test]
fn latency_counts_from_the_schedule() {
    let mut run = limited(with(&[]), Metric::ProduceLatencyMax, 6000);
    run.rows(0).sends[0].invoke_ns.0 = 4_000_000_000;
    run.send(0, 0, 1).outcome(Outcome::Fail).times(0, 60_000_000_000).push();
    let measured = judged(&run, &[]).thresholds[0].measured_ms.expect("one send was acknowledged");
    assert!((4995..=5005).contains(&measured), "{measured}");
}

#[test]
fn nothing_checked_is_never_a_pass() {
    let run = RunBuilder::small();
    let verdict = judge(&run.history, &run.scenario, &run.plan, &[]);
    assert_eq!(ending(&verdict), (Validity::Unknown, RunOutcome::Inconclusive, 4));
}

fn whole(drawn: &Drawn) -> Verdict {
    let run = &drawn.run;
    judge(&run.history, &run.scenario, &run.plan, &check_all(&run.history, &run.scenario, &run.plan))
}

#[test]
fn a_drawn_run_passes_with_its_fault_proven_and_its_numbers_told() {
    let drawn = draw(7, Shape::SAMPLE);
    let verdict = whole(&drawn);
    assert_eq!(ending(&verdict), (Validity::Valid, RunOutcome::Pass, 0));
    let counts = verdict.counts;
    let rows = drawn.run.history.partitions.values().map(|rows| rows.sends.len() as u64);
    assert_eq!(counts.sent, rows.sum::<u64>());
    assert_eq!(counts.sent, counts.acked + counts.failed + counts.indeterminate);
    assert_eq!(counts.read_distinct, drawn.logs.iter().map(|log| log.len() as u64).sum::<u64>());
    let fault = &verdict.faults[0];
    assert!(fault.proven, "{}", fault.proof);
    assert!(fault.proof.starts_with("exited 137; port refused; fenced by the controller"), "{}", fault.proof);
    assert_eq!((fault.injected_ms, fault.healed_ms), (Some(40 * STEP / 1_000_000), Some(80 * STEP / 1_000_000)));
    assert_eq!(fault.recovery_ms, Some(4));
    assert!(fault.sends_overlapping > 40);
    let json = serde_json::to_string(&verdict).expect("a verdict is plain data");
    assert_eq!(serde_json::from_str::<Verdict>(&json).expect("what was written can be read"), verdict);
}

#[test]
fn a_mock_says_that_it_proves_nothing_and_is_judged_alike() {
    let mut drawn = draw(7, Shape::SAMPLE);
    drawn.run.scenario.cluster.kind = ClusterKind::Mock;
    let verdict = whole(&drawn);
    assert_eq!(ending(&verdict), (Validity::Valid, RunOutcome::Pass, 0));
    assert_eq!(verdict.reasons[1], "The cluster was librdkafka's mock: nothing here proves anything about Kafka.");
    assert!(verdict.faults[0].proof.starts_with("mock: exited 137"), "{}", verdict.faults[0].proof);
}

#[test]
fn no_damage_goes_unnoticed() {
    for damage in damage::ALL {
        let mut drawn = draw(7, Shape::SAMPLE);
        (damage.apply)(&mut drawn).expect("the sample has something to damage");
        let verdict = whole(&drawn);
        let violated = damage.expect.iter().any(|(_, validity)| *validity == Validity::Invalid);
        // What is no harm (all of a transaction in doubt is gone, a replica out of sync is short) is none.
        let harmless = damage.expect.iter().all(|(_, validity)| *validity == Validity::Skipped);
        let expected = match (violated, harmless) {
            (true, _) => (RunOutcome::Fail, 1),
            (false, true) => (RunOutcome::Pass, 0),
            (false, false) => (RunOutcome::Inconclusive, 4),
        };
        assert_eq!((verdict.outcome, verdict.exit_code), expected, "{}: {:?}", damage.name, verdict.reasons);
    }
}
