//! The cluster under test, behind one trait: what the run and the nemesis may ask of it.
//!
//! Witnesses are kept apart on purpose: [`Cluster::process_state`] asks the engine, [`Cluster::probe`] asks the broker
//! itself, [`Cluster::view`] asks the other brokers. A proof wants all three.

pub mod admin;
pub mod attach;
pub mod broker;
pub mod docker;
pub mod engine;
pub mod groups;
pub mod holder;
pub mod images;
pub mod ledger;
pub mod mock;
pub mod peers;
pub mod ports;
pub mod reach;
pub mod ready;
pub mod standing;
pub mod status;
pub mod view;
pub mod wire;

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;

use crate::fault::{Probe, ProcessState, Signal};
use crate::history::Environment;
use crate::kafka::{Access, BrokerId, ClusterView};
use crate::scenario::TopicSpec;

/// How long one look at a broker may take: a loopback answer takes milliseconds, a frozen broker's never comes.
pub const LOOK_LIMIT: Duration = Duration::from_millis(1500);

/// What a cluster can be asked and told. Every call has a limit of its own and says what it waited for.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// How clients reach it.
    fn access(&self) -> Access;

    /// Every broker that was started, whatever became of it.
    fn brokers(&self) -> Vec<BrokerId>;

    /// Whether a fault may strike this broker; the error says why not.
    fn may_strike(&self, broker: BrokerId) -> Result<(), ClusterError> {
        if self.brokers().contains(&broker) { Ok(()) } else { Err(ClusterError::UnknownBroker { broker }) }
    }

    /// What the brokers run on.
    fn environment(&self) -> Environment;

    /// Makes the topics and waits until each partition has a leader and a full ISR.
    async fn create_topics(&self, topics: &[TopicSpec]) -> Result<(), ClusterError>;

    /// The cluster's metadata as the brokers other than `except` tell it.
    async fn view(&self, except: Option<BrokerId>) -> Result<ClusterView, ClusterError>;

    /// The broker that coordinates a consumer group.
    async fn coordinator(&self, group: &str) -> Result<BrokerId, ClusterError>;

    /// What the engine says of a broker's process.
    async fn process_state(&self, broker: BrokerId) -> Result<ProcessState, ClusterError>;

    /// What the broker itself answers on a fresh connection.
    async fn probe(&self, broker: BrokerId) -> Probe;

    /// Sends a signal to the broker's process.
    async fn kill(&self, broker: BrokerId, signal: Signal) -> Result<(), ClusterError>;

    /// Lets the broker leave in order; ends it when the grace is over.
    async fn stop(&self, broker: BrokerId, grace: Duration) -> Result<(), ClusterError>;

    /// Starts a broker that ended, with the data and the address that it had. No error when it runs already.
    async fn start(&self, broker: BrokerId) -> Result<(), ClusterError>;

    /// Freezes the broker's processes.
    async fn pause(&self, broker: BrokerId) -> Result<(), ClusterError>;

    /// Lets a frozen broker run on. No error when it is not frozen.
    async fn unpause(&self, broker: BrokerId) -> Result<(), ClusterError>;

    /// What the broker wrote to its log since the run began; `None` where nobody here can see its log.
    async fn logs(&self, broker: BrokerId) -> Result<Option<Vec<u8>>, ClusterError>;

    /// Removes everything that was made for this cluster. May be called more than once.
    async fn remove(&self) -> Result<(), ClusterError>;
}

/// Whether every broker is registered and each of the `partitions` partitions has its full ISR; else what is missing.
pub fn wholeness(view: &ClusterView, brokers: &[BrokerId], partitions: usize) -> Result<(), String> {
    // A broker may answer before its own metadata has caught up, and then knows of fewer.
    if view.partitions.len() < partitions {
        return Err(format!("{} of {partitions} partitions known", view.partitions.len()));
    }
    let missing: Vec<String> =
        brokers.iter().filter(|broker| !view.brokers.contains(broker)).map(ToString::to_string).collect();
    if !missing.is_empty() {
        return Err(format!("not registered: {}", missing.join(", ")));
    }
    let thin: Vec<String> = view
        .under_replicated()
        .map(|partition| format!("{} {}/{}", partition.partition, partition.isr.len(), partition.replicas.len()))
        .collect();
    if !thin.is_empty() {
        return Err(format!("ISR not full: {}", thin.join(", ")));
    }
    match view.partitions.iter().find(|partition| partition.leader.is_none()) {
        Some(partition) => Err(format!("no leader: {}", partition.partition)),
        None => Ok(()),
    }
}

/// An error with all its causes in one line, for histories and terminals.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// What can go wrong with a cluster. All of these are the environment's, not an invariant's: exit code 5.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No engine answers.
    #[error(
        "no Docker engine answers: {reason}\n  help: run docker/setup.sh, which installs and starts one on Debian or Ubuntu; elsewhere set DOCKER_HOST"
    )]
    NoEngine {
        /// The client's error.
        reason: String,
    },
    /// No image to run.
    #[error("no Kafka image: looked for {}\n  help: run docker/setup.sh, which pulls or builds one", looked_for.join(", "))]
    NoImage {
        /// The names tried, in order.
        looked_for: Vec<String>,
    },
    /// The engine refused something.
    #[error("the engine could not {action}: {reason}")]
    Engine {
        /// What was asked.
        action: String,
        /// Its answer.
        reason: String,
    },
    /// The host has too little memory for the brokers.
    #[error(
        "{brokers} brokers with {heap_mib} MiB heap need about {needed_mib} MiB, and {available_mib} MiB are available\n  help: lower `heap` under [cluster], or free memory"
    )]
    NoMemory {
        /// How many brokers were asked for.
        brokers: u32,
        /// The heap of each.
        heap_mib: u64,
        /// What they need together.
        needed_mib: u64,
        /// What there is.
        available_mib: u64,
    },
    /// No free port was found, or somebody took it before the broker could.
    #[error("no free port for a broker: {reason}")]
    NoPort {
        /// What was tried.
        reason: String,
    },
    /// A broker ended while the cluster was being started.
    #[error(
        "{broker} ended with exit code {exit_code} while the cluster was starting; the last lines of its log:\n{log}"
    )]
    BrokerDied {
        /// Which.
        broker: BrokerId,
        /// How.
        exit_code: i64,
        /// The end of its log, indented.
        log: String,
    },
    /// The cluster was not ready in time.
    #[error("the cluster was not ready within {limit_s} s; waited for {waited_for}; last seen: {last_seen}{logs}")]
    NotReady {
        /// The limit.
        limit_s: u64,
        /// What was waited for.
        waited_for: String,
        /// What the last look showed.
        last_seen: String,
        /// A line break and the end of each broker's log, indented; empty where there is none to show.
        logs: String,
    },
    /// A topic could not be made.
    #[error("topic `{topic}` could not be made: {reason}")]
    Topic {
        /// Which.
        topic: String,
        /// The broker's answer.
        reason: String,
    },
    /// The cluster refused something, for good.
    #[error("the cluster would not {action}: {reason}")]
    Refused {
        /// What was asked.
        action: String,
        /// Kafka's error code.
        code: i16,
        /// Its own words.
        reason: String,
    },
    /// Something was asked again and again, in vain.
    #[error("could not {action} within {limit_s} s; last seen: {last_seen}")]
    Unfinished {
        /// What was asked.
        action: String,
        /// The limit.
        limit_s: u64,
        /// The last answer.
        last_seen: String,
    },
    /// No broker answered a question.
    #[error("no broker answered {question}: {last_seen}")]
    NoAnswer {
        /// What was asked.
        question: String,
        /// The last error.
        last_seen: String,
    },
    /// The cluster that was to be attached is another one than the scenario describes.
    #[error("{reason}\n  help: {help}")]
    Another {
        /// What is different.
        reason: String,
        /// What to do about it.
        help: &'static str,
    },
    /// The scenario does not name this broker's container, so that it may not be struck.
    #[error("{broker} has no container under [cluster.containers], so that no fault may strike it")]
    NotNamed {
        /// Which broker.
        broker: BrokerId,
    },
    /// The clients' properties need an environment variable that is not there.
    #[error("{0}\n  help: set it in the environment, or write the value itself")]
    Variable(#[from] crate::kafka::UnknownVariable),
    /// The cluster that was to be attached cannot be reached.
    #[error(transparent)]
    Reach(#[from] reach::ReachError),
    /// There is no such broker.
    #[error("there is no {broker} in this cluster")]
    UnknownBroker {
        /// Which was asked for.
        broker: BrokerId,
    },
    /// The ledger could not be written, so nothing was made.
    #[error(transparent)]
    Ledger(#[from] ledger::LedgerError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::{PartitionView, TopicPartition};

    fn view(brokers: &[i32], isr: &[i32], leader: Option<i32>) -> ClusterView {
        let ids = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
        ClusterView {
            brokers: ids(brokers),
            controller: None,
            controller_epoch: None,
            partitions: vec![PartitionView {
                partition: TopicPartition::new("chat", 0),
                leader: leader.map(BrokerId),
                leader_epoch: None,
                replicas: ids(&[1, 2, 3]),
                isr: ids(isr),
            }],
        }
    }

    #[test]
    fn a_cluster_is_whole_only_with_all_brokers_full_isr_and_leaders() {
        let all = [BrokerId(1), BrokerId(2), BrokerId(3)];
        let what = |view: ClusterView| wholeness(&view, &all, 1);
        assert_eq!(what(view(&[1, 2, 3], &[1, 2, 3], Some(1))), Ok(()));
        assert_eq!(what(view(&[1, 3], &[1, 2, 3], Some(1))), Err("not registered: broker-2".to_owned()));
        assert_eq!(what(view(&[1, 2, 3], &[1, 3], Some(1))), Err("ISR not full: chat-0 2/3".to_owned()));
        assert_eq!(what(view(&[1, 2, 3], &[1, 2, 3], None)), Err("no leader: chat-0".to_owned()));
        let blank = ClusterView { partitions: Vec::new(), ..view(&[1, 2, 3], &[], None) };
        assert_eq!(what(blank), Err("0 of 1 partitions known".to_owned()));
    }
}
