//! Ways to damage what a group's members read of their partitions, and where they begin.

use crate::anomaly::{CheckName, Expectation};
use crate::history::{Event, EventKind, ReadRow};
use crate::kafka::{Offset, Outcome, Partition, ProcessId};

use super::evidence::Evidence;
use super::generator::{Appended, DRAINS, Drawn};
use super::ownership::Intervals;
use super::readers::Party;
use super::readings::{Reading, Readings};
use super::testing::RunBuilder;

/// The readings of all groups' members, each with its partition.
pub(super) fn readings(drawn: &Drawn) -> Vec<(i32, Reading)> {
    let evidence = Evidence::gather(&drawn.run.history, &drawn.run.scenario, &drawn.run.plan);
    let intervals = Intervals::new(&drawn.run.history);
    let mut all = Vec::new();
    for partition in &evidence.partitions {
        let readings = Readings::of(&evidence, partition, &intervals).all;
        let of_groups = readings.into_iter().filter(|reading| matches!(reading.party, Party::Group(_)));
        all.extend(of_groups.map(|reading| (partition.key.1.0, reading)));
    }
    all
}

fn rows(drawn: &Drawn, partition: i32) -> &[ReadRow] {
    &drawn.run.history.partitions[&RunBuilder::chat(partition)].reads
}

/// The other member of a member's group.
fn partner(member: u32) -> u32 {
    if member.is_multiple_of(2) { member + 1 } else { member - 1 }
}

fn is_group_of(member: u32, row: &ReadRow) -> bool {
    [member, partner(member)].contains(&row.reader.0)
}

fn was_acked(drawn: &Drawn, partition: i32, row: &ReadRow) -> bool {
    let log = &drawn.logs[usize::try_from(partition).expect("counted from 0")];
    log.iter().any(|appended| appended.outcome == Outcome::Ok && appended.offset == row.offset.0)
}

fn remove(drawn: &mut Drawn, partition: i32, dropped: impl Fn(usize, &ReadRow) -> bool) {
    let mut at = 0;
    drawn.run.rows(partition).reads.retain(|row| {
        at += 1;
        !dropped(at - 1, row)
    });
    drawn.recount();
}

/// No member reads one record that lies in the middle of everybody's reading.
pub(super) fn group_skips(drawn: &mut Drawn) -> Option<()> {
    let all = readings(drawn);
    let own: Vec<&Reading> =
        all.iter().filter(|(partition, reading)| *partition == 0 && reading.reader.0 < 12).map(|(_, r)| r).collect();
    let reads = rows(drawn, 0);
    let offset = |row: &u32| reads[*row as usize].offset.0;
    let inside = |wanted: i64, reading: &Reading| {
        let edges = [reading.rows.first(), reading.rows.last()];
        !edges.into_iter().flatten().any(|row| offset(row) == wanted)
    };
    let acked = drawn.logs[0].iter().filter(|appended| appended.outcome == Outcome::Ok);
    let mut wanted = acked.map(|appended| appended.offset);
    let wanted = wanted.find(|wanted| own.iter().all(|reading| inside(*wanted, reading)))?;
    remove(drawn, 0, |_, row| is_group_of(10, row) && row.offset.0 == wanted);
    Some(())
}

/// One member does not read a record in the middle of its reading that its group reads once more.
pub(super) fn member_skips(drawn: &mut Drawn) -> Option<()> {
    let (partition, skipped) = readings(drawn).into_iter().find_map(|(partition, reading)| {
        let reads = rows(drawn, partition);
        let twice = |row: &u32| {
            let read = &reads[*row as usize];
            let same = reads.iter().filter(|other| is_group_of(read.reader.0, other) && other.offset == read.offset);
            same.count() > 1 && was_acked(drawn, partition, read)
        };
        let inner = reading.rows.get(1..reading.rows.len().checked_sub(1)?)?;
        inner.iter().find(|row| twice(row)).map(|row| (partition, *row as usize))
    })?;
    remove(drawn, partition, |at, _| at == skipped);
    Some(())
}

/// A member gets the record before its last one again.
pub(super) fn read_again(drawn: &mut Drawn) -> Option<()> {
    let (partition, again, last) =
        readings(drawn).into_iter().find_map(|(partition, reading)| match reading.rows[..] {
            [.., again, last] => Some((partition, again as usize, last as usize)),
            _ => None,
        })?;
    let reads = &mut drawn.run.rows(partition).reads;
    let row = ReadRow { read_ns: reads[last].read_ns, ..reads[again] };
    reads.insert(last + 1, row);
    drawn.recount();
    Some(())
}

/// An owner does not read its first record, which nobody else of its group reads, and which nobody's commit explains.
/// Returns who that is, and the record.
fn begin_beyond(drawn: &mut Drawn) -> Option<(u32, i32, Appended)> {
    let explains = |reader: u32, partition: i32, between: (Offset, Offset)| {
        drawn.run.history.events.iter().any(|event| match &event.kind {
            EventKind::Committed { process, positions, .. } => {
                (*process == ProcessId(reader) || *process == ProcessId(partner(reader)))
                    && positions.iter().any(|position| {
                        position.partition.partition == Partition(partition)
                            && position.offset > between.0
                            && position.offset <= between.1
                    })
            }
            _ => false,
        })
    };
    let (reader, partition, at) = readings(drawn).into_iter().find_map(|(partition, reading)| {
        let reads = rows(drawn, partition);
        let [first, second, ..] = reading.rows[..] else { return None };
        let (row, next) = (&reads[first as usize], &reads[second as usize]);
        let reader = reading.reader.0;
        let alone = reads.iter().filter(|other| is_group_of(reader, other) && other.offset == row.offset).count() == 1;
        let found =
            alone && was_acked(drawn, partition, row) && !explains(reader, partition, (row.offset, next.offset));
        found.then_some((reader, partition, first as usize))
    })?;
    let offset = rows(drawn, partition)[at].offset.0;
    let log = &drawn.logs[usize::try_from(partition).expect("counted from 0")];
    let record = *log.iter().find(|appended| appended.offset == offset)?;
    remove(drawn, partition, |row, _| row == at);
    Some((reader, partition, record))
}

pub(super) fn begin_late(drawn: &mut Drawn) -> Option<()> {
    begin_beyond(drawn).map(|_| ())
}

/// And a member that does not own the partition reads the record in the end.
pub(super) fn begin_late_for_now(drawn: &mut Drawn) -> Option<()> {
    let (reader, partition, Appended { record, offset, .. }) = begin_beyond(drawn)?;
    let owners = drawn.owners.iter().filter(|((_, owned), _)| *owned == partition).map(|(_, owner)| *owner);
    let owner = owners.into_iter().find(|owner| [reader, partner(reader)].contains(owner))?;
    drawn.read(partner(owner), partition, offset, record);
    drawn.recount();
    Some(())
}

/// An owner begins with the last record that its group had committed.
pub(super) fn begin_early(drawn: &mut Drawn) -> Option<()> {
    let all = readings(drawn);
    let (beginning, first) = drawn.beginnings.iter().find_map(|beginning| {
        let (_, reading) = all.iter().find(|(partition, reading)| {
            let given = (reading.since.0, reading.reader.0);
            *partition == beginning.partition && given == (beginning.given, beginning.owner)
        })?;
        Some((*beginning, reading.rows[0] as usize))
    })?;
    let log = &drawn.logs[usize::try_from(beginning.partition).expect("counted from 0")];
    let Appended { record, offset, .. } = log[beginning.committed];
    let leader_epoch = Some(drawn.epoch_at(beginning.partition, offset));
    let reads = &mut drawn.run.rows(beginning.partition).reads;
    let row = ReadRow { offset: Offset(offset), record, leader_epoch, ..reads[first] };
    reads.insert(first, row);
    drawn.recount();
    Some(())
}

/// No damage by itself: the scenario forbids what a handover brought.
pub(super) fn get_twice(drawn: &mut Drawn) -> Option<()> {
    let has_twice = |partition: i32| {
        let reads = rows(drawn, partition);
        reads.iter().enumerate().any(|(at, row)| {
            row.reader.0 < DRAINS[0]
                && reads[..at].iter().any(|other| other.offset == row.offset && is_group_of(row.reader.0, other))
        })
    };
    let mut partitions = 0..i32::try_from(drawn.logs.len()).expect("few partitions");
    partitions.any(has_twice).then(|| {
        drawn.run.scenario.expect.insert(CheckName::Redelivery, Expectation::Forbidden);
    })
}

/// Two members that hold one partition at the same time: the places of the events that give it to them.
fn overlap(drawn: &Drawn) -> Option<(usize, usize)> {
    let events = &drawn.run.history.events;
    let intervals = Intervals::new(&drawn.run.history);
    let given = |event: &Event| match &event.kind {
        EventKind::AssignedIn { process, partitions, .. } => {
            let last =
                intervals.of(&partitions[0], *process).iter().rfind(|interval| interval.from <= event.time_ns)?;
            Some((*process, partitions[0].clone(), *last))
        }
        _ => None,
    };
    let all: Vec<_> = events.iter().enumerate().filter_map(|(at, event)| Some((at, given(event)?))).collect();
    all.iter().find_map(|(one, (holder, partition, held))| {
        let beside = all.iter().find(|(_, (heir, also, since))| {
            *heir == ProcessId(partner(holder.0))
                && also == partition
                && held.from < since.from
                && held.until.is_none_or(|until| until > since.from)
        });
        beside.map(|(other, _)| (*one, *other))
    })
}

pub(super) fn share_a_generation(drawn: &mut Drawn) -> Option<()> {
    let (one, other) = overlap(drawn)?;
    let events = &mut drawn.run.history.events;
    let EventKind::AssignedIn { generation: held, .. } = events[one].kind else { return None };
    if let EventKind::AssignedIn { generation, .. } = &mut events[other].kind {
        *generation = held;
    }
    Some(())
}

/// No damage: whoever is thrown out of a group learns of it late.
pub(super) fn overlap_by_right(drawn: &mut Drawn) -> Option<()> {
    overlap(drawn).map(|_| ())
}
