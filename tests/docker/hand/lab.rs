//! Two plain containers on a network of their own: a server, in whose namespace the hand works, and a peer that looks on.

use crate::turn;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

/// What both ends are made of.
pub const TOOLS: &str = include_str!("tools.pl");

/// The side-car's image, which is all that the containers are made from.
pub fn image() -> &'static str {
    let line =
        include_str!("../../../docker/versions.env").lines().find_map(|line| line.strip_prefix("NEMESIS_IMAGE="));
    line.expect("docker/versions.env names the side-car's image")
}

/// What the engine prints; fails with what it complains about.
pub fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().expect("docker runs");
    said(&format!("docker {args:?}"), &output)
}

fn said(what: &str, output: &Output) -> String {
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// A server and its peer. Tests take turns, because they measure time on a small machine.
pub struct Lab {
    pub name: String,
    /// Each one's address.
    pub server: String,
    pub peer: String,
    serving: Option<Child>,
    _turn: MutexGuard<'static, ()>,
}

impl Lab {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let turn = turn::packets();
        let name = format!("hand-test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut lab = Self { name, server: String::new(), peer: String::new(), serving: None, _turn: turn };
        docker(&["network", "create", &lab.name]);
        lab.server = lab.start("server");
        lab.peer = lab.start("peer");
        lab.serving = Some(lab.serve());
        lab
    }

    /// The name of a container of this lab.
    pub fn container(&self, role: &str) -> String {
        format!("{}-{role}", self.name)
    }

    fn start(&self, role: &str) -> String {
        let container = self.container(role);
        let (network, sleep) = (format!("--network={}", self.name), ["sleep", "600"]);
        docker(&[&["run", "-d", "--rm", "--init", "--name", &container, &network, image()][..], &sleep].concat());
        docker(&["inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", &container])
    }

    fn serve(&self) -> Child {
        let mut child = self.begin("server", &["serve"]);
        wait_for_ready(&mut child);
        child
    }

    /// Starts one of the tools in a container.
    pub fn begin(&self, role: &str, args: &[&str]) -> Child {
        let container = self.container(role);
        let mut child = Command::new("docker")
            .args(["exec", "-i", &container, "timeout", "120", "perl", "-"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker runs");
        let mut stdin = child.stdin.take().expect("it was asked for");
        stdin.write_all(TOOLS.as_bytes()).expect("perl reads its program");
        child
    }

    /// Lets one of the tools run to its end in a container.
    pub fn tool(&self, role: &str, args: &[&str]) -> String {
        let output = self.begin(role, args).wait_with_output().expect("a child");
        said(&format!("{args:?}"), &output)
    }

    /// Datagrams from the peer to the server and back: each that came back, in the order in which they came.
    pub fn round_trips(&self, count: u32, every_ms: u32) -> Vec<(u32, f64)> {
        numbered(&self.tool("peer", &["round_trips", &self.server, &count.to_string(), &every_ms.to_string()]))
    }

    /// Begins to send datagrams from the peer to the server and back, which [`Watch::seen`] tells of.
    pub fn watch(&self, count: u32, every_ms: u32) -> Watch {
        let mut child = self.begin("peer", &["watch", &self.server, &count.to_string(), &every_ms.to_string()]);
        wait_for_ready(&mut child);
        Watch(child)
    }

    /// Messages on one TCP connection from the peer to the server and back.
    pub fn tcp_round_trips(&self, count: u32) -> Vec<(u32, f64)> {
        numbered(&self.tool("peer", &["tcp_round_trips", &self.server, &count.to_string()]))
    }

    /// Bytes a second that the peer gets from the server (`download`) or sends to it (`upload`). None of them is wrong.
    pub fn bytes_per_s(&self, direction: &str, bytes: u32) -> f64 {
        let said = self.tool("peer", &[direction, &self.server, &bytes.to_string()]);
        let (seconds, wrong) = said.split_once(' ').expect("two numbers");
        assert_eq!(wrong, "0", "bytes came that nobody sent");
        f64::from(bytes) / seconds.parse::<f64>().expect("seconds")
    }

    /// What a connection from the peer to the server comes to, and after how many milliseconds.
    pub fn connect(&self, limit_ms: u32) -> (String, f64) {
        let said = self.tool("peer", &["connect", &self.server, "7001", &limit_ms.to_string()]);
        let (result, ms) = said.split_once(' ').expect("two words");
        (result.to_owned(), ms.parse().expect("milliseconds"))
    }

    /// How many of so many datagrams arrive that one end sends to the other.
    pub fn one_way(&self, from: &str, to: &str, count: u32) -> u32 {
        let container = self.container(to);
        let mut receiver = Command::new("docker")
            .args(["exec", "-i", &container, "timeout", "120", "perl", "-e", TOOLS, "receive_until_told"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker runs");
        wait_for_ready(&mut receiver);
        let address = if to == "server" { &self.server } else { &self.peer };
        self.tool(from, &["send", address, &count.to_string()]);
        let mut stdin = receiver.stdin.take().expect("it was asked for");
        stdin.write_all(b"now\n").expect("it listens");
        drop(stdin);
        let output = receiver.wait_with_output().expect("a child");
        said("receive", &output).trim().parse().expect("a count")
    }

    /// The counters of a container's network, such as `Tcp.InCsumErrors`.
    pub fn counters(&self, role: &str) -> BTreeMap<String, u64> {
        let text = docker(&["exec", &self.container(role), "cat", "/proc/net/snmp", "/proc/net/netstat"]);
        let lines: Vec<&str> = text.lines().collect();
        let mut counters = BTreeMap::new();
        for two in lines.chunks(2) {
            let [names, values] = two else { continue };
            let group = names.split(':').next().unwrap_or_default();
            for (name, value) in names.split_whitespace().zip(values.split_whitespace()).skip(1) {
                // Some are -1 for "none", and are no counters.
                counters.extend(value.parse().map(|value| (format!("{group}.{name}"), value)));
            }
        }
        counters
    }

    /// How much a counter grows while something is done.
    pub fn grows<T>(&self, role: &str, counter: &str, work: impl FnOnce() -> T) -> (u64, T) {
        let before = self.counters(role)[counter];
        let result = work();
        (self.counters(role)[counter] - before, result)
    }

    /// The rules of the hand that are in the server's namespace, asked of the kernel by a container of its own.
    pub fn rules(&self) -> Vec<String> {
        let saved = self.in_namespace("iptables-save");
        saved.lines().filter(|line| line.contains("WIBER")).map(str::to_owned).collect()
    }

    /// Runs a command with all rights in the server's namespace.
    pub fn in_namespace(&self, command: &str) -> String {
        let network = format!("--network=container:{}", self.container("server"));
        docker(&["run", "--rm", "--cap-add=NET_ADMIN", &network, image(), "sh", "-c", command])
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for role in ["hand", "peer", "server"] {
            let _ = Command::new("docker").args(["rm", "-f", &self.container(role)]).output();
        }
        if let Some(mut serving) = self.serving.take() {
            let _ = serving.wait();
        }
        let _ = Command::new("docker").args(["network", "rm", &self.name]).output();
    }
}

pub fn wait_for_ready(child: &mut Child) {
    // Byte by byte, because what comes after it is for whoever reads the rest. `timeout` in the container is the limit.
    let mut line = String::new();
    let stdout = child.stdout.as_mut().expect("it was asked for");
    BufReader::with_capacity(1, stdout).read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
}

/// Datagrams that are on their way while something else happens.
pub struct Watch(Child);

impl Watch {
    /// Waits for the last; when each was sent, in order, and how many milliseconds it took to come back, if it did.
    pub fn seen(self) -> Vec<(SystemTime, Option<f64>)> {
        let text = said("watch", &self.0.wait_with_output().expect("a child"));
        let pair = |line: &str| {
            let (sent, ms) = line.split_once(' ').expect("a time and milliseconds");
            let sent = Duration::from_secs_f64(sent.parse().expect("seconds"));
            (SystemTime::UNIX_EPOCH + sent, ms.parse().ok())
        };
        text.lines().map(pair).collect()
    }
}

fn numbered(text: &str) -> Vec<(u32, f64)> {
    let pair = |line: &str| {
        let (number, ms) = line.split_once(' ').expect("a number and milliseconds");
        (number.parse().expect("a number"), ms.parse().expect("milliseconds"))
    };
    text.lines().map(pair).collect()
}

/// How often something is measured on a machine that may be busy with other things.
const ATTEMPTS: u32 = 6;

/// Measures until it finds what it looks for: a busy machine makes everything late at times, a fault makes it so each time.
#[track_caller]
pub fn at_best<T: std::fmt::Debug>(measure: impl Fn() -> T, is_fine: impl Fn(&T) -> bool) -> T {
    let mut missed = Vec::new();
    for _ in 0..ATTEMPTS {
        let measured = measure();
        if is_fine(&measured) {
            return measured;
        }
        missed.push(measured);
    }
    panic!("never in {ATTEMPTS} attempts: {missed:?}");
}

/// The middle one.
pub fn median(round_trips: &[(u32, f64)]) -> f64 {
    let mut sorted: Vec<f64> = round_trips.iter().map(|(_, ms)| *ms).collect();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
