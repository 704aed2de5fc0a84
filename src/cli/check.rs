//! `wiber-chaos check`: check stored runs again, with today's checkers, without any cluster.

use std::path::PathBuf;

use clap::Args;

use super::terminal::{Style, complain};
use super::{ColorChoice, ExitCode, Format, outcome};
use crate::run::directory::RunDirectory;
use crate::run::{chain, judge};

/// Which stored runs to check.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Run directories, such as reports/kill-one/latest
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// What to print: a summary for people, or verdict.json
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

/// Judges every run anew and rewrites its reports. The worst exit code wins; a run that cannot be read is 2.
pub fn check(args: &CheckArgs, color: ColorChoice) -> ExitCode {
    let style = Style::choose(color, &std::io::stdout());
    let codes: Vec<ExitCode> = args
        .runs
        .iter()
        .map(|run| {
            let opened = RunDirectory::open(run).map_err(judge::JudgeError::from);
            match opened.and_then(|directory| judge::judge(&directory)) {
                Ok(judged) => outcome::tell(&judged, args.format, style),
                Err(error) => {
                    complain(&format!("error: {}\n", chain(&error)));
                    ExitCode::Usage
                }
            }
        })
        .collect();
    ExitCode::worst_of(codes)
}
