//! A network as a fault speaks of it: brokers, clients and planes. Addresses and ports are found when it strikes.

use serde::{Deserialize, Serialize};

use super::network::{LinkResult, ShapeCount, Way};
use crate::kafka::BrokerId;
pub use crate::kafka::levers::Plane;

/// The other end of a wire.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ends {
    /// These brokers.
    Brokers(Vec<BrokerId>),
    /// Whoever is no broker.
    Clients,
    /// Everybody.
    Everybody,
}

/// Packets of a broker: which way, to or from whom, for what.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Wire {
    /// The way they go, as the broker sees it.
    pub way: Way,
    /// The other end.
    pub ends: Ends,
    /// Only what goes to the listener of this plane, or comes from it.
    pub plane: Option<Plane>,
}

/// A connection that is tried from one broker to another's listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Link {
    /// To whom.
    pub to: BrokerId,
    /// To which of its listeners.
    pub plane: Plane,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkSeen {
    /// Where it went.
    #[serde(flatten)]
    pub link: Link,
    /// How it ended.
    pub result: LinkResult,
    /// After how many microseconds.
    pub elapsed_us: u64,
}

/// A fault's rules in one broker's network, as the kernel there tells of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesSeen {
    /// Whose network.
    pub broker: BrokerId,
    /// How many packets they stopped, or handed over; `None` when there are no such rules, or nobody could look.
    pub packets: Option<u64>,
    /// Why nobody could look, if that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<Unseen>,
    /// What became of those that were handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<ShapeCount>,
    /// How often they were put in place anew, because the broker got a new network when it was started.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub renewed: u32,
}

/// Why a broker's network could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unseen {
    /// The broker does not run: it has no network, and no rules that anybody could take away.
    NotRunning,
    /// The look failed, so that whatever became of the rules meanwhile is unknown.
    Failed(String),
}

impl RulesSeen {
    /// Whether there certainly were no rules: somebody looked, or there was no network that could have any.
    pub fn are_gone(&self) -> bool {
        self.packets.is_none() && !matches!(self.unseen, Some(Unseen::Failed(_)))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `skip_serializing_if` hands a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
