//! From the scenario's faults to every single time that one strikes: what a fault does again becomes faults of their own,
//! `flaky-1`, `flaky-2`, each with a start and a length that the seed has drawn, and each with a target to resolve anew.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Series, draw, millis};
use crate::fault::FaultId;
use crate::scenario::{Again, FaultSpec, Phases, Rhythm, Scenario, Spread, Start};

/// A fault that strikes once, at a start and for a length that nothing is left to chance of.
pub(super) struct Occurrence {
    /// The fault.
    pub(super) fault: FaultSpec,
    /// What it is one time of.
    pub(super) series: Option<Series>,
}

/// Every time that a fault of the scenario strikes, in the file's order.
pub(super) fn expand(scenario: &Scenario, seed: u64) -> Vec<Occurrence> {
    let mut all: Vec<Occurrence> =
        scenario.faults.iter().flat_map(|fault| times(fault, &scenario.phases, seed)).collect();
    // Who waits for a fault that strikes again and again waits for its last time.
    let lasts: BTreeMap<FaultId, FaultId> =
        all.iter().filter_map(|one| Some((one.series.as_ref()?.of.clone(), one.fault.id.clone()))).collect();
    for one in &mut all {
        if let Start::After { fault, .. } = &mut one.fault.start
            && let Some(last) = lasts.get(fault)
        {
            *fault = last.clone();
        }
    }
    all
}

fn times(fault: &FaultSpec, phases: &Phases, seed: u64) -> Vec<Occurrence> {
    let length = |name: &str| drawn(fault.duration, seed, &format!("fault/{name}/for"));
    match &fault.again {
        Again::Once => {
            let duration = Spread::exactly(length(&fault.id.0));
            vec![Occurrence { fault: FaultSpec { duration, ..fault.clone() }, series: None }]
        }
        Again::InTurn { times, delay } => {
            let one = |number: u32| {
                let id = numbered(&fault.id, number);
                let duration = Spread::exactly(length(&id.0));
                let start = match number {
                    1 => fault.start.clone(),
                    _ => Start::After { fault: numbered(&fault.id, number - 1), delay: *delay },
                };
                let series = Some(Series { of: fault.id.clone(), behind: None });
                Occurrence { fault: FaultSpec { id, start, duration, again: Again::Once, ..fault.clone() }, series }
            };
            (1..=*times).map(one).collect()
        }
        Again::ByTheClock(rhythm) => by_the_clock(fault, rhythm, phases, seed),
    }
}

fn by_the_clock(fault: &FaultSpec, rhythm: &Rhythm, phases: &Phases, seed: u64) -> Vec<Occurrence> {
    let mut all: Vec<Occurrence> = Vec::new();
    let mut start = Duration::ZERO;
    for number in 1..=rhythm.most.unwrap_or(u32::MAX) {
        let id = numbered(&fault.id, number);
        let gap = if number == 1 { rhythm.first() } else { rhythm.gap };
        start += drawn(gap, seed, &format!("fault/{id}/every"));
        let length = drawn(fault.duration, seed, &format!("fault/{id}/for"));
        if !rhythm.allows(start, length, phases) {
            break;
        }
        let series = Some(Series { of: fault.id.clone(), behind: all.last().map(|before| before.fault.id.clone()) });
        let (start, duration) = (Start::At(start), Spread::exactly(length));
        all.push(Occurrence { fault: FaultSpec { id, start, duration, again: Again::Once, ..fault.clone() }, series });
    }
    all
}

fn numbered(FaultId(name): &FaultId, number: u32) -> FaultId {
    FaultId(format!("{name}-{number}"))
}

/// One duration of the range, each of its milliseconds as likely.
fn drawn(spread: Spread, seed: u64, name: &str) -> Duration {
    let room = millis(spread.most.saturating_sub(spread.least));
    spread.least + Duration::from_millis(draw::up_to(seed, name, room))
}
