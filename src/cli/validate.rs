//! `wiber-chaos validate`: all that is wrong with scenario files, at once, and by which means each fault is injected here.

mod back_end;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::time::timeout;

use self::back_end::{BackEnd, Here};
use super::terminal::{Style, print, render_error, render_problems};
use super::{ColorChoice, ExitCode, Format};
use crate::cluster::engine::Engine;
use crate::cluster::ledger;
use crate::cluster::means::{self, Means};
use crate::scenario::units::plural;
use crate::scenario::{self, Parsed, Problem, ScenarioError};

/// How long an engine may take to say that it is there.
const ENGINE_LIMIT: Duration = Duration::from_secs(5);

/// How long it, and what it runs to ask the kernel, may take to answer.
const MEANS_LIMIT: Duration = Duration::from_secs(30);

/// Which files to check.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// The scenario files
    #[arg(required = true, value_name = "SCENARIO")]
    pub scenarios: Vec<PathBuf>,
    /// Ask no engine whether the faults can be injected here; else a container may be made for a moment to find out
    #[arg(long)]
    pub offline: bool,
    /// Print for people or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

/// A file's name, and what was read from it.
type Read = (String, Result<Parsed, ScenarioError>);

/// Checks every file; 2 if anything is wrong with any of them, 5 if all are right and a fault cannot be injected here. What is
/// found is this command's data, on stdout.
pub async fn validate(args: &ValidateArgs, color: ColorChoice) -> ExitCode {
    let results: Vec<Read> =
        args.scenarios.iter().map(|path| (path.display().to_string(), scenario::load(path))).collect();
    let means = if args.offline { Means::unasked("--offline") } else { ask(&results).await };
    let text = match args.format {
        Format::Human => human(&results, &means, Style::choose(color, &std::io::stdout())),
        Format::Json => as_json(&results, &means),
    };
    match print(&text) {
        Err(code) => code,
        Ok(()) => exit_code(&results, &means),
    }
}

/// Asks for what the faults of all files need, once.
async fn ask(results: &[Read]) -> Means {
    let legal = results.iter().filter_map(|(_, result)| result.as_ref().ok());
    let needs: BTreeSet<_> = legal.flat_map(|parsed| means::needs(&parsed.scenario)).collect();
    if needs.is_empty() {
        return Means::unasked("nothing is needed");
    }
    match timeout(ENGINE_LIMIT, Engine::connect()).await {
        Ok(Ok(engine)) => means::ask(&engine, &ledger::state_dir(), &needs, MEANS_LIMIT).await,
        Ok(Err(error)) => Means::unasked(error.to_string().lines().next().unwrap_or_default()),
        Err(_) => Means::unasked(format!("no Docker engine answers within {} s", ENGINE_LIMIT.as_secs())),
    }
}

fn exit_code(results: &[Read], means: &Means) -> ExitCode {
    let code = |(_, result): &Read| match result {
        Err(_) => ExitCode::Usage,
        Ok(parsed) if back_end::overall(&back_end::of(parsed, means)) == Here::No => ExitCode::Environment,
        Ok(_) => ExitCode::Pass,
    };
    ExitCode::worst_of(results.iter().map(code))
}

/// A line for each file that is right, one for each of its faults, and its warnings; all problems of each file that is not.
fn human(results: &[Read], means: &Means, style: Style) -> String {
    let one = |(file, result): &Read| match result {
        Ok(parsed) => legal(file, parsed, means, style),
        Err(error) => render_error(error, style),
    };
    results.iter().map(one).collect()
}

fn legal(file: &str, parsed: &Parsed, means: &Means, style: Style) -> String {
    let back_ends = back_end::of(parsed, means);
    let name = &parsed.scenario.name;
    let refused = back_ends.iter().filter(|one| one.here == Here::No).count();
    let mut text = match u32::try_from(refused).unwrap_or(u32::MAX) {
        0 => format!("{} {file}: {name}\n", style.good("ok")),
        count => {
            format!("{} {file}: {name}: {} cannot be injected here\n", style.bad("no"), plural(count, "fault"))
        }
    };
    for line in back_end::lines(&back_ends) {
        writeln!(text, "   {line}").expect("a String takes all");
    }
    text + &render_problems(problems(parsed, &back_ends), style)
}

/// What is to be known of a file that is right: where its faults cannot be injected here, then what is doubtful.
fn problems<'a>(parsed: &'a Parsed, back_ends: &'a [BackEnd]) -> impl Iterator<Item = &'a Problem> {
    back_ends.iter().filter_map(|one| one.problem.as_ref()).chain(&parsed.warnings)
}

fn as_json(results: &[Read], means: &Means) -> String {
    let files: Vec<Value> = results.iter().map(|(file, result)| file_json(file, result, means)).collect();
    format!("{:#}\n", json!({ "schema_version": 1, "files": files }))
}

fn file_json(file: &str, result: &Result<Parsed, ScenarioError>, means: &Means) -> Value {
    match result {
        Ok(parsed) => {
            let back_ends = back_end::of(parsed, means);
            json!({
                "file": file,
                "ok": true,
                "name": parsed.scenario.name,
                "injectable": back_end::overall(&back_ends),
                "faults": back_ends,
                "problems": problems_json(problems(parsed, &back_ends)),
            })
        }
        Err(error @ ScenarioError::Unreadable { source, .. }) => {
            let problem = json!({ "severity": "error", "message": format!("{error}: {source}") });
            json!({ "file": file, "ok": false, "problems": [problem] })
        }
        Err(error) => json!({ "file": file, "ok": false, "problems": problems_json(error.problems()) }),
    }
}

fn problems_json<'a>(problems: impl IntoIterator<Item = &'a Problem>) -> Vec<Value> {
    let one = |problem: &Problem| {
        json!({
            "severity": problem.severity_name(),
            "line": problem.line(),
            "message": problem.message(),
            "help": problem.help_text(),
        })
    };
    problems.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::documented::assert_documented;
    use crate::cluster::means::{Found, Lack};
    use crate::fault::Need;

    const SCENARIO: &str = r#"name = "three"
[[topic]]
name = "chat"
[[producer]]
name = "chatters"
topic = "chat"
[[fault]]
id = "slow"
at = "1s"
for = "2s"
degrade = { target = "broker:1", latency = "50ms" }
[[fault]]
id = "cut"
at = "5s"
for = "2s"
partition = { target = "broker:2", mode = "reject" }
[[fault]]
id = "frozen"
at = "9s"
for = "2s"
freeze-client = { target = "producer:chatters/0" }
"#;

    fn read(text: &str) -> [Read; 1] {
        [("three.toml".to_owned(), scenario::parse("three.toml", text))]
    }

    /// All is here but what is named.
    fn here_but(missing: &[Need]) -> Means {
        let one = |need: &Need| {
            let lack = || Lack { need: *need, reason: format!("{} is not here", need.words()), help: "go".to_owned() };
            let there = || Found::There { seen: format!("{} is here", need.words()) };
            (*need, if missing.contains(need) { Found::Lacking(lack()) } else { there() })
        };
        Means::new(Need::ALL.iter().map(one).collect(), "it was not asked for")
    }

    #[test]
    fn each_fault_is_told_with_the_means_that_it_will_use() {
        let (read, means) = (read(SCENARIO), here_but(&[]));
        insta::assert_snapshot!(human(&read, &means, Style::Plain));
        assert_eq!(exit_code(&read, &means), ExitCode::Pass);
    }

    #[test]
    fn a_fault_that_cannot_be_injected_here_is_shown_at_its_place_and_the_environments_fault() {
        let (read, means) = (read(SCENARIO), here_but(&[Need::PacketQueue, Need::Rejection]));
        insta::assert_snapshot!(human(&read, &means, Style::Plain));
        assert_eq!(exit_code(&read, &means), ExitCode::Environment);
    }

    #[test]
    fn packets_that_are_dropped_need_no_rules_that_reset_connections() {
        let read = read(&SCENARIO.replace("reject", "drop"));
        assert_eq!(exit_code(&read, &here_but(&[Need::Rejection])), ExitCode::Pass);
    }

    #[test]
    fn without_an_engine_it_says_what_would_be_needed_and_refuses_nothing() {
        let (read, means) = (read(SCENARIO), Means::unasked("no Docker engine answers: connection refused"));
        insta::assert_snapshot!(human(&read, &means, Style::Plain));
        assert_eq!(exit_code(&read, &means), ExitCode::Pass);
    }

    #[test]
    fn programs_are_told_what_each_fault_needs_and_whether_it_is_here() {
        let (read, means) = (read(SCENARIO), here_but(&[Need::PacketQueue]));
        let text = as_json(&read, &means);
        insta::assert_snapshot!(text);
        assert_documented("validate", &text);
    }

    #[test]
    fn a_bad_file_is_worse_than_a_machine_that_lacks_something() {
        let [good] = read(SCENARIO);
        let [bad] = read("name = 3");
        assert_eq!(exit_code(&[good, bad], &here_but(&[Need::PacketQueue])), ExitCode::Usage);
    }

    #[test]
    fn a_mock_says_what_it_cannot_do_and_asks_nobody() {
        let mock = "name = \"m\"\n[cluster]\nkind = \"mock\"\n[[topic]]\nname = \"chat\"\n[[producer]]\nname = \"p\"\n\
                    topic = \"chat\"\n[[fault]]\nid = \"ice\"\nat = \"1s\"\nfor = \"1s\"\npause = { target = \"broker:1\" }\n\
                    [[fault]]\nid = \"kill\"\nat = \"3s\"\nfor = \"1s\"\nkill = { target = \"broker:1\" }\n";
        let (read, means) = (read(mock), Means::unasked("nothing is needed"));
        insta::assert_snapshot!(human(&read, &means, Style::Plain));
        assert_eq!(exit_code(&read, &means), ExitCode::Pass);
    }
}
