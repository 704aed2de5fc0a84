//! The program as its users and CI see it: what it prints where, which files it leaves, and its exit codes. Without Docker.

mod authoring;
mod github;
#[path = "../support/program.rs"]
mod program;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use assert_cmd::Command as Assert;
use flate2::Compression;
use flate2::write::GzEncoder;
use predicates::prelude::*;
use predicates::str::{contains, starts_with};
use program::{Place, names, start, wait};
use serde_json::{Value, json};

/// A run of about six seconds on librdkafka's mock cluster.
fn quick_mock(name: &str, more: &str) -> String {
    mock(name, "warmup = \"2s\"\nchaos = \"2s\"", "at = \"300ms\"\nfor = \"800ms\"", more)
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

/// A record whose answer died with its connection is sent again, and the mock does not recognise it: `duplicate` may find
/// something, which the scenario allows, and the verdict on the history is then `invalid`.
fn not_in_doubt(verdict: &Value) -> bool {
    verdict["verdict"] == "valid" || verdict["verdict"] == "invalid"
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
    for command in [
        "run",
        "check",
        "compare",
        "report",
        "history",
        "validate",
        "plan",
        "list",
        "init",
        "schema",
        "doctor",
        "clean",
        "completions",
        "man",
    ] {
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
    for args in [
        &["fly"][..],
        &["run"],
        &["run", "--seed", "many", "scenarios/mock.toml"],
        &["run", "--quiet", "--progress", "bar", "scenarios/mock.toml"],
        &["--wings"],
        &[],
    ] {
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
fn without_an_engine_validate_says_what_each_fault_would_need() {
    for (more, why) in [(None, "no Docker engine answers"), (Some("--offline"), "--offline")] {
        let place = Place::new();
        let mut command = place.program();
        command.args(["validate", "scenarios/slow-network.toml"]).args(more).env("DOCKER_HOST", "tcp://127.0.0.1:1");
        let shown = expect(command).assert().success().stderr("");
        shown.stdout(contains("side-car: packet queue").and(contains("needs an engine")).and(contains(why)));
        assert!(!place.path("state").exists(), "nothing is made where nobody is asked");
    }
}

#[test]
fn a_plan_names_the_means_and_its_json_depends_on_no_machine() {
    program(&["plan", "scenarios/slow-network.toml"]).assert().success().stdout(contains("side-car: packet queue"));
    let json = || {
        let place = Place::new();
        let mut command = place.program();
        command.args(["plan", "scenarios/slow-network.toml", "--format", "json", "--seed", "7"]);
        command
    };
    let without = expect({
        let mut command = json();
        command.env("DOCKER_HOST", "tcp://127.0.0.1:1");
        command
    });
    let (mut with, mut without) = (expect(json()), without);
    let shown = |command: &mut assert_cmd::Command| command.assert().success().get_output().stdout.clone();
    assert_eq!(shown(&mut with), shown(&mut without));
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
    let ran = ran.stdout(contains("PASS").and(contains("exit code 0, seed 42")));
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
    assert_eq!(
        names(&run.join("history")),
        ["events.jsonl", "reads.arrows", "replicas.arrows", "sends.arrows", "sources.arrows"]
    );
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
    assert_eq!((&printed["schema_version"], &printed["exit_code"]), (&1.into(), &0.into()));
    assert!(not_in_doubt(&printed), "{printed:#}");
}

#[test]
fn a_quiet_run_says_nothing_before_its_verdict() {
    let place = Place::new();
    let mut command = place.run();
    command.arg("--quiet").arg(place.file("s.toml", &quick_mock("quick", "")));
    expect(command).assert().success().stderr("").stdout(contains("PASS"));
}

#[test]
fn several_scenarios_end_in_one_table_and_the_worst_exit_code() {
    let place = Place::new();
    let mut command = place.run();
    command.arg(place.file("slow.toml", &quick_mock("too-slow", ONE_MILLISECOND)));
    command.arg(place.file("fine.toml", &quick_mock("just-fine", "")));
    let ran = expect(command).assert().code(3);
    let text = String::from_utf8_lossy(&ran.get_output().stdout).into_owned();
    let table = text.rsplit("  outcome\n").next().expect("a last part");
    let row = |name: &str| {
        table.lines().find(|line| line.contains(&format!(" {name} "))).unwrap_or_else(|| panic!("{name} in:\n{table}"))
    };
    assert!(row("too-slow").contains("produce-latency-max"), "{table}");
    assert!(row("just-fine").contains("Every expectation was met"), "{table}");
    assert_eq!(
        (table.matches("report: ").count(), table.matches("repeat: wiber-chaos run ").count()),
        (1, 1),
        "{table}"
    );
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
fn a_killed_run_is_checked_up_to_where_it_died_and_is_never_valid() {
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
    assert_eq!(verdict["outcome"], "inconclusive");
    assert_ne!(verdict["verdict"], "valid");
    assert!(verdict["reasons"].to_string().contains("run-ended"), "{}", verdict["reasons"]);

    let mut command = place.program();
    command.args(["history", "--format", "edn"]).arg(place.latest("long"));
    expect(command).assert().success().stdout(contains(":f :send")).stderr(contains("the history is cut"));

    let mut command = place.program();
    command.args(["history", "--format", "csv", "--table", "sends"]).arg(place.latest("long"));
    let written = expect(command).assert().success().stderr(contains("the history is cut"));
    written.stdout(starts_with("process,process_name,topic,").and(contains(",chatters/0.0,chat,")));
}

#[test]
fn a_stored_run_is_told_as_jepsen_tells_its_own() {
    let place = Place::new();
    let mut command = place.run();
    command.args(["--format", "json", "--progress", "none"]).arg(place.file("s.toml", &quick_mock("quick", "")));
    let ran = expect(command).assert().success();
    let verdict: Value = serde_json::from_slice(&ran.get_output().stdout).expect("stdout is JSON");

    let mut command = place.program();
    command.args(["history", "--format", "edn"]).arg(place.latest("quick"));
    let told = expect(command).assert().success().stderr("");
    let told = String::from_utf8_lossy(&told.get_output().stdout);
    let sends = |kind: &str| {
        let wanted = format!(":type :{kind}, :f :send,");
        told.lines().filter(|line| line.contains(&wanted)).count()
    };
    assert_eq!(Some(sends("invoke") as u64), verdict["counts"]["sent"].as_u64());
    assert_eq!(Some(sends("ok") as u64), verdict["counts"]["acked"].as_u64());
    assert!(told.lines().all(|line| line.starts_with("{:index ") && line.ends_with('}')));
    assert!(told.contains(":f :assign,") && told.ends_with(":type :ok, :f :poll, :value [[:poll {}]]}\n"));
}

#[test]
fn a_stored_run_is_written_as_tables_into_an_empty_directory() {
    let place = Place::new();
    let mut command = place.run();
    command.args(["--format", "json", "--progress", "none"]).arg(place.file("s.toml", &quick_mock("quick", "")));
    let ran = expect(command).assert().success();
    let verdict: Value = serde_json::from_slice(&ran.get_output().stdout).expect("stdout is JSON");
    let history = |args: &[&str]| {
        let mut command = place.program();
        command.current_dir(place.path("")).arg("history").arg(place.latest("quick")).args(args);
        expect(command).assert()
    };

    history(&["--format", "csv", "--out", "tables"]).success().stderr("").stdout(contains("tables/events.csv\n"));
    let tables = place.path("tables");
    assert_eq!(names(&tables), ["events.csv", "reads.csv", "replicas.csv", "sends.csv", "sources.csv"]);
    let rows = |table: &str| csv::Reader::from_path(tables.join(table)).expect("a table").into_records().count() as u64;
    assert_eq!(Some(rows("sends.csv")), verdict["counts"]["sent"].as_u64());
    assert_eq!(Some(rows("reads.csv")), verdict["counts"]["read"].as_u64());
    assert!(rows("events.csv") > 10);

    let again = history(&["--format", "jsonl", "--out", "tables"]).code(2);
    again.stdout("").stderr(contains("tables is not empty"));
    assert_eq!(names(&tables).len(), 5, "nothing was added");
    history(&["--format", "jsonl", "--table", "sends", "--out", "one"]).success().stdout("one/sends.jsonl\n");
    assert_eq!(names(&place.path("one")), ["sends.jsonl"]);
    let packed = history(&["--format", "parquet", "--table", "reads"]).success();
    let packed = &packed.get_output().stdout;
    assert!(packed.starts_with(b"PAR1") && packed.ends_with(b"PAR1"));

    history(&["--format", "csv"]).code(2).stdout("").stderr(contains("--table").and(contains("--out")));
    history(&["--format", "edn", "--table", "sends"]).code(2).stdout("").stderr(contains("--table"));
    history(&["--format", "edn", "--out", "two"]).code(2).stdout("").stderr(contains("--out"));
    history(&["--format", "csv", "--table", "rows"]).code(2).stdout("").stderr(contains("replicas"));
    place.file("file", "in the way");
    history(&["--format", "csv", "--out", "file"]).code(2).stdout("").stderr(contains("is no directory"));
    history(&["--format", "csv", "--out", "file/below"]).code(2).stdout("");
}

#[test]
fn what_is_no_run_cannot_be_checked() {
    let place = Place::new();
    program(&["check", "reports/nothing/latest"]).assert().code(2).stdout("").stderr(contains("reports/<scenario>"));
    let mut command = place.program();
    command.arg("check").arg(place.path(""));
    expect(command).assert().code(2).stdout("").stderr(contains("plan.json"));
    let history = program(&["history", "--format", "edn", "reports/nothing/latest"]).assert().code(2);
    history.stdout("").stderr(contains("reports/<scenario>"));
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
    let announced = String::from_utf8(announced).expect("JSON is text");
    let mut command = place.run();
    command.arg(&scenario);
    expect(command).assert().success();
    let kept = fs::read_to_string(place.latest("quick").join("plan.json")).expect("the run keeps its plan");
    let keys = kept.strip_suffix("\n}\n").expect("an object ends the file");
    assert!(announced.starts_with(&format!("{keys},\n  \"outlook\": {{")), "{announced}");
    let mut announced: Value = serde_json::from_str(&announced).expect("stdout is JSON");
    announced.as_object_mut().expect("an object").remove("outlook");
    assert_eq!(serde_json::from_str::<Value>(&kept).expect("plan.json is JSON"), announced);
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

/// The results of a Jepsen history, and the exit code that they came with.
fn jepsen(file: &Path, more: &[&str], code: i32) -> Value {
    let mut command = Place::new().program();
    command.args(["check", "--from", "jepsen", "--format", "json"]).args(more).arg(file);
    let checked = expect(command).assert().code(code).stderr("");
    serde_json::from_slice(&checked.get_output().stdout).expect("stdout is JSON")
}

#[test]
fn a_jepsen_history_is_judged_as_jepsen_would_under_each_setting() {
    let valid = jepsen("tests/jepsen/valid.edn".as_ref(), &[], 0);
    assert_eq!((&valid["valid"], &valid["error_types"]), (&json!(true), &json!([])));
    assert_eq!((&valid["operations"], &valid["from"]), (&json!(16), &json!("jepsen")));

    let lost = jepsen("tests/jepsen/lost.edn".as_ref(), &["--sub-via", "subscribe", "--ww-deps"], 1);
    assert_eq!((&lost["valid"], &lost["bad_error_types"]), (&json!(false), &json!(["lost-write", "unseen"])));
    assert_eq!(lost["options"], json!({ "sub_via": ["subscribe"], "ww_deps": true }));
    assert_eq!(lost["witnesses"]["lost-write"]["examples"][0]["writer"]["line"], 3);

    let found = json!(["G1c", "PL-2-cycle-exists", "poll-skip"]);
    for (settings, bad, code) in [
        (&["--sub-via", "assign"][..], found.clone(), 1),
        (&["--ww-deps"], json!(["poll-skip"]), 1),
        (&["--sub-via", "subscribe"], json!(["G1c", "PL-2-cycle-exists"]), 1),
        (&["--sub-via", "assign,subscribe", "--ww-deps"], json!([]), 0),
    ] {
        let early = jepsen("tests/jepsen/early-read.edn".as_ref(), settings, code);
        assert_eq!((&early["error_types"], &early["bad_error_types"]), (&found, &bad), "{settings:?}");
    }

    let phantom = jepsen("tests/jepsen/phantom.edn".as_ref(), &[], 4);
    assert_eq!((&phantom["valid"], &phantom["error_types"]), (&json!("unknown"), &json!([])));
    assert!(phantom["unknown_because"][0].as_str().is_some_and(|why| why.contains("99")), "{phantom}");
}

#[test]
fn a_packed_jepsen_history_is_unpacked_whatever_its_name() {
    let place = Place::new();
    let packed = fs::File::create(place.path("history")).expect("a file");
    let mut writer = GzEncoder::new(packed, Compression::default());
    writer.write_all(&fs::read("tests/jepsen/lost.edn").expect("the fixture")).expect("the disk takes it");
    writer.finish().expect("the disk takes it");
    let lost = jepsen(&place.path("history"), &[], 1);
    assert_eq!(lost["error_types"], json!(["lost-write", "unseen"]));
}

#[test]
fn jepsen_histories_are_told_to_people_too_and_the_worst_exit_code_wins() {
    let two = ["check", "--from", "jepsen", "tests/jepsen/phantom.edn", "tests/jepsen/lost.edn"];
    let told = program(&two).assert().code(1);
    let told = told.stdout(contains("? unknown  tests/jepsen/phantom.edn").and(contains("no send of it ended")));
    told.stdout(contains("✗ invalid  tests/jepsen/lost.edn: lost-write, unseen.").and(contains("sub-via assign")));
    let allowed = ["check", "--from", "jepsen", "--sub-via", "subscribe", "--ww-deps", "tests/jepsen/early-read.edn"];
    program(&allowed).assert().success().stdout(contains("✓ valid").and(contains("poll-skip")));
}

#[test]
fn what_is_no_jepsen_history_is_named_by_its_line_with_help() {
    for (file, what, help) in [
        ("tests/jepsen/torn.edn", "torn.edn: line 4: ", "one operation a line"),
        ("tests/scenarios/every-mistake.toml", "every-mistake.toml: line ", "help: "),
        ("tests/jepsen/nowhere.edn", "cannot be read", "name the history.edn"),
    ] {
        let told = program(&["check", "--from", "jepsen", file]).assert().code(2).stdout("");
        told.stderr(starts_with("error: ").and(contains(what)).and(contains(help)));
    }
    for settings in [["--ww-deps", "x.edn"], ["--sub-via", "x.edn"]] {
        program(&["check"]).args(settings).assert().code(2).stdout("");
    }
}
