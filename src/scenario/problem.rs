//! What is wrong with a scenario file, as diagnostics that point at its lines.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode};

/// Where in the file something stands, in bytes.
pub type Span = Range<usize>;

/// The file that the spans point into, shared by all its problems.
pub type Source = Arc<NamedSource<String>>;

/// One mistake, or one warning, under its own line.
#[derive(Clone)]
pub struct Problem {
    severity: Severity,
    message: String,
    labels: Vec<(Span, String)>,
    help: Option<String>,
    source: Source,
}

impl Problem {
    /// What is wrong, in a sentence without its full stop.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether it refuses the scenario.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// `error`, or `warning` when it refuses nothing.
    pub fn severity_name(&self) -> &'static str {
        match self.severity {
            Severity::Error => "error",
            Severity::Warning | Severity::Advice => "warning",
        }
    }

    /// What to do about it.
    pub fn help_text(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The line it stands in, counted from 1.
    pub fn line(&self) -> usize {
        line_of(self.source.inner(), self.start())
    }

    /// Adds a second place that belongs to the problem.
    pub(super) fn and_at(&mut self, span: Span, label: impl Into<String>) -> &mut Self {
        self.labels.push((span, label.into()));
        self
    }

    /// Says what to do about it.
    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    fn start(&self) -> usize {
        self.labels.first().map_or(0, |(span, _)| span.start)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Problem {
    /// Short, because the source is the whole file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in line {}: {}", self.severity, self.line(), self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let labelled =
            |(span, label): &(Span, String)| LabeledSpan::new(Some(label.clone()), span.start, span.end - span.start);
        Some(Box::new(self.labels.iter().map(labelled)))
    }
}

/// The line of a text, counted from 1, in which its byte `start` stands.
pub(super) fn line_of(text: &str, start: usize) -> usize {
    text.as_bytes().iter().take(start).filter(|byte| **byte == b'\n').count() + 1
}

/// A place in a file, for what is found out about it later, by others.
#[derive(Clone)]
pub struct Place {
    span: Span,
    source: Source,
}

impl Place {
    /// What is wrong there, what is to stand below that place, and what to do about it.
    pub fn error(&self, message: impl Into<String>, label: impl Into<String>, help: impl Into<String>) -> Problem {
        self.problem(Severity::Error, message.into(), label.into(), help.into())
    }

    /// What is doubtful there, in the same words.
    pub fn warning(&self, message: impl Into<String>, label: impl Into<String>, help: impl Into<String>) -> Problem {
        self.problem(Severity::Warning, message.into(), label.into(), help.into())
    }

    fn problem(&self, severity: Severity, message: String, label: String, help: String) -> Problem {
        let labels = vec![(self.span.clone(), label)];
        Problem { severity, message, labels, help: Some(help), source: Arc::clone(&self.source) }
    }
}

impl fmt::Debug for Place {
    /// Short, because the source is the whole file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.span)
    }
}

/// The problems found so far. Nothing stops at the first.
pub struct Problems {
    source: Source,
    list: Vec<Problem>,
    hidden: Vec<Span>,
}

impl Problems {
    pub(super) fn new(file_name: &str, text: &str) -> Self {
        Self { source: Arc::new(NamedSource::new(file_name, text.to_owned())), list: Vec::new(), hidden: Vec::new() }
    }

    /// Notes a mistake that refuses the scenario.
    pub(super) fn error(&mut self, span: &Span, message: impl Into<String>, label: impl Into<String>) -> &mut Problem {
        self.push(Severity::Error, span, message.into(), label.into())
    }

    /// Notes something that runs, but perhaps not as meant.
    pub(super) fn warn(&mut self, span: &Span, message: impl Into<String>, label: impl Into<String>) -> &mut Problem {
        self.push(Severity::Warning, span, message.into(), label.into())
    }

    fn push(&mut self, severity: Severity, span: &Span, message: String, label: String) -> &mut Problem {
        let labels = vec![(span.clone(), label)];
        self.list.push(Problem { severity, message, labels, help: None, source: Arc::clone(&self.source) });
        self.list.last_mut().expect("it was pushed in the line above")
    }

    /// Whether anything refuses the scenario.
    pub(super) fn any_error(&self) -> bool {
        self.list.iter().any(Problem::is_error)
    }

    /// Notes a secret: no message shows what stands there, although it shows the line.
    pub(super) fn hide(&mut self, span: Span) {
        self.hidden.push(span);
    }

    /// A place, whose problems do not show what is hidden so far.
    pub(super) fn place(&self, span: Span) -> Place {
        Place { span, source: self.shown() }
    }

    /// The source with stars for what is hidden.
    fn shown(&self) -> Source {
        if self.hidden.is_empty() {
            return Arc::clone(&self.source);
        }
        Arc::new(NamedSource::new(self.source.name(), masked(self.source.inner(), &self.hidden)))
    }

    /// Everything, in the order of the file.
    pub(super) fn into_sorted(mut self) -> Vec<Problem> {
        if !self.hidden.is_empty() {
            let source = self.shown();
            self.list.iter_mut().for_each(|problem| problem.source = Arc::clone(&source));
        }
        self.list.sort_by_key(Problem::start);
        self.list
    }
}

/// A scenario's text as it may be shown to anybody: with stars for the secrets that stand in it.
pub(super) fn without_secrets(text: &str) -> String {
    let mut problems = Problems::new("", text);
    // Reading notes the secrets on its way; what else it finds is of no interest here.
    drop(super::raw::read(text, &mut problems));
    masked(text, &problems.hidden)
}

/// The text with a star for each byte of what is hidden, so that everything else stays in its place.
fn masked(text: &str, hidden: &[Span]) -> String {
    let mut masked = String::with_capacity(text.len());
    for (at, letter) in text.char_indices() {
        let is_hidden = hidden.iter().any(|span| span.contains(&at)) && !matches!(letter, '"' | '\'' | '\n' | '\r');
        if is_hidden {
            masked.extend(std::iter::repeat_n('*', letter.len_utf8()));
        } else {
            masked.push(letter);
        }
    }
    masked
}

/// Why there is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file could not be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file was read, and is no scenario.
    #[error("{file} has {}", count(.problems.len()))]
    Invalid {
        /// The file's name as it was given.
        file: String,
        /// All that is wrong, warnings included, in the order of the file.
        problems: Vec<Problem>,
    },
}

impl ScenarioError {
    /// The problems inside the file; none when it could not be read.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Unreadable { .. } => &[],
            Self::Invalid { problems, .. } => problems,
        }
    }
}

impl Diagnostic for ScenarioError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        match self {
            Self::Unreadable { .. } => Some(Box::new("`wiber-chaos list` shows the scenarios below ./scenarios")),
            Self::Invalid { .. } => None,
        }
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        match self {
            Self::Unreadable { .. } => None,
            Self::Invalid { problems, .. } => Some(Box::new(problems.iter().map(|problem| problem as &dyn Diagnostic))),
        }
    }
}

/// `1 problem`, `2 problems`.
fn count(problems: usize) -> String {
    if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_secrets_is_the_text_with_stars() {
        let text = "[cluster.client]\nsasl.username = \"u\"\nsasl.password = \"hünter2\" # not shown\n";
        let shown = text.replace("hünter2", "********");
        assert_eq!(without_secrets(text), shown);
        for open in ["sasl.password = \"${NAME}\"", "name = \"password\"", "this is not TOML"] {
            let text = format!("[cluster.client]\n{open}\n");
            assert_eq!(without_secrets(&text), text);
        }
    }
}
