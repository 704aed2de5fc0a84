//! Side-cars: containers that live in another one's network namespace, spoken to over their stdin and stdout.

use std::collections::BTreeMap;
use std::pin::Pin;

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder,
    WaitContainerOptionsBuilder,
};
use futures_util::{Stream, StreamExt};
use tokio::io::AsyncWrite;
use tokio::task::JoinHandle;

use super::{CALL_LIMIT, Engine, limited, to_map};
use crate::cluster::ClusterError;

/// What a side-car may do in the network that it shares.
const CAPABILITIES: [&str; 2] = ["NET_ADMIN", "NET_RAW"];

/// A side-car to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSideCar {
    /// Its name.
    pub name: String,
    /// The image.
    pub image: String,
    /// What to run instead of what the image runs.
    pub command: Option<Vec<String>>,
    /// The container whose network it shares.
    pub beside: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A side-car that runs.
pub(crate) struct SideCar {
    /// What it writes.
    pub(crate) output: Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>,
    /// What it reads.
    pub(crate) input: Pin<Box<dyn AsyncWrite + Send>>,
    /// Its exit code, once it ended; `None` when the engine does not tell.
    pub(crate) exit: JoinHandle<Option<i64>>,
}

impl Engine {
    /// Makes and starts a side-car, and holds both ends of its pipes since before its first word.
    ///
    /// The engine removes it when it ends, and closes its stdin when we are gone, however that comes about.
    pub(crate) async fn start_side_car(&self, new: &NewSideCar) -> Result<SideCar, ClusterError> {
        let options = CreateContainerOptionsBuilder::default().name(&new.name).build();
        let call = self.docker.create_container(Some(options), body(new));
        limited(&format!("create container {}", new.name), CALL_LIMIT, call).await?;
        let started = self.attach_and_start(&new.name).await;
        if started.is_err() {
            // It is removed by itself only once it ran. The first error is the one to tell.
            let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
            let call = self.docker.remove_container(&new.name, Some(options));
            drop(limited("remove a side-car", CALL_LIMIT, call).await);
        }
        started
    }

    async fn attach_and_start(&self, name: &str) -> Result<SideCar, ClusterError> {
        let options =
            AttachContainerOptionsBuilder::default().stream(true).stdin(true).stdout(true).stderr(true).build();
        let call = self.docker.attach_container(name, Some(options));
        let AttachContainerResults { output, input } = limited(&format!("attach to {name}"), CALL_LIMIT, call).await?;
        // Asked before the start, because one that died is not there any more to be asked. The engine has this question
        // long before it has made a process.
        let exit = tokio::spawn(exit_code(self.clone(), name.to_owned()));
        self.start(name).await?;
        Ok(SideCar { output, input, exit })
    }
}

async fn exit_code(engine: Engine, name: String) -> Option<i64> {
    let options = WaitContainerOptionsBuilder::default().condition("next-exit").build();
    let mut waited = std::pin::pin!(engine.docker.wait_container(&name, Some(options)));
    match waited.next().await? {
        Ok(ended) => Some(ended.status_code),
        Err(Error::DockerContainerWaitError { code, .. }) => Some(code),
        Err(_) => None,
    }
}

fn body(new: &NewSideCar) -> ContainerCreateBody {
    let host = HostConfig {
        network_mode: Some(format!("container:{}", new.beside)),
        cap_add: Some(CAPABILITIES.map(str::to_owned).to_vec()),
        auto_remove: Some(true),
        // All that it writes comes to us, and is of no use to anybody else.
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        ..HostConfig::default()
    };
    ContainerCreateBody {
        image: Some(new.image.clone()),
        cmd: new.command.clone(),
        labels: Some(to_map(&new.labels)),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        stdin_once: Some(true),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    }
}
