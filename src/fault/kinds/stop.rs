//! `stop = { target, grace }`: the broker leaves in order; SIGKILL when its grace is over. Healed by starting it again.
//!
//! A broker that leaves in order hands its leaderships over first, so that clients hardly notice.
//!
//! Proof: as of a kill, but with exit code 143 or 0; or 137, if only the end of the grace ended it, which is told.

use serde::{Deserialize, Serialize};

use super::{Fault, on_each, shown};
use crate::fault::{Action, Case, Keys, Need, NextLife, Noted, Scene, State, Stroke, Target};

/// How long an orderly stop may take unless the scenario says otherwise.
pub(super) const DEFAULT_GRACE_MS: u64 = 30_000;

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stop {
    /// How long the broker may take to leave in order.
    pub grace_ms: u64,
}

/// How long a broker may take to leave in order, if that is said: whole seconds, which is how the engine counts it.
pub(super) fn grace_ms<K: Keys>(keys: &mut K) -> Result<Option<u64>, Noted> {
    let grace_ms = keys.millis("grace")?;
    if grace_ms.is_some_and(|grace_ms| grace_ms == 0 || !grace_ms.is_multiple_of(1000)) {
        let message = "`grace` is no whole number of seconds".to_owned();
        let help =
            "the engine counts it in seconds, and at none it kills at once, which is `kill`: write \"1s\" or more";
        return Err(keys.refuse(Some("grace"), message, "whole seconds only", help));
    }
    Ok(grace_ms)
}

impl Fault for Stop {
    const NAME: &'static str = "stop";
    const KEYS: &'static [&'static str] = &["target", "grace"];
    const MEANS: &'static str = "engine: stop";
    const NEEDS: &'static [Need] = &[Need::Engine];

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        let target = keys.whom();
        let grace_ms = grace_ms(keys);
        Ok((Self { grace_ms: grace_ms?.unwrap_or(DEFAULT_GRACE_MS) }, target?))
    }

    fn detail(&self) -> String {
        format!("with {} of grace", shown(self.grace_ms))
    }

    fn state(&self) -> State {
        State::Down
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        on_each(scene, &Action::Stop { grace_ms: self.grace_ms })
    }

    fn prove(&self, case: &mut Case<'_>) {
        let life = case.worked_before();
        case.ended(&[143, 0], Some(137));
        case.lost_standing();
        case.works_after(life, NextLife::Another);
        case.regained_standing();
    }
}
