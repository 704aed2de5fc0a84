//! Histories by hand for tests: one partition's worth of sends and reads in a line each.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::history::event::{LogRange, Position, RevocationCause};
use crate::history::{Closure, Event, EventKind, History, PartitionHistory, ProcessRole, ReadRow, SendRow};
use crate::kafka::replica::{Checksum, StoredBatch};
use crate::kafka::{
    BrokerId, Generation, LeaderEpoch, Offset, Outcome, Partition, ProcessId, ReadStatus, RecordId, Sequence, TimeNs,
    TopicIndex, TopicPartition,
};
use crate::plan::{Plan, PlannedPhases};
use crate::scenario::{
    ClusterKind, ClusterSpec, CommitMode, EvidenceFloor, GroupSpec, Phases, ProducerSpec, Rate, Scenario, TopicSpec,
    TransactionSpec,
};

use super::timeline::PartitionKey;

/// Every payload's length.
pub(crate) const BYTES: u32 = 100;

/// A record's identity.
pub(crate) fn id(process: u32, sequence: u64) -> RecordId {
    RecordId { process: ProcessId(process), sequence: Sequence(sequence) }
}

/// A whole batch of one producer's, as a broker stores it.
pub(crate) fn stored_batch((base, last): (i64, i64), epoch: i32, base_sequence: i32) -> StoredBatch {
    StoredBatch {
        base_offset: Offset(base),
        last_offset: Offset(last),
        leader_epoch: LeaderEpoch(epoch),
        bytes: 100,
        crc: 7,
        checksum: Checksum::Right,
        attributes: 0,
        producer_id: 4000,
        producer_epoch: 0,
        base_sequence,
        records: i32::try_from(last - base + 1).expect("a few"),
    }
}

/// A history, its scenario and its plan, in the making.
#[derive(Clone, Debug)]
pub(crate) struct RunBuilder {
    pub(crate) history: History,
    pub(crate) scenario: Scenario,
    pub(crate) plan: Plan,
}

impl RunBuilder {
    /// Topic `chat` with two partitions; nothing happened.
    pub(crate) fn small() -> Self {
        Self::new(2)
    }

    /// Topic `chat` with so many partitions; nothing happened.
    pub(crate) fn new(partitions: u32) -> Self {
        let keys = (0..partitions.cast_signed()).map(|partition| (Self::chat(partition), PartitionHistory::default()));
        Self {
            history: History {
                events: Vec::new(),
                topics: vec!["chat".to_owned()],
                processes: BTreeMap::new(),
                partitions: keys.collect(),
                closure: Closure::Whole,
                tally: None,
            },
            scenario: scenario(partitions),
            plan: plan(),
        }
    }

    /// The key of a partition of `chat`.
    pub(crate) fn chat(partition: i32) -> PartitionKey {
        (TopicIndex(0), Partition(partition))
    }

    /// One partition's rows.
    pub(crate) fn rows(&mut self, partition: i32) -> &mut PartitionHistory {
        self.history.partitions.get_mut(&Self::chat(partition)).expect("the topic has this partition")
    }

    /// An event at a time.
    pub(crate) fn event(&mut self, time: u64, kind: EventKind) {
        self.history.events.push(Event { time_ns: TimeNs(time), kind });
    }

    /// A send, acknowledged without an offset unless told otherwise.
    pub(crate) fn send(&mut self, process: u32, partition: i32, sequence: u64) -> SendBuilder<'_> {
        let role = ProcessRole::Producer { name: "chatters".to_owned(), index: process, incarnation: 0 };
        self.history.processes.entry(ProcessId(process)).or_insert(role);
        let row = SendRow {
            process: ProcessId(process),
            topic: TopicIndex(0),
            partition: Partition(partition),
            sequence: Sequence(sequence),
            bytes: BYTES,
            scheduled_ns: TimeNs(0),
            invoke_ns: TimeNs(0),
            complete_ns: TimeNs(1_000_000),
            outcome: Outcome::Ok,
            error: 0,
            offset: None,
            broker: None,
        };
        SendBuilder { run: self, row }
    }

    /// A send acknowledged at an offset.
    pub(crate) fn acked(&mut self, process: u32, sequence: u64, offset: i64) {
        self.send(process, 0, sequence).offset(offset).push();
    }

    /// An intact read.
    pub(crate) fn read(&mut self, reader: u32, partition: i32, offset: i64, record: RecordId) {
        self.rows(partition).reads.push(ReadRow {
            reader: ProcessId(reader),
            topic: TopicIndex(0),
            partition: Partition(partition),
            offset: Offset(offset),
            leader_epoch: None,
            read_ns: TimeNs(2_000_000),
            status: ReadStatus::Intact,
            record,
            bytes: BYTES,
        });
    }

    /// An intact read at a time.
    pub(crate) fn read_at(&mut self, time: u64, reader: u32, partition: i32, offset: i64, record: RecordId) {
        self.read(reader, partition, offset, record);
        self.rows(partition).reads.last_mut().expect("it was added").read_ns = TimeNs(time);
    }

    /// A member was given a partition.
    pub(crate) fn assigned(&mut self, time: u64, member: u32, partition: i32) {
        let partitions = vec![TopicPartition::new("chat", partition)];
        self.event(time, EventKind::Assigned { process: ProcessId(member), partitions });
    }

    /// In which generation a member was given a partition.
    pub(crate) fn assigned_in(&mut self, time: u64, member: u32, generation: i32, partition: i32) {
        let (process, generation) = (ProcessId(member), Generation(generation));
        let partitions = vec![TopicPartition::new("chat", partition)];
        self.event(time, EventKind::AssignedIn { process, generation, partitions });
    }

    /// A member gave a partition up, lost it, or died.
    pub(crate) fn revoked(&mut self, time: u64, member: u32, partition: i32, cause: RevocationCause) {
        let partitions = vec![TopicPartition::new("chat", partition)];
        self.event(time, EventKind::Revoked { process: ProcessId(member), partitions, cause });
    }

    /// A member's commit was answered, or given up.
    pub(crate) fn committed(&mut self, time: u64, member: u32, outcome: Outcome, partition: i32, offset: i64) {
        let positions = vec![Position { partition: TopicPartition::new("chat", partition), offset: Offset(offset) }];
        self.event(time, EventKind::Committed { process: ProcessId(member), outcome, positions, error: None });
    }

    /// A drain reader, made known.
    pub(crate) fn drain_reader(&mut self, process: u32) -> u32 {
        let reader = self.history.processes.values().filter(|role| matches!(role, ProcessRole::Drain { .. })).count();
        let reader = u32::try_from(reader).expect("few readers");
        self.history.processes.insert(ProcessId(process), ProcessRole::Drain { reader });
        process
    }

    /// A group's member, made known; the group is declared if it is new.
    pub(crate) fn member(&mut self, process: u32, group: &str, member: u32) {
        if !self.scenario.groups.iter().any(|known| known.name == group) {
            self.scenario.groups.push(GroupSpec {
                name: group.to_owned(),
                topics: vec!["chat".to_owned()],
                members: 1,
                commit: CommitMode::AfterProcess,
                config: BTreeMap::new(),
            });
        }
        let role = ProcessRole::Consumer { group: group.to_owned(), member, incarnation: 0 };
        self.history.processes.insert(ProcessId(process), role);
    }

    /// The scenario says that producers of this name run transactions.
    pub(crate) fn runs_transactions(&mut self, name: &str) {
        let second = Duration::from_secs(1);
        self.scenario.producers.push(ProducerSpec {
            name: name.to_owned(),
            count: 1,
            topic: "chat".to_owned(),
            partitions: Vec::new(),
            rate: Rate::Max,
            size_bytes: (BYTES, BYTES),
            keys: 1,
            in_flight: 100,
            headers: 0,
            transactions: Some(TransactionSpec { records: 10, every: second, abort_millionths: 0, timeout: second }),
            config: BTreeMap::new(),
        });
    }

    /// The cluster's answer on ranges: `(partition, start, end)`.
    pub(crate) fn end_offsets(&mut self, ranges: &[(i32, i64, i64)]) {
        let ranges = ranges.iter().map(|(partition, start, end)| LogRange {
            partition: TopicPartition::new("chat", *partition),
            start: Offset(*start),
            end: Offset(*end),
            high_watermark: None,
        });
        let ranges = ranges.collect();
        self.event(3_000_000, EventKind::EndOffsets { ranges });
    }

    /// Where a reader stood in one partition.
    pub(crate) fn drained(&mut self, process: u32, partition: i32, offset: i64) {
        let positions = vec![Position { partition: TopicPartition::new("chat", partition), offset: Offset(offset) }];
        self.event(4_000_000, EventKind::Drained { process: ProcessId(process), positions });
    }
}

/// One send in the making.
pub(crate) struct SendBuilder<'r> {
    run: &'r mut RunBuilder,
    row: SendRow,
}

impl SendBuilder<'_> {
    pub(crate) fn outcome(mut self, outcome: Outcome) -> Self {
        self.row.outcome = outcome;
        self
    }

    pub(crate) fn offset(mut self, offset: i64) -> Self {
        self.row.offset = Some(Offset(offset));
        self
    }

    pub(crate) fn broker(mut self, broker: BrokerId) -> Self {
        self.row.broker = Some(broker);
        self
    }

    /// Scheduled and invoked at one time, completed at another.
    pub(crate) fn times(mut self, invoked: u64, completed: u64) -> Self {
        self.row.scheduled_ns = TimeNs(invoked);
        self.row.invoke_ns = TimeNs(invoked);
        self.row.complete_ns = TimeNs(completed);
        self
    }

    pub(crate) fn push(self) {
        let Self { run, row } = self;
        run.rows(row.partition.0).sends.push(row);
    }
}

fn scenario(partitions: u32) -> Scenario {
    let second = Duration::from_secs(1);
    Scenario {
        name: "by-hand".to_owned(),
        description: None,
        seed: Some(42),
        cluster: ClusterSpec {
            kind: ClusterKind::Docker,
            brokers: 3,
            image: None,
            heap_bytes: 0,
            disk_bytes: None,
            start_limit: second,
            config: BTreeMap::new(),
            attach: None,
        },
        topics: vec![TopicSpec { name: "chat".to_owned(), partitions, replication_factor: 3, config: BTreeMap::new() }],
        producers: Vec::new(),
        groups: Vec::new(),
        transformers: Vec::new(),
        phases: Phases { warmup: second, chaos: second, recovery: second, drain: second },
        faults: Vec::new(),
        safety: crate::scenario::Safety::default(),
        expect: BTreeMap::new(),
        evidence: EvidenceFloor { acked: 1, sends_per_fault: 1, rate_millionths: None },
        thresholds: Vec::new(),
    }
}

fn plan() -> Plan {
    let phases = PlannedPhases { warmup_ms: 1000, chaos_ms: 1000, recovery_limit_ms: 1000, drain_limit_ms: 1000 };
    Plan {
        schema_version: 1,
        scenario: "by-hand".to_owned(),
        seed: 42,
        phases,
        steps: Vec::new(),
        safety: crate::plan::PlannedSafety::default(),
        clients: Vec::new(),
    }
}
