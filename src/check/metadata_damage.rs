//! Damages to leader epochs and to who led in them, and to what the high watermark covers.

use crate::history::{EventKind, ReadRow};
use crate::kafka::{BrokerId, LeaderEpoch, Offset, Outcome, RecordId};

use super::generator::{Appended, BROKERS, DRAINS, Drawn};
use super::group_damage::readings;

/// The broker that never led.
const BYSTANDER: BrokerId = BrokerId(BROKERS[2]);
const FIRST: LeaderEpoch = LeaderEpoch(0);
const SECOND: LeaderEpoch = LeaderEpoch(1);

/// The records of partition 0 of the second term.
fn of_second_term(drawn: &Drawn) -> Vec<Appended> {
    drawn.logs[0].iter().filter(|appended| drawn.term(appended.time).0 == SECOND).copied().collect()
}

/// Everybody reads one record of the second term, which is not its first one, under the first epoch.
pub(super) fn fall(drawn: &mut Drawn) -> Option<()> {
    let offset = of_second_term(drawn).get(1)?.offset;
    let reads = drawn.run.rows(0).reads.iter_mut();
    reads.filter(|read| read.offset.0 == offset).for_each(|read| read.leader_epoch = Some(FIRST));
    Some(())
}

/// Every replica stores a batch of the second term, which is not its first one, under the first epoch.
pub(super) fn fall_on_disks(drawn: &mut Drawn) -> Option<()> {
    let rows = &mut drawn.run.rows(0).replicas;
    let base = rows.iter().filter(|row| row.batch.leader_epoch == SECOND).nth(1)?.batch.base_offset;
    let batches = rows.iter_mut().filter(|row| row.batch.base_offset == base);
    batches.for_each(|row| row.batch.leader_epoch = FIRST);
    Some(())
}

/// A broker that does not lead acknowledges a record of the second term, while that lasts.
pub(super) fn acknowledge_beside(drawn: &mut Drawn) -> Option<()> {
    let second = of_second_term(drawn);
    let ours = |record: RecordId| second.iter().any(|appended| appended.record == record);
    let sends = &mut drawn.run.rows(0).sends;
    let last = sends.iter().filter(|send| ours(send.id())).map(|send| send.invoke_ns).max()?;
    let send = sends.iter_mut().find(|send| send.broker.is_some() && ours(send.id()) && send.complete_ns < last)?;
    send.broker = Some(BYSTANDER);
    Some(())
}

/// The metadata names this leader and this epoch once more, and then again what it named last.
fn observe(drawn: &mut Drawn, leader: BrokerId, epoch: LeaderEpoch) -> Option<()> {
    let events = &mut drawn.run.history.events;
    let last = events.iter().rposition(|event| matches!(event.kind, EventKind::ClusterObserved { .. }))?;
    let again = events[last].clone();
    let mut changed = again.clone();
    if let EventKind::ClusterObserved { view } = &mut changed.kind {
        view.partitions[0].leader = Some(leader);
        view.partitions[0].leader_epoch = Some(epoch);
    }
    events.insert(last + 1, changed);
    events.insert(last + 2, again);
    Some(())
}

pub(super) fn name_another(drawn: &mut Drawn) -> Option<()> {
    observe(drawn, BYSTANDER, SECOND)
}

/// No damage: a broker that lags behind was asked.
pub(super) fn look_back(drawn: &mut Drawn) -> Option<()> {
    let (epoch, leader) = drawn.term(0);
    observe(drawn, leader, epoch)
}

/// Members read a record of the second term under the first epoch, and the drain does not.
pub(super) fn write_anew(drawn: &mut Drawn) -> Option<()> {
    let offset = of_second_term(drawn).first()?.offset;
    let is_members = |read: &&mut ReadRow| read.offset.0 == offset && read.reader.0 < DRAINS[0];
    drawn.run.rows(0).reads.iter_mut().filter(is_members).for_each(|read| read.leader_epoch = Some(FIRST));
    Some(())
}

/// No damage: a member of a group that waits for no commits reads a record of a transaction that was asked to be committed and never
/// was. Returns where that lies.
pub(super) fn read_uncommitted(drawn: &mut Drawn) -> Option<Offset> {
    let group = drawn.groups[0].clone();
    let doubtful = |record: RecordId| {
        let mut sends = drawn.run.history.partitions.values().flat_map(|rows| &rows.sends);
        sends.any(|send| send.id() == record && send.outcome == Outcome::Info && send.partition.0 == 0)
    };
    let hidden = drawn.hidden.iter().filter(|(partition, record, _)| *partition == 0 && doubtful(*record));
    let (_, record, offset) = *hidden.min_by_key(|(_, _, offset)| *offset)?;
    let all = readings(drawn);
    let reads = &drawn.run.rows(0).reads;
    let between =
        all.iter().filter(|(partition, reading)| *partition == 0 && reading.reader.0 < 12).find_map(|(_, reading)| {
            let pair = reading
                .rows
                .windows(2)
                .find(|rows| reads[rows[0] as usize].offset.0 < offset && reads[rows[1] as usize].offset.0 > offset)?;
            Some((pair[0] as usize, pair[1] as usize))
        });
    let (before, after) = between?;
    let leader_epoch = Some(drawn.epoch_at(0, offset));
    let reads = &mut drawn.run.rows(0).reads;
    let row = ReadRow { offset: Offset(offset), record, leader_epoch, read_ns: reads[after].read_ns, ..reads[before] };
    reads.insert(after, row);
    let spec = drawn.run.scenario.groups.iter_mut().find(|spec| spec.name == group)?;
    spec.config.insert("isolation.level".to_owned(), "read_uncommitted".to_owned());
    drawn.recount();
    Some(Offset(offset))
}

/// And the witness finds nothing there.
pub(super) fn vanish(drawn: &mut Drawn) -> Option<()> {
    let offset = read_uncommitted(drawn)?;
    drawn.run.rows(0).reads.retain(|read| read.reader.0 < DRAINS[0] || read.offset != offset);
    drawn.recount();
    Some(())
}
