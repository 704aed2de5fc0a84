//! What a plan would do to the cluster, as far as that is known before it runs: when each fault is in force, whom it takes away,
//! how many brokers are away at once, and what is left then. Pure.
//!
//! Brokers that a target names, or that the seed draws, are known by their ids. Whom only the moment decides (a leader, the
//! controller) is counted: `more` of them, at most. So what is told here is never less than what happens, unless a fault comes
//! later than drawn; what that may add is among the warnings.

mod reach;
mod sweep;
mod warnings;

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Plan, PlannedStart, Step};
use crate::fault::{Course, FaultId, FaultKind, State, Strikes, Target};
use crate::scenario::{ClusterKind, Scenario, TopicSpec};

pub use reach::Away;
use reach::{away, struck};
pub use sweep::Stretch;
use sweep::stretches;
pub use warnings::{Warning, WarningKind};

/// What a plan would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outlook {
    /// Each of the scenario's faults, in the order in which they first strike.
    pub faults: Vec<FaultOutlook>,
    /// When brokers are away, and how many; what is not listed has nobody away.
    pub away: Vec<Stretch>,
    /// What is left of the controllers at worst; `None` where nobody knows who they are.
    pub controllers: Option<Quorum>,
    /// What is left of each topic's replicas at worst.
    pub topics: Vec<TopicOutlook>,
    /// What may not be as meant.
    pub warnings: Vec<Warning>,
}

/// What one of the scenario's faults would do, each time that it strikes taken together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultOutlook {
    /// Which.
    pub fault: FaultId,
    /// The word for what it does.
    pub kind: &'static str,
    /// Whom the scenario says that it strikes.
    pub target: Target,
    /// What its targets are meanwhile.
    pub effect: Effect,
    /// Each time that it strikes.
    pub windows: Vec<Window>,
    /// The brokers that it strikes, as far as their ids are known.
    pub brokers: BTreeSet<i32>,
    /// How many more brokers it strikes at one time, whom only the moment decides.
    pub more_brokers: u32,
    /// How many brokers it alone keeps away at one time, at most.
    pub away_at_once: u32,
    /// Which partitions that concerns.
    pub partitions: Vec<Touched>,
    /// The clients, or groups, that it strikes.
    pub clients: Vec<String>,
}

/// What a fault's targets are while it is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Brokers that do not run.
    Down,
    /// Brokers that are frozen.
    Frozen,
    /// Brokers that others do not reach.
    CutOff,
    /// Brokers that everybody reaches, while the others do not reach one another.
    OthersCutOff,
    /// Brokers that run.
    Up,
    /// No brokers, but clients of the load.
    Clients,
}

/// One time that a fault is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// The step of the plan.
    pub step: FaultId,
    /// From when on, in milliseconds since the chaos phase began.
    pub from_ms: u64,
    /// Until when; `None` where it ends by itself, nobody knows when.
    pub until_ms: Option<u64>,
    /// How sure that is.
    pub timing: Timing,
    /// Whom it keeps away.
    pub away: Away,
}

/// How sure a time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timing {
    /// By the clock.
    Exact,
    /// No earlier than this: it waits for another fault to be healed and the cluster to be whole.
    Earliest,
}

/// Which partitions of a topic a fault concerns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Touched {
    /// The topic.
    pub topic: String,
    /// How many partitions it has.
    pub partitions: u32,
    /// How many of them.
    pub extent: Extent,
}

/// How many of a topic's partitions a fault concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// All: each has a replica on one of the brokers.
    Every,
    /// Those that have a replica there, which the placement decides.
    Some,
    /// This one.
    One(i32),
}

/// What is left of the controllers when most brokers are away. Every broker of a run's own cluster is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Quorum {
    /// How many there are.
    pub controllers: u32,
    /// How many are a majority.
    pub majority: u32,
    /// How many are left at worst.
    pub left: u32,
    /// Whether those are a majority.
    pub holds: bool,
}

/// What is left of a topic's replicas when most brokers are away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TopicOutlook {
    /// The topic.
    pub topic: String,
    /// How many replicas each partition has.
    pub replicas: u32,
    /// How many of a partition are left at worst.
    pub left: u32,
    /// How many have to be in sync before anything is acknowledged to `acks=all`; `None` where only the cluster knows.
    pub min_insync: Option<u32>,
    /// Whether those that are left are as many; `None` where nobody knows.
    pub holds: Option<bool>,
}

/// The outlook of a plan that was made of this scenario.
pub fn outlook(scenario: &Scenario, plan: &Plan) -> Outlook {
    let faults: Vec<FaultOutlook> =
        lanes(plan).into_iter().map(|steps| fault_outlook(scenario, plan, &steps)).collect();
    let away = stretches(&faults, scenario.cluster.brokers);
    let most = away.iter().map(|stretch| stretch.brokers).max().unwrap_or(0);
    // The nemesis skips what would keep more away than it may.
    let most = plan.safety.max_unavailable.map_or(most, |bound| most.min(bound));
    let controllers = quorum(scenario, most);
    let topics: Vec<TopicOutlook> = scenario.topics.iter().map(|topic| topic_outlook(scenario, topic, most)).collect();
    let mut outlook = Outlook { faults, away, controllers, topics, warnings: Vec::new() };
    outlook.warnings = warnings::warnings(scenario, plan, &outlook);
    outlook
}

/// The steps of each of the scenario's faults, in the order in which these first strike.
pub fn lanes(plan: &Plan) -> Vec<Vec<&Step>> {
    let mut lanes: Vec<Vec<&Step>> = Vec::new();
    for step in &plan.steps {
        match lanes.iter_mut().find(|steps| steps[0].origin() == step.origin()) {
            Some(steps) => steps.push(step),
            None => lanes.push(vec![step]),
        }
    }
    lanes
}

fn fault_outlook(scenario: &Scenario, plan: &Plan, steps: &[&Step]) -> FaultOutlook {
    let first = steps[0];
    let earliest = plan.earliest_ms();
    let windows: Vec<Window> = steps
        .iter()
        .map(|step| window(scenario, plan, step, earliest.get(&step.fault).copied().unwrap_or_default()))
        .collect();
    let reached: Vec<Away> = steps.iter().map(|step| struck(scenario, plan, step)).collect();
    let more_brokers = reached.iter().map(|reach| reach.more).max().unwrap_or(0);
    let at_once = reached.iter().map(|reach| reach.at_most(scenario.cluster.brokers)).max().unwrap_or(0);
    let mut clients: Vec<String> = steps.iter().flat_map(|step| plan.clients_of(step)).collect();
    clients.sort_unstable();
    clients.dedup();
    FaultOutlook {
        fault: first.origin().clone(),
        kind: first.kind.name(),
        target: first.target.clone(),
        effect: Effect::of(&first.kind),
        away_at_once: windows.iter().map(|window| window.away.at_most(scenario.cluster.brokers)).max().unwrap_or(0),
        windows,
        brokers: reached.into_iter().flat_map(|reach| reach.brokers).collect(),
        more_brokers,
        partitions: touched(scenario, &first.kind, at_once),
        clients,
    }
}

fn window(scenario: &Scenario, plan: &Plan, step: &Step, from_ms: u64) -> Window {
    let lasts = match step.kind.course() {
        Course::Brief | Course::Rolling { .. } => None,
        Course::Hold | Course::Loop { .. } => Some(step.duration_ms),
    };
    Window {
        step: step.fault.clone(),
        from_ms,
        until_ms: lasts.map(|lasts| from_ms.saturating_add(lasts)),
        timing: match step.start {
            PlannedStart::AtMs(_) => Timing::Exact,
            PlannedStart::After { .. } => Timing::Earliest,
        },
        away: away(scenario, plan, step),
    }
}

impl Effect {
    fn of(kind: &FaultKind) -> Self {
        if matches!(kind, FaultKind::Bridge(_)) {
            return Self::OthersCutOff;
        }
        match (kind.facts().strikes, kind.state()) {
            (Strikes::Brokers, State::Down) => Self::Down,
            (Strikes::Brokers, State::Frozen) => Self::Frozen,
            (Strikes::Brokers, State::CutOff) => Self::CutOff,
            (Strikes::Brokers, State::Up) => Self::Up,
            _ => Self::Clients,
        }
    }

    /// Whether it keeps brokers away.
    pub fn is_away(self) -> bool {
        matches!(self, Self::Down | Self::Frozen | Self::CutOff | Self::OthersCutOff)
    }
}

/// The partitions that concerns what a kind does to so many brokers.
fn touched(scenario: &Scenario, kind: &FaultKind, brokers: u32) -> Vec<Touched> {
    let named = match kind {
        FaultKind::Elect(elect) => Some((&elect.partition.topic, Some(elect.partition.partition.0))),
        FaultKind::TransferLeader(transfer) => Some((&transfer.partition.topic, Some(transfer.partition.partition.0))),
        FaultKind::Reassign(reassign) => Some((&reassign.partition.topic, Some(reassign.partition.partition.0))),
        FaultKind::DeleteRecords(delete) => Some((&delete.partition.topic, Some(delete.partition.partition.0))),
        FaultKind::AlterConfig(alter) => alter.topic.as_ref().map(|topic| (topic, None)),
        FaultKind::FailOver(_) => return Vec::new(),
        _ => None,
    };
    let extent = |topic: &TopicSpec| match named {
        Some((name, _)) if *name != topic.name => None,
        Some((_, Some(partition))) => Some(Extent::One(partition)),
        Some((_, None)) => Some(Extent::Every),
        None if brokers == 0 => None,
        // With more replicas than there are other brokers, each partition has one on those that are struck.
        None if topic.replication_factor > scenario.cluster.brokers.saturating_sub(brokers) => Some(Extent::Every),
        None => Some(Extent::Some),
    };
    let topics = scenario.topics.iter();
    topics
        .filter_map(|topic| {
            Some(Touched { topic: topic.name.clone(), partitions: topic.partitions, extent: extent(topic)? })
        })
        .collect()
}

fn quorum(scenario: &Scenario, away: u32) -> Option<Quorum> {
    let controllers = scenario.cluster.brokers;
    let (majority, left) = (controllers / 2 + 1, controllers.saturating_sub(away));
    let quorum = Quorum { controllers, majority, left, holds: left >= majority };
    (scenario.cluster.kind == ClusterKind::Docker).then_some(quorum)
}

fn topic_outlook(scenario: &Scenario, topic: &TopicSpec, away: u32) -> TopicOutlook {
    let left = topic.replication_factor.saturating_sub(away);
    let min_insync = min_insync(scenario, topic);
    TopicOutlook {
        topic: topic.name.clone(),
        replicas: topic.replication_factor,
        left,
        min_insync,
        holds: min_insync.map(|needed| left >= needed),
    }
}

/// The topic's own, else the cluster's; else what a run's own brokers are given. Others may have any.
fn min_insync(scenario: &Scenario, topic: &TopicSpec) -> Option<u32> {
    const NAME: &str = "min.insync.replicas";
    let written = topic.config.get(NAME).or_else(|| scenario.cluster.config.get(NAME));
    match written {
        Some(written) => written.trim().parse().ok(),
        None => (scenario.cluster.kind == ClusterKind::Docker).then(|| scenario.cluster.brokers.min(2)),
    }
}

#[cfg(test)]
mod tests;
