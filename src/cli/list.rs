//! `wiber-chaos list`: the scenarios of a directory, its subdirectories included.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::terminal::{Style, complain, print};
use super::{ColorChoice, ExitCode, Format};
use crate::scenario::{self, Parsed, Scenario, ScenarioError};

/// Scenarios lie in a directory and in the one below, `controls/`; a deeper tree is somebody's disk.
const DEEPEST: usize = 4;

/// Which directory to list.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The directory
    #[arg(value_name = "DIR", default_value = "scenarios")]
    pub dir: PathBuf,
    /// Print for people or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

/// Lists the scenarios; a file that is none is listed as such, and the code is 2.
pub fn list(args: &ListArgs, color: ColorChoice) -> ExitCode {
    let files = match scenario_files(&args.dir) {
        Ok(files) => files,
        Err(error) => {
            complain(&format!("error: cannot list {}: {error}\n", args.dir.display()));
            return ExitCode::Usage;
        }
    };
    let rows: Vec<(String, Result<Parsed, ScenarioError>)> =
        files.iter().map(|path| (path.display().to_string(), scenario::load(path))).collect();
    let text = match args.format {
        Format::Human => human(&rows, Style::choose(color, &std::io::stdout())),
        Format::Json => as_json(&rows),
    };
    if rows.is_empty() && args.format == Format::Human {
        complain(&format!("no scenario (*.toml) in {}\n", args.dir.display()));
    }
    match print(&text) {
        Err(code) => code,
        Ok(()) if rows.iter().all(|(_, row)| row.is_ok()) => ExitCode::Pass,
        Ok(()) => ExitCode::Usage,
    }
}

/// Every `*.toml` below a directory, by path.
pub fn scenario_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(dir, DEEPEST, &mut files)?;
    files.sort();
    Ok(files)
}

fn collect(dir: &Path, levels: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() && levels > 1 {
            collect(&path, levels - 1, files)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    Ok(())
}

/// The faults in a few words: `kill random, pause leader:chat-0`.
fn faults(scenario: &Scenario) -> String {
    if scenario.faults.is_empty() {
        return "none".to_owned();
    }
    let one = |fault: &scenario::FaultSpec| format!("{} {}", fault.kind.name(), fault.target);
    scenario.faults.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A table: file, name, faults, and what it is about below.
fn human(rows: &[(String, Result<Parsed, ScenarioError>)], style: Style) -> String {
    let cells: Vec<[String; 3]> = rows.iter().map(|(file, row)| cells(file, row)).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    let mut text = String::new();
    for ([file, about, faults], (_, row)) in cells.iter().zip(rows) {
        let file = format!("{file:first$}");
        let file = if row.is_ok() { style.bold(&file) } else { file };
        text.push_str(format!("{file}  {about:second$}  {}", style.dim(faults)).trim_end());
        text.push('\n');
    }
    text
}

fn cells(file: &str, row: &Result<Parsed, ScenarioError>) -> [String; 3] {
    match row {
        Ok(Parsed { scenario, .. }) => {
            let about = scenario.description.clone().unwrap_or_else(|| scenario.name.clone());
            [file.to_owned(), about, faults(scenario)]
        }
        Err(_) => [file.to_owned(), "not a legal scenario: see `wiber-chaos validate`".to_owned(), String::new()],
    }
}

/// The same for programs.
pub(super) fn as_json(rows: &[(String, Result<Parsed, ScenarioError>)]) -> String {
    let scenarios: Vec<Value> = rows.iter().map(|(file, row)| row_json(file, row)).collect();
    format!("{:#}\n", json!({ "schema_version": 1, "scenarios": scenarios }))
}

fn row_json(file: &str, row: &Result<Parsed, ScenarioError>) -> Value {
    match row {
        Ok(Parsed { scenario, .. }) => {
            let one = |fault: &scenario::FaultSpec| json!({ "id": fault.id, "kind": fault.kind.name(), "target": fault.target });
            let faults: Vec<Value> = scenario.faults.iter().map(one).collect();
            json!({
                "file": file, "ok": true, "name": scenario.name, "description": scenario.description, "faults": faults,
            })
        }
        Err(error) => json!({ "file": file, "ok": false, "error": error.to_string() }),
    }
}
