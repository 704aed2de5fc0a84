//! Why a cluster cannot be used: each reason one sentence, with help.

use super::ATTEMPT_LIMIT;
use crate::cluster::wire::SecurityError;
use crate::kafka::Endpoint;

/// Why a cluster cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// The client's properties cannot be used.
    #[error("{0}\n  help: client properties are librdkafka's, given as -X name=value or under [cluster.client]")]
    Properties(#[from] SecurityError),
    /// Nobody listens there.
    #[error(
        "no broker listens at {endpoint}: the connection is refused\n  help: is the cluster up, and is this its port? `wiber-chaos doctor` looks further"
    )]
    Refused {
        /// Where.
        endpoint: Endpoint,
    },
    /// The name means nothing here.
    #[error("the host of {endpoint} cannot be resolved here: {reason}\n  help: check its spelling")]
    Unresolved {
        /// Where.
        endpoint: Endpoint,
        /// The resolver's answer.
        reason: String,
    },
    /// No connection came about in time.
    #[error(
        "{endpoint} cannot be reached: no connection within {} s\n  help: a firewall, or a host that is down",
        ATTEMPT_LIMIT.as_secs()
    )]
    Unreachable {
        /// Where.
        endpoint: Endpoint,
    },
    /// The connection stands, but nobody answers.
    #[error(
        "{endpoint} takes connections but does not answer within {} s\n  help: the broker is frozen or starting, or this is no Kafka broker",
        ATTEMPT_LIMIT.as_secs()
    )]
    Silent {
        /// Where.
        endpoint: Endpoint,
    },
    /// The connection is closed instead of answered, as an engine's proxy does before the broker behind it listens.
    #[error(
        "{endpoint} closes connections without an answer\n  help: the broker is starting, or this is no Kafka broker"
    )]
    Closed {
        /// Where.
        endpoint: Endpoint,
    },
    /// A plain-text client at a TLS listener.
    #[error(
        "{endpoint} speaks TLS, and this client plain text\n  help: set security.protocol=SSL (or SASL_SSL) and ssl.ca.location"
    )]
    SpeaksTls {
        /// Where.
        endpoint: Endpoint,
    },
    /// A TLS client at a plain-text listener.
    #[error(
        "{endpoint} speaks plain text, and this client TLS\n  help: leave security.protocol out, or ask the broker's TLS listener"
    )]
    SpeaksPlain {
        /// Where.
        endpoint: Endpoint,
    },
    /// The TLS handshake failed for another reason.
    #[error(
        "{endpoint} and this client do not agree on TLS: {reason}\n  help: ssl.ca.location must hold who signed the broker's certificate, and the certificate must name the host"
    )]
    Tls {
        /// Where.
        endpoint: Endpoint,
        /// OpenSSL's reason.
        reason: String,
    },
    /// The listener wants to know who the client is.
    #[error(
        "{endpoint} wants SASL ({}), and this client has none\n  help: set security.protocol=SASL_PLAINTEXT or SASL_SSL, sasl.mechanism, sasl.username and sasl.password",
        mechanisms.join(", ")
    )]
    WantsSasl {
        /// Where.
        endpoint: Endpoint,
        /// What it takes.
        mechanisms: Vec<String>,
    },
    /// The listener does not let this client in.
    #[error(
        "{endpoint} does not let this client in: {reason}\n  help: check sasl.mechanism, sasl.username and sasl.password"
    )]
    Sasl {
        /// Where.
        endpoint: Endpoint,
        /// The broker's reason.
        reason: String,
    },
    /// Whoever answers is no broker.
    #[error(
        "{endpoint} does not speak Kafka's protocol: {reason}\n  help: is this the port of a broker's client listener?"
    )]
    NotKafka {
        /// Where.
        endpoint: Endpoint,
        /// What it said.
        reason: String,
    },
    /// A broker answers, but sends clients where they cannot go.
    #[error(
        "{via} answers, but sends clients to {}, which cannot be reached from here\n  help: the brokers' advertised.listeners must name addresses that clients can reach",
        addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    Advertised {
        /// Who answered.
        via: Endpoint,
        /// Where it sends clients.
        addresses: Vec<Endpoint>,
    },
}

impl ReachError {
    /// Whether waiting may help: the broker may be starting, frozen or down for now.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::Unreachable { .. }
                | Self::Silent { .. }
                | Self::Closed { .. }
                | Self::Advertised { .. }
        )
    }
}
