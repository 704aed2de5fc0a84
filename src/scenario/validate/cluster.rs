//! `[cluster]` and `[[topic]]`: what is started, and whether Kafka could ever serve it.

use std::collections::BTreeMap;

use super::{attach, count, items, names, require};
use crate::scenario::leaf::{Bytes, Properties, Property};
use crate::scenario::problem::{Problems, Span};
use crate::scenario::raw::{RawCluster, RawScenario, RawTopic};
use crate::scenario::read::{At, Field};
use crate::scenario::{ClusterKind, ClusterSpec, TopicSpec, units};

const MOST_BROKERS: u32 = 30;
/// The run's machine only watches them.
const MOST_ATTACHED_BROKERS: u32 = 1000;
const MOST_PARTITIONS: u32 = 10_000;
const DEFAULT_BROKERS: u32 = 3;
const DEFAULT_PARTITIONS: u32 = 3;
const DEFAULT_REPLICAS: u32 = 3;
const MIB: u64 = 1024 * 1024;
/// Each broker's heap when nobody says.
pub const DEFAULT_HEAP_BYTES: u64 = 512 * MIB;
/// A combined broker and controller runs out of memory while it starts with less.
const LEAST_HEAP_BYTES: u64 = 128 * MIB;
/// With less, what the brokers write about themselves fills the disk before a load does.
const LEAST_DISK_BYTES: u64 = 64 * MIB;
const DEFAULT_START_LIMIT: std::time::Duration = std::time::Duration::from_secs(180);

/// Broker properties that the harness must set itself, for a broker to be reachable and one of the cluster.
const OWNED_BROKER_PROPERTIES: [&str; 14] = [
    "advertised.listeners",
    "auto.create.topics.enable",
    "broker.id",
    "cluster.id",
    "controller.listener.names",
    "controller.quorum.bootstrap.servers",
    "controller.quorum.voters",
    "inter.broker.listener.name",
    "listener.security.protocol.map",
    "listeners",
    "log.dir",
    "log.dirs",
    "node.id",
    "process.roles",
];

/// What kind of cluster it is, unless that could not be read.
pub(super) fn kind(raw: &RawScenario) -> Option<ClusterKind> {
    if raw.cluster.is_missing() {
        return Some(ClusterKind::Docker);
    }
    kind_of(raw.cluster.value()?)
}

fn kind_of(cluster: &RawCluster) -> Option<ClusterKind> {
    if cluster.kind.is_missing() { Some(ClusterKind::Docker) } else { cluster.kind.value().copied() }
}

/// How many brokers there are, unless that could not be read.
pub(super) fn brokers(raw: &RawScenario) -> Option<u32> {
    if raw.cluster.is_missing() {
        return Some(DEFAULT_BROKERS);
    }
    let cluster = raw.cluster.value()?;
    if cluster.brokers.is_missing() { default_brokers(cluster) } else { cluster.brokers.value().copied() }
}

/// Who names the containers of an attached cluster has counted its brokers.
fn default_brokers(cluster: &RawCluster) -> Option<u32> {
    match &cluster.containers {
        Field::Good(named) if kind_of(cluster) == Some(ClusterKind::Attach) && !named.value.0.is_empty() => {
            u32::try_from(named.value.0.len()).ok()
        }
        Field::Bad => None,
        Field::Good(_) | Field::Missing => Some(DEFAULT_BROKERS),
    }
}

/// How many partitions a topic has, unless that could not be read.
pub(super) fn partitions(topic: &RawTopic) -> Option<u32> {
    if topic.partitions.is_missing() { Some(DEFAULT_PARTITIONS) } else { topic.partitions.value().copied() }
}

/// How many replicas a topic's partitions have, unless that could not be read.
pub(super) fn replicas(topic: &RawTopic, brokers: Option<u32>) -> Option<u32> {
    if topic.replication_factor.is_missing() {
        return brokers.map(|brokers| brokers.min(DEFAULT_REPLICAS));
    }
    topic.replication_factor.value().copied()
}

/// `[cluster]`.
pub(super) fn cluster(raw: &RawScenario, problems: &mut Problems) -> ClusterSpec {
    let Some(cluster) = raw.cluster.value() else {
        return ClusterSpec {
            kind: ClusterKind::Docker,
            brokers: DEFAULT_BROKERS,
            image: None,
            heap_bytes: DEFAULT_HEAP_BYTES,
            disk_bytes: None,
            start_limit: DEFAULT_START_LIMIT,
            config: BTreeMap::new(),
            attach: None,
        };
    };
    let kind = kind_of(cluster);
    if let Some(kind) = kind {
        refuse_what_the_kind_has_not(kind, cluster, problems);
    }
    if let Some(limit) = cluster.start_limit.get().filter(|limit| limit.value.is_zero()) {
        problems
            .error(&limit.span, "no cluster starts in no time", "zero")
            .help("three brokers on two cores take 10 to 20 s; the default is \"180s\"");
    }
    let is_attached = kind == Some(ClusterKind::Attach);
    if !is_attached {
        check_what_is_started(cluster, problems);
    }
    let most = if is_attached { MOST_ATTACHED_BROKERS } else { MOST_BROKERS };
    let default_brokers = default_brokers(cluster).unwrap_or(DEFAULT_BROKERS);
    ClusterSpec {
        kind: kind.unwrap_or(ClusterKind::Docker),
        brokers: count(&cluster.brokers, "brokers", default_brokers, most, problems),
        image: cluster.image.value().cloned(),
        heap_bytes: cluster.heap.or(Bytes(DEFAULT_HEAP_BYTES)).0,
        disk_bytes: cluster.disk.value().map(|disk| disk.0),
        start_limit: cluster.start_limit.or(DEFAULT_START_LIMIT),
        config: cluster.config.value().map(Properties::to_map).unwrap_or_default(),
        attach: is_attached.then(|| attach::spec(cluster, problems)),
    }
}

/// What the harness gives the brokers that it starts.
fn check_what_is_started(cluster: &RawCluster, problems: &mut Problems) {
    check_heap(cluster, problems);
    check_disk(cluster, problems);
    if let Some(image) = cluster.image.get().filter(|image| image.value.trim().is_empty()) {
        problems
            .error(&image.span, "the image has no name", "empty")
            .help("write image = \"apache/kafka:4.2.0\", or leave the line out");
    }
    if let Some(config) = cluster.config.value() {
        refuse_owned_properties(config, problems);
        refuse_compaction(config, "log.cleanup.policy", problems);
    }
}

fn check_heap(cluster: &RawCluster, problems: &mut Problems) {
    if let Some(At { span, .. }) = cluster.heap.get().filter(|heap| heap.value.0 < LEAST_HEAP_BYTES) {
        problems
            .error(span, "a broker does not start with so little heap", "too small")
            .help("write at least \"128MiB\"; the default is \"512MiB\"");
    }
}

fn check_disk(cluster: &RawCluster, problems: &mut Problems) {
    if let Some(At { span, .. }) = cluster.disk.get().filter(|disk| disk.value.0 < LEAST_DISK_BYTES) {
        problems
            .error(span, "a broker fills so small a disk by itself", "too small")
            .help("write at least \"64MiB\", and more than the run's records take on one broker");
    }
}

/// Each kind of cluster has keys of its own.
fn refuse_what_the_kind_has_not(kind: ClusterKind, cluster: &RawCluster, problems: &mut Problems) {
    let of_docker = [
        ("image", cluster.image.get().map(|at| &at.span)),
        ("heap", cluster.heap.get().map(|at| &at.span)),
        ("disk", cluster.disk.get().map(|at| &at.span)),
        ("config", cluster.config.get().map(|at| &at.span)),
    ];
    let of_attach = [
        ("bootstrap", cluster.bootstrap.get().map(|at| &at.span)),
        ("containers", cluster.containers.get().map(|at| &at.span)),
        ("client", cluster.client.get().map(|at| &at.span)),
    ];
    let present = |keys: &[(&'static str, Option<&Span>)]| {
        keys.iter().filter_map(|(key, span)| Some((*key, (*span)?.clone()))).collect::<Vec<_>>()
    };
    if kind != ClusterKind::Attach {
        for (key, span) in present(&of_attach) {
            problems
                .error(&span, format!("`{key}` is for a cluster that is there already"), "only for kind = \"attach\"")
                .help("remove it, or write kind = \"attach\": other clusters are started by the run itself");
        }
    }
    if kind == ClusterKind::Mock {
        for (key, span) in present(&of_docker) {
            problems
                .error(&span, format!("a mock cluster has no `{key}`"), "only for kind = \"docker\"")
                .help("remove it, or write kind = \"docker\": a mock is librdkafka's own, inside this process");
        }
    }
    if kind == ClusterKind::Attach {
        for (key, span) in present(&of_docker) {
            let help = match key {
                "config" => "write it into the `config` of a [[topic]], or set it where the cluster is set up",
                _ => "remove it: the cluster is there already, and a run changes no broker's settings",
            };
            problems
                .error(&span, format!("`{key}` is for brokers that the run starts"), "only for kind = \"docker\"")
                .help(help);
        }
    }
}

fn refuse_owned_properties(config: &Properties, problems: &mut Problems) {
    for (name, Property { key_span, .. }) in &config.0 {
        if OWNED_BROKER_PROPERTIES.contains(&name.as_str()) {
            problems
                .error(key_span, format!("`{name}` is set by the harness"), "cannot be set here")
                .help("remove it: without its own value the brokers would not find one another, or nobody them");
        }
    }
}

/// Records share a few keys, so that a compacted log drops most of them by design: each would be called a lost write.
fn refuse_compaction(config: &Properties, name: &str, problems: &mut Problems) {
    let policy = config.any_of(&[name]).filter(|policy| policy.value.to_ascii_lowercase().contains("compact"));
    if let Some(policy) = policy {
        problems
            .error(&policy.span, "a compacted log loses records by design", "keeps only the last record of each key")
            .help(format!(
                "remove it, or write \"{name}\" = \"delete\": records share a few keys, and `lost-write` would report each \
                 one that compaction removed"
            ));
    }
}

/// Every `[[topic]]`.
pub(super) fn topics(raw: &RawScenario, problems: &mut Problems) -> Vec<TopicSpec> {
    if raw.topics.is_missing() || raw.topics.value().is_some_and(Vec::is_empty) {
        problems
            .error(&raw.span, "the scenario has no topic", "no [[topic]] in this file")
            .help("add [[topic]], and below it: name = \"chat\"");
    }
    let named = items(&raw.topics).filter_map(|topic| topic.name.get());
    names::unique("topics named", named, names::OWN_NAME, problems);
    let brokers = brokers(raw);
    items(&raw.topics).map(|topic| one_topic(raw, topic, brokers, problems)).collect()
}

fn one_topic(raw: &RawScenario, topic: &RawTopic, brokers: Option<u32>, problems: &mut Problems) -> TopicSpec {
    let name = require(&topic.name, "[[topic]]", &topic.span, "name", "name = \"chat\"", problems);
    if let Some(name) = name.filter(|name| name.value.starts_with("__")) {
        problems
            .error(&name.span, "names with two leading underscores are Kafka's own", "reserved")
            .help("choose another name");
    }
    check_replicas(topic, brokers, problems);
    check_min_insync(raw, topic, brokers, problems);
    if let Some(config) = topic.config.value() {
        refuse_compaction(config, "cleanup.policy", problems);
    }
    TopicSpec {
        name: name.map(|at| names::plain("topic", at, problems)).unwrap_or_default(),
        partitions: count(&topic.partitions, "partitions", DEFAULT_PARTITIONS, MOST_PARTITIONS, problems),
        replication_factor: replicas(topic, brokers).unwrap_or(DEFAULT_REPLICAS),
        config: topic.config.value().map(Properties::to_map).unwrap_or_default(),
    }
}

fn check_replicas(topic: &RawTopic, brokers: Option<u32>, problems: &mut Problems) {
    let Some(At { value: replicas, span }) = topic.replication_factor.get() else { return };
    if *replicas == 0 {
        problems.error(span, "`replication-factor` cannot be 0", "none").help("write at least 1");
    } else if let Some(brokers) = brokers.filter(|brokers| replicas > brokers) {
        let (replicas_text, brokers_text) = (units::plural(*replicas, "replica"), units::plural(brokers, "broker"));
        problems
            .error(span, format!("{replicas_text} do not fit on {brokers_text}"), "more than there are brokers")
            .help(format!("write at most {brokers} here, or more `brokers` in [cluster]"));
    }
}

/// The `min.insync.replicas` that holds for a topic, if the scenario sets one: its own, else the cluster's.
pub(super) fn min_insync<'a>(raw: &'a RawScenario, topic: &'a RawTopic) -> Option<&'a Property> {
    const NAME: [&str; 1] = ["min.insync.replicas"];
    let own = topic.config.value().and_then(|config| config.any_of(&NAME));
    own.or_else(|| raw.cluster.value()?.config.value()?.any_of(&NAME))
}

fn check_min_insync(raw: &RawScenario, topic: &RawTopic, brokers: Option<u32>, problems: &mut Problems) {
    let Some(property) = min_insync(raw, topic) else { return };
    let Ok(least) = property.value.parse::<u32>() else {
        problems
            .error(&property.span, "`min.insync.replicas` is a whole number", "not a number")
            .help("with three replicas it is usually 2");
        return;
    };
    let Some(replicas) = replicas(topic, brokers).filter(|replicas| least > *replicas) else { return };
    let topic_name = topic.name.or("?".to_owned());
    let message = format!("topic `{topic_name}` could never acknowledge a record with acks=all");
    let problem = problems.error(&property.span, message, format!("{least} in-sync replicas are wanted"));
    problem.help(format!("write at most {replicas} here, or a greater `replication-factor` in the topic"));
    let has = format!("it has {}", units::plural(replicas, "replica"));
    problem.and_at(topic.replication_factor.get().map_or(topic.span.clone(), |at| at.span.clone()), has);
}
