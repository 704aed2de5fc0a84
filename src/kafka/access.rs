//! How clients reach a cluster: where to ask first, and with which client properties.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The port that an address without one means, as for Kafka's own tools.
pub const DEFAULT_PORT: u16 = 9092;

/// Property names that end like this hold secrets, which no message and no report may show.
const SECRET_ENDINGS: [&str; 5] = ["password", ".pem", "token", "secret", "jaas.config"];

/// The properties of TLS that witnesses read as clients do. What only clients could honour must not be passed over: two
/// that trust differently would see two clusters.
const UNDERSTOOD_TLS: [&str; 13] = [
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.cipher.suites",
    "ssl.curves.list",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.sigalgs.list",
];

/// What is shown in a secret's place.
const HIDDEN: &str = "(hidden)";

/// Where a broker listens: a host's name or address, and a port. `localhost:9092` in text, `[::1]:9092` for IPv6.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint {
    /// The host, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Endpoint {
    /// An endpoint.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// Several, as `bootstrap.servers` has them: separated by commas, with or without ports.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, NotAnEndpoint> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let list: Vec<Self> = parts.map(str::parse).collect::<Result<_, _>>()?;
        if list.is_empty() { Err(NotAnEndpoint { text: text.to_owned(), reason: "it is empty" }) } else { Ok(list) }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The text is no endpoint.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not a broker's address: {reason}; expected host:port, such as localhost:9092")]
pub struct NotAnEndpoint {
    /// What was written.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl FromStr for Endpoint {
    type Err = NotAnEndpoint;

    fn from_str(text: &str) -> Result<Self, NotAnEndpoint> {
        let refuse = |reason| NotAnEndpoint { text: text.to_owned(), reason };
        if text.contains("://") {
            return Err(refuse("it names a protocol, which belongs into the property security.protocol"));
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(|| refuse("its bracket is not closed"))?;
                let port = rest.strip_prefix(':');
                if port.is_none() && !rest.is_empty() {
                    return Err(refuse("something stands behind its bracket"));
                }
                (host, port)
            }
            // More than one colon without brackets is an IPv6 address without a port.
            None if text.matches(':').count() > 1 => (text, None),
            None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '/') {
            return Err(refuse("it has no usable host"));
        }
        let port = match port.map(str::parse::<u16>) {
            None => DEFAULT_PORT,
            Some(Ok(port)) if port > 0 => port,
            Some(_) => return Err(refuse("its port is not a number from 1 to 65535")),
        };
        Ok(Self::new(host, port))
    }
}

impl TryFrom<String> for Endpoint {
    type Error = NotAnEndpoint;

    fn try_from(text: String) -> Result<Self, NotAnEndpoint> {
        text.parse()
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.to_string()
    }
}

/// How clients reach a cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct Access {
    /// Whom to ask first; any one that answers is enough.
    pub bootstrap: Vec<Endpoint>,
    /// librdkafka properties that every client needs, such as those of TLS and SASL.
    pub properties: BTreeMap<String, String>,
}

impl Access {
    /// Access in plain text, without any property.
    pub fn plaintext(bootstrap: Vec<Endpoint>) -> Self {
        Self { bootstrap, properties: BTreeMap::new() }
    }

    /// What librdkafka takes as `bootstrap.servers`.
    pub fn bootstrap_servers(&self) -> String {
        self.bootstrap.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

impl fmt::Debug for Access {
    /// Shows no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: BTreeMap<&str, &str> = self
            .properties
            .iter()
            .map(|(name, value)| (name.as_str(), if is_secret(name) { HIDDEN } else { value.as_str() }))
            .collect();
        f.debug_struct("Access").field("bootstrap", &self.bootstrap_servers()).field("properties", &shown).finish()
    }
}

/// Whether a client property of this name holds a secret.
pub fn is_secret(name: &str) -> bool {
    SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Whether wiber-chaos's own connections honour this property of `ssl.`.
pub fn is_understood_tls(name: &str) -> bool {
    UNDERSTOOD_TLS.contains(&name)
}

/// A property refers to an environment variable that is not set, or the reference is not closed.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the property `{property}` {reason}")]
pub struct UnknownVariable {
    /// The property.
    pub property: String,
    /// What is wrong with its value.
    pub reason: String,
}

/// Puts environment variables into properties: `${NAME}` stands for the variable's value, `$$` for one dollar sign. So
/// secrets need to stand in no file and on no command line. `lookup` finds a variable's value.
pub fn expand(
    properties: &BTreeMap<String, String>,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, String>, UnknownVariable> {
    let expanded = properties.iter().map(|(name, value)| {
        let refuse = |reason| UnknownVariable { property: name.clone(), reason };
        Ok((name.clone(), expand_one(value, &lookup).map_err(refuse)?))
    });
    expanded.collect()
}

fn expand_one(text: &str, lookup: &impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some(reference) = after.strip_prefix('{') {
            let (name, after) = reference.split_once('}').ok_or("has a `${` without its `}`")?;
            let value =
                lookup(name).ok_or_else(|| format!("needs the environment variable {name}, which is not set"))?;
            expanded.push_str(&value);
            rest = after;
        } else {
            expanded.push('$');
            rest = after;
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_survive_a_round_trip() {
        for text in ["localhost:9092", "kafka-1:29092", "[::1]:9092", "10.0.0.7:1"] {
            assert_eq!(text.parse::<Endpoint>().map(|endpoint| endpoint.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn an_endpoint_without_a_port_has_kafkas() {
        for (text, shown) in [("kafka", "kafka:9092"), ("::1", "[::1]:9092"), ("[::1]", "[::1]:9092")] {
            assert_eq!(text.parse::<Endpoint>().expect(text).to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_a_reason() {
        for text in ["", ":9092", "a b:1", "a:0", "a:70000", "a:x", "[::1", "[::1]9", "SSL://a:1", "a/b"] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
        assert!(Endpoint::parse_list(" , ").is_err());
        assert_eq!(Endpoint::parse_list("a, b:1,").expect("two"), [Endpoint::new("a", 9092), Endpoint::new("b", 1)]);
    }

    #[test]
    fn no_secret_is_shown() {
        let secrets = ["sasl.password", "ssl.key.password", "ssl.key.pem", "ssl.keystore.password"];
        let properties = secrets.map(|name| (name.to_owned(), "hunter2".to_owned())).into_iter().collect();
        let access = Access { properties, ..Access::plaintext(vec![Endpoint::new("a", 1)]) };
        assert!(!format!("{access:?}").contains("hunter2"));
    }

    #[test]
    fn variables_stand_for_their_values() {
        let properties = |value: &str| BTreeMap::from([("sasl.password".to_owned(), value.to_owned())]);
        let lookup = |name: &str| (name == "SECRET").then(|| "s3$x".to_owned());
        let expanded = |value| expand(&properties(value), lookup).map(|map| map["sasl.password"].clone());
        assert_eq!(expanded("a${SECRET}b"), Ok("as3$xb".to_owned()));
        assert_eq!(expanded("$$1 and $2 and $"), Ok("$1 and $2 and $".to_owned()));
        for value in ["${MISSING}", "${SECRET"] {
            let error = expanded(value).expect_err(value);
            assert!(error.to_string().contains("sasl.password"), "{error}");
        }
    }
}
