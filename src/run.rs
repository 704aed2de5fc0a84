//! A run, from a scenario to a verdict: start, warm up, disturb, heal, drain, audit, stop; then judge what was recorded.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use wiber_chaos::run::{Options, Source, run};
//!
//! let source = Source::load("scenarios/kill-one.toml".as_ref())?;
//! let judged = run(&source, &Options::default()).await?;
//! assert_eq!(judged.verdict.counts.acked, judged.verdict.counts.sent);
//! # Ok(())
//! # }
//! ```

pub mod directory;
pub mod interrupt;
pub mod judge;
mod observer;
pub mod shelf;
pub mod sift;
mod stage;
pub mod sweep;

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, mpsc};

use futures_util::FutureExt;

pub use interrupt::Interrupt;
pub use judge::Judged;
use stage::Stage;

pub use crate::cluster::chain;
use crate::cluster::{ClusterError, ledger};
use crate::fault::FaultId;
use crate::history::recorder::RecorderError;
use crate::history::{Event, Phase};
use crate::scenario::{Scenario, ScenarioError};
use crate::workload::{Counters, WorkloadError};

/// Runs a scenario and judges it. Whatever happens, the brokers are removed before this returns.
pub async fn run(source: &Source, options: &Options) -> Result<Judged, RunError> {
    // Whoever wants to know what was swept asks for it before.
    drop(sweep::dead_runs(&options.state).await);
    let stage = Stage::set(source, options)?;
    let played = match start(&stage, options).await {
        Ok(cluster) => {
            let played = tokio::select! {
                played = AssertUnwindSafe(play(&stage, &cluster)).catch_unwind() => played.unwrap_or_else(|panic| panicked(panic.as_ref())),
                () = options.interrupt.again() => Err(RunError::Abandoned),
                error = stage.history_fails() => Err(error),
            };
            stage.stop_cluster(&cluster).await;
            played
        }
        Err(error) => {
            stage.remove_by_ledger().await;
            Err(error)
        }
    };
    if let Err(error) = &played {
        stage.note_failure(error);
    }
    let cleared = stage.clear().await;
    if let Err(error) = &played {
        report_all_the_same(stage.directory(), error);
    }
    match (played, cleared.left) {
        (Err(cause), Some(left)) => Err(RunError::Unclean { left, cause: Box::new(cause) }),
        (Err(cause), None) => Err(cause),
        (Ok(()), left) => {
            cleared.history?;
            let mut judged = judge::judge(stage.directory())?;
            judged.write()?;
            judged.unclean = left;
            Ok(judged)
        }
    }
}

/// A run that broke off is reported too, as inconclusive, because a CI looks for its `junit.xml` whatever happened. Not after an
/// interruption: whoever wants a run to end at once does not wait for a history to be read.
fn report_all_the_same(directory: &directory::RunDirectory, error: &RunError) {
    if matches!(error, RunError::Abandoned) {
        return;
    }
    // That nothing can be read or written is not why the run failed, and often follows from that.
    drop(judge::judge(directory).and_then(|judged| judged.write()));
}

/// Starts the cluster. Before it is ready nothing can be drained or reported, so the first interruption ends it.
async fn start(stage: &Stage, options: &Options) -> Result<stage::SharedCluster, RunError> {
    tokio::select! {
        started = stage.start_cluster() => Ok(started?),
        () = options.interrupt.once() => Err(RunError::Abandoned),
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Result<(), RunError> {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    Err(RunError::Panicked { message: text.unwrap_or_else(|| "no message".to_owned()) })
}

async fn play(stage: &Stage, cluster: &stage::SharedCluster) -> Result<(), RunError> {
    let workload = stage.start_load(cluster).await?;
    stage.enter(Phase::Warmup);
    stage.warm_up(&workload).await;
    stage.enter(Phase::Chaos);
    let disturbance = stage.disturb(cluster, &workload).await;
    stage.enter(Phase::Recovery);
    stage.recover(cluster, disturbance).await;
    stage.enter(Phase::Drain);
    stage.drain(cluster, workload).await?;
    stage.audit(cluster).await;
    Ok(())
}

/// A scenario with the text it was read from, which the run's directory keeps.
#[derive(Clone, Debug)]
pub struct Source {
    /// What to run.
    pub scenario: Scenario,
    /// Its TOML.
    pub text: String,
}

impl Source {
    /// Reads and validates a scenario file.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScenarioError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Validates a scenario given as text; `name` stands for the file in messages.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let parsed = crate::scenario::parse(name, text)?;
        Ok(Self { scenario: parsed.scenario, text: text.to_owned() })
    }
}

/// How to run a scenario.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where runs are kept.
    pub reports: PathBuf,
    /// The seed, over the scenario's own; with neither, one is drawn and recorded.
    pub seed: Option<u64>,
    /// The Kafka image, over the scenario's own.
    pub image: Option<String>,
    /// Where ledgers are kept.
    pub state: PathBuf,
    /// How the run can be told to end early.
    pub interrupt: Interrupt,
    /// The program `wiber-chaos` itself, of which clients that are crashed or frozen become processes. A scenario with such
    /// a fault is refused without it: a test's own executable cannot serve.
    pub program: Option<PathBuf>,
    /// Where a display follows the run.
    pub live: Option<Live>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            reports: PathBuf::from("reports"),
            seed: None,
            image: None,
            state: ledger::state_dir(),
            interrupt: Interrupt::never(),
            program: None,
            live: None,
        }
    }
}

/// What a display needs to follow a run: each event as it is recorded, and the load's counters once it has started.
#[derive(Clone, Debug)]
pub struct Live {
    /// Where events go.
    pub events: mpsc::Sender<Event>,
    /// Set when the load starts.
    pub counters: Arc<OnceLock<Arc<Counters>>>,
    /// Set when the run's directory is made.
    pub directory: Arc<OnceLock<PathBuf>>,
}

/// Why a run gave no verdict.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The run's directory could not be made or written.
    #[error(transparent)]
    Directory(#[from] directory::DirectoryError),
    /// The ledger could not be written, so nothing was started.
    #[error(transparent)]
    Ledger(#[from] ledger::LedgerError),
    /// Clients are to be crashed or frozen, and nobody said of which program they are to be processes.
    #[error(
        "fault `{fault}` needs a process for {client}, and there is no program to start one of: {reason}\n  help: give \
         `run::Options::program` the path of the `wiber-chaos` executable"
    )]
    NoProgram {
        /// The first fault that needs it.
        fault: FaultId,
        /// Whom it strikes.
        client: String,
        /// What is wrong with the program.
        reason: String,
    },
    /// The cluster did not start, or could not be asked what the run needs to know.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The load did not start.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The history could not be written.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// The run was recorded and could not be judged.
    #[error(transparent)]
    Judge(#[from] judge::JudgeError),
    /// An interruption ended the run at once: the second one, or the first while the cluster was starting.
    #[error("abandoned when it was interrupted; what the run had started is removed, and the history ends here")]
    Abandoned,
    /// The harness itself has a bug; the brokers were removed all the same.
    #[error("a bug in wiber-chaos, please report it: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// The run failed, and something of it is left.
    #[error("{cause}\nnot clean: {left}\n  help: wiber-chaos clean removes what is left")]
    Unclean {
        /// What is left.
        left: String,
        /// Why the run failed.
        cause: Box<RunError>,
    },
}
