//! Who listens on a port of this host: a container, or a process.

use std::fmt;

use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::{FDTarget, Process};

use crate::cluster::engine::Engine;

/// Who listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A container publishes it.
    Container(String),
    /// A process of this host listens.
    Process {
        /// Its id.
        pid: i32,
        /// Its name.
        name: String,
    },
    /// Somebody whom the kernel does not show to this user.
    Somebody,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container(name) => write!(f, "container {name}"),
            Self::Process { pid, name } => write!(f, "process {pid} ({name})"),
            Self::Somebody => f.write_str("a process that this user may not see"),
        }
    }
}

/// Who listens on a port of the loopback, as far as it can be told; `None` when nobody does. Containers come first: the
/// process behind their ports is the engine's proxy, which says nothing.
pub async fn of(port: u16, engine: Option<&Engine>) -> Option<Holder> {
    if let Some(engine) = engine
        && let Ok(publishers) = engine.publishers(port).await
        && let Some(name) = publishers.into_iter().next()
    {
        return Some(Holder::Container(name));
    }
    process(port)
}

fn process(port: u16) -> Option<Holder> {
    let tables = [procfs::net::tcp(), procfs::net::tcp6()];
    let entries = tables.into_iter().flatten().flatten();
    let inodes: Vec<u64> = entries.filter(|entry| listens(entry, port)).map(|entry| entry.inode).collect();
    if inodes.is_empty() {
        return None;
    }
    let owner = procfs::process::all_processes().into_iter().flatten().flatten().find(|process| owns(process, &inodes));
    let named = owner.and_then(|process| {
        let name = process.stat().ok()?.comm;
        Some(Holder::Process { pid: process.pid(), name })
    });
    named.or(Some(Holder::Somebody))
}

fn listens(entry: &TcpNetEntry, port: u16) -> bool {
    let local = entry.local_address;
    entry.state == TcpState::Listen && local.port() == port && (local.ip().is_loopback() || local.ip().is_unspecified())
}

fn owns(process: &Process, inodes: &[u64]) -> bool {
    let descriptors = process.fd().into_iter().flatten().flatten();
    let mut targets = descriptors.map(|descriptor| descriptor.target);
    targets.any(|target| matches!(target, FDTarget::Socket(inode) if inodes.contains(&inode)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[tokio::test]
    async fn this_process_is_found_behind_its_own_port() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let port = listener.local_addr().expect("its address").port();
        let holder = of(port, None).await.expect("somebody listens");
        assert!(
            matches!(holder, Holder::Process { pid, .. } if u32::try_from(pid) == Ok(std::process::id())),
            "{holder}"
        );
        drop(listener);
        assert_eq!(of(port, None).await, None);
    }
}
