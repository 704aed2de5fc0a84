//! Which room (top module) really uses which, read from the tokens of its files: `use` trees, paths in code and in types,
//! macro calls and macro definitions, and paths in attribute strings (`#[serde(with = "crate::...")]`) alike.
//!
//! Doc links are no arrows: a room may point its reader to another one without needing it.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::tree::{Offence, SourceFile, flatten};

/// Which rooms each room may use, the rooms in the order of the data.
pub type Table<'a> = &'a [(&'a str, &'a [&'a str])];

/// In the place of a room's list: it may use every other room.
pub const ANYTHING: &[&str] = &["*"];

/// One use of one room by another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    from: String,
    to: String,
    path: String,
    line: usize,
}

/// Every arrow that the sources under `src` draw, with its place. `lib.rs` only lists the rooms and draws none.
pub fn arrows(files: &[SourceFile]) -> Vec<Arrow> {
    let mut arrows = Vec::new();
    for file in sources(files).filter(|file| file.path != "src/lib.rs") {
        let mut walk = Walk { file, room: room_of(&file.path), module: module_of(&file.path), arrows: &mut arrows };
        walk.stream(file.tokens());
    }
    arrows.retain(|arrow| arrow.from != arrow.to);
    arrows
}

fn sources(files: &[SourceFile]) -> impl Iterator<Item = &SourceFile> {
    files.iter().filter(|file| file.is_rust() && file.path.starts_with("src/"))
}

fn room_of(path: &str) -> String {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    inside.split(['/', '.']).next().unwrap_or_default().to_owned()
}

/// The module path that a file stands for: `src/cluster/docker/ready.rs` is `[cluster, docker, ready]`.
fn module_of(path: &str) -> Vec<String> {
    let inside = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs").trim_end_matches("/mod");
    if inside == "main" || inside == "lib" { Vec::new() } else { inside.split('/').map(str::to_owned).collect() }
}

struct Walk<'a> {
    file: &'a SourceFile,
    room: String,
    module: Vec<String>,
    arrows: &'a mut Vec<Arrow>,
}

impl Walk<'_> {
    fn stream(&mut self, stream: TokenStream) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        let mut at = 0;
        while at < trees.len() {
            at = self.tree(&trees, at);
        }
    }

    /// Looks at the tree at a place, and says where to look next.
    fn tree(&mut self, trees: &[TokenTree], at: usize) -> usize {
        if let Some((name, body)) = inline_module(&trees[at..]) {
            self.module.push(name);
            self.stream(body);
            self.module.pop();
            return at + 3;
        }
        match &trees[at] {
            TokenTree::Group(group) => self.stream(group.stream()),
            TokenTree::Literal(literal) => self.literal(&literal.to_string()),
            TokenTree::Ident(word) => {
                if let Some(base) = self.anchor(&word.to_string()) {
                    if is_path_separator(&trees[at + 1..]) {
                        return self.path(base, trees, at + 3);
                    }
                    if word == "crate" && matches!(trees.get(at + 1), Some(TokenTree::Ident(next)) if next == "as") {
                        self.found("*", &trees[at]);
                    }
                }
            }
            TokenTree::Punct(_) => {}
        }
        at + 1
    }

    /// The module that a path's first word stands for, if the path begins inside this crate.
    fn anchor(&self, word: &str) -> Option<Vec<String>> {
        match word {
            "crate" | "wiber_chaos" => Some(Vec::new()),
            "self" => Some(self.module.clone()),
            "super" => Some(self.module[..self.module.len().saturating_sub(1)].to_vec()),
            _ => None,
        }
    }

    /// Follows a path from `base`, the trees at `at` being what comes after a `::`.
    fn path(&mut self, mut base: Vec<String>, trees: &[TokenTree], at: usize) -> usize {
        match trees.get(at) {
            Some(TokenTree::Ident(word)) if word == "super" || word == "self" => {
                if word == "super" {
                    base.pop();
                }
                if is_path_separator(&trees[at + 1..]) {
                    return self.path(base, trees, at + 3);
                }
                if base.is_empty() {
                    self.found("*", &trees[at]);
                }
            }
            Some(TokenTree::Ident(word)) if base.is_empty() => self.found(&word.to_string(), &trees[at]),
            Some(TokenTree::Punct(punct)) if punct.as_char() == '*' && base.is_empty() => self.found("*", &trees[at]),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                for branch in inner.split(|tree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ',')) {
                    self.path(base.clone(), branch, 0);
                }
            }
            _ => {}
        }
        at + 1
    }

    /// Attributes name functions in strings.
    fn literal(&mut self, literal: &str) {
        let Some(content) = literal.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return };
        if ["crate::", "super::", "self::"].iter().any(|start| content.starts_with(start))
            && let Ok(stream) = content.parse::<TokenStream>()
        {
            self.stream(stream);
        }
    }

    fn found(&mut self, to: &str, place: &TokenTree) {
        let line = place.span().start().line;
        let (from, path) = (self.room.clone(), self.file.path.clone());
        self.arrows.push(Arrow { from, to: to.to_owned(), path, line });
    }
}

fn inline_module(trees: &[TokenTree]) -> Option<(String, TokenStream)> {
    match trees {
        [TokenTree::Ident(word), TokenTree::Ident(name), TokenTree::Group(body), ..]
            if word == "mod" && body.delimiter() == Delimiter::Brace =>
        {
            Some((name.to_string(), body.stream()))
        }
        _ => None,
    }
}

fn is_path_separator(trees: &[TokenTree]) -> bool {
    let is_colon = |tree: &TokenTree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ':');
    trees.len() >= 2 && trees[..2].iter().all(is_colon)
}

/// Arrows that the table does not know.
pub fn new_arrows(arrows: &[Arrow], table: Table<'_>) -> Vec<Offence> {
    let rooms: BTreeMap<&str, &[&str]> = table.iter().copied().collect();
    let is_known = |arrow: &Arrow| match rooms.get(arrow.from.as_str()) {
        Some(&uses) if uses == ANYTHING => rooms.contains_key(arrow.to.as_str()),
        Some(uses) => uses.contains(&arrow.to.as_str()),
        None => false,
    };
    arrows
        .iter()
        .filter(|arrow| !is_known(arrow))
        .map(|arrow| Offence::new(&arrow.path, arrow.line, format!("`{}` may not use `{}`", arrow.from, arrow.to)))
        .collect()
}

/// Arrows of the table that nobody draws. They count once every room has code: until then the drawer may be unwritten.
pub fn stale_arrows(files: &[SourceFile], arrows: &[Arrow], table: Table<'_>) -> Vec<Offence> {
    if table.iter().any(|(room, _)| !has_code(files, room)) {
        return Vec::new();
    }
    let drawn: BTreeSet<(&str, &str)> = arrows.iter().map(|arrow| (arrow.from.as_str(), arrow.to.as_str())).collect();
    table
        .iter()
        .filter(|(_, uses)| *uses != ANYTHING)
        .flat_map(|(from, uses)| uses.iter().map(move |to| (*from, *to)))
        .filter(|pair| !drawn.contains(pair))
        .map(|(from, to)| {
            Offence::new(&format!("src/{from}.rs"), 1, format!("nothing in `{from}` uses `{to}` any more"))
        })
        .collect()
}

/// Whether a room holds more than its module doc.
fn has_code(files: &[SourceFile], room: &str) -> bool {
    sources(files).filter(|file| room_of(&file.path) == room).any(|file| {
        let tokens = flatten(file.tokens());
        // An inner doc comment is seven tokens: # ! [ doc = "..." ]
        let docs = tokens.windows(4).filter(|four| four[0].text == "#" && four[3].text == "doc").count();
        tokens.len() > 7 * docs
    })
}

/// Uses that go against the order of the table. A table without them has no cycle.
pub fn upward_arrows(table: Table<'_>) -> Vec<String> {
    let mut above = BTreeSet::new();
    let mut upward = Vec::new();
    for (room, uses) in table {
        let below = uses.iter().filter(|used| **uses != *ANYTHING && !above.contains(*used));
        upward.extend(below.map(|used| format!("`{room}` uses `{used}`, which is not above it")));
        above.insert(room);
    }
    upward
}

/// Every room that `start` reaches through the table, itself left out.
pub fn reach<'a>(table: Table<'a>, start: &str) -> BTreeSet<&'a str> {
    let rooms: BTreeMap<&str, &[&str]> = table.iter().copied().collect();
    let all: Vec<&str> = table.iter().map(|(room, _)| *room).collect();
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(room) = open.pop() {
        let uses = rooms.get(room).copied().unwrap_or_default();
        let uses = if uses == ANYTHING { all.as_slice() } else { uses };
        for used in uses {
            if let Some(known) = all.iter().find(|room| *room == used)
                && reached.insert(*known)
            {
                open.push(known);
            }
        }
    }
    reached.remove(start);
    reached
}

/// The modules that `src/lib.rs` declares.
pub fn declared_rooms(files: &[SourceFile]) -> BTreeSet<String> {
    let lib = files.iter().find(|file| file.path == "src/lib.rs").expect("the crate has a library");
    let tokens = flatten(lib.tokens());
    tokens.windows(2).filter(|two| two[0].text == "mod").map(|two| two[1].text.clone()).collect()
}
