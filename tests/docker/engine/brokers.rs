//! Brokers of a run: their addresses across deaths, and their published port across a pulled cable.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wiber_chaos::cluster::docker::DockerCluster;
use wiber_chaos::cluster::engine::Engine;
use wiber_chaos::cluster::ledger::Ledger;
use wiber_chaos::cluster::undo::Undo;
use wiber_chaos::cluster::{Cluster, wholeness};
use wiber_chaos::fault::Action;
use wiber_chaos::fault::{Probe, Signal};
use wiber_chaos::kafka::BrokerId;
use wiber_chaos::scenario::{ClusterKind, ClusterSpec, TopicSpec};

use super::containers::{docker, unique};
use crate::turn;

const HEAP_BYTES: u64 = 256 << 20;

fn spec() -> ClusterSpec {
    ClusterSpec {
        kind: ClusterKind::Docker,
        brokers: 3,
        image: None,
        heap_bytes: HEAP_BYTES,
        start_limit: Duration::from_secs(180),
        config: BTreeMap::new(),
        disk_bytes: None,
        attach: None,
    }
}

async fn whole(cluster: &DockerCluster, what: &str) {
    let (began, brokers) = (Instant::now(), cluster.brokers());
    loop {
        let seen = match cluster.view(None).await {
            Ok(view) => wholeness(&view, &brokers, 3),
            Err(error) => Err(error.to_string()),
        };
        match seen {
            Ok(()) => return,
            Err(seen) if began.elapsed() > Duration::from_secs(120) => panic!("{what}: not whole; last seen: {seen}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

async fn answers(cluster: &DockerCluster, broker: BrokerId) {
    let began = Instant::now();
    loop {
        let seen = cluster.probe(broker).await;
        if matches!(seen, Probe::Answered { .. }) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "{broker} does not answer: {seen:?}");
        // A refusal comes at once, and asking without a pause takes from the broker what it needs to start.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

struct Ran {
    engine: Engine,
    cluster: DockerCluster,
    label: String,
}

impl Ran {
    fn container(&self, broker: BrokerId) -> String {
        format!("{}-kafka-{}", self.label, broker.0)
    }

    async fn addresses(&self) -> Vec<Ipv4Addr> {
        let mut addresses = Vec::new();
        for broker in self.cluster.brokers() {
            let found = self.engine.addresses(&self.container(broker)).await.expect("addresses");
            addresses.push(found[0].address);
        }
        addresses
    }
}

/// Two brokers die together and are started in the other order; then one is unplugged, and plugged in again.
async fn story(ran: &Ran) {
    let Ran { engine, cluster, .. } = ran;
    let born = ran.addresses().await;
    for _ in 0..2 {
        for broker in [BrokerId(1), BrokerId(2)] {
            cluster.perform(broker, &Action::Signal { signal: Signal::Kill }).await.expect("killed");
            docker(&["wait", &ran.container(broker)]);
        }
        for broker in [BrokerId(2), BrokerId(1)] {
            cluster.undo(broker, &Undo::Start).await.expect("started");
        }
        assert_eq!(ran.addresses().await, born, "each is back at its own address");
        // The one that lived on knows of no death: without a majority nobody writes one down. So each is asked itself.
        for broker in cluster.brokers() {
            answers(cluster, broker).await;
        }
        whole(cluster, "after the deaths").await;
    }

    let (broker, container) = (BrokerId(2), ran.container(BrokerId(2)));
    let state = cluster.process_state(broker).await.expect("a state");
    let [place] = &engine.attachments(&container).await.expect("attachments")[..] else { panic!("one network") };
    engine.disconnect(&container, place).await.expect("disconnected");
    let unplugged = cluster.probe(broker).await;
    assert!(!matches!(unplugged, Probe::Answered { .. }), "{unplugged:?}");
    engine.reconnect(&container, place).await.expect("reconnected");
    answers(cluster, broker).await;
    whole(cluster, "after the reconnect").await;
    assert_eq!(ran.addresses().await, born);
    assert_eq!(cluster.process_state(broker).await.expect("a state"), state, "it never died");
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_keep_their_addresses_and_a_published_port_outlives_a_pulled_cable() {
    let _turn = turn::cluster();
    let place = tempfile::tempdir().expect("a directory");
    let label = unique("run");
    let ledger = Arc::new(Ledger::begin(place.path(), &label, place.path()).expect("a ledger"));
    let topic = TopicSpec { name: "chat".to_owned(), partitions: 3, replication_factor: 3, config: BTreeMap::new() };
    let engine = Engine::connect().await.expect("an engine");
    let cluster = DockerCluster::start(&spec(), &label, std::slice::from_ref(&topic), ledger).await.expect("a cluster");
    let ran = Arc::new(Ran { engine, cluster, label });
    ran.cluster.create_topics(&[topic]).await.expect("a topic");
    let told = tokio::spawn({
        let ran = Arc::clone(&ran);
        async move { story(&ran).await }
    })
    .await;
    ran.cluster.remove().await.expect("removed");
    if let Err(failed) = told {
        std::panic::resume_unwind(failed.into_panic());
    }
}
