//! One partition's log, as all readers together saw it.
//!
//! A *sighting* is one content at one offset, however many readers saw it; sightings are ordered by offset, so holes
//! (transaction markers, compacted offsets) cost nothing and no structure grows with the offsets' values. Sixteen bytes a
//! sighting, one bit a sighting and drain reader, two a sighting and group, five bytes a send.
//!
//! What a witness read (`ProcessRole::Witness`) is left out: it was given what nobody relies on.
//!
//! The *final log* is what the drain readers saw: they started when the load had ended and share nothing with it. Beyond
//! the offset that any of them reached, what the groups' members read stands in for it.

use std::ops::Range;

use crate::history::{Plain, ReadRow};
use crate::kafka::{Offset, ProcessId, ReadStatus, RecordId};

use super::bits::Bits;
use super::index::{SendIndex, Slot, row_number};
use super::readers::{Party, Readers};

/// What lies at an offset, as far as the bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// A record of this run, sent to this partition.
    Intact(RecordId),
    /// A record of this run, sent to another partition.
    Misplaced(RecordId),
    /// A record that this run did not send.
    Foreign,
    /// Bytes that disagree with their checksum, or other headers or another timestamp than theirs: which record they were,
    /// nobody knows.
    Corrupt,
}

impl Content {
    /// The content that a reader found.
    pub fn of(read: &ReadRow) -> Self {
        match read.status {
            ReadStatus::Intact => Self::Intact(read.record),
            ReadStatus::Misplaced => Self::Misplaced(read.record),
            ReadStatus::Foreign => Self::Foreign,
            ReadStatus::Corrupt => Self::Corrupt,
        }
    }

    /// Whether two contents are certainly two records. Corrupt bytes may be either.
    pub fn contradicts(self, other: Self) -> bool {
        self != other && self != Self::Corrupt && other != Self::Corrupt
    }
}

const NO_SEND: u32 = u32::MAX;
const NEVER_SEEN: u32 = u32::MAX;

/// One content at one offset.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    /// Where.
    pub offset: Offset,
    send: u32,
    read: u32,
}

impl Sighting {
    /// The send of the record, when the content is intact and its send has a row.
    pub fn slot(&self) -> Option<Slot> {
        (self.send != NO_SEND).then_some(Slot(self.send))
    }

    /// The row of the first reader that saw it, as an index into the partition's reads.
    pub fn read(&self) -> usize {
        self.read as usize
    }
}

/// How far one drain reader got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The reader.
    pub reader: ProcessId,
    /// It saw everything below this offset that can be seen.
    pub reached: Offset,
    /// Whether that is the partition's end offset or beyond.
    pub complete: bool,
}

/// One partition's log.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Every sighting, by offset.
    pub sightings: Vec<Sighting>,
    /// By drain reader: which sightings are its.
    pub by_drain: Vec<Bits>,
    /// By group: which sightings are its members'.
    pub by_group: Vec<Bits>,
    /// By group: which sightings its members read more than once.
    pub again_by_group: Vec<Bits>,
    /// By group: how many reads its members made.
    pub group_reads: Vec<u64>,
    /// By group: one past the highest offset that its members read.
    pub group_reached: Vec<Offset>,
    /// By drain reader: one past the highest offset that it read.
    pub drain_reached: Vec<Offset>,
    /// Sightings that some drain reader saw.
    pub drained: Bits,
    /// Intact reads whose length is not the sent one, one a sighting, as indices into the partition's reads.
    pub odd_lengths: Vec<u32>,
    first_seen: Vec<u32>,
    kept: Bits,
    copies: Vec<(u32, u32)>,
}

impl Log {
    /// Brings the reads of one partition together.
    pub fn new(reads: &[ReadRow], index: &SendIndex<'_>, readers: &Readers) -> Self {
        let mut order: Vec<u32> = (0..row_number(reads.len())).collect();
        if readers.have_witness() {
            order.retain(|row| !readers.is_witness(reads[*row as usize].reader));
        }
        // Each reader's rows ascend, so that with the readers one after another a merging sort has few runs to merge.
        order.sort_by_key(|row| reads[*row as usize].reader);
        order.sort_by(|left, right| {
            let (left, right) = (&reads[*left as usize], &reads[*right as usize]);
            left.offset.cmp(&right.offset).then_with(|| Content::of(left).cmp(&Content::of(right)))
        });
        let mut log = Self::empty(readers, index.len());
        log.find_sightings(reads, &order, index);
        log.attribute(reads, &order, readers);
        log.find_places();
        log
    }

    /// Takes in what was read that is in no row, because it is plain: how far readers got with it, and how often groups read.
    pub(super) fn add_plain(&mut self, plain: &Plain) {
        if plain.spans.is_empty() {
            return;
        }
        for reached in &mut self.drain_reached {
            *reached = (*reached).max(plain.end());
        }
        for ((reads, reached), plainly) in
            self.group_reads.iter_mut().zip(&mut self.group_reached).zip(&plain.group_reads)
        {
            *reads += plainly;
            if *plainly > 0 {
                *reached = (*reached).max(plain.end());
            }
        }
    }

    fn empty(readers: &Readers, sends: usize) -> Self {
        let (groups, drains) = (readers.groups.len(), readers.drains.len());
        Self {
            group_reads: vec![0; groups],
            group_reached: vec![Offset(0); groups],
            drain_reached: vec![Offset(0); drains],
            first_seen: vec![NEVER_SEEN; sends],
            ..Self::default()
        }
    }

    fn find_sightings(&mut self, reads: &[ReadRow], order: &[u32], index: &SendIndex<'_>) {
        let mut previous: Option<(Offset, Content)> = None;
        let mut odd = None;
        for row in order {
            let read = &reads[*row as usize];
            let content = Content::of(read);
            if previous != Some((read.offset, content)) {
                previous = Some((read.offset, content));
                let send = match content {
                    Content::Intact(record) => index.find(record).map_or(NO_SEND, |slot| slot.0),
                    _ => NO_SEND,
                };
                self.sightings.push(Sighting { offset: read.offset, send, read: *row });
            }
            let sighting = self.sightings.len() - 1;
            let sent = self.sightings[sighting].slot().map(|slot| index.send(slot).bytes);
            if sent.is_some_and(|bytes| bytes != read.bytes) && odd != Some(sighting) {
                odd = Some(sighting);
                self.odd_lengths.push(*row);
            }
        }
    }

    fn attribute(&mut self, reads: &[ReadRow], order: &[u32], readers: &Readers) {
        let len = self.sightings.len();
        self.by_drain = vec![Bits::unset(len); readers.drains.len()];
        self.by_group = vec![Bits::unset(len); readers.groups.len()];
        self.again_by_group = self.by_group.clone();
        self.drained = Bits::unset(len);
        let mut sighting = 0;
        for row in order {
            let read = &reads[*row as usize];
            while sighting + 1 < len && self.is_before(sighting, read, reads) {
                sighting += 1;
            }
            let past = Offset(read.offset.0.saturating_add(1));
            match readers.party(read.reader) {
                Some(Party::Drain(reader)) => {
                    self.by_drain[reader].set(sighting);
                    self.drained.set(sighting);
                    self.drain_reached[reader] = self.drain_reached[reader].max(past);
                }
                Some(Party::Group(group)) => {
                    if self.by_group[group].get(sighting) {
                        self.again_by_group[group].set(sighting);
                    }
                    self.by_group[group].set(sighting);
                    self.group_reads[group] += 1;
                    self.group_reached[group] = self.group_reached[group].max(past);
                }
                None => {}
            }
        }
    }

    fn is_before(&self, sighting: usize, read: &ReadRow, reads: &[ReadRow]) -> bool {
        let sighting = &self.sightings[sighting];
        (sighting.offset, Content::of(&reads[sighting.read()])) < (read.offset, Content::of(read))
    }

    fn find_places(&mut self) {
        self.kept = Bits::unset(self.first_seen.len());
        for (place, sighting) in self.sightings.iter().enumerate() {
            let Some(slot) = sighting.slot() else { continue };
            if self.drained.get(place) {
                self.kept.set(slot.index());
            }
            let first = &mut self.first_seen[slot.index()];
            if *first == NEVER_SEEN {
                *first = row_number(place);
            } else {
                self.copies.push((slot.0, row_number(place)));
            }
        }
        self.copies.sort_unstable();
    }

    /// Whether any reader saw the record.
    pub fn is_seen(&self, slot: Slot) -> bool {
        self.first_seen[slot.index()] != NEVER_SEEN
    }

    /// Whether a drain reader saw the record, at whatever offset.
    pub fn is_drained(&self, slot: Slot) -> bool {
        self.kept.get(slot.index())
    }

    /// The places in `sightings` where the record was seen, by offset; more than one makes it a duplicate.
    pub fn places(&self, slot: Slot) -> impl Iterator<Item = usize> + '_ {
        let first = self.first_seen[slot.index()];
        let from = self.copies.partition_point(|(copy, _)| *copy < slot.0);
        let further = self.copies[from..].iter().take_while(move |(copy, _)| *copy == slot.0).map(|(_, place)| *place);
        (first != NEVER_SEEN).then_some(first).into_iter().chain(further).map(|place| place as usize)
    }

    /// The records that were seen at more than one offset, each once, by process and sequence.
    pub fn duplicated(&self) -> impl Iterator<Item = Slot> + '_ {
        self.copies.chunk_by(|left, right| left.0 == right.0).map(|copies| Slot(copies[0].0))
    }

    /// The places in `sightings` of everything seen at an offset.
    pub fn at(&self, offset: Offset) -> Range<usize> {
        let start = self.sightings.partition_point(|sighting| sighting.offset < offset);
        let len = self.sightings[start..].iter().take_while(|sighting| sighting.offset == offset).count();
        start..start + len
    }

    /// Whether the record was seen at an offset, and where in `sightings`.
    pub fn place_at(&self, slot: Slot, offset: Offset) -> Option<usize> {
        self.places(slot).find(|place| self.sightings[*place].offset == offset)
    }

    /// The other places in `sightings` at the offset of this one.
    pub fn at_neighbours(&self, place: usize) -> impl Iterator<Item = usize> + '_ {
        let offset = self.sightings[place].offset;
        let same = move |other: &usize| self.sightings[*other].offset == offset;
        let below = (0..place).rev().take_while(same);
        below.chain((place + 1..self.sightings.len()).take_while(same))
    }
}
