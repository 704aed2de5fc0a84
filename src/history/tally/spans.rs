//! Sets of numbers and of moments, as the stretches that they consist of. What comes in order costs nothing beyond the first stretch,
//! however much of it there is.

/// A set of numbers: disjoint stretches from a first to a last one, in order, no two of which touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    stretches: Vec<(u64, u64)>,
    len: u64,
}

impl Spans {
    /// Adds a number; whether it is new.
    pub fn insert(&mut self, value: u64) -> bool {
        if let Some((_, last)) = self.stretches.last_mut() {
            if last.checked_add(1) == Some(value) {
                *last = value;
                self.len += 1;
                return true;
            }
            if value <= *last {
                return self.insert_within(value);
            }
        }
        self.stretches.push((value, value));
        self.len += 1;
        true
    }

    fn insert_within(&mut self, value: u64) -> bool {
        let at = self.stretches.partition_point(|(first, _)| *first <= value);
        let before = at.checked_sub(1).map(|before| self.stretches[before].1);
        if before.is_some_and(|last| value <= last) {
            return false;
        }
        self.len += 1;
        let joins_before = before.is_some_and(|last| last + 1 == value);
        let joins_after = self.stretches.get(at).is_some_and(|(first, _)| *first == value + 1);
        match (joins_before, joins_after) {
            (true, true) => {
                self.stretches[at - 1].1 = self.stretches[at].1;
                self.stretches.remove(at);
            }
            (true, false) => self.stretches[at - 1].1 = value,
            (false, true) => self.stretches[at].0 = value,
            (false, false) => self.stretches.insert(at, (value, value)),
        }
        true
    }

    /// How many numbers there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many numbers from 0 to the greatest one are not in it.
    pub fn holes(&self) -> u64 {
        self.stretches.last().map_or(0, |(_, last)| last.saturating_add(1) - self.len)
    }
}

/// A set of moments in which stretches come together that lie less than a given time apart. In the order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cover {
    /// From and to; disjoint.
    pub stretches: Vec<(u64, u64)>,
}

impl Cover {
    /// Adds all moments from `from` to `to`; what lies less than `near` away from them is one stretch with them.
    pub fn insert(&mut self, from: u64, to: u64, near: u64) {
        match self.stretches.last_mut() {
            Some(last) if from >= last.0 && from < last.1.saturating_add(near).max(last.1.saturating_add(1)) => {
                last.1 = last.1.max(to);
            }
            Some(last) if from <= last.1 => self.insert_within(from, to, near),
            _ => self.stretches.push((from, to)),
        }
    }

    fn insert_within(&mut self, from: u64, to: u64, near: u64) {
        let reach = near.max(1);
        // All that end near its beginning or later, and begin near its end or before.
        let first = self.stretches.partition_point(|(_, end)| end.saturating_add(reach) <= from);
        let last = self.stretches.partition_point(|(start, _)| *start < to.saturating_add(reach));
        let merged = self.stretches[first..last.max(first)]
            .iter()
            .fold((from, to), |merged, stretch| (merged.0.min(stretch.0), merged.1.max(stretch.1)));
        self.stretches.splice(first..last.max(first), [merged]);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn spans_are_a_set(values in prop::collection::vec(0_u64..60, 0..80)) {
            let mut spans = Spans::default();
            let mut set = BTreeSet::new();
            for value in values {
                prop_assert_eq!(spans.insert(value), set.insert(value));
            }
            prop_assert_eq!(spans.len(), set.len() as u64);
            let holes = set.last().map_or(0, |last| (0..=*last).filter(|value| !set.contains(value)).count() as u64);
            prop_assert_eq!(spans.holes(), holes);
            prop_assert!(spans.stretches.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        }

        #[test]
        fn a_cover_does_not_depend_on_the_order(
            mut spans in prop::collection::vec((0_u64..200, 0_u64..9), 0..40),
            near in 0_u64..6,
        ) {
            let cover = |spans: &[(u64, u64)]| {
                let mut cover = Cover::default();
                for (from, length) in spans {
                    cover.insert(*from, from + length, near);
                }
                cover
            };
            let as_they_come = cover(&spans);
            spans.sort_unstable();
            prop_assert_eq!(&as_they_come, &cover(&spans));
            let gaps = as_they_come.stretches.windows(2).map(|pair| pair[1].0 - pair[0].1);
            prop_assert!(gaps.min().is_none_or(|gap| gap >= near.max(1)));
        }
    }
}
