//! One question, put again until somebody carries it out, refuses it for good, or the time is over.
//!
//! Leaders and coordinators move, above all where faults are, so each attempt finds out anew whom to ask. An answer that was
//! lost may have been carried out; every question here therefore has to be one that may be asked twice.

use std::time::{Duration, Instant};

use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Request, StrBytes};

use super::meaning;
use crate::cluster::peers::Peers;
use crate::cluster::view::{self, Topics};
use crate::cluster::wire::{Connection, WireError};
use crate::cluster::{ClusterError, LOOK_LIMIT};
use crate::kafka::{BrokerId, Endpoint, TopicPartition};

/// How long one attempt may take: the controller answers when the change is in its log.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(10);
/// The same, as requests carry it.
pub(super) const ATTEMPT_LIMIT_MS: i32 = 10_000;

/// How long to wait between two looks or attempts.
pub(super) const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(200);

/// The code of `UNSUPPORTED_VERSION`.
const UNSUPPORTED_VERSION: i16 = 35;

/// Errors that pass by themselves: time-outs (7, 13), elections of a leader (5, 6, 74, 75), controller (41) or coordinator
/// (14, 15, 16), brokers that are still starting (8, 9), groups whose members are leaving (68), a transaction that is being
/// ended (51), a candidate that is not in sync yet (80, 83), a quota (89).
const PASSING: [i16; 17] = [5, 6, 7, 8, 9, 13, 14, 15, 16, 41, 51, 68, 74, 75, 80, 83, 89];

/// Who has to be asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whom<'a> {
    /// Any broker: it forwards to the controller what only that can do (KIP-590).
    Anybody,
    /// This one.
    Broker(BrokerId),
    /// The partition's leader.
    Leader(&'a TopicPartition),
    /// The coordinator of the group.
    OfGroup(&'a str),
    /// The coordinator of the transactional id.
    OfTransactions(&'a str),
}

/// A question's outcome: Kafka's error code, 0 for none, and the broker's own words.
pub(super) struct Said {
    code: i16,
    words: Option<String>,
}

impl Said {
    /// An outcome with the broker's words, where it has any.
    pub(super) fn with(code: i16, words: Option<&StrBytes>) -> Self {
        Self { code, words: words.map(ToString::to_string).filter(|text| !text.is_empty()) }
    }

    /// An outcome without words.
    pub(super) fn code(code: i16) -> Self {
        Self { code, words: None }
    }

    /// An answer that does not speak of what was asked.
    pub(super) fn nothing() -> Self {
        Self { code: -1, words: Some("the answer does not speak of what was asked".to_owned()) }
    }
}

/// What is asked, of whom, and for how long.
pub(super) struct Asking<'a> {
    pub(super) peers: &'a Peers,
    pub(super) whom: Whom<'a>,
    /// What is to be done, to follow "could not".
    pub(super) action: String,
    /// For all attempts together. The last one may be under way when it is over, and takes a few seconds then.
    pub(super) limit: Duration,
}

/// What became of one attempt.
enum Attempt<T> {
    Answered(T),
    /// The broker does not know this kind of request.
    Unspoken,
}

impl Asking<'_> {
    /// Asks until there is an outcome that does not pass. `outcome` finds it in an answer, `request` is built for the
    /// version that is spoken, `newest` at most.
    pub(super) async fn until<R: Request>(
        &self,
        newest: i16,
        request: impl Fn(i16) -> R,
        outcome: impl Fn(&R::Response) -> Said,
    ) -> Result<R::Response, ClusterError> {
        let began = Instant::now();
        let mut last_seen = "there is nobody to ask".to_owned();
        loop {
            let mut unspoken = None;
            let brokers = self.find().await.unwrap_or_else(|reason| {
                last_seen = reason;
                Vec::new()
            });
            let count = brokers.len();
            for (broker, endpoint) in brokers {
                let left = self.limit.saturating_sub(began.elapsed());
                match attempt(self.peers, &endpoint, left.clamp(LOOK_LIMIT, ATTEMPT_LIMIT), newest, &request).await {
                    Ok(Attempt::Answered(answer)) => match outcome(&answer) {
                        Said { code: 0, .. } => return Ok(answer),
                        Said { code, words } if PASSING.contains(&code) => {
                            let words = words.map_or_else(String::new, |words| format!(": {words}"));
                            last_seen = format!("{broker}: {}{words}", meaning(code));
                        }
                        Said { code, words } => {
                            let reason = words.unwrap_or_else(|| meaning(code));
                            return Err(ClusterError::Refused { action: self.action.clone(), code, reason });
                        }
                    },
                    Ok(Attempt::Unspoken) => {
                        *unspoken.get_or_insert(0) += 1;
                        last_seen = format!("{broker}: it does not speak {}", api_name::<R>());
                    }
                    Err(error) => last_seen = format!("{broker}: {error}"),
                }
            }
            if unspoken == Some(count) {
                let (action, code) = (self.action.clone(), UNSUPPORTED_VERSION);
                return Err(ClusterError::Refused { action, code, reason: last_seen });
            }
            if began.elapsed() >= self.limit {
                return Err(self.unfinished(last_seen));
            }
            tokio::time::sleep(BETWEEN_ATTEMPTS).await;
        }
    }

    /// The error of a limit that is over.
    pub(super) fn unfinished(&self, last_seen: String) -> ClusterError {
        ClusterError::Unfinished { action: self.action.clone(), limit_s: self.limit.as_secs(), last_seen }
    }

    /// The brokers to ask now; in words, why there is none.
    async fn find(&self) -> Result<Vec<(BrokerId, Endpoint)>, String> {
        let told = |error: ClusterError| error.to_string();
        let broker = match self.whom {
            Whom::Anybody => return Ok(self.peers.addresses.clone()),
            Whom::Broker(broker) => broker,
            Whom::Leader(partition) => {
                let topics = [partition.topic.clone()];
                let view = view::ask_all(self.peers, Topics::Named(&topics), LOOK_LIMIT).await.map_err(told)?;
                let view = view.partition(partition).ok_or_else(|| format!("no broker knows {partition}"))?;
                view.leader.ok_or_else(|| format!("{partition} has no leader"))?
            }
            Whom::OfGroup(group) => view::coordinator(self.peers, group, LOOK_LIMIT).await.map_err(told)?,
            Whom::OfTransactions(id) => {
                view::transaction_coordinator(self.peers, id, LOOK_LIMIT).await.map_err(told)?
            }
        };
        let endpoint = self.peers.endpoint(broker).ok_or_else(|| format!("{broker} is no broker of this cluster"))?;
        Ok(vec![(broker, endpoint.clone())])
    }
}

/// A broker that does not even answer which versions it speaks costs a look's time only.
async fn attempt<R: Request>(
    peers: &Peers,
    endpoint: &Endpoint,
    limit: Duration,
    newest: i16,
    request: impl Fn(i16) -> R,
) -> Result<Attempt<R::Response>, WireError> {
    let mut connection = Connection::open(endpoint, &peers.security, LOOK_LIMIT).await?;
    if !connection.speaks(R::KEY, newest) {
        return Ok(Attempt::Unspoken);
    }
    connection.extend(limit);
    connection.call(newest, request).await.map(Attempt::Answered)
}

fn api_name<R: Request>() -> String {
    ApiKey::try_from(R::KEY).map_or_else(|()| format!("API {}", R::KEY), |key| format!("{key:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::admin::{leaders, quorum, transactions};
    use crate::kafka::levers::Election;
    use rdkafka::mocking::MockCluster;

    #[tokio::test]
    async fn a_cluster_that_does_not_speak_of_something_says_so_at_once() {
        let mock = MockCluster::new(1).expect("a mock cluster");
        let endpoint = mock.bootstrap_servers().parse().expect("an address");
        let peers = Peers::plaintext(vec![(BrokerId(1), endpoint)]);
        let limit = Duration::from_secs(60);
        let began = Instant::now();
        let chat = TopicPartition::new("chat", 0);
        for (error, api) in [
            (quorum::quorum(&peers, limit).await.expect_err("it has none"), "DescribeQuorum"),
            (leaders::elect(&peers, &chat, Election::Preferred, limit).await.expect_err("none"), "ElectLeaders"),
            (transactions::fence(&peers, "t", limit).await.expect_err("none"), "DescribeTransactions"),
        ] {
            assert!(matches!(error, ClusterError::Refused { code: UNSUPPORTED_VERSION, .. }), "{error}");
            assert!(error.to_string().contains(&format!("does not speak {api}")), "{error}");
        }
        assert!(began.elapsed() < limit / 2, "took {:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_limit_that_is_over_says_what_was_seen_last() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let port = listener.local_addr().expect("its address").port();
        drop(listener);
        let peers = Peers::plaintext(vec![(BrokerId(1), Endpoint::new("127.0.0.1", port))]);
        let error = quorum::quorum(&peers, Duration::from_millis(300)).await.expect_err("nobody listens");
        let text = error.to_string();
        assert!(text.contains("could not see the controllers' quorum") && text.contains("broker-1: "), "{text}");
        let error = quorum::quorum(&Peers::plaintext(Vec::new()), Duration::ZERO).await.expect_err("nobody");
        assert!(error.to_string().contains("nobody to ask"), "{error}");
    }
}
