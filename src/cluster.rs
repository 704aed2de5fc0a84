//! The cluster under test, behind one trait: what the run and the nemesis may ask of it.
//!
//! Witnesses are kept apart on purpose: [`Cluster::process_state`] asks the engine, [`Cluster::probe`] asks the broker
//! itself, [`Cluster::view`] asks the other brokers. A proof wants all three.

pub mod admin;
pub mod allowance;
pub mod attach;
pub mod audit;
pub mod broker;
pub mod containers;
pub mod disk;
pub mod docker;
pub mod engine;
pub mod groups;
pub mod hand;
pub mod holder;
pub mod images;
pub mod ledger;
pub mod levers;
pub mod maker;
pub mod means;
pub mod mock;
pub mod peers;
pub mod ports;
pub mod reach;
pub mod ready;
pub mod standing;
pub mod status;
pub mod undo;
pub mod view;
pub mod wire;

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;

use crate::cluster::audit::Audit;
use crate::cluster::undo::Undo;
use crate::fault::{Action, Deed, Need, Probe, ProcessState, Question, Sight};
use crate::history::Environment;
use crate::kafka::levers::Fencing;
use crate::kafka::{Access, BrokerId, ClusterView, TopicPartition};
pub use crate::scenario::TopicSpec;

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

    /// Whether what the scenario's faults need is here; else why they cannot be injected. Asked before anything is disturbed.
    async fn can(&self, _needs: &BTreeSet<Need>) -> Result<(), ClusterError> {
        Ok(())
    }

    /// Answers to what a fault's proof asks of a broker, in the order of the questions. What cannot be seen is told as such.
    async fn look(&self, broker: BrokerId, questions: &[Question]) -> Vec<Sight> {
        let blind = |_| Sight::Blind { reason: format!("this cluster cannot look so closely at {broker}") };
        questions.iter().map(blind).collect()
    }

    /// What will undo this action on that broker, found before it is done. Changes nothing.
    async fn prepare(&self, broker: BrokerId, action: &Action) -> Result<Undo, ClusterError>;

    /// Does it. Returns when it is in force, with what it has to say of itself.
    async fn perform(&self, broker: BrokerId, action: &Action) -> Result<Option<Deed>, ClusterError>;

    /// Undoes it. A broker that ended is started with the data and the address that it had. No error when there is nothing
    /// to undo any more.
    async fn undo(&self, broker: BrokerId, undo: &Undo) -> Result<(), ClusterError>;

    /// Takes a transactional id, as a second producer of that id would: whoever has it is fenced.
    async fn fence(&self, transactional_id: &str) -> Result<Fencing, ClusterError>;

    /// What the broker wrote to its log since the run began; `None` where nobody here can see its log.
    async fn logs(&self, broker: BrokerId) -> Result<Option<Vec<u8>>, ClusterError>;

    /// Halts every broker and reads the logs of these partitions from its disk. Nothing can be asked of the cluster afterwards
    /// but to be removed.
    async fn audit(&self, _partitions: &[TopicPartition]) -> Audit {
        Audit::Skipped("nobody here can read the disks of its brokers".to_owned())
    }

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
    /// No image for side-cars.
    #[error("no image for side-cars: looked for {looked_for}\n  help: run docker/setup.sh, which builds one")]
    NoSideCar {
        /// The name tried.
        looked_for: String,
    },
    /// A fault needs something that is not here.
    #[error("fault `{fault}` cannot be injected here: {lack}")]
    Lacks {
        /// Which.
        fault: crate::fault::FaultId,
        /// What it lacks.
        lack: means::Lack,
    },
    /// A hand could not do its work.
    #[error(transparent)]
    Hand(#[from] hand::HandError),
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
        "{brokers} brokers with {heap_mib} MiB heap need about {needed_mib} MiB, and {available_mib} MiB are available\n  help: lower `heap` under [cluster], or `disk` where it is set, or free memory"
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
    /// A broker's properties do not say which ports it listens on.
    #[error("the listeners of {broker} cannot be told from its properties: {reason}")]
    Listeners {
        /// Which broker.
        broker: BrokerId,
        /// What is wrong with them.
        reason: admin::listeners::ListenersError,
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
    /// A leader or a replica cannot be moved as it is wanted.
    #[error(transparent)]
    NotPossible(#[from] crate::fault::lever::NotPossible),
    /// A broker's disk could not be worked on.
    #[error(transparent)]
    Disk(Box<disk::DiskError>),
    /// The ledger could not be written, so nothing was made.
    #[error(transparent)]
    Ledger(#[from] ledger::LedgerError),
}

impl From<disk::DiskError> for ClusterError {
    fn from(error: disk::DiskError) -> Self {
        match error {
            disk::DiskError::Cluster(error) => error,
            other => Self::Disk(Box::new(other)),
        }
    }
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
