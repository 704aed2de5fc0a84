//! Three real brokers on bounded disks, under load: what dies comes back, and nothing that was acknowledged is lost.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{Offset, TopicPartitionList};
use wiber_chaos::cluster::disk::Disk;
use wiber_chaos::cluster::docker::DockerCluster;
use wiber_chaos::cluster::undo::Undo;
use wiber_chaos::cluster::{Cluster, wholeness};
use wiber_chaos::fault::Action;
use wiber_chaos::fault::disk::LockedPlace;
use wiber_chaos::fault::{ProcessState, Signal};
use wiber_chaos::kafka::{BrokerId, ClusterView};
use wiber_chaos::scenario::{ClusterKind, ClusterSpec, TopicSpec};

use super::bench::{Bench, docker, labelled};
use crate::program::{Place, start};
use crate::turn;

const PATIENCE: Duration = Duration::from_secs(90);
const TOPIC: &str = "chat";

/// Remembers what was acknowledged.
struct Acknowledged(Arc<Mutex<BTreeSet<u64>>>);

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = Box<u64>;

    fn delivery(&self, result: &DeliveryResult<'_>, number: Box<u64>) {
        if result.is_ok() {
            self.0.lock().expect("no panic while it was held").insert(*number);
        }
    }
}

/// One producer, 2000 records a second, until it is told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<BTreeSet<u64>>>,
    thread: JoinHandle<()>,
}

impl Load {
    fn start(bootstrap: &str) -> Self {
        let acknowledged = Arc::<Mutex<BTreeSet<u64>>>::default();
        let stop = Arc::<AtomicBool>::default();
        let producer: BaseProducer<Acknowledged> = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .create_with_context(Acknowledged(Arc::clone(&acknowledged)))
            .expect("a producer");
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut number = 0_u64;
            while !stopped.load(Ordering::Relaxed) {
                let payload = format!("{number:0>200}");
                let partition = i32::try_from(number % 3).expect("less than three");
                let record = BaseRecord::<(), str, _>::with_opaque_to(TOPIC, Box::new(number))
                    .payload(&payload)
                    .partition(partition);
                if producer.send(record).is_ok() {
                    number += 1;
                }
                producer.poll(Duration::ZERO);
                thread::sleep(Duration::from_micros(450));
            }
            producer.flush(PATIENCE).expect("everything is delivered or failed");
        });
        Self { stop, acknowledged, thread }
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().expect("no panic while it was held").len()
    }

    fn end(self) -> BTreeSet<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the load ends");
        Arc::try_unwrap(self.acknowledged).expect("nobody else has it").into_inner().expect("no panic")
    }
}

/// Every number in the topic's logs.
fn read_all(bootstrap: &str) -> BTreeSet<u64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "reader")
        .set("enable.partition.eof", "false")
        .create()
        .expect("a consumer");
    let mut read = BTreeSet::new();
    for partition in 0..3 {
        let (_, end) = consumer.fetch_watermarks(TOPIC, partition, PATIENCE).expect("watermarks");
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(TOPIC, partition, Offset::Beginning).expect("an offset");
        consumer.assign(&assignment).expect("an assignment");
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < PATIENCE, "the log was not read to {end} in time");
            let Some(Ok(record)) = consumer.poll(Duration::from_millis(500)) else { continue };
            let text = std::str::from_utf8(record.payload().expect("a payload")).expect("text");
            read.insert(text.parse().expect("a number"));
            if record.offset() + 1 >= end {
                break;
            }
        }
    }
    read
}

struct Stage {
    bench: Bench,
    cluster: DockerCluster,
    load: Load,
}

impl Stage {
    async fn new() -> Self {
        let bench = Bench::new().await;
        let topic = TopicSpec {
            name: TOPIC.to_owned(),
            partitions: 3,
            replication_factor: 3,
            config: [("segment.bytes".to_owned(), "1048576".to_owned())].into(),
        };
        let spec = ClusterSpec {
            kind: ClusterKind::Docker,
            brokers: 3,
            image: None,
            heap_bytes: 384 << 20,
            disk_bytes: Some(256 << 20),
            start_limit: Duration::from_secs(180),
            config: [].into(),
            attach: None,
        };
        let topics = [topic];
        let cluster =
            DockerCluster::start(&spec, &bench.label, &topics, Arc::clone(&bench.ledger)).await.expect("a cluster");
        cluster.create_topics(&topics).await.expect("a topic");
        let load = Load::start(&cluster.access().bootstrap_servers());
        let stage = Self { bench, cluster, load };
        stage.until_acknowledged(10_000).await;
        stage
    }

    async fn disk(&self, broker: BrokerId) -> Disk {
        self.cluster.disk(broker).await.expect("a disk")
    }

    /// What a command says in the broker's data directory, as its keeper sees it, which runs whether the broker does or not.
    fn kept(&self, broker: BrokerId, command: &str) -> String {
        let keeper = format!("{}-keeper-{}", self.bench.label, broker.0);
        docker(&["exec", "-w", "/kept", &keeper, "sh", "-c", command]).join("\n")
    }

    async fn until_acknowledged(&self, more: usize) {
        let (began, wanted) = (Instant::now(), self.load.count() + more);
        while self.load.count() < wanted {
            assert!(began.elapsed() < PATIENCE, "{} of {wanted} acknowledged", self.load.count());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the broker ended by itself; how.
    async fn until_exited(&self, broker: BrokerId) -> i64 {
        let began = Instant::now();
        loop {
            match self.cluster.process_state(broker).await.expect("a state") {
                ProcessState::Exited { exit_code } => return exit_code,
                state => assert!(began.elapsed() < PATIENCE, "{broker} goes on: {state:?}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn until_seen(&self, what: &str, good: impl Fn(&ClusterView) -> Result<(), String>) -> Duration {
        let began = Instant::now();
        let mut last_seen = "nothing".to_owned();
        while began.elapsed() < PATIENCE {
            match self.cluster.view(None).await.map_err(|error| error.to_string()).and_then(|view| good(&view)) {
                Ok(()) => return began.elapsed(),
                Err(seen) => last_seen = seen,
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("waited for {what}; last seen: {last_seen}");
    }

    /// Waits until the others have noticed, so that a full ISR afterwards is a new one.
    async fn until_out(&self, broker: BrokerId) -> Duration {
        self.until_seen("the broker to leave every ISR", |view| {
            let still = view.partitions.iter().any(|partition| partition.isr.contains(&broker));
            if still { Err(format!("{:?}", view.partitions)) } else { Ok(()) }
        })
        .await
    }

    async fn until_whole(&self) -> Duration {
        let brokers = self.cluster.brokers();
        self.until_seen("full ISRs", |view| wholeness(view, &brokers, 3)).await
    }

    async fn leader(&self) -> BrokerId {
        let view = self.cluster.view(None).await.expect("a view");
        view.partitions[0].leader.expect("a leader")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_brokers_survive_full_locked_and_wiped_disks_and_lose_nothing() {
    let _turn = turn::cluster();
    let stage = Stage::new().await;

    // Bounded, and kept: a killed broker comes back with its own data.
    let broker = BrokerId(2);
    let identity = stage.kept(broker, "cat meta.properties");
    let bytes = |text: &str| text.trim().parse::<u64>().expect("a size");
    let size = bytes(&stage.kept(broker, "cat chat-*/*.log | wc -c"));
    stage.cluster.perform(broker, &Action::Signal { signal: Signal::Kill }).await.expect("killed");
    assert_eq!(stage.until_exited(broker).await, 137);
    stage.until_out(broker).await;
    stage.cluster.undo(broker, &Undo::Start).await.expect("started");
    println!("kill: full ISR {:?} after the start", stage.until_whole().await);
    assert_eq!(stage.kept(broker, "cat meta.properties"), identity, "formatted anew: the data did not survive");
    assert!(bytes(&stage.kept(broker, "cat chat-*/*.log | wc -c")) >= size && size > 100_000, "from {size}");

    // Full.
    let leader = stage.leader().await;
    let disk = stage.disk(leader).await;
    let filled = disk.fill().await.expect("full");
    let began = Instant::now();
    assert_eq!((stage.until_exited(leader).await, filled.after.free_bytes), (1, 0));
    println!("full: {leader} ended {:?} after {filled:?}", began.elapsed());
    let log = stage.cluster.logs(leader).await.expect("its log").expect("its log");
    assert!(String::from_utf8_lossy(&log).contains("No space left on device"));
    assert_eq!(disk.room().await.expect("room").free_bytes, 0, "the disk stays full when the broker is gone");
    println!("full: out of every ISR {:?} later", stage.until_out(leader).await);
    stage.cluster.undo(leader, &Undo::Start).await.expect("started");
    assert_eq!(stage.until_exited(leader).await, 1, "with a full disk it cannot live");
    disk.free().await.expect("free");
    stage.cluster.undo(leader, &Undo::Start).await.expect("started");
    println!("full: full ISR {:?} after free and start", stage.until_whole().await);
    stage.until_acknowledged(2000).await;

    // Read-only.
    let leader = stage.leader().await;
    let disk = stage.disk(leader).await;
    disk.lock(&LockedPlace::DataDirectory).await.expect("locked");
    let began = Instant::now();
    assert_eq!(stage.until_exited(leader).await, 1);
    println!("lock: {leader} ended {:?} later", began.elapsed());
    disk.unlock(&LockedPlace::DataDirectory).await.expect("open");
    stage.until_out(leader).await;
    stage.cluster.undo(leader, &Undo::Start).await.expect("started");
    println!("lock: full ISR {:?} after unlock and start", stage.until_whole().await);
    stage.until_acknowledged(2000).await;

    // Wiped.
    let leader = stage.leader().await;
    let disk = stage.disk(leader).await;
    let identity = stage.kept(leader, "cat meta.properties");
    stage.cluster.perform(leader, &Action::Signal { signal: Signal::Kill }).await.expect("killed");
    assert_eq!(stage.until_exited(leader).await, 137);
    let wiped = disk.wipe().await.expect("wiped");
    assert_eq!(stage.kept(leader, "ls -A"), "");
    stage.cluster.undo(leader, &Undo::Start).await.expect("started");
    let out = stage.until_out(leader).await;
    println!("wipe: {wiped:?}; out after {out:?}, full ISR {:?} later", stage.until_whole().await);
    let formatted = stage.kept(leader, "cat meta.properties");
    let line = |text: &str, key: &str| text.lines().find(|line| line.starts_with(key)).map(str::to_owned);
    assert_eq!(line(&formatted, "cluster.id"), line(&identity, "cluster.id"));
    assert_eq!(line(&formatted, "node.id"), line(&identity, "node.id"));
    assert_ne!(line(&formatted, "directory.id"), line(&identity, "directory.id"), "formatted anew");
    stage.until_acknowledged(2000).await;

    let Stage { bench, cluster, load } = stage;
    let acknowledged = load.end();
    let read = read_all(&cluster.access().bootstrap_servers());
    println!("{} acknowledged, {} read", acknowledged.len(), read.len());
    assert!(acknowledged.len() > 16_000, "{}", acknowledged.len());
    assert_eq!(acknowledged.difference(&read).collect::<Vec<_>>(), Vec::<&u64>::new(), "acknowledged and lost");
    cluster.remove().await.expect("removed");
    assert_eq!(labelled(&bench.label), Vec::<String>::new(), "left behind");
}

#[test]
fn a_killed_harness_leaves_no_bounded_disk_behind() {
    let _turn = turn::cluster();
    let place = Place::new();
    let text = "name = \"bounded\"\n[cluster]\nbrokers = 1\ndisk = \"64MiB\"\n[[topic]]\nname = \"chat\"\n[[producer]]\n\
                name = \"p\"\ntopic = \"chat\"\nrate = \"100/s\"\n[phases]\nwarmup = \"60s\"\n";
    let file = place.file("bounded.toml", text);
    let mut command = place.run();
    command.arg(&file);
    let mut harness = start(command);
    place.wait_for_event("bounded", &mut harness, &["phase", "warmup"]);
    harness.kill().expect("it runs");
    harness.wait().expect("it ended");

    let ledgers = place.ledgers();
    let [ledger] = &ledgers[..] else { panic!("one ledger: {ledgers:?}") };
    let label = ledger.file_stem().expect("a name").to_string_lossy().into_owned();
    let keeper = format!("{label}-keeper-1");
    assert!(labelled(&label).contains(&keeper), "{:?}", labelled(&label));
    let told = std::fs::read_to_string(ledger).expect("the ledger can be read");
    assert!(told.contains(&keeper), "the ledger did not hear of the keeper");
    let mut command = place.program();
    command.arg("clean");
    assert!(command.status().expect("it runs").success());
    assert_eq!(labelled(&label), Vec::<String>::new(), "left behind");
}
