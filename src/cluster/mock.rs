//! librdkafka's mock cluster as a cluster: for trying scenarios and testing the pipeline in seconds, never for proof.
//!
//! The mock keeps one log a partition, whatever happens to its brokers, so it can lose nothing. It elects nobody by
//! itself; this wrapper moves leaderships away from a broker that goes down, and an ISR from which it is gone is told as
//! such. `stop` and `kill` take a broker's listener away; `pause` is refused, because a mock broker cannot be frozen.

mod keeper;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::cluster::mock::keeper::{Keeper, Order};
use crate::cluster::peers::Peers;
use crate::cluster::view::Topics;
use crate::cluster::{Cluster, ClusterError, LOOK_LIMIT, view, wire};
use crate::fault::{Probe, ProcessState, Signal};
use crate::history::Environment;
use crate::kafka::{Access, BrokerId, ClusterView, NotAnEndpoint};
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

    async fn kill(&self, broker: BrokerId, signal: Signal) -> Result<(), ClusterError> {
        self.take_down(broker, signal.exit_code()).await
    }

    async fn stop(&self, broker: BrokerId, _grace: Duration) -> Result<(), ClusterError> {
        self.take_down(broker, Signal::Term.exit_code()).await
    }

    async fn start(&self, broker: BrokerId) -> Result<(), ClusterError> {
        let index = self.index(broker)?;
        let mut lives = self.lives.lock().await;
        if lives[index].ended_with.take().is_some() {
            lives[index].number += 1;
            self.keeper.order(Order::Up(broker)).await?;
        }
        self.elect(&lives).await
    }

    async fn pause(&self, broker: BrokerId) -> Result<(), ClusterError> {
        Err(ClusterError::Engine {
            action: format!("pause {broker}"),
            reason: "a mock broker cannot be frozen".to_owned(),
        })
    }

    async fn unpause(&self, _broker: BrokerId) -> Result<(), ClusterError> {
        Ok(())
    }

    async fn logs(&self, _broker: BrokerId) -> Result<Option<Vec<u8>>, ClusterError> {
        Ok(Some(b"a mock broker keeps no log\n".to_vec()))
    }

    async fn remove(&self) -> Result<(), ClusterError> {
        Ok(())
    }
}
