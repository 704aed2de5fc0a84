//! Kafka's own levers on three real brokers: each is pulled, seen to have moved what it should, and put back.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::turn;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;
use wiber_chaos::cluster::admin::{configs, leaders, listeners, quorum, records, replicas, transactions};
use wiber_chaos::cluster::docker::DockerCluster;
use wiber_chaos::cluster::ledger::Ledger;
use wiber_chaos::cluster::peers::Peers;
use wiber_chaos::cluster::undo::Undo;
use wiber_chaos::cluster::{Cluster, ClusterError};
use wiber_chaos::fault::Action;
use wiber_chaos::fault::{ProcessState, Signal};
use wiber_chaos::kafka::levers::{
    Before, ConfigChange, ConfigOwner, Elected, Election, LogBounds, OwnValue, Placement, Plane, Quorum, ReplicaLook,
};
use wiber_chaos::kafka::{BrokerId, Endpoint, LeaderEpoch, Offset, PartitionView, TopicPartition};
use wiber_chaos::scenario::{ClusterKind, ClusterSpec, TopicSpec};

/// How long a lever may take; a broker that was killed needs most of it to come back.
const LIMIT: Duration = Duration::from_secs(60);

/// For what must not come about.
const SHORT: Duration = Duration::from_secs(2);

/// A topic with three replicas, and one with two whose partitions leave out each broker in turn: names, partitions, replicas.
const TOPICS: [(&str, u32, u32); 2] = [("levers", 1, 3), ("pair", 3, 2)];

struct World {
    label: String,
    cluster: DockerCluster,
    peers: Peers,
}

impl World {
    async fn start(state: &std::path::Path) -> Self {
        let label = format!("admin-levers-{}", std::process::id());
        let ledger = Arc::new(Ledger::begin(state, &label, state).expect("a ledger"));
        let spec = ClusterSpec {
            kind: ClusterKind::Docker,
            brokers: 3,
            image: None,
            heap_bytes: 384 << 20,
            start_limit: Duration::from_secs(180),
            config: BTreeMap::new(),
            disk_bytes: None,
            attach: None,
        };
        let topics = TOPICS.map(|(name, partitions, replication_factor)| TopicSpec {
            name: name.to_owned(),
            partitions,
            replication_factor,
            config: BTreeMap::from([
                ("retention.ms".to_owned(), "3600000".to_owned()),
                ("min.insync.replicas".to_owned(), "1".to_owned()),
            ]),
        });
        let cluster = DockerCluster::start(&spec, &label, &topics, ledger).await.expect("brokers");
        let endpoints = cluster.access().bootstrap;
        let peers = Peers::plaintext(cluster.brokers().into_iter().zip(endpoints).collect());
        let world = Self { label, cluster, peers };
        if let Err(error) = world.cluster.create_topics(&topics).await {
            world.cluster.remove().await.expect("everything is removed");
            panic!("{error}");
        }
        world
    }

    async fn partition(&self, partition: &TopicPartition) -> PartitionView {
        let view = self.cluster.view(None).await.expect("a view");
        view.partition(partition).expect("the topic is there").clone()
    }

    async fn wait(&self, what: &str, partition: &TopicPartition, good: impl Fn(&PartitionView) -> bool) {
        let began = Instant::now();
        loop {
            let view = self.partition(partition).await;
            if good(&view) {
                return;
            }
            assert!(began.elapsed() < LIMIT, "waited {LIMIT:?} until {what}; last seen: {view:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The controllers' own listeners, in the engine's network, which its host reaches.
    fn controllers(&self) -> Peers {
        let address = |broker: BrokerId| {
            let container = format!("{}-kafka-{}", self.label, broker.0);
            let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
            let output =
                Command::new("docker").args(["inspect", "-f", format, &container]).output().expect("docker runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Endpoint::new(String::from_utf8_lossy(&output.stdout).trim().to_owned(), 9093)
        };
        Peers::plaintext(self.cluster.brokers().into_iter().map(|broker| (broker, address(broker))).collect())
    }

    /// The quorum, once it is in a later term than this.
    async fn epoch_beyond(&self, peers: &Peers, epoch: LeaderEpoch) -> Quorum {
        let began = Instant::now();
        loop {
            let seen = quorum::quorum(peers, Duration::from_secs(1)).await;
            if let Ok(quorum) = &seen
                && quorum.epoch > epoch
            {
                return quorum.clone();
            }
            assert!(began.elapsed() < LIMIT, "waited {LIMIT:?} for a term after {epoch}; last seen: {seen:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn client(&self) -> ClientConfig {
        let bootstrap: Vec<String> = self.peers.addresses.iter().map(|(_, at)| at.to_string()).collect();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", bootstrap.join(","));
        config
    }
}

fn levers() -> TopicPartition {
    TopicPartition::new("levers", 0)
}

fn pair() -> TopicPartition {
    TopicPartition::new("pair", 0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_lever_moves_what_it_should_and_can_be_put_back() {
    let _turn = turn::cluster_alone();
    let place = tempfile::tempdir().expect("a temporary directory");
    let world = Arc::new(World::start(place.path()).await);
    let pulled = tokio::spawn({
        let world = Arc::clone(&world);
        async move {
            planes_are_told_by_port(&world).await;
            records_are_counted_and_deleted(&world).await;
            a_leader_moves_and_comes_back(&world).await;
            an_election_that_is_not_needed_is_told_apart(&world).await;
            replicas_move_and_come_back(&world).await;
            settings_change_and_are_restored(&world).await;
            a_transactional_producer_is_fenced(&world).await;
            a_fail_over_of_the_controller_is_seen(&world).await;
            a_replica_out_of_sync_is_made_leader(&world).await;
        }
    });
    let pulled = pulled.await;
    world.cluster.remove().await.expect("everything is removed");
    if let Err(error) = pulled {
        resume_unwind(error.into_panic());
    }
}

async fn planes_are_told_by_port(world: &World) {
    for broker in world.cluster.brokers() {
        let listeners = listeners::listeners(&world.peers, broker, LIMIT).await.expect("listeners");
        let told: Vec<(&str, u16, Vec<Plane>)> =
            listeners.iter().map(|one| (one.name.as_str(), one.port, one.planes.iter().copied().collect())).collect();
        let expected = [
            ("INTERNAL", 29092, vec![Plane::Replication]),
            ("CONTROLLER", 9093, vec![Plane::Controller]),
            ("CLIENT", 9092, vec![Plane::Client]),
        ];
        assert_eq!(told, expected);
    }
}

async fn records_are_counted_and_deleted(world: &World) {
    let partition = levers();
    let producer: BaseProducer = world.client().set("acks", "all").create().expect("a producer");
    for number in 0..50 {
        let payload = format!("record {number}");
        let record = BaseRecord::<(), str>::to(&partition.topic).partition(0).payload(&payload);
        producer.send(record).map_err(|(error, _)| error).expect("queued");
    }
    producer.flush(LIMIT).expect("all are acknowledged");
    let bounds = |log_start, end| LogBounds { log_start: Offset(log_start), high_watermark: Offset(end) };
    let offsets = || records::offsets(&world.peers, &partition, LIMIT);
    assert_eq!(offsets().await.expect("a leader"), bounds(0, 50));

    for (broker, look) in replicas::replica_logs(&world.peers, &partition).await {
        let ReplicaLook::There(log) = look else { panic!("{broker}: {look:?}") };
        assert!(log.bytes > 50 * 8 && log.directory.starts_with("/var/lib/kafka/data"), "{broker}: {log:?}");
    }
    let looks = replicas::replica_logs(&world.peers, &pair()).await;
    assert_eq!(looks.iter().filter(|(_, look)| *look == ReplicaLook::Absent).count(), 1, "{looks:?}");

    let delete = |before| records::delete_records(&world.peers, &partition, before, LIMIT);
    assert_eq!(delete(Before::Offset(Offset(10))).await.expect("deleted"), Offset(10));
    assert_eq!(offsets().await.expect("a leader"), bounds(10, 50));
    let error = delete(Before::Offset(Offset(51))).await.expect_err("there is no such record");
    assert!(matches!(error, ClusterError::Refused { code: 1, .. }), "{error}");
    assert_eq!(delete(Before::HighWatermark).await.expect("deleted"), Offset(50));
    assert_eq!(offsets().await.expect("a leader"), bounds(50, 50));
}

async fn a_leader_moves_and_comes_back(world: &World) {
    let partition = levers();
    let before = world.partition(&partition).await;
    let to = *before.isr.iter().find(|replica| Some(**replica) != before.leader).expect("a follower");
    let old = leaders::transfer(&world.peers, &partition, to, LIMIT).await.expect("a transfer");
    let expected = Placement { partition: partition.clone(), replicas: before.replicas.clone(), leader: before.leader };
    assert_eq!(old, expected);
    let moved = world.partition(&partition).await;
    assert_eq!((moved.leader, moved.replicas[0]), (Some(to), to));
    assert!(moved.leader_epoch > before.leader_epoch, "{moved:?}");

    // What led need not have been what was preferred: both are put back.
    let third = *before.replicas.iter().find(|id| **id != to && Some(**id) != old.leader).expect("a third");
    let old_of_third = leaders::transfer(&world.peers, &partition, third, LIMIT).await.expect("a transfer");
    let odd = Placement { replicas: old.replicas.clone(), ..old_of_third };
    leaders::restore(&world.peers, &odd, LIMIT).await.expect("restored");
    assert_eq!(leaders::placement(&world.peers, &partition, LIMIT).await.expect("a placement"), odd);
    leaders::restore(&world.peers, &old, LIMIT).await.expect("restored");
    assert_eq!(leaders::placement(&world.peers, &partition, LIMIT).await.expect("a placement"), old);

    let stranger = leaders::transfer(&world.peers, &partition, BrokerId(9), LIMIT).await.expect_err("no replica");
    assert!(stranger.to_string().contains("it is not in sync; in sync are broker-"), "{stranger}");
}

async fn an_election_that_is_not_needed_is_told_apart(world: &World) {
    let partition = levers();
    let elect = |election| leaders::elect(&world.peers, &partition, election, LIMIT);
    assert_eq!(elect(Election::Preferred).await.expect("an answer"), Elected::NotNeeded);
    assert_eq!(elect(Election::Unclean).await.expect("an answer"), Elected::NotNeeded);
    let old = leaders::placement(&world.peers, &partition, LIMIT).await.expect("a placement");
    let mut order = old.replicas.clone();
    order.rotate_left(1);
    replicas::reassign(&world.peers, &partition, &order, LIMIT).await.expect("a new order");
    assert_eq!(elect(Election::Preferred).await.expect("an answer"), Elected::Held);
    leaders::restore(&world.peers, &old, LIMIT).await.expect("restored");
    assert_eq!(leaders::placement(&world.peers, &partition, LIMIT).await.expect("a placement"), old);
}

async fn replicas_move_and_come_back(world: &World) {
    let peers = &world.peers;
    let (old, free) = a_pair_without_a_broker_that_may_freeze(world).await;
    let partition = old.partition.clone();
    let target = [free, old.replicas[0]];
    replicas::reassign(peers, &partition, &target, LIMIT).await.expect("accepted");
    replicas::reassigned(peers, &partition, &target, LIMIT).await.expect("moved");
    assert_eq!(world.partition(&partition).await.replicas, target);
    leaders::restore(peers, &old, LIMIT).await.expect("restored");
    assert_eq!(leaders::placement(peers, &partition, LIMIT).await.expect("a placement"), old);

    // To a broker that does not fetch, nothing ever gets done.
    world.cluster.perform(free, &Action::Freeze).await.expect("paused");
    replicas::reassign(peers, &partition, &target, LIMIT).await.expect("accepted");
    let under_way = replicas::reassignments(peers, LIMIT).await.expect("a list");
    assert_eq!((under_way.len(), &under_way[0].partition), (1, &partition), "{under_way:?}");
    assert_eq!(under_way[0].adding, [free]);
    let error = replicas::reassigned(peers, &partition, &target, SHORT).await.expect_err("it cannot be done");
    assert!(error.to_string().contains(&format!("adding {free}, removing")), "{error}");
    assert_eq!(replicas::cancel(peers, &partition, LIMIT).await.expect("an answer"), replicas::Cancelled::Stopped);
    assert_eq!(replicas::cancel(peers, &partition, LIMIT).await.expect("an answer"), replicas::Cancelled::NotUnderWay);
    world.cluster.undo(free, &Undo::Thaw).await.expect("it runs on");
    leaders::restore(peers, &old, LIMIT).await.expect("restored");
    assert_eq!(replicas::reassignments(peers, LIMIT).await.expect("a list"), []);
    world.wait("all replicas are in sync", &levers(), |view| view.isr.len() == 3).await;
}

/// A partition, and the broker that has none of its replicas and is not the active controller: an order that a frozen controller
/// was sent is carried out when it wakes up, after others that were given later (`replicas::settle`).
async fn a_pair_without_a_broker_that_may_freeze(world: &World) -> (Placement, BrokerId) {
    let controller = quorum::quorum(&world.peers, LIMIT).await.expect("a quorum").leader;
    for number in 0..3 {
        let partition = TopicPartition::new("pair", number);
        let old = leaders::placement(&world.peers, &partition, LIMIT).await.expect("a placement");
        let free = *world.cluster.brokers().iter().find(|id| !old.replicas.contains(id)).expect("a third broker");
        if free != controller {
            return (old, free);
        }
    }
    panic!("all partitions of pair leave out {controller}");
}

async fn settings_change_and_are_restored(world: &World) {
    let peers = &world.peers;
    let own = |value: &str| OwnValue::Set(value.to_owned());
    for (owner, keys, before_own) in [
        (ConfigOwner::Topic("levers".to_owned()), ["retention.ms", "segment.ms"], [own("3600000"), OwnValue::Unset]),
        (ConfigOwner::Broker(BrokerId(2)), ["log.retention.ms", "max.connections"], [OwnValue::Unset, OwnValue::Unset]),
        (ConfigOwner::AllBrokers, ["log.retention.ms", "max.connections"], [OwnValue::Unset, OwnValue::Unset]),
    ] {
        let before = configs::values(peers, &owner, &keys, LIMIT).await.expect("values");
        assert_eq!(before.iter().map(|state| state.own.clone()).collect::<Vec<_>>(), before_own, "{owner}");
        let changes = [ConfigChange::set(keys[0], "7200000"), ConfigChange::set(keys[1], "900000")];
        configs::alter(peers, &owner, &changes, LIMIT).await.expect("changed");
        let now = configs::values(peers, &owner, &keys, LIMIT).await.expect("values");
        for (state, value) in now.iter().zip(["7200000", "900000"]) {
            assert_eq!((&state.own, state.effective.as_deref()), (&own(value), Some(value)), "{owner} {}", state.key);
        }
        configs::restore(peers, &owner, &before, LIMIT).await.expect("restored");
        assert_eq!(configs::values(peers, &owner, &keys, LIMIT).await.expect("values"), before, "{owner}");
    }
    let owner = ConfigOwner::Topic("levers".to_owned());
    let refused = configs::alter(peers, &owner, &[ConfigChange::set("retention.ms", "soon")], LIMIT).await;
    let error = refused.expect_err("no number").to_string();
    assert!(error.contains("change settings of topic `levers`") && error.contains("retention.ms"), "{error}");
    let unknown = configs::values(peers, &owner, &["no.such"], LIMIT).await.expect_err("no property").to_string();
    assert!(unknown.contains("no property `no.such`"), "{unknown}");
}

async fn a_transactional_producer_is_fenced(world: &World) {
    let (id, peers) = ("levers-teller", &world.peers);
    assert_eq!(transactions::describe_transaction(peers, id, LIMIT).await.expect("an answer"), None);
    let error = transactions::fence(peers, id, LIMIT).await.expect_err("nobody to fence");
    assert!(error.to_string().contains("nobody uses this transactional id"), "{error}");
    let after_the_error = transactions::describe_transaction(peers, id, LIMIT).await.expect("an answer");
    assert_eq!(after_the_error, None, "looking makes no producer");

    let producer: BaseProducer =
        world.client().set("transactional.id", id).set("transaction.timeout.ms", "45000").create().expect("a producer");
    let producer = Arc::new(producer);
    let send = |text: &'static str| {
        let record = BaseRecord::<(), str>::to("levers").partition(0).payload(text);
        producer.send(record).map_err(|(error, _)| error)
    };
    producer.init_transactions(LIMIT).expect("a coordinator");
    producer.begin_transaction().expect("a transaction");
    send("first").expect("queued");
    producer.flush(LIMIT).expect("acknowledged");
    let seen = transactions::describe_transaction(peers, id, LIMIT).await.expect("an answer").expect("it is used");
    assert_eq!((seen.state.as_str(), seen.timeout_ms), ("Ongoing", 45_000));
    assert_eq!(seen.partitions, [levers()]);
    assert!(seen.began_ms.is_some(), "{seen:?}");

    let fencing = transactions::fence(peers, id, LIMIT).await.expect("fenced");
    assert_eq!(fencing.before.producer, seen.producer);
    assert_ne!(fencing.after, seen.producer);
    if fencing.after.producer_id == seen.producer.producer_id {
        assert!(fencing.after.epoch > seen.producer.epoch, "{fencing:?}");
    }
    let now = transactions::describe_transaction(peers, id, LIMIT).await.expect("an answer").expect("it is used");
    assert_eq!((now.producer, now.timeout_ms, now.partitions.len()), (fencing.after, 45_000, 0));

    let committed = tokio::task::spawn_blocking({
        let producer = Arc::clone(&producer);
        move || producer.commit_transaction(LIMIT)
    });
    let error = committed.await.expect("no panic").expect_err("it is fenced");
    let KafkaError::Transaction(error) = error else { panic!("{error:?}") };
    let codes = [RDKafkaErrorCode::Fenced, RDKafkaErrorCode::ProducerFenced, RDKafkaErrorCode::InvalidProducerEpoch];
    assert!(codes.contains(&error.code()) && error.is_fatal(), "{error:?}");
}

async fn a_fail_over_of_the_controller_is_seen(world: &World) {
    let before = quorum::quorum(&world.peers, LIMIT).await.expect("a quorum");
    let view = world.cluster.view(None).await.expect("a view");
    assert_eq!((Some(before.leader), Some(before.epoch)), (view.controller, view.controller_epoch));
    assert_eq!((before.voters.len(), before.observers.len()), (3, 0));
    assert!(before.voters.iter().all(|voter| voter.log_end.is_some() && voter.last_fetch_ms.is_some()), "{before:?}");

    // Deposed, the old leader lives on, and brokers tell of the new one.
    let controllers = world.controllers();
    let deposed = quorum::depose(&controllers, LIMIT).await.expect("another controller");
    assert_eq!((deposed.before.leader, deposed.before.epoch), (before.leader, before.epoch));
    assert!(deposed.after.epoch > before.epoch && deposed.after.leader != before.leader, "{deposed:?}");
    let began = Instant::now();
    let told = loop {
        let told = world.epoch_beyond(&world.peers, before.epoch).await;
        if told.voter(before.leader).is_some_and(|voter| voter.last_fetch_ms.is_some()) {
            break told;
        }
        assert!(began.elapsed() < LIMIT, "waited {LIMIT:?} for {} to follow; last seen: {told:?}", before.leader);
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(matches!(world.cluster.process_state(before.leader).await, Ok(ProcessState::Running { .. })));

    // Frozen, it answers nobody; the others' own listeners tell who leads.
    let before = told;
    world.cluster.perform(before.leader, &Action::Freeze).await.expect("paused");
    let after = world.epoch_beyond(&controllers.without(Some(before.leader)), before.epoch).await;
    world.cluster.undo(before.leader, &Undo::Thaw).await.expect("it runs on");
    assert_ne!(after.leader, before.leader);
    world.wait("all replicas are in sync", &levers(), |view| view.isr.len() == 3).await;
    world.wait("all replicas are in sync", &pair(), |view| view.isr.len() == 2).await;
}

/// One replica stops in order and leaves the ISR, the last one in sync is killed, and the first comes back: it may lead only
/// where losing what it lacks is accepted.
async fn a_replica_out_of_sync_is_made_leader(world: &World) {
    let (partition, cluster) = (pair(), &world.cluster);
    let before = world.partition(&partition).await;
    let leader = before.leader.expect("a leader");
    let other = *before.replicas.iter().find(|id| **id != leader).expect("a follower");
    cluster.perform(other, &Action::Stop { grace_ms: 60_000 }).await.expect("stopped");
    world.wait("the ISR is the leader alone", &partition, |view| view.isr == [leader]).await;
    cluster.perform(leader, &Action::Signal { signal: Signal::Kill }).await.expect("killed");
    cluster.undo(other, &Undo::Start).await.expect("started");
    world.wait("nobody leads", &partition, |view| view.leader.is_none()).await;
    let refused = leaders::elect(&world.peers, &partition, Election::Preferred, SHORT).await;
    let error = refused.expect_err("the preferred replica may not lead").to_string();
    assert!(error.contains("last seen: broker-"), "{error}");
    let elected = leaders::elect(&world.peers, &partition, Election::Unclean, LIMIT).await;
    assert_eq!(elected.expect("an answer"), Elected::Held);
    world.wait("the other leads", &partition, |view| view.leader == Some(other)).await;
    cluster.undo(leader, &Undo::Start).await.expect("started");
    world.wait("all replicas are in sync", &partition, |view| view.isr.len() == 2).await;
    let old = Placement { partition, replicas: before.replicas, leader: Some(leader) };
    leaders::restore(&world.peers, &old, LIMIT).await.expect("restored");
    assert_eq!(leaders::placement(&world.peers, &old.partition, LIMIT).await.expect("a placement"), old);
}
