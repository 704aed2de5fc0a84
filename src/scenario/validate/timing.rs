//! Whether the faults can happen in the order and the time that the scenario gives them.

use super::faults::Placed;
use super::names;
use crate::fault::{FaultId, Target};
use crate::scenario::problem::{Problems, Span};
use crate::scenario::raw::RawScenario;
use crate::scenario::timing::{earliest_starts, starts_after};
use crate::scenario::units::show;
use crate::scenario::{FaultSpec, Phases, Start};

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
        check_same(&specs, fault, problems);
        if let Some(start) = earliest.get(&fault.spec.id) {
            check_fits(raw, fault, *start, problems);
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
fn check_same(specs: &[FaultSpec], fault: &Placed<'_>, problems: &mut Problems) {
    let Target::Same(other) = &fault.spec.target else { return };
    let span = fault.target_span();
    if !refers_to_a_fault(specs, &fault.spec, other, &span, problems) {
        return;
    }
    let Some(earlier) = specs.iter().find(|spec| spec.id == *other) else { return };
    if !starts_after(specs, &fault.spec, earlier) {
        problems
            .error(&span, format!("fault `{other}` may not have struck anybody yet"), "looks back at it")
            .and_at(fault.start_span(), "starts no later than it, as far as one can tell")
            .help(format!("start this fault by after = \"{other}\""));
    }
}

fn check_fits(raw: &RawScenario, fault: &Placed<'_>, start: std::time::Duration, problems: &mut Problems) {
    let chaos = match raw.phases.value() {
        Some(phases) if !phases.chaos.is_missing() => phases.chaos.value().copied(),
        _ => Some(Phases::default().chaos),
    };
    let Some(chaos) = chaos else { return };
    let end = start + fault.spec.duration;
    // A restart has no length of its own, but it cannot begin when the phase is over.
    let fits = if fault.spec.duration.is_zero() { end < chaos } else { end <= chaos };
    if fits {
        return;
    }
    let (message, verb) = match fault.spec.start {
        Start::At(_) => (format!("fault `{}` outlasts the chaos phase", fault.spec.id), "it ends"),
        Start::After { .. } => {
            (format!("fault `{}` cannot end within the chaos phase", fault.spec.id), "it ends at the earliest")
        }
    };
    let span = fault.raw.length.get().map_or_else(|| fault.start_span(), |at| at.span.clone());
    let problem = problems.error(&span, message, format!("{verb} {} after the phase began", show(end)));
    let phase = raw.phases.value().and_then(|phases| phases.chaos.get());
    if let Some(phase) = phase {
        problem.and_at(phase.span.clone(), "the phase's length");
    }
    problem.help(format!("chaos lasts {}: make it longer, or the fault shorter or earlier", show(chaos)));
}
