//! `wiber-chaos report`: one page over all stored runs. A run's own page is written by `run`, and anew by `check`.

use std::path::PathBuf;

use clap::Args;

use super::ExitCode;
use super::terminal::{complain, print};
use crate::report::{html, write_page};
use crate::run::{chain, shelf};

/// What to report.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Write DIR/index.html: all runs below DIR, and how recovery went from run to run; a run's own report is written by `check`
    #[arg(long, value_name = "DIR")]
    pub index: PathBuf,
}

/// Writes the index and prints its path.
pub fn report(args: &ReportArgs) -> ExitCode {
    let dir = &args.index;
    let entries = match shelf::runs(dir) {
        Ok(entries) => entries,
        Err(error) => {
            complain(&format!("error: cannot list {}: {error}\n", dir.display()));
            return ExitCode::Usage;
        }
    };
    if entries.is_empty() {
        let help = "runs lie in reports/<scenario>/<time>-<seed>: wiber-chaos report --index reports";
        complain(&format!("error: there is no run below {}\n  help: {help}\n", dir.display()));
        return ExitCode::Usage;
    }
    let file = dir.join("index.html");
    if let Err(error) = write_page(&file, &html::index::render(&entries)) {
        complain(&format!("error: {}\n", chain(&error)));
        return ExitCode::Environment;
    }
    match print(&format!("{}\n", file.display())) {
        Ok(()) => ExitCode::Pass,
        Err(code) => code,
    }
}
