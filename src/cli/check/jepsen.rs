//! `wiber-chaos check --from jepsen`: histories of Jepsen's Kafka workload, judged as Jepsen would.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::{CheckArgs, SubVia};
use crate::cli::terminal::{self, Style, complain};
use crate::cli::{ExitCode, Format};
use crate::jepsen::{self, ErrorType, Findings, Options, ReadError, Validity, Verdict};

/// Judges every history. The worst exit code wins; a history that cannot be read is 2.
pub fn check(args: &CheckArgs, style: Style) -> ExitCode {
    let options = options(args);
    let codes: Vec<ExitCode> = args.runs.iter().map(|path| check_one(path, &options, args.format, style)).collect();
    ExitCode::worst_of(codes)
}

fn options(args: &CheckArgs) -> Options {
    let sub_via = args.sub_via.iter().map(|way| match way {
        SubVia::Assign => jepsen::SubVia::Assign,
        SubVia::Subscribe => jepsen::SubVia::Subscribe,
    });
    Options { sub_via: sub_via.collect(), ww_deps: args.ww_deps }
}

fn check_one(path: &Path, options: &Options, format: Format, style: Style) -> ExitCode {
    let file = path.display().to_string();
    let history = match load(path) {
        Ok(history) => history,
        Err(why) => {
            complain(&format!("error: {file}: {why}"));
            return ExitCode::Usage;
        }
    };
    let verdict = jepsen::judge(&history, options);
    let told = Told { file: &file, operations: history.ops.len(), options, verdict: &verdict };
    let text = match format {
        Format::Human => told.human(style),
        Format::Json => told.json(),
    };
    match terminal::print(&text) {
        Err(code) => code,
        Ok(()) => exit_code(verdict.validity),
    }
}

/// The history of a file, or why it cannot be read and what to do about it, in lines.
fn load(path: &Path) -> Result<jepsen::History, String> {
    let bytes = fs::read(path).map_err(|error| {
        let help = "with --from jepsen, name the history.edn (or history.edn.gz) in a test's directory";
        format!("cannot be read: {error}\n  help: {help}\n")
    })?;
    let told = |error: ReadError| format!("{error}\n  help: {}\n", error.help());
    let text = jepsen::unpack(bytes).map_err(told)?;
    jepsen::read(&text).map_err(told)
}

fn exit_code(validity: Validity) -> ExitCode {
    match validity {
        Validity::Valid => ExitCode::Pass,
        Validity::Invalid => ExitCode::Fail,
        Validity::Unknown => ExitCode::Inconclusive,
    }
}

/// What is told of one history.
struct Told<'a> {
    file: &'a str,
    operations: usize,
    options: &'a Options,
    verdict: &'a Verdict,
}

/// The same for programs. Names are added, never changed.
#[derive(Serialize)]
struct Json<'a> {
    schema_version: u32,
    from: &'static str,
    history: &'a str,
    options: &'a Options,
    operations: usize,
    valid: Validity,
    error_types: Vec<ErrorType>,
    bad_error_types: &'a [ErrorType],
    unknown_because: Vec<String>,
    witnesses: &'a Findings,
}

impl Told<'_> {
    /// One line of JSON.
    fn json(&self) -> String {
        let json = Json {
            schema_version: 1,
            from: "jepsen",
            history: self.file,
            options: self.options,
            operations: self.operations,
            valid: self.verdict.validity,
            error_types: self.verdict.findings.types().collect(),
            bad_error_types: &self.verdict.bad,
            unknown_because: self.verdict.thrown.iter().take(REASONS_MAX).map(ToString::to_string).collect(),
            witnesses: &self.verdict.findings,
        };
        let mut text = serde_json::to_string(&json).expect("results are plain data");
        text.push('\n');
        text
    }

    /// The verdict, then each type with how often it was found and its first witness.
    fn human(&self, style: Style) -> String {
        let mut text = String::new();
        let word = match self.verdict.validity {
            Validity::Valid => style.good("✓ valid"),
            Validity::Invalid => style.bad("✗ invalid"),
            Validity::Unknown => style.doubtful("? unknown"),
        };
        writeln!(text, "{word}  {}: {}", self.file, self.sentence()).expect(TAKES_ALL);
        writeln!(text, "  {} operations of clients, judged as Jepsen does with {}", self.operations, self.settings())
            .expect(TAKES_ALL);
        for reason in self.verdict.thrown.iter().take(REASONS_MAX) {
            writeln!(text, "  ? {reason}").expect(TAKES_ALL);
        }
        for (error, found) in &self.verdict.findings.0 {
            let allowed = self.options.allow(*error);
            let (mark, word) = if allowed { (style.good("✓"), "allowed") } else { (style.bad("✗"), "bad") };
            writeln!(text, "  {mark} {:<25} {word:<8} {:>8} found", error.name(), found.count).expect(TAKES_ALL);
            if let Some(witness) = found.examples.first() {
                let witness = plain(&serde_json::to_value(witness).expect("a witness is plain data"));
                writeln!(text, "      such as: {}", style.dim(&witness)).expect(TAKES_ALL);
            }
        }
        text
    }

    fn sentence(&self) -> String {
        match self.verdict.validity {
            Validity::Valid if self.verdict.findings.0.is_empty() => "no error of any type was found.".to_owned(),
            Validity::Valid => "what was found is allowed.".to_owned(),
            Validity::Invalid => {
                let names: Vec<&str> = self.verdict.bad.iter().map(|error| error.name()).collect();
                format!("{}.", names.join(", "))
            }
            Validity::Unknown => "Jepsen's analysis would throw.".to_owned(),
        }
    }

    fn settings(&self) -> String {
        let ways: Vec<&str> = self
            .options
            .sub_via
            .iter()
            .map(|way| match way {
                jepsen::SubVia::Assign => "assign",
                jepsen::SubVia::Subscribe => "subscribe",
            })
            .collect();
        let ww = if self.options.ww_deps { ", ww-deps" } else { "" };
        format!("sub-via {}{ww}", ways.join(","))
    }
}

/// Data for people: what is known, in words and numbers, without the quotes and braces that programs need.
fn plain(value: &Value) -> String {
    let list = |items: &[Value]| items.iter().map(plain).collect::<Vec<_>>().join(", ");
    match value {
        Value::Null => "unknown".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", list(items)),
        Value::Object(fields) => {
            let known = fields.iter().filter(|(_, value)| !value.is_null());
            let clauses = known.map(|(name, value)| match value {
                Value::Object(_) => format!("{} ({})", name.replace('_', " "), plain(value)),
                _ => format!("{} {}", name.replace('_', " "), plain(value)),
            });
            clauses.collect::<Vec<_>>().join(", ")
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// How many reasons for throwing are told. One is enough for the verdict.
const REASONS_MAX: usize = 8;

const TAKES_ALL: &str = "a String takes all that is written to it";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::documented::assert_documented;

    #[test]
    fn programs_are_told_each_error_with_its_witnesses() {
        let history = jepsen::read(include_str!("../../../tests/jepsen/lost.edn")).expect("a history");
        let options = Options { sub_via: [jepsen::SubVia::Assign].into_iter().collect(), ww_deps: false };
        let verdict = jepsen::judge(&history, &options);
        let told = Told { file: "lost.edn", operations: history.ops.len(), options: &options, verdict: &verdict };
        insta::assert_snapshot!(told.json());
        assert_documented("check --from jepsen", &told.json());
    }

    #[test]
    fn a_witness_reads_as_a_sentence_and_leaves_out_what_nobody_knows() {
        let witness = serde_json::json!({
            "key": "k1", "offset": 7, "values": [3, null], "error": null, "sent_by": {"process": 2, "index": 40},
        });
        // serde_json keeps an object's names in their order.
        assert_eq!(plain(&witness), "key k1, offset 7, sent by (index 40, process 2), values [3, unknown]");
    }
}
