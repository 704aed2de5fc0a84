//! Faults that strike producers by their transactional ids: only a producer with `transactions` has one.

use super::faults::Placed;
use super::items;
use crate::fault::{Strikes, Target};
use crate::scenario::FaultSpec;
use crate::scenario::problem::Problems;
use crate::scenario::raw::RawScenario;

/// Refuses those that have nobody to fence.
pub(super) fn check(raw: &RawScenario, placed: &[Placed<'_>], problems: &mut Problems) {
    for fault in placed.iter().filter(|fault| fault.spec.kind.facts().strikes == Strikes::Producers) {
        let Some(Target::Producer { name, .. }) = origin(placed, &fault.spec) else { continue };
        let producer = items(&raw.producers).find(|producer| producer.name.value() == Some(name));
        if let Some(producer) = producer.filter(|producer| producer.transactions.is_missing()) {
            problems
                .error(
                    &fault.target_span(),
                    format!("`{name}` has no transactional id to be fenced by"),
                    "not transactional",
                )
                .and_at(producer.span.clone(), "the producer")
                .help("give the producer transactions = { records = 100 }");
        }
    }
}

/// Whom it strikes, once `same:` is followed; `None` where that leads in a circle or nowhere, which is refused elsewhere.
pub(super) fn origin<'a>(placed: &'a [Placed<'_>], fault: &'a FaultSpec) -> Option<&'a Target> {
    let mut current = fault;
    for _ in 0..=placed.len() {
        let Target::Same(other) = &current.target else { return Some(&current.target) };
        current = &placed.iter().find(|fault| fault.spec.id == *other)?.spec;
    }
    None
}
