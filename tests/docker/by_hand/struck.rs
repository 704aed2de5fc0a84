//! A harness that is killed in the middle of its faults, on a cluster that stays: what ends by itself, and what `clean` undoes.

use std::time::{Duration, Instant};

use super::brokers::{Brokers, docker};
use crate::program::{start, wait};
use crate::turn;

/// How long a dead harness's side-cars may take to notice, on a busy machine.
const NOTICE: Duration = Duration::from_secs(30);

/// So long takes at least what a slow disk writes here in four seconds, and a disk that is not slow in less.
const SLOW: Duration = Duration::from_secs(2);

/// What the engine says of a container, by a template.
fn inspect(container: &str, template: &str) -> String {
    docker(&["inspect", "--format", template, container]).join("\n")
}

/// Our rules in a container's network, as its kernel has them.
fn rules(container: &str) -> Vec<String> {
    // One that has ended has no network.
    if inspect(container, "{{.State.Status}}") == "exited" {
        return Vec::new();
    }
    let network = format!("container:{container}");
    let said = docker(&[
        "run",
        "--rm",
        "--network",
        &network,
        "--cap-add",
        "NET_ADMIN",
        "--entrypoint",
        "iptables-save",
        "wiber/nemesis:1",
    ]);
    said.into_iter().filter(|line| line.contains("WIBER-")).collect()
}

/// Side-cars and tool containers of a run.
fn beside(label: &str) -> Vec<String> {
    let filter = format!("label=wiber-chaos.run={label}");
    docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"])
}

/// How long a container's disk takes over 4 MiB that somebody waits for.
fn write_time(container: &str) -> Duration {
    let began = Instant::now();
    let script = "cd /var/lib/kafka/data && dd if=/dev/zero of=probe bs=65536 count=64 conv=fsync 2>&1; rm -f probe";
    docker(&["exec", container, "sh", "-c", script]);
    began.elapsed()
}

/// A run on this cluster with a fault of each family in force at once.
fn every_family(cluster: &Brokers) -> String {
    let bootstrap: Vec<String> = cluster.bootstrap.split(',').map(|address| format!("\"{address}\"")).collect();
    let [one, two, three] = &cluster.containers;
    let faults = [
        ("sluggish", "disk-slow = { target = \"broker:3\", bandwidth = \"1MiB/s\" }"),
        ("frozen", "pause = { target = \"broker:1\" }"),
        ("cut", "partition = { target = \"broker:2\", to = \"broker:3\", plane = \"replication\" }"),
        ("late", "degrade = { target = \"broker:3\", to = \"clients\", latency = \"20ms\" }"),
        ("poor", "limit = { target = \"broker:3\", cpu = \"50%\" }"),
        ("locked", "disk-read-only = { target = \"broker:2\", partition = \"chaos-0\" }"),
    ];
    // A broker that cannot write its log ends before long, and nobody could be asked how to cut it off any more.
    let at = |id| if id == "locked" { "60s" } else { "1s" };
    let fault = |(id, kind)| format!("[[fault]]\nid = \"{id}\"\nat = \"{}\"\nfor = \"300s\"\n{kind}\n", at(id));
    let faults = faults.map(fault);
    format!(
        "name = \"struck\"\nseed = 42\n[cluster]\nkind = \"attach\"\nbootstrap = [{}]\n\
         containers = {{ 1 = \"{one}\", 2 = \"{two}\", 3 = \"{three}\" }}\n\
         [[topic]]\nname = \"chaos\"\npartitions = 3\nreplication-factor = 3\n\
         [[producer]]\nname = \"chatters\"\ntopic = \"chaos\"\nrate = \"100/s\"\n\
         [phases]\nwarmup = \"2s\"\nchaos = \"400s\"\nrecovery = \"60s\"\ndrain = \"60s\"\n{}",
        bootstrap.join(", "),
        faults.concat()
    )
}

#[test]
fn what_a_killed_harness_left_of_every_family_is_undone() {
    let _turn = turn::cluster_alone();
    let cluster = Brokers::up();
    let [one, two, three] = &cluster.containers;
    let unlimited = inspect(three, "{{.HostConfig.CpuQuota}} {{.HostConfig.NanoCpus}}");
    let mut command = cluster.place.run();
    command.arg(cluster.place.file("s.toml", &every_family(&cluster)));
    let mut child = start(command);
    let mut wait_for = |fault: &str| {
        let fault = format!("\"fault\":\"{fault}\"");
        cluster.place.wait_for_event("struck", &mut child, &["\"inject\"", "\"ok\"", &fault]);
    };
    ["sluggish", "frozen", "cut", "late", "poor"].into_iter().for_each(&mut wait_for);
    assert!(inspect(one, "{{.State.Status}}").contains("paused"));
    let (rules_of_two, rules_of_three) = (rules(two), rules(three));
    assert!(
        !rules_of_two.is_empty() && !rules_of_three.is_empty(),
        "the network faults are in force: {rules_of_two:?} {rules_of_three:?}; the run says\n{}",
        cluster.place.events("struck")
    );
    assert_ne!(inspect(three, "{{.HostConfig.CpuQuota}} {{.HostConfig.NanoCpus}}"), unlimited);
    assert!(write_time(three) > SLOW, "its disk is slow");
    wait_for("locked");
    let label = cluster.place.ledgers()[0].file_stem().expect("a name").to_string_lossy().into_owned();
    child.kill().expect("the program can be killed");
    wait(&mut child);

    // Before anybody cleans: the side-cars notice, take their rules with them, and end. A tool container that was looking at a
    // disk does nothing to anybody, and waits for the sweep.
    let side_cars = || beside(&label).into_iter().filter(|name| !name.contains("-tool-")).collect::<Vec<_>>();
    let died = Instant::now();
    while !side_cars().is_empty() || !rules(two).is_empty() || !rules(three).is_empty() {
        assert!(died.elapsed() < NOTICE, "still there after {NOTICE:?}: {:?} {:?}", side_cars(), rules(two));
        std::thread::sleep(Duration::from_millis(200));
    }

    let (code, said, errors) = cluster.said(&["clean"]);
    assert_eq!(code, Some(0), "{said}{errors}");
    for container in &cluster.containers {
        assert!(said.contains(&format!("container {container}, struck by")), "{said}");
        assert_eq!(inspect(container, "{{.State.Status}}"), "running", "{container}");
    }
    let now = inspect(three, "{{.HostConfig.CpuQuota}} {{.HostConfig.NanoCpus}}");
    assert!(now == unlimited || now == "-1 0", "limited by {now} instead of {unlimited}");
    let writable = docker(&["exec", two, "sh", "-c", "test -w /var/lib/kafka/data && echo yes"]);
    assert_eq!(writable, ["yes"], "the broker may write again");
    let times = [(); 5].map(|()| write_time(three));
    assert!(times.iter().any(|time| *time < SLOW), "its disk is slow still: {times:?}");
    assert_eq!(beside(&label), Vec::<String>::new());
    cluster.wait_until_whole();
    assert!(cluster.place.ledgers().is_empty());
}
