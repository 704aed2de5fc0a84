//! A validated scenario: the cluster, the load, the faults, and what must hold. After a [`Scenario`] exists, nobody re-checks.
//!
//! [`raw`] is the TOML as people write it, with spans; [`validate`] turns it into a [`Scenario`] or into all its problems at
//! once, each under its own line. [`parse`] and [`load`] are the way in.

mod address;
mod fault_table;
mod lasting;
mod leaf;
mod lines;
mod problem;
pub mod raw;
mod read;
mod safety;
mod schedule;
pub mod schema;
pub mod suggest;
pub mod timing;
pub mod units;
pub mod validate;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

pub use address::Containers;
pub use fault_table::RawKind;
pub use leaf::{ByteRange, Bytes, Expectations, Properties, Property};
pub use lines::Lines;
pub use problem::{Place, Problem, Problems, ScenarioError};
pub use read::{At, Field, FromToml};
pub use safety::{EmptyTarget, QuorumLoss, Safety};
pub use schedule::{Again, Rhythm, Spread};
pub use validate::DEFAULT_HEAP_BYTES;

use serde::{Deserialize, Serialize};

use crate::anomaly::{CheckName, Expectation};
use crate::fault::{FaultId, FaultKind, Target};
use crate::kafka::{BrokerId, Endpoint};

/// A scenario and what a person should know about it.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The scenario; nothing is wrong with it.
    pub scenario: Scenario,
    /// What runs, but perhaps not as meant; each is a diagnostic that points at its line.
    pub warnings: Vec<Problem>,
    /// Where each fault's kind stands in the file, in the order of the scenario's faults.
    pub places: Vec<Place>,
}

/// Reads a scenario from a file.
pub fn load(path: &Path) -> Result<Parsed, ScenarioError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ScenarioError::Unreadable { path: path.to_owned(), source })?;
    parse(&path.display().to_string(), &text)
}

/// Reads a scenario from text; `file_name` is what messages call it.
pub fn parse(file_name: &str, text: &str) -> Result<Parsed, ScenarioError> {
    let mut problems = Problems::new(file_name, text);
    let raw = raw::read(text, &mut problems);
    let scenario = raw.as_ref().and_then(|raw| validate::validate(raw, &mut problems));
    let places = raw.as_ref().map(|raw| validate::places(raw, &problems)).unwrap_or_default();
    let problems = problems.into_sorted();
    match scenario {
        Some(scenario) => Ok(Parsed { scenario, warnings: problems, places }),
        None => Err(ScenarioError::Invalid { file: file_name.to_owned(), problems }),
    }
}

/// A scenario's text with another length of its chaos phase: the same faults for longer, where they strike again and again.
pub fn lasting(text: &str, chaos: std::time::Duration) -> String {
    lasting::lasting(text, chaos)
}

/// A scenario's text as it may be shown to anybody: with stars for the secrets that stand in it. References such as
/// `${NAME}` are none.
pub fn without_secrets(text: &str) -> String {
    problem::without_secrets(text)
}

/// A whole scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// Its name, which also names its directory of runs.
    pub name: String,
    /// What it is about, in a sentence.
    pub description: Option<String>,
    /// The seed; a run without one draws its own and records it.
    pub seed: Option<u64>,
    /// The cluster.
    pub cluster: ClusterSpec,
    /// The topics, in the file's order; `TopicIndex` counts them so.
    pub topics: Vec<TopicSpec>,
    /// The producers.
    pub producers: Vec<ProducerSpec>,
    /// The consumer groups.
    pub groups: Vec<GroupSpec>,
    /// Those that consume, transform and produce.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transformers: Vec<TransformerSpec>,
    /// How long each phase takes.
    pub phases: Phases,
    /// The faults, in the file's order.
    pub faults: Vec<FaultSpec>,
    /// What bounds their harm.
    #[serde(default)]
    pub safety: Safety,
    /// What is expected of each check that is not simply forbidden to find something.
    pub expect: BTreeMap<CheckName, Expectation>,
    /// How much evidence a verdict needs.
    pub evidence: EvidenceFloor,
    /// What must not be exceeded.
    pub thresholds: Vec<Threshold>,
}

impl Scenario {
    /// The CRC-32 of what is asked of a run, without what is expected of it: two scenarios that differ in their description, their
    /// expectations, their evidence and their thresholds only have the same.
    pub fn asked_crc32(&self) -> u32 {
        let asked = Self {
            description: None,
            expect: BTreeMap::new(),
            evidence: EvidenceFloor::default(),
            thresholds: Vec::new(),
            ..self.clone()
        };
        crc32fast::hash(&serde_json::to_vec(&asked).expect("a scenario is plain data"))
    }

    /// What is expected of a check.
    pub fn expectation(&self, check: CheckName) -> Expectation {
        self.expect.get(&check).copied().unwrap_or_else(|| check.usual_expectation())
    }

    /// Every consumer group of the load, those that transformers read through included.
    pub fn all_groups(&self) -> impl Iterator<Item = &GroupSpec> {
        self.groups.iter().chain(self.transformers.iter().map(|transformer| &transformer.group))
    }

    /// Every set of producers of the load, those that transformers write through included.
    pub fn all_producers(&self) -> impl Iterator<Item = &ProducerSpec> {
        self.producers.iter().chain(self.transformers.iter().map(|transformer| &transformer.producer))
    }
}

/// Where the brokers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterKind {
    /// Real brokers in containers that the run starts and removes.
    Docker,
    /// Brokers that are there already, and stay: the run makes its own topics on them and deletes them afterwards.
    Attach,
    /// librdkafka's mock cluster, inside this process: for trying scenarios and testing the pipeline, never for proof.
    Mock,
}

/// The cluster to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterSpec {
    /// Where the brokers come from.
    pub kind: ClusterKind,
    /// How many brokers; ids count from 1.
    pub brokers: u32,
    /// The image to run; by default the official one, else the local drop-in.
    pub image: Option<String>,
    /// Each broker's heap in bytes.
    pub heap_bytes: u64,
    /// How much each broker's disk holds, in bytes; `None` for as much as the engine's own disk does.
    #[serde(default)]
    pub disk_bytes: Option<u64>,
    /// How long the cluster may take until it is ready.
    pub start_limit: Duration,
    /// Broker properties, over the safe defaults.
    pub config: BTreeMap<String, String>,
    /// Where the brokers are, when they are there already. Set if and only if `kind` is [`ClusterKind::Attach`].
    pub attach: Option<AttachSpec>,
}

impl ClusterSpec {
    /// The ids of the brokers that random targets are drawn from: of an attached cluster those whose containers the
    /// scenario names, because no other may be struck; else all.
    pub fn broker_ids(&self) -> Vec<i32> {
        let named = self.attach.as_ref().map(|attach| attach.containers.keys().map(|id| id.0).collect::<Vec<_>>());
        let all = || (1..=i32::try_from(self.brokers).unwrap_or(i32::MAX)).collect();
        named.filter(|ids| !ids.is_empty()).unwrap_or_else(all)
    }
}

/// A cluster that is there already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachSpec {
    /// Whom to ask first.
    pub bootstrap: Vec<Endpoint>,
    /// The container of each broker that faults may strike. Nothing else is ever touched.
    pub containers: BTreeMap<BrokerId, String>,
    /// librdkafka properties of every client, as written: `${NAME}` stands for an environment variable.
    pub client: BTreeMap<String, String>,
}

/// A topic to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: u32,
    /// How many replicas each.
    pub replication_factor: u32,
    /// Topic properties.
    pub config: BTreeMap<String, String>,
}

/// How fast a producer sends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rate {
    /// This many records a second each, scheduled by the clock whatever the cluster does (open model).
    PerSecond(f64),
    /// As fast as the in-flight limit lets it.
    Max,
}

/// The most headers that a record may be given.
pub const HEADERS_MAX: u8 = 16;

/// A set of like producers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProducerSpec {
    /// Their name.
    pub name: String,
    /// How many.
    pub count: u32,
    /// The topic they send to.
    pub topic: String,
    /// Only these partitions, or all when empty.
    pub partitions: Vec<u32>,
    /// How fast each of them sends.
    pub rate: Rate,
    /// Payload sizes in bytes, drawn uniformly by the seed; both ends included.
    pub size_bytes: (u32, u32),
    /// How many distinct keys each uses; a key always goes to the same partition. 0: they make up no keys.
    pub keys: u32,
    /// How many records each may have in flight; more wait.
    pub in_flight: u32,
    /// How many headers each record gets, at most [`HEADERS_MAX`].
    #[serde(default)]
    pub headers: u8,
    /// How their records are put into transactions; `None` for records without.
    #[serde(default)]
    pub transactions: Option<TransactionSpec>,
    /// librdkafka properties, over the defaults.
    pub config: BTreeMap<String, String>,
}

/// How a producer puts its records into transactions. Each client has a transactional id of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionSpec {
    /// A transaction ends at the latest with this many records.
    pub records: u32,
    /// And at the latest when it is as old as this.
    pub every: Duration,
    /// The share of transactions that are aborted on purpose, in millionths; which ones, the seed decides.
    pub abort_millionths: u32,
    /// When the coordinator gives a transaction up that nobody ended (`transaction.timeout.ms`).
    pub timeout: Duration,
}

/// When a group's members commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommitMode {
    /// After the records were processed: at-least-once.
    AfterProcess,
    /// Before the records are processed: at-most-once.
    BeforeProcess,
    /// By librdkafka's timer.
    Auto,
}

/// A consumer group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSpec {
    /// Its `group.id`.
    pub name: String,
    /// The topics it subscribes to.
    pub topics: Vec<String>,
    /// How many members, each with a client and a thread of its own.
    pub members: u32,
    /// When members commit.
    pub commit: CommitMode,
    /// librdkafka properties, over the defaults.
    pub config: BTreeMap<String, String>,
}

/// Applications that consume, transform and produce: each instance reads through a member of one group, and writes what it
/// makes of each record through a producer of its own, in transactions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransformerSpec {
    /// The group they read through, which bears their name; one member an instance, of one topic.
    pub group: GroupSpec,
    /// The producers they write through, named after them; one an instance, with `transactions`.
    pub producer: ProducerSpec,
    /// Where the offsets of what was read are committed.
    pub offsets: OffsetsCommitted,
}

impl TransformerSpec {
    /// Their name.
    pub fn name(&self) -> &str {
        &self.group.name
    }

    /// The topic they read.
    pub fn from(&self) -> &str {
        &self.group.topics[0]
    }

    /// The topic they write.
    pub fn to(&self) -> &str {
        &self.producer.topic
    }
}

/// Where a transformer commits the offsets of what it has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OffsetsCommitted {
    /// As part of the transaction that holds what it made of that (KIP-98, KIP-447): exactly once.
    InTransaction,
    /// By its group, once the transaction is committed: at least once, for whoever takes over in between does it again.
    Afterwards,
}

/// What a consumer may read of transactions (`isolation.level`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Committed records only; librdkafka's default.
    #[default]
    Committed,
    /// Everything that is in the log.
    Uncommitted,
}

impl Isolation {
    /// librdkafka's word for it.
    pub fn property(self) -> &'static str {
        match self {
            Self::Committed => "read_committed",
            Self::Uncommitted => "read_uncommitted",
        }
    }
}

impl GroupSpec {
    /// What its members may read of transactions, as its configuration says.
    pub fn isolation(&self) -> Isolation {
        let level = self.config.get("isolation.level").map(|level| level.trim());
        if level == Some(Isolation::Uncommitted.property()) { Isolation::Uncommitted } else { Isolation::Committed }
    }
}

/// How long each phase takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// Load without faults.
    pub warmup: Duration,
    /// Load with faults; a final heal ends it.
    pub chaos: Duration,
    /// At most this long until the cluster is whole again.
    pub recovery: Duration,
    /// At most this long until everybody has read to the end offsets.
    pub drain: Duration,
}

impl Default for Phases {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { warmup: seconds(5), chaos: seconds(30), recovery: seconds(60), drain: seconds(60) }
    }
}

/// When a fault is injected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// This long after the chaos phase began.
    At(Duration),
    /// This long after another fault was healed and every partition's ISR was full again.
    After {
        /// The other fault.
        fault: FaultId,
        /// How much longer.
        delay: Duration,
    },
}

/// A fault to inject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultSpec {
    /// Its name.
    pub id: FaultId,
    /// What is done.
    pub kind: FaultKind,
    /// To whom.
    pub target: Target,
    /// When; the earliest time, where the seed decides it.
    pub start: Start,
    /// For how long; zero for a restart, which heals itself.
    pub duration: Spread,
    /// Whether it strikes again.
    #[serde(default)]
    pub again: Again,
}

/// How much must have happened before a verdict can be valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceFloor {
    /// At least this many acknowledged records.
    pub acked: u64,
    /// At least this many sends in flight or invoked while each fault was in force.
    pub sends_per_fault: u64,
    /// At least this share of what each set of producers was asked for a second, in millionths; `None` for any.
    #[serde(default)]
    pub rate_millionths: Option<u32>,
}

impl Default for EvidenceFloor {
    fn default() -> Self {
        Self { acked: 1000, sends_per_fault: 100, rate_millionths: None }
    }
}

/// What a threshold measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// The longest time that a partition acknowledged nothing although sends were waiting.
    Unavailability,
    /// The longest time from the end of a heal until every partition's ISR was full again.
    Recovery,
    /// The longest time that a group got nothing of a partition although acknowledged records waited for it.
    ConsumeStall,
    /// The longest time from a heal until every group had read all that had been acknowledged by then.
    CatchUp,
    /// The median time from schedule to acknowledgement.
    ProduceLatencyP50,
    /// The 99th percentile of it.
    ProduceLatencyP99,
    /// The longest.
    ProduceLatencyMax,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 7] = [
        Self::Unavailability,
        Self::Recovery,
        Self::ConsumeStall,
        Self::CatchUp,
        Self::ProduceLatencyP50,
        Self::ProduceLatencyP99,
        Self::ProduceLatencyMax,
    ];

    /// The word for it in scenarios and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unavailability => "unavailability",
            Self::Recovery => "recovery",
            Self::ConsumeStall => "consume-stall",
            Self::CatchUp => "catch-up",
            Self::ProduceLatencyP50 => "produce-latency-p50",
            Self::ProduceLatencyP99 => "produce-latency-p99",
            Self::ProduceLatencyMax => "produce-latency-max",
        }
    }
}

/// A limit on a metric. Breaching it is not a violation of an invariant: exit code 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threshold {
    /// What is measured.
    pub metric: Metric,
    /// The greatest value that is fine.
    pub max: Duration,
}
