//! `lost-write`: an acknowledged record is not in the log.
//!
//! **Definition.** A record *must be in the log* when its send is `ok`, or `info` and some read shows it (Jepsen's
//! must-have-committed). It is in the log when any drain reader read it, at whatever offset. It is lost when it is not,
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
//! missing because the history is cut. Corrupt bytes at the record's place are charged to `corrupt`.
//!
//! **Examined**: records that must be in the log.

use crate::anomaly::{CheckName, CheckResult};
use crate::history::SendRow;
use crate::kafka::{Offset, Outcome};

use super::Checker;
use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::index::Slot;
use super::log::Content;

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
    /// Its place lies below the log's start, and nobody read it before.
    BelowStart,
    /// Its place lies beyond what was read.
    NotReached,
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
        findings.finish()
    }
}

fn check_partition(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, findings: &mut Findings) {
    let (mut below_start, mut not_reached) = (0u64, 0u64);
    for (slot, send) in partition.sends.iter() {
        if !partition.must_have(slot, send) {
            continue;
        }
        findings.examined += 1;
        if partition.log.is_drained(slot) {
            continue;
        }
        let place = place(partition, slot, send);
        match fate(partition, slot, place) {
            Fate::Lost => findings.violation(|| {
                let text = explain(evidence, partition, send, place);
                partition.about(evidence, send, place.filter(|_| partition.log.is_seen(slot)), text)
            }),
            Fate::Corrupt | Fate::Retained => {}
            Fate::BelowStart => below_start += 1,
            Fate::NotReached => not_reached += 1,
        }
    }
    let name = partition.name();
    if below_start > 0 {
        findings.doubt(format!(
            "{below_start} acknowledged records of {name} lie below its log start: retention removed them before the drain."
        ));
    }
    if not_reached > 0 {
        findings.doubt(format!("{not_reached} acknowledged records of {name} lie beyond what the drain read."));
    }
    let unstable = unstable(partition);
    if unstable > 0 {
        findings.doubt(format!(
            "{unstable} offsets of {name} were read by one drain reader and passed over by another: the log was not stable."
        ));
    }
}

/// Where the record has to be.
fn place(partition: &PartitionEvidence<'_>, slot: Slot, send: &SendRow) -> Option<Offset> {
    let acked = send.offset.filter(|_| send.outcome == Outcome::Ok);
    acked.or_else(|| partition.log.places(slot).next().map(|place| partition.log.sightings[place].offset))
}

fn fate(partition: &PartitionEvidence<'_>, slot: Slot, place: Option<Offset>) -> Fate {
    let Some(offset) = place else {
        return if partition.is_drained() { Fate::Lost } else { Fate::NotReached };
    };
    if partition.range.is_some_and(|(start, _)| offset < start) {
        let kept = partition.log.place_at(slot, offset).is_some();
        return if kept { Fate::Retained } else { Fate::BelowStart };
    }
    if offset >= partition.drain_reached() && !partition.is_drained() {
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
            let end = partition.range.filter(|(_, end)| offset >= *end);
            let end = end.map_or_else(String::new, |(_, end)| format!(", beyond the log's end at {end}"));
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
        (_, None) => format!("{record} was read before, and the drain read to {reached} without finding it."),
    }
}
