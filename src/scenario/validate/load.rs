//! `[[producer]]` and `[[consumer-group]]`: the load.

use super::{client, cluster, count, items, names, require, transactions};
use crate::scenario::leaf::{ByteRange, Properties};
use crate::scenario::problem::Problems;
use crate::scenario::raw::{RawGroup, RawProducer, RawScenario, RawTopic};
use crate::scenario::read::At;
use crate::scenario::{CommitMode, GroupSpec, HEADERS_MAX, ProducerSpec, Rate, units};

/// Each has a thread and connections of its own.
pub(super) const MOST_CLIENTS: u32 = 1000;
const MOST_KEYS: u32 = 1_000_000;
pub(super) const MOST_IN_FLIGHT: u32 = 1_000_000;
const DEFAULT_PER_SECOND: f64 = 1000.0;
const DEFAULT_SIZE_BYTES: u64 = 128;
const DEFAULT_KEYS: u32 = 100;
const DEFAULT_IN_FLIGHT: u32 = 10_000;
/// The header inside each payload, which names the record and carries its checksum, fits into this.
const LEAST_PAYLOAD_BYTES: u64 = 64;
/// librdkafka's `message.max.bytes` when nobody sets it.
const DEFAULT_MESSAGE_MAX_BYTES: u64 = 1_000_000;
/// What key and framing may add to a payload.
const FRAMING_BYTES: u64 = 512;
/// What a header may add: its key, its value and their lengths.
const MOST_HEADER_BYTES: u64 = 48;

/// Every `[[producer]]`.
pub(super) fn producers(raw: &RawScenario, problems: &mut Problems) -> Vec<ProducerSpec> {
    if raw.producers.is_missing() || raw.producers.value().is_some_and(Vec::is_empty) {
        problems
            .error(&raw.span, "the scenario has no producer", "no [[producer]] in this file")
            .help("add [[producer]], and below it: name = \"chatters\" and topic = \"chat\"");
    }
    let named = items(&raw.producers).filter_map(|producer| producer.name.get());
    names::unique("producers named", named, names::OWN_NAME, problems);
    items(&raw.producers).map(|producer| one_producer(raw, producer, problems)).collect()
}

fn one_producer(raw: &RawScenario, producer: &RawProducer, problems: &mut Problems) -> ProducerSpec {
    let table = "[[producer]]";
    let name = require(&producer.name, table, &producer.span, "name", "name = \"chatters\"", problems);
    let topic = require(&producer.topic, table, &producer.span, "topic", "topic = \"chat\"", problems);
    let declared = topic.and_then(|topic| declared_topic(raw, topic, problems));
    let size = producer.size.or(ByteRange(DEFAULT_SIZE_BYTES, DEFAULT_SIZE_BYTES));
    check_size(producer, problems);
    if let Some(config) = producer.config.value() {
        client::check(config, client::Role::Producer, cluster::kind(raw), problems);
    }
    let in_flight = count(&producer.in_flight, "in-flight", DEFAULT_IN_FLIGHT, MOST_IN_FLIGHT, problems);
    let narrow = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
    ProducerSpec {
        name: name.map(|at| names::plain("producer", at, problems)).unwrap_or_default(),
        count: count(&producer.count, "count", 1, MOST_CLIENTS, problems),
        topic: topic.map(|topic| topic.value.clone()).unwrap_or_default(),
        partitions: partitions(producer, declared, problems),
        rate: producer.rate.or(Rate::PerSecond(DEFAULT_PER_SECOND)),
        size_bytes: (narrow(size.0), narrow(size.1)),
        keys: keys(producer, problems),
        in_flight,
        headers: headers(producer, problems),
        transactions: producer.transactions.get().map(|transactions| {
            transactions::read(transactions, &producer.config, in_flight, cluster::kind(raw), problems)
        }),
        config: producer.config.value().map(Properties::to_map).unwrap_or_default(),
    }
}

/// The topic of this name; notes when no topic bears it.
pub(super) fn declared_topic<'a>(
    raw: &'a RawScenario,
    name: &At<String>,
    problems: &mut Problems,
) -> Option<&'a RawTopic> {
    let found = items(&raw.topics).find(|topic| topic.name.value() == Some(&name.value));
    let names_unread = items(&raw.topics).any(|topic| topic.name.get().is_none());
    if found.is_none() && !names_unread && raw.topics.value().is_some_and(|topics| !topics.is_empty()) {
        let known: Vec<String> = items(&raw.topics).filter_map(|topic| topic.name.value().cloned()).collect();
        problems
            .error(&name.span, format!("there is no topic `{}`", name.value), "not declared by any [[topic]]")
            .help(names::help_for_unknown(&name.value, "topic", &known));
    }
    found
}

fn partitions(producer: &RawProducer, topic: Option<&RawTopic>, problems: &mut Problems) -> Vec<u32> {
    let Some(chosen) = producer.partitions.get() else { return Vec::new() };
    if chosen.value.is_empty() {
        problems
            .error(&chosen.span, "a producer without partitions sends nothing", "empty")
            .help("leave the line out to send to every partition");
    }
    let mut seen = Vec::new();
    for At { value, span } in &chosen.value {
        if let Some(partitions) = topic.and_then(cluster::partitions).filter(|partitions| value >= partitions) {
            problems
                .error(span, format!("there is no partition {value}"), "not in the topic")
                .help(format!("the topic has {}, counted from 0", units::plural(partitions, "partition")));
        }
        if seen.contains(value) {
            problems.error(span, format!("partition {value} is named twice"), "again").help("name it once");
        }
        seen.push(*value);
    }
    seen
}

fn keys(producer: &RawProducer, problems: &mut Problems) -> u32 {
    if let Some(At { value, span }) = producer.keys.get().filter(|keys| keys.value > MOST_KEYS) {
        problems
            .error(span, format!("`keys` cannot be {value}"), "too many")
            .help(format!("write at most {MOST_KEYS}, or 0 for records without a key"));
    }
    producer.keys.or(DEFAULT_KEYS)
}

fn headers(producer: &RawProducer, problems: &mut Problems) -> u8 {
    let Some(At { value, span }) = producer.headers.get() else { return 0 };
    match u8::try_from(*value) {
        Ok(count) if count <= HEADERS_MAX => count,
        _ => {
            problems
                .error(span, format!("`headers` cannot be {value}"), "too many")
                .help(format!("write at most {HEADERS_MAX}: from 4 on each record has one of every shape"));
            0
        }
    }
}

fn check_size(producer: &RawProducer, problems: &mut Problems) {
    let Some(At { value: ByteRange(least, most), span }) = producer.size.get() else { return };
    if *least < LEAST_PAYLOAD_BYTES {
        problems
            .error(span, format!("a payload of {least}B cannot be checked"), "too small")
            .help(format!(
                "write at least \"{LEAST_PAYLOAD_BYTES}B\": each payload carries a header that names its record, and a checksum"
            ));
    }
    let limit = producer.config.value().and_then(|config| config.any_of(&["message.max.bytes"]));
    let limit = limit.map_or(Some(DEFAULT_MESSAGE_MAX_BYTES), |property| property.value.parse().ok());
    let beside = FRAMING_BYTES + u64::from(producer.headers.or(0)) * MOST_HEADER_BYTES;
    if let Some(limit) = limit.filter(|limit| *most > limit.saturating_sub(beside)) {
        problems.error(span, format!("librdkafka refuses records above {limit} bytes"), "too large").help(
            "write less, or raise \"message.max.bytes\" in the producer's config and \"max.message.bytes\" in the topic's",
        );
    }
}

/// Every `[[consumer-group]]`.
pub(super) fn groups(raw: &RawScenario, problems: &mut Problems) -> Vec<GroupSpec> {
    let named = items(&raw.groups).filter_map(|group| group.name.get());
    names::unique("consumer groups named", named, names::OWN_NAME, problems);
    items(&raw.groups).map(|group| one_group(raw, group, problems)).collect()
}

fn one_group(raw: &RawScenario, group: &RawGroup, problems: &mut Problems) -> GroupSpec {
    let table = "[[consumer-group]]";
    let name = require(&group.name, table, &group.span, "name", "name = \"chat-consumers\"", problems);
    let topics = require(&group.topics, table, &group.span, "topics", "topics = [\"chat\"]", problems);
    if let Some(topics) = topics {
        if topics.value.is_empty() {
            problems
                .error(&topics.span, "a group without topics reads nothing", "empty")
                .help("name at least one topic");
        }
        names::unique("subscriptions to", topics.value.iter(), "name each topic once", problems);
        for topic in &topics.value {
            declared_topic(raw, topic, problems);
        }
    }
    if let Some(config) = group.config.value() {
        client::check(config, client::Role::Group, cluster::kind(raw), problems);
    }
    GroupSpec {
        name: name.map(|at| names::plain("consumer group", at, problems)).unwrap_or_default(),
        topics: topics.map(|at| at.value.iter().map(|topic| topic.value.clone()).collect()).unwrap_or_default(),
        members: count(&group.members, "members", 1, MOST_CLIENTS, problems),
        commit: group.commit.or(CommitMode::AfterProcess),
        config: group.config.value().map(Properties::to_map).unwrap_or_default(),
    }
}
