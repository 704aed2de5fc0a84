//! What a run left on an attached cluster, read from its ledger, and how it is undone.
//!
//! Only what is certainly the run's is touched: topics by the id that they were made with, containers by their id, and all
//! of it only in the cluster and the engine that the run found. Each step that is done is written into the ledger, so that
//! nothing is undone twice: by then its name may be somebody else's.

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

use crate::cluster::engine::Engine;
use crate::cluster::ledger::{Entry, LedgerError, NamedContainer, Object};
use crate::cluster::{ClusterError, admin, attach, reach};
use crate::fault::{FaultId, FaultKind, ProcessState};
use crate::scenario::AttachSpec;

/// How long each deletion may take. A group goes once its last member's session has ended.
const DELETE_LIMIT: Duration = Duration::from_secs(60);

/// How long the cluster may take to answer: a broker may have to start first. Whoever waits for it wants to run
/// something else, most likely, and what is not undone now is found again.
const REACH_LIMIT: Duration = Duration::from_secs(20);

/// What a run left on an attached cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachLeftovers {
    /// The cluster; `None` when the run had not got as far as to attach.
    cluster: Option<Found>,
    /// The faults that may still be in force.
    struck: Vec<Struck>,
    /// The topics that the run made.
    topics: Vec<(String, Option<Uuid>)>,
    /// Topics that it was about to make: whether those that there are now are the run's, nobody knows.
    doubtful: Vec<String>,
    /// The groups that its consumers joined, or were about to.
    groups: Vec<String>,
}

/// The cluster as the run found it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    spec: AttachSpec,
    cluster_id: Option<String>,
    engine: Option<String>,
}

/// A fault that may still be in force.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Struck {
    fault: FaultId,
    kind: String,
    containers: Vec<NamedContainer>,
}

/// Reads a ledger's entries.
pub fn find(entries: &[Entry]) -> AttachLeftovers {
    let mut left = AttachLeftovers::default();
    let mut containers: Vec<NamedContainer> = Vec::new();
    let mut in_force: BTreeMap<FaultId, (String, Vec<String>)> = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Attach { bootstrap, client, cluster_id, engine, containers: named } => {
                containers.clone_from(named);
                let named = named.iter().map(|named| (named.broker, named.name.clone())).collect();
                let spec = AttachSpec { bootstrap: bootstrap.clone(), client: client.clone(), containers: named };
                left.cluster = Some(Found { spec, cluster_id: cluster_id.clone(), engine: engine.clone() });
            }
            Entry::Make { object: Object::Topic, name } => left.doubtful.push(name.clone()),
            Entry::Make { object: Object::Group, name } => left.groups.push(name.clone()),
            Entry::Made { topic, id } => {
                left.doubtful.retain(|name| name != topic);
                left.topics.push((topic.clone(), *id));
            }
            Entry::Leave { name, .. } => left.doubtful.retain(|topic| topic != name),
            Entry::Unmade { object: Object::Topic, name } => left.topics.retain(|(topic, _)| topic != name),
            Entry::Unmade { object: Object::Group, name } => left.groups.retain(|group| group != name),
            Entry::Make { .. } | Entry::Unmade { .. } | Entry::Run { .. } => {}
            Entry::Inject { fault, kind, targets } => {
                in_force.insert(fault.clone(), (kind.clone(), targets.clone()));
            }
            Entry::Heal { fault } => {
                in_force.remove(fault);
            }
        }
    }
    for (fault, (kind, targets)) in in_force {
        let is_target = |named: &&NamedContainer| targets.contains(&named.broker.to_string());
        let containers: Vec<NamedContainer> = containers.iter().filter(is_target).cloned().collect();
        if !containers.is_empty() {
            left.struck.push(Struck { fault, kind, containers });
        }
    }
    left
}

impl AttachLeftovers {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        let nothing_made = self.topics.is_empty() && self.doubtful.is_empty() && self.groups.is_empty();
        self.cluster.is_none() || (self.struck.is_empty() && nothing_made)
    }

    /// What would be undone, and what would not; each by name, with its kind.
    pub fn names(&self) -> Vec<String> {
        let struck = self.struck.iter().flat_map(|struck| {
            let fault = &struck.fault;
            struck.containers.iter().map(move |container| format!("container {}, struck by `{fault}`", container.name))
        });
        let topics = self.topics.iter().map(|(topic, _)| format!("topic {topic}"));
        let groups = self.groups.iter().map(|group| format!("group {group}"));
        let doubtful = self.doubtful.iter().map(|topic| {
            format!("topic {topic}: left alone, because the run died before it knew whether it had made it")
        });
        struck.chain(topics).chain(groups).chain(doubtful).collect()
    }

    /// Heals what is struck, then deletes topics and groups, and hands `done` a line for each, to be written down.
    /// Everything is tried; the first error is told.
    pub async fn undo(&self, done: impl Fn(&Entry) -> Result<(), LedgerError>) -> Result<(), ClusterError> {
        let Some(found) = self.cluster.as_ref().filter(|_| !self.is_empty()) else { return Ok(()) };
        let healed = self.heal(found, &done).await;
        let deleted = self.delete(found, &done).await;
        healed.and(deleted)
    }

    /// An error that names the topics of which nobody knows whose they are.
    pub fn doubts(&self) -> Result<(), ClusterError> {
        if self.doubtful.is_empty() {
            return Ok(());
        }
        Err(ClusterError::Another {
            reason: format!(
                "nobody knows whether the run has made topic {}, and it is left alone",
                self.doubtful.join(", ")
            ),
            help: "`wiber-chaos topics describe` shows whether it is there; delete it if it is nobody's",
        })
    }

    async fn heal(&self, found: &Found, done: &impl Fn(&Entry) -> Result<(), LedgerError>) -> Result<(), ClusterError> {
        if self.struck.is_empty() {
            return Ok(());
        }
        let engine = Engine::connect().await?;
        let here = engine.facts().await?.id;
        if found.engine.as_ref().is_some_and(|engine| *engine != here) {
            return Err(ClusterError::Another {
                reason: "the containers that a dead run struck are in another engine than the one that answers"
                    .to_owned(),
                help: "set DOCKER_HOST to the engine that it was",
            });
        }
        let mut tried = Vec::new();
        for struck in &self.struck {
            let mut healed = Ok(());
            for container in &struck.containers {
                healed = healed.and(heal_one(&engine, &struck.kind, container).await);
            }
            tried.push(match healed {
                Ok(()) => done(&Entry::Heal { fault: struck.fault.clone() }).map_err(ClusterError::from),
                Err(error) => Err(error),
            });
        }
        tried.into_iter().collect()
    }

    async fn delete(
        &self,
        found: &Found,
        done: &impl Fn(&Entry) -> Result<(), LedgerError>,
    ) -> Result<(), ClusterError> {
        if self.topics.is_empty() && self.groups.is_empty() {
            return Ok(());
        }
        let reached = reach::reach_within(&attach::access(&found.spec)?, REACH_LIMIT).await?;
        // The run's cluster is gone, and its topics with it; what answers at its addresses is none of ours.
        if found.cluster_id.is_some() && found.cluster_id != reached.cluster_id {
            return Ok(());
        }
        let mut tried = Vec::new();
        for (topic, id) in &self.topics {
            let deleted = admin::delete_topic(&reached.peers, topic, *id, DELETE_LIMIT).await;
            tried.push(note(deleted, Object::Topic, topic, done));
        }
        for group in &self.groups {
            let deleted = admin::delete_group(&reached.peers, group, DELETE_LIMIT).await;
            tried.push(note(deleted, Object::Group, group, done));
        }
        tried.into_iter().collect()
    }
}

fn note<T>(
    deleted: Result<T, ClusterError>,
    object: Object,
    name: &str,
    done: &impl Fn(&Entry) -> Result<(), LedgerError>,
) -> Result<(), ClusterError> {
    deleted?;
    done(&Entry::Unmade { object, name: name.to_owned() }).map_err(ClusterError::from)
}

/// Undoes what this kind of fault did, and nothing else: who stopped a frozen container since then meant it.
async fn heal_one(engine: &Engine, kind: &str, container: &NamedContainer) -> Result<(), ClusterError> {
    let facts = engine.container(&container.name).await?;
    // Whoever removed it, or made another of its name, did so after the run.
    let Some(facts) = facts.filter(|facts| facts.id == container.id) else { return Ok(()) };
    let froze = kind == FaultKind::Pause.name();
    match facts.state {
        ProcessState::Paused { .. } if froze => engine.unpause(&container.name).await,
        ProcessState::Exited { .. } if !froze => engine.start(&container.name).await,
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::{BrokerId, Endpoint};

    fn attached() -> Entry {
        let named = |broker, name: &str| NamedContainer {
            broker: BrokerId(broker),
            name: name.to_owned(),
            id: format!("id of {name}"),
        };
        Entry::Attach {
            bootstrap: vec![Endpoint::new("localhost", 9092)],
            client: BTreeMap::new(),
            cluster_id: Some("wiber".to_owned()),
            engine: None,
            containers: vec![named(1, "kafka-1"), named(2, "kafka-2")],
        }
    }

    fn inject(fault: &str, targets: &[&str]) -> Entry {
        let targets = targets.iter().map(|target| (*target).to_owned()).collect();
        Entry::Inject { fault: FaultId(fault.to_owned()), kind: "pause".to_owned(), targets }
    }

    fn make(object: Object, name: &str) -> Entry {
        Entry::Make { object, name: name.to_owned() }
    }

    #[test]
    fn a_fault_that_was_not_healed_is_left_and_a_healed_one_is_not() {
        let heal = Entry::Heal { fault: FaultId("a".to_owned()) };
        let left = find(&[attached(), inject("a", &["broker-1"]), heal, inject("b", &["broker-2", "broker-1"])]);
        assert_eq!(left.names(), ["container kafka-1, struck by `b`", "container kafka-2, struck by `b`"]);
    }

    #[test]
    fn a_target_without_a_named_container_is_nobodys_to_heal() {
        let left = find(&[attached(), inject("a", &["broker-3", "elsewhere"])]);
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn topics_and_groups_are_left_until_they_are_deleted() {
        let made = Entry::Made { topic: "chaos-chat".to_owned(), id: Some(Uuid::from_u128(7)) };
        let mut entries = vec![attached(), make(Object::Topic, "chaos-chat"), made, make(Object::Group, "readers")];
        assert_eq!(find(&entries).names(), ["topic chaos-chat", "group readers"]);
        for (object, name) in [(Object::Topic, "chaos-chat"), (Object::Group, "readers")] {
            entries.push(Entry::Unmade { object, name: name.to_owned() });
        }
        assert!(find(&entries).is_empty(), "nothing is undone twice");
    }

    #[test]
    fn a_topic_that_may_be_somebody_elses_is_told_and_not_undone() {
        let left = find(&[attached(), make(Object::Topic, "chaos-chat")]);
        assert!(left.topics.is_empty() && left.names()[0].contains("left alone"), "{left:?}");
        let leave = Entry::Leave { object: Object::Topic, name: "chaos-chat".to_owned() };
        assert!(find(&[attached(), make(Object::Topic, "chaos-chat"), leave]).is_empty());
    }

    #[test]
    fn a_cluster_of_containers_leaves_nothing_here() {
        assert!(find(&[make(Object::Network, "n")]).is_empty());
    }
}
