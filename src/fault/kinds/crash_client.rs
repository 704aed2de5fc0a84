//! `crash-client = { target }`: the process of one client of the load is killed. Healed by a new one.
//!
//! A program that dies: nothing is flushed, and no group is left in order. What a producer had in flight may have been
//! written or not; what a member had read and not committed is read again by another, once the session has timed out.
//!
//! Proof: it ran and got something done; then its process was dead, and stayed so; then a later life of it got something
//! done.

use serde::{Deserialize, Serialize};

use super::Fault;
use crate::fault::{Case, ClientAction, Keys, Need, NextLife, Noted, Scene, State, Strikes, Stroke, Target};

/// It has no parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CrashClient {}

impl Fault for CrashClient {
    const NAME: &'static str = "crash-client";
    const KEYS: &'static [&'static str] = &["target"];
    const MEANS: &'static str = "load: SIGKILL to the client's own process";
    const NEEDS: &'static [Need] = &[];
    const STRIKES: Strikes = Strikes::Clients;

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        Ok((Self {}, keys.which_client("producer:chatters/0")?))
    }

    fn state(&self) -> State {
        State::Down
    }

    fn strokes(&self, _scene: &Scene) -> Vec<Stroke> {
        Vec::new()
    }

    fn client_action(&self) -> Option<ClientAction> {
        Some(ClientAction::Crash)
    }

    fn prove(&self, case: &mut Case<'_>) {
        let before = case.ran_before();
        case.crashed();
        case.lives_on(before, NextLife::Another);
    }
}
