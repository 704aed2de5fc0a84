//! `disconnect = { target }`: the broker is taken out of its networks, as if its cable was pulled, and put back at the same
//! addresses and under the same names.
//!
//! Unlike a partition it takes the published ports with it and breaks name resolution: the others do not know the broker's
//! name meanwhile. Established connections hang and go on when it is back.
//!
//! Proof: it ran and answered; then it was in no network and never answered; then it is at the same addresses and answers.

use serde::{Deserialize, Serialize};

use super::{Fault, on_each};
use crate::fault::{Action, Case, Keys, Need, Noted, Question, Scene, State, Stroke, Target};
use crate::kafka::BrokerId;

/// It has no parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Disconnect {}

impl Fault for Disconnect {
    const NAME: &'static str = "disconnect";
    const KEYS: &'static [&'static str] = &["target"];
    const MEANS: &'static str = "engine: network disconnect and connect";
    const NEEDS: &'static [Need] = &[Need::Engine];

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        Ok((Self {}, keys.whom()?))
    }

    fn state(&self) -> State {
        State::CutOff
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        on_each(scene, &Action::Disconnect)
    }

    fn questions(&self, scene: &Scene) -> Vec<(BrokerId, Question)> {
        scene.brokers().map(|broker| (broker, Question::Networks)).collect()
    }

    fn prove(&self, case: &mut Case<'_>) {
        case.worked_before();
        case.was_unplugged();
        case.never_answered();
        case.lost_standing();
        case.works_again();
        case.regained_standing();
    }
}
