//! What is sifted gets the same answers, word by word, as the whole: over thousands of drawn runs with damages anywhere in them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{ChunkSize, Run, Sieve};
use crate::check::check_all;
use crate::check::testing::{RunBuilder, id};
use crate::history::event::{LogRange, Phase, RevocationCause};
use crate::history::tally::Tally;
use crate::history::{EventKind, History, PartitionHistory, ProcessRole, ReadRow, SendRow};
use crate::kafka::{BrokerId, LeaderEpoch, Offset, Outcome, ProcessId, ReadStatus, Sequence, TimeNs, TopicPartition};

/// Between two appends.
const STEP: u64 = 100_000;
const DRAINS: [u32; 2] = [100, 101];

/// A history that is sifted, as reading one from the disk does it.
fn sift(run: &RunBuilder, size: ChunkSize) -> Option<History> {
    let whole = &run.history;
    let bare =
        |rows: &PartitionHistory| PartitionHistory { replicas: rows.replicas.clone(), ..PartitionHistory::default() };
    let partitions: BTreeMap<_, _> = whole.partitions.iter().map(|(place, rows)| (*place, bare(rows))).collect();
    let mut sifted = History { partitions, ..whole.clone() };
    let mut sieve = Sieve::new(&sifted, &run.scenario, size)?;
    for rows in whole.partitions.values() {
        rows.sends.iter().for_each(|send| sieve.sends.take(send));
        rows.reads.chunk_by(|one, other| one.reader == other.reader).for_each(|run| sieve.reads.take_run(run));
    }
    let tally = Tally::of(whole, &crate::check::asked(whole, &run.plan));
    let mut wanted = sieve.settle(&sifted, &run.scenario, &tally.sends);
    sifted.tally = Some(tally.into());
    loop {
        for (place, plain) in wanted.plain() {
            let rows = &whole.partitions[&place];
            let kept = sifted.partitions.get_mut(&place).expect("the same partitions");
            kept.sends = rows.sends.iter().filter(|send| wanted.send(send)).copied().collect();
            kept.reads = rows.reads.iter().filter(|read| wanted.read(read)).copied().collect();
            kept.plain = plain;
        }
        if !wanted.widen(&sifted, Run { scenario: &run.scenario, plan: &run.plan }) {
            return Some(sifted);
        }
    }
}

/// A run without anything to find in it, its partitions dense, in several terms, its groups' partitions handed over.
fn draw(rng: &mut ChaCha8Rng) -> RunBuilder {
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
    run
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

fn produce(run: &mut RunBuilder, rng: &mut ChaCha8Rng, partition: i32, length: i64) {
    let mut next = [0_u64; 3];
    let lost = |run: &mut RunBuilder, rng: &mut ChaCha8Rng, next: &mut [u64; 3], time: u64| {
        let process = rng.random_range(0..3_u32);
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
        let process = rng.random_range(0..3_u32);
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
fn damage(run: &mut RunBuilder, rng: &mut ChaCha8Rng) {
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
    match rng.random_range(0..24) {
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
        // The log's end is nowhere, or an epoch fell for everybody.
        22 => rows.reads.retain(|row| row.offset.0 < offset.0.max(40)),
        _ => rows
            .reads
            .iter_mut()
            .filter(|row| row.offset >= offset)
            .for_each(|row| row.leader_epoch = Some(LeaderEpoch(1))),
    }
}

/// What happens to a run as a whole.
fn disturb(run: &mut RunBuilder, rng: &mut ChaCha8Rng) {
    match rng.random_range(0..6) {
        // Where an owner began, nothing had been committed so far.
        0 => {
            let committed: Vec<usize> = (0..run.history.events.len())
                .filter(|at| matches!(run.history.events[*at].kind, EventKind::Committed { .. }))
                .collect();
            if let Some(at) = committed.choose(rng) {
                drop(run.history.events.remove(*at));
            }
        }
        1 => {
            for event in &mut run.history.events {
                if let EventKind::EndOffsets { ranges } = &mut event.kind {
                    ranges[0].end = Offset((ranges[0].end.0 - rng.random_range(0..50)).max(0));
                }
            }
        }
        2 => run.history.events.retain(|event| !matches!(event.kind, EventKind::EndOffsets { .. })),
        3 => {
            let at = rng.random_range(0..run.history.events.len());
            drop(run.history.events.remove(at));
        }
        4 => {
            run.scenario.expect.insert(crate::anomaly::CheckName::Redelivery, crate::anomaly::Expectation::Forbidden);
        }
        _ => drop(run.history.processes.insert(ProcessId(55), ProcessRole::Drain { reader: 9 })),
    }
}

fn kept(history: &History) -> (usize, usize) {
    let rows = |count: fn(&PartitionHistory) -> usize| history.partitions.values().map(count).sum::<usize>();
    (rows(|rows| rows.sends.len()), rows(|rows| rows.reads.len()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sifted_gets_the_same_answers(seed in any::<u64>(), damages in 0_u32..5, bits in 1_u32..5) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let mut run = draw(rng);
        (0..damages).for_each(|_| damage(&mut run, rng));
        if rng.random_bool(0.3) {
            disturb(&mut run, rng);
        }
        let sifted = sift(&run, ChunkSize::of_bits(bits));
        let sifted = sifted.expect("nothing forbids it");
        let whole = check_all(&run.history, &run.scenario, &run.plan);
        for (one, other) in whole.iter().zip(&check_all(&sifted, &run.scenario, &run.plan)) {
            prop_assert_eq!(one, other);
        }
    }
}

#[test]
fn of_a_run_without_anything_to_find_much_is_plain() {
    let (mut all, mut left) = (0, 0);
    for seed in 0..50 {
        let run = draw(&mut ChaCha8Rng::seed_from_u64(seed));
        let sifted = sift(&run, ChunkSize::of_bits(1)).expect("nothing forbids it");
        all += kept(&run.history).1;
        left += kept(&sifted).1;
    }
    // The runs are short, so that much of each is near its beginning, its end, or a change of hands.
    assert!(left * 10 < all * 6, "{left} of {all} rows are left");
}

#[test]
fn a_send_that_two_rows_name_is_told_as_it_is_in_full() {
    let mut run = draw(&mut ChaCha8Rng::seed_from_u64(3));
    let rows = run.rows(0);
    let send = *rows.sends.iter().find(|send| send.offset == Some(Offset(20))).expect("it was sent");
    // Acknowledged once more elsewhere, in the place of another record, and read there by everybody.
    let other = rows.sends.iter_mut().find(|send| send.offset == Some(Offset(50))).expect("it was sent");
    (other.process, other.sequence) = (send.process, send.sequence);
    rows.reads.iter_mut().filter(|read| read.offset == Offset(50)).for_each(|read| read.record = send.id());
    let sifted = sift(&run, ChunkSize::of_bits(1)).expect("nothing forbids it");
    let [whole, sifted] = [&run.history, &sifted].map(|history| check_all(history, &run.scenario, &run.plan));
    assert_eq!(whole, sifted);
    let duplicates = whole.iter().find(|result| result.check == crate::anomaly::CheckName::Duplicate);
    assert_eq!(duplicates.map(|result| result.found), Some(1));
}

#[test]
fn a_record_that_lies_twice_brings_back_the_place_where_it_was_acknowledged() {
    let mut run = draw(&mut ChaCha8Rng::seed_from_u64(3));
    let rows = run.rows(0);
    let twin = rows.sends.iter().find(|send| send.offset == Some(Offset(20))).map(SendRow::id).expect("it was sent");
    rows.reads.iter_mut().filter(|read| read.offset == Offset(50)).for_each(|read| read.record = twin);
    let sifted = sift(&run, ChunkSize::of_bits(2)).expect("nothing forbids it");
    let offsets =
        |offset: i64| sifted.partitions[&RunBuilder::chat(0)].reads.iter().any(|read| read.offset.0 == offset);
    assert!(offsets(20) && offsets(50));
}

#[test]
fn an_order_that_only_the_second_drain_reader_saw_broken_counts_for_all_that_lies_behind() {
    let mut told = 0;
    for seed in 0..20 {
        let mut run = draw(&mut ChaCha8Rng::seed_from_u64(seed));
        let rows = run.rows(0);
        let Some(here) = rows.sends.iter().find(|send| send.offset == Some(Offset(20))).copied() else { continue };
        let of_one = rows.sends.iter().filter(|send| send.process == here.process && send.outcome == Outcome::Ok);
        let last = of_one.max_by_key(|send| send.sequence).map(SendRow::id).expect("it was sent");
        // The first one read nothing there; the others found the record that lies last.
        rows.reads.retain(|read| read.offset != Offset(20) || read.reader != ProcessId(100));
        rows.reads.iter_mut().filter(|read| read.offset == Offset(20)).for_each(|read| read.record = last);
        let sifted = sift(&run, ChunkSize::of_bits(1)).expect("nothing forbids it");
        let [whole, sifted] = [&run.history, &sifted].map(|history| check_all(history, &run.scenario, &run.plan));
        for (one, other) in whole.iter().zip(&sifted) {
            assert_eq!(one, other, "seed {seed}");
        }
        let order = whole.iter().find(|result| result.check == crate::anomaly::CheckName::ProducerOrder);
        told += order.map_or(0, |order| order.found);
    }
    assert!(told > 100, "{told} records lie behind the last one of their process");
}
