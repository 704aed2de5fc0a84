//! A place in which the pages' commands find what they name: scenarios, stored runs, histories.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::LazyLock;

use crate::files::{self, Files};
use crate::program::Place;

/// A run on the mock, under the name of the scenario that pages use, so that their paths are right.
const MOCK: &str = r#"name = "kill-one"
seed = 42
[cluster]
kind = "mock"
[[topic]]
name = "chat"
[[producer]]
name = "chatters"
topic = "chat"
rate = "1000/s"
[[consumer-group]]
name = "chat-consumers"
topics = ["chat"]
[phases]
warmup = "2s"
chaos = "2s"
recovery = "10s"
drain = "15s"
[[fault]]
id = "kill"
at = "300ms"
for = "800ms"
kill = { target = "leader:chat-0" }
[expect]
duplicate = "allowed"
"#;

/// The run, played once.
static RUN: LazyLock<Files> = LazyLock::new(|| {
    let place = Place::new();
    let mut command = place.run();
    command.args(["--progress", "none"]).arg(place.file("mock.toml", MOCK));
    let ran = command.output().expect("the program starts");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    files::read_all(&place.latest("kill-one"))
});

/// A place for one page's commands, which may change it.
pub struct Stage(Place);

impl Stage {
    pub fn set() -> Self {
        let place = Place::new();
        files::write_all(&files::read_all("scenarios".as_ref()), &place.path("scenarios"));
        files::write_all(&files::read_all("reports/sample".as_ref()), &place.path("reports/sample"));
        let runs = place.path("reports/kill-one");
        files::write_all(&RUN, &runs.join("20260301T120000Z-42"));
        let link = |from: &str, to: &Path| symlink(from, to).expect("a link");
        // `latest` as a run leaves it, and what pages write where a reader has to choose.
        for name in ["latest", "RUN"] {
            link("20260301T120000Z-42", &runs.join(name));
        }
        fs::create_dir_all(place.path("reports/mock")).expect("a directory");
        link("../kill-one/20260301T120000Z-42", &place.path("reports/mock/latest"));
        for name in ["BEFORE", "AFTER"] {
            link("reports/kill-one/20260301T120000Z-42", &place.path(name));
        }
        fs::create_dir_all(place.path("store/redpanda/latest")).expect("a directory");
        for name in ["history.edn", "history.edn.gz", "store/redpanda/latest/history.edn"] {
            fs::copy("tests/jepsen/valid.edn", place.path(name)).expect("a copy");
        }
        Self(place)
    }

    /// What comes of the program with these arguments. No engine answers it: what a page does without a cluster, it does so.
    pub fn run(&self, arguments: &[String]) -> Output {
        let mut command: Command = self.0.program();
        command.current_dir(self.0.path("")).args(arguments).env("DOCKER_HOST", "tcp://127.0.0.1:1");
        command.output().expect("the program starts")
    }
}
