//! `wiber-chaos history`: a stored run's history in another format, on stdout or as one file a table.

mod tables;

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::ExitCode;
use super::terminal::complain;
use crate::history::edn::Operations;
use crate::history::export::{Format, Table};
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
    /// Which table of the history, to stdout; with --out only this one
    #[arg(long, value_enum, value_name = "TABLE")]
    pub table: Option<TableName>,
    /// Write one file a table into this directory, which must be empty or not there yet
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// A format of histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HistoryFormat {
    /// Tables for spreadsheets and scripts
    Csv,
    /// Tables as JSON, one object a line
    Jsonl,
    /// Tables for Polars, `DuckDB` and pandas, packed and with types
    Parquet,
    /// Jepsen's: one operation a line, for its Kafka checker
    Edn,
}

/// A table of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableName {
    /// What comes a few per second: phases, faults, proofs, assignments, commits, errors
    Events,
    /// A row a completed send
    Sends,
    /// A row a record that one reader saw
    Reads,
    /// A row a record that a transformer made, and what it was made of
    Sources,
    /// A row a batch that a replica stored in the end
    Replicas,
}

impl From<TableName> for Table {
    fn from(name: TableName) -> Self {
        match name {
            TableName::Events => Self::Events,
            TableName::Sends => Self::Sends,
            TableName::Reads => Self::Reads,
            TableName::Sources => Self::Sources,
            TableName::Replicas => Self::Replicas,
        }
    }
}

/// What is to be written where.
enum Job {
    /// Jepsen's operations to stdout.
    Edn,
    /// One table to stdout.
    Stdout(Table, Format),
    /// Tables to files of a directory.
    Directory(Vec<Table>, Format, PathBuf),
}

/// Writes the history; a run that cannot be read is 2.
pub fn history(args: &HistoryArgs) -> ExitCode {
    let directory = match RunDirectory::open(&args.run) {
        Ok(directory) => directory.history(),
        Err(error) => return refuse(&error.to_string()),
    };
    match job(args) {
        Ok(Job::Edn) => match reader::read(&directory) {
            Ok(history) => edn(&history),
            Err(error) => refuse(&chain(&error)),
        },
        Ok(Job::Stdout(table, format)) => tables::to_stdout(&directory, table, format),
        Ok(Job::Directory(tables, format, out)) => tables::to_directory(&directory, &tables, format, &out),
        Err(problem) => refuse(&problem),
    }
}

/// What the arguments ask for, if that can be done.
fn job(args: &HistoryArgs) -> Result<Job, String> {
    let format = match args.format {
        HistoryFormat::Csv => Format::Csv,
        HistoryFormat::Jsonl => Format::Jsonl,
        HistoryFormat::Parquet => Format::Parquet,
        HistoryFormat::Edn if args.table.is_some() => {
            return Err("edn has no tables: it tells the whole history; remove --table".to_owned());
        }
        HistoryFormat::Edn if args.out.is_some() => {
            return Err("edn is one stream: remove --out, and write > history.edn".to_owned());
        }
        HistoryFormat::Edn => return Ok(Job::Edn),
    };
    let table = args.table.map(Table::from);
    match (&args.out, table) {
        (Some(out), None) => Ok(Job::Directory(Table::ALL.to_vec(), format, out.clone())),
        (Some(out), Some(table)) => Ok(Job::Directory(vec![table], format, out.clone())),
        (None, Some(table)) => Ok(Job::Stdout(table, format)),
        (None, None) => {
            let tables = Table::ALL.map(Table::name).join(", ");
            Err(format!(
                "a history is several tables: choose one with --table ({tables}), or write all of them with --out DIR"
            ))
        }
    }
}

fn refuse(problem: &str) -> ExitCode {
    complain(&format!("error: {problem}\n"));
    ExitCode::Usage
}

/// Says so if the history is cut.
fn warn_of(closure: &Closure) {
    if let Closure::Cut(missing) = closure {
        complain(&format!("warning: the history is cut, and written as far as it goes: {missing}\n"));
    }
}

/// The exit code of a write to stdout.
fn written(result: io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::Pass,
        // Whoever read it has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::Pass,
        Err(error) => {
            complain(&format!("error: cannot write to stdout: {error}\n"));
            ExitCode::Environment
        }
    }
}

fn edn(history: &History) -> ExitCode {
    warn_of(&history.closure);
    written(write_edn(history, &mut BufWriter::new(io::stdout().lock())))
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
