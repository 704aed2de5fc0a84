//! `coverage`: whether the faults bit, and whether there was enough evidence for the other checks to mean anything.
//!
//! **Definition.** A list of things that must be there, each one with a sentence for when it is not: the history is
//! whole, every send has one row, and the rows are as many as `run-ended` counted; the run was not interrupted, its
//! deadline cut nothing short, and the harness reported no error of its own; at least `evidence.acked` sends were
//! acknowledged, and one of them before the first fault; every set of producers sent at `evidence.rate` of the rate that it was asked for, if the
//! scenario says so; every fault that the scenario asks for was planned; every planned
//! fault was injected, provably bit, and provably healed (`proof`), and at least `evidence.sends-per-fault` sends were invoked or in flight while it was in
//! force; a fault whose target was nobody is passed over when the scenario says so (`empty-target`), but where all are
//! passed over nothing was tried; two faults that the plan has in force together were (`meetings`); the cluster was whole after the last heal; the end offset of every partition was read from
//! the cluster, and its log still begins at offset 0, or no later than where a fault deleted records on purpose,
//! because a run's topics are its own and what retention removed cannot be checked; no open transaction keeps readers
//! from the log's end; every drain reader read every partition to the end offset, the witness to the high watermark, and every group's
//! members to the end offset.
//!
//! **Why.** A run whose fault did nothing, whose load had stopped, or whose drain broke off is green for no reason.
//! This check says nothing about Kafka: it is never invalid, only valid or unknown.
//!
//! **Examined**: the things asked for. **Notes**: one sentence for each that is missing.

use crate::anomaly::{CheckName, CheckResult};
use crate::history::Closure;
use crate::kafka::{Offset, Outcome, TimeNs};
use crate::scenario::{EmptyTarget, Scenario};

use super::Checker;
use super::evidence::Evidence;
use super::faults::FaultLife;
use super::finding::Findings;
use super::group_delivery;
use super::meetings;
use super::rates;
use super::timeline::Wholeness;

/// Looks for evidence that is missing.
pub struct Coverage;

/// Things asked for, and those that were missing.
struct Demands(Findings);

impl Demands {
    /// Asks for one thing.
    fn demand(&mut self, missing: Option<String>) {
        self.0.examined += 1;
        if let Some(sentence) = missing {
            self.0.doubt(sentence);
        }
    }
}

impl Checker for Coverage {
    fn name(&self) -> CheckName {
        CheckName::Coverage
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut demands = Demands(Findings::of(CheckName::Coverage));
        demand_whole_history(evidence, &mut demands);
        demand_quiet_harness(evidence, &mut demands);
        demand_acks(evidence, &mut demands);
        demand_rates(evidence, &mut demands);
        let lives = FaultLife::all(evidence.plan, evidence.history);
        demand_acks_before(evidence, &lives, &mut demands);
        demand_faults(evidence, &lives, &mut demands);
        demand_drain(evidence, &mut demands);
        demand_groups(evidence, &mut demands);
        demands.0.finish()
    }
}

fn demand_whole_history(evidence: &Evidence<'_>, demands: &mut Demands) {
    demands.demand(match &evidence.history.closure {
        Closure::Whole => None,
        Closure::Cut(missing) => Some(format!("The history is cut: {missing}.")),
    });
    let sends = &evidence.tally.sends.partitions;
    let missing: u64 = sends.iter().map(|(_, sends)| sends.missing()).sum();
    demands.demand(
        (missing > 0).then(|| format!("{missing} sends have no row, although later ones of their producers do.")),
    );
    let repeated: u64 = sends.iter().map(|(_, sends)| sends.repeated).sum();
    demands.demand((repeated > 0).then(|| format!("{repeated} sends have more than one row.")));
    let reads = evidence.tally.reads.partitions.iter().map(|(_, reads)| reads.reads).sum();
    let rows: (u64, u64) = (sends.iter().map(|(_, sends)| sends.sent).sum(), reads);
    let differs = evidence.timeline.totals.filter(|totals| *totals != rows);
    demands.demand(differs.map(|(sends, reads)| {
        format!(
            "The recorder counted {sends} sends and {reads} reads, but the history holds {} and {}.",
            rows.0, rows.1
        )
    }));
}

fn demand_quiet_harness(evidence: &Evidence<'_>, demands: &mut Demands) {
    let interrupted = evidence.timeline.interrupted.as_ref();
    demands.demand(interrupted.map(|signal| format!("The run was interrupted by {signal}.")));
    demands.demand(evidence.timeline.deadline_ms.map(|limit| {
        let limit = TimeNs::from_millis(limit).as_secs_f64();
        format!("The deadline of {limit} s passed before the chaos phase was over, and ended it.")
    }));
    let errors = &evidence.timeline.harness_errors;
    demands.demand(errors.first().map(|first| match errors.len() {
        1 => format!("The harness reported an error of its own: {first}."),
        many => format!("The harness reported {many} errors of its own, the first: {first}."),
    }));
}

fn demand_acks(evidence: &Evidence<'_>, demands: &mut Demands) {
    let acked: u64 = evidence.tally.sends.partitions.iter().map(|(_, sends)| sends.of(Outcome::Ok)).sum();
    let floor = evidence.scenario.evidence.acked;
    demands.demand(
        (acked < floor.max(1))
            .then(|| format!("Only {acked} sends were acknowledged; the verdict needs {}.", floor.max(1))),
    );
}

/// A load that this machine or the cluster could not bear is not the one that was asked for.
fn demand_rates(evidence: &Evidence<'_>, demands: &mut Demands) {
    let Some(floor) = evidence.scenario.evidence.rate_millionths.map(|share| f64::from(share) / 1e6) else { return };
    for achieved in rates::achieved(evidence.history, &evidence.tally, evidence.scenario) {
        demands.demand((achieved.share() < floor).then(|| {
            format!(
                "{} sent {:.0} records a second of the {:.0} that they were asked for, {:.1} %; the verdict needs {:.1} %.",
                achieved.producers,
                achieved.sent_per_second,
                achieved.asked_per_second,
                achieved.share() * 100.0,
                floor * 100.0
            )
        }));
    }
}

/// What stands still already cannot be stopped by a fault: without it, the cluster has to have worked.
fn demand_acks_before(evidence: &Evidence<'_>, lives: &[FaultLife<'_>], demands: &mut Demands) {
    let struck = lives.iter().filter_map(|life| Some((life.inject.invoked?, &life.step.fault)));
    let Some((first, fault)) = struck.min_by_key(|(invoked, _)| *invoked) else { return };
    let worked = evidence.tally.sends.first_ack.is_some_and(|acked| acked < first);
    demands.demand((!worked).then(|| {
        format!(
            "Nothing was acknowledged before the first fault ({fault} at {:.1} s), so that nobody knows whether the cluster \
             worked without it: give it a longer warm-up, or a machine that bears the load.",
            first.as_secs_f64()
        )
    }));
}

fn demand_faults(evidence: &Evidence<'_>, lives: &[FaultLife<'_>], demands: &mut Demands) {
    let windows: Vec<_> = lives.iter().map(|life| life.window(evidence.timeline.end)).collect();
    let floor = evidence.scenario.evidence.sends_per_fault;
    for ((life, window), sends) in lives.iter().zip(&windows).zip(&evidence.tally.sends.overlapping) {
        let id = &life.step.fault;
        let proof = life.proof();
        if is_excused(life, evidence.scenario) {
            continue;
        }
        demands.demand((!proof.proven).then(|| format!("Fault {id} is not proven: {}.", proof.sentence)));
        demands.demand((window.is_some() && *sends < floor).then(|| {
            format!("Only {sends} sends were invoked or in flight while {id} was in force; the verdict needs {floor}.")
        }));
    }
    let all_excused = !lives.is_empty() && lives.iter().all(|life| is_excused(life, evidence.scenario));
    demands.demand(all_excused.then(|| "Every fault was passed over, so that nothing was tried.".to_owned()));
    for sentence in meetings::missed(lives, evidence.timeline.end) {
        demands.demand(Some(sentence));
    }
    // Without its step a fault has no life, so nothing above would miss it.
    for fault in &evidence.scenario.faults {
        let planned = lives.iter().any(|life| *life.step.origin() == fault.id);
        demands.demand((!planned).then(|| format!("Fault {} has no step in the plan.", fault.id)));
    }
    let healed = lives.iter().any(|life| life.heal.done.is_some());
    demands.demand(match &evidence.timeline.wholeness {
        Wholeness::NotWhole(last_seen) => {
            Some(format!("The cluster did not become whole after the heals: {last_seen}."))
        }
        Wholeness::NotObserved if healed => Some("Nobody saw the cluster whole after the heals.".to_owned()),
        Wholeness::Whole | Wholeness::NotObserved => None,
    });
}

/// Whether a fault struck nobody because its target was nobody, and the scenario says that this is no failure.
fn is_excused(life: &FaultLife<'_>, scenario: &Scenario) -> bool {
    let is_nobody = life.passed_over.is_some() && life.skipped.is_none() && life.inject.invoked.is_none();
    is_nobody && scenario.safety.empty_target == EmptyTarget::Skip
}

fn demand_drain(evidence: &Evidence<'_>, demands: &mut Demands) {
    let drains = &evidence.readers.drains;
    demands.demand(drains.is_empty().then(|| "There was no drain reader.".to_owned()));
    for partition in &evidence.partitions {
        let name = partition.name();
        demands.demand(
            partition.range.is_none().then(|| format!("The end offset of {name} was never read from the cluster.")),
        );
        let Some((start, end)) = partition.range else { continue };
        demands.demand(partition.kept_back());
        // What a fault deleted on purpose is known to be gone, and owed by nobody.
        let is_explained = start <= partition.deleted_below.unwrap_or(Offset(0));
        demands.demand((!is_explained).then(|| {
            format!("The log of {name} begins at offset {start}: what lay before was removed, and nobody can check it.")
        }));
        for reach in &partition.reaches {
            demands.demand((!reach.complete).then(|| {
                format!("{} read {name} to offset {} of {end} only.", evidence.label(reach.reader), reach.reached)
            }));
        }
        if evidence.readers.have_witness() {
            let all = partition.high_watermark.unwrap_or(end);
            let shown = partition.shown.as_ref().map_or(Offset(0), |shown| shown.reached);
            demands.demand((shown < all).then(|| {
                format!("The witness, who waits for no commits, read {name} to offset {shown} of {all} only.")
            }));
        }
    }
}

fn demand_groups(evidence: &Evidence<'_>, demands: &mut Demands) {
    for group in evidence.scenario.all_groups() {
        let number = evidence.readers.group(&group.name).expect("the scenario's groups are numbered");
        for partition in &evidence.partitions {
            let subscribed = group.topics.iter().any(|topic| **topic == *partition.topic);
            let Some((_, end)) = partition.range.filter(|_| subscribed) else { continue };
            let reached = group_delivery::reached(evidence, partition, number);
            demands.demand((reached < end).then(|| {
                format!("Group {} reached offset {reached} of {end} in {} only.", group.name, partition.name())
            }));
        }
    }
}
