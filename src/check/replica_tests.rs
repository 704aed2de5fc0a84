//! What the brokers' disks hold, by hand: sentences of `replica-divergence` that no drawn damage reaches.

use crate::anomaly::{CheckName, CheckResult, Validity};
use crate::history::{EventKind, ReplicaRow};
use crate::kafka::replica::{Break, Checksum, ReplicaLog, StoredBatch};
use crate::kafka::{BrokerId, ClusterView, LeaderEpoch, Offset, Partition, PartitionView, TopicPartition};

use super::check_all;
use super::testing::{RunBuilder, stored_batch};

/// A log of batches of ten offsets each up to 50, the same on these brokers, all of them in sync.
fn run(brokers: &[i32], stable: i64) -> RunBuilder {
    let mut run = RunBuilder::new(1);
    run.end_offsets(&[(0, 0, stable)]);
    for event in &mut run.history.events {
        if let EventKind::EndOffsets { ranges } = &mut event.kind {
            ranges[0].high_watermark = Some(Offset(50));
        }
    }
    let ids: Vec<BrokerId> = brokers.iter().copied().map(BrokerId).collect();
    let partition = PartitionView {
        partition: TopicPartition::new("chat", 0),
        leader: ids.first().copied(),
        leader_epoch: Some(LeaderEpoch(0)),
        replicas: ids.clone(),
        isr: ids.clone(),
    };
    let view = ClusterView { brokers: ids.clone(), partitions: vec![partition], ..ClusterView::default() };
    run.event(4_000_000, EventKind::ClusterObserved { view });
    for broker in ids {
        let batches = (0..5).map(|number| ReplicaRow {
            broker,
            topic: RunBuilder::chat(0).0,
            partition: Partition(0),
            batch: stored_batch((number * 10, number * 10 + 9), 0, i32::try_from(number).expect("a few")),
        });
        run.rows(0).replicas.extend(batches);
        let log = ReplicaLog {
            partition: TopicPartition::new("chat", 0),
            start: Offset(0),
            end: Offset(50),
            batches: 5,
            bytes: 500,
            breaks: Vec::new(),
            unread_from: None,
        };
        run.event(5_000_000, EventKind::ReplicasRead { broker, logs: vec![log] });
    }
    run
}

fn batch(run: &mut RunBuilder, broker: i32, number: usize) -> &mut StoredBatch {
    let mut rows = run.rows(0).replicas.iter_mut().filter(|row| row.broker == BrokerId(broker));
    &mut rows.nth(number).expect("it is there").batch
}

fn answer(run: &RunBuilder) -> CheckResult {
    let answers = check_all(&run.history, &run.scenario, &run.plan);
    answers.into_iter().find(|answer| answer.check == CheckName::ReplicaDivergence).expect("every check answers")
}

#[test]
fn replicas_agree_up_to_the_high_watermark_and_not_to_where_readers_get_only() {
    let mut run = run(&[1, 2, 3], 20);
    let whole = answer(&run);
    assert_eq!((whole.validity, whole.examined), (Validity::Valid, 15), "{whole:?}");
    batch(&mut run, 2, 4).crc ^= 1;
    let diverged = answer(&run);
    assert_eq!((diverged.validity, diverged.found), (Validity::Invalid, 1), "{diverged:?}");
}

#[test]
fn bytes_that_are_no_batch_are_found_where_no_other_replica_could_tell() {
    let mut run = run(&[1], 50);
    assert_eq!(answer(&run).validity, Validity::Valid);
    run.rows(0).replicas.retain(|row| row.batch.base_offset != Offset(20));
    for event in &mut run.history.events {
        if let EventKind::ReplicasRead { logs, .. } = &mut event.kind {
            logs[0].breaks.push(Break { segment: Offset(0), position: 200, bytes: 100, offset: Offset(20) });
        }
    }
    let broken = answer(&run);
    assert_eq!((broken.validity, broken.found), (Validity::Invalid, 1), "{broken:?}");
    assert_eq!(
        broken.anomalies[0].explanation,
        "broker-1's log of chat-0 has 100 bytes that are no batch at offset 20, from byte 200 of segment 0 on, and no other replica \
         has anything there."
    );
}

#[test]
fn a_damaged_head_hides_and_shows_no_other_batch() {
    let mut run = run(&[1, 2, 3], 50);
    let damaged = batch(&mut run, 2, 1);
    (damaged.last_offset, damaged.checksum) = (Offset(4_000_000), Checksum::Wrong);
    // The cluster's log begins behind it, so that it is nobody's business.
    for event in &mut run.history.events {
        if let EventKind::EndOffsets { ranges } = &mut event.kind {
            ranges[0].start = Offset(30);
        }
    }
    let answer = answer(&run);
    assert_eq!((answer.validity, answer.found, answer.examined), (Validity::Valid, 0, 6), "{answer:?}");
}
