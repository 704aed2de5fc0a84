//! The first pass over reads: which chunks everybody read in full, in order, in one piece.

use std::collections::BTreeMap;

use super::chunks::{ChunkSize, Chunks, Marks};
use super::print::Print;
use crate::check::ownership::{Interval, Intervals};
use crate::check::readers::{Party, Readers};
use crate::history::tally::{ByPlace, Lookup, Place};
use crate::history::{History, ReadRow};
use crate::kafka::{LeaderEpoch, Offset, ProcessId, ReadStatus, RecordId, Sequence, TimeNs, TopicPartition};

/// What was read of each partition.
pub struct ReadSieve {
    pub(super) size: ChunkSize,
    pub(super) readers: Readers,
    pub(super) partitions: ByPlace<Read>,
    names: BTreeMap<Place, TopicPartition>,
    intervals: Intervals,
    asked: TimeNs,
}

/// What was read of one partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Read {
    pub chunks: Chunks<ReadChunk>,
    pub odd: Marks,
    /// By party, drain readers first: how often it read.
    pub reads: Vec<u64>,
    /// A reader's rows are not in the order of time, so that nobody knows here which interval they belong to.
    pub is_unordered: bool,
    /// By process: where its records lie in each chunk, as the first drain reader found them in order.
    stretches: Lookup<Vec<Stretch>>,
    standing: Lookup<Standing>,
    /// By drain reader, and by process: the highest sequence so far, and in which chunk it lies. The log is what any of them found.
    highest: Vec<Lookup<(Sequence, i64)>>,
}

/// Records of one process in one chunk, in the order of their sequences and behind everything before them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub chunk: i64,
    pub first: Sequence,
    /// The last one of the stretch before.
    before: Option<Sequence>,
}

/// What was read of one chunk.
#[derive(Clone, Debug)]
pub(super) struct ReadChunk {
    /// By party, drain readers first.
    pub parties: Vec<ByParty>,
    /// Under which epoch all of it was read.
    pub epoch: Option<LeaderEpoch>,
}

/// What one party read of a chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ByParty {
    pub print: Print,
    /// How often before anybody asked where the log ends.
    pub early: u32,
}

/// Where a reader stands in a partition.
#[derive(Clone, Debug, Default)]
struct Standing {
    last: Option<(Offset, TimeNs)>,
    /// The last epoch that it was told, and where.
    epoch: Option<(LeaderEpoch, i64)>,
    /// Its ownership intervals, and in which of them it is.
    intervals: Vec<Interval>,
    current: usize,
    is_begun: bool,
}

impl ReadSieve {
    pub(super) fn new(history: &History, readers: Readers, asked: TimeNs, size: ChunkSize) -> Self {
        let places: Vec<Place> = history.partitions.keys().copied().collect();
        let mut partitions: ByPlace<Read> = ByPlace::new(&places);
        let parties = readers.drains.len() + readers.groups.len();
        partitions.values_mut().for_each(|partition| {
            partition.reads = vec![0; parties];
            partition.highest = vec![Lookup::default(); readers.drains.len()];
        });
        let name = |place: Place| TopicPartition { topic: history.topic_name(place.0), partition: place.1 };
        let names = places.into_iter().map(|place| (place, name(place))).collect();
        Self { size, readers, partitions, names, intervals: Intervals::new(history), asked }
    }

    /// Takes rows in, of one reader from one partition.
    pub fn take_run(&mut self, run: &[ReadRow]) {
        let Some(first) = run.first() else { return };
        let place = (first.topic, first.partition);
        let Some(partition) = self.partitions.get_mut(place) else { return };
        let Some(party) = self.readers.party(first.reader) else {
            for number in run.iter().map(|read| self.size.of(read.offset)) {
                partition.odd.mark(number, number);
            }
            return;
        };
        let drains = self.readers.drains.len();
        let at = match party {
            Party::Drain(drain) => drain,
            Party::Group(group) => drains + group,
        };
        let (names, intervals) = (&self.names, &self.intervals);
        let standing = partition.standing.entry(first.reader, || Standing {
            intervals: match party {
                Party::Drain(_) => vec![Interval { from: TimeNs(0), until: None }],
                Party::Group(_) => intervals.of(&names[&place], first.reader).to_vec(),
            },
            ..Standing::default()
        });
        let mut standing = std::mem::take(standing);
        for read in run {
            let number = self.size.of(read.offset);
            partition.count(read, number, (at, self.asked));
            // What else is there claims to be somebody's, and must not count as his: the order of records is asked of intact ones.
            if let (Party::Drain(drain), ReadStatus::Intact) = (party, read.status) {
                partition.in_order(read, number, drain);
            }
            let step = standing.step(read, number, matches!(party, Party::Drain(_)));
            partition.step(step, number, self.size);
        }
        *partition.standing.entry(first.reader, Standing::default) = standing;
    }

    /// The chunks where readers stood last end a reading.
    pub(super) fn finish(&mut self) {
        for partition in self.partitions.values_mut() {
            let last: Vec<Offset> =
                partition.standing.iter().filter_map(|(_, standing)| Some(standing.last?.0)).collect();
            for offset in last {
                partition.odd.mark(self.size.of(offset), self.size.of(offset));
            }
        }
    }
}

/// What a read means after the one before it.
#[derive(Clone, Copy)]
enum Step {
    /// It goes on where that one ended.
    On,
    /// It begins something, or belongs to nothing, or is elsewhere: this and the one before it are to be looked at, and all between
    /// them if the reader jumped.
    Odd { before: Option<Offset>, is_jump: bool },
    /// Its leader epoch fell below one of another chunk.
    Fall { chunk: i64 },
    /// It is earlier than the one before it, and may belong to an earlier interval.
    Unordered,
}

impl Standing {
    fn step(&mut self, read: &ReadRow, number: i64, is_drain: bool) -> Step {
        let before = self.last.replace((read.offset, read.read_ns));
        let owns = |interval: &Interval| interval.from <= read.read_ns && interval.lasts_at(read.read_ns);
        if before.is_some_and(|(_, time)| read.read_ns < time) && !self.intervals.get(self.current).is_some_and(owns) {
            return Step::Unordered;
        }
        let before = before.map(|(offset, _)| offset);
        let was_in = (self.current, self.is_begun);
        while self.intervals.get(self.current).is_some_and(|interval| !interval.lasts_at(read.read_ns)) {
            self.current += 1;
            self.is_begun = false;
        }
        let is_inside = self.intervals.get(self.current).is_some_and(|interval| interval.from <= read.read_ns);
        if !is_inside {
            return Step::Odd { before, is_jump: false };
        }
        let begins = !self.is_begun || was_in.0 != self.current;
        self.is_begun = true;
        let falls = self.epoch.zip(read.leader_epoch).filter(|((known, _), epoch)| is_drain && epoch < known);
        if let Some(epoch) = read.leader_epoch {
            self.epoch = Some((epoch, number));
        }
        match before {
            _ if begins => Step::Odd { before, is_jump: false },
            Some(before) if before.0.checked_add(1) != Some(read.offset.0) => {
                Step::Odd { before: Some(before), is_jump: true }
            }
            _ => falls.map_or(Step::On, |((_, chunk), _)| Step::Fall { chunk }),
        }
    }
}

impl Read {
    /// Takes in that a party, which is counted so, read a record.
    fn count(&mut self, read: &ReadRow, number: i64, (at, asked): (usize, TimeNs)) {
        let (parties, epoch) = (self.reads.len(), read.leader_epoch);
        let chunk = self.chunks.at(number, || ReadChunk { parties: vec![ByParty::default(); parties], epoch });
        chunk.parties[at].print.add(read.offset, read.record, read.bytes);
        chunk.parties[at].early += u32::from(read.read_ns < asked);
        if chunk.epoch != epoch || read.status != ReadStatus::Intact {
            self.odd.mark(number, number);
        }
        self.reads[at] += 1;
    }

    fn step(&mut self, step: Step, number: i64, size: ChunkSize) {
        match step {
            Step::On => {}
            Step::Odd { before, is_jump } => {
                let before = before.map_or(number, |before| size.of(before));
                self.odd.mark(number, if is_jump { before } else { number });
                self.odd.mark(before, before);
            }
            Step::Fall { chunk } => {
                self.odd.mark(chunk, chunk);
                self.odd.mark(number, number);
            }
            Step::Unordered => self.is_unordered = true,
        }
    }

    /// Whether each process's records come in the order of their sequences, as this drain reader found them, and where they begin in
    /// each chunk.
    fn in_order(&mut self, read: &ReadRow, number: i64, drain: usize) {
        let (process, sequence) = (read.record.process, read.record.sequence);
        let highest = self.highest[drain].entry(process, || (sequence, i64::MIN));
        if highest.1 != i64::MIN && sequence <= highest.0 {
            self.odd.mark(highest.1, highest.1);
            self.odd.mark(number, number);
            return;
        }
        // A chunk of which readers found different things is not plain, so that one of them tells of all that are.
        if drain == 0 && highest.1 != number {
            let before = (highest.1 != i64::MIN).then_some(highest.0);
            self.stretches.entry(process, Vec::new).push(Stretch { chunk: number, first: sequence, before });
        }
        *highest = (sequence, number);
    }

    /// The chunk in which a record lies, if it lies in order.
    pub(super) fn home(&self, record: RecordId) -> Option<i64> {
        let stretches = self.stretches.get(record.process)?;
        let begun = stretches.partition_point(|stretch| stretch.first <= record.sequence);
        Some(stretches[begun.checked_sub(1)?].chunk)
    }

    /// A process's chunks, each with the last of its records there that lie in order.
    pub(super) fn lasts(&self, process: ProcessId) -> impl Iterator<Item = (i64, Sequence)> {
        let stretches = self.stretches.get(process).map_or(&[][..], Vec::as_slice);
        let end = self.highest.first().and_then(|highest| highest.get(process)).map(|(sequence, _)| *sequence);
        (1..=stretches.len()).filter_map(move |next| {
            let last = stretches.get(next).map_or(end, |stretch| stretch.before)?;
            Some((stretches[next - 1].chunk, last))
        })
    }
}
