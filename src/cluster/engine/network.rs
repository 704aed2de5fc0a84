//! A container's places in networks: taking it out of one, putting it back as it was, and keeping its addresses.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use bollard::models::{
    ContainerInspectResponse, EndpointIpamConfig, EndpointSettings, NetworkConnectRequest, NetworkDisconnectRequest,
};
use serde::{Deserialize, Serialize};

use super::{CALL_LIMIT, Engine, limited};
use crate::cluster::ClusterError;

/// How an engine refuses a fixed address: where it chose the network's range itself, and in its default network.
const NO_CHOICE: [&str; 2] = ["user configured subnets", "on user defined networks only"];

/// How long a container's short id is, which old engines list among its aliases.
const SHORT_ID: usize = 12;

/// A container's place in a network: all that is needed to put it back there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attachment {
    /// What tells the network from another that gets its name later.
    pub network_id: String,
    /// Its name.
    pub network: String,
    /// The container's address there.
    pub address: Ipv4Addr,
    /// Names by which others find it there, besides its own.
    pub aliases: Vec<String>,
}

/// Where a container is reached in one network.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The network's name.
    pub network: String,
    /// The container's address there.
    pub address: Ipv4Addr,
    /// The network's gateway: clients on the host seem to come from here. `None` for a network without one.
    pub gateway: Option<Ipv4Addr>,
}

/// What a disconnect found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disconnected {
    /// The container was in the network, and is not any more.
    Now,
    /// It was out of it already.
    Before,
}

/// What a reconnect found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconnected {
    /// The container is back, at its old address.
    Now,
    /// It was in the network already, at its old address.
    Before,
}

impl Engine {
    /// A container's places in networks, by name. One that does not run has only those whose address was chosen for it; one
    /// that uses its host's network, or another container's, has none, and cannot be disconnected.
    ///
    /// To be read, and written down, before [`Engine::disconnect`].
    pub async fn attachments(&self, container: &str) -> Result<Vec<Attachment>, ClusterError> {
        Ok(self.networks_of(container).await?.attachments())
    }

    /// A running container's addresses, by network.
    pub async fn addresses(&self, container: &str) -> Result<Vec<Address>, ClusterError> {
        Ok(self.networks_of(container).await?.addresses())
    }

    /// Takes a container out of a network, as if its cable was pulled: its processes run on, its connections fall silent.
    pub async fn disconnect(&self, container: &str, from: &Attachment) -> Result<Disconnected, ClusterError> {
        if self.networks_of(container).await?.place(from).is_none() {
            return Ok(Disconnected::Before);
        }
        self.take_out(container, from).await?;
        match self.networks_of(container).await?.place(from) {
            None => Ok(Disconnected::Now),
            Some(_) => Err(failed("disconnect", container, from, "it is still there".to_owned())),
        }
    }

    /// Puts a container back into a network, under its old address and names. Its published ports work again.
    ///
    /// Where an engine chose the network's range itself, it lets nobody choose an address in it. There the container gets
    /// the lowest that is free, which is its old one unless somebody took that meanwhile; then this is an error, and the
    /// container stays where it is.
    pub async fn reconnect(&self, container: &str, to: &Attachment) -> Result<Reconnected, ClusterError> {
        let was_there = self.networks_of(container).await?.place(to).is_some();
        if !was_there {
            self.put_in(container, to).await?;
        }
        let networks = self.networks_of(container).await?;
        let address = networks.place(to).map(address);
        match address {
            None => Err(failed("reconnect", container, to, "it is still not there".to_owned())),
            Some(Some(address)) if address != to.address => {
                Err(failed("reconnect", container, to, format!("it was {} there, and is {address} now", to.address)))
            }
            // One that does not run has no address where it may not choose one.
            Some(None) if networks.runs => Err(failed("reconnect", container, to, "it has no address".to_owned())),
            Some(_) => Ok(if was_there { Reconnected::Before } else { Reconnected::Now }),
        }
    }

    /// Makes a stopped container come back where it was, whoever else starts before it. Nothing happens to one that runs.
    /// An error where the engine lets nobody choose an address: see [`Engine::create_network_of_own_range`].
    ///
    /// Without this an engine gives a container that starts the lowest address that is free, so that two which were
    /// stopped together may swap theirs; and a third one then talks to the wrong one, for good, because it answers.
    pub async fn keep_address(&self, container: &str, place: &Attachment) -> Result<(), ClusterError> {
        let networks = self.networks_of(container).await?;
        let there = networks.place(place);
        if networks.runs || there.and_then(address) == Some(place.address) {
            return Ok(());
        }
        // A connect alone changes nothing where a stopped container is in the network already: measured on Docker 20.10.
        if there.is_some() {
            self.take_out(container, place).await?;
        }
        self.join(container, place, Some(place.address)).await
    }

    async fn take_out(&self, container: &str, from: &Attachment) -> Result<(), ClusterError> {
        let request = NetworkDisconnectRequest { container: container.to_owned(), force: None };
        let call = self.docker.disconnect_network(&from.network_id, request);
        limited(&format!("disconnect {container} from network {}", from.network), CALL_LIMIT, call).await
    }

    async fn put_in(&self, container: &str, to: &Attachment) -> Result<(), ClusterError> {
        match self.join(container, to, Some(to.address)).await {
            Err(ClusterError::Engine { reason, .. }) if lets_nobody_choose(&reason) => {
                self.join(container, to, None).await
            }
            connected => connected,
        }
    }

    async fn join(&self, container: &str, to: &Attachment, address: Option<Ipv4Addr>) -> Result<(), ClusterError> {
        let endpoint = EndpointSettings {
            ipam_config: address.map(|address| EndpointIpamConfig {
                ipv4_address: Some(address.to_string()),
                ..EndpointIpamConfig::default()
            }),
            // The default network knows no aliases.
            aliases: Some(to.aliases.clone()).filter(|aliases| !aliases.is_empty()),
            ..EndpointSettings::default()
        };
        let request = NetworkConnectRequest { container: container.to_owned(), endpoint_config: Some(endpoint) };
        let call = self.docker.connect_network(&to.network_id, request);
        limited(&format!("connect {container} to network {}", to.network), CALL_LIMIT, call).await
    }

    async fn networks_of(&self, container: &str) -> Result<Networks, ClusterError> {
        let call = self.docker.inspect_container(container, None);
        Ok(networks(limited(&format!("look at container {container}"), CALL_LIMIT, call).await?))
    }
}

/// The networks of one container, as the engine tells them.
#[derive(Clone, Debug, Default, PartialEq)]
struct Networks {
    container_id: String,
    runs: bool,
    places: BTreeMap<String, EndpointSettings>,
}

impl Networks {
    /// The place in that network, if the container is in it. Where an engine leaves out the network's id, as it does for a
    /// container that was not started since, the name has to do.
    fn place(&self, attachment: &Attachment) -> Option<&EndpointSettings> {
        let place = self.places.get(&attachment.network)?;
        let id = place.network_id.as_deref().unwrap_or_default();
        (id.is_empty() || id == attachment.network_id).then_some(place)
    }

    fn attachments(&self) -> Vec<Attachment> {
        let attachment = |(network, place): (&String, &EndpointSettings)| {
            let aliases = place.aliases.iter().flatten();
            // Old engines list the short id too, and give it again by themselves.
            let given = aliases.filter(|alias| alias.len() != SHORT_ID || !self.container_id.starts_with(*alias));
            Some(Attachment {
                // The engine takes a name for an id.
                network_id: place.network_id.clone().filter(|id| !id.is_empty()).unwrap_or_else(|| network.clone()),
                network: network.clone(),
                address: address(place)?,
                aliases: given.cloned().collect(),
            })
        };
        self.places.iter().filter_map(attachment).collect()
    }

    fn addresses(&self) -> Vec<Address> {
        let at = |(network, place): (&String, &EndpointSettings)| {
            Some(Address {
                network: network.clone(),
                address: parse(place.ip_address.as_deref())?,
                gateway: parse(place.gateway.as_deref()),
            })
        };
        self.places.iter().filter_map(at).collect()
    }
}

fn networks(inspected: ContainerInspectResponse) -> Networks {
    Networks {
        container_id: inspected.id.unwrap_or_default(),
        runs: inspected.state.and_then(|state| state.running).unwrap_or_default(),
        places: inspected
            .network_settings
            .and_then(|settings| settings.networks)
            .unwrap_or_default()
            .into_iter()
            .collect(),
    }
}

/// The address that a place has, or, where its container does not run, the one that was chosen for it.
fn address(place: &EndpointSettings) -> Option<Ipv4Addr> {
    let chosen = || place.ipam_config.as_ref().and_then(|ipam| ipam.ipv4_address.as_deref());
    parse(place.ip_address.as_deref()).or_else(|| parse(chosen()))
}

fn lets_nobody_choose(reason: &str) -> bool {
    NO_CHOICE.iter().any(|sign| reason.contains(sign))
}

fn parse(text: Option<&str>) -> Option<Ipv4Addr> {
    text?.parse().ok()
}

fn failed(what: &str, container: &str, place: &Attachment, reason: String) -> ClusterError {
    ClusterError::Engine { action: format!("{what} {container} and network {}", place.network), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(address: &str, chosen: Option<&str>, aliases: &[&str]) -> EndpointSettings {
        EndpointSettings {
            network_id: Some("n1".to_owned()),
            ip_address: Some(address.to_owned()),
            gateway: Some("172.18.0.1".to_owned()),
            ipam_config: chosen.map(|chosen| EndpointIpamConfig {
                ipv4_address: Some(chosen.to_owned()),
                ..EndpointIpamConfig::default()
            }),
            aliases: Some(aliases.iter().map(|alias| (*alias).to_owned()).collect()),
            ..EndpointSettings::default()
        }
    }

    fn networks(place: EndpointSettings) -> Networks {
        let container_id = "8000bb7846872c49479777fd1a1ed699".to_owned();
        Networks { container_id, runs: true, places: BTreeMap::from([("net".to_owned(), place)]) }
    }

    fn attachment() -> Attachment {
        let (network_id, network, aliases) = ("n1".to_owned(), "net".to_owned(), vec!["kafka".to_owned()]);
        Attachment { network_id, network, address: Ipv4Addr::new(172, 18, 0, 3), aliases }
    }

    #[test]
    fn an_attachment_has_the_names_that_were_given_and_not_the_short_id() {
        let found = networks(place("172.18.0.3", None, &["8000bb784687", "kafka"]));
        assert_eq!(found.attachments(), [attachment()]);
    }

    #[test]
    fn a_container_that_does_not_run_has_the_address_that_was_chosen_for_it_and_is_reached_nowhere() {
        let found = networks(place("", Some("172.18.0.3"), &["kafka"]));
        assert_eq!((found.attachments(), found.addresses()), (vec![attachment()], Vec::new()));
        assert_eq!(networks(place("", None, &[])).attachments(), Vec::new());
    }

    #[test]
    fn another_network_of_the_same_name_is_not_the_one_that_was_left() {
        let other = EndpointSettings { network_id: Some("n2".to_owned()), ..place("172.18.0.3", None, &[]) };
        assert_eq!(networks(other).place(&attachment()), None);
        let untold = EndpointSettings { network_id: None, ..place("", Some("172.18.0.3"), &[]) };
        assert!(networks(untold).place(&attachment()).is_some());
    }

    #[test]
    fn an_engine_that_lets_nobody_choose_an_address_is_understood() {
        for said in [
            "user specified IP address is supported only when connecting to networks with user configured subnets (HTTP 400)",
            "user specified IP address is supported on user defined networks only (HTTP 400)",
        ] {
            assert!(lets_nobody_choose(said), "{said}");
        }
        assert!(!lets_nobody_choose("Address already in use (HTTP 403)"));
    }

    #[test]
    fn an_attachment_survives_the_ledger() {
        let text = serde_json::to_string(&attachment()).expect("json");
        assert_eq!(serde_json::from_str::<Attachment>(&text).expect("it reads back"), attachment());
    }
}
