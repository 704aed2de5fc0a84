//! The JSON Schema of scenarios: it is the one in docs/, takes every scenario that ships, refuses what is obviously wrong, and its
//! defaults and required keys are those of the program.

#[path = "support/json_schema.rs"]
mod json_schema;

use std::fs;

use json_schema::problems_of;
use serde_json::{Value, json};
use wiber_chaos::cli::list::scenario_files;
use wiber_chaos::fault::FaultKind;
use wiber_chaos::scenario::{Scenario, parse, schema};

const KEPT: &str = "docs/scenario.schema.json";

/// A scenario with as few keys as there may be.
const LEAST: &str = "name = \"s\"\n[[topic]]\nname = \"chat\"\n[[producer]]\nname = \"chatters\"\ntopic = \"chat\"\n";

/// The least that each kind of fault may say of itself.
const LEAST_OF_KINDS: [(&str, &str); 29] = [
    ("kill", "target = \"random\""),
    ("stop", "target = \"random\""),
    ("restart", "target = \"random\""),
    ("pause", "target = \"random\""),
    ("rolling", ""),
    ("crash-loop", "target = \"random\""),
    ("limit", "target = \"random\", cpu = \"20%\""),
    ("partition", "target = \"random\""),
    ("isolate", "target = \"random\""),
    ("bridge", "target = \"random\""),
    ("all-apart", ""),
    ("disconnect", "target = \"random\""),
    ("degrade", "target = \"random\", latency = \"50ms\""),
    ("disk-full", "target = \"random\""),
    ("disk-read-only", "target = \"random\""),
    ("disk-slow", "target = \"random\", bandwidth = \"1MiB/s\""),
    ("damage", "target = \"leader:chat-0\", file = \"log\""),
    ("wipe", "target = \"random\""),
    ("elect", "partition = \"chat-0\""),
    ("transfer-leader", "partition = \"chat-0\""),
    ("reassign", "partition = \"chat-0\""),
    ("alter-config", "topic = \"chat\", set = { \"max.message.bytes\" = 100000 }"),
    ("delete-records", "partition = \"chat-0\""),
    ("fail-over", ""),
    ("fence", "target = \"producer:payers\""),
    ("crash-client", "target = \"producer:chatters\""),
    ("freeze-client", "target = \"producer:chatters\""),
    ("slow-consumer", "target = \"member:readers\", rate = \"100/s\""),
    ("rebalance-storm", "group = \"readers\""),
];

/// A TOML text as the schema sees it.
fn json_of(text: &str) -> Value {
    let table: toml::Table = text.parse().expect("the text is TOML");
    serde_json::to_value(table).expect("TOML without dates is JSON")
}

fn problems(text: &str) -> Vec<String> {
    problems_of(&schema::schema(), &json_of(text))
}

fn scenario(text: &str) -> Result<Scenario, String> {
    parse("s.toml", text).map(|parsed| parsed.scenario).map_err(|error| error.to_string())
}

/// A scenario with a fault of this kind, whatever that strikes.
fn with_fault(kind: &str, keys: &str) -> String {
    let has_length = FaultKind::ALL.iter().any(|facts| facts.name == kind && facts.has_length);
    let length = if has_length { "for = \"10s\"\n" } else { "" };
    let transactions = "[[producer]]\nname = \"payers\"\ntopic = \"chat\"\ntransactions = { records = 10 }\n";
    let group = "[[consumer-group]]\nname = \"readers\"\ntopics = [\"chat\"]\n[cluster]\ndisk = \"1GiB\"\n";
    // A slow disk is one that was not bounded in memory.
    let group = if kind == "disk-slow" { group.replace("disk = \"1GiB\"\n", "") } else { group.to_owned() };
    format!("{LEAST}{transactions}{group}[[fault]]\nid = \"f\"\nat = \"5s\"\n{length}{kind} = {{ {keys} }}\n")
}

#[test]
fn the_schema_in_docs_is_the_one_that_the_program_prints() {
    let kept = fs::read_to_string(KEPT).expect("the schema is kept in docs/");
    assert!(kept == schema::text(), "{KEPT} is stale: wiber-chaos schema > {KEPT}");
}

#[test]
fn the_schema_says_by_which_standard_it_is_one_and_refers_to_nothing() {
    assert_eq!(schema::schema()["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(!schema::text().contains("$ref"));
}

#[test]
fn every_scenario_that_ships_is_taken() {
    let files = scenario_files("scenarios".as_ref()).expect("the scenarios");
    assert!(files.len() > 50, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).expect("a scenario");
        assert_eq!(problems(&text), Vec::<String>::new(), "{}", file.display());
    }
}

#[test]
fn what_is_obviously_wrong_is_refused() {
    let fault = |body: &str| format!("{LEAST}[[fault]]\n{body}");
    let wrong = [
        ("", "nothing is there"),
        ("name = \"s\"", "no topic, no producer"),
        (&LEAST.replace("\"s\"", "7"), "a number for a name"),
        (&format!("{LEAST}rate = 5000"), "a bare number"),
        (&format!("{LEAST}rate = \"5000/min\""), "a unit that rates have not"),
        (&format!("{LEAST}speed = \"5000/s\""), "an unknown key"),
        (&format!("{LEAST}count = -1"), "fewer than none"),
        (&format!("{LEAST}[phases]\nchaos = \"30\""), "no unit"),
        (&format!("{LEAST}[cluster]\nkind = \"podman\""), "a word that is none"),
        (&format!("{LEAST}[expect]\nlost-writes = \"allowed\""), "a check that does not exist"),
        (&format!("{LEAST}[expect]\nduplicate = \"fine\""), "an expectation that is none"),
        (&format!("{LEAST}[topics]\nname = \"chat\""), "a table that does not exist"),
        (&fault("at = \"5s\"\nfor = \"5s\"\nkill = { target = \"random\" }"), "no id"),
        (&fault("id = \"f\"\nfor = \"5s\"\nkill = { target = \"random\" }"), "no start"),
        (&fault("id = \"f\"\nat = \"5s\"\nkill = { target = \"random\" }"), "no length"),
        (&fault("id = \"f\"\nat = \"5s\"\nfor = \"5s\""), "no kind"),
        (&fault("id = \"f\"\nat = \"5s\"\nfor = \"5s\"\nkill = {}"), "no target"),
        (&fault("id = \"f\"\nat = \"5s\"\nfor = \"5s\"\nkill = { target = \"nobody\" }"), "no such target"),
        (
            &fault("id = \"f\"\nat = \"5s\"\nfor = \"5s\"\nkill = { target = \"all\" }\npause = { target = \"all\" }"),
            "two",
        ),
        (&fault("id = \"f\"\nat = \"5s\"\nfor = \"5s\"\nkill = { target = \"all\", signal = \"SIGNAL\" }"), "a signal"),
    ];
    for (text, why) in wrong {
        assert!(!problems(text).is_empty(), "{why}:\n{text}");
        assert!(scenario(text).is_err(), "the program takes it: {why}");
    }
}

#[test]
fn each_kind_is_taken_with_the_least_that_the_program_asks_of_it() {
    let kinds: Vec<&str> = LEAST_OF_KINDS.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, FaultKind::NAMES);
    for (kind, keys) in LEAST_OF_KINDS {
        let text = with_fault(kind, keys);
        assert_eq!(scenario(&text).err(), None, "{text}");
        assert_eq!(problems(&text), Vec::<String>::new(), "{text}");
        let required = &schema::schema()["properties"]["fault"]["items"]["properties"][kind]["required"];
        for key in required.as_array().into_iter().flatten() {
            assert!(keys.contains(&format!("{} = ", key.as_str().expect("a key"))), "{kind} requires {key}");
        }
    }
}

#[test]
fn the_defaults_of_each_kind_are_what_it_does_without_its_keys() {
    let kinds = &schema::schema()["properties"]["fault"]["items"]["properties"];
    for (kind, keys) in LEAST_OF_KINDS {
        let least = scenario(&with_fault(kind, keys)).expect("a scenario");
        for (key, property) in kinds[kind]["properties"].as_object().expect("keys") {
            let Some(default) = property.get("default") else { continue };
            let separator = if keys.is_empty() { "" } else { ", " };
            let text = with_fault(kind, &format!("{keys}{separator}{key} = {default}"));
            assert_eq!(scenario(&text), Ok(least.clone()), "{text}");
        }
    }
}

/// A table of a scenario, as the text that comes before its keys, and where the schema has it.
fn tables() -> Vec<(String, &'static str)> {
    let group = "[[consumer-group]]\nname = \"readers\"\ntopics = [\"chat\"]\n";
    vec![
        (format!("{LEAST}[cluster]\n"), "/properties/cluster"),
        (format!("{LEAST}[[topic]]\nname = \"more\"\n"), "/properties/topic/items"),
        (LEAST.to_owned(), "/properties/producer/items"),
        (format!("{LEAST}{group}"), "/properties/consumer-group/items"),
        (format!("{LEAST}[phases]\n"), "/properties/phases"),
        (format!("{LEAST}[safety]\n"), "/properties/safety"),
        (format!("{LEAST}[expect]\n"), "/properties/expect"),
        (format!("{LEAST}[evidence]\n"), "/properties/evidence"),
        (
            format!("{LEAST}[producer.transactions]\nrecords = 10\n"),
            "/properties/producer/items/properties/transactions",
        ),
        (
            format!(
                "{LEAST}[[topic]]\nname = \"out\"\n[[transformer]]\nname = \"t\"\nfrom = \"chat\"\nto = \"out\"\n\
                 transactions = {{ records = 10 }}\n"
            ),
            "/properties/transformer/items",
        ),
    ]
}

#[test]
fn the_defaults_of_each_table_are_what_holds_without_its_keys() {
    let schema = schema::schema();
    let mut tried = 0;
    for (text, place) in tables() {
        let least = scenario(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
        let properties = schema.pointer(place).expect("the table")["properties"].as_object().expect("keys");
        for (key, default) in properties.iter().filter_map(|(key, it)| it.get("default").map(|default| (key, default)))
        {
            let text = format!("{text}{key} = {default}\n");
            let explicit = scenario(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
            let same = Scenario { expect: least.expect.clone(), ..explicit.clone() };
            assert_eq!(same, least, "{text}");
            let usual = |check| explicit.expectation(check) == least.expectation(check);
            assert!(wiber_chaos::anomaly::CheckName::ALL.into_iter().all(usual), "{text}");
            tried += 1;
        }
    }
    assert!(tried > 40, "{tried} defaults are told");
}

#[test]
fn each_required_key_is_one_that_the_program_misses() {
    let whole = format!(
        "{LEAST}[[consumer-group]]\nname = \"readers\"\ntopics = [\"chat\"]\n[[threshold]]\nmetric = \"recovery\"\nmax = \"9s\"\n\
         [[topic]]\nname = \"out\"\n[[transformer]]\nname = \"t\"\nfrom = \"chat\"\nto = \"out\"\ntransactions = {{ records = 10 }}\n"
    );
    assert_eq!(scenario(&whole).err(), None);
    let schema = schema::schema();
    let whole: toml::Table = whole.parse().expect("TOML");
    let without = |table: &str, key: &str| {
        let mut rest = whole.clone();
        match rest.get_mut(table).and_then(toml::Value::as_array_mut) {
            Some(items) => drop(items[0].as_table_mut().expect("a table").remove(key)),
            None => drop(rest.remove(key)),
        }
        toml::to_string(&rest).expect("TOML")
    };
    let tables = ["topic", "producer", "consumer-group", "transformer", "threshold"];
    let of_tables = tables.iter().map(|table| (*table, &schema["properties"][table]["items"]["required"]));
    for (table, required) in of_tables.chain([("", &schema["required"])]) {
        let keys: Vec<&str> = required.as_array().expect("keys").iter().filter_map(Value::as_str).collect();
        assert!(!keys.is_empty(), "{table}");
        for key in keys {
            assert!(scenario(&without(table, key)).is_err(), "[[{table}]] without {key}");
        }
    }
    assert_eq!(schema["required"], json!(["name", "topic", "producer"]));
}
