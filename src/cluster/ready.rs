//! When a cluster is ready, asked in Kafka's own protocol, again and again until it is or the time is over.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::cluster::broker::Member;
use crate::cluster::engine::Engine;
use crate::cluster::peers::Peers;
use crate::cluster::view::Topics;
use crate::cluster::{ClusterError, LOOK_LIMIT, view};
use crate::fault::ProcessState;
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
        let last_seen = match view::ask_all(peers, Topics::Named(topics), LOOK_LIMIT).await {
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

/// A broker that died while starting will not get better; its log says why.
pub(crate) async fn find_the_dead(engine: &Engine, members: &[Member]) -> Result<(), ClusterError> {
    for member in members {
        if let ProcessState::Exited { exit_code } = engine.process_state(&member.name).await? {
            let log = engine.log_tail(&member.name).await;
            return Err(ClusterError::BrokerDied { broker: member.id, exit_code, log });
        }
    }
    Ok(())
}

/// Adds the end of each broker's log to the error of a wait that was too long.
pub(crate) async fn with_logs(
    waited: Result<(), ClusterError>,
    engine: &Engine,
    members: &[Member],
) -> Result<(), ClusterError> {
    let Err(ClusterError::NotReady { limit_s, waited_for, last_seen, .. }) = waited else { return waited };
    let mut tails = Vec::new();
    for member in members {
        tails.push(format!("\n  {}:\n{}", member.id, engine.log_tail(&member.name).await));
    }
    Err(ClusterError::NotReady { limit_s, waited_for, last_seen, logs: tails.concat() })
}

/// How many partitions these topics have together.
pub(crate) fn partitions(topics: &[TopicSpec]) -> usize {
    topics.iter().map(|topic| topic.partitions as usize).sum()
}
