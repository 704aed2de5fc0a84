//! `partition = { target, to, direction, mode, plane }`: packets between the targets and others are stopped.
//!
//! `to` is `rest` (every other broker, the default), `clients` (whoever is no broker), `all` of them, or a target. One way
//! (`direction`) still ends every TCP connection, because acknowledgements are lost; what differs is who goes on hearing
//! whom: a broker that only cannot send still receives requests and acts on them, and its answers are lost. `plane` leaves
//! the others' listeners alone: brokers that hear the controllers and cannot replicate, or the other way round.
//!
//! Dropped packets are dropped where they arrive, so that their senders learn nothing, and connections go on when the cut
//! is healed. Rejected ones are answered with a reset.
//!
//! Proof: the connections came about; then the rules were in place in every network where they should be at every look, and
//! stopped packets there, and the connections that are cut did not come about while the others did; then the rules are gone
//! and all connections come about again. A look that could not see is one that did not find them; only the network of a broker
//! that does not run need not be seen, and hides nothing of the others'.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Fault;
use super::cutting::{self, Cuts, Direction, Mode};
use crate::fault::{Case, Keys, Link, Need, Noted, Plane, Question, Scene, State, Stroke, Target, WordOrTarget};
use crate::kafka::BrokerId;

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Partition {
    /// From whom the targets are cut.
    pub to: To,
    /// Which packets are stopped.
    pub direction: Direction,
    /// What becomes of them.
    pub mode: Mode,
    /// Only what goes to this plane's listeners or comes from them.
    pub plane: Option<Plane>,
}

/// The other side of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum To {
    /// Every other broker.
    Rest,
    /// Whoever is no broker.
    Clients,
    /// Both.
    All,
    /// These brokers.
    Brokers(Target),
}

impl To {
    pub(super) fn read<K: Keys>(keys: &mut K, default: Self) -> Result<Self, Noted> {
        let words = [("rest", Self::Rest), ("clients", Self::Clients), ("all", Self::All)];
        Ok(match keys.word_or_target("to", &words)? {
            Some(WordOrTarget::Word(word)) => word,
            Some(WordOrTarget::Target(brokers)) => Self::Brokers(brokers),
            None => default,
        })
    }

    pub(super) fn target(&self) -> Option<&Target> {
        match self {
            Self::Brokers(target) => Some(target),
            Self::Rest | Self::Clients | Self::All => None,
        }
    }

    fn has_brokers(&self) -> bool {
        !matches!(self, Self::Clients)
    }

    fn has_clients(&self) -> bool {
        matches!(self, Self::Clients | Self::All)
    }
}

impl fmt::Display for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rest => f.write_str("every other broker"),
            Self::Clients => f.write_str("clients"),
            Self::All => f.write_str("everybody"),
            Self::Brokers(target) => target.fmt(f),
        }
    }
}

impl Fault for Partition {
    const NAME: &'static str = "partition";
    const KEYS: &'static [&'static str] = &["target", "to", "direction", "mode", "plane"];
    const MEANS: &'static str = cutting::MEANS;
    const NEEDS: &'static [Need] = cutting::NEEDS;

    fn needs(&self) -> Vec<Need> {
        cutting::needs(self.mode)
    }

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        let (target, to) = (keys.whom(), To::read(keys, To::Rest));
        let direction = keys.word("direction", &Direction::WORDS);
        let (mode, plane) = (cutting::mode(keys), keys.word("plane", &Plane::WORDS));
        let (target, to, plane) = (target?, to?, plane?);
        if matches!((&to, plane), (To::Clients, Some(Plane::Replication | Plane::Controller))) {
            let message = "clients do not speak on this plane".to_owned();
            let help = "leave `plane` out: clients are cut from the listener that they use";
            return Err(keys.refuse(Some("plane"), message, "brokers only", help));
        }
        if matches!((&to, plane), (To::Rest | To::Brokers(_), Some(Plane::Client))) {
            let message = "brokers do not speak to one another on this plane".to_owned();
            let help = "write to = \"clients\", or another plane";
            return Err(keys.refuse(Some("plane"), message, "clients only", help));
        }
        if to.target() == Some(&target) {
            let message = format!("`{target}` cannot be cut from itself");
            let help = "name brokers at its other end that are not its target, or leave `to` out: every other broker";
            return Err(keys.refuse(Some("to"), message, "its target", help));
        }
        if matches!((&to, plane), (To::All, Some(_))) {
            let message = "nobody is cut from everybody on one plane".to_owned();
            let help = "leave `plane` out; or write to = \"clients\", or name brokers and their plane";
            return Err(keys.refuse(Some("plane"), message, "clients and brokers share none", help));
        }
        let direction = direction?.unwrap_or(Direction::Both);
        Ok((Self { to, direction, mode: mode?, plane }, target))
    }

    fn detail(&self) -> String {
        let way = match self.direction {
            Direction::Both => "",
            Direction::In => ", incoming only",
            Direction::Out => ", outgoing only",
        };
        format!("from {}, packets {}{way}{}", self.to, self.mode.shown(), cutting::on_plane(self.plane))
    }

    fn to(&self) -> Option<&Target> {
        self.to.target()
    }

    fn state(&self) -> State {
        // Who still hears the controllers is not away for them.
        let is_cut_off = self.to.has_brokers() && self.plane != Some(Plane::Replication);
        if is_cut_off { State::CutOff } else { State::Up }
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        let near: Vec<BrokerId> = scene.brokers().collect();
        let mut cuts = Cuts::new(scene, self.mode);
        if self.to.has_brokers() {
            cuts.between(&near, &scene.to, self.direction, self.plane);
        }
        if self.to.has_clients() {
            cuts.clients_of(&near, self.direction, self.plane);
        }
        cuts.strokes()
    }

    fn questions(&self, scene: &Scene) -> Vec<(BrokerId, Question)> {
        let is_cut = |_, link: Link| {
            let on_plane = self.plane.is_none_or(|plane| plane == link.plane);
            self.to.has_brokers() && scene.to.contains(&link.to) && on_plane
        };
        cutting::questions(self, scene, is_cut)
    }

    fn prove(&self, case: &mut Case<'_>) {
        case.worked_before();
        case.rules_stopped_packets();
        if self.to.has_brokers() {
            case.links_were_cut();
        }
        if self.to.has_clients() {
            case.clients_were_cut();
        }
        case.lost_standing();
        case.works_again();
        case.regained_standing();
    }
}
