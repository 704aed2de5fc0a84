//! What runs, but perhaps not as meant. Looked for only in scenarios with nothing wrong.

use std::time::Duration;

use super::faults::{Placed, placed};
use super::overlap::windows;
use super::reach::at_most;
use super::{access, attach, cluster, items, promises, retention};
use crate::scenario::problem::{Problems, Span};
use crate::scenario::raw::{RawScenario, RawTopic};
use crate::scenario::{ClusterKind, FaultSpec, QuorumLoss, Scenario, TopicSpec};

/// Every warning.
pub(super) fn warnings(raw: &RawScenario, scenario: &Scenario, problems: &mut Problems) {
    no_faults(raw, scenario, problems);
    let placed = placed(raw, &scenario.faults);
    if scenario.cluster.kind == ClusterKind::Docker && scenario.safety.quorum_loss == QuorumLoss::Warned {
        quorum(scenario, &placed, problems);
    }
    access::warn(raw, problems);
    attach::warn(scenario, &placed, problems);
    promises::warn(raw, scenario, problems);
    retention::warn(raw, scenario, problems);
    no_evidence(raw, problems);
    shared_on_a_mock(raw, scenario, problems);
    tight_insync(raw, scenario, problems);
}

fn no_faults(raw: &RawScenario, scenario: &Scenario, problems: &mut Problems) {
    if let Some(name) = raw.name.get().filter(|_| scenario.faults.is_empty()) {
        problems
            .warn(&name.span, "the scenario has no fault", "a baseline")
            .help("good for comparing with, but a green run of it says nothing about failures");
    }
}

/// Every broker is a controller too: with a majority of them gone nobody elects leaders.
fn quorum(scenario: &Scenario, placed: &[Placed<'_>], problems: &mut Problems) {
    const HELP: &str = "until enough of them are back no leader is elected and no ISR changes, so that partitions whose leader \
         is gone stay unavailable; if that is meant, write allow-quorum-loss = true under [safety], which ends this \
         warning and changes nothing else, and let `unavailability` allow for it";
    let brokers = scenario.cluster.brokers;
    let loses_quorum = |struck: u32| brokers.saturating_sub(struck) < brokers / 2 + 1;
    // Where no more may be away at once, whatever meets, the run itself sees to it.
    let is_bound = scenario.safety.max_unavailable.is_some_and(|most| !loses_quorum(most));
    for fault in placed {
        let alone = at_most(scenario, &fault.spec);
        if loses_quorum(alone) {
            problems
                .warn(
                    &fault.target_span(),
                    format!("fault `{}` takes the controllers' quorum away", fault.spec.id),
                    format!("strikes {alone} of {brokers} brokers, each a controller too"),
                )
                .help(HELP);
            continue;
        }
        let starts: Vec<Duration> =
            windows(&fault.spec, &scenario.phases).into_iter().map(|(start, _)| start).collect();
        let meets = |other: &FaultSpec| {
            let theirs = windows(other, &scenario.phases);
            starts.iter().any(|start| theirs.iter().any(|(from, to)| from <= start && start < to))
        };
        let before = placed.iter().filter(|other| other.spec.id != fault.spec.id && meets(&other.spec));
        let others: Vec<u32> = before.map(|other| at_most(scenario, &other.spec)).collect();
        if !is_bound
            && !others.iter().any(|count| loses_quorum(*count))
            && loses_quorum(alone + others.iter().sum::<u32>())
        {
            problems
                .warn(
                    &fault.target_span(),
                    format!("fault `{}` may take the controllers' quorum away", fault.spec.id),
                    format!(
                        "with the faults still in force then, up to {} of {brokers} brokers",
                        alone + others.iter().sum::<u32>()
                    ),
                )
                .help(HELP);
        }
    }
}

/// When every replica must be in sync, one broker down stops every write.
fn tight_insync(raw: &RawScenario, scenario: &Scenario, problems: &mut Problems) {
    if scenario.faults.is_empty() {
        return;
    }
    let mut warned = Vec::new();
    for (topic, spec) in items(&raw.topics).zip(&scenario.topics) {
        let Some(property) = cluster::min_insync(raw, topic) else {
            tight_by_default(raw, topic, scenario, spec, &mut warned, problems);
            continue;
        };
        let all_needed = property.value == spec.replication_factor.to_string();
        if all_needed && !warned.contains(&property.span) {
            warned.push(property.span.clone());
            problems
                .warn(
                    &property.span,
                    format!("topic `{}` refuses every acks=all record while one replica is away", spec.name),
                    "as many as there are replicas",
                )
                .help("with three replicas it is usually 2");
        }
    }
}

/// Unless the scenario says otherwise the harness wants two replicas in sync, which are all there are of two.
fn tight_by_default(
    raw: &RawScenario,
    topic: &RawTopic,
    scenario: &Scenario,
    spec: &TopicSpec,
    warned: &mut Vec<Span>,
    problems: &mut Problems,
) {
    if scenario.cluster.kind != ClusterKind::Docker || spec.replication_factor != 2 {
        return;
    }
    let replicas = topic.replication_factor.get().map(|at| &at.span);
    let brokers = raw.cluster.value().and_then(|cluster| cluster.brokers.get()).map(|at| &at.span);
    let span = replicas.or(brokers).unwrap_or(&topic.span).clone();
    if warned.contains(&span) {
        return;
    }
    problems
        .warn(
            &span,
            format!("topic `{}` refuses every acks=all record while one replica is away", spec.name),
            "two replicas, and by default `min.insync.replicas` is 2",
        )
        .help(
            "have three replicas on three brokers; or write config = { \"min.insync.replicas\" = 1 }, which acknowledges \
             records that only one broker has",
        );
    warned.push(span);
}

/// librdkafka's mock takes a group for settled when its leader has synced, not when all members have.
fn shared_on_a_mock(raw: &RawScenario, scenario: &Scenario, problems: &mut Problems) {
    if scenario.cluster.kind != ClusterKind::Mock {
        return;
    }
    for members in items(&raw.groups).filter_map(|group| group.members.get()).filter(|at| at.value > 1) {
        problems
            .warn(&members.span, "a mock may never let the members of a group share", "more than one")
            .help(
                "librdkafka's mock turns away a member that syncs after its group's leader, and the group starts over; on a busy \
                 machine that may last to the end of the run, which is then inconclusive: write members = 1",
            );
    }
}

/// A floor of nothing lets a run be valid in which nothing happened.
fn no_evidence(raw: &RawScenario, problems: &mut Problems) {
    let Some(evidence) = raw.evidence.value() else { return };
    let floors = [
        ("acked", &evidence.acked, "no record needs to be acknowledged", 1000),
        ("sends-per-fault", &evidence.sends_per_fault, "no send needs to meet a fault", 100),
    ];
    for (key, floor, label, default) in floors {
        if let Some(at) = floor.get().filter(|at| at.value == 0) {
            problems
                .warn(&at.span, format!("with `{key}` = 0 a run may be called valid on no evidence"), label)
                .help(format!("write at least 1, or leave the line out: the default is {default}"));
        }
    }
}
