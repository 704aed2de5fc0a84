//! `bridge = { target, mode }`: the other brokers fall into two halves that reach the target and not one another.
//!
//! Jepsen's bridge: each half sees a majority through the target, and the two do not see the same one. Of three brokers it
//! cuts the two others apart. Which broker is in which half is drawn by the seed.
//!
//! Proof: as of a partition.

use serde::{Deserialize, Serialize};

use super::Fault;
use super::cutting::{self, Cuts, Direction, Mode};
use crate::fault::{Case, Keys, Link, Need, Noted, Plane, Question, Scene, State, Stroke, Target};
use crate::kafka::BrokerId;

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bridge {
    /// What becomes of the packets that are stopped.
    pub mode: Mode,
}

impl Fault for Bridge {
    const NAME: &'static str = "bridge";
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
        format!("between the others, who are cut from one another, packets {}", self.mode.shown())
    }

    fn state(&self) -> State {
        State::CutOff
    }

    /// Whoever is on one side is away for those on the other; its target is not.
    fn away(&self, scene: &Scene) -> Vec<BrokerId> {
        scene.rest()
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        let (left, right) = halves(scene);
        let mut cuts = Cuts::new(scene, self.mode);
        cuts.between(&left, &right, Direction::Both, None);
        cuts.strokes()
    }

    fn questions(&self, scene: &Scene) -> Vec<(BrokerId, Question)> {
        let (left, right) = halves(scene);
        let mut questions = Vec::new();
        for bridge in scene.brokers() {
            let links = |to: &[BrokerId]| to.iter().flat_map(|to| links_to(*to)).collect();
            questions.extend(
                left.iter()
                    .map(|from| (bridge, Question::Links { from: *from, cut: links(&right), open: links(&[bridge]) })),
            );
            questions.push((bridge, cutting::rules(self, scene)));
        }
        questions
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

fn links_to(to: BrokerId) -> [Link; 2] {
    Plane::BETWEEN_BROKERS.map(|plane| Link { to, plane })
}

/// The two sides of the bridge. With an odd number of brokers the second is the larger.
fn halves(scene: &Scene) -> (Vec<BrokerId>, Vec<BrokerId>) {
    let mut rest = scene.rest();
    if !rest.is_empty() {
        let turn = usize::try_from(scene.seed % rest.len() as u64).expect("less than the number of brokers");
        rest.rotate_left(turn);
    }
    let right = rest.split_off(rest.len() / 2);
    (rest, right)
}
