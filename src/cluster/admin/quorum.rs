//! The controllers' quorum: who leads it (KIP-595, KIP-836), and how to have another one lead without ending a process.
//!
//! A broker forwards the question to the controller that it knows. While that one is frozen or cut off, the forwarded
//! question hangs on it, and so does everything else that is forwarded, long after another one leads: 44 s were measured on
//! Kafka 4.2, where the election itself took 3.5 s. The controllers' own listeners, given as [`Peers`], answer at once.
//!
//! Kafka has no request by which an administrator deposes a controller. To take the leader out of the voters (KIP-853) would
//! do it, but needs a quorum that was formatted as dynamic. What every quorum knows is `EndQuorumEpoch`: a controller that
//! stops in order says it to the others, and they elect at once. [`depose`] says it in the leader's name.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use kafka_protocol::messages::describe_quorum_response::ReplicaState;
use kafka_protocol::messages::end_quorum_epoch_request::{PartitionData, TopicData};
use kafka_protocol::messages::{self, DescribeQuorumResponse, EndQuorumEpochRequest};

use super::ask::{Asking, BETWEEN_ATTEMPTS, Said, Whom};
use super::{meaning, topic_name};
use crate::cluster::peers::Peers;
use crate::cluster::wire::{Connection, WireError};
use crate::cluster::{ClusterError, LOOK_LIMIT, view};
use crate::kafka::levers::{FailOver, Quorum, QuorumReplica};
use crate::kafka::{BrokerId, Endpoint, LeaderEpoch, Offset};

/// Who leads the quorum, in which term, and how far the others are; asked of brokers or of controllers. For a moment after
/// an election the old leader may still answer for its own term: who waits for a fail-over waits for a greater epoch. An
/// error means that nobody who was asked reached a leader within the limit.
pub async fn quorum(peers: &Peers, limit: Duration) -> Result<Quorum, ClusterError> {
    let asking = Asking { peers, whom: Whom::Anybody, action: "see the controllers' quorum".to_owned(), limit };
    let answer = asking
        .until(
            2,
            |_| view::quorum_request(),
            |answer| {
                if answer.error_code != 0 {
                    return Said::with(answer.error_code, answer.error_message.as_ref());
                }
                let partition = answer.topics.first().and_then(|topic| topic.partitions.first());
                partition.map_or_else(Said::nothing, |partition| {
                    Said::with(partition.error_code, partition.error_message.as_ref())
                })
            },
        )
        .await?;
    Ok(read(&answer).expect("an answer without a partition was refused above"))
}

/// Has the other controllers elect one of themselves, and waits until another one leads. `controllers` are the voters at
/// their controller listeners, which let nobody in who may not act as a broker (`CLUSTER_ACTION`). The old leader lives on as
/// a follower, so that there is nothing to undo. Where it is elected again, the others are asked again.
pub async fn depose(controllers: &Peers, limit: Duration) -> Result<FailOver, ClusterError> {
    let began = Instant::now();
    let before = quorum(controllers, limit).await?;
    let mut current = before.clone();
    loop {
        let last_seen = end_epoch(controllers, &current).await;
        let left = limit.saturating_sub(began.elapsed());
        current = quorum(controllers, left).await?;
        if current.epoch > before.epoch && current.leader != before.leader {
            return Ok(FailOver { before, after: current });
        }
        if left.is_zero() {
            let leads = format!("{} leads in epoch {}; {last_seen}", current.leader, current.epoch);
            let action = format!("depose {}", before.leader);
            return Err(ClusterError::Unfinished { action, limit_s: limit.as_secs(), last_seen: leads });
        }
        tokio::time::sleep(BETWEEN_ATTEMPTS).await;
    }
}

/// Tells every voter but the leader that the leader's term is over; each is told that it is the first to succeed, so that
/// none waits for another. What each answered, in words.
async fn end_epoch(controllers: &Peers, quorum: &Quorum) -> String {
    let followers = controllers.addresses.iter().filter(|(id, _)| *id != quorum.leader);
    let told = followers.map(|(id, endpoint)| async move {
        let partition = PartitionData::default()
            .with_leader_id(messages::BrokerId(quorum.leader.0))
            .with_leader_epoch(quorum.epoch.0)
            .with_preferred_successors(vec![id.0]);
        let log = TopicData::default().with_topic_name(topic_name(view::METADATA_LOG)).with_partitions(vec![partition]);
        let asked = async {
            let mut connection = Connection::open(endpoint, &controllers.security, LOOK_LIMIT).await?;
            // Version 0 names successors by their ids alone, which every quorum has.
            let answer = connection.call(0, |_| EndQuorumEpochRequest::default().with_topics(vec![log])).await?;
            let result = answer.topics.first().and_then(|topic| topic.partitions.first());
            let code =
                if answer.error_code == 0 { result.map_or(-1, |result| result.error_code) } else { answer.error_code };
            Ok::<_, WireError>(code)
        };
        match asked.await {
            Ok(0) => format!("{id} heard of it"),
            Ok(code) => format!("{id}: {}", meaning(code)),
            Err(error) => format!("{id}: {error}"),
        }
    });
    let told: Vec<String> = join_all(told).await;
    if told.is_empty() { "there is no other controller".to_owned() } else { told.join("; ") }
}

/// The quorum in an answer; `None` where it speaks of none.
fn read(answer: &DescribeQuorumResponse) -> Option<Quorum> {
    let partition = answer.topics.first()?.partitions.first()?;
    let endpoints = |id: BrokerId| -> Vec<Endpoint> {
        let node = answer.nodes.iter().find(|node| node.node_id.0 == id.0);
        let listeners = node.into_iter().flat_map(|node| &node.listeners);
        listeners.map(|listener| Endpoint::new(listener.host.to_string(), listener.port)).collect()
    };
    let known = |number: i64| Some(number).filter(|number| *number >= 0);
    let replica = |state: &ReplicaState| {
        let id = BrokerId(state.replica_id.0);
        QuorumReplica {
            id,
            log_end: known(state.log_end_offset).map(Offset),
            last_fetch_ms: known(state.last_fetch_timestamp),
            last_caught_up_ms: known(state.last_caught_up_timestamp),
            endpoints: endpoints(id),
        }
    };
    Some(Quorum {
        leader: BrokerId(partition.leader_id.0),
        epoch: LeaderEpoch(partition.leader_epoch),
        high_watermark: Offset(partition.high_watermark),
        voters: partition.current_voters.iter().map(replica).collect(),
        observers: partition.observers.iter().map(replica).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::describe_quorum_response::{Listener, Node, PartitionData, TopicData};
    use kafka_protocol::protocol::StrBytes;

    #[test]
    fn what_the_leader_does_not_know_of_a_voter_is_none() {
        let state = |id: i32, end, fetched| {
            ReplicaState::default()
                .with_replica_id(id.into())
                .with_log_end_offset(end)
                .with_last_fetch_timestamp(fetched)
                .with_last_caught_up_timestamp(fetched)
        };
        let partition = PartitionData::default()
            .with_leader_id(2.into())
            .with_leader_epoch(7)
            .with_high_watermark(90)
            .with_current_voters(vec![state(2, 100, 1000), state(3, -1, -1)]);
        let listener = Listener::default().with_host(StrBytes::from_static_str("kafka-2")).with_port(9093);
        let answer = DescribeQuorumResponse::default()
            .with_topics(vec![TopicData::default().with_partitions(vec![partition])])
            .with_nodes(vec![Node::default().with_node_id(2.into()).with_listeners(vec![listener])]);
        let quorum = read(&answer).expect("a quorum");
        assert_eq!((quorum.leader, quorum.epoch), (BrokerId(2), LeaderEpoch(7)));
        let leader = quorum.voter(BrokerId(2)).expect("a voter");
        assert_eq!((leader.log_end, leader.last_fetch_ms), (Some(Offset(100)), Some(1000)));
        assert_eq!(leader.endpoints, [Endpoint::new("kafka-2", 9093)]);
        let other = quorum.voter(BrokerId(3)).expect("a voter");
        assert_eq!((other.log_end, other.last_fetch_ms, other.last_caught_up_ms), (None, None, None));
        assert_eq!(read(&DescribeQuorumResponse::default()), None);
    }
}
