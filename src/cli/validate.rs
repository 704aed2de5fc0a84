//! `wiber-chaos validate`: all that is wrong with scenario files, at once.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::terminal::{Style, print, render_error, render_problems};
use super::{ColorChoice, ExitCode, Format};
use crate::scenario::{self, Parsed, Problem, ScenarioError};

/// Which files to check.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// The scenario files
    #[arg(required = true, value_name = "SCENARIO")]
    pub scenarios: Vec<PathBuf>,
    /// Print for people or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

/// Checks every file; 2 if anything is wrong with any of them. What is found is this command's data, on stdout.
pub fn validate(args: &ValidateArgs, color: ColorChoice) -> ExitCode {
    let results: Vec<(String, Result<Parsed, ScenarioError>)> =
        args.scenarios.iter().map(|path| (path.display().to_string(), scenario::load(path))).collect();
    let text = match args.format {
        Format::Human => human(&results, Style::choose(color, &std::io::stdout())),
        Format::Json => as_json(&results),
    };
    if let Err(code) = print(&text) {
        return code;
    }
    if results.iter().all(|(_, result)| result.is_ok()) { ExitCode::Pass } else { ExitCode::Usage }
}

/// A line for each file that is right, with its warnings; all problems of each file that is not.
pub fn human(results: &[(String, Result<Parsed, ScenarioError>)], style: Style) -> String {
    let mut text = String::new();
    for (file, result) in results {
        match result {
            Ok(Parsed { scenario, warnings }) => {
                for part in
                    [&style.good("ok"), " ", file, ": ", &scenario.name, "\n", &render_problems(warnings, style)]
                {
                    text.push_str(part);
                }
            }
            Err(error) => text.push_str(&render_error(error, style)),
        }
    }
    text
}

fn as_json(results: &[(String, Result<Parsed, ScenarioError>)]) -> String {
    let files: Vec<Value> = results.iter().map(|(file, result)| file_json(file, result)).collect();
    format!("{:#}\n", json!({ "schema_version": 1, "files": files }))
}

fn file_json(file: &str, result: &Result<Parsed, ScenarioError>) -> Value {
    match result {
        Ok(Parsed { scenario, warnings }) => {
            json!({ "file": file, "ok": true, "name": scenario.name, "problems": problems_json(warnings) })
        }
        Err(error @ ScenarioError::Unreadable { source, .. }) => {
            let problem = json!({ "severity": "error", "message": format!("{error}: {source}") });
            json!({ "file": file, "ok": false, "problems": [problem] })
        }
        Err(error) => json!({ "file": file, "ok": false, "problems": problems_json(error.problems()) }),
    }
}

fn problems_json(problems: &[Problem]) -> Vec<Value> {
    let one = |problem: &Problem| {
        json!({
            "severity": problem.severity_name(),
            "line": problem.line(),
            "message": problem.message(),
            "help": problem.help_text(),
        })
    };
    problems.iter().map(one).collect()
}
