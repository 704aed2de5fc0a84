//! Consumer groups: are those there that were named, and does one fall behind.
//!
//! Lag counts from committed offsets, and consumers commit now and then (librdkafka: every 5 s). So the lag of a group that
//! keeps up still rises between two commits. A group counts as falling behind only when its lag rose in two intervals of
//! 3 s in a row: a commit every 5 s falls into one of them.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Check, Level, how_many, in_words};
use crate::cluster::peers::Peers;
use crate::cluster::{ClusterError, LOOK_LIMIT, groups};
use crate::kafka::{ClusterView, GroupView};
use crate::scenario::suggest::nearest;

const NAME: &str = "groups";

const INTERVAL: Duration = Duration::from_secs(3);
const INTERVALS: usize = 2;

/// What was seen of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trend {
    members: usize,
    /// Its lag at each look.
    lags: Vec<u64>,
}

/// What was seen of all groups.
struct Seen {
    known: Vec<String>,
    trends: BTreeMap<String, Trend>,
}

/// What there is to say of groups that could not be looked at.
pub fn not_looked_at() -> Check {
    Check::not_looked_at(NAME, "no cluster", "see `cluster`")
}

/// Looks once, and at groups that lag twice more.
pub async fn examine(peers: &Peers, view: &ClusterView, wanted: &[String], deadline: Instant) -> Vec<Check> {
    match timeout_at(deadline, look(peers, view, wanted)).await {
        Ok(Ok(seen)) => judge(&seen, wanted),
        Ok(Err(error)) => vec![Check::error(NAME, Level::Warning, &error, "see `cluster` and `brokers`")],
        Err(_) => vec![Check::late(NAME)],
    }
}

async fn look(peers: &Peers, view: &ClusterView, wanted: &[String]) -> Result<Seen, ClusterError> {
    let known = groups::list(peers, LOOK_LIMIT).await?;
    let only = (!wanted.is_empty()).then_some(wanted);
    let first = groups::describe(peers, view, only, LOOK_LIMIT).await?;
    let mut trends: BTreeMap<String, Trend> = first
        .into_iter()
        .map(|group| (group.group.clone(), Trend { members: group.members.len(), lags: vec![group.lag()] }))
        .collect();
    for _ in 0..INTERVALS {
        let rising: Vec<String> =
            trends.iter().filter(|(_, trend)| trend.has_only_risen()).map(|(group, _)| group.clone()).collect();
        if rising.is_empty() {
            break;
        }
        tokio::time::sleep(INTERVAL).await;
        for group in groups::describe(peers, view, Some(&rising), LOOK_LIMIT).await? {
            if let Some(trend) = trends.get_mut(&group.group) {
                trend.add(&group);
            }
        }
    }
    Ok(Seen { known, trends })
}

impl Trend {
    fn add(&mut self, group: &GroupView) {
        self.members = group.members.len();
        self.lags.push(group.lag());
    }

    fn last(&self) -> u64 {
        self.lags.last().copied().unwrap_or(0)
    }

    /// Whether there is lag, and each look showed more than the one before.
    fn has_only_risen(&self) -> bool {
        self.last() > 0 && self.lags.is_sorted_by(|earlier, later| earlier < later)
    }

    fn falls_behind(&self) -> bool {
        self.lags.len() > INTERVALS && self.has_only_risen()
    }
}

fn judge(seen: &Seen, wanted: &[String]) -> Vec<Check> {
    let mut checks: Vec<Check> = wanted
        .iter()
        .filter(|group| !seen.trends.contains_key(*group))
        .map(|group| unseen(group, &seen.known))
        .collect();
    let keeping_up: Vec<String> =
        seen.trends.iter().filter(|(_, trend)| trend.last() == 0).map(|(group, _)| format!("`{group}`")).collect();
    if !keeping_up.is_empty() {
        checks.push(Check::ok(NAME, format!("without lag: {}", in_words(keeping_up))));
    }
    checks
        .extend(seen.trends.iter().filter(|(_, trend)| trend.last() > 0).map(|(group, trend)| judge_lag(group, trend)));
    if checks.is_empty() {
        checks.push(Check::ok(NAME, "there is none"));
    }
    checks
}

fn unseen(group: &str, known: &[String]) -> Check {
    if known.iter().any(|other| other == group) {
        let found = format!("`{group}` is there, but its coordinator does not answer");
        return Check::warning(NAME, found, "see `brokers`; a coordinator that is down is replaced within seconds");
    }
    let meant = nearest(group, known.iter().map(String::as_str));
    let meant = meant.map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
    let help = format!("{meant}a group comes into being when its first consumer joins");
    Check::problem(NAME, format!("there is no group `{group}`"), help)
}

fn judge_lag(group: &str, trend: &Trend) -> Check {
    let lag = trend.last();
    let lags = format!("`{group}` lags by {}", how_many(usize::try_from(lag).unwrap_or(usize::MAX), "record"));
    let nobody = "start its consumers; the records wait for them as long as the topic keeps them";
    match (trend.falls_behind(), trend.members) {
        (true, members) => {
            let more = lag - trend.lags.first().copied().unwrap_or(0);
            let seconds = INTERVAL.as_secs() * INTERVALS as u64;
            let lags = format!("{lags}, {more} more than {seconds} s ago");
            match members {
                0 => Check::warning(NAME, format!("{lags}: it has no members, so that nobody reads"), nobody),
                members => Check::warning(
                    NAME,
                    format!("{lags}, and has {}", how_many(members, "member")),
                    "it reads more slowly than is written, or hangs: look at its logs; more members help, up to one a partition",
                ),
            }
        }
        (false, 0) => Check::note(NAME, format!("{lags} and has no members: nobody reads"), nobody),
        (false, members) => {
            Check::ok(NAME, format!("{lags}, which does not keep growing; it has {}", how_many(members, "member")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trend(members: usize, lags: &[u64]) -> Trend {
        Trend { members, lags: lags.to_vec() }
    }

    fn level(trend: &Trend) -> Level {
        judge_lag("readers", trend).level
    }

    #[test]
    fn lag_that_rises_at_each_look_is_a_warning_which_says_who_reads() {
        let check = judge_lag("readers", &trend(2, &[10, 40, 70]));
        assert_eq!(check.level, Level::Warning);
        assert!(check.found.contains("60 more than 6 s ago") && check.found.contains("2 members"), "{}", check.found);
        let check = judge_lag("readers", &trend(0, &[10, 40, 70]));
        assert!(check.found.contains("nobody reads"), "{}", check.found);
    }

    #[test]
    fn a_group_that_commits_now_and_then_does_not_fall_behind() {
        // 100 records a second, all of them read, committed every 5 s, looked at in every phase of that.
        for phase in 0..5 {
            let lags = [0, 3, 6].map(|seconds| (phase + seconds) % 5 * 100);
            assert!(!trend(1, &lags).falls_behind(), "{lags:?}");
        }
        // The same, but only half of them are read.
        let lags = [1, 4, 7].map(|seconds| seconds * 100 - (seconds / 5) * 250);
        assert!(trend(1, &lags).falls_behind(), "{lags:?}");
    }

    #[test]
    fn lag_that_stands_still_matters_only_where_nobody_reads() {
        assert_eq!(level(&trend(1, &[50, 50])), Level::Ok);
        assert_eq!(level(&trend(0, &[50, 50])), Level::Note);
        assert_eq!(level(&trend(1, &[50, 20])), Level::Ok);
    }

    #[test]
    fn a_group_that_is_not_there_is_a_problem_and_one_that_cannot_be_asked_a_warning() {
        let known = ["readers".to_owned(), "writers".to_owned()];
        let seen = Seen { known: known.to_vec(), trends: BTreeMap::new() };
        let checks = judge(&seen, &["reader".to_owned(), "writers".to_owned()]);
        assert_eq!(checks.iter().map(|check| check.level).collect::<Vec<_>>(), [Level::Problem, Level::Warning]);
        assert!(checks[0].help.as_deref().is_some_and(|help| help.contains("did you mean `readers`?")));
    }

    #[test]
    fn groups_without_lag_take_one_line() {
        let trends = ["a", "b"].map(|group| (group.to_owned(), trend(1, &[0])));
        let seen = Seen { known: Vec::new(), trends: trends.into_iter().collect() };
        assert_eq!(judge(&seen, &[]), [Check::ok(NAME, "without lag: `a` and `b`")]);
    }
}
