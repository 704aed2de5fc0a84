//! `wiber-chaos check`: check stored runs again, with today's checkers, without any cluster.

use std::path::PathBuf;

use clap::Args;

use super::Format;

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
