//! A stored run, judged: history, checks, verdict, reports. Needs the run's directory and nothing else.

use crate::check;
use crate::check::sieve::Run;
use crate::history::reader::ReadError;
use crate::history::{Environment, Event, EventKind, History};
use crate::kafka::BrokerId;
use crate::plan::{self, Plan};
use crate::report::{self, BrokerLog, Inputs, WriteError};
use crate::run::directory::{DirectoryError, RunDirectory};
use crate::run::sift;
use crate::scenario::{self, Scenario, ScenarioError};
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
    /// `plan.json` is not the one that the run followed.
    #[error("plan.json was changed after the run, so nobody knows what was planned")]
    AnotherPlan,
    /// `scenario.toml` asks for something else than what was run.
    #[error(
        "scenario.toml was changed after the run, and asks for another run than this one\n  help: to judge a run by other expectations, change [expect], [evidence] or [[threshold]] only"
    )]
    AnotherScenario,
    /// The reports could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// What of a run's inputs is not what it was when the run began.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edited {
    Nothing,
    Scenario,
}

fn compare(history: &History, scenario_toml: &str, plan_json: &str) -> Result<Edited, JudgeError> {
    let started = history.events.first().map(|event| &event.kind);
    let Some(EventKind::RunStarted { scenario_crc32, plan_crc32, .. }) = started else {
        unreachable!("a history that was read begins with run-started");
    };
    if crc32fast::hash(plan_json.as_bytes()) != *plan_crc32 {
        return Err(JudgeError::AnotherPlan);
    }
    let same = crc32fast::hash(scenario_toml.as_bytes()) == *scenario_crc32;
    Ok(if same { Edited::Nothing } else { Edited::Scenario })
}

/// Whether a scenario asks for the run that there is: everything but what it expects is the same. Older histories tell of the name,
/// the topics and the plan only.
fn asks_for(scenario: &Scenario, plan: &Plan, history: &History) -> bool {
    let topics: Vec<&String> = scenario.topics.iter().map(|topic| &topic.name).collect();
    let started = |event: &Event| match &event.kind {
        EventKind::RunStarted { scenario: name, asked_crc32, .. } => {
            *name == scenario.name && asked_crc32.is_none_or(|asked| asked == scenario.asked_crc32())
        }
        _ => false,
    };
    history.events.iter().any(started)
        && topics == history.topics.iter().collect::<Vec<_>>()
        && plan::plan(scenario, plan.seed) == *plan
}

/// Reads a run and checks it; writes nothing.
pub fn judge(directory: &RunDirectory) -> Result<Judged, JudgeError> {
    let scenario_toml = directory.read("scenario.toml")?;
    let scenario = scenario::parse("scenario.toml", &scenario_toml)?.scenario;
    let plan_json = directory.read("plan.json")?;
    let plan: Plan = directory.read_json("plan.json")?;
    // A run that died before its cluster was ready has none; what is known of it is still worth a report.
    let environment: Environment = directory.read_json("environment.json").unwrap_or_default();
    let history = sift::read(&directory.history(), Run { scenario: &scenario, plan: &plan })?;
    let edited = compare(&history, &scenario_toml, &plan_json)?;
    if edited == Edited::Scenario && !asks_for(&scenario, &plan, &history) {
        return Err(JudgeError::AnotherScenario);
    }
    let results = check::check_all(&history, &scenario, &plan);
    let mut verdict = verdict::judge(&history, &scenario, &plan, &results);
    if edited == Edited::Scenario {
        // Second, so that the first still says what follows.
        verdict.reasons.insert(1, verdict::EDITED.to_owned());
    }
    // They may be large, and only anomalies are shown with them.
    let has_anomalies = results.iter().any(|result| result.found > 0);
    let broker_logs = if has_anomalies { broker_logs(directory, &environment) } else { Vec::new() };
    let report = report::build(Inputs {
        history: &history,
        scenario: &scenario,
        scenario_toml: &scenario_toml,
        plan: &plan,
        environment: &environment,
        verdict: &verdict,
        results: &results,
        broker_logs: &broker_logs,
    });
    Ok(Judged { directory: directory.clone(), verdict, report, unclean: None })
}

/// The brokers' logs that the run kept. They only illustrate: one that is missing, or is no text, takes nothing from a verdict.
fn broker_logs(directory: &RunDirectory, environment: &Environment) -> Vec<BrokerLog> {
    let id = |line: &String| line.strip_prefix("broker-")?.split(' ').next()?.parse().ok().map(BrokerId);
    let kept = |broker: BrokerId| {
        let bytes = directory.read_bytes(&format!("logs/{broker}.log")).ok()?;
        Some(BrokerLog { broker, text: String::from_utf8_lossy(&bytes).into_owned() })
    };
    environment.brokers.iter().filter_map(id).filter_map(kept).collect()
}

impl Judged {
    /// Writes the verdict and the reports into the run's directory, over those that are there. The same run gives the same bytes.
    pub fn write(&self) -> Result<(), JudgeError> {
        report::write_all(&self.report, self.directory.path())?;
        Ok(())
    }
}
