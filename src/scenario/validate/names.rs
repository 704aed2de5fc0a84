//! Names: they become directories, topics and client ids, so they are plain, and nobody shares one.

use std::collections::BTreeMap;

use super::transformer::PRODUCERS_SUFFIX;
use super::{items, require};
use crate::scenario::problem::Problems;
use crate::scenario::raw::RawScenario;
use crate::scenario::read::At;
use crate::scenario::suggest::nearest;

/// Directory names, consumer groups and fault ids; Kafka itself takes topics of 249.
const LONGEST_NAME: usize = 100;

/// The scenario's name.
pub(super) fn scenario(raw: &RawScenario, problems: &mut Problems) -> String {
    // There is no line to point at when a key is missing from the whole file: point at its beginning.
    let name = require(&raw.name, "the scenario", &raw.span, "name", "name = \"kill-one\"", problems);
    name.map(|at| plain("scenario", at, problems)).unwrap_or_default()
}

/// Refuses a name that could not be a file's name.
pub(super) fn plain(what: &str, name: &At<String>, problems: &mut Problems) -> String {
    let At { value, span } = name;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let (message, label) = if value.is_empty() {
        (format!("a {what} needs a name"), "empty".to_owned())
    } else if let Some(bad) = value.chars().find(|c| !legal(*c)) {
        (format!("`{value}` cannot name a {what}"), format!("holds {bad:?}"))
    } else if value.starts_with(['.', '-']) {
        (format!("`{value}` cannot name a {what}"), "begins with a dot or a dash".to_owned())
    } else if value.len() > LONGEST_NAME {
        (format!("a {what}'s name has at most {LONGEST_NAME} characters"), format!("{} characters", value.len()))
    } else {
        return value.clone();
    };
    problems
        .error(span, message, label)
        .help("use letters, digits, `-`, `_` and `.`, beginning with a letter or a digit");
    value.clone()
}

/// What to do about two things of one name.
pub(super) const OWN_NAME: &str = "give each its own name: histories and reports tell them apart by it";

/// Refuses the second bearer of a name; `what` completes "there are two ...".
pub(super) fn unique<'a>(what: &str, names: impl Iterator<Item = &'a At<String>>, help: &str, problems: &mut Problems) {
    let mut first: BTreeMap<&str, &At<String>> = BTreeMap::new();
    for name in names {
        if let Some(other) = first.get(name.value.as_str()) {
            problems
                .error(&name.span, format!("there are two {what} `{}`", name.value), "the second")
                .and_at(other.span.clone(), "the first")
                .help(help);
        } else {
            first.insert(&name.value, name);
        }
    }
}

/// Clients of two kinds never share a name: the plan's seeds and the reports go by it. A transformer has two, its group's and
/// its producers'.
pub(super) fn clients_are_distinct(raw: &RawScenario, problems: &mut Problems) {
    let producers = items(&raw.producers).filter_map(|producer| producer.name.get()).map(|at| (at, "producer", ""));
    let groups = items(&raw.groups).filter_map(|group| group.name.get()).map(|at| (at, "group", ""));
    let transformers = || items(&raw.transformers).filter_map(|transformer| transformer.name.get());
    let readers = transformers().map(|at| (at, "transformer", ""));
    let writers = transformers().map(|at| (at, "transformer", PRODUCERS_SUFFIX));
    let mut first: BTreeMap<String, (&At<String>, &str)> = BTreeMap::new();
    for (at, kind, suffix) in producers.chain(groups).chain(readers).chain(writers) {
        let name = format!("{}{suffix}", at.value);
        // Two of one kind are told of where that kind is looked at.
        match first.get(&name) {
            Some((_, other)) if *other == kind && suffix.is_empty() => {}
            Some((other, other_kind)) => {
                problems
                    .error(
                        &at.span,
                        format!("a {other_kind} and a {kind} are both named `{name}`"),
                        format!("the {kind}"),
                    )
                    .and_at(other.span.clone(), format!("the {other_kind}"))
                    .help("give each its own name: plans and reports go by it");
            }
            None => {
                first.insert(name, (at, kind));
            }
        }
    }
}

/// "Did you mean", or what there is to choose from.
pub(super) fn help_for_unknown(written: &str, what: &str, known: &[String]) -> String {
    let words = || known.iter().map(String::as_str);
    match nearest(written, words()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if known.is_empty() => format!("the scenario declares no {what}"),
        None => format!("declared {what}s: {}", crate::scenario::suggest::listed(words())),
    }
}
