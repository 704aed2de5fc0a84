//! When a cluster of containers is ready, asked in Kafka's protocol and with the engine's word on who still lives.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::types::RDKafkaErrorCode;

use crate::cluster::docker::DockerCluster;
use crate::cluster::{Cluster, ClusterError, LOOK_LIMIT, view, wholeness};
use crate::fault::ProcessState;
use crate::kafka::ClusterView;
use crate::scenario::TopicSpec;

const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Waits until every broker is registered and the controller quorum has a leader.
pub(super) async fn wait_for_brokers(cluster: &DockerCluster, limit: Duration) -> Result<(), ClusterError> {
    wait(cluster, &[], limit, "every broker registered and a controller elected", |view| {
        wholeness(view, &cluster.brokers(), 0)?;
        view.controller.map(drop).ok_or_else(|| "no controller".to_owned())
    })
    .await
}

/// Makes the topics, then waits until each of their partitions has a leader and its full ISR.
pub(super) async fn create_topics(
    cluster: &DockerCluster,
    topics: &[TopicSpec],
    limit: Duration,
) -> Result<(), ClusterError> {
    let began = Instant::now();
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap())
        .set("client.id", "wiber-chaos/admin")
        .create()
        .map_err(|error| ClusterError::Topic { topic: "*".to_owned(), reason: error.to_string() })?;
    for topic in topics {
        create_topic(&admin, topic, limit.saturating_sub(began.elapsed())).await?;
    }
    let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    let expected: u32 = topics.iter().map(|topic| topic.partitions).sum();
    let left = limit.saturating_sub(began.elapsed());
    wait(cluster, &names, left, "every partition with a leader and its full ISR", |view| {
        wholeness(view, &cluster.brokers(), expected as usize)
    })
    .await
}

async fn create_topic(
    admin: &AdminClient<DefaultClientContext>,
    topic: &TopicSpec,
    limit: Duration,
) -> Result<(), ClusterError> {
    let refused = |reason: String| ClusterError::Topic { topic: topic.name.clone(), reason };
    let count = |number: u32| i32::try_from(number).map_err(|error| refused(error.to_string()));
    let replication = TopicReplication::Fixed(count(topic.replication_factor)?);
    let mut new = NewTopic::new(&topic.name, count(topic.partitions)?, replication);
    for (key, value) in &topic.config {
        new = new.set(key, value);
    }
    let options = AdminOptions::new().request_timeout(Some(limit)).operation_timeout(Some(limit));
    let answers = admin.create_topics([&new], &options).await.map_err(|error| refused(error.to_string()))?;
    for answer in answers {
        match answer {
            // Already there: the request was repeated after its answer was lost, and nobody else makes topics here.
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(refused(code.to_string())),
        }
    }
    Ok(())
}

async fn wait(
    cluster: &DockerCluster,
    topics: &[String],
    limit: Duration,
    waited_for: &str,
    good: impl Fn(&ClusterView) -> Result<(), String>,
) -> Result<(), ClusterError> {
    let began = Instant::now();
    let addresses = cluster.addresses(None);
    loop {
        let last_seen = match view::ask_all(&addresses, topics, LOOK_LIMIT).await {
            Ok(view) => match good(&view) {
                Ok(()) => return Ok(()),
                Err(missing) => missing,
            },
            Err(error) => error.to_string(),
        };
        find_the_dead(cluster).await?;
        if began.elapsed() >= limit {
            return Err(ClusterError::NotReady {
                limit_s: limit.as_secs(),
                waited_for: waited_for.to_owned(),
                last_seen,
                logs: cluster.log_tails().await,
            });
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// A broker that died while starting will not get better; its log says why.
async fn find_the_dead(cluster: &DockerCluster) -> Result<(), ClusterError> {
    for member in &cluster.members {
        if let ProcessState::Exited { exit_code } = cluster.engine.process_state(&member.name).await? {
            let log = cluster.log_tail(member).await;
            return Err(ClusterError::BrokerDied { broker: member.id, exit_code, log });
        }
    }
    Ok(())
}
