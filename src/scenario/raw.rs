//! The TOML as people write it: every table with its keys, their types, and what holds when a key is left out.
//!
//! Values are typed and carry their place in the file; whether they fit together is [`super::validate`]'s business.

use std::time::Duration;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::address::Containers;
use super::fault_table::{self, RawKind};
use super::leaf::{ByteRange, Bytes, Expectations, Properties, Ratio};
use super::problem::{Problems, Span};
use super::read::{At, FromToml, TOP_LEVEL_KEYS, raw_table};
use super::{ClusterKind, CommitMode, EmptyTarget, Metric, OffsetsCommitted, Rate, Spread, schema};
use crate::fault::{FaultId, FaultKind};
use crate::kafka::Endpoint;

/// Reads the file, noting all that is wrong with it; `None` when it is not even TOML.
pub(super) fn read(text: &str, problems: &mut Problems) -> Option<RawScenario> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let problem = problems.error(&span, format!("this is not TOML: {}", error.message()), "here");
        problem.help(help_for_syntax(text, &span, error.message()));
    }
    // What the parser guessed past an error would only breed further problems.
    errors.is_empty().then(|| RawScenario::from_table(table.get_ref(), beginning(text), problems))
}

/// The first line that is neither empty nor a comment: where a problem of the whole file is shown.
fn beginning(text: &str) -> Span {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if !trimmed.is_empty() && !trimmed.starts_with('#') {
            return start..start + line.trim_end().len();
        }
        start += line.len();
    }
    0..0
}

/// What is usually behind a syntax error.
fn help_for_syntax(text: &str, span: &Span, message: &str) -> &'static str {
    let rest_of_line = text.get(span.start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    if message.contains("duplicate key") {
        help_for_duplicate(text.get(span.clone()).unwrap_or_default())
    } else if rest_of_line.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        "text, durations, rates and sizes stand in quotes: at = \"5s\""
    } else {
        "https://toml.io shows the format on one page"
    }
}

/// A key that is there twice is often one that belongs to the whole file, written below a header.
fn help_for_duplicate(key: &str) -> &'static str {
    if TOP_LEVEL_KEYS.contains(&key) {
        "remove one of them; the scenario's own stands at the top of the file, above the first [header]"
    } else {
        "remove one of them; where there may be several tables they have double brackets, such as [[topic]]"
    }
}

raw_table! {
    /// The whole file.
    RawScenario, "the scenario" {
        /// The scenario's name. Required.
        name = "name": String,
        /// What it is about, in a sentence. Without it: none.
        description = "description": String,
        /// The seed of all chance. Without it each run draws its own and records it.
        seed = "seed": u64,
        /// The cluster. Without it: three brokers in Docker.
        cluster = "cluster": RawCluster,
        /// The topics. At least one.
        topics = "topic": Vec<At<RawTopic>>,
        /// The producers. At least one.
        producers = "producer": Vec<At<RawProducer>>,
        /// The consumer groups. Without them: none; the drain reads everything anyway.
        groups = "consumer-group": Vec<At<RawGroup>>,
        /// What consumes, transforms and produces. Without them: nothing.
        transformers = "transformer": Vec<At<RawTransformer>>,
        /// The phases.
        phases = "phases": RawPhases,
        /// The faults. Without them the run is a baseline.
        faults = "fault": Vec<At<RawFault>>,
        /// What bounds their harm. Without it: nothing.
        safety = "safety": RawSafety,
        /// What is expected of each check; one that is not named is forbidden to find anything.
        expect = "expect": Expectations,
        /// How much evidence a verdict needs.
        evidence = "evidence": RawEvidence,
        /// What must not be exceeded. Without them: nothing.
        thresholds = "threshold": Vec<At<RawThreshold>>,
    }
}

raw_table! {
    /// `[cluster]`.
    RawCluster, "[cluster]" {
        /// `docker`, `attach` or `mock`. Without it: `docker`.
        kind = "kind": ClusterKind,
        /// How many brokers. Without it: 3, or as many as there are containers when some are named.
        brokers = "brokers": u32,
        /// The image to run. Without it: the official one, else the local drop-in.
        image = "image": String,
        /// Each broker's heap. Without it: `512MiB`.
        heap = "heap": Bytes,
        /// How much each broker's disk holds. Without it: as much as the engine's own disk.
        disk = "disk": Bytes,
        /// How long the cluster may take to start, or to answer. Without it: `180s`.
        start_limit = "start-limit": Duration,
        /// Broker properties, over the safe defaults.
        config = "config": Properties,
        /// Whom to ask first. Required with `attach`, and only there.
        bootstrap = "bootstrap": Vec<At<Endpoint>>,
        /// The containers of the brokers that faults may strike, with `attach`. Without it: none may be.
        containers = "containers": Containers,
        /// librdkafka properties of every client's connections, with `attach`. Without it: plain text.
        client = "client": Properties,
    }
}

raw_table! {
    /// `[[topic]]`.
    RawTopic, "[[topic]]" {
        /// Its name. Required.
        name = "name": String,
        /// How many partitions. Without it: 3.
        partitions = "partitions": u32,
        /// How many replicas each. Without it: 3, or as many as there are brokers when there are fewer.
        replication_factor = "replication-factor": u32,
        /// Topic properties.
        config = "config": Properties,
    }
}

raw_table! {
    /// `[[producer]]`.
    RawProducer, "[[producer]]" {
        /// Their name. Required.
        name = "name": String,
        /// How many. Without it: 1.
        count = "count": u32,
        /// The topic they send to. Required.
        topic = "topic": String,
        /// Only these partitions. Without it: all.
        partitions = "partitions": Vec<At<u32>>,
        /// How fast each sends. Without it: `1000/s`.
        rate = "rate": Rate,
        /// Payload size, or a range of sizes. Without it: `128B`.
        size = "size": ByteRange,
        /// How many distinct keys each uses; 0: records without a key. Without it: 100.
        keys = "keys": u32,
        /// How many records each may have in flight. Without it: 10000.
        in_flight = "in-flight": u32,
        /// How many headers each record gets. Without it: none.
        headers = "headers": u32,
        /// How its records are put into transactions. Without it: they are in none.
        transactions = "transactions": RawTransactions,
        /// librdkafka properties, over the defaults.
        config = "config": Properties,
    }
}

raw_table! {
    /// `transactions` of a `[[producer]]`.
    RawTransactions, "`transactions`" {
        /// How many records are in one, at most. Required.
        records = "records": u32,
        /// How old one gets, at most. Without it: half its `timeout`.
        every = "every": Duration,
        /// Which share is aborted on purpose. Without it: none.
        abort = "abort": Ratio,
        /// When the coordinator gives one up that nobody ended. Without it: `30s`.
        timeout = "timeout": Duration,
    }
}

raw_table! {
    /// `[[consumer-group]]`.
    RawGroup, "[[consumer-group]]" {
        /// Its `group.id`. Required.
        name = "name": String,
        /// The topics it subscribes to. At least one.
        topics = "topics": Vec<At<String>>,
        /// How many members. Without it: 1.
        members = "members": u32,
        /// When members commit. Without it: `after-process`.
        commit = "commit": CommitMode,
        /// librdkafka properties, over the defaults.
        config = "config": Properties,
    }
}

raw_table! {
    /// `[[transformer]]`.
    RawTransformer, "[[transformer]]" {
        /// Its name, and the `group.id` that its instances read through. Required.
        name = "name": String,
        /// How many instances. Without it: 1.
        count = "count": u32,
        /// The topic it reads. Required.
        from = "from": String,
        /// The topic it writes one record to for each that it read. Required.
        to = "to": String,
        /// How what it writes is put into transactions. Required.
        transactions = "transactions": RawTransactions,
        /// Where the offsets of what it read are committed. Without it: `in-transaction`.
        offsets = "offsets": OffsetsCommitted,
        /// librdkafka properties of its producers, over the defaults.
        config = "config": Properties,
    }
}

raw_table! {
    /// `[phases]`.
    RawPhases, "[phases]" {
        /// Load without faults. Without it: `5s`.
        warmup = "warmup": Duration,
        /// Load with faults. Without it: `30s`.
        chaos = "chaos": Duration,
        /// At most this long until the cluster is whole again. Without it: `60s`.
        recovery = "recovery": Duration,
        /// At most this long until everybody has read to the end. Without it: `60s`.
        drain = "drain": Duration,
    }
}

raw_table! {
    /// When a `[[fault]]` strikes, and for how long.
    RawWhen, "[[fault]]", besides FaultKind::NAMES {
        /// Its name. Required.
        id = "id": String,
        /// This long after the chaos phase began. Either this, `after` or `every`.
        at = "at": Duration,
        /// After this fault was healed and the ISR was full again. Either this, `at` or `every`.
        after = "after": String,
        /// How much longer than `after`, or than the one before of a `repeat`. Without it: no longer.
        delay = "delay": Duration,
        /// From one start to the next, or a range that the seed draws from. Without it: no next one, or by `repeat`.
        every = "every": Spread,
        /// No start of an `every` is later. Without it: the end of the chaos phase.
        until = "until": Duration,
        /// How often; with `every` at most. Without it: once, or as often as there is time for.
        repeat = "repeat": u32,
        /// How long until it is healed, or a range that the seed draws from. Required, except for a restart, which heals
        /// itself.
        length = "for": Spread,
    }
}

/// `[[fault]]`: when, for how long, and exactly one of the kinds.
#[derive(Clone, Debug)]
pub struct RawFault {
    /// Where the table begins.
    pub span: Span,
    /// When, and for how long.
    pub when: RawWhen,
    /// Each kind that it names; it should be one.
    pub kinds: Vec<RawKind>,
    /// The kind that a misspelt key probably means, which has been noted.
    pub meant: Option<&'static str>,
}

impl RawFault {
    /// Where it stands when the fault starts; the table where that stands nowhere.
    pub fn start_span(&self) -> &Span {
        let RawWhen { at, after, every, .. } = &self.when;
        let start = at.get().map(|at| &at.span).or(after.get().map(|after| &after.span));
        start.or(every.get().map(|every| &every.span)).unwrap_or(&self.span)
    }
}

impl FromToml for RawFault {
    fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self> {
        let when = RawWhen::from_toml(key, value, problems)?;
        let table = value.get_ref().as_table()?;
        let id = FaultId(when.id.value().cloned().unwrap_or_default());
        let kinds = fault_table::read_kinds(table, &id, problems);
        Some(Self { span: when.span.clone(), kinds, meant: fault_table::meant(table), when })
    }

    fn schema() -> Value {
        schema::fault(RawWhen::documented())
    }
}

raw_table! {
    /// `[safety]`.
    RawSafety, "[safety]" {
        /// At most so many brokers may be kept away at one time. Without it: as many as the faults strike.
        max_unavailable = "max-unavailable": u32,
        /// Whether losing the controllers' quorum is meant, and not warned of. Without it: `false`.
        allow_quorum_loss = "allow-quorum-loss": bool,
        /// The chaos phase ends when the run has taken this long. Without it: no limit but those of the phases.
        deadline = "deadline": Duration,
        /// What a target means that is nobody: `fail` or `skip`. Without it: `fail`.
        empty_target = "empty-target": EmptyTarget,
    }
}

raw_table! {
    /// `[evidence]`.
    RawEvidence, "[evidence]" {
        /// At least this many acknowledged records. Without it: 1000.
        acked = "acked": u64,
        /// At least this many sends while each fault was in force. Without it: 100.
        sends_per_fault = "sends-per-fault": u64,
        /// At least this share of the rate that producers are asked for. Without it: any.
        rate = "rate": Ratio,
    }
}

raw_table! {
    /// `[[threshold]]`.
    RawThreshold, "[[threshold]]" {
        /// What is measured. Required.
        metric = "metric": Metric,
        /// The greatest value that is fine. Required.
        max = "max": Duration,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The part of the reference that is about one table: from its heading to the next one.
    fn section(heading: &str) -> &'static str {
        let text = include_str!("../../docs/scenario.md");
        let start = text.find(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("a heading for {heading}"));
        let section = &text[start + 4..];
        section.find("\n## ").map_or(section, |end| &section[..end])
    }

    #[test]
    fn the_reference_tells_of_every_key() {
        let tables = [
            ("[cluster]", RawCluster::KEYS),
            ("[[topic]]", RawTopic::KEYS),
            ("[[producer]]", RawProducer::KEYS),
            ("[[producer]]", RawTransactions::KEYS),
            ("[[consumer-group]]", RawGroup::KEYS),
            ("[phases]", RawPhases::KEYS),
            ("[[fault]]", RawWhen::KEYS),
            ("[[fault]]", FaultKind::NAMES),
            ("[safety]", RawSafety::KEYS),
            ("[evidence]", RawEvidence::KEYS),
            ("[[threshold]]", RawThreshold::KEYS),
        ];
        for (heading, keys) in tables {
            for key in keys {
                assert!(section(heading).contains(&format!("| `{key}` |")), "{heading} has {key}");
            }
        }
        for facts in FaultKind::ALL {
            let row = section("[[fault]]").lines().find(|line| line.starts_with(&format!("| `{}` |", facts.name)));
            let row = row.unwrap_or_else(|| panic!("a row for {}", facts.name));
            for key in facts.keys {
                let shown = [format!("`{key}`"), format!("`{key} = ")];
                assert!(shown.iter().any(|shown| row.contains(shown)), "{} has {key}", facts.name);
            }
        }
        for metric in Metric::ALL {
            assert!(section("[[threshold]]").contains(&format!("`{}`", metric.name())), "{}", metric.name());
        }
    }

    #[test]
    fn the_reference_tells_of_every_table() {
        let text = include_str!("../../docs/scenario.md");
        for key in RawScenario::KEYS {
            let shown = [format!("\n## [{key}]\n"), format!("\n## [[{key}]]\n"), format!("| `{key}` |")];
            assert!(shown.iter().any(|heading| text.contains(heading)), "{key}");
        }
    }
}
