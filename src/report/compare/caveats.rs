//! What a difference may come from: what was asked of the runs, and what they ran on.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Side, Source};
use crate::history::Environment;
use crate::scenario;
use crate::verdict::FaultLine;

/// Less memory than this, in percent of the greater, differs from one boot of a machine to the next.
const MEMORY_PERCENT: u64 = 5;

/// A key of `scenario.toml` whose value differs. What stands in `[[...]]` is named by its name or id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// The key, with the tables that it is in.
    pub key: String,
    /// What it was, as TOML; `None` where it was not there.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
}

/// Which keys differ, in their order. Comments, spaces and the order of keys do not matter, and secrets are hidden.
pub fn asked(before: &str, after: &str) -> Vec<Asked> {
    let (before, after) = (flat(before), flat(after));
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let one =
        |key: &String| Asked { key: key.clone(), before: before.get(key).cloned(), after: after.get(key).cloned() };
    keys.into_iter().map(one).filter(|asked| asked.before != asked.after).collect()
}

fn flat(text: &str) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    // A text that is no TOML was refused before it was run.
    if let Ok(table) = scenario::without_secrets(text).parse::<toml::Table>() {
        flatten("", &toml::Value::Table(table), &mut keys);
    }
    keys
}

fn flatten(path: &str, value: &toml::Value, keys: &mut BTreeMap<String, String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        toml::Value::Table(table) => table.iter().for_each(|(key, value)| flatten(&below(key), value, keys)),
        toml::Value::Array(items) if items.iter().all(toml::Value::is_table) && !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                flatten(&format!("{path}[{}]", name_of(item, at)), item, keys);
            }
        }
        plain => drop(keys.insert(path.to_owned(), plain.to_string())),
    }
}

/// How a person would call an item of a list.
fn name_of(item: &toml::Value, at: usize) -> String {
    let named = ["name", "id", "metric"].iter().find_map(|key| item.get(*key).and_then(toml::Value::as_str));
    named.map_or_else(|| at.to_string(), str::to_owned)
}

/// What a reader should know before a difference is believed.
pub(super) fn all(before: &Side, after: &Side) -> Vec<String> {
    let mut caveats = Vec::new();
    let (one, other) = (&before.verdict, &after.verdict);
    if one.scenario != other.scenario {
        caveats.push(format!("The scenarios are two: {} and {}.", one.scenario, other.scenario));
    }
    if one.seed != other.seed {
        caveats.push(format!(
            "The seeds are two, {} and {}: what they draw, targets and payloads among it, differs.",
            one.seed, other.seed
        ));
    }
    caveats.extend(environments(&before.environment, &after.environment));
    for (side, which) in [(before, "first"), (after, "second")] {
        if let Some(missing) = &side.cut {
            caveats.push(format!("The {which} run's history is cut: {missing}."));
        }
        if side.source == Source::Files {
            caveats.push(format!(
                "The {which} run has no history/ any more: what its verdict.json says was not judged anew."
            ));
        }
    }
    for line in &one.faults {
        let other = other.faults.iter().find(|other| other.id == line.id);
        caveats.extend(other.and_then(|other| struck(line, other)));
    }
    caveats
}

/// Whom a fault struck, if not the same.
fn struck(before: &FaultLine, after: &FaultLine) -> Option<String> {
    let whom = |line: &FaultLine| {
        let names: Vec<String> = line.targets.iter().map(ToString::to_string).collect();
        if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
    };
    let (one, other) = (whom(before), whom(after));
    (one != other).then(|| format!("{} struck {one} in the first run and {other} in the second.", before.id))
}

/// What the runs ran on, line by line.
fn environments(before: &Environment, after: &Environment) -> Vec<String> {
    let known = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".to_owned());
    let cpus = |value: Option<u64>| value.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
    let mut differ = Vec::new();
    let mut line = |what: &str, one: String, other: String| {
        if one != other {
            differ.push(format!("{what} differs: {one} and {other}."));
        }
    };
    line("The version of wiber-chaos", before.wiber_chaos.clone(), after.wiber_chaos.clone());
    line("The version of librdkafka", before.librdkafka.clone(), after.librdkafka.clone());
    line("The kind of cluster", before.cluster.clone(), after.cluster.clone());
    line("The brokers' image", known(&before.image), known(&after.image));
    if before.image == after.image {
        line("What is in the brokers' image", known(&before.image_digest), known(&after.image_digest));
    }
    line("The engine", known(&before.engine), known(&after.engine));
    line("The machine's system", known(&before.host), known(&after.host));
    line("The number of processors", cpus(before.cpus), cpus(after.cpus));
    if let (Some(one), Some(other)) = (before.memory_bytes, after.memory_bytes)
        && one.abs_diff(other) > one.max(other) / 100 * MEMORY_PERCENT
    {
        let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30));
        line("The machine's memory", gib(one), gib(other));
    }
    differ
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str =
        "name = \"s\"\n[cluster.config]\n\"min.insync.replicas\" = 2\n[[fault]]\nid = \"kill\"\nat = \"5s\"\n";

    #[test]
    fn keys_that_differ_are_told_with_the_tables_that_they_are_in() {
        let other = TOML.replace("\"5s\"", "\"9s\"").replace("= 2", "= 2\n\"broker.session.timeout.ms\" = 39000");
        let told: Vec<(String, Option<String>, Option<String>)> =
            asked(TOML, &other).into_iter().map(|asked| (asked.key, asked.before, asked.after)).collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            told,
            [
                ("cluster.config.broker.session.timeout.ms".to_owned(), None, text("39000")),
                ("fault[kill].at".to_owned(), text("\"5s\""), text("\"9s\"")),
            ]
        );
    }

    #[test]
    fn comments_and_the_order_of_keys_are_no_difference() {
        let other =
            format!("# a comment\n{}", TOML.replace("id = \"kill\"\nat = \"5s\"\n", "at = \"5s\"\nid  =  \"kill\"\n"));
        assert_eq!(asked(TOML, &other), []);
    }

    #[test]
    fn a_secret_that_was_changed_stays_one() {
        let with = |secret: &str| format!("{TOML}[cluster.client]\n\"sasl.password\" = \"{secret}\"\n");
        let told = format!("{:?}", asked(&with("hunter2"), &with("correct horse")));
        assert!(!told.contains("hunter2") && !told.contains("horse"), "{told}");
    }

    #[test]
    fn what_the_runs_ran_on_is_told_where_it_differs() {
        let before =
            Environment { wiber_chaos: "0.1.0".to_owned(), memory_bytes: Some(24 << 30), ..Environment::default() };
        let after = Environment { cpus: Some(8), memory_bytes: Some((24 << 30) - 4096), ..before.clone() };
        assert_eq!(environments(&before, &before), Vec::<String>::new());
        assert_eq!(environments(&before, &after), ["The number of processors differs: unknown and 8."]);
    }
}
