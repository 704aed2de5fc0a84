//! Each planned fault's life, as the events tell it: injected, observed, healed, or not.

use crate::fault::{FaultId, FaultKind, Moment, Observation};
use crate::history::event::FaultStage;
use crate::history::{EventKind, History};
use crate::kafka::{BrokerId, TimeNs};
use crate::plan::{Plan, Step};

use super::proof::{self, Proof, Times};

/// How far an injection or a heal got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// When it was asked for.
    pub invoked: Option<TimeNs>,
    /// When the engine said that it is done.
    pub done: Option<TimeNs>,
    /// Why it failed, or why nobody knows.
    pub trouble: Option<String>,
}

impl Progress {
    fn take(&mut self, time: TimeNs, stage: &FaultStage) {
        match stage {
            FaultStage::Invoke { .. } => self.invoked = self.invoked.or(Some(time)),
            FaultStage::Ok => self.done = Some(time),
            FaultStage::Fail { reason } | FaultStage::Info { reason } => self.trouble = Some(reason.clone()),
        }
    }
}

/// One planned fault's life.
#[derive(Clone, Debug)]
pub struct FaultLife<'a> {
    /// What was planned.
    pub step: &'a Step,
    /// The brokers that it struck.
    pub targets: Vec<BrokerId>,
    /// Its injection.
    pub inject: Progress,
    /// Its heal. A later success mends an earlier failure: a final heal tries again.
    pub heal: Progress,
    /// Why it struck nobody.
    pub skipped: Option<String>,
    /// Every look at a target.
    pub observations: Vec<(TimeNs, Moment, BrokerId, Observation)>,
}

impl<'a> FaultLife<'a> {
    /// Every planned fault, in the plan's order.
    pub fn all(plan: &'a Plan, history: &History) -> Vec<Self> {
        let mut lives: Vec<Self> = plan.steps.iter().map(Self::planned).collect();
        for event in &history.events {
            if let Some(life) = named(&event.kind).and_then(|id| lives.iter_mut().find(|life| life.step.fault == *id)) {
                life.take(event.time_ns, &event.kind);
            }
        }
        lives
    }

    fn planned(step: &'a Step) -> Self {
        Self {
            step,
            targets: Vec::new(),
            inject: Progress::default(),
            heal: Progress::default(),
            skipped: None,
            observations: Vec::new(),
        }
    }

    fn take(&mut self, time: TimeNs, kind: &EventKind) {
        match kind {
            EventKind::Inject { stage, .. } => {
                if let FaultStage::Invoke { targets } = stage {
                    self.targets.clone_from(targets);
                }
                self.inject.take(time, stage);
            }
            EventKind::Heal { stage, .. } => self.heal.take(time, stage),
            EventKind::Proof { moment, target, observation, .. } => {
                self.observations.push((time, *moment, *target, observation.clone()));
            }
            EventKind::FaultSkipped { reason, .. } => self.skipped = Some(reason.clone()),
            _ => {}
        }
    }

    /// From when to when it was in force: from the injection's end to the heal's, or to the history's end when it was
    /// never healed. A restart strikes as soon as it is asked for. `None` when it was never injected.
    pub fn window(&self, end: TimeNs) -> Option<(TimeNs, TimeNs)> {
        let done = self.inject.done?;
        let start = match self.step.kind {
            FaultKind::Restart { .. } => self.inject.invoked.unwrap_or(done),
            _ => done,
        };
        Some((start, self.heal.done.unwrap_or(end).max(start)))
    }

    /// When every target answered again after the heal; `None` while one did not. Until then the other brokers may
    /// still believe in one that is dead, so that nothing they say of the cluster's health counts.
    pub fn answered_again(&self) -> Option<TimeNs> {
        let first = |target: &BrokerId| {
            let looks = self.observations.iter().filter(|look| look.1 == Moment::After && look.2 == *target);
            looks.filter(|look| proof::works(&look.3)).map(|look| look.0).min()
        };
        let times: Option<Vec<TimeNs>> = self.targets.iter().map(first).collect();
        times?.into_iter().max()
    }

    /// Whether it provably bit and provably healed, and by what.
    pub fn proof(&self) -> Proof {
        if let Some(reason) = &self.skipped {
            return Proof::missing(format!("it struck nobody: {reason}"));
        }
        if self.inject.done.is_none() {
            let reason = self.inject.trouble.as_deref().unwrap_or("its turn never came");
            return Proof::missing(format!("it was not injected: {reason}"));
        }
        if self.targets.is_empty() {
            return Proof::missing("its injection names no target".to_owned());
        }
        let times = Times { injected: self.inject.done, healed: self.heal.done };
        let proof = proof::prove(&self.step.kind, &self.observations, &self.targets, times);
        match (self.heal.done, self.heal.trouble.as_deref()) {
            (Some(_), _) => proof,
            (None, None) => proof.without("it was never healed"),
            (None, Some(reason)) => proof.without(&format!("its heal did not succeed: {reason}")),
        }
    }
}

/// The fault that an event is about.
fn named(kind: &EventKind) -> Option<&FaultId> {
    match kind {
        EventKind::Inject { fault, .. }
        | EventKind::Heal { fault, .. }
        | EventKind::Proof { fault, .. }
        | EventKind::FaultSkipped { fault, .. } => Some(fault),
        _ => None,
    }
}
