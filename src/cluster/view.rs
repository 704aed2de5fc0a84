//! The cluster's metadata, asked of the brokers themselves: leaders, epochs, ISR, and the real active controller.
//!
//! `Metadata` in KRaft names a random broker as controller (KIP-590), so the controller comes from `DescribeQuorum`
//! (KIP-595), which the broker asked forwards to the quorum's leader. Where that fails (no quorum, or a mock), the view
//! has no controller rather than a wrong one.

use std::time::Duration;

use futures_util::future::join_all;
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponsePartition;
use kafka_protocol::messages::{
    self, DescribeQuorumRequest, FindCoordinatorRequest, MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use crate::cluster::ClusterError;
use crate::cluster::peers::Peers;
use crate::cluster::wire::{Connection, Security, WireError};
use crate::kafka::{BrokerId, ClusterView, Endpoint, LeaderEpoch, Partition, PartitionView, TopicPartition};

/// The controllers' log, which `DescribeQuorum` and its like name as a topic.
pub(crate) const METADATA_LOG: &str = "__cluster_metadata";

/// Which topics a view shows.
#[derive(Clone, Copy, Debug)]
pub enum Topics<'a> {
    /// These.
    Named(&'a [String]),
    /// All that there are, Kafka's own included.
    All,
}

/// Asks every address at once and keeps the newest answer.
///
/// Brokers learn of changes one after another. Leader epochs only grow, so that whoever has seen more elections knows more: a
/// controller that was frozen and has just woken up still takes itself for one. Among those who have seen as many, the active
/// controller's own broker is first to know.
pub async fn ask_all(peers: &Peers, topics: Topics<'_>, limit: Duration) -> Result<ClusterView, ClusterError> {
    let looks = peers
        .addresses
        .iter()
        .map(|(broker, endpoint)| async move { (*broker, ask_one(endpoint, &peers.security, topics, limit).await) });
    let (mut last_seen, mut views) = ("there is nobody to ask".to_owned(), Vec::new());
    for (broker, answer) in join_all(looks).await {
        match answer {
            Ok(view) => views.push((broker, view)),
            Err(error) => last_seen = format!("{broker}: {error}"),
        }
    }
    newest(views).ok_or_else(|| ClusterError::NoAnswer { question: "a request for metadata".to_owned(), last_seen })
}

/// The newest of several brokers' views; the first of those that are as new.
fn newest(views: Vec<(BrokerId, ClusterView)>) -> Option<ClusterView> {
    let rank = |(broker, view): &(BrokerId, ClusterView)| (elections(view), view.controller == Some(*broker));
    // Of equals `max_by_key` keeps the last.
    views.into_iter().rev().max_by_key(rank).map(|(_, view)| view)
}

fn elections(view: &ClusterView) -> i64 {
    view.partitions.iter().filter_map(|partition| partition.leader_epoch).map(|epoch| i64::from(epoch.0)).sum()
}

/// One broker's view.
pub async fn ask_one(
    endpoint: &Endpoint,
    security: &Security,
    topics: Topics<'_>,
    limit: Duration,
) -> Result<ClusterView, WireError> {
    let mut connection = Connection::open(endpoint, security, limit).await?;
    let metadata = connection.call(12, |_| metadata_request(topics)).await?;
    let mut view = from_metadata(&metadata);
    if let Some((controller, epoch)) = ask_quorum(&mut connection).await {
        view.controller = Some(controller);
        view.controller_epoch = Some(epoch);
    }
    Ok(view)
}

pub(crate) fn metadata_request(topics: Topics<'_>) -> MetadataRequest {
    let named = |topics: &[String]| {
        topics.iter().map(|topic| MetadataRequestTopic::default().with_name(Some(topic_name(topic)))).collect()
    };
    let topics = match topics {
        Topics::All => None,
        Topics::Named(topics) => Some(named(topics)),
    };
    MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false)
}

fn topic_name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

fn from_metadata(metadata: &MetadataResponse) -> ClusterView {
    let mut brokers: Vec<BrokerId> = metadata.brokers.iter().map(|broker| id(broker.node_id)).collect();
    brokers.sort_unstable();
    let mut partitions: Vec<PartitionView> = metadata
        .topics
        .iter()
        .filter_map(|topic| Some((topic.name.as_ref()?.0.to_string(), topic)))
        .flat_map(|(name, topic)| topic.partitions.iter().map(move |partition| from_partition(&name, partition)))
        .collect();
    partitions.sort_by(|a, b| a.partition.cmp(&b.partition));
    ClusterView { brokers, controller: None, controller_epoch: None, partitions }
}

fn from_partition(topic: &str, partition: &MetadataResponsePartition) -> PartitionView {
    PartitionView {
        partition: TopicPartition { topic: topic.to_owned(), partition: Partition(partition.partition_index) },
        leader: Some(id(partition.leader_id)).filter(|leader| leader.0 >= 0),
        leader_epoch: Some(LeaderEpoch(partition.leader_epoch)).filter(|epoch| epoch.0 >= 0),
        replicas: partition.replica_nodes.iter().copied().map(id).collect(),
        isr: partition.isr_nodes.iter().copied().map(id).collect(),
    }
}

fn id(id: messages::BrokerId) -> BrokerId {
    BrokerId(id.0)
}

/// Asks for the quorum of the metadata log, which is the controllers'.
pub(crate) fn quorum_request() -> DescribeQuorumRequest {
    let metadata_log = TopicData::default()
        .with_topic_name(topic_name(METADATA_LOG))
        .with_partitions(vec![PartitionData::default().with_partition_index(0)]);
    DescribeQuorumRequest::default().with_topics(vec![metadata_log])
}

async fn ask_quorum(connection: &mut Connection) -> Option<(BrokerId, LeaderEpoch)> {
    let answer = connection.call(2, |_| quorum_request()).await.ok().filter(|answer| answer.error_code == 0)?;
    let partition = answer.topics.first()?.partitions.first()?;
    let known = partition.error_code == 0 && partition.leader_id.0 >= 0;
    known.then(|| (id(partition.leader_id), LeaderEpoch(partition.leader_epoch)))
}

/// What a broker may coordinate, as `FindCoordinator` numbers it.
#[derive(Clone, Copy)]
enum Coordinated {
    Group = 0,
    Transactions = 1,
}

/// The broker that coordinates a group, as the first broker that knows tells it.
pub async fn coordinator(peers: &Peers, group: &str, limit: Duration) -> Result<BrokerId, ClusterError> {
    let question = format!("who coordinates group `{group}`");
    find_coordinator(peers, Coordinated::Group, group, question, limit).await
}

/// The broker that coordinates the transactions of a transactional id, as the first broker that knows tells it.
pub async fn transaction_coordinator(peers: &Peers, id: &str, limit: Duration) -> Result<BrokerId, ClusterError> {
    let question = format!("who coordinates the transactions of `{id}`");
    find_coordinator(peers, Coordinated::Transactions, id, question, limit).await
}

async fn find_coordinator(
    peers: &Peers,
    what: Coordinated,
    key: &str,
    question: String,
    limit: Duration,
) -> Result<BrokerId, ClusterError> {
    let mut last_seen = "there is nobody to ask".to_owned();
    for (broker, endpoint) in &peers.addresses {
        match ask_coordinator(endpoint, &peers.security, what, key, limit).await {
            Ok(coordinator) => return Ok(coordinator),
            Err(error) => last_seen = format!("{broker}: {error}"),
        }
    }
    Err(ClusterError::NoAnswer { question, last_seen })
}

async fn ask_coordinator(
    endpoint: &Endpoint,
    security: &Security,
    what: Coordinated,
    key: &str,
    limit: Duration,
) -> Result<BrokerId, WireError> {
    let mut connection = Connection::open(endpoint, security, limit).await?;
    // KIP-699 moved the key into a list from version 4 on.
    let answer = connection
        .call(4, |version| {
            let key = StrBytes::from_string(key.to_owned());
            let request = FindCoordinatorRequest::default().with_key_type(what as i8);
            if version >= 4 { request.with_coordinator_keys(vec![key]) } else { request.with_key(key) }
        })
        .await?;
    let (error_code, node) = match answer.coordinators.first() {
        Some(coordinator) => (coordinator.error_code, coordinator.node_id),
        None => (answer.error_code, answer.node_id),
    };
    if error_code == 0 {
        Ok(id(node))
    } else {
        Err(WireError::Protocol(format!("FindCoordinator answered error {error_code}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::mocking::MockCluster;

    #[tokio::test]
    async fn a_view_of_a_mock_shows_brokers_leaders_and_isr() {
        let mock = MockCluster::new(3).expect("a mock cluster");
        mock.create_topic("chat", 3, 3).expect("a topic");
        let brokers: Vec<_> = mock
            .bootstrap_servers()
            .split(',')
            .zip(1..)
            .map(|(address, id)| (BrokerId(id), address.parse().expect("an address")))
            .collect();
        let peers = Peers::plaintext(brokers);
        let view = ask_all(&peers, Topics::Named(&["chat".to_owned()]), Duration::from_secs(5)).await.expect("a view");
        assert_eq!(view.brokers, [BrokerId(1), BrokerId(2), BrokerId(3)]);
        assert_eq!(view.partitions.len(), 3);
        assert!(view.partitions.iter().all(|partition| partition.leader.is_some() && partition.isr.len() == 3));
    }

    #[test]
    fn who_has_seen_more_elections_knows_more_than_who_takes_itself_for_the_controller() {
        let view = |controller: i32, epoch: i32, isr: &[i32]| ClusterView {
            brokers: Vec::new(),
            controller: Some(BrokerId(controller)),
            controller_epoch: None,
            partitions: vec![PartitionView {
                partition: TopicPartition::new("chat", 0),
                leader: Some(BrokerId(epoch)),
                leader_epoch: Some(LeaderEpoch(epoch)),
                replicas: Vec::new(),
                isr: isr.iter().copied().map(BrokerId).collect(),
            }],
        };
        let (zombie, follower, controller) = (view(1, 4, &[1]), view(3, 5, &[1]), view(3, 5, &[1, 2]));
        let all = |views: [&ClusterView; 3]| newest((1..).map(BrokerId).zip(views.into_iter().cloned()).collect());
        assert_eq!(all([&zombie, &follower, &controller]), Some(controller.clone()));
        assert_eq!(all([&zombie, &follower, &follower]), Some(follower));
        assert_eq!(newest(Vec::new()), None);
    }

    #[tokio::test]
    async fn nobody_to_ask_is_an_error_that_says_so() {
        let error = ask_all(&Peers::plaintext(Vec::new()), Topics::All, Duration::from_secs(1))
            .await
            .expect_err("nobody is there");
        assert!(error.to_string().contains("nobody to ask"), "{error}");
    }
}
