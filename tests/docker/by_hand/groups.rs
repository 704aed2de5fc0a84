//! Groups: members share, groups do not, and a member that leaves hands its partitions over.

use std::collections::BTreeSet;

use super::brokers::{Brokers, distinct, messages};
use crate::turn;

#[test]
fn members_of_a_group_share_another_group_sees_all_and_a_leaver_hands_over() {
    let _turn = turn::cluster();
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

    let shared = send_to_each_partition(&cluster, "shared");
    other.wait_for("everything", |other| other.values().len() == 90);
    cluster.wait_for("everything between the two", |_| first.values().len() + second.values().len() == 90);
    assert!(first.partitions().is_disjoint(&second.partitions()), "each partition has one owner");
    assert!(!first.values().is_empty() && !second.values().is_empty(), "both read");

    assert_eq!(first.interrupt(), Some(130));
    second.wait_for("all partitions", |second| second.owns() == all);
    let alone = send_to_each_partition(&cluster, "alone");
    let sent = distinct(&[shared, alone].concat());
    other.wait_for("everything", |other| other.values().len() == 180);
    cluster.wait_for("everything between the two", |_| first.values().len() + second.values().len() >= 180);

    // In the clean case nothing is printed twice, and nothing is missing.
    let together = [first.values(), second.values()].concat();
    assert_eq!((together.len(), distinct(&together)), (180, sent.clone()));
    let everything = other.values();
    assert_eq!((everything.len(), distinct(&everything)), (180, sent));
    let notes = second.notes();
    assert!(notes.contains("revoked: ") && notes.matches("assigned: ").count() >= 2, "rebalances are told: {notes}");
}

/// 30 messages to each partition: left to itself, a burst without keys goes to one (KIP-480).
fn send_to_each_partition(cluster: &Brokers, label: &str) -> Vec<String> {
    let mut all = Vec::new();
    for partition in ["0", "1", "2"] {
        let lines = messages(&format!("{label} {partition}"), 30);
        let (code, receipts, errors) = cluster.send(&lines, &["--timeout", "60s", "--partition", partition]);
        assert_eq!((code, receipts.len()), (Some(0), 30), "{errors}");
        assert!(receipts.iter().all(|line| line.starts_with(&format!("chat-{partition} @ "))), "{receipts:?}");
        all.extend(lines);
    }
    all
}
