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
    missing: u64,
    repeated: u64,
}

impl<'a> SendIndex<'a> {
    /// Orders the rows. Rows come nearly ordered already, which the sort makes use of.
    pub fn new(rows: &'a [SendRow]) -> Self {
        let mut order: Vec<u32> = (0..row_number(rows.len())).collect();
        order.sort_by_key(|row| rows[*row as usize].id());
        let mut index = Self { rows, order, ranges: Vec::new(), missing: 0, repeated: 0 };
        index.find_ranges();
        index
    }

    fn find_ranges(&mut self) {
        let mut expected = 0;
        for place in 0..self.order.len() {
            let RecordId { process, sequence } = self.rows[self.order[place] as usize].id();
            match self.ranges.last_mut() {
                Some(range) if range.process == process => range.end = place + 1,
                _ => {
                    self.ranges.push(Range { process, start: place, end: place + 1 });
                    expected = 0;
                }
            }
            if sequence.0 >= expected {
                self.missing += sequence.0 - expected;
                expected = sequence.0 + 1;
            } else {
                self.repeated += 1;
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

    /// How many sends have no row although a later send of the same process has one.
    pub fn missing_rows(&self) -> u64 {
        self.missing
    }

    /// How many rows name a send that another row names already.
    pub fn repeated_rows(&self) -> u64 {
        self.repeated
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
        if let Some(guess) = guess.filter(|guess| *guess < end)
            && self.sequence_at(guess) == record.sequence.0
        {
            return Some(Slot(row_number(guess)));
        }
        let within =
            self.order[start..end].binary_search_by_key(&record.sequence, |row| self.rows[*row as usize].sequence);
        within.ok().map(|place| Slot(row_number(start + place)))
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
        assert_eq!((index.missing_rows(), index.repeated_rows()), (0, 0));
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
        assert_eq!(index.missing_rows(), 3);
    }
}
