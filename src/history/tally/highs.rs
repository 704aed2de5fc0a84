//! The highest offset of each millisecond in which something happened: how far a log had come, or somebody who reads it, at any time.
//! Coarser where there are more of them than a run may cost memory.

use crate::kafka::{Offset, TimeNs};

/// How many of the last entries are looked through first.
const NEAR: usize = 8;

/// There are never more entries, of 16 bytes: their steps double instead. Something that happens in every millisecond is known by 4 ms
/// after ten minutes, and by 16 ms after an hour.
const MOST: usize = 1 << 18;

/// One entry a step, in the order of time: the highest offset of that step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Highs {
    step_ms: u64,
    entries: Vec<(u64, Offset)>,
}

impl Default for Highs {
    fn default() -> Self {
        Self { step_ms: 1, entries: Vec::new() }
    }
}

impl Highs {
    /// Something happened at an offset.
    pub fn take(&mut self, time: TimeNs, offset: Offset) {
        self.take_within(MOST, time, offset);
    }

    fn take_within(&mut self, most: usize, time: TimeNs, offset: Offset) {
        let step = time.as_millis() / self.step_ms;
        match self.entries.last_mut() {
            Some((last, highest)) if *last == step => *highest = (*highest).max(offset),
            Some((last, _)) if *last > step => self.take_late(step, offset),
            _ => self.entries.push((step, offset)),
        }
        // Whatever order they come in, the same steps are one too many in the end.
        while self.entries.len() > most {
            self.double();
        }
    }

    /// What comes late is mostly late by a few milliseconds.
    fn take_late(&mut self, step: u64, offset: Offset) {
        let near = self.entries.len().saturating_sub(NEAR);
        let from = if self.entries[near].0 <= step { near } else { 0 };
        let until = if from == near { self.entries.len() } else { near };
        let later = self.entries[from..until].partition_point(|(known, _)| *known < step);
        let at = from + later;
        match self.entries.get_mut(at).filter(|(known, _)| *known == step) {
            Some((_, highest)) => *highest = (*highest).max(offset),
            None => self.entries.insert(at, (step, offset)),
        }
    }

    fn double(&mut self) {
        self.step_ms *= 2;
        self.entries.iter_mut().for_each(|(step, _)| *step /= 2);
        self.entries.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            if is_same {
                kept.1 = kept.1.max(next.1);
            }
            is_same
        });
    }

    /// How long a step is, in milliseconds: a power of two.
    pub fn step_ms(&self) -> u64 {
        self.step_ms
    }

    /// The entries, each with the millisecond in which its step begins and the highest offset so far, in steps of so many
    /// milliseconds, or in its own where those are longer. What is compared with one another has to have the same.
    pub fn so_far(&self, step_ms: u64) -> Vec<(u64, Offset)> {
        let mut coarser = self.clone();
        while coarser.step_ms < step_ms {
            coarser.double();
        }
        let mut highest = Offset(i64::MIN);
        for (step, offset) in &mut coarser.entries {
            highest = highest.max(*offset);
            (*step, *offset) = (*step * coarser.step_ms, highest);
        }
        coarser.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_late_is_put_where_it_belongs() {
        let mut highs = Highs::default();
        for (ms, offset) in [(5, 10), (7, 30), (6, 20), (5, 15), (7, 25), (1, 40)] {
            highs.take(TimeNs::from_millis(ms), Offset(offset));
        }
        let told: Vec<(u64, i64)> = highs.entries.iter().map(|(ms, offset)| (*ms, offset.0)).collect();
        assert_eq!(told, [(1, 40), (5, 15), (6, 20), (7, 30)]);
        assert!(highs.so_far(1).iter().all(|(_, offset)| offset.0 == 40));
    }

    #[test]
    fn what_comes_very_late_is_put_where_it_belongs() {
        let mut highs = Highs::default();
        for ms in (0..100).filter(|ms| ms % 10 != 3) {
            highs.take(TimeNs::from_millis(ms), Offset(1));
        }
        for ms in [3, 13, 13, 93, 83] {
            highs.take(TimeNs::from_millis(ms), Offset(2));
        }
        assert!(highs.entries.is_sorted_by(|one, other| one.0 < other.0));
        let told: Vec<u64> = highs.entries.iter().filter(|(_, offset)| offset.0 == 2).map(|(ms, _)| *ms).collect();
        assert_eq!(told, [3, 13, 83, 93]);
    }

    #[test]
    fn more_steps_than_memory_is_given_become_coarser_whatever_order_they_come_in() {
        let taken = |times: &mut dyn Iterator<Item = u64>| {
            let mut highs = Highs::default();
            times.for_each(|ms| highs.take_within(256, TimeNs::from_millis(ms), Offset(ms.cast_signed())));
            highs
        };
        let last = 768;
        let highs = taken(&mut (0..last));
        assert_eq!(highs, taken(&mut (0..last).rev()));
        assert_eq!(highs, taken(&mut (0..last).map(|number| number * 5 % last)));
        assert_eq!(highs.step_ms, 4);
        let expected: Vec<(u64, Offset)> =
            (0..last / 4).map(|step| (step * 4, Offset((step * 4 + 3).cast_signed()))).collect();
        assert_eq!(highs.so_far(1), expected);
        let coarser: Vec<u64> = highs.so_far(64).iter().map(|(ms, _)| *ms).collect();
        assert_eq!(coarser, (0..last / 64).map(|step| step * 64).collect::<Vec<u64>>());
    }
}
