//! What programs get by `--format json`: golden, and every name in it is in `docs/json.md`.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Parser, Subcommand};
use serde_json::{Deserializer, Value};

use super::{Cli, Command, compare, doctor, list, outcome, plan, produce, status, topics, up};
use crate::client::print::{Shape, record};
use crate::cluster::admin::{Made, Setting};
use crate::cluster::standing::{Action, Up};
use crate::doctor::Check;
use crate::kafka::{Access, Endpoint, PartitionView};
use crate::report::compare::{Factor, Side, compare as compared};
use crate::report::fixture;
use crate::scenario;

/// A scenario with something of everything that a plan shows.
const SCENARIO: &str = r#"name = "three"
description = "Three faults, one of which comes again."
[[topic]]
name = "chat"
[[producer]]
name = "chatters"
topic = "chat"
[[fault]]
id = "kill"
at = "1s"
for = "2s"
kill = { target = "random" }
[[fault]]
id = "frozen"
after = "kill"
delay = "1s"
for = "1s"
pause = { target = "same:kill" }
[[fault]]
id = "again"
every = "5s"
until = "16s"
for = "1s"
disconnect = { target = "broker:2" }
[safety]
max-unavailable = 1
deadline = "5m"
"#;

/// Holds one or several lines of JSON against the section of a command.
#[track_caller]
pub(super) fn assert_documented(command: &str, text: &str) {
    let page = include_str!("../../docs/json.md");
    let heading = format!("\n## {command}\n");
    let start = page.find(&heading).unwrap_or_else(|| panic!("docs/json.md has no section {command}"));
    let section = &page[start + heading.len()..];
    let section = section.find("\n## ").map_or(section, |end| &section[..end]);
    let mut names = BTreeSet::new();
    for value in Deserializer::from_str(text).into_iter::<Value>() {
        collect(&value.expect("JSON and nothing else"), "", &mut names);
    }
    let is_there = |name: &str| section.contains(&format!("| `{name}` |"));
    // A name below one that ends in `.*` is explained elsewhere, where the section says.
    let is_below = |name: &str| name.match_indices('.').any(|(end, _)| is_there(&format!("{}.*", &name[..end])));
    let missing: Vec<&String> = names.iter().filter(|name| !is_there(name) && !is_below(name)).collect();
    assert!(missing.is_empty(), "docs/json.md, {command}: {missing:?}");
}

/// The names of all that is no object, such as `checks[].found`.
fn collect(value: &Value, name: &str, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let dot = if name.is_empty() { "" } else { "." };
            for (key, value) in fields {
                collect(value, &format!("{name}{dot}{key}"), names);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for item in items {
                collect(item, &format!("{name}[]"), names);
            }
        }
        _ => drop(names.insert(name.to_owned())),
    }
}

#[test]
fn a_verdict_is_the_same_for_run_and_check() {
    for report in [fixture::valid(), fixture::invalid(), fixture::inconclusive()] {
        let text = outcome::as_json(&report.verdict);
        assert_eq!(text.lines().count(), 1, "one line a run");
        assert_documented("run, check", &text);
    }
}

#[test]
fn a_list_tells_what_each_file_is() {
    let read = |file: &str, text: &str| (file.to_owned(), scenario::parse(file, text));
    let text = list::as_json(&[read("three.toml", SCENARIO), read("bad.toml", "name = 3")]);
    insta::assert_snapshot!("list", text);
    assert_documented("list", &text);
}

#[test]
fn a_plan_is_plan_json_and_what_follows_from_it() {
    let scenario = scenario::parse("three.toml", SCENARIO).expect("a valid scenario").scenario;
    let text = plan::to_json(&scenario, &crate::plan::plan(&scenario, 7));
    insta::assert_snapshot!("plan", text);
    assert_documented("plan", &text);
}

#[test]
fn a_comparison_tells_what_differs_and_by_how_much() {
    let mut after = fixture::invalid();
    after.scenario_toml = after.scenario_toml.replace("\"15s\"", "\"20s\"");
    let text = compare::as_json(&compared(&Side::of(&fixture::valid()), &Side::of(&after), Factor::default()));
    insta::assert_snapshot!("compare", text);
    assert_documented("compare", &text);
}

#[test]
fn the_doctor_tells_each_finding() {
    let checks = [Check::ok("engine", "it answers"), Check::problem("ports", "9092 is taken", "end it")];
    let text = doctor::as_json(&checks);
    insta::assert_snapshot!("doctor", text);
    assert_documented("doctor", &text);
}

#[test]
fn a_status_is_one_line() {
    let text = status::render(&status::sample(), super::Format::Json, super::terminal::Style::Plain);
    assert_eq!(text.lines().count(), 1);
    insta::assert_snapshot!("status", text);
    assert_documented("status", &text);
}

#[test]
fn up_tells_how_to_reach_what_stands() {
    let endpoint = |port| Endpoint::new("localhost", port);
    let up = Up {
        brokers: vec![
            ("kafka-1".to_owned(), endpoint(9092), Action::Made),
            ("kafka-2".to_owned(), endpoint(9093), Action::Running),
        ],
        topic: Made::New,
        access: Access::plaintext(vec![endpoint(9092), endpoint(9093)]),
    };
    let Command::Up(args) = parsed(&["up", "--format", "json"]) else { panic!("another command") };
    let text = up::told(&up, &args, super::terminal::Style::Plain);
    insta::assert_snapshot!("up", text);
    assert_documented("up", &text);
}

#[test]
fn a_receipt_is_one_line_and_so_is_a_record() {
    let Command::Produce(args) = parsed(&["produce", "chat", "Hello", "--format", "json"]) else {
        panic!("another command")
    };
    let receipts = produce::stored_line(&args, 1, 2, Some(41)) + &produce::stored_line(&args, 2, 0, None);
    insta::assert_snapshot!("produce", receipts);
    assert_documented("produce", &receipts);

    let header = rdkafka::message::Header { key: "from", value: Some(&[0xff_u8][..]) };
    let headers = rdkafka::message::OwnedHeaders::new().insert(header);
    let of = |payload: &[u8], key| {
        let time = rdkafka::Timestamp::CreateTime(1_700_000_000_000);
        let (payload, topic) = (Some(payload.to_vec()), "chat".to_owned());
        rdkafka::message::OwnedMessage::new(payload, key, topic, time, 2, 41, Some(headers.clone()))
    };
    let mut out = Vec::new();
    record(&mut out, &of(b"Hello", Some(b"room-1".to_vec())), Shape::Json).expect("memory takes it");
    record(&mut out, &of(&[0xff, 0x00], Some(vec![0xfe])), Shape::Json).expect("memory takes it");
    let records = String::from_utf8(out).expect("JSON is text");
    insta::assert_snapshot!("consume", records);
    assert_documented("consume", &records);
}

#[test]
fn topics_are_listed_and_described() {
    let sample = status::sample();
    let partitions: Vec<&PartitionView> = sample.view.partitions.iter().collect();
    let listed = topics::list_json(&BTreeMap::from([("chat", partitions.clone())]));
    insta::assert_snapshot!("topics_list", listed);
    assert_documented("topics list", &listed);
    let value = Some("2".to_owned());
    let setting = Setting { name: "min.insync.replicas".to_owned(), value, set_by: "topic" };
    let described = topics::describe_json(&[("chat", partitions, vec![setting])]);
    insta::assert_snapshot!("topics_describe", described);
    assert_documented("topics describe", &described);
}

fn parsed(line: &[&str]) -> Command {
    Cli::try_parse_from([&["wiber-chaos"], line].concat()).expect("legal arguments").command
}

/// Every command, and every command of a command, that writes JSON when it is asked to.
fn that_write_json(command: &clap::Command, name: &str, found: &mut BTreeSet<String>) {
    let is_json = |arg: &clap::Arg| {
        arg.get_long() == Some("format") && arg.get_possible_values().iter().any(|value| value.matches("json", false))
    };
    if command.get_arguments().any(is_json) {
        found.insert(name.to_owned());
    }
    for below in command.get_subcommands() {
        that_write_json(below, format!("{name} {}", below.get_name()).trim(), found);
    }
}

#[test]
fn every_command_that_writes_json_has_its_section() {
    let mut found = BTreeSet::new();
    that_write_json(&Command::augment_subcommands(clap::Command::new("")), "", &mut found);
    let page = include_str!("../../docs/json.md");
    let headings: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .flat_map(|heading| heading.split(", ").map(str::to_owned))
        .filter(|heading| !heading.contains("--from"))
        .collect();
    assert_eq!(headings, found);
}
