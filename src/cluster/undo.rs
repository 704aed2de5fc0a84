//! How what was done to a broker is undone. Found before it is done, written to the ledger, and understood by whoever comes
//! after a dead run, who knows nothing of faults.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cluster::engine::{Attachment, Limits};
use crate::fault::disk::LockedPlace;
use crate::kafka::BrokerId;
use crate::kafka::levers::{ConfigOwner, ConfigState, Placement};

/// What brings a broker back. Shown as what it is that was changed. Each may be repeated, and does nothing to a broker that is well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Undo {
    /// Start it, if it ended.
    Start,
    /// Start it anew after a life that was told to end, and that may be on its way out still: wait for that life's end, bring
    /// it about if it does not come, and start the next. Nothing to a broker that lives another life by then.
    Revive {
        /// What tells that life from the next.
        life: String,
    },
    /// Thaw it, if it is frozen.
    Thaw,
    /// Let it use what it could use before, and start it if it ended for want of that.
    Limit {
        /// That.
        limits: Limits,
    },
    /// Put it back into its networks, under its addresses and names.
    Reconnect {
        /// Where it was.
        places: Vec<Attachment>,
    },
    /// Take away what fills its disk, and start it if it ended of that.
    Free,
    /// Make a place on its disk writable again, and start it if it ended of that.
    Unlock {
        /// Which.
        place: LockedPlace,
    },
    /// Let its disk be as fast as it is.
    Unthrottle,
    /// Nothing.
    Nothing,
    /// Take the rules of this name out of its network.
    Release {
        /// The name, as its side-car has it.
        name: String,
    },
    /// Give a partition its old replicas, in their old order, and its old leader.
    Place(Placement),
    /// Give settings their old values, or take them away where they were not set.
    Configure {
        /// Whose.
        owner: ConfigOwner,
        /// What was there.
        before: Vec<ConfigState>,
    },
}

impl Undo {
    /// Whether the cluster is asked for it, in Kafka's protocol. Everything else is done to the broker's container.
    pub fn is_by_protocol(&self) -> bool {
        matches!(self, Self::Place(_) | Self::Configure { .. })
    }

    /// The same, once this life of the broker was told to end. Before that a broker which runs is well; from then on nobody
    /// knows, until that life is over.
    #[must_use]
    pub fn once_told(&self, life: &str) -> Self {
        match self {
            Self::Start | Self::Revive { .. } => Self::Revive { life: life.to_owned() },
            other => other.clone(),
        }
    }
}

impl fmt::Display for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(placement) => write!(f, "partition {}", placement.partition),
            Self::Configure { owner, .. } => write!(f, "settings of {owner}"),
            Self::Start | Self::Revive { .. } | Self::Thaw => f.write_str("process"),
            Self::Limit { .. } => f.write_str("limits"),
            Self::Reconnect { .. } => f.write_str("networks"),
            Self::Release { .. } => f.write_str("packets"),
            Self::Free | Self::Unlock { .. } | Self::Unthrottle => f.write_str("disk"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

/// An undoing and whom it concerns. A list of them is carried out from its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remedy {
    /// Whom.
    pub broker: BrokerId,
    /// How.
    pub undo: Undo,
}
