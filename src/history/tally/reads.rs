//! What is counted of reads.

use std::collections::BTreeMap;

use super::{ByPlace, Highs, Lookup, Place, Spans, second_of};
use crate::history::{ProcessRole, ReadRow};
use crate::kafka::{ProcessId, ReadStatus, RecordId, TimeNs};

/// Of all reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadTally {
    /// By partition.
    pub partitions: ByPlace<PartitionReads>,
    /// By second of the run: reads by members of groups. The drain reads the whole log at once; its reads would dwarf these.
    pub by_second: Vec<u64>,
    /// The last read.
    pub last: TimeNs,
    groups: Vec<String>,
    readers: Lookup<Reader>,
}

/// Whose reads a process's are, as far as they are told apart here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Member(usize),
    Drain,
}

/// Of one partition's reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartitionReads {
    /// All of them.
    pub reads: u64,
    groups: Vec<GroupTally>,
    /// What the drain found intact, by whoever sent it.
    intact: Lookup<Spans>,
    /// What it found of other partitions.
    misplaced: Lookup<Spans>,
}

/// What a group read of one partition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupTally {
    /// How often its members read.
    pub reads: u64,
    /// What they read.
    pub offsets: Spans,
    /// How far they had got at any time.
    pub read_at: Highs,
}

impl ReadTally {
    /// Nothing counted yet.
    pub fn new(places: &[Place], processes: &BTreeMap<ProcessId, ProcessRole>) -> Self {
        let group = |role: &ProcessRole| match role {
            ProcessRole::Consumer { group, .. } => Some(group.clone()),
            _ => None,
        };
        let mut groups: Vec<String> = processes.values().filter_map(group).collect();
        groups.sort_unstable();
        groups.dedup();
        let mut readers = Lookup::default();
        for (process, role) in processes {
            let reader = match role {
                ProcessRole::Consumer { group, .. } => groups.binary_search(group).ok().map(Reader::Member),
                ProcessRole::Drain { .. } => Some(Reader::Drain),
                ProcessRole::Producer { .. } | ProcessRole::Witness => None,
            };
            if let Some(reader) = reader {
                readers.entry(*process, || reader);
            }
        }
        let mut partitions: ByPlace<PartitionReads> = ByPlace::new(places);
        for partition in &mut partitions.values {
            partition.groups = vec![GroupTally::default(); groups.len()];
        }
        Self { partitions, groups, readers, ..Self::default() }
    }

    /// Counts one.
    pub fn take(&mut self, read: &ReadRow) {
        self.take_run(std::slice::from_ref(read));
    }

    /// Counts some by one reader of one partition.
    pub fn take_run(&mut self, run: &[ReadRow]) {
        let Some(first) = run.first() else { return };
        self.last = run.iter().map(|read| read.read_ns).fold(self.last, TimeNs::max);
        let reader = self.readers.get(first.reader).copied();
        if let Some(Reader::Member(_)) = reader {
            for same in run.chunk_by(|one, other| second_of(one.read_ns) == second_of(other.read_ns)) {
                let at = second_of(same[0].read_ns);
                if at >= self.by_second.len() {
                    self.by_second.resize(at + 1, 0);
                }
                self.by_second[at] += same.len() as u64;
            }
        }
        let Some(partition) = self.partitions.get_mut((first.topic, first.partition)) else { return };
        partition.reads += run.len() as u64;
        match reader {
            Some(Reader::Member(group)) => run.iter().for_each(|read| partition.groups[group].take(read)),
            Some(Reader::Drain) => run.iter().for_each(|read| partition.drained(read)),
            None => {}
        }
    }

    /// The groups that somebody was a member of, in the order of their names.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// What a group read of a partition; `None` when it had no members.
    pub fn group(&self, place: Place, group: &str) -> Option<&GroupTally> {
        let number = self.groups.binary_search_by(|name| name.as_str().cmp(group)).ok()?;
        self.partitions.get(place).map(|partition| &partition.groups[number])
    }
}

impl GroupTally {
    fn take(&mut self, read: &ReadRow) {
        self.reads += 1;
        self.offsets.insert(read.offset.0.cast_unsigned());
        self.read_at.take(read.read_ns, read.offset);
    }

    /// How many reads were of what the group had read before.
    pub fn again(&self) -> u64 {
        self.reads - self.offsets.len()
    }
}

impl PartitionReads {
    fn drained(&mut self, read: &ReadRow) {
        let RecordId { process, sequence } = read.record;
        match read.status {
            ReadStatus::Intact => self.intact.entry(process, Spans::default).insert(sequence.0),
            ReadStatus::Misplaced => self.misplaced.entry(process, Spans::default).insert(sequence.0),
            ReadStatus::Foreign | ReadStatus::Corrupt => return,
        };
    }

    /// How many distinct intact records the drain found.
    pub fn drained_intact(&self) -> u64 {
        self.intact.iter().map(|(_, sequences)| sequences.len()).sum()
    }

    /// How many distinct records of this run it found, those of other partitions included.
    pub fn drained_of_this_run(&self) -> u64 {
        self.drained_intact() + self.misplaced.iter().map(|(_, sequences)| sequences.len()).sum::<u64>()
    }
}
