//! What an administrator asks of a cluster: make, list, describe and delete topics, and delete groups. In Kafka's own
//! protocol, because its answers say why something was refused, which client libraries leave out.
//!
//! Any broker can be asked: it forwards to the controller what only that can do (KIP-590).

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
use kafka_protocol::protocol::{Request, StrBytes};
use uuid::Uuid;

use crate::cluster::peers::Peers;
use crate::cluster::view::Topics;
use crate::cluster::wire::{Connection, WireError};
use crate::cluster::{ClusterError, LOOK_LIMIT, view};
use crate::kafka::BrokerId;
use crate::scenario::TopicSpec;

/// How long one attempt may take: the controller answers when the change is in its log.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(10);
const ATTEMPT_LIMIT_MS: i32 = 10_000;

const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(200);

/// `DescribeConfigs` numbers the kinds of things that have a configuration.
const TOPIC_RESOURCE: i8 = 2;

/// The code of `TOPIC_ALREADY_EXISTS`.
pub const TOPIC_ALREADY_EXISTS: i16 = 36;
/// The code of `UNKNOWN_TOPIC_OR_PARTITION`.
pub const UNKNOWN_TOPIC: i16 = 3;
const UNKNOWN_TOPIC_ID: i16 = 100;
const GROUP_ID_NOT_FOUND: i16 = 69;

/// Errors that pass by themselves: time-outs, elections of a controller or coordinator, groups whose members are leaving.
const PASSING: [i16; 7] = [7, 13, 14, 15, 16, 41, 68];

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
    let answer = ask_until(
        peers,
        &action,
        limit,
        7,
        |_| request.clone(),
        |answer| {
            let topic = answer.topics.first();
            topic.map_or((-1, None), |topic| (topic.error_code, topic.error_message.as_ref().map(ToString::to_string)))
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
    let answer = ask_until(peers, &action, limit, 6, request, |answer| {
        let topic = answer.responses.first();
        topic.map_or((-1, None), |topic| (topic.error_code, topic.error_message.as_ref().map(ToString::to_string)))
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
    let answer = ask_until(
        peers,
        &action,
        limit,
        4,
        |_| request.clone(),
        |answer| {
            let result = answer.results.first();
            result.map_or((-1, None), |result| {
                (result.error_code, result.error_message.as_ref().map(ToString::to_string))
            })
        },
    );
    let mut settings: Vec<Setting> = answer
        .await?
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
    let began = Instant::now();
    let action = format!("delete group `{group}`");
    loop {
        // The coordinator may move while it is asked, so that each attempt looks for it anew.
        let last_seen = match view::coordinator(peers, group, LOOK_LIMIT).await {
            Ok(coordinator) => match try_to_delete(peers, coordinator, group).await {
                Ok(0) => return Ok(Deleted::Gone),
                Ok(GROUP_ID_NOT_FOUND) => return Ok(Deleted::Absent),
                Ok(code) if !PASSING.contains(&code) => {
                    return Err(ClusterError::Refused { action, code, reason: meaning(code) });
                }
                Ok(code) => format!("{coordinator}: {}", meaning(code)),
                Err(error) => format!("{coordinator}: {error}"),
            },
            Err(error) => error.to_string(),
        };
        if began.elapsed() >= limit {
            return Err(ClusterError::Unfinished { action, limit_s: limit.as_secs(), last_seen });
        }
        tokio::time::sleep(BETWEEN_ATTEMPTS).await;
    }
}

async fn try_to_delete(peers: &Peers, coordinator: BrokerId, group: &str) -> Result<i16, WireError> {
    let unknown = || WireError::Protocol("it is no broker of this cluster".to_owned());
    let endpoint = peers.endpoint(coordinator).ok_or_else(unknown)?;
    let mut connection = Connection::open(endpoint, &peers.security, ATTEMPT_LIMIT).await?;
    let id = GroupId(StrBytes::from_string(group.to_owned()));
    let answer = connection.call(2, |_| DeleteGroupsRequest::default().with_groups_names(vec![id])).await?;
    Ok(answer.results.first().map_or(-1, |result| result.error_code))
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

/// Asks one broker after another until one carries it out, refuses it for good, or the time is over. `outcome` finds the
/// error code and the broker's own words in an answer.
async fn ask_until<R: Request>(
    peers: &Peers,
    action: &str,
    limit: Duration,
    newest: i16,
    request: impl Fn(i16) -> R,
    outcome: impl Fn(&R::Response) -> (i16, Option<String>),
) -> Result<R::Response, ClusterError> {
    let began = Instant::now();
    let mut last_seen = "there is nobody to ask".to_owned();
    loop {
        for (broker, endpoint) in &peers.addresses {
            let attempt = async {
                let mut connection = Connection::open(endpoint, &peers.security, ATTEMPT_LIMIT).await?;
                connection.call(newest, &request).await
            };
            match attempt.await {
                Ok(answer) => match outcome(&answer) {
                    (0, _) => return Ok(answer),
                    (code, _) if PASSING.contains(&code) => last_seen = format!("{broker}: {}", meaning(code)),
                    (code, reason) => {
                        let reason = reason.filter(|text| !text.is_empty()).unwrap_or_else(|| meaning(code));
                        return Err(ClusterError::Refused { action: action.to_owned(), code, reason });
                    }
                },
                Err(error) => last_seen = format!("{broker}: {error}"),
            }
        }
        if began.elapsed() >= limit {
            let action = action.to_owned();
            return Err(ClusterError::Unfinished { action, limit_s: limit.as_secs(), last_seen });
        }
        tokio::time::sleep(BETWEEN_ATTEMPTS).await;
    }
}

/// The settings as `name=value`, for one line of text.
pub fn shown(settings: &[Setting]) -> BTreeMap<String, String> {
    let value = |setting: &Setting| setting.value.clone().unwrap_or_else(|| "(hidden)".to_owned());
    settings.iter().map(|setting| (setting.name.clone(), value(setting))).collect()
}
