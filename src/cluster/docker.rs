//! Three (or more) combined KRaft brokers in containers of their own, started by testcontainers, for one run only.
//!
//! What must outlive a broker's death is fixed before its birth: its name in the run's own network, its host port, and a
//! volume for its data. testcontainers cannot choose an address, so that one is the engine's choice at the first start, and
//! kept at each later one. A killed broker therefore comes back as itself, where its clients and its peers expect it.

mod container;
mod keeper;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::join_all;
use testcontainers::{ContainerAsync, GenericImage};
use tokio::sync::Mutex;

use crate::cluster::audit::{self, Audit};
use crate::cluster::broker::{Member, Settings, listeners};
use crate::cluster::containers::{Containers, ListenersOf};
use crate::cluster::disk::{Disk, DiskError};
use crate::cluster::engine::{Attachment, Engine, EngineFacts, HOST_LABEL, Part, RUN_LABEL};
use crate::cluster::images::{self, Image};
use crate::cluster::ledger::{Entry, Ledger, Object};
use crate::cluster::maker::Maker;
use crate::cluster::peers::Peers;
use crate::cluster::undo::Undo;
use crate::cluster::view::Topics;
use crate::cluster::wire::Security;
use crate::cluster::{Cluster, ClusterError, LOOK_LIMIT, admin, levers, ports, ready, view, wholeness, wire};
use crate::fault::{Action, Deed, Need, Probe, ProcessState, Question, Sight};
use crate::history::Environment;
use crate::kafka::levers::Fencing;
use crate::kafka::{Access, BrokerId, ClusterView, Endpoint, TopicPartition};
use crate::scenario::{ClusterSpec, TopicSpec};

/// How often the brokers are started anew, on other ports, when somebody took one of theirs in the last moment.
const PORT_TRIES: u64 = 3;

/// What a broker needs beyond its heap: class data, code cache, threads, buffers. Measured 330 MiB resident at 512 MiB heap.
const MEMORY_OVERHEAD_MIB: u64 = 128;

/// A cluster of containers.
pub struct DockerCluster {
    engine: Engine,
    facts: EngineFacts,
    image: Image,
    label: String,
    topics: Vec<String>,
    members: Vec<Member>,
    ledger: Arc<Ledger>,
    start_limit: Duration,
    containers: Mutex<Vec<ContainerAsync<GenericImage>>>,
    /// What faults are done to; there once the brokers have started.
    hosts: OnceLock<Containers>,
}

impl DockerCluster {
    /// Starts the brokers and waits until all are registered and the quorum has a leader.
    ///
    /// On an error nothing is left behind. `label` marks everything that is made, `topics` are what views show.
    pub async fn start(
        spec: &ClusterSpec,
        label: &str,
        topics: &[TopicSpec],
        ledger: Arc<Ledger>,
    ) -> Result<Self, ClusterError> {
        let engine = Engine::connect().await?;
        let image = images::find(&engine, spec.image.as_deref()).await?;
        check_memory(spec)?;
        let mut cluster = Self {
            facts: engine.facts().await?,
            engine,
            image,
            label: label.to_owned(),
            topics: topics.iter().map(|topic| topic.name.clone()).collect(),
            members: Vec::new(),
            ledger,
            start_limit: spec.start_limit,
            containers: Mutex::default(),
            hosts: OnceLock::new(),
        };
        let started = cluster.start_brokers(spec).await;
        if let Err(error) = started {
            // The first error is the one to tell; what a failing removal leaves is in the ledger for the next sweep.
            drop(cluster.remove().await);
            return Err(error);
        }
        Ok(cluster)
    }

    async fn start_brokers(&mut self, spec: &ClusterSpec) -> Result<(), ClusterError> {
        self.make_room(spec).await?;
        for attempt in 1.. {
            keeper::start_all(self, spec).await?;
            self.members = self.assign_ports(spec, attempt)?;
            let settings = Settings::new(spec, &self.members, &self.label);
            let starts = self.members.iter().map(|member| self.start_broker(member, &settings));
            let failed = join_all(starts).await.into_iter().find_map(Result::err);
            match failed {
                None => break,
                Some(error) if attempt < PORT_TRIES && is_port_taken(&error) => self.remove_containers().await?,
                Some(error) if is_port_taken(&error) => {
                    return Err(ClusterError::NoPort { reason: error.to_string() });
                }
                Some(error) => return Err(error),
            }
        }
        let names = self.members.iter().map(|member| (member.id, member.name.clone())).collect();
        let maker = Maker::run(&self.label, Arc::clone(&self.ledger));
        let hosts = Containers::new(self.engine.clone(), names, ListenersOf::All(listeners()), maker);
        let hosts = hosts.at_home(self.find_homes().await?);
        self.hosts.get_or_init(|| hosts);
        self.wait_until_registered().await
    }

    async fn find_homes(&self) -> Result<BTreeMap<BrokerId, Attachment>, ClusterError> {
        let mut homes = BTreeMap::new();
        for member in &self.members {
            let places = self.engine.attachments(&member.name).await?;
            // One without a place has died already, which the wait that follows tells with its log.
            homes.extend(places.into_iter().find(|place| place.network == self.label).map(|place| (member.id, place)));
        }
        Ok(homes)
    }

    /// Makes the network and the volumes, each in the ledger first.
    async fn make_room(&self, spec: &ClusterSpec) -> Result<(), ClusterError> {
        self.ledger.write(&Entry::Make { object: Object::Network, name: self.label.clone() })?;
        self.engine.create_network_of_own_range(&self.label, &self.labels()).await?;
        for id in 1..=spec.brokers {
            let name = self.broker_name(id);
            self.ledger.write(&Entry::Make { object: Object::Volume, name: name.clone() })?;
            match spec.disk_bytes {
                None => self.engine.create_volume(&name, &self.labels()).await?,
                Some(bytes) => self.engine.create_bounded_volume(&name, bytes, &self.labels()).await?,
            }
        }
        Ok(())
    }

    fn assign_ports(&self, spec: &ClusterSpec, attempt: u64) -> Result<Vec<Member>, ClusterError> {
        let salt = u64::from(crc32fast::hash(self.label.as_bytes())) << 8 | attempt;
        let ports = ports::free_ports(spec.brokers as usize, salt)?;
        Ok((1..=spec.brokers)
            .zip(ports)
            .map(|(id, port)| Member {
                id: BrokerId(i32::try_from(id).expect("a scenario has few brokers")),
                name: self.broker_name(id),
                endpoint: Endpoint::new("127.0.0.1", port),
            })
            .collect())
    }

    async fn start_broker(&self, member: &Member, settings: &Settings) -> Result<(), ClusterError> {
        self.ledger.write(&Entry::Make { object: Object::Container, name: member.name.clone() })?;
        let container = container::start(member, settings, &self.image, &self.label, self.labels()).await?;
        self.containers.lock().await.push(container);
        Ok(())
    }

    fn broker_name(&self, id: u32) -> String {
        format!("{}-kafka-{id}", self.label)
    }

    fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(RUN_LABEL.to_owned(), self.label.clone()), (HOST_LABEL.to_owned(), host_name())])
    }

    fn member(&self, broker: BrokerId) -> Result<&Member, ClusterError> {
        self.members.iter().find(|member| member.id == broker).ok_or(ClusterError::UnknownBroker { broker })
    }

    /// A broker's disk.
    pub async fn disk(&self, broker: BrokerId) -> Result<Disk, DiskError> {
        self.hosts().disk(broker).await
    }

    fn hosts(&self) -> &Containers {
        self.hosts.get().expect("nobody has the cluster before its brokers have started")
    }

    fn peers(&self) -> Peers {
        Peers::plaintext(self.members.iter().map(|member| (member.id, member.endpoint.clone())).collect())
    }

    /// Waits until every broker is registered and the controller quorum has a leader.
    async fn wait_until_registered(&self) -> Result<(), ClusterError> {
        let brokers = self.brokers();
        self.wait(&[], self.start_limit, "every broker registered and a controller elected", |view| {
            wholeness(view, &brokers, 0)?;
            view.controller.map(drop).ok_or_else(|| "no controller".to_owned())
        })
        .await
    }

    async fn wait(
        &self,
        topics: &[String],
        limit: Duration,
        waited_for: &str,
        good: impl Fn(&ClusterView) -> Result<(), String>,
    ) -> Result<(), ClusterError> {
        let waited = ready::wait(&self.peers(), topics, limit, waited_for, good, || self.find_the_dead()).await;
        ready::with_logs(waited, &self.engine, &self.members).await
    }

    async fn find_the_dead(&self) -> Result<(), ClusterError> {
        ready::find_the_dead(&self.engine, &self.members).await
    }

    async fn remove_containers(&self) -> Result<(), ClusterError> {
        for container in self.containers.lock().await.drain(..) {
            // What testcontainers could not remove is still labelled, and is tried again below; there its error counts.
            drop(container.rm().await);
        }
        // testcontainers also loses sight of a container that was created and could not be started.
        if let Some(mut left) = self.left().await? {
            left.networks.clear();
            left.volumes.clear();
            self.engine.remove(&left).await?;
        }
        Ok(())
    }

    async fn left(&self) -> Result<Option<crate::cluster::engine::Leftovers>, ClusterError> {
        Ok(self.engine.labelled(Some(&self.label)).await?.into_values().next())
    }
}

#[async_trait]
impl Cluster for DockerCluster {
    fn access(&self) -> Access {
        self.peers().access()
    }

    fn brokers(&self) -> Vec<BrokerId> {
        self.members.iter().map(|member| member.id).collect()
    }

    fn environment(&self) -> Environment {
        Environment {
            cluster: "docker".to_owned(),
            image: Some(format!("{}:{}", self.image.name, self.image.tag)),
            image_digest: Some(self.image.digest.clone()),
            engine: Some(self.facts.engine.clone()),
            host: Some(self.facts.host.clone()),
            cpus: self.facts.cpus,
            memory_bytes: self.facts.memory_bytes,
            brokers: self.members.iter().map(|member| format!("{} {}", member.id, member.endpoint)).collect(),
            ..Environment::default()
        }
    }

    async fn create_topics(&self, topics: &[TopicSpec]) -> Result<(), ClusterError> {
        let began = Instant::now();
        for topic in topics {
            // Already there: the request was repeated after its answer was lost, and nobody else makes topics here.
            admin::create_topic(&self.peers(), topic, self.start_limit.saturating_sub(began.elapsed())).await?;
        }
        let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
        let (expected, brokers) = (ready::partitions(topics), self.brokers());
        let left = self.start_limit.saturating_sub(began.elapsed());
        self.wait(&names, left, ready::FULL_ISR, |view| wholeness(view, &brokers, expected)).await
    }

    async fn view(&self, except: Option<BrokerId>) -> Result<ClusterView, ClusterError> {
        view::ask_all(&self.peers().without(except), Topics::Named(&self.topics), LOOK_LIMIT).await
    }

    async fn coordinator(&self, group: &str) -> Result<BrokerId, ClusterError> {
        view::coordinator(&self.peers(), group, LOOK_LIMIT).await
    }

    async fn process_state(&self, broker: BrokerId) -> Result<ProcessState, ClusterError> {
        self.hosts().process_state(broker).await
    }

    async fn probe(&self, broker: BrokerId) -> Probe {
        match self.member(broker) {
            Ok(member) => wire::probe(&member.endpoint, &Security::plaintext(), LOOK_LIMIT).await,
            Err(_) => Probe::Unreachable,
        }
    }

    async fn can(&self, needs: &BTreeSet<Need>) -> Result<(), ClusterError> {
        self.hosts().can(needs).await
    }

    async fn look(&self, broker: BrokerId, questions: &[Question]) -> Vec<Sight> {
        levers::look(&self.peers(), Ok(self.hosts()), broker, questions).await
    }

    async fn prepare(&self, broker: BrokerId, action: &Action) -> Result<Undo, ClusterError> {
        match action {
            Action::Lever(lever) => levers::prepare(&self.peers(), Some(self.hosts()), lever).await,
            _ => self.hosts().prepare(broker, action).await,
        }
    }

    async fn perform(&self, broker: BrokerId, action: &Action) -> Result<Option<Deed>, ClusterError> {
        match action {
            Action::Lever(lever) => levers::perform(&self.peers(), Some(self.hosts()), lever).await.map(Some),
            _ => self.hosts().perform(broker, action).await,
        }
    }

    async fn undo(&self, broker: BrokerId, undo: &Undo) -> Result<(), ClusterError> {
        match levers::undo(&self.peers(), undo).await {
            Some(undone) => undone,
            None => self.hosts().undo(broker, undo).await,
        }
    }

    async fn fence(&self, transactional_id: &str) -> Result<Fencing, ClusterError> {
        levers::fence(&self.peers(), transactional_id).await
    }

    async fn logs(&self, broker: BrokerId) -> Result<Option<Vec<u8>>, ClusterError> {
        self.engine.logs(&self.member(broker)?.name, Part::Whole).await.map(Some)
    }

    async fn audit(&self, partitions: &[TopicPartition]) -> Audit {
        audit::audit(self.hosts(), partitions).await
    }

    async fn remove(&self) -> Result<(), ClusterError> {
        if let Some(hosts) = self.hosts.get() {
            hosts.close().await;
        }
        self.remove_containers().await?;
        if let Some(left) = self.left().await? {
            self.engine.remove(&left).await?;
        }
        Ok(())
    }
}

/// This host's name, which tells our dead runs from another machine's living ones on a shared engine.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// Refuses brokers that the host has no memory for: the kernel would kill one of them in the middle of a run.
pub(crate) fn check_memory(spec: &ClusterSpec) -> Result<(), ClusterError> {
    let heap_mib = spec.heap_bytes >> 20;
    // A bounded disk lies in memory too.
    let needed_mib = needed_mib(spec.brokers, spec.heap_bytes + spec.disk_bytes.unwrap_or_default());
    // Where the host does not tell (no Linux here, or a remote engine), the brokers' own start is the test.
    match available_mib() {
        Some(available_mib) if available_mib < needed_mib => {
            Err(ClusterError::NoMemory { brokers: spec.brokers, heap_mib, needed_mib, available_mib })
        }
        _ => Ok(()),
    }
}

/// How much memory brokers with this heap need together, in MiB.
pub fn needed_mib(brokers: u32, heap_bytes: u64) -> u64 {
    u64::from(brokers) * ((heap_bytes >> 20) + MEMORY_OVERHEAD_MIB)
}

/// How much memory the host has to give, in MiB; `None` where it does not tell.
pub fn available_mib() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib >> 10)
}

fn is_port_taken(error: &ClusterError) -> bool {
    let text = error.to_string();
    ["port is already allocated", "address already in use", "ports are not available"]
        .iter()
        .any(|sign| text.contains(sign))
}
