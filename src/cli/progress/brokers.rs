//! What each broker is up to while a run goes on, by what the history tells: its process, its registration, and the faults
//! that cut it off. The process tells where it is known to be frozen or dead, then a cut, then the registration.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::fault::{Course, FaultId, FaultKind, ProcessState, Scene, State, Victim};
use crate::history::EventKind;
use crate::history::event::FaultStage;
use crate::kafka::{BrokerId, ClusterView};

/// How many seconds a lane looks back.
const LANE_SECONDS: usize = 60;

/// What a broker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nobody has looked yet.
    Unseen,
    /// Registered, and its process not known to be otherwise.
    Up,
    /// The cluster does not count it in.
    Unregistered,
    /// A fault keeps others from reaching it.
    Cut,
    /// Its process is frozen.
    Paused,
    /// Its process has ended.
    Down,
}

/// One broker.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) doing: Doing,
    /// What it was at each of the last seconds, the present one last.
    pub(super) past: VecDeque<Doing>,
    /// How many partitions it leads, and in how many it is in sync, by the last look.
    pub(super) leads: usize,
    pub(super) in_sync: usize,
    pub(super) is_controller: bool,
    process: Option<Doing>,
}

/// All brokers.
#[derive(Clone, Debug, Default)]
pub(super) struct Brokers {
    pub(super) lanes: BTreeMap<BrokerId, Lane>,
    /// Why nobody could be asked for the metadata, if so it is.
    pub(super) unreachable: Option<String>,
    registered: Option<BTreeSet<BrokerId>>,
    struck: BTreeMap<FaultId, Vec<BrokerId>>,
    cut: BTreeMap<FaultId, BTreeSet<BrokerId>>,
}

impl Brokers {
    /// These brokers, of which nothing is known yet.
    pub(super) fn new(ids: impl IntoIterator<Item = i32>) -> Self {
        let lanes = ids.into_iter().map(|id| (BrokerId(id), Lane::default())).collect();
        Self { lanes, ..Self::default() }
    }

    /// Takes an event in. `kind` is what the fault does that it is about.
    pub(super) fn take(&mut self, event: &EventKind, kind: Option<&FaultKind>) {
        match event {
            EventKind::ClusterObserved { view } => self.observe(view),
            EventKind::ClusterUnreachable { reason } => self.unreachable = Some(reason.clone()),
            EventKind::Proof { target, observation, .. } => {
                let doing = match observation.process {
                    ProcessState::Running { .. } => Doing::Up,
                    ProcessState::Paused { .. } => Doing::Paused,
                    ProcessState::Unwatched if observation.works() => Doing::Up,
                    ProcessState::Exited { .. } | ProcessState::Missing | ProcessState::Unwatched => Doing::Down,
                };
                self.lanes.entry(*target).or_default().process = Some(doing);
            }
            EventKind::Inject { fault, stage: FaultStage::Invoke { targets } } => {
                self.struck.insert(fault.clone(), targets.iter().filter_map(Victim::broker).collect());
            }
            EventKind::Inject { fault, stage: FaultStage::Ok } => self.inject(fault, kind),
            EventKind::Heal { fault, stage: FaultStage::Ok } => {
                self.cut.remove(fault);
                // What another fault did to the process is not undone by this one.
                if kind.is_some_and(|kind| matches!(kind.state(), State::Down | State::Frozen)) {
                    self.set_struck(fault, Doing::Up);
                }
            }
            _ => return,
        }
        self.settle();
    }

    /// A second has passed.
    pub(super) fn second(&mut self) {
        for lane in self.lanes.values_mut() {
            lane.past.push_back(lane.doing);
            if lane.past.len() > LANE_SECONDS {
                lane.past.pop_front();
            }
        }
    }

    fn observe(&mut self, view: &ClusterView) {
        self.unreachable = None;
        self.registered = Some(view.brokers.iter().copied().collect());
        for broker in &view.brokers {
            self.lanes.entry(*broker).or_default();
        }
        for (broker, lane) in &mut self.lanes {
            lane.leads = view.partitions.iter().filter(|partition| partition.leader == Some(*broker)).count();
            lane.in_sync = view.partitions.iter().filter(|partition| partition.isr.contains(broker)).count();
            lane.is_controller = view.controller == Some(*broker);
        }
    }

    fn inject(&mut self, fault: &FaultId, kind: Option<&FaultKind>) {
        let Some(kind) = kind else { return };
        match (kind.course(), kind.state()) {
            (Course::Hold, State::Down) => self.set_struck(fault, Doing::Down),
            (Course::Hold, State::Frozen) => self.set_struck(fault, Doing::Paused),
            (Course::Hold, State::CutOff) => {
                let struck = self.struck.get(fault).map_or(&[][..], Vec::as_slice);
                let scene = Scene::told(fault.clone(), struck, self.lanes.keys().copied().collect());
                self.cut.insert(fault.clone(), kind.away(&scene).into_iter().collect());
            }
            // What heals itself, or comes and goes, is told by the proofs and the cluster.
            _ => {}
        }
    }

    fn set_struck(&mut self, fault: &FaultId, doing: Doing) {
        for broker in self.struck.get(fault).into_iter().flatten() {
            self.lanes.entry(*broker).or_default().process = Some(doing);
        }
    }

    fn settle(&mut self) {
        for (broker, lane) in &mut self.lanes {
            lane.doing = match (lane.process, &self.registered) {
                (Some(known @ (Doing::Paused | Doing::Down)), _) => known,
                _ if self.cut.values().any(|away| away.contains(broker)) => Doing::Cut,
                (_, None) => Doing::Unseen,
                (_, Some(registered)) if registered.contains(broker) => Doing::Up,
                (_, Some(_)) => Doing::Unregistered,
            };
        }
    }
}

impl Default for Lane {
    fn default() -> Self {
        Self { doing: Doing::Unseen, past: VecDeque::new(), leads: 0, in_sync: 0, is_controller: false, process: None }
    }
}
