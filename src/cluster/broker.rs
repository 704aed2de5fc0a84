//! What a broker's container is told: its properties, as the image's environment variables.
//!
//! The defaults are what a careful operator sets, so that a scenario that says nothing tests a safe cluster: internal
//! topics as durable as the data (the image's own example has them at one replica, and one dead broker then takes every
//! group and transaction with it), no topics by accident, no unclean elections, no wait before a group's first rebalance.

use std::collections::BTreeMap;

use crate::cluster::containers::Listeners;
use crate::fault::Plane;
use crate::kafka::{BrokerId, Endpoint};
use crate::scenario::ClusterSpec;

/// Where clients from outside are served, inside the container.
pub(crate) const CLIENT_PORT: u16 = 9092;
const CONTROLLER_PORT: u16 = 9093;
/// Where brokers, and whoever is in their network, talk to one another.
pub(crate) const INTERNAL_PORT: u16 = 29092;
/// Where the data lie, inside the container.
pub(crate) const DATA: &str = "/var/lib/kafka/data";

/// The ports of a broker's listeners, inside its container.
pub(crate) fn listeners() -> Listeners {
    Listeners::from([
        (Plane::Client, CLIENT_PORT),
        (Plane::Controller, CONTROLLER_PORT),
        (Plane::Replication, INTERNAL_PORT),
    ])
}

/// A broker's fixed identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: BrokerId,
    /// Its container's name, which is also its host name in the cluster's network.
    pub(crate) name: String,
    /// Where clients on the host reach it; what it advertises to them.
    pub(crate) endpoint: Endpoint,
}

/// What all brokers of a cluster have in common.
pub(crate) struct Settings {
    properties: BTreeMap<String, String>,
    cluster_id: String,
    heap_mib: u64,
}

impl Settings {
    /// The safe defaults, with the scenario's properties over them.
    pub(crate) fn new(spec: &ClusterSpec, members: &[Member], label: &str) -> Self {
        let voters: Vec<String> =
            members.iter().map(|member| format!("{}@{}:{CONTROLLER_PORT}", member.id.0, member.name)).collect();
        let mut properties = defaults(spec.brokers);
        properties.insert("controller.quorum.voters".to_owned(), voters.join(","));
        properties.extend(spec.config.clone());
        Self { properties, cluster_id: cluster_id(label), heap_mib: spec.heap_bytes >> 20 }
    }

    /// The environment of one broker's container.
    pub(crate) fn environment(&self, member: &Member) -> Vec<(String, String)> {
        let mut properties = self.properties.clone();
        let mut set = |key: &str, value: String| properties.insert(key.to_owned(), value);
        set("node.id", member.id.0.to_string());
        set("process.roles", "broker,controller".to_owned());
        set(
            "listeners",
            format!("INTERNAL://:{INTERNAL_PORT},CONTROLLER://:{CONTROLLER_PORT},CLIENT://:{CLIENT_PORT}"),
        );
        set("advertised.listeners", format!("INTERNAL://{}:{INTERNAL_PORT},CLIENT://{}", member.name, member.endpoint));
        set("listener.security.protocol.map", "INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT,CLIENT:PLAINTEXT".to_owned());
        set("inter.broker.listener.name", "INTERNAL".to_owned());
        set("controller.listener.names", "CONTROLLER".to_owned());
        set("log.dirs", DATA.to_owned());
        let heap = format!("-Xms{0}m -Xmx{0}m", self.heap_mib);
        properties
            .iter()
            .map(|(key, value)| (variable(key), value.clone()))
            .chain([("CLUSTER_ID".to_owned(), self.cluster_id.clone()), ("KAFKA_HEAP_OPTS".to_owned(), heap)])
            .collect()
    }
}

fn defaults(brokers: u32) -> BTreeMap<String, String> {
    let replicas = brokers.min(3).to_string();
    let in_sync = brokers.min(2).to_string();
    [
        ("auto.create.topics.enable", "false"),
        ("unclean.leader.election.enable", "false"),
        ("group.initial.rebalance.delay.ms", "0"),
        ("default.replication.factor", &replicas),
        ("min.insync.replicas", &in_sync),
        ("offsets.topic.replication.factor", &replicas),
        // The default of 50 and 50 partitions is for large fleets; every one of them is elected anew after a kill.
        ("offsets.topic.num.partitions", "6"),
        // Index files are made at full length (10 MiB each by default), and come with every log that is read in the end. This
        // is enough for half a gigabyte a segment.
        ("log.index.size.max.bytes", "1048576"),
        ("transaction.state.log.replication.factor", &replicas),
        ("transaction.state.log.min.isr", &in_sync),
        ("transaction.state.log.num.partitions", "6"),
        ("share.coordinator.state.topic.replication.factor", &replicas),
        ("share.coordinator.state.topic.min.isr", &in_sync),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}

/// The image's rule for a property's environment variable: `.` is `_`, `_` is `__`, `-` is `___`.
fn variable(property: &str) -> String {
    let escaped = property.replace('_', "__").replace('-', "___").replace('.', "_");
    format!("KAFKA_{}", escaped.to_uppercase())
}

/// A cluster id of the form that Kafka wants (16 bytes in URL-safe base64), one for each run.
fn cluster_id(label: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = u64::from(crc32fast::hash(label.as_bytes())) | 1 << 40;
    // The 22nd letter holds two bits only: its low four must be zero for the text to be 16 bytes exactly.
    let letters = (0..22).map(|place| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let index = usize::try_from(state >> 58).expect("six bits");
        // A leading dash would look like an option to the storage tool.
        let index = if place == 0 { index % 52 } else { index };
        char::from(ALPHABET[if place == 21 { index & 0b11_0000 } else { index }])
    });
    letters.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_becomes_a_variable_by_the_images_rule() {
        assert_eq!(variable("min.insync.replicas"), "KAFKA_MIN_INSYNC_REPLICAS");
        assert_eq!(variable("a_b-c.d"), "KAFKA_A__B___C_D");
    }

    #[test]
    fn a_cluster_id_has_22_letters_and_starts_with_one() {
        for label in ["a", "kill-one-20261123T220000Z-42-1", ""] {
            let id = cluster_id(label);
            assert_eq!(id.len(), 22);
            assert!(id.starts_with(|first: char| first.is_ascii_alphabetic()), "{id}");
            assert!(id.ends_with(['A', 'Q', 'g', 'w']), "{id}");
        }
    }
}
