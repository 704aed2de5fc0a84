//! The rules on the text and the tokens of single files. Each takes files and gives every offence.

use crate::tree::{Offence, SourceFile, Token, flatten};

/// The most lines a file may have. The aim is half of it: one idea a file.
pub const LINES_MAX: usize = 600;

/// Files that are longer, each with the reason why they are better whole.
const LONG_FILES: [(&str, &str); 0] = [];

/// The one module that may hold `unsafe`, because librdkafka's C API leaves no other way to a record's persistence status, a
/// member's generation or a batch of records.
const UNSAFE_MODULE: &str = "src/workload/native";

/// Macros that leave something for later.
const LATER_MACROS: [&str; 3] = ["todo", "unimplemented", "dbg"];

/// Words that leave something for later, in two halves so that this file does not hold them.
const LATER_WORDS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

/// Rust files that are longer than [`LINES_MAX`], and exceptions that are not needed any more.
pub fn long_files(files: &[SourceFile]) -> Vec<Offence> {
    rust(files)
        .filter_map(|file| {
            let lines = file.text.lines().count();
            let excused = LONG_FILES.iter().any(|(path, _)| *path == file.path);
            match (lines > LINES_MAX, excused) {
                (true, false) => Some(file.offence(lines, format!("{lines} lines are more than {LINES_MAX}"))),
                (false, true) => Some(file.offence(lines, "needs its place in LONG_FILES no more")),
                _ => None,
            }
        })
        .collect()
}

/// `unsafe` anywhere but in the one module that needs it.
pub fn unsafe_code(files: &[SourceFile]) -> Vec<Offence> {
    let is_exempt = |file: &&SourceFile| {
        file.path.strip_prefix(UNSAFE_MODULE).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    };
    each_window::<1>(rust(files).filter(|file| !is_exempt(file)), |[word]| {
        (word.text == "unsafe").then(|| format!("`unsafe` belongs into {UNSAFE_MODULE} only"))
    })
}

/// Macros that leave something for later.
pub fn later_macros(files: &[SourceFile]) -> Vec<Offence> {
    each_window::<2>(rust(files), |[word, bang]| {
        let found = bang.text == "!" && LATER_MACROS.contains(&word.text.as_str());
        found.then(|| format!("`{}!` leaves something for later", word.text))
    })
}

/// Words that leave something for later, in any text file.
pub fn later_words(files: &[SourceFile]) -> Vec<Offence> {
    each_line(files.iter(), |line| {
        let mut words = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        words.find(|word| LATER_WORDS.contains(word)).map(|word| format!("{word}: do it, or open an issue"))
    })
}

/// Rust files without a module doc.
pub fn missing_module_docs(files: &[SourceFile]) -> Vec<Offence> {
    rust(files)
        .filter(|file| {
            let tokens = flatten(file.tokens());
            let opening: Vec<&str> = tokens.iter().take(4).map(|token| token.text.as_str()).collect();
            opening != ["#", "!", "[", "doc"]
        })
        .map(|file| file.offence(1, "does not begin with a module doc"))
        .collect()
}

/// White space at the end of a line. Snapshots hold programs' output as it is.
pub fn trailing_space(files: &[SourceFile]) -> Vec<Offence> {
    each_line(files.iter().filter(|file| !file.has_extension("snap")), |line| {
        (line.trim_end() != line).then(|| "ends in white space".to_owned())
    })
}

/// Tabs, but where a format wants them.
pub fn tabs(files: &[SourceFile]) -> Vec<Offence> {
    let wants_tabs = |file: &&SourceFile| {
        file.path.ends_with("Makefile") || ["tsv", "snap"].iter().any(|extension| file.has_extension(extension))
    };
    each_line(files.iter().filter(|file| !wants_tabs(file)), |line| {
        line.contains('\t').then(|| "holds a tab".to_owned())
    })
}

/// `allow` attributes, and `expect` attributes that give no reason.
pub fn silenced_lints(files: &[SourceFile]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for file in rust(files) {
        let tokens = flatten(file.tokens());
        for start in 0..tokens.len() {
            let attribute = attribute_at(&tokens[start..]);
            let has = |word: &str| attribute.windows(2).find(|two| two[0].text == word && two[1].text == "(");
            if let Some(allow) = has("allow") {
                offences.push(file.offence(allow[0].line, "`allow` outlives its cause; write `expect` with a reason"));
            }
            if let Some(expect) = has("expect")
                && !attribute.iter().any(|token| token.text == "reason")
            {
                offences.push(file.offence(expect[0].line, "`expect` without a reason"));
            }
        }
    }
    offences
}

/// The tokens between the brackets of the attribute that begins here; none when none does.
fn attribute_at(tokens: &[Token]) -> &[Token] {
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.text == text);
    let open = if is(1, "!") { 2 } else { 1 };
    if !is(0, "#") || !is(open, "[") {
        return &[];
    }
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "[" => depth += 1,
            "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &tokens[open + 1..at];
        }
    }
    &[]
}

fn rust(files: &[SourceFile]) -> impl Iterator<Item = &SourceFile> {
    files.iter().filter(|file| file.is_rust())
}

fn each_window<'a, const N: usize>(
    files: impl Iterator<Item = &'a SourceFile>,
    judge: impl Fn(&[Token; N]) -> Option<String>,
) -> Vec<Offence> {
    let mut offences = Vec::new();
    for file in files {
        let tokens = flatten(file.tokens());
        for window in tokens.windows(N) {
            let window: &[Token; N] = window.try_into().expect("windows are as long as asked for");
            offences.extend(judge(window).map(|what| file.offence(window[0].line, what)));
        }
    }
    offences
}

fn each_line<'a>(files: impl Iterator<Item = &'a SourceFile>, judge: impl Fn(&str) -> Option<String>) -> Vec<Offence> {
    files
        .flat_map(|file| {
            let numbered = file.text.lines().zip(1..);
            numbered.filter_map(|(line, number)| judge(line).map(|what| file.offence(number, what))).collect::<Vec<_>>()
        })
        .collect()
}
