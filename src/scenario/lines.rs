//! Where a scenario's file says what, for those who tell of a run's end beside the line that it concerns.

use std::collections::BTreeMap;

use super::Metric;
use super::problem::{Problems, Span, line_of};
use super::raw::{self, RawScenario};
use super::read::{At, Field};
use crate::anomaly::CheckName;
use crate::fault::FaultId;

/// What stands nowhere in the file is told at its top, where a scenario says what it is about.
const TOP: usize = 1;

/// The lines, counted from 1, of a scenario's faults, expectations and thresholds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    faults: BTreeMap<FaultId, usize>,
    checks: BTreeMap<CheckName, usize>,
    thresholds: BTreeMap<Metric, usize>,
}

impl Lines {
    /// Looks them up in a scenario's text; in one that is no TOML there are none.
    pub fn of(text: &str) -> Self {
        // What is wrong with the text has been told when it was parsed.
        raw::read(text, &mut Problems::new("", text)).map(|raw| Self::in_raw(text, &raw)).unwrap_or_default()
    }

    fn in_raw(text: &str, raw: &RawScenario) -> Self {
        let line = |span: &Span| line_of(text, span.start);
        let faults = items(&raw.faults).filter_map(|fault| {
            let id = fault.value.when.id.value()?;
            Some((FaultId(id.clone()), line(fault.value.start_span())))
        });
        let thresholds = items(&raw.thresholds).filter_map(|threshold| {
            let metric = threshold.value.metric.value()?;
            Some((*metric, line(threshold.value.max.get().map_or(&threshold.value.span, |max| &max.span))))
        });
        let expect = raw.expect.value().into_iter().flat_map(|expect| &expect.0);
        Self {
            faults: faults.collect(),
            checks: expect.map(|(check, at)| (*check, line(&at.span))).collect(),
            thresholds: thresholds.collect(),
        }
    }

    /// Where a fault says when it starts.
    pub fn of_fault(&self, fault: &FaultId) -> usize {
        self.faults.get(fault).copied().unwrap_or(TOP)
    }

    /// Where it says what is expected of a check.
    pub fn of_check(&self, check: CheckName) -> usize {
        self.checks.get(&check).copied().unwrap_or(TOP)
    }

    /// Where it says how much of a metric is fine.
    pub fn of_threshold(&self, metric: Metric) -> usize {
        self.thresholds.get(&metric).copied().unwrap_or(TOP)
    }

    /// Where the scenario as a whole is told of.
    pub fn top() -> usize {
        TOP
    }
}

fn items<T>(field: &Field<Vec<At<T>>>) -> impl Iterator<Item = &At<T>> {
    field.value().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# What it is about.
name = "three"

[[fault]]
id = "kill"
for = "2s"
at = "1s"
kill = { target = "broker:1" }

[[fault]]
id = "again"
every = "4s"
for = "1s"
pause = { target = "broker:2" }

[expect]
duplicate = "allowed"
lost-write = "required"

[[threshold]]
metric = "recovery"
max = "20s"
"#;

    #[test]
    fn a_fault_lies_where_it_says_when_it_starts() {
        let lines = Lines::of(TEXT);
        let of = |fault: &str| lines.of_fault(&FaultId(fault.to_owned()));
        assert_eq!((of("kill"), of("again")), (7, 12));
    }

    #[test]
    fn an_expectation_and_a_threshold_lie_where_they_are_written() {
        let lines = Lines::of(TEXT);
        assert_eq!((lines.of_check(CheckName::Duplicate), lines.of_check(CheckName::LostWrite)), (17, 18));
        assert_eq!(lines.of_threshold(Metric::Recovery), 22);
    }

    #[test]
    fn what_stands_nowhere_is_told_at_the_top() {
        for text in [TEXT, "this is no TOML", ""] {
            let lines = Lines::of(text);
            assert_eq!(lines.of_check(CheckName::Phantom), Lines::top(), "{text}");
            assert_eq!(lines.of_threshold(Metric::CatchUp), Lines::top(), "{text}");
            assert_eq!(lines.of_fault(&FaultId("nobody".to_owned())), Lines::top(), "{text}");
        }
    }
}
