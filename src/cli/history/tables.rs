//! A history's tables, to stdout or to files.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};

use super::{refuse, warn_of, written};
use crate::cli::ExitCode;
use crate::cli::terminal::{complain, print};
use crate::history::export::{self, ExportError, Format, Table};
use crate::history::reader::{ReadError, Stored};
use crate::run::chain;

/// Files are called so until all of them are whole.
const UNFINISHED: &str = "part";

/// Why the files could not be written.
#[derive(Debug, thiserror::Error)]
enum DirectoryError {
    /// Nothing is written over, and nothing is mixed with what is there.
    #[error("{} is not empty; name a directory that is not there yet", .0.display())]
    NotEmpty(PathBuf),
    /// Something else is in the way.
    #[error("{} is no directory", .0.display())]
    NoDirectory(PathBuf),
    /// The file system refuses.
    #[error("cannot write {}", path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The history cannot be read, or not to its end.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A table could not be written.
    #[error("cannot write {}", path.display())]
    Table {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: ExportError,
    },
}

impl DirectoryError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::NotEmpty(_) | Self::NoDirectory(_) | Self::Read(_) => ExitCode::Usage,
            Self::Io { .. } | Self::Table { .. } => ExitCode::Environment,
        }
    }
}

/// Writes one table to stdout.
pub(super) fn to_stdout(history: &Path, table: Table, format: Format) -> ExitCode {
    if format == Format::Parquet && io::stdout().is_terminal() {
        return refuse("parquet is no text: write > FILE, or --out DIR");
    }
    let mut stored = match Stored::open(history) {
        Ok(stored) => stored,
        Err(error) => return refuse(&chain(&error)),
    };
    match export::write(&mut stored, table, format, BufWriter::new(io::stdout())) {
        Ok(()) => {
            warn_of(&stored.closure());
            ExitCode::Pass
        }
        Err(ExportError::Write(error)) => written(Err(error)),
        Err(ExportError::Read(error)) => refuse(&chain(&error)),
        Err(error) => {
            complain(&format!("error: {}\n", chain(&error)));
            ExitCode::Environment
        }
    }
}

/// Writes tables to a directory, all of them or none, and prints the files' names.
pub(super) fn to_directory(history: &Path, tables: &[Table], format: Format, dir: &Path) -> ExitCode {
    match write_directory(history, tables, format, dir) {
        Ok(files) => {
            let lines: Vec<String> = files.iter().map(|file| format!("{}\n", file.display())).collect();
            print(&lines.concat()).map_or_else(|code| code, |()| ExitCode::Pass)
        }
        Err(error) => {
            complain(&format!("error: {}\n", chain(&error)));
            error.exit_code()
        }
    }
}

fn write_directory(
    history: &Path,
    tables: &[Table],
    format: Format,
    dir: &Path,
) -> Result<Vec<PathBuf>, DirectoryError> {
    let mut stored = Stored::open(history)?;
    let is_new = is_to_be_made(dir)?;
    fs::create_dir_all(dir).map_err(|source| failed(dir, source))?;
    let files: Vec<_> =
        tables.iter().map(|table| dir.join(format!("{}.{}", table.name(), format.extension()))).collect();
    let outcome = write_files(&mut stored, tables, format, &files);
    if outcome.is_err() {
        // The error is what matters; whatever cannot be removed says by its name that it is not finished.
        for file in &files {
            let _ = fs::remove_file(unfinished(file));
            let _ = fs::remove_file(file);
        }
        if is_new {
            let _ = fs::remove_dir(dir);
        }
    }
    outcome?;
    warn_of(&stored.closure());
    Ok(files)
}

/// Whether the directory is not there yet; one that is there has to be empty.
fn is_to_be_made(dir: &Path) -> Result<bool, DirectoryError> {
    match fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            None => Ok(false),
            Some(_) => Err(DirectoryError::NotEmpty(dir.to_owned())),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotADirectory => Err(DirectoryError::NoDirectory(dir.to_owned())),
        Err(source) => Err(failed(dir, source)),
    }
}

/// Writes each table under an unfinished name, and gives all of them their own once all are whole.
fn write_files(stored: &mut Stored, tables: &[Table], format: Format, files: &[PathBuf]) -> Result<(), DirectoryError> {
    for (table, file) in tables.iter().zip(files) {
        let path = unfinished(file);
        let out = File::create_new(&path).map_err(|source| failed(&path, source))?;
        export::write(stored, *table, format, BufWriter::new(out)).map_err(|error| match error {
            ExportError::Read(error) => DirectoryError::Read(error),
            ExportError::Write(source) => failed(&path, source),
            source => DirectoryError::Table { path: path.clone(), source },
        })?;
    }
    for file in files {
        fs::rename(unfinished(file), file).map_err(|source| failed(file, source))?;
    }
    Ok(())
}

fn unfinished(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(UNFINISHED);
    PathBuf::from(name)
}

fn failed(path: &Path, source: io::Error) -> DirectoryError {
    DirectoryError::Io { path: path.to_owned(), source }
}
