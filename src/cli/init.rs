//! `wiber-chaos init`: a scenario to begin with, which runs as it is and says what each line is for.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::ExitCode;
use super::terminal::{complain, print};
use crate::report::format::shell_word;
use crate::scenario;

/// The name that every template has, and that gives way to the file's.
const PLACEHOLDER: &str = "name = \"first\"";

/// What to begin with, and where.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The file to write, which must not be there yet; `-` for stdout
    #[arg(value_name = "FILE", default_value = "scenario.toml")]
    pub file: PathBuf,
    /// What the scenario is about
    #[arg(long, value_enum, default_value_t = Template::Kill)]
    pub template: Template,
}

/// A scenario to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// A broker is killed under load and comes back
    Kill,
    /// A leader is cut off from the other brokers
    Partition,
    /// Transactions while leaders die, and a reader of committed records
    Transactions,
    /// Load without any fault: what is usual here
    Baseline,
}

impl Template {
    fn text(self) -> &'static str {
        match self {
            Self::Kill => include_str!("init/kill.toml"),
            Self::Partition => include_str!("init/partition.toml"),
            Self::Transactions => include_str!("init/transactions.toml"),
            Self::Baseline => include_str!("init/baseline.toml"),
        }
    }
}

/// Writes the scenario. A file that is there is never written over.
pub fn init(args: &InitArgs) -> ExitCode {
    if args.file == Path::new("-") {
        return match print(args.template.text()) {
            Ok(()) => ExitCode::Pass,
            Err(code) => code,
        };
    }
    let text = named(args.template.text(), &args.file);
    let written = File::create_new(&args.file).and_then(|mut file| file.write_all(text.as_bytes()));
    if let Err(error) = written {
        let (file, help) = (args.file.display(), help(error.kind()));
        let why = match error.kind() {
            ErrorKind::AlreadyExists => "there is one already".to_owned(),
            _ => error.to_string(),
        };
        complain(&format!("error: cannot write {file}: {why}\n  help: {help}\n"));
        return ExitCode::Usage;
    }
    complain(&next(&args.file));
    match print(&format!("{}\n", args.file.display())) {
        Ok(()) => ExitCode::Pass,
        Err(code) => code,
    }
}

/// The template under the file's own name, so that its runs get a folder of their own; under the template's where the file's
/// cannot name a scenario.
fn named(template: &str, file: &Path) -> String {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let renamed = template.replacen(PLACEHOLDER, &format!("name = {stem:?}"), 1);
    let is_legal = scenario::parse("scenario.toml", &renamed).is_ok();
    if is_legal && stem != "scenario" { renamed } else { template.to_owned() }
}

fn help(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::AlreadyExists => "name another file, or write to stdout with -",
        ErrorKind::NotFound => "make its directory first",
        _ => "name a file where you may write, or write to stdout with -",
    }
}

/// What a newcomer may do with it.
fn next(file: &Path) -> String {
    let file = shell_word(&file.display().to_string());
    format!(
        "next:\n  wiber-chaos plan {file}        what would happen, without starting anything\n  \
         wiber-chaos validate {file}    whether it can run here\n  wiber-chaos run {file}         do it\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan;

    #[test]
    fn every_template_is_a_scenario_that_needs_no_mending() {
        for template in Template::value_variants() {
            let parsed = scenario::parse("scenario.toml", template.text()).expect("a template is valid");
            // That a baseline has no fault is told to whoever meant to have one.
            let expected = usize::from(*template == Template::Baseline);
            assert_eq!(parsed.warnings.len(), expected, "{template:?}: {:?}", parsed.warnings);
            assert_eq!(parsed.scenario.name, "first");
            let faults = parsed.scenario.faults.len();
            assert_eq!(plan::plan(&parsed.scenario, 42).steps.len(), faults, "{template:?}");
            assert_eq!(faults == 0, *template == Template::Baseline);
        }
    }

    #[test]
    fn a_template_explains_every_table() {
        for template in Template::value_variants() {
            for (before, line) in template.text().lines().zip(template.text().lines().skip(1)) {
                let is_header = line.starts_with('[');
                assert!(!is_header || before.starts_with('#'), "{template:?}: nothing is said of {line}");
            }
        }
    }

    #[test]
    fn the_scenario_is_named_after_its_file_where_that_can_be() {
        let text = Template::Kill.text();
        assert!(named(text, "chaos/my-first.toml".as_ref()).contains("name = \"my-first\"\n"));
        for file in ["scenario.toml", "not a name!.toml", "\".toml", ".."] {
            assert_eq!(named(text, file.as_ref()), text, "{file}");
        }
    }
}
