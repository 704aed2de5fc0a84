//! One broker, asked in Kafka's own protocol over a fresh connection: the witness that no client library smooths over.
//!
//! librdkafka retries, caches and picks brokers by itself, which is what a load wants and a witness must not do. Each
//! [`Connection`] speaks to one address, asks for the versions both sides know (KIP-35), and gives every call one limit.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout_at;

use crate::fault::Probe;

/// Answers beyond this are not metadata of a test cluster but noise on the wire.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Why a broker could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Nobody listens, or the connection was reset.
    #[error("connection refused or reset: {0}")]
    Refused(io::Error),
    /// The connection was not made in time.
    #[error("no connection within the limit")]
    Unreachable,
    /// The connection stands, and no answer came in time.
    #[error("no answer within the limit")]
    Silent,
    /// The answer is not Kafka's, or in a version that neither side knows.
    #[error("unusable answer: {0}")]
    Protocol(String),
}

/// A connection to one broker, and one limit for everything said over it.
pub struct Connection {
    stream: TcpStream,
    deadline: tokio::time::Instant,
    versions: BTreeMap<i16, (i16, i16)>,
    correlation: i32,
}

impl Connection {
    /// Connects and asks which versions the broker speaks. `limit` holds for this and for every later call together.
    pub async fn open(address: SocketAddr, limit: Duration) -> Result<Self, WireError> {
        let deadline = tokio::time::Instant::now() + limit;
        let stream = timeout_at(deadline, TcpStream::connect(address))
            .await
            .map_err(|_| WireError::Unreachable)?
            .map_err(refused_or_unreachable)?;
        // A connect to a closed port of the ephemeral range can meet itself; such a stream echoes and must not count.
        if stream.local_addr().is_ok_and(|local| local == address) {
            return Err(WireError::Refused(io::Error::from(io::ErrorKind::ConnectionRefused)));
        }
        let mut connection = Self { stream, deadline, versions: BTreeMap::new(), correlation: 0 };
        let answer = connection.exchange(&ApiVersionsRequest::default(), 0).await?;
        if answer.error_code != 0 {
            return Err(WireError::Protocol(format!("ApiVersions answered error {}", answer.error_code)));
        }
        connection.versions =
            answer.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
        Ok(connection)
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
            _ => return Err(WireError::Protocol(format!("{:?} is not spoken here", api_name(R::KEY)))),
        };
        self.exchange(&request(version), version).await
    }

    async fn exchange<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response, WireError> {
        self.correlation += 1;
        let frame = encode(request, version, self.correlation)?;
        let deadline = self.deadline;
        let answer = timeout_at(deadline, async {
            self.stream.write_all(&frame).await?;
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
            _ => WireError::Refused(error),
        })?;
        decode::<R>(answer, version, self.correlation)
    }
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
pub async fn probe(address: SocketAddr, limit: Duration) -> Probe {
    let began = Instant::now();
    match Connection::open(address, limit).await {
        Ok(_) | Err(WireError::Protocol(_)) => {
            Probe::Answered { elapsed_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX) }
        }
        Err(WireError::Refused(_)) => Probe::Refused,
        Err(WireError::Unreachable) => Probe::Unreachable,
        Err(WireError::Silent) => Probe::Silent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    const LIMIT: Duration = Duration::from_millis(300);

    #[tokio::test]
    async fn a_closed_port_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("its address");
        drop(listener);
        assert_eq!(probe(address, LIMIT).await, Probe::Refused);
    }

    #[tokio::test]
    async fn a_listener_that_never_answers_is_silent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("its address");
        assert_eq!(probe(address, LIMIT).await, Probe::Silent);
    }

    #[tokio::test]
    async fn a_mock_broker_answers() {
        let mock = rdkafka::mocking::MockCluster::new(1).expect("a mock cluster");
        let address = mock.bootstrap_servers().parse().expect("an address");
        assert!(matches!(probe(address, Duration::from_secs(5)).await, Probe::Answered { .. }));
    }
}
