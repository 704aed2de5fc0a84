//! Whether a group exists at all, told for certain or not at all: a run that takes somebody's group for its own would take
//! its partitions, and delete its offsets at the end.

use std::time::{Duration, Instant};

use kafka_protocol::messages::ListGroupsRequest;

use super::{committed, refuse};
use crate::cluster::peers::Peers;
use crate::cluster::wire::{Connection, WireError};
use crate::cluster::{ClusterError, view};

/// How long one question about one group may take.
const ASK_LIMIT: Duration = Duration::from_secs(5);
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(200);

/// Whether there is a group of this id, of whatever protocol: with members, or with nothing but offsets. Its coordinator is
/// asked; an error means that nobody can tell.
pub async fn exists(peers: &Peers, group: &str, limit: Duration) -> Result<bool, ClusterError> {
    let began = Instant::now();
    loop {
        let asked = async {
            let coordinator = view::coordinator(peers, group, ASK_LIMIT).await.map_err(|error| error.to_string())?;
            let endpoint = peers.endpoint(coordinator).ok_or_else(|| format!("{coordinator} has no address"))?;
            let ask = async {
                let mut connection = Connection::open(endpoint, &peers.security, ASK_LIMIT).await?;
                let listed = connection.call(5, |_| ListGroupsRequest::default()).await?;
                refuse(listed.error_code)?;
                let is_listed = listed.groups.iter().any(|listed| *listed.group_id.0 == *group);
                Ok::<bool, WireError>(is_listed || !committed(&mut connection, group).await?.is_empty())
            };
            ask.await.map_err(|error| error.to_string())
        };
        match asked.await {
            Ok(exists) => return Ok(exists),
            Err(last_seen) if began.elapsed() >= limit => {
                return Err(ClusterError::Unfinished {
                    action: format!("learn whether group `{group}` exists"),
                    limit_s: limit.as_secs(),
                    last_seen,
                });
            }
            // A first group makes the offsets topic, whose leaders have to be elected.
            Err(_) => tokio::time::sleep(BETWEEN_ATTEMPTS).await,
        }
    }
}
