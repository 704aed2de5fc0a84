//! Ways to damage a valid run, and which checks each has to set off: those, and no others.

#![expect(clippy::unnecessary_wraps, reason = "every damage has the shape of those that may find nothing to damage")]

mod expected;

use std::time::Duration;

use crate::anomaly::CheckName::{
    self, AbortedRead, CommitRegression, Corrupt, Coverage, DoubleOwnership, Duplicate, GroupDelivery, GroupSkip,
    HighWatermark, InconsistentOffsets, LeaderEpoch, LostWrite, NonmonotonicPoll, Phantom, PollSkip, PrecommittedRead,
    ProducerOrder, RealtimeOrder, Redelivery, TornTransaction,
};
use crate::anomaly::Validity::{self, Invalid, Skipped, Unknown};
use crate::fault::kinds::pause::Pause;
use crate::fault::{FaultId, FaultKind, Moment, Target};
use crate::history::event::FaultStage;
use crate::history::{Closure, Event, EventKind, PartitionHistory, ReadRow, SendRow};
use crate::kafka::{BrokerId, Offset, Outcome, Partition, ProcessId, ReadStatus, RecordId, TimeNs};
use crate::plan::Step;
use crate::scenario::{Again, EmptyTarget, FaultSpec, Spread, Start};

use expected::{ALL_UNKNOWN, DIVERGENCE, LOG_UNKNOWN, NO_COVERAGE, NO_ENDS, REPLICAS_SKIPPED, REPLICAS_UNKNOWN};

use super::generator::{Appended, DRAINS, Drawn, PAYER, STEP, WITNESS};
use super::group_damage;
use super::metadata_damage as metadata;
use super::replica_damage::{self as replica, change};
use super::testing::id;
use super::transaction_damage;

/// One way to damage a run.
pub(crate) struct Damage {
    pub(crate) name: &'static str,
    /// Damages the run; `None` when the draw has nothing to damage so.
    pub(crate) apply: fn(&mut Drawn) -> Option<()>,
    /// The checks that are not valid afterwards.
    pub(crate) expect: &'static [(CheckName, Validity)],
}

macro_rules! damages {
    ($($name:literal, $apply:expr, $expect:expr;)*) => {
        &[$(Damage { name: $name, apply: $apply, expect: $expect }),*]
    };
}

/// Every damage, in the order of the matrix.
pub(crate) const ALL: &[Damage] = damages![
    "drop from the log", drop_one, &[(LostWrite, Invalid)];
    "drop what only a group read (info)", drop_info, &[(LostWrite, Invalid)];
    "drop the tail", drop_tail, &[(LostWrite, Invalid)];
    "drop the tail, end offset and all", truncate_tail, &[(LostWrite, Invalid)];
    "the tail is hidden by an open transaction", hide_tail, LOG_UNKNOWN;
    "the tail came after the end was told", |drawn| move_end(drawn, &Told::BeforeReads), &[(LostWrite, Unknown)];
    "the tail was read before, and is gone", |drawn| move_end(drawn, &Told::AfterReads), &[
        (LostWrite, Invalid), (HighWatermark, Invalid)];
    "drop at an incomplete drain", drop_at_incomplete_drain, &[
        (LostWrite, Invalid), (Duplicate, Unknown), (ProducerOrder, Unknown), (RealtimeOrder, Unknown),
        (Phantom, Unknown), (Corrupt, Unknown), (InconsistentOffsets, Unknown), (GroupDelivery, Unknown),
        (PollSkip, Unknown), (GroupSkip, Unknown), (AbortedRead, Unknown), (TornTransaction, Unknown), (LeaderEpoch, Unknown),
        (Coverage, Unknown)];
    "drop from the drain reader behind", |drawn| unstable_read(drawn, DRAINS[1]), &[(LostWrite, Unknown)];
    "drop from the drain reader ahead", |drawn| unstable_read(drawn, DRAINS[0]), &[(LostWrite, Unknown), (PollSkip, Invalid)];
    "retention before the drain", retain, &[(LostWrite, Unknown), (TornTransaction, Unknown), (Coverage, Unknown)];
    "duplicate at another offset", duplicate, &[(Duplicate, Invalid)];
    "swap two records of one producer", swap, &[(ProducerOrder, Invalid)];
    "swap two records across an acknowledgement", invert, &[(RealtimeOrder, Invalid)];
    "a record nobody sent", |drawn| append(drawn, id(0, 10_000), ReadStatus::Intact), &[(Phantom, Invalid)];
    "a record of an unknown process", |drawn| append(drawn, id(77, 0), ReadStatus::Intact), &[(Phantom, Invalid)];
    "a producer's last rows and its end", lose_last_rows, &[(Phantom, Unknown)];
    "a foreign record", |drawn| append(drawn, id(0, 0), ReadStatus::Foreign), &[(Phantom, Invalid)];
    "a failed send is read", read_failed, &[(Phantom, Invalid)];
    "corrupt for everybody", corrupt_for_all, &[(Corrupt, Invalid)];
    "corrupt for one reader", corrupt_for_one, &[(Corrupt, Invalid)];
    "another length", odd_length, &[(Corrupt, Invalid)];
    "misplaced", |drawn| append(drawn, id(0, 0), ReadStatus::Misplaced), &[(Corrupt, Invalid)];
    "two records at one offset", clash, &[(InconsistentOffsets, Invalid)];
    "acknowledged elsewhere", |drawn| reacknowledge(drawn, &Elsewhere::Nowhere), &[(InconsistentOffsets, Invalid)];
    "acknowledged at another's offset", |drawn| reacknowledge(drawn, &Elsewhere::Taken), &[(InconsistentOffsets, Invalid)];
    "lost, and its offset given away", overwrite, &[(LostWrite, Invalid), (InconsistentOffsets, Invalid)];
    "a group skips a record", group_damage::group_skips, &[(GroupDelivery, Invalid), (PollSkip, Invalid)];
    "a member skips what another one reads", group_damage::member_skips, &[(PollSkip, Invalid)];
    "a member reads a record again", group_damage::read_again, &[(NonmonotonicPoll, Invalid)];
    "an owner begins too late", group_damage::begin_late, &[(GroupDelivery, Invalid), (GroupSkip, Invalid)];
    "an owner begins too late, another reads it", group_damage::begin_late_for_now, &[(GroupSkip, Invalid)];
    "an owner begins too early", group_damage::begin_early, &[(CommitRegression, Invalid)];
    "a group gets a record twice, and must not", group_damage::get_twice, &[(Redelivery, Invalid)];
    "a record of an aborted transaction is read", transaction_damage::read_aborted, &[(AbortedRead, Invalid)];
    "a fenced producer's record is read", transaction_damage::read_fenced, &[(AbortedRead, Invalid)];
    "read before the commit was asked for", transaction_damage::commit_late, &[(PrecommittedRead, Invalid)];
    "half of a transaction in doubt", transaction_damage::tear_the_unheard, &[(TornTransaction, Invalid)];
    "half of a committed transaction", transaction_damage::tear_the_committed, &[
        (LostWrite, Invalid), (TornTransaction, Invalid)];
    "all of a committed transaction", transaction_damage::lose_the_committed, &[
        (LostWrite, Invalid), (TornTransaction, Invalid)];
    "nothing of a transaction in doubt", transaction_damage::lose_the_unheard, &[];
    "nobody told of the transactions", transaction_damage::untold, &[
        (PrecommittedRead, Unknown), (TornTransaction, Unknown)];
    "two members hold a partition in one generation", group_damage::share_a_generation, &[(DoubleOwnership, Invalid)];
    "two members overlap across generations", group_damage::overlap_by_right, &[];
    "nobody told the generations", |drawn| forget(drawn, |kind| matches!(kind, EventKind::AssignedIn { .. })), &[(DoubleOwnership, Skipped)];
    "a group stops early", group_stops, &[(GroupDelivery, Unknown), (Coverage, Unknown)];
    "incomplete drain", incomplete_drain, LOG_UNKNOWN;
    "one drain reader incomplete", one_incomplete, NO_COVERAGE;
    "no drain reader", no_drain, LOG_UNKNOWN;
    "no end offsets", |drawn| forget(drawn, |kind| matches!(kind, EventKind::EndOffsets { .. })), NO_ENDS;
    "cut history", cut, ALL_UNKNOWN;
    "no proof before", |drawn| forget(drawn, |kind| is_proof(kind, Moment::Before)), NO_COVERAGE;
    "no proof during", |drawn| forget(drawn, |kind| is_proof(kind, Moment::During)), NO_COVERAGE;
    "no proof after", |drawn| forget(drawn, |kind| is_proof(kind, Moment::After)), NO_COVERAGE;
    "a fault without a step in the plan", ask_for_more, NO_COVERAGE;
    "never injected", |drawn| forget(drawn, |kind| matches!(kind, EventKind::Inject { .. })), NO_COVERAGE;
    "never healed", |drawn| forget(drawn, |kind| matches!(kind, EventKind::Heal { .. })), NO_COVERAGE;
    "the heal failed", heal_fails, NO_COVERAGE;
    "the fault was skipped", skip_fault, NO_COVERAGE;
    "the one fault was passed over, and may be", pass_over, NO_COVERAGE;
    "the one fault was passed over, and may not", |drawn| { pass_over(drawn)?; forbid_nobody(drawn) }, NO_COVERAGE;
    "another was passed over, and may not be", |drawn| { pass_over_another(drawn)?; forbid_nobody(drawn) }, NO_COVERAGE;
    "nobody wrote down that it was passed over", lose_passing_over, NO_COVERAGE;
    "passed over, and skipped as well", pass_over_and_skip, NO_COVERAGE;
    "said to be passed over, and injected", pass_over_the_unproven, NO_COVERAGE;
    "nobody saw the cluster whole", |drawn| forget(drawn, |kind| matches!(kind, EventKind::ClusterWhole { .. })), NO_COVERAGE;
    "the cluster stayed broken", stay_broken, NO_COVERAGE;
    "interrupted", |drawn| tell(drawn, EventKind::Interrupted { signal: "SIGINT".to_owned() }), NO_COVERAGE;
    "the deadline passed", |drawn| tell(drawn, EventKind::DeadlinePassed { deadline_ms: 60_000 }), NO_COVERAGE;
    "harness error", |drawn| tell(drawn, EventKind::HarnessError { message: "a queue overflowed".to_owned() }), NO_COVERAGE;
    "too few acknowledgements", |drawn| { drawn.run.scenario.evidence.acked = 1_000_000; Some(()) }, NO_COVERAGE;
    "nothing was acknowledged before the fault", stand_still, NO_COVERAGE;
    "too few sends in the fault", |drawn| { drawn.run.scenario.evidence.sends_per_fault = 1_000_000; Some(()) }, NO_COVERAGE;
    "a send without its row", lose_row, NO_COVERAGE;
    "a send with two rows", repeat_row, NO_COVERAGE;
    "fewer rows than were counted", miscount, NO_COVERAGE;
    "a replica's batch is damaged", |drawn| change(drawn, replica::flip), DIVERGENCE;
    "a replica's batch is another", |drawn| change(drawn, replica::rewrite), DIVERGENCE;
    "a replica's batch is another leader's", |drawn| change(drawn, replica::another_leader), DIVERGENCE;
    "a replica lacks a batch", replica::punch, DIVERGENCE;
    "a replica in sync ends early", replica::cut, DIVERGENCE;
    "a replica in sync ends in noise", replica::scramble, DIVERGENCE;
    "a replica in sync has no log", replica::lose_log, DIVERGENCE;
    "a replica in sync begins late", replica::lose_beginning, REPLICAS_UNKNOWN;
    "a replica was too long to be read", replica::leave_unread, REPLICAS_UNKNOWN;
    "a replica out of sync ends early", |drawn| { replica::cut(drawn)?; replica::out_of_sync(drawn) }, &[];
    "a replica out of sync has an old tail", replica::stale_tail, &[];
    "a replica out of sync lacks a batch", |drawn| { replica::punch(drawn)?; replica::out_of_sync(drawn) }, DIVERGENCE;
    "an epoch falls in the log", metadata::fall, &[(LeaderEpoch, Invalid)];
    "an epoch falls on every disk", metadata::fall_on_disks, &[(LeaderEpoch, Invalid)];
    "two brokers acknowledge in one epoch", metadata::acknowledge_beside, &[(LeaderEpoch, Invalid)];
    "the metadata names two leaders of one epoch", metadata::name_another, &[(LeaderEpoch, Invalid)];
    "the metadata steps back to what it was", metadata::look_back, &[];
    "a record was written anew after it was read", metadata::write_anew, &[(HighWatermark, Invalid)];
    "what was read uncommitted vanished", metadata::vanish, &[(HighWatermark, Invalid)];
    "what was read uncommitted was aborted", |drawn| metadata::read_uncommitted(drawn).map(|_| ()), &[];
    "a replica's disk could not be read", replica::unreadable, REPLICAS_UNKNOWN;
    "nobody knows who was in sync", |drawn| forget(drawn, |kind| matches!(kind, EventKind::ClusterObserved { .. })), REPLICAS_UNKNOWN;
    "no replica was read", |drawn| forget(drawn, |kind| matches!(kind, EventKind::ReplicasRead { .. })), REPLICAS_SKIPPED;
    "no replica was to be read", |drawn| tell(drawn, EventKind::AuditSkipped { reason: "a mock".to_owned() }), REPLICAS_SKIPPED;
];

/// The records of partition 0 that are in no transaction, by offset.
fn alone(drawn: &Drawn) -> Vec<Appended> {
    drawn.logs[0].iter().filter(|appended| appended.record.process != ProcessId(PAYER)).copied().collect()
}

/// Those of them that were acknowledged.
fn acked(drawn: &Drawn) -> Vec<Appended> {
    alone(drawn).into_iter().filter(|appended| appended.outcome == Outcome::Ok).collect()
}

/// One of them, from the middle of the log.
fn middle(drawn: &Drawn) -> Option<Appended> {
    let acked = acked(drawn);
    (acked.len() > 8).then(|| acked[acked.len() / 2])
}

fn is_drain(read: &ReadRow) -> bool {
    DRAINS.contains(&read.reader.0)
}

fn send_mut(drawn: &mut Drawn, record: RecordId) -> &mut SendRow {
    drawn.run.rows(0).sends.iter_mut().find(|send| send.id() == record).expect("every drawn record was sent")
}

fn drop_reads(drawn: &mut Drawn, dropped: impl Fn(&ReadRow) -> bool) {
    drawn.run.rows(0).reads.retain(|read| !dropped(read));
    drawn.recount();
}

fn drop_one(drawn: &mut Drawn) -> Option<()> {
    let Appended { offset, .. } = middle(drawn)?;
    drop_reads(drawn, |read| read.offset.0 == offset);
    Some(())
}

fn drop_info(drawn: &mut Drawn) -> Option<()> {
    let info = alone(drawn).into_iter().find(|appended| appended.outcome == Outcome::Info)?;
    drop_reads(drawn, |read| is_drain(read) && read.offset.0 == info.offset);
    Some(())
}

fn drop_tail(drawn: &mut Drawn) -> Option<()> {
    let from = acked(drawn).iter().rev().nth(2)?.offset;
    drop_reads(drawn, |read| read.offset.0 >= from);
    Some(())
}

fn truncate_tail(drawn: &mut Drawn) -> Option<()> {
    let from = acked(drawn).iter().rev().nth(2)?.offset;
    drawn.ends[0] = from;
    drawn.run.rows(0).reads.retain(|read| read.offset.0 < from);
    drawn.reseal();
    Some(())
}

fn end_offsets_mut(drawn: &mut Drawn) -> Option<&mut Event> {
    drawn.run.history.events.iter_mut().find(|event| matches!(event.kind, EventKind::EndOffsets { .. }))
}

fn hide_tail(drawn: &mut Drawn) -> Option<()> {
    let end = drawn.ends[0];
    truncate_tail(drawn)?;
    // On the disks it is there.
    for event in &mut drawn.run.history.events {
        if let EventKind::ReplicasRead { logs, .. } = &mut event.kind {
            logs[0].end = Offset(end);
        }
    }
    if let EventKind::EndOffsets { ranges } = &mut end_offsets_mut(drawn)?.kind {
        ranges[0].high_watermark = Some(Offset(end));
    }
    Some(())
}

/// When the cluster told the end offsets.
enum Told {
    BeforeReads,
    AfterReads,
}

/// The cluster tells an end before the log's, which the drain readers keep to and the groups do not.
fn move_end(drawn: &mut Drawn, told: &Told) -> Option<()> {
    let from = acked(drawn).iter().rev().nth(2)?.offset;
    drawn.ends[0] = from;
    drawn.run.rows(0).reads.retain(|read| read.offset.0 < from || !is_drain(read));
    drawn.reseal();
    let last = drawn.run.history.partitions.values().flat_map(|rows| &rows.reads).map(|read| read.read_ns).max()?;
    end_offsets_mut(drawn)?.time_ns = match told {
        Told::BeforeReads => TimeNs(0),
        Told::AfterReads => TimeNs(last.0 + 1),
    };
    Some(())
}

fn drop_at_incomplete_drain(drawn: &mut Drawn) -> Option<()> {
    drop_one(drawn)?;
    incomplete_drain(drawn)
}

fn unstable_read(drawn: &mut Drawn, reader: u32) -> Option<()> {
    let Appended { offset, .. } = middle(drawn)?;
    drop_reads(drawn, |read| read.reader.0 == reader && read.offset.0 == offset);
    Some(())
}

fn retain(drawn: &mut Drawn) -> Option<()> {
    let Appended { offset: start, .. } = middle(drawn)?;
    drop_reads(drawn, |read| read.offset.0 < start);
    for event in &mut drawn.run.history.events {
        if let EventKind::EndOffsets { ranges } = &mut event.kind {
            ranges[0].start = Offset(start);
        }
    }
    Some(())
}

/// Everybody reads one more record at the end of partition 0.
fn append(drawn: &mut Drawn, record: RecordId, status: ReadStatus) -> Option<()> {
    let offset = drawn.ends[0];
    let owners = drawn.owners.iter().filter(|((_, partition), _)| *partition == 0).map(|(_, owner)| *owner);
    let readers: Vec<u32> = owners.chain(DRAINS).chain([WITNESS]).collect();
    for reader in readers {
        drawn.read(reader, 0, offset, record);
        drawn.run.rows(0).reads.last_mut()?.status = status;
    }
    drawn.ends[0] += 1;
    drawn.reseal();
    Some(())
}

fn duplicate(drawn: &mut Drawn) -> Option<()> {
    let Appended { record, .. } = middle(drawn)?;
    append(drawn, record, ReadStatus::Intact)
}

/// Two neighbours in the log, both acknowledged, of the same process or of two.
fn neighbours(drawn: &Drawn, same_process: fn(&Appended, &Appended) -> bool) -> Option<(Appended, Appended)> {
    let alone = alone(drawn);
    let pairs = alone.windows(2).map(|pair| (pair[0], pair[1]));
    let mut pairs = pairs.filter(|(one, two)| one.outcome == Outcome::Ok && two.outcome == Outcome::Ok);
    // Of one leader's term, so that only their order is wrong.
    pairs.find(|(one, two)| same_process(one, two) && drawn.term(one.time) == drawn.term(two.time))
}

/// Makes two records change places, in what is read and what was acknowledged alike.
fn exchange(drawn: &mut Drawn, one: Appended, two: Appended) {
    for read in &mut drawn.run.rows(0).reads {
        if read.offset.0 == one.offset {
            read.record = two.record;
        } else if read.offset.0 == two.offset {
            read.record = one.record;
        }
    }
    let leader = drawn.term(one.time).1;
    for (record, offset) in [(one.record, two.offset), (two.record, one.offset)] {
        let send = send_mut(drawn, record);
        (send.offset, send.broker) = (Some(Offset(offset)), Some(leader));
    }
}

fn swap(drawn: &mut Drawn) -> Option<()> {
    let (one, two) = neighbours(drawn, |one, two| one.record.process == two.record.process)?;
    exchange(drawn, one, two);
    // Both in flight at once, so that real time says nothing about them.
    for record in [one.record, two.record] {
        let send = send_mut(drawn, record);
        send.invoke_ns = TimeNs(one.time);
        send.complete_ns = TimeNs(two.time);
    }
    Some(())
}

fn invert(drawn: &mut Drawn) -> Option<()> {
    let (one, two) = neighbours(drawn, |one, two| one.record.process != two.record.process)?;
    exchange(drawn, one, two);
    let send = send_mut(drawn, one.record);
    (send.invoke_ns, send.complete_ns) = (TimeNs(one.time - 1), TimeNs(one.time));
    let send = send_mut(drawn, two.record);
    (send.invoke_ns, send.complete_ns) = (TimeNs(two.time), TimeNs(two.time + 1));
    Some(())
}

/// One more send of a process to partition 0, the next in sequence.
fn send_next(drawn: &mut Drawn, process: u32, outcome: Outcome) -> RecordId {
    let sends = &drawn.run.rows(0).sends;
    let record = id(process, sends.iter().filter(|send| send.process == ProcessId(process)).count() as u64);
    drawn.run.send(process, 0, record.sequence.0).outcome(outcome).times(0, 1_000 * STEP).push();
    record
}

fn read_failed(drawn: &mut Drawn) -> Option<()> {
    let record = send_next(drawn, 0, Outcome::Fail);
    append(drawn, record, ReadStatus::Intact)
}

fn change_reads(drawn: &mut Drawn, change: impl Fn(&mut ReadRow)) -> Option<()> {
    let Appended { offset, .. } = middle(drawn)?;
    drawn.run.rows(0).reads.iter_mut().filter(|read| read.offset.0 == offset).for_each(change);
    Some(())
}

fn corrupt_for_all(drawn: &mut Drawn) -> Option<()> {
    change_reads(drawn, |read| read.status = ReadStatus::Corrupt)
}

fn corrupt_for_one(drawn: &mut Drawn) -> Option<()> {
    change_reads(drawn, |read| {
        if read.reader.0 == DRAINS[1] {
            read.status = ReadStatus::Corrupt;
        }
    })
}

fn odd_length(drawn: &mut Drawn) -> Option<()> {
    change_reads(drawn, |read| read.bytes += 1)
}

fn clash(drawn: &mut Drawn) -> Option<()> {
    let record = send_next(drawn, 0, Outcome::Info);
    drawn.recount();
    change_reads(drawn, |read| {
        if read.reader.0 == DRAINS[1] {
            read.record = record;
        }
    })
}

enum Elsewhere {
    Nowhere,
    Taken,
}

fn reacknowledge(drawn: &mut Drawn, place: &Elsewhere) -> Option<()> {
    let Appended { record, .. } = middle(drawn)?;
    let offset = match place {
        Elsewhere::Nowhere => drawn.ends[0] + 10,
        Elsewhere::Taken => drawn.logs[0].first()?.offset,
    };
    send_mut(drawn, record).offset = Some(Offset(offset));
    Some(())
}

fn overwrite(drawn: &mut Drawn) -> Option<()> {
    // A producer of its own, so that the order inside no producer is touched.
    let record = send_next(drawn, 50, Outcome::Info);
    drawn.recount();
    change_reads(drawn, |read| read.record = record)
}

fn group_stops(drawn: &mut Drawn) -> Option<()> {
    let Appended { offset, .. } = middle(drawn)?;
    drop_reads(drawn, |read| [10, 11].contains(&read.reader.0) && read.offset.0 >= offset);
    limit_positions(drawn, &[10, 11], offset);
    Some(())
}

/// These processes stood at `offset` of partition 0 when their drain ended.
fn limit_positions(drawn: &mut Drawn, processes: &[u32], offset: i64) {
    for event in &mut drawn.run.history.events {
        if let EventKind::Drained { process, positions } = &mut event.kind
            && processes.contains(&process.0)
        {
            let first = positions.iter_mut().filter(|position| position.partition.partition == Partition(0));
            first.for_each(|position| position.offset = Offset(offset));
        }
    }
}

fn incomplete_drain(drawn: &mut Drawn) -> Option<()> {
    let from = acked(drawn).iter().rev().nth(2)?.offset;
    drop_reads(drawn, |read| is_drain(read) && read.offset.0 >= from);
    limit_positions(drawn, &DRAINS, from);
    Some(())
}

fn one_incomplete(drawn: &mut Drawn) -> Option<()> {
    let from = acked(drawn).iter().rev().nth(2)?.offset;
    drop_reads(drawn, |read| read.reader.0 == DRAINS[1] && read.offset.0 >= from);
    limit_positions(drawn, &DRAINS[1..], from);
    Some(())
}

fn no_drain(drawn: &mut Drawn) -> Option<()> {
    for rows in drawn.run.history.partitions.values_mut() {
        rows.reads.retain(|read| !is_drain(read));
    }
    drawn.run.history.processes.retain(|process, _| !DRAINS.contains(&process.0));
    drawn.recount();
    Some(())
}

fn cut(drawn: &mut Drawn) -> Option<()> {
    drawn.run.history.closure = Closure::Cut("it has no run-ended event".to_owned());
    forget(drawn, |kind| matches!(kind, EventKind::RunEnded { .. }))
}

fn forget(drawn: &mut Drawn, forgotten: fn(&EventKind) -> bool) -> Option<()> {
    drawn.run.history.events.retain(|event| !forgotten(&event.kind));
    Some(())
}

fn is_proof(kind: &EventKind, wanted: Moment) -> bool {
    matches!(kind, EventKind::Proof { moment, .. } if *moment == wanted)
}

fn tell(drawn: &mut Drawn, kind: EventKind) -> Option<()> {
    let end = drawn.run.history.events.last()?.time_ns;
    drawn.run.event(end.0, kind);
    Some(())
}

fn heal_fails(drawn: &mut Drawn) -> Option<()> {
    for event in &mut drawn.run.history.events {
        if let EventKind::Heal { stage, .. } = &mut event.kind
            && *stage == FaultStage::Ok
        {
            *stage = FaultStage::Fail { reason: "the engine is gone".to_owned() };
        }
    }
    Some(())
}

fn skip_fault(drawn: &mut Drawn) -> Option<()> {
    forget(drawn, |kind| matches!(kind, EventKind::Inject { .. } | EventKind::Heal { .. } | EventKind::Proof { .. }))?;
    tell(
        drawn,
        EventKind::FaultSkipped { fault: FaultId("kill".to_owned()), reason: "chat-0 has no leader".to_owned() },
    )
}

/// That a fault's target was nobody.
fn passed_over(fault: &str) -> EventKind {
    EventKind::FaultPassedOver { fault: FaultId(fault.to_owned()), reason: "chat-0 has no leader".to_owned() }
}

/// The only fault there is: nothing was tried.
fn pass_over(drawn: &mut Drawn) -> Option<()> {
    drawn.run.scenario.safety.empty_target = EmptyTarget::Skip;
    forget(drawn, |kind| matches!(kind, EventKind::Inject { .. } | EventKind::Heal { .. } | EventKind::Proof { .. }))?;
    tell(drawn, passed_over("kill"))
}

/// A second fault, whose target was nobody. No damage by itself: the scenario says that this is no failure.
pub(crate) fn pass_over_another(drawn: &mut Drawn) -> Option<()> {
    drawn.run.scenario.safety.empty_target = EmptyTarget::Skip;
    let step = drawn.run.plan.steps.first()?.clone();
    drawn.run.plan.steps.push(Step { fault: FaultId("spare".to_owned()), ..step });
    tell(drawn, passed_over("spare"))
}

fn forbid_nobody(drawn: &mut Drawn) -> Option<()> {
    drawn.run.scenario.safety.empty_target = EmptyTarget::Fail;
    Some(())
}

fn lose_passing_over(drawn: &mut Drawn) -> Option<()> {
    pass_over_another(drawn)?;
    forget(drawn, |kind| matches!(kind, EventKind::FaultPassedOver { .. }))
}

fn pass_over_and_skip(drawn: &mut Drawn) -> Option<()> {
    pass_over_another(drawn)?;
    let reason = "the chaos phase ended before its turn came".to_owned();
    tell(drawn, EventKind::FaultSkipped { fault: FaultId("spare".to_owned()), reason })
}

/// Whoever strikes has not been passed over: such a word excuses no missing proof.
fn pass_over_the_unproven(drawn: &mut Drawn) -> Option<()> {
    drawn.run.scenario.safety.empty_target = EmptyTarget::Skip;
    forget(drawn, |kind| is_proof(kind, Moment::During))?;
    tell(drawn, passed_over("kill"))
}

fn ask_for_more(drawn: &mut Drawn) -> Option<()> {
    drawn.run.scenario.faults.push(FaultSpec {
        id: FaultId("forgotten".to_owned()),
        kind: FaultKind::Pause(Pause {}),
        target: Target::Broker(BrokerId(2)),
        start: Start::At(Duration::ZERO),
        duration: Spread::exactly(Duration::from_secs(1)),
        again: Again::Once,
    });
    Some(())
}

fn stand_still(drawn: &mut Drawn) -> Option<()> {
    let events = &drawn.run.history.events;
    let struck = events.iter().find(|event| matches!(event.kind, EventKind::Inject { .. }))?.time_ns;
    for send in drawn.run.history.partitions.values_mut().flat_map(|rows| &mut rows.sends) {
        if send.outcome == Outcome::Ok && send.complete_ns < struck {
            (send.outcome, send.offset) = (Outcome::Info, None);
        }
    }
    Some(())
}

fn stay_broken(drawn: &mut Drawn) -> Option<()> {
    forget(drawn, |kind| matches!(kind, EventKind::ClusterWhole { .. }))?;
    tell(drawn, EventKind::ClusterNotWhole { waited_ms: 60_000, last_seen: "chat-0 lacks broker-2".to_owned() })
}

fn lose_row(drawn: &mut Drawn) -> Option<()> {
    let PartitionHistory { sends, reads, .. } = drawn.run.rows(0);
    let seen = |send: &SendRow| reads.iter().any(|read| read.record == send.id());
    let last = |send: &SendRow, sends: &[SendRow]| {
        !sends.iter().any(|other| other.process == send.process && other.sequence > send.sequence)
    };
    let at = sends.iter().position(|send| send.outcome == Outcome::Fail && !last(send, sends) && !seen(send))?;
    sends.remove(at);
    drawn.recount();
    Some(())
}

/// The harness lost what a producer had not handed in: its last rows, and the word that it ended.
fn lose_last_rows(drawn: &mut Drawn) -> Option<()> {
    let lost = acked(drawn).last()?.record;
    drawn.run.rows(0).sends.retain(|send| send.process != lost.process || send.sequence < lost.sequence);
    drawn
        .run
        .history
        .events
        .retain(|event| !matches!(event.kind, EventKind::ProcessEnded { process, .. } if process == lost.process));
    drawn.recount();
    Some(())
}

fn repeat_row(drawn: &mut Drawn) -> Option<()> {
    let sends = &mut drawn.run.rows(0).sends;
    let again = *sends.iter().find(|send| send.outcome == Outcome::Fail)?;
    sends.push(again);
    drawn.recount();
    Some(())
}

fn miscount(drawn: &mut Drawn) -> Option<()> {
    for event in &mut drawn.run.history.events {
        if let EventKind::RunEnded { sends, .. } = &mut event.kind {
            *sends += 1;
        }
    }
    Some(())
}
