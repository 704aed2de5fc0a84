//! Where an engine keeps house: on which host, with how much room, and by which means it holds containers.

use std::path::PathBuf;

use bollard::models::{SystemInfo, SystemInfoCgroupDriverEnum, SystemInfoCgroupVersionEnum};

use super::{CALL_LIMIT, Engine, limited};
use crate::cluster::ClusterError;

/// What an engine says of the place where it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Premises {
    /// The name of its host.
    pub host: Option<String>,
    /// Where it keeps images, containers and volumes, on its own host.
    pub root: Option<PathBuf>,
    /// By which control groups it holds containers.
    pub cgroups: Cgroups,
}

/// The control groups that an engine uses. To freeze a container takes a freezer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cgroups {
    /// Version 1, where the kernel may lack a freezer.
    V1,
    /// Version 2, whose freezer is part of it.
    V2,
    /// None at all, as some rootless engines have it.
    Absent,
    /// The engine does not say.
    Unknown,
}

impl Engine {
    /// Where the engine works.
    pub async fn premises(&self) -> Result<Premises, ClusterError> {
        Ok(premises(limited("describe its host", CALL_LIMIT, self.docker.info()).await?))
    }
}

fn premises(info: SystemInfo) -> Premises {
    let cgroups = match (info.cgroup_driver, info.cgroup_version) {
        (Some(SystemInfoCgroupDriverEnum::NONE), _) => Cgroups::Absent,
        (_, Some(SystemInfoCgroupVersionEnum::_1)) => Cgroups::V1,
        (_, Some(SystemInfoCgroupVersionEnum::_2)) => Cgroups::V2,
        _ => Cgroups::Unknown,
    };
    Premises { host: info.name, root: info.docker_root_dir.map(PathBuf::from), cgroups }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_without_control_groups_has_none_whatever_version_it_names() {
        let info =
            |driver, version| SystemInfo { cgroup_driver: driver, cgroup_version: version, ..Default::default() };
        let cgroups = |driver, version| premises(info(driver, version)).cgroups;
        let (v1, v2) = (Some(SystemInfoCgroupVersionEnum::_1), Some(SystemInfoCgroupVersionEnum::_2));
        assert_eq!(cgroups(Some(SystemInfoCgroupDriverEnum::NONE), v2), Cgroups::Absent);
        assert_eq!(cgroups(Some(SystemInfoCgroupDriverEnum::CGROUPFS), v1), Cgroups::V1);
        assert_eq!(cgroups(Some(SystemInfoCgroupDriverEnum::SYSTEMD), v2), Cgroups::V2);
        assert_eq!(cgroups(None, None), Cgroups::Unknown);
    }
}
