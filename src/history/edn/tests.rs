//! A history by hand, and what Jepsen is told of it.

use std::collections::BTreeMap;

use super::*;
use crate::history::event::{RevocationCause, Span, TransactionEnding, TransactionStage};
use crate::history::{Closure, Event, ReadRow};
use crate::kafka::{Offset, Sequence, TransactionNumber};

const PRODUCER: u32 = 3;
const MEMBER: u32 = 10;
const DRAIN: u32 = 20;

/// Topic `chat` with two partitions; nothing happened.
fn empty() -> History {
    let keys = [0, 1].map(|partition| ((TopicIndex(0), Partition(partition)), PartitionHistory::default()));
    History {
        events: Vec::new(),
        topics: vec!["chat".to_owned()],
        processes: BTreeMap::new(),
        partitions: BTreeMap::from(keys),
        closure: Closure::Whole,
        tally: None,
    }
}

fn partition(history: &mut History, partition: i32) -> &mut PartitionHistory {
    history.partitions.get_mut(&(TopicIndex(0), Partition(partition))).expect("the topic has this partition")
}

/// A send to partition 0 in this span of time.
fn send(history: &mut History, sequence: u64, span: (u64, u64), outcome: Outcome, offset: Option<i64>) {
    let row = SendRow {
        process: ProcessId(PRODUCER),
        topic: TopicIndex(0),
        partition: Partition(0),
        sequence: Sequence(sequence),
        bytes: 100,
        scheduled_ns: TimeNs(span.0),
        invoke_ns: TimeNs(span.0),
        complete_ns: TimeNs(span.1),
        outcome,
        error: if outcome == Outcome::Ok { 0 } else { -192 },
        offset: offset.map(Offset),
        broker: None,
    };
    partition(history, 0).sends.push(row);
}

fn read(history: &mut History, time: u64, reader: u32, number: i32, offset: i64) {
    let row = ReadRow {
        reader: ProcessId(reader),
        topic: TopicIndex(0),
        partition: Partition(number),
        offset: Offset(offset),
        leader_epoch: None,
        read_ns: TimeNs(time),
        status: ReadStatus::Intact,
        record: RecordId { process: ProcessId(PRODUCER), sequence: Sequence(offset.cast_unsigned()) },
        bytes: 100,
    };
    partition(history, number).reads.push(row);
}

fn event(history: &mut History, time: u64, kind: EventKind) {
    history.events.push(Event { time_ns: TimeNs(time), kind });
}

fn given(partition: i32) -> EventKind {
    EventKind::Assigned { process: ProcessId(MEMBER), partitions: vec![TopicPartition::new("chat", partition)] }
}

fn lines(history: &History) -> Vec<String> {
    Operations::new(history).collect()
}

fn transaction(number: u64, stage: TransactionStage) -> EventKind {
    EventKind::Transaction { process: ProcessId(PRODUCER), number: TransactionNumber(number), stage }
}

fn closing(ending: TransactionEnding, began: u64, first: u64, count: u64) -> TransactionStage {
    let partition = TopicPartition::new("chat", 0);
    let records = vec![Span { partition, first: Sequence(first), count }];
    TransactionStage::Invoke { ending, began_ns: TimeNs(began), records }
}

#[test]
fn a_transaction_is_one_operation_and_one_whose_commit_was_never_asked_for_failed() {
    let mut history = empty();
    send(&mut history, 0, (11, 30), Outcome::Ok, Some(0));
    send(&mut history, 1, (12, 30), Outcome::Ok, Some(1));
    send(&mut history, 2, (41, 60), Outcome::Info, None);
    send(&mut history, 3, (71, 90), Outcome::Info, None);
    send(&mut history, 4, (95, 99), Outcome::Info, None);
    let timed_out = || TransactionStage::Info { reason: "timed out".to_owned() };
    event(&mut history, 20, transaction(0, closing(TransactionEnding::Commit, 10, 0, 2)));
    event(&mut history, 30, transaction(0, TransactionStage::Ok));
    event(&mut history, 50, transaction(1, closing(TransactionEnding::Abort, 40, 2, 1)));
    event(&mut history, 60, transaction(1, timed_out()));
    event(&mut history, 80, transaction(2, closing(TransactionEnding::Commit, 70, 3, 1)));
    event(&mut history, 90, transaction(2, timed_out()));
    insta::assert_snapshot!(short(&history).join("\n"), @r"
    :time 10, :process 0, :type :invoke, :f :txn, :value [[:send 0 30000000000] [:send 0 30000000001]]
    :time 30, :process 0, :type :ok, :f :txn, :value [[:send 0 [0 30000000000]] [:send 0 [1 30000000001]]]
    :time 40, :process 0, :type :invoke, :f :txn, :value [[:send 0 30000000002]]
    :time 60, :process 0, :type :fail, :f :txn, :value [[:send 0 30000000002]]
    :time 70, :process 0, :type :invoke, :f :txn, :value [[:send 0 30000000003]]
    :time 90, :process 0, :type :info, :f :txn, :value [[:send 0 30000000003]]
    :time 95, :process 1, :type :invoke, :f :send, :value [[:send 0 30000000004]]
    :time 99, :process 1, :type :info, :f :send, :value [[:send 0 30000000004]], :error [:librdkafka -192]
    ");
}

/// What each line says, without its index.
fn short(history: &History) -> Vec<String> {
    let line = |line: String| line.split_once(", ").map(|(_, rest)| rest.trim_end_matches('}').to_owned());
    lines(history).into_iter().filter_map(line).collect()
}

#[test]
fn every_sort_of_operation_is_told_as_jepsen_tells_it() {
    let mut history = empty();
    send(&mut history, 0, (1, 5), Outcome::Ok, Some(7));
    send(&mut history, 1, (2, 6), Outcome::Fail, None);
    send(&mut history, 2, (8, 9), Outcome::Info, None);
    send(&mut history, 3, (10, 11), Outcome::Ok, None);
    event(&mut history, 12, given(0));
    read(&mut history, 13, MEMBER, 0, 7);
    read(&mut history, 14, MEMBER, 1, 2);
    read(&mut history, 15, MEMBER, 0, 9);
    assert_eq!(
        lines(&history),
        [
            "{:index 0, :time 1, :process 1, :type :invoke, :f :send, :value [[:send 0 30000000000]]}",
            "{:index 1, :time 2, :process 2, :type :invoke, :f :send, :value [[:send 0 30000000001]]}",
            "{:index 2, :time 5, :process 1, :type :ok, :f :send, :value [[:send 0 [7 30000000000]]]}",
            "{:index 3, :time 6, :process 2, :type :fail, :f :send, :value [[:send 0 30000000001]], :error [:librdkafka -192]}",
            "{:index 4, :time 8, :process 2, :type :invoke, :f :send, :value [[:send 0 30000000002]]}",
            "{:index 5, :time 9, :process 2, :type :info, :f :send, :value [[:send 0 30000000002]], :error [:librdkafka -192]}",
            "{:index 6, :time 10, :process 1, :type :invoke, :f :send, :value [[:send 0 30000000003]]}",
            "{:index 7, :time 11, :process 1, :type :ok, :f :send, :value [[:send 0 [nil 30000000003]]]}",
            "{:index 8, :time 12, :process 0, :type :invoke, :f :assign, :value [0]}",
            "{:index 9, :time 12, :process 0, :type :ok, :f :assign, :value [0]}",
            "{:index 10, :time 13, :process 0, :type :invoke, :f :poll, :value [[:poll]]}",
            "{:index 11, :time 15, :process 0, :type :ok, :f :poll, :value [[:poll {0 [[7 30000000007] [9 30000000009]], 1 [[2 30000000002]]}]]}",
            "{:index 12, :time 15, :process 0, :type :invoke, :f :poll, :value [[:poll]]}",
            "{:index 13, :time 15, :process 0, :type :ok, :f :poll, :value [[:poll {}]]}",
        ]
    );
}

#[test]
fn a_process_whose_send_ended_nobody_knows_how_sends_nothing_more() {
    let mut history = empty();
    send(&mut history, 0, (1, 2), Outcome::Info, None);
    send(&mut history, 1, (3, 4), Outcome::Ok, Some(0));
    let processes: Vec<bool> = short(&history).iter().map(|line| line.contains(":process 0,")).collect();
    assert_eq!(processes, [true, true, false, false]);
}

#[test]
fn of_one_moment_invocations_come_first_so_that_nothing_seems_earlier_than_it_was() {
    let mut history = empty();
    send(&mut history, 0, (1, 5), Outcome::Ok, Some(0));
    send(&mut history, 1, (5, 5), Outcome::Ok, Some(1));
    let kinds: Vec<bool> = lines(&history).iter().map(|line| line.contains(":type :invoke")).collect();
    assert_eq!(kinds, [true, true, false, false]);
}

#[test]
fn a_poll_ends_where_ownership_changes_and_after_a_while() {
    let mut history = empty();
    event(&mut history, 10, given(0));
    for (time, offset) in [(11, 0), (12, 1), (31, 1), (32, 2), (POLL_NS + 32, 3)] {
        read(&mut history, time, MEMBER, 0, offset);
    }
    let partitions = vec![TopicPartition::new("chat", 0)];
    let cause = RevocationCause::Rebalance;
    event(&mut history, 20, EventKind::Revoked { process: ProcessId(MEMBER), partitions, cause });
    event(&mut history, 30, given(0));
    let told: Vec<String> = lines(&history).into_iter().filter(|line| line.contains(":type :ok")).collect();
    let values: Vec<&str> = told.iter().filter_map(|line| line.split_once(":f ")).map(|(_, told)| told).collect();
    assert_eq!(
        values,
        [
            ":assign, :value [0]}",
            ":poll, :value [[:poll {0 [[0 30000000000] [1 30000000001]]}]]}",
            ":assign, :value []}",
            ":assign, :value [0]}",
            ":poll, :value [[:poll {0 [[1 30000000001] [2 30000000002]]}]]}",
            ":poll, :value [[:poll {0 [[3 30000000003]]}]]}",
            ":poll, :value [[:poll {}]]}",
        ]
    );
}

#[test]
fn whoever_is_given_again_what_it_has_forgets_where_it_was() {
    let mut history = empty();
    event(&mut history, 10, given(0));
    event(&mut history, 20, given(1));
    event(&mut history, 30, given(0));
    let reader = ProcessId(MEMBER);
    event(&mut history, 40, EventKind::ProcessEnded { process: reader, reason: "the load ended".to_owned() });
    let told: Vec<Vec<u32>> = ownerships(&history).into_iter().map(|ownership| ownership.keys).collect();
    assert_eq!(told, [vec![0], vec![0, 1], vec![1], vec![1, 0], vec![]]);
}

#[test]
fn a_drain_reader_is_assigned_everything_from_its_start() {
    let mut history = empty();
    let role = ProcessRole::Drain { reader: 0 };
    event(&mut history, 10, EventKind::ProcessStarted { process: ProcessId(DRAIN), role });
    read(&mut history, 11, DRAIN, 1, 0);
    assert!(lines(&history)[1].ends_with(":f :assign, :value [0 1]}"), "{:?}", lines(&history));
}

#[test]
fn a_read_that_names_no_record_is_left_out_and_counted() {
    let mut history = empty();
    read(&mut history, 11, DRAIN, 0, 0);
    read(&mut history, 12, DRAIN, 0, 1);
    partition(&mut history, 0).reads[0].status = ReadStatus::Corrupt;
    let operations = Operations::new(&history);
    assert_eq!(operations.left_out(), 1);
    let told: Vec<String> = operations.collect();
    assert!(told[1].contains("[[:poll {0 [[1 30000000001]]}]]"), "{told:?}");
}

#[test]
fn times_and_indices_ascend() {
    let mut history = empty();
    for sequence in 0..50 {
        send(
            &mut history,
            sequence,
            (sequence * 3 % 17, 20 + sequence * 7 % 23),
            Outcome::Ok,
            Some(sequence.cast_signed()),
        );
        read(&mut history, 50 + sequence, DRAIN, 0, sequence.cast_signed());
    }
    let number = |line: &str, key: &str| -> u64 {
        let (_, rest) = line.split_once(key).expect("every line has it");
        rest.split(',').next().expect("a value").parse().expect("a number")
    };
    let told = lines(&history);
    let times: Vec<u64> = told.iter().map(|line| number(line, ":time ")).collect();
    assert!(times.is_sorted());
    assert!(told.iter().zip(0..).all(|(line, index)| number(line, "{:index ") == index));
}

#[test]
fn nothing_that_happened_is_no_operation() {
    assert_eq!(lines(&empty()), Vec::<String>::new());
}
