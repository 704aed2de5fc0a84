//! A report is plain data, computed once from a stored run; every renderer is a pure function of it, one a file.
//!
//! [`build()`] turns a history and its verdict into a [`Report`]: series, lanes, tables, anomalies with their surroundings.
//! [`csv`], [`json`], [`junit`], [`terminal`] and [`html`] turn that into bytes. [`write_all`] is the only I/O. Nothing here
//! reads a clock, draws at random or names a path of this machine, so the same stored run gives the same bytes for ever.
//!
//! [`github`] tells of runs where GitHub Actions shows them; the command line knows whether it runs there.
//!
//! Over several runs there are [`compare`], what differs between two, and [`index`], all of a directory.

mod build;
pub mod compare;
pub mod csv;
#[cfg(test)]
pub(crate) mod fixture;
pub mod format;
pub mod github;
pub mod html;
pub mod index;
pub mod json;
pub mod junit;
mod status;
pub mod terminal;
mod write;

use serde::{Deserialize, Serialize};

pub use build::{BrokerLog, Inputs, build};
pub use status::Standing;
pub use write::{WriteError, write_all, write_page};

use crate::anomaly::{Anomaly, Validity};
use crate::fault::FaultId;
use crate::history::{Environment, Phase};
use crate::kafka::{BrokerId, LeaderEpoch, Offset, PartitionView, RecordId, TimeNs, TopicPartition};
use crate::plan::Plan;
use crate::verdict::{Outage, Verdict};

/// Everything that a renderer may show. Times are nanoseconds since the run's origin unless a name says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The verdict, which is also `verdict.json`.
    pub verdict: Verdict,
    /// What the scenario is about, in a sentence.
    pub description: Option<String>,
    /// The scenario file as it was run.
    pub scenario_toml: String,
    /// The plan.
    pub plan: Plan,
    /// What the run ran on.
    pub environment: Environment,
    /// What is missing from the history; `None` when it is whole.
    pub cut: Option<String>,
    /// What the run could not undo or remove; `None` where it said nothing of the kind.
    #[serde(default)]
    pub left_behind: Option<String>,
    /// The time of the last thing recorded.
    pub end_ns: TimeNs,
    /// The phases, in order and without gaps.
    pub phases: Vec<PhaseSpan>,
    /// One entry a second of the run, from second 0, without holes.
    pub seconds: Vec<Second>,
    /// The most records in flight at once over all producers, to the millisecond.
    pub max_in_flight: u64,
    /// The faults, in the verdict's order.
    pub faults: Vec<FaultBand>,
    /// What state each broker was in, and when.
    pub brokers: Vec<BrokerLane>,
    /// Which broker was the controller, and when.
    pub controllers: Vec<ControllerSpan>,
    /// One entry a partition, by topic and number.
    pub partitions: Vec<PartitionReport>,
    /// One entry a consumer group, by name.
    pub groups: Vec<GroupReport>,
    /// Latency of acknowledged sends: the whole run, then each phase, then each fault.
    pub latencies: Vec<LatencyWindow>,
    /// Every anomaly: those that break an expectation first, then by check, the worst first.
    pub anomalies: Vec<Anomaly>,
    /// How things stood at each anomaly, in their order; `None` for one of which no time is known.
    pub circumstances: Vec<Option<Circumstances>>,
    /// What the log shows around the anomalies that a person is shown in full.
    pub cards: Vec<Card>,
    /// What else went wrong or was remarkable, by time.
    pub incidents: Vec<Incident>,
}

/// A phase of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseSpan {
    /// Which.
    pub phase: Phase,
    /// When it began.
    pub start_ns: TimeNs,
    /// When the next one began, or the run ended.
    pub end_ns: TimeNs,
}

/// What happened in one second of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Which second; it lasts from `second` to `second + 1` seconds of the run, its end excluded.
    pub second: u64,
    /// The phase in force at its end.
    pub phase: Option<Phase>,
    /// Sends invoked.
    pub sent: u64,
    /// Sends acknowledged.
    pub acked: u64,
    /// Sends whose certain failure became known.
    pub failed: u64,
    /// Sends given up without a known outcome.
    pub indeterminate: u64,
    /// Records read by the consumer groups' members. The drain's reads do not count.
    pub read: u64,
    /// Latency of the sends acknowledged in it.
    pub latency: Option<Latency>,
    /// The most partitions at once whose ISR lacked a replica; `None` before the cluster was first observed.
    pub under_replicated: Option<u32>,
    /// Acknowledged records that the consumer group furthest behind had not read at its end; `None` where there are no groups.
    pub unread: Option<u64>,
    /// How long, at its end, a group had let one of them wait, the longest of all groups, in milliseconds.
    pub lag_ms: Option<u64>,
    /// The faults in force at some time in it.
    pub faults: Vec<FaultId>,
}

/// Quantiles (nearest rank, to within 0.4 %; the greatest exactly) of the time from a send's schedule to its acknowledgement, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// How many sends.
    pub count: u64,
    /// The median.
    pub p50_us: u32,
    /// The 90th percentile.
    pub p90_us: u32,
    /// The 99th percentile.
    pub p99_us: u32,
    /// The 99.9th percentile.
    pub p999_us: u32,
    /// The longest. Saturates at 71 minutes.
    pub max_us: u32,
}

/// Latency of the acknowledged sends of a stretch of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyWindow {
    /// Which stretch.
    pub window: Window,
    /// The figures; `None` when nothing was acknowledged.
    pub latency: Option<Latency>,
}

/// A stretch of the run by which sends are gathered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    /// All sends.
    Run,
    /// Those scheduled in the phase. Each send is in one phase at most.
    Phase(Phase),
    /// Those waiting at some time while the fault was in force, so also those that were in flight as it struck.
    Fault(FaultId),
}

/// A fault as the run's time line shows it; the rest is in the verdict's line of the same index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultBand {
    /// Its name.
    pub id: FaultId,
    /// When the engine had carried it out; `None` when it never did.
    pub injected_ns: Option<TimeNs>,
    /// When it was undone; `None` when it never was.
    pub healed_ns: Option<TimeNs>,
    /// Why it struck nobody, when it was skipped.
    pub skipped: Option<String>,
    /// One plain sentence: what was done to whom, when, and whether it is proven.
    pub sentence: String,
}

impl FaultBand {
    /// From when to when it was in force; a fault that was never undone lasts to the end of the run.
    pub fn span(&self, end_ns: TimeNs) -> Option<(TimeNs, TimeNs)> {
        self.injected_ns.map(|from| (from, self.healed_ns.unwrap_or(end_ns).max(from)))
    }
}

/// What a broker was up to, from the nemesis's looks at it and from the cluster's metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BrokerState {
    /// Registered, not fenced, and its process not known to be otherwise.
    Up,
    /// Its process runs, as far as anybody knows, but the cluster does not count it in.
    Unregistered,
    /// A fault keeps others from reaching it.
    Cut,
    /// Its process is frozen.
    Paused,
    /// Its process has ended.
    Down,
}

/// A stretch of time that a broker spent in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerSpan {
    /// Which state.
    pub state: BrokerState,
    /// From.
    pub start_ns: TimeNs,
    /// To.
    pub end_ns: TimeNs,
}

/// One broker's life. Begins when the cluster was first observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerLane {
    /// Which broker.
    pub broker: BrokerId,
    /// Its states, in order, neighbours distinct.
    pub spans: Vec<BrokerSpan>,
}

/// A stretch of time with one controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControllerSpan {
    /// Which broker, or `None` while nobody named one.
    pub controller: Option<BrokerId>,
    /// From.
    pub start_ns: TimeNs,
    /// To.
    pub end_ns: TimeNs,
}

/// A stretch of time in which a consumer group's partitions stayed where they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSpan {
    /// How many members owned any.
    pub owners: u32,
    /// How many partitions had an owner.
    pub owned: u32,
    /// From.
    pub start_ns: TimeNs,
    /// To.
    pub end_ns: TimeNs,
}

/// A stretch of time in which a partition's leader, epoch and ISR size stayed the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderSpan {
    /// Its leader, or `None` while it had none.
    pub leader: Option<BrokerId>,
    /// The leader's epoch, where it is known.
    pub leader_epoch: Option<LeaderEpoch>,
    /// How many replicas were in sync.
    pub isr: u32,
    /// How many replicas there were.
    pub replicas: u32,
    /// From.
    pub start_ns: TimeNs,
    /// To.
    pub end_ns: TimeNs,
}

/// One partition's figures and its leaders over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionReport {
    /// Which.
    pub partition: TopicPartition,
    /// Sends to it.
    pub sent: u64,
    /// Sends acknowledged.
    pub acked: u64,
    /// Sends that certainly failed.
    pub failed: u64,
    /// Sends of unknown outcome.
    pub indeterminate: u64,
    /// Its first and end offset after healing, where they were read.
    pub range: Option<(Offset, Offset)>,
    /// Distinct records of this run that the drain found in it.
    pub drained_distinct: u64,
    /// The longest time it acknowledged nothing although sends were waiting, where the verdict tells.
    pub max_unavailability_ms: Option<u64>,
    /// When that began.
    pub unavailable_from_ms: Option<u64>,
    /// Every time of half a second and more in which it acknowledged nothing although sends were waiting, in order.
    #[serde(default)]
    pub outages: Vec<Outage>,
    /// The longest time that a consumer group got nothing of it although acknowledged records waited, where the verdict tells.
    pub stall: Option<Stall>,
    /// Its leaders.
    pub spans: Vec<LeaderSpan>,
}

/// A time in which a consumer group got nothing of a partition although acknowledged records waited for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// How long it was.
    pub longest_ms: u64,
    /// When it began.
    pub from_ms: Option<u64>,
    /// Whose it was.
    pub group: Option<String>,
}

/// One consumer group's figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupReport {
    /// Its `group.id`.
    pub group: String,
    /// How many clients were members, counting each life of each.
    pub members: u64,
    /// Records that members read.
    pub reads: u64,
    /// Reads of an offset that a member had read before.
    pub redeliveries: u64,
    /// How often a member was given partitions.
    pub assignments: u64,
    /// How often a member gave partitions up because the group rebalanced.
    pub rebalances: u64,
    /// How often a member was thrown out and lost its partitions.
    pub losses: u64,
    /// Commits that succeeded.
    pub commits_ok: u64,
    /// Commits that failed, or whose end is unknown.
    pub commits_not_ok: u64,
    /// Records that lay behind the group's last position when its drain ended; `None` when no position is known.
    pub behind: Option<u64>,
    /// How its partitions were spread over its members, from the first time that one was given any.
    pub spans: Vec<GroupSpan>,
}

/// How things stood when an anomaly's record was acknowledged, or when it was sent if it never was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circumstances {
    /// That moment.
    pub at_ns: TimeNs,
    /// The phase of the run.
    pub phase: Option<Phase>,
    /// The partition's leader, epoch and ISR, as the last look at the cluster's metadata before showed them.
    pub standing: Option<PartitionView>,
    /// The members of groups that had the partition assigned, such as `chat-consumers/1.0`.
    pub owners: Vec<String>,
    /// The faults that were in force at some time between send and acknowledgement.
    pub faults: Vec<FaultId>,
    /// What happened next that may have undone it: the first fault to come into force after that moment, and the partition's next
    /// leader, a clause each, with how much later.
    pub next: Vec<String>,
}

/// An anomaly shown in full, with the log around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Its place in [`Report::anomalies`].
    pub anomaly: usize,
    /// The offsets around it; empty when the anomaly names no offset.
    pub neighbourhood: Vec<Neighbour>,
    /// What the brokers wrote around it, in the order of time.
    #[serde(default)]
    pub log: Vec<BrokerLine>,
}

/// A line of a broker's own log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerLine {
    /// When it was written.
    pub time_ns: TimeNs,
    /// By whom.
    pub broker: BrokerId,
    /// What it says, without its time.
    pub text: String,
}

/// One offset near an anomaly: what was acknowledged there, and what the drain found there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// The offset.
    pub offset: Offset,
    /// The records whose acknowledgement named the offset.
    pub acked: Vec<NamedRecord>,
    /// The records that the drain read at the offset.
    pub found: Vec<NamedRecord>,
}

/// A record, and its producer as people know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NamedRecord {
    /// The record.
    pub record: RecordId,
    /// Its producer, such as `chatters/0.0`, or what was found where no record of this run lay.
    pub producer: String,
}

/// Something else that a reader of the report should know of, counted over the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// When it first happened.
    pub first_ns: TimeNs,
    /// How often.
    pub count: u64,
    /// Whom it concerns: a process's label, `cluster` or `harness`.
    pub subject: String,
    /// What happened.
    pub text: String,
}

impl Report {
    /// The command that repeats the run, from the scenario file at `path`.
    pub fn reproduce_command(&self, path: &str) -> String {
        format!("wiber-chaos run {} --seed {}", format::shell_word(path), self.verdict.seed)
    }

    /// How many anomalies there are in all; checkers may count more than they list. What a valid check counted is none.
    pub fn anomalies_found(&self) -> u64 {
        let invalid = self.verdict.checks.iter().filter(|line| line.verdict == Validity::Invalid);
        invalid.map(|line| line.found).sum()
    }
}
