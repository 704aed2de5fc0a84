//! The cluster of `wiber-chaos up`: three brokers that outlive the command, for people to chat over and to disturb by hand.
//!
//! What it consists of is written nowhere but in the engine: everything carries [`STANDING_LABEL`] with the cluster's name.
//! Runs and sweeps look for another label, so that neither ever touches it, nor does [`Standing::down`] touch a run.

mod room;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::cluster::broker::{CLIENT_PORT, DATA, Member, Settings};
use crate::cluster::docker::check_memory;
use crate::cluster::engine::{ContainerFacts, Engine, NewContainer};
use crate::cluster::peers::Peers;
use crate::cluster::{ClusterError, admin, images, ready, wholeness};
use crate::fault::ProcessState;
use crate::kafka::{Access, BrokerId, ClusterView, Endpoint};
use crate::scenario::{ClusterKind, ClusterSpec, DEFAULT_HEAP_BYTES, TopicSpec};

/// The label of everything that belongs to a standing cluster; its value is the cluster's name.
pub const STANDING_LABEL: &str = "wiber-chaos.standing";

/// The name of the cluster when nobody gives one; its brokers are `kafka-1` to `kafka-3`.
pub const DEFAULT_NAME: &str = "wiber";

/// The first broker's port when nobody gives one; the others have the next ones.
pub const DEFAULT_BASE_PORT: u16 = 9092;

/// How many brokers it has.
pub const BROKERS: u16 = 3;

/// How long a broker may take to leave in order. Of three that leave at once the last has no quorum to leave it to.
const GRACE: Duration = Duration::from_secs(10);

/// What is asked of `up`.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The first broker's port; without one that of the cluster which is there, else [`DEFAULT_BASE_PORT`].
    pub base_port: Option<u16>,
    /// The image of brokers that have to be made; without one the official, else the local drop-in.
    pub image: Option<String>,
    /// The heap in bytes of each broker that has to be made; without it that of scenarios.
    pub heap_bytes: Option<u64>,
    /// How long it may take until the cluster is whole.
    pub limit: Duration,
    /// The topic to make.
    pub topic: TopicSpec,
}

/// What `up` did to a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It was made.
    Made,
    /// It was there, and started or thawed.
    Started,
    /// It ran already.
    Running,
}

/// What `up` found and did.
#[derive(Clone, Debug)]
pub struct Up {
    /// Each broker's container, and what was done to it.
    pub brokers: Vec<(String, Endpoint, Action)>,
    /// Whether the topic was made.
    pub topic: admin::Made,
    /// How clients reach it.
    pub access: Access,
}

/// Whether a cluster's data go with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// The volumes stay, for the next `up`.
    Keep,
    /// They are removed.
    Remove,
}

/// What new containers are made of.
struct Recipe {
    settings: Settings,
    image: String,
    /// The network's range of addresses.
    range: Option<String>,
}

/// A standing cluster, there or not.
#[derive(Clone, Debug)]
pub struct Standing {
    engine: Engine,
    name: String,
}

impl Standing {
    /// The cluster of this name. Nothing is asked or made yet.
    pub fn new(engine: Engine, name: &str) -> Self {
        Self { engine, name: name.to_owned() }
    }

    /// Makes what is missing, starts what is stopped, and waits until the cluster is whole and has its topic. May be called
    /// again at any time; what runs is left alone. `tell` hears what is being waited for.
    pub async fn up(&self, wish: &Wish, tell: impl Fn(&str)) -> Result<Up, ClusterError> {
        let began = Instant::now();
        let found = self.brokers().await?;
        let base_port = self.base_port(wish, &found)?;
        let members = self.members(base_port);
        self.check_room(&members, &found).await?;
        let spec = spec(wish);
        if found.iter().any(Option::is_none) {
            check_memory(&spec)?;
        }
        if let Some(unheard) = room::unheard(wish, &found) {
            tell(unheard);
        }
        if found.iter().any(|facts| !facts.as_ref().is_some_and(is_running)) {
            tell("starting the brokers");
        }
        let actions = self.start_all(&spec, &members, &found).await?;
        let peers = peers(&members);
        let left = || wish.limit.saturating_sub(began.elapsed());
        tell("waiting until every broker is registered and a controller is elected");
        let registered = |view: &ClusterView| {
            wholeness(view, &peers.ids(), 0)?;
            view.controller.map(drop).ok_or_else(|| "no controller".to_owned())
        };
        let waited_for = "every broker registered and a controller elected";
        self.wait(&members, &[], left(), waited_for, registered).await?;
        tell("waiting until each partition has its full ISR");
        let topic = admin::create_topic(&peers, &wish.topic, left()).await?.made;
        let names = [wish.topic.name.clone()];
        let full = |view: &ClusterView| wholeness(view, &peers.ids(), 1);
        self.wait(&members, &names, left(), ready::FULL_ISR, full).await?;
        let brokers = members.into_iter().zip(actions).map(|(member, action)| (member.name, member.endpoint, action));
        Ok(Up { brokers: brokers.collect(), topic, access: peers.access() })
    }

    /// Stops the brokers in order and removes them with their network. Returns what was removed.
    pub async fn down(&self, data: Data) -> Result<Vec<String>, ClusterError> {
        let mut left = self.engine.carrying(&self.label()).await?;
        let running = left.containers.iter().map(|container| async {
            self.engine.thaw(container).await?;
            match self.engine.process_state(container).await? {
                ProcessState::Running { .. } => self.engine.stop(container, GRACE).await,
                _ => Ok(()),
            }
        });
        // One that does not stop is removed by force below, where its error counts.
        drop(join_all(running).await);
        if data == Data::Keep {
            left.volumes.clear();
        }
        self.engine.remove(&left).await?;
        Ok(left.into_names().collect())
    }

    /// Its brokers' containers, those that are there, with what the engine says of them.
    pub async fn containers(&self) -> Result<Vec<ContainerFacts>, ClusterError> {
        Ok(self.brokers().await?.into_iter().flatten().collect())
    }

    fn base_port(&self, wish: &Wish, found: &[Option<ContainerFacts>]) -> Result<u16, ClusterError> {
        let there = found.iter().zip(0..).find_map(|(facts, place)| facts.as_ref()?.ports.first()?.checked_sub(place));
        match (wish.base_port, there) {
            (Some(wanted), Some(there)) if wanted != there => Err(ClusterError::Another {
                reason: format!("cluster `{}` is there already, with base port {there}", self.name),
                help: "`wiber-chaos down` first: it keeps the data, and `up` finds them again",
            }),
            (wanted, there) => Ok(wanted.or(there).unwrap_or(DEFAULT_BASE_PORT)),
        }
    }

    fn members(&self, base_port: u16) -> Vec<Member> {
        (1..=BROKERS)
            .map(|number| Member {
                id: BrokerId(i32::from(number)),
                name: self.container(number),
                endpoint: Endpoint::new("localhost", base_port.saturating_add(number - 1)),
            })
            .collect()
    }

    async fn start_all(
        &self,
        spec: &ClusterSpec,
        members: &[Member],
        found: &[Option<ContainerFacts>],
    ) -> Result<Vec<Action>, ClusterError> {
        let image = images::find(&self.engine, spec.image.as_deref()).await?;
        self.make_room(members).await?;
        let recipe = Recipe {
            settings: Settings::new(spec, members, &format!("{STANDING_LABEL}={}", self.name)),
            image: format!("{}:{}", image.name, image.tag),
            range: self.engine.network_range(&self.network()).await?,
        };
        let starts = members.iter().zip(found).map(|(member, facts)| self.start(member, facts.as_ref(), &recipe));
        join_all(starts).await.into_iter().collect()
    }

    async fn start(
        &self,
        member: &Member,
        facts: Option<&ContainerFacts>,
        recipe: &Recipe,
    ) -> Result<Action, ClusterError> {
        let Some(facts) = facts else {
            let new = NewContainer {
                name: member.name.clone(),
                image: recipe.image.clone(),
                environment: recipe.settings.environment(member),
                network: self.network(),
                address: recipe.range.as_ref().and_then(|range| room::address(range, member.id)),
                volume: (volume(member), DATA.to_owned()),
                port: (member.endpoint.port, CLIENT_PORT),
                labels: self.labels(),
            };
            self.engine.create_container(&new).await?;
            return self.engine.start(&member.name).await.map(|()| Action::Made);
        };
        match facts.state {
            ProcessState::Running { .. } => Ok(Action::Running),
            ProcessState::Paused { .. } => self.engine.unpause(&member.name).await.map(|()| Action::Started),
            ProcessState::Exited { .. } | ProcessState::Missing | ProcessState::Unwatched => {
                self.engine.start(&member.name).await.map(|()| Action::Started)
            }
        }
    }

    async fn wait(
        &self,
        members: &[Member],
        topics: &[String],
        limit: Duration,
        waited_for: &str,
        good: impl Fn(&ClusterView) -> Result<(), String>,
    ) -> Result<(), ClusterError> {
        let hopeless = || ready::find_the_dead(&self.engine, members);
        let waited = ready::wait(&peers(members), topics, limit, waited_for, good, hopeless).await;
        ready::with_logs(waited, &self.engine, members).await
    }

    /// A container's name: plain for the cluster that people speak of, with the cluster's name before it for others.
    fn container(&self, number: u16) -> String {
        if self.name == DEFAULT_NAME { format!("kafka-{number}") } else { format!("{}-kafka-{number}", self.name) }
    }

    fn network(&self) -> String {
        format!("{}-up", self.name)
    }

    fn label(&self) -> String {
        format!("{STANDING_LABEL}={}", self.name)
    }

    fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(STANDING_LABEL.to_owned(), self.name.clone())])
    }
}

fn is_running(facts: &ContainerFacts) -> bool {
    matches!(facts.state, ProcessState::Running { .. })
}

fn peers(members: &[Member]) -> Peers {
    Peers::plaintext(members.iter().map(|member| (member.id, member.endpoint.clone())).collect())
}

/// A broker's volume, named so that nobody takes it for a compose project's.
fn volume(member: &Member) -> String {
    format!("{}-data", member.name)
}

fn spec(wish: &Wish) -> ClusterSpec {
    ClusterSpec {
        kind: ClusterKind::Docker,
        brokers: u32::from(BROKERS),
        image: wish.image.clone(),
        heap_bytes: wish.heap_bytes.unwrap_or(DEFAULT_HEAP_BYTES),
        disk_bytes: None,
        start_limit: wish.limit,
        config: BTreeMap::new(),
        attach: None,
    }
}
