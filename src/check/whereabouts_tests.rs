//! On which disks a lost record still lies, by hand: each sentence that `lost-write` adds about it.

use crate::anomaly::CheckName;
use crate::history::{EventKind, ReplicaRow};
use crate::kafka::replica::{Checksum, ReplicaLog, StoredBatch};
use crate::kafka::{BrokerId, ClusterView, LeaderEpoch, Offset, Partition, PartitionView, TopicPartition};

use super::check_all;
use super::testing::{RunBuilder, id};

const DRAIN: u32 = 100;
/// The producer whose second record is lost, and its id at the brokers.
const LOSER: u32 = 0;
const LOSERS_ID: i64 = 4000;
/// Another producer, which may have the lost record's place.
const OTHER: u32 = 1;
const OTHERS_ID: i64 = 4001;
const NO_ID: i64 = -1;

/// A batch of one record: its offset, the epoch under which it was written, and its producer's id.
type Batch = (i64, i32, i64);

/// One record at offset 0, one that is lost from offset 1, and what each of three brokers' disks holds. Broker 1 leads, and the
/// others are in sync.
fn run(disks: [&[Batch]; 3]) -> RunBuilder {
    let mut run = RunBuilder::new(1);
    run.drain_reader(DRAIN);
    run.acked(LOSER, 0, 0);
    run.acked(LOSER, 1, 1);
    run.read(DRAIN, 0, 0, id(LOSER, 0));
    run.end_offsets(&[(0, 0, 2)]);
    run.drained(DRAIN, 0, 2);
    let brokers: Vec<BrokerId> = (1..=3).map(BrokerId).collect();
    let partition = PartitionView {
        partition: TopicPartition::new("chat", 0),
        leader: Some(brokers[0]),
        leader_epoch: Some(LeaderEpoch(1)),
        replicas: brokers.clone(),
        isr: brokers.clone(),
    };
    let view = ClusterView { brokers: brokers.clone(), partitions: vec![partition], ..ClusterView::default() };
    run.event(5_000_000, EventKind::ClusterObserved { view });
    for (broker, batches) in brokers.into_iter().zip(disks) {
        run.rows(0).replicas.extend(batches.iter().map(|batch| row(broker, *batch)));
        let log = ReplicaLog {
            partition: TopicPartition::new("chat", 0),
            start: Offset(0),
            end: Offset(2),
            batches: batches.len() as u64,
            bytes: 0,
            breaks: Vec::new(),
            unread_from: None,
        };
        run.event(6_000_000, EventKind::ReplicasRead { broker, logs: vec![log] });
    }
    run
}

fn row(broker: BrokerId, (offset, epoch, producer_id): Batch) -> ReplicaRow {
    let batch = StoredBatch {
        base_offset: Offset(offset),
        last_offset: Offset(offset),
        leader_epoch: LeaderEpoch(epoch),
        bytes: 100,
        crc: u32::try_from(producer_id + 10).expect("a small number"),
        checksum: Checksum::Right,
        attributes: 0,
        producer_id,
        producer_epoch: 0,
        base_sequence: i32::try_from(offset).expect("a small number"),
        records: 1,
    };
    ReplicaRow { broker, topic: RunBuilder::chat(0).0, partition: Partition(0), batch }
}

/// The drain finds another record in the lost one's place.
fn taken(run: &mut RunBuilder, by: (u32, u64)) {
    run.acked(by.0, by.1, 1);
    run.read(DRAIN, 0, 1, id(by.0, by.1));
}

/// What is said of the one lost record, beyond that it is lost.
#[track_caller]
fn told(run: &RunBuilder) -> String {
    let answers = check_all(&run.history, &run.scenario, &run.plan);
    let lost = answers.into_iter().find(|answer| answer.check == CheckName::LostWrite).expect("every check answers");
    assert_eq!(lost.found, 1, "{lost:?}");
    let found = &lost.anomalies[0];
    assert_eq!(found.record, Some(id(LOSER, 1)));
    let lost = "chatters/0.0 #1 was acknowledged at offset 1, and the drain read to 2 without finding it.";
    let rest = found.explanation.strip_prefix(lost).unwrap_or_else(|| panic!("{}", found.explanation));
    rest.trim_start().to_owned()
}

const FIRST: Batch = (0, 0, LOSERS_ID);

#[test]
fn a_record_that_one_replica_has_is_told_with_it_and_the_epoch() {
    let run = run([&[FIRST], &[FIRST, (1, 0, LOSERS_ID)], &[FIRST]]);
    assert_eq!(
        told(&run),
        "At that offset of their logs, broker-2 still has a batch of its producer's, of leader epoch 0; broker-1 and broker-3 store \
         nothing."
    );
}

#[test]
fn a_record_that_no_replica_has_is_told_to_be_nowhere() {
    let run = run([&[FIRST], &[FIRST], &[FIRST]]);
    assert_eq!(told(&run), "At that offset of their logs, broker-1, broker-2 and broker-3 store nothing.");
}

#[test]
fn replicas_that_have_it_under_different_epochs_are_told_apart() {
    let run = run([&[FIRST], &[FIRST, (1, 0, LOSERS_ID)], &[FIRST, (1, 2, LOSERS_ID)]]);
    assert_eq!(
        told(&run),
        "At that offset of their logs, broker-2 still has a batch of its producer's, of leader epoch 0; broker-3 still has a batch of \
         its producer's, of leader epoch 2; broker-1 stores nothing."
    );
}

#[test]
fn a_place_that_a_later_leader_gave_away_is_told_with_both_epochs() {
    let mut run = run([&[FIRST, (1, 1, OTHERS_ID)], &[FIRST, (1, 0, LOSERS_ID)], &[FIRST, (1, 1, OTHERS_ID)]]);
    taken(&mut run, (OTHER, 0));
    assert_eq!(
        told(&run),
        "At that offset of their logs, broker-2 still has a batch of its producer's, of leader epoch 0; broker-1 and broker-3 have \
         another record, of leader epoch 1."
    );
}

#[test]
fn a_place_that_another_record_of_the_same_producer_has_is_anothers() {
    let mut run = run([&[FIRST, (1, 1, LOSERS_ID)], &[FIRST, (1, 0, LOSERS_ID)], &[FIRST, (1, 1, LOSERS_ID)]]);
    taken(&mut run, (LOSER, 2));
    assert_eq!(
        told(&run),
        "At that offset of their logs, broker-2 still has a batch of its producer's, of leader epoch 0; broker-1 and broker-3 have \
         another record, of leader epoch 1."
    );
}

#[test]
fn without_producer_ids_nobody_can_tell_whose_a_batch_is() {
    let first: Batch = (0, 0, NO_ID);
    let run = run([&[first], &[first, (1, 0, NO_ID)], &[first]]);
    assert_eq!(
        told(&run),
        "At that offset of their logs, broker-2 has a batch of leader epoch 0, and nobody can tell whose records are in it; broker-1 \
         and broker-3 store nothing."
    );
}

#[test]
fn where_no_disk_was_read_nothing_is_added() {
    let mut run = run([&[FIRST], &[FIRST], &[FIRST]]);
    run.history.events.retain(|event| !matches!(event.kind, EventKind::ReplicasRead { .. }));
    assert_eq!(told(&run), "");
}
