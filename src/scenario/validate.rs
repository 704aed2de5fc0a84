//! From the file as written to a [`Scenario`] that nobody needs to check again, or to all its problems at once.
//!
//! A value that could not be read has been noted by the reader; the checks here look only at values that could, so that
//! one mistake is told once and not again by everything that depends on it.

mod access;
mod again;
mod attach;
mod client;
mod cluster;
mod expect;
mod faults;
mod fence;
mod full_disk;
mod keepsakes;
mod load;
mod names;
mod overlap;
mod promises;
mod reach;
mod required;
mod retention;
mod safety;
mod timing;
mod transactions;
mod transformer;
mod warnings;
mod wipe;

pub use cluster::DEFAULT_HEAP_BYTES;

use super::problem::{Place, Problems, Span};
use super::raw::{RawFault, RawPhases, RawScenario};
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
        transformers: transformer::transformers(raw, problems),
        phases: phases(raw, problems),
        faults: faults::faults(raw, problems),
        safety: safety::safety(raw, problems),
        expect: expect::expectations(raw, problems),
        evidence: evidence(raw),
        thresholds: expect::thresholds(raw, problems),
    };
    names::clients_are_distinct(raw, problems);
    safety::check(raw, &scenario, problems);
    wipe::check(raw, &scenario, problems);
    required::check(raw, &scenario, problems);
    if problems.any_error() {
        return None;
    }
    warnings::warnings(raw, &scenario, problems);
    Some(scenario)
}

/// Where each fault's kind stands, in the order of the file.
pub(super) fn places(raw: &RawScenario, problems: &Problems) -> Vec<Place> {
    let kind = |fault: &RawFault| fault.kinds.first().map_or_else(|| fault.span.clone(), |kind| kind.span.clone());
    items(&raw.faults).map(|fault| problems.place(kind(fault))).collect()
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

/// The phases as written or by default, for those who look at faults; `None` when the chaos phase could not be read.
fn phases_of(raw: &RawScenario) -> Option<Phases> {
    let default = Phases::default();
    let Some(phases) = raw.phases.value() else { return raw.phases.is_missing().then_some(default) };
    let chaos = if phases.chaos.is_missing() { default.chaos } else { *phases.chaos.value()? };
    Some(Phases { warmup: phases.warmup.or(default.warmup), chaos, ..default })
}

fn evidence(raw: &RawScenario) -> EvidenceFloor {
    let default = EvidenceFloor::default();
    raw.evidence.value().map_or(default, |evidence| EvidenceFloor {
        acked: evidence.acked.or(default.acked),
        sends_per_fault: evidence.sends_per_fault.or(default.sends_per_fault),
        rate_millionths: evidence.rate.value().map(|share| share.0),
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
