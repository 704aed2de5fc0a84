//! The events that come a few per second: one JSON object a line in `events.jsonl`. The live event is the stored line.

use serde::{Deserialize, Serialize};

use super::seal::Seal;
use crate::fault::client::{ClientLook, GroupLook};
use crate::fault::{Deed, FaultId, Moment, Observation, Victim};
use crate::kafka::replica::ReplicaLog;
use crate::kafka::{
    BrokerId, ClusterView, Generation, Offset, Outcome, ProcessId, Sequence, TimeNs, TopicPartition, TransactionNumber,
};

/// Something that happened at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, since the run's origin.
    pub time_ns: TimeNs,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The stages of a run, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Brokers start, topics are made.
    Start,
    /// Load without faults, so that there is something to compare with.
    Warmup,
    /// Faults are injected.
    Chaos,
    /// Every fault is healed; the load goes on until the cluster is whole again.
    Recovery,
    /// The load has ended; groups and fresh readers read to the end offsets.
    Drain,
    /// Brokers are stopped and removed.
    Stop,
}

impl Phase {
    /// The word for it in CSV files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Warmup => "warmup",
            Self::Chaos => "chaos",
            Self::Recovery => "recovery",
            Self::Drain => "drain",
            Self::Stop => "stop",
        }
    }
}

/// Who a process was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "kebab-case")]
pub enum ProcessRole {
    /// A producer of the load.
    Producer {
        /// The scenario's name for these producers.
        name: String,
        /// Which of them, from 0.
        index: u32,
        /// Which life of it, from 0; a producer that met a fatal error lives again.
        incarnation: u32,
    },
    /// A member of a consumer group of the load.
    Consumer {
        /// The group.
        group: String,
        /// Which member, from 0.
        member: u32,
        /// Which life of it, from 0.
        incarnation: u32,
    },
    /// A reader of the final drain: made after the load ended, reads every partition from its start to its end offset.
    Drain {
        /// Which reader, from 0.
        reader: u32,
    },
    /// A reader of the final drain that waits for no commits (`read_uncommitted`). What it reads is no evidence of what is in
    /// force: it shows that what others were not given was there to be hidden.
    Witness,
}

impl ProcessRole {
    /// The process in one word: `chatters/0.0`, `chat-consumers/1.0`, `drain/0`, `witness`.
    pub fn label(&self) -> String {
        match self {
            Self::Producer { name, index, incarnation } => format!("{name}/{index}.{incarnation}"),
            Self::Consumer { group, member, incarnation } => format!("{group}/{member}.{incarnation}"),
            Self::Drain { reader } => format!("drain/{reader}"),
            Self::Witness => "witness".to_owned(),
        }
    }
}

/// A fault's way through a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub enum FaultStage {
    /// The target is resolved, the intent is on disk, the engine is about to be asked.
    Invoke {
        /// Whom it strikes.
        targets: Vec<Victim>,
    },
    /// The engine said that it is done. Whether it bit is for the proofs to say.
    Ok,
    /// The engine refused: the fault is not in force.
    Fail {
        /// Why.
        reason: String,
    },
    /// Nobody knows whether it is in force.
    Info {
        /// Why.
        reason: String,
    },
}

/// A partition's first and end offset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRange {
    /// Which partition.
    pub partition: TopicPartition,
    /// The first offset that can still be read (log start).
    pub start: Offset,
    /// One past the last offset that readers of committed records get to (last stable offset): the high watermark, unless a
    /// transaction is open below it.
    pub end: Offset,
    /// The high watermark, asked for after `end`; `None` where nobody asked, as in older histories, or nobody answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_watermark: Option<Offset>,
}

/// A consumer's next offset in a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Which partition.
    pub partition: TopicPartition,
    /// The next offset.
    pub offset: Offset,
}

/// How an ownership interval ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RevocationCause {
    /// The group rebalanced, and the member gave the partitions up in order.
    Rebalance,
    /// The member was thrown out of the group; another may own the partitions already.
    Lost,
    /// The member left, because the run ended or its client was closed.
    Closed,
    /// The member's process was killed. Nobody gave anything up: the group has to find out by the session timeout. The
    /// time is that of the process's death, from which on it cannot read.
    Crashed,
}

/// What a producer does with a transaction that takes no more records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransactionEnding {
    /// It asks for its commit.
    Commit,
    /// It asks for its abort. Its commit was never asked for, and will never be.
    Abort,
    /// It asks for neither, because its client is of no use any more.
    Abandon,
}

/// Records that one process sent to one partition in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Which partition.
    pub partition: TopicPartition,
    /// The first one's number.
    pub first: Sequence,
    /// How many there are.
    pub count: u64,
}

/// How far a transaction's end got. Jepsen's stages: what may have been committed, or may yet be, is info.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum TransactionStage {
    /// It takes no more records, and its end is about to be asked for. Written before anybody is asked: what was read by then
    /// was not committed.
    Invoke {
        /// Which end.
        ending: TransactionEnding,
        /// When it began.
        began_ns: TimeNs,
        /// Its records; those among them that the client library refused are in no log.
        records: Vec<Span>,
    },
    /// The coordinator said that it has ended so.
    Ok,
    /// It certainly was not committed, and never will be.
    Fail {
        /// Why.
        reason: String,
    },
    /// Nobody knows how it ended, or whether.
    Info {
        /// Why.
        reason: String,
    },
}

/// What happened. Externally visible names are kebab-case; add variants, never change one (see `FORMAT_VERSION`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum EventKind {
    /// Always the first line.
    RunStarted {
        /// The history format's version.
        format_version: u32,
        /// The run's id, `<UTC time>-<seed>`.
        run: String,
        /// The scenario's name.
        scenario: String,
        /// The seed.
        seed: u64,
        /// The wall-clock time of `time_ns` 0, RFC 3339.
        started_utc: String,
        /// The topics, in the order that `TopicIndex` counts them.
        topics: Vec<String>,
        /// The number of partitions of each topic.
        partitions: Vec<u32>,
        /// The CRC-32 of the run's `scenario.toml`.
        scenario_crc32: u32,
        /// The CRC-32 of the run's `plan.json`.
        plan_crc32: u32,
        /// The CRC-32 of what the scenario asks for, whatever it expects of it; `None` in older histories.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked_crc32: Option<u32>,
    },
    /// A client was made.
    ProcessStarted {
        /// Its id.
        process: ProcessId,
        /// Who it is.
        #[serde(flatten)]
        role: ProcessRole,
    },
    /// A client was closed; no row of its comes after this.
    ProcessEnded {
        /// Its id.
        process: ProcessId,
        /// Why.
        reason: String,
    },
    /// Every thread of a client's process was seen stopped: it does nothing, and its connections stay open.
    ProcessFrozen {
        /// Its id.
        process: ProcessId,
    },
    /// A frozen client's process is about to run on from where it stands.
    ProcessThawed {
        /// Its id.
        process: ProcessId,
    },
    /// A phase began; the one before ended.
    PhaseStarted {
        /// Which.
        phase: Phase,
    },
    /// A fault is being injected.
    Inject {
        /// Which.
        fault: FaultId,
        /// How far that got.
        #[serde(flatten)]
        stage: FaultStage,
    },
    /// A fault is being healed.
    Heal {
        /// Which.
        fault: FaultId,
        /// How far that got.
        #[serde(flatten)]
        stage: FaultStage,
    },
    /// One target of a fault was looked at. Looks that show nothing new are left out.
    Proof {
        /// The fault.
        fault: FaultId,
        /// Before, during or after it.
        moment: Moment,
        /// The broker looked at.
        target: BrokerId,
        /// What was seen.
        observation: Observation,
    },
    /// A client that a fault strikes was looked at. Looks that show nothing new are left out.
    ClientProof {
        /// The fault.
        fault: FaultId,
        /// Before, during or after it.
        moment: Moment,
        /// What was seen.
        look: ClientLook,
    },
    /// A consumer group that a storm strikes was looked at.
    StormProof {
        /// The fault.
        fault: FaultId,
        /// Before, during or after it.
        moment: Moment,
        /// What was seen.
        look: GroupLook,
    },
    /// What an action of a fault said of itself when it was done.
    Deed {
        /// The fault.
        fault: FaultId,
        /// The broker that it was done to.
        target: BrokerId,
        /// What was done.
        #[serde(flatten)]
        deed: Deed,
    },
    /// What an action of a fault on a client said of itself when it was done.
    ClientDeed {
        /// The fault.
        fault: FaultId,
        /// The client that it was done to, by its label.
        client: String,
        /// What was done.
        #[serde(flatten)]
        deed: Deed,
    },
    /// A fault struck nobody, because its target named nobody or its turn never came.
    FaultSkipped {
        /// Which.
        fault: FaultId,
        /// Why.
        reason: String,
    },
    /// A fault's target named nobody, and the scenario says that this is no failure.
    FaultPassedOver {
        /// Which.
        fault: FaultId,
        /// Why it named nobody.
        reason: String,
    },
    /// The cluster's metadata, each time it changed.
    ClusterObserved {
        /// What it showed.
        view: ClusterView,
    },
    /// Nobody answered a request for metadata; told once until somebody does.
    ClusterUnreachable {
        /// The last error.
        reason: String,
    },
    /// The cluster is whole: all brokers registered, every partition's ISR full.
    ClusterWhole {
        /// How long that was waited for.
        waited_ms: u64,
    },
    /// The cluster did not become whole within its limit.
    ClusterNotWhole {
        /// How long that was waited for.
        waited_ms: u64,
        /// What was missing last.
        last_seen: String,
    },
    /// A group gave a member partitions: an ownership interval begins.
    Assigned {
        /// The member.
        process: ProcessId,
        /// The partitions.
        partitions: Vec<TopicPartition>,
    },
    /// In which generation of its group a member was given partitions, right after `assigned` says that it was. Left out where the
    /// client library does not know it any more.
    AssignedIn {
        /// The member.
        process: ProcessId,
        /// The generation, by the client library's account; with the protocol of KIP-848 the member's epoch.
        generation: Generation,
        /// The partitions.
        partitions: Vec<TopicPartition>,
    },
    /// A member that goes on owning its partitions goes back in them, because the transaction that held what it had made of their
    /// records was aborted.
    WentBack {
        /// The member.
        process: ProcessId,
        /// The next offset to read, by partition.
        positions: Vec<Position>,
    },
    /// Ownership intervals end.
    Revoked {
        /// The member.
        process: ProcessId,
        /// The partitions.
        partitions: Vec<TopicPartition>,
        /// Why.
        cause: RevocationCause,
    },
    /// A member committed offsets.
    Committed {
        /// The member.
        process: ProcessId,
        /// How it ended.
        outcome: Outcome,
        /// The next offset to read, by partition.
        positions: Vec<Position>,
        /// The error's text, when it did not end well.
        error: Option<String>,
    },
    /// A producer ends a transaction.
    Transaction {
        /// The producer.
        process: ProcessId,
        /// Which of its transactions.
        number: TransactionNumber,
        /// How far that got.
        #[serde(flatten)]
        stage: TransactionStage,
    },
    /// A client library reported an error that belongs to no single record.
    ClientError {
        /// The client.
        process: ProcessId,
        /// librdkafka's name for it, such as `_ALL_BROKERS_DOWN`.
        code: String,
        /// Its text.
        message: String,
    },
    /// The load was held back: a producer's in-flight limit or the recorder's queue was full.
    Backpressure {
        /// The producer.
        process: ProcessId,
        /// What was full.
        cause: String,
        /// For how long in the last second.
        held_ms: u64,
    },
    /// Every partition's range, read from the cluster after healing and after the load ended.
    EndOffsets {
        /// One range a partition.
        ranges: Vec<LogRange>,
    },
    /// Every partition's first offset, read from the cluster once more when the drain had ended: retention may have moved it.
    LogStarts {
        /// One offset a partition.
        starts: Vec<Position>,
    },
    /// Where a reader stood when its drain ended.
    Drained {
        /// The reader: a group's member or a drain reader.
        process: ProcessId,
        /// Its next offset in each partition that it owned.
        positions: Vec<Position>,
    },
    /// The logs of a broker were read from its disk, after everything else and when all brokers had been halted. Their batches
    /// are the rows of `replicas.arrows`.
    ReplicasRead {
        /// The broker.
        broker: BrokerId,
        /// Its logs of the run's partitions.
        logs: Vec<ReplicaLog>,
    },
    /// The logs of a broker should have been read, and were not.
    ReplicasUnread {
        /// The broker.
        broker: BrokerId,
        /// Why.
        reason: String,
    },
    /// Nobody was to read the brokers' logs.
    AuditSkipped {
        /// Why.
        reason: String,
    },
    /// The run was interrupted; healing, drain and reports follow.
    Interrupted {
        /// By which signal.
        signal: String,
    },
    /// The run has taken as long as it may, before its chaos phase was over; healing, drain and reports follow.
    DeadlinePassed {
        /// How long the run may take.
        deadline_ms: u64,
    },
    /// Something in the harness went wrong that did not end the run. The verdict cannot be valid.
    HarnessError {
        /// What.
        message: String,
    },
    /// Something could not be undone or removed; whoever reads the run later must not take it for clean.
    LeftBehind {
        /// What.
        what: String,
    },
    /// Always the last line of a whole history.
    RunEnded {
        /// How many send rows were written.
        sends: u64,
        /// How many read rows were written.
        reads: u64,
        /// What each file was then.
        seal: Seal,
    },
}
