//! What containers stand on: networks and volumes.

use std::collections::BTreeMap;

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest, VolumeCreateRequest};

use super::{CALL_LIMIT, Engine, absent_is_none, limited, to_map};
use crate::cluster::ClusterError;

impl Engine {
    /// Makes a network.
    pub async fn create_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<(), ClusterError> {
        let request =
            NetworkCreateRequest { name: name.to_owned(), labels: Some(to_map(labels)), ..Default::default() };
        limited(&format!("create network {name}"), CALL_LIMIT, self.docker.create_network(request)).await.map(drop)
    }

    /// Makes a network whose addresses can be chosen: the engine picks a free range, and it is made anew with that.
    pub async fn create_network_of_own_range(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), ClusterError> {
        self.create_network(name, labels).await?;
        let Some(range) = self.network_range(name).await? else { return Ok(()) };
        limited(&format!("remove network {name}"), CALL_LIMIT, self.docker.remove_network(name)).await?;
        let ipam =
            Ipam { config: Some(vec![IpamConfig { subnet: Some(range), ..IpamConfig::default() }]), ..Ipam::default() };
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            labels: Some(to_map(labels)),
            ipam: Some(ipam),
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

    /// The labels of the volume of that name; `None` when there is none.
    pub async fn volume_labels(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, ClusterError> {
        let action = format!("look at volume {name}");
        let volume = absent_is_none(limited(&action, CALL_LIMIT, self.docker.inspect_volume(name)).await)?;
        Ok(volume.map(|volume| volume.labels.into_iter().collect()))
    }
}
