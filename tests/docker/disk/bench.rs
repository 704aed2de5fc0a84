//! What the tests stand on: an engine, a ledger, and a container that passes for a broker.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use wiber_chaos::cluster::disk::Disk;
use wiber_chaos::cluster::engine::Engine;
use wiber_chaos::cluster::images;
use wiber_chaos::cluster::ledger::{Entry, Ledger, Object};
use wiber_chaos::cluster::maker::Maker;

/// The lines that the engine prints.
pub fn docker(args: &[&str]) -> Vec<String> {
    let (success, text) = try_docker(args);
    assert!(success, "docker {args:?}: {text}");
    text.lines().map(str::to_owned).collect()
}

/// Whether a command succeeded, and what it said.
pub fn try_docker(args: &[&str]) -> (bool, String) {
    let output = Command::new("docker").args(args).output().expect("docker runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// Everything in the engine that carries a run's label.
pub fn labelled(label: &str) -> Vec<String> {
    let filter = format!("label=wiber-chaos.run={label}");
    let mut found = docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]);
    found.extend(docker(&["network", "ls", "--filter", &filter, "--format", "{{.Name}}"]));
    found.extend(docker(&["volume", "ls", "--filter", &filter, "--format", "{{.Name}}"]));
    found
}

/// Whose containers and ledger a test uses.
pub struct Bench {
    pub engine: Engine,
    pub label: String,
    pub ledger: Arc<Ledger>,
    _state: TempDir,
}

impl Bench {
    pub async fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let label = format!("disk-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let state = tempfile::tempdir().expect("a temporary directory");
        let ledger = Ledger::begin(state.path(), &label, state.path()).expect("a ledger");
        let engine = Engine::connect().await.expect("an engine; docker/setup.sh installs and starts one");
        Self { engine, label, ledger: Arc::new(ledger), _state: state }
    }

    pub fn maker(&self) -> Maker {
        Maker::run(&self.label, Arc::clone(&self.ledger))
    }

    /// The tool containers that the ledger heard of.
    pub fn tools(&self) -> Vec<String> {
        let entries = self.ledger.entries().expect("the ledger can be read");
        entries
            .into_iter()
            .filter_map(|entry| match entry {
                Entry::Make { object: Object::Container, name } if name.contains("-tool-") => Some(name),
                _ => None,
            })
            .collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for name in labelled(&self.label) {
            try_docker(&["rm", "-f", "-v", &name]);
            try_docker(&["volume", "rm", "-f", &name]);
        }
    }
}

/// A container with the broker's image and user, a data directory with a few files, and no broker in it.
pub struct Single {
    pub bench: Bench,
    pub name: String,
    pub disk: Disk,
}

impl Single {
    /// With a volume in memory of so many MiB, or one on the engine's own disk.
    pub async fn new(memory_mib: Option<u64>) -> Self {
        let bench = Bench::new().await;
        let name = format!("{}-broker", bench.label);
        let labels = [("wiber-chaos.run".to_owned(), bench.label.clone())].into();
        match memory_mib {
            Some(mib) => bench.engine.create_bounded_volume(&name, mib << 20, &labels).await.expect("a volume"),
            None => bench.engine.create_volume(&name, &labels).await.expect("a volume"),
        }
        let image = images::find(&bench.engine, None).await.expect("a Kafka image; docker/setup.sh makes one");
        let (label, volume) = (format!("wiber-chaos.run={}", bench.label), format!("{name}:/var/lib/kafka/data"));
        let image = format!("{}:{}", image.name, image.tag);
        let what = ["run", "-d", "--name", &name, "--label", &label, "--network", "none", "-v", &volume, &image];
        docker(&[&what[..], &["sleep", "600"]].concat());
        // Without zeros: those at a file's end count as allocated ahead, and one of 256 random files would end in one.
        let files = "cd /var/lib/kafka/data && echo node.id=1 > meta.properties && mkdir chat-0 && cd chat-0 && \
                     tr -d '\\000' < /dev/urandom | head -c 100000 > 00000000000000000000.log && \
                     tr -d '\\000' < /dev/urandom | head -c 50000 > 00000000000000000900.log && \
                     printf 'xyz' > 00000000000000000000.index && truncate -s 10485760 00000000000000000000.index && \
                     chmod 640 00000000000000000000.log";
        docker(&["exec", &name, "sh", "-c", files]);
        let disk = Disk::of(&bench.engine, &name, &bench.maker()).await.expect("a disk");
        Self { bench, name, disk }
    }

    /// Runs a script as the broker's user, in its data directory.
    pub fn sh(&self, script: &str) -> (bool, String) {
        try_docker(&["exec", "-w", "/var/lib/kafka/data", &self.name, "sh", "-c", script])
    }

    /// Lifts whatever limits the container on this device, where the kernel keeps limits, by hand.
    pub fn lift(&self, device: &str) {
        let id = docker(&["inspect", "--format", "{{.Id}}", &self.name]).concat();
        let script = "for group in $(find /groups -type d -name \"*$0*\"); do
            for file in write read; do
                file=$group/blkio.throttle.${file}_bps_device
                if test -e $file; then echo $1 0 > $file; fi
            done
            if test -e $group/io.max; then echo $1 wbps=max rbps=max > $group/io.max; fi
        done";
        let entry = ["run", "--rm", "-v", "/sys/fs/cgroup:/groups", "--entrypoint", "sh", "wiber/nemesis:1"];
        docker(&[&entry[..], &["-c", script, &id, device]].concat());
    }

    /// Ends the container; what is in it stays, where the volume is on a disk.
    pub fn stop(&self) {
        docker(&["kill", &self.name]);
    }

    /// Asserts that nothing is left of any errand, and that the ledger had heard of each.
    pub fn assert_tools_are_gone(&self, at_least: usize) {
        let told = self.bench.tools();
        assert!(told.len() >= at_least, "{told:?}");
        let there = labelled(&self.bench.label);
        let left: Vec<&String> = told.iter().filter(|tool| there.contains(tool)).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}
