//! A harness that is killed in the middle of what it did to disks, addresses, settings, placements and clients: what ends with
//! it, and what `clean` undoes. The cluster is a test's own, so that its disks are bounded and may be filled; the harness
//! finds it there.
//!
//! The other families are struck in `by_hand::struck`.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use wiber_chaos::cluster::Cluster;
use wiber_chaos::cluster::admin::configs;
use wiber_chaos::cluster::docker::DockerCluster;
use wiber_chaos::cluster::ledger::Ledger;
use wiber_chaos::kafka::BrokerId;
use wiber_chaos::kafka::levers::{ConfigOwner, OwnValue};
use wiber_chaos::scenario::{ClusterKind, ClusterSpec};

use crate::by_hand::brokers::docker;
use crate::outside::{client_processes, is_client, peers, pid_of};
use crate::program::{Place, start, wait};
use crate::turn;

const LIMIT: Duration = Duration::from_secs(60);

/// How long processes may take to die with their parent.
const DEATH: Duration = Duration::from_secs(10);

/// Where a broker has its data, and what fills its disk.
const DATA: &str = "/var/lib/kafka/data";
const BALLAST: &str = "/var/lib/kafka/data/.wiber-chaos-ballast";

/// Which setting of a broker is changed.
const SETTING: &str = "log.retention.ms";

/// What is in force at once, by its name. One broker gets both what takes it out of the network and what ends its process, so
/// that the two others are a majority; by then a busy machine has done with the rest too. The names put what Kafka has to be asked for before what gives it its third broker back.
const FAULTS: [(&str, u32, &str); 9] = [
    ("altered", 1, "alter-config = { target = \"broker:1\", set = { \"log.retention.ms\" = 7200000 } }"),
    ("moved", 1, "transfer-leader = { partition = \"chaos-0\" }"),
    ("rotated", 1, "reassign = { partition = \"chaos-1\", how = \"rotate\" }"),
    ("stopped", 1, "freeze-client = { target = \"member:chaos-group/0\" }"),
    ("slowed", 1, "slow-consumer = { target = \"member:chaos-group/1\", per-record = \"20ms\" }"),
    ("stirred", 1, "rebalance-storm = { group = \"chaos-group\", every = \"1s\" }"),
    ("killed", 1, "crash-client = { target = \"producer:doomed/0\" }"),
    ("unplugged", 50, "disconnect = { target = \"broker:3\" }"),
    ("zero-room", 54, "disk-full = { target = \"broker:3\" }"),
];

/// Three brokers with disks that may be filled.
fn spec() -> ClusterSpec {
    ClusterSpec {
        kind: ClusterKind::Docker,
        brokers: 3,
        image: None,
        heap_bytes: 384 << 20,
        start_limit: Duration::from_secs(180),
        config: BTreeMap::new(),
        disk_bytes: Some(256 << 20),
        attach: None,
    }
}

/// A run on that cluster.
fn scenario(bootstrap: &[String], label: &str) -> String {
    let named = |id| format!("{id} = \"{label}-kafka-{id}\"");
    let fault = |(id, at_s, kind): (&str, u32, &str)| {
        format!("[[fault]]\nid = \"{id}\"\nat = \"{at_s}s\"\nfor = \"200s\"\n{kind}\n")
    };
    format!(
        "name = \"struck-too\"\nseed = 42\n[cluster]\nkind = \"attach\"\nbootstrap = [{}]\ncontainers = {{ {} }}\n\
         [[topic]]\nname = \"chaos\"\npartitions = 3\nreplication-factor = 3\n\
         [[producer]]\nname = \"chatters\"\ntopic = \"chaos\"\nrate = \"100/s\"\n\
         [[producer]]\nname = \"doomed\"\ntopic = \"chaos\"\nrate = \"100/s\"\n\
         [[consumer-group]]\nname = \"chaos-group\"\ntopics = [\"chaos\"]\nmembers = 2\n\
         [phases]\nwarmup = \"3s\"\nchaos = \"280s\"\nrecovery = \"60s\"\ndrain = \"60s\"\n{}",
        bootstrap.iter().map(|address| format!("\"{address}\"")).collect::<Vec<_>>().join(", "),
        [1, 2, 3].map(named).join(", "),
        FAULTS.map(fault).concat()
    )
}

#[test]
fn what_a_killed_harness_left_of_clients_disks_addresses_and_placements_is_undone() {
    let _turn = turn::cluster();
    let state = tempfile::tempdir().expect("a directory");
    let label = format!("struck-{}", std::process::id());
    let ledger = Arc::new(Ledger::begin(state.path(), &label, state.path()).expect("a ledger"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let started = runtime.block_on(DockerCluster::start(&spec(), &label, &[], Arc::clone(&ledger)));
    let cluster = started.expect("three brokers");
    let bootstrap: Vec<String> = cluster.access().bootstrap.iter().map(ToString::to_string).collect();
    // The brokers go whatever the assertions say.
    let played = catch_unwind(AssertUnwindSafe(|| play(&Place::new(), &bootstrap, &label)));
    runtime.block_on(cluster.remove()).expect("nothing is left");
    ledger.close().expect("a ledger that is done with");
    if let Err(panic) = played {
        resume_unwind(panic);
    }
}

fn play(place: &Place, bootstrap: &[String], label: &str) {
    let three = format!("{label}-kafka-3");
    let at_home = addresses(&three);
    let mut command = place.run();
    command.arg(place.file("s.toml", &scenario(bootstrap, label)));
    let mut child = start(command);
    for (fault, _, _) in FAULTS {
        place.wait_for_event("struck-too", &mut child, &["\"inject\"", "\"ok\"", &format!("\"fault\":\"{fault}\"")]);
    }
    let run = place.ledgers()[0].file_stem().expect("a name").to_string_lossy().into_owned();
    assert!(matches!(setting(label), OwnValue::Set(_)), "the setting is changed");
    assert_eq!(addresses(&three), "", "it is in no network");
    assert_eq!(free_blocks(label), "0", "its disk is full");
    assert!(has_ballast(label));
    assert_clients_die_with(place, &mut child);

    let output = place.program().arg("clean").output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for told in [
        "settings of broker-1, changed by `altered`",
        "partition chaos-0, changed by `moved`",
        "partition chaos-1, changed by `rotated`",
        "struck by `unplugged`",
        "struck by `zero-room`",
        "topic chaos",
        "group chaos-group",
    ] {
        assert!(said.contains(told), "{told} in {said}");
    }
    assert!(place.ledgers().is_empty());
    assert_eq!(setting(label), OwnValue::Unset);
    assert_eq!(addresses(&three), at_home);
    assert!(!has_ballast(label) && free_blocks(label) != "0", "there is room on its disk");
    for id in 1..=3 {
        let status = docker(&["inspect", "--format", "{{.State.Status}}", &format!("{label}-kafka-{id}")]);
        assert_eq!(status, ["running"], "broker {id}");
    }
    assert_placed_as_before(label);
    let filter = format!("label=wiber-chaos.run={run}");
    assert_eq!(docker(&["ps", "-aq", "--filter", &filter]), Vec::<String>::new(), "side-cars and tools are left");
    let output = place.program().args(["status", "--wait", "120s", "--bootstrap", &bootstrap.join(",")]).output();
    assert!(output.as_ref().is_ok_and(|output| output.status.success()), "{output:?}");
}

/// Kills the harness. Its clients' processes die of it, the stopped one too.
fn assert_clients_die_with(place: &Place, child: &mut Child) {
    let clients = client_processes(child);
    let stopped = pid_of(&place.latest("struck-too"), "chaos-group/0");
    assert!(clients.contains(&stopped), "{stopped} is stopped, and one of {clients:?}");
    child.kill().expect("the program can be killed");
    wait(child);
    let killed = Instant::now();
    while clients.iter().any(|pid| is_client(*pid)) {
        assert!(killed.elapsed() < DEATH, "waited {DEATH:?} for the clients {clients:?} to die with their harness");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Where a container is.
fn addresses(container: &str) -> String {
    let template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    docker(&["inspect", "--format", template, container]).concat()
}

/// What broker 1 has as its own.
fn setting(label: &str) -> OwnValue {
    let peers = peers(label, &[1]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let owner = ConfigOwner::Broker(BrokerId(1));
    let values = runtime.block_on(configs::values(&peers, &owner, &[SETTING], LIMIT)).expect("values");
    values[0].own.clone()
}

/// Says something of broker 3's disk, whether the broker runs or not: its keeper has it too.
fn on_disk(label: &str, script: &str) -> Vec<String> {
    let volumes = format!("{label}-kafka-3");
    docker(&["run", "--rm", "--volumes-from", &volumes, "--entrypoint", "sh", "wiber/nemesis:1", "-c", script])
}

fn free_blocks(label: &str) -> String {
    on_disk(label, &format!("stat -f -c %f {DATA}")).concat()
}

fn has_ballast(label: &str) -> bool {
    on_disk(label, &format!("test -e {BALLAST} && echo yes || echo no")) == ["yes"]
}

/// The controllers' own log tells how the topic that is gone was placed first, and how last.
fn assert_placed_as_before(label: &str) {
    let log = format!("{DATA}/__cluster_metadata-0/00000000000000000000.log");
    let dump = ["/opt/kafka/bin/kafka-dump-log.sh", "--cluster-metadata-decoder", "--files", &log];
    let lines = docker(&[&["exec", &format!("{label}-kafka-1")][..], &dump].concat());
    let payloads = lines.iter().filter_map(|line| line.split_once("payload: ")).map(|(_, payload)| payload);
    let records: Vec<Value> = payloads.filter_map(|payload| serde_json::from_str(payload).ok()).collect();
    let topic = of(&records, "TOPIC_RECORD").find(|topic| topic["name"] == "chaos").expect("the topic was made");
    let id = &topic["topicId"];
    assert!(of(&records, "REMOVE_TOPIC_RECORD").any(|topic| topic["topicId"] == *id), "the topic was deleted");
    for partition in [0, 1] {
        let is_its = |data: &&Value| data["topicId"] == *id && data["partitionId"] == partition;
        let first = of(&records, "PARTITION_RECORD").find(is_its).expect("the partition was made");
        let changes: Vec<&Value> = of(&records, "PARTITION_CHANGE_RECORD").filter(is_its).collect();
        let (replicas, leaders) = (told(&changes, "replicas"), told(&changes, "leader"));
        assert!(replicas.iter().any(|replicas| **replicas != first["replicas"]), "chaos-{partition}: {changes:?}");
        assert_eq!(replicas.last(), Some(&&first["replicas"]), "chaos-{partition}: {changes:?}");
        let last = leaders.last().copied().unwrap_or(&first["leader"]);
        assert_eq!(*last, first["leader"], "chaos-{partition}: {changes:?}");
    }
}

/// The data of every record of a kind.
fn of<'a>(records: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    records.iter().filter(move |record| record["type"] == kind).map(|record| &record["data"])
}

/// What changes say of one thing. Of what a change leaves as it was it says nothing, or -2.
fn told<'a>(changes: &[&'a Value], key: &str) -> Vec<&'a Value> {
    changes.iter().map(|change| &change[key]).filter(|value| !value.is_null() && **value != -2).collect()
}
