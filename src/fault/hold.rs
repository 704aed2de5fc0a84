//! Whom a fault holds away from the others for as long as it is in force: how far it may reach, and what it explains.

use std::collections::BTreeSet;

use super::{FaultKind, Question, Scene};
use crate::kafka::{BrokerId, ClusterView, PartitionView};

/// Whom a fault holds away, and from whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hold {
    /// The brokers that are no members of any ISR while it lasts, or may be none.
    pub away: BTreeSet<BrokerId>,
    /// Those between whom it cuts connections, as pairs.
    pub cut: BTreeSet<(BrokerId, BrokerId)>,
}

impl Hold {
    /// What a fault holds that strikes here. Its cuts are those that its proof tries.
    pub fn of(kind: &FaultKind, scene: &Scene) -> Self {
        let cut = kind.questions(scene).into_iter().filter_map(|(_, question)| match question {
            Question::Links { from, cut, .. } => Some(cut.into_iter().map(move |link| (from, link.to))),
            _ => None,
        });
        Self { away: kind.away(scene).into_iter().collect(), cut: cut.flatten().collect() }
    }

    /// Everybody that it may take out of an ISR.
    pub fn brokers(&self) -> BTreeSet<BrokerId> {
        let cut = self.cut.iter().flat_map(|(one, other)| [*one, *other]);
        self.away.iter().copied().chain(cut).collect()
    }

    /// Whether it keeps a replica from getting in sync with this leader.
    fn keeps_out(&self, replica: BrokerId, leader: Option<BrokerId>) -> bool {
        let is_cut = |leader| self.cut.contains(&(replica, leader)) || self.cut.contains(&(leader, replica));
        self.away.contains(&replica) || leader.is_some_and(is_cut)
    }
}

/// Whether the ISR is full of every partition of which one of these brokers is a replica, leading it or not. Replicas that
/// `others` keep out do not count: whoever waited for them would wait for those faults' ends.
pub fn is_full_around(view: &ClusterView, brokers: &BTreeSet<BrokerId>, others: &[Hold]) -> bool {
    let touches = |partition: &&PartitionView| partition.replicas.iter().any(|replica| brokers.contains(replica));
    view.partitions.iter().filter(touches).all(|partition| {
        let is_in = |replica: &BrokerId| partition.isr.contains(replica);
        let is_kept_out = |replica| others.iter().any(|hold| hold.keeps_out(replica, partition.leader));
        partition.replicas.iter().all(|replica| is_in(replica) || is_kept_out(*replica))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{FaultId, Victim};
    use crate::kafka::TopicPartition;

    fn ids(ids: &[i32]) -> Vec<BrokerId> {
        ids.iter().copied().map(BrokerId).collect()
    }

    fn set(brokers: &[i32]) -> BTreeSet<BrokerId> {
        ids(brokers).into_iter().collect()
    }

    /// Partitions by their replicas, of which the first leads, and their ISRs.
    fn view(partitions: &[(&[i32], &[i32])]) -> ClusterView {
        let partition = |(number, (replicas, isr)): (i32, &(&[i32], &[i32]))| PartitionView {
            partition: TopicPartition::new("chat", number),
            leader: replicas.first().copied().map(BrokerId),
            leader_epoch: None,
            replicas: ids(replicas),
            isr: ids(isr),
        };
        ClusterView { partitions: (0..).zip(partitions).map(partition).collect(), ..ClusterView::default() }
    }

    /// What a fault as a plan has it holds that strikes these of so many brokers.
    fn hold(kind: &str, targets: &[i32], brokers: i32) -> Hold {
        let kind: FaultKind = serde_json::from_str(kind).expect("a kind");
        let all: Vec<BrokerId> = (1..=brokers).map(BrokerId).collect();
        let targets: Vec<Victim> = ids(targets).into_iter().map(Victim::Broker).collect();
        let to = all.iter().copied().filter(|broker| !targets.contains(&Victim::Broker(*broker))).collect();
        let reachable = all.clone();
        Hold::of(&kind, &Scene { fault: FaultId("f".to_owned()), targets, to, all, reachable, seed: 0 })
    }

    const BRIDGE: &str = r#"{"bridge": {"mode": "drop"}}"#;
    const REPLICATION: &str =
        r#"{"partition": {"to": "rest", "direction": "both", "mode": "drop", "plane": "replication"}}"#;

    fn full(partitions: &[(&[i32], &[i32])], around: &Hold, others: &[Hold]) -> bool {
        is_full_around(&view(partitions), &around.brokers(), others)
    }

    #[test]
    fn a_bridge_holds_those_away_that_it_cuts_from_one_another() {
        let bridge = hold(BRIDGE, &[1], 3);
        assert_eq!((bridge.away.clone(), bridge.brokers()), (set(&[2, 3]), set(&[2, 3])));
        assert!(!full(&[(&[1, 2, 3], &[1, 2])], &bridge, &[]), "the bridge is in sync, and one of the others is not");
        assert!(full(&[(&[1, 2, 3], &[1, 2, 3])], &bridge, &[]));
    }

    #[test]
    fn a_leader_that_is_alone_in_its_isr_is_not_whole() {
        let cut = hold(REPLICATION, &[1], 3);
        assert!(!full(&[(&[1, 2, 3], &[1])], &cut, &[]));
        assert!(!full(&[(&[1, 2, 3], &[1, 3])], &cut, &[]));
        assert!(full(&[(&[1, 2, 3], &[3, 1, 2])], &cut, &[]));
    }

    #[test]
    fn what_a_fault_could_not_touch_is_not_waited_for() {
        let kill = hold(r#"{"kill": {"signal": "SIGKILL"}}"#, &[1], 5);
        assert!(full(&[(&[1, 2, 3], &[1, 2, 3]), (&[4, 5], &[4])], &kill, &[]));
        assert!(!full(&[(&[4, 1, 5], &[4, 1])], &kill, &[]), "it follows there");
    }

    #[test]
    fn whom_another_fault_holds_away_is_not_waited_for_and_nobody_else_is_excused() {
        let kill = |broker: i32| hold(r#"{"kill": {"signal": "SIGKILL"}}"#, &[broker], 4);
        let out_of_sync: [(&[i32], &[i32]); 1] = [(&[1, 2, 3], &[1, 2])];
        assert!(!full(&out_of_sync, &kill(1), &[]));
        assert!(full(&out_of_sync, &kill(1), &[kill(3)]));
        assert!(!full(&out_of_sync, &kill(1), &[kill(4)]));
    }

    #[test]
    fn a_cut_excuses_only_those_whom_it_cuts_from_their_leader() {
        let kill = hold(r#"{"kill": {"signal": "SIGKILL"}}"#, &[3], 4);
        let cut = hold(REPLICATION, &[1], 4);
        assert_eq!(cut.away, set(&[]), "the controllers hear it still");
        assert!(full(&[(&[1, 2, 3], &[1, 3])], &kill, std::slice::from_ref(&cut)), "2 is cut from 1, which leads");
        assert!(full(&[(&[2, 1, 3], &[2, 3])], &kill, std::slice::from_ref(&cut)));
        assert!(!full(&[(&[4, 2, 3], &[4, 3])], &kill, &[cut]), "nothing is between 2 and 4");
    }

    #[test]
    fn a_fault_that_holds_nobody_away_excuses_nobody() {
        let limit = hold(r#"{"limit": {"cpu_millis": 100, "memory_bytes": null}}"#, &[3], 3);
        assert_eq!(limit, Hold::default());
    }
}
