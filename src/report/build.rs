//! From a stored run and its verdict to a [`Report`]: everything that is counted, bucketed or looked up happens here, once.

mod broker_log;
mod cards;
mod circumstances;
mod faults;
mod groups;
mod incidents;
mod lag;
mod lanes;
mod latency;
mod partitions;
mod seconds;

use std::sync::Arc;

pub use broker_log::BrokerLog;

use broker_log::BrokerLines;

use super::{FaultBand, PhaseSpan, Report};
use crate::anomaly::{Anomaly, CheckResult};
use crate::history::tally::{Asked, Tally};
use crate::history::{Closure, Environment, EventKind, History, ProcessRole};
use crate::kafka::{ProcessId, TimeNs};
use crate::plan::Plan;
use crate::report::Standing;
use crate::scenario::{ClusterSpec, Scenario};
use crate::verdict::Verdict;

/// Nanoseconds in a second.
const SECOND_NS: u64 = 1_000_000_000;

/// A run is reported up to this long. A time beyond it comes from a damaged file, and must not cost all the memory.
const LONGEST_NS: u64 = 7 * 24 * 3600 * SECOND_NS;

/// What a report is made of.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The stored run.
    pub history: &'a History,
    /// Its scenario.
    pub scenario: &'a Scenario,
    /// The scenario's file, word for word.
    pub scenario_toml: &'a str,
    /// Its plan.
    pub plan: &'a Plan,
    /// What it ran on.
    pub environment: &'a Environment,
    /// What follows from the checks.
    pub verdict: &'a Verdict,
    /// The checks, with every anomaly.
    pub results: &'a [CheckResult],
    /// The brokers' own logs, where they were kept.
    pub broker_logs: &'a [BrokerLog],
}

/// Makes the report. Pure: the same inputs give the same report. Takes any history, also an empty or a cut one.
pub fn build(inputs: Inputs<'_>) -> Report {
    let history = inputs.history;
    let faults = faults::bands(history, inputs.verdict);
    let tally = tally(history, &faults);
    let end_ns = end_of(history, &tally);
    let phases = phases(history, end_ns);
    let partitions = partitions::reports(history, &tally, inputs.verdict, end_ns);
    let anomalies = anomalies(inputs.verdict, inputs.results);
    let circumstances = circumstances::of_all(history, &anomalies, &phases, &faults, end_ns);
    let mut cards = cards::cards(history, &anomalies);
    let lines = BrokerLines::of(inputs.broker_logs, inputs.environment);
    for card in &mut cards {
        card.log = lines.around(&anomalies[card.anomaly], circumstances[card.anomaly].as_ref());
    }
    let mut seconds = seconds::series((history, &tally), end_ns, &phases, &faults);
    lag::mark((history, &tally), inputs.scenario, &mut seconds);
    Report {
        verdict: inputs.verdict.clone(),
        description: inputs.scenario.description.clone(),
        scenario_toml: inputs.scenario_toml.to_owned(),
        plan: inputs.plan.clone(),
        environment: inputs.environment.clone(),
        cut: match &history.closure {
            Closure::Whole => None,
            Closure::Cut(missing) => Some(missing.clone()),
        },
        left_behind: left_behind(history),
        end_ns,
        max_in_flight: tally.sends.in_flight.most(),
        brokers: lanes::brokers(history, inputs.plan, known_brokers(&inputs.scenario.cluster), end_ns),
        controllers: lanes::controllers(history, end_ns),
        groups: groups::reports((history, &tally), inputs.scenario, end_ns),
        latencies: latency::windows(&tally, end_ns, &phases, &faults),
        cards,
        circumstances,
        incidents: incidents::incidents(history),
        seconds,
        phases,
        faults,
        partitions,
        anomalies,
    }
}

/// The brokers that there certainly are. An attached cluster's ids are its own: only what the scenario names is known.
fn known_brokers(cluster: &ClusterSpec) -> Vec<i32> {
    let unnamed = cluster.attach.as_ref().is_some_and(|attach| attach.containers.is_empty());
    if unnamed { Vec::new() } else { cluster.broker_ids() }
}

/// What the run could not undo or remove, as it said itself at its end.
fn left_behind(history: &History) -> Option<String> {
    history.events.iter().rev().find_map(|event| match &event.kind {
        EventKind::LeftBehind { what } => Some(what.clone()),
        _ => None,
    })
}

/// What was counted of the rows: as they went by when the history was read, else now.
fn tally(history: &History, faults: &[FaultBand]) -> Arc<Tally> {
    history.tally.clone().unwrap_or_else(|| {
        let end = history.events.iter().map(|event| event.time_ns).max().unwrap_or(TimeNs(0));
        let asked = Asked { faults: faults.iter().map(|fault| fault.span(end)).collect(), ..Asked::of_phases(history) };
        Arc::new(Tally::of(history, &asked))
    })
}

/// The time of the last thing recorded.
fn end_of(history: &History, tally: &Tally) -> TimeNs {
    let events = history.events.iter().map(|event| event.time_ns);
    TimeNs(events.chain([tally.last()]).map(|time| time.0).max().unwrap_or(0).min(LONGEST_NS))
}

/// Each phase lasts until the next begins; the last one until the end of the run.
fn phases(history: &History, end_ns: TimeNs) -> Vec<PhaseSpan> {
    let mut spans: Vec<PhaseSpan> = Vec::new();
    for event in &history.events {
        if let EventKind::PhaseStarted { phase } = event.kind {
            if let Some(last) = spans.last_mut() {
                last.end_ns = event.time_ns;
            }
            spans.push(PhaseSpan { phase, start_ns: event.time_ns, end_ns });
        }
    }
    spans
}

/// All anomalies, those of checks whose expectation is broken first: they are what a person came for.
fn anomalies(verdict: &Verdict, results: &[CheckResult]) -> Vec<Anomaly> {
    let standing = |result: &CheckResult| {
        verdict
            .checks
            .iter()
            .find(|line| line.check == result.check)
            .map_or(Standing::Unknown, |line| Standing::of_check(line, verdict))
    };
    let mut ordered: Vec<&CheckResult> = results.iter().collect();
    ordered.sort_by_key(|result| (std::cmp::Reverse(standing(result)), result.check));
    ordered.into_iter().flat_map(|result| result.anomalies.iter().cloned()).collect()
}

/// A process as people know it.
fn label(history: &History, process: ProcessId) -> String {
    history.processes.get(&process).map_or_else(|| process.to_string(), ProcessRole::label)
}

#[cfg(test)]
mod tests {
    use super::known_brokers;
    use crate::report::fixture;
    use crate::scenario;

    #[test]
    fn an_attached_clusters_brokers_are_not_guessed() {
        let known = |cluster: &str| {
            let rest = "[[topic]]\nname = \"chat\"\n[[producer]]\nname = \"p\"\ntopic = \"chat\"\n";
            let text = format!("name = \"s\"\n[cluster]\n{cluster}\n{rest}");
            known_brokers(&scenario::parse("s.toml", &text).expect("the test's scenario is right").scenario.cluster)
        };
        let attach = "kind = \"attach\"\nbootstrap = [\"kafka\"]\n";
        assert_eq!(known(""), [1, 2, 3]);
        assert_eq!(known(attach), [0; 0], "ids may be any, and are seen in the history");
        assert_eq!(known(&format!("{attach}brokers = 9\ncontainers = {{ 0 = \"k-0\", 7 = \"k-7\" }}")), [0, 7]);
    }

    #[test]
    fn an_empty_history_makes_an_empty_report() {
        let report = fixture::empty();
        assert!(report.seconds.is_empty() && report.partitions.is_empty() && report.anomalies.is_empty());
        assert!(report.latencies.iter().all(|window| window.latency.is_none()));
    }

    #[test]
    fn a_time_from_a_damaged_file_does_not_exhaust_memory() {
        let report = fixture::with_a_damaged_time();
        assert_eq!(report.seconds.len(), 7 * 24 * 3600 + 1);
    }

    #[test]
    fn anomalies_that_break_an_expectation_come_before_those_that_are_allowed() {
        let report = fixture::invalid();
        assert_eq!(report.anomalies.first().map(|anomaly| anomaly.check.name()), Some("lost-write"));
        assert_eq!(report.anomalies.last().map(|anomaly| anomaly.check.name()), Some("duplicate"));
    }

    #[test]
    fn the_same_run_gives_the_same_report_and_survives_serde() {
        let report = fixture::valid();
        assert_eq!(report, fixture::valid());
        let stored = serde_json::to_string(&report).expect("a report is plain data");
        assert_eq!(serde_json::from_str::<crate::report::Report>(&stored).expect("the same type"), report);
    }
}
