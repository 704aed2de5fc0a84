//! What can be known before a client is started, so that a slip is told in one sentence and not by a library's silence.

use std::time::Duration;

use crate::cluster::ClusterError;
use crate::cluster::reach::{self, ReachError};
use crate::cluster::view::{self, Topics};
use crate::kafka::Access;

/// Every broker is asked at once, and a frozen one is waited for this long.
const LOOK_LIMIT: Duration = Duration::from_millis(1500);

/// From this likeness on (Jaro-Winkler, 0 to 1) another topic's name is probably what was meant.
const ALIKE: f64 = 0.8;

/// Why a client would wait in vain.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// The cluster cannot be reached.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// It was reached, and then did not answer.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The topic does not exist.
    #[error("there is no topic `{topic}`\n  help: {}", topic_help(meant.as_deref(), topic))]
    NoTopic {
        /// What was asked for.
        topic: String,
        /// What was probably meant.
        meant: Option<String>,
    },
    /// The topic has not so many partitions.
    #[error("topic `{topic}` has no partition {partition}\n  help: it has {count}, counted from 0")]
    NoPartition {
        /// The topic.
        topic: String,
        /// What was asked for.
        partition: i32,
        /// How many there are.
        count: usize,
    },
}

fn topic_help(meant: Option<&str>, topic: &str) -> String {
    match meant {
        Some(meant) => format!("did you mean `{meant}`? `wiber-chaos topics list` shows all"),
        None => format!("`wiber-chaos topics create {topic}` makes it; `topics list` shows those that there are"),
    }
}

/// How many partitions each topic has, in the order asked for.
pub async fn partitions(access: &Access, topics: &[String]) -> Result<Vec<usize>, PreflightError> {
    let peers = reach::reach_for_clients(access).await?.peers;
    let view = view::ask_all(&peers, Topics::All, LOOK_LIMIT).await?;
    let count = |topic: &String| match view.partitions.iter().filter(|it| it.partition.topic == *topic).count() {
        0 => {
            let known = view.partitions.iter().map(|it| it.partition.topic.as_str());
            Err(PreflightError::NoTopic { topic: topic.clone(), meant: nearest(topic, known).map(str::to_owned) })
        }
        count => Ok(count),
    };
    topics.iter().map(count).collect()
}

/// The known name that is most like the one asked for, if it is like enough. Kafka's own topics are nobody's slip.
pub fn nearest<'a>(asked: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |name: &str| strsim::jaro_winkler(&asked.to_lowercase(), &name.to_lowercase());
    let candidates = known.filter(|name| !name.starts_with("__"));
    let best = candidates.max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) >= ALIKE).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::Endpoint;

    #[test]
    fn a_slip_finds_its_topic_and_what_resembles_nothing_does_not() {
        let known = ["chat", "orders", "__consumer_offsets"];
        assert_eq!(nearest("chatt", known.into_iter()), Some("chat"));
        assert_eq!(nearest("Chat", known.into_iter()), Some("chat"));
        assert_eq!(nearest("zebra", known.into_iter()), None);
        assert_eq!(nearest("__consumer_offset", known.into_iter()), None);
    }

    #[tokio::test]
    async fn a_topic_that_is_not_there_is_an_error_that_names_what_was_meant() {
        let mock = rdkafka::mocking::MockCluster::new(1).expect("a mock cluster");
        mock.create_topic("chat", 3, 1).expect("a topic");
        let access = Access::plaintext(Endpoint::parse_list(&mock.bootstrap_servers()).expect("addresses"));
        assert_eq!(partitions(&access, &["chat".to_owned()]).await.expect("it is there"), [3]);
        let error = partitions(&access, &["chatt".to_owned()]).await.expect_err("it is not");
        assert!(error.to_string().contains("did you mean `chat`?"), "{error}");
    }
}
