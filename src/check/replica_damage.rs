//! Damages to what the replicas of a drawn run store.

#![expect(clippy::unnecessary_wraps, reason = "every damage has the shape of those that may find nothing to damage")]

use crate::history::{EventKind, ReplicaRow};
use crate::kafka::replica::{Break, Checksum, ReplicaLog, StoredBatch};
use crate::kafka::{BrokerId, LeaderEpoch, Offset};

use super::generator::{BROKERS, Drawn};

/// A follower.
const STRUCK: BrokerId = BrokerId(BROKERS[1]);

/// The struck follower's rows of partition 0, and the place of one in the middle of them.
fn middle(drawn: &mut Drawn) -> Option<(&mut Vec<ReplicaRow>, usize)> {
    let rows = &mut drawn.run.rows(0).replicas;
    let first = rows.iter().position(|row| row.broker == STRUCK)?;
    let count = rows.iter().filter(|row| row.broker == STRUCK).count();
    (count > 8).then_some((rows, first + count / 2))
}

/// Changes one batch in the middle of a follower's log.
pub(super) fn change(drawn: &mut Drawn, change: fn(&mut StoredBatch)) -> Option<()> {
    let (rows, at) = middle(drawn)?;
    change(&mut rows[at].batch);
    Some(())
}

/// The batch's bytes are not what its checksum says.
pub(super) fn flip(batch: &mut StoredBatch) {
    batch.checksum = Checksum::Wrong;
}

/// It is another batch.
pub(super) fn rewrite(batch: &mut StoredBatch) {
    batch.crc ^= 1;
}

/// Another leader wrote it.
pub(super) fn another_leader(batch: &mut StoredBatch) {
    batch.leader_epoch.0 += 1;
}

/// One batch is not there.
pub(super) fn punch(drawn: &mut Drawn) -> Option<()> {
    let (rows, at) = middle(drawn)?;
    rows.remove(at);
    Some(())
}

/// From the middle on nothing is there.
pub(super) fn cut(drawn: &mut Drawn) -> Option<()> {
    let (rows, at) = middle(drawn)?;
    let end = rows[at].batch.base_offset;
    rows.retain(|row| row.broker != STRUCK || row.batch.base_offset < end);
    logs(drawn)?[0].end = end;
    Some(())
}

/// From the middle on there are bytes that are no batches.
pub(super) fn scramble(drawn: &mut Drawn) -> Option<()> {
    cut(drawn)?;
    let log = &mut logs(drawn)?[0];
    log.breaks.push(Break { segment: Offset(0), position: 77, bytes: 1000, offset: log.end });
    Some(())
}

/// No log is there.
pub(super) fn lose_log(drawn: &mut Drawn) -> Option<()> {
    logs(drawn)?.remove(0);
    drawn.run.rows(0).replicas.retain(|row| row.broker != STRUCK);
    Some(())
}

/// The log begins in the middle.
pub(super) fn lose_beginning(drawn: &mut Drawn) -> Option<()> {
    let (rows, at) = middle(drawn)?;
    let start = rows[at].batch.base_offset;
    rows.retain(|row| row.broker != STRUCK || row.batch.base_offset >= start);
    logs(drawn)?[0].start = start;
    Some(())
}

/// There was too much to be read.
pub(super) fn leave_unread(drawn: &mut Drawn) -> Option<()> {
    cut(drawn)?;
    let log = &mut logs(drawn)?[0];
    log.unread_from = Some(log.end);
    Some(())
}

/// The follower was not in sync.
pub(super) fn out_of_sync(drawn: &mut Drawn) -> Option<()> {
    for event in &mut drawn.run.history.events {
        if let EventKind::ClusterObserved { view } = &mut event.kind {
            view.partitions[0].isr.retain(|broker| *broker != STRUCK);
        }
    }
    Some(())
}

/// The follower was not in sync, and has a tail that it wrote itself while it led.
pub(super) fn stale_tail(drawn: &mut Drawn) -> Option<()> {
    let rows = &mut drawn.run.rows(0).replicas;
    let tail = rows.iter_mut().filter(|row| row.broker == STRUCK && row.batch.leader_epoch == LeaderEpoch(1));
    let mut changed = 0;
    for row in tail {
        row.batch.leader_epoch = LeaderEpoch(0);
        row.batch.crc ^= 1;
        changed += 1;
    }
    (changed > 0).then(|| out_of_sync(drawn))?
}

/// The follower's disk could not be read.
pub(super) fn unreadable(drawn: &mut Drawn) -> Option<()> {
    for event in &mut drawn.run.history.events {
        if matches!(event.kind, EventKind::ReplicasRead { broker, .. } if broker == STRUCK) {
            let reason = "the engine is gone".to_owned();
            event.kind = EventKind::ReplicasUnread { broker: STRUCK, reason };
        }
    }
    Some(())
}

/// The struck follower's logs.
fn logs(drawn: &mut Drawn) -> Option<&mut Vec<ReplicaLog>> {
    drawn.run.history.events.iter_mut().find_map(|event| match &mut event.kind {
        EventKind::ReplicasRead { broker, logs } if *broker == STRUCK => Some(logs),
        _ => None,
    })
}
