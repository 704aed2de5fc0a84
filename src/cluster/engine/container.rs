//! Containers that outlive a run, or that a run only borrows: looking at them, and making those of a standing cluster.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;

use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerSummary, EndpointIpamConfig, EndpointSettings, HostConfig,
    Mount, MountType, NetworkingConfig, PortBinding, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{CreateContainerOptionsBuilder, ListContainersOptionsBuilder};

use super::{CALL_LIMIT, Engine, Part, absent_is_none, limited, to_map, to_process_state};
use crate::cluster::ClusterError;
use crate::fault::ProcessState;

/// What the engine knows of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerFacts {
    /// What tells it from another one that gets its name later.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The image that it was made from, as it was named then.
    pub image: String,
    /// Its first process.
    pub state: ProcessState,
    /// The host's ports that it publishes, or would if it ran.
    pub ports: Vec<u16>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its environment, `NAME=value`.
    pub environment: Vec<String>,
    /// Where volumes and directories of the host are mounted in it.
    pub mounted_at: Vec<String>,
}

/// A container to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewContainer {
    /// Its name, which is its host name too.
    pub name: String,
    /// The image.
    pub image: String,
    /// Its environment.
    pub environment: Vec<(String, String)>,
    /// The network that it is in.
    pub network: String,
    /// Its address there, which it keeps across restarts; `None` for any.
    pub address: Option<Ipv4Addr>,
    /// A volume, and where it is mounted.
    pub volume: (String, String),
    /// The host's port on the loopback, and the container's.
    pub port: (u16, u16),
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Engine {
    /// The container of that name; `None` when there is none.
    pub async fn container(&self, name: &str) -> Result<Option<ContainerFacts>, ClusterError> {
        let call = self.docker.inspect_container(name, None);
        let inspected = absent_is_none(limited(&format!("look at container {name}"), CALL_LIMIT, call).await)?;
        Ok(inspected.map(|inspected| facts(name, inspected)))
    }

    /// The running containers that publish a port of the host.
    pub async fn publishers(&self, port: u16) -> Result<Vec<String>, ClusterError> {
        let options = ListContainersOptionsBuilder::default().build();
        let running = limited("list containers", CALL_LIMIT, self.docker.list_containers(Some(options))).await?;
        let publishes = |container: &ContainerSummary| {
            container.ports.iter().flatten().any(|published| published.public_port == Some(port))
        };
        Ok(running.into_iter().filter(publishes).map(name_of).collect())
    }

    /// Makes a container that comes back with the engine, unless somebody stopped it.
    pub async fn create_container(&self, new: &NewContainer) -> Result<(), ClusterError> {
        let (host_port, inner_port) = new.port;
        let (volume, path) = &new.volume;
        // Unencrypted brokers are for this host's eyes only.
        let binding = PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(host_port.to_string()) };
        let mount = Mount {
            typ: Some(MountType::VOLUME),
            source: Some(volume.clone()),
            target: Some(path.clone()),
            ..Mount::default()
        };
        let host = HostConfig {
            network_mode: Some(new.network.clone()),
            port_bindings: Some(HashMap::from([(format!("{inner_port}/tcp"), Some(vec![binding]))])),
            mounts: Some(vec![mount]),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
                maximum_retry_count: None,
            }),
            ..HostConfig::default()
        };
        let body = ContainerCreateBody {
            hostname: Some(new.name.clone()),
            image: Some(new.image.clone()),
            env: Some(new.environment.iter().map(|(key, value)| format!("{key}={value}")).collect()),
            exposed_ports: Some(vec![format!("{inner_port}/tcp")]),
            labels: Some(to_map(&new.labels)),
            host_config: Some(host),
            networking_config: new.address.map(|address| NetworkingConfig {
                endpoints_config: Some(HashMap::from([(new.network.clone(), at(address))])),
            }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::default().name(&new.name).build();
        let call = self.docker.create_container(Some(options), body);
        limited(&format!("create container {}", new.name), CALL_LIMIT, call).await.map(drop)
    }

    /// The end of a container's log, indented, for an error message.
    pub async fn log_tail(&self, container: &str) -> String {
        match self.logs(container, Part::Last(15)).await {
            Ok(log) => {
                String::from_utf8_lossy(&log).lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
            }
            Err(error) => format!("    (no log: {error})"),
        }
    }

    /// Starts a container if it ended; no error when it runs, or is frozen.
    pub async fn start_if_ended(&self, container: &str) -> Result<(), ClusterError> {
        match self.process_state(container).await? {
            ProcessState::Running { .. } | ProcessState::Paused { .. } => Ok(()),
            ProcessState::Exited { .. } | ProcessState::Missing | ProcessState::Unwatched => {
                self.start(container).await
            }
        }
    }

    /// Lets a container run on if it is frozen; no error when it is not.
    pub async fn thaw(&self, container: &str) -> Result<(), ClusterError> {
        match self.process_state(container).await? {
            ProcessState::Paused { .. } => self.unpause(container).await,
            _ => Ok(()),
        }
    }
}

fn facts(name: &str, inspected: ContainerInspectResponse) -> ContainerFacts {
    let bindings = inspected.host_config.and_then(|host| host.port_bindings).unwrap_or_default();
    let published = bindings.into_values().flatten().flatten().filter_map(|binding| binding.host_port?.parse().ok());
    let mut ports: Vec<u16> = published.collect();
    ports.sort_unstable();
    let config = inspected.config.unwrap_or_default();
    let mounts = inspected.mounts.unwrap_or_default();
    ContainerFacts {
        id: inspected.id.unwrap_or_default(),
        name: name.to_owned(),
        image: config.image.unwrap_or_default(),
        state: inspected.state.map_or(ProcessState::Missing, to_process_state),
        ports,
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        environment: config.env.unwrap_or_default(),
        mounted_at: mounts.into_iter().filter_map(|mount| mount.destination).collect(),
    }
}

fn at(address: Ipv4Addr) -> EndpointSettings {
    EndpointSettings {
        ipam_config: Some(EndpointIpamConfig {
            ipv4_address: Some(address.to_string()),
            ..EndpointIpamConfig::default()
        }),
        ..EndpointSettings::default()
    }
}

pub(super) fn name_of(container: ContainerSummary) -> String {
    let name = container.names.unwrap_or_default().into_iter().next().or(container.id).unwrap_or_default();
    name.trim_start_matches('/').to_owned()
}
