//! `wiber-chaos compare`: what changed from one stored run to another, beyond what two runs always differ by.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::outcome::summary_style;
use super::terminal::{Style, complain, print};
use super::{ColorChoice, ExitCode, Format};
use crate::report::compare::{Comparison, Factor, Finding, Side, Subject, Trend, compare as compared};
use crate::report::{Standing, html, terminal, write_page};
use crate::run::directory::RunDirectory;
use crate::run::{chain, shelf};

/// Which runs to compare.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The run that was before, such as reports/kill-one/20260301T120000Z-42
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,
    /// The run that came after, such as reports/kill-one/latest
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,
    /// Print for people or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// Write a page with the whole comparison too
    #[arg(long, value_name = "FILE.html")]
    pub out: Option<PathBuf>,
    /// How much more than usual is noise: 2 for twice as much, 0 for nothing; see docs/compare.md
    #[arg(long, value_name = "FACTOR", default_value_t = Factor::default())]
    pub noise: Factor,
}

/// Compares two runs, whose directories stay as they are. What got worse decides the exit code.
pub fn compare(args: &CompareArgs, color: ColorChoice) -> ExitCode {
    let (Some(before), Some(after)) = (read(&args.before), read(&args.after)) else { return ExitCode::Usage };
    let comparison = compared(&before, &after, args.noise);
    let style = Style::choose(color, &std::io::stdout());
    let mut text = match args.format {
        Format::Human => terminal::compare::render(&comparison, summary_style(style)),
        Format::Json => as_json(&comparison),
    };
    if let Some(file) = &args.out {
        if let Err(error) = write_page(file, &html::compare::render(&comparison)) {
            complain(&format!("error: {}\n  help: name a file where you may write\n", chain(&error)));
            return ExitCode::Usage;
        }
        if args.format == Format::Human {
            writeln!(text, "\npage: {}", file.display()).expect("a String takes all that is written to it");
        }
    }
    let told = print(&text).err().unwrap_or(ExitCode::Pass);
    ExitCode::worst_of([code(&comparison), told])
}

/// The same for programs.
pub(super) fn as_json(comparison: &Comparison) -> String {
    format!("{:#}\n", serde_json::to_value(comparison).expect("a comparison is plain data"))
}

fn read(run: &Path) -> Option<Side> {
    let read = RunDirectory::open(run).map_err(shelf::ShelfError::from).and_then(|directory| shelf::side(&directory));
    match read {
        Ok(side) => Some(side),
        Err(error) => {
            let help =
                "a run is a directory such as reports/kill-one/latest; wiber-chaos check says what is wrong with one";
            complain(&format!("error: {}: {}\n  help: {help}\n", run.display(), chain(&error)));
            None
        }
    }
}

/// As of a run, the worst of what got worse: 1 for a check that is broken now, 3 for a threshold or a measure, 4 for what nobody can
/// tell any more. What was as bad before is no change, and the run itself has said it.
fn code(comparison: &Comparison) -> ExitCode {
    let worse = comparison.findings.iter().filter(|finding| finding.trend == Trend::Worse);
    let measured = comparison.measures.iter().any(|measure| measure.trend == Trend::Worse);
    let measured = if measured { ExitCode::Threshold } else { ExitCode::Pass };
    ExitCode::worst_of(worse.map(|finding| of_finding(finding, comparison)).chain([measured]))
}

fn of_finding(finding: &Finding, comparison: &Comparison) -> ExitCode {
    match (&finding.subject, finding.stands) {
        (Subject::Outcome, _) => ExitCode::from_u8(comparison.after.exit_code).unwrap_or(ExitCode::Fail),
        (_, Standing::Unknown) => ExitCode::Inconclusive,
        (Subject::Threshold(_) | Subject::Recovery(_) | Subject::AckedAgain(_) | Subject::CaughtUp(_), _) => {
            ExitCode::Threshold
        }
        (Subject::Check(_) | Subject::Verdict | Subject::Fault(_), _) => ExitCode::Fail,
    }
}
