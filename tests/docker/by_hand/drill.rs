//! The drill that people did by hand, done by machine, on both kinds of standing cluster.

use std::collections::BTreeSet;

use super::brokers::{Brokers, distinct, docker, messages};
use crate::turn;

/// Start, chat in two groups, stop a broker from outside, go on, start it, restart all: nothing is lost, all goes on.
fn drill(cluster: &Brokers) {
    let mut all = messages("before", 60);
    let mut readers = ["chat-consumers", "audit"].map(|group| cluster.reader(group, group, &["--from-beginning"]));
    cluster.send_all(&all);
    for reader in &readers {
        reader.wait_for("what was sent before the fault", |reader| distinct(&reader.values()).len() == 60);
    }

    docker(&["stop", "-t", "30", &cluster.containers[1]]);
    let during = messages("during", 60);
    cluster.send_all(&during);
    all.extend(during);
    cluster.wait_for("two brokers in every ISR", |cluster| isr_sizes(cluster) == [2, 2, 2]);
    let status = cluster.status();
    assert_eq!(status["missing"], "not registered: broker-2", "{status}");

    docker(&["start", &cluster.containers[1]]);
    cluster.wait_until_whole();
    assert_eq!(isr_sizes(cluster), [3, 3, 3]);
    let after = messages("after", 60);
    cluster.send_all(&after);
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
    assert!(errors.contains("assigned: chat-0, chat-1, chat-2"), "it had something to read: {errors}");
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

/// The sizes of the ISR of `chat`, partition by partition.
fn isr_sizes(cluster: &Brokers) -> Vec<usize> {
    let status = cluster.status();
    let partitions = status["view"]["partitions"].as_array().expect("partitions").iter();
    let chat = partitions.filter(|it| it["partition"].as_str().is_some_and(|name| name.starts_with("chat-")));
    chat.map(|partition| partition["isr"].as_array().expect("an ISR").len()).collect()
}

#[test]
fn the_drill_loses_nothing_on_the_cluster_of_up() {
    let _turn = turn::cluster();
    drill(&Brokers::up());
}

#[test]
fn the_drill_loses_nothing_on_the_cluster_of_the_compose_file() {
    let _turn = turn::cluster_of_compose();
    drill(&Brokers::compose());
}
