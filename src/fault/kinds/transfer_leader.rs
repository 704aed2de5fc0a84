//! `transfer-leader = { partition, to }`: another in-sync replica leads. Healed by the replicas' old order and a preferred
//! election.
//!
//! What an operator, or a balancer such as Cruise Control, does to a partition in the middle of its load: no broker is ill,
//! and yet every client has to find the new leader. `to` are the candidates, of which the first in sync is taken; without it
//! any in-sync follower.
//!
//! Proof: the brokers told of one leader, then of another in a later epoch, the other one led while the fault was in force, nobody
//! put the replicas into another order meanwhile, and after the heal the old one leads and the replicas are in their old order.

use serde::{Deserialize, Serialize};

use super::{Fault, moved, on_each};
use crate::fault::{Action, Case, Keys, Lever, Need, Noted, Question, Scene, State, Stroke, Target};
use crate::kafka::{BrokerId, TopicPartition};

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TransferLeader {
    /// Of which partition.
    pub partition: TopicPartition,
    /// The candidates.
    pub to: Target,
}

impl Fault for TransferLeader {
    const NAME: &'static str = "transfer-leader";
    const KEYS: &'static [&'static str] = &["partition", "to"];
    const MEANS: &'static str = "Kafka: AlterPartitionReassignments, ElectLeaders";
    const NEEDS: &'static [Need] = &[];

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        let (partition, to) = (keys.that_partition(), keys.target("to"));
        let partition = partition?;
        let to = to?.unwrap_or_else(|| Target::Follower(partition.clone()));
        Ok((Self { partition: partition.clone(), to }, Target::Leader(partition)))
    }

    fn detail(&self) -> String {
        format!("to {}", self.to)
    }

    fn to(&self) -> Option<&Target> {
        Some(&self.to)
    }

    fn state(&self) -> State {
        State::Up
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        let lever = Lever::Transfer { partition: self.partition.clone(), to: scene.to.clone() };
        on_each(scene, &Action::Lever(lever))
    }

    fn questions(&self, scene: &Scene) -> Vec<(BrokerId, Question)> {
        scene.brokers().map(|broker| (broker, Question::Partition(self.partition.clone()))).collect()
    }

    fn prove(&self, case: &mut Case<'_>) {
        case.answered_before();
        let Some(moved) = moved(case) else { return case.misses("the transfer") };
        case.changed_leader(&moved);
        case.was_led_by(moved.after.leader);
        // Who leads may be another fault's affair meanwhile; who ought to lead is this one's.
        case.was_placed_on(&moved.after.replicas);
        case.is_placed_as(&moved.before);
        case.works_again();
    }
}
