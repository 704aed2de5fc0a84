//! `(Scenario, seed) -> Plan`: everything that chance decides, decided before anything starts. Pure.
//!
//! The same scenario and seed give the same plan, byte by byte, on every machine: the draws come from `ChaCha8`, whose
//! stream is fixed. A plan fixes what the harness does, never how a real cluster interleaves it.

mod draw;
mod expand;
pub mod outlook;
mod safety;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::{FaultId, FaultKind, Target};
use crate::scenario::timing::earliest_starts;
use crate::scenario::{FaultSpec, Scenario, Start};

use expand::Occurrence;
pub use safety::{EmptyTarget, PlannedSafety};

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
        steps: steps(scenario, seed),
        safety: PlannedSafety::of(&scenario.safety),
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
fn steps(scenario: &Scenario, seed: u64) -> Vec<Step> {
    let (faults, series): (Vec<FaultSpec>, Vec<Option<Series>>) =
        expand::expand(scenario, seed).into_iter().map(|Occurrence { fault, series }| (fault, series)).unzip();
    let earliest = earliest_starts(&faults);
    let depths = depths(&faults);
    let mut ordered: Vec<(&FaultSpec, Option<Series>)> = faults.iter().zip(series).collect();
    // The sort is stable: what starts at the same time and depth stays in the file's order.
    ordered.sort_by_key(|(fault, _)| {
        (earliest.get(&fault.id).copied().unwrap_or(Duration::MAX), depths.get(&fault.id).copied())
    });
    ordered.into_iter().map(|(fault, series)| step(scenario, fault, series, seed)).collect()
}

/// How many faults must have healed before each one starts.
fn depths(faults: &[FaultSpec]) -> BTreeMap<&FaultId, usize> {
    let mut depths: BTreeMap<&FaultId, usize> = BTreeMap::new();
    // Each pass settles one more link of the chains at least, so that there are no more passes than faults.
    for _ in faults {
        let settled = depths.len();
        for fault in faults {
            let depth = match &fault.start {
                Start::At(_) => Some(0),
                Start::After { fault: other, .. } => depths.get(other).map(|depth| depth + 1),
            };
            depths.extend(depth.map(|depth| (&fault.id, depth)));
        }
        if depths.len() == settled {
            break;
        }
    }
    depths
}

fn step(scenario: &Scenario, fault: &FaultSpec, series: Option<Series>, seed: u64) -> Step {
    Step {
        fault: fault.id.clone(),
        kind: fault.kind.clone(),
        target: fault.target.clone(),
        draw: draw::permutation(seed, &format!("fault/{}", fault.id), scenario.cluster.broker_ids()),
        start: match &fault.start {
            Start::At(at) => PlannedStart::AtMs(millis(*at)),
            Start::After { fault, delay } => PlannedStart::After { fault: fault.clone(), delay_ms: millis(*delay) },
        },
        duration_ms: millis(fault.duration.most),
        seed: draw::number(seed, &format!("fault/{}/choices", fault.id)),
        series,
    }
}

fn clients(scenario: &Scenario, seed: u64) -> Vec<ClientSeed> {
    let producers = scenario.all_producers().map(|producer| ("producer", &producer.name, producer.count));
    let groups = scenario.all_groups().map(|group| ("group", &group.name, group.members));
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
    /// What bounds their harm.
    #[serde(default, skip_serializing_if = "PlannedSafety::is_default")]
    pub safety: PlannedSafety,
    /// One seed for each client of the load.
    pub clients: Vec<ClientSeed>,
}

impl Plan {
    /// The label of the client, or the name of the group, that a step strikes: whoever `target` names, drawn by the step's
    /// seed where it names several. `None` when it names brokers, or nobody.
    pub fn client_of(&self, step: &Step) -> Option<String> {
        let (name, index) = match &step.target {
            Target::Producer { name, index } => (name, *index),
            Target::Member { group, index } => (group, *index),
            Target::Group(group) => return self.clients_named(group).next().map(|_| group.clone()),
            Target::Same(_) => return self.client_of(self.origin(step)?),
            _ => return None,
        };
        let count = self.clients_named(name).count() as u64;
        let index = match index {
            Some(index) => u64::from(index),
            None => step.seed.checked_rem(count)?,
        };
        (index < count).then(|| format!("{name}/{index}"))
    }

    /// Every client that a step may strike: of one that strikes whom a series struck last, all that the series may have struck.
    pub fn clients_of(&self, step: &Step) -> Vec<String> {
        let Target::Same(of) = &step.target else { return self.client_of(step).into_iter().collect() };
        let series: Vec<&Step> =
            self.steps.iter().filter(|step| step.series.is_some() && step.origin() == of).collect();
        if series.is_empty() {
            return self.client_of(step).into_iter().collect();
        }
        series.into_iter().filter_map(|step| self.client_of(step)).collect()
    }

    /// The step whose target this one shares by `same:`; `None` when that leads nowhere.
    fn origin<'a>(&'a self, step: &'a Step) -> Option<&'a Step> {
        let mut current = step;
        for _ in &self.steps {
            let Target::Same(other) = &current.target else { return Some(current) };
            current = self.steps.iter().find(|step| step.fault == *other)?;
        }
        None
    }

    fn clients_named(&self, name: &str) -> impl Iterator<Item = &ClientSeed> {
        self.clients.iter().filter(move |client| client.name == name)
    }
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
    /// A seed for what the fault itself leaves to chance, such as which packets are lost.
    #[serde(default)]
    pub seed: u64,
    /// What it is one time of, when its fault strikes again and again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<Series>,
}

/// One time of a fault that strikes again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// The scenario's fault.
    pub of: FaultId,
    /// The time before, when the clock decides: it is not overtaken. If its targets are not whole when this one's turn
    /// comes, this one waits until they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<FaultId>,
}

impl Step {
    /// The scenario's fault that it belongs to.
    pub fn origin(&self) -> &FaultId {
        self.series.as_ref().map_or(&self.fault, |series| &series.of)
    }
}

impl Plan {
    /// The earliest time of each step, in milliseconds since the chaos phase began. Exact for those that name a time.
    pub fn earliest_ms(&self) -> BTreeMap<&FaultId, u64> {
        let mut starts: BTreeMap<&FaultId, u64> = BTreeMap::new();
        let mut ends: BTreeMap<&FaultId, u64> = BTreeMap::new();
        // Steps stand behind those that they wait for.
        for step in &self.steps {
            let start = match &step.start {
                PlannedStart::AtMs(at_ms) => *at_ms,
                PlannedStart::After { fault, delay_ms } => {
                    ends.get(fault).copied().unwrap_or(0).saturating_add(*delay_ms)
                }
            };
            starts.insert(&step.fault, start);
            ends.insert(&step.fault, start.saturating_add(step.duration_ms));
        }
        starts
    }
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
    fn a_client_is_drawn_by_the_seed_and_shared_by_those_that_say_same() {
        let one =
            |id: &str, at: u32, kind: &str| format!("[[fault]]\nid = \"{id}\"\nat = \"{at}s\"\nfor = \"3s\"\n{kind}\n");
        let faults = [
            one("drawn", 1, "crash-client = { target = \"producer:p\" }"),
            one("again", 10, "freeze-client = { target = \"same:drawn\" }"),
            one("named", 20, "slow-consumer = { target = \"member:g/1\", per-record = \"5ms\" }"),
            one("storm", 30, "rebalance-storm = { group = \"g\" }"),
            one("broker", 40, "kill = { target = \"broker:1\" }"),
        ]
        .concat();
        let mut seen = BTreeSet::new();
        for seed in 0..40 {
            let plan = plan(&scenario(&faults), seed);
            let clients: Vec<Option<String>> = plan.steps.iter().map(|step| plan.client_of(step)).collect();
            assert_eq!(clients[0], clients[1]);
            assert_eq!(clients[2..], [Some("g/1".to_owned()), Some("g".to_owned()), None]);
            seen.extend(clients[0].clone());
        }
        assert_eq!(seen, ["p/0", "p/1", "p/2"].map(str::to_owned).into());
    }

    #[test]
    fn whom_a_series_struck_last_may_be_any_that_it_strikes() {
        let faults = "[[fault]]\nid = \"slow\"\nat = \"1s\"\nfor = \"3s\"\nrepeat = 2\n\
                      slow-consumer = { target = \"member:g\", per-record = \"5ms\" }\n\
                      [[fault]]\nid = \"zombie\"\nafter = \"slow\"\nfor = \"3s\"\n\
                      freeze-client = { target = \"same:slow\" }\n";
        let plan = plan(&scenario(faults), 3);
        let [slow @ .., zombie] = &plan.steps[..] else { panic!("{:?}", plan.steps) };
        assert_eq!((slow.len(), plan.client_of(zombie)), (2, None));
        let struck: Vec<String> = slow.iter().filter_map(|step| plan.client_of(step)).collect();
        assert_eq!(plan.clients_of(zombie), struck);
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
    fn what_strikes_by_the_clock_keeps_its_gaps_its_lengths_and_its_end() {
        let flaky = fault("flaky", "every = \"4s..9s\"\nuntil = \"50s\"").replace("\"3s\"", "\"1s..3s\"");
        for seed in 0..50 {
            let plan = plan(&scenario(&flaky), seed);
            let starts: Vec<u64> = plan.earliest_ms().into_values().collect::<BTreeSet<u64>>().into_iter().collect();
            assert!((4..=12).contains(&starts.len()), "{starts:?}");
            assert!((4_000..=9_000).contains(&starts[0]), "{starts:?}");
            assert!(starts.windows(2).all(|pair| (4_000..=9_000).contains(&(pair[1] - pair[0]))), "{starts:?}");
            assert!(starts.iter().all(|start| *start <= 50_000), "{starts:?}");
            assert!(plan.steps.iter().all(|step| (1_000..=3_000).contains(&step.duration_ms)));
            for (step, number) in plan.steps.iter().zip(1..) {
                assert_eq!(step.fault.0, format!("flaky-{number}"));
                assert_eq!(step.origin().0, "flaky");
                let behind = step.series.as_ref().and_then(|series| series.behind.clone());
                assert_eq!(behind.map(|before| before.0), (number > 1).then(|| format!("flaky-{}", number - 1)));
            }
        }
    }

    #[test]
    fn one_that_could_not_end_within_the_chaos_phase_is_not_planned() {
        let starts = |when: &str| {
            let plan = plan(&scenario(&fault("flaky", when)), 1);
            plan.steps.iter().map(|step| plan.earliest_ms()[&step.fault] / 1000).collect::<Vec<_>>()
        };
        assert_eq!(starts("at = \"2s\"\nevery = \"11s\""), [2, 13, 24, 35, 46, 57]);
        assert_eq!(starts("at = \"3s\"\nevery = \"11s\""), [3, 14, 25, 36, 47]);
        assert_eq!(starts("at = \"3s\"\nevery = \"11s\"\nuntil = \"25s\""), [3, 14, 25]);
        assert_eq!(starts("at = \"3s\"\nevery = \"11s\"\nrepeat = 2"), [3, 14]);
        assert_eq!(starts("every = \"11s\"\nrepeat = 2"), [11, 22]);
    }

    #[test]
    fn what_strikes_in_turn_waits_for_itself_and_others_for_its_last_time() {
        let chase = fault("chase", "at = \"1s\"\nrepeat = 3\ndelay = \"2s\"");
        let plan = plan(&scenario(&(fault("then", "after = \"chase\"") + &chase)), 1);
        let after = |fault: &str, delay_ms| PlannedStart::After { fault: FaultId(fault.to_owned()), delay_ms };
        let starts: Vec<(&str, &PlannedStart)> =
            plan.steps.iter().map(|step| (step.fault.0.as_str(), &step.start)).collect();
        assert_eq!(
            starts,
            [
                ("chase-1", &PlannedStart::AtMs(1_000)),
                ("chase-2", &after("chase-1", 2_000)),
                ("chase-3", &after("chase-2", 2_000)),
                ("then", &after("chase-3", 0)),
            ]
        );
        let draws: BTreeSet<u64> = plan.steps.iter().map(|step| step.seed).collect();
        assert_eq!(draws.len(), 4, "each time has draws of its own");
    }

    #[test]
    fn the_times_of_a_seed_never_change() {
        let flaky = fault("flaky", "every = \"9s..19s\"").replace("\"3s\"", "\"1s..3s\"");
        let safety = "[safety]\nmax-unavailable = 1\ndeadline = \"5m\"\nempty-target = \"skip\"\n";
        insta::assert_snapshot!(to_json(&plan(&scenario(&(flaky + safety)), 42)));
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
        fn times_that_are_drawn_are_those_of_the_seed(seed: u64, other: u64) {
            prop_assume!(seed != other);
            let flaky = fault("flaky", "every = \"4s..9s\"").replace("\"3s\"", "\"1s..3s\"");
            let scenario = scenario(&flaky);
            prop_assert_eq!(to_json(&plan(&scenario, seed)), to_json(&plan(&scenario, seed)));
            let times = |seed| -> Vec<(PlannedStart, u64)> {
                plan(&scenario, seed).steps.into_iter().map(|step| (step.start, step.duration_ms)).collect()
            };
            prop_assert_ne!(times(seed), times(other));
            let stored: Plan = serde_json::from_str(&to_json(&plan(&scenario, seed))).expect("the plan's own format");
            prop_assert_eq!(stored, plan(&scenario, seed));
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
