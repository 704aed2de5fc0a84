//! Runs with a transformer: valid ones, and each damaged in one way.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;

use crate::anomaly::{CheckName, CheckResult, Validity};
use crate::fault::lever::RecordsDeleted;
use crate::fault::{Deed, FaultId};
use crate::history::event::Position;
use crate::history::{EventKind, PartitionHistory, ReadRow};
use crate::kafka::levers::LogBounds;
use crate::kafka::{BrokerId, Offset, Outcome, Partition, ReadStatus, TopicPartition};

use super::check_all;
use super::generator::transform::{COPIERS, INTO, transform};
use super::generator::{DRAINS, Drawn, Shape, WITNESS, draw};
use super::testing::RunBuilder;

use CheckName::{Corrupt, Coverage, ExactlyOnce, LostWrite, TornTransaction};
use Validity::{Invalid, Unknown};

fn transformed(seed: u64, shape: Shape) -> Drawn {
    let mut drawn = draw(seed, shape);
    transform(&mut drawn, seed);
    drawn
}

/// Nobody audits these: the simulated replicas have the first topic only.
fn answers(drawn: &Drawn) -> Vec<CheckResult> {
    let answers = check_all(&drawn.run.history, &drawn.run.scenario, &drawn.run.plan);
    answers.into_iter().filter(|answer| answer.check != CheckName::ReplicaDivergence).collect()
}

fn not_valid(answers: &[CheckResult]) -> BTreeMap<CheckName, Validity> {
    let doubtful = answers.iter().filter(|answer| answer.validity != Validity::Valid);
    doubtful.map(|answer| (answer.check, answer.validity)).collect()
}

fn copies(drawn: &mut Drawn) -> &mut PartitionHistory {
    drawn.run.history.partitions.get_mut(&(INTO, Partition(0))).expect("it was declared")
}

/// The first record of the copies that was committed: its reads by the drain readers.
fn first_read(drawn: &mut Drawn) -> Option<ReadRow> {
    copies(drawn).reads.iter().min_by_key(|read| read.offset).copied()
}

/// What its transaction was to hold is not there, and nobody ever sent it.
fn make_nothing(drawn: &mut Drawn) -> Option<()> {
    let first = first_read(drawn)?;
    let rows = copies(drawn);
    let sequence =
        rows.sends.iter().filter(|send| send.process == first.record.process).map(|send| send.sequence).max()?;
    // Of the process's last record, so that no number is missing among the others.
    let gone = |process, number| process == first.record.process && number == sequence;
    let committed = rows.sends.iter().any(|send| gone(send.process, send.sequence) && send.outcome == Outcome::Ok);
    rows.sends.retain(|send| !gone(send.process, send.sequence));
    rows.sources.retain(|source| !gone(source.process, source.sequence));
    rows.reads.retain(|read| !gone(read.record.process, read.record.sequence));
    for event in &mut drawn.run.history.events {
        if let EventKind::Transaction {
            process,
            stage: crate::history::event::TransactionStage::Invoke { records, .. },
            ..
        } = &mut event.kind
            && *process == first.record.process
        {
            for span in
                records.iter_mut().filter(|span| span.partition.topic == "copies" && span.partition.partition.0 == 0)
            {
                if span.first.0 + span.count == sequence.0 + 1 {
                    span.count -= 1;
                }
            }
            records.retain(|span| span.count > 0);
        }
    }
    drawn.recount();
    committed.then_some(())
}

/// Two records of the copies are said to be of one source, as after a takeover that began too early.
fn make_two_of_one(drawn: &mut Drawn) -> Option<()> {
    let committed = committed(drawn);
    let rows = copies(drawn);
    let mut sources: Vec<_> = rows.sources.iter_mut().filter(|row| committed.contains(&row.id())).collect();
    let (first, rest) = sources.split_first_mut()?;
    rest.first_mut()?.source_offset = first.source_offset;
    Some(())
}

/// A record is said to be of an offset that nobody ever read.
fn make_one_of_nothing(drawn: &mut Drawn) -> Option<()> {
    let hole = {
        let reads = &drawn.run.rows(0).reads;
        (0..drawn.ends[0]).find(|offset| reads.iter().all(|read| read.offset.0 != *offset))?
    };
    let committed = committed(drawn);
    let source = copies(drawn).sources.iter_mut().find(|row| committed.contains(&row.id()))?;
    source.source_offset = Offset(hole);
    Some(())
}

/// Where nothing lies for anybody else a member was given something, and a record was made of that.
fn make_one_of_what_only_its_member_saw(drawn: &mut Drawn) -> Option<()> {
    make_one_of_nothing(drawn)?;
    let offset = {
        let reads = &drawn.run.rows(0).reads;
        (0..drawn.ends[0]).find(|offset| reads.iter().all(|read| read.offset.0 != *offset))?
    };
    let last = *drawn.run.rows(0).reads.iter().rfind(|read| read.reader.0 >= 70 && read.reader.0 < 80)?;
    let end = drawn.run.history.events.last()?.time_ns;
    let seen = ReadRow { offset: Offset(offset), read_ns: end, status: ReadStatus::Corrupt, ..last };
    drawn.run.rows(0).reads.push(seen);
    drawn.recount();
    Some(())
}

/// A member was given corrupt bytes where the drain reads a record, of which nothing was made therefore.
fn give_corrupt_bytes(drawn: &mut Drawn) -> Option<()> {
    make_nothing(drawn)?;
    let committed = committed(drawn);
    let sources = copies(drawn).sources.iter().filter(|row| committed.contains(&row.id()));
    let made: Vec<i64> = sources.map(|row| row.source_offset.0).collect();
    let is_members = |read: &ReadRow| read.reader.0 >= 70 && read.reader.0 < 80 && !made.contains(&read.offset.0);
    let read = drawn.run.rows(0).reads.iter_mut().find(|read| is_members(read))?;
    read.status = ReadStatus::Corrupt;
    Some(())
}

fn committed(drawn: &mut Drawn) -> Vec<crate::kafka::RecordId> {
    let sends = copies(drawn).sends.iter();
    sends.filter(|send| send.outcome == Outcome::Ok).map(crate::history::SendRow::id).collect()
}

/// What a record was made of was not told.
fn forget_a_source(drawn: &mut Drawn) -> Option<()> {
    let committed = committed(drawn);
    let rows = copies(drawn);
    let at = rows.sources.iter().position(|row| committed.contains(&row.id()))?;
    rows.sources.remove(at);
    Some(())
}

/// The transformer's group did not get to the end.
fn stop_early(drawn: &mut Drawn) -> Option<()> {
    let mut stopped = None;
    for event in &mut drawn.run.history.events {
        let EventKind::Drained { process, positions } = &mut event.kind else { continue };
        if DRAINS.contains(&process.0) || process.0 == WITNESS || process.0 < 70 {
            continue;
        }
        for Position { offset, .. } in positions.iter_mut().filter(|position| position.partition.partition.0 == 0) {
            *offset = Offset(0);
            stopped = Some(());
        }
    }
    stopped
}

/// A record of the copies is gone although it was acknowledged and committed.
fn lose_a_copy(drawn: &mut Drawn) -> Option<()> {
    let first = first_read(drawn)?;
    copies(drawn).reads.retain(|read| read.record != first.record);
    drawn.recount();
    Some(())
}

/// The first copies are gone, and the log begins behind them.
fn remove_the_first_copy(drawn: &mut Drawn) -> Option<()> {
    let first = first_read(drawn)?;
    copies(drawn).reads.retain(|read| read.offset > first.offset);
    let is_it = |partition: &TopicPartition| partition.topic == "copies" && partition.partition == Partition(0);
    for event in &mut drawn.run.history.events {
        if let EventKind::EndOffsets { ranges } = &mut event.kind {
            let range = ranges.iter_mut().find(|range| is_it(&range.partition))?;
            range.start = Offset(first.offset.0 + 1);
        }
    }
    drawn.recount();
    Some(())
}

/// And a fault had done it.
fn delete_the_first_copy(drawn: &mut Drawn) -> Option<()> {
    let first = first_read(drawn)?;
    remove_the_first_copy(drawn)?;
    let start = Offset(first.offset.0 + 1);
    let partition = TopicPartition::new("copies", 0);
    let before = LogBounds { log_start: Offset(0), high_watermark: start };
    let deed = Deed::RecordsDeleted(RecordsDeleted { partition, before, log_start: start });
    let at = drawn.run.history.events.len().checked_sub(1)?;
    let time_ns = drawn.run.history.events[at].time_ns;
    let kind = EventKind::Deed { fault: FaultId("d".to_owned()), target: BrokerId(1), deed };
    drawn.run.history.events.insert(at, crate::history::Event { time_ns, kind });
    Some(())
}

/// Nobody can tell what the bytes of a copy were.
fn corrupt_a_copy(drawn: &mut Drawn) -> Option<()> {
    let first = first_read(drawn)?;
    for read in copies(drawn).reads.iter_mut().filter(|read| read.record == first.record) {
        read.status = ReadStatus::Corrupt;
    }
    Some(())
}

type Damage = (&'static str, fn(&mut Drawn) -> Option<()>, &'static [(CheckName, Validity)]);

const DAMAGES: [Damage; 11] = [
    ("nothing was made of a record", make_nothing, &[(ExactlyOnce, Invalid)]),
    ("two were made of one, and none of the next", make_two_of_one, &[(ExactlyOnce, Invalid)]),
    ("one was made of nothing", make_one_of_nothing, &[(ExactlyOnce, Invalid)]),
    (
        "one was made of what only its member saw",
        make_one_of_what_only_its_member_saw,
        &[(Corrupt, Invalid), (ExactlyOnce, Invalid)],
    ),
    ("a member was given corrupt bytes", give_corrupt_bytes, &[(Corrupt, Invalid), (ExactlyOnce, Unknown)]),
    ("nobody told what one was made of", forget_a_source, &[(ExactlyOnce, Unknown)]),
    ("the group did not get to the end", stop_early, &[(ExactlyOnce, Unknown)]),
    ("a copy is lost", lose_a_copy, &[(LostWrite, Invalid), (TornTransaction, Invalid), (ExactlyOnce, Invalid)]),
    (
        "the first copies were removed",
        remove_the_first_copy,
        &[(LostWrite, Unknown), (TornTransaction, Unknown), (ExactlyOnce, Unknown), (Coverage, Unknown)],
    ),
    ("the first copies were deleted on purpose", delete_the_first_copy, &[]),
    ("a copy is corrupt", corrupt_a_copy, &[(Corrupt, Invalid), (TornTransaction, Unknown), (ExactlyOnce, Unknown)]),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn a_clean_run_with_a_transformer_is_valid_in_every_check(seed in any::<u64>(), partitions in 1u32..4) {
        let answers = answers(&transformed(seed, Shape { partitions, ..Shape::SAMPLE }));
        prop_assert!(not_valid(&answers).is_empty(), "{answers:#?}");
    }
}

#[test]
fn each_damage_to_what_a_transformer_made_sets_off_its_checks() {
    let mut table = String::new();
    for (name, damage, expected) in DAMAGES {
        let mut drawn = transformed(7, Shape::SAMPLE);
        damage(&mut drawn).unwrap_or_else(|| panic!("the sample has nothing for: {name}"));
        let answers = answers(&drawn);
        assert_eq!(not_valid(&answers), expected.iter().copied().collect(), "{name}: {answers:#?}");
        let answer = answers.iter().find(|answer| answer.check == ExactlyOnce).expect("it was asked");
        writeln!(table, "{name}: {} examined, {} found", answer.examined, answer.found).expect("a string takes all");
        for anomaly in answer.anomalies.iter().take(2) {
            writeln!(table, "  {}", anomaly.explanation).expect("a string takes all");
        }
        for note in &answer.notes {
            writeln!(table, "  note: {note}").expect("a string takes all");
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn without_a_transformer_there_is_nothing_to_judge() {
    let run = RunBuilder::small();
    let answers = check_all(&run.history, &run.scenario, &run.plan);
    let answer = answers.iter().find(|answer| answer.check == ExactlyOnce).expect("it was asked");
    assert_eq!((answer.validity, answer.examined), (Validity::Valid, 0));
    let transformed = transformed(7, Shape::SAMPLE);
    assert_eq!(transformed.run.scenario.transformers[0].name(), COPIERS);
}
