//! What a judged run says at its end, and with which exit code.

use super::terminal::{self, Style};
use super::{ExitCode, Format};
use crate::report::terminal as summary;
use crate::run::Judged;
use crate::verdict::Verdict;

/// Prints the summary, or `verdict.json`, and returns the run's exit code.
pub fn tell(judged: &Judged, format: Format, style: Style) -> ExitCode {
    let text = match format {
        Format::Human => summary::render(&judged.report, summary_style(style), judged.directory.path()),
        Format::Json => as_json(&judged.verdict),
    };
    // Whether anybody can read it changes nothing about what was found.
    let told = terminal::print(&text).err().unwrap_or(ExitCode::Pass);
    if let Some(left) = &judged.unclean {
        terminal::complain(&format!("error: not clean: {left}\n  help: wiber-chaos clean removes what is left\n"));
    }
    ExitCode::worst_of([code(judged), told])
}

/// `verdict.json` on one line, so that several runs are several lines.
pub(super) fn as_json(verdict: &Verdict) -> String {
    format!("{}\n", serde_json::to_string(verdict).expect("a verdict is plain data"))
}

/// The run's exit code: its verdict's, or 6 where something is left behind and nothing worse is known.
pub fn code(judged: &Judged) -> ExitCode {
    let verdict = ExitCode::from_u8(judged.verdict.exit_code).expect("a verdict has a documented exit code");
    let clean = if judged.unclean.is_some() { ExitCode::Unclean } else { ExitCode::Pass };
    ExitCode::worst_of([verdict, clean])
}

/// The command that repeats the run.
pub fn repeat(judged: &Judged) -> String {
    judged.report.reproduce_command(&judged.directory.path().join("scenario.toml").display().to_string())
}

/// The report's word for the terminal's style.
pub fn summary_style(style: Style) -> summary::Style {
    match style {
        Style::Colored => summary::Style::Colour,
        Style::Plain => summary::Style::Plain,
    }
}
