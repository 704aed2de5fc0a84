//! `every`, `until` and `repeat`: whether a fault can strike again as it is written.
//!
//! A fault never overlaps itself: what would certainly do so is refused here, and where only the cluster's pace decides,
//! the nemesis holds the next one back until the one before is whole.

use std::time::Duration;

use super::faults::Placed;
use super::{items, phases_of};
use crate::fault::{FaultId, Noted};
use crate::scenario::problem::Problems;
use crate::scenario::raw::{RawScenario, RawWhen};
use crate::scenario::read::At;
use crate::scenario::units::show;
use crate::scenario::{Again, Phases, Rhythm, Spread};

/// No fault is injected, proven and healed in less.
const LEAST_GAP: Duration = Duration::from_secs(1);

/// No plan has more steps: a report of more would be read by nobody.
const MOST_STEPS: u64 = 1000;

/// Reads whether it strikes again. `length` is how long it lasts, where that could be read.
pub(super) fn read(when: &RawWhen, length: Option<Spread>, problems: &mut Problems) -> Option<Again> {
    let repeat = times(when, problems);
    if when.every.is_missing() {
        return without_a_clock(when, repeat, problems);
    }
    let keys_of_others = [
        (when.after.get().map(|at| &at.span), "after", "let it start by `at`, or write `repeat` instead of `every`"),
        (when.delay.get().map(|at| &at.span), "delay", "remove it: `every` says how long it is from start to start"),
    ];
    let mut is_right = true;
    for (span, key, help) in keys_of_others.into_iter().filter_map(|(span, key, help)| Some((span?, key, help))) {
        problems
            .error(span, format!("`{key}` waits for the cluster, and `every` goes by the clock"), "not with `every`")
            .help(help);
        is_right = false;
    }
    let every = when.every.get()?;
    if every.value.least < LEAST_GAP {
        let (least, gap) = (show(LEAST_GAP), show(every.value.least));
        problems
            .error(&every.span, format!("`every` needs at least {least} between two starts"), format!("only {gap}"))
            .help("each time has to be looked at before, while it is in force, and until its targets are whole: every = \"5s\"");
        return None;
    }
    if let Some(length) = length.filter(|length| length.most >= every.value.least) {
        let (gap, longest) = (show(every.value.least), show(length.most));
        problems
            .error(&every.span, "this fault would still be in force when it strikes again", format!("{gap} at least"))
            .and_at(when.length.get().map_or(when.span.clone(), |at| at.span.clone()), format!("{longest} at most"))
            .help("let `every` be longer than `for`, with room for the heal");
        is_right = false;
    }
    let until = if when.until.is_missing() { None } else { Some(*when.until.value()?) };
    let first = if when.at.is_missing() { None } else { Some(*when.at.value()?) };
    is_right.then_some(Again::ByTheClock(Rhythm { gap: every.value, first, until, most: repeat.ok()? }))
}

fn without_a_clock(when: &RawWhen, repeat: Result<Option<u32>, Noted>, problems: &mut Problems) -> Option<Again> {
    if let Some(until) = when.until.get() {
        problems
            .error(&until.span, "`until` belongs to `every`", "this fault does not go by the clock")
            .help("add every = \"5s\", or remove it");
        return None;
    }
    let Some(times) = repeat.ok()? else { return Some(Again::Once) };
    let delay = if when.delay.is_missing() { Duration::ZERO } else { *when.delay.value()? };
    Some(Again::InTurn { times, delay })
}

/// `repeat`, if it is there.
fn times(when: &RawWhen, problems: &mut Problems) -> Result<Option<u32>, Noted> {
    if when.repeat.is_missing() {
        return Ok(None);
    }
    let At { value, span } = when.repeat.get().ok_or(Noted)?;
    if *value == 0 {
        problems.error(span, "`repeat` cannot be 0", "never").help("remove the fault, or write how often it strikes");
        return Err(Noted);
    }
    Ok(Some(*value))
}

/// What only the whole file shows: names, the number of steps, and whether there is time for one.
pub(super) fn check(raw: &RawScenario, placed: &[Placed<'_>], problems: &mut Problems) {
    let Some(phases) = phases_of(raw) else { return };
    let steps = |fault: &Placed<'_>| fault.spec.again.most_starts(&phases);
    let total: u64 = placed.iter().map(steps).fold(0, u64::saturating_add);
    if let Some(worst) = placed.iter().max_by_key(|fault| steps(fault)).filter(|_| total > MOST_STEPS) {
        let when = &worst.raw.when;
        let span = when.every.get().map(|at| &at.span).or(when.repeat.get().map(|at| &at.span));
        problems
            .error(span.unwrap_or(&when.span), format!("the plan may have {total} steps"), "strikes the most often")
            .help(format!("a plan has at most {MOST_STEPS}: strike less often, or for a shorter time"));
    }
    for fault in placed {
        check_names(raw, fault, problems);
        if let Again::ByTheClock(rhythm) = &fault.spec.again {
            check_first(fault, rhythm, &phases, problems);
        }
    }
}

/// A repetition has its fault's name and a number, which nobody else may have.
fn check_names(raw: &RawScenario, fault: &Placed<'_>, problems: &mut Problems) {
    if fault.spec.again == Again::Once {
        return;
    }
    let FaultId(name) = &fault.spec.id;
    let is_number = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    for other in items(&raw.faults).filter_map(|fault| fault.when.id.get()) {
        let number = other.value.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('-'));
        if number.is_some_and(is_number) {
            problems
                .error(&other.span, format!("`{}` is a repetition of `{name}` already", other.value), "taken")
                .help(format!("what `{name}` does again is called `{name}-1`, `{name}-2`: choose another name"));
        }
    }
}

/// However the seed draws, one must have its turn and its end within the chaos phase.
fn check_first(fault: &Placed<'_>, rhythm: &Rhythm, phases: &Phases, problems: &mut Problems) {
    let (first, length) = (rhythm.first().most, fault.spec.duration.most);
    if rhythm.allows(first, length, phases) {
        return;
    }
    let ends = show(rhythm.last(phases));
    problems
        .error(
            &fault.start_span(),
            format!("fault `{}` may not have its turn even once", fault.spec.id),
            format!("the first starts {} after the phase began", show(first)),
        )
        .help(format!(
            "none starts after {ends}, and each has to be healed when the chaos phase is over, after {}",
            show(phases.chaos)
        ));
}
