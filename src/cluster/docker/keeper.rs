//! Containers that hold the brokers' bounded volumes: an engine empties one that no running container has.

use super::DockerCluster;
use crate::cluster::ClusterError;
use crate::cluster::engine::{NewTool, ToolMount};
use crate::cluster::ledger::{Entry, Object};
use crate::scenario::ClusterSpec;

/// Where a keeper has its volume.
const KEPT: &str = "/kept";

/// Starts a keeper for each broker's volume, where volumes are bounded. Before the brokers: what holds a volume first says
/// what is in it.
pub(super) async fn start_all(cluster: &DockerCluster, spec: &ClusterSpec) -> Result<(), ClusterError> {
    if spec.disk_bytes.is_none() {
        return Ok(());
    }
    for id in 1..=spec.brokers {
        let name = format!("{}-keeper-{id}", cluster.label);
        cluster.ledger.write(&Entry::Make { object: Object::Container, name: name.clone() })?;
        let keeper = NewTool {
            name,
            // Any image with `sleep` would do; this one is there.
            image: format!("{}:{}", cluster.image.name, cluster.image.tag),
            mounts: vec![ToolMount::Volume { name: cluster.broker_name(id), at: KEPT }],
            labels: cluster.labels(),
            ..NewTool::default()
        };
        cluster.engine.start_tool(&keeper).await?;
    }
    Ok(())
}
