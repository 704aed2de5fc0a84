//! The way into a cluster that somebody else started, and why it is barred: each reason one sentence, with help.
//!
//! A client library says "all brokers down" whatever the cause. Here the address is asked directly, and where it does not
//! answer as expected it is asked in the other ways that a broker may speak, to tell which one it wants.

mod error;

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};

use crate::cluster::peers::Peers;
use crate::cluster::wire::{Connection, Security, WireError, offered_mechanisms, speaks_tls};
use crate::kafka::{Access, BrokerId, Endpoint};
pub use error::ReachError;

/// How long one address may take to answer.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(5);
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(250);

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
