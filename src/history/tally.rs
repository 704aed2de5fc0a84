//! What can be counted and measured of a history's rows as they go by, each looked at once and none of them kept: so that a report of
//! a hundred million records needs no more memory than the time that they took.
//!
//! The order of the rows changes nothing, because they come from many clients at once. What is told apart (phases, faults) has to be
//! known before, which the events tell.

mod highs;
mod histogram;
mod in_flight;
mod lookup;
mod reads;
mod sends;
mod spans;
mod windows;

use std::collections::BTreeSet;

pub use highs::Highs;
pub use histogram::Histogram;
pub use in_flight::InFlight;
pub use lookup::Lookup;
pub use reads::{GroupTally, PartitionReads, ReadTally};
pub use sends::{PartitionSends, SendSecond, SendTally};
pub use spans::{Cover, Spans};
pub use windows::{Window, Windows};

use super::{EventKind, History, Phase};
use crate::kafka::{Partition, TimeNs, TopicIndex};

/// A partition, as the rows name it.
pub type Place = (TopicIndex, Partition);

/// What is told apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The phases, one after another.
    pub phases: Vec<(Phase, TimeNs, TimeNs)>,
    /// From when to when each fault of the plan was in force.
    pub faults: Vec<Window>,
    /// From when to when each may have kept partitions from acknowledging, which begins earlier.
    pub reaches: Vec<Window>,
    /// When nothing more was asked of producers.
    pub load_ended: TimeNs,
}

impl Asked {
    /// What the events alone tell: the phases, the last of which never ends, and the end of the load, which is the drain's beginning or
    /// else the end of the history.
    pub fn of_phases(history: &History) -> Self {
        let mut phases: Vec<(Phase, TimeNs, TimeNs)> = Vec::new();
        for event in &history.events {
            if let EventKind::PhaseStarted { phase } = event.kind {
                if let Some((_, _, end)) = phases.last_mut() {
                    *end = event.time_ns;
                }
                phases.push((phase, event.time_ns, TimeNs(u64::MAX)));
            }
        }
        let drain = phases.iter().find(|(phase, ..)| *phase == Phase::Drain).map(|(_, began, _)| *began);
        let last = || history.events.iter().map(|event| event.time_ns).max().unwrap_or(TimeNs(0));
        Self { load_ended: drain.unwrap_or_else(last), phases, ..Self::default() }
    }
}

/// What was counted of all rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Of the sends.
    pub sends: SendTally,
    /// Of the reads.
    pub reads: ReadTally,
}

impl Tally {
    /// Counts the rows of a history that is in memory.
    pub fn of(history: &History, asked: &Asked) -> Self {
        let places: Vec<Place> = history.partitions.keys().copied().collect();
        let mut tally =
            Self { sends: SendTally::new(&places, asked), reads: ReadTally::new(&places, &history.processes) };
        for rows in history.partitions.values() {
            rows.sends.iter().for_each(|send| tally.sends.take(send));
            rows.reads.iter().for_each(|read| tally.reads.take(read));
        }
        tally
    }

    /// When the last thing was recorded that is a row; 0 when none was.
    pub fn last(&self) -> TimeNs {
        self.sends.last.max(self.reads.last)
    }
}

/// One value a partition, found by its name. The partitions are known before the first row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ByPlace<T> {
    places: Vec<Place>,
    values: Vec<T>,
}

impl<T: Clone + Default> ByPlace<T> {
    /// A value for each of the partitions.
    pub fn new(places: &[Place]) -> Self {
        let places: Vec<Place> = places.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        Self { values: vec![T::default(); places.len()], places }
    }
}

impl<T> ByPlace<T> {
    /// The partition's; `None` when the run did not have it.
    pub fn get(&self, place: Place) -> Option<&T> {
        self.places.binary_search(&place).ok().map(|at| &self.values[at])
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, place: Place) -> Option<&mut T> {
        self.places.binary_search(&place).ok().map(|at| &mut self.values[at])
    }

    /// All of them, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.values.iter_mut()
    }

    /// All of them, for good.
    pub fn into_values(self) -> impl Iterator<Item = (Place, T)> {
        self.places.into_iter().zip(self.values)
    }

    /// All of them, in the order of the partitions.
    pub fn iter(&self) -> impl Iterator<Item = (Place, &T)> {
        self.places.iter().copied().zip(&self.values)
    }
}

/// A time's second of the run. A time beyond a week comes from a damaged file, and must not cost all the memory.
fn second_of(time: TimeNs) -> usize {
    const WEEK: u64 = 7 * 24 * 3600;
    usize::try_from((time.0 / 1_000_000_000).min(WEEK)).expect("a week has fewer seconds than any address space")
}
