//! `wiber-chaos history`: a stored run's history in another format, on stdout.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::ExitCode;
use super::terminal::complain;
use crate::history::edn::Operations;
use crate::history::{Closure, History, reader};
use crate::run::chain;
use crate::run::directory::RunDirectory;

/// Which history to write, and how.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// A run directory, such as reports/kill-one/latest
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// What to write
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: HistoryFormat,
}

/// A format of histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HistoryFormat {
    /// Jepsen's: one operation a line, for its Kafka checker
    Edn,
}

/// Writes the history; a run that cannot be read is 2.
pub fn history(args: &HistoryArgs) -> ExitCode {
    let history = match read(args) {
        Ok(history) => history,
        Err(problem) => {
            complain(&format!("error: {problem}\n"));
            return ExitCode::Usage;
        }
    };
    if let Closure::Cut(missing) = &history.closure {
        complain(&format!("warning: the history is cut, and written as far as it goes: {missing}\n"));
    }
    let written = match args.format {
        HistoryFormat::Edn => write_edn(&history, &mut BufWriter::new(io::stdout().lock())),
    };
    match written {
        Ok(()) => ExitCode::Pass,
        // Whoever read it has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::Pass,
        Err(error) => {
            complain(&format!("error: cannot write to stdout: {error}\n"));
            ExitCode::Environment
        }
    }
}

fn read(args: &HistoryArgs) -> Result<History, String> {
    let directory = RunDirectory::open(&args.run).map_err(|error| error.to_string())?;
    reader::read(&directory.history()).map_err(|error| chain(&error))
}

fn write_edn(history: &History, out: &mut impl Write) -> io::Result<()> {
    let operations = Operations::new(history);
    let left_out = operations.left_out();
    if left_out > 0 {
        complain(&format!(
            "warning: {left_out} reads are left out: corrupt, misplaced and foreign records have no value there\n"
        ));
    }
    for line in operations {
        writeln!(out, "{line}")?;
    }
    out.flush()
}
