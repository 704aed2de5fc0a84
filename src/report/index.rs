//! All stored runs of a directory: plain data, which [`super::html::index`] shows.
//!
//! It is made of each run's `verdict.json` and `environment.json` as they are. To judge hundreds of histories anew only to list them
//! would take hours, and the link leads to a report that says the same as its line here.

use crate::history::Environment;
use crate::verdict::{FaultLine, Verdict};

/// A stored run.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its directory, as a path from the index, with `/` between its parts.
    pub path: String,
    /// When it began, RFC 3339; its id's own time where no `environment.json` says more.
    pub started_utc: String,
    /// What is known of it.
    pub told: Told,
    /// Whether it has its `report.html`.
    pub page: Page,
}

/// What is known of a stored run.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// Its verdict.
    Judged(Box<Verdict>),
    /// Why there is none.
    Unjudged(String),
}

/// Whether there is a page to link to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// There is.
    There,
    /// There is none.
    Missing,
}

/// How long the slowest of several faults took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Longest {
    /// This many milliseconds.
    Ms(u64),
    /// At least one was never seen to end.
    NotSeen,
    /// There was none.
    Nothing,
}

impl Entry {
    /// The entry of a run.
    pub fn new(path: String, environment: Option<&Environment>, told: Told, page: Page) -> Self {
        let id = path.rsplit('/').next().unwrap_or(&path).to_owned();
        let started = environment.map(|environment| environment.started_utc.clone()).filter(|text| !text.is_empty());
        Self { path, started_utc: started.unwrap_or_else(|| time_of(&id)), told, page }
    }

    /// The scenario, which names the directory that the run's own lies in.
    pub fn scenario(&self) -> &str {
        match &self.told {
            Told::Judged(verdict) => &verdict.scenario,
            Told::Unjudged(_) => self.path.rsplit('/').nth(1).unwrap_or(&self.path),
        }
    }

    /// The run's id.
    pub fn run(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The verdict, if there is one.
    pub fn verdict(&self) -> Option<&Verdict> {
        match &self.told {
            Told::Judged(verdict) => Some(verdict),
            Told::Unjudged(_) => None,
        }
    }
}

/// `20260301T120000Z-42` as `2026-03-01T12:00:00Z`; any other id says nothing of its time.
fn time_of(id: &str) -> String {
    let (date, time) = (id.get(..8), id.get(8..16));
    let (Some(date), Some(time)) = (date, time) else { return String::new() };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(clock) = time.strip_prefix('T').and_then(|rest| rest.strip_suffix('Z')).filter(|clock| digits(clock))
    else {
        return String::new();
    };
    if !digits(date) {
        return String::new();
    }
    format!("{}-{}-{}T{}:{}:{}Z", &date[..4], &date[4..6], &date[6..], &clock[..2], &clock[2..4], &clock[4..])
}

/// The longest recovery after any fault that was healed.
pub fn longest_recovery(verdict: &Verdict) -> Longest {
    let healed = verdict.faults.iter().filter(|fault| fault.healed_ms.is_some());
    let recoveries: Vec<Option<u64>> = healed.map(|fault: &FaultLine| fault.recovery_ms).collect();
    match recoveries.iter().copied().collect::<Option<Vec<u64>>>() {
        None => Longest::NotSeen,
        Some(all) => all.into_iter().max().map_or(Longest::Nothing, Longest::Ms),
    }
}

/// Sorts runs: the latest first, and by their path where nobody can tell.
pub fn sort(entries: &mut [Entry]) {
    entries.sort_by(|one, other| other.started_utc.cmp(&one.started_utc).then_with(|| one.path.cmp(&other.path)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_run_without_an_environment_began_when_its_id_says() {
        let entry = |id: &str| Entry::new(format!("kill-one/{id}"), None, Told::Unjudged(String::new()), Page::Missing);
        assert_eq!(entry("20260301T120000Z-42").started_utc, "2026-03-01T12:00:00Z");
        for id in ["", "latest", "20260301-120000Z-42", "2026é301T120000Z-42", "20260301T12000éZ"] {
            assert_eq!(entry(id).started_utc, "", "{id}");
        }
        assert_eq!(entry("x").scenario(), "kill-one");
    }

    #[test]
    fn one_recovery_that_was_not_seen_is_longer_than_all_others() {
        let mut verdict = fixture::valid().verdict;
        assert_eq!(longest_recovery(&verdict), Longest::Ms(6_500));
        verdict.faults.push(FaultLine { recovery_ms: None, ..verdict.faults[0].clone() });
        assert_eq!(longest_recovery(&verdict), Longest::NotSeen);
        verdict.faults.clear();
        assert_eq!(longest_recovery(&verdict), Longest::Nothing);
    }
}
