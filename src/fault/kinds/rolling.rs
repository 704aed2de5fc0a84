//! `rolling = { target, grace, signal, down }`: one target after another goes down and comes back, and the next one goes
//! only when the one before is in every ISR again. It lasts until the last of them is.
//!
//! What an upgrade does to a cluster. With `signal` each is killed and does not leave in order.
//!
//! Proof, of each target by itself: as of a stop, or of a kill.

use serde::{Deserialize, Serialize};

use super::stop::{DEFAULT_GRACE_MS, grace_ms};
use super::{Fault, on_each, shown};
use crate::fault::{Action, Case, Course, Keys, Need, NextLife, Noted, Scene, Signal, State, Stroke, Target};

/// How long each target is down unless the scenario says otherwise: long enough to be seen.
const DEFAULT_DOWN_MS: u64 = 1000;

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rolling {
    /// How each goes down.
    pub exit: Exit,
    /// How long each is down.
    pub down_ms: u64,
}

/// How a broker goes down.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Exit {
    /// In order, within this grace.
    InOrder {
        /// How long it may take.
        grace_ms: u64,
    },
    /// By a signal.
    By {
        /// Which.
        signal: Signal,
    },
}

impl Fault for Rolling {
    const NAME: &'static str = "rolling";
    const KEYS: &'static [&'static str] = &["target", "grace", "signal", "down"];
    const MEANS: &'static str = "engine: stop and start, one after another";
    const NEEDS: &'static [Need] = &[Need::Engine];
    const HAS_LENGTH: bool = false;

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        let target = keys.target("target");
        let grace_ms = grace_ms(keys);
        let signal = keys.word("signal", &Signal::ALL.map(|signal| (signal.name(), signal)));
        let down_ms = keys.millis("down");
        let exit = match (grace_ms?, signal?) {
            (Some(_), Some(_)) => {
                let message = "`rolling` takes `grace` or `signal`, not both".to_owned();
                return Err(keys.refuse(
                    Some("signal"),
                    message,
                    "and a signal",
                    "a signal gives no grace: remove one",
                ));
            }
            (None, Some(signal)) => Exit::By { signal },
            (grace_ms, None) => Exit::InOrder { grace_ms: grace_ms.unwrap_or(DEFAULT_GRACE_MS) },
        };
        Ok((Self { exit, down_ms: down_ms?.unwrap_or(DEFAULT_DOWN_MS) }, target?.unwrap_or(Target::All)))
    }

    fn detail(&self) -> String {
        let how = match &self.exit {
            Exit::InOrder { grace_ms } => format!("with {} of grace", shown(*grace_ms)),
            Exit::By { signal } => format!("with {}", signal.name()),
        };
        format!("one after another {how}, each down for {}", shown(self.down_ms))
    }

    fn course(&self) -> Course {
        Course::Rolling { down_ms: self.down_ms }
    }

    fn state(&self) -> State {
        State::Down
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        let action = match &self.exit {
            Exit::InOrder { grace_ms } => Action::Stop { grace_ms: *grace_ms },
            Exit::By { signal } => Action::Signal { signal: *signal },
        };
        on_each(scene, &action)
    }

    fn prove(&self, case: &mut Case<'_>) {
        let life = case.worked_before();
        match &self.exit {
            Exit::InOrder { .. } => case.ended(&[143, 0], Some(137)),
            Exit::By { signal } => case.ended(&[signal.exit_code()], None),
        }
        case.works_after(life, NextLife::Another);
        case.was_whole();
    }
}
