//! Whom a step strikes, and whom it keeps away: by id where the scenario or the seed says so, else counted.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::fault::{Course, FaultKind, Strikes, Target};
use crate::plan::{Plan, Step};
use crate::scenario::Scenario;

/// A target that looks back further is taken to be nobody: it looks back in a circle, which no scenario may.
const DEEPEST: u32 = 8;

/// Brokers, some of whom only the moment decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Away {
    /// Those known by their ids.
    pub brokers: BTreeSet<i32>,
    /// How many more at most.
    pub more: u32,
}

impl Away {
    /// How many there are at most, of all.
    pub fn at_most(&self, of: u32) -> u32 {
        u32::try_from(self.brokers.len()).unwrap_or(of).saturating_add(self.more).min(of)
    }

    /// These and those: whom only the moment decides may be others each time.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.brokers.extend(&other.brokers);
        self.more = self.more.saturating_add(other.more);
        self
    }
}

/// The brokers that a step strikes.
pub(super) fn struck(scenario: &Scenario, plan: &Plan, step: &Step) -> Away {
    if step.kind.facts().strikes == Strikes::Brokers {
        named(scenario, plan, step, &step.target, 0)
    } else {
        Away::default()
    }
}

/// The brokers that it keeps away at one time.
pub(super) fn away(scenario: &Scenario, plan: &Plan, step: &Step) -> Away {
    if step.kind.facts().strikes != Strikes::Brokers || !step.kind.state().is_away() {
        return Away::default();
    }
    if matches!(step.kind.course(), Course::Rolling { .. }) {
        return Away { brokers: BTreeSet::new(), more: 1 };
    }
    let struck = struck(scenario, plan, step);
    if matches!(step.kind, FaultKind::Bridge(_)) {
        // Whoever is in one half has the bridge and its own half: the other one is away for it, the larger at most.
        let others = cut_apart(scenario.cluster.brokers, &struck);
        return Away { brokers: BTreeSet::new(), more: others - others / 2 };
    }
    struck
}

/// How many brokers are in either half of a bridge.
pub(super) fn cut_apart(brokers: u32, bridge: &Away) -> u32 {
    brokers.saturating_sub(bridge.at_most(brokers))
}

fn named(scenario: &Scenario, plan: &Plan, step: &Step, target: &Target, depth: u32) -> Away {
    let mut all = Away::default();
    for member in target.members() {
        all = all.and(&one(scenario, plan, step, member, depth));
    }
    all
}

fn one(scenario: &Scenario, plan: &Plan, step: &Step, target: &Target, depth: u32) -> Away {
    let brokers = scenario.cluster.brokers as usize;
    let drawn = |count: usize| Away { brokers: step.draw.iter().take(count).copied().collect(), more: 0 };
    let counted = |more: u32| Away { brokers: BTreeSet::new(), more };
    match target {
        Target::Broker(id) => Away { brokers: BTreeSet::from([id.0]), more: 0 },
        Target::Random(count) => drawn(*count),
        Target::Minority => drawn(brokers.saturating_sub(1) / 2),
        Target::Majority => drawn(brokers / 2 + 1),
        Target::All => Away { brokers: scenario.cluster.broker_ids().into_iter().collect(), more: 0 },
        Target::Leader(_) | Target::Follower(_) | Target::Controller | Target::Coordinator(_) => counted(1),
        Target::Followers(partition) => {
            let topic = scenario.topics.iter().find(|topic| topic.name == partition.topic);
            counted(topic.map_or(0, |topic| topic.replication_factor.saturating_sub(1)))
        }
        Target::Same(_) if depth >= DEEPEST => Away::default(),
        Target::Same(other) => {
            let last = plan.steps.iter().rfind(|step| step.fault == *other || step.origin() == other);
            last.map_or_else(Away::default, |last| named(scenario, plan, last, &last.target, depth + 1))
        }
        Target::Producer { .. } | Target::Member { .. } | Target::Group(_) => Away::default(),
        Target::Set(members) => {
            members.iter().fold(Away::default(), |all, member| all.and(&one(scenario, plan, step, member, depth)))
        }
    }
}
