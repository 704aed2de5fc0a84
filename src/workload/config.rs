//! Client configurations: defaults that suit a cluster under faults, and the scenario's own properties over them.
//!
//! The defaults differ from librdkafka's where its own would blur the evidence: clients come back within a second after a
//! broker does (`reconnect.backoff.max.ms`), a member that is gone is noticed in 10 s rather than 45 s
//! (`session.timeout.ms`), and nobody commits an offset that was not processed (`enable.auto.offset.store`).

use std::collections::BTreeMap;

use rdkafka::ClientConfig;

use super::outcome::Acks;
use crate::kafka::Access;
use crate::scenario::{CommitMode, GroupSpec, Isolation, ProducerSpec, Rate, TransactionSpec};

/// How a configuration is written down for a client in another process.
pub mod as_map {
    use std::collections::BTreeMap;

    use rdkafka::ClientConfig;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes the properties, secrets too: for a private line only, never for a file or a command line.
    pub fn serialize<S: Serializer>(config: &ClientConfig, serializer: S) -> Result<S::Ok, S::Error> {
        // rdkafka's map shows a placeholder for each secret; a secret's own value comes by name only.
        let names = config.config_map().into_keys();
        let properties: BTreeMap<&str, &str> = names.filter_map(|name| Some((name, config.get(name)?))).collect();
        properties.serialize(serializer)
    }

    /// Reads what [`serialize`] wrote.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClientConfig, D::Error> {
        Ok(BTreeMap::<String, String>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// Room in librdkafka's queue beyond the in-flight limit, so that the limit is what holds a producer back.
const QUEUE_SLACK: u32 = 1024;

/// How many requests an idempotent producer has on one connection at once, unless the scenario says. Of one partition librdkafka makes
/// five at most, and if all of them are under way while records wait for longer than `linger.ms`, its thread polls without a pause
/// (librdkafka issue 3692), for a whole outage, on a processor that the brokers need. With four on the wire the fifth is made and waits,
/// which lets the thread sleep.
const IN_FLIGHT_WITHOUT_SPINNING: &str = "4";

/// What brokers do for a batch they do whether it is large or small. Who sends as fast as they take it fills batches to the brim, and
/// hears of each a little later; who sends by the clock wants to hear soon.
const LINGER_AT_THE_GREATEST_RATE_MS: &str = "50";

/// Properties that bind clients to this run; a scenario cannot change them.
const OURS: [&str; 3] = ["bootstrap.servers", "group.id", "client.id"];

fn base(access: &Access, client_id: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", access.bootstrap_servers())
        .set("client.id", client_id)
        .set("socket.timeout.ms", "10000")
        .set("socket.connection.setup.timeout.ms", "5000")
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "1000")
        .set("topic.metadata.refresh.interval.ms", "10000")
        // Windows of silence are what faults make; librdkafka need not log each of them.
        .set("log.connection.close", "false");
    overlay(&mut config, &access.properties);
    config
}

fn overlay(config: &mut ClientConfig, properties: &BTreeMap<String, String>) {
    for (name, value) in properties.iter().filter(|(name, _)| !OURS.contains(&name.as_str())) {
        config.set(name, value);
    }
}

fn acks_property(properties: &BTreeMap<String, String>) -> &str {
    let set = properties.get("acks").or_else(|| properties.get("request.required.acks"));
    set.map_or("all", |value| value.trim())
}

/// Whether brokers answer this producer at all.
pub fn acks(properties: &BTreeMap<String, String>) -> Acks {
    if acks_property(properties) == "0" { Acks::None } else { Acks::Some }
}

/// A producer's configuration.
pub fn producer(spec: &ProducerSpec, access: &Access, client_id: &str) -> ClientConfig {
    let mut config = base(access, client_id);
    let acks = acks_property(&spec.config);
    config
        .set("acks", acks)
        .set("linger.ms", if spec.rate == Rate::Max { LINGER_AT_THE_GREATEST_RATE_MS } else { "5" })
        .set("message.timeout.ms", "60000")
        .set("compression.type", "none")
        .set("queue.buffering.max.messages", (spec.in_flight.saturating_add(QUEUE_SLACK)).to_string())
        .set("queue.buffering.max.kbytes", "1048576");
    // librdkafka refuses idempotence with weaker acks; a scenario that asks for those wants the weaker guarantee.
    let idempotent = acks == "all" || acks == "-1";
    config.set("enable.idempotence", if idempotent { "true" } else { "false" });
    // The alias was read above; setting it again beside `acks` would make the order decide.
    let mut own = spec.config.clone();
    own.remove("request.required.acks");
    overlay(&mut config, &own);
    let limits = ["max.in.flight.requests.per.connection", "max.in.flight"];
    let is_idempotent = config.get("enable.idempotence").is_some_and(|value| value.trim() == "true");
    if is_idempotent && !limits.iter().any(|name| own.contains_key(*name)) {
        config.set(limits[0], IN_FLIGHT_WITHOUT_SPINNING);
    }
    config
}

/// Makes a producer's configuration one for transactions under this id. What librdkafka keeps below the transaction's time-out
/// is kept below it.
pub fn transactional(config: &mut ClientConfig, transactions: &TransactionSpec, id: &str) {
    let timeout_ms = transactions.timeout.as_millis();
    config
        .set("transactional.id", id)
        .set("transaction.timeout.ms", timeout_ms.to_string())
        .set("enable.idempotence", "true");
    for name in ["message.timeout.ms", "delivery.timeout.ms", "socket.timeout.ms"] {
        let is_longer = |value: &str| value.trim().parse::<u128>().is_ok_and(|millis| millis > timeout_ms);
        if config.get(name).is_some_and(is_longer) {
            config.set(name, timeout_ms.to_string());
        }
    }
}

/// What readers have where nobody says otherwise, be it for one group or for all clients. As much waits for them as they read in a
/// moment, so that they are never idle, and no more but one answer of each broker, whoever falls behind. When that much waits
/// librdkafka looks again after `fetch.queue.backoff.ms`, which is a second unless it is told.
const OF_READERS: [(&str, &str); 4] = [
    ("fetch.wait.max.ms", "100"),
    ("queued.min.messages", "50000"),
    ("queued.max.messages.kbytes", "32768"),
    ("fetch.queue.backoff.ms", "5"),
];

fn reader(access: &Access, client_id: &str) -> ClientConfig {
    let mut config = base(access, client_id);
    for (name, value) in OF_READERS {
        if config.get(name).is_none() {
            config.set(name, value);
        }
    }
    config
}

/// A group member's configuration.
pub fn member(spec: &GroupSpec, access: &Access, client_id: &str) -> ClientConfig {
    let mut config = reader(access, client_id);
    let auto_commit = if spec.commit == CommitMode::Auto { "true" } else { "false" };
    config
        .set("group.id", &spec.name)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", auto_commit)
        .set("enable.auto.offset.store", "false");
    // Under KIP-848 the broker decides on both, and librdkafka refuses a client that names them.
    if spec.config.get("group.protocol").is_none_or(|protocol| protocol != "consumer") {
        config.set("session.timeout.ms", "10000").set("heartbeat.interval.ms", "3000");
    }
    overlay(&mut config, &spec.config);
    config
}

/// A drain reader's configuration. It commits nothing.
pub fn drain(access: &Access, group: &str, client_id: &str, isolation: Isolation) -> ClientConfig {
    let mut config = reader(access, client_id);
    config
        .set("group.id", group)
        .set("isolation.level", isolation.property())
        // A log that was truncated below a reader's position is read again from its start rather than not at all.
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false");
    config
}

/// The configuration of a client that asks how far logs reach, whatever of that readers are kept from.
pub fn log_observer(access: &Access) -> ClientConfig {
    let mut config = base(access, "log-ends");
    config.set("isolation.level", "read_uncommitted");
    config
}

/// The configuration of a client that only asks for offsets. Also `read_committed`: an end offset is what readers can reach.
pub fn observer(access: &Access) -> ClientConfig {
    let mut config = base(access, "end-offsets");
    config.set("isolation.level", "read_committed");
    config
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::Endpoint;

    fn here() -> Access {
        Access::plaintext(vec![Endpoint::new("here", 9092)])
    }

    fn spec(config: &[(&str, &str)]) -> ProducerSpec {
        ProducerSpec {
            name: "p".to_owned(),
            count: 1,
            topic: "t".to_owned(),
            partitions: vec![],
            rate: Rate::Max,
            size_bytes: (64, 64),
            keys: 1,
            in_flight: 10,
            headers: 0,
            transactions: None,
            config: config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }

    #[test]
    fn weaker_acks_switch_idempotence_off() {
        let of = |config: &[(&str, &str)]| {
            let made = producer(&spec(config), &here(), "c");
            (made.get("acks").map(str::to_owned), made.get("enable.idempotence").map(str::to_owned))
        };
        assert_eq!(of(&[]), (Some("all".to_owned()), Some("true".to_owned())));
        assert_eq!(of(&[("acks", "1")]), (Some("1".to_owned()), Some("false".to_owned())));
        assert_eq!(of(&[("request.required.acks", "0")]), (Some("0".to_owned()), Some("false".to_owned())));
        assert_eq!(of(&[("enable.idempotence", "false")]), (Some("all".to_owned()), Some("false".to_owned())));
    }

    #[test]
    fn an_idempotent_producer_makes_no_fifth_request_that_would_keep_its_thread_awake_unless_it_is_told_to() {
        let of = |config: &[(&str, &str)]| {
            let made = producer(&spec(config), &here(), "c");
            ["max.in.flight.requests.per.connection", "max.in.flight"].map(|name| made.get(name).map(str::to_owned))
        };
        assert_eq!(of(&[]), [Some("4".to_owned()), None]);
        assert_eq!(of(&[("max.in.flight", "5")]), [None, Some("5".to_owned())]);
        assert_eq!(of(&[("enable.idempotence", "false")]), [None, None]);
        assert_eq!(of(&[("acks", "1")]), [None, None]);
    }

    #[test]
    fn only_who_sends_as_fast_as_brokers_take_it_waits_for_batches_to_fill() {
        let of = |rate| {
            let made = producer(&ProducerSpec { rate, ..spec(&[]) }, &here(), "c");
            made.get("linger.ms").map(str::to_owned)
        };
        assert_eq!(of(Rate::Max), Some("50".to_owned()));
        assert_eq!(of(Rate::PerSecond(2_000.0)), Some("5".to_owned()));
    }

    #[test]
    fn a_scenario_cannot_point_its_clients_at_another_cluster() {
        let made = producer(&spec(&[("bootstrap.servers", "elsewhere:9092")]), &here(), "c");
        assert_eq!(made.get("bootstrap.servers"), Some("here:9092"));
    }

    #[test]
    fn a_configuration_written_for_another_process_keeps_its_secrets() {
        let mut made = producer(&spec(&[]), &here(), "c");
        made.set("sasl.password", "quiet");
        let mut text = Vec::new();
        as_map::serialize(&made, &mut serde_json::Serializer::new(&mut text)).expect("plain text");
        let read = as_map::deserialize(&mut serde_json::Deserializer::from_slice(&text)).expect("what was written");
        assert_eq!(read.get("sasl.password"), Some("quiet"));
        assert_eq!(read.config_map(), made.config_map());
    }

    #[test]
    fn zero_acks_are_recognised_under_both_names() {
        assert_eq!(acks(&spec(&[("acks", "0")]).config), Acks::None);
        assert_eq!(acks(&spec(&[("request.required.acks", "0")]).config), Acks::None);
        assert_eq!(acks(&spec(&[]).config), Acks::Some);
    }

    #[test]
    fn what_waits_for_a_reader_is_bounded_unless_somebody_says_otherwise() {
        let mut access = here();
        access.properties = [("fetch.queue.backoff.ms".to_owned(), "70".to_owned())].into();
        let group = GroupSpec {
            name: "readers".to_owned(),
            topics: vec!["t".to_owned()],
            members: 1,
            commit: CommitMode::Auto,
            config: [("queued.min.messages".to_owned(), "9".to_owned())].into(),
        };
        let config = member(&group, &access, "readers/0");
        let values = OF_READERS.map(|(name, _)| config.get(name).expect("a value"));
        assert_eq!(values, ["100", "9", "32768", "70"]);
        let config = drain(&access, "d", "drain-0", Isolation::Committed);
        let values = OF_READERS.map(|(name, _)| config.get(name).expect("a value"));
        assert_eq!(values, ["100", "50000", "32768", "70"]);
    }
}
