//! `crash-loop = { target, signal, down, up }`: the broker dies, is started, and dies again, for as long as the fault lasts.
//!
//! What a supervisor makes of a broker that cannot stay up: it may die while it recovers its logs, or just after it was
//! elected.
//!
//! Proof: it ran and answered; then it was seen to exit with the signal's code at least twice, in different lives; then a
//! later life of it ran and answered.

use serde::{Deserialize, Serialize};

use super::{Fault, on_each, shown};
use crate::fault::{Action, Case, Course, Keys, Need, NextLife, Noted, Scene, Signal, State, Stroke, Target};

const DEFAULT_DOWN_MS: u64 = 1000;
/// By default long enough for a broker to get as far as to recover its logs and register.
const DEFAULT_UP_MS: u64 = 4000;
/// Fewer exits than this are no loop.
const EXITS_NEEDED: usize = 2;

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CrashLoop {
    /// Which signal ends it.
    pub signal: Signal,
    /// How long it is down each time.
    pub down_ms: u64,
    /// How long it runs in between, counted from its start.
    pub up_ms: u64,
}

impl Fault for CrashLoop {
    const NAME: &'static str = "crash-loop";
    const KEYS: &'static [&'static str] = &["target", "signal", "down", "up"];
    const MEANS: &'static str = "engine: signal and start, again and again";
    const NEEDS: &'static [Need] = &[Need::Engine];

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        let target = keys.whom();
        let signal = keys.word("signal", &Signal::ALL.map(|signal| (signal.name(), signal)));
        let (down_ms, up_ms) = (keys.millis("down"), keys.millis("up"));
        let (down_ms, up_ms) = (down_ms?.unwrap_or(DEFAULT_DOWN_MS), up_ms?.unwrap_or(DEFAULT_UP_MS));
        if up_ms == 0 {
            let message = "a broker that is never up does not crash".to_owned();
            return Err(keys.refuse(
                Some("up"),
                message,
                "no time",
                "write how long it runs each time, such as \"4s\"",
            ));
        }
        Ok((Self { signal: signal?.unwrap_or(Signal::Kill), down_ms, up_ms }, target?))
    }

    fn detail(&self) -> String {
        let (down, up) = (shown(self.down_ms), shown(self.up_ms));
        format!("with {}, down for {down} and up for {up} each time", self.signal.name())
    }

    fn course(&self) -> Course {
        Course::Loop { down_ms: self.down_ms, up_ms: self.up_ms }
    }

    fn state(&self) -> State {
        State::Down
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        on_each(scene, &Action::Signal { signal: self.signal })
    }

    fn prove(&self, case: &mut Case<'_>) {
        let life = case.worked_before();
        case.ended_again_and_again(self.signal.exit_code(), EXITS_NEEDED);
        case.lost_standing();
        case.works_after(life, NextLife::Another);
        case.regained_standing();
    }
}
