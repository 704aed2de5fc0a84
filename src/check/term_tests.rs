//! Leader epochs and who led in them, by hand: each sentence of `leader-epoch`.

use crate::anomaly::{CheckName, CheckResult, Validity};
use crate::history::{EventKind, ProcessRole, ReplicaRow};
use crate::kafka::replica::{Checksum, ReplicaLog};
use crate::kafka::{BrokerId, ClusterView, LeaderEpoch, Offset, Partition, PartitionView, ProcessId, TopicPartition};

use super::check_all;
use super::testing::{RunBuilder, id, stored_batch};

const DRAINS: [u32; 2] = [100, 101];
const MEMBER: u32 = 10;
const WITNESS: u32 = 110;

/// A record an offset, each written under its epoch, and found by two drain readers.
fn run(epochs: &[i32]) -> RunBuilder {
    let mut run = RunBuilder::new(1);
    run.member(MEMBER, "cooks", 0);
    run.history.processes.insert(ProcessId(WITNESS), ProcessRole::Witness);
    for (sequence, _) in (0..).zip(epochs) {
        run.acked(0, sequence, sequence.cast_signed());
    }
    let end = i64::try_from(epochs.len()).expect("a few");
    for reader in DRAINS {
        run.drain_reader(reader);
        read(&mut run, reader, epochs);
        run.drained(reader, 0, end);
    }
    run.end_offsets(&[(0, 0, end)]);
    run
}

/// Somebody reads the records from the log's start on, under these epochs.
fn read(run: &mut RunBuilder, reader: u32, epochs: &[i32]) {
    for (sequence, epoch) in (0_u64..).zip(epochs) {
        run.read(reader, 0, sequence.cast_signed(), id(0, sequence));
        run.rows(0).reads.last_mut().expect("it was added").leader_epoch = Some(LeaderEpoch(*epoch));
    }
}

/// A record's send was invoked, and its acknowledgement came from a broker, at these times.
fn acknowledged(run: &mut RunBuilder, sequence: usize, (invoked, completed): (u64, u64), broker: i32) {
    let send = &mut run.rows(0).sends[sequence];
    (send.invoke_ns.0, send.complete_ns.0, send.broker) = (invoked, completed, Some(BrokerId(broker)));
}

/// The metadata named a leader, or none, for an epoch.
fn observed(run: &mut RunBuilder, time: u64, leader: Option<i32>, epoch: i32) {
    let brokers: Vec<BrokerId> = (1..=3).map(BrokerId).collect();
    let partition = PartitionView {
        partition: TopicPartition::new("chat", 0),
        leader: leader.map(BrokerId),
        leader_epoch: Some(LeaderEpoch(epoch)),
        replicas: brokers.clone(),
        isr: brokers.clone(),
    };
    let view = ClusterView { brokers, partitions: vec![partition], ..ClusterView::default() };
    run.event(time, EventKind::ClusterObserved { view });
}

/// A broker stores a record a batch, each under its epoch.
fn stores(run: &mut RunBuilder, broker: i32, epochs: &[i32]) {
    let rows = (0_i64..).zip(epochs).map(|(offset, epoch)| ReplicaRow {
        broker: BrokerId(broker),
        topic: RunBuilder::chat(0).0,
        partition: Partition(0),
        batch: stored_batch((offset, offset), *epoch, i32::try_from(offset).expect("a few")),
    });
    run.rows(0).replicas.extend(rows);
    let log = ReplicaLog {
        partition: TopicPartition::new("chat", 0),
        start: Offset(0),
        end: Offset(i64::try_from(epochs.len()).expect("a few")),
        batches: epochs.len() as u64,
        bytes: 0,
        breaks: Vec::new(),
        unread_from: None,
    };
    run.event(5_000_000, EventKind::ReplicasRead { broker: BrokerId(broker), logs: vec![log] });
}

fn answer(run: &RunBuilder) -> CheckResult {
    let answers = check_all(&run.history, &run.scenario, &run.plan);
    answers.into_iter().find(|answer| answer.check == CheckName::LeaderEpoch).expect("every check answers")
}

#[track_caller]
fn assert_valid(run: &RunBuilder, examined: u64) {
    let answer = answer(run);
    assert_eq!((answer.validity, answer.examined, answer.found), (Validity::Valid, examined, 0), "{answer:?}");
}

#[track_caller]
fn assert_told(run: &RunBuilder, sentence: &str) {
    let answer = answer(run);
    assert_eq!((answer.validity, answer.found), (Validity::Invalid, 1), "{answer:?}");
    assert_eq!(answer.anomalies[0].explanation, sentence);
}

#[test]
fn epochs_that_stay_and_rise_are_valid() {
    assert_valid(&run(&[0, 0, 1, 4]), 8);
}

#[test]
fn a_fall_is_told_once_however_many_read_it() {
    assert_told(
        &run(&[0, 2, 1, 1, 2]),
        "Offset 2 of chat-0 was written under leader epoch 1, and offset 1 before it under epoch 2, as drain/0 read them.",
    );
}

#[test]
fn what_a_member_was_given_of_an_earlier_log_is_no_fall() {
    let mut run = run(&[0, 2, 2]);
    read(&mut run, MEMBER, &[0, 2, 1]);
    assert_valid(&run, 6);
}

#[test]
fn a_fall_that_only_the_witness_is_shown_counts() {
    let mut run = run(&[0, 2, 2]);
    read(&mut run, WITNESS, &[0, 2, 1]);
    assert_told(
        &run,
        "Offset 2 of chat-0 was written under leader epoch 1, and offset 1 before it under epoch 2, as witness read them.",
    );
}

#[test]
fn a_fall_on_the_leaders_disk_is_told_and_one_on_a_followers_is_not() {
    let mut run = run(&[0, 1, 1]);
    observed(&mut run, 1, Some(1), 1);
    stores(&mut run, 1, &[0, 1, 1]);
    stores(&mut run, 2, &[0, 1, 0]);
    assert_valid(&run, 10);
    run.rows(0).replicas[2].batch.leader_epoch = LeaderEpoch(0);
    assert_told(
        &run,
        "broker-1 stores a batch at offset 2 of chat-0 of leader epoch 0, behind one at offset 1 of epoch 1.",
    );
    run.rows(0).replicas[2].batch.checksum = Checksum::Wrong;
    assert_valid(&run, 9);
}

#[test]
fn two_brokers_that_acknowledge_in_one_epoch_while_it_lasts_are_told() {
    let mut run = run(&[0, 0, 0]);
    acknowledged(&mut run, 0, (0, 10_000_000), 1);
    acknowledged(&mut run, 1, (0, 20_000_000), 2);
    acknowledged(&mut run, 2, (30_000_000, 40_000_000), 1);
    assert_told(
        &run,
        "Leader epoch 0 of chat-0 had 2 leaders: broker-1 acknowledged chatters/0.0 #0 at offset 0 at 0.010 s, before the epoch was \
         over; broker-2 acknowledged chatters/0.0 #1 at offset 1 at 0.020 s, before the epoch was over.",
    );
}

#[test]
fn the_next_leader_may_acknowledge_what_its_predecessor_took_in() {
    let mut run = run(&[0, 0, 1]);
    acknowledged(&mut run, 0, (0, 10), 1);
    // It was sent again, recognised, and answered with the old offset; nothing was sent later that lies under epoch 0.
    acknowledged(&mut run, 1, (15, 20), 2);
    acknowledged(&mut run, 2, (30, 40), 2);
    assert_valid(&run, 7);
}

#[test]
fn an_acknowledgement_that_the_log_denies_counts_for_nothing() {
    let mut run = run(&[0, 0, 0]);
    acknowledged(&mut run, 0, (0, 10), 1);
    acknowledged(&mut run, 1, (0, 20), 2);
    acknowledged(&mut run, 2, (30, 40), 1);
    run.rows(0).sends[1].offset = Some(Offset(7));
    assert_valid(&run, 7);
}

#[test]
fn two_observations_that_name_two_leaders_of_one_epoch_are_told_however_old_they_are() {
    let mut run = run(&[0, 1, 1]);
    observed(&mut run, 1_000_000, Some(1), 0);
    observed(&mut run, 2_000_000, Some(2), 1);
    assert_valid(&run, 8);
    observed(&mut run, 3_000_000, Some(3), 0);
    assert_told(
        &run,
        "Leader epoch 0 of chat-0 had 2 leaders: the metadata named broker-1 at 0.001 s; the metadata named broker-3 at 0.003 s.",
    );
}

#[test]
fn metadata_and_acknowledgements_are_held_against_each_other() {
    let mut run = run(&[0, 0]);
    observed(&mut run, 1_000_000, Some(2), 0);
    acknowledged(&mut run, 0, (0, 10_000_000), 1);
    acknowledged(&mut run, 1, (30_000_000, 40_000_000), 2);
    assert_told(
        &run,
        "Leader epoch 0 of chat-0 had 2 leaders: broker-1 acknowledged chatters/0.0 #0 at offset 0 at 0.010 s, before the epoch was \
         over; the metadata named broker-2 at 0.001 s.",
    );
}

#[test]
fn an_observation_without_a_leader_contradicts_nobody() {
    let mut run = run(&[0, 0]);
    observed(&mut run, 1, Some(2), 0);
    observed(&mut run, 2, None, 0);
    observed(&mut run, 3, Some(2), 0);
    assert_valid(&run, 5);
}

#[test]
fn an_observation_of_a_lower_epoch_is_told_and_not_judged() {
    let mut run = run(&[0, 1]);
    observed(&mut run, 1, Some(2), 1);
    observed(&mut run, 2, Some(1), 0);
    assert_valid(&run, 6);
    assert_eq!(
        answer(&run).notes,
        [
            "1 times a partition's epoch was observed lower than before: whoever was asked then knew less. Nobody is convicted of that."
        ]
    );
}

#[test]
fn where_nobody_was_told_an_epoch_it_is_skipped() {
    let mut run = run(&[0, 0]);
    run.rows(0).reads.iter_mut().for_each(|read| read.leader_epoch = None);
    assert_eq!(answer(&run).validity, Validity::Skipped);
}

#[test]
fn a_log_that_was_not_read_to_its_end_is_in_doubt() {
    let mut run = run(&[0, 0]);
    run.end_offsets(&[(0, 0, 5)]);
    assert_eq!(answer(&run).validity, Validity::Unknown);
}

#[test]
fn an_epoch_of_the_controllers_quorum_has_one_leader() {
    let mut run = run(&[0, 0]);
    let seen = |run: &mut RunBuilder, time, controller, epoch| {
        let (controller, controller_epoch) = (Some(BrokerId(controller)), Some(LeaderEpoch(epoch)));
        let view = ClusterView { controller, controller_epoch, ..ClusterView::default() };
        run.event(time, EventKind::ClusterObserved { view });
    };
    seen(&mut run, 1_000_000_000, 1, 7);
    seen(&mut run, 2_000_000_000, 1, 7);
    seen(&mut run, 3_000_000_000, 2, 8);
    assert_valid(&run, 4 + 2);
    seen(&mut run, 4_000_000_000, 3, 7);
    assert_told(
        &run,
        "Epoch 7 of the controllers' quorum had 2 leaders: the metadata named broker-1 at 1.000 s; the metadata named broker-3 at \
         4.000 s.",
    );
    assert_eq!(*answer(&run).anomalies[0].topic, *"__cluster_metadata");
}
