//! The pages that people read, and the commands that they show.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{self, Command};

/// A page.
pub struct Page {
    /// Relative to the repository.
    pub path: String,
    text: String,
}

/// A block of code in a page.
pub struct Block {
    /// What stands behind its fence: its language.
    pub language: String,
    /// The lines, and the number of the first.
    pub text: String,
    line: usize,
}

/// A command that a page shows.
pub struct Shown {
    /// Where.
    pub place: String,
    /// What.
    pub command: Command,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.command.join(" "))
    }
}

/// Every page that tells people what to type.
pub fn all() -> Vec<Page> {
    let mut paths = vec![PathBuf::from("README.md"), PathBuf::from("benches/README.md")];
    let docs = fs::read_dir("docs").expect("the pages").map(|entry| entry.expect("an entry").path());
    paths.extend(docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

/// One page.
pub fn read(path: &Path) -> Page {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Page { path: path.display().to_string(), text }
}

impl Page {
    /// Its blocks of code.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        for (line, number) in self.text.lines().zip(1..) {
            match (&mut open, line.trim_start().strip_prefix("```")) {
                (None, Some(language)) => {
                    open = Some(Block { language: language.to_owned(), text: String::new(), line: number + 1 });
                }
                (Some(_), Some("")) => blocks.extend(open.take()),
                (Some(block), _) => block.text.extend([line, "\n"]),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block is not closed", self.path);
        blocks
    }

    /// The commands in its blocks of shell.
    pub fn commands(&self) -> Vec<Shown> {
        let mut shown = Vec::new();
        for block in self.blocks() {
            for (line, number) in block.text.lines().zip(block.line..) {
                let typed = match block.language.as_str() {
                    "sh" => line,
                    // What follows is what the machine answers.
                    "console" => line.strip_prefix("$ ").unwrap_or_default(),
                    _ => continue,
                };
                let place = format!("{}:{number}", self.path);
                shown.extend(shell::commands(typed).into_iter().map(|command| Shown { place: place.clone(), command }));
            }
        }
        shown
    }

    /// The commands that stand as code in its sentences.
    pub fn mentions(&self) -> Vec<Shown> {
        let mut shown = Vec::new();
        let mut in_block = false;
        for (line, number) in self.text.lines().zip(1..) {
            if line.trim_start().starts_with("```") {
                in_block = !in_block;
            }
            let spans = line.split('`').skip(1).step_by(2);
            for span in spans.filter(|span| !in_block && span.starts_with("wiber-chaos ")) {
                let place = format!("{}:{number}", self.path);
                shown.extend(shell::commands(span).into_iter().map(|command| Shown { place: place.clone(), command }));
            }
        }
        shown
    }
}
