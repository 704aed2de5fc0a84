//! How often a fault strikes, and how long it lasts, where the scenario leaves that to the seed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Phases;

/// A duration, or a range that the seed draws from; both ends included, whole milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// The shortest that may be drawn.
    pub least: Duration,
    /// The longest.
    pub most: Duration,
}

impl Spread {
    /// Exactly this long.
    pub fn exactly(duration: Duration) -> Self {
        Self { least: duration, most: duration }
    }
}

/// Whether a fault strikes again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Again {
    /// It strikes once.
    #[default]
    Once,
    /// Each time that the one before is healed and every ISR is full again.
    InTurn {
        /// How often altogether, the first time included.
        times: u32,
        /// How much later than the cluster is whole.
        delay: Duration,
    },
    /// At times that the seed decides before the run begins.
    ByTheClock(Rhythm),
}

/// The times of a fault that strikes by the clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rhythm {
    /// From one start to the next.
    pub gap: Spread,
    /// The first start, counted from the beginning of the chaos phase; `None` when a first gap decides it.
    pub first: Option<Duration>,
    /// No start is later; `None` for the end of the chaos phase.
    pub until: Option<Duration>,
    /// At most so many starts.
    pub most: Option<u32>,
}

impl Rhythm {
    /// When the first start may be.
    pub fn first(&self) -> Spread {
        self.first.map_or(self.gap, Spread::exactly)
    }

    /// The latest time at which one may start.
    pub fn last(&self, phases: &Phases) -> Duration {
        self.until.unwrap_or(phases.chaos).min(phases.chaos)
    }

    /// Each start, where chance draws none of them.
    pub fn starts(&self, phases: &Phases) -> Option<impl Iterator<Item = Duration>> {
        let (first, gap) = (self.first?, self.gap.least);
        if self.gap != Spread::exactly(gap) || gap.is_zero() {
            return None;
        }
        let (last, most) = (self.last(phases), self.most.unwrap_or(u32::MAX));
        Some((0..most).map(move |number| first + gap * number).take_while(move |start| *start <= last))
    }

    /// Whether one that starts then and lasts so long is within its times, and healed when the chaos phase ends.
    pub fn allows(&self, start: Duration, length: Duration, phases: &Phases) -> bool {
        // What has no length of its own cannot begin when the phase is over.
        let ends = if length.is_zero() { start < phases.chaos } else { start + length <= phases.chaos };
        start <= self.last(phases) && ends
    }

    /// How many there are when every gap is drawn as short as can be.
    pub fn most_starts(&self, phases: &Phases) -> u64 {
        let room = self.last(phases).saturating_sub(self.first().least).as_millis();
        let starts = u64::try_from(room / self.gap.least.as_millis().max(1)).unwrap_or(u64::MAX).saturating_add(1);
        starts.min(self.most.map_or(u64::MAX, u64::from))
    }
}

impl Again {
    /// How many steps of a plan the fault may become.
    pub fn most_starts(&self, phases: &Phases) -> u64 {
        match self {
            Self::Once => 1,
            Self::InTurn { times, .. } => u64::from(*times),
            Self::ByTheClock(rhythm) => rhythm.most_starts(phases),
        }
    }
}
