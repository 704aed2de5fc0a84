//! The ports that a broker listens on, and who is meant to use each.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Who talks over a listener. To cut its port is to cut these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plane {
    /// Clients: producers, consumers, administrators.
    Client,
    /// Other brokers: followers that fetch, coordinators that write transaction markers.
    Replication,
    /// Controllers among themselves, and brokers that register with the controller, beat and fetch its log.
    Controller,
}

impl Plane {
    /// Every plane, with its word.
    pub const WORDS: [(&'static str, Self); 3] =
        [("replication", Self::Replication), ("controller", Self::Controller), ("client", Self::Client)];

    /// The planes on which brokers speak to one another.
    pub const BETWEEN_BROKERS: [Self; 2] = [Self::Replication, Self::Controller];
}

impl fmt::Display for Plane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(_, plane)| plane == self).map_or("", |(word, _)| *word);
        f.write_str(word)
    }
}

/// One port that a broker listens on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Its name, in capitals as Kafka compares it.
    pub name: String,
    /// Its port, inside the broker's own network.
    pub port: u16,
    /// What it speaks: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.
    pub protocol: String,
    /// Who is meant to use it. A broker's only listener serves clients and other brokers alike.
    pub planes: BTreeSet<Plane>,
}
