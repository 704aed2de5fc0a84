//! What text is written on: how wide it is, which letters it can show, and whether in colour.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::fd::AsFd;

use super::ColorChoice;
use super::terminal::Style;

/// What is shown when nobody can tell how wide the terminal is.
pub const WIDTH_COLUMNS: usize = 100;

/// Below this nothing is laid out any more; lines are longer then than the terminal.
const NARROWEST_COLUMNS: usize = 30;

/// Above this lines are hard to follow.
const WIDEST_COLUMNS: usize = 120;

/// Which letters can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// All of them.
    Unicode,
    /// Those that every terminal has.
    Ascii,
}

impl Charset {
    /// The locale's: the first of these variables that is set decides, as everywhere.
    pub fn of_locale() -> Self {
        Self::of(|name| std::env::var_os(name))
    }

    fn of(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
        let name = set.unwrap_or_default().to_string_lossy().to_ascii_lowercase().replace('-', "");
        if name.contains("utf8") { Self::Unicode } else { Self::Ascii }
    }

    /// The first where all letters can be shown, else the second.
    pub fn pick<T>(self, unicode: T, ascii: T) -> T {
        match self {
            Self::Unicode => unicode,
            Self::Ascii => ascii,
        }
    }
}

/// What is written on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// How many columns it has.
    pub width: usize,
    /// Which letters it can show.
    pub charset: Charset,
    /// Whether in colour.
    pub style: Style,
}

impl Sheet {
    /// What a stream is, asked of the user, the environment and the terminal.
    pub fn of(choice: ColorChoice, stream: &(impl IsTerminal + AsFd)) -> Self {
        let width = terminal_size(stream).map_or(WIDTH_COLUMNS, |(width, _)| width);
        Self {
            width: width.clamp(NARROWEST_COLUMNS, WIDEST_COLUMNS),
            charset: Charset::of_locale(),
            style: Style::choose(choice, stream),
        }
    }

    /// A paragraph: its lead, and the text beside it, in lines that fit. The lead is as wide as `lead`, and shown as `inked`.
    pub fn paragraph(&self, lead: &str, inked: &str, text: &str) -> String {
        let hang = lead.chars().count();
        let room = self.width.saturating_sub(hang).max(NARROWEST_COLUMNS / 2);
        let mut shown = inked.to_owned();
        for (number, line) in wrap(text, room).into_iter().enumerate() {
            if number > 0 {
                shown.push_str(&" ".repeat(hang));
            }
            shown.push_str(&line);
            shown.push('\n');
        }
        shown
    }

    /// The same with a lead as it is.
    pub fn plain_paragraph(&self, lead: &str, text: &str) -> String {
        self.paragraph(lead, lead, text)
    }
}

/// Columns and rows of a stream that is a terminal and knows them.
pub fn terminal_size(stream: &(impl IsTerminal + AsFd)) -> Option<(usize, usize)> {
    if !stream.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    let (columns, rows) = (usize::from(size.ws_col), usize::from(size.ws_row));
    (columns > 0 && rows > 0).then_some((columns, rows))
}

/// The text in lines of at most `width` columns, broken between words; a word that is longer stands alone. One line at least.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            lines.push(String::new());
            column = 0;
        }
        let line = lines.last_mut().expect("there is one from the start on");
        if column > 0 {
            line.push(' ');
            column += 1;
        }
        line.push_str(word);
        column += length;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides_which_letters_there_are() {
        let of = |set: &[(&str, &str)]| {
            Charset::of(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value)))
        };
        assert_eq!(of(&[("LANG", "en_GB.UTF-8")]), Charset::Unicode);
        assert_eq!(of(&[("LC_CTYPE", "C.utf8"), ("LANG", "C")]), Charset::Unicode);
        assert_eq!(of(&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")]), Charset::Ascii);
        assert_eq!(of(&[("LC_ALL", ""), ("LANG", "en_GB.UTF-8")]), Charset::Unicode);
        assert_eq!(of(&[]), Charset::Ascii);
    }

    #[test]
    fn a_paragraph_hangs_from_its_lead() {
        let sheet = Sheet { width: 34, charset: Charset::Ascii, style: Style::Plain };
        let shown = sheet.plain_paragraph("  kill  ", "at 5s, for 15s: kill random (broker-2) with SIGKILL");
        assert_eq!(shown, "  kill  at 5s, for 15s: kill\n        random (broker-2) with\n        SIGKILL\n");
        assert_eq!(sheet.plain_paragraph("lead", ""), "lead\n");
    }
}
