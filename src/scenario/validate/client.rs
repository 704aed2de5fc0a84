//! librdkafka properties: librdkafka itself says whether a name and its value are real; the rest is what the harness
//! must set itself, and combinations that librdkafka refuses only when the client is made, with the cluster running.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use crate::kafka::is_secret;
use crate::scenario::ClusterKind;
use crate::scenario::leaf::{Properties, Property};
use crate::scenario::problem::Problems;
use crate::scenario::suggest::nearest;

/// Whose properties these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A producer's.
    Producer,
    /// A consumer group's.
    Group,
    /// Every client's: those of `[cluster.client]`.
    Everyone,
}

/// Properties that belong to the harness, with the reason, for every role.
const OWNED: [(&str, &str); 8] = [
    ("bootstrap.servers", "the harness knows the brokers it started"),
    ("metadata.broker.list", "the harness knows the brokers it started"),
    ("client.id", "the history tells the clients apart by it"),
    ("statistics.interval.ms", "the harness needs its own interval"),
    ("debug", "librdkafka's debug log would drown the run's own"),
    ("log_level", "the harness collects the log itself"),
    ("test.mock.num.brokers", "write kind = \"mock\" in [cluster] instead"),
    ("plugin.library.paths", "a plugin could change records before they are recorded"),
];

/// Properties that belong to the harness in a producer.
const OWNED_BY_PRODUCERS: [(&str, &str); 9] = [
    ("queue.buffering.max.messages", "`in-flight` decides how many records may wait"),
    ("queue.buffering.max.kbytes", "`in-flight` decides how many records may wait"),
    ("partitioner", "the harness chooses each record's partition, so that the plan can name it"),
    ("transactional.id", "write transactions = { records = 100 } instead: each client gets an id of its own"),
    ("transaction.timeout.ms", "write it as `timeout` in `transactions`"),
    ("delivery.report.only.error", "a record counts as acknowledged only by its delivery report"),
    ("produce.offset.report", "the checkers need every acknowledged offset"),
    ("enable.gapless.guarantee", "it ends the producer at the first lost record, and the evidence with it"),
    ("dr_cb", "the harness receives the delivery reports"),
];

/// Properties that belong to the harness in a group.
const OWNED_BY_GROUPS: [(&str, &str); 8] = [
    ("group.id", "the group's `name` is its id"),
    ("enable.auto.commit", "write commit = \"auto\", \"after-process\" or \"before-process\" instead"),
    ("auto.commit.enable", "write commit = \"auto\", \"after-process\" or \"before-process\" instead"),
    ("enable.auto.offset.store", "`commit` decides when an offset is stored"),
    ("enable.partition.eof", "the drain needs to see the end of each partition"),
    ("auto.offset.reset", "a group reads from the beginning, so that every record is owed to it"),
    ("group.instance.id", "members would share the id, and fence one another"),
    ("consume.callback.max.messages", "the harness polls record by record"),
];

/// Property names that people reach for, so that a slip finds its word; librdkafka has no way to list its own.
const WELL_KNOWN: [&str; 37] = [
    "acks",
    "allow.auto.create.topics",
    "auto.commit.interval.ms",
    "batch.num.messages",
    "batch.size",
    "compression.type",
    "delivery.timeout.ms",
    "enable.idempotence",
    "enable.ssl.certificate.verification",
    "fetch.min.bytes",
    "fetch.wait.max.ms",
    "group.protocol",
    "heartbeat.interval.ms",
    "isolation.level",
    "linger.ms",
    "max.in.flight.requests.per.connection",
    "max.poll.interval.ms",
    "message.max.bytes",
    "message.timeout.ms",
    "metadata.max.age.ms",
    "partition.assignment.strategy",
    "reconnect.backoff.max.ms",
    "request.timeout.ms",
    "retries",
    "retry.backoff.ms",
    "sasl.mechanism",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "session.timeout.ms",
    "socket.timeout.ms",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.key.password",
    "topic.metadata.refresh.interval.ms",
];

/// Checks every property by itself, then together.
pub(super) fn check(config: &Properties, role: Role, cluster: Option<ClusterKind>, problems: &mut Problems) {
    let cluster = cluster.unwrap_or(ClusterKind::Docker);
    for (name, property) in &config.0 {
        if !refuse_owned(name, property, role, cluster, problems) {
            ask_librdkafka(name, property, Some(&property.value), problems);
        }
    }
    if role == Role::Producer {
        check_idempotence(config, problems);
    }
}

/// Whether the property belongs to the harness, which is noted.
pub(super) fn refuse_owned(
    name: &str,
    property: &Property,
    role: Role,
    cluster: ClusterKind,
    problems: &mut Problems,
) -> bool {
    let reason = owner_reason(name, role, cluster);
    if let Some(reason) = reason {
        problems
            .error(&property.key_span, format!("`{name}` is set by the harness"), "cannot be set here")
            .help(format!("remove it: {reason}"));
    }
    reason.is_some()
}

fn owner_reason(name: &str, role: Role, cluster: ClusterKind) -> Option<&'static str> {
    let is_attached = cluster == ClusterKind::Attach;
    if is_attached && matches!(name, "bootstrap.servers" | "metadata.broker.list") {
        return Some("`bootstrap` in [cluster] says where the brokers are");
    }
    let is_security = ["ssl.", "sasl."].iter().any(|prefix| name.starts_with(prefix))
        || matches!(name, "security.protocol" | "enable.ssl.certificate.verification");
    if is_security && role != Role::Everyone {
        let plain = "the cluster speaks plain text to its clients";
        return Some(if is_attached {
            "all clients connect alike, so it belongs into [cluster.client]"
        } else {
            plain
        });
    }
    let of_producers = OWNED_BY_PRODUCERS.iter().filter(|_| role != Role::Group);
    let of_groups = OWNED_BY_GROUPS.iter().filter(|_| role != Role::Producer);
    let mut owned = OWNED.iter().chain(of_producers).chain(of_groups);
    owned.find(|(owned, _)| *owned == name).map(|(_, reason)| *reason)
}

/// Lets librdkafka judge the name, and the value if it is known before the run. Whether there is such a property.
pub(super) fn ask_librdkafka(name: &str, property: &Property, value: Option<&str>, problems: &mut Problems) -> bool {
    let asked = ClientConfig::new().set(name, value.unwrap_or_default()).create_native_config();
    let Err(error) = asked else { return true };
    let reason = match &error {
        KafkaError::ClientConfig(_, reason, _, _) => reason.trim().to_owned(),
        other => other.to_string(),
    };
    if reason.starts_with("No such configuration property") {
        let problem =
            problems.error(&property.key_span, format!("librdkafka has no property `{name}`"), "unknown property");
        match nearest(name, WELL_KNOWN) {
            Some(meant) => problem.help(format!("did you mean `{meant}`?")),
            None => problem.help("its CONFIGURATION.md lists every property"),
        };
        return false;
    }
    if let Some(value) = value {
        let value = if is_secret(name) { "(hidden)" } else { value };
        problems
            .error(&property.span, format!("librdkafka refuses `{name}` = \"{value}\""), "not a legal value")
            .help(format!("librdkafka says: {reason}"));
    }
    true
}

/// What a producer's `acks` asks for.
pub(super) fn acks(config: &Properties) -> Option<&Property> {
    config.any_of(&["acks", "request.required.acks"])
}

/// Whether this `acks` waits for every in-sync replica.
pub(super) fn waits_for_all(acks: &Property) -> bool {
    matches!(acks.value.as_str(), "all" | "-1")
}

/// What a producer says of idempotence itself.
pub(super) fn idempotence(config: &Properties) -> Option<&Property> {
    config.any_of(&["enable.idempotence"])
}

/// How many requests may be in flight on a connection, under either of the property's names.
pub(super) fn in_flight(config: &Properties) -> Option<&Property> {
    config.any_of(&["max.in.flight.requests.per.connection", "max.in.flight"])
}

/// Whether a boolean is true in any of the spellings that clients accept; librdkafka refuses what it does not know.
pub(super) fn is_true(property: &Property) -> bool {
    const SPELLINGS: [&str; 6] = ["true", "t", "1", "yes", "y", "on"];
    SPELLINGS.iter().any(|spelling| property.value.trim().eq_ignore_ascii_case(spelling))
}

/// A producer is idempotent when the scenario says so, and also when it says nothing and waits for every replica.
pub(super) fn is_idempotent(config: &Properties) -> bool {
    idempotence(config).map_or_else(|| acks(config).is_none_or(waits_for_all), is_true)
}

/// Combinations that librdkafka refuses of an idempotent producer.
fn check_idempotence(config: &Properties, problems: &mut Problems) {
    if !is_idempotent(config) {
        return;
    }
    let (explicit, acks) = (idempotence(config), acks(config));
    let mut conflict = |property: &Property, what: &str, help: &str| {
        let problem = problems.error(&property.span, format!("an idempotent producer {what}"), "conflicts");
        if let Some(explicit) = explicit {
            problem.and_at(explicit.span.clone(), "idempotence is asked for here");
        }
        problem.help(format!("{help}, or \"enable.idempotence\" = false"));
    };
    if let Some(acks) = acks.filter(|acks| !waits_for_all(acks)) {
        conflict(acks, "waits for every in-sync replica", "write acks = \"all\"");
    }
    let number = |property: &Property| property.value.parse::<i64>().ok();
    if let Some(property) = in_flight(config).filter(|property| number(property).is_some_and(|value| value > 5)) {
        conflict(property, "has at most 5 requests in flight on a connection", "write at most 5");
    }
    let retries = config.any_of(&["retries", "message.send.max.retries"]);
    if let Some(property) = retries.filter(|property| number(property) == Some(0)) {
        conflict(property, "needs to retry", "write at least 1");
    }
    let strategy = config.any_of(&["queuing.strategy"]);
    if let Some(property) = strategy.filter(|property| property.value == "lifo") {
        conflict(property, "sends in order", "write \"fifo\"");
    }
}
