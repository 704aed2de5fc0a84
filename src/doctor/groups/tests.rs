//! What is said of groups, their lag, and what is not known of it.

use super::*;
use crate::kafka::BrokerId;

fn trend(members: usize, lags: &[u64]) -> Trend {
    let lags = lags.iter().map(|records| Lag { records: *records, ..Lag::default() });
    Trend { members, lags: lags.collect() }
}

fn levels(checks: &[Check]) -> Vec<Level> {
    checks.iter().map(|check| check.level).collect()
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
    let missing =
        [GroupMissing { what: Missing::Group("writers".to_owned()), reason: "no answer within 5 s".to_owned() }];
    let mut seen = Seen { known: known.to_vec(), trends: BTreeMap::new(), missing: Vec::new() };
    let checks = judge(&seen, &["reader".to_owned()]);
    assert_eq!(levels(&checks), [Level::Problem]);
    assert!(checks[0].help.as_deref().is_some_and(|help| help.contains("did you mean `readers`?")));
    seen.missing = missing.to_vec();
    let checks = judge(&seen, &["writers".to_owned()]);
    assert_eq!(levels(&checks), [Level::Warning]);
    assert!(checks[0].found.contains("no answer within 5 s"), "{}", checks[0].found);
    assert_eq!(levels(&judge(&seen, &[])), [Level::Warning], "asked for or not");
    let what = Missing::CoordinatedBy(BrokerId(2));
    seen.missing.push(GroupMissing { what, reason: "no answer within 5 s".to_owned() });
    let checks = judge(&seen, &["reader".to_owned()]);
    assert!(checks.iter().all(|check| check.level == Level::Warning), "broker-2 may know it: {checks:?}");
}

#[test]
fn a_lag_that_is_unknown_anywhere_is_never_without_lag() {
    let lags = [
        (Lag { uncommitted: 1, ..Lag::default() }, vec![Level::Note]),
        (Lag { unanswered: 2, ..Lag::default() }, vec![Level::Warning]),
        (Lag { beyond: 1, ..Lag::default() }, vec![Level::Warning]),
        (Lag { records: 5, unanswered: 1, ..Lag::default() }, vec![Level::Ok, Level::Warning]),
    ];
    for (lag, expected) in lags {
        let trends = [("g".to_owned(), Trend { members: 1, lags: vec![lag] })].into();
        let checks = judge(&Seen { known: Vec::new(), trends, missing: Vec::new() }, &[]);
        assert_eq!(levels(&checks), expected, "{checks:?}");
        assert!(checks.iter().all(|check| !check.found.contains("without lag")), "{checks:?}");
    }
    let at_least =
        judge_lag("g", &Trend { members: 1, lags: vec![Lag { records: 5, unanswered: 1, ..Lag::default() }] });
    assert!(at_least.found.contains("at least 5 records"), "{}", at_least.found);
}

#[test]
fn a_partition_that_becomes_known_is_no_rise() {
    let unknown = Lag { records: 1, unanswered: 1, ..Lag::default() };
    let known = [10, 20].map(|records| Lag { records, ..Lag::default() });
    assert!(!Trend { members: 1, lags: vec![unknown, known[0], known[1]] }.falls_behind());
}

#[test]
fn groups_without_lag_take_one_line() {
    let trends = ["a", "b"].map(|group| (group.to_owned(), trend(1, &[0])));
    let seen = Seen { known: Vec::new(), trends: trends.into_iter().collect(), missing: Vec::new() };
    assert_eq!(judge(&seen, &[]), [Check::ok(NAME, "without lag: `a` and `b`")]);
}
