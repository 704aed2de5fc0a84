//! What an action said of itself when it was done: the part of a proof that nobody can look at afterwards.

use serde::{Deserialize, Serialize};

use super::disk::{Damage, Filled, Locked, Throttled, Wiped};
use super::lever::{Configured, Deposed, ElectionHeld, Moved, RecordsDeleted};
use crate::kafka::levers::Fencing;

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "deed", rename_all = "kebab-case")]
pub enum Deed {
    /// A disk was filled.
    Filled(Filled),
    /// A place was made unwritable.
    Locked(Locked),
    /// A file was damaged.
    Damaged(Damage),
    /// Data were removed.
    Wiped(Wiped),
    /// A disk was made slow.
    Throttled(Throttled),
    /// An election was held.
    Elected(Box<ElectionHeld>),
    /// A leader or a replica was moved.
    Moved(Box<Moved>),
    /// Settings were changed.
    Configured(Configured),
    /// Records were deleted.
    RecordsDeleted(RecordsDeleted),
    /// The controller was deposed.
    Deposed(Deposed),
    /// A producer's transactional id was taken.
    Fenced(Box<Fencing>),
}
