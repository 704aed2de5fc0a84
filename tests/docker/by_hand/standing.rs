//! The cluster of `up` and `down`, and what is not theirs.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Command;

use super::brokers::{Brokers, distinct, docker, messages};
use crate::ports::free_base_port;
use crate::program::Place;
use crate::turn;

/// Exit code and stderr of `up`.
fn up(name: &str, base_port: u16) -> (Option<i32>, String) {
    let mut command = Place::new().program();
    command.args(["up", "--name", name, "--base-port", &base_port.to_string()]);
    let output = command.output().expect("the program runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn up_makes_nothing_out_of_what_is_somebody_elses() {
    let _turn = turn::cluster();
    let name = format!("test-stranger-{}", std::process::id());
    let base_port = free_base_port();
    let filter = format!("label=wiber-chaos.standing={name}");

    let volume = format!("{name}-kafka-2-data");
    docker(&["volume", "create", &volume]);
    let (code, errors) = up(&name, base_port);
    docker(&["volume", "rm", &volume]);
    assert_eq!(code, Some(5), "{errors}");
    assert!(errors.contains(&format!("volume {volume} is there already")) && errors.contains("help:"), "{errors}");
    assert_eq!(docker(&["network", "ls", "-q", "--filter", &filter]), Vec::<String>::new(), "nothing was begun");

    // A container of its own that was made and never started does not hold its port.
    let image = Command::new("docker/setup.sh").arg("--image").output().expect("the set-up runs");
    let image = String::from_utf8_lossy(&image.stdout).trim().to_owned();
    let (container, label) = (format!("{name}-kafka-1"), format!("wiber-chaos.standing={name}"));
    let publish = format!("127.0.0.1:{base_port}:9092");
    docker(&["create", "--name", &container, "--label", &label, "--publish", &publish, &image]);
    let somebody = TcpListener::bind(("127.0.0.1", base_port)).expect("a free port");
    let (code, errors) = up(&name, base_port);
    docker(&["rm", "-v", &container]);
    drop(somebody);
    assert_eq!(code, Some(5), "{errors}");
    assert!(errors.contains(&format!("port {base_port}, which {container} needs, is taken")), "{errors}");
}

#[test]
fn down_keeps_the_data_and_neither_it_nor_clean_touches_what_is_not_its_own() {
    let _turn = turn::cluster();
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
