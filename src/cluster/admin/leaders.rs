//! Who leads a partition: elections that Kafka is asked for, and a leader moved to a follower of one's choice and back.
//!
//! Kafka has no request that names the next leader. But the first of a partition's replicas is its preferred leader, their
//! order can be changed without moving a byte, and the preferred leader can be elected; together that is a transfer.

use std::time::{Duration, Instant};

use kafka_protocol::messages::ElectLeadersRequest;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;

use super::ask::{ATTEMPT_LIMIT_MS, Asking, BETWEEN_ATTEMPTS, Said, Whom};
use super::{replicas, topic_name};
use crate::cluster::peers::Peers;
use crate::cluster::view::{self, Topics};
use crate::cluster::{ClusterError, LOOK_LIMIT};
use crate::kafka::levers::{Elected, Election, Placement};
use crate::kafka::{BrokerId, PartitionView, TopicPartition};

/// How long it may take until all brokers know of an election, before it is held again.
const ELECTION_SEEN_LIMIT: Duration = Duration::from_secs(5);

/// The code of `ELECTION_NOT_NEEDED`.
const ELECTION_NOT_NEEDED: i16 = 84;
/// The code of `PREFERRED_LEADER_NOT_AVAILABLE`.
const PREFERRED_LEADER_NOT_AVAILABLE: i16 = 80;
/// The code of `REASSIGNMENT_IN_PROGRESS`.
const REASSIGNMENT_IN_PROGRESS: i16 = 60;

/// Has a partition's leader elected anew. While no candidate may lead yet (the preferred replica is not in sync, none
/// lives) it is asked again until `limit`.
pub async fn elect(
    peers: &Peers,
    partition: &TopicPartition,
    election: Election,
    limit: Duration,
) -> Result<Elected, ClusterError> {
    let (kind, number) = match election {
        Election::Preferred => ("preferred", 0),
        Election::Unclean => ("unclean", 1),
    };
    let wanted = TopicPartitions::default()
        .with_topic(topic_name(&partition.topic))
        .with_partitions(vec![partition.partition.0]);
    let request = ElectLeadersRequest::default()
        .with_election_type(number)
        .with_topic_partitions(Some(vec![wanted]))
        .with_timeout_ms(ATTEMPT_LIMIT_MS);
    let action = format!("hold the {kind} election of {partition}");
    let asking = Asking { peers, whom: Whom::Anybody, action, limit };
    let answer = asking.until(
        2,
        |_| request.clone(),
        |answer| {
            if answer.error_code != 0 {
                return Said::code(answer.error_code);
            }
            let result = answer.replica_election_results.first().and_then(|topic| topic.partition_result.first());
            result.map_or_else(Said::nothing, |result| Said::with(result.error_code, result.error_message.as_ref()))
        },
    );
    match answer.await {
        Ok(_) => Ok(Elected::Held),
        Err(ClusterError::Refused { code: ELECTION_NOT_NEEDED, .. }) => Ok(Elected::NotNeeded),
        Err(error) => Err(error),
    }
}

/// A partition's replicas and leader as they are now: what to write down before anything of it is moved.
pub async fn placement(peers: &Peers, partition: &TopicPartition, limit: Duration) -> Result<Placement, ClusterError> {
    let action = format!("see who leads {partition}");
    Ok(placed(&watch(peers, partition, &action, limit, |_| Ok(())).await?))
}

/// Makes a follower that is in sync the leader, and tells what was there before, for [`restore`]. After an error the order of
/// the replicas may be changed already; who has to undo that too looks at [`placement`] first.
pub async fn transfer(
    peers: &Peers,
    partition: &TopicPartition,
    to: BrokerId,
    limit: Duration,
) -> Result<Placement, ClusterError> {
    let began = Instant::now();
    let action = format!("make {to} lead {partition}");
    let refused = |code, reason| ClusterError::Refused { action: action.clone(), code, reason };
    let before = watch(peers, partition, &action, limit, |_| Ok(())).await?;
    if !before.isr.contains(&to) {
        let isr: Vec<String> = before.isr.iter().map(ToString::to_string).collect();
        let reason = format!("it is not in sync; in sync are {}", isr.join(", "));
        return Err(refused(PREFERRED_LEADER_NOT_AVAILABLE, reason));
    }
    let under_way = replicas::reassignments(peers, limit.saturating_sub(began.elapsed())).await?;
    if let Some(moving) = under_way.iter().find(|moving| moving.partition == *partition) {
        return Err(refused(REASSIGNMENT_IN_PROGRESS, format!("its replicas are being moved: {moving}")));
    }
    lead(peers, partition, &before.replicas, to, limit.saturating_sub(began.elapsed())).await?;
    Ok(placed(&before))
}

/// Brings a partition's replicas, their order, and its leader back to what they were, and waits until they are. A
/// reassignment that is under way is turned round.
pub async fn restore(peers: &Peers, placement: &Placement, limit: Duration) -> Result<(), ClusterError> {
    let began = Instant::now();
    let left = || limit.saturating_sub(began.elapsed());
    let Placement { partition, replicas: order, leader } = placement;
    let led = match leader {
        None => Ok(()),
        Some(leader) => {
            let first = preferring(order, *leader);
            replicas::settle(peers, partition, &first, left()).await?;
            lead(peers, partition, &first, *leader, left()).await
        }
    };
    // The order is put back also where the old leader cannot lead, and then that is what is told.
    if leader.is_none_or(|leader| order.first() != Some(&leader)) {
        replicas::settle(peers, partition, order, left()).await?;
    }
    led
}

/// Makes one of the replicas the preferred leader, has it elected, and waits until it leads.
async fn lead(
    peers: &Peers,
    partition: &TopicPartition,
    replicas: &[BrokerId],
    to: BrokerId,
    limit: Duration,
) -> Result<(), ClusterError> {
    let began = Instant::now();
    let left = || limit.saturating_sub(began.elapsed());
    let action = format!("make {to} lead {partition}");
    let order = preferring(replicas, to);
    let mut is_ordered = order == replicas;
    // What was won can be lost again before it is seen, as when a controller that was frozen wakes up, or when an older order
    // is carried out late (`replicas::settle`): so it is asked for anew.
    loop {
        if !is_ordered {
            replicas::reassign(peers, partition, &order, left()).await?;
        }
        let elected = match elect(peers, partition, Election::Preferred, left()).await? {
            Elected::Held => "an election was held",
            Elected::NotNeeded => "no election was needed, said the controller",
        };
        let seen = watch(peers, partition, &action, left().min(ELECTION_SEEN_LIMIT), |view| match view.leader {
            Some(leader) if leader == to => Ok(()),
            Some(leader) => {
                let (replicas, isr) = (replicas::shown(&view.replicas), replicas::shown(&view.isr));
                Err(format!("{elected}, and {leader} leads; replicas {replicas}, in sync {isr}"))
            }
            None => Err(format!("{elected}, and nobody leads")),
        });
        match seen.await {
            Ok(_) => return Ok(()),
            Err(_) if !left().is_zero() => is_ordered = false,
            Err(ClusterError::Unfinished { last_seen, .. }) => {
                return Err(ClusterError::Unfinished { action, limit_s: limit.as_secs(), last_seen });
            }
            Err(error) => return Err(error),
        }
    }
}

/// Looks at a partition until it is as wanted; `good` says what is missing.
pub(super) async fn watch(
    peers: &Peers,
    partition: &TopicPartition,
    action: &str,
    limit: Duration,
    good: impl Fn(&PartitionView) -> Result<(), String>,
) -> Result<PartitionView, ClusterError> {
    let began = Instant::now();
    let topics = [partition.topic.clone()];
    loop {
        let last_seen = match view::ask_all(peers, Topics::Named(&topics), LOOK_LIMIT).await {
            Ok(view) => match view.partition(partition) {
                Some(view) => match good(view) {
                    Ok(()) => return Ok(view.clone()),
                    Err(missing) => missing,
                },
                None => format!("no broker knows {partition}"),
            },
            Err(error) => error.to_string(),
        };
        if began.elapsed() >= limit {
            return Err(ClusterError::Unfinished { action: action.to_owned(), limit_s: limit.as_secs(), last_seen });
        }
        tokio::time::sleep(BETWEEN_ATTEMPTS).await;
    }
}

/// The same replicas with one of them first; the others keep their order.
fn preferring(replicas: &[BrokerId], first: BrokerId) -> Vec<BrokerId> {
    let others = replicas.iter().copied().filter(|replica| *replica != first);
    std::iter::once(first).chain(others).collect()
}

fn placed(view: &PartitionView) -> Placement {
    Placement { partition: view.partition.clone(), replicas: view.replicas.clone(), leader: view.leader }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preferred_replica_comes_first_and_the_others_keep_their_order() {
        let ids = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
        assert_eq!(preferring(&ids(&[1, 2, 3]), BrokerId(3)), ids(&[3, 1, 2]));
        assert_eq!(preferring(&ids(&[1, 2, 3]), BrokerId(1)), ids(&[1, 2, 3]));
    }
}
