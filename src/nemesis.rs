//! The nemesis: carries a plan's faults out, each in a task of its own, proves them and heals them on every way out.
//!
//! A fault goes through the same states whatever it is: it waits for its turn, resolves its target, is looked at, is
//! written to the ledger, injected, looked at while it is in force, healed, and looked at until its targets are whole
//! again. [`Nemesis::disturb`] ends when the chaos phase is over and nothing is in force any more; [`Nemesis::settle`]
//! waits for the last looks.

pub mod process;
pub mod proof;
pub mod target;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use crate::cluster::Cluster;
use crate::cluster::ledger::{Entry, Ledger};
use crate::fault::{FaultId, Moment};
use crate::history::EventKind;
use crate::history::event::FaultStage;
use crate::history::recorder::RecorderHandle;
use crate::kafka::BrokerId;
use crate::nemesis::proof::Witness;
use crate::nemesis::target::TargetError;
use crate::plan::{Plan, PlannedStart, Step};

/// How often a heal is tried before it is given up. Each try has the engine's own limit.
const HEAL_TRIES: u32 = 5;

/// How long the cluster may take to tell whom a target names. The fault begins that much later.
const RESOLVE_LIMIT: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// How far a fault has come. The order is that of its life.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Its turn has not come.
    Waiting,
    /// It is being injected, is in force, or is being healed. Holds whom it strikes.
    InForce(Vec<BrokerId>),
    /// It is healed; its targets are not yet whole.
    Healed(Vec<BrokerId>),
    /// Its targets are whole again.
    Whole(Vec<BrokerId>),
    /// It struck nobody.
    Skipped,
    /// It could not be undone.
    Stuck(String),
}

impl State {
    /// Whether nothing of it is in force, now or later.
    fn is_over(&self) -> bool {
        !matches!(self, Self::Waiting | Self::InForce(_))
    }
}

type States = Arc<BTreeMap<FaultId, watch::Sender<State>>>;

/// Whether faults may still begin, or go on. It only ever moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Season {
    /// Both.
    Chaos,
    /// The chaos phase is over: none begins any more, and those in force last as long as was planned. An injection that
    /// took longer than usual must not make its fault a shorter one.
    Closing,
    /// The run was interrupted: all are healed at once.
    Over,
}

/// What is needed to strike: the cluster, the history, and the ledger of what must be undone.
#[derive(Clone)]
pub struct Nemesis {
    cluster: Arc<dyn Cluster>,
    recorder: RecorderHandle,
    ledger: Arc<Ledger>,
    /// How long a healed target is watched until it is whole.
    settle_limit: Duration,
}

/// The faults under way. Must be settled, so that the last proofs are in the history.
#[must_use = "settle the faults, or their last proofs are lost"]
pub struct Disturbance {
    states: States,
    tasks: JoinSet<()>,
}

impl Nemesis {
    /// A nemesis for one cluster.
    pub fn new(
        cluster: Arc<dyn Cluster>,
        recorder: RecorderHandle,
        ledger: Arc<Ledger>,
        settle_limit: Duration,
    ) -> Self {
        Self { cluster, recorder, ledger, settle_limit }
    }

    /// Runs the plan's chaos phase. Returns when it is over and nothing is in force: later than planned where a fault had
    /// to wait for the one before, early when `stop` turns true.
    pub async fn disturb(&self, plan: &Plan, mut stop: watch::Receiver<bool>) -> Disturbance {
        let began = Instant::now();
        let end = began + Duration::from_millis(plan.phases.chaos_ms);
        let (season, _) = watch::channel(Season::Chaos);
        let states: States =
            Arc::new(plan.steps.iter().map(|step| (step.fault.clone(), watch::channel(State::Waiting).0)).collect());
        let mut tasks = JoinSet::new();
        for step in plan.steps.clone() {
            let life = Life { nemesis: self.clone(), step, states: Arc::clone(&states), season: season.subscribe() };
            tasks.spawn(life.live(began));
        }
        let interrupted = async {
            if stop.wait_for(|stop| *stop).await.is_err() {
                // Nobody is left who could interrupt.
                std::future::pending::<()>().await;
            }
        };
        let played = async {
            sleep_until(end).await;
            // Faults that follow others wait for the cluster, which may be slower here than where the scenario was
            // written. They get their turn, within the limit that a recovery has.
            drop(timeout(self.settle_limit, all_over(&states)).await);
            season.send_replace(Season::Closing);
            all_over(&states).await;
        };
        tokio::select! {
            () = played => {}
            () = interrupted => {
                season.send_replace(Season::Over);
                all_over(&states).await;
            }
        }
        Disturbance { states, tasks }
    }
}

impl Disturbance {
    /// Waits until every healed target is whole or its watch has run out. Returns the faults that could not be undone.
    pub async fn settle(mut self) -> Vec<(FaultId, String)> {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                std::panic::resume_unwind(error.into_panic());
            }
        }
        let stuck = self.states.iter().filter_map(|(fault, state)| match &*state.borrow() {
            State::Stuck(reason) => Some((fault.clone(), reason.clone())),
            _ => None,
        });
        stuck.collect()
    }
}

/// One fault's life.
struct Life {
    nemesis: Nemesis,
    step: Step,
    states: States,
    season: watch::Receiver<Season>,
}

impl Life {
    async fn live(self, began: Instant) {
        let (states, fault) = (Arc::clone(&self.states), self.step.fault.clone());
        let ended = AssertUnwindSafe(self.play_out(began)).catch_unwind().await;
        if let Err(panic) = ended {
            // Everybody waits for this fault to be over; whether it is undone, nobody knows any more.
            states[&fault].send_replace(State::Stuck("its task ended early, by a bug in wiber-chaos".to_owned()));
            std::panic::resume_unwind(panic);
        }
    }

    async fn play_out(mut self, began: Instant) {
        if let Err(reason) = self.wait_for_turn(began).await {
            return self.skip(reason);
        }
        match self.resolve().await {
            Ok(targets) => self.strike(targets).await,
            Err(reason) => self.skip(reason),
        }
    }

    async fn wait_for_turn(&mut self, began: Instant) -> Result<(), String> {
        let season = self.season.clone();
        let over = "the chaos phase ended before its turn came";
        match self.step.start.clone() {
            PlannedStart::AtMs(at_ms) => {
                rest_until(season, began + Duration::from_millis(at_ms)).await.map_err(|()| over.to_owned())
            }
            PlannedStart::After { fault, delay_ms } => {
                let mut other = self.states[&fault].subscribe();
                let mut watched = season.clone();
                tokio::select! {
                    state = other.wait_for(|state| !matches!(state, State::Waiting | State::InForce(_) | State::Healed(_))) => {
                        match state.as_deref() {
                            Ok(State::Whole(_)) => {}
                            _ => return Err(format!("fault `{fault}`, which it follows, never came to its end")),
                        }
                    }
                    _ = watched.wait_for(|season| *season != Season::Chaos) => return Err(over.to_owned()),
                }
                rest_until(season, Instant::now() + Duration::from_millis(delay_ms)).await.map_err(|()| over.to_owned())
            }
        }
    }

    async fn resolve(&self) -> Result<Vec<BrokerId>, String> {
        let struck_by = |fault: &FaultId| match &*self.states.get(fault)?.borrow() {
            State::InForce(targets) | State::Healed(targets) | State::Whole(targets) => Some(targets.clone()),
            State::Waiting | State::Skipped | State::Stuck(_) => None,
        };
        let deadline = Instant::now() + RESOLVE_LIMIT;
        loop {
            let cluster = self.nemesis.cluster.as_ref();
            match target::resolve(cluster, &self.step.target, &self.step.draw, struck_by).await {
                Ok(targets) => return Ok(targets),
                // A cluster under load, or under another fault, may miss one look.
                Err(TargetError::Cluster(_)) if Instant::now() < deadline => sleep(BETWEEN_LOOKS).await,
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    async fn strike(&mut self, targets: Vec<BrokerId>) {
        let mut witness = Witness::new(&self.nemesis.cluster, &self.nemesis.recorder, &self.step.fault, &targets);
        witness.look(Moment::Before).await;
        self.enter(State::InForce(targets.clone()));
        match self.inject(&targets).await {
            Ok(()) => {
                let end = Instant::now() + Duration::from_millis(self.step.duration_ms);
                witness
                    .watch(Moment::During, end, self.season.clone().wait_for(|season| *season == Season::Over))
                    .await;
            }
            Err(reason) => {
                self.nemesis.harness_error(format!("fault `{}` was not injected: {reason}", self.step.fault));
            }
        }
        // Also after a failed injection: some of the targets may have been struck before one refused.
        match self.heal(&targets).await {
            Ok(()) => {
                self.enter(State::Healed(targets.clone()));
                if witness.watch_until_whole(self.nemesis.settle_limit).await {
                    self.enter(State::Whole(targets));
                }
            }
            Err(reason) => self.enter(State::Stuck(reason)),
        }
    }

    async fn inject(&self, targets: &[BrokerId]) -> Result<(), String> {
        let fault = &self.step.fault;
        let entry = Entry::Inject {
            fault: fault.clone(),
            kind: self.step.kind.name().to_owned(),
            targets: targets.iter().map(ToString::to_string).collect(),
        };
        self.nemesis.ledger.write(&entry).map_err(|error| error.to_string())?;
        let event = |stage| EventKind::Inject { fault: fault.clone(), stage };
        self.nemesis.recorder.event(event(FaultStage::Invoke { targets: targets.to_vec() }));
        let result = process::inject(self.nemesis.cluster.as_ref(), &self.step.kind, targets).await;
        self.nemesis.recorder.event(event(stage(result.as_ref().map_err(ToString::to_string))));
        result.map_err(|error| error.to_string())
    }

    async fn heal(&self, targets: &[BrokerId]) -> Result<(), String> {
        let fault = &self.step.fault;
        let event = |stage| EventKind::Heal { fault: fault.clone(), stage };
        self.nemesis.recorder.event(event(FaultStage::Invoke { targets: targets.to_vec() }));
        let mut result = Ok(());
        for attempt in 1..=HEAL_TRIES {
            result = process::heal(self.nemesis.cluster.as_ref(), &self.step.kind, targets).await;
            if result.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500) * attempt).await;
        }
        self.nemesis.recorder.event(event(stage(result.as_ref().map_err(ToString::to_string))));
        result.map_err(|error| error.to_string())?;
        // A heal that the ledger does not know of is healed once more by the next sweep, which does no harm.
        if let Err(error) = self.nemesis.ledger.write(&Entry::Heal { fault: fault.clone() }) {
            self.nemesis.harness_error(error.to_string());
        }
        Ok(())
    }

    fn skip(&self, reason: String) {
        self.nemesis.recorder.event(EventKind::FaultSkipped { fault: self.step.fault.clone(), reason });
        self.enter(State::Skipped);
    }

    fn enter(&self, state: State) {
        self.states[&self.step.fault].send_replace(state);
    }
}

impl Nemesis {
    fn harness_error(&self, message: String) {
        self.recorder.event(EventKind::HarnessError { message });
    }
}

/// Waits until nothing is in force, and nothing will be. Each life ends its own fault; every step there has a limit.
async fn all_over(states: &States) {
    for state in states.values() {
        // The sender lives as long as the map that is borrowed here, so this cannot fail.
        drop(state.subscribe().wait_for(State::is_over).await);
    }
}

/// Rests until `end`; an error when the season for new faults is over first.
async fn rest_until(mut season: watch::Receiver<Season>, end: Instant) -> Result<(), ()> {
    match timeout_at(end, season.wait_for(|season| *season != Season::Chaos)).await {
        Ok(_) => Err(()),
        Err(_) => Ok(()),
    }
}

fn stage(result: Result<&(), String>) -> FaultStage {
    match result {
        Ok(()) => FaultStage::Ok,
        // Several targets, or a limit that ran out: what was asked for may have been done in part, or may be done yet.
        Err(reason) => FaultStage::Info { reason },
    }
}
