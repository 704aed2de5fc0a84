//! `reassign = { partition, how, from, to }`: a partition's replicas are changed. Healed by the old ones, in their old order,
//! and the old leader.
//!
//! `how = "move"`, the default: the replica of the leader or of a follower (`from`, a follower by default) goes to the first
//! broker of `to` that has none, which copies the whole log beside its other work; it needs fewer replicas than brokers.
//! `"rotate"`: the first replica becomes the last, so that another one is preferred, and no byte is moved. Maintenance like
//! this is what clusters spend more of their lives on than on failures.
//!
//! Proof: the brokers told of the old replicas, then of the new ones, all in sync, which a look confirmed while the fault was in
//! force, and no later one denied; and after the heal of the old ones in their old order, with the old leader.

use serde::{Deserialize, Serialize};

use super::{Fault, moved, on_each};
use crate::fault::lever::{Giver, Rearrangement, shown};
use crate::fault::{Action, Case, Keys, Lever, Need, Noted, Question, Scene, State, Stroke, Target};
use crate::kafka::{BrokerId, TopicPartition};

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reassign {
    /// Of which partition.
    pub partition: TopicPartition,
    /// How.
    pub how: How,
}

/// What is done to the list of replicas.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum How {
    /// One replica goes to another broker.
    Move {
        /// Whose.
        from: Giver,
        /// The candidates for it.
        to: Target,
    },
    /// The first replica becomes the last.
    Rotate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Move,
    Rotate,
}

impl Fault for Reassign {
    const NAME: &'static str = "reassign";
    const KEYS: &'static [&'static str] = &["partition", "how", "from", "to"];
    const MEANS: &'static str = "Kafka: AlterPartitionReassignments";
    const NEEDS: &'static [Need] = &[];

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        let partition = keys.that_partition();
        let how = keys.word("how", &[("move", Word::Move), ("rotate", Word::Rotate)]);
        let from = keys.word("from", &[("leader", Giver::Leader), ("follower", Giver::Follower)]);
        let to = keys.target("to");
        let (partition, how, from, to) = (partition?, how?.unwrap_or(Word::Move), from?, to?);
        let how = match how {
            Word::Move => How::Move { from: from.unwrap_or(Giver::Follower), to: to.unwrap_or(Target::All) },
            Word::Rotate if from.is_none() && to.is_none() => How::Rotate,
            Word::Rotate => {
                let key = if from.is_some() { "from" } else { "to" };
                let message = format!("`{key}` belongs to how = \"move\"");
                return Err(keys.refuse(Some(key), message, "rotated replicas stay where they are", "remove it"));
            }
        };
        Ok((Self { partition: partition.clone(), how }, Target::Leader(partition)))
    }

    fn detail(&self) -> String {
        match &self.how {
            How::Move { from, to } => format!("{}: the {from}'s replica to another of {to}", self.partition),
            How::Rotate => format!("{}: its replicas rotated", self.partition),
        }
    }

    fn to(&self) -> Option<&Target> {
        match &self.how {
            How::Move { to, .. } => Some(to),
            How::Rotate => None,
        }
    }

    fn state(&self) -> State {
        State::Up
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        let how = match &self.how {
            How::Move { from, .. } => Rearrangement::Move { from: *from, to: scene.to.clone() },
            How::Rotate => Rearrangement::Rotate,
        };
        on_each(scene, &Action::Lever(Lever::Reassign { partition: self.partition.clone(), how }))
    }

    fn questions(&self, scene: &Scene) -> Vec<(BrokerId, Question)> {
        scene.brokers().map(|broker| (broker, Question::Partition(self.partition.clone()))).collect()
    }

    fn prove(&self, case: &mut Case<'_>) {
        case.answered_before();
        let Some(moved) = moved(case) else { return case.misses("the reassignment") };
        let (before, after) = (&moved.before, &moved.after);
        if before.replicas == after.replicas {
            case.misses(format!("other replicas (they stayed {})", shown(&before.replicas)));
        } else if after.replicas.iter().any(|replica| !after.isr.contains(replica)) {
            case.misses(format!("the new replicas in sync ({} were)", shown(&after.isr)));
        } else {
            case.saw(format!("replicas {}, then {}, all in sync", shown(&before.replicas), shown(&after.replicas)));
        }
        if matches!(self.how, How::Move { from: Giver::Leader, .. }) {
            case.changed_leader(&moved);
        }
        case.was_placed_on(&after.replicas);
        case.is_placed_as(before);
        case.works_again();
    }
}
