//! Which ports a broker listens on and who talks over each, from its own configuration, so that a fault can cut one plane
//! (clients, replication, controllers) and leave the others.
//!
//! A broker that is no controller has no controller listener of its own: it connects to the controllers', whose addresses
//! [`quorum`](super::quorum::quorum) tells.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::configs;
use crate::cluster::ClusterError;
use crate::cluster::peers::Peers;
use crate::kafka::BrokerId;
use crate::kafka::levers::{ConfigOwner, Listener, Plane};

const LISTENERS: &str = "listeners";
const PROTOCOLS: &str = "listener.security.protocol.map";
const INTER_BROKER_NAME: &str = "inter.broker.listener.name";
const INTER_BROKER_PROTOCOL: &str = "security.inter.broker.protocol";
const CONTROLLER_NAMES: &str = "controller.listener.names";

/// What a listener may speak. One that is named after it speaks it, unless the broker's map says otherwise.
const SECURITY_PROTOCOLS: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

/// The ports of a broker, asked of itself.
pub async fn listeners(peers: &Peers, broker: BrokerId, limit: Duration) -> Result<Vec<Listener>, ClusterError> {
    let keys = [LISTENERS, PROTOCOLS, INTER_BROKER_NAME, INTER_BROKER_PROTOCOL, CONTROLLER_NAMES];
    let states = configs::values(peers, &ConfigOwner::Broker(broker), &keys, limit).await?;
    let told = states.into_iter().filter_map(|state| Some((state.key, state.effective?))).collect();
    read(&told).map_err(|reason| ClusterError::Listeners { broker, reason })
}

/// Why a broker's listeners cannot be told from its properties.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ListenersError {
    /// A listener is not of the form `NAME://host:port`.
    #[error("`{0}` is not a listener: expected NAME://host:port")]
    NotAListener(String),
    /// The system chooses the port, so that nobody knows which it is.
    #[error("listener {0} has port 0, which the system replaces by one of its own")]
    AnyPort(String),
    /// It is not said what a listener speaks.
    #[error("`{PROTOCOLS}` does not say what listener {0} speaks")]
    NoProtocol(String),
}

/// The listeners that a broker's properties describe, in their order. Properties that are not there have Kafka's defaults.
pub fn read(properties: &BTreeMap<String, String>) -> Result<Vec<Listener>, ListenersError> {
    let get = |key: &str| properties.get(key).map(String::as_str).filter(|value| !value.trim().is_empty());
    let controllers: BTreeSet<String> = list(get(CONTROLLER_NAMES).unwrap_or_default()).map(capitals).collect();
    let protocols: BTreeMap<String, String> = list(get(PROTOCOLS).unwrap_or_default())
        .filter_map(|pair| pair.split_once(':'))
        .map(|(name, protocol)| (capitals(name), capitals(protocol)))
        .collect();
    // Without a name, brokers talk over the listener that is named after their protocol.
    let between_brokers =
        capitals(get(INTER_BROKER_NAME).or_else(|| get(INTER_BROKER_PROTOCOL)).unwrap_or("PLAINTEXT"));
    let named: Vec<(String, u16)> =
        list(get(LISTENERS).unwrap_or("PLAINTEXT://:9092")).map(name_and_port).collect::<Result<_, _>>()?;
    let serves_brokers_only = |name: &str| {
        let others = named.iter().filter(|(other, _)| other != name && !controllers.contains(other));
        others.count() > 0
    };
    named
        .iter()
        .map(|(name, port)| {
            let is_controllers = controllers.contains(name);
            let planes = match (is_controllers, *name == between_brokers) {
                (true, _) => BTreeSet::from([Plane::Controller]),
                (false, false) => BTreeSet::from([Plane::Client]),
                (false, true) if serves_brokers_only(name) => BTreeSet::from([Plane::Replication]),
                (false, true) => BTreeSet::from([Plane::Client, Plane::Replication]),
            };
            let is_protocol = SECURITY_PROTOCOLS.contains(&name.as_str());
            let protocol = match protocols.get(name) {
                Some(protocol) => protocol.clone(),
                None if is_protocol => name.clone(),
                // KIP-631: a controller listener that the map does not name is plain.
                None if is_controllers => "PLAINTEXT".to_owned(),
                None => return Err(ListenersError::NoProtocol(name.clone())),
            };
            Ok(Listener { name: name.clone(), port: *port, protocol, planes })
        })
        .collect()
}

fn name_and_port(listener: &str) -> Result<(String, u16), ListenersError> {
    let wrong = || ListenersError::NotAListener(listener.to_owned());
    let (name, address) = listener.split_once("://").ok_or_else(wrong)?;
    let (_, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    match port.parse() {
        Ok(0) => Err(ListenersError::AnyPort(capitals(name))),
        Ok(port) if !name.is_empty() => Ok((capitals(name), port)),
        _ => Err(wrong()),
    }
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

fn capitals(text: &str) -> String {
    text.trim().to_uppercase()
}

#[cfg(test)]
mod tests;
