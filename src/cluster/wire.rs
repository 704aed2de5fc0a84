//! One broker, asked in Kafka's own protocol over a fresh connection: the witness that no client library smooths over.
//!
//! librdkafka retries, caches and picks brokers by itself, which is what a load wants and a witness must not do. Each
//! [`Connection`] speaks to one address, asks for the versions both sides know (KIP-35), and gives every call one limit.

mod sasl;
mod security;

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout_at;

pub use sasl::offered_mechanisms;
pub use security::{Security, SecurityError};

use crate::fault::Probe;
use crate::kafka::Endpoint;

/// Answers beyond this are not metadata of a test cluster but noise on the wire.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Why a broker could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The host's name means nothing here.
    #[error("the name {host} cannot be resolved here: {reason}")]
    Unresolved {
        /// The host.
        host: String,
        /// The resolver's answer.
        reason: String,
    },
    /// Nobody listens, or the connection was reset.
    #[error("connection refused or reset: {0}")]
    Refused(io::Error),
    /// The connection was not made in time.
    #[error("no connection within the limit")]
    Unreachable,
    /// The connection stands, and no answer came in time.
    #[error("no answer within the limit")]
    Silent,
    /// The broker closed the connection instead of answering.
    #[error("the connection was closed without an answer")]
    Closed,
    /// The TLS handshake failed.
    #[error("TLS: {0}")]
    Tls(String),
    /// The broker does not let this client in.
    #[error("SASL: {0}")]
    Sasl(String),
    /// The answer is not Kafka's, or in a version that neither side knows.
    #[error("unusable answer: {0}")]
    Protocol(String),
}

/// What a connection runs over: TCP, or TLS on top of it.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection to one broker, and one limit for everything said over it.
pub struct Connection {
    stream: Box<dyn Stream>,
    deadline: tokio::time::Instant,
    versions: BTreeMap<i16, (i16, i16)>,
    correlation: i32,
}

impl Connection {
    /// Connects, lets itself be authenticated where `security` says so, and asks which versions the broker speaks. `limit`
    /// holds for this and for every later call together.
    pub async fn open(endpoint: &Endpoint, security: &Security, limit: Duration) -> Result<Self, WireError> {
        let deadline = tokio::time::Instant::now() + limit;
        let tcp = timeout_at(deadline, connect(endpoint)).await.map_err(|_| WireError::Unreachable)??;
        let stream: Box<dyn Stream> = match security.connector() {
            None => Box::new(tcp),
            Some(connector) => {
                let handshake = security::handshake(connector, &endpoint.host, tcp);
                Box::new(timeout_at(deadline, handshake).await.map_err(|_| WireError::Silent)??)
            }
        };
        let mut connection = Self { stream, deadline, versions: BTreeMap::new(), correlation: 0 };
        let answer = connection.exchange(&ApiVersionsRequest::default(), 0).await?;
        if answer.error_code != 0 {
            return Err(WireError::Protocol(format!("ApiVersions answered error {}", answer.error_code)));
        }
        connection.versions =
            answer.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
        if let Some(credentials) = security.credentials() {
            sasl::authenticate(&mut connection, credentials).await?;
        }
        Ok(connection)
    }

    /// Whether the broker knows this kind of request, in a version up to `newest`.
    pub fn speaks(&self, api_key: i16, newest: i16) -> bool {
        self.versions.get(&api_key).is_some_and(|(oldest, _)| *oldest <= newest)
    }

    /// Gives what is asked from now on a limit of its own, in place of what is left of the one before.
    pub fn extend(&mut self, limit: Duration) {
        self.deadline = tokio::time::Instant::now() + limit;
    }

    /// Asks one thing, in the newest version up to `newest` that the broker speaks.
    ///
    /// `request` is built for that version, because a field that a version lacks cannot be encoded in it.
    pub async fn call<R: Request>(
        &mut self,
        newest: i16,
        request: impl FnOnce(i16) -> R,
    ) -> Result<R::Response, WireError> {
        let version = match self.versions.get(&R::KEY) {
            Some((oldest, most)) if *oldest <= newest => newest.min(*most),
            _ => return Err(WireError::Protocol(format!("{} is not spoken here", api_name(R::KEY)))),
        };
        self.exchange(&request(version), version).await
    }

    async fn exchange<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response, WireError> {
        self.correlation += 1;
        let frame = encode(request, version, self.correlation)?;
        let deadline = self.deadline;
        let answer = timeout_at(deadline, async {
            self.stream.write_all(&frame).await?;
            self.stream.flush().await?;
            let length = usize::try_from(self.stream.read_i32().await?).unwrap_or(usize::MAX);
            if length > ANSWER_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("an answer of {length} bytes")));
            }
            let mut answer = vec![0; length];
            self.stream.read_exact(&mut answer).await?;
            Ok(Bytes::from(answer))
        })
        .await
        .map_err(|_| WireError::Silent)?
        .map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => WireError::Protocol(error.to_string()),
            io::ErrorKind::UnexpectedEof => WireError::Closed,
            _ => WireError::Refused(error),
        })?;
        decode::<R>(answer, version, self.correlation)
    }
}

/// Whether a port speaks TLS at all, whoever it is and whatever it wants to know of clients: a handshake, and no more.
pub async fn speaks_tls(endpoint: &Endpoint, limit: Duration) -> bool {
    let Ok(security) = Security::any_tls() else { return false };
    let Some(connector) = security.connector() else { return false };
    let shaken = async {
        let tcp = connect(endpoint).await?;
        security::handshake(connector, &endpoint.host, tcp).await
    };
    matches!(tokio::time::timeout(limit, shaken).await, Ok(Ok(_)))
}

/// Tries each address of the host. The last one's error is told.
async fn connect(endpoint: &Endpoint) -> Result<TcpStream, WireError> {
    let unresolved = |reason: String| WireError::Unresolved { host: endpoint.host.clone(), reason };
    let found = tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port)).await;
    let addresses = found.map_err(|error| unresolved(error.to_string()))?;
    let mut last = unresolved("it has no address".to_owned());
    for address in addresses {
        match TcpStream::connect(address).await {
            // A connect to a closed port of the ephemeral range can meet itself; such a stream echoes and must not count.
            Ok(stream) if stream.local_addr().is_ok_and(|local| local == address) => {
                last = WireError::Refused(io::Error::from(io::ErrorKind::ConnectionRefused));
            }
            Ok(stream) => return Ok(stream),
            Err(error) => last = refused_or_unreachable(error),
        }
    }
    Err(last)
}

fn encode<R: Request>(request: &R, version: i16, correlation: i32) -> Result<BytesMut, WireError> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(StrBytes::from_static_str("wiber-chaos")));
    let protocol = |error: &dyn std::fmt::Display| WireError::Protocol(error.to_string());
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    header.encode(&mut frame, R::header_version(version)).map_err(|error| protocol(&error))?;
    request.encode(&mut frame, version).map_err(|error| protocol(&error))?;
    let length = i32::try_from(frame.len() - 4).map_err(|error| protocol(&error))?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

fn decode<R: Request>(mut answer: Bytes, version: i16, correlation: i32) -> Result<R::Response, WireError> {
    let protocol = |error: &dyn std::fmt::Display| WireError::Protocol(error.to_string());
    let header =
        ResponseHeader::decode(&mut answer, R::Response::header_version(version)).map_err(|error| protocol(&error))?;
    if header.correlation_id != correlation {
        return Err(WireError::Protocol(format!("answer {} to request {correlation}", header.correlation_id)));
    }
    // Bytes after the answer are let be, as Kafka's own clients do: librdkafka's mock closes its ApiVersions answer with one.
    R::Response::decode(&mut answer, version).map_err(|error| protocol(&error))
}

fn refused_or_unreachable(error: io::Error) -> WireError {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            WireError::Unreachable
        }
        _ => WireError::Refused(error),
    }
}

fn api_name(key: i16) -> String {
    ApiKey::try_from(key).map_or_else(|()| format!("API {key}"), |key| format!("{key:?}"))
}

/// Whether a broker answers at all: a fresh connection and one `ApiVersions` request.
pub async fn probe(endpoint: &Endpoint, security: &Security, limit: Duration) -> Probe {
    let began = Instant::now();
    match Connection::open(endpoint, security, limit).await {
        // One that answers that it will not have us is not down.
        Ok(_) | Err(WireError::Protocol(_) | WireError::Sasl(_)) => {
            Probe::Answered { elapsed_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX) }
        }
        // A dying broker may cut a connection at any point, also within TLS.
        Err(WireError::Refused(_) | WireError::Closed | WireError::Tls(_)) => Probe::Refused,
        Err(WireError::Unreachable | WireError::Unresolved { .. }) => Probe::Unreachable,
        Err(WireError::Silent) => Probe::Silent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    const LIMIT: Duration = Duration::from_millis(300);

    async fn listener() -> (TcpListener, Endpoint) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let port = listener.local_addr().expect("its address").port();
        (listener, Endpoint::new("127.0.0.1", port))
    }

    #[tokio::test]
    async fn a_closed_port_is_refused() {
        let (listener, endpoint) = listener().await;
        drop(listener);
        assert_eq!(probe(&endpoint, &Security::plaintext(), LIMIT).await, Probe::Refused);
    }

    #[tokio::test]
    async fn a_listener_that_never_answers_is_silent() {
        let (_listener, endpoint) = listener().await;
        assert_eq!(probe(&endpoint, &Security::plaintext(), LIMIT).await, Probe::Silent);
    }

    #[tokio::test]
    async fn a_name_that_means_nothing_is_told_as_such() {
        let endpoint = Endpoint::new("no-such-broker.invalid", 9092);
        let error = Connection::open(&endpoint, &Security::plaintext(), Duration::from_secs(20)).await.err();
        assert!(matches!(error, Some(WireError::Unresolved { .. })), "{error:?}");
    }

    #[tokio::test]
    async fn a_mock_broker_answers() {
        let mock = rdkafka::mocking::MockCluster::new(1).expect("a mock cluster");
        let endpoint = mock.bootstrap_servers().parse().expect("an address");
        assert!(matches!(
            probe(&endpoint, &Security::plaintext(), Duration::from_secs(5)).await,
            Probe::Answered { .. }
        ));
    }
}
