//! `kill = { target, signal }`: a signal ends the broker's process. Healed by starting it again.
//!
//! With `SIGKILL` nothing is flushed and no leadership is handed over: the plainest failure there is.
//!
//! Proof: it ran and answered; then the engine saw it exit with the signal's code, its port was refused or unreachable,
//! and it never answered; then a later life of it ran and answered.

use serde::{Deserialize, Serialize};

use super::{Fault, on_each};
use crate::fault::{Action, Case, Keys, Need, NextLife, Noted, Scene, Signal, State, Stroke, Target};

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Kill {
    /// Which signal.
    pub signal: Signal,
}

impl Fault for Kill {
    const NAME: &'static str = "kill";
    const KEYS: &'static [&'static str] = &["target", "signal"];
    const MEANS: &'static str = "engine: signal";
    const NEEDS: &'static [Need] = &[Need::Engine];

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        let target = keys.whom();
        let signal = keys.word("signal", &Signal::ALL.map(|signal| (signal.name(), signal)));
        Ok((Self { signal: signal?.unwrap_or(Signal::Kill) }, target?))
    }

    fn detail(&self) -> String {
        format!("with {}", self.signal.name())
    }

    fn state(&self) -> State {
        State::Down
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        on_each(scene, &Action::Signal { signal: self.signal })
    }

    fn prove(&self, case: &mut Case<'_>) {
        let life = case.worked_before();
        case.ended(&[self.signal.exit_code()], None);
        case.lost_standing();
        case.works_after(life, NextLife::Another);
        case.regained_standing();
    }
}
