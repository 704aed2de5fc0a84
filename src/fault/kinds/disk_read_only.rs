//! `disk-read-only = { target, partition }`: the broker may not write to its data directory, or to that of one partition, any
//! more; then it may.
//!
//! What a file system does that remounted itself read-only after an error of the disk. Files that are open stay writable, so
//! that it bites when the broker next makes one: at a checkpoint, within seconds; of a single partition when its log rolls
//! or its leader changes. Kafka takes it for a failed log directory and ends, with exit code 1. Healing restores the old
//! modes and starts the broker.
//!
//! Proof: it ran and answered; then its user was refused a write there, it exited with code 1, and never answered; then a
//! later life of it ran and answered.

use serde::{Deserialize, Serialize};

use super::{Fault, on_each};
use crate::fault::disk::LockedPlace;
use crate::fault::{Action, Case, Deed, Keys, Need, NextLife, Noted, Scene, State, Stroke, Target};

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DiskReadOnly {
    /// What may not be written.
    pub place: LockedPlace,
}

impl Fault for DiskReadOnly {
    const NAME: &'static str = "disk-read-only";
    const KEYS: &'static [&'static str] = &["target", "partition"];
    const MEANS: &'static str = "tool container: modes of files";
    const NEEDS: &'static [Need] = &[Need::Engine, Need::Tool];

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        let (target, partition) = (keys.whom(), keys.any_partition("partition"));
        let place = partition?.map_or(LockedPlace::DataDirectory, LockedPlace::Partition);
        Ok((Self { place }, target?))
    }

    fn detail(&self) -> String {
        format!("in {}", self.place)
    }

    fn state(&self) -> State {
        State::Down
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        on_each(scene, &Action::Lock { place: self.place.clone() })
    }

    fn prove(&self, case: &mut Case<'_>) {
        let life = case.worked_before();
        let locked = case.deeds().iter().find_map(|deed| match deed {
            Deed::Locked(locked) => Some(locked),
            _ => None,
        });
        match locked {
            Some(locked) if locked.entries > 0 => case.saw(format!("{} files and directories locked", locked.entries)),
            _ => case.misses("the refusal of a write"),
        }
        case.exited(&[1]);
        case.lost_standing();
        case.works_after(life, NextLife::Another);
        case.regained_standing();
    }
}
