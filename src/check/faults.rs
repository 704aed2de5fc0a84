//! Each planned fault's life, as the events tell it: injected, observed, healed, or not.

use std::collections::BTreeMap;

use crate::fault::client::{ClientSeen, ClientSight, Strikes};
use crate::fault::{Course, FaultId, FaultKind, Handover, Look, Moment, Testimony, Times, ToldFenced, Victim};
use crate::history::event::FaultStage;
use crate::history::{EventKind, History, ProcessRole};
use crate::kafka::{ProcessId, TimeNs};
use crate::plan::{Plan, Step};

use super::proof::{self, Proof};

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
    /// Whom it struck.
    pub targets: Vec<Victim>,
    /// Its injection.
    pub inject: Progress,
    /// Its heal. A later success mends an earlier failure: a final heal tries again.
    pub heal: Progress,
    /// Why it struck nobody.
    pub skipped: Option<String>,
    /// Why its target was nobody, when the scenario says that this is no failure.
    pub passed_over: Option<String>,
    /// All that was seen of its targets.
    pub seen: Testimony,
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
        for life in lives.iter_mut().filter(|life| life.step.kind.facts().strikes == Strikes::Groups) {
            life.seen.handovers = handovers(history);
        }
        for life in lives.iter_mut().filter(|life| life.step.kind.facts().strikes == Strikes::Producers) {
            life.seen.fenced = fenced(history);
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
            passed_over: None,
            seen: Testimony::default(),
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
                let (moment, target, seen) = (*moment, Victim::Broker(*target), observation.clone());
                self.seen.looks.push(Look { time, moment, target, seen });
            }
            EventKind::ClientProof { moment, look, .. } => {
                self.seen.clients.push(ClientSight { time, moment: *moment, seen: ClientSeen::Client(look.clone()) });
            }
            EventKind::StormProof { moment, look, .. } => {
                self.seen.clients.push(ClientSight { time, moment: *moment, seen: ClientSeen::Group(look.clone()) });
            }
            EventKind::Deed { target, deed, .. } => self.seen.deeds.push((Victim::Broker(*target), deed.clone())),
            EventKind::ClientDeed { client, deed, .. } => {
                self.seen.deeds.push((Victim::Client(client.clone()), deed.clone()));
            }
            EventKind::FaultSkipped { reason, .. } => self.skipped = Some(reason.clone()),
            EventKind::FaultPassedOver { reason, .. } => self.passed_over = Some(reason.clone()),
            _ => {}
        }
    }

    /// From when to when it was in force: from the injection's end to the heal's, or to the history's end when it was
    /// never healed. One that heals itself strikes as soon as it is asked for. `None` when it was never injected.
    pub fn window(&self, end: TimeNs) -> Option<(TimeNs, TimeNs)> {
        let done = self.inject.done?;
        let start = match self.step.kind.course() {
            // It waits for a transaction that is open, and fences when there is one.
            _ if matches!(self.step.kind, FaultKind::Fence(_)) => done,
            Course::Brief | Course::Rolling { .. } => self.inject.invoked.unwrap_or(done),
            Course::Hold | Course::Loop { .. } => done,
        };
        Some((start, self.heal.done.unwrap_or(end).max(start)))
    }

    /// From when to when it may have kept partitions from acknowledging: as [`Self::window`], but from the moment that it was
    /// asked for, because carrying it out takes a while (an orderly stop takes seconds) in which it bites already.
    pub fn reach(&self, end: TimeNs) -> Option<(TimeNs, TimeNs)> {
        self.window(end).map(|(start, end)| (self.inject.invoked.unwrap_or(start).min(start), end))
    }

    /// When every target answered again after the heal, or got something done, if it is a client; `None` while one did not.
    /// Until then the other brokers may still believe in one that is dead, so that nothing they say of the cluster's health
    /// counts.
    pub fn answered_again(&self) -> Option<TimeNs> {
        let first = |target: &Victim| {
            let Some(client) = target.client() else {
                let looks =
                    self.seen.looks.iter().filter(|look| look.moment == Moment::After && look.target == *target);
                return looks.filter(|look| look.seen.works()).map(|look| look.time).min();
            };
            let healed = self.heal.done?;
            let sights = self.seen.clients.iter().filter(|sight| sight.moment == Moment::After);
            let sights = sights.filter(|sight| sight.seen.label() == client && sight.seen.is_well_since(healed));
            sights.map(|sight| sight.time).min()
        };
        let times: Option<Vec<TimeNs>> = self.targets.iter().map(first).collect();
        times?.into_iter().max()
    }

    /// Whether it provably bit and provably healed, and by what.
    pub fn proof(&self) -> Proof {
        if let Some(reason) = &self.skipped {
            return Proof::missing(format!("it struck nobody: {reason}"));
        }
        if let (Some(reason), None) = (&self.passed_over, self.inject.invoked) {
            return Proof::missing(format!("it was passed over, as the scenario has it: {reason}"));
        }
        if self.inject.done.is_none() {
            return Proof::missing(match (&self.inject.trouble, self.inject.invoked) {
                (Some(reason), _) => format!("it was not injected: {reason}"),
                (None, Some(_)) => "its injection had begun, and whether it came into force nobody knows".to_owned(),
                (None, None) => "it was not injected: its turn never came".to_owned(),
            });
        }
        if self.targets.is_empty() {
            return Proof::missing("its injection names no target".to_owned());
        }
        let times = Times { injected: self.inject.done, healed: self.heal.done };
        let proof = proof::prove(&self.step.kind, &self.seen, &self.targets, times);
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
        | EventKind::ClientProof { fault, .. }
        | EventKind::StormProof { fault, .. }
        | EventKind::Deed { fault, .. }
        | EventKind::ClientDeed { fault, .. }
        | EventKind::FaultSkipped { fault, .. }
        | EventKind::FaultPassedOver { fault, .. } => Some(fault),
        _ => None,
    }
}

/// What librdkafka says to a producer in whose place another one writes.
const FENCED: [&str; 3] = ["_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"];

/// Who was told that it is fenced, and when.
fn fenced(history: &History) -> Vec<ToldFenced> {
    let told = history.events.iter().filter_map(|event| match &event.kind {
        EventKind::ClientError { process, code, .. } if FENCED.contains(&code.as_str()) => {
            Some(ToldFenced { time: event.time_ns, process: *process, code: code.clone() })
        }
        _ => None,
    });
    told.collect()
}

/// Who got partitions, and when.
fn handovers(history: &History) -> Vec<Handover> {
    let mut members: BTreeMap<ProcessId, (TimeNs, &str)> = BTreeMap::new();
    let mut handovers = Vec::new();
    for event in &history.events {
        match &event.kind {
            EventKind::ProcessStarted { process, role: ProcessRole::Consumer { group, .. } } => {
                members.insert(*process, (event.time_ns, group));
            }
            EventKind::Assigned { process, partitions } if !partitions.is_empty() => {
                let member = members.get(process);
                handovers.extend(member.map(|(born, group)| Handover {
                    time: event.time_ns,
                    group: (*group).to_owned(),
                    process: *process,
                    born: *born,
                }));
            }
            _ => {}
        }
    }
    handovers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::generator::{STEP, Shape, draw};

    #[test]
    fn what_a_fault_stopped_while_it_was_carried_out_counts_for_it() {
        let run = draw(7, Shape::SAMPLE).run;
        let lives = FaultLife::all(&run.plan, &run.history);
        let (asked, done, end) = (TimeNs(40 * STEP - 1), TimeNs(40 * STEP), TimeNs(u64::MAX));
        let healed = lives[0].heal.done.expect("a heal");
        assert_eq!(lives[0].window(end), Some((done, healed)));
        assert_eq!(lives[0].reach(end), Some((asked, healed)));
    }
}
