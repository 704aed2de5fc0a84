//! The repository's files, their tokens, and how an offence against a rule is shown.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Directories whose content nobody wrote: version control, build output, reports of runs.
const SKIPPED: [&str; 3] = [".git", "target", "reports"];

/// A text file of the repository.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Relative to the root, with `/` between the parts on every system.
    pub path: String,
    /// The content.
    pub text: String,
}

impl SourceFile {
    /// A file that exists in a test only.
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.has_extension("rs")
    }

    /// Whether its name ends in a dot and `extension`.
    pub fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    /// Its tokens, groups and all.
    pub fn tokens(&self) -> TokenStream {
        self.text.parse().unwrap_or_else(|error| panic!("{} is not Rust: {error}", self.path))
    }

    /// An offence on a line of this file, counted from 1.
    pub fn offence(&self, line: usize, what: impl Into<String>) -> Offence {
        Offence::new(&self.path, line, what)
    }
}

/// One place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offence {
    path: String,
    line: usize,
    what: String,
}

impl Offence {
    /// An offence on a line, counted from 1.
    pub fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Fails with every offence at once, one a line, so that an editor can jump to each.
#[track_caller]
pub fn assert_none(mut offences: Vec<Offence>) {
    offences.sort();
    let lines: Vec<String> = offences.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{} offences\n{}", lines.len(), lines.join("\n"));
}

/// Every text file of the repository, by path. Files that are not UTF-8 are pictures or archives, and left out.
pub fn load() -> Vec<SourceFile> {
    let root =
        PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo tells a test where its package lies"));
    let mut files = Vec::new();
    gather(&root, &root, &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn gather(root: &Path, directory: &Path, files: &mut Vec<SourceFile>) {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    for entry in entries {
        let path = entry.unwrap_or_else(|error| panic!("{}: {error}", directory.display())).path();
        let inside: Vec<String> = path
            .strip_prefix(root)
            .expect("the walk stays inside the root")
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        // The side-car's program has a build output of its own, when somebody builds it by hand.
        let is_skipped = SKIPPED.contains(&inside[0].as_str()) || inside.last().is_some_and(|name| name == "target");
        if path.is_dir() && !is_skipped {
            gather(root, &path, files);
        } else if path.is_file() && inside[0] != ".git" {
            let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(SourceFile { path: inside.join("/"), text });
            }
        }
    }
}

/// A token without its place in the tree. A literal's text has its quotes, so it never looks like an identifier.
#[derive(Clone, Debug)]
pub struct Token {
    /// As written; a group's ends are `(`, `)` and so on.
    pub text: String,
    /// Counted from 1.
    pub line: usize,
}

/// All tokens of a stream in order, with those inside of groups and macro calls.
pub fn flatten(stream: TokenStream) -> Vec<Token> {
    let mut tokens = Vec::new();
    flatten_into(stream, &mut tokens);
    tokens
}

fn flatten_into(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = ends(group.delimiter());
                let end = group.span_close().end().line;
                tokens.push(Token { text: open.to_owned(), line });
                flatten_into(group.stream(), tokens);
                tokens.push(Token { text: close.to_owned(), line: end });
            }
            leaf => tokens.push(Token { text: leaf.to_string(), line }),
        }
    }
}

fn ends(delimiter: Delimiter) -> (&'static str, &'static str) {
    match delimiter {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}
