//! Faults that were meant to be in force together, and never were.
//!
//! Two faults that start by the clock and overlap in the plan are one experiment: what the cluster does under both. An
//! injection that takes seconds, or a target that takes as long to be found, may let the one end before the other begins.
//! Each is then proven by itself, and what the scenario asks was not tried.

use std::time::Duration;

use crate::fault::Course;
use crate::kafka::TimeNs;
use crate::plan::{PlannedStart, Step};

use super::faults::FaultLife;

/// A shorter meeting is chance, not intent.
const MEANT: Duration = Duration::from_secs(1);

/// One sentence for each two faults that were to meet and did not. Those that never were in force at all are told elsewhere.
pub fn missed(lives: &[FaultLife<'_>], end: TimeNs) -> Vec<String> {
    let mut missed = Vec::new();
    for (index, second) in lives.iter().enumerate() {
        for first in &lives[..index] {
            let Some((from_ms, to_ms)) = planned_together(first.step, second.step) else { continue };
            let (Some(one), Some(other)) = (first.window(end), second.window(end)) else { continue };
            if one.0 < other.1 && other.0 < one.1 {
                continue;
            }
            missed.push(format!(
                "Faults {} and {} were to be in force together from {} s to {} s of the chaos phase, and never were: {}, {}.",
                first.step.fault,
                second.step.fault,
                seconds(from_ms),
                seconds(to_ms),
                lasted(first.step, one),
                lasted(second.step, other)
            ));
        }
    }
    missed
}

/// From when to when the plan has both in force, in milliseconds since the chaos phase began. Only the first of a series has
/// its time by the clock alone; the others wait for the one before.
fn planned_together(first: &Step, second: &Step) -> Option<(u64, u64)> {
    let (first, second) = (planned(first)?, planned(second)?);
    let (from, to) = (first.0.max(second.0), first.1.min(second.1));
    let meant = u64::try_from(MEANT.as_millis()).expect("a second in milliseconds");
    (to.saturating_sub(from) >= meant).then_some((from, to))
}

fn planned(step: &Step) -> Option<(u64, u64)> {
    let is_held = matches!(step.kind.course(), Course::Hold | Course::Loop { .. });
    let waits = step.series.as_ref().is_some_and(|series| series.behind.is_some());
    match step.start {
        PlannedStart::AtMs(at_ms) if is_held && !waits => Some((at_ms, at_ms.saturating_add(step.duration_ms))),
        _ => None,
    }
}

fn lasted(step: &Step, (from, to): (TimeNs, TimeNs)) -> String {
    format!("{} lasted from {:.1} s to {:.1} s of the run", step.fault, from.as_secs_f64(), to.as_secs_f64())
}

fn seconds(ms: u64) -> f64 {
    TimeNs::from_millis(ms).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::generator::{STEP, Shape, draw};

    /// The generator's run, whose one fault has met another of the same length that was planned a second later.
    fn missed_when_the_second_begins(later_ns: u64) -> Vec<String> {
        let mut run = draw(7, Shape::SAMPLE).run;
        let mut second = run.plan.steps[0].clone();
        let PlannedStart::AtMs(at_ms) = run.plan.steps[0].start else { panic!("it starts by the clock") };
        run.plan.steps[0].duration_ms = 5000;
        second.fault.0 = "second".to_owned();
        second.start = PlannedStart::AtMs(at_ms + 1000);
        second.duration_ms = 5000;
        run.plan.steps.push(second);
        let mut lives = FaultLife::all(&run.plan, &run.history);
        let (injected, healed) = (lives[0].inject.done.expect("injected"), lives[0].heal.done.expect("healed"));
        lives[1].inject.done = Some(TimeNs(injected.0 + later_ns));
        lives[1].heal.done = Some(TimeNs(healed.0 + later_ns));
        missed(&lives, TimeNs(u64::MAX))
    }

    #[test]
    fn faults_that_met_are_not_told() {
        assert_eq!(missed_when_the_second_begins(STEP), Vec::<String>::new());
    }

    #[test]
    fn faults_that_missed_each_other_are_told_with_their_times() {
        let missed = missed_when_the_second_begins(3_600_000_000_000);
        let [sentence] = &missed[..] else { panic!("one sentence: {missed:?}") };
        assert!(sentence.contains("and second were to be in force together from "), "{sentence}");
        assert!(sentence.contains("and never were"), "{sentence}");
    }
}
