//! How commands reach a cluster: `--bootstrap` and `-X`, the same for all of them, and what their errors mean.

use std::collections::BTreeMap;

use clap::Args;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use super::ExitCode;
use super::terminal::complain;
use crate::client::follow::FollowError;
use crate::client::preflight::PreflightError;
use crate::cluster::ClusterError;
use crate::cluster::reach::ReachError;
use crate::cluster::status::StatusError;
use crate::kafka::{Access, Endpoint, expand};

/// The brokers of `up`, and of the compose file: any one of them may be down.
const DEFAULT_BOOTSTRAP: &str = "localhost:9092,localhost:9093,localhost:9094";

/// Properties that have an argument of their own, or that would defeat what the commands promise.
const OWNED: [(&str, &str); 12] = [
    ("bootstrap.servers", "write --bootstrap"),
    ("metadata.broker.list", "write --bootstrap"),
    ("group.id", "write --group"),
    ("acks", "write --acks"),
    ("request.required.acks", "write --acks"),
    ("message.timeout.ms", "write --timeout"),
    ("delivery.timeout.ms", "write --timeout"),
    ("queue.buffering.max.messages", "a message waits until there is room"),
    ("queue.buffering.max.kbytes", "a message waits until there is room"),
    ("enable.auto.offset.store", "an offset is committed once its record was printed"),
    ("enable.auto.commit", "an offset is committed once its record was printed; without --group none is"),
    ("delivery.report.only.error", "every message gets a receipt"),
];

/// Which cluster, and how to connect to it.
#[derive(Clone, Debug, Args)]
pub struct Connect {
    /// The brokers to ask first; one that answers is enough
    #[arg(short = 'b', long, value_name = "HOST:PORT,...", default_value = DEFAULT_BOOTSTRAP, env = "WIBER_BOOTSTRAP")]
    pub bootstrap: String,
    /// A librdkafka property, such as `-X security.protocol=SASL_SSL`; may be repeated. `${NAME}` in its value stands for
    /// an environment variable, so that a secret need not stand on the command line
    #[arg(short = 'X', long = "property", value_name = "NAME=VALUE")]
    pub property: Vec<String>,
}

impl Connect {
    /// What the arguments say. Says on stderr what is wrong with them.
    pub fn access(&self) -> Result<Access, ExitCode> {
        self.read().map_err(|reason| {
            complain(&format!("error: {reason}\n"));
            ExitCode::Usage
        })
    }

    fn read(&self) -> Result<Access, String> {
        let bootstrap = Endpoint::parse_list(&self.bootstrap).map_err(|error| error.to_string())?;
        Ok(Access { bootstrap, properties: properties(&self.property)? })
    }
}

/// What the arguments of `-X` say, with environment variables put in; else what is wrong with them.
pub(super) fn properties(arguments: &[String]) -> Result<BTreeMap<String, String>, String> {
    let mut properties = BTreeMap::new();
    for text in arguments {
        let (name, value) =
            text.split_once('=').ok_or_else(|| format!("`-X {text}` sets nothing\n  help: write -X name=value"))?;
        properties.insert(name.trim().to_owned(), value.to_owned());
    }
    let properties = expand(&properties, |name| std::env::var(name).ok()).map_err(|error| error.to_string())?;
    for (name, value) in &properties {
        check(name, value)?;
    }
    Ok(properties)
}

/// Lets librdkafka judge a property. Its value is not repeated, because it may be a secret.
fn check(name: &str, value: &str) -> Result<(), String> {
    if let Some((_, instead)) = OWNED.iter().find(|(owned, _)| *owned == name) {
        return Err(format!("`-X {name}` cannot be set\n  help: {instead}"));
    }
    match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(_, reason, ..)) => {
            Err(format!("`-X {name}` is refused by librdkafka: {}", reason.trim()))
        }
        Err(error) => Err(format!("`-X {name}` is refused by librdkafka: {error}")),
    }
}

/// An error that a command can end with.
pub trait Told {
    /// Its exit code.
    fn exit_code(&self) -> ExitCode;
}

impl Told for ReachError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Properties(_) => ExitCode::Usage,
            _ => ExitCode::Environment,
        }
    }
}

impl Told for ClusterError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Reach(error) => error.exit_code(),
            // What was asked for cannot be; the cluster is well.
            Self::Refused { .. } | Self::Topic { .. } | Self::Variable(_) => ExitCode::Usage,
            _ => ExitCode::Environment,
        }
    }
}

impl Told for StatusError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Reach(error) => error.exit_code(),
            Self::Cluster(error) => error.exit_code(),
        }
    }
}

impl Told for PreflightError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Reach(error) => error.exit_code(),
            Self::Cluster(error) => error.exit_code(),
            Self::NoTopic { .. } | Self::NoPartition { .. } => ExitCode::Usage,
        }
    }
}

impl Told for FollowError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Client(_) => ExitCode::Usage,
            Self::Output(_) | Self::NotJoined | Self::Broken(_) => ExitCode::Environment,
        }
    }
}

/// Says what went wrong, and gives its exit code.
pub fn tell<E: Told + std::fmt::Display>(error: &E) -> ExitCode {
    complain(&format!("error: {error}\n"));
    error.exit_code()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(properties: &[&str]) -> Connect {
        Connect {
            bootstrap: "localhost".to_owned(),
            property: properties.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    #[test]
    fn addresses_and_properties_are_read() {
        let access = connect(&["security.protocol=SSL", "sasl.password=a=b"]).read().expect("legal");
        assert_eq!(access.bootstrap_servers(), "localhost:9092");
        assert_eq!(access.properties["sasl.password"], "a=b");
    }

    #[test]
    fn what_cannot_be_set_is_refused_by_name_and_without_its_value() {
        for (property, told) in [
            ("nonsense", "-X name=value"),
            ("sasl.passwort=hunter2", "sasl.passwort"),
            ("group.id=x", "--group"),
            ("security.protocol=TLS", "security.protocol"),
            ("sasl.password=${WIBER_TEST_NO_SUCH_VARIABLE}", "WIBER_TEST_NO_SUCH_VARIABLE"),
        ] {
            let reason = connect(&[property]).read().expect_err(property);
            assert!(reason.contains(told) && !reason.contains("hunter2"), "{reason}");
        }
    }
}
