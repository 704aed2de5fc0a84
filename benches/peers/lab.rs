//! The cluster that all contestants meet: three brokers in containers, and topics of their own.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tempfile::TempDir;
use tokio::runtime::Runtime;
use wiber_chaos::cluster::docker::DockerCluster;
use wiber_chaos::cluster::ledger::Ledger;
use wiber_chaos::cluster::{Cluster, chain};
use wiber_chaos::history::clock::Clock;
use wiber_chaos::kafka::Access;
use wiber_chaos::scenario::{ClusterSpec, Scenario, TopicSpec};

/// How many bytes a record's payload has.
pub const RECORD_BYTES: u32 = 128;
pub const PARTITIONS: u32 = 3;
/// A broker's heap.
pub const HEAP_MIB: u32 = 768;
/// As many as kcat's queue holds. With more in flight batches are larger, and brokers have fewer of them to bear.
const IN_FLIGHT: u32 = 100_000;

/// A running cluster, and what is known of its topics.
pub struct Lab {
    runtime: Runtime,
    cluster: DockerCluster,
    ledger: Arc<Ledger>,
    /// The cluster's label, which begins the names of its containers.
    label: String,
    pub home: TempDir,
    /// One for all loads: a record's timestamp is compared with the time that its payload names.
    pub clock: Clock,
    topics: Cell<u32>,
    groups: Cell<u32>,
    /// What each of the peers did a second in its last round.
    paces: RefCell<BTreeMap<&'static str, u64>>,
    /// The topic that all consumers read, and how many records it has.
    pub filled: RefCell<Option<(String, u64)>>,
}

impl Lab {
    pub fn set_up() -> Result<Self, String> {
        let told = |error: &dyn std::error::Error| chain(error);
        let runtime = Runtime::new().map_err(|error| told(&error))?;
        let home = tempfile::tempdir().map_err(|error| told(&error))?;
        let label = format!("peers-{}", std::process::id());
        let ledger = Ledger::begin(home.path(), &label, home.path()).map_err(|error| told(&error))?;
        let ledger = Arc::new(ledger);
        let spec = cluster_spec();
        let started = runtime.block_on(DockerCluster::start(&spec, &label, &[], Arc::clone(&ledger)));
        let cluster = started.map_err(|error| told(&error))?;
        Ok(Self {
            runtime,
            cluster,
            ledger,
            label,
            home,
            clock: Clock::start(),
            topics: Cell::new(0),
            groups: Cell::new(0),
            paces: RefCell::default(),
            filled: RefCell::default(),
        })
    }

    pub fn access(&self) -> Access {
        self.cluster.access()
    }

    /// Starts three more brokers with nothing but the topics of their own and removes them again; how long it took until the first
    /// client could be served, in seconds.
    pub fn start_another(&self) -> Result<f64, String> {
        let label = format!("{}-more", self.label);
        let ledger = Ledger::begin(self.home.path(), &label, self.home.path()).map_err(|error| chain(&error))?;
        let ledger = Arc::new(ledger);
        let spec = cluster_spec();
        let begun = Instant::now();
        let started = DockerCluster::start(&spec, &label, &[], Arc::clone(&ledger));
        let cluster = self.runtime.block_on(started).map_err(|error| chain(&error))?;
        let took = begun.elapsed().as_secs_f64();
        self.runtime.block_on(cluster.remove()).map_err(|error| chain(&error))?;
        ledger.close().map_err(|error| chain(&error))?;
        Ok(took)
    }

    /// What begins the names of everything that belongs to this cluster.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The container of one of the brokers, in which Kafka's own tools are, and how they reach the cluster from there.
    pub fn tools(&self) -> (String, &'static str) {
        (format!("{}-kafka-1", self.label), BOOTSTRAP_WITHIN)
    }

    /// What a peer did a second in its last round, or else `first`.
    pub fn pace(&self, peer: &'static str, first: u64) -> u64 {
        self.paces.borrow().get(peer).copied().unwrap_or(first)
    }

    /// Takes note of a peer's rate, and gives it back.
    pub fn paced(&self, peer: &'static str, rate: f64) -> f64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate of records")]
        self.paces.borrow_mut().insert(peer, rate as u64);
        rate
    }

    /// A name that no group has had.
    pub fn new_group(&self) -> String {
        let number = self.groups.get();
        self.groups.set(number + 1);
        format!("readers-{number}")
    }

    /// A topic that nobody has seen.
    pub fn new_topic(&self) -> Result<String, String> {
        self.new_topic_of(PARTITIONS)
    }

    /// The same with so many partitions.
    pub fn new_topic_of(&self, partitions: u32) -> Result<String, String> {
        let number = self.topics.get();
        self.topics.set(number + 1);
        let name = format!("chat-{number}");
        let spec =
            TopicSpec { name: name.clone(), ..scenario(&Topic { name: "chat", partitions }, "").topics.remove(0) };
        self.runtime.block_on(self.cluster.create_topics(&[spec])).map_err(|error| chain(&error))?;
        Ok(name)
    }

    /// Removes the brokers, however it ends.
    fn tear_down(&self) {
        if let Err(error) = self.runtime.block_on(self.cluster.remove()) {
            eprintln!("peers: not everything was removed: {}", chain(&error));
        } else if let Err(error) = self.ledger.close() {
            eprintln!("peers: {}", chain(&error));
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.tear_down();
    }
}

/// How a container of the cluster reaches its broker.
const BOOTSTRAP_WITHIN: &str = "localhost:29092";

/// The cluster that all of them have.
pub fn cluster_spec() -> ClusterSpec {
    scenario(&Topic { name: "chat", partitions: PARTITIONS }, "").cluster
}

/// A topic as a contestant knows it.
pub struct Topic<'a> {
    pub name: &'a str,
    pub partitions: u32,
}

/// A scenario of one topic; `clients` are its producers and groups.
pub fn scenario(topic: &Topic<'_>, clients: &str) -> Scenario {
    let Topic { name: topic, partitions } = topic;
    // A scenario has a producer at least; whoever wants none takes it away again.
    let without = !clients.contains("[[producer]]");
    let clients = if without { format!("{}{clients}", producer(topic, "max", 1)) } else { clients.to_owned() };
    let text = format!(
        "name = \"peers\"\nseed = 1\n[cluster]\nkind = \"docker\"\nbrokers = 3\nheap = \"{HEAP_MIB}MiB\"\n\
         [[topic]]\nname = \"{topic}\"\npartitions = {partitions}\nreplication-factor = 3\n{clients}\
         [phases]\nwarmup = \"1s\"\nchaos = \"1s\"\nrecovery = \"60s\"\ndrain = \"120s\"\n"
    );
    match wiber_chaos::scenario::parse("peers.toml", &text) {
        Ok(parsed) if without => Scenario { producers: Vec::new(), ..parsed.scenario },
        Ok(parsed) => parsed.scenario,
        Err(error) => panic!("a benchmark's own scenario is wrong: {error:?}\n{text}"),
    }
}

/// Producers as a scenario declares them.
pub fn producer(topic: &str, rate: &str, count: u32) -> String {
    format!(
        "[[producer]]\nname = \"chatters\"\ncount = {count}\ntopic = \"{topic}\"\nrate = \"{rate}\"\nkeys = 0\nsize = \"{RECORD_BYTES}B\"\n\
         in-flight = {IN_FLIGHT}\n\
         config = {{ acks = \"all\", \"enable.idempotence\" = true }}\n"
    )
}

/// A group as a scenario declares it. Each has a name of its own: one that has read a topic before would begin at its end.
pub fn group(topic: &str, name: &str, members: u32) -> String {
    format!("[[consumer-group]]\nname = \"{name}\"\ntopics = [\"{topic}\"]\nmembers = {members}\n")
}
