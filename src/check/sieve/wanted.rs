//! Which rows have to be looked at, and what the others are told as.

use std::collections::{BTreeMap, BTreeSet};

use super::Run;
use super::chunks::ChunkSize;
use super::reads::Read;
use crate::check::commits::Commits;
use crate::check::evidence::{Evidence, PartitionEvidence};
use crate::check::handover::begins_at;
use crate::check::log::Content;
use crate::check::ownership::Intervals;
use crate::check::whereabouts::Whereabouts;
use crate::history::tally::Place;
use crate::history::{History, Plain, PlainSpan, ReadRow, SendRow};
use crate::kafka::{Offset, Outcome, ProcessId, RecordId, Sequence};

/// Which rows have to be looked at: those that are in no plain chunk.
pub struct Wanted {
    size: ChunkSize,
    drains: usize,
    places: BTreeMap<Place, OfPlace>,
}

/// What is known of one partition.
pub(super) struct OfPlace {
    pub plain: BTreeSet<i64>,
    pub concerned: Vec<bool>,
    pub read: Read,
}

impl Wanted {
    pub(super) fn new(size: ChunkSize, drains: usize) -> Self {
        Self { size, drains, places: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, place: Place, known: OfPlace) {
        self.places.insert(place, known);
    }

    /// Whether a row of an acknowledgement, or of something else, has to be looked at.
    pub fn send(&self, send: &SendRow) -> bool {
        let is_acked = send.outcome == Outcome::Ok;
        send.offset.filter(|_| is_acked).is_none_or(|offset| self.is_wanted((send.topic, send.partition), offset))
    }

    /// Whether a row of a read has to be looked at.
    pub fn read(&self, read: &ReadRow) -> bool {
        self.is_wanted((read.topic, read.partition), read.offset)
    }

    fn is_wanted(&self, place: Place, offset: Offset) -> bool {
        self.places.get(&place).is_none_or(|known| !known.plain.contains(&self.size.of(offset)))
    }

    /// Whether anything between two offsets of a partition, both included, has to be looked at.
    pub fn any_between(&self, place: Place, first: Offset, last: Offset) -> bool {
        let Some(known) = self.places.get(&place) else { return true };
        let (first, last) = (self.size.of(first), self.size.of(last));
        let plain = known.plain.range(first..=last).count();
        i64::try_from(plain).expect("a set that fits into memory") <= last - first
    }

    /// Looks at what was brought so far for what cannot be judged without rows that were not; whether there is more to be brought.
    /// `history` has what is told of the plain chunks already.
    pub fn widen(&mut self, history: &History, run: Run<'_>) -> bool {
        let mut more: Vec<(Place, i64, i64)> = Vec::new();
        let evidence = Evidence::gather(history, run.scenario, run.plan);
        for partition in &evidence.partitions {
            let Some(known) = self.places.get(&partition.key) else { continue };
            for sighting in partition.log.sightings.iter().filter(|sighting| sighting.slot().is_none()) {
                if let Content::Intact(record) = partition.content(sighting)
                    && let Some(home) = known.home(record)
                {
                    more.push((partition.key, home, home));
                }
            }
            let chunks = known.ahead_of_late_ones(partition, self.size);
            let chunks = chunks.into_iter().chain(known.of_unknown_ids(&evidence, partition, self.size));
            more.extend(chunks.map(|chunk| (partition.key, chunk, chunk)));
        }
        let intervals = Intervals::new(history);
        let commits = Commits::new(&evidence, &intervals);
        for (place, begin, first) in begins_at(&evidence, &intervals, &commits) {
            more.push((place, self.size.of(begin), self.size.of(first)));
        }
        let mut has_more = false;
        for (place, first, last) in more {
            let Some(known) = self.places.get_mut(&place) else { continue };
            let brought: Vec<i64> =
                known.plain.range(first.saturating_sub(1)..=last.saturating_add(1)).copied().collect();
            if brought.iter().any(|chunk| (first..=last).contains(chunk)) {
                has_more = true;
                for chunk in &brought {
                    known.plain.remove(chunk);
                }
            }
        }
        has_more
    }

    /// What is told of each partition's plain chunks.
    pub fn plain(&self) -> impl Iterator<Item = (Place, Plain)> + '_ {
        self.places.iter().map(|(place, known)| (*place, known.told(self.size, self.drains)))
    }
}

impl OfPlace {
    /// The plain chunk in which a record was acknowledged, if it was in one.
    fn home(&self, record: RecordId) -> Option<i64> {
        self.read.home(record).filter(|chunk| self.plain.contains(chunk))
    }

    /// The plain chunks with the record that a late one has to be held against: of what lies before it, the last that is certain. What
    /// was marked when the late one was read may be a record that nobody convicts by, such as one of unknown outcome.
    fn ahead_of_late_ones(&self, partition: &PartitionEvidence<'_>, size: ChunkSize) -> BTreeSet<i64> {
        // By process: its plain chunks in order, each with the greatest sequence so far.
        let mut lasts: BTreeMap<ProcessId, Vec<(i64, Sequence)>> = BTreeMap::new();
        let mut ahead = BTreeSet::new();
        for (place, sighting) in partition.log.sightings.iter().enumerate() {
            let Some(slot) = sighting.slot().filter(|_| partition.is_final(place)) else { continue };
            let RecordId { process, sequence } = partition.sends.send(slot).id();
            let lasts = lasts.entry(process).or_insert_with(|| {
                let mut plain: Vec<_> =
                    self.read.lasts(process).filter(|(chunk, _)| self.plain.contains(chunk)).collect();
                plain.sort_unstable();
                plain
            });
            // In plain chunks records lie behind everything before them, so that the last one has the greatest sequence.
            let before = lasts.partition_point(|(chunk, _)| *chunk < size.of(sighting.offset));
            if let Some((chunk, last)) = before.checked_sub(1).map(|at| lasts[at])
                && last > sequence
            {
                ahead.insert(chunk);
            }
        }
        ahead
    }

    /// Where a record was acknowledged and is not seen, replicas tell whose batches lie there, by producer ids that follow from records
    /// which are certain: a plain chunk for each id that follows from none so far.
    fn of_unknown_ids(
        &self,
        evidence: &Evidence<'_>,
        partition: &PartitionEvidence<'_>,
        size: ChunkSize,
    ) -> BTreeSet<i64> {
        let mut chunks = BTreeSet::new();
        if partition.replicas.is_empty() || partition.is_all_there() {
            return chunks;
        }
        for batch in Whereabouts::of(evidence, partition).nobodys() {
            let of_batch = [batch.base_offset, batch.last_offset].map(|offset| size.of(offset));
            chunks.extend(of_batch.iter().find(|chunk| self.plain.contains(chunk)));
        }
        chunks
    }

    fn told(&self, size: ChunkSize, drains: usize) -> Plain {
        let mut spans: Vec<PlainSpan> = Vec::new();
        let mut early_reads = vec![0_u64; self.concerned.len()];
        for number in &self.plain {
            let chunk = self.read.chunks.get(*number).expect("a plain chunk was read");
            let (start, end) = (size.start(*number), size.start(*number + 1));
            match spans.last_mut().filter(|span| span.end == start && span.epoch == chunk.epoch) {
                Some(span) => span.end = end,
                None => spans.push(PlainSpan { start, end, epoch: chunk.epoch }),
            }
            for (early, group) in early_reads.iter_mut().zip(&chunk.parties[drains..]) {
                *early += u64::from(group.early);
            }
        }
        let records: u64 = spans.iter().map(PlainSpan::len).sum();
        let group_reads = self.concerned.iter().map(|concerned| if *concerned { records } else { 0 }).collect();
        Plain { spans, group_reads, early_reads, drains: drains as u64 }
    }
}
