//! What an administrator asks of a cluster: make, list, describe and delete topics, and delete groups; and, a file each,
//! Kafka's own levers. In Kafka's own protocol, because its answers say why something was refused, which client libraries
//! leave out.

mod ask;
pub mod configs;
pub mod leaders;
pub mod listeners;
pub mod quorum;
pub mod records;
pub mod replicas;
pub mod transactions;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{
    CreateTopicsRequest, DeleteGroupsRequest, DeleteTopicsRequest, DescribeConfigsRequest, GroupId, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use ask::{ATTEMPT_LIMIT_MS, Asking, BETWEEN_ATTEMPTS, Said, Whom};

use crate::cluster::peers::Peers;
use crate::cluster::view::Topics;
use crate::cluster::wire::Connection;
use crate::cluster::{ClusterError, LOOK_LIMIT, view};
use crate::scenario::TopicSpec;

/// `DescribeConfigs` numbers the kinds of things that have a configuration.
const TOPIC_RESOURCE: i8 = 2;

/// The code of `TOPIC_ALREADY_EXISTS`.
pub const TOPIC_ALREADY_EXISTS: i16 = 36;
/// The code of `UNKNOWN_TOPIC_OR_PARTITION`.
pub const UNKNOWN_TOPIC: i16 = 3;
const UNKNOWN_TOPIC_ID: i16 = 100;
const GROUP_ID_NOT_FOUND: i16 = 69;

/// Whether something was made or was there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// It was made.
    New,
    /// It was there.
    There,
}

/// Whether something was deleted or was not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It was deleted.
    Gone,
    /// It was not there.
    Absent,
}

/// One setting of a topic that is not the default.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Setting {
    /// The property's name.
    pub name: String,
    /// Its value; `None` for a secret.
    pub value: Option<String>,
    /// Who set it: `topic` or `broker`.
    pub set_by: &'static str,
}

/// A topic that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Creation {
    /// Whether it was made now. One that is there may also have been made by an attempt whose answer was lost.
    pub made: Made,
    /// Its id, where it was made and the brokers give ids (KIP-516).
    pub id: Option<Uuid>,
}

/// Makes a topic, and waits until every broker that answers knows it.
pub async fn create_topic(peers: &Peers, topic: &TopicSpec, limit: Duration) -> Result<Creation, ClusterError> {
    let began = Instant::now();
    let refused = |reason: String| ClusterError::Topic { topic: topic.name.clone(), reason };
    let creatable = CreatableTopic::default()
        .with_name(topic_name(&topic.name))
        .with_num_partitions(i32::try_from(topic.partitions).map_err(|error| refused(error.to_string()))?)
        .with_replication_factor(i16::try_from(topic.replication_factor).map_err(|error| refused(error.to_string()))?)
        .with_configs(topic.config.iter().map(|(key, value)| config(key, value)).collect());
    let request = CreateTopicsRequest::default().with_topics(vec![creatable]).with_timeout_ms(ATTEMPT_LIMIT_MS);
    let action = format!("make topic `{}`", topic.name);
    let asking = Asking { peers, whom: Whom::Anybody, action: action.clone(), limit };
    let answer = asking.until(
        7,
        |_| request.clone(),
        |answer| {
            let topic = answer.topics.first();
            topic.map_or_else(Said::nothing, |topic| Said::with(topic.error_code, topic.error_message.as_ref()))
        },
    );
    let id = match answer.await {
        Ok(answer) => answer.topics.first().map(|topic| topic.topic_id).filter(|id| !id.is_nil()),
        Err(ClusterError::Refused { code: TOPIC_ALREADY_EXISTS, .. }) => {
            return Ok(Creation { made: Made::There, id: None });
        }
        Err(ClusterError::Refused { reason, .. }) => return Err(refused(reason)),
        Err(error) => return Err(error),
    };
    // The controller has it in its log; each broker learns of it in its own time.
    let known = |known: Option<Uuid>| known.is_some();
    until_all(peers, &topic.name, limit.saturating_sub(began.elapsed()), &action, known).await?;
    Ok(Creation { made: Made::New, id })
}

/// Deletes a topic, and waits until no broker that answers knows it any more. With an id, only the topic of that id: another
/// one that got its name is left alone.
pub async fn delete_topic(
    peers: &Peers,
    topic: &str,
    id: Option<Uuid>,
    limit: Duration,
) -> Result<Deleted, ClusterError> {
    let began = Instant::now();
    let action = format!("delete topic `{topic}`");
    let request = |version: i16| {
        let request = DeleteTopicsRequest::default().with_timeout_ms(ATTEMPT_LIMIT_MS);
        // KIP-516 moved the names into a list with ids from version 6 on.
        match (version >= 6, id) {
            (true, Some(id)) => {
                request.with_topics(vec![DeleteTopicState::default().with_name(None).with_topic_id(id)])
            }
            (true, None) => request.with_topics(vec![DeleteTopicState::default().with_name(Some(topic_name(topic)))]),
            (false, _) => request.with_topic_names(vec![topic_name(topic)]),
        }
    };
    let asking = Asking { peers, whom: Whom::Anybody, action: action.clone(), limit };
    let answer = asking.until(6, request, |answer| {
        let topic = answer.responses.first();
        topic.map_or_else(Said::nothing, |topic| Said::with(topic.error_code, topic.error_message.as_ref()))
    });
    match answer.await {
        Ok(_) => {}
        Err(ClusterError::Refused { code: UNKNOWN_TOPIC | UNKNOWN_TOPIC_ID, .. }) => return Ok(Deleted::Absent),
        Err(error) => return Err(error),
    }
    let gone = |known: Option<Uuid>| known.is_none() || (id.is_some() && known != id);
    until_all(peers, topic, limit.saturating_sub(began.elapsed()), &action, gone).await?;
    Ok(Deleted::Gone)
}

/// Waits until every broker that answers knows what `good` wants of a topic: its id (nil from brokers that give none), or
/// `None` where it is unknown.
async fn until_all(
    peers: &Peers,
    topic: &str,
    limit: Duration,
    action: &str,
    good: impl Fn(Option<Uuid>) -> bool,
) -> Result<(), ClusterError> {
    let began = Instant::now();
    loop {
        let looks = peers.addresses.iter().map(|(broker, endpoint)| async move {
            let look = async {
                let mut connection = Connection::open(endpoint, &peers.security, LOOK_LIMIT).await?;
                connection.call(12, |_| view::metadata_request(Topics::Named(&[topic.to_owned()]))).await
            };
            (*broker, look.await)
        });
        let mut late = None;
        for (broker, look) in join_all(looks).await {
            let Ok(metadata) = look else { continue };
            let known = metadata.topics.first().filter(|topic| topic.error_code == 0).map(|topic| topic.topic_id);
            if !good(known) {
                late = Some(broker);
            }
        }
        let Some(late) = late else { return Ok(()) };
        if began.elapsed() >= limit {
            let last_seen = format!("{late} has not heard of it yet");
            return Err(ClusterError::Unfinished { action: action.to_owned(), limit_s: limit.as_secs(), last_seen });
        }
        tokio::time::sleep(BETWEEN_ATTEMPTS).await;
    }
}

/// A topic's settings that are not defaults, by name.
pub async fn settings(peers: &Peers, topic: &str, limit: Duration) -> Result<Vec<Setting>, ClusterError> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC_RESOURCE)
        .with_resource_name(StrBytes::from_string(topic.to_owned()))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let action = format!("describe topic `{topic}`");
    let answer = Asking { peers, whom: Whom::Anybody, action, limit }
        .until(
            4,
            |_| request.clone(),
            |answer| {
                let result = answer.results.first();
                result.map_or_else(Said::nothing, |result| Said::with(result.error_code, result.error_message.as_ref()))
            },
        )
        .await?;
    let mut settings: Vec<Setting> = answer
        .results
        .into_iter()
        .flat_map(|result| result.configs)
        .filter_map(|config| {
            // KIP-226's sources; 5 is the default, of which there are dozens.
            let set_by = match config.config_source {
                1 => "topic",
                2..=4 => "broker",
                _ => return None,
            };
            Some(Setting { name: config.name.to_string(), value: config.value.map(|value| value.to_string()), set_by })
        })
        .collect();
    settings.sort();
    Ok(settings)
}

/// Deletes a group with its offsets, once its last member is gone.
pub async fn delete_group(peers: &Peers, group: &str, limit: Duration) -> Result<Deleted, ClusterError> {
    let action = format!("delete group `{group}`");
    let id = GroupId(StrBytes::from_string(group.to_owned()));
    let request = DeleteGroupsRequest::default().with_groups_names(vec![id]);
    let asking = Asking { peers, whom: Whom::OfGroup(group), action, limit };
    let answer = asking.until(
        2,
        |_| request.clone(),
        |answer| answer.results.first().map_or_else(Said::nothing, |result| Said::code(result.error_code)),
    );
    match answer.await {
        Ok(_) => Ok(Deleted::Gone),
        Err(ClusterError::Refused { code: GROUP_ID_NOT_FOUND, .. }) => Ok(Deleted::Absent),
        Err(error) => Err(error),
    }
}

fn config(key: &str, value: &str) -> CreatableTopicConfig {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value)))
}

fn topic_name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

/// What an error code means.
pub fn meaning(code: i16) -> String {
    ResponseError::try_from_code(code).map_or_else(|| format!("error {code}"), |error| format!("{error:?} ({code})"))
}

/// The settings as `name=value`, for one line of text.
pub fn shown(settings: &[Setting]) -> BTreeMap<String, String> {
    let value = |setting: &Setting| setting.value.clone().unwrap_or_else(|| "(hidden)".to_owned());
    settings.iter().map(|setting| (setting.name.clone(), value(setting))).collect()
}
