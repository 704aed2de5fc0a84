//! `alter-config = { topic or target, set }`: settings of a topic, or of brokers, are changed while they run. Healed by putting
//! back exactly what was set before, and by taking away what was not.
//!
//! A hasty change in an incident, or a deployment tool that fights with another: durability, limits and clean-up change under
//! the load. What cannot be changed while brokers run, and secrets, which nobody could put back, are refused before anything
//! is done.
//!
//! Proof: the brokers told of the old values, then of the new ones at every look, which differ; then of the old ones.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Fault;
use crate::fault::case::value;
use crate::fault::{Action, Case, Deed, Keys, Lever, Moment, Need, Noted, Question, Scene, State, Stroke, Target};
use crate::kafka::levers::{ConfigOwner, ConfigState};
use crate::kafka::{BrokerId, TopicPartition};

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AlterConfig {
    /// Whose settings: this topic's, or without one each target's.
    pub topic: Option<String>,
    /// What they are to be.
    pub set: BTreeMap<String, String>,
}

impl AlterConfig {
    fn owner(&self, broker: BrokerId) -> ConfigOwner {
        self.topic.clone().map_or(ConfigOwner::Broker(broker), ConfigOwner::Topic)
    }
}

impl Fault for AlterConfig {
    const NAME: &'static str = "alter-config";
    const KEYS: &'static [&'static str] = &["topic", "target", "set"];
    const MEANS: &'static str = "Kafka: IncrementalAlterConfigs";
    const NEEDS: &'static [Need] = &[];

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        let (topic, target, set) = (keys.topic("topic"), keys.target("target"), keys.settings("set"));
        let set = match set? {
            Some(set) if !set.is_empty() => set,
            Some(_) => {
                let help = "name at least one property: set = { \"min.insync.replicas\" = 1 }";
                return Err(keys.refuse(Some("set"), "this changes nothing".to_owned(), "empty", help));
            }
            None => return Err(keys.missing("set", "topic = \"chat\", set = { \"min.insync.replicas\" = 1 }")),
        };
        let (topic, target) = (topic?, target?);
        let target = match (&topic, target) {
            (Some(topic), None) => Target::Leader(TopicPartition::new(topic.clone(), 0)),
            (None, Some(target)) => target,
            (Some(_), Some(_)) => {
                let message = "settings are a topic's or a broker's, not both".to_owned();
                return Err(keys.refuse(Some("target"), message, "and `topic`", "remove one of them"));
            }
            (None, None) => return Err(keys.missing("topic", "topic = \"chat\", set = { \"retention.ms\" = 1000 }")),
        };
        Ok((Self { topic, set }, target))
    }

    fn detail(&self) -> String {
        let set: Vec<String> = self.set.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let of = self.topic.as_ref().map_or_else(String::new, |topic| format!("of {topic} "));
        format!("{of}to {}", set.join(", "))
    }

    fn state(&self) -> State {
        State::Up
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        let action = |broker| Action::Lever(Lever::Configure { owner: self.owner(broker), set: self.set.clone() });
        scene.brokers().map(|broker| Stroke { broker, action: action(broker) }).collect()
    }

    fn questions(&self, scene: &Scene) -> Vec<(BrokerId, Question)> {
        let keys: Vec<String> = self.set.keys().cloned().collect();
        let question = |broker| Question::Settings { owner: self.owner(broker), keys: keys.clone() };
        scene.brokers().map(|broker| (broker, question(broker))).collect()
    }

    fn prove(&self, case: &mut Case<'_>) {
        case.answered_before();
        let deed = case.deeds().iter().find_map(|deed| match deed {
            Deed::Configured(done) => Some(done),
            _ => None,
        });
        let Some(done) = deed.cloned() else { return case.misses("the change of settings") };
        let same = done.before.iter().zip(&done.after).find(|(before, after)| before.effective == after.effective);
        if let Some((state, _)) = same {
            case.misses(format!("another value of `{}` (it was {} already)", state.key, value(state)));
        } else {
            let change = |(before, after): (&ConfigState, &ConfigState)| {
                format!("{} from {} to {}", before.key, value(before), value(after))
            };
            let changes: Vec<String> = done.before.iter().zip(&done.after).map(change).collect();
            case.saw(changes.join(", "));
        }
        let during = case.settings(Moment::During);
        match during.iter().find(|states| **states != done.after) {
            _ if during.is_empty() => case.misses("a look at the settings while the fault was in force"),
            Some(_) => case.misses("the new settings at every look while the fault was in force"),
            None => {}
        }
        match case.settings(Moment::After).last() {
            Some(last) if *last == done.before => case.saw("then as before"),
            Some(last) => {
                let last: Vec<String> = last.iter().map(|state| format!("{}={}", state.key, value(state))).collect();
                case.misses(format!("the old settings after the heal ({})", last.join(", ")));
            }
            None => case.misses("a look at the settings after the heal"),
        }
        case.works_again();
    }
}
