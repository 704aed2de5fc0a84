//! The way into a cluster that somebody else started, and why it is barred: each reason one sentence, with help.
//!
//! A client library says "all brokers down" whatever the cause. Here the address is asked directly, and where it does not
//! answer as expected it is asked in the other ways that a broker may speak, to tell which one it wants.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};

use crate::cluster::peers::Peers;
use crate::cluster::wire::{Connection, Security, SecurityError, WireError, offered_mechanisms, speaks_tls};
use crate::kafka::{Access, BrokerId, Endpoint};

/// How long one address may take to answer.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(5);
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(250);

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

/// A cluster that answered.
#[derive(Clone, Debug)]
pub struct Reached {
    /// Every broker that is registered, where it tells clients to go.
    pub peers: Peers,
    /// Which address answered.
    pub via: Endpoint,
    /// What tells this cluster from another that gets its addresses later; `None` where it does not tell.
    pub cluster_id: Option<String>,
}

/// Asks the bootstrap addresses once, all at the same time; the first that answers is enough. When none does, the error is
/// that of the one that got furthest: a refused connection is the least telling.
pub async fn reach(access: &Access) -> Result<Reached, ReachError> {
    let security = Security::from_properties(&access.properties)?;
    let security = &security;
    let asked = access.bootstrap.iter().map(|endpoint| async move { (endpoint, ask(endpoint, security).await) });
    let mut asked: FuturesUnordered<_> = asked.collect();
    let mut telling: Option<ReachError> = None;
    while let Some((endpoint, answer)) = asked.next().await {
        match answer {
            Ok((peers, cluster_id)) => return Ok(Reached { peers, via: endpoint.clone(), cluster_id }),
            Err(error) if telling.as_ref().is_none_or(ReachError::may_pass) => telling = Some(error),
            Err(_) => {}
        }
    }
    Err(telling.expect("access names at least one address"))
}

/// Asks again and again until the cluster answers, the error is one that does not pass, or the time is over.
pub async fn reach_within(access: &Access, limit: Duration) -> Result<Reached, ReachError> {
    let began = Instant::now();
    loop {
        match reach(access).await {
            Err(error) if error.may_pass() && began.elapsed() < limit => tokio::time::sleep(BETWEEN_ATTEMPTS).await,
            other => return other,
        }
    }
}

/// The brokers that cannot be reached where they tell clients to go.
pub async fn strangers(peers: &Peers, limit: Duration) -> Vec<(BrokerId, Endpoint, WireError)> {
    let looks = peers.addresses.iter().map(|(id, endpoint)| async move {
        let opened = Connection::open(endpoint, &peers.security, limit).await;
        opened.err().map(|error| (*id, endpoint.clone(), error))
    });
    futures_util::future::join_all(looks).await.into_iter().flatten().collect()
}

/// Like [`reach`], and at least one broker can be reached where it tells clients to go. One that is frozen delays nobody.
pub async fn reach_for_clients(access: &Access) -> Result<Reached, ReachError> {
    let reached = reach(access).await?;
    let peers = &reached.peers;
    let opened = peers.addresses.iter().map(|(_, endpoint)| Connection::open(endpoint, &peers.security, ATTEMPT_LIMIT));
    let mut opened: FuturesUnordered<_> = opened.collect();
    while let Some(opened) = opened.next().await {
        if opened.is_ok() {
            drop(opened);
            return Ok(reached.clone());
        }
    }
    drop(opened);
    let addresses = reached.peers.addresses.into_iter().map(|(_, endpoint)| endpoint).collect();
    Err(ReachError::Advertised { via: reached.via, addresses })
}

async fn ask(endpoint: &Endpoint, security: &Security) -> Result<(Peers, Option<String>), ReachError> {
    let mut connection = match Connection::open(endpoint, security, ATTEMPT_LIMIT).await {
        Ok(connection) => connection,
        Err(error) => return Err(barred(endpoint, security, error).await),
    };
    let request = MetadataRequest::default().with_topics(Some(Vec::new())).with_allow_auto_topic_creation(false);
    match connection.call(12, |_| request).await {
        Ok(metadata) => {
            let peers = Peers { addresses: brokers(&metadata), security: security.clone() };
            Ok((peers, metadata.cluster_id.as_ref().map(ToString::to_string)))
        }
        Err(error) => {
            // A listener that wants SASL says what it can do, and hangs up at the first real question.
            if !security.is_sasl()
                && let Some(mechanisms) = mechanisms(endpoint, security).await
            {
                return Err(ReachError::WantsSasl { endpoint: endpoint.clone(), mechanisms });
            }
            Err(plain_reason(endpoint, error))
        }
    }
}

fn brokers(metadata: &MetadataResponse) -> Vec<(BrokerId, Endpoint)> {
    let listening = metadata.brokers.iter().filter_map(|broker| {
        let port = u16::try_from(broker.port).ok()?;
        Some((BrokerId(broker.node_id.0), Endpoint::new(broker.host.to_string(), port)))
    });
    let mut brokers: Vec<_> = listening.collect();
    brokers.sort();
    brokers
}

/// Why a connection did not come about: asks in the other way that a broker may speak.
async fn barred(endpoint: &Endpoint, security: &Security, error: WireError) -> ReachError {
    let is_odd = matches!(error, WireError::Closed | WireError::Protocol(_) | WireError::Silent | WireError::Tls(_));
    if is_odd && !security.is_tls() && speaks_tls(endpoint, ATTEMPT_LIMIT).await {
        return ReachError::SpeaksTls { endpoint: endpoint.clone() };
    }
    let is_plain = async { Connection::open(endpoint, &Security::plaintext(), ATTEMPT_LIMIT).await.is_ok() };
    if is_odd && security.is_tls() && is_plain.await {
        return ReachError::SpeaksPlain { endpoint: endpoint.clone() };
    }
    plain_reason(endpoint, error)
}

async fn mechanisms(endpoint: &Endpoint, security: &Security) -> Option<Vec<String>> {
    let mut connection = Connection::open(endpoint, security, ATTEMPT_LIMIT).await.ok()?;
    offered_mechanisms(&mut connection).await
}

fn plain_reason(endpoint: &Endpoint, error: WireError) -> ReachError {
    let endpoint = endpoint.clone();
    match error {
        WireError::Refused(_) => ReachError::Refused { endpoint },
        WireError::Unresolved { reason, .. } => ReachError::Unresolved { endpoint, reason },
        WireError::Unreachable => ReachError::Unreachable { endpoint },
        WireError::Silent => ReachError::Silent { endpoint },
        WireError::Tls(reason) => ReachError::Tls { endpoint, reason },
        WireError::Sasl(reason) => ReachError::Sasl { endpoint, reason },
        WireError::Closed => ReachError::Closed { endpoint },
        WireError::Protocol(_) => ReachError::NotKafka { endpoint, reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    async fn listener() -> (TcpListener, Endpoint) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let port = listener.local_addr().expect("its address").port();
        (listener, Endpoint::new("127.0.0.1", port))
    }

    fn access(endpoint: &Endpoint, properties: &[(&str, &str)]) -> Access {
        let mut access = Access::plaintext(vec![endpoint.clone()]);
        access.properties.extend(properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        access
    }

    #[tokio::test]
    async fn a_mock_cluster_tells_its_brokers() {
        let mock = rdkafka::mocking::MockCluster::new(3).expect("a mock cluster");
        let access = Access::plaintext(Endpoint::parse_list(&mock.bootstrap_servers()).expect("addresses"));
        let reached = reach_for_clients(&access).await.expect("it answers");
        assert_eq!(reached.peers.ids(), [BrokerId(1), BrokerId(2), BrokerId(3)]);
    }

    #[tokio::test]
    async fn a_port_where_nobody_listens_may_pass_and_is_told_as_such() {
        let (listener, endpoint) = listener().await;
        drop(listener);
        let error = reach(&access(&endpoint, &[])).await.expect_err("nobody listens");
        assert!(matches!(error, ReachError::Refused { .. }) && error.may_pass(), "{error}");
    }

    #[tokio::test]
    async fn a_tls_client_at_a_plain_text_broker_is_told_so() {
        let mock = rdkafka::mocking::MockCluster::new(1).expect("a mock cluster");
        let endpoint = mock.bootstrap_servers().parse().expect("an address");
        let error = reach(&access(&endpoint, &[("security.protocol", "ssl")])).await.expect_err("no TLS there");
        assert!(matches!(error, ReachError::SpeaksPlain { .. }) && !error.may_pass(), "{error}");
    }

    #[tokio::test]
    async fn what_is_no_broker_is_told_so() {
        let (listener, endpoint) = listener().await;
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
            }
        });
        let error = reach(&access(&endpoint, &[])).await.expect_err("no broker there");
        assert!(matches!(error, ReachError::NotKafka { .. }), "{error}");
    }

    #[tokio::test]
    async fn the_most_telling_of_several_addresses_is_told() {
        let (gone, refused) = listener().await;
        drop(gone);
        let mock = rdkafka::mocking::MockCluster::new(1).expect("a mock cluster");
        let plain: Endpoint = mock.bootstrap_servers().parse().expect("an address");
        let mut access = access(&refused, &[("security.protocol", "ssl")]);
        access.bootstrap.push(plain);
        let error = reach(&access).await.expect_err("no TLS there");
        assert!(matches!(error, ReachError::SpeaksPlain { .. }), "{error}");
    }
}
