//! What runs, but perhaps not as meant. Looked for only in scenarios with nothing wrong.

use super::faults::{Placed, placed};
use super::overlap::window;
use super::{client, cluster, items};
use crate::anomaly::{CheckName, Expectation};
use crate::fault::Target;
use crate::scenario::problem::Problems;
use crate::scenario::raw::RawScenario;
use crate::scenario::{ClusterKind, FaultSpec, Scenario};

/// Every warning.
pub(super) fn warnings(raw: &RawScenario, scenario: &Scenario, problems: &mut Problems) {
    no_faults(raw, scenario, problems);
    let placed = placed(raw, &scenario.faults);
    if scenario.cluster.kind == ClusterKind::Docker {
        quorum(scenario, &placed, problems);
    }
    weak_acks(raw, scenario, problems);
    tight_insync(raw, scenario, problems);
}

fn no_faults(raw: &RawScenario, scenario: &Scenario, problems: &mut Problems) {
    if let Some(name) = raw.name.get().filter(|_| scenario.faults.is_empty()) {
        problems
            .warn(&name.span, "the scenario has no fault", "a baseline")
            .help("good for comparing with, but a green run of it says nothing about failures");
    }
}

/// How many brokers a fault strikes.
fn struck(scenario: &Scenario, fault: &FaultSpec) -> u32 {
    let brokers = scenario.cluster.brokers;
    match &fault.target {
        Target::Followers(partition) => {
            let topic = scenario.topics.iter().find(|topic| topic.name == partition.topic);
            topic.map_or(0, |topic| topic.replication_factor.saturating_sub(1))
        }
        Target::Random(count) => u32::try_from(*count).unwrap_or(brokers),
        Target::Minority => brokers.saturating_sub(1) / 2,
        Target::Majority => brokers / 2 + 1,
        Target::All => brokers,
        Target::Same(other) => {
            let earlier = scenario.faults.iter().find(|fault| fault.id == *other);
            earlier.map_or(0, |earlier| struck(scenario, earlier))
        }
        Target::Broker(_) | Target::Leader(_) | Target::Follower(_) | Target::Controller | Target::Coordinator(_) => 1,
    }
}

/// Every broker is a controller too: with a majority of them gone nobody elects leaders.
fn quorum(scenario: &Scenario, placed: &[Placed<'_>], problems: &mut Problems) {
    const HELP: &str = "until enough of them are back no leader is elected and no ISR changes, so that partitions whose leader \
         is gone stay unavailable; if that is meant, let `unavailability` allow for it";
    let brokers = scenario.cluster.brokers;
    let loses_quorum = |struck: u32| brokers.saturating_sub(struck) < brokers / 2 + 1;
    for fault in placed {
        let alone = struck(scenario, &fault.spec);
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
        let Some((start, _)) = window(&fault.spec) else { continue };
        let before = placed.iter().filter(|other| {
            other.spec.id != fault.spec.id && window(&other.spec).is_some_and(|(from, to)| from <= start && start < to)
        });
        let others: Vec<u32> = before.map(|other| struck(scenario, &other.spec)).collect();
        if !others.iter().any(|count| loses_quorum(*count)) && loses_quorum(alone + others.iter().sum::<u32>()) {
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

/// Without acks=all Kafka promises nothing when a leader dies, so that a lost write would be no news.
fn weak_acks(raw: &RawScenario, scenario: &Scenario, problems: &mut Problems) {
    if scenario.expectation(CheckName::LostWrite) != Expectation::Forbidden || scenario.faults.is_empty() {
        return;
    }
    for config in items(&raw.producers).filter_map(|producer| producer.config.value()) {
        if let Some(acks) = client::acks(config).filter(|acks| !client::waits_for_all(acks)) {
            problems
                .warn(
                    &acks.span,
                    "records may be lost by Kafka's own rules, yet `lost-write` is forbidden",
                    "does not wait for the replicas",
                )
                .help(
                    "write acks = \"all\", or in [expect]: lost-write = \"allowed\" (or \"required\", for a control)",
                );
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
        let Some(property) = cluster::min_insync(raw, topic) else { continue };
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
