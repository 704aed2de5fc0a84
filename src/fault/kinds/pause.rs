//! `pause = { target }`: the broker's processes are frozen, and thawed to heal it.
//!
//! What a long garbage collection, a suspended virtual machine or a stuck disk look like: the kernel still accepts
//! connections, and nobody answers. When it runs on, it does not know how long it was away.
//!
//! Proof: it ran and answered; then the engine saw it frozen and, at the same look, it was silent or unreachable, and it
//! never answered; then the same life ran on and answered. The kernel of a paused broker still accepts connections, so
//! `silent` is what a pause looks like from outside.

use serde::{Deserialize, Serialize};

use super::{Fault, on_each};
use crate::fault::{Action, Case, Keys, Need, NextLife, Noted, Scene, State, Stroke, Target};

/// It has no parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pause {}

impl Fault for Pause {
    const NAME: &'static str = "pause";
    const KEYS: &'static [&'static str] = &["target"];
    const MEANS: &'static str = "engine: freezer";
    const NEEDS: &'static [Need] = &[Need::Engine, Need::Freezer];

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        Ok((Self {}, keys.whom()?))
    }

    fn state(&self) -> State {
        State::Frozen
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        on_each(scene, &Action::Freeze)
    }

    fn prove(&self, case: &mut Case<'_>) {
        let life = case.worked_before();
        case.was_frozen();
        case.lost_standing();
        case.works_after(life, NextLife::Same);
        case.regained_standing();
    }
}
