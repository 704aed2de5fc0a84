//! What the pages show works as shown: their commands are the program's, and those that need no cluster are carried out.

mod ci;
#[path = "../support/files.rs"]
#[expect(dead_code, reason = "nothing is compared here")]
mod files;
mod page;
#[path = "../support/program.rs"]
#[expect(dead_code, reason = "no page waits for anything")]
mod program;
mod shell;
mod stage;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap::error::ErrorKind;
use wiber_chaos::cli::Cli;

use page::Shown;
use stage::Stage;

/// Commands that ask for brokers, or for an engine that could run them.
const NEED_A_CLUSTER: [&str; 9] = ["run", "up", "down", "status", "produce", "consume", "topics", "doctor", "clean"];

fn is_ours(shown: &Shown) -> bool {
    Path::new(&shown.command[0]).file_name().is_some_and(|name| name == "wiber-chaos")
}

/// What the program's own parser has against a command.
fn refusal(shown: &Shown) -> Option<clap::Error> {
    let name = std::iter::once("wiber-chaos");
    let words = name.chain(shown.command.iter().skip(1).map(String::as_str));
    Cli::command().try_get_matches_from(words).err()
}

#[test]
fn every_command_that_a_page_shows_is_one_that_the_program_takes() {
    let shown: Vec<Shown> = page::all().iter().flat_map(page::Page::commands).filter(is_ours).collect();
    assert!(shown.len() > 40, "only {} commands were found", shown.len());
    for shown in shown {
        if let Some(error) = refusal(&shown) {
            panic!("{shown}\n{error}");
        }
    }
}

#[test]
fn a_command_in_a_sentence_may_leave_out_what_it_is_about_and_has_no_other_mistake() {
    let shown: Vec<Shown> = page::all().iter().flat_map(page::Page::mentions).collect();
    assert!(shown.len() > 20, "only {} commands were found", shown.len());
    for shown in shown {
        let is_short = |error: &clap::Error| {
            matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument
                    | ErrorKind::MissingSubcommand
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            )
        };
        if let Some(error) = refusal(&shown).filter(|error| !is_short(error)) {
            panic!("{shown}\n{error}");
        }
    }
}

#[test]
fn what_a_page_does_without_a_cluster_works_as_printed() {
    let mut done = BTreeSet::new();
    for page in page::all() {
        let needs_none = |shown: &Shown| is_ours(shown) && !NEED_A_CLUSTER.contains(&shown.command[1].as_str());
        let commands: Vec<Shown> = page.commands().into_iter().filter(needs_none).collect();
        if commands.is_empty() {
            continue;
        }
        let stage = Stage::set();
        for shown in commands {
            let ended = stage.run(&shown.command[1..]);
            let said = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.code(), Some(0), "{shown}\n{said}");
            assert!(!ended.stdout.is_empty(), "{shown}: it says nothing\n{said}");
            done.insert(shown.command[1].clone());
        }
    }
    for command in ["check", "compare", "completions", "history", "init", "list", "man", "plan", "report", "validate"] {
        assert!(done.contains(command), "no page shows {command}, or it was passed over: {done:?}");
    }
}

#[test]
fn every_target_that_a_page_makes_is_in_the_makefile() {
    let makefile = fs::read_to_string("Makefile").expect("the Makefile");
    let is_target = |word: &str| makefile.lines().any(|line| line.starts_with(&format!("{word}:")));
    let mut found = 0;
    for shown in page::all().iter().flat_map(page::Page::commands).filter(|shown| shown.command[0] == "make") {
        for word in shown.command[1..].iter().filter(|word| !word.contains('=') && !word.starts_with('-')) {
            assert!(is_target(word), "{shown}: there is no target {word}");
            found += 1;
        }
    }
    assert!(found > 3, "only {found} targets were found");
}

#[test]
fn every_script_that_a_page_calls_is_there() {
    for shown in page::all().iter().flat_map(page::Page::commands) {
        let script = Path::new(&shown.command[0]);
        if script.extension().is_some_and(|extension| extension == "sh") {
            assert!(script.is_file(), "{shown}: there is no such script");
        }
    }
}
