//! When faults can start: exactly, for those that name a time; at the earliest, for those that wait for another.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Again, FaultSpec, Phases, Start};
use crate::fault::FaultId;

/// The earliest time of each fault, counted from the beginning of the chaos phase.
///
/// A fault that waits for another starts no earlier than that one's start, plus its duration, plus the delay; how much
/// later depends on how fast the cluster recovers. Of one that strikes by the clock at least the first has ended then. A fault that waits for itself, however indirectly, or for one that
/// does not exist, never starts, and is not in the map.
pub fn earliest_starts(faults: &[FaultSpec]) -> BTreeMap<&FaultId, Duration> {
    let mut known: BTreeMap<&FaultId, Duration> = BTreeMap::new();
    let mut ends: BTreeMap<&FaultId, Duration> = BTreeMap::new();
    // Each pass settles the faults one link further down the chains, so that there are no more passes than faults.
    for _ in faults {
        let settled = known.len();
        for fault in faults {
            let earliest = match &fault.start {
                Start::At(at) => Some(*at),
                Start::After { fault: other, delay } => ends.get(other).map(|end| end.saturating_add(*delay)),
            };
            if let Some(earliest) = earliest {
                known.insert(&fault.id, earliest);
                ends.insert(&fault.id, earliest.saturating_add(shortest(fault)));
            }
        }
        if known.len() == settled {
            break;
        }
    }
    known
}

/// How long it takes at least until the fault has ended for good, from its first start on.
pub fn shortest(fault: &FaultSpec) -> Duration {
    match &fault.again {
        Again::Once | Again::ByTheClock(_) => fault.duration.least,
        Again::InTurn { times, delay } => {
            fault.duration.least.saturating_add((fault.duration.least + *delay).saturating_mul(times.saturating_sub(1)))
        }
    }
}

/// When it starts for the last time, at the latest, if that is known before the run.
fn last_start(fault: &FaultSpec, phases: &Phases) -> Option<Duration> {
    match (&fault.again, &fault.start) {
        (Again::ByTheClock(rhythm), _) => Some(rhythm.last(phases)),
        (Again::Once, Start::At(at)) => Some(*at),
        (Again::Once, Start::After { .. }) | (Again::InTurn { .. }, _) => None,
    }
}

/// Whether `fault` certainly starts after `other` did for the last time.
pub fn starts_after(faults: &[FaultSpec], fault: &FaultSpec, other: &FaultSpec, phases: &Phases) -> bool {
    if waits_for(faults, fault, &other.id) {
        return true;
    }
    let earliest = earliest_starts(faults).get(&fault.id).copied();
    matches!((last_start(other, phases), earliest), (Some(last), Some(earliest)) if earliest > last)
}

/// Whether `fault` waits for `other`, directly or through further faults.
fn waits_for(faults: &[FaultSpec], fault: &FaultSpec, other: &FaultId) -> bool {
    let mut current = fault;
    // A chain longer than there are faults runs in a circle.
    for _ in faults {
        let Start::After { fault: next, .. } = &current.start else { return false };
        if next == other {
            return true;
        }
        let Some(found) = faults.iter().find(|fault| fault.id == *next) else { return false };
        current = found;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::kinds::pause::Pause;
    use crate::fault::{FaultKind, Target};
    use crate::scenario::{Rhythm, Spread};

    fn fault(id: &str, start: Start, seconds: u64) -> FaultSpec {
        let duration = Duration::from_secs(seconds);
        FaultSpec {
            id: FaultId(id.to_owned()),
            kind: FaultKind::Pause(Pause {}),
            target: Target::Controller,
            start,
            duration: Spread::exactly(duration),
            again: Again::Once,
        }
    }

    fn after(id: &str, delay_s: u64) -> Start {
        Start::After { fault: FaultId(id.to_owned()), delay: Duration::from_secs(delay_s) }
    }

    #[test]
    fn a_chain_adds_up_whatever_the_order_of_the_file() {
        let faults = [
            fault("c", after("b", 1), 5),
            fault("b", after("a", 2), 3),
            fault("a", Start::At(Duration::from_secs(10)), 4),
        ];
        let seconds: Vec<u64> = earliest_starts(&faults).values().map(Duration::as_secs).collect();
        assert_eq!(seconds, [10, 16, 20]);
        assert!(starts_after(&faults, &faults[0], &faults[2], &Phases::default()));
        assert!(!starts_after(&faults, &faults[2], &faults[0], &Phases::default()));
    }

    #[test]
    fn what_strikes_in_turn_ends_after_its_last_time() {
        let delay = Duration::from_secs(2);
        let mut first = fault("a", Start::At(Duration::from_secs(10)), 4);
        first.again = Again::InTurn { times: 3, delay };
        // 10, 4 long; 16, 4 long; 22, 4 long; and one more second.
        let faults = [first, fault("b", after("a", 1), 1)];
        assert_eq!(earliest_starts(&faults)[&faults[1].id], Duration::from_secs(27));
        assert!(starts_after(&faults, &faults[1], &faults[0], &Phases::default()));
    }

    #[test]
    fn what_strikes_by_the_clock_may_do_so_until_its_end() {
        let seconds = Duration::from_secs;
        let mut flaky = fault("flaky", Start::At(seconds(2)), 1);
        let rhythm = Rhythm { gap: Spread::exactly(seconds(5)), first: None, until: Some(seconds(20)), most: None };
        flaky.again = Again::ByTheClock(rhythm);
        let faults = [flaky, fault("b", Start::At(seconds(20)), 1), fault("c", Start::At(seconds(21)), 1)];
        let phases = Phases { chaos: seconds(60), ..Phases::default() };
        assert!(!starts_after(&faults, &faults[1], &faults[0], &phases));
        assert!(starts_after(&faults, &faults[2], &faults[0], &phases));
    }

    #[test]
    fn a_circle_never_starts() {
        let faults = [fault("a", after("b", 0), 1), fault("b", after("a", 0), 1)];
        assert!(earliest_starts(&faults).is_empty());
    }
}
