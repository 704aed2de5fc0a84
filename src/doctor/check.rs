//! What every check says, in one shape.

use serde::Serialize;

use super::LIMIT;

/// What stands between what went wrong and what to do, in the errors of the other rooms.
const HELP: &str = "\n  help: ";

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// It may go wrong.
    Warning,
    /// It does go wrong.
    Problem,
}

/// One finding. A check may have several, each under its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How much it matters.
    pub level: Level,
    /// What was found, one sentence.
    pub found: String,
    /// What to do; there unless all is well.
    pub help: Option<String>,
}

impl Check {
    /// All is well.
    pub fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, level: Level::Ok, found: found.into(), help: None }
    }

    /// Something worth knowing.
    pub fn note(name: &'static str, found: impl Into<String>, help: impl Into<String>) -> Self {
        Self { name, level: Level::Note, found: found.into(), help: Some(help.into()) }
    }

    /// Something that may go wrong.
    pub fn warning(name: &'static str, found: impl Into<String>, help: impl Into<String>) -> Self {
        Self { name, level: Level::Warning, found: found.into(), help: Some(help.into()) }
    }

    /// Something that does go wrong.
    pub fn problem(name: &'static str, found: impl Into<String>, help: impl Into<String>) -> Self {
        Self { name, level: Level::Problem, found: found.into(), help: Some(help.into()) }
    }

    /// An error of another room, which may bring its own help; `otherwise` is for one that brings none.
    pub fn error(name: &'static str, level: Level, error: &dyn std::error::Error, otherwise: &str) -> Self {
        let text = error.to_string();
        let (found, help) = text.split_once(HELP).unwrap_or((&text, otherwise));
        Self { name, level, found: one_line(found), help: Some(one_line(help)) }
    }

    /// What could not be looked at, because something that it depends on is missing.
    pub fn not_looked_at(name: &'static str, missing: &str, help: impl Into<String>) -> Self {
        Self::note(name, format!("not looked at: {missing}"), help)
    }

    /// What depends on an engine, where there is none.
    pub fn without_engine(name: &'static str) -> Self {
        Self::not_looked_at(name, "no engine", "see `engine`")
    }

    /// What did not answer in time.
    pub fn late(name: &'static str) -> Self {
        let found = format!("no answer within {} s", LIMIT.as_secs());
        Self::warning(name, found, "ask again; what is asked may be frozen, overloaded or behind a firewall")
    }
}

/// How many findings have this level.
pub fn count(checks: &[Check], level: Level) -> usize {
    checks.iter().filter(|check| check.level == level).count()
}

/// Errors may bring the end of a log or a second line; a finding is one sentence.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Said(&'static str);

    #[test]
    fn the_help_of_an_error_is_kept_apart_from_what_was_found() {
        let check = Check::error("engine", Level::Problem, &Said("no engine\n  help: start one"), "unused");
        assert_eq!((check.found.as_str(), check.help.as_deref()), ("no engine", Some("start one")));
        let check = Check::error("engine", Level::Note, &Said("no\n  engine"), "look at it");
        assert_eq!((check.found.as_str(), check.help.as_deref()), ("no engine", Some("look at it")));
    }

    #[test]
    fn all_but_what_is_well_brings_help() {
        assert_eq!(Check::ok("engine", "it answers").help, None);
        for check in [Check::late("engine"), Check::without_engine("faults"), Check::note("a", "b", "c")] {
            assert!(check.level > Level::Ok && check.help.is_some(), "{check:?}");
        }
    }
}
