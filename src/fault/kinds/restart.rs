//! `restart = { target, grace }`: the broker leaves in order and is started at once. It lasts until it answers again.
//!
//! Proof: it ran and answered; afterwards another life of it does. It is over too soon to insist on seeing it down; where
//! it was seen, it is told.

use serde::{Deserialize, Serialize};

use super::stop::{DEFAULT_GRACE_MS, grace_ms};
use super::{Fault, on_each, shown};
use crate::fault::{Action, Case, Course, Keys, Need, NextLife, Noted, Scene, State, Stroke, Target};

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Restart {
    /// How long the broker may take to leave in order.
    pub grace_ms: u64,
}

impl Fault for Restart {
    const NAME: &'static str = "restart";
    const KEYS: &'static [&'static str] = &["target", "grace"];
    const MEANS: &'static str = "engine: stop and start";
    const NEEDS: &'static [Need] = &[Need::Engine];
    const HAS_LENGTH: bool = false;

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        let target = keys.whom();
        let grace_ms = grace_ms(keys);
        Ok((Self { grace_ms: grace_ms?.unwrap_or(DEFAULT_GRACE_MS) }, target?))
    }

    fn detail(&self) -> String {
        format!("with {} of grace", shown(self.grace_ms))
    }

    fn course(&self) -> Course {
        Course::Brief
    }

    fn state(&self) -> State {
        State::Down
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        on_each(scene, &Action::Stop { grace_ms: self.grace_ms })
    }

    fn prove(&self, case: &mut Case<'_>) {
        let life = case.worked_before();
        case.interruption();
        case.lost_standing();
        case.works_after(life, NextLife::Another);
        case.regained_standing();
    }
}
