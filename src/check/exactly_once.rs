//! `exactly-once`: a record that a transformer was to make one record of was made into none, into several, or into one although
//! it is not there.
//!
//! **Definition.** Of each transformer, over all its instances and their lives. Take the records that certainly lie in the
//! partitions it reads: what a drain reader found, and whose transaction was not aborted. Of the records that its producers sent,
//! and that certainly lie in the topic it writes, each names what it was made of (`sources.arrows`). Then
//! - *missing*: the transformer's group passed a record, and none of these was made of it;
//! - *repeated*: several records were made of it (one that lies at two offsets is a `duplicate`);
//! - *unfounded*: one was made of an offset at which nothing lies that readers may be given, although the partition was read to
//!   its end by a drain reader.
//!
//! **Why Kafka promises it.** What is made of records, and how far they were read, is committed in one transaction (KIP-98), and
//! an instance that its group has gone on without can commit neither (KIP-447). The next owner begins where the last committed
//! transaction ended, once nothing is open there any more. That holds from record to record; that both topics themselves lose and
//! repeat nothing is what the other checks ask.
//!
//! **Against Jepsen.** Jepsen's Kafka workload has transactions that read and write, but commits no offsets in them; it has
//! nothing to compare this with.
//!
//! **When it cannot tell**: the drain did not read all of the topics concerned; rows may be missing, so that a record's source is
//! not known; a member was given corrupt bytes, of which it makes nothing; or the group did not get to the end of a partition, so that what lies behind is made into nothing yet. Corrupt bytes
//! in the topic that is written may be what seems to be missing. What lies below a log's start is not asked for. Without
//! transformers there is nothing to judge.
//!
//! **Examined**: records that were to be transformed. **Found**: those that were not made into exactly one, and records that
//! were made of nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::anomaly::{CheckName, CheckResult};
use crate::history::{ProcessRole, SourceRow};
use crate::kafka::{Offset, Outcome, Partition, ProcessId, RecordId, TopicIndex};
use crate::scenario::TransformerSpec;

use super::Checker;
use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::log::Content;
use super::readers::Party;

/// Looks for records that were not made into exactly one.
pub struct ExactlyOnce;

/// Where a transformer read what it made a record of.
type Source = (TopicIndex, Partition, Offset);

/// A record that lies in the topic that a transformer writes: of what it was made, and where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Made {
    source: Source,
    record: RecordId,
    /// Its partition's place among the evidence's, and its own among the partition's sightings.
    at: (usize, usize),
}

impl Checker for ExactlyOnce {
    fn name(&self) -> CheckName {
        CheckName::ExactlyOnce
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::ExactlyOnce);
        if evidence.scenario.transformers.is_empty() {
            return findings.not_applicable("The scenario declares no transformer, so nothing was to be transformed.");
        }
        findings.doubts(&evidence.blind_spots());
        for transformer in &evidence.scenario.transformers {
            check_transformer(evidence, transformer, &mut findings);
        }
        findings.finish()
    }
}

fn check_transformer(evidence: &Evidence<'_>, transformer: &TransformerSpec, findings: &mut Findings) {
    let (made, unknown) = made_by(evidence, transformer);
    if unknown > 0 {
        findings.doubt(format!("Of {unknown} records of {} nobody told what they were made of.", transformer.to()));
    }
    let written = evidence.partitions.iter().filter(|partition| *partition.topic == *transformer.to());
    let hides_some = written.clone().any(has_corrupt_bytes);
    let is_written_read = written.clone().all(|partition| partition.is_drained() && partition.hidden.is_none());
    let removed = removed(evidence, transformer);
    // Any of these may be what seems to be missing.
    let may_hide = hides_some || unknown > 0 || !is_written_read || removed.is_uncertain || evidence.is_cut();
    let sources = evidence.partitions.iter().filter(|partition| *partition.topic == *transformer.from());
    let (mut missing_in_doubt, mut deleted, mut examined) = (0, 0_u64, 0_u64);
    for source in sources {
        let reached = demand_its_end(evidence, transformer, source, findings);
        let due = due(source);
        examined += due.iter().filter(|(offset, _)| **offset < reached).count() as u64;
        for (offset, place) in &due {
            let of_it = made_of(&made, (source.key.0, source.key.1, *offset));
            match of_it.len() {
                1 => {}
                0 if *offset >= reached => {}
                0 if removed.on_purpose.contains(&(source.key.0, source.key.1, *offset)) => deleted += 1,
                // What its member was given corrupt it made nothing of: that is `corrupt`'s.
                0 if may_hide || was_given_corrupt(evidence, transformer, source, *offset) => missing_in_doubt += 1,
                0 => missing(evidence, transformer, source, *place, findings),
                _ => repeated(evidence, transformer, (source, *place), of_it, findings),
            }
        }
        unfounded(evidence, transformer, (source, &due), &made, findings);
    }
    findings.examined += examined;
    if deleted > 0 {
        findings.remark(format!(
            "{deleted} records that {} had made were deleted from {} on purpose, by a fault.",
            transformer.name(),
            transformer.to()
        ));
    }
    if examined == 0 {
        findings.doubt(format!("{} had nothing to transform, or nobody knows what.", transformer.name()));
    }
    if missing_in_doubt > 0 {
        findings.doubt(format!(
            "Of {missing_in_doubt} records of {} nothing was found that {} made, and nobody can tell whether it is missing.",
            transformer.from(),
            transformer.name(),
        ));
    }
}

/// What the transformer's producers made and what certainly lies there, by source; and of how many records there nobody told the
/// source.
fn made_by(evidence: &Evidence<'_>, transformer: &TransformerSpec) -> (Vec<Made>, u64) {
    let producers = producers(evidence, transformer);
    let (mut made, mut unknown) = (Vec::new(), 0_u64);
    let partitions = evidence.partitions.iter().enumerate();
    for (at, partition) in partitions.filter(|(_, partition)| *partition.topic == *transformer.to()) {
        let sources = by_record(partition.sources);
        for (place, sighting) in partition.log.sightings.iter().enumerate() {
            let Content::Intact(record) = partition.content(sighting) else { continue };
            if !producers.contains(&record.process) || partition.certain(place).is_none() {
                continue;
            }
            match source_of(&sources, record) {
                Some(source) => made.push(Made { source, record, at: (at, place) }),
                None => unknown += 1,
            }
        }
    }
    made.sort_unstable();
    // A record that lies at two offsets is `duplicate`'s.
    made.dedup_by_key(|made| (made.source, made.record));
    (made, unknown)
}

/// What was made and is not there any more, by right.
#[derive(Default)]
struct Removed {
    /// Of which sources a fault deleted what had been made of them.
    on_purpose: BTreeSet<Source>,
    /// Whether something else may have been removed: by retention, or from an offset that nobody was told.
    is_uncertain: bool,
}

fn removed(evidence: &Evidence<'_>, transformer: &TransformerSpec) -> Removed {
    let mut removed = Removed::default();
    for partition in evidence.partitions.iter().filter(|partition| *partition.topic == *transformer.to()) {
        let Some((start, _)) = partition.range.filter(|(start, _)| *start > Offset(0)) else { continue };
        for row in partition.sources {
            let Some(slot) = partition.sends.find(row.id()).filter(|slot| !partition.log.is_drained(*slot)) else {
                continue;
            };
            let send = partition.sends.send(slot);
            match send.offset.filter(|_| send.outcome == Outcome::Ok) {
                Some(offset) if offset < start && partition.deleted_below.is_some_and(|below| offset < below) => {
                    removed.on_purpose.insert((row.source_topic, row.source_partition, row.source_offset));
                }
                Some(offset) => removed.is_uncertain |= offset < start,
                // Also an acknowledgement may come without an offset.
                None => removed.is_uncertain |= send.outcome != Outcome::Fail,
            }
        }
    }
    removed
}

fn producers(evidence: &Evidence<'_>, transformer: &TransformerSpec) -> BTreeSet<ProcessId> {
    let is_its =
        |role: &ProcessRole| matches!(role, ProcessRole::Producer { name, .. } if *name == transformer.producer.name);
    evidence.history.processes.iter().filter(|(_, role)| is_its(role)).map(|(process, _)| *process).collect()
}

fn by_record(rows: &[SourceRow]) -> Vec<&SourceRow> {
    let mut sorted: Vec<&SourceRow> = rows.iter().collect();
    // Each process tells its rows in order, so that there are few runs to merge.
    sorted.sort_by_key(|row| row.id());
    sorted
}

fn source_of(sorted: &[&SourceRow], record: RecordId) -> Option<Source> {
    let place = sorted.binary_search_by_key(&record, |row| row.id()).ok()?;
    let row = sorted[place];
    Some((row.source_topic, row.source_partition, row.source_offset))
}

fn made_of(made: &[Made], source: Source) -> &[Made] {
    let start = made.partition_point(|made| made.source < source);
    let len = made[start..].iter().take_while(|made| made.source == source).count();
    &made[start..start + len]
}

fn has_corrupt_bytes(partition: &PartitionEvidence<'_>) -> bool {
    partition.log.sightings.iter().any(|sighting| partition.content(sighting) == Content::Corrupt)
}

/// Whether a member of the transformer's got something else than an intact record at an offset.
fn was_given_corrupt(
    evidence: &Evidence<'_>,
    transformer: &TransformerSpec,
    source: &PartitionEvidence<'_>,
    offset: Offset,
) -> bool {
    let number = evidence.readers.group(transformer.name()).expect("the groups of transformers are numbered");
    source.log.at(offset).any(|place| {
        let content = source.content(&source.log.sightings[place]);
        source.log.by_group[number].get(place) && !matches!(content, Content::Intact(_))
    })
}

/// The records that were to be transformed, by offset, with their places among the sightings.
fn due(source: &PartitionEvidence<'_>) -> BTreeMap<Offset, usize> {
    let places = source.log.sightings.iter().enumerate();
    let certain = places.filter(|(place, _)| source.certain(*place).is_some());
    certain.map(|(place, sighting)| (sighting.offset, place)).collect()
}

/// How far the transformer's group got in a partition, by where its members say that they stood when they left; that it did not
/// get to the end is a doubt. What they read counts for nothing here: it may have been part of a transaction that was aborted.
fn demand_its_end(
    evidence: &Evidence<'_>,
    transformer: &TransformerSpec,
    source: &PartitionEvidence<'_>,
    findings: &mut Findings,
) -> Offset {
    let number = evidence.readers.group(transformer.name()).expect("the groups of transformers are numbered");
    let stood = evidence.timeline.drained.iter();
    let stood = stood.filter(|(process, _)| evidence.readers.party(**process) == Some(Party::Group(number)));
    let reached = stood.filter_map(|(_, positions)| positions.get(&source.key).copied()).max().unwrap_or(Offset(0));
    match source.range {
        Some((start, end)) if reached >= end || start == end => {}
        Some((_, end)) => findings.doubt(format!(
            "{} passed {} up to offset {reached} of {end} only.",
            transformer.name(),
            source.name()
        )),
        None => findings.doubt(format!("Nobody knows where {} ends.", source.name())),
    }
    reached
}

fn missing(
    evidence: &Evidence<'_>,
    transformer: &TransformerSpec,
    source: &PartitionEvidence<'_>,
    place: usize,
    findings: &mut Findings,
) {
    let Some((_, send)) = source.certain(place) else { return };
    let offset = source.log.sightings[place].offset;
    findings.violation(|| {
        let text = format!(
            "{} at offset {offset} of {} was passed by: {} made nothing of it that can be read in {}.",
            evidence.name(send.id()),
            source.name(),
            transformer.name(),
            transformer.to(),
        );
        source.about(evidence, send, Some(offset), text)
    });
}

fn repeated(
    evidence: &Evidence<'_>,
    transformer: &TransformerSpec,
    (source, place): (&PartitionEvidence<'_>, usize),
    made: &[Made],
    findings: &mut Findings,
) {
    let Some((_, send)) = source.certain(place) else { return };
    let offset = source.log.sightings[place].offset;
    findings.violation(|| {
        let each = made.iter().map(|made| shown(evidence, *made));
        let text = format!(
            "Of {} at offset {offset} of {} {} made {} records: {}.",
            evidence.name(send.id()),
            source.name(),
            transformer.name(),
            made.len(),
            each.collect::<Vec<_>>().join(", "),
        );
        source.about(evidence, send, Some(offset), text)
    });
}

/// What was made of offsets of this partition at which nothing lies.
fn unfounded(
    evidence: &Evidence<'_>,
    transformer: &TransformerSpec,
    (source, due): (&PartitionEvidence<'_>, &BTreeMap<Offset, usize>),
    made: &[Made],
    findings: &mut Findings,
) {
    let start = source.range.map_or(Offset(0), |(start, _)| start);
    let is_of_it = |made: &&Made| (made.source.0, made.source.1) == source.key;
    for made in made.iter().filter(is_of_it) {
        let offset = made.source.2;
        // What a drain reader saw there is due, or contested, corrupt or failed: other checks' business.
        let is_there = due.contains_key(&offset) || source.log.at(offset).any(|place| source.log.drained.get(place));
        if is_there || offset < start || offset >= source.drain_reached() || !source.is_drained() {
            continue;
        }
        let partition = &evidence.partitions[made.at.0];
        let Some((_, send)) = partition.certain(made.at.1) else { continue };
        findings.violation(|| {
            let text = format!(
                "{} was made of offset {offset} of {}, where nothing lies that {} could have been given.",
                shown(evidence, *made),
                source.name(),
                transformer.name(),
            );
            partition.about(evidence, send, send.offset.filter(|_| send.outcome == Outcome::Ok), text)
        });
    }
}

fn shown(evidence: &Evidence<'_>, made: Made) -> String {
    let partition = &evidence.partitions[made.at.0];
    let sighting = &partition.log.sightings[made.at.1];
    let offset = sighting.offset;
    format!("{} at offset {offset} of {}", evidence.describe(partition.content(sighting)), partition.name())
}
