//! `[cluster.client]`: how every client of an attached cluster connects, and by whose name.
//!
//! The load connects by librdkafka, which judges names and values itself. The witnesses of faults speak Kafka's protocol
//! on their own, and know fewer ways to log in; what only one of the two could do is refused here.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::client::{self, Role};
use crate::kafka::{expand, is_secret, is_understood_tls};
use crate::scenario::ClusterKind;
use crate::scenario::address::is_variable;
use crate::scenario::leaf::{Properties, Property};
use crate::scenario::problem::Problems;
use crate::scenario::raw::RawScenario;
use crate::scenario::suggest::{listed, nearest};

/// The protocols that clients speak to brokers.
const PROTOCOLS: [&str; 4] = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];

/// The ways to log in that the witnesses know too.
const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// librdkafka knows the mechanism by two names.
const MECHANISM: [&str; 2] = ["sasl.mechanism", "sasl.mechanisms"];

/// What is about connections, and the same for every client; prefixes end in a dot.
const CONNECTION: [&str; 5] = [
    "security.protocol",
    "broker.address.family",
    "client.dns.lookup",
    "socket.",
    "enable.ssl.certificate.verification",
];

/// Checks every property by itself, then together.
pub(super) fn check(config: &Properties, problems: &mut Problems) {
    for (name, property) in &config.0 {
        check_one(name, property, problems);
    }
    let Some(protocol) = protocol(config) else { return };
    if protocol.starts_with("sasl") {
        check_login(config, problems);
    } else {
        let help = "write \"security.protocol\" = \"SASL_SSL\" (or \"SASL_PLAINTEXT\", which sends a PLAIN password for \
                    everybody to read), or remove it";
        refuse_unused(config, "nobody logs in without a SASL protocol", is_login, help, problems);
    }
    if !protocol.ends_with("ssl") {
        let help = "write \"security.protocol\" = \"SSL\", or \"SASL_SSL\" to log in as well, or remove it";
        refuse_unused(config, "nothing is encrypted without an SSL protocol", is_encryption, help, problems);
    }
}

fn is_login(name: &str) -> bool {
    name.starts_with("sasl.")
}

fn is_encryption(name: &str) -> bool {
    name.starts_with("ssl.") || name == "enable.ssl.certificate.verification"
}

fn is_about_connections(name: &str) -> bool {
    is_login(name)
        || is_encryption(name)
        || CONNECTION.iter().any(|known| name == *known || (known.ends_with('.') && name.starts_with(known)))
}

fn check_one(name: &str, property: &Property, problems: &mut Problems) {
    if client::refuse_owned(name, property, Role::Everyone, ClusterKind::Attach, problems) {
        return;
    }
    let value = match Written::read(name, &property.value) {
        Ok(Written::Out(value)) => Some(value),
        Ok(Written::InVariables) => None,
        Err(message) => {
            problems
                .error(&property.span, message, "no environment variable")
                .help("write \"${NAME}\" for the value of the environment variable NAME; `$$` is a dollar sign");
            return;
        }
    };
    let value = value.as_deref();
    if name == "security.protocol" {
        check_choice(name, property, value.map(str::to_lowercase).as_deref(), &PROTOCOLS, "", problems);
    } else if MECHANISM.contains(&name) {
        let why = "; the witnesses of faults know no other way to log in";
        check_choice(name, property, value, &MECHANISMS, why, problems);
    } else if name.starts_with("ssl.") && !is_understood_tls(name) {
        // A name that is a slip is told as one.
        if client::ask_librdkafka(name, property, None, problems) {
            problems
                .error(
                    &property.key_span,
                    format!("`{name}` is not understood by wiber-chaos's own connections"),
                    "only the load would honour it",
                )
                .help("leave it out: the witnesses of faults must connect as the load does");
        }
    } else if client::ask_librdkafka(name, property, value, problems) && !is_about_connections(name) {
        problems
            .error(&property.key_span, format!("`{name}` is not about how clients connect"), "not for every client")
            .help("it belongs into the `config` of a [[producer]] or of a [[consumer-group]]");
    }
}

fn check_choice(
    name: &str,
    property: &Property,
    value: Option<&str>,
    choices: &[&'static str],
    why: &str,
    problems: &mut Problems,
) {
    let Some(value) = value.filter(|value| !choices.contains(value)) else { return };
    let choices = || choices.iter().copied();
    let help = match nearest(value, choices()) {
        Some(meant) => format!("did you mean \"{meant}\"? The choices are {}{why}", listed(choices())),
        None => format!("the choices are {}{why}", listed(choices())),
    };
    problems
        .error(&property.span, format!("`{name}` cannot be \"{}\"", property.value), "not one of its choices")
        .help(help);
}

/// How a property's value is written.
enum Written {
    /// As it is; this is what librdkafka will get.
    Out(String),
    /// With environment variables in it, so that it is known at the run only.
    InVariables,
}

impl Written {
    /// Neither needs a variable to be set nor, as the value may be a secret, repeats it in a message.
    fn read(name: &str, value: &str) -> Result<Self, String> {
        let variables = RefCell::new(Vec::new());
        let one = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let expanded = expand(&one, |variable| {
            variables.borrow_mut().push(is_variable(variable));
            Some(String::new())
        });
        let mut expanded = expanded.map_err(|error| error.to_string())?;
        match variables.into_inner().as_slice() {
            [] => Ok(Self::Out(expanded.remove(name).unwrap_or_default())),
            variables if variables.iter().all(|is_variable| *is_variable) => Ok(Self::InVariables),
            _ => Err(format!("a `${{...}}` in `{name}` names no environment variable")),
        }
    }
}

/// What clients speak, in lower case; `None` when that is not known before the run, or was refused.
fn protocol(config: &Properties) -> Option<String> {
    let Some(property) = config.any_of(&["security.protocol"]) else { return Some(PROTOCOLS[0].to_owned()) };
    let spoken = property.value.to_lowercase();
    PROTOCOLS.contains(&spoken.as_str()).then_some(spoken)
}

/// Whoever logs in needs a way, a name and a password: librdkafka's own default, Kerberos, is none that works here.
fn check_login(config: &Properties, problems: &mut Problems) {
    let needed: [(&str, &[&str]); 3] =
        [("sasl.mechanism", &MECHANISM), ("sasl.username", &["sasl.username"]), ("sasl.password", &["sasl.password"])];
    let missing: Vec<&str> =
        needed.iter().filter(|(_, names)| config.any_of(names).is_none()).map(|(name, _)| *name).collect();
    let Some(protocol) = config.any_of(&["security.protocol"]).filter(|_| !missing.is_empty()) else { return };
    let lines: Vec<&str> = missing
        .iter()
        .map(|name| match *name {
            "sasl.mechanism" => "\"sasl.mechanism\" = \"SCRAM-SHA-512\"",
            "sasl.username" => "\"sasl.username\" = \"chatter\"",
            _ => "\"sasl.password\" = \"${KAFKA_PASSWORD}\"",
        })
        .collect();
    problems
        .error(&protocol.span, format!("to log in, clients need {} too", listed(missing)), "a SASL protocol")
        .help(format!("add lines such as:\n{}", lines.join("\n")));
}

/// Refuses, as one mistake, properties that the protocol leaves without any use.
fn refuse_unused(config: &Properties, why: &str, concerns: fn(&str) -> bool, help: &str, problems: &mut Problems) {
    let mut unused = config.0.iter().filter(|(name, _)| concerns(name));
    let Some((name, first)) = unused.next() else { return };
    let problem = problems.error(&first.key_span, format!("`{name}` has no use: {why}"), "no use");
    for (_, other) in unused {
        problem.and_at(other.key_span.clone(), "nor has this");
    }
    if let Some(protocol) = config.any_of(&["security.protocol"]) {
        problem.and_at(protocol.span.clone(), "the protocol");
    }
    problem.help(help);
}

/// Points out secrets that stand in the file itself.
pub(super) fn warn(raw: &RawScenario, problems: &mut Problems) {
    let client = raw.cluster.value().and_then(|cluster| cluster.client.value());
    for (name, property) in client.into_iter().flat_map(|config| &config.0) {
        if !is_secret(name) || !matches!(Written::read(name, &property.value), Ok(Written::Out(_))) {
            continue;
        }
        let variable = name.split('.').skip(1).collect::<Vec<_>>().join("_").to_uppercase();
        problems
            .warn(
                &property.span,
                format!("`{name}` is a secret, and every run's directory keeps a copy of this file"),
                "written out",
            )
            .help(format!(
                "write \"{name}\" = \"${{KAFKA_{variable}}}\", and set that environment variable where the run starts"
            ));
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;

    use super::*;

    #[test]
    fn librdkafka_knows_what_is_offered_in_any_case() {
        let knows = |name: &str, value: &str| ClientConfig::new().set(name, value).create_native_config().is_ok();
        for protocol in PROTOCOLS {
            assert!(knows("security.protocol", protocol) && knows("security.protocol", &protocol.to_uppercase()));
        }
        for mechanism in MECHANISMS {
            assert!(MECHANISM.iter().all(|name| knows(name, mechanism)), "{mechanism}");
        }
        assert!(knows("security.protocol", "Sasl_Ssl") && !knows("security.protocol", "sasl-ssl"));
    }

    #[test]
    fn librdkafka_knows_what_the_witnesses_understand() {
        let known =
            ["ssl.cipher.suites", "ssl.curves.list", "ssl.sigalgs.list", "ssl.ca.location", "ssl.keystore.location"];
        assert!(known.into_iter().all(is_understood_tls));
        assert!(known.into_iter().all(|name| ClientConfig::new().set(name, "x").create_native_config().is_ok()));
    }

    #[test]
    fn only_connections_are_the_same_for_every_client() {
        let connection = ["security.protocol", "ssl.ca.pem", "sasl.username", "socket.timeout.ms", "client.dns.lookup"];
        assert!(connection.into_iter().all(is_about_connections));
        let load = ["acks", "linger.ms", "sockets", "enable.idempotence", "client.dns.lookups", "reconnect.backoff.ms"];
        assert!(!load.into_iter().any(is_about_connections));
    }

    #[test]
    fn a_variable_stands_for_a_value_and_two_dollar_signs_for_one() {
        let read = |value| match Written::read("sasl.password", value) {
            Ok(Written::Out(value)) => value,
            Ok(Written::InVariables) => "(variables)".to_owned(),
            Err(message) => message,
        };
        for (value, expected) in [
            ("plain", "plain"),
            ("5$ and $$6", "5$ and $6"),
            ("$${NOT}", "${NOT}"),
            ("${A}", "(variables)"),
            ("a${_B1}c", "(variables)"),
        ] {
            assert_eq!(read(value), expected);
        }
        for value in ["${", "${A", "${}", "${1}", "${A B}", "${A}${}"] {
            assert!(read(value).contains("`sasl.password`"), "{value}");
        }
    }
}
