//! `fail-over = {}`: the controllers elect another leader, although the old one is well. It ends by itself.
//!
//! What happens when a controller is too slow for its followers, or stops in order, without the rest: every broker has to find
//! the new one, and what was on its way to the old one is asked again. Kafka has no request for it; the harness says to the other
//! controllers what one says that stops (`EndQuorumEpoch`), at their own listeners, which takes their containers' addresses
//! and listeners that let everybody in.
//!
//! Proof: one controller led in one term, another one in a later term, which the brokers told afterwards; the old one answered.

use serde::{Deserialize, Serialize};

use super::{Fault, on_each};
use crate::fault::{
    Action, Case, Course, Deed, Keys, Lever, Moment, Need, Noted, Question, Scene, State, Stroke, Target,
};
use crate::kafka::BrokerId;

/// It has no parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FailOver {}

impl Fault for FailOver {
    const NAME: &'static str = "fail-over";
    const KEYS: &'static [&'static str] = &[];
    const MEANS: &'static str = "Kafka: EndQuorumEpoch";
    const NEEDS: &'static [Need] = &[Need::Engine];
    const HAS_LENGTH: bool = false;

    fn read<K: Keys>(_keys: &mut K) -> Result<(Self, Target), Noted> {
        Ok((Self {}, Target::Controller))
    }

    fn course(&self) -> Course {
        Course::Brief
    }

    fn state(&self) -> State {
        State::Up
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        on_each(scene, &Action::Lever(Lever::FailOver))
    }

    fn questions(&self, scene: &Scene) -> Vec<(BrokerId, Question)> {
        scene.brokers().map(|broker| (broker, Question::Controller)).collect()
    }

    fn prove(&self, case: &mut Case<'_>) {
        case.answered_before();
        let deed = case.deeds().iter().find_map(|deed| match deed {
            Deed::Deposed(deposed) => Some(*deposed),
            _ => None,
        });
        let Some(deposed) = deed else { return case.misses("the election of another controller") };
        let (before, after) = (deposed.before, deposed.after);
        if after.leader != before.leader && after.epoch > before.epoch {
            case.saw(format!(
                "controller {} in epoch {}, then {} in epoch {}",
                before.leader, before.epoch.0, after.leader, after.epoch.0
            ));
        } else {
            case.misses(format!("another controller in a later epoch ({} led in both looks)", after.leader));
        }
        match case.reigns(Moment::After).last() {
            Some(told) if told.epoch >= after.epoch => {}
            Some(told) => case.misses(format!("a broker that tells of it (they told of epoch {})", told.epoch.0)),
            None => case.misses("a look at the controller after it"),
        }
        case.works_again();
    }
}
