//! `wiber-chaos check`: check stored runs again, with today's checkers, without any cluster; or somebody else's histories.

mod jepsen;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::terminal::{Style, complain};
use super::{ColorChoice, ExitCode, Format, outcome};
use crate::run::directory::RunDirectory;
use crate::run::{chain, judge};

/// What to check.
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

/// Judges every run anew and rewrites its reports, or judges every history. The worst exit code wins; what cannot be read
/// is 2.
pub fn check(args: &CheckArgs, color: ColorChoice) -> ExitCode {
    let style = Style::choose(color, &std::io::stdout());
    match args.from {
        None => ExitCode::worst_of(args.runs.iter().map(|run| check_run(run, args.format, style)).collect::<Vec<_>>()),
        Some(Harness::Jepsen) => jepsen::check(args, style),
    }
}

fn check_run(run: &std::path::Path, format: Format, style: Style) -> ExitCode {
    let opened = RunDirectory::open(run).map_err(judge::JudgeError::from);
    match opened.and_then(|directory| judge::judge(&directory)) {
        Ok(judged) => outcome::tell(&judged, format, style),
        Err(error) => {
            complain(&format!("error: {}\n", chain(&error)));
            ExitCode::Usage
        }
    }
}
