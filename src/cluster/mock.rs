//! librdkafka's mock cluster as a cluster: for trying scenarios and testing the pipeline in seconds, never for proof.
//!
//! The mock keeps one log a partition, whatever happens to its brokers, so it can lose nothing. It elects nobody by
//! itself; this wrapper moves leaderships away from a broker that goes down, and an ISR from which it is gone is told as
//! such. `stop` and `kill` take a broker's listener away; `pause` is refused, because a mock broker cannot be frozen.

mod keeper;

use std::collections::BTreeSet;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::cluster::audit::Audit;
use crate::cluster::mock::keeper::{Keeper, Order};
use crate::cluster::peers::Peers;
use crate::cluster::undo::Undo;
use crate::cluster::view::Topics;
use crate::cluster::{Cluster, ClusterError, LOOK_LIMIT, view, wire};
use crate::fault::{Action, Deed, FaultId, FaultKind, Probe, ProcessState, Scene, Signal};
use crate::history::Environment;
use crate::kafka::levers::Fencing;
use crate::kafka::{Access, BrokerId, ClusterView, NotAnEndpoint, TopicPartition};
use crate::scenario::{ClusterSpec, TopicSpec};

/// A mock cluster inside this process.
pub struct MockCluster {
    keeper: Keeper,
    peers: Peers,
    topics: Vec<TopicSpec>,
    lives: Mutex<Vec<Life>>,
}

/// A mock broker's life, numbered so that one can be told from the next.
#[derive(Clone, Copy, Debug)]
struct Life {
    number: u32,
    ended_with: Option<i64>,
}

impl MockCluster {
    /// Starts a mock with the scenario's number of brokers.
    pub fn start(spec: &ClusterSpec, topics: &[TopicSpec]) -> Result<Self, ClusterError> {
        let failed = |reason: String| ClusterError::Engine { action: "start a mock cluster".to_owned(), reason };
        let count = i32::try_from(spec.brokers).map_err(|error| failed(error.to_string()))?;
        let (keeper, bootstrap) = Keeper::start(count).map_err(failed)?;
        let addresses = bootstrap
            .split(',')
            .zip(1..)
            .map(|(address, id)| {
                Ok((BrokerId(id), address.parse().map_err(|error: NotAnEndpoint| failed(error.to_string()))?))
            })
            .collect::<Result<_, ClusterError>>()?;
        let lives = vec![Life { number: 1, ended_with: None }; spec.brokers as usize];
        Ok(Self { keeper, peers: Peers::plaintext(addresses), topics: topics.to_vec(), lives: Mutex::new(lives) })
    }

    fn index(&self, broker: BrokerId) -> Result<usize, ClusterError> {
        self.peers.addresses.iter().position(|(id, _)| *id == broker).ok_or(ClusterError::UnknownBroker { broker })
    }

    async fn take_down(&self, broker: BrokerId, exit_code: i64) -> Result<(), ClusterError> {
        let index = self.index(broker)?;
        let mut lives = self.lives.lock().await;
        if lives[index].ended_with.is_some() {
            return Err(ClusterError::Engine {
                action: format!("take {broker} down"),
                reason: "it is down already".to_owned(),
            });
        }
        lives[index].ended_with = Some(exit_code);
        self.keeper.order(Order::Down(broker)).await?;
        self.elect(&lives).await
    }

    /// Whether it can do all that a fault of this kind is made of. What it cannot do it refuses when the fault's turn comes,
    /// and the run is inconclusive.
    pub fn bears(kind: &FaultKind) -> bool {
        let scene = Scene {
            fault: FaultId("asked".to_owned()),
            targets: vec![BrokerId(1).into()],
            to: vec![BrokerId(2)],
            all: vec![BrokerId(1), BrokerId(2), BrokerId(3)],
            reachable: vec![BrokerId(1), BrokerId(2), BrokerId(3)],
            seed: 0,
        };
        let can = |action: &Action| matches!(action, Action::Signal { .. } | Action::Stop { .. });
        kind.strokes(&scene).iter().all(|stroke| can(&stroke.action))
    }

    fn cannot(action: &Action) -> ClusterError {
        let what = match action {
            Action::Freeze => "frozen",
            _ => "struck in this way: it has neither a process nor a network nor a disk",
        };
        ClusterError::Engine {
            action: "do that to a mock broker".to_owned(),
            reason: format!("a mock broker cannot be {what}"),
        }
    }

    async fn bring_up(&self, broker: BrokerId) -> Result<(), ClusterError> {
        let index = self.index(broker)?;
        let mut lives = self.lives.lock().await;
        if lives[index].ended_with.take().is_some() {
            lives[index].number += 1;
            self.keeper.order(Order::Up(broker)).await?;
        }
        self.elect(&lives).await
    }

    /// Gives each partition to the first living broker, counted from the partition's own number on.
    async fn elect(&self, lives: &[Life]) -> Result<(), ClusterError> {
        let living: Vec<i32> = self
            .peers
            .addresses
            .iter()
            .zip(lives)
            .filter(|(_, life)| life.ended_with.is_none())
            .map(|((id, _), _)| id.0)
            .collect();
        for topic in &self.topics {
            for partition in 0..topic.partitions {
                let Some(leader) = living.get(partition as usize % living.len().max(1)) else { continue };
                let leader = BrokerId(*leader);
                self.keeper.order(Order::Lead { topic: topic.name.clone(), partition, leader }).await?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Cluster for MockCluster {
    fn access(&self) -> Access {
        self.peers.access()
    }

    fn brokers(&self) -> Vec<BrokerId> {
        self.peers.ids()
    }

    fn environment(&self) -> Environment {
        Environment {
            cluster: "mock".to_owned(),
            brokers: self.peers.addresses.iter().map(|(id, address)| format!("{id} {address}")).collect(),
            ..Environment::default()
        }
    }

    async fn create_topics(&self, topics: &[TopicSpec]) -> Result<(), ClusterError> {
        for topic in topics {
            self.keeper.order(Order::Topic(topic.clone())).await?;
        }
        let lives = self.lives.lock().await;
        self.elect(&lives).await
    }

    async fn view(&self, except: Option<BrokerId>) -> Result<ClusterView, ClusterError> {
        let lives = self.lives.lock().await.clone();
        let down: BTreeSet<BrokerId> = self
            .peers
            .addresses
            .iter()
            .zip(&lives)
            .filter(|(_, life)| life.ended_with.is_some())
            .map(|((id, _), _)| *id)
            .collect();
        let mut asked = self.peers.without(except);
        asked.addresses.retain(|(id, _)| !down.contains(id));
        let names: Vec<String> = self.topics.iter().map(|topic| topic.name.clone()).collect();
        let mut view = view::ask_all(&asked, Topics::Named(&names), LOOK_LIMIT).await?;
        // The mock goes on naming a broker that is down; a real cluster's metadata would not.
        view.brokers.retain(|broker| !down.contains(broker));
        for partition in &mut view.partitions {
            partition.isr.retain(|broker| !down.contains(broker));
        }
        Ok(view)
    }

    async fn coordinator(&self, group: &str) -> Result<BrokerId, ClusterError> {
        view::coordinator(&self.peers, group, LOOK_LIMIT).await
    }

    async fn process_state(&self, broker: BrokerId) -> Result<ProcessState, ClusterError> {
        let life = self.lives.lock().await[self.index(broker)?];
        Ok(match life.ended_with {
            Some(exit_code) => ProcessState::Exited { exit_code },
            None => ProcessState::Running { started_at: format!("life {}", life.number) },
        })
    }

    async fn probe(&self, broker: BrokerId) -> Probe {
        match self.peers.endpoint(broker) {
            Some(endpoint) => wire::probe(endpoint, &self.peers.security, LOOK_LIMIT).await,
            None => Probe::Unreachable,
        }
    }

    async fn prepare(&self, _broker: BrokerId, action: &Action) -> Result<Undo, ClusterError> {
        match action {
            Action::Signal { .. } | Action::Stop { .. } => Ok(Undo::Start),
            Action::Freeze => Ok(Undo::Thaw),
            _ => Err(Self::cannot(action)),
        }
    }

    async fn perform(&self, broker: BrokerId, action: &Action) -> Result<Option<Deed>, ClusterError> {
        match action {
            Action::Signal { signal } => self.take_down(broker, signal.exit_code()).await?,
            Action::Stop { .. } => self.take_down(broker, Signal::Term.exit_code()).await?,
            _ => return Err(Self::cannot(action)),
        }
        Ok(None)
    }

    async fn undo(&self, broker: BrokerId, undo: &Undo) -> Result<(), ClusterError> {
        match undo {
            Undo::Start | Undo::Revive { .. } => self.bring_up(broker).await,
            // Nothing else was ever done to it.
            _ => Ok(()),
        }
    }

    async fn fence(&self, transactional_id: &str) -> Result<Fencing, ClusterError> {
        Err(ClusterError::Engine {
            action: format!("fence the producer of `{transactional_id}`"),
            reason: "a mock does not tell of transactions".to_owned(),
        })
    }

    async fn logs(&self, _broker: BrokerId) -> Result<Option<Vec<u8>>, ClusterError> {
        Ok(Some(b"a mock broker keeps no log\n".to_vec()))
    }

    async fn audit(&self, _partitions: &[TopicPartition]) -> Audit {
        Audit::Skipped("a mock keeps one log a partition, and no replicas of it".to_owned())
    }

    async fn remove(&self) -> Result<(), ClusterError> {
        Ok(())
    }
}
