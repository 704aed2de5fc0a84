//! The program as its users and CI see it: what it prints where, which files it leaves, and its exit codes. Without Docker.

#[path = "support/program.rs"]
mod program;

use std::fs;
use std::process::{Command, Stdio};

use assert_cmd::Command as Assert;
use predicates::prelude::*;
use predicates::str::{contains, starts_with};
use program::{Place, names, start, wait};
use serde_json::Value;

/// A run of about four seconds on librdkafka's mock cluster.
fn quick_mock(name: &str, more: &str) -> String {
    mock(name, "warmup = \"300ms\"\nchaos = \"2s\"", "at = \"300ms\"\nfor = \"800ms\"", more)
}

/// A run that goes on until it is stopped.
fn long_mock(name: &str) -> String {
    mock(name, "warmup = \"300ms\"\nchaos = \"120s\"", "at = \"300ms\"\nfor = \"110s\"", "")
}

fn mock(name: &str, phases: &str, when: &str, more: &str) -> String {
    format!(
        "name = \"{name}\"\nseed = 42\n[cluster]\nkind = \"mock\"\nbrokers = 3\n\
         [[topic]]\nname = \"chat\"\npartitions = 3\nreplication-factor = 3\n\
         [[producer]]\nname = \"chatters\"\ntopic = \"chat\"\nrate = \"1000/s\"\nconfig = {{ acks = \"all\" }}\n\
         [[consumer-group]]\nname = \"chat-consumers\"\ntopics = [\"chat\"]\n\
         [phases]\n{phases}\nrecovery = \"10s\"\ndrain = \"15s\"\n\
         [[fault]]\nid = \"kill\"\n{when}\nkill = {{ target = \"leader:chat-0\" }}\n\
         [expect]\nduplicate = \"allowed\"\n{more}"
    )
}

const ONE_MILLISECOND: &str = "[[threshold]]\nmetric = \"produce-latency-max\"\nmax = \"1ms\"\n";

fn expect(command: Command) -> Assert {
    Assert::from_std(command)
}

fn program(args: &[&str]) -> Assert {
    let mut command = Place::new().program();
    command.args(args);
    expect(command)
}

#[test]
fn help_tells_the_commands_and_the_exit_codes() {
    let help = program(&["--help"]).assert().success();
    let help = help.stdout(contains("Exit codes:").and(contains("inconclusive")).and(contains("Start with:")));
    for command in ["run", "check", "validate", "plan", "list", "doctor", "clean"] {
        assert!(String::from_utf8_lossy(&help.get_output().stdout).contains(&format!("\n  {command} ")), "{command}");
        program(&[command, "--help"]).assert().success().stdout(contains("Usage: wiber-chaos").and(contains(command)));
    }
}

#[test]
fn the_version_is_the_packages() {
    program(&["--version"]).assert().success().stdout(format!("wiber-chaos {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_wrong_command_line_is_usage() {
    for args in [&["fly"][..], &["run"], &["run", "--seed", "many", "scenarios/mock.toml"], &["--wings"], &[]] {
        program(args).assert().code(2).stdout("").stderr(contains("--help").or(contains("Usage")));
    }
}

#[test]
fn validate_shows_every_mistake_at_once() {
    let shown = program(&["validate", "tests/scenarios/every-mistake.toml"]).assert().code(2);
    let shown = shown.stdout(contains("every-mistake.toml has 27 problems"));
    let text = String::from_utf8_lossy(&shown.get_output().stdout).into_owned();
    assert!(text.matches("every-mistake.toml:").count() >= 27, "each under its own line:\n{text}");
}

#[test]
fn validate_finds_nothing_wrong_with_the_scenarios_that_ship() {
    let scenarios = ["scenarios/kill-one.toml", "scenarios/mock.toml", "scenarios/controls/acks-one-loses.toml"];
    let mut args = vec!["validate", "--format", "json"];
    args.extend(scenarios);
    let shown = program(&args).assert().success();
    let json: Value = serde_json::from_slice(&shown.get_output().stdout).expect("stdout is JSON");
    let ok = json["files"].as_array().expect("files").iter().filter(|file| file["ok"] == true).count();
    assert_eq!(ok, scenarios.len());
}

#[test]
fn a_bad_scenario_starts_nothing_not_even_the_good_one_before_it() {
    let place = Place::new();
    let mut command = place.run();
    command.arg("scenarios/mock.toml").arg("tests/scenarios/every-mistake.toml");
    expect(command).assert().code(2).stdout("").stderr(contains("has 27 problems"));
    assert!(!place.path("reports").exists(), "no run was begun");
    assert!(!place.path("state").exists(), "no ledger was begun");
}

#[test]
fn a_scenario_that_is_not_there_is_usage() {
    let place = Place::new();
    let mut command = place.run();
    command.arg("scenarios/nowhere.toml");
    expect(command).assert().code(2).stderr(contains("scenarios/nowhere.toml"));
}

#[test]
fn a_run_prints_its_verdict_and_leaves_the_files_that_it_promises() {
    let place = Place::new();
    let mut command = place.run();
    command.arg("scenarios/mock.toml");
    let ran = expect(command).assert().success();
    let run = place.latest("mock");
    let ran = ran.stdout(contains("PASS").and(contains("verdict valid, exit code 0, seed 42")));
    ran.stdout(contains(run.file_name().expect("a name").to_string_lossy().into_owned()).and(contains("report.html")))
        .stderr(contains("phase chaos").and(contains("inject kill")));

    let promised = [
        "anomalies.csv",
        "environment.json",
        "faults.csv",
        "history",
        "junit.xml",
        "latency.csv",
        "logs",
        "partitions.csv",
        "plan.json",
        "report.html",
        "scenario.toml",
        "summary.csv",
        "timeline.csv",
        "verdict.json",
    ];
    assert_eq!(names(&run), promised);
    assert_eq!(names(&run.join("history")), ["events.jsonl", "reads.arrows", "sends.arrows"]);
    let scenario = fs::read("scenarios/mock.toml").expect("the scenario can be read");
    assert_eq!(fs::read(run.join("scenario.toml")).expect("the run keeps its scenario"), scenario);
    assert_eq!(place.ledgers().len(), 0);
}

#[test]
fn json_is_the_verdict_alone_on_stdout() {
    let place = Place::new();
    let mut command = place.run();
    command.args(["--format", "json", "--progress", "none"]).arg(place.file("s.toml", &quick_mock("quick", "")));
    let ran = expect(command).assert().success();
    let printed: Value = serde_json::from_slice(&ran.get_output().stdout).expect("stdout is JSON and nothing else");
    let kept = fs::read(place.latest("quick").join("verdict.json")).expect("the run keeps its verdict");
    let kept: Value = serde_json::from_slice(&kept).expect("verdict.json is JSON");
    assert_eq!(printed, kept);
    assert_eq!(
        (&printed["schema_version"], &printed["verdict"], &printed["exit_code"]),
        (&1.into(), &"valid".into(), &0.into())
    );
}

#[test]
fn several_scenarios_end_in_one_table_and_the_worst_exit_code() {
    let place = Place::new();
    let mut command = place.run();
    command.arg(place.file("slow.toml", &quick_mock("too-slow", ONE_MILLISECOND)));
    command.arg(place.file("fine.toml", &quick_mock("just-fine", "")));
    let ran = expect(command).assert().code(3);
    let text = String::from_utf8_lossy(&ran.get_output().stdout).into_owned();
    let table = text.rsplit("report: ").next().expect("a last part");
    let row = |name: &str| {
        table.lines().find(|line| line.contains(&format!(" {name} "))).unwrap_or_else(|| panic!("{name} in:\n{table}"))
    };
    assert!(row("too-slow").contains("produce-latency-max"), "{table}");
    assert!(row("just-fine").contains("Every expectation was met"), "{table}");
    assert!(
        place.latest("just-fine").join("report.html").is_file(),
        "a failure does not keep the next one from running"
    );
}

#[test]
fn without_an_engine_the_code_is_environment_and_the_help_says_what_to_do() {
    let place = Place::new();
    let mut command = place.run();
    command.arg("scenarios/kill-one.toml").env("DOCKER_HOST", "tcp://127.0.0.1:1");
    let ran = expect(command).assert().code(5).stdout("");
    ran.stderr(contains("no Docker engine answers").and(contains("docker/setup.sh")));
    assert_eq!(place.ledgers().len(), 0, "nothing was made, so nothing is left to remove");
    let mut command = place.program();
    command.arg("clean").env("DOCKER_HOST", "tcp://127.0.0.1:1");
    expect(command).assert().code(5).stderr(contains("docker/setup.sh"));
}

#[test]
fn reports_that_cannot_be_written_stop_the_run_before_anything_starts() {
    let place = Place::new();
    place.file("reports", "a file is in the way");
    let mut command = place.run();
    command.arg("scenarios/mock.toml");
    expect(command).assert().code(5).stdout("").stderr(starts_with("error: cannot create").and(contains("reports")));
    assert!(!place.path("state").exists(), "no ledger was begun");
}

#[test]
fn an_interrupted_run_still_reports_and_says_so() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let place = Place::new();
        let mut command = place.run();
        command.arg(place.file("s.toml", &long_mock("long")));
        let mut child = start(command);
        place.wait_for_event("long", &mut child, &["\"inject\"", "\"ok\""]);
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().expect("kill runs").success());
        assert_eq!(wait(&mut child).code(), Some(code));

        let run = place.latest("long");
        let verdict = fs::read_to_string(run.join("verdict.json")).expect("the run was judged");
        assert!(verdict.contains(&format!("interrupted by SIG{signal}")), "{verdict}");
        assert!(run.join("report.html").is_file() && run.join("junit.xml").is_file());
        assert_eq!(place.ledgers().len(), 0);
        let mut command = place.program();
        command.arg("check").arg(&run);
        expect(command).assert().code(4).stdout(contains("interrupted"));
    }
}

#[test]
fn a_killed_run_is_checked_up_to_where_it_died_and_is_unknown() {
    let place = Place::new();
    let mut command = place.run();
    command.arg(place.file("s.toml", &long_mock("long")));
    let mut child = start(command);
    place.wait_for_event("long", &mut child, &["\"inject\"", "\"ok\""]);
    child.kill().expect("the program can be killed");
    wait(&mut child);

    let mut command = place.program();
    command.args(["check", "--format", "json"]).arg(place.latest("long"));
    let checked = expect(command).assert().code(4);
    let verdict: Value = serde_json::from_slice(&checked.get_output().stdout).expect("stdout is JSON");
    assert_eq!((&verdict["verdict"], &verdict["outcome"]), (&"unknown".into(), &"inconclusive".into()));
    assert!(verdict["reasons"].to_string().contains("run-ended"), "{}", verdict["reasons"]);
}

#[test]
fn what_is_no_run_cannot_be_checked() {
    let place = Place::new();
    program(&["check", "reports/nothing/latest"]).assert().code(2).stdout("").stderr(contains("reports/<scenario>"));
    let mut command = place.program();
    command.arg("check").arg(place.path(""));
    expect(command).assert().code(2).stdout("").stderr(contains("plan.json"));
}

#[test]
fn list_shows_every_scenario_that_ships() {
    let shown = program(&["list", "--format", "json"]).assert().success();
    let json: Value = serde_json::from_slice(&shown.get_output().stdout).expect("stdout is JSON");
    let listed = json["scenarios"].as_array().expect("scenarios");
    assert!(listed.iter().all(|row| row["ok"] == true));
    program(&["list"])
        .assert()
        .success()
        .stdout(contains("scenarios/kill-one.toml").and(contains("scenarios/controls/acks-one-loses.toml")));
    program(&["list", "nowhere"]).assert().code(2).stderr(contains("nowhere"));
}

#[test]
fn the_same_seed_plans_the_same_bytes() {
    let plan = |seed: &str| {
        let planned =
            program(&["plan", "scenarios/kill-one.toml", "--format", "json", "--seed", seed]).assert().success();
        planned.get_output().stdout.clone()
    };
    assert_eq!(plan("7"), plan("7"));
    assert_ne!(plan("7"), plan("8"));
}

#[test]
fn the_plan_of_a_run_is_the_one_that_was_announced() {
    let place = Place::new();
    let scenario = place.file("s.toml", &quick_mock("quick", ""));
    let mut command = place.program();
    command.args(["plan", "--format", "json"]).arg(&scenario);
    let announced = expect(command).assert().success().get_output().stdout.clone();
    let mut command = place.run();
    command.arg(&scenario);
    expect(command).assert().success();
    assert_eq!(fs::read(place.latest("quick").join("plan.json")).expect("the run keeps its plan"), announced);
}

#[test]
fn a_reader_that_goes_away_is_no_crash() {
    for args in [&["list"][..], &["plan", "scenarios/kill-one.toml"], &["validate", "scenarios/mock.toml"], &["--help"]]
    {
        let mut command = Place::new().program();
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        drop(child.stdout.take());
        let ended = child.wait_with_output().expect("the program ends");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), said.as_ref()), (Some(0), ""), "{args:?}");
    }
}
