//! Brokers that somebody else started, and that stay. The run makes topics of its own on them, strikes only the containers
//! that the scenario names, and at its end nothing is left: topics and groups are deleted, faults healed.
//!
//! All of it is in the ledger first, so that the same undoing serves the run's end, an interruption, and the sweep after a
//! SIGKILL ([`leftovers`]).

pub mod leftovers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::cluster::admin::Made;
use crate::cluster::audit::Audit;
use crate::cluster::containers::{Containers, ListenersOf};
use crate::cluster::engine::{Engine, EngineFacts, Part};
use crate::cluster::ledger::{Entry, Ledger, NamedContainer, Object};
use crate::cluster::maker::Maker;
use crate::cluster::peers::Peers;
use crate::cluster::reach::Reached;
use crate::cluster::undo::Undo;
use crate::cluster::view::Topics;
use crate::cluster::{Cluster, ClusterError, LOOK_LIMIT, admin, groups, levers, reach, ready, view, wholeness, wire};
use crate::fault::{Action, Deed, Need, Probe, ProcessState, Question, Sight};
use crate::history::Environment;
use crate::kafka::levers::Fencing;
use crate::kafka::{self, Access, BrokerId, ClusterView, Endpoint, TopicPartition};
use crate::scenario::{AttachSpec, ClusterSpec, TopicSpec};

/// How long it may take to learn that a group does not exist: the first question makes a cluster's offsets topic.
const GROUPS_LIMIT: Duration = Duration::from_secs(30);

/// How long brokers that are missing may take to register: longer than a restart takes, and shorter than a person wonders
/// whether `brokers` is right.
const STRAGGLER_LIMIT: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

/// A cluster that is there already.
pub struct AttachCluster {
    /// The label of everything that the run makes.
    label: String,
    access: Access,
    peers: Peers,
    topics: Vec<String>,
    groups: Vec<String>,
    /// The containers that may be struck, and the engine that has them; none when the scenario names none.
    containers: BTreeMap<BrokerId, String>,
    engine: Option<(Engine, EngineFacts)>,
    /// What faults are done to; none when the scenario names no container.
    hosts: Option<Containers>,
    ledger: Arc<Ledger>,
    start_limit: Duration,
    /// Since when broker logs are this run's, in seconds since 1970.
    attached_s: i32,
}

impl AttachCluster {
    /// Looks whether everything is there that the scenario speaks of, and nothing that it would make. Changes nothing.
    pub async fn attach(
        spec: &ClusterSpec,
        attach: &AttachSpec,
        label: &str,
        topics: &[TopicSpec],
        groups: &[String],
        ledger: Arc<Ledger>,
    ) -> Result<Self, ClusterError> {
        let began = Instant::now();
        let access = access(attach)?;
        let engine = if attach.containers.is_empty() {
            None
        } else {
            let engine = Engine::connect().await?;
            let facts = engine.facts().await?;
            Some((engine, facts))
        };
        let reached = whole_within(&access, spec).await?;
        let hosts = engine.as_ref().map(|(engine, _)| {
            let maker = Maker::run(label, Arc::clone(&ledger));
            let listeners = ListenersOf::Asked(reached.peers.clone());
            Containers::new(engine.clone(), attach.containers.clone(), listeners, maker)
        });
        let cluster = Self {
            label: label.to_owned(),
            hosts,
            access,
            peers: reached.peers,
            topics: topics.iter().map(|topic| topic.name.clone()).collect(),
            groups: groups.to_vec(),
            containers: attach.containers.clone(),
            engine,
            ledger,
            start_limit: spec.start_limit.saturating_sub(began.elapsed()),
            attached_s: i32::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0),
        };
        let containers = cluster.is_as_described(spec).await?;
        cluster.has_none_of(topics).await?;
        cluster.ledger.write(&Entry::Attach {
            bootstrap: attach.bootstrap.clone(),
            client: absolute(&attach.client),
            cluster_id: reached.cluster_id,
            engine: cluster.engine.as_ref().map(|(_, facts)| facts.id.clone()),
            containers,
        })?;
        Ok(cluster)
    }

    /// As many brokers as the scenario says, and each named container a running one of a broker that there is.
    async fn is_as_described(&self, spec: &ClusterSpec) -> Result<Vec<NamedContainer>, ClusterError> {
        let found = self.peers.ids();
        if found.len() != spec.brokers as usize {
            let known: Vec<String> = found.iter().map(ToString::to_string).collect();
            return Err(ClusterError::Another {
                reason: format!(
                    "the scenario says {} brokers, and the cluster has {}: {}",
                    spec.brokers,
                    found.len(),
                    known.join(", ")
                ),
                help: "start those that are down, or set `brokers` under [cluster]",
            });
        }
        let mut named = Vec::new();
        for (broker, container) in &self.containers {
            let Some(endpoint) = self.peers.endpoint(*broker) else {
                let reason = format!("the scenario names a container of {broker}, and the cluster has no such broker");
                return Err(ClusterError::Another { reason, help: "the keys of `containers` are the brokers' ids" });
            };
            let id = self.container_of(*broker, endpoint, container).await?;
            named.push(NamedContainer { broker: *broker, name: container.clone(), id });
        }
        Ok(named)
    }

    /// The id of a broker's container. One that publishes other ports than the broker's is another broker's: to strike it
    /// would strike another.
    async fn container_of(
        &self,
        broker: BrokerId,
        endpoint: &Endpoint,
        container: &str,
    ) -> Result<String, ClusterError> {
        let another = |reason: String| ClusterError::Another {
            reason,
            help: "set the container of each broker under [cluster.containers]; `docker ps` lists them",
        };
        let facts = self.engine()?.container(container).await?;
        let Some(facts) = facts else {
            return Err(another(format!("the engine knows no container `{container}`, which should be {broker}'s")));
        };
        if !matches!(facts.state, ProcessState::Running { .. }) {
            return Err(another(format!("container `{container}`, which should be {broker}'s, does not run")));
        }
        let is_local = ["localhost", "127.0.0.1", "::1"].contains(&endpoint.host.as_str());
        if is_local && !facts.ports.is_empty() && !facts.ports.contains(&endpoint.port) {
            let ports: Vec<String> = facts.ports.iter().map(ToString::to_string).collect();
            return Err(another(format!(
                "container `{container}` publishes port {}, but {broker} is at {endpoint}: it is another broker's",
                ports.join(", ")
            )));
        }
        Ok(facts.id)
    }

    /// A run can judge only what it knows: topics and groups of its own, which it may delete at its end. What cannot be told
    /// for certain refuses the run.
    async fn has_none_of(&self, topics: &[TopicSpec]) -> Result<(), ClusterError> {
        let view = view::ask_all(&self.peers, Topics::Named(&self.topics), LOOK_LIMIT).await?;
        let is_there =
            |topic: &&TopicSpec| view.partitions.iter().any(|partition| partition.partition.topic == topic.name);
        if let Some(topic) = topics.iter().find(is_there) {
            return Err(there_already(&topic.name));
        }
        for group in &self.groups {
            if groups::exists(&self.peers, group, GROUPS_LIMIT).await? {
                return Err(ClusterError::Another {
                    reason: format!("consumer group `{group}` is there already"),
                    help: "give the scenario a group of its own: a run would take partitions from the members that are there, and deletes its groups at its end",
                });
            }
        }
        Ok(())
    }

    fn engine(&self) -> Result<&Engine, ClusterError> {
        let none = || ClusterError::Engine {
            action: "be asked".to_owned(),
            reason: "the scenario names no container".to_owned(),
        };
        self.engine.as_ref().map(|(engine, _)| engine).ok_or_else(none)
    }

    /// The named containers, if this broker's is one of them.
    fn reachable(&self, broker: BrokerId) -> Result<&Containers, ClusterError> {
        let named = self.hosts.as_ref().filter(|hosts| hosts.name(broker).is_ok());
        named.ok_or(ClusterError::NotNamed { broker })
    }
}

/// Waits until the cluster answers, and a while longer for brokers that are still starting. Of too few brokers, and of too
/// many, [`AttachCluster::is_as_described`] tells.
async fn whole_within(access: &Access, spec: &ClusterSpec) -> Result<Reached, ClusterError> {
    let began = Instant::now();
    loop {
        let left = spec.start_limit.saturating_sub(began.elapsed());
        let reached = reach::reach_within(access, left).await?;
        if reached.peers.addresses.len() >= spec.brokers as usize
            || began.elapsed() >= spec.start_limit.min(STRAGGLER_LIMIT)
        {
            return Ok(reached);
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// Properties whose paths mean the same from every directory: a sweep may be called from another one than the run.
fn absolute(client: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let absolute = |(name, value): (&String, &String)| {
        let is_path = name.ends_with(".location") && !value.starts_with("${") && value != "probe";
        let path = is_path.then(|| std::path::absolute(value).ok()).flatten();
        (name.clone(), path.map_or_else(|| value.clone(), |path| path.display().to_string()))
    };
    client.iter().map(absolute).collect()
}

fn there_already(topic: &str) -> ClusterError {
    ClusterError::Another {
        reason: format!("topic `{topic}` is there already"),
        help: "give the scenario a topic of its own: a run judges only records that it sent, and deletes its topics at its end",
    }
}

/// How clients reach an attached cluster, with environment variables in their places.
pub fn access(attach: &AttachSpec) -> Result<Access, ClusterError> {
    let properties = kafka::expand(&attach.client, |name| std::env::var(name).ok())?;
    Ok(Access { bootstrap: attach.bootstrap.clone(), properties })
}

#[async_trait]
impl Cluster for AttachCluster {
    fn access(&self) -> Access {
        self.access.clone()
    }

    fn brokers(&self) -> Vec<BrokerId> {
        self.peers.ids()
    }

    fn may_strike(&self, broker: BrokerId) -> Result<(), ClusterError> {
        self.reachable(broker).map(drop)
    }

    fn environment(&self) -> Environment {
        let facts = self.engine.as_ref().map(|(_, facts)| facts.clone());
        Environment {
            cluster: "attach".to_owned(),
            engine: facts.as_ref().map(|facts| facts.engine.clone()),
            host: facts.as_ref().map(|facts| facts.host.clone()),
            cpus: facts.as_ref().and_then(|facts| facts.cpus),
            memory_bytes: facts.as_ref().and_then(|facts| facts.memory_bytes),
            brokers: self.peers.addresses.iter().map(|(id, endpoint)| format!("{id} {endpoint}")).collect(),
            ..Environment::default()
        }
    }

    async fn create_topics(&self, topics: &[TopicSpec]) -> Result<(), ClusterError> {
        let began = Instant::now();
        let left = || self.start_limit.saturating_sub(began.elapsed());
        for topic in topics {
            self.ledger.write(&Entry::Make { object: Object::Topic, name: topic.name.clone() })?;
            let creation = admin::create_topic(&self.peers, topic, left()).await?;
            if creation.made == Made::There {
                // It came between the look and now: whoever made it shall keep it.
                self.ledger.write(&Entry::Leave { object: Object::Topic, name: topic.name.clone() })?;
                return Err(there_already(&topic.name));
            }
            self.ledger.write(&Entry::Made { topic: topic.name.clone(), id: creation.id })?;
        }
        // Only now, when the topics are the run's for certain: of two runs of one scenario the second must not take the
        // first one's groups for its own.
        for group in &self.groups {
            self.ledger.write(&Entry::Make { object: Object::Group, name: group.clone() })?;
        }
        let (brokers, expected) = (self.brokers(), ready::partitions(topics));
        let good = |view: &ClusterView| wholeness(view, &brokers, expected);
        ready::wait(&self.peers, &self.topics, left(), ready::FULL_ISR, good, || async { Ok(()) }).await
    }

    async fn view(&self, except: Option<BrokerId>) -> Result<ClusterView, ClusterError> {
        view::ask_all(&self.peers.without(except), Topics::Named(&self.topics), LOOK_LIMIT).await
    }

    async fn coordinator(&self, group: &str) -> Result<BrokerId, ClusterError> {
        view::coordinator(&self.peers, group, LOOK_LIMIT).await
    }

    async fn process_state(&self, broker: BrokerId) -> Result<ProcessState, ClusterError> {
        match self.reachable(broker) {
            Ok(containers) => containers.process_state(broker).await,
            // A fault that acts through Kafka's protocol may concern a broker whose container nobody named.
            Err(ClusterError::NotNamed { .. }) => Ok(ProcessState::Unwatched),
            Err(error) => Err(error),
        }
    }

    async fn probe(&self, broker: BrokerId) -> Probe {
        match self.peers.endpoint(broker) {
            Some(endpoint) => wire::probe(endpoint, &self.peers.security, LOOK_LIMIT).await,
            None => Probe::Unreachable,
        }
    }

    async fn can(&self, needs: &BTreeSet<Need>) -> Result<(), ClusterError> {
        match &self.hosts {
            Some(hosts) => hosts.can(needs).await,
            None => Ok(()),
        }
    }

    async fn look(&self, broker: BrokerId, questions: &[Question]) -> Vec<Sight> {
        levers::look(&self.peers, self.reachable(broker), broker, questions).await
    }

    async fn prepare(&self, broker: BrokerId, action: &Action) -> Result<Undo, ClusterError> {
        match action {
            Action::Lever(lever) => levers::prepare(&self.peers, self.hosts.as_ref(), lever).await,
            _ => self.reachable(broker)?.prepare(broker, action).await,
        }
    }

    async fn perform(&self, broker: BrokerId, action: &Action) -> Result<Option<Deed>, ClusterError> {
        match action {
            Action::Lever(lever) => levers::perform(&self.peers, self.hosts.as_ref(), lever).await.map(Some),
            _ => self.reachable(broker)?.perform(broker, action).await,
        }
    }

    async fn undo(&self, broker: BrokerId, undo: &Undo) -> Result<(), ClusterError> {
        match levers::undo(&self.peers, undo).await {
            Some(undone) => undone,
            None => self.reachable(broker)?.undo(broker, undo).await,
        }
    }

    async fn fence(&self, transactional_id: &str) -> Result<Fencing, ClusterError> {
        levers::fence(&self.peers, transactional_id).await
    }

    async fn logs(&self, broker: BrokerId) -> Result<Option<Vec<u8>>, ClusterError> {
        match self.reachable(broker) {
            Ok(containers) => {
                let name = containers.name(broker)?;
                containers.engine().logs(name, Part::Since(self.attached_s)).await.map(Some)
            }
            Err(ClusterError::NotNamed { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn audit(&self, _partitions: &[TopicPartition]) -> Audit {
        Audit::Skipped("the brokers of a cluster that is there already are not stopped to read their disks".to_owned())
    }

    async fn remove(&self) -> Result<(), ClusterError> {
        let left = leftovers::find(&self.ledger.entries()?);
        left.undo(|entry| self.ledger.write(entry)).await?;
        if let (Some(hosts), true) = (&self.hosts, self.ledger.made_something()) {
            hosts.close().await;
            for left in hosts.engine().labelled(Some(&self.label)).await?.into_values() {
                hosts.engine().remove(&left).await?;
            }
        }
        left.doubts()
    }
}
