//! Where a partition's replicas are: moving them (KIP-455), watching them move, and what each broker's disk holds of one.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use kafka_protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::{
    self, AlterPartitionReassignmentsRequest, DescribeLogDirsRequest, DescribeLogDirsResponse,
    ListPartitionReassignmentsRequest,
};

use super::ask::{ATTEMPT_LIMIT_MS, Asking, BETWEEN_ATTEMPTS, Said, Whom};
use super::leaders::watch;
use super::{meaning, topic_name};
use crate::cluster::peers::Peers;
use crate::cluster::wire::Connection;
use crate::cluster::{ClusterError, LOOK_LIMIT};
use crate::kafka::levers::{Reassignment, ReplicaLog, ReplicaLook};
use crate::kafka::{BrokerId, TopicPartition};

/// The code of `NO_REASSIGNMENT_IN_PROGRESS`.
const NO_REASSIGNMENT_IN_PROGRESS: i16 = 85;

/// How long an order may go unheeded before it is given again.
const SAID_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// What became of a reassignment that was to be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It was under way and is given up: the replicas are what they were before it.
    Stopped,
    /// None was under way: it had not begun, or was done already.
    NotUnderWay,
}

/// Gives a partition these replicas, the preferred leader first. Where only the order is new, that is all; else the copying
/// begins, and [`reassigned`] waits for its end.
pub async fn reassign(
    peers: &Peers,
    partition: &TopicPartition,
    replicas: &[BrokerId],
    limit: Duration,
) -> Result<(), ClusterError> {
    let replicas: Vec<_> = replicas.iter().map(|replica| messages::BrokerId(replica.0)).collect();
    let action = format!("move the replicas of {partition}");
    alter(peers, partition, Some(replicas), action, limit).await
}

/// Gives up a reassignment that is under way.
pub async fn cancel(peers: &Peers, partition: &TopicPartition, limit: Duration) -> Result<Cancelled, ClusterError> {
    let action = format!("cancel the reassignment of {partition}");
    match alter(peers, partition, None, action, limit).await {
        Ok(()) => Ok(Cancelled::Stopped),
        Err(ClusterError::Refused { code: NO_REASSIGNMENT_IN_PROGRESS, .. }) => Ok(Cancelled::NotUnderWay),
        Err(error) => Err(error),
    }
}

async fn alter(
    peers: &Peers,
    partition: &TopicPartition,
    replicas: Option<Vec<messages::BrokerId>>,
    action: String,
    limit: Duration,
) -> Result<(), ClusterError> {
    let wanted = ReassignablePartition::default().with_partition_index(partition.partition.0).with_replicas(replicas);
    let topic = ReassignableTopic::default().with_name(topic_name(&partition.topic)).with_partitions(vec![wanted]);
    let request =
        AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]).with_timeout_ms(ATTEMPT_LIMIT_MS);
    let asking = Asking { peers, whom: Whom::Anybody, action, limit };
    let answer = asking.until(
        1,
        |_| request.clone(),
        |answer| {
            if answer.error_code != 0 {
                return Said::with(answer.error_code, answer.error_message.as_ref());
            }
            let result = answer.responses.first().and_then(|topic| topic.partitions.first());
            result.map_or_else(Said::nothing, |result| Said::with(result.error_code, result.error_message.as_ref()))
        },
    );
    answer.await.map(drop)
}

/// The reassignments that are under way, of all topics.
pub async fn reassignments(peers: &Peers, limit: Duration) -> Result<Vec<Reassignment>, ClusterError> {
    let action = "list the reassignments".to_owned();
    let asking = Asking { peers, whom: Whom::Anybody, action, limit };
    let request = ListPartitionReassignmentsRequest::default().with_topics(None).with_timeout_ms(ATTEMPT_LIMIT_MS);
    let answer = asking
        .until(0, |_| request.clone(), |answer| Said::with(answer.error_code, answer.error_message.as_ref()))
        .await?;
    let ids = |ids: Vec<messages::BrokerId>| ids.into_iter().map(|id| BrokerId(id.0)).collect();
    let mut found: Vec<Reassignment> = answer
        .topics
        .into_iter()
        .flat_map(|topic| {
            let name = topic.name.0.to_string();
            topic.partitions.into_iter().map(move |partition| Reassignment {
                partition: TopicPartition::new(name.clone(), partition.partition_index),
                replicas: ids(partition.replicas),
                adding: ids(partition.adding_replicas),
                removing: ids(partition.removing_replicas),
            })
        })
        .collect();
    found.sort_by(|a, b| a.partition.cmp(&b.partition));
    Ok(found)
}

/// Waits until a partition has exactly these replicas, in this order, all in sync, and nothing of it is being moved.
pub async fn reassigned(
    peers: &Peers,
    partition: &TopicPartition,
    replicas: &[BrokerId],
    limit: Duration,
) -> Result<(), ClusterError> {
    let began = Instant::now();
    let left = || limit.saturating_sub(began.elapsed());
    let action = format!("see {partition} with its replicas on {}", shown(replicas));
    loop {
        let under_way = reassignments(peers, left()).await?;
        let Some(moving) = under_way.into_iter().find(|moving| moving.partition == *partition) else { break };
        if left().is_zero() {
            let last_seen = moving.to_string();
            return Err(ClusterError::Unfinished { action, limit_s: limit.as_secs(), last_seen });
        }
        tokio::time::sleep(BETWEEN_ATTEMPTS).await;
    }
    let good = |view: &crate::kafka::PartitionView| {
        let in_sync = replicas.iter().all(|replica| view.isr.contains(replica));
        if view.replicas == replicas && in_sync {
            return Ok(());
        }
        Err(format!("replicas {}, in sync {}", shown(&view.replicas), shown(&view.isr)))
    };
    watch(peers, partition, &action, left(), good).await.map(drop)
}

/// Gives a partition these replicas, and waits until it has them: [`reassign`] and [`reassigned`], and the order is given again
/// while it is not followed.
///
/// A broker forwards an order to the controller that it knows. While that one is frozen or cut off the order waits, for 44 s as
/// measured on Kafka 4.2, although whoever gave it has long gone on to another broker; then it is carried out, after others that
/// were given later. So the last word is said until it is kept. To say again what is under way does not begin it anew.
pub async fn settle(
    peers: &Peers,
    partition: &TopicPartition,
    replicas: &[BrokerId],
    limit: Duration,
) -> Result<(), ClusterError> {
    let began = Instant::now();
    let left = || limit.saturating_sub(began.elapsed());
    loop {
        reassign(peers, partition, replicas, left()).await?;
        match reassigned(peers, partition, replicas, left().min(SAID_AGAIN_AFTER)).await {
            Ok(()) => return Ok(()),
            Err(_) if !left().is_zero() => {}
            Err(ClusterError::Unfinished { action, last_seen, .. }) => {
                return Err(ClusterError::Unfinished { action, limit_s: limit.as_secs(), last_seen });
            }
            Err(error) => return Err(error),
        }
    }
}

/// What each broker has of a partition on its disk. A broker that does not answer within a look's time is told as such.
pub async fn replica_logs(peers: &Peers, partition: &TopicPartition) -> Vec<(BrokerId, ReplicaLook)> {
    let topic = DescribableLogDirTopic::default()
        .with_topic(topic_name(&partition.topic))
        .with_partitions(vec![partition.partition.0]);
    let request = DescribeLogDirsRequest::default().with_topics(Some(vec![topic]));
    let looks = peers.addresses.iter().map(|(broker, endpoint)| {
        let request = request.clone();
        async move {
            let asked = async {
                let mut connection = Connection::open(endpoint, &peers.security, LOOK_LIMIT).await?;
                connection.call(4, |_| request).await
            };
            (*broker, asked.await.map_or_else(|error| ReplicaLook::Unanswered(error.to_string()), replica_look))
        }
    });
    join_all(looks).await
}

/// The replica in a broker's answer. One that is being moved to another directory of the same broker is there twice; the one
/// that counts is the one that is not yet to come.
fn replica_look(answer: DescribeLogDirsResponse) -> ReplicaLook {
    if answer.error_code != 0 {
        return ReplicaLook::Unanswered(meaning(answer.error_code));
    }
    let failed = answer.results.iter().find(|directory| directory.error_code != 0);
    let failed = failed.map(|directory| format!("{}: {}", directory.log_dir, meaning(directory.error_code)));
    let there = answer.results.into_iter().find_map(|directory| {
        let partitions = directory.topics.into_iter().flat_map(|topic| topic.partitions);
        let replica = partitions.into_iter().find(|replica| !replica.is_future_key)?;
        let whole = |number: i64| u64::try_from(number).unwrap_or(0);
        Some(ReplicaLog {
            directory: directory.log_dir.to_string(),
            bytes: whole(replica.partition_size),
            offset_lag: whole(replica.offset_lag),
        })
    });
    // What lies in a directory that could not be read is not known to be absent.
    there.map_or_else(|| failed.map_or(ReplicaLook::Absent, ReplicaLook::Unanswered), ReplicaLook::There)
}

pub(super) fn shown(ids: &[BrokerId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::describe_log_dirs_response::{
        DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
    };
    use kafka_protocol::protocol::StrBytes;

    fn directory(
        name: &'static str,
        error_code: i16,
        replicas: Vec<DescribeLogDirsPartition>,
    ) -> DescribeLogDirsResult {
        let topic = DescribeLogDirsTopic::default().with_name(topic_name("chat")).with_partitions(replicas);
        DescribeLogDirsResult::default()
            .with_log_dir(StrBytes::from_static_str(name))
            .with_error_code(error_code)
            .with_topics(vec![topic])
    }

    fn look(directories: Vec<DescribeLogDirsResult>) -> ReplicaLook {
        replica_look(DescribeLogDirsResponse::default().with_results(directories))
    }

    #[test]
    fn a_replica_that_is_still_to_come_does_not_count() {
        let replica = |bytes, is_future| {
            DescribeLogDirsPartition::default()
                .with_partition_size(bytes)
                .with_offset_lag(3)
                .with_is_future_key(is_future)
        };
        let looked =
            look(vec![directory("/a", 0, vec![replica(7, true)]), directory("/b", 0, vec![replica(9, false)])]);
        let log = ReplicaLog { directory: "/b".to_owned(), bytes: 9, offset_lag: 3 };
        assert_eq!(looked, ReplicaLook::There(log));
    }

    #[test]
    fn a_replica_in_a_directory_that_cannot_be_read_is_not_absent() {
        assert_eq!(look(vec![directory("/a", 0, Vec::new())]), ReplicaLook::Absent);
        let looked = look(vec![directory("/a", 0, Vec::new()), directory("/b", 56, Vec::new())]);
        assert!(matches!(&looked, ReplicaLook::Unanswered(reason) if reason.contains("/b")), "{looked:?}");
    }
}
