//! One line of the live view: a label, and items beside it of which as many are shown as there is room for.

use crate::cli::sheet::{Charset, Sheet};
use crate::cli::terminal::Style;
use crate::report::format;

/// What a piece of text means, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    Strong,
    Faint,
    Good,
    Doubtful,
    Bad,
}

impl Ink {
    fn on(self, text: &str, style: Style) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Strong => style.bold(text),
            Self::Faint => style.dim(text),
            Self::Good => style.good(text),
            Self::Doubtful => style.doubtful(text),
            Self::Bad => style.bad(text),
        }
    }
}

/// A line.
pub(super) struct Row {
    label: (Ink, String),
    pieces: Vec<Piece>,
}

enum Piece {
    /// Shown whole, or not at all.
    Item(Ink, String),
    /// Shown as far as there is room.
    Text(Ink, String),
    /// As wide as there is room for, between its least and its most columns.
    Fill { least: usize, most: usize, draw: Box<dyn Fn(usize) -> String> },
}

/// Between items.
const GAP: &str = "  ";

impl Row {
    /// A line that begins with this label, or with its first item where that is empty.
    pub(super) fn new(label: &str, ink: Ink) -> Self {
        Self { label: (ink, label.to_owned()), pieces: Vec::new() }
    }

    /// The line with one item more. What comes from scenarios, brokers and libraries cannot move the cursor.
    pub(super) fn item(mut self, ink: Ink, text: &str) -> Self {
        self.pieces.push(Piece::Item(ink, format::visible(text)));
        self
    }

    /// The line with text at its end, of which the rest is cut off that does not fit.
    pub(super) fn text(mut self, ink: Ink, text: &str) -> Self {
        self.pieces.push(Piece::Text(ink, format::visible(text)));
        self
    }

    /// The line with a drawing at its end.
    pub(super) fn fill(mut self, least: usize, most: usize, draw: impl Fn(usize) -> String + 'static) -> Self {
        self.pieces.push(Piece::Fill { least, most, draw: Box::new(draw) });
        self
    }

    /// How wide its label is.
    pub(super) fn label_columns(&self) -> usize {
        self.label.1.chars().count()
    }

    /// The line, never wider than the sheet; labels take `labels` columns.
    pub(super) fn draw(&self, labels: usize, sheet: &Sheet) -> String {
        let (ink, label) = &self.label;
        let mut line = Line { shown: String::new(), columns: 0, sheet };
        if !label.is_empty() {
            line.add(*ink, &format!("{label:<labels$}"));
        }
        for piece in &self.pieces {
            let gap = if line.columns == 0 { "" } else { GAP };
            let room = sheet.width.saturating_sub(line.columns + gap.len());
            match piece {
                Piece::Item(ink, text) if text.chars().count() <= room || line.columns == 0 => {
                    line.add(Ink::Plain, gap);
                    line.add(*ink, &cut(text, room, sheet.charset));
                }
                // What follows matters less, so that nothing is shown in its place.
                Piece::Item(..) => break,
                Piece::Text(ink, text) => {
                    line.add(Ink::Plain, gap);
                    line.add(*ink, &cut(text, room, sheet.charset));
                }
                Piece::Fill { least, most, draw } if room >= *least && most >= least => {
                    line.add(Ink::Plain, gap);
                    line.add(Ink::Faint, &draw(room.min(*most)));
                }
                Piece::Fill { .. } => {}
            }
        }
        line.shown.trim_end().to_owned()
    }
}

struct Line<'a> {
    shown: String,
    columns: usize,
    sheet: &'a Sheet,
}

impl Line<'_> {
    fn add(&mut self, ink: Ink, text: &str) {
        self.columns += text.chars().count();
        self.shown.push_str(&ink.on(text, self.sheet.style));
    }
}

/// The text, or as much of it as there is room for.
fn cut(text: &str, room: usize, charset: Charset) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let more = charset.pick("…", "...");
    let kept = room.saturating_sub(more.chars().count());
    text.chars().take(kept).chain(more.chars().take(room)).collect()
}
