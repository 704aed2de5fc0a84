//! Faults in force at the same time that put back the same thing as they found it: a setting, a partition's replicas, a
//! broker's limits. One of them found what the other had made of it, and that would outlast both.

use std::time::Duration;

use super::faults::Placed;
use super::overlap::{Overlap, certainly_share, origin, overlap, window};
use crate::fault::keepsake::Keepsake;
use crate::fault::{FaultId, Target};
use crate::scenario::problem::Problems;
use crate::scenario::{Again, FaultSpec, Phases, Start};

/// Refuses two faults that certainly change one thing at once, and warns of two that may.
pub(super) fn check(placed: &[Placed<'_>], phases: &Phases, problems: &mut Problems) {
    for (index, second) in placed.iter().enumerate() {
        for first in &placed[..index] {
            let Some(thing) = in_common(&first.spec, &second.spec) else { continue };
            let Some(sharing) = sharing(placed, &thing, &first.spec, &second.spec) else { continue };
            let ids = (&first.spec.id, &second.spec.id);
            match (sharing, meeting(placed, &first.spec, &second.spec, phases)) {
                (_, Overlap::Never) => {}
                (Sharing::Certain, Overlap::Certain) => {
                    problems
                        .error(
                            &second.change_span(),
                            format!("faults `{}` and `{}` change {thing} at the same time", ids.0, ids.1),
                            "the second",
                        )
                        .and_at(first.change_span(), "the first")
                        .help(format!(
                            "each puts back what it found, so that what one of them made would outlast both; start the \
                             second by after = \"{}\"",
                            ids.0
                        ));
                }
                _ => {
                    problems
                        .warn(
                            &second.change_span(),
                            format!("faults `{}` and `{}` may change {thing} at the same time", ids.0, ids.1),
                            "may overlap in time",
                        )
                        .and_at(first.change_span(), "with this")
                        .help(format!(
                            "if they do, what one of them made outlasts both, because each puts back what it found; \
                             after = \"{}\" keeps the second from it",
                            ids.0
                        ));
                }
            }
        }
    }
}

/// The first thing that both put back.
fn in_common(first: &FaultSpec, second: &FaultSpec) -> Option<Keepsake> {
    let others = second.kind.keepsakes();
    first.kind.keepsakes().into_iter().find(|thing| others.contains(thing))
}

/// Whether it is the same one that both change, where they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sharing {
    /// It depends on whom they meet.
    Possible,
    Certain,
}

/// `None` where each certainly changes another one.
fn sharing(placed: &[Placed<'_>], thing: &Keepsake, first: &FaultSpec, second: &FaultSpec) -> Option<Sharing> {
    if !thing.is_of_each_broker() || certainly_share(placed, first, second) {
        return Some(Sharing::Certain);
    }
    let (first, second) = (origin(placed, first), origin(placed, second));
    let is_fixed = |fault: &FaultSpec| fault.target.members().iter().all(|one| matches!(one, Target::Broker(_)));
    if is_fixed(first) && is_fixed(second) { None } else { Some(Sharing::Possible) }
}

/// Whether they are in force at the same time. A heal takes its time too, so that two which touch may meet.
fn meeting(placed: &[Placed<'_>], first: &FaultSpec, second: &FaultSpec, phases: &Phases) -> Overlap {
    if follows(placed, first, &second.id) || follows(placed, second, &first.id) {
        return Overlap::Never;
    }
    if overlap(first, second, phases) == Overlap::Certain {
        return Overlap::Certain;
    }
    let ((a, a_end), (b, b_end)) = (possible(placed, first, phases), possible(placed, second, phases));
    if a <= b_end && b <= a_end { Overlap::Possible } else { Overlap::Never }
}

/// When it may be in force, as far as anybody knows: from, until.
fn possible(placed: &[Placed<'_>], fault: &FaultSpec, phases: &Phases) -> (Duration, Duration) {
    let known = window(fault, phases).filter(|_| !matches!(fault.again, Again::InTurn { .. }));
    known.unwrap_or_else(|| (earliest(placed, fault), Duration::MAX))
}

/// When it begins at the earliest.
fn earliest(placed: &[Placed<'_>], fault: &FaultSpec) -> Duration {
    let own = |fault: &FaultSpec| match fault.start {
        Start::At(at) => at,
        Start::After { delay, .. } => delay,
    };
    let waited = ahead(placed, fault).map(|before| own(before).saturating_add(before.duration.least));
    waited.fold(own(fault), Duration::saturating_add)
}

/// Whether it begins only when that other one is over.
fn follows(placed: &[Placed<'_>], fault: &FaultSpec, other: &FaultId) -> bool {
    ahead(placed, fault).any(|before| before.id == *other)
}

/// The faults that it waits for, one after another.
fn ahead<'a>(placed: &'a [Placed<'_>], fault: &'a FaultSpec) -> impl Iterator<Item = &'a FaultSpec> {
    let before = |fault: &'a FaultSpec| match &fault.start {
        Start::At(_) => None,
        Start::After { fault, .. } => placed.iter().map(|placed| &placed.spec).find(|spec| spec.id == *fault),
    };
    // Faults that wait in a circle are refused elsewhere.
    std::iter::successors(before(fault), move |fault| before(fault)).take(placed.len())
}
