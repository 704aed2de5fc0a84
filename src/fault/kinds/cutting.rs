//! What faults that cut networks have in common: which packets are stopped where, and which connections are tried.
//!
//! Packets that vanish do so where they arrive, so that their senders learn nothing. Those that are refused are refused on
//! the target's side alone: a refusal that had to pass the other side's rules would not come through. Where the other
//! broker may not be touched, the target's own side has to do.

use serde::{Deserialize, Serialize};

use super::Fault;
use crate::fault::network::{Verdict, Way};
use crate::fault::{Action, Ends, Keys, Link, Need, Noted, Plane, Question, Scene, Stroke, Wire};
use crate::kafka::BrokerId;

/// What each cut needs.
pub(super) const NEEDS: &[Need] = &[Need::Engine, Need::SideCar];

/// What a cut of this mode needs.
pub(super) fn needs(mode: Mode) -> Vec<Need> {
    let rejection = (mode == Mode::Reject).then_some(Need::Rejection);
    NEEDS.iter().copied().chain(rejection).collect()
}

/// How each cut is made.
pub(super) const MEANS: &str = "side-car: iptables";

/// Which packets are stopped, as the target sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Both ways.
    Both,
    /// Those that come to it.
    In,
    /// Those that it sends.
    Out,
}

impl Direction {
    pub(super) const WORDS: [(&'static str, Self); 3] = [("both", Self::Both), ("in", Self::In), ("out", Self::Out)];

    pub(super) fn has(self, way: Way) -> bool {
        matches!((self, way), (Self::Both, _) | (Self::In, Way::In) | (Self::Out, Way::Out))
    }

    pub(super) fn ways(self) -> impl Iterator<Item = Way> {
        [Way::In, Way::Out].into_iter().filter(move |way| self.has(*way))
    }
}

/// What becomes of packets that are stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// They vanish: connections hang, and go on when the cut is healed.
    Drop,
    /// They are refused: connections are reset, and new ones fail at once.
    Reject,
}

impl Mode {
    pub(super) const WORDS: [(&'static str, Self); 2] = [("drop", Self::Drop), ("reject", Self::Reject)];

    fn verdict(self) -> Verdict {
        match self {
            Self::Drop => Verdict::Drop,
            Self::Reject => Verdict::Reset,
        }
    }

    pub(super) fn shown(self) -> &'static str {
        match self {
            Self::Drop => "dropped",
            Self::Reject => "rejected",
        }
    }
}

/// Reads `mode`.
pub(super) fn mode<K: Keys>(keys: &mut K) -> Result<Mode, Noted> {
    Ok(keys.word("mode", &Mode::WORDS)?.unwrap_or(Mode::Drop))
}

/// The wires to cut between each of `near` and all of `far`, by the broker at whose side they are cut.
pub(super) struct Cuts<'a> {
    scene: &'a Scene,
    mode: Mode,
    wires: Vec<(BrokerId, Wire)>,
}

impl<'a> Cuts<'a> {
    pub(super) fn new(scene: &'a Scene, mode: Mode) -> Self {
        Self { scene, mode, wires: Vec::new() }
    }

    /// Between brokers. `direction` is as `near` sees it.
    pub(super) fn between(&mut self, near: &[BrokerId], far: &[BrokerId], direction: Direction, plane: Option<Plane>) {
        let both_sides = self.mode == Mode::Drop;
        for one in near {
            if direction.has(Way::In) {
                self.add(*one, Way::In, Ends::Brokers(far.to_vec()), plane);
            }
            if direction.has(Way::Out) {
                let (there, here): (Vec<BrokerId>, Vec<BrokerId>) =
                    far.iter().partition(|other| both_sides && self.scene.reachable.contains(other));
                if !here.is_empty() {
                    self.add(*one, Way::Out, Ends::Brokers(here), plane);
                }
                for other in there {
                    self.add(other, Way::In, Ends::Brokers(vec![*one]), plane);
                }
            }
        }
    }

    /// Between each of `near` and whoever is no broker.
    pub(super) fn clients_of(&mut self, near: &[BrokerId], direction: Direction, plane: Option<Plane>) {
        for one in near {
            for way in direction.ways() {
                self.add(*one, way, Ends::Clients, plane);
            }
        }
    }

    fn add(&mut self, broker: BrokerId, way: Way, ends: Ends, plane: Option<Plane>) {
        let wire = Wire { way, ends, plane };
        if !self.wires.contains(&(broker, wire.clone())) {
            self.wires.push((broker, wire));
        }
    }

    /// One cut in each broker's network.
    pub(super) fn strokes(self) -> Vec<Stroke> {
        let stroke = |broker: BrokerId| {
            let of = |(holder, wire): &(BrokerId, Wire)| (*holder == broker).then(|| wire.clone());
            let wires = self.wires.iter().filter_map(of).collect();
            let name = self.scene.fault.0.clone();
            Stroke { broker, action: Action::Cut { name, wires, verdict: self.mode.verdict() } }
        };
        holders(self.wires.iter().map(|(broker, _)| *broker)).into_iter().map(stroke).collect()
    }
}

/// Each broker once, in the order of their ids.
fn holders(brokers: impl Iterator<Item = BrokerId>) -> Vec<BrokerId> {
    let mut holders: Vec<BrokerId> = brokers.collect();
    holders.sort_unstable();
    holders.dedup();
    holders
}

/// What has to be seen of each target of a cut: its rules, wherever they are, and its connections to others.
pub(super) fn questions<F: Fault>(
    fault: &F,
    scene: &Scene,
    is_cut: impl Fn(BrokerId, Link) -> bool,
) -> Vec<(BrokerId, Question)> {
    let mut questions = Vec::new();
    for target in scene.brokers() {
        let others = scene.all.iter().filter(|other| **other != target && scene.reachable.contains(other));
        let links = others.flat_map(|to| Plane::BETWEEN_BROKERS.map(|plane| Link { to: *to, plane }));
        let (cut, open): (Vec<Link>, Vec<Link>) = links.partition(|link| is_cut(target, *link));
        questions.push((target, Question::Links { from: target, cut, open }));
        questions.push((target, rules(fault, scene)));
    }
    questions
}

/// Whether a fault's rules are in place wherever it has put some.
pub(super) fn rules<F: Fault>(fault: &F, scene: &Scene) -> Question {
    let holders = holders(fault.strokes(scene).into_iter().map(|stroke| stroke.broker));
    Question::Rules { name: scene.fault.0.clone(), holders }
}

/// A kind's own plane in a few words.
pub(super) fn on_plane(plane: Option<Plane>) -> String {
    plane.map_or_else(String::new, |plane| format!(", {plane} only"))
}
