//! `disk-full = { target }`: the broker's disk is filled to the last block, as root, so that no reserve is left; then freed.
//!
//! Kafka takes a failed write for a failed log directory, and a broker without log directories ends: within seconds, with
//! exit code 1. It cannot come back before there is room again. Healing frees the disk and starts the broker. Of brokers
//! that a run starts `[cluster] disk` bounds the disks, so that the host's is not meant.
//!
//! Proof: it ran and answered, and had room; then the disk was filled and every look found no byte free; then there is room
//! again, and the broker runs and answers.

use serde::{Deserialize, Serialize};

use super::{Fault, on_each};
use crate::fault::{Action, Case, Deed, Keys, Moment, Need, Noted, Question, Scene, Sight, State, Stroke, Target};
use crate::kafka::BrokerId;

/// It has no parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DiskFull {}

impl Fault for DiskFull {
    const NAME: &'static str = "disk-full";
    const KEYS: &'static [&'static str] = &["target"];
    const MEANS: &'static str = "tool container: a file as large as the disk";
    const NEEDS: &'static [Need] = &[Need::Engine, Need::Tool];

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        Ok((Self {}, keys.whom()?))
    }

    fn state(&self) -> State {
        State::Down
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        on_each(scene, &Action::Fill)
    }

    fn questions(&self, scene: &Scene) -> Vec<(BrokerId, Question)> {
        scene.brokers().map(|broker| (broker, Question::Room)).collect()
    }

    fn prove(&self, case: &mut Case<'_>) {
        case.worked_before();
        let filled = case.deeds().iter().find_map(|deed| match deed {
            Deed::Filled(filled) => Some(filled),
            _ => None,
        });
        match filled {
            Some(filled) if filled.before.free_bytes > 0 && filled.after.free_bytes == 0 => {
                let ballast = bytesize::ByteSize(filled.ballast_bytes).display().iec();
                case.saw(format!("filled with {ballast}, nothing free"));
            }
            _ => case.misses("the filling of its disk"),
        }
        let free = |case: &Case<'_>, moment| {
            let sights = case.looks(moment).iter().flat_map(|look| &look.seen.sights);
            let rooms = sights.filter_map(|sight| match sight {
                Sight::Room(room) => Some(room.free_bytes),
                _ => None,
            });
            rooms.collect::<Vec<u64>>()
        };
        match free(case, Moment::During).iter().max() {
            None => case.misses("a look at its disk while the fault was in force"),
            Some(0) => {}
            Some(bytes) => case.misses(format!("a disk that stayed full ({bytes} bytes were free)")),
        }
        case.tell_exit();
        if free(case, Moment::After).last().is_none_or(|bytes| *bytes == 0) {
            case.misses("room on its disk after the heal");
        }
        case.lost_standing();
        case.works_again();
        case.regained_standing();
    }
}
