//! `wiber-chaos run`: start, disturb, check, report.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use super::github::{File, Github};
use super::progress::Progress;
use super::terminal::{Style, complain, print, render_error, render_problems};
use super::{ColorChoice, ExitCode, Format, ProgressChoice, clean, outcome};
use crate::cluster::ledger;
use crate::report::terminal as summary;
use crate::run::interrupt::{Raise, Signal};
use crate::run::sweep::{Mode, dead_runs};
use crate::run::{Interrupt, Options, RunError, Source, chain, run};
use crate::scenario::{self, Lines, Problem, ScenarioError};

/// What to run, and where the reports go. A scenario that fails does not keep the next one from running.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The scenario files, run one after another
    #[arg(required = true, value_name = "SCENARIO")]
    pub scenarios: Vec<PathBuf>,
    /// The seed, instead of the scenario's own
    #[arg(long)]
    pub seed: Option<u64>,
    /// How long the chaos phase takes, instead of what the scenario says: "1h"; faults that strike again do so all along
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub lasting: Option<Duration>,
    /// Where the reports go
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub reports: PathBuf,
    /// What to print at the end: a summary for people, or verdict.json
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// How to show progress, on stderr
    #[arg(long, value_enum, default_value_t = ProgressChoice::Auto)]
    pub progress: ProgressChoice,
    /// Say nothing while it runs: as --progress none
    #[arg(short, long, conflicts_with = "progress")]
    pub quiet: bool,
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
    report: Option<PathBuf>,
    repeat: Option<String>,
}

/// A scenario to run.
struct Loaded {
    source: Source,
    file: PathBuf,
    /// Where the file says what.
    lines: Lines,
    /// Whether what runs is what stands in the file.
    text: Text,
}

/// Whether a scenario runs as its file has it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    AsWritten,
    Changed,
}

/// Validates every scenario, then runs one after another. The worst exit code wins; an interruption ends the suite.
pub async fn execute(args: &RunArgs, color: ColorChoice) -> ExitCode {
    let mut github = Github::detect();
    let code = run_all(args, color, &mut github).await;
    if let Some(github) = &github {
        github.finish(code);
    }
    code
}

async fn run_all(args: &RunArgs, color: ColorChoice, github: &mut Option<Github>) -> ExitCode {
    let scenarios = match load_all(args, Style::choose(color, &std::io::stderr()), github.as_ref()) {
        Ok(scenarios) => scenarios,
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
    for scenario in &scenarios {
        ended.push(run_one(scenario, args, color, &interrupt, github.as_mut()).await);
        if let Some(signal) = interrupt.received() {
            let code = match signal {
                Signal::Interrupt => ExitCode::Interrupted,
                Signal::Terminate => ExitCode::Terminated,
            };
            signals.abort();
            let worst = ExitCode::worst_of(ended.iter().map(|run| run.code).chain([code]));
            complain(&after_interruption(worst, scenarios.len() - ended.len()));
            return worst;
        }
    }
    signals.abort();
    let worst = ExitCode::worst_of(ended.iter().map(|run| run.code));
    if ended.len() > 1 && args.format == Format::Human {
        let rows: Vec<summary::SuiteLine> = ended.iter().map(Ended::row).collect();
        let style = outcome::summary_style(Style::choose(color, &std::io::stdout()));
        let told = print(&summary::suite(&rows, worst.as_u8(), style)).err().unwrap_or(ExitCode::Pass);
        return ExitCode::worst_of([worst, told]);
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
fn load_all(args: &RunArgs, style: Style, github: Option<&Github>) -> Result<Vec<Loaded>, ExitCode> {
    let mut scenarios = Vec::new();
    let mut bad = false;
    for path in &args.scenarios {
        match load(path, args.lasting) {
            Ok((loaded, warnings)) => {
                complain(&render_problems(&warnings, style));
                if let Some(github) = github {
                    github.problems(path, &warnings);
                }
                scenarios.push(loaded);
            }
            Err(error) => {
                complain(&render_error(&error, style));
                if let Some(github) = github {
                    github.refused(path, &error);
                }
                bad = true;
            }
        }
    }
    if bad { Err(ExitCode::Usage) } else { Ok(scenarios) }
}

fn load(path: &Path, lasting: Option<Duration>) -> Result<(Loaded, Vec<Problem>), ScenarioError> {
    let written =
        std::fs::read_to_string(path).map_err(|source| ScenarioError::Unreadable { path: path.to_owned(), source })?;
    let text = lasting.map_or_else(|| written.clone(), |chaos| scenario::lasting(&written, chaos));
    let parsed = scenario::parse(&path.display().to_string(), &text)?;
    let loaded = Loaded {
        file: path.to_owned(),
        lines: Lines::of(&written),
        text: if text == written { Text::AsWritten } else { Text::Changed },
        source: Source { scenario: parsed.scenario, text },
    };
    Ok((loaded, parsed.warnings))
}

async fn run_one(
    loaded: &Loaded,
    args: &RunArgs,
    color: ColorChoice,
    interrupt: &Interrupt,
    github: Option<&mut Github>,
) -> Ended {
    let Loaded { source, file, .. } = loaded;
    let name = &source.scenario.name;
    let began = Instant::now();
    let shown = if args.quiet { ProgressChoice::None } else { args.progress };
    let (progress, live) = Progress::start(&source.scenario, shown, color);
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
    let (scenario, took) = (name.clone(), began.elapsed());
    match result {
        Ok(judged) => {
            let code = outcome::tell(&judged, args.format, Style::choose(color, &std::io::stdout()));
            if let Some(github) = github {
                let repeat_from = loaded.repeat_from(judged.directory.path());
                github.judged(&judged, code, File { path: file, lines: &loaded.lines, repeat_from: &repeat_from });
            }
            let said = judged.verdict.reasons.first().cloned().unwrap_or_default();
            let (report, repeat) = (judged.directory.path().join("report.html"), outcome::repeat(&judged));
            Ended { scenario, said, code, took, report: Some(report), repeat: Some(repeat) }
        }
        Err(error) => {
            complain(&format!("error: {}\n", chain(&error)));
            if let Some(directory) = directory {
                complain(&format!("  what was recorded until then: {}\n", directory.display()));
            }
            if let Some(github) = github {
                github.failed(name, exit_code(&error), file, &chain(&error));
            }
            let said = error.to_string().lines().next().unwrap_or_default().to_owned();
            Ended { scenario, said, code: exit_code(&error), took, report: None, repeat: None }
        }
    }
}

impl Loaded {
    /// The file from which the run can be repeated: its own copy, where what ran is not what stands in the file.
    fn repeat_from(&self, run: &Path) -> PathBuf {
        match self.text {
            Text::AsWritten => self.file.clone(),
            Text::Changed => run.join("scenario.toml"),
        }
    }
}

impl Ended {
    fn row(&self) -> summary::SuiteLine {
        summary::SuiteLine {
            scenario: self.scenario.clone(),
            outcome: self.said.clone(),
            exit_code: self.code.as_u8(),
            duration_ms: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            report: self.report.clone(),
            repeat: self.repeat.clone(),
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
            1 => "interrupted: healing, draining and reporting; once more gives the run up at once\n",
            _ => "interrupted again: giving up, and removing what the run started\n",
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ran_in_another_length_is_repeated_from_its_own_copy() {
        let (file, run) = (Path::new("scenarios/mock.toml"), Path::new("reports/mock/RUN"));
        let (as_written, _) = load(file, None).expect("a valid scenario");
        assert_eq!(as_written.repeat_from(run), file);
        let (longer, _) = load(file, Some(Duration::from_secs(7))).expect("a valid scenario");
        assert_eq!(longer.repeat_from(run), run.join("scenario.toml"));
        assert_eq!(longer.lines, as_written.lines, "what is told of it stands in the file");
    }
}
