//! Small containers that hold or handle a broker's volumes, and commands that are run inside of containers.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::{ContainerCreateBody, ExecConfig, HostConfig, Mount, MountBindOptions, MountType};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use futures_util::StreamExt;

use super::{CALL_LIMIT, Engine, limited, to_map};
use crate::cluster::ClusterError;

/// How much a command may say on each of its outputs before it is cut off.
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// A container that serves the harness and no client: it has no network, and its first process only waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTool {
    /// Its name.
    pub name: String,
    /// The image; any that has `sleep` and a shell.
    pub image: String,
    /// What it mounts.
    pub mounts: Vec<ToolMount>,
    /// The container whose volumes it has too, at the same places.
    pub volumes_from: Option<String>,
    /// How long until it ends, and is gone, whatever becomes of the harness; `None` for one that stays until it is removed.
    pub lifetime: Option<Duration>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// What a tool container mounts, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolMount {
    /// A volume.
    Volume {
        /// Its name.
        name: String,
        /// Where it is seen.
        at: &'static str,
    },
    /// A directory of the engine's host, to be looked at: alone, without what is mounted below it.
    HostReadOnly {
        /// The directory.
        path: &'static str,
        /// Where it is seen.
        at: &'static str,
    },
    /// A directory of the engine's host, with everything below it, to be changed.
    Host {
        /// The directory.
        path: &'static str,
        /// Where it is seen.
        at: &'static str,
    },
}

/// How a command in a container ended and what it said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Its exit code.
    pub exit_code: i64,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: String,
}

impl Said {
    /// The standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// As whom a command is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunAs {
    /// As root.
    Root,
    /// As the container's own user.
    Itself,
    /// As this user and group.
    User(u32, u32),
}

impl Engine {
    /// Makes and starts a tool container.
    pub async fn start_tool(&self, new: &NewTool) -> Result<(), ClusterError> {
        // The greatest number of seconds that every `sleep` takes: not all know `infinity`.
        let seconds = new.lifetime.map_or_else(|| i32::MAX.to_string(), |lifetime| lifetime.as_secs().to_string());
        let host = HostConfig {
            network_mode: Some("none".to_owned()),
            mounts: Some(new.mounts.iter().map(to_mount).collect()),
            volumes_from: new.volumes_from.clone().map(|container| vec![container]),
            auto_remove: Some(new.lifetime.is_some()),
            ..HostConfig::default()
        };
        let body = ContainerCreateBody {
            image: Some(new.image.clone()),
            entrypoint: Some(vec!["sleep".to_owned()]),
            cmd: Some(vec![seconds]),
            user: Some("0:0".to_owned()),
            labels: Some(to_map(&new.labels)),
            host_config: Some(host),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::default().name(&new.name).build();
        let call = self.docker.create_container(Some(options), body);
        limited(&format!("create container {}", new.name), CALL_LIMIT, call).await?;
        self.start(&new.name).await
    }

    /// Runs a command in a running container and waits for its end. Its exit code is the caller's to judge.
    pub async fn exec(
        &self,
        container: &str,
        run_as: RunAs,
        command: &[&str],
        limit: Duration,
    ) -> Result<Said, ClusterError> {
        let mut stdout = Vec::new();
        let mut said = self
            .exec_to(container, run_as, command, limit, |chunk| {
                let room = OUTPUT_BYTES_MAX.saturating_sub(stdout.len());
                stdout.extend_from_slice(&chunk[..chunk.len().min(room)]);
            })
            .await?;
        said.stdout = stdout;
        Ok(said)
    }

    /// Runs a command as [`Engine::exec`] does, and hands its standard output on as it comes instead of keeping it.
    pub async fn exec_to(
        &self,
        container: &str,
        run_as: RunAs,
        command: &[&str],
        limit: Duration,
        mut sink: impl FnMut(&[u8]),
    ) -> Result<Said, ClusterError> {
        let action = format!("run {} in {container}", command.first().copied().unwrap_or("nothing"));
        let config = ExecConfig {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.iter().map(|&word| word.to_owned()).collect()),
            user: match run_as {
                RunAs::Root => Some("0:0".to_owned()),
                RunAs::Itself => None,
                RunAs::User(user, group) => Some(format!("{user}:{group}")),
            },
            ..ExecConfig::default()
        };
        let exec = limited(&action, CALL_LIMIT, self.docker.create_exec(container, config)).await?.id;
        let mut stderr = Vec::new();
        limited(&action, limit, async {
            let started = self.docker.start_exec(&exec, None::<StartExecOptions>).await?;
            let StartExecResults::Attached { mut output, .. } = started else { return Ok(()) };
            while let Some(chunk) = output.next().await {
                match chunk? {
                    LogOutput::StdErr { message } if stderr.len() < OUTPUT_BYTES_MAX => {
                        stderr.extend_from_slice(&message);
                    }
                    LogOutput::StdOut { message } => sink(&message),
                    _ => {}
                }
            }
            Ok(())
        })
        .await?;
        let ended = limited(&action, CALL_LIMIT, self.docker.inspect_exec(&exec)).await?;
        let exit_code = ended.exit_code.ok_or_else(|| ClusterError::Engine {
            action,
            reason: "its output ended, and it has no exit code".to_owned(),
        })?;
        Ok(Said { exit_code, stdout: Vec::new(), stderr: String::from_utf8_lossy(&stderr).trim().to_owned() })
    }
}

fn to_mount(mount: &ToolMount) -> Mount {
    let of = |typ, source: &str, at: &str| Mount {
        typ: Some(typ),
        source: Some(source.to_owned()),
        target: Some(at.to_owned()),
        ..Mount::default()
    };
    match mount {
        ToolMount::Volume { name, at } => of(MountType::VOLUME, name, at),
        ToolMount::Host { path, at } => of(MountType::BIND, path, at),
        ToolMount::HostReadOnly { path, at } => Mount {
            read_only: Some(true),
            bind_options: Some(MountBindOptions { non_recursive: Some(true), ..MountBindOptions::default() }),
            ..of(MountType::BIND, path, at)
        },
    }
}
