//! What a run left on an attached cluster, read from its ledger, and how it is undone. May be undone more than once.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cluster::engine::Engine;
use crate::cluster::ledger::{Entry, Object};
use crate::cluster::{ClusterError, admin, attach, reach};
use crate::fault::{FaultId, ProcessState};
use crate::kafka::BrokerId;
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
    pub cluster: Option<AttachSpec>,
    /// The containers that a fault may still hold, each with the fault's name.
    pub struck: Vec<(FaultId, String)>,
    /// The topics that the run made, or was about to.
    pub topics: Vec<String>,
    /// The groups that its consumers joined, or were about to.
    pub groups: Vec<String>,
}

/// Reads a ledger's entries.
pub fn find(entries: &[Entry]) -> AttachLeftovers {
    let mut left = AttachLeftovers::default();
    let mut in_force: BTreeMap<FaultId, Vec<String>> = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Attach { bootstrap, client, containers } => {
                left.cluster = Some(AttachSpec {
                    bootstrap: bootstrap.clone(),
                    client: client.clone(),
                    containers: containers.iter().cloned().collect(),
                });
            }
            Entry::Make { object: Object::Topic, name } => left.topics.push(name.clone()),
            Entry::Make { object: Object::Group, name } => left.groups.push(name.clone()),
            Entry::Make { .. } | Entry::Run { .. } => {}
            Entry::Inject { fault, targets, .. } => {
                in_force.insert(fault.clone(), targets.clone());
            }
            Entry::Heal { fault } => {
                in_force.remove(fault);
            }
        }
    }
    if let Some(cluster) = &left.cluster {
        let container = |target: &String| {
            let id = target.strip_prefix("broker-")?.parse().ok()?;
            cluster.containers.get(&BrokerId(id)).cloned()
        };
        left.struck = in_force
            .iter()
            .flat_map(|(fault, targets)| targets.iter().filter_map(container).map(|name| (fault.clone(), name)))
            .collect();
    }
    left
}

impl AttachLeftovers {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.cluster.is_none() || (self.struck.is_empty() && self.topics.is_empty() && self.groups.is_empty())
    }

    /// Their names, each with its kind.
    pub fn names(&self) -> Vec<String> {
        let struck = self.struck.iter().map(|(fault, container)| format!("container {container}, struck by `{fault}`"));
        let topics = self.topics.iter().map(|topic| format!("topic {topic}"));
        let groups = self.groups.iter().map(|group| format!("group {group}"));
        struck.chain(topics).chain(groups).collect()
    }

    /// Heals what is struck, then deletes topics and groups. Everything is tried; the first error is told.
    pub async fn undo(&self) -> Result<(), ClusterError> {
        let Some(cluster) = self.cluster.as_ref().filter(|_| !self.is_empty()) else { return Ok(()) };
        let healed = self.heal().await;
        let deleted = self.delete(cluster).await;
        healed.and(deleted)
    }

    async fn heal(&self) -> Result<(), ClusterError> {
        if self.struck.is_empty() {
            return Ok(());
        }
        let engine = Engine::connect().await?;
        let mut tried = Vec::new();
        for (_, container) in &self.struck {
            tried.push(match engine.process_state(container).await {
                Ok(ProcessState::Paused { .. }) => engine.unpause(container).await,
                Ok(ProcessState::Exited { .. }) => engine.start(container).await,
                // Whoever removed it did so after the run; it is not ours to make again.
                Ok(ProcessState::Running { .. } | ProcessState::Missing) => Ok(()),
                Err(error) => Err(error),
            });
        }
        tried.into_iter().collect()
    }

    async fn delete(&self, cluster: &AttachSpec) -> Result<(), ClusterError> {
        let peers = reach::reach_within(&attach::access(cluster)?, REACH_LIMIT).await?.peers;
        let mut tried = Vec::new();
        for topic in &self.topics {
            tried.push(admin::delete_topic(&peers, topic, DELETE_LIMIT).await);
        }
        for group in &self.groups {
            tried.push(admin::delete_group(&peers, group, DELETE_LIMIT).await);
        }
        tried.into_iter().collect::<Result<Vec<_>, _>>().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::Endpoint;

    fn attached() -> Entry {
        Entry::Attach {
            bootstrap: vec![Endpoint::new("localhost", 9092)],
            client: BTreeMap::new(),
            containers: vec![(BrokerId(1), "kafka-1".to_owned()), (BrokerId(2), "kafka-2".to_owned())],
        }
    }

    fn inject(fault: &str, targets: &[&str]) -> Entry {
        let targets = targets.iter().map(|target| (*target).to_owned()).collect();
        Entry::Inject { fault: FaultId(fault.to_owned()), kind: "pause".to_owned(), targets }
    }

    #[test]
    fn a_fault_that_was_not_healed_is_left_and_a_healed_one_is_not() {
        let heal = Entry::Heal { fault: FaultId("a".to_owned()) };
        let left = find(&[attached(), inject("a", &["broker-1"]), heal, inject("b", &["broker-2", "broker-1"])]);
        let struck: Vec<&str> = left.struck.iter().map(|(_, container)| container.as_str()).collect();
        assert_eq!(struck, ["kafka-2", "kafka-1"]);
    }

    #[test]
    fn a_target_without_a_named_container_is_nobodys_to_heal() {
        let left = find(&[attached(), inject("a", &["broker-3", "elsewhere"])]);
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn topics_and_groups_are_left_until_they_are_deleted() {
        let make = |object, name: &str| Entry::Make { object, name: name.to_owned() };
        let left = find(&[attached(), make(Object::Group, "readers"), make(Object::Topic, "chaos-chat")]);
        assert_eq!(left.names(), ["topic chaos-chat", "group readers"]);
        assert!(find(&[make(Object::Network, "n")]).is_empty(), "a cluster of containers leaves nothing here");
    }
}
