//! What containers stand on: networks and volumes.

use std::collections::BTreeMap;

use bollard::models::{NetworkCreateRequest, VolumeCreateRequest};

use super::{CALL_LIMIT, Engine, absent_is_none, limited, to_map};
use crate::cluster::ClusterError;

impl Engine {
    /// Makes a network.
    pub async fn create_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<(), ClusterError> {
        let request =
            NetworkCreateRequest { name: name.to_owned(), labels: Some(to_map(labels)), ..Default::default() };
        limited(&format!("create network {name}"), CALL_LIMIT, self.docker.create_network(request)).await.map(drop)
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
