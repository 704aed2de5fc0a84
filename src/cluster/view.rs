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
/// Brokers learn of changes one after another. The active controller's own broker is first to know, so its answer
/// wins; else the one that has seen the most elections.
pub async fn ask_all(peers: &Peers, topics: Topics<'_>, limit: Duration) -> Result<ClusterView, ClusterError> {
    let looks = peers
        .addresses
        .iter()
        .map(|(broker, endpoint)| async move { (*broker, ask_one(endpoint, &peers.security, topics, limit).await) });
    let answers = join_all(looks).await;
    let mut last_seen = "there is nobody to ask".to_owned();
    let mut newest: Option<(bool, i64, ClusterView)> = None;
    for (broker, answer) in answers {
        match answer {
            Ok(view) => {
                let candidate = (view.controller == Some(broker), elections(&view), view);
                if newest.as_ref().is_none_or(|best| (candidate.0, candidate.1) > (best.0, best.1)) {
                    newest = Some(candidate);
                }
            }
            Err(error) => last_seen = format!("{broker}: {error}"),
        }
    }
    newest
        .map(|(_, _, view)| view)
        .ok_or_else(|| ClusterError::NoAnswer { question: "a request for metadata".to_owned(), last_seen })
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

async fn ask_quorum(connection: &mut Connection) -> Option<(BrokerId, LeaderEpoch)> {
    let metadata_log = TopicData::default()
        .with_topic_name(topic_name("__cluster_metadata"))
        .with_partitions(vec![PartitionData::default().with_partition_index(0)]);
    let answer = connection
        .call(2, |_| DescribeQuorumRequest::default().with_topics(vec![metadata_log]))
        .await
        .ok()
        .filter(|answer| answer.error_code == 0)?;
    let partition = answer.topics.first()?.partitions.first()?;
    let known = partition.error_code == 0 && partition.leader_id.0 >= 0;
    known.then(|| (id(partition.leader_id), LeaderEpoch(partition.leader_epoch)))
}

/// The broker that coordinates a group, as the first broker that knows tells it.
pub async fn coordinator(peers: &Peers, group: &str, limit: Duration) -> Result<BrokerId, ClusterError> {
    let mut last_seen = "there is nobody to ask".to_owned();
    for (broker, endpoint) in &peers.addresses {
        match ask_coordinator(endpoint, &peers.security, group, limit).await {
            Ok(coordinator) => return Ok(coordinator),
            Err(error) => last_seen = format!("{broker}: {error}"),
        }
    }
    Err(ClusterError::NoAnswer { question: format!("who coordinates group `{group}`"), last_seen })
}

async fn ask_coordinator(
    endpoint: &Endpoint,
    security: &Security,
    group: &str,
    limit: Duration,
) -> Result<BrokerId, WireError> {
    let mut connection = Connection::open(endpoint, security, limit).await?;
    // KIP-699 moved the key into a list from version 4 on.
    let answer = connection
        .call(4, |version| {
            let key = StrBytes::from_string(group.to_owned());
            let request = FindCoordinatorRequest::default();
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

    #[tokio::test]
    async fn nobody_to_ask_is_an_error_that_says_so() {
        let error = ask_all(&Peers::plaintext(Vec::new()), Topics::All, Duration::from_secs(1))
            .await
            .expect_err("nobody is there");
        assert!(error.to_string().contains("nobody to ask"), "{error}");
    }
}
