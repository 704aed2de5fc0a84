//! `[safety]`: its values, and faults that it would never let strike.

use super::faults::placed;
use super::{items, phases_of, reach};
use crate::scenario::problem::Problems;
use crate::scenario::raw::RawScenario;
use crate::scenario::units::{plural, show};
use crate::scenario::{QuorumLoss, Safety, Scenario};

/// The table.
pub(super) fn safety(raw: &RawScenario, problems: &mut Problems) -> Safety {
    let default = Safety::default();
    let Some(safety) = raw.safety.value() else { return default };
    if let Some(at) = safety.max_unavailable.get().filter(|at| at.value == 0) {
        problems
            .error(&at.span, "`max-unavailable` cannot be 0", "no broker may be away")
            .help("write at least 1; for faults that take no broker away leave it out");
    }
    if let (Some(deadline), Some(phases)) = (safety.deadline.get(), phases_of(raw)) {
        let needed = phases.warmup + phases.chaos;
        if deadline.value <= needed {
            problems.error(&deadline.span, "the deadline comes before the chaos phase can end", "too soon").help(
                format!(
                    "warm-up and chaos alone take {}, and the cluster has to start before: such a run would always be \
                     inconclusive",
                    show(needed)
                ),
            );
        }
    }
    let quorum_loss = if safety.allow_quorum_loss.or(false) { QuorumLoss::Allowed } else { QuorumLoss::Warned };
    Safety {
        max_unavailable: safety.max_unavailable.value().copied(),
        quorum_loss,
        deadline: safety.deadline.value().copied(),
        empty_target: safety.empty_target.or(default.empty_target),
    }
}

/// Faults that strike more brokers than may be away, whoever they are. Where only the moment decides, the nemesis does.
pub(super) fn check(raw: &RawScenario, scenario: &Scenario, problems: &mut Problems) {
    let bound = raw.safety.value().and_then(|safety| safety.max_unavailable.get()).filter(|at| at.value > 0);
    let Some(bound) = bound else { return };
    // Unless every fault could be read, nobody knows which of them is which.
    if scenario.faults.len() != items(&raw.faults).count() {
        return;
    }
    for fault in placed(raw, &scenario.faults) {
        let away = reach::at_least(scenario, &fault.spec);
        if away > bound.value {
            let away = plural(away, "broker");
            problems
                .error(
                    &fault.target_span(),
                    format!("fault `{}` would never be injected", fault.spec.id),
                    format!("keeps {away} away at once"),
                )
                .and_at(bound.span.clone(), "the bound")
                .help("strike fewer brokers, or allow for more");
        }
    }
}
