//! Wiber by hand, on real brokers and with real processes: the drill that people did, chat in groups, and what goes wrong.

#[path = "support/by_hand.rs"]
mod by_hand;
#[path = "support/program.rs"]
mod program;

use std::collections::BTreeSet;

use by_hand::{Brokers, distinct, docker, messages, turn};
use program::{start, wait};
use serde_json::Value;

/// Start, chat in two groups, stop a broker from outside, go on, start it, restart all: nothing is lost, all goes on.
fn drill(cluster: &Brokers) {
    let mut all = messages("before", 60);
    let mut readers = ["chat-consumers", "audit"].map(|group| cluster.reader(group, group, &["--from-beginning"]));
    send_all(cluster, &all);
    for reader in &readers {
        reader.wait_for("what was sent before the fault", |reader| distinct(&reader.values()).len() == 60);
    }

    docker(&["stop", "-t", "30", &cluster.containers[1]]);
    let during = messages("during", 60);
    send_all(cluster, &during);
    all.extend(during);
    cluster.wait_for("two brokers in every ISR", |cluster| isr_sizes(cluster) == [2, 2, 2]);
    let status = cluster.status();
    assert_eq!(status["missing"], "not registered: broker-2", "{status}");

    docker(&["start", &cluster.containers[1]]);
    cluster.wait_until_whole();
    assert_eq!(isr_sizes(cluster), [3, 3, 3]);
    let after = messages("after", 60);
    send_all(cluster, &after);
    all.extend(after);

    let sent: BTreeSet<String> = distinct(&all);
    for reader in &mut readers {
        reader.wait_for("everything that was sent", |reader| distinct(&reader.values()) == sent);
        assert_eq!(reader.interrupt(), Some(130));
    }

    let groups = ["chat-consumers", "audit"];
    let before = groups.map(|group| cluster.committed(group));
    assert_eq!(before[0].iter().map(|(_, offset)| offset).sum::<i64>(), 180, "{before:?}");
    let names: Vec<&str> = cluster.containers.iter().map(String::as_str).collect();
    docker(&[&["restart", "-t", "10"], &names[..]].concat());
    cluster.wait_until_whole();
    assert_eq!(groups.map(|group| cluster.committed(group)), before, "offsets outlive the brokers");

    // Nothing comes again, and what is new goes on behind what was there.
    let (code, again, errors) = cluster.ask(&["consume", "chat", "--group", "chat-consumers", "--timeout", "8s"]);
    assert_eq!((code, again.as_str()), (Some(0), ""), "{errors}");
    let (code, receipts, errors) = cluster.send(&["the last one".to_owned()], &[]);
    assert_eq!(code, Some(0), "{errors}");
    let (partition, offset) = receipts[0].split_once(" @ ").expect("a receipt");
    let end = before[0].iter().find(|(name, _)| name == partition).expect("a partition of chat").1;
    assert_eq!(offset, end.to_string(), "offsets go on where they were");
    let read = ["consume", "chat", "--group", "chat-consumers", "--format", "raw", "--max", "1", "--timeout", "60s"];
    assert_eq!(cluster.ask(&read).1, "the last one\n");

    // Whoever comes new reads everything, from the first record on.
    let read = ["consume", "chat", "--group", "newcomers", "--from-beginning", "--format", "raw", "--max", "181"];
    let (code, everything, errors) = cluster.ask(&[&read[..], &["--timeout", "60s"]].concat());
    assert_eq!(code, Some(0), "{errors}");
    let everything: BTreeSet<String> = everything.lines().map(str::to_owned).collect();
    all.push("the last one".to_owned());
    assert_eq!(everything, distinct(&all));
}

fn send_all(cluster: &Brokers, lines: &[String]) {
    let (code, receipts, errors) = cluster.send(lines, &["--timeout", "60s"]);
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(receipts.len(), lines.len(), "a receipt for each message: {receipts:?}");
}

/// The sizes of the ISR of `chat`, partition by partition.
fn isr_sizes(cluster: &Brokers) -> Vec<usize> {
    let status = cluster.status();
    let partitions = status["view"]["partitions"].as_array().expect("partitions").iter();
    let chat = partitions.filter(|it| it["partition"].as_str().is_some_and(|name| name.starts_with("chat-")));
    chat.map(|partition| partition["isr"].as_array().expect("an ISR").len()).collect()
}

#[test]
fn the_drill_loses_nothing_on_the_cluster_of_up() {
    let _turn = turn();
    drill(&Brokers::up());
}

#[test]
fn the_drill_loses_nothing_on_the_cluster_of_the_compose_file() {
    let _turn = turn();
    drill(&Brokers::compose());
}

#[test]
fn members_of_a_group_share_another_group_sees_all_and_a_leaver_hands_over() {
    let _turn = turn();
    let cluster = Brokers::up();
    let mut first = cluster.reader("first", "chat-consumers", &["--from-beginning"]);
    let second = cluster.reader("second", "chat-consumers", &["--from-beginning"]);
    let other = cluster.reader("other", "audit", &["--from-beginning"]);
    let all: BTreeSet<String> = ["chat-0", "chat-1", "chat-2"].map(str::to_owned).into();
    cluster.wait_for("the two to share the partitions", |_| {
        let (one, two) = (first.owns(), second.owns());
        !one.is_empty() && !two.is_empty() && one.is_disjoint(&two) && one.union(&two).count() == 3
    });
    other.wait_for("the other group to own everything", |other| other.owns() == all);

    let shared = messages("shared", 90);
    send_all(&cluster, &shared);
    other.wait_for("everything", |other| other.values().len() == 90);
    cluster.wait_for("everything between the two", |_| first.values().len() + second.values().len() == 90);
    assert!(first.partitions().is_disjoint(&second.partitions()), "each partition has one owner");
    assert!(!first.values().is_empty() && !second.values().is_empty(), "both read");

    assert_eq!(first.interrupt(), Some(130));
    second.wait_for("all partitions", |second| second.owns() == all);
    let alone = messages("alone", 90);
    send_all(&cluster, &alone);
    let sent = distinct(&[shared, alone].concat());
    other.wait_for("everything", |other| other.values().len() == 180);
    cluster.wait_for("everything between the two", |_| first.values().len() + second.values().len() >= 180);

    // In the clean case nothing is printed twice, and nothing is missing.
    let together = [first.values(), second.values()].concat();
    assert_eq!((together.len(), distinct(&together)), (180, sent.clone()));
    let everything = other.values();
    assert_eq!((everything.len(), distinct(&everything)), (180, sent));
    assert!(first.notes().contains("revoked: "), "rebalances are told: {}", first.notes());
}

#[test]
fn a_message_that_no_broker_takes_is_named_and_the_exit_code_says_so() {
    let _turn = turn();
    let cluster = Brokers::up();
    let names: Vec<&str> = cluster.containers.iter().map(String::as_str).collect();
    docker(&[&["kill"], &names[..]].concat());
    let (code, receipts, errors) = cluster.send(&messages("lonely", 3), &["--timeout", "5s"]);
    assert_eq!((code, receipts), (Some(1), Vec::new()), "{errors}");
    for number in 1..=3 {
        assert!(errors.contains(&format!("not delivered: message {number}, \"lonely {number}\"")), "{errors}");
    }
    assert!(errors.contains("error: 3 of 3 messages were not delivered"), "{errors}");
    let (code, _, errors) = cluster.ask(&["consume", "chat", "--group", "g"]);
    assert_eq!(code, Some(5), "{errors}");
    assert!(errors.contains("no broker listens"), "{errors}");

    // A second `up` starts what is stopped, with what it had, and leaves alone what runs.
    let ids: Vec<String> = docker(&[&["inspect", "--format", "{{.Id}}"], &names[..]].concat());
    let name = names[0].strip_suffix("-kafka-1").expect("a name");
    for word in ["started", "ran already"] {
        let (code, said, errors) = cluster.said(&["up", "--name", name]);
        assert_eq!(code, Some(0), "{errors}");
        assert_eq!(said.matches(word).count(), 3, "{said}");
    }
    assert_eq!(docker(&[&["inspect", "--format", "{{.Id}}"], &names[..]].concat()), ids);
    let (code, receipts, errors) = cluster.send(&messages("again", 1), &["--timeout", "60s"]);
    assert_eq!((code, receipts.len()), (Some(0), 1), "{errors}");

    assert_slips_are_told_in_a_sentence(&cluster);
}

fn assert_slips_are_told_in_a_sentence(cluster: &Brokers) {
    let slips: [(&[&str], i32, &str); 6] = [
        (&["consume", "chatt", "--group", "g"], 2, "there is no topic `chatt`\n  help: did you mean `chat`?"),
        (&["produce", "chatt", "hello"], 2, "there is no topic `chatt`"),
        (&["produce", "chat", "hello", "--partition", "7"], 2, "topic `chat` has no partition 7"),
        (&["consume", "chat", "-X", "security.protocol=ssl"], 5, "speaks plain text, and this client TLS"),
        (&["topics", "create", "big", "--replication-factor", "5"], 2, "topic `big` could not be made"),
        (&["topics", "create", "chat"], 2, "topic `chat` is there already"),
    ];
    for (args, code, told) in slips {
        let (ended, _, errors) = cluster.ask(args);
        assert_eq!(ended, Some(code), "{args:?}: {errors}");
        assert!(errors.contains(told), "{args:?}: {errors}");
    }
    let (code, _, errors) = cluster.said(&["consume", "chat", "--bootstrap", "localhost:1"]);
    assert_eq!(code, Some(5), "{errors}");
    assert!(errors.contains("no broker listens at localhost:1"), "{errors}");
}

#[test]
fn down_keeps_the_data_and_neither_it_nor_clean_touches_what_is_not_its_own() {
    let _turn = turn();
    let cluster = Brokers::up();
    let name = cluster.containers[0].strip_suffix("-kafka-1").expect("a name").to_owned();
    send_all(&cluster, &messages("kept", 10));
    let run = format!("{name}-run");
    docker(&["network", "create", "--label", &format!("wiber-chaos.run={run}"), &run]);

    let (code, said, errors) = cluster.said(&["clean"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(!said.contains(&cluster.containers[0]), "{said}");
    assert!(cluster.container_ids().iter().all(|line| line.ends_with(" running")));

    let (code, said, errors) = cluster.said(&["down", "--name", &name]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(said.contains("the data are kept") && !said.contains(&run), "{said}");
    let filter = format!("label=wiber-chaos.standing={name}");
    assert_eq!(docker(&["ps", "-aq", "--filter", &filter]), Vec::<String>::new());
    assert_eq!(docker(&["volume", "ls", "-q", "--filter", &filter]).len(), 3);
    docker(&["network", "rm", &run]);

    let base_port = cluster.bootstrap.split([':', ',']).nth(1).expect("a port").to_owned();
    let (code, _, errors) = cluster.said(&["up", "--name", &name, "--base-port", &base_port]);
    assert_eq!(code, Some(0), "{errors}");
    let read = ["consume", "chat", "--from-beginning", "--format", "raw", "--max", "10", "--timeout", "60s"];
    let (code, said, errors) = cluster.ask(&read);
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(said.lines().map(str::to_owned).collect::<BTreeSet<_>>(), distinct(&messages("kept", 10)));
}

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
    let _turn = turn();
    let cluster = Brokers::compose();
    send_all(&cluster, &messages("people's own", 10));
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
    let _turn = turn();
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
