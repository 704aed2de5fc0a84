//! What is sifted gets the same answers, word by word, as the whole: over thousands of drawn runs with damages anywhere in them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::testing::{damage, draw, late_behind_a_doubtful_one};
use super::{ChunkSize, Run, Sieve};
use crate::anomaly::CheckName;
use crate::check::check_all;
use crate::check::testing::RunBuilder;
use crate::history::tally::Tally;
use crate::history::{EventKind, History, PartitionHistory, ProcessRole, SendRow};
use crate::kafka::{Offset, Outcome, ProcessId, ReadStatus, Sequence};

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
            run.scenario.expect.insert(CheckName::Redelivery, crate::anomaly::Expectation::Forbidden);
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
    let duplicates = whole.iter().find(|result| result.check == CheckName::Duplicate);
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
        let order = whole.iter().find(|result| result.check == CheckName::ProducerOrder);
        told += order.map_or(0, |order| order.found);
    }
    assert!(told > 100, "{told} records lie behind the last one of their process");
}

#[test]
fn a_record_that_lies_late_is_found_though_a_doubtful_one_lies_between_it_and_what_convicts() {
    let mut told = 0;
    for seed in 0..60 {
        let mut run = draw(&mut ChaCha8Rng::seed_from_u64(seed));
        for process in 0..3 {
            late_behind_a_doubtful_one(run.rows(0), ProcessId(process));
        }
        let sifted = sift(&run, ChunkSize::of_bits(1)).expect("nothing forbids it");
        let [whole, sifted] = [&run.history, &sifted].map(|history| check_all(history, &run.scenario, &run.plan));
        let order = whole.iter().find(|result| result.check == CheckName::ProducerOrder);
        told += order.map_or(0, |order| order.found);
        for (one, other) in whole.iter().zip(&sifted) {
            assert_eq!(one, other, "seed {seed}");
        }
    }
    assert!(told > 100, "{told} records lie late");
}

#[test]
fn what_was_damaged_and_claims_to_lie_far_ahead_costs_its_own_place_only() {
    let mut run = draw(&mut ChaCha8Rng::seed_from_u64(1));
    let before = kept(&sift(&run, ChunkSize::of_bits(1)).expect("nothing forbids it")).1;
    for row in run.rows(0).reads.iter_mut().filter(|row| row.offset == Offset(10)) {
        (row.status, row.record.sequence) = (ReadStatus::Corrupt, Sequence(1 << 40));
    }
    let after = kept(&sift(&run, ChunkSize::of_bits(1)).expect("nothing forbids it")).1;
    assert!(after < before + 60, "{after} reads are left, and were {before}");
}
