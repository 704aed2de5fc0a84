//! The cluster of `up` and `down`, and what is not theirs.

use std::collections::BTreeSet;

use crate::brokers::{Brokers, distinct, docker, messages, turn};

#[test]
fn down_keeps_the_data_and_neither_it_nor_clean_touches_what_is_not_its_own() {
    let _turn = turn();
    let cluster = Brokers::up();
    let name = cluster.containers[0].strip_suffix("-kafka-1").expect("a name").to_owned();
    cluster.send_all(&messages("kept", 10));
    let run = format!("{name}-run");
    docker(&["network", "create", "--label", &format!("wiber-chaos.run={run}"), &run]);

    for clean in [&["clean"][..], &["clean", "--all", "--dry-run"]] {
        let (code, said, errors) = cluster.said(clean);
        assert_eq!(code, Some(0), "{errors}");
        assert!(!said.contains(&cluster.containers[0]), "{said}");
    }
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
