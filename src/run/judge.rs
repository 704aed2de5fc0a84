//! A stored run, judged: history, checks, verdict, reports. Needs the run's directory and nothing else.

use crate::check;
use crate::history::Environment;
use crate::history::reader::{self, ReadError};
use crate::plan::Plan;
use crate::report::{self, Inputs, WriteError};
use crate::run::directory::{DirectoryError, RunDirectory};
use crate::scenario::{self, ScenarioError};
use crate::verdict::{self, Verdict};

/// A judged run.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Where it lies.
    pub directory: RunDirectory,
    /// The verdict.
    pub verdict: Verdict,
    /// Everything that reports show.
    pub report: report::Report,
    /// What could not be healed or removed, when the run has just ended; never known of a stored run.
    pub unclean: Option<String>,
}

/// Why a stored run could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// A file is missing or cannot be understood.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The stored scenario does not validate; it was written by another version.
    #[error("the run's own scenario.toml is refused by this version: {0}")]
    Scenario(#[from] ScenarioError),
    /// The history cannot be read.
    #[error(transparent)]
    History(#[from] ReadError),
    /// The reports could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Reads a run, checks it, and writes its verdict and reports anew. The same run gives the same bytes.
pub fn judge(directory: &RunDirectory) -> Result<Judged, JudgeError> {
    let scenario_toml = directory.read("scenario.toml")?;
    let scenario = scenario::parse("scenario.toml", &scenario_toml)?.scenario;
    let plan: Plan = directory.read_json("plan.json")?;
    // A run that died before its cluster was ready has none; what is known of it is still worth a report.
    let environment: Environment = directory.read_json("environment.json").unwrap_or_default();
    let history = reader::read(&directory.history())?;
    let results = check::check_all(&history, &scenario, &plan);
    let verdict = verdict::judge(&history, &scenario, &plan, &results);
    let report = report::build(Inputs {
        history: &history,
        scenario: &scenario,
        scenario_toml: &scenario_toml,
        plan: &plan,
        environment: &environment,
        verdict: &verdict,
        results: &results,
    });
    report::write_all(&report, directory.path())?;
    Ok(Judged { directory: directory.clone(), verdict, report, unclean: None })
}
