//! The values that say where an attached cluster is: its brokers' addresses, and the containers that they run in.

use std::collections::BTreeMap;

use serde_json::Value;
use toml::Spanned;
use toml::de::DeValue;

use super::problem::Problems;
use super::read::{At, FromToml, span_of};
use super::schema::shape;
use crate::kafka::{BrokerId, Endpoint};

/// What `containers` looks like.
pub(super) const EXAMPLE_CONTAINERS: &str = "containers = { 1 = \"kafka-1\" }";

impl FromToml for Endpoint {
    fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self> {
        let text = String::from_toml(key, value, problems)?;
        let refuse = |error: crate::kafka::NotAnEndpoint| {
            let message = format!("`{text}` is not a broker's address");
            problems.refuse(&value.span(), message, error.reason, "write host:port, such as \"localhost:9092\"");
        };
        text.parse().map_err(refuse).ok()
    }

    fn schema() -> Value {
        shape::endpoint()
    }
}

/// The container of each broker, by the broker's id.
#[derive(Clone, Debug, Default)]
pub struct Containers(pub BTreeMap<BrokerId, At<String>>);

impl FromToml for Containers {
    fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self> {
        let help = format!("write {EXAMPLE_CONTAINERS}: each broker's id, and its container's name");
        let Some(table) = value.get_ref().as_table() else {
            problems.wrong_type(key, value, "a table of containers", &help);
            return None;
        };
        let mut read = BTreeMap::new();
        for (name, value) in table {
            let Some(id) = broker_id(name.get_ref()) else {
                let message = format!("`{}` is not a broker's id", name.get_ref());
                problems.refuse(&name.span(), message, "ids are whole numbers, such as 1", &help);
                continue;
            };
            match value.get_ref().as_str() {
                Some(container) => {
                    read.insert(id, At { value: container.to_owned(), span: span_of(value) });
                }
                None => problems.wrong_type(name.get_ref(), value, "a container's name", &help),
            }
        }
        (read.len() == table.len()).then_some(Self(read))
    }

    fn schema() -> Value {
        shape::containers()
    }
}

/// A broker's id as Kafka writes it; `01` would be a second spelling of `1`.
fn broker_id(text: &str) -> Option<BrokerId> {
    let id = text.parse::<i32>().ok().filter(|id| *id >= 0)?;
    (id.to_string() == text).then_some(BrokerId(id))
}

/// Whether `name` can name an environment variable.
pub(super) fn is_variable(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(legal) && name.starts_with(|c: char| !c.is_ascii_digit())
}

/// Whether a property's value, if it is a secret, gives nothing away: it is one reference to an environment variable.
pub(super) fn is_reference(value: &str) -> bool {
    value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).is_some_and(is_variable)
}
