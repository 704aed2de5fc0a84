//! Faults in force at the same time: on different brokers they are the point of a scenario; on one broker the second
//! could neither bite nor be proven, and the first's heal would undo it.

use std::time::Duration;

use super::faults::Placed;
use crate::fault::Target;
use crate::scenario::problem::Problems;
use crate::scenario::{FaultSpec, Start};

/// Refuses two faults that certainly strike one broker at once, and warns of two that may by the draw.
pub(super) fn check(placed: &[Placed<'_>], problems: &mut Problems) {
    for (index, second) in placed.iter().enumerate() {
        for first in &placed[..index] {
            if !overlap(&first.spec, &second.spec) {
                continue;
            }
            let ids = (&first.spec.id, &second.spec.id);
            if certainly_share(placed, &first.spec, &second.spec) {
                problems
                    .error(
                        &second.target_span(),
                        format!("faults `{}` and `{}` strike the same broker at the same time", ids.0, ids.1),
                        "the second",
                    )
                    .and_at(first.target_span(), "the first")
                    .help(format!("start the second by after = \"{}\", or strike another broker", ids.0));
            } else if drawn(&first.spec.target) || drawn(&second.spec.target) {
                problems
                    .warn(
                        &second.target_span(),
                        format!("faults `{}` and `{}` may strike the same broker at the same time", ids.0, ids.1),
                        "overlaps in time",
                    )
                    .and_at(first.target_span(), "with this")
                    .help("if they do, the second cannot be proven, and the run is inconclusive");
            }
        }
    }
}

/// When the fault is in force, if that is known before the run: from, until.
pub(super) fn window(fault: &FaultSpec) -> Option<(Duration, Duration)> {
    match fault.start {
        Start::At(at) => Some((at, at + fault.duration)),
        Start::After { .. } => None,
    }
}

fn overlap(first: &FaultSpec, second: &FaultSpec) -> bool {
    let (Some((a, a_end)), Some((b, b_end))) = (window(first), window(second)) else { return false };
    a == b || (a < b && b < a_end) || (b < a && a < b_end)
}

fn drawn(target: &Target) -> bool {
    matches!(target, Target::Random(_) | Target::Minority | Target::Majority)
}

fn certainly_share(placed: &[Placed<'_>], first: &FaultSpec, second: &FaultSpec) -> bool {
    let (first, second) = (origin(placed, first), origin(placed, second));
    first.id == second.id
        || matches!((&first.target, &second.target), (Target::All, _) | (_, Target::All))
        || matches!((&first.target, &second.target), (Target::Broker(a), Target::Broker(b)) if a == b)
}

/// The fault whose brokers this one strikes: itself, unless it says `same:`.
fn origin<'a>(placed: &'a [Placed<'_>], fault: &'a FaultSpec) -> &'a FaultSpec {
    let mut current = fault;
    for _ in placed {
        let Target::Same(other) = &current.target else { break };
        let Some(found) = placed.iter().find(|fault| fault.spec.id == *other) else { break };
        current = &found.spec;
    }
    current
}
