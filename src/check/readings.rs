//! What each reader read of a partition, ownership interval by ownership interval: the unit in which order and
//! completeness of reading are judged.
//!
//! **The mode decides.** A group's member subscribes: its reading of a partition is what it read from `assigned` to
//! `revoked`, to its end, or to its next `assigned` of the same partition, because each of these makes it begin anew where
//! its group's commit stands. A transformer's member that goes back after an abort (`went-back`) begins a new reading there, and
//! goes on owning. A drain reader is assigned its partitions by hand: all that it read is one reading. (Jepsen
//! judges a subscriber between two operations not at all, and an assigned one always.)
//!
//! What a member read of a partition outside of every interval of its belongs to no reading: nobody knows where it had to
//! begin.

use std::cell::OnceCell;
use std::ops::Range;
use std::sync::Arc;

use crate::anomaly::Anomaly;
use crate::history::ReadRow;
use crate::kafka::{Offset, ProcessId, TimeNs};

use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::index::row_number;
use super::log::Content;
use super::ownership::{Interval, Intervals};
use super::readers::Party;

/// Why a reading begins where it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// The reader was given the partition.
    Given,
    /// It went back to where a transaction that was aborted had begun.
    Back,
}

/// What one reader read in one ownership interval, or in that part of it between two returns.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The reader.
    pub reader: ProcessId,
    /// Whose it is.
    pub party: Party,
    /// When it began; for a drain reader the run's origin.
    pub since: TimeNs,
    /// Why it begins where it does.
    pub begins: Begins,
    /// The rows, at least one, in the order in which they were read, as indices into the partition's reads.
    pub rows: Vec<u32>,
}

/// Everything that was read of one partition.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    /// Every reading, reader by reader.
    pub all: Vec<Reading>,
    /// How many reads belong to no reading.
    pub outside: u64,
    /// By sighting: when a drain reader read it last. Asked for only where something was passed over.
    found: OnceCell<Vec<TimeNs>>,
}

impl Readings {
    /// Takes a partition's reads apart.
    pub fn of(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, intervals: &Intervals) -> Self {
        let reads = partition.reads;
        let mut order: Vec<u32> = (0..row_number(reads.len())).collect();
        // Each reader's rows are recorded in the order in which it read them, which this sort keeps.
        order.sort_by_key(|row| reads[*row as usize].reader);
        let name = partition.name();
        let mut readings = Self::default();
        for rows in order.chunk_by(|left, right| reads[*left as usize].reader == reads[*right as usize].reader) {
            let reader = reads[rows[0] as usize].reader;
            match evidence.readers.party(reader) {
                Some(party @ Party::Drain(_)) => {
                    readings.all.push(Reading {
                        reader,
                        party,
                        since: TimeNs(0),
                        begins: Begins::Given,
                        rows: rows.to_vec(),
                    });
                }
                Some(party @ Party::Group(_)) => {
                    let pieces = pieces(intervals.of(&name, reader), intervals.returns(&name, reader));
                    readings.split((reader, party), rows, reads, &pieces);
                }
                None if evidence.readers.is_witness(reader) => {}
                None => readings.outside += rows.len() as u64,
            }
        }
        readings
    }

    /// The places of the records that certainly lay in a range of offsets when `read`, which is at its end or beyond, was
    /// read.
    ///
    /// That a drain reader found a record is not enough. It has to have read it then or later, or else the log's start may have
    /// moved past it in between, and readers with it. And a record that bears a later leader's epoch than `read` was written
    /// after the log had been cut off below `read`: the log that was read is not the one that was found.
    pub fn passed<'e>(
        &'e self,
        evidence: &'e Evidence<'_>,
        partition: &'e PartitionEvidence<'_>,
        range: Range<Offset>,
        read: &'e ReadRow,
    ) -> impl Iterator<Item = usize> + 'e {
        let sightings = &partition.log.sightings;
        let from = sightings.partition_point(|sighting| sighting.offset < range.start);
        let inside = (from..sightings.len()).take_while(move |place| sightings[*place].offset < range.end);
        inside.filter(move |place| {
            let epoch = partition.reads[sightings[*place].read()].leader_epoch;
            epoch.zip(read.leader_epoch).is_none_or(|(found, read)| found <= read)
                && partition.certain(*place).is_some()
                && self.found(evidence, partition)[*place] >= read.read_ns
        })
    }

    fn found(&self, evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>) -> &[TimeNs] {
        self.found.get_or_init(|| {
            let log = &partition.log;
            let mut found = vec![TimeNs(0); log.sightings.len()];
            let is_drains = |read: &&ReadRow| matches!(evidence.readers.party(read.reader), Some(Party::Drain(_)));
            for read in partition.reads.iter().filter(is_drains) {
                let mut there = log.at(read.offset);
                if let Some(place) = there.find(|place| partition.content(&log.sightings[*place]) == Content::of(read))
                {
                    found[place] = found[place].max(read.read_ns);
                }
            }
            found
        })
    }

    fn split(&mut self, (reader, party): (ProcessId, Party), rows: &[u32], reads: &[ReadRow], pieces: &[Piece]) {
        let time = |row: &u32| reads[*row as usize].read_ns;
        let mut rest = rows;
        for (interval, begins) in pieces {
            let before = rest.iter().take_while(|row| time(row) < interval.from).count();
            let inside = rest[before..].iter().take_while(|row| interval.lasts_at(time(row))).count();
            self.outside += before as u64;
            if inside > 0 {
                let rows = rest[before..before + inside].to_vec();
                self.all.push(Reading { reader, party, since: interval.from, begins: *begins, rows });
            }
            rest = &rest[before + inside..];
        }
        self.outside += rest.len() as u64;
    }
}

/// A part of an ownership interval, and why it begins.
type Piece = (Interval, Begins);

/// Ownership intervals, cut where the member went back.
fn pieces(intervals: &[Interval], returns: &[TimeNs]) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(intervals.len());
    for interval in intervals {
        let mut piece = (*interval, Begins::Given);
        for back in returns.iter().filter(|back| interval.from < **back && interval.lasts_at(**back)) {
            pieces.push((Interval { until: Some(*back), ..piece.0 }, piece.1));
            piece = (Interval { from: *back, until: interval.until }, Begins::Back);
        }
        pieces.push(piece);
    }
    pieces
}

impl Reading {
    /// The reads, in order.
    pub fn reads<'p>(&self, partition: &PartitionEvidence<'p>) -> impl Iterator<Item = &'p ReadRow> {
        let reads = partition.reads;
        self.rows.iter().map(move |row| &reads[*row as usize])
    }
}

/// The offset after a read.
pub fn after(read: &ReadRow) -> Offset {
    Offset(read.offset.0.saturating_add(1))
}

/// Judges every reading of a run, unless the history is cut; counts the reads, and tells of those that nobody judges.
pub(super) fn judge_readings(
    evidence: &Evidence<'_>,
    findings: &mut Findings,
    judge: fn(&Evidence<'_>, &PartitionEvidence<'_>, (&Readings, &Reading), &mut Findings),
) {
    let intervals = Intervals::new(evidence.history);
    let (mut outside, mut unowned) = (0, 0);
    for partition in &evidence.partitions {
        let readings = Readings::of(evidence, partition, &intervals);
        outside += readings.outside;
        findings.examined += partition.plain.reads();
        unowned += (0..evidence.readers.groups.len())
            .filter(|group| {
                let is_its = |reading: &Reading| reading.party == Party::Group(*group);
                partition.log.group_reads[*group] > 0 && !readings.all.iter().any(is_its)
            })
            .count();
        for reading in &readings.all {
            findings.examined += reading.rows.len() as u64;
            if !evidence.is_cut() {
                judge(evidence, partition, (&readings, reading), findings);
            }
        }
    }
    if outside > 0 {
        findings.remark(format!("{outside} reads lie outside of every ownership interval, and were not judged."));
    }
    if unowned > 0 {
        findings.doubt(format!(
            "{unowned} times a group read of a partition that no member of it was ever seen to own: nobody can judge what it read there."
        ));
    }
}

/// A witness about one read.
pub(super) fn about_read(
    evidence: &Evidence<'_>,
    partition: &PartitionEvidence<'_>,
    party: Party,
    read: &ReadRow,
    text: String,
) -> Anomaly {
    let witness = partition.about_read(evidence, read, text);
    of_party(evidence, party, witness)
}

/// A witness about a member's reads names its group.
pub(super) fn of_party(evidence: &Evidence<'_>, party: Party, witness: Anomaly) -> Anomaly {
    let group = match party {
        Party::Group(group) => Some(Arc::from(evidence.readers.groups[group].as_str())),
        Party::Drain(_) => None,
    };
    Anomaly { group, ..witness }
}
