//! GitHub Actions: annotations at the scenarios' lines and a summary of the step, where the environment says that this runs there.
//!
//! Annotations go to stderr, which GitHub reads like stdout, so that `--format json` stays JSON and nothing else.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::ExitCode;
use super::terminal::complain;
use crate::report::github::{Annotation, Entry, Level, Told, annotation, summary};
use crate::run::{Judged, chain};
use crate::scenario::{Lines, Problem, ScenarioError};

/// What GitHub is told of a command's runs.
pub struct Github {
    /// Where the repository lies: annotations name files inside it.
    workspace: Option<PathBuf>,
    /// The file that takes the step's summary.
    summary: Option<PathBuf>,
    entries: Vec<Entry>,
}

/// A scenario's file, for what is told of its runs.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Where it lies.
    pub path: &'a Path,
    /// Where it says what.
    pub lines: &'a Lines,
    /// The file from which the run can be repeated: the same, unless another text of it ran.
    pub repeat_from: &'a Path,
}

impl Github {
    /// What the environment says; `None` anywhere else.
    pub fn detect() -> Option<Self> {
        Self::of(|name| std::env::var_os(name).filter(|value| !value.is_empty()))
    }

    fn of(variable: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        variable("GITHUB_ACTIONS").filter(|value| value == "true")?;
        let path = |name| variable(name).map(PathBuf::from);
        Some(Self { workspace: path("GITHUB_WORKSPACE"), summary: path("GITHUB_STEP_SUMMARY"), entries: Vec::new() })
    }

    /// Tells of a judged run.
    pub fn judged(&mut self, judged: &Judged, code: ExitCode, file: File<'_>) {
        let told = Told {
            report: &judged.report,
            file: &self.name(file.path),
            lines: file.lines,
            repeat_from: &file.repeat_from.display().to_string(),
            dir: judged.directory.path(),
            exit_code: code.as_u8(),
        };
        annotation::of_run(told).iter().for_each(say);
        self.entries.push(Entry::of_run(told));
    }

    /// Tells of a run that came to no verdict.
    pub fn failed(&mut self, scenario: &str, code: ExitCode, path: &Path, why: &str) {
        say(&annotation::of_failure(scenario, &self.name(path), why));
        self.entries.push(Entry::of_failure(scenario, code.as_u8(), why));
    }

    /// Tells why a scenario's file cannot be used.
    pub fn refused(&self, path: &Path, error: &ScenarioError) {
        match error {
            ScenarioError::Unreadable { .. } => {
                let (title, message) = ("scenario".to_owned(), chain(error));
                say(&Annotation { level: Level::Error, place: None, title, message });
            }
            ScenarioError::Invalid { problems, .. } => self.problems(path, problems),
        }
    }

    /// Tells what is wrong, or doubtful, with a scenario's file.
    pub fn problems(&self, path: &Path, problems: &[Problem]) {
        for problem in problems {
            let help = problem.help_text().map(|help| format!("\nhelp: {help}"));
            say(&Annotation {
                level: if problem.is_error() { Level::Error } else { Level::Warning },
                place: Some((self.name(path), problem.line())),
                title: "scenario".to_owned(),
                message: format!("{}{}", problem.message(), help.unwrap_or_default()),
            });
        }
    }

    /// Adds the summary to what the step has said so far. That it cannot be written changes nothing of what is true.
    pub fn finish(&self, code: ExitCode) {
        let Some(path) = self.summary.as_deref().filter(|_| !self.entries.is_empty()) else { return };
        let text = summary::render(&self.entries, code.as_u8());
        let written = OpenOptions::new().create(true).append(true).open(path);
        if let Err(error) = written.and_then(|mut file| file.write_all(text.as_bytes())) {
            complain(&format!("warning: the step's summary cannot be written to {}: {error}\n", path.display()));
        }
    }

    /// A file as the repository knows it; one that lies elsewhere as it was given.
    fn name(&self, path: &Path) -> String {
        let whole = std::path::absolute(path).ok();
        let inside =
            whole.as_deref().zip(self.workspace.as_deref()).and_then(|(whole, at)| whole.strip_prefix(at).ok());
        inside.unwrap_or(path).display().to_string()
    }
}

fn say(annotation: &Annotation) {
    complain(&format!("{annotation}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Option<Github> {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        Github::of(find)
    }

    #[test]
    fn nothing_is_told_anywhere_else() {
        assert!(of(&[]).is_none());
        assert!(of(&[("GITHUB_ACTIONS", "false"), ("GITHUB_STEP_SUMMARY", "/tmp/s")]).is_none());
        assert!(of(&[("GITHUB_ACTIONS", "true")]).is_some_and(|github| github.summary.is_none()));
    }

    #[test]
    fn files_are_named_as_the_repository_knows_them() {
        let here = std::env::current_dir().expect("a directory");
        let github = of(&[("GITHUB_ACTIONS", "true"), ("GITHUB_WORKSPACE", &here.display().to_string())]);
        let github = github.expect("it runs there");
        assert_eq!(github.name(&here.join("scenarios/a.toml")), "scenarios/a.toml");
        assert_eq!(github.name("scenarios/a.toml".as_ref()), "scenarios/a.toml");
        assert_eq!(github.name("/elsewhere/a.toml".as_ref()), "/elsewhere/a.toml");
    }
}
