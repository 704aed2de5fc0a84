//! What an administrator asks of a cluster: make, list, describe and delete topics, and delete groups. In Kafka's own
//! protocol, because its answers say why something was refused, which client libraries leave out.
//!
//! Any broker can be asked: it forwards to the controller what only that can do (KIP-590).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{
    CreateTopicsRequest, DeleteGroupsRequest, DeleteTopicsRequest, DescribeConfigsRequest, GroupId, TopicName,
};
use kafka_protocol::protocol::{Request, StrBytes};

use crate::cluster::peers::Peers;
use crate::cluster::view::Topics;
use crate::cluster::wire::Connection;
use crate::cluster::{ClusterError, LOOK_LIMIT, view};
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

/// Makes a topic.
pub async fn create_topic(peers: &Peers, topic: &TopicSpec, limit: Duration) -> Result<Made, ClusterError> {
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
    match answer.await {
        Err(ClusterError::Refused { code: TOPIC_ALREADY_EXISTS, unanswered: 0, .. }) => Ok(Made::There),
        // Where it is there after an attempt that got no answer, that attempt made it, most likely.
        Ok(_) | Err(ClusterError::Refused { code: TOPIC_ALREADY_EXISTS, .. }) => Ok(Made::New),
        Err(ClusterError::Refused { reason, .. }) => Err(refused(reason)),
        Err(error) => Err(error),
    }
}

/// Deletes a topic, and waits until no broker knows it any more.
pub async fn delete_topic(peers: &Peers, topic: &str, limit: Duration) -> Result<Deleted, ClusterError> {
    let began = Instant::now();
    let action = format!("delete topic `{topic}`");
    let request = |version: i16| {
        let request = DeleteTopicsRequest::default().with_timeout_ms(ATTEMPT_LIMIT_MS);
        // KIP-516 moved the names into a list with ids from version 6 on.
        if version >= 6 {
            request.with_topics(vec![DeleteTopicState::default().with_name(Some(topic_name(topic)))])
        } else {
            request.with_topic_names(vec![topic_name(topic)])
        }
    };
    let answer = ask_until(peers, &action, limit, 6, request, |answer| {
        let topic = answer.responses.first();
        topic.map_or((-1, None), |topic| (topic.error_code, topic.error_message.as_ref().map(ToString::to_string)))
    });
    match answer.await {
        Ok(_) => {}
        Err(ClusterError::Refused { code: UNKNOWN_TOPIC, .. }) => return Ok(Deleted::Absent),
        Err(error) => return Err(error),
    }
    // The controller has it in its log; each broker learns of it in its own time.
    loop {
        let names = [topic.to_owned()];
        let view = view::ask_all(peers, Topics::Named(&names), LOOK_LIMIT).await;
        let last_seen = match view {
            Ok(view) if view.partitions.is_empty() => return Ok(Deleted::Gone),
            Ok(view) => format!("{} partitions of it are still known", view.partitions.len()),
            Err(error) => error.to_string(),
        };
        if began.elapsed() >= limit {
            return Err(ClusterError::Unfinished { action, limit_s: limit.as_secs(), last_seen });
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
        let left = limit.saturating_sub(began.elapsed());
        let coordinator = view::coordinator(peers, group, LOOK_LIMIT).await;
        let only = match &coordinator {
            Ok(coordinator) => peers.endpoint(*coordinator).map(|endpoint| (*coordinator, endpoint.clone())),
            Err(_) => None,
        };
        let asked = Peers { addresses: only.into_iter().collect(), security: peers.security.clone() };
        let id = GroupId(StrBytes::from_string(group.to_owned()));
        let request = DeleteGroupsRequest::default().with_groups_names(vec![id]);
        let answer = ask_until(
            &asked,
            &action,
            left.min(ATTEMPT_LIMIT),
            2,
            |_| request.clone(),
            |answer| (answer.results.first().map_or(-1, |result| result.error_code), None),
        );
        match answer.await {
            Ok(_) => return Ok(Deleted::Gone),
            Err(ClusterError::Refused { code: GROUP_ID_NOT_FOUND, .. }) => return Ok(Deleted::Absent),
            Err(error) if began.elapsed() >= limit => return Err(error),
            Err(_) => tokio::time::sleep(BETWEEN_ATTEMPTS).await,
        }
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
    let mut unanswered = 0;
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
                        return Err(ClusterError::Refused { action: action.to_owned(), code, unanswered, reason });
                    }
                },
                Err(error) => {
                    unanswered += 1;
                    last_seen = format!("{broker}: {error}");
                }
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
