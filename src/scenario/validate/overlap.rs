//! Faults in force at the same time: on different brokers they are the point of a scenario; on one broker the second
//! could neither bite nor be proven, and the first's heal would undo it.

use std::time::Duration;

use super::faults::Placed;
use crate::fault::{Need, State, Strikes, Target};
use crate::scenario::problem::Problems;
use crate::scenario::{Again, FaultSpec, Phases, Start};

/// Refuses two faults that certainly strike one broker at once, and warns of two that may by the draw.
pub(super) fn check(placed: &[Placed<'_>], phases: &Phases, problems: &mut Problems) {
    for (index, second) in placed.iter().enumerate() {
        for first in &placed[..index] {
            let overlap = overlap(&first.spec, &second.spec, phases);
            if !collide(&first.spec, &second.spec) || overlap == Overlap::Never {
                continue;
            }
            let ids = (&first.spec.id, &second.spec.id);
            let whom = match second.spec.kind.facts().strikes {
                Strikes::Brokers => "broker",
                Strikes::Clients | Strikes::Producers | Strikes::Members => "client",
                Strikes::Groups => "group",
            };
            let shared = certainly_share(placed, &first.spec, &second.spec);
            if shared && overlap == Overlap::Certain {
                problems
                    .error(
                        &second.target_span(),
                        format!("faults `{}` and `{}` strike the same {whom} at the same time", ids.0, ids.1),
                        "the second",
                    )
                    .and_at(first.target_span(), "the first")
                    .help(format!("start the second by after = \"{}\", or strike another {whom}", ids.0));
            } else if shared || may_share(placed, &first.spec, &second.spec) {
                problems
                    .warn(
                        &second.target_span(),
                        format!("faults `{}` and `{}` may strike the same {whom} at the same time", ids.0, ids.1),
                        "overlaps in time",
                    )
                    .and_at(first.target_span(), "with this")
                    .help("if they do, the second cannot be proven, and the run is inconclusive");
            }
        }
    }
}

/// When the fault may be in force, as far as that is known before the run: from, until. Where chance draws the times, it may be
/// from the first that is possible to the last.
pub(super) fn windows(fault: &FaultSpec, phases: &Phases) -> Vec<(Duration, Duration)> {
    let Start::At(at) = fault.start else { return Vec::new() };
    let lasting = |from: Duration| (from, from + fault.duration.most);
    match &fault.again {
        // Of what strikes in turn the first time is known.
        Again::Once | Again::InTurn { .. } => vec![lasting(at)],
        Again::ByTheClock(rhythm) => match rhythm.starts(phases) {
            Some(starts) => starts.map(lasting).collect(),
            None => vec![(at, rhythm.last(phases).max(at) + fault.duration.most)],
        },
    }
}

/// From when to when it may be in force at all, as far as that is known before the run.
pub(super) fn window(fault: &FaultSpec, phases: &Phases) -> Option<(Duration, Duration)> {
    let windows = windows(fault, phases);
    Some((windows.first()?.0, windows.last()?.1))
}

/// When the fault certainly is in force, if that is known before the run.
fn certain(fault: &FaultSpec) -> Option<(Duration, Duration)> {
    match (&fault.start, &fault.again) {
        (Start::At(at), Again::Once | Again::InTurn { .. }) => Some((*at, *at + fault.duration.least)),
        _ => None,
    }
}

/// Whether two faults are in force at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overlap {
    Never,
    /// It depends on the draw.
    Possible,
    Certain,
}

pub(super) fn overlap(first: &FaultSpec, second: &FaultSpec, phases: &Phases) -> Overlap {
    let meet = |(a, a_end): (Duration, Duration), (b, b_end): (Duration, Duration)| {
        a == b || (a < b && b < a_end) || (b < a && a < b_end)
    };
    let some_meet = || {
        let others = windows(second, phases);
        windows(first, phases).iter().any(|one| others.iter().any(|other| meet(*one, *other)))
    };
    if certain(first).zip(certain(second)).is_some_and(|(one, other)| meet(one, other)) {
        Overlap::Certain
    } else if some_meet() {
        Overlap::Possible
    } else {
        Overlap::Never
    }
}

/// Whether the second could not be told from the first where they meet: both end a broker's process (a fault of the network or
/// of a limit leaves it alone, and outlives its death; a slow disk does not), or both slow one disk, or both change what one
/// client does.
fn collide(first: &FaultSpec, second: &FaultSpec) -> bool {
    let sorts = (first.kind.facts().strikes, second.kind.facts().strikes);
    let ends_process = |fault: &FaultSpec| fault.kind.state().ends_process();
    let slows_disk = |fault: &FaultSpec| fault.kind.facts().needs.contains(&Need::Throttling);
    let is_down = |fault: &FaultSpec| fault.kind.state() == State::Down;
    match sorts {
        (Strikes::Brokers, Strikes::Brokers) => {
            (ends_process(first) && ends_process(second))
                || (slows_disk(first) && (slows_disk(second) || is_down(second)))
                || (slows_disk(second) && is_down(first))
        }
        (
            Strikes::Clients | Strikes::Producers | Strikes::Members,
            Strikes::Clients | Strikes::Producers | Strikes::Members,
        )
        | (Strikes::Groups, Strikes::Groups) => true,
        _ => false,
    }
}

/// Whether chance may let two faults strike the same one.
fn may_share(placed: &[Placed<'_>], first: &FaultSpec, second: &FaultSpec) -> bool {
    let (first, second) = (&origin(placed, first).target, &origin(placed, second).target);
    let is_drawn = |target: &Target| {
        let mut members = target.members().iter();
        members.any(|member| matches!(member, Target::Random(_) | Target::Minority | Target::Majority))
    };
    match (first, second) {
        (Target::Producer { name: a, index: i }, Target::Producer { name: b, index: j })
        | (Target::Member { group: a, index: i }, Target::Member { group: b, index: j }) => {
            a == b && (i.is_none() || j.is_none())
        }
        (Target::Producer { .. } | Target::Member { .. }, _) => false,
        (first, second) => is_drawn(first) || is_drawn(second),
    }
}

/// Whether two faults certainly strike one broker, client or group.
pub(super) fn certainly_share(placed: &[Placed<'_>], first: &FaultSpec, second: &FaultSpec) -> bool {
    let (first, second) = (origin(placed, first), origin(placed, second));
    let share = |a: &Target, b: &Target| match (a, b) {
        (Target::All, _) | (_, Target::All) => true,
        (Target::Broker(a), Target::Broker(b)) => a == b,
        (Target::Producer { index, .. } | Target::Member { index, .. }, other) => index.is_some() && a == other,
        (Target::Group(a), Target::Group(b)) => a == b,
        _ => false,
    };
    let members = |fault: &FaultSpec| fault.target.members().to_vec();
    first.id == second.id || members(first).iter().any(|a| members(second).iter().any(|b| share(a, b)))
}

/// The fault whose brokers this one strikes: itself, unless it says `same:`.
pub(super) fn origin<'a>(placed: &'a [Placed<'_>], fault: &'a FaultSpec) -> &'a FaultSpec {
    let mut current = fault;
    for _ in placed {
        let Target::Same(other) = &current.target else { break };
        let Some(found) = placed.iter().find(|fault| fault.spec.id == *other) else { break };
        current = &found.spec;
    }
    current
}
