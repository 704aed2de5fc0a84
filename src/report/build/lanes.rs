//! What each broker was up to over time, told by two witnesses: the engine's view of its process (from the proofs of faults
//! and the faults themselves) and the cluster's view of its registration. The process tells where it is known to be frozen or
//! dead, then a fault that cuts the broker off, then the registration.

use std::collections::{BTreeMap, BTreeSet};

use crate::fault::{Course, FaultId, FaultKind, ProcessState, Scene, State, Victim};
use crate::history::event::FaultStage;
use crate::history::{EventKind, History};
use crate::kafka::{BrokerId, TimeNs};
use crate::plan::Plan;
use crate::report::{BrokerLane, BrokerSpan, BrokerState, ControllerSpan};

/// What is known of the brokers at one moment while the events are replayed.
struct Replay<'a> {
    kinds: BTreeMap<&'a FaultId, &'a FaultKind>,
    struck: BTreeMap<FaultId, Vec<BrokerId>>,
    /// Whom each fault in force keeps from others.
    cut: BTreeMap<FaultId, Vec<BrokerId>>,
    all: BTreeSet<BrokerId>,
    process: BTreeMap<BrokerId, BrokerState>,
    registered: Option<BTreeSet<BrokerId>>,
}

/// One lane a broker: those that are known beforehand and any other that the cluster named.
pub(super) fn brokers(history: &History, plan: &Plan, known: Vec<i32>, end_ns: TimeNs) -> Vec<BrokerLane> {
    let mut lanes: BTreeMap<BrokerId, Vec<BrokerSpan>> =
        known.into_iter().map(|id| (BrokerId(id), Vec::new())).collect();
    let mut replay = Replay {
        kinds: plan.steps.iter().map(|step| (&step.fault, &step.kind)).collect(),
        struck: BTreeMap::new(),
        cut: BTreeMap::new(),
        all: lanes.keys().copied().collect(),
        process: BTreeMap::new(),
        registered: None,
    };
    for event in &history.events {
        if !replay.apply(&event.kind) {
            continue;
        }
        if let EventKind::ClusterObserved { view } = &event.kind {
            for broker in &view.brokers {
                lanes.entry(*broker).or_default();
            }
        }
        for (broker, spans) in &mut lanes {
            if let Some(state) = replay.state(*broker) {
                extend(spans, state, event.time_ns, end_ns);
            }
        }
    }
    lanes.into_iter().map(|(broker, spans)| BrokerLane { broker, spans }).collect()
}

/// Begins a new span where the state changes. The last span always reaches to the end of the run.
fn extend(spans: &mut Vec<BrokerSpan>, state: BrokerState, now: TimeNs, end_ns: TimeNs) {
    if let Some(last) = spans.last_mut() {
        if last.state == state {
            return;
        }
        last.end_ns = now;
    }
    spans.push(BrokerSpan { state, start_ns: now, end_ns });
}

/// Who the controller was, as each look at the cluster named it.
pub(super) fn controllers(history: &History, end_ns: TimeNs) -> Vec<ControllerSpan> {
    let mut spans: Vec<ControllerSpan> = Vec::new();
    for event in &history.events {
        let EventKind::ClusterObserved { view } = &event.kind else { continue };
        match spans.last_mut() {
            Some(last) if last.controller == view.controller => continue,
            Some(last) => last.end_ns = event.time_ns,
            None => {}
        }
        spans.push(ControllerSpan { controller: view.controller, start_ns: event.time_ns, end_ns });
    }
    spans
}

impl Replay<'_> {
    /// Takes an event in; says whether it can have changed anything.
    fn apply(&mut self, event: &EventKind) -> bool {
        match event {
            EventKind::ClusterObserved { view } => {
                self.registered = Some(view.brokers.iter().copied().collect());
                self.all.extend(&view.brokers);
            }
            EventKind::Proof { target, observation, .. } => {
                let state = match observation.process {
                    ProcessState::Running { .. } => BrokerState::Up,
                    ProcessState::Paused { .. } => BrokerState::Paused,
                    ProcessState::Unwatched if observation.works() => BrokerState::Up,
                    ProcessState::Exited { .. } | ProcessState::Missing | ProcessState::Unwatched => BrokerState::Down,
                };
                self.process.insert(*target, state);
            }
            EventKind::Inject { fault, stage: FaultStage::Invoke { targets } } => {
                self.struck.insert(fault.clone(), targets.iter().filter_map(Victim::broker).collect());
                return false;
            }
            EventKind::Inject { fault, stage: FaultStage::Ok } => {
                let Some(kind) = self.kinds.get(fault) else { return false };
                match (kind.course(), kind.state()) {
                    (Course::Hold, State::Down) => self.set_struck(fault, BrokerState::Down),
                    (Course::Hold, State::Frozen) => self.set_struck(fault, BrokerState::Paused),
                    (Course::Hold, State::CutOff) => {
                        let struck = self.struck.get(fault).map_or(&[][..], Vec::as_slice);
                        let scene = Scene::told(fault.clone(), struck, self.all.iter().copied().collect());
                        self.cut.insert(fault.clone(), kind.away(&scene));
                    }
                    // What heals itself, or comes and goes, is told by the proofs and the cluster.
                    _ => return false,
                }
            }
            EventKind::Heal { fault, stage: FaultStage::Ok } => {
                self.cut.remove(fault);
                // What another fault did to the process is not undone by this one.
                if self.kinds.get(fault).is_some_and(|kind| matches!(kind.state(), State::Down | State::Frozen)) {
                    self.set_struck(fault, BrokerState::Up);
                }
            }
            _ => return false,
        }
        true
    }

    fn set_struck(&mut self, fault: &FaultId, state: BrokerState) {
        for broker in self.struck.get(fault).into_iter().flatten() {
            self.process.insert(*broker, state);
        }
    }

    /// A broker's state now; `None` before anybody looked.
    fn state(&self, broker: BrokerId) -> Option<BrokerState> {
        let registered = self.registered.as_ref()?;
        match self.process.get(&broker) {
            Some(state @ (BrokerState::Paused | BrokerState::Down)) => Some(*state),
            _ if self.cut.values().any(|away| away.contains(&broker)) => Some(BrokerState::Cut),
            _ if registered.contains(&broker) => Some(BrokerState::Up),
            _ => Some(BrokerState::Unregistered),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::report::{BrokerState, fixture};

    #[test]
    fn a_killed_broker_is_down_then_unregistered_then_up() {
        let report = fixture::valid();
        let states: Vec<_> = report.brokers[1].spans.iter().map(|span| span.state).collect();
        assert_eq!(states, [BrokerState::Up, BrokerState::Down, BrokerState::Unregistered, BrokerState::Up]);
        assert_eq!(report.brokers[0].spans.len(), 1);
    }

    #[test]
    fn a_controller_that_stays_is_one_span() {
        let report = fixture::valid();
        assert_eq!(report.controllers.len(), 1);
        assert_eq!(report.controllers[0].end_ns, report.end_ns);
        assert!(fixture::empty().controllers.is_empty());
    }

    #[test]
    fn spans_follow_one_another_to_the_end_of_the_run() {
        for report in [fixture::valid(), fixture::invalid(), fixture::inconclusive()] {
            for lane in &report.brokers {
                assert!(lane.spans.windows(2).all(|pair| pair[0].end_ns == pair[1].start_ns));
                assert_eq!(lane.spans.last().map(|span| span.end_ns), Some(report.end_ns));
            }
        }
    }
}
