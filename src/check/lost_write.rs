//! `lost-write`: an acknowledged record is not in the log.
//!
//! **Definition.** A record *must be in the log* when its send is `ok`, or `info` and some read shows it (Jepsen's
//! must-have-committed; of a record in a transaction, the read of somebody who waits for commits). It is in the log when any
//! drain reader read it, at whatever offset. It is lost when it is not,
//! although a drain reader passed the offset where it has to be, or read the partition to its end.
//!
//! **Why Kafka promises it.** With `acks=all` a broker acknowledges once every in-sync replica has the record, and only
//! such a replica may become leader while unclean election is off; so what was acknowledged below the high watermark
//! stays. `acks=1`, `min.insync.replicas=1` and unclean election give the promise away, which the controls show.
//!
//! **Against Jepsen.** Jepsen's bound is the highest offset that any poll read: what lies below has to be read, and the
//! loss of the log's tail is never a lost write (it is `unseen`). Here the bound is how far a drain reader got, which is
//! never lower for a finished drain: the end offset is asked of the cluster after the heals, so tail loss counts, and so
//! does a record acknowledged without an offset. The place where a record has to be is its acknowledged offset, else the
//! lowest offset where a group's member read it.
//!
//! **When it cannot tell** (unknown, never valid): the partition's drain is incomplete, and the record's place is beyond
//! what was read, or has no known offset; the place is below the log's start, where retention removes records by right,
//! and no group's member read it there before; one drain reader read the record, and another one passed its offset
//! without reading anything there (delayed or unstable visibility: there is no third reader to settle it); rows may be
//! missing because the history is cut; a fault deleted records of the partition, and nobody knows whether one without a known
//! offset was among them; no send at all was acknowledged. Corrupt bytes at the record's place are charged to `corrupt`.
//!
//! **The tail, told apart.** What lies at the end offset that the drain was given, or above, and was not read, is one of these:
//! - *lost*: the log ends there, as the cluster said after the heals, and the record lies beyond;
//! - *above the last stable offset*: it lies inside the log, below the high watermark, and an open transaction keeps readers
//!   from it (a hanging one, if its coordinator never ends it). Unknown: it is there, and nobody can get it;
//! - *delayed*: a group's member read it there after the end offset had been told. Unknown: it was there later, and no drain
//!   reader confirmed it. That a member had read it before is no excuse, for then the log had it and has lost it.
//!
//! Older histories do not tell the high watermark; there a partition whose readers are held back has no end offset.
//!
//! **Deleted on purpose**: what lies below the offset up to which a `delete-records` fault deleted, as the cluster confirmed it
//! (`Deed::RecordsDeleted`), and below the log's start, is owed by nobody. It is counted, and told in the notes. What is missing
//! at that offset or above is judged as ever.
//!
//! **Where it still is**: each witness tells what every broker's disk had at the record's offset in the end (`whereabouts`), under
//! which leader epoch: whether the loser cut it off, and whose record has its place.
//!
//! **Told together** (`losses`): lost records whose acknowledged offsets follow one another are one stretch, told in a note: by whom
//! it was acknowledged, from when to when, and which fault struck next.
//!
//! **Examined**: records that must be in the log.

use std::cell::LazyCell;
use std::ops::Range;

use crate::anomaly::{CheckName, CheckResult};
use crate::history::{ReadRow, SendRow};
use crate::kafka::{Offset, Outcome, RecordId};

use super::Checker;
use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::index::Slot;
use super::log::Content;
use super::losses::{self, Loss};
use super::readers::Party;
use super::whereabouts::Whereabouts;
use super::witness::Shown;

/// Looks for acknowledged records that the drain did not find.
pub struct LostWrite;

/// What became of a record that must be in the log and that no drain reader read.
enum Fate {
    /// A drain reader passed its place.
    Lost,
    /// Corrupt bytes lie at its place.
    Corrupt,
    /// Its place lies below the log's start, and it was read there before.
    Retained,
    /// A fault deleted it on purpose.
    Deleted,
    /// A fault deleted records of its partition, and where its place was nobody knows.
    MaybeDeleted,
    /// Its place lies below the log's start, and nobody read it before.
    BelowStart,
    /// Its place lies beyond what was read.
    NotReached,
    /// An open transaction keeps readers from its place, or may: where that is nobody knows.
    AboveStable,
    /// Its place lies beyond the end that the drain was given, and a member read it there afterwards.
    Delayed,
}

impl Checker for LostWrite {
    fn name(&self) -> CheckName {
        CheckName::LostWrite
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::LostWrite);
        findings.doubts(&evidence.blind_spots());
        for partition in &evidence.partitions {
            check_partition(evidence, partition, &mut findings);
        }
        if findings.examined > 0 && evidence.tally.sends.first_ack.is_none() {
            findings.doubt("No send was acknowledged: only records of unknown outcome could be examined.");
        }
        findings.finish()
    }
}

fn check_partition(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, findings: &mut Findings) {
    let whereabouts = LazyCell::new(|| Whereabouts::of(evidence, partition));
    let mut missing = Missing::default();
    let late = read_late(evidence, partition);
    findings.examined += partition.plain.records();
    let mut losses = Vec::new();
    for (slot, send) in partition.sends.iter() {
        if !partition.must_have(evidence, slot, send) {
            continue;
        }
        findings.examined += 1;
        if partition.log.is_drained(slot) {
            continue;
        }
        let place = place(partition, slot, send);
        match fate(partition, slot, place, &late) {
            Fate::Lost => {
                losses.extend(place.filter(|_| send.outcome == Outcome::Ok).map(|place| Loss::of(send, place)));
                findings.violation(|| {
                    let text = explain(evidence, partition, send, place);
                    let still = place.and_then(|place| whereabouts.tell(send.id(), place));
                    let text = still.map_or_else(|| text.clone(), |still| format!("{text} {still}"));
                    partition.about(evidence, send, place.filter(|_| partition.log.is_seen(slot)), text)
                });
            }
            Fate::Corrupt | Fate::Retained => {}
            Fate::Deleted => {
                findings.examined -= 1;
                missing.deleted += 1;
            }
            Fate::MaybeDeleted => missing.maybe_deleted += 1,
            Fate::BelowStart => missing.below_start += 1,
            Fate::NotReached => missing.not_reached += 1,
            Fate::AboveStable => missing.above_stable += 1,
            Fate::Delayed => missing.delayed += 1,
        }
    }
    missing.tell(partition, findings);
    if !losses.is_empty() {
        for sentence in losses::tell(evidence, partition, losses) {
            findings.remark(sentence);
        }
    }
    let unstable = unstable(partition);
    if unstable > 0 {
        findings.doubt(format!(
            "{unstable} offsets of {} were read by one drain reader and passed over by another: the log was not stable.",
            partition.name()
        ));
    }
    let unshown = partition.shown.as_ref().map_or(0, |shown| unshown(partition, shown));
    if unshown > 0 {
        findings.doubt(format!(
            "{unshown} offsets of {} were read by a drain reader and passed over by the witness, who is shown everything: the log was \
             not stable.",
            partition.name()
        ));
    }
}

/// How many records of a partition no drain reader read although they are not known to be lost.
#[derive(Default)]
struct Missing {
    deleted: u64,
    maybe_deleted: u64,
    below_start: u64,
    not_reached: u64,
    above_stable: u64,
    delayed: u64,
}

impl Missing {
    fn tell(&self, partition: &PartitionEvidence<'_>, findings: &mut Findings) {
        let name = partition.name();
        let Self { deleted, maybe_deleted, below_start, not_reached, above_stable, delayed } = self;
        if *deleted > 0 {
            findings.remark(format!("{deleted} acknowledged records of {name} were deleted on purpose, by a fault."));
        }
        if *maybe_deleted > 0 {
            findings.doubt(format!(
                "{maybe_deleted} records of {name} were acknowledged without an offset: a fault may have deleted them on purpose."
            ));
        }
        if *below_start > 0 {
            findings.doubt(format!(
                "{below_start} acknowledged records of {name} lie, or may lie, below its log start: retention removed them."
            ));
        }
        if *not_reached > 0 {
            findings.doubt(format!("{not_reached} acknowledged records of {name} lie beyond what the drain read."));
        }
        if let Some(Range { start, end }) = partition.hidden.as_ref().filter(|_| *above_stable > 0) {
            findings.doubt(format!(
                "{above_stable} records of {name} lie, or may lie, above the last stable offset {start} and below the high watermark \
                 {end}: an open transaction keeps readers from them."
            ));
        }
        if *delayed > 0 {
            findings.doubt(format!(
                "{delayed} acknowledged records of {name} came to light only after its end offset had been told: delayed, not \
                 lost, and no drain reader confirmed them."
            ));
        }
    }
}

/// What groups' members read at or above the partition's end offset after that had been told, sorted.
fn read_late(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>) -> Vec<(Offset, RecordId)> {
    let (Some((_, end)), Some(told)) = (partition.range, partition.told_ns) else { return Vec::new() };
    let is_members = |read: &&ReadRow| matches!(evidence.readers.party(read.reader), Some(Party::Group(_)));
    let late = partition.reads.iter().filter(|read| read.offset >= end && read.read_ns >= told).filter(is_members);
    let mut records: Vec<_> = late
        .filter_map(|read| match Content::of(read) {
            Content::Intact(record) => Some((read.offset, record)),
            _ => None,
        })
        .collect();
    records.sort_unstable();
    records
}

/// Where the record has to be.
fn place(partition: &PartitionEvidence<'_>, slot: Slot, send: &SendRow) -> Option<Offset> {
    let acked = send.offset.filter(|_| send.outcome == Outcome::Ok);
    acked.or_else(|| partition.log.places(slot).next().map(|place| partition.log.sightings[place].offset))
}

fn fate(partition: &PartitionEvidence<'_>, slot: Slot, place: Option<Offset>, late: &[(Offset, RecordId)]) -> Fate {
    let Some(offset) = place else {
        return match (partition.deleted_below, &partition.hidden, partition.is_drained()) {
            (Some(_), ..) => Fate::MaybeDeleted,
            (None, ..) if partition.range.is_some_and(|(start, _)| start > Offset(0)) => Fate::BelowStart,
            (None, Some(_), _) => Fate::AboveStable,
            (None, None, true) => Fate::Lost,
            (None, None, false) => Fate::NotReached,
        };
    };
    if partition.range.is_some_and(|(start, _)| offset < start) {
        if partition.deleted_below.is_some_and(|below| offset < below) {
            return Fate::Deleted;
        }
        let kept = partition.log.place_at(slot, offset).is_some();
        return if kept { Fate::Retained } else { Fate::BelowStart };
    }
    if partition.hidden.as_ref().is_some_and(|hidden| hidden.contains(&offset)) {
        return Fate::AboveStable;
    }
    if late.binary_search(&(offset, partition.sends.send(slot).id())).is_ok() {
        return Fate::Delayed;
    }
    // A drain that was read to its end has passed all that lies beyond the log's.
    if offset >= partition.drain_reached() && !partition.is_read_to_its_end() {
        return Fate::NotReached;
    }
    let drained_corrupt = partition.log.at(offset).any(|place| {
        partition.log.drained.get(place) && partition.content(&partition.log.sightings[place]) == Content::Corrupt
    });
    if drained_corrupt { Fate::Corrupt } else { Fate::Lost }
}

/// Offsets that one drain reader read and another one passed without reading anything there.
fn unstable(partition: &PartitionEvidence<'_>) -> u64 {
    let log = &partition.log;
    let start = partition.range.map_or(Offset(0), |(start, _)| start);
    let mut unstable = 0;
    let mut place = 0;
    while place < log.sightings.len() {
        let offset = log.sightings[place].offset;
        let next = place + log.sightings[place..].iter().take_while(|sighting| sighting.offset == offset).count();
        let drained = (place..next).any(|place| log.drained.get(place));
        let missed_by_one = partition
            .reaches
            .iter()
            .zip(&log.by_drain)
            .any(|(reach, seen)| reach.reached > offset && !(place..next).any(|place| seen.get(place)));
        unstable += u64::from(drained && missed_by_one && offset >= start);
        place = next;
    }
    unstable
}

/// Offsets that a drain reader read and the witness passed without being shown anything there.
fn unshown(partition: &PartitionEvidence<'_>, shown: &Shown<'_>) -> u64 {
    let log = &partition.log;
    let drained = log.sightings.iter().enumerate().filter(|(place, _)| log.drained.get(*place));
    let mut offsets: Vec<Offset> = drained.map(|(_, sighting)| sighting.offset).collect();
    offsets.dedup();
    offsets.iter().filter(|offset| **offset < shown.reached && shown.at(**offset).next().is_none()).count() as u64
}

fn explain(
    evidence: &Evidence<'_>,
    partition: &PartitionEvidence<'_>,
    send: &SendRow,
    place: Option<Offset>,
) -> String {
    let record = evidence.name(send.id());
    let reached = partition.drain_reached();
    match (send.outcome, place) {
        (Outcome::Ok, Some(offset)) => {
            let hidden = partition.hidden.as_ref().map(|hidden| hidden.end);
            let end = hidden.or(partition.range.map(|(_, end)| end)).filter(|end| offset >= *end);
            let end = end.map_or_else(String::new, |end| format!(", beyond the log's end at {end}"));
            format!(
                "{record} was acknowledged at offset {offset}{end}, and the drain read to {reached} without finding it."
            )
        }
        (Outcome::Ok, None) => {
            format!("{record} was acknowledged without an offset, and the drain read to {reached} without finding it.")
        }
        (_, Some(offset)) => {
            format!(
                "{record} was read at offset {offset} by a group's member, and the drain read to {reached} without finding it."
            )
        }
        (_, None) => format!(
            "{record} is of a transaction whose commit was acknowledged, and the drain read to {reached} without finding it."
        ),
    }
}
