//! Lines of text, with or without colour.

use crate::report::{Standing, format};

/// Whether a terminal's colours are wanted. The caller knows about terminals and `NO_COLOR`; renderers do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Text only.
    Plain,
    /// Text with ANSI colours.
    Colour,
}

/// What a piece of text means, which decides its colour.
#[derive(Clone, Copy)]
pub(super) enum Ink {
    Good,
    Doubtful,
    Bad,
    Strong,
    Faint,
}

impl Ink {
    pub(super) fn of(standing: Standing) -> Self {
        match standing {
            Standing::Met => Self::Good,
            Standing::Skipped | Standing::Unknown => Self::Doubtful,
            Standing::Broken => Self::Bad,
        }
    }

    /// The parameters of ANSI's "select graphic rendition".
    fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Doubtful => "33",
            Self::Bad => "1;31",
            Self::Strong => "1",
            Self::Faint => "2",
        }
    }
}

/// The text so far.
pub(super) struct Page {
    pub(super) text: String,
    style: Style,
}

impl Page {
    pub(super) fn new(style: Style) -> Self {
        Self { text: String::new(), style }
    }

    /// A piece of a line.
    pub(super) fn ink(&mut self, ink: Ink, text: &str) {
        let text = format::visible(text);
        match self.style {
            Style::Plain => self.text.push_str(&text),
            Style::Colour => {
                self.text.extend(["\u{1b}[", ink.code(), "m", &text, "\u{1b}[0m"]);
            }
        }
    }

    /// The rest of a line, and its end.
    pub(super) fn line(&mut self, text: &str) {
        self.text.push_str(&format::visible(text));
        self.text.push('\n');
    }

    /// An empty line and a heading.
    pub(super) fn heading(&mut self, text: &str) {
        self.line("");
        self.ink(Ink::Strong, text);
        self.line("");
    }
}
