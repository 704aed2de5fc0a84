//! The tool container: a shell, as root, that has a broker's volumes for as long as one errand takes.
//!
//! It works beside the broker and not inside of it, so that it needs neither a running broker nor root's password there,
//! and so that an errand's memory and processes are not the broker's.

use std::time::Duration;

use super::{Disk, DiskError};
use crate::cluster::engine::{Engine, NewTool, RunAs, ToolMount};
use crate::cluster::maker::Maker;

/// How long one step of an errand may take: the longest fills or reads a few gigabytes.
pub(in crate::cluster) const STEP_LIMIT: Duration = Duration::from_secs(120);

/// When a tool container ends by itself, whatever became of us. Longer than any errand.
const LIFETIME: Duration = Duration::from_secs(600);

/// Where the host's control groups are seen in a tool container that has them ([`cgroups`]).
pub(in crate::cluster) const CGROUPS: &str = "/wiber-chaos-cgroups";

/// The host's control groups.
pub(in crate::cluster) fn cgroups() -> ToolMount {
    ToolMount::Host { path: "/sys/fs/cgroup", at: CGROUPS }
}

/// A tool container that runs.
pub(in crate::cluster) struct Tool<'a> {
    engine: &'a Engine,
    /// Its name.
    pub(in crate::cluster) name: String,
}

impl<'a> Tool<'a> {
    /// One that has the volumes of the disk's broker at the places where the broker has them.
    pub(in crate::cluster) async fn beside(disk: &'a Disk, mounts: Vec<ToolMount>) -> Result<Self, DiskError> {
        let volumes_from = Some(disk.container.clone());
        Self::start(&disk.engine, &disk.maker, &disk.tool_image, volumes_from, mounts).await
    }

    /// One that belongs to no broker.
    pub(in crate::cluster) async fn alone(
        engine: &'a Engine,
        maker: &Maker,
        image: &str,
        mounts: Vec<ToolMount>,
    ) -> Result<Self, DiskError> {
        Self::start(engine, maker, image, None, mounts).await
    }

    async fn start(
        engine: &'a Engine,
        maker: &Maker,
        image: &str,
        volumes_from: Option<String>,
        mounts: Vec<ToolMount>,
    ) -> Result<Self, DiskError> {
        let new = NewTool {
            name: maker.name("tool").await?,
            image: image.to_owned(),
            mounts,
            volumes_from,
            lifetime: Some(LIFETIME),
            labels: maker.tool_labels(),
        };
        let tool = Self { engine, name: new.name.clone() };
        let started = engine.start_tool(&new).await.map_err(DiskError::from);
        match started {
            Ok(()) => Ok(tool),
            Err(error) => tool.end(Err(error)).await,
        }
    }

    /// Runs a script with these arguments (`$1` and so on) as root; its output, or an error when it fails.
    pub(in crate::cluster) async fn sh(&self, script: &str, arguments: &[&str]) -> Result<String, DiskError> {
        Ok(String::from_utf8_lossy(&self.sh_bytes(script, arguments).await?).into_owned())
    }

    /// As [`Tool::sh`], for output that is no text.
    pub(in crate::cluster) async fn sh_bytes(&self, script: &str, arguments: &[&str]) -> Result<Vec<u8>, DiskError> {
        let command = shell(script, arguments);
        let said = self.engine.exec(&self.name, RunAs::Root, &command, STEP_LIMIT).await?;
        if said.exit_code != 0 {
            let what = if said.stderr.is_empty() { said.text() } else { said.stderr };
            return Err(DiskError::Errand { exit_code: said.exit_code, said: what.trim().to_owned() });
        }
        Ok(said.stdout)
    }

    /// Hands a file's bytes on as they come.
    pub(in crate::cluster) async fn read(&self, path: &str, sink: impl FnMut(&[u8])) -> Result<(), DiskError> {
        let said = self.engine.exec_to(&self.name, RunAs::Root, &["cat", path], STEP_LIMIT, sink).await?;
        match said.exit_code {
            0 => Ok(()),
            exit_code => Err(DiskError::Errand { exit_code, said: said.stderr }),
        }
    }

    /// Runs a script as somebody else; its exit code and what it complained.
    pub(in crate::cluster) async fn sh_as(
        &self,
        user: u32,
        group: u32,
        script: &str,
        arguments: &[&str],
    ) -> Result<(i64, String), DiskError> {
        let command = shell(script, arguments);
        let said = self.engine.exec(&self.name, RunAs::User(user, group), &command, STEP_LIMIT).await?;
        Ok((said.exit_code, said.stderr))
    }

    /// Removes the container and gives the errand's result. What the errand says comes before what the removal says; a
    /// container that would not go ends by itself, and is in the ledger.
    pub(in crate::cluster) async fn end<T>(self, done: Result<T, DiskError>) -> Result<T, DiskError> {
        let removed = self.engine.remove_container(&self.name).await;
        let value = done?;
        removed?;
        Ok(value)
    }
}

/// Whether a tool container can be made, and does what it is told, beside no broker.
pub async fn can_work(engine: &Engine, image: &str, maker: &Maker) -> Result<(), DiskError> {
    let tool = Tool::alone(engine, maker, image, Vec::new()).await?;
    let said = tool.sh("true", &[]).await.map(drop);
    tool.end(said).await
}

/// A shell's command line: what follows the script are its arguments, so that no path is ever read as a script.
pub(in crate::cluster) fn shell<'a>(script: &'a str, arguments: &[&'a str]) -> Vec<&'a str> {
    let mut command = vec!["sh", "-c", script, "wiber-chaos"];
    command.extend(arguments);
    command
}
