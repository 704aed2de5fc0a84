//! The doctor on a real engine. Without one these tests fail; a test that skips itself proves nothing.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::asked::{doctor, findings, look};
use crate::ports::free_base_port;
use crate::program::Place;
use crate::turn;
use assert_cmd::Command as Assert;

/// How long a test waits for something to be seen.
const PATIENCE: Duration = Duration::from_secs(60);

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
    let _turn = turn::cluster();
    let place = Place::new();
    let json = look(doctor(&place, free_base_port()), 0);
    for name in ["engine", "kafka-image", "memory", "disk", "reports", "state", "ports", "faults"] {
        assert_eq!(findings(&json, name)[0][0], "ok", "{name} in {json:#}");
    }
    let faults: Vec<String> = findings(&json, "faults").into_iter().map(|[_, found, _]| found).collect();
    assert!(faults.contains(&"pause (engine: freezer)".to_owned()), "{faults:?}");
}

/// No container of those who ask an engine about faults is left. The runs of other tests ask too, and are soon done.
fn assert_no_asker_is_left() {
    let askers = || docker(&["ps", "-a", "--filter", "name=wiber-look-", "--format", "{{.Names}}"]);
    let first = askers();
    let began = Instant::now();
    while askers().iter().any(|name| first.contains(name)) {
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} for these to go: {first:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn the_kernel_is_asked_in_a_throw_away_container_and_nothing_of_it_is_left() {
    let _turn = turn::cluster();
    let place = Place::new();
    let json = look(doctor(&place, free_base_port()), 0);
    let expected = [
        ("side-car", "the table `filter` drops packets"),
        ("rejection", "the table `filter` resets connections"),
        ("packet-queue", "the table `mangle` hands packets over"),
        ("tool-container", "a tool container works"),
        ("control-groups", "control groups show what a container may use"),
    ];
    for (name, seen) in expected {
        let [level, found, _] = &findings(&json, name)[0];
        assert_eq!((level.as_str(), found.as_str()), ("ok", seen), "{json:#}");
    }
    let [level, found, _] = &findings(&json, "throttling")[0];
    assert!(level == "ok" && found.starts_with("control groups v"), "{level}: {found}");
    assert_no_asker_is_left();
    assert_eq!(place.ledgers(), Vec::<std::path::PathBuf>::new(), "its ledger is closed");
}

/// Makes an image whose side-cars end at once, and whose tool containers work.
fn make_handless(handless: &str) -> Undo<impl Fn()> {
    let line = include_str!("../../docker/versions.env").lines().find_map(|line| line.strip_prefix("NEMESIS_IMAGE="));
    let image = line.expect("docker/versions.env names the side-car's image");
    let name = format!("handless-{}", std::process::id());
    docker(&["create", "--name", &name, image]);
    docker(&["commit", "--change", "CMD [\"false\"]", &name, handless]);
    docker(&["rm", &name]);
    Undo(move || drop(docker(&["rmi", handless])))
}

#[test]
fn a_side_car_that_does_not_work_is_told_and_refused_by_validate_and_run_before_anything_is_started() {
    let _turn = turn::cluster();
    let place = Place::new();
    let handless = format!("wiber-chaos-test/handless:{}", std::process::id());
    let _undo = make_handless(&handless);
    let mut command = doctor(&place, free_base_port());
    command.env("WIBER_NEMESIS_IMAGE", &handless);
    let json = look(command, 0);
    let [level, found, help] = &findings(&json, "side-car")[0];
    assert!(level == "warning" && found.contains("exit code 1") && help.contains("docker/setup.sh"), "{json:#}");
    assert_eq!(findings(&json, "tool-container")[0][0], "ok", "{json:#}");
    let faults = findings(&json, "faults");
    let level = |word: &str| &faults.iter().find(|[_, found, _]| found.starts_with(word)).expect("a fault")[0];
    assert_eq!((level("degrade ").as_str(), level("kill ").as_str()), ("warning", "ok"), "{faults:?}");

    let mut validate = place.program();
    validate.args(["validate", "scenarios/slow-network.toml"]).env("WIBER_NEMESIS_IMAGE", &handless);
    let shown = Assert::from_std(validate).assert().code(5).stderr("");
    let text = String::from_utf8_lossy(&shown.get_output().stdout).into_owned();
    assert!(text.contains("cannot be injected here") && text.contains("slow-network.toml:"), "{text}");

    let mut run = place.run();
    run.arg("scenarios/slow-network.toml").env("WIBER_NEMESIS_IMAGE", &handless);
    let shown = Assert::from_std(run).assert().code(5).stdout("");
    let text = String::from_utf8_lossy(&shown.get_output().stderr).into_owned();
    assert!(text.contains("cannot be injected here"), "{text}");
    let events = std::fs::read_to_string(place.latest("slow-network").join("history/events.jsonl")).expect("a history");
    assert!(!events.contains("\"warmup\""), "it was refused before the load: {events}");
    assert_no_asker_is_left();
    assert_eq!(place.ledgers(), Vec::<std::path::PathBuf>::new(), "its ledger is closed");
}

#[test]
fn validate_names_the_means_of_each_fault_on_this_machine() {
    let _turn = turn::cluster();
    let place = Place::new();
    let mut validate = place.program();
    validate.args(["validate", "--format", "json", "scenarios/slow-network.toml", "scenarios/partition-rejected.toml"]);
    let shown = Assert::from_std(validate).assert().code(0).stderr("");
    let json: serde_json::Value = serde_json::from_slice(&shown.get_output().stdout).expect("stdout is JSON");
    for file in json["files"].as_array().expect("files") {
        assert_eq!(file["injectable"], "yes", "{json:#}");
        let means = file["faults"][0]["back_end"].as_str().expect("a means");
        assert!(means.starts_with("side-car: "), "{json:#}");
    }
    assert_no_asker_is_left();
    assert_eq!(place.ledgers(), Vec::<std::path::PathBuf>::new(), "its ledger is closed");
}

#[test]
fn a_port_that_somebody_else_holds_is_a_problem_that_names_the_process() {
    let _turn = turn::cluster();
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
    let _turn = turn::cluster();
    let place = Place::new();
    let mut command = doctor(&place, free_base_port());
    command.env("WIBER_KAFKA_IMAGE", "nothing:1");
    let [level, found, help] = &findings(&look(command, 5), "kafka-image")[0];
    assert!(level == "problem" && found.contains("nothing:1") && help.contains("docker/setup.sh"), "{found}: {help}");
}

#[test]
fn what_a_dead_run_left_is_told_and_stays() {
    let _turn = turn::cluster();
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
    let _turn = turn::cluster();
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
