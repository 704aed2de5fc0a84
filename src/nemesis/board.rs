//! Where every fault of a plan stands: what lives that know nothing of one another ask each other by.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::fault::{Course, FaultId, FaultKind, Hold, Victim};
use crate::kafka::BrokerId;
use crate::plan::{EmptyTarget, Plan, PlannedSafety, Step};

/// How far a fault has come. The order is that of its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Its turn has not come.
    Waiting,
    /// It is being injected, is in force, or is being healed. Holds whom it strikes.
    InForce(Vec<Victim>),
    /// It is healed; its targets are not yet whole.
    Healed(Vec<Victim>),
    /// Its targets are whole again.
    Whole(Vec<Victim>),
    /// It struck nobody.
    Skipped,
    /// Its target was nobody, which the scenario allows.
    PassedOver,
    /// It could not be undone. Holds whom it struck, and why.
    Stuck(Vec<Victim>, String),
}

impl State {
    /// Whether nothing of it is in force, now or later.
    pub(super) fn is_over(&self) -> bool {
        !matches!(self, Self::Waiting | Self::InForce(_))
    }

    /// Whether it has come to its end, good or bad.
    pub(super) fn has_ended(&self) -> bool {
        !matches!(self, Self::Waiting | Self::InForce(_) | Self::Healed(_))
    }

    /// Whom it has struck, if anybody.
    fn struck(&self) -> Option<&Vec<Victim>> {
        match self {
            Self::InForce(targets) | Self::Healed(targets) | Self::Whole(targets) | Self::Stuck(targets, _) => {
                Some(targets)
            }
            Self::Waiting | Self::Skipped | Self::PassedOver => None,
        }
    }

    /// Whether it keeps anybody from doing their part, or did and they are not yet whole again.
    fn keeps(&self) -> bool {
        self.holds() || matches!(self, Self::Healed(_))
    }

    /// Whether it keeps anybody from doing their part now.
    fn holds(&self) -> bool {
        matches!(self, Self::InForce(_) | Self::Stuck(..))
    }
}

/// Every fault of a plan, and how far it has come.
pub(super) struct Board {
    /// In the plan's order.
    places: Vec<(Step, watch::Sender<State>)>,
    index: BTreeMap<FaultId, usize>,
    safety: PlannedSafety,
    /// Whom each fault that was let strike holds away. Locked by one that asks whether it may, until it is known to strike: two
    /// must not both be the last one.
    holds: Mutex<BTreeMap<FaultId, Hold>>,
}

impl Board {
    /// All of a plan's faults, waiting.
    pub(super) fn new(plan: &Plan) -> Self {
        let places = plan.steps.iter().map(|step| (step.clone(), watch::channel(State::Waiting).0)).collect();
        let index = plan.steps.iter().enumerate().map(|(place, step)| (step.fault.clone(), place)).collect();
        Self { places, index, safety: plan.safety, holds: Mutex::default() }
    }

    /// What a target means that is nobody.
    pub(super) fn empty_target(&self) -> EmptyTarget {
        self.safety.empty_target
    }

    /// Follows a fault of the plan.
    pub(super) fn follow(&self, fault: &FaultId) -> watch::Receiver<State> {
        self.places[self.index[fault]].1.subscribe()
    }

    /// A fault has come further.
    pub(super) fn enter(&self, fault: &FaultId, state: State) {
        self.places[self.index[fault]].1.send_replace(state);
    }

    /// A fault can no longer be undone, whomever it struck.
    pub(super) fn stick(&self, fault: &FaultId, reason: String) {
        let place = &self.places[self.index[fault]].1;
        let struck = place.borrow().struck().cloned().unwrap_or_default();
        place.send_replace(State::Stuck(struck, reason));
    }

    /// Whom the scenario's fault of this name struck: of one that strikes again and again, whom it struck last.
    pub(super) fn struck_by(&self, fault: &FaultId) -> Option<Vec<Victim>> {
        let is_it = |step: &Step| step.fault == *fault || step.origin() == fault;
        let mut times = self.places.iter().rev().filter(|(step, _)| is_it(step));
        times.find_map(|(_, state)| state.borrow().struck().cloned())
    }

    /// Lets a fault strike these and hold those away, unless more brokers than may be would be away then; the error says how many.
    pub(super) fn admit(&self, fault: &FaultId, targets: Vec<Victim>, hold: Hold) -> Result<(), String> {
        let mut holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_memory(fault, &targets)?;
        if let Some(bound) = self.safety.max_unavailable {
            self.check_bound(fault, &hold, &holds, bound)?;
        }
        holds.insert(fault.clone(), hold);
        self.enter(fault, State::InForce(targets));
        Ok(())
    }

    /// A majority of controllers must never have forgotten for whom they voted: they could elect one that knows nothing.
    fn check_memory(&self, fault: &FaultId, targets: &[Victim]) -> Result<(), String> {
        let is_wipe = |step: &Step| matches!(step.kind, FaultKind::Wipe(_));
        let own = &self.places[self.index[fault]].0;
        if !is_wipe(own) {
            return Ok(());
        }
        let mut wiped: BTreeSet<BrokerId> = targets.iter().filter_map(Victim::broker).collect();
        for (_, state) in self.places.iter().filter(|(step, _)| is_wipe(step)) {
            let state = state.borrow();
            let struck = state.struck().filter(|_| state.keeps());
            wiped.extend(struck.into_iter().flatten().filter_map(Victim::broker));
        }
        let brokers = own.draw.len();
        if wiped.len() <= brokers.saturating_sub(1) / 2 {
            return Ok(());
        }
        Err(format!("{} of {brokers} brokers would have forgotten everything at once", wiped.len()))
    }

    /// Whom other faults than this one hold away now.
    pub(super) fn held_by_others(&self, fault: &FaultId) -> Vec<Hold> {
        let holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        let others = self.places.iter().filter(|(step, state)| step.fault != *fault && state.borrow().holds());
        others.filter_map(|(step, _)| holds.get(&step.fault).cloned()).collect()
    }

    fn check_bound(
        &self,
        fault: &FaultId,
        hold: &Hold,
        holds: &BTreeMap<FaultId, Hold>,
        bound: u32,
    ) -> Result<(), String> {
        let own = &self.places[self.index[fault]].0;
        let mut away = Away::default();
        away.add(own, hold);
        if away.count() == 0 {
            return Ok(());
        }
        let mut before = Vec::new();
        for (step, _) in self.places.iter().filter(|(_, state)| state.borrow().keeps()) {
            let Some(hold) = holds.get(&step.fault) else { continue };
            let known = away.count();
            away.add(step, hold);
            if away.count() > known {
                before.push(format!("`{}`", step.fault));
            }
        }
        if away.count() <= bound as usize {
            return Ok(());
        }
        let beside = if before.is_empty() { String::new() } else { format!(", beside {}", before.join(", ")) };
        Err(format!("{} brokers would be away{beside}, and `max-unavailable` is {bound}", away.count()))
    }

    /// Waits until nothing is in force, and nothing will be. Each life ends its own fault; every step there has a limit.
    pub(super) async fn all_over(&self) {
        for (_, state) in &self.places {
            // The sender lives as long as the board that is borrowed here, so this cannot fail.
            drop(state.subscribe().wait_for(State::is_over).await);
        }
    }

    /// The faults that could not be undone, and why.
    pub(super) fn stuck(&self) -> Vec<(FaultId, String)> {
        let reason = |(step, state): &(Step, watch::Sender<State>)| match &*state.borrow() {
            State::Stuck(_, reason) => Some((step.fault.clone(), reason.clone())),
            _ => None,
        };
        self.places.iter().filter_map(reason).collect()
    }
}

/// How many brokers are away.
#[derive(Default)]
struct Away {
    known: BTreeSet<BrokerId>,
    /// Of a fault that takes one after another, whoever it is at the moment.
    one_of_many: usize,
}

impl Away {
    fn add(&mut self, step: &Step, hold: &Hold) {
        match step.kind.course() {
            Course::Rolling { .. } => self.one_of_many += usize::from(!hold.away.is_empty()),
            Course::Hold | Course::Brief | Course::Loop { .. } => self.known.extend(&hold.away),
        }
    }

    fn count(&self) -> usize {
        self.known.len() + self.one_of_many
    }
}
