//! When faults can start: exactly, for those that name a time; at the earliest, for those that wait for another.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{FaultSpec, Start};
use crate::fault::FaultId;

/// The earliest time of each fault, counted from the beginning of the chaos phase.
///
/// A fault that waits for another starts no earlier than that one's start, plus its duration, plus the delay; how much
/// later depends on how fast the cluster recovers. A fault that waits for itself, however indirectly, or for one that
/// does not exist, never starts, and is not in the map.
pub fn earliest_starts(faults: &[FaultSpec]) -> BTreeMap<&FaultId, Duration> {
    let mut known: BTreeMap<&FaultId, Duration> = BTreeMap::new();
    let mut ends: BTreeMap<&FaultId, Duration> = BTreeMap::new();
    // Each pass settles the faults one link further down the chains, so that there are no more passes than faults.
    for _ in faults {
        for fault in faults {
            let earliest = match &fault.start {
                Start::At(at) => Some(*at),
                Start::After { fault: other, delay } => ends.get(other).map(|end| *end + *delay),
            };
            if let Some(earliest) = earliest {
                known.insert(&fault.id, earliest);
                ends.insert(&fault.id, earliest + fault.duration);
            }
        }
    }
    known
}

/// Whether `fault` certainly starts after `other` did.
pub fn starts_after(faults: &[FaultSpec], fault: &FaultSpec, other: &FaultSpec) -> bool {
    if waits_for(faults, fault, &other.id) {
        return true;
    }
    let earliest = earliest_starts(faults).get(&fault.id).copied();
    match (&other.start, earliest) {
        (Start::At(at), Some(earliest)) => earliest > *at,
        _ => false,
    }
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
    use crate::fault::{FaultKind, Target};

    fn fault(id: &str, start: Start, seconds: u64) -> FaultSpec {
        let duration = Duration::from_secs(seconds);
        FaultSpec { id: FaultId(id.to_owned()), kind: FaultKind::Pause, target: Target::Controller, start, duration }
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
        assert!(starts_after(&faults, &faults[0], &faults[2]));
        assert!(!starts_after(&faults, &faults[2], &faults[0]));
    }

    #[test]
    fn a_circle_never_starts() {
        let faults = [fault("a", after("b", 0), 1), fault("b", after("a", 0), 1)];
        assert!(earliest_starts(&faults).is_empty());
    }
}
