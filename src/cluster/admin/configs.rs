//! Settings of topics and brokers, changed while they run (KIP-226, KIP-339), and looked at first, so that they can be put
//! back exactly.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult};
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};
use kafka_protocol::protocol::StrBytes;

use super::ask::{Asking, BETWEEN_ATTEMPTS, Said, Whom};
use super::{TOPIC_RESOURCE, meaning};
use crate::cluster::peers::Peers;
use crate::cluster::wire::{Connection, WireError};
use crate::cluster::{ClusterError, LOOK_LIMIT};
use crate::kafka::Endpoint;
use crate::kafka::levers::{ConfigChange, ConfigOwner, ConfigState, OwnValue};

/// What `DescribeConfigs` calls a broker.
const BROKER_RESOURCE: i8 = 4;

/// The code of `INVALID_CONFIG`.
const INVALID_CONFIG: i16 = 40;

/// `IncrementalAlterConfigs` numbers what it does.
const SET: i8 = 0;
const DELETE: i8 = 1;

/// The newest version of `DescribeConfigs` that is spoken here.
const DESCRIBE_NEWEST: i16 = 4;

/// These properties as they are now. A broker's own are told by itself only.
pub async fn values(
    peers: &Peers,
    owner: &ConfigOwner,
    keys: &[&str],
    limit: Duration,
) -> Result<Vec<ConfigState>, ClusterError> {
    let action = format!("describe {owner}");
    let asking = Asking { peers, whom: whom(owner), action: action.clone(), limit };
    let request = describe_request(owner, keys);
    let answer = asking
        .until(
            DESCRIBE_NEWEST,
            |_| request.clone(),
            |answer| {
                let result = answer.results.first();
                result.map_or_else(Said::nothing, |result| Said::with(result.error_code, result.error_message.as_ref()))
            },
        )
        .await?;
    states(answer.results, owner, keys).map_err(|reason| ClusterError::Refused { action, code: INVALID_CONFIG, reason })
}

/// Changes properties, all or none, and waits until every broker that answers knows the change. A broker's own are changed
/// through that broker only, so that they stay as they are while it is down.
pub async fn alter(
    peers: &Peers,
    owner: &ConfigOwner,
    changes: &[ConfigChange],
    limit: Duration,
) -> Result<(), ClusterError> {
    let began = Instant::now();
    let asking = Asking { peers, whom: whom(owner), action: format!("change settings of {owner}"), limit };
    request_change(&asking, owner, changes, Mode::InEarnest).await?;
    loop {
        let Some(late) = not_yet(peers, owner, changes).await else { return Ok(()) };
        if began.elapsed() >= limit {
            return Err(asking.unfinished(late));
        }
        tokio::time::sleep(BETWEEN_ATTEMPTS).await;
    }
}

/// Asks whether a change would be accepted. Changes nothing.
pub async fn try_out(
    peers: &Peers,
    owner: &ConfigOwner,
    changes: &[ConfigChange],
    limit: Duration,
) -> Result<(), ClusterError> {
    let asking = Asking { peers, whom: whom(owner), action: format!("try new settings of {owner}"), limit };
    request_change(&asking, owner, changes, Mode::OnTrial).await
}

/// Whether a change is made or only judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    InEarnest,
    OnTrial,
}

async fn request_change(
    asking: &Asking<'_>,
    owner: &ConfigOwner,
    changes: &[ConfigChange],
    mode: Mode,
) -> Result<(), ClusterError> {
    let configs = changes.iter().map(|change| {
        AlterableConfig::default()
            .with_name(text(&change.key))
            .with_config_operation(if change.value.is_some() { SET } else { DELETE })
            .with_value(change.value.as_deref().map(text))
    });
    let (kind, name) = resource(owner);
    let wanted = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(name)
        .with_configs(configs.collect());
    let request = IncrementalAlterConfigsRequest::default()
        .with_resources(vec![wanted])
        .with_validate_only(mode == Mode::OnTrial);
    let answer = asking.until(
        1,
        |_| request.clone(),
        |answer| {
            let result = answer.responses.first();
            result.map_or_else(Said::nothing, |result| Said::with(result.error_code, result.error_message.as_ref()))
        },
    );
    answer.await.map(drop)
}

/// Puts properties back to what they were. Secrets cannot be, and are refused before anything is changed.
pub async fn restore(
    peers: &Peers,
    owner: &ConfigOwner,
    before: &[ConfigState],
    limit: Duration,
) -> Result<(), ClusterError> {
    let changes = before.iter().map(|state| {
        state.restoring().ok_or_else(|| ClusterError::Refused {
            action: format!("put back `{}` of {owner}", state.key),
            code: INVALID_CONFIG,
            reason: "it was a secret, which no broker tells".to_owned(),
        })
    });
    alter(peers, owner, &changes.collect::<Result<Vec<_>, _>>()?, limit).await
}

/// Which broker has not heard of a change yet, and what it has instead.
async fn not_yet(peers: &Peers, owner: &ConfigOwner, changes: &[ConfigChange]) -> Option<String> {
    let keys: Vec<&str> = changes.iter().map(|change| change.key.as_str()).collect();
    let concerned = |broker| !matches!(owner, ConfigOwner::Broker(only) if *only != broker);
    let looks = peers.addresses.iter().filter(|(broker, _)| concerned(*broker)).map(|(broker, endpoint)| {
        let keys = &keys;
        async move { (*broker, look(peers, endpoint, owner, keys).await) }
    });
    let mut late = Some("no broker answers".to_owned());
    for (broker, states) in join_all(looks).await {
        let Ok(states) = states else { continue };
        let differs = changes.iter().zip(&states).find(|(change, state)| !is_in_force(change, &state.own));
        match differs {
            Some((_, state)) => return Some(format!("{broker} has `{}` as {:?}", state.key, state.own)),
            None => late = None,
        }
    }
    late
}

/// One broker's word.
async fn look(
    peers: &Peers,
    endpoint: &Endpoint,
    owner: &ConfigOwner,
    keys: &[&str],
) -> Result<Vec<ConfigState>, WireError> {
    let mut connection = Connection::open(endpoint, &peers.security, LOOK_LIMIT).await?;
    let answer = connection.call(DESCRIBE_NEWEST, |_| describe_request(owner, keys)).await?;
    match answer.results.first().map(|result| result.error_code) {
        Some(0) => states(answer.results, owner, keys).map_err(WireError::Protocol),
        code => Err(WireError::Protocol(meaning(code.unwrap_or(-1)))),
    }
}

fn whom(owner: &ConfigOwner) -> Whom<'static> {
    match owner {
        ConfigOwner::Broker(broker) => Whom::Broker(*broker),
        ConfigOwner::Topic(_) | ConfigOwner::AllBrokers => Whom::Anybody,
    }
}

fn resource(owner: &ConfigOwner) -> (i8, StrBytes) {
    match owner {
        ConfigOwner::Topic(topic) => (TOPIC_RESOURCE, text(topic)),
        ConfigOwner::Broker(broker) => (BROKER_RESOURCE, text(&broker.0.to_string())),
        ConfigOwner::AllBrokers => (BROKER_RESOURCE, StrBytes::default()),
    }
}

fn describe_request(owner: &ConfigOwner, keys: &[&str]) -> DescribeConfigsRequest {
    let (kind, name) = resource(owner);
    let wanted = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(name)
        .with_configuration_keys(Some(keys.iter().map(|key| text(key)).collect()));
    DescribeConfigsRequest::default().with_resources(vec![wanted]).with_include_synonyms(true)
}

/// What was answered, key by key in the order asked for; an error names a key that the owner does not have.
fn states(results: Vec<DescribeConfigsResult>, owner: &ConfigOwner, keys: &[&str]) -> Result<Vec<ConfigState>, String> {
    let answered: Vec<_> = results.into_iter().flat_map(|result| result.configs).collect();
    keys.iter()
        .map(|key| match answered.iter().find(|config| *config.name == **key) {
            Some(config) => Ok(state(config, owner)),
            // Of all brokers together only what is set is told.
            None if *owner == ConfigOwner::AllBrokers => {
                Ok(ConfigState { key: (*key).to_owned(), own: OwnValue::Unset, effective: None })
            }
            None => Err(format!("it has no property `{key}`")),
        })
        .collect()
}

/// A property in the answer. Its synonyms are the layers that it may come from, of which one is the owner's own.
fn state(config: &DescribeConfigsResourceResult, owner: &ConfigOwner) -> ConfigState {
    let own_layer = match owner {
        ConfigOwner::Topic(_) => 1,
        ConfigOwner::Broker(_) => 2,
        ConfigOwner::AllBrokers => 3,
    };
    let own = config.synonyms.iter().find(|layer| layer.source == own_layer && layer.name == config.name);
    let own = match own {
        None => OwnValue::Unset,
        Some(layer) => match &layer.value {
            Some(value) => OwnValue::Set(value.to_string()),
            None => OwnValue::Secret,
        },
    };
    ConfigState { key: config.name.to_string(), own, effective: config.value.as_ref().map(ToString::to_string) }
}

/// Whether an owner has what a change wanted. Kafka tells values as it understood them: without blanks, and true for TRUE.
fn is_in_force(change: &ConfigChange, own: &OwnValue) -> bool {
    let plain = |text: &str| text.split(',').map(|part| part.trim().to_lowercase()).collect::<Vec<_>>();
    match (&change.value, own) {
        (None, OwnValue::Unset) | (Some(_), OwnValue::Secret) => true,
        (Some(wanted), OwnValue::Set(has)) => {
            let numbers = (wanted.trim().parse::<f64>(), has.parse::<f64>());
            plain(wanted) == plain(has) || matches!(numbers, (Ok(wanted), Ok(has)) if wanted.total_cmp(&has).is_eq())
        }
        _ => false,
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::describe_configs_response::DescribeConfigsSynonym;

    fn described(layers: &[(&str, i8, Option<&str>)]) -> DescribeConfigsResourceResult {
        let synonym = |(name, source, value): &(&str, i8, Option<&str>)| {
            DescribeConfigsSynonym::default().with_name(text(name)).with_source(*source).with_value(value.map(text))
        };
        DescribeConfigsResourceResult::default()
            .with_name(text("log.retention.ms"))
            .with_value(Some(text("7")))
            .with_synonyms(layers.iter().map(synonym).collect())
    }

    #[test]
    fn only_the_owners_own_layer_is_its_own_value() {
        let broker = ConfigOwner::Broker(crate::kafka::BrokerId(1));
        let own = |layers: &[(&str, i8, Option<&str>)], owner: &ConfigOwner| state(&described(layers), owner).own;
        let all =
            [("log.retention.ms", 2, Some("7")), ("log.retention.ms", 3, Some("8")), ("log.retention.hours", 5, None)];
        assert_eq!(own(&all, &broker), OwnValue::Set("7".to_owned()));
        assert_eq!(own(&all[1..], &broker), OwnValue::Unset, "that is all brokers'");
        assert_eq!(own(&all[1..], &ConfigOwner::AllBrokers), OwnValue::Set("8".to_owned()));
        assert_eq!(own(&[("log.retention.ms", 2, None)], &broker), OwnValue::Secret);
    }

    #[test]
    fn a_key_that_is_unknown_is_named_unless_all_brokers_are_asked() {
        let none = || vec![DescribeConfigsResult::default()];
        let topic = ConfigOwner::Topic("chat".to_owned());
        assert_eq!(states(none(), &topic, &["no.such"]), Err("it has no property `no.such`".to_owned()));
        let all = states(none(), &ConfigOwner::AllBrokers, &["log.retention.ms"]).expect("nothing is set");
        assert_eq!(all[0].own, OwnValue::Unset);
    }

    #[test]
    fn a_value_counts_as_in_force_however_kafka_writes_it() {
        let has = |value: &str| OwnValue::Set(value.to_owned());
        for (wanted, told) in [("TRUE", "true"), ("a, b", "a,b"), ("0100", "100"), ("0.50", "0.5"), (" 7", "7")] {
            assert!(is_in_force(&ConfigChange::set("k", wanted), &has(told)), "{wanted}");
        }
        assert!(!is_in_force(&ConfigChange::set("k", "8"), &has("7")));
        assert!(!is_in_force(&ConfigChange::set("k", "8"), &OwnValue::Unset));
        assert!(!is_in_force(&ConfigChange::delete("k"), &has("7")));
        assert!(is_in_force(&ConfigChange::delete("k"), &OwnValue::Unset));
    }
}
