//! The doctor on a real engine. Without one these tests fail; a test that skips itself proves nothing.

#[path = "support/doctor.rs"]
mod asked;
#[path = "support/program.rs"]
#[expect(dead_code, reason = "the doctor runs no scenario, and has nothing to wait for")]
mod program;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use asked::{doctor, findings, free_base_port, look};
use assert_cmd::Command as Assert;
use program::Place;

/// Ports and engine are everybody's, so that the tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lines that the engine prints.
fn docker(args: &[&str]) -> Vec<String> {
    let output = Command::new("docker").args(args).output().expect("docker runs");
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Undoes, also when the test fails.
struct Undo<F: Fn()>(F);

impl<F: Fn()> Drop for Undo<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn on_a_healthy_machine_nothing_is_wrong() {
    let _turn = turn();
    let place = Place::new();
    let json = look(doctor(&place, free_base_port()), 0);
    for name in ["engine", "kafka-image", "memory", "disk", "reports", "state", "ports", "faults"] {
        assert_eq!(findings(&json, name)[0][0], "ok", "{name} in {json:#}");
    }
    let faults: Vec<String> = findings(&json, "faults").into_iter().map(|[_, found, _]| found).collect();
    assert!(faults.contains(&"pause (engine: freezer)".to_owned()), "{faults:?}");
}

#[test]
fn a_port_that_somebody_else_holds_is_a_problem_that_names_the_process() {
    let _turn = turn();
    let place = Place::new();
    let base_port = free_base_port();
    let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, base_port + 1)).expect("the port is free");
    let ports = findings(&look(doctor(&place, base_port), 5), "ports");
    assert_eq!(ports[0][1], format!("free: {base_port} and {}", base_port + 2));
    let [level, found, help] = &ports[1];
    assert!(level == "problem" && found.contains(&format!("process {} (", std::process::id())), "{found}");
    assert!(found.starts_with(&(base_port + 1).to_string()) && help.contains("--base-port"), "{found}: {help}");
}

#[test]
fn an_image_that_is_nowhere_is_a_problem() {
    let _turn = turn();
    let place = Place::new();
    let mut command = doctor(&place, free_base_port());
    command.env("WIBER_KAFKA_IMAGE", "nothing:1");
    let [level, found, help] = &findings(&look(command, 5), "kafka-image")[0];
    assert!(level == "problem" && found.contains("nothing:1") && help.contains("docker/setup.sh"), "{found}: {help}");
}

#[test]
fn what_a_dead_run_left_is_told_and_stays() {
    let _turn = turn();
    let place = Place::new();
    let label = format!("doctor-test-{}", std::process::id());
    docker(&["volume", "create", "--label", &format!("wiber-chaos.run={label}"), &label]);
    let _undo = Undo(|| drop(docker(&["volume", "rm", &label])));
    fs::create_dir_all(place.path("state/ledger")).expect("made");
    // Nobody holds its lock, so that its run is dead.
    let ledger = place.file(&format!("state/ledger/{label}.jsonl"), &format!(
        "{{\"entry\":\"run\",\"label\":\"{label}\",\"directory\":\"x\"}}\n{{\"entry\":\"make\",\"object\":\"volume\",\"name\":\"{label}\"}}\n"
    ));
    let leftovers = findings(&look(doctor(&place, free_base_port()), 0), "leftovers");
    let [level, found, help] = &leftovers[0];
    assert!(level == "warning" && found.contains(&format!("volume {label}")), "{leftovers:?}");
    assert!(help.contains("wiber-chaos clean"), "{help}");
    assert!(ledger.exists(), "looking removes nothing");
    assert_eq!(docker(&["volume", "ls", "-q", "--filter", &format!("name={label}")]), [label.as_str()]);
}

#[test]
fn a_standing_cluster_is_well_until_one_of_its_brokers_is_frozen() {
    let _turn = turn();
    let place = Place::new();
    let name = format!("doctor-{}", std::process::id());
    let base_port = free_base_port();
    let stand = |args: &[&str]| {
        let mut command = place.program();
        command.args(args).args(["--name", &name]);
        Assert::from_std(command).assert().success();
    };
    let look = |exit_code| {
        let mut command = doctor(&place, base_port);
        command.args(["--name", &name, "--topic", "chat"]);
        look(command, exit_code)
    };
    let _undo = Undo(|| stand(&["down", "--volumes"]));
    stand(&["up", "--base-port", &base_port.to_string()]);
    let json = look(0);
    for check in ["ports", "standing", "cluster", "topics", "groups"] {
        assert_eq!(findings(&json, check)[0][0], "ok", "{check} in {json:#}");
    }
    let frozen = format!("{name}-kafka-2");
    docker(&["pause", &frozen]);
    let json = look(5);
    let [level, found, help] = &findings(&json, "standing")[0];
    assert!(level == "note" && found.contains(&frozen) && help.contains("docker unpause"), "{json:#}");
    let [level, found, _] = &findings(&json, "brokers")[0];
    assert!(level == "problem" && found.starts_with("broker-2 ") && found.contains("frozen"), "{json:#}");
    assert_eq!(findings(&json, "ports")[0][0], "ok", "its port is still the standing cluster's: {json:#}");
}
