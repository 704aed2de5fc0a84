//! What dead runs left behind, and which runs live. Looking removes nothing.

use std::path::Path;

use super::{Check, Level, in_words};
use crate::cluster::engine::Engine;
use crate::cluster::ledger;
use crate::cluster::means::ASKERS;
use crate::run::sweep::{Found, Mode, Scope, Swept, sweep};

const NAME: &str = "leftovers";

/// How many names one finding shows.
const NAMES_MAX: usize = 6;

/// Asks ledgers and engine. Without an engine the ledgers alone tell whether there is anything to look for.
pub async fn examine(state: &Path, engine: Option<&Engine>) -> Vec<Check> {
    let unreadable = "make the state directory readable; a ledger there may be another user's";
    if engine.is_none() {
        return match ledger::survey(state) {
            Ok(ledgers) => judge_ledgers(ledgers.dead.into_iter().map(|dead| dead.label).collect()),
            Err(error) => vec![Check::error(NAME, Level::Warning, &error, unreadable)],
        };
    }
    match sweep(state, Scope::Ours, Mode::DryRun).await {
        Ok(swept) => judge(&swept),
        Err(error) => vec![Check::error(NAME, Level::Warning, &error, unreadable)],
    }
}

fn judge_ledgers(dead: Vec<String>) -> Vec<Check> {
    if dead.is_empty() {
        return vec![Check::without_engine(NAME)];
    }
    let found = format!("dead: run {}; what they left cannot be looked for, without an engine", in_words(dead));
    vec![Check::warning(NAME, found, "see `engine`; then `wiber-chaos clean` removes it")]
}

fn judge(swept: &Swept) -> Vec<Check> {
    let dead = swept.dead.iter().map(|found| {
        let told = format!("dead run {} left {}", found.label, names(found));
        Check::warning(NAME, told, "`wiber-chaos clean` removes it, and so does the next run")
    });
    // Other doctors, and this one, who ask an engine what is there for faults.
    let is_run = |label: &str| !label.starts_with(ASKERS);
    let alive = swept.alive.iter().filter(|label| is_run(label)).map(|label| {
        let told = format!("run {label} lives, and has ports and memory of this machine");
        Check::note(NAME, told, "let it end, or end it with Ctrl-C")
    });
    let foreign = swept.foreign.iter().filter(|found| is_run(&found.label)).map(|found| {
        let told = format!("of run {}, which no ledger here knows: {}", found.label, names(found));
        let help = "another host or user may be at it; if nobody is, `wiber-chaos clean --all` removes it";
        Check::note(NAME, told, help)
    });
    let troubles = swept.troubles.iter().map(|trouble| {
        Check::error(NAME, Level::Warning, trouble, "what it speaks of is not looked after until it can be read")
    });
    let checks: Vec<Check> = dead.chain(alive).chain(foreign).chain(troubles).collect();
    if checks.is_empty() { vec![Check::ok(NAME, "no run has left anything behind")] } else { checks }
}

fn names(found: &Found) -> String {
    let mut names = found.names();
    if names.len() > NAMES_MAX {
        let more = names.split_off(NAMES_MAX - 1).len();
        names.push(format!("{more} more"));
    }
    in_words(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::attach::leftovers::AttachLeftovers;
    use crate::cluster::engine::Leftovers;
    use crate::cluster::ledger::{Entry, Ledger, Object};

    fn found(label: &str, containers: usize) -> Found {
        let containers = (1..=containers).map(|number| format!("{label}-kafka-{number}")).collect();
        let leftovers = Leftovers { containers, ..Leftovers::default() };
        Found { label: label.to_owned(), leftovers, attached: AttachLeftovers::default() }
    }

    #[test]
    fn what_the_dead_left_is_a_warning_and_the_living_are_noted() {
        let swept = Swept {
            dead: vec![found("r1", 2)],
            alive: vec!["r2".to_owned()],
            foreign: vec![found("r3", 1)],
            troubles: Vec::new(),
        };
        let levels: Vec<Level> = judge(&swept).iter().map(|check| check.level).collect();
        assert_eq!(levels, [Level::Warning, Level::Note, Level::Note]);
        let check = &judge(&swept)[0];
        assert_eq!(check.found, "dead run r1 left container r1-kafka-1 and container r1-kafka-2");
        assert!(check.help.as_deref().is_some_and(|help| help.contains("wiber-chaos clean")));
    }

    #[test]
    fn nothing_left_is_well_and_a_long_list_is_cut() {
        assert_eq!(judge(&Swept::default())[0].level, Level::Ok);
        assert!(names(&found("r", 9)).ends_with("r-kafka-5 and 4 more"), "{}", names(&found("r", 9)));
        assert!(names(&found("r", 6)).ends_with("and container r-kafka-6"));
    }

    #[tokio::test]
    async fn without_an_engine_a_dead_run_is_told_by_its_ledger_which_stays() {
        let state = tempfile::tempdir().expect("a directory");
        let ledger = Ledger::begin(state.path(), "r1", Path::new("x")).expect("a ledger");
        ledger.write(&Entry::Make { object: Object::Network, name: "r1".to_owned() }).expect("written");
        assert_eq!(examine(state.path(), None).await, [Check::without_engine(NAME)]);
        drop(ledger);
        // A process that another test starts at this moment shares the dropped lock until it executes its program.
        for _ in 0..1000 {
            let checks = examine(state.path(), None).await;
            if checks[0].level == Level::Warning {
                assert!(checks[0].found.contains("r1"), "{checks:?}");
                assert!(state.path().join("ledger/r1.jsonl").exists(), "looking removes nothing");
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("the dead run is not told");
    }
}
