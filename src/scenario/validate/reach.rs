//! How many brokers a fault keeps away at once, as far as that is known before anything runs.

use std::collections::BTreeSet;

use crate::fault::{Course, FaultKind, Target};
use crate::kafka::BrokerId;
use crate::scenario::{FaultSpec, Scenario};

/// A target that looks back further is taken to be nobody: it looks back in a circle, which is refused elsewhere.
const DEEPEST: u32 = 8;

/// How the numbers of a set's members are put together: how many are named by their ids, and how many each other one is.
type Together = fn(u32, &[u32]) -> u32;

/// At most so many, of all the cluster's brokers.
pub(super) fn at_most(scenario: &Scenario, fault: &FaultSpec) -> u32 {
    kept_away(scenario, fault, |named, others| others.iter().fold(named, |sum, other| sum.saturating_add(*other)))
        .min(scenario.cluster.brokers)
}

/// At least so many: members of a set may turn out to be the same broker. Of a bridge those count that it cuts from one another.
pub(super) fn at_least(scenario: &Scenario, fault: &FaultSpec) -> u32 {
    if matches!(fault.kind, FaultKind::Bridge(_)) {
        return scenario.cluster.brokers.saturating_sub(at_most(scenario, fault));
    }
    kept_away(scenario, fault, |named, others| others.iter().copied().max().unwrap_or(0).max(named))
}

fn kept_away(scenario: &Scenario, fault: &FaultSpec, together: Together) -> u32 {
    if !fault.kind.state().is_away() {
        0
    } else if matches!(fault.kind.course(), Course::Rolling { .. }) {
        1
    } else {
        struck(scenario, &fault.target, together, 0)
    }
}

fn struck(scenario: &Scenario, target: &Target, together: Together, depth: u32) -> u32 {
    let mut named: BTreeSet<BrokerId> = BTreeSet::new();
    let mut others = Vec::new();
    for member in target.members() {
        match member {
            Target::Broker(id) => {
                named.insert(*id);
            }
            Target::Same(_) if depth >= DEEPEST => {}
            Target::Same(other) => {
                let earlier = scenario.faults.iter().find(|fault| fault.id == *other);
                others.extend(earlier.map(|earlier| struck(scenario, &earlier.target, together, depth + 1)));
            }
            other => others.push(one(scenario, other)),
        }
    }
    together(u32::try_from(named.len()).unwrap_or(u32::MAX), &others)
}

fn one(scenario: &Scenario, target: &Target) -> u32 {
    let brokers = scenario.cluster.brokers;
    match target {
        Target::Followers(partition) => {
            let topic = scenario.topics.iter().find(|topic| topic.name == partition.topic);
            topic.map_or(0, |topic| topic.replication_factor.saturating_sub(1))
        }
        Target::Random(count) => u32::try_from(*count).unwrap_or(brokers),
        Target::Minority => brokers.saturating_sub(1) / 2,
        Target::Majority => brokers / 2 + 1,
        Target::All => brokers,
        Target::Broker(_) | Target::Leader(_) | Target::Follower(_) | Target::Controller | Target::Coordinator(_) => 1,
        Target::Producer { .. } | Target::Member { .. } | Target::Group(_) => 0,
        Target::Same(_) | Target::Set(_) => unreachable!("their members are counted one by one"),
    }
}
