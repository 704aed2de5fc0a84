//! Whether the faults can happen in the order and the time that the scenario gives them.

use std::time::Duration;

use super::faults::Placed;
use super::{names, phases_of};
use crate::fault::{FaultId, Target};
use crate::scenario::problem::{Problems, Span};
use crate::scenario::raw::RawScenario;
use crate::scenario::read::At;
use crate::scenario::timing::{earliest_starts, shortest, starts_after};
use crate::scenario::units::show;
use crate::scenario::{Again, FaultSpec, Phases, Start};

/// References between faults, circles, and the end of the chaos phase.
pub(super) fn check(raw: &RawScenario, placed: &[Placed<'_>], problems: &mut Problems) {
    let specs: Vec<FaultSpec> = placed.iter().map(|fault| fault.spec.clone()).collect();
    let earliest = earliest_starts(&specs);
    for fault in placed {
        if let Start::After { fault: other, .. } = &fault.spec.start
            && refers_to_a_fault(&specs, &fault.spec, other, &fault.start_span(), problems)
            && !earliest.contains_key(&fault.spec.id)
        {
            problems
                .error(&fault.start_span(), format!("fault `{}` never starts", fault.spec.id), "waits in a circle")
                .help("let one fault of the circle, or of the chain before this one, start by `at`");
        }
        let Some(phases) = phases_of(raw) else { continue };
        check_same(&specs, fault, &phases, problems);
        // What goes by the clock is looked at where its first start is.
        if let Some(start) = earliest.get(&fault.spec.id).filter(|_| !matches!(fault.spec.again, Again::ByTheClock(_)))
        {
            check_fits(raw, fault, *start, phases.chaos, problems);
        }
    }
}

fn refers_to_a_fault(
    specs: &[FaultSpec],
    fault: &FaultSpec,
    other: &FaultId,
    span: &Span,
    problems: &mut Problems,
) -> bool {
    if *other == fault.id {
        problems.error(span, format!("fault `{other}` refers to itself"), "itself").help("name another fault");
        return false;
    }
    if specs.iter().any(|spec| spec.id == *other) {
        return true;
    }
    let known: Vec<String> = specs.iter().filter(|spec| spec.id != fault.id).map(|spec| spec.id.0.clone()).collect();
    problems
        .error(span, format!("there is no fault `{other}`"), "not declared by any [[fault]]")
        .help(names::help_for_unknown(&other.0, "other fault", &known));
    false
}

/// `same:` looks back: whom it names must have been struck by then.
fn check_same(specs: &[FaultSpec], fault: &Placed<'_>, phases: &Phases, problems: &mut Problems) {
    for member in fault.spec.target.members() {
        if let Target::Same(other) = member {
            check_looks_back(specs, fault, other, phases, problems);
        }
    }
}

fn check_looks_back(
    specs: &[FaultSpec],
    fault: &Placed<'_>,
    other: &FaultId,
    phases: &Phases,
    problems: &mut Problems,
) {
    let is_it = |at: &&At<Target>| at.value == Target::Same(other.clone());
    let span = fault.raw.kinds.iter().flat_map(|kind| &kind.struck).find(is_it).map(|at| at.span.clone());
    let span = span.unwrap_or_else(|| fault.target_span());
    if !refers_to_a_fault(specs, &fault.spec, other, &span, problems) {
        return;
    }
    let Some(earlier) = specs.iter().find(|spec| spec.id == *other) else { return };
    if !starts_after(specs, &fault.spec, earlier, phases) {
        problems
            .error(&span, format!("fault `{other}` may not have struck anybody yet"), "looks back at it")
            .and_at(fault.start_span(), "starts no later than it, as far as one can tell")
            .help(format!("start this fault by after = \"{other}\""));
    }
    let strikes = fault.spec.kind.facts().strikes;
    if let Some(target) = first_target(specs, earlier).filter(|target| !strikes.takes(target)) {
        let (kind, whom) = (fault.spec.kind.name(), strikes.whom());
        problems
            .error(
                &span,
                format!("`{kind}` strikes {whom}, and fault `{other}` strikes `{target}`"),
                "looks back at it",
            )
            .help(format!("its targets are {}", strikes.forms()));
    }
}

/// The target that a fault has by itself, or by the one that it looks back at.
fn first_target<'a>(specs: &'a [FaultSpec], fault: &'a FaultSpec) -> Option<&'a Target> {
    let mut current = fault;
    for _ in specs {
        let Target::Same(other) = &current.target else { return Some(&current.target) };
        current = specs.iter().find(|spec| spec.id == *other)?;
    }
    None
}

fn check_fits(raw: &RawScenario, fault: &Placed<'_>, start: Duration, chaos: Duration, problems: &mut Problems) {
    // By the clock a fault has to fit however long the seed makes it; what waits for the cluster, if all goes well.
    let length = match (&fault.spec.start, &fault.spec.again) {
        (Start::At(_), Again::Once) => fault.spec.duration.most,
        _ => shortest(&fault.spec),
    };
    let end = start.saturating_add(length);
    // A restart has no length of its own, but it cannot begin when the phase is over.
    let fits = if fault.spec.duration.most.is_zero() { end < chaos } else { end <= chaos };
    if fits {
        return;
    }
    let (message, verb) = match (&fault.spec.start, &fault.spec.again) {
        (Start::At(_), Again::Once) => (format!("fault `{}` outlasts the chaos phase", fault.spec.id), "it ends"),
        _ => (format!("fault `{}` cannot end within the chaos phase", fault.spec.id), "it ends at the earliest"),
    };
    let span = fault.raw.when.length.get().map_or_else(|| fault.start_span(), |at| at.span.clone());
    let problem = problems.error(&span, message, format!("{verb} {} after the phase began", show(end)));
    let phase = raw.phases.value().and_then(|phases| phases.chaos.get());
    if let Some(phase) = phase {
        problem.and_at(phase.span.clone(), "the phase's length");
    }
    problem.help(format!("chaos lasts {}: make it longer, or the fault shorter or earlier", show(chaos)));
}
