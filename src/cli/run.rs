//! `wiber-chaos run`: start, disturb, check, report.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use super::progress::Progress;
use super::terminal::{Style, complain, print, render_error, render_problems};
use super::{ColorChoice, ExitCode, Format, ProgressChoice, clean, outcome};
use crate::cluster::ledger;
use crate::report::terminal as summary;
use crate::run::interrupt::{Raise, Signal};
use crate::run::sweep::{Mode, dead_runs};
use crate::run::{Interrupt, Options, RunError, Source, chain, run};
use crate::scenario;

/// What to run, and where the reports go. A scenario that fails does not keep the next one from running.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The scenario files, run one after another
    #[arg(required = true, value_name = "SCENARIO")]
    pub scenarios: Vec<PathBuf>,
    /// The seed, instead of the scenario's own
    #[arg(long)]
    pub seed: Option<u64>,
    /// Where the reports go
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub reports: PathBuf,
    /// What to print at the end: a summary for people, or verdict.json
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// How to show progress, on stderr
    #[arg(long, value_enum, default_value_t = ProgressChoice::Auto)]
    pub progress: ProgressChoice,
    /// The Kafka image, instead of the scenario's own
    #[arg(long)]
    pub image: Option<String>,
}

/// One line of the table at the end of a suite.
struct Ended {
    scenario: String,
    said: String,
    code: ExitCode,
    took: Duration,
}

/// Validates every scenario, then runs one after another. The worst exit code wins; an interruption ends the suite.
pub async fn execute(args: &RunArgs, color: ColorChoice) -> ExitCode {
    let sources = match load_all(args, Style::choose(color, &std::io::stderr())) {
        Ok(sources) => sources,
        Err(code) => return code,
    };
    if let Some(swept) = dead_runs(&ledger::state_dir()).await {
        // What dead runs left is no reason not to run; the run itself says if it stands in its way.
        let style = Style::choose(color, &std::io::stderr());
        if !swept.dead.is_empty() {
            complain(&clean::tell(&swept, Mode::Remove, style));
        }
        clean::complain_of(&swept.troubles);
    }
    let (raise, interrupt) = Interrupt::new();
    let signals = tokio::spawn(listen(raise));
    let mut ended = Vec::new();
    for source in &sources {
        ended.push(run_one(source, args, color, &interrupt).await);
        if let Some(signal) = interrupt.received() {
            let code = match signal {
                Signal::Interrupt => ExitCode::Interrupted,
                Signal::Terminate => ExitCode::Terminated,
            };
            signals.abort();
            let worst = ExitCode::worst_of(ended.iter().map(|run| run.code).chain([code]));
            complain(&after_interruption(worst, sources.len() - ended.len()));
            return worst;
        }
    }
    signals.abort();
    let worst = ExitCode::worst_of(ended.iter().map(|run| run.code));
    if ended.len() > 1 && args.format == Format::Human {
        let rows: Vec<summary::SuiteLine> = ended.iter().map(Ended::row).collect();
        let style = outcome::summary_style(Style::choose(color, &std::io::stdout()));
        if let Err(code) = print(&summary::suite(&rows, worst.as_u8(), style)) {
            return code;
        }
    }
    worst
}

/// What the process exits with, which is not what the verdict of the run says that was interrupted.
fn after_interruption(worst: ExitCode, left: usize) -> String {
    let left = match left {
        0 => String::new(),
        1 => "; one more scenario was not run".to_owned(),
        left => format!("; {left} more scenarios were not run"),
    };
    format!("interrupted: the exit code is {}{left}\n", worst.as_u8())
}

/// Every scenario is read before the first one starts, so that a typo in the last costs no hour.
fn load_all(args: &RunArgs, style: Style) -> Result<Vec<Source>, ExitCode> {
    let mut sources = Vec::new();
    let mut bad = false;
    for path in &args.scenarios {
        let file = path.display().to_string();
        let loaded = std::fs::read_to_string(path)
            .map_err(|source| scenario::ScenarioError::Unreadable { path: path.clone(), source })
            .and_then(|text| Ok((scenario::parse(&file, &text)?, text)));
        match loaded {
            Ok((parsed, text)) => {
                complain(&render_problems(&parsed.warnings, style));
                sources.push(Source { scenario: parsed.scenario, text });
            }
            Err(error) => {
                complain(&render_error(&error, style));
                bad = true;
            }
        }
    }
    if bad { Err(ExitCode::Usage) } else { Ok(sources) }
}

async fn run_one(source: &Source, args: &RunArgs, color: ColorChoice, interrupt: &Interrupt) -> Ended {
    let began = Instant::now();
    let (progress, live) = Progress::start(&source.scenario, args.progress, color);
    let options = Options {
        reports: args.reports.clone(),
        seed: args.seed,
        image: args.image.clone(),
        interrupt: interrupt.clone(),
        program: own_program(),
        live: Some(live),
        ..Options::default()
    };
    let result = run(source, &options).await;
    let directory = options.live.as_ref().and_then(|live| live.directory.get().cloned());
    drop(options);
    progress.finish();
    let (said, code) = match result {
        Ok(judged) => {
            let code = outcome::tell(&judged, args.format, Style::choose(color, &std::io::stdout()));
            (judged.verdict.reasons.first().cloned().unwrap_or_default(), code)
        }
        Err(error) => {
            complain(&format!("error: {}\n", chain(&error)));
            if let Some(directory) = directory {
                complain(&format!("  what was recorded until then: {}\n", directory.display()));
            }
            (error.to_string().lines().next().unwrap_or_default().to_owned(), exit_code(&error))
        }
    };
    Ended { scenario: source.scenario.name.clone(), said, code, took: began.elapsed() }
}

impl Ended {
    fn row(&self) -> summary::SuiteLine {
        summary::SuiteLine {
            scenario: self.scenario.clone(),
            outcome: self.said.clone(),
            exit_code: self.code.as_u8(),
            duration_ms: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// The path of this very program. Only scenarios that crash or freeze clients need it, and say so.
fn own_program() -> Option<PathBuf> {
    match std::env::current_exe() {
        Ok(program) => Some(program),
        Err(error) => {
            complain(&format!("warning: this program's own path cannot be found: {error}\n"));
            None
        }
    }
}

fn exit_code(error: &RunError) -> ExitCode {
    match error {
        // Of an abandoned run the suite adds which signal it was. A run that stands on disk and could not be judged says
        // nothing that anybody can tell.
        RunError::Abandoned | RunError::Judge(_) => ExitCode::Inconclusive,
        RunError::Directory(_)
        | RunError::Ledger(_)
        | RunError::Cluster(_)
        | RunError::Workload(_)
        | RunError::NoProgram { .. }
        | RunError::Recorder(_)
        | RunError::Panicked { .. } => ExitCode::Environment,
        RunError::Unclean { .. } => ExitCode::Unclean,
    }
}

/// Turns the process's signals into interruptions for as long as runs go on.
async fn listen(raise: Raise) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        complain("warning: signals cannot be caught here; Ctrl-C will leave brokers to `wiber-chaos clean`\n");
        return;
    };
    for count in 1.. {
        let signal = tokio::select! {
            _ = interrupt.recv() => Signal::Interrupt,
            _ = terminate.recv() => Signal::Terminate,
        };
        raise.raise(signal);
        complain(match count {
            1 => "interrupted: healing, draining and reporting; once more removes the brokers at once\n",
            _ => "interrupted again: removing the brokers\n",
        });
    }
}
