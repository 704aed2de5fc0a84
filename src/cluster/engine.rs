//! The container engine through bollard: the few calls that the project makes, each with a limit and a plain error.
//!
//! Everything made here carries [`RUN_LABEL`], so that a sweep finds it by asking the engine alone.

mod archive;
mod container;
#[cfg(test)]
pub mod fake;
mod limits;
mod network;
mod premises;
mod removal;
mod side_car;
mod storage;
mod tool;

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerState, ContainerStateStatusEnum, ImageInspect};
use bollard::query_parameters::{
    KillContainerOptionsBuilder, ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder,
    LogsOptionsBuilder, RemoveVolumeOptionsBuilder, StopContainerOptionsBuilder,
};
use futures_util::StreamExt;

use crate::cluster::{ClusterError, chain};
use crate::fault::{ProcessState, Signal};

pub use archive::Archive;
pub use container::{ContainerFacts, NewContainer};
pub use limits::Limits;
pub use network::{Address, Attachment, Disconnected, Reconnected};
pub use premises::{Cgroups, Premises};
pub use side_car::NewSideCar;
pub(crate) use side_car::SideCar;
pub use tool::{NewTool, RunAs, Said, ToolMount};

/// The label of everything that a run makes; its value is the run's label.
pub const RUN_LABEL: &str = "wiber-chaos.run";

/// The label that says on which host the run's ledger lies.
pub const HOST_LABEL: &str = "wiber-chaos.host";

/// The label of tool containers, which do one errand each; its value is the run's label.
pub const TOOL_LABEL: &str = "wiber-chaos.tool";

/// How long a call may take that only asks or makes.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// How often a container is told to freeze that the engine could not freeze in its time.
const PAUSE_TRIES: u32 = 4;
const BETWEEN_PAUSES: Duration = Duration::from_millis(500);
/// The engine's words for that.
const UNABLE_TO_FREEZE: &str = "unable to freeze";

/// How much of a broker's log is kept; a log beyond this has something else wrong with it.
const LOG_BYTES_MAX: usize = 64 << 20;

/// What the client's transport says before it says what went wrong.
const TRANSPORT_NOISE: &str = "Error in the hyper legacy client: client error (Connect): ";

/// A connection to the engine.
#[derive(Clone, Debug)]
pub struct Engine {
    docker: Docker,
}

/// Which part of a log is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Its last lines, this many.
    Last(u32),
    /// What was written since this time, in seconds since 1970.
    Since(i32),
}

/// What an engine says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineFacts {
    /// What tells this engine from another.
    pub id: String,
    /// Version and API version.
    pub engine: String,
    /// Operating system and kernel of its host.
    pub host: String,
    /// Its processors.
    pub cpus: Option<u64>,
    /// Its memory in bytes.
    pub memory_bytes: Option<u64>,
}

/// What a sweep found, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Containers, by name.
    pub containers: Vec<String>,
    /// Networks, by name.
    pub networks: Vec<String>,
    /// Volumes, by name.
    pub volumes: Vec<String>,
}

/// One thing that was found.
enum Item {
    Container(String),
    Network(String),
    Volume(String),
}

impl Leftovers {
    fn add(&mut self, item: Item) {
        match item {
            Item::Container(name) => self.containers.push(name),
            Item::Network(name) => self.networks.push(name),
            Item::Volume(name) => self.volumes.push(name),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.containers.len() + self.networks.len() + self.volumes.len()
    }

    /// Their names, each with its kind.
    pub fn into_names(self) -> impl Iterator<Item = String> {
        let named =
            |kind: &'static str, names: Vec<String>| names.into_iter().map(move |name| format!("{kind} {name}"));
        named("container", self.containers).chain(named("network", self.networks)).chain(named("volume", self.volumes))
    }
}

impl Engine {
    /// Connects to the engine that testcontainers uses (`DOCKER_HOST` and its settings are honoured) and asks whether it lives.
    pub async fn connect() -> Result<Self, ClusterError> {
        let no_engine = |reason: String| ClusterError::NoEngine {
            reason: reason.strip_prefix(TRANSPORT_NOISE).map(str::to_owned).unwrap_or(reason),
        };
        let docker =
            testcontainers::core::client::docker_client_instance().await.map_err(|error| no_engine(chain(&error)))?;
        match tokio::time::timeout(CALL_LIMIT, docker.ping()).await {
            Ok(Ok(_)) => Ok(Self { docker }),
            Ok(Err(error)) => Err(no_engine(chain(&error))),
            Err(_) => Err(no_engine(format!("no answer within {} s", CALL_LIMIT.as_secs()))),
        }
    }

    /// What the engine says of itself and its host.
    pub async fn facts(&self) -> Result<EngineFacts, ClusterError> {
        let version = limited("tell its version", CALL_LIMIT, self.docker.version()).await?;
        let info = limited("describe its host", CALL_LIMIT, self.docker.info()).await?;
        let text = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
        Ok(EngineFacts {
            id: info.id.clone().unwrap_or_default(),
            engine: format!("{} (API {})", text(version.version), text(version.api_version)),
            host: format!("{}, kernel {}", text(info.operating_system), text(info.kernel_version)),
            cpus: info.ncpu.and_then(|count| u64::try_from(count).ok()),
            memory_bytes: info.mem_total.and_then(|bytes| u64::try_from(bytes).ok()),
        })
    }

    /// The image of that name, or `None` when it is not on the machine.
    pub async fn image(&self, reference: &str) -> Result<Option<ImageInspect>, ClusterError> {
        let action = format!("look at image {reference}");
        absent_is_none(limited(&action, CALL_LIMIT, self.docker.inspect_image(reference)).await)
    }

    /// The state of a container's first process.
    pub async fn process_state(&self, container: &str) -> Result<ProcessState, ClusterError> {
        let action = format!("look at container {container}");
        let inspected =
            absent_is_none(limited(&action, CALL_LIMIT, self.docker.inspect_container(container, None)).await)?;
        Ok(inspected.and_then(|container| container.state).map_or(ProcessState::Missing, to_process_state))
    }

    /// Sends a signal to a container's first process.
    pub async fn kill(&self, container: &str, signal: Signal) -> Result<(), ClusterError> {
        let options = KillContainerOptionsBuilder::default().signal(signal.name()).build();
        let action = format!("send {} to {container}", signal.name());
        limited(&action, CALL_LIMIT, self.docker.kill_container(container, Some(options))).await
    }

    /// `SIGTERM`, and `SIGKILL` after the grace.
    pub async fn stop(&self, container: &str, grace: Duration) -> Result<(), ClusterError> {
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::default().t(seconds).build();
        let limit = grace + CALL_LIMIT;
        limited(&format!("stop {container}"), limit, self.docker.stop_container(container, Some(options))).await
    }

    /// Starts a container that ended.
    pub async fn start(&self, container: &str) -> Result<(), ClusterError> {
        limited(&format!("start {container}"), CALL_LIMIT, self.docker.start_container(container, None)).await
    }

    /// Freezes a container. On a busy machine the kernel may not get hold of all its threads in the engine's time ("unable to
    /// freeze"), and the engine lets them go again: so it is asked some more times.
    pub async fn pause(&self, container: &str) -> Result<(), ClusterError> {
        let action = format!("pause {container}");
        for _ in 1..PAUSE_TRIES {
            match limited(&action, CALL_LIMIT, self.docker.pause_container(container)).await {
                Err(ClusterError::Engine { reason, .. }) if reason.contains(UNABLE_TO_FREEZE) => {
                    tokio::time::sleep(BETWEEN_PAUSES).await;
                }
                result => return result,
            }
        }
        limited(&action, CALL_LIMIT, self.docker.pause_container(container)).await
    }

    /// Thaws a container.
    pub async fn unpause(&self, container: &str) -> Result<(), ClusterError> {
        limited(&format!("unpause {container}"), CALL_LIMIT, self.docker.unpause_container(container)).await
    }

    /// A container's log, or a part of it.
    pub async fn logs(&self, container: &str, part: Part) -> Result<Vec<u8>, ClusterError> {
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true);
        let options = match part {
            Part::Whole => options.tail("all"),
            Part::Last(lines) => options.tail(&lines.to_string()),
            Part::Since(seconds) => options.since(seconds),
        };
        let options = options.build();
        limited(&format!("read the log of {container}"), CALL_LIMIT, async {
            let mut stream = self.docker.logs(container, Some(options));
            let mut log = Vec::new();
            while let Some(chunk) = stream.next().await {
                log.extend_from_slice(&chunk?.into_bytes());
                if log.len() > LOG_BYTES_MAX {
                    log.extend_from_slice(b"\n[cut here by wiber-chaos: the log is longer than 64 MiB]\n");
                    break;
                }
            }
            Ok(log)
        })
        .await
    }

    /// Everything labelled with this run's label, or with any run's when `label` is `None`; with its host label.
    pub async fn labelled(&self, label: Option<&str>) -> Result<BTreeMap<(String, String), Leftovers>, ClusterError> {
        let wanted = label.map_or_else(|| RUN_LABEL.to_owned(), |label| format!("{RUN_LABEL}={label}"));
        let mut found: BTreeMap<(String, String), Leftovers> = BTreeMap::new();
        for (labels, item) in self.inventory(&wanted).await? {
            found.entry(owner(&labels)).or_default().add(item);
        }
        Ok(found)
    }

    /// Everything that carries this label, `key=value`.
    pub async fn carrying(&self, label: &str) -> Result<Leftovers, ClusterError> {
        let mut found = Leftovers::default();
        self.inventory(label).await?.into_iter().for_each(|(_, item)| found.add(item));
        Ok(found)
    }

    async fn inventory(&self, label: &str) -> Result<Vec<(HashMap<String, String>, Item)>, ClusterError> {
        let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
        let mut found = Vec::new();
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        for container in limited("list containers", CALL_LIMIT, self.docker.list_containers(Some(options))).await? {
            let labels = container.labels.clone().unwrap_or_default();
            found.push((labels, Item::Container(container::name_of(container))));
        }
        let options = ListNetworksOptionsBuilder::default().filters(&filters).build();
        for network in limited("list networks", CALL_LIMIT, self.docker.list_networks(Some(options))).await? {
            found.push((network.labels.unwrap_or_default(), Item::Network(network.name.unwrap_or_default())));
        }
        let options = ListVolumesOptionsBuilder::default().filters(&filters).build();
        let volumes = limited("list volumes", CALL_LIMIT, self.docker.list_volumes(Some(options))).await?;
        found.extend(
            volumes.volumes.unwrap_or_default().into_iter().map(|volume| (volume.labels, Item::Volume(volume.name))),
        );
        Ok(found)
    }

    /// Removes what a run made: containers first, because they hold the rest. What is gone already is fine.
    pub async fn remove(&self, leftovers: &Leftovers) -> Result<(), ClusterError> {
        // One that will not go must not keep the others; the first error is told once all were tried.
        let mut tried = Vec::new();
        for container in &leftovers.containers {
            tried.push(self.remove_container(container).await);
        }
        for network in &leftovers.networks {
            let action = format!("remove network {network}");
            let call = self.docker.remove_network(network);
            tried.push(absent_is_none(limited(&action, CALL_LIMIT, call).await).map(drop));
        }
        for volume in &leftovers.volumes {
            let options = RemoveVolumeOptionsBuilder::default().force(true).build();
            let action = format!("remove volume {volume}");
            let call = self.docker.remove_volume(volume, Some(options));
            tried.push(absent_is_none(limited(&action, CALL_LIMIT, call).await).map(drop));
        }
        tried.into_iter().collect()
    }
}

/// Gives a call to the engine a limit and its error a plain sentence.
async fn limited<T>(
    action: &str,
    limit: Duration,
    call: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T, ClusterError> {
    let failed = |reason: String| ClusterError::Engine { action: action.to_owned(), reason };
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(bollard::errors::Error::DockerResponseServerError { status_code, message })) => {
            Err(failed(format!("{} (HTTP {status_code})", message.trim())))
        }
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed(format!("no answer within {} s", limit.as_secs()))),
    }
}

fn absent_is_none<T>(result: Result<T, ClusterError>) -> Result<Option<T>, ClusterError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(ClusterError::Engine { reason, .. }) if reason.ends_with("(HTTP 404)") => Ok(None),
        Err(error) => Err(error),
    }
}

fn owner(labels: &HashMap<String, String>) -> (String, String) {
    let label = |key| labels.get(key).cloned().unwrap_or_default();
    (label(RUN_LABEL), label(HOST_LABEL))
}

fn to_map(labels: &BTreeMap<String, String>) -> HashMap<String, String> {
    labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn to_process_state(state: ContainerState) -> ProcessState {
    let started_at = state.started_at.unwrap_or_default();
    match state.status {
        Some(ContainerStateStatusEnum::PAUSED) => ProcessState::Paused { started_at },
        Some(ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::RESTARTING) => {
            ProcessState::Running { started_at }
        }
        Some(ContainerStateStatusEnum::EXITED | ContainerStateStatusEnum::DEAD) => {
            ProcessState::Exited { exit_code: state.exit_code.unwrap_or(-1) }
        }
        _ => ProcessState::Missing,
    }
}
