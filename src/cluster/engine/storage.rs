//! What containers stand on: networks and volumes.

use std::collections::BTreeMap;

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest, VolumeCreateRequest};

use super::{CALL_LIMIT, Engine, absent_is_none, limited, to_map};
use crate::cluster::ClusterError;

/// How often a range is tried that somebody else was given in the last moment.
const RANGE_TRIES: u32 = 10;

/// What an engine says then.
const RANGE_TAKEN: &str = "overlaps with other";

impl Engine {
    /// Makes a network.
    pub async fn create_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<(), ClusterError> {
        let request =
            NetworkCreateRequest { name: name.to_owned(), labels: Some(to_map(labels)), ..Default::default() };
        limited(&format!("create network {name}"), CALL_LIMIT, self.docker.create_network(request)).await.map(drop)
    }

    /// Makes a network whose addresses can be chosen: the engine picks a free range, and it is made anew with that.
    ///
    /// Between the two somebody else may be given the same range; then another one is tried.
    pub async fn create_network_of_own_range(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), ClusterError> {
        let mut tries = RANGE_TRIES;
        loop {
            self.create_network(name, labels).await?;
            let Some(range) = self.network_range(name).await? else { return Ok(()) };
            limited(&format!("remove network {name}"), CALL_LIMIT, self.docker.remove_network(name)).await?;
            tries -= 1;
            match self.create_network_with(name, labels, range).await {
                Err(ClusterError::Engine { reason, .. }) if reason.contains(RANGE_TAKEN) && tries > 0 => {}
                made => return made,
            }
        }
    }

    async fn create_network_with(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
        range: String,
    ) -> Result<(), ClusterError> {
        let config = IpamConfig { subnet: Some(range), ..IpamConfig::default() };
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            labels: Some(to_map(labels)),
            ipam: Some(Ipam { config: Some(vec![config]), ..Ipam::default() }),
            ..Default::default()
        };
        limited(&format!("create network {name}"), CALL_LIMIT, self.docker.create_network(request)).await.map(drop)
    }

    /// A network's range of addresses, such as `172.18.0.0/16`; `None` when the engine tells none.
    pub async fn network_range(&self, name: &str) -> Result<Option<String>, ClusterError> {
        let call = self.docker.inspect_network(name, None);
        let network = limited(&format!("look at network {name}"), CALL_LIMIT, call).await?;
        let configs = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        Ok(configs.into_iter().find_map(|config| config.subnet).filter(|range| !range.contains(':')))
    }

    /// Makes a volume. One of that name that is there is left alone by the engine, labels included.
    pub async fn create_volume(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<(), ClusterError> {
        let request =
            VolumeCreateRequest { name: Some(name.to_owned()), labels: Some(to_map(labels)), ..Default::default() };
        limited(&format!("create volume {name}"), CALL_LIMIT, self.docker.create_volume(request)).await.map(drop)
    }

    /// Makes a volume in the host's memory that holds this many bytes and not one more.
    ///
    /// The engine empties it when its last container stops: somebody has to hold it for as long as its data matter.
    pub async fn create_bounded_volume(
        &self,
        name: &str,
        bytes: u64,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), ClusterError> {
        // Whatever user an image's broker runs as has to write there.
        let options = format!("size={bytes},mode=0777");
        let options = [("type", "tmpfs"), ("device", "tmpfs"), ("o", options.as_str())];
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            driver: Some("local".to_owned()),
            driver_opts: Some(options.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            labels: Some(to_map(labels)),
            ..Default::default()
        };
        limited(&format!("create volume {name}"), CALL_LIMIT, self.docker.create_volume(request)).await.map(drop)
    }

    /// The labels of the volume of that name; `None` when there is none.
    pub async fn volume_labels(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, ClusterError> {
        let action = format!("look at volume {name}");
        let volume = absent_is_none(limited(&action, CALL_LIMIT, self.docker.inspect_volume(name)).await)?;
        Ok(volume.map(|volume| volume.labels.into_iter().collect()))
    }
}
