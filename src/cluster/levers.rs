//! Faults that Kafka's own protocol brings about: how each is done, what undoes it, and how it is looked at. Where brokers
//! run does not matter, so that the same serves containers and attached clusters; only who deposes a controller has to reach
//! the controllers' own listeners.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::cluster::admin::{UNKNOWN_TOPIC, configs, leaders, quorum, records, replicas, transactions};
use crate::cluster::containers::Containers;
use crate::cluster::peers::Peers;
use crate::cluster::undo::Undo;
use crate::cluster::view::{self, Topics};
use crate::cluster::{ClusterError, LOOK_LIMIT};
use crate::fault::lever::{
    Configured, Deposed, ElectionHeld, Lever, Moved, Rearrangement, RecordsDeleted, Reign, successor,
};
use crate::fault::{Deed, Question, Sight};
use crate::kafka::levers::{
    Before, ConfigChange, ConfigOwner, ConfigState, Elected, Election, Fencing, LogBounds, OwnValue, Placement, Quorum,
};
use crate::kafka::{BrokerId, LeaderEpoch, Offset, PartitionView, TopicPartition};

/// How long it may take to look at what is to be changed.
const PREPARE_LIMIT: Duration = Duration::from_secs(10);

/// How long an election, a new setting or a deletion may take.
const ACT_LIMIT: Duration = Duration::from_secs(30);

/// How long replicas may take to be copied to another broker. A fault that takes longer disturbs nothing of what it is for.
const MOVE_LIMIT: Duration = Duration::from_secs(90);

const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// The code of `INVALID_CONFIG`.
const INVALID_CONFIG: i16 = 40;

/// What will undo it. Changes nothing, and refuses what cannot be done or not be undone.
pub async fn prepare(peers: &Peers, hosts: Option<&Containers>, lever: &Lever) -> Result<Undo, ClusterError> {
    match lever {
        Lever::Elect { partition, .. } => look_at(peers, partition).await.map(|_| Undo::Nothing),
        Lever::Transfer { partition, to } => {
            let now = look_at(peers, partition).await?;
            successor(&now, to)?;
            Ok(Undo::Place(placement(now)))
        }
        Lever::Reassign { partition, how } => {
            let now = look_at(peers, partition).await?;
            how.of(&now)?;
            Ok(Undo::Place(placement(now)))
        }
        Lever::Configure { owner, set } => {
            let before = settings(peers, owner, set).await?;
            if let Some(secret) = before.iter().find(|state| state.own == OwnValue::Secret) {
                return Err(ClusterError::Refused {
                    action: format!("change `{}` of {owner}", secret.key),
                    code: INVALID_CONFIG,
                    reason: "it is a secret, which no broker tells, so that it could not be put back".to_owned(),
                });
            }
            configs::try_out(peers, owner, &changes(set), PREPARE_LIMIT).await?;
            Ok(Undo::Configure { owner: owner.clone(), before })
        }
        Lever::DeleteRecords { partition, .. } => {
            records::offsets(peers, partition, PREPARE_LIMIT).await.map(|_| Undo::Nothing)
        }
        Lever::FailOver => {
            let controllers = controllers(hosts).await?;
            quorum::quorum(&controllers, PREPARE_LIMIT).await.map(|_| Undo::Nothing)
        }
    }
}

/// Does it, and returns when the brokers tell of the new state.
pub async fn perform(peers: &Peers, hosts: Option<&Containers>, lever: &Lever) -> Result<Deed, ClusterError> {
    Ok(match lever {
        Lever::Elect { partition, election } => Deed::Elected(Box::new(elect(peers, partition, *election).await?)),
        Lever::Transfer { partition, to } => {
            let before = look_at(peers, partition).await?;
            let to = successor(&before, to)?;
            leaders::transfer(peers, partition, to, ACT_LIMIT).await?;
            Deed::Moved(Box::new(Moved { before, after: look_at(peers, partition).await? }))
        }
        Lever::Reassign { partition, how } => Deed::Moved(Box::new(reassign(peers, partition, how).await?)),
        Lever::Configure { owner, set } => {
            let before = settings(peers, owner, set).await?;
            configs::alter(peers, owner, &changes(set), ACT_LIMIT).await?;
            Deed::Configured(Configured { owner: owner.clone(), before, after: settings(peers, owner, set).await? })
        }
        Lever::DeleteRecords { partition, millionths } => {
            let before = records::offsets(peers, partition, PREPARE_LIMIT).await?;
            let first_kept = Before::Offset(first_kept(before, *millionths));
            let log_start = records::delete_records(peers, partition, first_kept, ACT_LIMIT).await?;
            Deed::RecordsDeleted(RecordsDeleted { partition: partition.clone(), before, log_start })
        }
        Lever::FailOver => {
            let deposed = quorum::depose(&controllers(hosts).await?, ACT_LIMIT).await?;
            until_told(peers, deposed.after.epoch).await?;
            Deed::Deposed(Deposed { before: reign(&deposed.before), after: reign(&deposed.after) })
        }
    })
}

/// Takes a producer's transactional id.
pub async fn fence(peers: &Peers, transactional_id: &str) -> Result<Fencing, ClusterError> {
    transactions::fence(peers, transactional_id, ACT_LIMIT).await
}

/// Undoes it; `None` for what is undone at a broker's container. May be repeated.
pub async fn undo(peers: &Peers, undo: &Undo) -> Option<Result<(), ClusterError>> {
    let undone = match undo {
        Undo::Place(placement) => leaders::restore(peers, placement, MOVE_LIMIT).await,
        Undo::Configure { owner, before } => configs::restore(peers, owner, before, ACT_LIMIT).await,
        _ => return None,
    };
    Some(match undone {
        // Who deleted the topic deleted what was done to it.
        Err(ClusterError::Refused { code: UNKNOWN_TOPIC, .. }) => Ok(()),
        undone => undone,
    })
}

/// Answers to what a proof asks, in the order of the questions: the cluster's from its brokers, a container's from `hosts`.
pub async fn look(
    peers: &Peers,
    hosts: Result<&Containers, ClusterError>,
    broker: BrokerId,
    questions: &[Question],
) -> Vec<Sight> {
    let mut sights = Vec::new();
    for question in questions {
        let sight = match (answer(peers, question).await, &hosts) {
            (Some(sight), _) => sight.unwrap_or_else(|error| Sight::Blind { reason: error.to_string() }),
            (None, Ok(hosts)) => hosts.look_once(broker, question).await,
            (None, Err(error)) => Sight::Blind { reason: error.to_string() },
        };
        sights.push(sight);
    }
    sights
}

/// The answer to a question that brokers answer; `None` for the others.
async fn answer(peers: &Peers, question: &Question) -> Option<Result<Sight, ClusterError>> {
    Some(match question {
        Question::Partition(partition) => seen(peers, partition).await.map(Sight::Partition),
        Question::Settings { owner, keys } => {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let states = configs::values(peers, owner, &keys, LOOK_LIMIT).await;
            states.map(|states| Sight::Settings { states })
        }
        Question::LogStart(partition) => {
            let bounds = records::offsets(peers, partition, LOOK_LIMIT).await;
            bounds.map(|bounds| Sight::LogStart { log_start: bounds.log_start })
        }
        Question::Controller => quorum::quorum(peers, LOOK_LIMIT).await.map(|quorum| Sight::Controller(reign(&quorum))),
        _ => return None,
    })
}

async fn elect(peers: &Peers, partition: &TopicPartition, election: Election) -> Result<ElectionHeld, ClusterError> {
    let before = match election {
        Election::Preferred => look_at(peers, partition).await?,
        Election::Unclean => without_leader(peers, partition).await?,
    };
    let outcome = leaders::elect(peers, partition, election, ACT_LIMIT).await?;
    // The controller has it in its log; the brokers learn of it in their own time.
    let began = Instant::now();
    loop {
        let after = look_at(peers, partition).await?;
        let is_news = after.leader_epoch != before.leader_epoch || after.leader != before.leader;
        let is_told = is_news && after.leader.is_some();
        if is_told || outcome == Elected::NotNeeded || began.elapsed() >= PREPARE_LIMIT {
            return Ok(ElectionHeld { before, outcome, after });
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// Waits until the brokers tell of a controller of this term or a later one: they ask the old one until they hear of another.
async fn until_told(peers: &Peers, epoch: LeaderEpoch) -> Result<(), ClusterError> {
    let began = Instant::now();
    loop {
        let last_seen = match quorum::quorum(peers, LOOK_LIMIT).await {
            Ok(told) if told.epoch >= epoch => return Ok(()),
            Ok(told) => format!("{} in epoch {}", told.leader, told.epoch.0),
            Err(error) => error.to_string(),
        };
        if began.elapsed() >= ACT_LIMIT {
            let action = format!("hear from the brokers of the controller of epoch {}", epoch.0);
            return Err(ClusterError::Unfinished { action, limit_s: ACT_LIMIT.as_secs(), last_seen });
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// A partition once nobody leads it: before the controllers have given its leader up, Kafka holds no unclean election.
async fn without_leader(peers: &Peers, partition: &TopicPartition) -> Result<PartitionView, ClusterError> {
    let began = Instant::now();
    loop {
        let now = look_at(peers, partition).await?;
        let Some(leader) = now.leader else { return Ok(now) };
        if began.elapsed() >= ACT_LIMIT {
            return Err(ClusterError::Unfinished {
                action: format!("see {partition} without a leader, as an unclean election needs it"),
                limit_s: ACT_LIMIT.as_secs(),
                last_seen: format!("{leader} leads"),
            });
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

async fn reassign(peers: &Peers, partition: &TopicPartition, how: &Rearrangement) -> Result<Moved, ClusterError> {
    let began = Instant::now();
    let before = look_at(peers, partition).await?;
    let wanted = how.of(&before)?;
    replicas::settle(peers, partition, &wanted, MOVE_LIMIT.saturating_sub(began.elapsed())).await?;
    Ok(Moved { before, after: look_at(peers, partition).await? })
}

/// A partition as the brokers tell it, once they do.
async fn look_at(peers: &Peers, partition: &TopicPartition) -> Result<PartitionView, ClusterError> {
    let began = Instant::now();
    loop {
        match seen(peers, partition).await {
            Ok(view) => return Ok(view),
            Err(error) if began.elapsed() >= PREPARE_LIMIT => return Err(error),
            Err(_) => tokio::time::sleep(BETWEEN_LOOKS).await,
        }
    }
}

async fn seen(peers: &Peers, partition: &TopicPartition) -> Result<PartitionView, ClusterError> {
    let view = view::ask_all(peers, Topics::Named(std::slice::from_ref(&partition.topic)), LOOK_LIMIT).await?;
    view.partition(partition).cloned().ok_or_else(|| ClusterError::NoAnswer {
        question: format!("who leads {partition}"),
        last_seen: "no broker knows it".to_owned(),
    })
}

async fn settings(
    peers: &Peers,
    owner: &ConfigOwner,
    set: &BTreeMap<String, String>,
) -> Result<Vec<ConfigState>, ClusterError> {
    let keys: Vec<&str> = set.keys().map(String::as_str).collect();
    configs::values(peers, owner, &keys, PREPARE_LIMIT).await
}

fn changes(set: &BTreeMap<String, String>) -> Vec<ConfigChange> {
    set.iter().map(|(key, value)| ConfigChange::set(key, value)).collect()
}

async fn controllers(hosts: Option<&Containers>) -> Result<Peers, ClusterError> {
    match hosts {
        Some(hosts) => hosts.controllers().await,
        None => Err(ClusterError::Engine {
            action: "find the controllers' listeners".to_owned(),
            reason: "the scenario names no container".to_owned(),
        }),
    }
}

fn placement(now: PartitionView) -> Placement {
    Placement { partition: now.partition, replicas: now.replicas, leader: now.leader }
}

fn reign(quorum: &Quorum) -> Reign {
    Reign { leader: quorum.leader, epoch: quorum.epoch }
}

/// The first offset that a deletion of so many millionths leaves; all of them leave nothing that was committed.
fn first_kept(before: LogBounds, millionths: u32) -> Offset {
    let (start, end) = (before.log_start.0, before.high_watermark.0);
    let length = i128::from(end.saturating_sub(start).max(0));
    let deleted = length * i128::from(millionths.min(1_000_000)) / 1_000_000;
    Offset(start + i64::try_from(deleted).expect("a share of a log is no longer than the log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_a_log_is_counted_from_its_start() {
        let bounds = |start, end| LogBounds { log_start: Offset(start), high_watermark: Offset(end) };
        assert_eq!(first_kept(bounds(0, 1000), 500_000), Offset(500));
        assert_eq!(first_kept(bounds(600, 1000), 500_000), Offset(800));
        assert_eq!(first_kept(bounds(600, 1000), 1_000_000), Offset(1000));
        assert_eq!(first_kept(bounds(600, 600), 1_000_000), Offset(600), "nothing is there");
        assert_eq!(first_kept(bounds(0, i64::MAX), 1_000_000), Offset(i64::MAX));
    }
}
