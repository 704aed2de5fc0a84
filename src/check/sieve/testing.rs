//! Runs to be sifted: drawn ones, and what goes wrong in them.

use std::collections::BTreeMap;

use rand::Rng;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;

use crate::check::testing::{RunBuilder, id, stored_batch};
use crate::history::event::{LogRange, Phase, RevocationCause};
use crate::history::{EventKind, PartitionHistory, ReadRow, ReplicaRow, SendRow};
use crate::kafka::replica::{ReplicaLog, StoredBatch};
use crate::kafka::{
    BrokerId, ClusterView, LeaderEpoch, Offset, Outcome, PartitionView, ProcessId, ReadStatus, Sequence, TimeNs,
    TopicPartition,
};

/// Between two appends.
pub(crate) const STEP: u64 = 100_000;
const DRAINS: [u32; 2] = [100, 101];

/// A run without anything to find in it, its partitions dense, in several terms, its groups' partitions handed over.
pub(crate) fn draw(rng: &mut ChaCha8Rng) -> RunBuilder {
    let partitions = rng.random_range(1..=2);
    let mut run = RunBuilder::new(partitions);
    run.event(0, EventKind::PhaseStarted { phase: Phase::Chaos });
    let groups: &[&str] = if rng.random_bool(0.5) { &["readers"] } else { &["others", "readers"] };
    for (number, group) in (0_u32..).zip(groups) {
        run.member(10 + 2 * number, group, 0);
        run.member(11 + 2 * number, group, 1);
    }
    let mut ends = Vec::new();
    for partition in 0..partitions.cast_signed() {
        let length = rng.random_range(60..260_i64);
        produce(&mut run, rng, partition, length);
        for number in 0..groups.len() {
            consume(&mut run, rng, partition, [10, 11].map(|member| member + 2 * u32::try_from(number).expect("few")));
        }
        ends.push((partition, length));
    }
    let loaded = 400 * STEP;
    run.event(loaded, EventKind::PhaseStarted { phase: Phase::Drain });
    let ranges = ends.iter().map(|(partition, end)| LogRange {
        partition: TopicPartition::new("chat", *partition),
        start: Offset(0),
        end: Offset(*end),
        high_watermark: rng.random_bool(0.7).then_some(Offset(*end)),
    });
    let ranges = ranges.collect();
    run.event(loaded + STEP, EventKind::EndOffsets { ranges });
    for reader in DRAINS {
        run.drain_reader(reader);
        for (partition, end) in &ends {
            let log = log(&run, *partition);
            for (at, (offset, read)) in (0_u64..).zip(log) {
                run.rows(*partition).reads.push(ReadRow {
                    reader: ProcessId(reader),
                    offset: Offset(offset),
                    read_ns: TimeNs(loaded + 2 * STEP + at * 10),
                    ..read
                });
            }
            run.drained(reader, *partition, *end);
        }
    }
    if rng.random_bool(0.5) {
        audit(&mut run, rng, &ends);
    }
    run
}

/// Three brokers' disks, which hold the logs in batches of one process's records each, sent by an id of its own that may be another
/// one from some batch on.
fn audit(run: &mut RunBuilder, rng: &mut ChaCha8Rng, ends: &[(i32, i64)]) {
    let brokers = [1, 2, 3].map(BrokerId);
    let view = |partition: i32| PartitionView {
        partition: TopicPartition::new("chat", partition),
        leader: Some(brokers[0]),
        leader_epoch: Some(LeaderEpoch(1)),
        replicas: brokers.to_vec(),
        isr: brokers.to_vec(),
    };
    let partitions = ends.iter().map(|(partition, _)| view(*partition)).collect();
    let view = ClusterView { brokers: brokers.to_vec(), partitions, ..ClusterView::default() };
    run.event(390 * STEP, EventKind::ClusterObserved { view });
    let mut logs = Vec::new();
    for (partition, end) in ends {
        let mut batches: Vec<StoredBatch> = Vec::new();
        for (offset, read) in log(run, *partition) {
            let process = i64::from(read.record.process.0);
            match batches.last_mut() {
                Some(batch) if batch.producer_id % 10 == process && rng.random_bool(0.8) => {
                    batch.last_offset = Offset(offset);
                    batch.records += 1;
                }
                _ => {
                    let mut batch = stored_batch((offset, offset), 1, 0);
                    batch.producer_id = process + 10 * (1 + i64::from(rng.random_bool(0.1)));
                    batches.push(batch);
                }
            }
        }
        logs.push(ReplicaLog {
            partition: TopicPartition::new("chat", *partition),
            start: Offset(0),
            end: Offset(*end),
            batches: batches.len() as u64,
            bytes: 500,
            breaks: Vec::new(),
            unread_from: None,
        });
        let (topic, number) = RunBuilder::chat(*partition);
        for broker in brokers {
            let rows = batches.iter().map(|batch| ReplicaRow { broker, topic, partition: number, batch: *batch });
            run.rows(*partition).replicas.extend(rows);
        }
    }
    for broker in brokers {
        run.event(600 * STEP, EventKind::ReplicasRead { broker, logs: logs.clone() });
    }
}

/// What lies in a partition, by offset, as a group read it.
fn log(run: &RunBuilder, partition: i32) -> BTreeMap<i64, ReadRow> {
    let reads = &run.history.partitions[&RunBuilder::chat(partition)].reads;
    let of_members = reads.iter().filter(|read| read.reader.0 < DRAINS[0]);
    of_members.map(|read| (read.offset.0, *read)).collect()
}

fn following(next: &mut u64) -> u64 {
    *next += 1;
    *next - 1
}

/// Whose record comes next: one process may send nearly everything, and another one a record now and then.
fn turn(rng: &mut ChaCha8Rng, shares: [u32; 3]) -> u32 {
    let mut drawn = rng.random_range(0..shares.iter().sum());
    (0_u32..)
        .zip(shares)
        .find(|(_, share)| drawn.checked_sub(*share).map(|rest| drawn = rest).is_none())
        .expect("less")
        .0
}

fn produce(run: &mut RunBuilder, rng: &mut ChaCha8Rng, partition: i32, length: i64) {
    let mut next = [0_u64; 3];
    let most = if rng.random_bool(0.5) { 40 } else { 2 };
    let shares = [most; 3].map(|most| rng.random_range(1..=most));
    let lost = |run: &mut RunBuilder, rng: &mut ChaCha8Rng, next: &mut [u64; 3], time: u64| {
        let process = turn(rng, shares);
        let sequence = following(&mut next[process as usize]);
        let outcome = if rng.random_bool(0.5) { Outcome::Fail } else { Outcome::Info };
        run.send(process, partition, sequence).outcome(outcome).times(time, time + 9 * STEP).push();
    };
    let (mut epoch, mut leader) = (1, 1);
    for offset in 0..length {
        let time = 20 * STEP + offset.unsigned_abs() * STEP;
        if rng.random_bool(0.01) {
            (epoch, leader) = (epoch + 1, leader % 3 + 1);
        }
        if rng.random_bool(0.02) {
            lost(run, rng, &mut next, time);
        }
        let process = turn(rng, shares);
        let sequence = following(&mut next[process as usize]);
        let (invoke, complete) = (time - rng.random_range(0..8) * STEP, time + rng.random_range(0..8) * STEP);
        let send = run.send(process, partition, sequence).times(invoke, complete).broker(BrokerId(leader));
        // Now and then one that lies in the log was never acknowledged.
        let send = if rng.random_bool(0.01) { send.outcome(Outcome::Info) } else { send.offset(offset) };
        send.push();
        // Kept here until members have read it.
        run.read_at(time, 0, partition, offset, id(process, sequence));
        run.rows(partition).reads.last_mut().expect("it was added").leader_epoch = Some(LeaderEpoch(epoch));
    }
}

/// Members take turns; each goes on where the one before committed.
fn consume(run: &mut RunBuilder, rng: &mut ChaCha8Rng, partition: i32, members: [u32; 2]) {
    let written: Vec<ReadRow> = {
        let reads = &run.history.partitions[&RunBuilder::chat(partition)].reads;
        let mut log: BTreeMap<i64, ReadRow> = BTreeMap::new();
        for read in reads {
            log.entry(read.offset.0).or_insert(*read);
        }
        log.into_values().collect()
    };
    run.rows(partition).reads.retain(|read| read.reader != ProcessId(0));
    let (mut owner, mut at, mut committed) = (0, 0, 0_usize);
    let mut clock = 0;
    run.assigned(1, members[owner], partition);
    while at < written.len() {
        clock = written[at].read_ns.0.max(clock) + rng.random_range(0..3) * STEP;
        if rng.random_bool(0.01) {
            if rng.random_bool(0.8) {
                committed = at;
                run.committed(clock, members[owner], Outcome::Ok, partition, written[at].offset.0);
            }
            run.revoked(clock + 1, members[owner], partition, RevocationCause::Rebalance);
            owner = 1 - owner;
            clock += 2;
            run.assigned(clock, members[owner], partition);
            at = committed;
            clock += 1;
            continue;
        }
        run.rows(partition).reads.push(ReadRow {
            reader: ProcessId(members[owner]),
            read_ns: TimeNs(clock),
            ..written[at]
        });
        at += 1;
    }
}

/// Something goes wrong in a partition, anywhere.
pub(crate) fn damage(run: &mut RunBuilder, rng: &mut ChaCha8Rng) {
    let partition = rng.random_range(0..run.history.partitions.len()).try_into().expect("few partitions");
    let rows = run.rows(partition);
    let one_of = |rng: &mut ChaCha8Rng, len: usize| rng.random_range(0..len.max(1));
    let (send, read) = (one_of(rng, rows.sends.len()), one_of(rng, rows.reads.len()));
    let (other_send, other) = (one_of(rng, rows.sends.len()), one_of(rng, rows.reads.len()));
    if rows.sends.is_empty() || rows.reads.is_empty() {
        return;
    }
    let offset = rows.reads[read].offset;
    let of = |row: &ReadRow, reader: ProcessId| row.reader == reader;
    let reader = rows.reads[read].reader;
    match rng.random_range(0..28) {
        0 => rows.reads.retain(|row| row.offset != offset),
        1 => drop(rows.reads.remove(read)),
        2 => drop(rows.sends.remove(send)),
        3 => rows.sends.push(rows.sends[send]),
        4 => rows.sends[send].offset = rows.sends[other_send].offset,
        5 => rows.sends[send].invoke_ns.0 += 40 * STEP,
        6 => rows.sends[send].complete_ns.0 = rows.sends[send].complete_ns.0.saturating_sub(40 * STEP),
        7 => rows.sends[send].broker = rng.random_bool(0.5).then_some(BrokerId(2)),
        8 => rows.sends[send].outcome = *[Outcome::Fail, Outcome::Info].choose(rng).expect("two"),
        9 => rows.sends[send].bytes += 1,
        10 => rows.reads[read].bytes += 1,
        11 => {
            rows.reads[read].status =
                *[ReadStatus::Corrupt, ReadStatus::Foreign, ReadStatus::Misplaced].choose(rng).expect("three");
        }
        12 => rows.reads[read].leader_epoch = rng.random_bool(0.7).then(|| LeaderEpoch(rng.random_range(0..4))),
        13 => rows.reads[read].record.sequence = Sequence(rng.random_range(0..90)),
        14 => rows.reads[read].record.process = ProcessId(rng.random_range(0..5)),
        15 => rows.reads[read].reader = ProcessId(*[10, 11, 12, 100, 101, 77].choose(rng).expect("six")),
        16 => rows.reads[read].read_ns.0 = rng.random_range(0..500 * STEP),
        17 => rows.reads.insert(read, rows.reads[other]),
        18 => rows.reads.swap(read, other),
        // All readers find another record there.
        19 => {
            let record = rows.reads[other].record;
            rows.reads.iter_mut().filter(|row| row.offset == offset).for_each(|row| row.record = record);
        }
        // Two records changed places for everybody.
        20 => {
            let there = rows.reads[other].offset;
            for row in rows.reads.iter_mut().filter(|row| row.offset == offset || row.offset == there) {
                row.offset = if row.offset == offset { there } else { offset };
            }
        }
        // One reader passes over a stretch.
        21 => rows.reads.retain(|row| !of(row, reader) || row.offset < offset || row.offset.0 > offset.0 + 30),
        23 => late_behind_a_doubtful_one(rows, rows.sends[send].process),
        // What was damaged or went astray claims to be far ahead.
        24 => {
            let status = *[ReadStatus::Corrupt, ReadStatus::Misplaced].choose(rng).expect("two");
            for row in rows.reads.iter_mut().filter(|row| row.offset == offset) {
                (row.status, row.record.sequence) = (status, Sequence(1 << 40));
            }
        }
        // The drain ended early, and groups had gone on.
        25 => rows.reads.retain(|row| !DRAINS.contains(&row.reader.0) || row.offset < offset),
        // One replica has something else.
        26 => {
            if let Some(row) = rows.replicas.iter_mut().rev().find(|row| row.batch.base_offset <= offset) {
                row.batch.producer_id = rng.random_range(0..40);
            }
        }
        // The log's end is nowhere, or an epoch fell for everybody.
        22 => rows.reads.retain(|row| row.offset.0 < offset.0.max(40)),
        _ => rows
            .reads
            .iter_mut()
            .filter(|row| row.offset >= offset)
            .for_each(|row| row.leader_epoch = Some(LeaderEpoch(1))),
    }
}

/// Of three records of a process that follow one another the first one comes last, behind the third, of which nobody knows what became.
pub(super) fn late_behind_a_doubtful_one(rows: &mut PartitionHistory, process: ProcessId) {
    let of_it = |send: &&SendRow| send.process == process && send.outcome == Outcome::Ok && send.offset.is_some();
    let mut sends: Vec<SendRow> = rows.sends.iter().filter(of_it).copied().collect();
    sends.sort_by_key(|send| send.sequence);
    let Some([first, second, third]) = sends.len().checked_sub(3).map(|from| [0, 1, 2].map(|at| sends[from / 2 + at]))
    else {
        return;
    };
    let moved = [(first, third.offset), (second, first.offset), (third, second.offset)];
    for send in &mut rows.sends {
        if let Some((_, offset)) = moved.iter().find(|(moved, _)| moved.id() == send.id()) {
            send.offset = *offset;
            if send.id() == third.id() {
                (send.outcome, send.offset) = (Outcome::Info, None);
            }
        }
    }
    for read in &mut rows.reads {
        if let Some((send, _)) = moved.iter().find(|(_, offset)| *offset == Some(read.offset)) {
            read.record = send.id();
        }
    }
}
