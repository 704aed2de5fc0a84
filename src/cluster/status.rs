//! One look at a whole cluster from outside: brokers, controller, leaders, ISR, groups and their lag.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use crate::cluster::groups::Described;
use crate::cluster::peers::Peers;
use crate::cluster::reach::{self, ReachError, Reached};
use crate::cluster::view::Topics;
use crate::cluster::wire::WireError;
use crate::cluster::{ClusterError, LOOK_LIMIT, groups, view};
use crate::kafka::{Access, BrokerId, ClusterView, Endpoint, GroupMissing, GroupView, Missing};

/// How long asking for groups may take.
const GROUPS_LIMIT: Duration = Duration::from_secs(5);

/// A broker as the others know it, and as it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BrokerStatus {
    /// Its id.
    pub broker: BrokerId,
    /// Where it tells clients to go; `None` when it is not registered.
    pub endpoint: Option<Endpoint>,
    /// How it is.
    pub state: BrokerState,
    /// Whether it is the active controller.
    pub is_controller: bool,
}

/// How a broker is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BrokerState {
    /// Registered, and it answers.
    Up,
    /// Registered, but it does not answer where it tells clients to go; why.
    Unreachable(String),
    /// Partitions have replicas on it, and it is not registered.
    Missing,
}

/// What one look showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The brokers, in the order of their ids.
    pub brokers: Vec<BrokerStatus>,
    /// What the metadata say, of all topics.
    pub view: ClusterView,
    /// The consumer groups.
    pub groups: Vec<GroupView>,
    /// What could not be learnt of groups, and why.
    pub groups_missing: Vec<GroupMissing>,
    /// Why it is not whole; `None` when it is.
    pub missing: Option<String>,
}

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The cluster cannot be reached.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// It was reached, and then did not answer.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// Looks once.
pub async fn look(access: &Access) -> Result<Status, StatusError> {
    let Reached { peers, .. } = reach::reach(access).await?;
    let (view, strangers) =
        tokio::join!(view::ask_all(&peers, Topics::All, LOOK_LIMIT), reach::strangers(&peers, LOOK_LIMIT));
    let mut status = assess(&peers, view?, &strangers);
    let described = groups::describe(&peers, &status.view, None, GROUPS_LIMIT).await;
    note_groups(&mut status, described);
    Ok(status)
}

/// What came of asking for groups. That they cannot be asked takes nothing from what is known of brokers and ISR.
fn note_groups(status: &mut Status, described: Result<Described, ClusterError>) {
    match described {
        Ok(Described { groups, missing }) => (status.groups, status.groups_missing) = (groups, missing),
        Err(error) => {
            status.groups_missing = vec![GroupMissing { what: Missing::All, reason: error.to_string() }];
        }
    }
}

/// What metadata mean, and which brokers do not answer; without groups, which are asked of their coordinators.
pub fn assess(peers: &Peers, view: ClusterView, strangers: &[(BrokerId, Endpoint, WireError)]) -> Status {
    let registered: BTreeSet<BrokerId> = view.brokers.iter().copied().collect();
    let replicas = view.partitions.iter().flat_map(|partition| &partition.replicas).copied();
    let known: BTreeSet<BrokerId> = replicas.chain(registered.iter().copied()).collect();
    let brokers: Vec<BrokerStatus> = known
        .into_iter()
        .map(|broker| {
            let stranger = strangers.iter().find(|(id, ..)| *id == broker);
            let state = match (registered.contains(&broker), stranger) {
                (false, _) => BrokerState::Missing,
                (true, Some((_, _, error))) => BrokerState::Unreachable(error.to_string()),
                (true, None) => BrokerState::Up,
            };
            BrokerStatus {
                broker,
                endpoint: peers.endpoint(broker).cloned(),
                state,
                is_controller: view.controller == Some(broker),
            }
        })
        .collect();
    let missing = missing(&brokers, &view);
    Status { brokers, view, groups: Vec::new(), groups_missing: Vec::new(), missing }
}

/// What keeps the cluster from being whole. A broker that was killed stays registered for some seconds, so that its own
/// answer counts too.
fn missing(brokers: &[BrokerStatus], view: &ClusterView) -> Option<String> {
    let named = |state: fn(&BrokerState) -> bool| -> Vec<String> {
        brokers.iter().filter(|broker| state(&broker.state)).map(|broker| broker.broker.to_string()).collect()
    };
    let absent = named(|state| *state == BrokerState::Missing);
    if !absent.is_empty() {
        return Some(format!("not registered: {}", absent.join(", ")));
    }
    let silent = named(|state| matches!(state, BrokerState::Unreachable(_)));
    if !silent.is_empty() {
        return Some(format!("not answering: {}", silent.join(", ")));
    }
    if let Some(leaderless) = view.partitions.iter().find(|partition| partition.leader.is_none()) {
        return Some(format!("no leader: {}", leaderless.partition));
    }
    let thin: Vec<String> = view
        .under_replicated()
        .map(|partition| format!("{} {}/{}", partition.partition, partition.isr.len(), partition.replicas.len()))
        .collect();
    if !thin.is_empty() {
        return Some(format!("ISR not full: {}", thin.join(", ")));
    }
    view.controller.is_none().then(|| "no controller".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::{PartitionView, TopicPartition};

    fn broker(id: i32, state: BrokerState) -> BrokerStatus {
        BrokerStatus { broker: BrokerId(id), endpoint: None, state, is_controller: false }
    }

    fn view(leader: Option<i32>, isr: &[i32]) -> ClusterView {
        ClusterView {
            brokers: vec![BrokerId(1), BrokerId(2)],
            controller: Some(BrokerId(1)),
            controller_epoch: None,
            partitions: vec![PartitionView {
                partition: TopicPartition::new("chat", 0),
                leader: leader.map(BrokerId),
                leader_epoch: None,
                replicas: vec![BrokerId(1), BrokerId(2)],
                isr: isr.iter().copied().map(BrokerId).collect(),
            }],
        }
    }

    #[test]
    fn a_cluster_is_whole_only_when_every_broker_is_registered_and_answers() {
        let up = [broker(1, BrokerState::Up), broker(2, BrokerState::Up)];
        assert_eq!(missing(&up, &view(Some(1), &[1, 2])), None);
        let frozen = [broker(1, BrokerState::Up), broker(2, BrokerState::Unreachable("no answer".to_owned()))];
        assert_eq!(missing(&frozen, &view(Some(1), &[1, 2])), Some("not answering: broker-2".to_owned()));
        let gone = [broker(1, BrokerState::Up), broker(2, BrokerState::Missing)];
        assert_eq!(missing(&gone, &view(Some(1), &[1])), Some("not registered: broker-2".to_owned()));
    }

    #[test]
    fn a_cluster_is_not_whole_without_leaders_a_full_isr_and_a_controller() {
        let up = [broker(1, BrokerState::Up), broker(2, BrokerState::Up)];
        assert_eq!(missing(&up, &view(None, &[1, 2])), Some("no leader: chat-0".to_owned()));
        assert_eq!(missing(&up, &view(Some(1), &[1])), Some("ISR not full: chat-0 1/2".to_owned()));
        let headless = ClusterView { controller: None, ..view(Some(1), &[1, 2]) };
        assert_eq!(missing(&up, &headless), Some("no controller".to_owned()));
    }

    #[test]
    fn groups_that_cannot_be_asked_are_told_beside_the_brokers() {
        let mut status = assess(&Peers::plaintext(Vec::new()), view(Some(1), &[1, 2]), &[]);
        let error = ClusterError::NoAnswer {
            question: "which groups there are".to_owned(),
            last_seen: "broker-1: no answer".to_owned(),
        };
        note_groups(&mut status, Err(error));
        assert_eq!((status.brokers.len(), status.view.partitions.len()), (2, 1));
        assert!(status.groups_missing[0].reason.contains("broker-1: no answer"));
        let json = serde_json::to_value(&status).expect("plain data");
        assert_eq!(json["groups_missing"][0]["what"], "all");
    }
}
