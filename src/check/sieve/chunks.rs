//! One value for each chunk of a log's offsets that anything happened in. No offset's value costs memory: chunks are found by number,
//! and only those exist that a row named.

use std::collections::BTreeMap;

use crate::kafka::Offset;

/// How many offsets make a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkSize(u32);

impl ChunkSize {
    /// Small enough that few rows are kept for one that is odd, and large enough that what is told of each costs nothing.
    pub const USUAL: Self = Self(12);

    /// `2^bits` offsets.
    #[cfg(test)]
    pub(crate) fn of_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// How many offsets that is.
    pub(super) fn len(self) -> usize {
        1 << self.0
    }

    /// The chunk of an offset.
    pub(super) fn of(self, offset: Offset) -> i64 {
        offset.0 >> self.0
    }

    /// Where an offset lies inside its chunk.
    pub(super) fn place(self, offset: Offset) -> usize {
        usize::try_from(offset.0 & ((1 << self.0) - 1)).expect("the remainder of a power of two is not negative")
    }

    /// The first offset of a chunk.
    pub(super) fn start(self, chunk: i64) -> Offset {
        Offset(chunk << self.0)
    }
}

/// How many chunks are remembered where they are, because readers are at several places at once.
const REMEMBERED: usize = 16;

/// The bits of a chunk's number that say where it is remembered.
const REMEMBERED_AT: i64 = 0b1111;

/// Values by chunk.
#[derive(Clone, Debug)]
pub(super) struct Chunks<T> {
    numbers: BTreeMap<i64, usize>,
    values: Vec<T>,
    lately: [(i64, usize); REMEMBERED],
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { numbers: BTreeMap::new(), values: Vec::new(), lately: [(i64::MIN, 0); REMEMBERED] }
    }
}

impl<T> Chunks<T> {
    /// The value of a chunk, which is made if there is none.
    pub(super) fn at(&mut self, chunk: i64, make: impl FnOnce() -> T) -> &mut T {
        let lately = usize::try_from(chunk & REMEMBERED_AT).expect("a few bits are not negative");
        if self.lately[lately].0 != chunk || self.values.is_empty() {
            let place = *self.numbers.entry(chunk).or_insert_with(|| {
                self.values.push(make());
                self.values.len() - 1
            });
            self.lately[lately] = (chunk, place);
        }
        &mut self.values[self.lately[lately].1]
    }

    /// The value of a chunk, if there is one.
    pub(super) fn get(&self, chunk: i64) -> Option<&T> {
        self.numbers.get(&chunk).map(|place| &self.values[*place])
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, &T)> {
        self.numbers.iter().map(|(chunk, place)| (*chunk, &self.values[*place]))
    }
}

/// A set of chunks, given as stretches too, which may be long.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    stretches: Vec<(i64, i64)>,
    settle_at: usize,
}

/// How many stretches are kept before they are put in order for the first time.
const SETTLE_AT: usize = 1 << 14;

impl Marks {
    /// Marks all chunks from one to another, in whichever order they are named.
    pub(super) fn mark(&mut self, one: i64, other: i64) {
        let stretch = (one.min(other), one.max(other));
        match self.stretches.last_mut() {
            Some(last) if stretch.0 >= last.0 && stretch.0 <= last.1.saturating_add(1) => {
                last.1 = last.1.max(stretch.1);
            }
            _ => self.stretches.push(stretch),
        }
        if self.stretches.len() > self.settle_at.max(SETTLE_AT) {
            // Whoever marks the same few chunks over and over again gets no longer list of it.
            *self = std::mem::take(self).settled();
            self.settle_at = self.stretches.len() * 2;
        }
    }

    /// The stretches in order; no two of them touch.
    pub(super) fn settled(mut self) -> Self {
        self.stretches.sort_unstable();
        let mut settled: Vec<(i64, i64)> = Vec::new();
        for (first, last) in self.stretches {
            match settled.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => settled.push((first, last)),
            }
        }
        Self { stretches: settled, settle_at: self.settle_at }
    }

    /// Whether a chunk is marked, of marks that are settled.
    pub(super) fn has(&self, chunk: i64) -> bool {
        let begun = self.stretches.partition_point(|(first, _)| *first <= chunk);
        begun.checked_sub(1).is_some_and(|at| chunk <= self.stretches[at].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_of_any_value_have_a_chunk_and_a_place_in_it() {
        let size = ChunkSize::of_bits(3);
        for (offset, chunk, place) in [(0, 0, 0), (7, 0, 7), (8, 1, 0), (-1, -1, 7), (i64::MAX, i64::MAX >> 3, 7)] {
            assert_eq!((size.of(Offset(offset)), size.place(Offset(offset))), (chunk, place));
        }
        assert_eq!(size.start(5), Offset(40));
    }

    #[test]
    fn chunks_are_found_again_however_far_apart_they_are() {
        let mut chunks = Chunks::default();
        for chunk in [0, 1 << 40, 16, 0, -3, 16, 1 << 40] {
            *chunks.at(chunk, || 0) += 1;
        }
        let told: Vec<(i64, i32)> = chunks.iter().map(|(chunk, count)| (chunk, *count)).collect();
        assert_eq!(told, [(-3, 1), (0, 2), (16, 2), (1 << 40, 2)]);
        assert_eq!(chunks.get(1), None);
    }

    #[test]
    fn marks_hold_what_lies_between() {
        let mut marks = Marks::default();
        marks.mark(9, 7);
        marks.mark(3, 3);
        marks.mark(4, 4);
        let marks = marks.settled();
        let marked: Vec<i64> = (0..12).filter(|chunk| marks.has(*chunk)).collect();
        assert_eq!(marked, [3, 4, 7, 8, 9]);
    }
}
