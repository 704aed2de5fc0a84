//! What GitHub Actions shows of runs: [`annotation`]s beside the lines of scenarios, and a [`summary`] below the step.
//!
//! Text only: who writes it where, and whether at all, is for the command line to know.

pub mod annotation;
pub mod summary;

use std::path::Path;

pub use annotation::{Annotation, Level};
pub use summary::Entry;

use super::Report;
use crate::scenario::Lines;

/// A judged run, and where people find what is told of it.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The run.
    pub report: &'a Report,
    /// Its scenario's file, as the repository knows it.
    pub file: &'a str,
    /// Where that file says what.
    pub lines: &'a Lines,
    /// The file to repeat the run from.
    pub repeat_from: &'a str,
    /// The run's directory.
    pub dir: &'a Path,
    /// What the process says of the run, which may be more than its verdict.
    pub exit_code: u8,
}

impl Told<'_> {
    /// Where the report lies.
    fn page(&self) -> String {
        self.dir.join("report.html").display().to_string()
    }

    /// The command that repeats the run.
    fn repeat(&self) -> String {
        self.report.reproduce_command(self.repeat_from)
    }
}

#[cfg(test)]
pub(super) mod testing {
    //! Made-up runs, told as `run` would.

    use std::path::Path;

    use super::Told;
    use crate::report::Report;
    use crate::scenario::Lines;

    /// Tells of a made-up run.
    pub(in crate::report) fn told<'a>(report: &'a Report, lines: &'a Lines) -> Told<'a> {
        Told {
            report,
            file: "scenarios/kill-one.toml",
            lines,
            repeat_from: "scenarios/kill-one.toml",
            dir: Path::new("reports/kill-one/20260301T120000Z-42"),
            exit_code: report.verdict.exit_code,
        }
    }
}
