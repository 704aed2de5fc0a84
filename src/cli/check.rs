//! `wiber-chaos check`: check stored runs again, with today's checkers, without any cluster; or somebody else's histories.

mod jepsen;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::github::{File, Github};
use super::terminal::{Style, complain, render_error};
use super::{ColorChoice, ExitCode, Format, outcome};
use crate::run::directory::RunDirectory;
use crate::run::{chain, judge};
use crate::scenario::Lines;

/// What to check. A run's verdict.json and reports are written anew, by what its scenario.toml expects now; where nothing may be
/// written they stay as they are.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Run directories, such as reports/kill-one/latest; with --from jepsen, histories: history.edn or history.edn.gz
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Read histories of another harness and judge them as it would; see docs/jepsen.md
    #[arg(long, value_enum, value_name = "HARNESS")]
    pub from: Option<Harness>,
    /// How the consumers of a Jepsen history got their partitions: with `subscribe`, poll-skip and nonmonotonic-poll are allowed
    #[arg(long, value_enum, value_delimiter = ',', default_value = "assign", requires = "from")]
    pub sub_via: Vec<SubVia>,
    /// Infer dependencies from the order of sends in a Jepsen history's logs: then cycles named G1c are allowed
    #[arg(long, requires = "from")]
    pub ww_deps: bool,
    /// What to print: a summary for people, or verdict.json; of a Jepsen history, its results
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

/// Who wrote a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Harness {
    /// Jepsen's Kafka workload.
    Jepsen,
}

/// How the consumers of a Jepsen history got their partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SubVia {
    /// They took them themselves.
    Assign,
    /// The group's coordinator gave them.
    Subscribe,
}

/// Judges every run anew and rewrites its verdict and reports, or judges every history. The worst exit code wins; what cannot be
/// read is 2.
pub fn check(args: &CheckArgs, color: ColorChoice) -> ExitCode {
    let style = Style::choose(color, &std::io::stdout());
    match args.from {
        None => check_runs(args, style),
        Some(Harness::Jepsen) => jepsen::check(args, style),
    }
}

fn check_runs(args: &CheckArgs, style: Style) -> ExitCode {
    let mut github = Github::detect();
    let codes: Vec<ExitCode> =
        args.runs.iter().map(|run| check_run(run, args.format, style, github.as_mut())).collect();
    let worst = ExitCode::worst_of(codes);
    if let Some(github) = &github {
        github.finish(worst);
    }
    worst
}

fn check_run(run: &Path, format: Format, style: Style, github: Option<&mut Github>) -> ExitCode {
    let opened = RunDirectory::open(run).map_err(judge::JudgeError::from);
    match opened.and_then(|directory| judge::judge(&directory)) {
        Ok(judged) => {
            // A verdict is worth as much where nothing may be written.
            if let Err(error) = judged.write() {
                complain(&format!(
                    "warning: the run keeps the verdict and the reports that it had: {}\n",
                    chain(&error)
                ));
            }
            let code = outcome::tell(&judged, format, style);
            if let Some(github) = github {
                let path = judged.directory.path().join("scenario.toml");
                let lines = Lines::of(&judged.report.scenario_toml);
                github.judged(&judged, code, File { path: &path, lines: &lines, repeat_from: &path });
            }
            code
        }
        Err(error) => {
            refuse(&error, run, style);
            if let Some(github) = github {
                github.failed(&run.display().to_string(), ExitCode::Usage, &run.join("scenario.toml"), &chain(&error));
            }
            ExitCode::Usage
        }
    }
}

/// Says why a run cannot be judged, and what to do about it.
fn refuse(error: &judge::JudgeError, run: &Path, style: Style) {
    if let judge::JudgeError::Scenario(error) = error {
        complain(&render_error(error, style));
        complain("error: the run's own scenario.toml is refused: it was changed since, or is another version's\n");
    } else {
        complain(&format!("error: {}\n{}", chain(error), help(error, run)));
    }
}

/// What to do about a run that cannot be read.
fn help(error: &judge::JudgeError, run: &Path) -> &'static str {
    let is_file = run.is_file();
    match error {
        judge::JudgeError::Directory(_) if is_file => {
            "  help: a run is a directory; a history of Jepsen's is judged by --from jepsen\n"
        }
        judge::JudgeError::Directory(_) => {
            "  help: a run is a directory with plan.json, scenario.toml and history/, such as reports/kill-one/latest\n"
        }
        judge::JudgeError::History(_) if !run.join("history").is_dir() => {
            "  help: without its history/ a run cannot be judged again; its verdict.json and report.html say what was\n"
        }
        judge::JudgeError::AnotherPlan => "  help: put back the plan.json that the run wrote; a plan is never edited\n",
        _ => "",
    }
}
