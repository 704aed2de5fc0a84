//! Which chunks are plain, once everything was seen.

use std::collections::{BTreeMap, BTreeSet};

use super::chunks::Marks;
use super::reads::{Read, ReadChunk};
use super::sends::{Sent, SentChunk};
use super::wanted::{OfPlace, Wanted};
use super::{ChunkSize, Sieve};
use crate::check::readers::Readers;
use crate::check::timeline::Timeline;
use crate::history::History;
use crate::history::tally::{Place, SendTally};
use crate::kafka::{BrokerId, LeaderEpoch, Offset, TimeNs};
use crate::scenario::Scenario;

/// What both passes know of one chunk.
#[derive(Clone, Copy)]
struct Both<'s> {
    number: i64,
    sent: &'s SentChunk,
    read: &'s ReadChunk,
}

pub(super) fn settle(sieve: Sieve, history: &History, scenario: &Scenario, tally: &SendTally) -> Wanted {
    let Sieve { sends, reads } = sieve;
    let timeline = Timeline::new(history);
    let size = sends.size;
    let readers = reads.readers;
    let mut wanted = Wanted::new(size, readers.drains.len());
    for ((place, sent), read) in
        sends.partitions.into_values().zip(reads.partitions.into_values().map(|(_, read)| read))
    {
        let topic = history.topic_name(place.0);
        let mut concerned = vec![false; readers.groups.len()];
        for (number, name) in readers.groups.iter().enumerate() {
            let subscribes = scenario.all_groups().any(|group| group.name == *name && group.topics.contains(&topic));
            concerned[number] = subscribes || read.reads[readers.drains.len() + number] > 0;
        }
        let of_partition = Partition { size, readers: &readers, concerned: &concerned, sent: &sent, read: &read };
        // Of two rows that name one send nobody knows which one is meant, wherever they are.
        let is_told_once = tally.partitions.get(place).is_some_and(|sends| sends.repeated == 0);
        let plain = match bounds(&timeline, place) {
            Some(bounds) if is_told_once && !read.is_unordered && !readers.drains.is_empty() => {
                of_partition.plain(bounds)
            }
            _ => BTreeSet::new(),
        };
        wanted.add(place, OfPlace { plain, concerned, read });
    }
    wanted
}

/// Between which offsets a log is known to lie, below everything that somebody is kept from.
fn bounds(timeline: &Timeline, place: Place) -> Option<(Offset, Offset)> {
    let told = timeline.ranges.get(&place)?;
    let start = told.start.max(timeline.starts.get(&place).copied().unwrap_or(Offset(0)));
    Some((start, told.high_watermark.map_or(told.end, |high| high.min(told.end))))
}

struct Partition<'s> {
    size: ChunkSize,
    readers: &'s Readers,
    concerned: &'s [bool],
    sent: &'s Sent,
    read: &'s Read,
}

impl<'s> Partition<'s> {
    fn plain(&self, (start, end): (Offset, Offset)) -> BTreeSet<i64> {
        let odd = [self.read.odd.clone().settled(), self.out_of_real_time()];
        let is_inside = |number: i64| self.size.start(number) >= start && self.size.start(number + 1) <= end;
        let both = self
            .sent
            .chunks
            .iter()
            .filter_map(|(number, sent)| Some(Both { number, sent, read: self.read.chunks.get(number)? }));
        let candidates: Vec<Both<'s>> = both
            .filter(|chunk| is_inside(chunk.number) && odd.iter().all(|odd| !odd.has(chunk.number)))
            .filter(|chunk| self.is_read_as_sent(chunk))
            .collect();
        let terms = of_terms(&candidates);
        let so_far: BTreeSet<i64> =
            candidates.iter().filter(|chunk| !terms.contains(&chunk.number)).map(|chunk| chunk.number).collect();
        let is_plain = |number: i64| so_far.contains(&number) || self.size.start(number) < start;
        so_far.iter().copied().filter(|number| is_plain(number - 1) && is_plain(number + 1)).collect()
    }

    /// Whether everybody who had to read exactly what was acknowledged.
    fn is_read_as_sent(&self, chunk: &Both<'_>) -> bool {
        let (drains, groups) = chunk.read.parties.split_at(self.readers.drains.len());
        let is_read = |print| print == chunk.sent.print;
        chunk.sent.is_whole
            && chunk.sent.broker.is_some()
            && drains.iter().all(|drain| is_read(drain.print))
            && groups.iter().zip(self.concerned).all(|(group, concerned)| !concerned || is_read(group.print))
    }

    /// The chunks of which some record was sent after one was acknowledged that lies behind its chunk, or the other way round.
    fn out_of_real_time(&self) -> Marks {
        let chunks: Vec<(i64, &SentChunk)> = self.sent.chunks.iter().collect();
        let mut marks = Marks::default();
        let mut latest_invoke = TimeNs(0);
        for (number, chunk) in &chunks {
            if latest_invoke > chunk.earliest_ack {
                marks.mark(*number, *number);
            }
            latest_invoke = latest_invoke.max(chunk.latest_invoke);
        }
        let mut earliest_ack = TimeNs(u64::MAX);
        for (number, chunk) in chunks.iter().rev() {
            if chunk.latest_invoke > earliest_ack {
                marks.mark(*number, *number);
            }
            earliest_ack = earliest_ack.min(chunk.earliest_ack);
        }
        marks.settled()
    }
}

/// The chunks with which an epoch may end, and those with which it begins with a broker.
fn of_terms(candidates: &[Both<'_>]) -> BTreeSet<i64> {
    let mut lasted: BTreeMap<Option<LeaderEpoch>, TimeNs> = BTreeMap::new();
    let mut brokers: BTreeSet<(Option<LeaderEpoch>, Option<BrokerId>)> = BTreeSet::new();
    let mut odd = BTreeSet::new();
    for chunk in candidates {
        let last = lasted.entry(chunk.read.epoch).or_insert(TimeNs(0));
        *last = chunk.sent.latest_invoke.max(*last);
    }
    for chunk in candidates {
        // One of which not every acknowledgement counts is no witness for its broker, and is looked at itself.
        if chunk.sent.latest_ack >= lasted[&chunk.read.epoch] || brokers.insert((chunk.read.epoch, chunk.sent.broker)) {
            odd.insert(chunk.number);
        }
    }
    odd
}
