//! Whom a fault strikes, resolved at the moment of injection from what the cluster says then.

use crate::cluster::{Cluster, ClusterError};
use crate::fault::{FaultId, FaultKind, Need, Target, Victim};
use crate::kafka::{BrokerId, ClusterView, PartitionView, TopicPartition};

/// Why a target is nobody.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The cluster could not be asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// What was asked for does not exist at this moment.
    #[error("target `{target}` is nobody: {reason}")]
    Nobody {
        /// The target.
        target: Target,
        /// Why.
        reason: String,
    },
}

/// What a fault does to its targets decides whom it may strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It acts on their containers: only on those that may be struck.
    Containers,
    /// It acts through Kafka's protocol: on every broker.
    Protocol,
}

impl Reach {
    /// How far a kind of fault reaches.
    pub fn of(kind: &FaultKind) -> Self {
        if kind.facts().needs.contains(&Need::Engine) { Self::Containers } else { Self::Protocol }
    }
}

/// Whom `target` names now. `draw` is the plan's permutation of the broker ids, `struck_by` tells whom an
/// earlier fault struck. Never empty; each once, whatever a set names.
pub async fn resolve(
    cluster: &dyn Cluster,
    target: &Target,
    reach: Reach,
    draw: &[i32],
    struck_by: impl Fn(&FaultId) -> Option<Vec<Victim>>,
) -> Result<Vec<Victim>, TargetError> {
    let mut found: Vec<Victim> = Vec::new();
    for member in target.members() {
        for victim in resolve_one(cluster, member, reach, draw, &struck_by).await? {
            if !found.contains(&victim) {
                found.push(victim);
            }
        }
    }
    Ok(found)
}

async fn resolve_one(
    cluster: &dyn Cluster,
    target: &Target,
    reach: Reach,
    draw: &[i32],
    struck_by: &impl Fn(&FaultId) -> Option<Vec<Victim>>,
) -> Result<Vec<Victim>, TargetError> {
    let brokers = cluster.brokers();
    let nobody = |reason: String| TargetError::Nobody { target: target.clone(), reason };
    let first = |count: usize| draw.iter().take(count).copied().map(BrokerId).collect();
    if let Target::Same(fault) = target {
        return struck_by(fault).ok_or_else(|| nobody(format!("fault `{fault}` has struck nobody")));
    }
    let found: Vec<BrokerId> = match target {
        Target::Broker(id) => vec![*id],
        Target::Leader(partition) => leader(&cluster.view(None).await?, partition).map_err(nobody)?,
        Target::Follower(partition) => follower(&cluster.view(None).await?, partition).map_err(nobody)?,
        Target::Followers(partition) => followers(&cluster.view(None).await?, partition).map_err(nobody)?,
        Target::Controller => vec![
            cluster.view(None).await?.controller.ok_or_else(|| nobody("no broker knows the controller".to_owned()))?,
        ],
        Target::Coordinator(group) => vec![cluster.coordinator(group).await?],
        Target::Random(count) => first(*count),
        Target::Minority => first((brokers.len().max(1) - 1) / 2),
        Target::Majority => first(brokers.len() / 2 + 1),
        Target::All => brokers.clone(),
        Target::Producer { .. } | Target::Member { .. } | Target::Group(_) => {
            return Err(nobody("the plan knows no such client".to_owned()));
        }
        Target::Same(_) => unreachable!("answered above"),
        Target::Set(_) => unreachable!("no member of a set is one"),
    };
    if found.is_empty() {
        return Err(nobody("it names no broker of this cluster".to_owned()));
    }
    for broker in found.iter().filter(|_| reach == Reach::Containers) {
        cluster.may_strike(*broker).map_err(|error| nobody(error.to_string()))?;
    }
    Ok(found.into_iter().map(Victim::from).collect())
}

fn find<'a>(view: &'a ClusterView, partition: &TopicPartition) -> Result<&'a PartitionView, String> {
    view.partition(partition).ok_or_else(|| format!("no broker knows {partition}"))
}

fn leader(view: &ClusterView, partition: &TopicPartition) -> Result<Vec<BrokerId>, String> {
    let leader = find(view, partition)?.leader;
    leader.map(|leader| vec![leader]).ok_or_else(|| format!("{partition} has no leader"))
}

fn follower(view: &ClusterView, partition: &TopicPartition) -> Result<Vec<BrokerId>, String> {
    let found = find(view, partition)?;
    let mut in_sync: Vec<BrokerId> =
        found.isr.iter().filter(|broker| Some(**broker) != found.leader).copied().collect();
    in_sync.sort_unstable();
    in_sync.truncate(1);
    if in_sync.is_empty() { Err(format!("{partition} has no follower in sync")) } else { Ok(in_sync) }
}

fn followers(view: &ClusterView, partition: &TopicPartition) -> Result<Vec<BrokerId>, String> {
    let found = find(view, partition)?;
    if found.leader.is_none() {
        return Err(format!("{partition} has no leader, so nobody follows"));
    }
    let mut followers: Vec<BrokerId> =
        found.replicas.iter().filter(|broker| Some(**broker) != found.leader).copied().collect();
    followers.sort_unstable();
    Ok(followers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(leader: Option<i32>, isr: &[i32]) -> ClusterView {
        let ids = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
        ClusterView {
            brokers: ids(&[1, 2, 3]),
            partitions: vec![PartitionView {
                partition: TopicPartition::new("chat", 0),
                leader: leader.map(BrokerId),
                leader_epoch: None,
                replicas: ids(&[2, 3, 1]),
                isr: ids(isr),
            }],
            ..ClusterView::default()
        }
    }

    #[test]
    fn the_follower_is_the_lowest_in_sync_replica_that_does_not_lead() {
        let chat = TopicPartition::new("chat", 0);
        assert_eq!(follower(&view(Some(2), &[2, 3, 1]), &chat), Ok(vec![BrokerId(1)]));
        assert_eq!(follower(&view(Some(2), &[2, 3]), &chat), Ok(vec![BrokerId(3)]));
        assert_eq!(follower(&view(Some(2), &[2]), &chat), Err("chat-0 has no follower in sync".to_owned()));
    }

    #[test]
    fn the_followers_are_all_replicas_but_the_leader_in_sync_or_not() {
        let chat = TopicPartition::new("chat", 0);
        assert_eq!(followers(&view(Some(2), &[2]), &chat), Ok(vec![BrokerId(1), BrokerId(3)]));
    }

    #[test]
    fn a_partition_without_a_leader_or_unknown_is_nobody() {
        assert_eq!(leader(&view(None, &[]), &TopicPartition::new("chat", 0)), Err("chat-0 has no leader".to_owned()));
        assert_eq!(
            leader(&view(Some(1), &[1]), &TopicPartition::new("chat", 7)),
            Err("no broker knows chat-7".to_owned())
        );
    }
}
