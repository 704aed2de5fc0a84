//! Which groups there are, and of which protocol.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use kafka_protocol::messages::ListGroupsRequest;

use crate::cluster::ClusterError;
use crate::cluster::admin::meaning;
use crate::cluster::peers::Peers;
use crate::cluster::wire::Connection;
use crate::kafka::{GroupMissing, Missing};

/// The type of a group by the protocol of KIP-848, as `ListGroups` tells it.
const NEW_PROTOCOL: &str = "consumer";

/// How a group's members are given their partitions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// By one of them.
    Classic,
    /// By the coordinator (KIP-848).
    New,
}

/// Each group with its protocol, and which brokers did not answer. A group is known to its coordinator only, so each broker
/// is asked.
pub(super) async fn list_typed(
    peers: &Peers,
    limit: Duration,
) -> Result<(BTreeMap<String, Protocol>, Vec<GroupMissing>), ClusterError> {
    let looks = peers.addresses.iter().map(|(broker, endpoint)| async move {
        let answer = async {
            let mut connection = Connection::open(endpoint, &peers.security, limit).await?;
            connection.call(5, |_| ListGroupsRequest::default()).await
        };
        (*broker, answer.await)
    });
    let mut groups = BTreeMap::new();
    let mut missing = Vec::new();
    for (broker, answer) in join_all(looks).await {
        let reason = match answer {
            Ok(answer) if answer.error_code == 0 => {
                let consumers = answer.groups.into_iter().filter(|group| {
                    // Groups that only commit, and never join, have no protocol.
                    ["consumer", ""].contains(&group.protocol_type.as_ref())
                });
                groups.extend(consumers.map(|group| {
                    let is_new = group.group_type.eq_ignore_ascii_case(NEW_PROTOCOL);
                    (group.group_id.0.to_string(), if is_new { Protocol::New } else { Protocol::Classic })
                }));
                continue;
            }
            Ok(answer) => meaning(answer.error_code),
            Err(error) => error.to_string(),
        };
        missing.push((broker, reason));
    }
    if missing.len() < peers.addresses.len() {
        let missing =
            missing.into_iter().map(|(broker, reason)| GroupMissing { what: Missing::CoordinatedBy(broker), reason });
        Ok((groups, missing.collect()))
    } else {
        let last_seen = missing
            .pop()
            .map_or_else(|| "there is nobody to ask".to_owned(), |(broker, reason)| format!("{broker}: {reason}"));
        Err(ClusterError::NoAnswer { question: "which groups there are".to_owned(), last_seen })
    }
}
