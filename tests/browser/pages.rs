//! The pages that the tests open, made once: of a run on the mock cluster, and of runs that never were.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::world::{Ending, World};

/// Where they lie.
pub struct Pages {
    reports: PathBuf,
}

/// A run that holds, run in this process's neighbourhood on librdkafka's mock cluster.
pub const VALID: &str = "mock/20260301T110000Z-42";
/// A run that lost what a killed broker had acknowledged.
pub const LOST: &str = "kills/20260301T130000Z-1";
/// The same without the loss.
const KEPT: &str = "kills/20260301T120000Z-1";
/// A run whose faults did nothing.
pub const INCONCLUSIVE: &str = "no-bite/20260301T120000Z-1";
/// A run of an hour with a dozen faults.
pub const HOUR: &str = "hour/20260301T120000Z-1";

/// The runs whose reports are looked at.
pub const RUNS: [&str; 4] = [VALID, LOST, INCONCLUSIVE, HOUR];

const KILLS: World = World { name: "kills", chaos_s: 60, strikes: 2, per_second: 150, ending: Ending::Valid };

/// All pages, made when the first test asks for them.
pub fn pages() -> &'static Pages {
    static PAGES: OnceLock<Pages> = OnceLock::new();
    PAGES.get_or_init(Pages::make)
}

impl Pages {
    fn make() -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
        if directory.exists() {
            fs::remove_dir_all(&directory).expect("the last tests' pages");
        }
        fs::create_dir_all(&directory).expect("a directory");
        let pages = Self { reports: directory.join("reports") };
        // The mock's run takes its time, most of which it sleeps.
        std::thread::scope(|scope| {
            let mock = scope.spawn(|| pages.run_on_the_mock());
            pages.write(KEPT, KILLS);
            pages.write(LOST, World { ending: Ending::Loses, ..KILLS });
            pages.write(INCONCLUSIVE, World { name: "no-bite", ending: Ending::NeverBites, ..KILLS });
            pages.write(
                HOUR,
                World { name: "hour", chaos_s: 3_600, strikes: 12, per_second: 20, ending: Ending::Valid },
            );
            mock.join().expect("the mock's run");
        });
        program(Command::new(binary()).arg("report").arg("--index").arg(&pages.reports), &[0]);
        let [before, after, out] = [pages.reports.join(KEPT), pages.reports.join(LOST), pages.comparison()];
        program(Command::new(binary()).arg("compare").args([before, after]).arg("--out").arg(out), &[1]);
        pages
    }

    fn run_on_the_mock(&self) {
        let mut command = Command::new(binary());
        command.args(["run", "scenarios/mock.toml", "--progress", "none", "--reports"]).arg(&self.reports);
        command.env("WIBER_CHAOS_STATE_DIR", self.reports.with_file_name("state"));
        program(&mut command, &[0]);
        let latest = self.reports.join("mock/latest");
        let run = fs::canonicalize(&latest).expect("a run");
        fs::rename(run, self.reports.join(VALID)).expect("a name that every run of these tests has");
        fs::remove_file(latest).expect("a link to where it was");
    }

    fn write(&self, run: &str, world: World) {
        let directory = self.reports.join(run);
        world.write(&directory);
        let code = match world.ending {
            Ending::Valid => 0,
            Ending::Loses => 1,
            Ending::NeverBites => 4,
        };
        program(Command::new(binary()).arg("check").arg(&directory), &[code]);
    }

    /// A run's report.
    pub fn report(&self, run: &str) -> PathBuf {
        self.reports.join(run).join("report.html")
    }

    /// The page over all runs.
    pub fn index(&self) -> PathBuf {
        self.reports.join("index.html")
    }

    /// The page of two runs.
    pub fn comparison(&self) -> PathBuf {
        self.reports.with_file_name("comparison.html")
    }

    /// The reports of all runs.
    pub fn reports(&self) -> Vec<PathBuf> {
        RUNS.iter().map(|run| self.report(run)).collect()
    }

    /// Every page there is.
    pub fn all(&self) -> Vec<PathBuf> {
        self.reports().into_iter().chain([self.index(), self.comparison()]).collect()
    }
}

fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_wiber-chaos")
}

/// Runs the program, which has to end with one of these codes.
fn program(command: &mut Command, codes: &[i32]) {
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = || format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.code().is_some_and(|code| codes.contains(&code)), "{command:?}: {status}\n{}", said());
}
