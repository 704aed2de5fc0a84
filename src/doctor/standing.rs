//! The standing cluster's containers: which run, and which somebody stopped or froze.

use std::time::Duration;

use tokio::time::timeout;

use super::{Check, Level, how_many, in_words};
use crate::cluster::ClusterError;
use crate::cluster::engine::{ContainerFacts, Engine};
use crate::cluster::standing::{BROKERS, Standing};
use crate::fault::ProcessState;

const NAME: &str = "standing";

/// How long the engine may take to describe three containers.
const LOOK_LIMIT: Duration = Duration::from_secs(3);

/// What was seen of it.
pub struct Seen {
    /// Its name.
    pub name: String,
    looked: Looked,
}

enum Looked {
    NoEngine,
    Late,
    Saw(Result<Vec<ContainerFacts>, ClusterError>),
}

/// Asks the engine for its containers.
pub async fn look(engine: Option<&Engine>, name: &str) -> Seen {
    let looked = match engine {
        None => Looked::NoEngine,
        Some(engine) => {
            let asked = Standing::new(engine.clone(), name);
            timeout(LOOK_LIMIT, asked.containers()).await.map_or(Looked::Late, Looked::Saw)
        }
    };
    Seen { name: name.to_owned(), looked }
}

impl Seen {
    /// Its containers, in the order of their brokers.
    fn containers(&self) -> &[ContainerFacts] {
        match &self.looked {
            Looked::Saw(Ok(containers)) => containers,
            _ => &[],
        }
    }

    /// Whether a container is one of its own.
    pub fn has(&self, container: &str) -> bool {
        self.containers().iter().any(|facts| facts.name == container)
    }

    /// The first broker's port, where it can be told.
    pub fn base_port(&self) -> Option<u16> {
        let first = self.containers().first()?;
        // Those before it may be missing; a container's name ends with its number.
        let number: u16 = first.name.rsplit('-').next()?.parse().ok()?;
        first.ports.first()?.checked_sub(number.checked_sub(1)?)
    }

    /// How many of its brokers hold memory.
    pub fn running(&self) -> u32 {
        let holds =
            |facts: &&ContainerFacts| matches!(facts.state, ProcessState::Running { .. } | ProcessState::Paused { .. });
        u32::try_from(self.containers().iter().filter(holds).count()).unwrap_or(u32::MAX)
    }

    /// What is to be said of it.
    pub fn checks(&self) -> Vec<Check> {
        match &self.looked {
            Looked::NoEngine => vec![Check::without_engine(NAME)],
            Looked::Late => vec![Check::late(NAME)],
            Looked::Saw(Err(error)) => vec![Check::error(NAME, Level::Note, error, "look at the engine's log")],
            Looked::Saw(Ok(containers)) => judge(&self.name, containers),
        }
    }
}

fn judge(name: &str, containers: &[ContainerFacts]) -> Vec<Check> {
    if containers.is_empty() {
        return vec![Check::note(NAME, format!("there is no cluster `{name}`"), "`wiber-chaos up` starts one")];
    }
    let mut checks = Vec::new();
    let mut running = Vec::new();
    for ContainerFacts { name: container, state, .. } in containers {
        let told = match state {
            ProcessState::Running { .. } => {
                running.push(container);
                continue;
            }
            ProcessState::Paused { .. } => ("is frozen".to_owned(), "unpause"),
            ProcessState::Exited { exit_code } => (format!("is stopped (exit code {exit_code})"), "start"),
            ProcessState::Missing | ProcessState::Unwatched => ("was made and never started".to_owned(), "start"),
        };
        let help = format!("`docker {} {container}`, or `wiber-chaos up`", told.1);
        checks.push(Check::note(NAME, format!("{container} of cluster `{name}` {}", told.0), help));
    }
    if containers.len() < usize::from(BROKERS) {
        let found = format!("cluster `{name}` has {} of {BROKERS}", how_many(containers.len(), "container"));
        checks.push(Check::note(NAME, found, "`wiber-chaos up` makes what is missing"));
    }
    if checks.is_empty() {
        checks.push(Check::ok(NAME, format!("cluster `{name}` runs: {}", in_words(running))));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn container(number: u16, state: ProcessState) -> ContainerFacts {
        ContainerFacts {
            id: number.to_string(),
            name: format!("kafka-{number}"),
            image: "kafka".to_owned(),
            state,
            ports: vec![9091 + number],
            labels: BTreeMap::new(),
            environment: Vec::new(),
            mounted_at: Vec::new(),
        }
    }

    fn runs() -> ProcessState {
        ProcessState::Running { started_at: "now".to_owned() }
    }

    fn seen(containers: Vec<ContainerFacts>) -> Seen {
        Seen { name: "wiber".to_owned(), looked: Looked::Saw(Ok(containers)) }
    }

    #[test]
    fn each_container_that_does_not_run_is_noted_with_the_way_back() {
        let frozen = ProcessState::Paused { started_at: "now".to_owned() };
        let stopped = ProcessState::Exited { exit_code: 137 };
        let seen = seen(vec![container(1, runs()), container(2, stopped), container(3, frozen)]);
        let checks = seen.checks();
        let help: Vec<&str> = checks.iter().filter_map(|check| check.help.as_deref()).collect();
        assert!(checks.iter().all(|check| check.level == Level::Note), "{checks:?}");
        assert_eq!(help.len(), 2);
        assert!(help[0].contains("docker start kafka-2") && help[1].contains("docker unpause kafka-3"), "{help:?}");
        assert_eq!(seen.running(), 2, "a frozen broker keeps its memory");
    }

    #[test]
    fn a_whole_cluster_is_well_and_none_at_all_is_only_noted() {
        let whole = seen((1..=3).map(|number| container(number, runs())).collect());
        assert_eq!(whole.checks(), [Check::ok(NAME, "cluster `wiber` runs: kafka-1, kafka-2 and kafka-3")]);
        assert_eq!(seen(Vec::new()).checks()[0].level, Level::Note);
        assert!(whole.has("kafka-2") && !whole.has("kafka-4"));
    }

    #[test]
    fn the_base_port_is_known_even_without_the_first_broker() {
        assert_eq!(seen(vec![container(2, runs()), container(3, runs())]).base_port(), Some(9092));
        assert_eq!(seen(Vec::new()).base_port(), None);
    }
}
