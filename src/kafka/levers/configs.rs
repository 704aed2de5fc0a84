//! Settings that can be changed while brokers run (KIP-226), and what was there before.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kafka::BrokerId;

/// Whose settings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfigOwner {
    /// A topic's.
    Topic(String),
    /// One broker's.
    Broker(BrokerId),
    /// Those of every broker that has none of its own.
    AllBrokers,
}

impl fmt::Display for ConfigOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(topic) => write!(f, "topic `{topic}`"),
            Self::Broker(broker) => broker.fmt(f),
            Self::AllBrokers => f.write_str("all brokers"),
        }
    }
}

/// A setting to be made, or to be taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigChange {
    /// The property.
    pub key: String,
    /// Its new value; `None` takes away what its owner has, so that what lies beneath counts again.
    pub value: Option<String>,
}

impl ConfigChange {
    /// Sets a property.
    pub fn set(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: Some(value.into()) }
    }

    /// Takes a property away.
    pub fn delete(key: impl Into<String>) -> Self {
        Self { key: key.into(), value: None }
    }
}

/// What an owner has set itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OwnValue {
    /// Nothing: a file's value, another owner's, or the default counts.
    Unset,
    /// This.
    Set(String),
    /// A secret, which no broker tells: once changed, it cannot be put back.
    Secret,
}

/// A property as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigState {
    /// The property.
    pub key: String,
    /// What its owner has set itself.
    pub own: OwnValue,
    /// What counts; `None` where there is no value, or it is a secret.
    pub effective: Option<String>,
}

impl ConfigState {
    /// The change that brings exactly this state back; `None` for a secret.
    pub fn restoring(&self) -> Option<ConfigChange> {
        match &self.own {
            OwnValue::Unset => Some(ConfigChange::delete(&self.key)),
            OwnValue::Set(value) => Some(ConfigChange::set(&self.key, value)),
            OwnValue::Secret => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_brings_a_state_back_sets_or_deletes_and_never_guesses_a_secret() {
        let state = |own| ConfigState { key: "retention.ms".to_owned(), own, effective: Some("604800000".to_owned()) };
        assert_eq!(state(OwnValue::Unset).restoring(), Some(ConfigChange::delete("retention.ms")));
        let set = OwnValue::Set("1000".to_owned());
        assert_eq!(state(set).restoring(), Some(ConfigChange::set("retention.ms", "1000")));
        assert_eq!(state(OwnValue::Secret).restoring(), None);
    }
}
