//! Clusters that tests start and disturb as a person would: by `up`, by the compose file, and by `docker` from outside.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::ports::free_base_port;
use crate::program::{Place, wait};

/// How long a test waits for something to be seen.
pub const PATIENCE: Duration = Duration::from_secs(120);

const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The lines that the engine prints.
pub fn docker(args: &[&str]) -> Vec<String> {
    let output = Command::new("docker").args(args).output().expect("docker runs");
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Three brokers, and how they are reached.
pub struct Brokers {
    pub place: Place,
    pub bootstrap: String,
    pub containers: [String; 3],
    made_by: MadeBy,
}

enum MadeBy {
    Up { name: String },
    Compose { project: String },
}

impl Brokers {
    /// Starts a cluster of its own name by `wiber-chaos up`.
    pub fn up() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let place = Place::new();
        let name = format!("test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let base_port = free_base_port();
        let ports = [base_port, base_port + 1, base_port + 2];
        let cluster = Self {
            bootstrap: ports.map(|port| format!("localhost:{port}")).join(","),
            containers: [1, 2, 3].map(|number| format!("{name}-kafka-{number}")),
            made_by: MadeBy::Up { name: name.clone() },
            place,
        };
        let (code, _, errors) = cluster.said(&["up", "--name", &name, "--base-port", &base_port.to_string()]);
        assert_eq!(code, Some(0), "{errors}");
        cluster
    }

    /// Starts the brokers of the compose file, under another project's name, so that nobody's data are touched.
    pub fn compose() -> Self {
        let names = ["kafka-1", "kafka-2", "kafka-3"].map(str::to_owned);
        let there = docker(&["ps", "-a", "--format", "{{.Names}}"]);
        let taken: Vec<&String> = names.iter().filter(|name| there.contains(name)).collect();
        assert!(taken.is_empty(), "{taken:?} are there already: end them (`wiber-chaos down`, `make compose-down`)");
        let setup = Command::new("docker/setup.sh").arg("--compose").status().expect("the set-up runs");
        assert!(setup.success(), "no command for compose files");
        let cluster = Self {
            place: Place::new(),
            bootstrap: "localhost:9092,localhost:9093,localhost:9094".to_owned(),
            containers: names,
            made_by: MadeBy::Compose { project: format!("wiber-test-{}", std::process::id()) },
        };
        let output = cluster.compose_command(&["up", "-d"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        cluster.wait_until_whole();
        cluster.wait_for("the topic chat", |cluster| {
            let (code, text, _) = cluster.ask(&["topics", "list"]);
            code == Some(0) && text.lines().any(|line| line.starts_with("chat "))
        });
        cluster
    }

    fn compose_command(&self, args: &[&str]) -> Output {
        let MadeBy::Compose { project } = &self.made_by else { panic!("made by `up`") };
        let has_plugin = Command::new("docker").args(["compose", "version"]).output();
        let mut command = if has_plugin.is_ok_and(|output| output.status.success()) {
            let mut command = Command::new("docker");
            command.arg("compose");
            command
        } else {
            Command::new("docker-compose")
        };
        let image = Command::new("docker/setup.sh").arg("--image").output().expect("the set-up runs");
        let image = String::from_utf8_lossy(&image.stdout).trim().to_owned();
        command.args(["-p", project, "-f", "docker/docker-compose.kafka.yml"]).args(args);
        command.env("WIBER_KAFKA_IMAGE", image).output().expect("compose runs")
    }

    /// Exit code, stdout and stderr of a command.
    pub fn said(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let output = self.place.program().args(args).stdin(Stdio::null()).output().expect("the program runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    /// The same, with this cluster's address.
    pub fn ask(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let args: Vec<&str> = args.iter().copied().chain(["--bootstrap", &self.bootstrap]).collect();
        self.said(&args)
    }

    /// Sends one message for each line, by stdin; the exit code and the lines printed.
    pub fn send(&self, lines: &[String], more: &[&str]) -> (Option<i32>, Vec<String>, String) {
        let mut command = self.place.program();
        command.args(["produce", "chat", "--bootstrap", &self.bootstrap]).args(more);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("piped");
        for line in lines {
            writeln!(stdin, "{line}").expect("the program reads");
        }
        drop(stdin);
        let output = child.wait_with_output().expect("the program ends");
        let printed = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
        (output.status.code(), printed, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Sends, and sees to it that each message gets its receipt.
    pub fn send_all(&self, lines: &[String]) {
        let (code, receipts, errors) = self.send(lines, &["--timeout", "60s"]);
        assert_eq!(code, Some(0), "{errors}");
        assert_eq!(receipts.len(), lines.len(), "a receipt for each message: {receipts:?}");
    }

    /// Starts a reader in the background.
    pub fn reader(&self, label: &str, group: &str, more: &[&str]) -> Terminal {
        let (out, notes) = (self.place.path(&format!("{label}.out")), self.place.path(&format!("{label}.err")));
        let mut command = self.place.program();
        command.args(["consume", "chat", "--group", group, "--format", "json", "--bootstrap", &self.bootstrap]);
        command.args(more).stdin(Stdio::null());
        command.stdout(File::create(&out).expect("a file")).stderr(File::create(&notes).expect("a file"));
        Terminal { child: command.spawn().expect("the program starts"), out, notes }
    }

    /// What `status --format json` says.
    pub fn status(&self) -> Value {
        let (code, text, errors) = self.ask(&["status", "--format", "json"]);
        assert_eq!(code, Some(0), "{errors}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// The offsets that a group has committed, by partition.
    pub fn committed(&self, group: &str) -> Vec<(String, i64)> {
        let status = self.status();
        let groups = status["groups"].as_array().expect("groups");
        let group = groups.iter().find(|it| it["group"] == group).unwrap_or_else(|| panic!("no group in {groups:?}"));
        let offsets = group["offsets"].as_array().expect("offsets").iter();
        let mut committed: Vec<(String, i64)> = offsets
            .map(|offset| {
                let partition = offset["partition"].as_str().expect("a partition").to_owned();
                (partition, offset["committed"].as_i64().unwrap_or(-1))
            })
            .collect();
        committed.sort();
        committed
    }

    pub fn wait_until_whole(&self) {
        let (code, _, errors) = self.ask(&["status", "--wait", "120s"]);
        assert_eq!(code, Some(0), "{errors}");
    }

    pub fn wait_for(&self, what: &str, seen: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !seen(self) {
            assert!(Instant::now() < deadline, "waited {PATIENCE:?} for {what}");
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// The ids of the containers, which change when one is made anew.
    pub fn container_ids(&self) -> Vec<String> {
        let names: Vec<&str> = self.containers.iter().map(String::as_str).collect();
        docker(&[&["inspect", "--format", "{{.Id}} {{.State.Status}}"], &names[..]].concat())
    }
}

impl Drop for Brokers {
    fn drop(&mut self) {
        match &self.made_by {
            MadeBy::Up { name } => {
                let (code, _, errors) = self.said(&["down", "--name", name, "--volumes"]);
                assert!(code == Some(0) || std::thread::panicking(), "{errors}");
            }
            MadeBy::Compose { .. } => drop(self.compose_command(&["down", "-v", "-t", "10"])),
        }
    }
}

/// A reader in a terminal of its own.
pub struct Terminal {
    child: Child,
    out: PathBuf,
    notes: PathBuf,
}

impl Terminal {
    /// The values that it printed so far, in order.
    pub fn values(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.out).expect("a file");
        // A line is printed in one go, but may be seen in two.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let value = |line: &str| {
            let record: Value = serde_json::from_str(line).expect("one object a line");
            record["value"].as_str().expect("a text").to_owned()
        };
        whole.lines().map(value).collect()
    }

    /// The partitions of the records that it printed so far.
    pub fn partitions(&self) -> BTreeSet<i64> {
        let text = fs::read_to_string(&self.out).expect("a file");
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let records = whole.lines().map(|line| serde_json::from_str::<Value>(line).expect("one object a line"));
        records.map(|record| record["partition"].as_i64().expect("a number")).collect()
    }

    /// What it said on stderr.
    pub fn notes(&self) -> String {
        fs::read_to_string(&self.notes).expect("a file")
    }

    /// The partitions that it owns, by its last note.
    pub fn owns(&self) -> BTreeSet<String> {
        let notes = self.notes();
        let last = notes.lines().rfind(|line| line.starts_with("assigned: ") || line.starts_with("revoked: "));
        let listed = last.and_then(|line| line.strip_prefix("assigned: ")).unwrap_or_default();
        listed.split(", ").filter(|name| !name.is_empty() && *name != "nothing").map(str::to_owned).collect()
    }

    /// Waits until it has printed what `enough` wants.
    pub fn wait_for(&self, what: &str, enough: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !enough(self) {
            assert!(
                Instant::now() < deadline,
                "waited {PATIENCE:?} for {what}; {} records printed; its notes: {}",
                self.values().len(),
                self.notes()
            );
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Ctrl-C; waits until it has ended.
    pub fn interrupt(&mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status().expect("kill runs");
        assert!(sent.success());
        wait(&mut self.child).code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Gone already in the plain case; after a failed assertion nobody needs it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `count` messages that can be told apart.
pub fn messages(label: &str, count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("{label} {number}")).collect()
}

/// The values as a set; what is in it twice is named.
pub fn distinct(values: &[String]) -> BTreeSet<String> {
    values.iter().cloned().collect()
}
