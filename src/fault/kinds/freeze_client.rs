//! `freeze-client = { target }`: every thread of one client's process is stopped. Healed by letting it run on.
//!
//! A suspended virtual machine, or a pause of a garbage collector that does not end. A member that is frozen for longer than
//! its session is a zombie when it runs on: others own its partitions, and it does not know yet.
//!
//! Proof: it ran and got something done; then its threads were stopped, and it got nothing done for a second at least; then
//! the same process got something done.

use serde::{Deserialize, Serialize};

use super::Fault;
use crate::fault::{Case, ClientAction, Keys, Need, NextLife, Noted, Scene, State, Strikes, Stroke, Target};

/// It has no parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FreezeClient {}

impl Fault for FreezeClient {
    const NAME: &'static str = "freeze-client";
    const KEYS: &'static [&'static str] = &["target"];
    const MEANS: &'static str = "load: SIGSTOP to the client's own process";
    const NEEDS: &'static [Need] = &[];
    const STRIKES: Strikes = Strikes::Clients;

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        Ok((Self {}, keys.which_client("member:chat-consumers/1")?))
    }

    fn state(&self) -> State {
        State::Frozen
    }

    fn strokes(&self, _scene: &Scene) -> Vec<Stroke> {
        Vec::new()
    }

    fn client_action(&self) -> Option<ClientAction> {
        Some(ClientAction::Freeze)
    }

    fn prove(&self, case: &mut Case<'_>) {
        let before = case.ran_before();
        case.was_frozen_and_still();
        case.lives_on(before, NextLife::Same);
    }
}
