//! Writing to the terminal: whether in colour, diagnostics, and pipes that close early.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal, Write};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

use super::sheet::WIDTH_COLUMNS;
use super::{ColorChoice, ExitCode, screen};
use crate::scenario::{Problem, ScenarioError};

/// Whether text is coloured. No meaning is ever in the colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// With ANSI colours.
    Colored,
    /// Without.
    Plain,
}

impl Style {
    /// The style for a stream, asked of the user, then of `NO_COLOR`, then of the stream.
    pub fn choose(choice: ColorChoice, stream: &impl IsTerminal) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match choice {
            ColorChoice::Always => Self::Colored,
            ColorChoice::Auto if !no_color && stream.is_terminal() => Self::Colored,
            ColorChoice::Auto | ColorChoice::Never => Self::Plain,
        }
    }

    /// The text in bold, where there is colour.
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// The text in green, where there is colour.
    pub fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// The text in yellow, where there is colour.
    pub fn doubtful(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// The text in red, where there is colour.
    pub fn bad(self, text: &str) -> String {
        self.wrap("31", text)
    }

    /// The text dimmed, where there is colour.
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        match self {
            Self::Colored => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Self::Plain => text.to_owned(),
        }
    }
}

/// Renders one diagnostic with its source line.
pub fn render(diagnostic: &dyn Diagnostic, style: Style) -> String {
    let theme = match style {
        Style::Colored => GraphicalTheme::unicode(),
        Style::Plain => GraphicalTheme::unicode_nocolor(),
    };
    let mut text = String::new();
    GraphicalReportHandler::new_themed(theme)
        .with_width(WIDTH_COLUMNS)
        .with_context_lines(1)
        .with_links(false)
        .render_report(&mut text, diagnostic)
        .expect("a String takes all that is written to it");
    text
}

/// Renders all problems of a file, each under its own line.
pub fn render_problems<'a>(problems: impl IntoIterator<Item = &'a Problem>, style: Style) -> String {
    problems.into_iter().map(|problem| render(problem, style)).collect::<Vec<_>>().join("\n")
}

/// Renders why a scenario cannot be used: every problem, then how many.
pub fn render_error(error: &ScenarioError, style: Style) -> String {
    match error {
        ScenarioError::Unreadable { .. } => render(error, style),
        ScenarioError::Invalid { problems, .. } => {
            let mut text = render_problems(problems, style);
            writeln!(text, "\n{error}").expect("a String takes all that is written to it");
            text
        }
    }
}

/// Writes data to stdout. A reader that has seen enough and went away is no failure.
pub fn print(text: &str) -> Result<(), ExitCode> {
    match io::stdout().lock().write_all(text.as_bytes()).and_then(|()| io::stdout().lock().flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            complain(&format!("error: cannot write to stdout: {error}\n"));
            Err(ExitCode::Environment)
        }
    }
}

/// Writes to stderr, above what stands at the terminal's bottom. When even that fails there is nobody left to tell; the exit
/// code says it all the same.
pub fn complain(text: &str) {
    screen::above(|| {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    });
}
