//! `elect = { partition, election }`: a partition's leader is elected. It ends by itself.
//!
//! `preferred`, the default: the first of the replicas leads again, as Kafka's own balancer has it every few minutes. To have
//! something to elect, the leadership has to be elsewhere: let it follow a restart of the leader (`after`). `unclean`: where
//! nobody leads, because the last replica in sync is gone, any replica that lives leads, and what it lacks is lost. That is an
//! operator's last resort, and a scenario has to bring about the plight first; the election waits for it for 30 s at most, because
//! controllers need seconds to give a dead leader up.
//!
//! Proof: Kafka says that it held an election, and the brokers tell of another leader in a later epoch: the preferred one; or,
//! for an unclean election, of one where there was none.

use serde::{Deserialize, Serialize};

use super::{Fault, on_each};
use crate::fault::lever::{ElectionHeld, Moved};
use crate::fault::{
    Action, Case, Course, Deed, Keys, Lever, Moment, Need, Noted, Question, Scene, State, Stroke, Target,
};
use crate::kafka::levers::{Elected, Election};
use crate::kafka::{BrokerId, TopicPartition};

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Elect {
    /// Of which partition.
    pub partition: TopicPartition,
    /// How.
    pub election: Election,
}

impl Fault for Elect {
    const NAME: &'static str = "elect";
    const KEYS: &'static [&'static str] = &["partition", "election"];
    const MEANS: &'static str = "Kafka: ElectLeaders";
    const NEEDS: &'static [Need] = &[];
    const HAS_LENGTH: bool = false;

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        let partition = keys.that_partition();
        let election = keys.word("election", &[("preferred", Election::Preferred), ("unclean", Election::Unclean)]);
        let (partition, election) = (partition?, election?.unwrap_or(Election::Preferred));
        // Who holds the election; a partition in need of an unclean one has no leader to name.
        let target = match election {
            Election::Preferred => Target::Leader(partition.clone()),
            Election::Unclean => Target::Controller,
        };
        Ok((Self { partition, election }, target))
    }

    fn detail(&self) -> String {
        match self.election {
            Election::Preferred => format!("the preferred replica of {}", self.partition),
            Election::Unclean => format!("any replica of {}, in sync or not", self.partition),
        }
    }

    fn course(&self) -> Course {
        Course::Brief
    }

    fn state(&self) -> State {
        State::Up
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        let lever = Lever::Elect { partition: self.partition.clone(), election: self.election };
        on_each(scene, &Action::Lever(lever))
    }

    fn questions(&self, scene: &Scene) -> Vec<(BrokerId, Question)> {
        scene.brokers().map(|broker| (broker, Question::Partition(self.partition.clone()))).collect()
    }

    fn prove(&self, case: &mut Case<'_>) {
        case.answered_before();
        let held = case.deeds().iter().find_map(|deed| match deed {
            Deed::Elected(held) => Some(ElectionHeld::clone(held)),
            _ => None,
        });
        let Some(held) = held else { return case.misses("the election") };
        if held.outcome == Elected::NotNeeded {
            return case.misses("an election that was needed (Kafka had nothing to elect)");
        }
        match self.election {
            Election::Preferred if held.after.leader != held.before.replicas.first().copied() => {
                case.misses("the preferred replica as the leader");
            }
            Election::Unclean if held.before.leader.is_some() => {
                case.misses("a partition without a leader before the unclean election");
            }
            _ => {}
        }
        let leader = held.after.leader;
        case.changed_leader(&Moved { before: held.before, after: held.after });
        // What happens to the leader later is not this fault's; that the brokers told of it is.
        if !case.partition(Moment::After).iter().any(|view| view.leader == leader) {
            case.misses("a look at the elected leader after the election");
        }
        case.works_again();
    }
}
