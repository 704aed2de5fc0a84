//! A transformer that reads a drawn run's topic and writes another one, in transactions: some of them aborted, so that it reads
//! and writes again; its two instances share the partitions, and each lives twice.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::history::event::{LogRange, Position, RevocationCause, Span, TransactionEnding, TransactionStage};
use crate::history::{EventKind, PartitionHistory, ProcessRole, ReadRow, SendRow, SourceRow};
use crate::kafka::{
    Offset, Outcome, Partition, ProcessId, ReadStatus, Sequence, TimeNs, TopicIndex, TopicPartition, TransactionNumber,
};
use crate::scenario::{
    CommitMode, GroupSpec, OffsetsCommitted, ProducerSpec, Rate, TopicSpec, TransactionSpec, TransformerSpec,
};

use super::{DRAINS, Drawn, WITNESS};
use crate::check::testing::{BYTES, id};

/// The transformer's name, and its topic's.
pub(crate) const COPIERS: &str = "copiers";
const COPIES: &str = "copies";
/// The topic's index.
pub(crate) const INTO: TopicIndex = TopicIndex(1);
/// Of the first instance's first life: its member, and its producer. Those of the next one follow.
const FIRST: (u32, u32) = (70, 80);

/// Adds the transformer, and what it did, to a valid run.
pub(crate) fn transform(drawn: &mut Drawn, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x0063_6f70_6965_7273);
    declare(drawn);
    let mut ends = Vec::new();
    for at in 0..drawn.logs.len() {
        let partition = i32::try_from(at).expect("few partitions");
        let lane = Lane { partition, next: 0, log: Vec::new(), end: 0 };
        let lane = lane.fill(drawn, &mut rng);
        for reader in DRAINS.into_iter().chain([WITNESS]) {
            for (sequence, producer, offset) in &lane.log {
                read(drawn, (INTO, partition), reader, *offset, id(*producer, *sequence));
            }
        }
        ends.push((partition, lane.end));
    }
    for instance in 0..4 {
        for process in [FIRST.0 + instance, FIRST.1 + instance] {
            let reason = "the group reached the end offsets".to_owned();
            let time = drawn.tick();
            drawn.run.event(time, EventKind::ProcessEnded { process: ProcessId(process), reason });
        }
    }
    tell_ends(drawn, &ends);
    drawn.recount();
}

fn declare(drawn: &mut Drawn) {
    let run = &mut drawn.run;
    let partitions = u32::try_from(drawn.logs.len()).expect("few partitions");
    run.history.topics.push(COPIES.to_owned());
    for partition in 0..partitions.cast_signed() {
        run.history.partitions.insert((INTO, Partition(partition)), PartitionHistory::default());
    }
    let topic = TopicSpec { name: COPIES.to_owned(), partitions, replication_factor: 3, config: BTreeMap::new() };
    run.scenario.topics.push(topic);
    let second = Duration::from_secs(1);
    let transactions = TransactionSpec { records: 10, every: second, abort_millionths: 0, timeout: second };
    run.scenario.transformers.push(TransformerSpec {
        group: GroupSpec {
            name: COPIERS.to_owned(),
            topics: vec!["chat".to_owned()],
            members: 2,
            commit: CommitMode::AfterProcess,
            config: BTreeMap::new(),
        },
        producer: ProducerSpec {
            name: format!("{COPIERS}-out"),
            count: 2,
            topic: COPIES.to_owned(),
            partitions: Vec::new(),
            rate: Rate::Max,
            size_bytes: (0, 0),
            keys: 0,
            in_flight: 10,
            headers: 0,
            transactions: Some(transactions),
            config: BTreeMap::new(),
        },
        offsets: OffsetsCommitted::InTransaction,
    });
    for instance in 0..4 {
        let (index, incarnation) = (instance % 2, instance / 2);
        let producer = ProcessRole::Producer { name: format!("{COPIERS}-out"), index, incarnation };
        let member = ProcessRole::Consumer { group: COPIERS.to_owned(), member: index, incarnation };
        for (process, role) in [(FIRST.0 + instance, member), (FIRST.1 + instance, producer)] {
            drawn.run.history.processes.insert(ProcessId(process), role.clone());
            drawn.run.event(0, EventKind::ProcessStarted { process: ProcessId(process), role });
        }
    }
}

/// One partition of both topics, from the first record to the last.
struct Lane {
    partition: i32,
    /// The place of the next record to be transformed.
    next: usize,
    /// What was committed: sequence, producer, offset.
    log: Vec<(u64, u32, i64)>,
    end: i64,
}

impl Lane {
    fn fill(mut self, drawn: &mut Drawn, rng: &mut ChaCha8Rng) -> Self {
        let source = drawn.logs[usize::try_from(self.partition).expect("few partitions")].clone();
        let lives = 1 + rng.random_range(0..2_usize);
        for life in 0..lives {
            // Each life of another instance, so that both have the partition in turn.
            let instance = u32::try_from(life).expect("two lives") * 2 + self.partition.unsigned_abs() % 2;
            let until = if life + 1 == lives { source.len() } else { source.len() / 2 };
            let member = FIRST.0 + instance;
            let time = drawn.tick();
            drawn.run.assigned(time, member, self.partition);
            let mut sequence = 0;
            while self.next < until {
                let count = rng.random_range(1..6).min(until - self.next);
                let is_aborted = rng.random_bool(0.2);
                self.transact(drawn, instance, (&source[self.next..self.next + count], is_aborted), &mut sequence);
                if !is_aborted {
                    self.next += count;
                }
            }
            let time = drawn.tick();
            if life + 1 == lives {
                let partition = TopicPartition::new("chat", self.partition);
                let offset = Offset(drawn.ends[usize::try_from(self.partition).expect("few partitions")]);
                let positions = vec![Position { partition, offset }];
                drawn.run.event(time, EventKind::Drained { process: ProcessId(member), positions });
            }
            drawn.run.revoked(time, member, self.partition, RevocationCause::Closed);
        }
        self
    }

    fn transact(
        &mut self,
        drawn: &mut Drawn,
        instance: u32,
        (records, is_aborted): (&[super::Appended], bool),
        sequence: &mut u64,
    ) {
        let (member, producer) = (FIRST.0 + instance, FIRST.1 + instance);
        let began_ns = TimeNs(drawn.tick());
        let first = *sequence;
        let mut sent = Vec::new();
        for source in records {
            read(drawn, (TopicIndex(0), self.partition), member, source.offset, source.record);
            sent.push((*sequence, source.offset, drawn.tick(), self.end));
            *sequence += 1;
            self.end += 1;
        }
        // The control record.
        self.end += 1;
        let ending = if is_aborted { TransactionEnding::Abort } else { TransactionEnding::Commit };
        let partition = TopicPartition::new(COPIES, self.partition);
        let span = Span { partition, first: Sequence(first), count: records.len() as u64 };
        // Each life has the transactions of one partition only, so that its partition and first record name one.
        let number = TransactionNumber(u64::from(self.partition.unsigned_abs()) << 32 | first);
        let tell = |stage| EventKind::Transaction { process: ProcessId(producer), number, stage };
        let time = drawn.tick();
        drawn.run.event(time, tell(TransactionStage::Invoke { ending, began_ns, records: vec![span] }));
        let ended = drawn.tick();
        drawn.run.event(ended, tell(TransactionStage::Ok));
        let next = records.last().map_or(0, |record| record.offset + 1);
        if is_aborted {
            let partition = TopicPartition::new("chat", self.partition);
            let positions = vec![Position { partition, offset: Offset(records[0].offset) }];
            drawn.run.event(ended, EventKind::WentBack { process: ProcessId(member), positions });
        } else {
            drawn.run.committed(ended, member, Outcome::Ok, self.partition, next);
        }
        for (sequence, source, invoked, offset) in sent {
            self.write(drawn, (producer, sequence), (source, offset), (invoked, ended), is_aborted);
        }
    }

    fn write(
        &mut self,
        drawn: &mut Drawn,
        (producer, sequence): (u32, u64),
        (source, offset): (i64, i64),
        (invoked, completed): (u64, u64),
        is_aborted: bool,
    ) {
        let (process, partition) = (ProcessId(producer), Partition(self.partition));
        let rows = drawn.run.history.partitions.get_mut(&(INTO, partition)).expect("it was declared");
        rows.sends.push(SendRow {
            process,
            topic: INTO,
            partition,
            sequence: Sequence(sequence),
            bytes: BYTES,
            scheduled_ns: TimeNs(invoked),
            invoke_ns: TimeNs(invoked),
            complete_ns: TimeNs(completed),
            outcome: if is_aborted { Outcome::Fail } else { Outcome::Ok },
            error: 0,
            offset: (!is_aborted).then_some(Offset(offset)),
            broker: None,
        });
        rows.sources.push(SourceRow {
            process,
            topic: INTO,
            partition,
            sequence: Sequence(sequence),
            source_topic: TopicIndex(0),
            source_partition: partition,
            source_offset: Offset(source),
        });
        if !is_aborted {
            self.log.push((sequence, producer, offset));
        }
    }
}

fn read(
    drawn: &mut Drawn,
    (topic, partition): (TopicIndex, i32),
    reader: u32,
    offset: i64,
    record: crate::kafka::RecordId,
) {
    let read_ns = TimeNs(drawn.tick());
    let rows = drawn.run.history.partitions.get_mut(&(topic, Partition(partition))).expect("it was declared");
    rows.reads.push(ReadRow {
        reader: ProcessId(reader),
        topic,
        partition: Partition(partition),
        offset: Offset(offset),
        leader_epoch: None,
        read_ns,
        status: ReadStatus::Intact,
        record,
        bytes: BYTES,
    });
}

/// Tells how far the new topic reaches, and that the drain read all of it.
fn tell_ends(drawn: &mut Drawn, ends: &[(i32, i64)]) {
    for event in &mut drawn.run.history.events {
        if let EventKind::EndOffsets { ranges } = &mut event.kind {
            ranges.extend(ends.iter().map(|(partition, end)| LogRange {
                partition: TopicPartition::new(COPIES, *partition),
                start: Offset(0),
                end: Offset(*end),
                high_watermark: None,
            }));
        }
    }
    let position = |(partition, end): &(i32, i64)| Position {
        partition: TopicPartition::new(COPIES, *partition),
        offset: Offset(*end),
    };
    for reader in DRAINS.into_iter().chain([WITNESS]) {
        let (time, positions) = (drawn.tick(), ends.iter().map(position).collect());
        drawn.run.event(time, EventKind::Drained { process: ProcessId(reader), positions });
    }
}
