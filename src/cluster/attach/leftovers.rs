//! What a run left on an attached cluster, read from its ledger, and how it is undone.
//!
//! Only what is certainly the run's is touched: topics by the id that they were made with, containers by their id, and all
//! of it only in the cluster and the engine that the run found. Each step that is done is written into the ledger, so that
//! nothing is undone twice: by then its name may be somebody else's.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

use crate::cluster::containers::{Containers, Listeners, ListenersOf};
use crate::cluster::engine::Engine;
use crate::cluster::ledger::{Entry, LedgerError, NamedContainer, Object};
use crate::cluster::maker::Maker;
use crate::cluster::peers::Peers;
use crate::cluster::undo::{Remedy, Undo};
use crate::cluster::{ClusterError, admin, attach, levers, reach};
use crate::fault::FaultId;
use crate::scenario::AttachSpec;

/// How long each deletion may take. A group goes once its last member's session has ended.
const DELETE_LIMIT: Duration = Duration::from_secs(60);

/// How long the cluster may take to answer: a broker may have to start first. Whoever waits for it wants to run
/// something else, most likely, and what is not undone now is found again.
const REACH_LIMIT: Duration = Duration::from_secs(20);

/// What a run left on an attached cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachLeftovers {
    /// The label of what the run made.
    label: String,
    /// The cluster; `None` when the run had not got as far as to attach.
    cluster: Option<Found>,
    /// The faults that may still be in force, in the order in which they struck.
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

impl Found {
    /// Its brokers; `None` where the run's cluster is gone, and everything in it: what answers at its addresses is none of ours.
    async fn peers(&self) -> Result<Option<Peers>, ClusterError> {
        let reached = reach::reach_within(&attach::access(&self.spec)?, REACH_LIMIT).await?;
        let is_another = self.cluster_id.is_some() && self.cluster_id != reached.cluster_id;
        Ok(Some(reached.peers).filter(|_| !is_another))
    }
}

/// A fault that may still be in force.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Struck {
    fault: FaultId,
    /// What is undone at containers.
    remedies: Vec<(NamedContainer, Undo)>,
    /// What the cluster is asked for.
    by_protocol: Vec<Undo>,
}

impl Struck {
    /// The containers that it concerns, each once.
    fn containers(&self) -> Vec<&NamedContainer> {
        let mut found: Vec<&NamedContainer> = Vec::new();
        for (container, _) in &self.remedies {
            if !found.contains(&container) {
                found.push(container);
            }
        }
        found
    }
}

/// Reads a ledger's entries.
pub fn find(entries: &[Entry]) -> AttachLeftovers {
    let mut left = AttachLeftovers::default();
    let mut containers: Vec<NamedContainer> = Vec::new();
    let mut in_force: Vec<(FaultId, Vec<Remedy>)> = Vec::new();
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
            Entry::Run { label, .. } => left.label.clone_from(label),
            Entry::Make { .. } | Entry::Unmade { .. } => {}
            Entry::Inject { fault, remedies, .. } => in_force.push((fault.clone(), remedies.clone())),
            Entry::Ending { fault, broker, life } => {
                let of_it = in_force.iter_mut().filter(|(one, _)| one == fault);
                let remedies = of_it.flat_map(|(_, remedies)| remedies);
                for remedy in remedies.filter(|remedy| remedy.broker == *broker) {
                    remedy.undo = remedy.undo.once_told(life);
                }
            }
            Entry::Heal { fault } => in_force.retain(|(one, _)| one != fault),
        }
    }
    for (fault, remedies) in in_force {
        let (by_protocol, remedies): (Vec<Remedy>, Vec<Remedy>) =
            remedies.into_iter().partition(|remedy| remedy.undo.is_by_protocol());
        let by_protocol: Vec<Undo> = by_protocol.into_iter().map(|remedy| remedy.undo).collect();
        let of = |remedy: Remedy| {
            let container = containers.iter().find(|named| named.broker == remedy.broker)?;
            Some((container.clone(), remedy.undo))
        };
        let remedies: Vec<(NamedContainer, Undo)> = remedies.into_iter().filter_map(of).collect();
        if !remedies.is_empty() || !by_protocol.is_empty() {
            left.struck.push(Struck { fault, remedies, by_protocol });
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
            struck
                .containers()
                .into_iter()
                .map(move |container| format!("container {}, struck by `{fault}`", container.name))
                .chain(struck.by_protocol.iter().map(move |undo| format!("{undo}, changed by `{fault}`")))
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

    /// The faults in the order in which they are undone: what each of them found and puts back, the one before it had made.
    fn latest_first(&self) -> impl Iterator<Item = &Struck> {
        self.struck.iter().rev()
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
        // Every container before anything that Kafka is asked for: without a majority of its brokers it does nothing.
        let mut healed = Vec::new();
        for struck in self.latest_first() {
            healed.push(self.heal_containers(found, struck).await);
        }
        let mut tried = Vec::new();
        for (struck, healed) in self.latest_first().zip(healed) {
            let healed = healed.and(heal_by_protocol(found, struck).await);
            tried.push(match healed {
                Ok(()) => done(&Entry::Heal { fault: struck.fault.clone() }).map_err(ClusterError::from),
                Err(error) => Err(error),
            });
        }
        tried.into_iter().collect()
    }

    async fn heal_containers(&self, found: &Found, struck: &Struck) -> Result<(), ClusterError> {
        if struck.remedies.is_empty() {
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
        heal_on(&engine, &self.label, struck).await
    }

    async fn delete(
        &self,
        found: &Found,
        done: &impl Fn(&Entry) -> Result<(), LedgerError>,
    ) -> Result<(), ClusterError> {
        if self.topics.is_empty() && self.groups.is_empty() {
            return Ok(());
        }
        let Some(peers) = found.peers().await? else { return Ok(()) };
        let mut tried = Vec::new();
        for (topic, id) in &self.topics {
            let deleted = admin::delete_topic(&peers, topic, *id, DELETE_LIMIT).await;
            tried.push(note(deleted, Object::Topic, topic, done));
        }
        for group in &self.groups {
            let deleted = admin::delete_group(&peers, group, DELETE_LIMIT).await;
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

/// Asks the cluster to undo what it was asked for.
async fn heal_by_protocol(found: &Found, struck: &Struck) -> Result<(), ClusterError> {
    if struck.by_protocol.is_empty() {
        return Ok(());
    }
    let Some(peers) = found.peers().await? else { return Ok(()) };
    let mut healed = Ok(());
    for undo in struck.by_protocol.iter().rev() {
        healed = healed.and(levers::undo(&peers, undo).await.unwrap_or(Ok(())));
    }
    healed
}

/// Undoes what was done to containers, from the last of it to the first.
async fn heal_on(engine: &Engine, label: &str, struck: &Struck) -> Result<(), ClusterError> {
    // What a dead run's tool container is still at would do again what is undone here: locks its files, fills its disk,
    // deletes from it. Where one will not go nothing is undone yet.
    engine.remove_tools(label).await?;
    let mut healed = Ok(());
    for (container, undo) in struck.remedies.iter().rev() {
        healed = healed.and(heal_one(engine, label, container, undo).await);
    }
    healed
}

/// Undoes one thing that was done to a container, and nothing else: who stopped a frozen one since then meant it.
async fn heal_one(engine: &Engine, label: &str, container: &NamedContainer, undo: &Undo) -> Result<(), ClusterError> {
    let facts = engine.container(&container.name).await?;
    // Whoever removed it, or made another of its name, did so after the run.
    if facts.is_none_or(|facts| facts.id != container.id) {
        return Ok(());
    }
    let names = BTreeMap::from([(container.broker, container.name.clone())]);
    let maker = Maker::sweep(label);
    let containers = Containers::new(engine.clone(), names, ListenersOf::All(Listeners::new()), maker);
    let undone = containers.undo(container.broker, undo).await;
    containers.close().await;
    undone
}
