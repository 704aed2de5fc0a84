//! From the file as written to a [`Scenario`] that nobody needs to check again, or to all its problems at once.
//!
//! A value that could not be read has been noted by the reader; the checks here look only at values that could, so that
//! one mistake is told once and not again by everything that depends on it.

mod access;
mod attach;
mod client;
mod cluster;
mod expect;
mod faults;
mod load;
mod names;
mod overlap;
mod promises;
mod retention;
mod timing;
mod warnings;

pub use cluster::DEFAULT_HEAP_BYTES;

use super::problem::{Problems, Span};
use super::raw::{RawPhases, RawScenario};
use super::read::{At, Field};
use super::{EvidenceFloor, Phases, Scenario};

/// Checks everything; a scenario only if nothing is wrong.
pub(super) fn validate(raw: &RawScenario, problems: &mut Problems) -> Option<Scenario> {
    let scenario = Scenario {
        name: names::scenario(raw, problems),
        description: raw.description.value().cloned(),
        seed: raw.seed.value().copied(),
        cluster: cluster::cluster(raw, problems),
        topics: cluster::topics(raw, problems),
        producers: load::producers(raw, problems),
        groups: load::groups(raw, problems),
        phases: phases(raw, problems),
        faults: faults::faults(raw, problems),
        expect: expect::expectations(raw, problems),
        evidence: evidence(raw),
        thresholds: expect::thresholds(raw, problems),
    };
    names::clients_are_distinct(raw, problems);
    if problems.any_error() {
        return None;
    }
    warnings::warnings(raw, &scenario, problems);
    Some(scenario)
}

/// The phases, each of which takes some time.
fn phases(raw: &RawScenario, problems: &mut Problems) -> Phases {
    let Some(phases) = raw.phases.value() else {
        return Phases::default();
    };
    let RawPhases { span: _, warmup, chaos, recovery, drain } = phases;
    let named = [("warmup", warmup), ("chaos", chaos), ("recovery", recovery), ("drain", drain)];
    for (key, phase) in named {
        if let Some(at) = phase.get().filter(|at| at.value.is_zero()) {
            problems
                .error(&at.span, format!("the {key} phase takes no time"), "zero")
                .help("every phase needs some time: without it the verdict would rest on nothing");
        }
    }
    let default = Phases::default();
    Phases {
        warmup: warmup.or(default.warmup),
        chaos: chaos.or(default.chaos),
        recovery: recovery.or(default.recovery),
        drain: drain.or(default.drain),
    }
}

fn evidence(raw: &RawScenario) -> EvidenceFloor {
    let default = EvidenceFloor::default();
    raw.evidence.value().map_or(default, |evidence| EvidenceFloor {
        acked: evidence.acked.or(default.acked),
        sends_per_fault: evidence.sends_per_fault.or(default.sends_per_fault),
    })
}

/// The items of a list of tables; none when it is missing or unreadable.
fn items<T>(field: &Field<Vec<At<T>>>) -> impl Iterator<Item = &T> {
    field.value().into_iter().flatten().map(|at| &at.value)
}

/// A key that its table cannot do without.
fn require<'a, T>(
    field: &'a Field<T>,
    table: &str,
    table_span: &Span,
    key: &str,
    example: &str,
    problems: &mut Problems,
) -> Option<&'a At<T>> {
    if field.is_missing() {
        problems
            .error(table_span, format!("{table} needs the key `{key}`"), format!("`{key}` is missing"))
            .help(format!("add a line such as: {example}"));
    }
    field.get()
}

/// A count of at least one and at most `most`, which is far above sense and below harm.
fn count(field: &Field<u32>, key: &str, default: u32, most: u32, problems: &mut Problems) -> u32 {
    if let Some(At { value, span }) = field.get() {
        if *value == 0 {
            problems.error(span, format!("`{key}` cannot be 0"), "none").help("write at least 1");
        } else if *value > most {
            problems
                .error(span, format!("`{key}` cannot be {value}"), "too many")
                .help(format!("write at most {most}: one machine can do no more"));
        }
    }
    field.or(default)
}
