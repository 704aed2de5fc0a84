//! Records that Kafka deletes by age or size before the drain has read them.

use super::items;
use crate::scenario::Scenario;
use crate::scenario::leaf::{Properties, Property};
use crate::scenario::problem::Problems;
use crate::scenario::raw::RawScenario;

const HELP: &str = "leave it out, or write -1 to keep every record: what is deleted before the drain cannot be checked, and \
     the run may be inconclusive";

/// Warns of retention by time that is shorter than the run, and of any by size.
pub(super) fn warn(raw: &RawScenario, scenario: &Scenario, problems: &mut Problems) {
    let phases = &scenario.phases;
    let run =
        [phases.warmup, phases.chaos, phases.recovery, phases.drain].iter().map(std::time::Duration::as_millis).sum();
    for config in items(&raw.topics).filter_map(|topic| topic.config.value()) {
        by_time(config, &[("retention.ms", 1)], run, problems);
        by_size(config, "retention.bytes", problems);
    }
    if let Some(config) = raw.cluster.value().and_then(|cluster| cluster.config.value()) {
        let units = [("log.retention.ms", 1), ("log.retention.minutes", 60_000), ("log.retention.hours", 3_600_000)];
        by_time(config, &units, run, problems);
        by_size(config, "log.retention.bytes", problems);
    }
}

/// The finest unit that is set decides, as it does in Kafka.
fn by_time(config: &Properties, units: &[(&str, u128)], run_ms: u128, problems: &mut Problems) {
    let set = units.iter().find_map(|(name, unit_ms)| Some((config.any_of(&[*name])?, *unit_ms)));
    let Some((property, unit_ms)) = set else { return };
    if limit(property).is_some_and(|limit| u128::from(limit) * unit_ms < run_ms) {
        problems
            .warn(
                &property.span,
                "records may be deleted before the drain has read them",
                format!("less than the phases take together, {} s", run_ms.div_ceil(1000)),
            )
            .help(HELP);
    }
}

/// How much a run writes is not known beforehand.
fn by_size(config: &Properties, name: &str, problems: &mut Problems) {
    if let Some(property) = config.any_of(&[name]).filter(|property| limit(property).is_some()) {
        problems
            .warn(&property.span, "records may be deleted before the drain has read them", "deletes by size")
            .help(HELP);
    }
}

/// The limit; none for -1, and none for what is no number, which Kafka itself refuses.
fn limit(property: &Property) -> Option<u64> {
    property.value.trim().parse().ok()
}
