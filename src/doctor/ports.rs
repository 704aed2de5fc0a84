//! The three ports of a standing cluster: free, or held by whom.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::standing::Seen;
use super::{Check, in_words};
use crate::cluster::LOOK_LIMIT;
use crate::cluster::engine::Engine;
use crate::cluster::holder::{self, Holder};
use crate::cluster::reach::{self, ReachError};
use crate::cluster::standing::BROKERS;
use crate::cluster::wire::{Connection, Security, WireError};
use crate::fault::ProcessState;
use crate::kafka::{Access, Endpoint};

const NAME: &str = "ports";

/// How long the engine may take to name the holder of a port.
const ENGINE_LIMIT: Duration = Duration::from_secs(2);

/// How long it may take to find out in which way a broker wants to be spoken to.
const REACH_LIMIT: Duration = Duration::from_secs(4);

/// One port and its use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    number: u16,
    held: Use,
}

/// What a port is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Use {
    /// Nobody listens.
    Free,
    /// By this container of the standing cluster of this name.
    Ours { container: String, cluster: String },
    /// A Kafka broker answers, whoever started it.
    Kafka(Holder),
    /// By a container that is frozen, so that nobody can tell what it is.
    Frozen(String),
    /// Somebody listens who does not answer as a broker.
    Other(Holder),
}

/// Looks at all three, at once.
pub async fn look(
    base: u16,
    engine: Option<&Engine>,
    standing: &Seen,
    properties: &BTreeMap<String, String>,
) -> Vec<Port> {
    let numbers = (0..BROKERS).map(|place| base.saturating_add(place));
    join_all(numbers.map(|number| async move {
        let held = match holder(number, engine).await {
            None => Use::Free,
            Some(Holder::Container(container)) if standing.has(&container) => {
                Use::Ours { container, cluster: standing.name.clone() }
            }
            Some(holder) if is_kafka(endpoint(number), properties).await => Use::Kafka(holder),
            Some(Holder::Container(container)) if is_frozen(&container, engine).await => Use::Frozen(container),
            Some(holder) => Use::Other(holder),
        };
        Port { number, held }
    }))
    .await
}

/// The addresses at which brokers are, or should be.
pub fn brokers(ports: &[Port]) -> Vec<Endpoint> {
    let has_broker = |port: &&Port| matches!(port.held, Use::Ours { .. } | Use::Kafka(_));
    ports.iter().filter(has_broker).map(|port| endpoint(port.number)).collect()
}

fn endpoint(port: u16) -> Endpoint {
    Endpoint::new("localhost", port)
}

async fn holder(port: u16, engine: Option<&Engine>) -> Option<Holder> {
    let found = match timeout(ENGINE_LIMIT, holder::of(port, engine)).await {
        Ok(found) => found,
        Err(_) => holder::of(port, None).await,
    };
    // Somebody in another network namespace may hold it, whom the kernel's tables here do not show.
    let is_taken =
        || TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err_and(|error| error.kind() == ErrorKind::AddrInUse);
    found.or_else(|| is_taken().then_some(Holder::Somebody))
}

async fn is_frozen(container: &str, engine: Option<&Engine>) -> bool {
    let Some(engine) = engine else { return false };
    let state = timeout(ENGINE_LIMIT, engine.process_state(container)).await;
    matches!(state, Ok(Ok(ProcessState::Paused { .. })))
}

/// Whether a broker answers, also one that wants to be spoken to in another way than these properties say.
async fn is_kafka(endpoint: Endpoint, properties: &BTreeMap<String, String>) -> bool {
    let security = Security::from_properties(properties);
    let properties = if security.is_ok() { properties.clone() } else { BTreeMap::new() };
    // A short look first: whoever keeps silent would otherwise be waited for in every way that a broker may speak.
    match Connection::open(&endpoint, &security.unwrap_or_else(|_| Security::plaintext()), LOOK_LIMIT).await {
        Ok(_) => return true,
        Err(WireError::Silent | WireError::Unreachable | WireError::Refused(_)) => return false,
        Err(_) => {}
    }
    let access = Access { bootstrap: vec![endpoint], properties };
    match timeout(REACH_LIMIT, reach::reach(&access)).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => matches!(
            error,
            ReachError::SpeaksTls { .. }
                | ReachError::SpeaksPlain { .. }
                | ReachError::WantsSasl { .. }
                | ReachError::Sasl { .. }
        ),
        Err(_) => false,
    }
}

/// What is well in a line for each use, what is not in a line for each port.
pub fn judge(ports: &[Port]) -> Vec<Check> {
    let mut free = Vec::new();
    let mut ours = Vec::new();
    let mut brokers = Vec::new();
    let mut problems = Vec::new();
    for Port { number, held } in ports {
        match held {
            Use::Free => free.push(number),
            Use::Ours { container, cluster } => ours.push((number, container, cluster)),
            Use::Kafka(holder) => brokers.push((number, holder)),
            Use::Frozen(container) => problems.push(Check::problem(
                NAME,
                format!("{number} is held by container {container}, which is frozen"),
                format!("`docker unpause {container}`"),
            )),
            Use::Other(holder) => problems.push(problem(*number, holder)),
        }
    }
    let mut checks = Vec::new();
    if !free.is_empty() {
        checks.push(Check::ok(NAME, format!("free: {}", in_words(free))));
    }
    if let Some((_, _, cluster)) = ours.first() {
        let held = in_words(ours.iter().map(|(port, container, _)| format!("{port} ({container})")));
        checks.push(Check::ok(NAME, format!("held by cluster `{cluster}`: {held}")));
    }
    if !brokers.is_empty() {
        let held = in_words(brokers.iter().map(|(port, holder)| format!("{port} ({holder})")));
        checks.push(Check::ok(NAME, format!("held by Kafka brokers that answer: {held}")));
    }
    checks.extend(problems);
    checks
}

fn problem(port: u16, holder: &Holder) -> Check {
    let end = match holder {
        Holder::Container(name) => {
            format!("`docker stop {name}`")
        }
        Holder::Process { pid, .. } => format!("end process {pid}"),
        Holder::Somebody => "end it (`sudo ss -ltnp` shows who it is)".to_owned(),
    };
    Check::problem(
        NAME,
        format!("{port} is taken by {holder}, which does not answer as a Kafka broker"),
        format!("{end}, or choose other ports: `wiber-chaos up --base-port N`"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Level, standing};

    fn port(number: u16, held: Use) -> Port {
        Port { number, held }
    }

    #[test]
    fn what_is_well_takes_one_line_and_each_taken_port_its_own() {
        let process = Holder::Process { pid: 7, name: "httpd".to_owned() };
        let ports = [port(1, Use::Free), port(2, Use::Other(process)), port(3, Use::Free)];
        let checks = judge(&ports);
        assert_eq!(checks.len(), 2, "{checks:?}");
        assert_eq!(checks[0], Check::ok(NAME, "free: 1 and 3"));
        assert_eq!(checks[1].level, Level::Problem);
        assert!(checks[1].found.contains("process 7 (httpd)"), "{:?}", checks[1]);
        assert!(checks[1].help.as_deref().is_some_and(|help| help.contains("--base-port")));
    }

    #[test]
    fn our_brokers_and_those_of_others_are_named() {
        let ours = Use::Ours { container: "kafka-1".to_owned(), cluster: "wiber".to_owned() };
        let ports = [port(1, ours), port(2, Use::Kafka(Holder::Container("broker".to_owned())))];
        let found: Vec<String> = judge(&ports).into_iter().map(|check| check.found).collect();
        let expected =
            ["held by cluster `wiber`: 1 (kafka-1)", "held by Kafka brokers that answer: 2 (container broker)"];
        assert_eq!(found, expected);
        assert_eq!(brokers(&ports), [endpoint(1), endpoint(2)]);
    }

    #[tokio::test]
    async fn a_broker_is_told_from_another_listener_and_from_nobody() {
        let mock = rdkafka::mocking::MockCluster::new(1).expect("a mock cluster");
        let broker: Endpoint = mock.bootstrap_servers().parse().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let silent = Endpoint::new("127.0.0.1", listener.local_addr().expect("its address").port());
        assert!(is_kafka(broker.clone(), &BTreeMap::new()).await);
        assert!(!is_kafka(silent.clone(), &BTreeMap::new()).await);
        let seen = standing::look(None, "none").await;
        let held = look(silent.port, None, &seen, &BTreeMap::new()).await.swap_remove(0).held;
        assert!(matches!(held, Use::Other(Holder::Process { .. })), "{held:?}");
        drop(listener);
        assert_eq!(look(silent.port, None, &seen, &BTreeMap::new()).await[0].held, Use::Free);
    }
}
