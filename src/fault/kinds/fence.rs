//! `fence = { target }`: another producer takes the transactional id of a client of the load. It ends by itself.
//!
//! What happens when a second copy of a program is started before the first one is dead. Whatever the first one has under way
//! is aborted, and it may not write any more (KIP-98): it is a zombie, and has to find that out. The program goes on as a new
//! producer of the same id, which fences the intruder in its turn. The harness asks what the second copy would ask
//! (`InitProducerId` with the same id), and writes nothing.
//!
//! Proof: the coordinator told of the client's producer id and epoch; then it gave out a later one; the client itself was told
//! that it is fenced, and a later life of it had transactions committed.

use serde::{Deserialize, Serialize};

use super::Fault;
use crate::fault::{
    Case, ClientAction, Course, Deed, Keys, Need, NextLife, Noted, Scene, State, Strikes, Stroke, Target,
};

/// It has no parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fence {}

impl Fault for Fence {
    const NAME: &'static str = "fence";
    const KEYS: &'static [&'static str] = &["target"];
    const MEANS: &'static str = "Kafka: InitProducerId";
    const NEEDS: &'static [Need] = &[];
    const HAS_LENGTH: bool = false;
    const STRIKES: Strikes = Strikes::Producers;

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        Ok((Self {}, keys.which_client("producer:payments/0")?))
    }

    fn course(&self) -> Course {
        Course::Brief
    }

    fn state(&self) -> State {
        State::Up
    }

    fn strokes(&self, _scene: &Scene) -> Vec<Stroke> {
        Vec::new()
    }

    fn client_action(&self) -> Option<ClientAction> {
        Some(ClientAction::Fence)
    }

    fn prove(&self, case: &mut Case<'_>) {
        let before = case.ran_before();
        let fencing = case.deeds().iter().find_map(|deed| match deed {
            Deed::Fenced(fencing) => Some(fencing.as_ref().clone()),
            _ => None,
        });
        let Some(fencing) = fencing else { return case.misses("a later epoch of its transactional id") };
        let (old, new) = (fencing.before.producer, fencing.after);
        if new.producer_id != old.producer_id || new.epoch > old.epoch {
            case.saw(format!(
                "it was producer {} in epoch {}; then producer {} in epoch {} took its transactional id",
                old.producer_id, old.epoch, new.producer_id, new.epoch
            ));
        } else {
            case.misses(format!("a later epoch than {} of producer {}", old.epoch, old.producer_id));
        }
        case.was_told_that_it_is_fenced(before);
        case.lives_on(before, NextLife::Another);
    }
}
