//! `isolate = { target, mode }`: nobody reaches the targets any more, and they reach nobody: neither other brokers nor clients.
//!
//! The broker runs on and does not know that it is alone. It goes on leading in its own eyes until it hears from the
//! controllers again, which is what fences and leader epochs are for.
//!
//! Proof: as of a partition.

use serde::{Deserialize, Serialize};

use super::Fault;
use super::cutting::{self, Cuts, Direction, Mode};
use crate::fault::{Case, Keys, Need, Noted, Question, Scene, State, Stroke, Target};
use crate::kafka::BrokerId;

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Isolate {
    /// What becomes of the packets that are stopped.
    pub mode: Mode,
}

impl Fault for Isolate {
    const NAME: &'static str = "isolate";
    const KEYS: &'static [&'static str] = &["target", "mode"];
    const MEANS: &'static str = cutting::MEANS;
    const NEEDS: &'static [Need] = cutting::NEEDS;

    fn needs(&self) -> Vec<Need> {
        cutting::needs(self.mode)
    }

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        let (target, mode) = (keys.whom(), cutting::mode(keys));
        Ok((Self { mode: mode? }, target?))
    }

    fn detail(&self) -> String {
        format!("from everybody, packets {}", self.mode.shown())
    }

    fn state(&self) -> State {
        State::CutOff
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        let near: Vec<BrokerId> = scene.brokers().collect();
        let mut cuts = Cuts::new(scene, self.mode);
        // Each by itself, so that two that are isolated do not reach one another either.
        for one in &near {
            let others: Vec<BrokerId> = scene.all.iter().copied().filter(|other| other != one).collect();
            cuts.between(&[*one], &others, Direction::Both, None);
        }
        cuts.clients_of(&near, Direction::Both, None);
        cuts.strokes()
    }

    fn questions(&self, scene: &Scene) -> Vec<(BrokerId, Question)> {
        cutting::questions(self, scene, |_, _| true)
    }

    fn prove(&self, case: &mut Case<'_>) {
        case.worked_before();
        case.rules_stopped_packets();
        case.links_were_cut();
        case.clients_were_cut();
        case.lost_standing();
        case.works_again();
        case.regained_standing();
    }
}
