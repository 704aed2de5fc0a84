//! The doctor where there is no container engine: it names what is missing, and looks at everything else all the same.

#[path = "support/doctor.rs"]
mod asked;
#[path = "support/ports.rs"]
mod ports;
#[path = "support/program.rs"]
#[expect(dead_code, reason = "the doctor runs no scenario, and has nothing to wait for")]
mod program;

use std::process::Command;

use asked::{doctor, findings, look};
use assert_cmd::Command as Assert;
use ports::free_base_port;
use predicates::prelude::*;
use predicates::str::contains;
use program::Place;
use rdkafka::mocking::MockCluster;
use serde_json::Value;

/// The doctor where no engine answers.
fn without_engine(place: &Place) -> Command {
    let mut command = doctor(place, free_base_port());
    command.env("DOCKER_HOST", "tcp://127.0.0.1:1");
    command
}

#[test]
fn without_an_engine_it_names_it_and_still_looks_at_everything_else() {
    let place = Place::new();
    let json = look(without_engine(&place), 5);
    assert_eq!((&json["problems"], &json["warnings"]), (&1.into(), &0.into()), "{json:#}");
    let [level, _, help] = &findings(&json, "engine")[0];
    assert!(level == "problem" && help.contains("docker/setup.sh"), "{level}: {help}");
    for name in ["kafka-image", "side-car-image", "standing", "leftovers"] {
        let [level, found, _] = &findings(&json, name)[0];
        assert_eq!((level.as_str(), found.as_str()), ("note", "not looked at: no engine"), "{name}");
    }
    for name in ["memory", "disk", "reports", "state", "ports"] {
        assert_eq!(findings(&json, name)[0][0], "ok", "{name}");
    }
    for check in json["checks"].as_array().expect("checks") {
        assert_eq!(check["help"].is_null(), check["level"] == "ok", "{check}");
    }
    assert!(!place.path("state").exists() && !place.path("reports").exists(), "nothing is made by looking");
}

#[test]
fn for_people_it_marks_each_line_and_ends_with_a_sentence() {
    let place = Place::new();
    let shown = Assert::from_std(without_engine(&place)).assert().code(5).stderr("");
    shown
        .stdout(contains("✗ engine").and(contains("· kafka-image")).and(predicates::str::ends_with("\n\n1 problem\n")));
}

#[test]
fn a_topic_that_is_not_there_comes_with_the_one_that_was_meant() {
    let mock = MockCluster::new(3).expect("a mock cluster");
    mock.create_topic("chat", 3, 3).expect("a topic");
    let place = Place::new();
    let mut command = without_engine(&place);
    command.args(["--bootstrap", &mock.bootstrap_servers(), "--topic", "chatt", "--topic", "chat"]);
    let topics = findings(&look(command, 5), "topics");
    assert_eq!(topics.len(), 2, "{topics:?}");
    assert!(topics[0][0] == "problem" && topics[0][2].contains("did you mean `chat`?"), "{topics:?}");
    assert_eq!(topics[1][0], "ok", "{topics:?}");
}

#[test]
fn a_cluster_that_was_named_and_does_not_answer_is_a_problem() {
    let place = Place::new();
    let mut command = without_engine(&place);
    command.args(["--bootstrap", "127.0.0.1:1", "--topic", "chat"]);
    let json: Value = look(command, 5);
    let [level, found, _] = &findings(&json, "cluster")[0];
    assert!(level == "problem" && found.contains("127.0.0.1:1"), "{level}: {found}");
    assert_eq!(findings(&json, "topics")[0][1], "not looked at: no cluster");
}

#[test]
fn a_wrong_command_line_is_usage() {
    for wrong in [&["--bootstrap", "a:x"][..], &["-X", "nonsense"], &["--base-port", "65534"]] {
        let mut command = without_engine(&Place::new());
        command.args(wrong);
        Assert::from_std(command).assert().code(2).stdout("");
    }
}
