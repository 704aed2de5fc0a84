//! Consumer groups, asked of their coordinators: who is in them, who owns what, and how far they lag. Classic groups and
//! those of KIP-848 alike.

mod existence;
mod listing;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Buf;
use futures_util::future::join_all;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::{
    self, ConsumerGroupDescribeRequest, ConsumerProtocolAssignment, DescribeGroupsRequest, GroupId, ListOffsetsRequest,
    OffsetFetchRequest, TopicName,
};
use kafka_protocol::protocol::{Decodable, StrBytes};

use crate::cluster::ClusterError;
use crate::cluster::admin::meaning;
use crate::cluster::peers::Peers;
use crate::cluster::view;
use crate::cluster::wire::{Connection, WireError};
use crate::kafka::{
    ClusterView, GroupMissing, GroupOffset, GroupView, MemberView, Missing, Offset, Partition, TopicPartition,
};

pub use existence::exists;
use listing::{Protocol, list_typed};

/// `ListOffsets` takes this timestamp for the high watermark.
const LATEST: i64 = -1;

/// The newest version of `OffsetFetch` that names topics by name; the next one has ids only.
const OFFSET_FETCH_NEWEST: i16 = 9;

/// The ids of all consumer groups, in order. Brokers that do not answer are left out, unless none does.
pub async fn list(peers: &Peers, limit: Duration) -> Result<Vec<String>, ClusterError> {
    Ok(list_typed(peers, limit).await?.0.into_keys().collect())
}

/// What was learnt of groups, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// The groups.
    pub groups: Vec<GroupView>,
    /// What could not be learnt, and why.
    pub missing: Vec<GroupMissing>,
}

/// Every group, or those named; `view` is what the cluster's metadata says of all topics. A group whose coordinator does
/// not answer is told as missing.
pub async fn describe(
    peers: &Peers,
    view: &ClusterView,
    only: Option<&[String]>,
    limit: Duration,
) -> Result<Described, ClusterError> {
    let (known, mut missing) = list_typed(peers, limit).await?;
    let wanted = known.into_iter().filter(|(group, _)| only.is_none_or(|only| only.contains(group)));
    let asked = wanted.map(|(group, protocol)| async move {
        describe_one(peers, &group, protocol, limit)
            .await
            .map_err(|reason| GroupMissing { what: Missing::Group(group), reason })
    });
    let mut groups = Vec::new();
    for found in join_all(asked).await {
        match found {
            Ok(group) => groups.push(group),
            Err(group) => missing.push(group),
        }
    }
    let partitions: BTreeSet<&TopicPartition> =
        groups.iter().flat_map(|group| &group.offsets).map(|offset| &offset.partition).collect();
    let ends = high_watermarks(peers, view, &partitions, limit).await;
    for offset in groups.iter_mut().flat_map(|group| &mut group.offsets) {
        offset.end = ends.get(&offset.partition).copied();
    }
    Ok(Described { groups, missing })
}

/// One group as its coordinator knows it; else, in words, why not.
async fn describe_one(peers: &Peers, group: &str, protocol: Protocol, limit: Duration) -> Result<GroupView, String> {
    let coordinator = view::coordinator(peers, group, limit).await.map_err(|error| error.to_string())?;
    let endpoint =
        peers.endpoint(coordinator).ok_or_else(|| format!("its coordinator {coordinator} is not registered"))?;
    let asked = async {
        let mut connection = Connection::open(endpoint, &peers.security, limit).await?;
        let (state, members) = match protocol {
            Protocol::New => describe_new(&mut connection, group).await?,
            Protocol::Classic => describe_classic(&mut connection, group).await?,
        };
        Ok::<_, WireError>((state, members, committed(&mut connection, group).await?))
    };
    let (state, members, mut offsets) =
        asked.await.map_err(|error| format!("its coordinator {coordinator}: {error}"))?;
    for partition in members.iter().flat_map(|member| &member.owns) {
        offsets.entry(partition.clone()).or_insert(None);
    }
    let offsets =
        offsets.into_iter().map(|(partition, committed)| GroupOffset { partition, committed, end: None }).collect();
    Ok(GroupView { group: group.to_owned(), state, members, offsets })
}

async fn describe_classic(connection: &mut Connection, group: &str) -> Result<(String, Vec<MemberView>), WireError> {
    let request = DescribeGroupsRequest::default().with_groups(vec![group_id(group)]);
    let answer = connection.call(5, |_| request).await?;
    let described = answer.groups.into_iter().next().ok_or_else(|| WireError::Protocol("no group".to_owned()))?;
    refuse(described.error_code)?;
    let members = described.members.into_iter().map(|member| MemberView {
        member: member.member_id.to_string(),
        client: member.client_id.to_string(),
        host: member.client_host.trim_start_matches('/').to_owned(),
        owns: assignment(member.member_assignment),
    });
    Ok((described.group_state.to_string(), members.collect()))
}

/// What a member of a classic group was given, in the consumers' own embedded protocol: a version, then the message.
fn assignment(mut bytes: bytes::Bytes) -> Vec<TopicPartition> {
    if bytes.remaining() < 2 {
        return Vec::new();
    }
    let version = bytes.get_i16();
    let decoded = ConsumerProtocolAssignment::decode(&mut bytes, version.clamp(0, 3));
    let topics = decoded.map(|assignment| assignment.assigned_partitions).unwrap_or_default();
    let mut owned: Vec<TopicPartition> = topics
        .into_iter()
        .flat_map(|topic| {
            let name = topic.topic.0.to_string();
            topic.partitions.into_iter().map(move |partition| TopicPartition::new(name.clone(), partition))
        })
        .collect();
    owned.sort();
    owned
}

async fn describe_new(connection: &mut Connection, group: &str) -> Result<(String, Vec<MemberView>), WireError> {
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group_id(group)]);
    let answer = connection.call(1, |_| request).await?;
    let described = answer.groups.into_iter().next().ok_or_else(|| WireError::Protocol("no group".to_owned()))?;
    refuse(described.error_code)?;
    let members = described.members.into_iter().map(|member| {
        let mut owns: Vec<TopicPartition> = member
            .assignment
            .topic_partitions
            .into_iter()
            .flat_map(|topic| {
                let name = topic.topic_name.0.to_string();
                topic.partitions.into_iter().map(move |partition| TopicPartition::new(name.clone(), partition))
            })
            .collect();
        owns.sort();
        MemberView {
            member: member.member_id.to_string(),
            client: member.client_id.to_string(),
            host: member.client_host.trim_start_matches('/').to_owned(),
            owns,
        }
    });
    Ok((described.group_state.to_string(), members.collect()))
}

async fn committed(
    connection: &mut Connection,
    group: &str,
) -> Result<BTreeMap<TopicPartition, Option<Offset>>, WireError> {
    let request = |version: i16| {
        // KIP-709 asks for several groups at once from version 8 on.
        if version >= 8 {
            let wanted = OffsetFetchRequestGroup::default().with_group_id(group_id(group)).with_topics(None);
            OffsetFetchRequest::default().with_groups(vec![wanted])
        } else {
            OffsetFetchRequest::default().with_group_id(group_id(group)).with_topics(None)
        }
    };
    let answer = connection.call(OFFSET_FETCH_NEWEST, request).await?;
    let mut found = BTreeMap::new();
    let mut add = |topic: &TopicName, partition: i32, offset: i64| {
        let offset = Some(Offset(offset)).filter(|offset| offset.0 >= 0);
        found.insert(TopicPartition::new(topic.0.to_string(), partition), offset);
    };
    if let Some(group) = answer.groups.first() {
        refuse(group.error_code)?;
        for topic in &group.topics {
            topic.partitions.iter().for_each(|p| add(&topic.name, p.partition_index, p.committed_offset));
        }
    } else {
        refuse(answer.error_code)?;
        for topic in &answer.topics {
            topic.partitions.iter().for_each(|p| add(&topic.name, p.partition_index, p.committed_offset));
        }
    }
    Ok(found)
}

/// How far partitions reach, as their leaders tell it. Those whose leader does not answer are left out.
pub async fn high_watermarks(
    peers: &Peers,
    view: &ClusterView,
    partitions: &BTreeSet<&TopicPartition>,
    limit: Duration,
) -> BTreeMap<TopicPartition, Offset> {
    let mut by_leader: BTreeMap<_, Vec<&TopicPartition>> = BTreeMap::new();
    for partition in partitions {
        if let Some(leader) = view.partition(partition).and_then(|view| view.leader) {
            by_leader.entry(leader).or_default().push(*partition);
        }
    }
    let asked = by_leader.into_iter().map(|(leader, partitions)| async move {
        let endpoint = peers.endpoint(leader)?;
        let mut connection = Connection::open(endpoint, &peers.security, limit).await.ok()?;
        ends(&mut connection, &partitions).await.ok()
    });
    join_all(asked).await.into_iter().flatten().flatten().collect()
}

async fn ends(
    connection: &mut Connection,
    partitions: &[&TopicPartition],
) -> Result<Vec<(TopicPartition, Offset)>, WireError> {
    let mut by_topic: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
    for partition in partitions {
        let wanted = ListOffsetsPartition::default()
            .with_partition_index(partition.partition.0)
            .with_current_leader_epoch(-1)
            .with_timestamp(LATEST);
        by_topic.entry(&partition.topic).or_default().push(wanted);
    }
    let topics = by_topic.into_iter().map(|(topic, partitions)| {
        let name = TopicName(StrBytes::from_string(topic.to_owned()));
        ListOffsetsTopic::default().with_name(name).with_partitions(partitions)
    });
    let request = ListOffsetsRequest::default().with_replica_id(messages::BrokerId(-1)).with_topics(topics.collect());
    let answer = connection.call(7, |_| request).await?;
    let told = answer.topics.into_iter().flat_map(|topic| {
        let name = topic.name.0.to_string();
        topic.partitions.into_iter().filter(|partition| partition.error_code == 0).map(move |partition| {
            let number = Partition(partition.partition_index);
            (TopicPartition { topic: name.clone(), partition: number }, Offset(partition.offset))
        })
    });
    Ok(told.collect())
}

fn group_id(group: &str) -> GroupId {
    GroupId(StrBytes::from_string(group.to_owned()))
}

fn refuse(code: i16) -> Result<(), WireError> {
    if code == 0 { Ok(()) } else { Err(WireError::Protocol(meaning(code))) }
}
