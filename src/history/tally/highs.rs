//! The highest offset of each millisecond in which something happened: how far a log had come, or somebody who reads it, at any time.

use crate::kafka::{Offset, TimeNs};

/// How many of the last entries are looked through first.
const NEAR: usize = 8;

/// One entry a millisecond, in the order of time: the highest offset of that millisecond.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Highs(Vec<(u64, Offset)>);

impl Highs {
    /// Something happened at an offset.
    pub fn take(&mut self, time: TimeNs, offset: Offset) {
        let ms = time.as_millis();
        match self.0.last_mut() {
            Some((last, highest)) if *last == ms => *highest = (*highest).max(offset),
            Some((last, _)) if *last > ms => self.take_late(ms, offset),
            _ => self.0.push((ms, offset)),
        }
    }

    /// What comes late is mostly late by a few milliseconds.
    fn take_late(&mut self, ms: u64, offset: Offset) {
        let near = self.0.len().saturating_sub(NEAR);
        let from = if self.0[near].0 <= ms { near } else { 0 };
        let until = if from == near { self.0.len() } else { near };
        let later = self.0[from..until].partition_point(|(known, _)| *known < ms);
        let at = from + later;
        match self.0.get_mut(at).filter(|(known, _)| *known == ms) {
            Some((_, highest)) => *highest = (*highest).max(offset),
            None => self.0.insert(at, (ms, offset)),
        }
    }

    /// The entries, each with the highest offset so far.
    pub fn so_far(&self) -> Vec<(u64, Offset)> {
        let mut highest = Offset(i64::MIN);
        let entries = self.0.iter().map(|(ms, offset)| {
            highest = highest.max(*offset);
            (*ms, highest)
        });
        entries.collect()
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
        let told: Vec<(u64, i64)> = highs.0.iter().map(|(ms, offset)| (*ms, offset.0)).collect();
        assert_eq!(told, [(1, 40), (5, 15), (6, 20), (7, 30)]);
        assert!(highs.so_far().iter().all(|(_, offset)| offset.0 == 40));
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
        assert!(highs.0.is_sorted_by(|one, other| one.0 < other.0));
        let told: Vec<u64> = highs.0.iter().filter(|(_, offset)| offset.0 == 2).map(|(ms, _)| *ms).collect();
        assert_eq!(told, [3, 13, 83, 93]);
    }
}
