//! A run as somebody sees it who has nothing to do with it: its client processes, its brokers at their published ports, and
//! what it wrote into its history so far.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};

use serde_json::Value;
use wiber_chaos::cluster::peers::Peers;
use wiber_chaos::kafka::{BrokerId, Endpoint};

/// The processes of a run's clients, by the kernel's own table. One that is dead and not yet reaped is none.
pub fn client_processes(run: &Child) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("the table of processes").filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| parent(*pid) == Some(run.id()) && is_client(*pid)).collect()
}

/// Whether this is, still, the process of a client.
pub fn is_client(pid: u32) -> bool {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    command.split(|byte| *byte == 0).any(|word| word == b"client-process")
}

fn parent(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

/// Sends a signal to a process.
pub fn signal(pid: u32, signal: &str) {
    let sent = Command::new("kill").args([signal, &pid.to_string()]).status().expect("kill runs");
    assert!(sent.success(), "kill {signal} {pid}");
}

/// The process of this client when it was looked at last, by the run's history.
pub fn pid_of(directory: &Path, client: &str) -> u32 {
    let events = events(directory);
    let looks = events.iter().map(|event| &event["look"]).filter(|look| look["label"] == client);
    let pid = looks.filter_map(|look| look["pid"].as_u64()).next_back();
    let pid = pid.unwrap_or_else(|| panic!("no look at {client} in {events:?}"));
    u32::try_from(pid).expect("a process id")
}

/// The events that a run has recorded so far.
pub fn events(directory: &Path) -> Vec<Value> {
    let text = fs::read_to_string(directory.join("history/events.jsonl")).expect("a history");
    // The last line may be on its way.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect()
}

/// The port of the host at which clients reach this container's broker.
pub fn client_port(container: &str) -> u16 {
    let output = Command::new("docker").args(["port", container, "9092"]).output().expect("docker runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let port = said.lines().next().and_then(|line| line.rsplit_once(':')).map(|(_, port)| port.trim().parse());
    port.unwrap_or_else(|| panic!("{container} publishes no port: {output:?}")).expect("a port")
}

/// These brokers of a run.
pub fn peers(label: &str, brokers: &[i32]) -> Peers {
    let endpoint = |id: &i32| Endpoint::new("localhost", client_port(&format!("{label}-kafka-{id}")));
    Peers::plaintext(brokers.iter().map(|id| (BrokerId(*id), endpoint(id))).collect())
}
