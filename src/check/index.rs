//! Finds the send of a record by its identity, without a map.
//!
//! A process numbers its records to a partition 0, 1, 2, ... So the rows of a partition, ordered by (process, sequence),
//! answer a look-up at a computed place. Where rows are missing (a cut history) the computed place holds another record,
//! and a binary search finds the right one. Costs four bytes a send and one small range a process.

use crate::history::SendRow;
use crate::kafka::{ProcessId, RecordId};

/// The place of a send in the order of (process, sequence); dense from 0 in each partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(pub u32);

impl Slot {
    /// The slot as an index into columns with one value a send.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One process's slots.
#[derive(Clone, Copy, Debug)]
struct Range {
    process: ProcessId,
    start: usize,
    end: usize,
}

/// The sends of one partition, ordered by (process, sequence).
#[derive(Clone, Debug)]
pub struct SendIndex<'a> {
    rows: &'a [SendRow],
    order: Vec<u32>,
    ranges: Vec<Range>,
}

impl<'a> SendIndex<'a> {
    /// Orders the rows. Rows come nearly ordered already, which the sort makes use of.
    pub fn new(rows: &'a [SendRow]) -> Self {
        let mut order: Vec<u32> = (0..row_number(rows.len())).collect();
        order.sort_by_key(|row| rows[*row as usize].id());
        let mut index = Self { rows, order, ranges: Vec::new() };
        index.find_ranges();
        index
    }

    fn find_ranges(&mut self) {
        for place in 0..self.order.len() {
            let process = self.rows[self.order[place] as usize].process;
            match self.ranges.last_mut() {
                Some(range) if range.process == process => range.end = place + 1,
                _ => self.ranges.push(Range { process, start: place, end: place + 1 }),
            }
        }
    }

    /// How many sends there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether nothing was sent to the partition.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The send in a slot.
    pub fn send(&self, slot: Slot) -> &'a SendRow {
        &self.rows[self.order[slot.index()] as usize]
    }

    /// Every slot with its send, by process and sequence.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &'a SendRow)> + '_ {
        (0u32..).zip(&self.order).map(|(slot, row)| (Slot(slot), &self.rows[*row as usize]))
    }

    /// The slot of a record, or `None` when no row tells of its send.
    pub fn find(&self, record: RecordId) -> Option<Slot> {
        let range = self.ranges.binary_search_by_key(&record.process, |range| range.process).ok()?;
        let Range { start, end, .. } = self.ranges[range];
        let guess = usize::try_from(record.sequence.0).ok().and_then(|sequence| start.checked_add(sequence));
        // Of several rows that name one send the first counts.
        let is_first = |place: usize| place == start || self.sequence_at(place - 1) != record.sequence.0;
        let guess = guess.filter(|guess| *guess < end && self.sequence_at(*guess) == record.sequence.0);
        let place = guess.filter(|guess| is_first(*guess)).unwrap_or_else(|| {
            start + self.order[start..end].partition_point(|row| self.rows[*row as usize].sequence < record.sequence)
        });
        (place < end && self.sequence_at(place) == record.sequence.0).then(|| Slot(row_number(place)))
    }

    fn sequence_at(&self, place: usize) -> u64 {
        self.rows[self.order[place] as usize].sequence.0
    }
}

/// A row's number as it is stored: four bytes are enough for one partition of one run.
pub(crate) fn row_number(at: usize) -> u32 {
    u32::try_from(at).expect("a partition has fewer than 2^32 rows")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::{RunBuilder, id};

    #[test]
    fn every_send_is_found_and_no_other() {
        let mut run = RunBuilder::small();
        for sequence in [0, 2, 1] {
            run.send(7, 0, sequence).push();
            run.send(3, 0, sequence).push();
        }
        let rows = &run.history.partitions[&RunBuilder::chat(0)].sends;
        let index = SendIndex::new(rows);
        for process in [3, 7] {
            for sequence in 0..3 {
                let slot = index.find(id(process, sequence)).expect("it was sent");
                assert_eq!(index.send(slot).id(), id(process, sequence));
            }
        }
        assert_eq!(index.find(id(3, 3)), None);
        assert_eq!(index.find(id(4, 0)), None);
        assert_eq!(index.find(id(7, u64::MAX)), None);
    }

    #[test]
    fn of_several_rows_of_one_send_the_first_is_found_whatever_else_is_there() {
        for others in [vec![0, 1, 2, 3], vec![0, 2, 3], vec![3]] {
            let mut run = RunBuilder::small();
            for sequence in others.iter().copied().chain([3, 4]) {
                run.send(7, 0, sequence).push();
            }
            run.rows(0).sends[others.len() - 1].bytes += 1;
            let rows = &run.history.partitions[&RunBuilder::chat(0)].sends;
            let index = SendIndex::new(rows);
            let found = index.find(id(7, 3)).map(|slot| index.send(slot).bytes);
            assert_eq!(found, Some(rows[others.len() - 1].bytes), "{others:?}");
        }
    }

    #[test]
    fn a_missing_row_hides_no_other() {
        let mut run = RunBuilder::small();
        for sequence in [0, 1, 5, 6] {
            run.send(7, 0, sequence).push();
        }
        let rows = &run.history.partitions[&RunBuilder::chat(0)].sends;
        let index = SendIndex::new(rows);
        assert_eq!(index.find(id(7, 6)).map(|slot| index.send(slot).id()), Some(id(7, 6)));
        assert_eq!(index.find(id(7, 3)), None);
    }
}
