//! `wipe = { target }`: the broker is killed and its disk emptied; it comes back as itself, with nothing.
//!
//! A disk that was replaced. Everything has to be copied again from the others, and until it is the broker must lead nothing.
//! A wiped controller has also forgotten for whom it voted, so that a majority must never be wiped.
//!
//! Proof: it ran and answered; then it was killed and its data were removed; then a later life of it ran, answered and came
//! back into every ISR.

use serde::{Deserialize, Serialize};

use super::Fault;
use crate::fault::{Action, Case, Deed, Keys, Need, NextLife, Noted, Scene, Signal, State, Stroke, Target};

/// It has no parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Wipe {}

impl Fault for Wipe {
    const NAME: &'static str = "wipe";
    const KEYS: &'static [&'static str] = &["target"];
    const MEANS: &'static str = "engine: signal; tool container: removal";
    const NEEDS: &'static [Need] = &[Need::Engine, Need::Tool];

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        let target = keys.whom()?;
        if target.members().iter().any(|member| matches!(member, Target::Majority | Target::All)) {
            let message = format!("`{target}` cannot be wiped");
            let help =
                "controllers that forgot their votes may elect two leaders, and nobody is left who has the records";
            return Err(keys.refuse(Some("target"), message, "a majority", help));
        }
        Ok((Self {}, target))
    }

    fn state(&self) -> State {
        State::Down
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        let actions =
            |broker| [Action::Signal { signal: Signal::Kill }, Action::Wipe].map(|action| Stroke { broker, action });
        scene.brokers().flat_map(actions).collect()
    }

    fn prove(&self, case: &mut Case<'_>) {
        let life = case.worked_before();
        case.ended(&[Signal::Kill.exit_code()], None);
        let wiped = case.deeds().iter().find_map(|deed| match deed {
            Deed::Wiped(wiped) => Some(wiped),
            _ => None,
        });
        match wiped {
            Some(wiped) if wiped.entries > 0 => {
                let bytes = bytesize::ByteSize(wiped.bytes).display().iec();
                case.saw(format!("{} files and directories of {bytes} removed", wiped.entries));
            }
            _ => case.misses("the removal of its data"),
        }
        case.lost_standing();
        case.works_after(life, NextLife::Another);
        case.was_whole();
        case.regained_standing();
    }
}
