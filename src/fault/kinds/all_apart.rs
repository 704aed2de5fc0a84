//! `all-apart = { target, mode }`: no broker reaches any other; clients reach them all.
//!
//! The controllers lose their quorum, so that no leader is elected and no ISR shrinks: with acks=all nothing can be
//! acknowledged until it is healed.
//!
//! Proof: as of a partition.

use serde::{Deserialize, Serialize};

use super::Fault;
use super::cutting::{self, Cuts, Direction, Mode};
use crate::fault::{Case, Keys, Need, Noted, Question, Scene, State, Stroke, Target};
use crate::kafka::BrokerId;

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AllApart {
    /// What becomes of the packets that are stopped.
    pub mode: Mode,
}

impl Fault for AllApart {
    const NAME: &'static str = "all-apart";
    const KEYS: &'static [&'static str] = &["target", "mode"];
    const MEANS: &'static str = cutting::MEANS;
    const NEEDS: &'static [Need] = cutting::NEEDS;

    fn needs(&self) -> Vec<Need> {
        cutting::needs(self.mode)
    }

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        let (target, mode) = (keys.target("target").map(|target| target.unwrap_or(Target::All)), cutting::mode(keys));
        Ok((Self { mode: mode? }, target?))
    }

    fn detail(&self) -> String {
        format!("each from every other, packets {}", self.mode.shown())
    }

    fn state(&self) -> State {
        State::CutOff
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        let near: Vec<BrokerId> = scene.brokers().collect();
        let mut cuts = Cuts::new(scene, self.mode);
        for one in &near {
            let others: Vec<BrokerId> = scene.all.iter().copied().filter(|other| other != one).collect();
            // What comes in at each of them is all that any of them sends.
            cuts.between(&[*one], &others, Direction::In, None);
        }
        cuts.strokes()
    }

    fn questions(&self, scene: &Scene) -> Vec<(BrokerId, Question)> {
        cutting::questions(self, scene, |_, _| true)
    }

    fn prove(&self, case: &mut Case<'_>) {
        case.worked_before();
        case.rules_stopped_packets();
        case.links_were_cut();
        case.lost_standing();
        case.works_again();
        case.regained_standing();
    }
}
