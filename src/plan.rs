//! `(Scenario, seed) -> Plan`: everything that chance decides, decided before anything starts. Pure.
//!
//! The same scenario and seed give the same plan, byte by byte, on every machine: the draws come from `ChaCha8`, whose
//! stream is fixed. A plan fixes what the harness does, never how a real cluster interleaves it.

mod draw;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::{FaultId, FaultKind, Target};
use crate::scenario::timing::earliest_starts;
use crate::scenario::{FaultSpec, Scenario, Start};

/// The version of the format that [`plan`] writes.
pub const SCHEMA_VERSION: u32 = 1;

/// Decides everything that chance decides.
///
/// Every draw has a stream of its own, named after what it is for: adding a fault changes no other fault's targets and
/// no client's records.
pub fn plan(scenario: &Scenario, seed: u64) -> Plan {
    let phases = scenario.phases;
    Plan {
        schema_version: SCHEMA_VERSION,
        scenario: scenario.name.clone(),
        seed,
        phases: PlannedPhases {
            warmup_ms: millis(phases.warmup),
            chaos_ms: millis(phases.chaos),
            recovery_limit_ms: millis(phases.recovery),
            drain_limit_ms: millis(phases.drain),
        },
        steps: in_order(&scenario.faults).into_iter().map(|fault| step(scenario, fault, seed)).collect(),
        clients: clients(scenario, seed),
    }
}

/// The plan as `plan.json` holds it: the same bytes for the same scenario and seed.
pub fn to_json(plan: &Plan) -> String {
    let mut json = serde_json::to_string_pretty(plan).expect("a plan has string keys only, and no floats");
    json.push('\n');
    json
}

/// The faults by their earliest time; one that waits for another comes behind it, even when both could start at once.
fn in_order(faults: &[FaultSpec]) -> Vec<&FaultSpec> {
    let earliest = earliest_starts(faults);
    let mut ordered: Vec<&FaultSpec> = faults.iter().collect();
    // The sort is stable: what starts at the same time and depth stays in the file's order.
    ordered.sort_by_key(|fault| (earliest.get(&fault.id).copied().unwrap_or(Duration::MAX), depth(faults, fault)));
    ordered
}

/// How many faults must have healed before this one starts.
fn depth(faults: &[FaultSpec], fault: &FaultSpec) -> usize {
    let mut current = fault;
    for depth in 0..faults.len() {
        let Start::After { fault: other, .. } = &current.start else { return depth };
        let Some(found) = faults.iter().find(|fault| fault.id == *other) else { return depth };
        current = found;
    }
    faults.len()
}

fn step(scenario: &Scenario, fault: &FaultSpec, seed: u64) -> Step {
    Step {
        fault: fault.id.clone(),
        kind: fault.kind.clone(),
        target: fault.target.clone(),
        draw: draw::permutation(seed, &format!("fault/{}", fault.id), scenario.cluster.broker_ids()),
        start: match &fault.start {
            Start::At(at) => PlannedStart::AtMs(millis(*at)),
            Start::After { fault, delay } => PlannedStart::After { fault: fault.clone(), delay_ms: millis(*delay) },
        },
        duration_ms: millis(fault.duration),
    }
}

fn clients(scenario: &Scenario, seed: u64) -> Vec<ClientSeed> {
    let producers = scenario.producers.iter().map(|producer| ("producer", &producer.name, producer.count));
    let groups = scenario.groups.iter().map(|group| ("group", &group.name, group.members));
    let named = |(kind, name, count): (&str, &String, u32)| {
        let seeded = |index| {
            let seed = draw::number(seed, &format!("{kind}/{name}/{index}"));
            ClientSeed { name: name.clone(), index, seed }
        };
        (0..count).map(seeded).collect::<Vec<_>>()
    };
    producers.chain(groups).flat_map(named).collect()
}

/// A duration in the plan's unit. Scenarios hold no duration above a week, so that this never saturates.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Every step of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The plan format's version.
    pub schema_version: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The seed that everything below was drawn from.
    pub seed: u64,
    /// The phases and their limits, in milliseconds.
    pub phases: PlannedPhases,
    /// The faults, by their time.
    pub steps: Vec<Step>,
    /// One seed for each client of the load.
    pub clients: Vec<ClientSeed>,
}

/// The phases and their limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPhases {
    /// Load without faults.
    pub warmup_ms: u64,
    /// Load with faults.
    pub chaos_ms: u64,
    /// At most.
    pub recovery_limit_ms: u64,
    /// At most.
    pub drain_limit_ms: u64,
}

/// One fault, with its time and the draw that decides a random target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The fault's name.
    pub fault: FaultId,
    /// What is done.
    pub kind: FaultKind,
    /// To whom.
    pub target: Target,
    /// A permutation of the broker ids, drawn by the seed: a random target takes the first of it.
    pub draw: Vec<i32>,
    /// When.
    pub start: PlannedStart,
    /// How long it stays in force.
    pub duration_ms: u64,
}

/// When a step's turn comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlannedStart {
    /// This long after the chaos phase began.
    AtMs(u64),
    /// After another fault was healed and the ISR was full again.
    After {
        /// The other fault.
        fault: FaultId,
        /// How much longer.
        delay_ms: u64,
    },
}

/// A seed for one client's own choices (keys, sizes, bytes).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSeed {
    /// The producers' or group's name.
    pub name: String,
    /// Which of them, from 0.
    pub index: u32,
    /// Its seed.
    pub seed: u64,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::scenario;

    const BASE: &str = r#"
        name = "base"
        [[topic]]
        name = "chat"
        [[producer]]
        name = "p"
        count = 3
        topic = "chat"
        [[consumer-group]]
        name = "g"
        topics = ["chat"]
        members = 2
        [phases]
        chaos = "60s"
    "#;

    fn scenario(faults: &str) -> Scenario {
        scenario::parse("test.toml", &format!("{BASE}\n{faults}")).expect("the test's scenario is right").scenario
    }

    fn fault(id: &str, when: &str) -> String {
        format!("[[fault]]\nid = \"{id}\"\n{when}\nfor = \"3s\"\npause = {{ target = \"random\" }}\n")
    }

    #[test]
    fn steps_come_by_time_and_behind_what_they_wait_for() {
        let faults = [
            fault("third", "after = \"second\""),
            fault("second", "at = \"5s\""),
            fault("first", "at = \"1s\""),
            fault("fourth", "at = \"20s\""),
        ];
        let plan = plan(&scenario(&faults.concat()), 1);
        let order: Vec<&str> = plan.steps.iter().map(|step| step.fault.0.as_str()).collect();
        assert_eq!(order, ["first", "second", "third", "fourth"]);
    }

    #[test]
    fn another_fault_changes_no_other_draw() {
        let alone = plan(&scenario(&fault("a", "at = \"1s\"")), 7);
        let both = plan(&scenario(&(fault("b", "at = \"9s\"") + &fault("a", "at = \"1s\""))), 7);
        assert_eq!(alone.clients, both.clients);
        assert_eq!(alone.steps[0], both.steps[0]);
    }

    #[test]
    fn the_draws_of_a_seed_never_change() {
        // Written down once: whoever changes these numbers breaks every stored seed.
        let plan = plan(&scenario(&fault("a", "at = \"1s\"")), 42);
        insta::assert_snapshot!(to_json(&plan));
    }

    #[test]
    fn of_an_attached_cluster_those_are_drawn_whose_containers_are_named() {
        let attach = "[cluster]\nkind = \"attach\"\nbootstrap = [\"kafka\"]\nbrokers = 5\n\
            containers = { 0 = \"kafka-0\", 7 = \"kafka-7\", 101 = \"kafka-101\" }\n";
        let mut firsts = BTreeSet::new();
        for seed in 0..40 {
            let draw = plan(&scenario(&(fault("a", "at = \"1s\"") + attach)), seed).steps.remove(0).draw;
            firsts.insert(draw[0]);
            assert_eq!(BTreeSet::from_iter(draw), BTreeSet::from([0, 7, 101]));
        }
        assert_eq!(firsts, BTreeSet::from([0, 7, 101]), "each of them comes first under some seed");
    }

    #[test]
    fn ids_that_count_from_one_are_drawn_alike_whoever_started_the_brokers() {
        let attach = "[cluster]\nkind = \"attach\"\nbootstrap = [\"kafka\"]\n\
            containers = { 3 = \"kafka-3\", 1 = \"kafka-1\", 2 = \"kafka-2\" }\n";
        let faults = fault("a", "at = \"1s\"");
        assert_eq!(plan(&scenario(&(faults.clone() + attach)), 42).steps, plan(&scenario(&faults), 42).steps);
    }

    proptest! {
        #[test]
        fn the_same_seed_gives_the_same_bytes_and_another_seed_another_plan(seed: u64, other: u64) {
            prop_assume!(seed != other);
            let scenario = scenario(&fault("a", "at = \"1s\""));
            prop_assert_eq!(to_json(&plan(&scenario, seed)), to_json(&plan(&scenario, seed)));
            prop_assert_ne!(plan(&scenario, seed).clients, plan(&scenario, other).clients);
        }

        #[test]
        fn every_draw_is_a_permutation_of_the_brokers(seed: u64, brokers in 1_u32..12) {
            let all: Vec<i32> = (1..).take(brokers as usize).collect();
            let mut drawn = draw::permutation(seed, "fault/a", all.clone());
            drawn.sort_unstable();
            prop_assert_eq!(drawn, all);
        }

        #[test]
        fn a_stored_plan_is_read_back_as_it_was(seed: u64) {
            let plan = plan(&scenario(&fault("a", "at = \"1s\"")), seed);
            let read: Plan = serde_json::from_str(&to_json(&plan)).expect("the plan's own format");
            prop_assert_eq!(read, plan);
        }
    }
}
