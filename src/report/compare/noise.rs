//! By how much two runs may differ without that meaning anything. `docs/compare.md` has the same table, with reasons.
//!
//! A difference counts only if it is greater than the measure's floor *and* greater than its share of the larger of the two
//! values. The floor keeps small numbers quiet, of which a double is nothing; the share keeps large ones quiet, of which seconds are
//! nothing. By the larger one, so that the two runs may change places. What is not known of
//! one run is told, and not judged.

use serde::Serialize;

use super::{Trend, Unit};

/// How much of a measure is desired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The less the better.
    Less,
    /// The more the better.
    More,
    /// It is what it is.
    Either,
}

/// What may differ, and what is desired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// In what it is counted.
    pub unit: Unit,
    /// Differences up to this are noise.
    pub floor: u64,
    /// And so are those up to this share of the larger value, in percent.
    pub percent: u32,
    /// Which way is better.
    pub wanted: Wanted,
}

const fn less(unit: Unit, floor: u64, percent: u32) -> Allowance {
    Allowance { unit, floor, percent, wanted: Wanted::Less }
}

const fn either(unit: Unit, floor: u64, percent: u32) -> Allowance {
    Allowance { unit, floor, percent, wanted: Wanted::Either }
}

/// How long a partition acknowledged nothing, and when it did again: heartbeats come every 2 s, and decide when a session ends.
pub const OUTAGE: Allowance = less(Unit::Ms, 3_000, 33);
/// How long a group got nothing: a heartbeat of the broker, one of the group, and a rebalance.
pub const STALL: Allowance = less(Unit::Ms, 5_000, 33);
/// Until all was well after a heal: a broker's start on a busy machine, and reading up to the end.
pub const RECOVERY: Allowance = less(Unit::Ms, 5_000, 33);
/// When the groups' partitions changed hands for the last time: one rebalance more or less is nobody's fault.
pub const SETTLED: Allowance = less(Unit::Ms, 10_000, 50);
/// When a send first failed: told, but neither good nor bad.
pub const FIRST_FAILURE: Allowance = either(Unit::Ms, 10_000, 50);
/// The median of latencies.
pub const LATENCY_P50: Allowance = less(Unit::Us, 25_000, 50);
/// The 90th percentile.
pub const LATENCY_P90: Allowance = less(Unit::Us, 250_000, 50);
/// The 99th percentile.
pub const LATENCY_P99: Allowance = less(Unit::Us, 1_000_000, 50);
/// The 99.9th percentile, and the longest.
pub const LATENCY_TAIL: Allowance = less(Unit::Us, 3_000_000, 50);
/// How fast producers sent of what they were asked for.
pub const RATE: Allowance = Allowance { unit: Unit::PerSecond, floor: 20, percent: 5, wanted: Wanted::More };
/// How many records there were: it depends on how long the run took.
pub const RECORDS: Allowance = either(Unit::Count, 1_000, 25);
/// How many sends failed or were given up, and how much a check found.
pub const TROUBLE: Allowance = less(Unit::Count, 100, 50);

/// How many records a group got again. Whether the broker that dies takes the group's commits is chance, and decides whether a stall's
/// worth of records is read anew or nothing is: three real runs of one scenario had 19, 792 and 26,243.
pub fn redelivered(in_a_stall: u64) -> Allowance {
    Allowance { floor: TROUBLE.floor.max(in_a_stall), ..TROUBLE }
}

/// By how much all allowances are multiplied: 1 as a rule, 0 to take every difference for one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Factor(f64);

/// The text is no such factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a number from 0 (every difference counts) to 100, such as 2")]
pub struct NotAFactor;

impl Default for Factor {
    fn default() -> Self {
        Self(1.0)
    }
}

impl std::fmt::Display for Factor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for Factor {
    type Err = NotAFactor;

    fn from_str(text: &str) -> Result<Self, NotAFactor> {
        let factor = text.parse::<f64>().map_err(|_| NotAFactor)?;
        if (0.0..=100.0).contains(&factor) { Ok(Self(factor)) } else { Err(NotAFactor) }
    }
}

/// What a difference is worth.
pub fn judge(before: u64, after: u64, allowance: Allowance, Factor(factor): Factor) -> Trend {
    let (larger, difference) = (before.max(after) as f64, before.abs_diff(after) as f64);
    let floor = allowance.floor as f64 * factor;
    // At most all but a hair: what vanished altogether is always a difference of the whole.
    let share = (f64::from(allowance.percent) / 100.0 * factor).min(0.99) * larger;
    if difference <= floor || difference <= share {
        return Trend::Same;
    }
    match (allowance.wanted, after > before) {
        (Wanted::Either, _) => Trend::Different,
        (Wanted::Less, true) | (Wanted::More, false) => Trend::Worse,
        (Wanted::Less, false) | (Wanted::More, true) => Trend::Better,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one() -> Factor {
        Factor::default()
    }

    #[test]
    fn a_difference_counts_beyond_the_floor_and_the_share_only() {
        assert_eq!(judge(9_000, 12_000, OUTAGE, one()), Trend::Same, "not beyond the floor");
        assert_eq!(judge(60_000, 66_000, OUTAGE, one()), Trend::Same, "beyond the floor, and a tenth only");
        assert_eq!(judge(9_000, 39_000, OUTAGE, one()), Trend::Worse);
        assert_eq!(judge(39_000, 9_000, OUTAGE, one()), Trend::Better);
        assert_eq!(judge(2_000, 1_800, RATE, one()), Trend::Worse, "of a rate more is better");
        assert_eq!(judge(100_000, 200_000, RECORDS, one()), Trend::Different);
    }

    #[test]
    fn a_factor_widens_or_narrows_what_is_noise() {
        let factor = |text: &str| text.parse::<Factor>().expect("a factor");
        assert_eq!(judge(9_000, 13_500, OUTAGE, factor("2")), Trend::Same);
        assert_eq!(judge(9_000, 9_001, OUTAGE, factor("0")), Trend::Worse);
        assert_eq!(judge(9_000, 9_000, OUTAGE, factor("0")), Trend::Same);
        for text in ["", "-1", "NaN", "inf", "101", "much"] {
            assert_eq!(text.parse::<Factor>(), Err(NotAFactor), "{text}");
        }
    }

    #[test]
    fn the_documentation_tells_of_every_allowance() {
        let page = include_str!("../../../docs/compare.md");
        for (row, allowance) in [
            ("unavailability", OUTAGE),
            ("consumers stalled", STALL),
            ("recovery", RECOVERY),
            ("groups settled", SETTLED),
            ("first failure", FIRST_FAILURE),
            ("latency p50", LATENCY_P50),
            ("latency p90", LATENCY_P90),
            ("latency p99", LATENCY_P99),
            ("latency p99.9", LATENCY_TAIL),
            ("rate", RATE),
            ("sent", RECORDS),
            ("failed", TROUBLE),
        ] {
            let line = page.lines().find(|line| line.starts_with("| ") && line.contains(&format!("`{row}`")));
            let line = line.unwrap_or_else(|| panic!("a row for {row}"));
            let floor = allowance.unit.shown(allowance.floor).replace(".0 ", " ");
            let told = format!("| {floor} | {}% |", allowance.percent);
            assert!(line.contains(&told), "{line} lacks {told}");
        }
    }

    proptest! {
        #[test]
        fn two_runs_may_change_places(before in 0_u64..100_000, after in 0_u64..100_000, twice in 0_u8..5) {
            let factor = Factor(f64::from(twice) / 2.0);
            for allowance in [OUTAGE, LATENCY_P50, RATE, RECORDS, TROUBLE] {
                let there = judge(before, after, allowance, factor);
                prop_assert_eq!(judge(after, before, allowance, factor), there.reversed());
            }
        }
    }
}
