//! The compiled program, started in a place of its own.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a test waits for a run to come to a certain point, or to end.
const PATIENCE: Duration = Duration::from_secs(400);

const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Where one test's scenarios, runs and ledgers lie.
pub struct Place(TempDir);

/// What a failed test ran stays, for whoever wonders why it failed.
impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.disable_cleanup(true);
            let told = format!("what this test ran is kept in {}\n", self.0.path().display());
            std::io::stderr().write_all(told.as_bytes()).expect("stderr");
        }
    }
}

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, such as a scenario, and returns its path.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("the file can be written");
        path
    }

    /// The program, with ledgers of its own.
    pub fn program(&self) -> Command {
        // Cargo sets the variable for the tests that it starts; the path of the build is for those started by hand.
        let variable = std::env::var_os("CARGO_BIN_EXE_wiber-chaos");
        let mut command = Command::new(variable.unwrap_or_else(|| env!("CARGO_BIN_EXE_wiber-chaos").into()));
        command.env("WIBER_CHAOS_STATE_DIR", self.path("state")).env_remove("RUST_BACKTRACE");
        // What is told on GitHub Actions is for the tests of that, also where these run there.
        command.env_remove("GITHUB_ACTIONS").env_remove("GITHUB_STEP_SUMMARY");
        command
    }

    /// `run`, with the reports of this place.
    pub fn run(&self) -> Command {
        let mut command = self.program();
        command.arg("run").arg("--reports").arg(self.path("reports"));
        command
    }

    /// The latest run of a scenario, under its own name.
    pub fn latest(&self, scenario: &str) -> PathBuf {
        let link = self.path("reports").join(scenario).join("latest");
        fs::canonicalize(&link).expect("there is a latest run")
    }

    /// The ledgers that are there.
    pub fn ledgers(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("state/ledger")).into_iter().flatten();
        entries.map(|entry| entry.expect("an entry").path()).collect()
    }

    /// What the latest run of a scenario has recorded until now.
    pub fn events(&self, scenario: &str) -> String {
        let events = self.path("reports").join(scenario).join("latest/history/events.jsonl");
        fs::read_to_string(events).unwrap_or_default()
    }

    /// Waits until the latest run of a scenario has recorded a line that holds all these words.
    pub fn wait_for_event(&self, scenario: &str, child: &mut Child, words: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = self.events(scenario);
            if text.lines().any(|line| words.iter().all(|word| line.contains(word))) {
                return;
            }
            let last = text.lines().last().unwrap_or("nothing");
            assert_eq!(
                child.try_wait().expect("a child"),
                None,
                "it ended before {words:?}; the last event was {last}"
            );
            assert!(Instant::now() < deadline, "waited {PATIENCE:?} for {words:?}; the last event was {last}");
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}

/// Starts a program whose output nobody reads.
pub fn start(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
}

/// Waits for a program to end.
pub fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} for the program to end");
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// The names in a directory, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("the directory can be listed");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
