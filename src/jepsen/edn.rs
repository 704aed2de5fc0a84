//! From text to forms, one at a time, each with the line that it begins in.
//!
//! Jepsen writes a history in either of two ways: one operation a line, or all of them in one vector. The vector's own
//! brackets are taken off here, so that a history of a million operations is never one value in memory, and so that a
//! mistake in it is still told with its line.

use clojure_reader::edn::{Edn, read};
use clojure_reader::error::{Code, Error};

use super::read::ReadError;

/// One form of a file.
pub struct Form<'a> {
    /// The line that it begins in, counted from 1.
    pub line: usize,
    /// What it says.
    pub edn: Edn<'a>,
}

/// The forms of a text.
pub struct Forms<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    /// What ends the history, if it is in one vector.
    closing: Option<char>,
}

impl<'a> Forms<'a> {
    /// The forms of a text, or those of the one vector or list that it consists of.
    pub fn new(text: &'a str) -> Self {
        let mut forms = Self { text, at: 0, line: 1, closing: None };
        forms.skip_blanks();
        forms.closing = match forms.rest().chars().next() {
            Some('[') => Some(']'),
            Some('(') => Some(')'),
            _ => None,
        };
        if forms.closing.is_some() {
            forms.advance(1);
        }
        forms
    }

    /// The next form; none at the end.
    pub fn next_form(&mut self) -> Result<Option<Form<'a>>, ReadError> {
        self.skip_blanks();
        match (self.rest().chars().next(), self.closing) {
            (None, None) => Ok(None),
            (None, Some(closing)) => {
                let what = format!("the file ends before the {closing} that would end the history");
                Err(self.syntax(self.line, what))
            }
            (Some(letter), Some(closing)) if letter == closing => self.end(closing),
            _ => self.form().map(Some),
        }
    }

    /// After the bracket that ends the history nothing may follow.
    fn end(&mut self, closing: char) -> Result<Option<Form<'a>>, ReadError> {
        self.advance(1);
        self.skip_blanks();
        if self.rest().is_empty() {
            self.closing = None;
            return Ok(None);
        }
        Err(self.syntax(self.line, format!("there is more after the {closing} that ends the history")))
    }

    fn form(&mut self) -> Result<Form<'a>, ReadError> {
        let line = self.line;
        let rest = self.rest();
        match read(rest) {
            Ok((edn, after)) => {
                self.advance(rest.len() - after.len());
                Ok(Form { line, edn })
            }
            Err(error) => Err(self.explain(&error)),
        }
    }

    /// A mistake in the form that begins here, by the file's lines.
    fn explain(&self, error: &Error) -> ReadError {
        let line = match (&error.code, error.line) {
            // The end of the file is where the reader gave up; where the form began is where somebody has to look.
            (Code::UnexpectedEOF, _) | (_, None) => self.line,
            (_, Some(line)) => self.line + line - 1,
        };
        self.syntax(line, describe(&error.code))
    }

    fn syntax(&self, line: usize, what: String) -> ReadError {
        let history = if self.closing.is_some() { "a vector of operations" } else { "one operation a line" };
        ReadError::Syntax { line, what, help: format!("the history was read as {history}, in EDN") }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn advance(&mut self, bytes: usize) {
        self.line += self.text[self.at..self.at + bytes].matches('\n').count();
        self.at += bytes;
    }

    /// White space, commas, and comments to the end of their line.
    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let blank =
                rest.len() - rest.trim_start_matches(|letter: char| letter == ',' || letter.is_whitespace()).len();
            let comment =
                if rest[blank..].starts_with(';') { rest[blank..].find('\n').unwrap_or(rest.len() - blank) } else { 0 };
            if blank + comment == 0 {
                return;
            }
            self.advance(blank + comment);
        }
    }
}

fn describe(code: &Code) -> String {
    match code {
        Code::HashMapDuplicateKey => "a map has the same key twice".to_owned(),
        Code::SetDuplicateKey => "a set has the same member twice".to_owned(),
        Code::InvalidChar => "this is no character".to_owned(),
        Code::InvalidEscape => "this escape in a string is not known".to_owned(),
        Code::InvalidKeyword => "this is no keyword".to_owned(),
        Code::InvalidNumber | Code::InvalidRadix(_) => "this is no number that fits 64 bits".to_owned(),
        Code::InvalidTag => "this tag is not known in EDN".to_owned(),
        Code::UnexpectedEOF => "the form that begins here is never closed".to_owned(),
        Code::UnmatchedDelimiter(delimiter) => format!("this {delimiter} closes nothing that is open"),
        other => format!("this is no EDN ({other:?})"),
    }
}
