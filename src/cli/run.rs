//! `wiber-chaos run`: start, disturb, check, report.

use std::path::PathBuf;

use clap::Args;

use super::{Format, ProgressChoice};

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
