//! Runs on a cluster that is there already, which they leave as it was.

use serde_json::Value;

use super::brokers::{Brokers, messages};
use crate::program::{self, start, wait};
use crate::turn;

/// What a run could have changed: the containers, the topics and the groups.
fn footprint(cluster: &Brokers) -> (Vec<String>, Vec<String>, Vec<String>) {
    let status = cluster.status();
    let names = |list: &Value, key: &str| -> Vec<String> {
        let items = list.as_array().expect("a list").iter();
        items.map(|item| item[key].as_str().expect("a name").to_owned()).collect()
    };
    let partitions = names(&status["view"]["partitions"], "partition");
    let own = partitions.into_iter().filter(|name| !name.starts_with("__")).collect();
    (cluster.container_ids(), own, names(&status["groups"], "group"))
}

#[test]
fn an_attached_run_leaves_the_compose_cluster_as_it_was() {
    let _turn = turn::cluster_of_compose();
    let cluster = Brokers::compose();
    cluster.send_all(&messages("people's own", 10));
    let before = footprint(&cluster);
    let mut command = cluster.place.run();
    command.arg("scenarios/attach-compose.toml");
    let code = wait(&mut start(command)).code();
    let directory = cluster.place.latest("attach-compose");
    let verdict = std::fs::read_to_string(directory.join("verdict.json")).expect("the run was judged");
    let verdict: Value = serde_json::from_str(&verdict).expect("JSON");
    assert_eq!((code, verdict["verdict"].as_str()), (Some(0), Some("valid")), "{verdict}");
    assert_eq!(verdict["faults"][0]["proven"], true, "{verdict}");
    assert!(verdict["counts"]["acked"].as_u64() > Some(50_000), "{verdict}");
    assert_eq!(program::names(&directory.join("logs")), ["broker-1.log", "broker-2.log", "broker-3.log"]);
    cluster.wait_until_whole();
    assert_eq!(footprint(&cluster), before);
    assert!(cluster.place.ledgers().is_empty());

    // A topic that is somebody's is nothing for a run.
    let (code, _, errors) = cluster.ask(&["topics", "create", "chaos-chat"]);
    assert_eq!(code, Some(0), "{errors}");
    let output = cluster.place.run().arg("scenarios/attach-compose.toml").output().expect("the program runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{errors}");
    assert!(errors.contains("topic `chaos-chat` is there already"), "{errors}");
    assert!(cluster.ask(&["topics", "list"]).1.contains("chaos-chat"), "it is left alone");
}

#[test]
fn what_a_killed_harness_left_on_an_attached_cluster_is_undone() {
    let _turn = turn::cluster();
    let cluster = Brokers::up();
    let before = footprint(&cluster);
    let scenario = attached(&cluster, "pause = { target = \"broker:2\" }");
    let mut command = cluster.place.run();
    command.arg(cluster.place.file("s.toml", &scenario));
    let mut child = start(command);
    cluster.place.wait_for_event("attached", &mut child, &["\"inject\"", "\"ok\""]);
    child.kill().expect("the program can be killed");
    wait(&mut child);
    let frozen = |cluster: &Brokers| cluster.container_ids().iter().filter(|line| line.ends_with(" paused")).count();
    assert_eq!(frozen(&cluster), 1, "the fault is in force");

    let (code, said, errors) = cluster.said(&["clean", "--dry-run"]);
    assert_eq!(code, Some(0), "{errors}");
    let container = format!("container {}, struck by `fault`", cluster.containers[1]);
    assert!(said.contains(&container) && said.contains("topic chaos") && said.contains("group chaos-group"), "{said}");
    assert_eq!(frozen(&cluster), 1, "a dry run undoes nothing");

    let (code, said, errors) = cluster.said(&["clean"]);
    assert_eq!(code, Some(0), "{said}{errors}");
    cluster.wait_until_whole();
    assert_eq!(footprint(&cluster), before);
    assert!(cluster.place.ledgers().is_empty());
}

#[test]
fn a_sweep_needs_no_engine_for_topics_and_leaves_alone_what_has_a_dead_runs_names_since() {
    let _turn = turn::cluster();
    let cluster = Brokers::up();
    kill_in_warm_up(&cluster, "first");
    assert!(cluster.ask(&["topics", "list"]).1.contains("chaos"));
    let mut command = cluster.place.program();
    let output = command.arg("clean").env("DOCKER_HOST", "tcp://127.0.0.1:1").output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(5), "an engine that does not answer is told: {output:?}");
    assert!(said.contains("topic chaos") && said.contains("group chaos-group"), "{said}");
    assert!(!cluster.ask(&["topics", "list"]).1.contains("chaos"), "it is undone all the same");
    assert!(cluster.place.ledgers().is_empty());

    kill_in_warm_up(&cluster, "second");
    for what in [&["topics", "delete", "chaos"], &["topics", "create", "chaos"]] {
        let (code, _, errors) = cluster.ask(what);
        assert_eq!(code, Some(0), "{errors}");
    }
    let (code, _, errors) = cluster.said(&["clean"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(cluster.ask(&["topics", "list"]).1.contains("chaos"), "it is somebody else's now");
    assert!(cluster.place.ledgers().is_empty());
}

fn kill_in_warm_up(cluster: &Brokers, name: &str) {
    let mut command = cluster.place.run();
    command.arg(cluster.place.file("s.toml", &bare(cluster, name)));
    let mut child = start(command);
    cluster.place.wait_for_event(name, &mut child, &["\"assigned\""]);
    child.kill().expect("the program can be killed");
    wait(&mut child);
}

/// A run on this cluster that can strike nobody.
fn bare(cluster: &Brokers, name: &str) -> String {
    let bootstrap: Vec<String> = cluster.bootstrap.split(',').map(|address| format!("\"{address}\"")).collect();
    format!(
        "name = \"{name}\"\nseed = 42\n[cluster]\nkind = \"attach\"\nbootstrap = [{}]\n\
         [[topic]]\nname = \"chaos\"\npartitions = 3\nreplication-factor = 3\n\
         [[producer]]\nname = \"chatters\"\ntopic = \"chaos\"\nrate = \"300/s\"\n\
         [[consumer-group]]\nname = \"chaos-group\"\ntopics = [\"chaos\"]\n\
         [phases]\nwarmup = \"60s\"\nchaos = \"60s\"\nrecovery = \"60s\"\ndrain = \"60s\"\n",
        bootstrap.join(", ")
    )
}

/// A run on this cluster with one long fault.
fn attached(cluster: &Brokers, fault: &str) -> String {
    let bootstrap: Vec<String> = cluster.bootstrap.split(',').map(|address| format!("\"{address}\"")).collect();
    let [one, two, three] = &cluster.containers;
    format!(
        "name = \"attached\"\nseed = 42\n[cluster]\nkind = \"attach\"\nbootstrap = [{}]\n\
         containers = {{ 1 = \"{one}\", 2 = \"{two}\", 3 = \"{three}\" }}\n\
         [[topic]]\nname = \"chaos\"\npartitions = 3\nreplication-factor = 3\n\
         [[producer]]\nname = \"chatters\"\ntopic = \"chaos\"\nrate = \"300/s\"\n\
         [[consumer-group]]\nname = \"chaos-group\"\ntopics = [\"chaos\"]\n\
         [phases]\nwarmup = \"2s\"\nchaos = \"60s\"\nrecovery = \"60s\"\ndrain = \"60s\"\n\
         [[fault]]\nid = \"fault\"\nat = \"2s\"\nfor = \"50s\"\n{fault}\n",
        bootstrap.join(", ")
    )
}
