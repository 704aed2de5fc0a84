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
use crate::kafka::{ClusterView, GroupMissing, GroupView, Lag, Missing};
use crate::scenario::suggest::nearest;

const NAME: &str = "groups";

/// What to do where a group's coordinator does not tell.
const COORDINATOR_HELP: &str = "see `brokers`; a coordinator that is down is replaced within seconds";

const INTERVAL: Duration = Duration::from_secs(3);
const INTERVALS: usize = 2;

/// What was seen of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trend {
    members: usize,
    /// Its lag at each look.
    lags: Vec<Lag>,
}

/// What was seen of all groups.
struct Seen {
    known: Vec<String>,
    trends: BTreeMap<String, Trend>,
    missing: Vec<GroupMissing>,
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
    let missing = first.missing;
    let mut trends: BTreeMap<String, Trend> = first
        .groups
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
        for group in groups::describe(peers, view, Some(&rising), LOOK_LIMIT).await?.groups {
            if let Some(trend) = trends.get_mut(&group.group) {
                trend.add(&group);
            }
        }
    }
    Ok(Seen { known, trends, missing })
}

impl Trend {
    fn add(&mut self, group: &GroupView) {
        self.members = group.members.len();
        self.lags.push(group.lag());
    }

    fn last(&self) -> Lag {
        self.lags.last().copied().unwrap_or_default()
    }

    /// Whether there is lag, and each look showed more than the one before, of as many partitions: one that was unknown
    /// and is known now adds its whole lag at once.
    fn has_only_risen(&self) -> bool {
        self.last().records > 0
            && self
                .lags
                .is_sorted_by(|earlier, later| earlier.records < later.records && earlier.unknown() == later.unknown())
    }

    fn falls_behind(&self) -> bool {
        self.lags.len() > INTERVALS && self.has_only_risen()
    }
}

fn judge(seen: &Seen, wanted: &[String]) -> Vec<Check> {
    let mut checks: Vec<Check> =
        wanted.iter().filter(|group| !seen.trends.contains_key(*group)).map(|group| unseen(group, seen)).collect();
    let told = |missing: &&GroupMissing| match &missing.what {
        Missing::Group(group) => !wanted.contains(group),
        Missing::CoordinatedBy(_) | Missing::All => true,
    };
    checks.extend(seen.missing.iter().filter(told).map(|GroupMissing { what, reason }| {
        Check::warning(NAME, format!("nothing is known of {what}: {reason}"), COORDINATOR_HELP)
    }));
    let (keeping_up, others): (Vec<_>, Vec<_>) = seen.trends.iter().partition(|(_, trend)| trend.last().is_none());
    if !keeping_up.is_empty() {
        let groups: Vec<String> = keeping_up.into_iter().map(|(group, _)| format!("`{group}`")).collect();
        checks.push(Check::ok(NAME, format!("without lag: {}", in_words(groups))));
    }
    checks.extend(others.into_iter().flat_map(|(group, trend)| judge_one(group, trend)));
    if checks.is_empty() {
        checks.push(Check::ok(NAME, "there is none"));
    }
    checks
}

fn unseen(group: &str, seen: &Seen) -> Check {
    let is_it = |missing: &&GroupMissing| missing.what == Missing::Group(group.to_owned());
    if let Some(missing) = seen.missing.iter().find(is_it) {
        let found = format!("`{group}` is there, but nothing more is known of it: {}", missing.reason);
        return Check::warning(NAME, found, COORDINATOR_HELP);
    }
    if seen.known.iter().any(|other| other == group) {
        return Check::warning(NAME, format!("`{group}` was there, and is gone"), "look again");
    }
    if seen.missing.iter().any(|missing| !matches!(missing.what, Missing::Group(_))) {
        let found = format!("there is no group `{group}` among those that could be asked for");
        return Check::warning(NAME, found, COORDINATOR_HELP);
    }
    let meant = nearest(group, seen.known.iter().map(String::as_str));
    let meant = meant.map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
    let help = format!("{meant}a group comes into being when its first consumer joins");
    Check::problem(NAME, format!("there is no group `{group}`"), help)
}

/// What is known of a lag, and what is not: each is told.
fn judge_one(group: &str, trend: &Trend) -> Vec<Check> {
    let lag = trend.last();
    let known = (lag.records > 0).then(|| judge_lag(group, trend));
    known.into_iter().chain(judge_doubt(group, lag)).collect()
}

fn judge_doubt(group: &str, lag: Lag) -> Vec<Check> {
    let partitions = |count| how_many(count, "partition");
    let mut checks = Vec::new();
    if lag.beyond > 0 {
        checks.push(Check::warning(
            NAME,
            format!("`{group}` committed beyond the end of {}", partitions(lag.beyond)),
            "records that it had read are gone: an unclean election cut the log off, or the topic was made anew; `auto.offset.reset` of its clients decides where they go on",
        ));
    }
    if lag.unanswered > 0 {
        checks.push(Check::warning(
            NAME,
            format!("the lag of `{group}` is unknown in {}: no leader tells the end", partitions(lag.unanswered)),
            "see `cluster` and `brokers`",
        ));
    }
    if lag.uncommitted > 0 {
        checks.push(Check::note(
            NAME,
            format!("the lag of `{group}` is unknown in {}: nothing is committed yet", partitions(lag.uncommitted)),
            "`auto.offset.reset` of its clients decides where they begin; the lag is known once they commit",
        ));
    }
    checks
}

fn judge_lag(group: &str, trend: &Trend) -> Check {
    let Lag { records: lag, .. } = trend.last();
    let least = if trend.last().unknown() > 0 { "at least " } else { "" };
    let lags = format!("`{group}` lags by {least}{}", how_many(usize::try_from(lag).unwrap_or(usize::MAX), "record"));
    let nobody = "start its consumers; the records wait for them as long as the topic keeps them";
    match (trend.falls_behind(), trend.members) {
        (true, members) => {
            let more = lag - trend.lags.first().map_or(0, |first| first.records);
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
mod tests;
