//! What goes wrong, and what is said then.

use std::fs::{self, File};
use std::io::Write;
use std::process::{Command, Stdio};

use super::brokers::{Brokers, docker, messages};
use crate::program::wait;
use crate::turn;

#[test]
fn a_message_that_no_broker_takes_is_named_and_the_exit_code_says_so() {
    let _turn = turn::cluster();
    let cluster = Brokers::up();
    let names: Vec<&str> = cluster.containers.iter().map(String::as_str).collect();
    docker(&[&["kill"], &names[..]].concat());
    let (code, receipts, errors) = cluster.send(&messages("lonely", 3), &["--timeout", "5s"]);
    assert_eq!((code, receipts), (Some(1), Vec::new()), "{errors}");
    for number in 1..=3 {
        assert!(errors.contains(&format!("not delivered: message {number}, \"lonely {number}\"")), "{errors}");
    }
    assert!(errors.contains("error: of 3 messages 3 not delivered"), "{errors}");
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
    // What a container was made with stays with it, which is said to whoever wants something else.
    let (code, _, errors) = cluster.said(&["up", "--name", name, "--heap", "1GiB"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(errors.contains("keep their image and heap") && !errors.contains("starting the brokers"), "{errors}");
    assert_eq!(docker(&[&["inspect", "--format", "{{.Id}}"], &names[..]].concat()), ids);
    let (code, receipts, errors) = cluster.send(&messages("again", 1), &["--timeout", "60s"]);
    assert_eq!((code, receipts.len()), (Some(0), 1), "{errors}");

    a_sender_that_is_interrupted_gives_every_receipt(&cluster);
    assert_slips_are_told_in_a_sentence(&cluster);
}

fn a_sender_that_is_interrupted_gives_every_receipt(cluster: &Brokers) {
    let receipts = cluster.place.path("receipts");
    let mut command = cluster.place.program();
    command.args(["produce", "chat", "--bootstrap", &cluster.bootstrap]).stdin(Stdio::piped());
    command.stdout(File::create(&receipts).expect("a file")).stderr(Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    for line in messages("typed", 3) {
        writeln!(stdin, "{line}").expect("the program reads");
    }
    cluster.wait_for("three receipts, while more may be typed", |_| {
        fs::read_to_string(&receipts).expect("a file").lines().count() == 3
    });
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
    assert_eq!(wait(&mut child).code(), Some(130));
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
