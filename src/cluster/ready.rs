//! When a cluster is ready, asked in Kafka's own protocol, again and again until it is or the time is over.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::cluster::peers::Peers;
use crate::cluster::{ClusterError, LOOK_LIMIT, view};
use crate::kafka::ClusterView;
use crate::scenario::TopicSpec;

const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// What is waited for once topics are made.
pub(crate) const FULL_ISR: &str = "every partition with a leader and its full ISR";

/// Looks at the cluster until `good` is content with it. `hopeless` is asked after each look in vain; its error ends the
/// waiting at once, for a broker that died while starting will not get better.
pub(crate) async fn wait<F: Future<Output = Result<(), ClusterError>>>(
    peers: &Peers,
    topics: &[String],
    limit: Duration,
    waited_for: &str,
    good: impl Fn(&ClusterView) -> Result<(), String>,
    hopeless: impl Fn() -> F,
) -> Result<(), ClusterError> {
    let began = Instant::now();
    loop {
        let last_seen = match view::ask_all(peers, topics, LOOK_LIMIT).await {
            Ok(view) => match good(&view) {
                Ok(()) => return Ok(()),
                Err(missing) => missing,
            },
            Err(error) => error.to_string(),
        };
        hopeless().await?;
        if began.elapsed() >= limit {
            return Err(ClusterError::NotReady {
                limit_s: limit.as_secs(),
                waited_for: waited_for.to_owned(),
                last_seen,
                logs: String::new(),
            });
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// How many partitions these topics have together.
pub(crate) fn partitions(topics: &[TopicSpec]) -> usize {
    topics.iter().map(|topic| topic.partitions as usize).sum()
}
