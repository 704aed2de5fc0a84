//! `wipe`: never a majority, by one fault or by several at once.
//!
//! A controller that was wiped has forgotten for whom it voted. A majority of such controllers may elect one that knows
//! nothing, and every topic is gone: no Kafka promises anything then. What only the moment decides, the nemesis refuses.

use super::faults::{Placed, placed};
use super::overlap::window;
use super::{items, reach};
use crate::fault::FaultKind;
use crate::scenario::Scenario;
use crate::scenario::problem::Problems;
use crate::scenario::raw::RawScenario;

const HELP: &str = "controllers that forgot their votes may elect one that knows nothing, and every topic is gone";

/// Refuses wipes that may take a majority's memory.
pub(super) fn check(raw: &RawScenario, scenario: &Scenario, problems: &mut Problems) {
    // Unless every fault could be read, nobody knows which of them is which.
    if scenario.faults.len() != items(&raw.faults).count() {
        return;
    }
    let brokers = scenario.cluster.brokers;
    let minority = brokers.saturating_sub(1) / 2;
    let wipes = placed(raw, &scenario.faults);
    let wipes: Vec<&Placed<'_>> = wipes.iter().filter(|fault| matches!(fault.spec.kind, FaultKind::Wipe(_))).collect();
    for (index, fault) in wipes.iter().enumerate() {
        let alone = reach::at_most(scenario, &fault.spec);
        if alone > minority {
            problems
                .error(
                    &fault.target_span(),
                    format!("fault `{}` may wipe a majority", fault.spec.id),
                    format!("up to {alone} of {brokers} brokers"),
                )
                .help(HELP);
            continue;
        }
        for other in wipes[..index].iter().filter(|other| meet(other, fault, scenario)) {
            let both = alone + reach::at_most(scenario, &other.spec);
            if both > minority && both - alone <= minority && other.spec.target != fault.spec.target {
                problems
                    .error(
                        &fault.target_span(),
                        format!("faults `{}` and `{}` may wipe a majority at once", other.spec.id, fault.spec.id),
                        format!("with the other, up to {both} of {brokers} brokers"),
                    )
                    .and_at(other.target_span(), "the other")
                    .help(format!("{HELP}: start the second by after = \"{}\"", other.spec.id));
            }
        }
    }
}

fn meet(one: &Placed<'_>, other: &Placed<'_>, scenario: &Scenario) -> bool {
    let window = |fault: &Placed<'_>| window(&fault.spec, &scenario.phases);
    let (Some((start, end)), Some((other_start, other_end))) = (window(one), window(other)) else { return false };
    start < other_end && other_start < end
}
