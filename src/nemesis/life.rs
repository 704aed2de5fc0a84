//! One fault's life: it waits for its turn, resolves its target, strikes, is watched, is healed, and is watched until its
//! targets are whole.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::board::{Board, State};
use super::clients::ClientStrike;
use super::proof::Witness;
use super::strike::{Strike, stage};
use super::target::{self, Reach, TargetError};
use super::{Nemesis, Season};
use crate::fault::{ClientAction, Course, FaultId, Hold, Moment, Scene, Target, Victim};
use crate::history::EventKind;
use crate::history::event::FaultStage;
use crate::kafka::BrokerId;
use crate::plan::{EmptyTarget, PlannedStart, Step};

/// How long the cluster may take to tell whom a target names. The fault begins that much later.
const RESOLVE_LIMIT: Duration = Duration::from_secs(10);
/// How long a target may take to be seen at work before it is struck. The fault begins that much later.
const WELL_LIMIT: Duration = Duration::from_secs(5);
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Why a fault whose turn never came struck nobody.
const TOO_LATE: &str = "the chaos phase ended before its turn came";

/// Why a fault whose turn had come struck nobody all the same.
const INTERRUPTED: &str = "the run was interrupted when its turn had just come";

/// Why nothing can be said of who is there.
enum SceneError {
    /// The other end could not be found.
    Other(TargetError),
    /// The other end is the target itself.
    NoOtherEnd(String),
}

impl From<TargetError> for SceneError {
    fn from(error: TargetError) -> Self {
        Self::Other(error)
    }
}

/// One fault's life.
pub(super) struct Life {
    pub(super) nemesis: Nemesis,
    pub(super) step: Step,
    pub(super) board: Arc<Board>,
    /// The client or group that the plan drew for it, if it strikes one.
    pub(super) client: Option<String>,
    pub(super) season: watch::Receiver<Season>,
}

impl Life {
    /// Plays it out.
    pub(super) async fn live(self, began: Instant) {
        let (board, fault) = (Arc::clone(&self.board), self.step.fault.clone());
        let ended = AssertUnwindSafe(self.play_out(began)).catch_unwind().await;
        if let Err(panic) = ended {
            // Everybody waits for this fault to be over; whether it is undone, nobody knows any more.
            board.stick(&fault, "its task ended early, by a bug in wiber-chaos".to_owned());
            std::panic::resume_unwind(panic);
        }
    }

    async fn play_out(mut self, began: Instant) {
        if let Err(reason) = self.wait_for_turn(began).await {
            return self.skip(reason);
        }
        let targets = match self.resolve(&self.step.target).await {
            Ok(targets) => targets,
            Err(error) => return self.strike_nobody(&error),
        };
        if let Some(action) = self.step.kind.client_action() {
            return self.strike_clients(targets, action).await;
        }
        match self.set_scene(targets).await {
            Ok(scene) => self.strike(&scene).await,
            Err(SceneError::Other(error)) => self.strike_nobody(&error),
            Err(SceneError::NoOtherEnd(reason)) => self.skip(reason),
        }
    }

    /// A target that is nobody may be meant; a cluster that could not be asked never is.
    fn strike_nobody(&self, error: &TargetError) {
        match (error, self.board.empty_target()) {
            (TargetError::Nobody { .. }, EmptyTarget::Skip) => {
                let (fault, reason) = (self.step.fault.clone(), error.to_string());
                self.nemesis.recorder.event(EventKind::FaultPassedOver { fault, reason });
                self.enter(State::PassedOver);
            }
            (TargetError::Nobody { .. }, EmptyTarget::Fail) | (TargetError::Cluster(_), _) => {
                self.skip(error.to_string());
            }
        }
    }

    async fn wait_for_turn(&mut self, began: Instant) -> Result<(), String> {
        match self.step.start.clone() {
            PlannedStart::AtMs(at_ms) => {
                self.rest_until(began + Duration::from_millis(at_ms)).await?;
                let before = self.step.series.as_ref().and_then(|series| series.behind.clone());
                // Whatever became of it: by the clock each has its own turn, and only must not meet the one before.
                if let Some(before) = before {
                    self.ended(&before).await?;
                }
                Ok(())
            }
            PlannedStart::After { fault, delay_ms } => {
                match self.ended(&fault).await? {
                    State::Whole(_) | State::PassedOver => {}
                    _ => return Err(format!("fault `{fault}`, which it follows, never came to its end")),
                }
                self.rest_until(Instant::now() + Duration::from_millis(delay_ms)).await
            }
        }
    }

    /// Waits until another fault has come to its end; an error when the season for new faults is over first.
    async fn ended(&self, fault: &FaultId) -> Result<State, String> {
        let (mut other, mut season) = (self.board.follow(fault), self.season.clone());
        tokio::select! {
            state = other.wait_for(State::has_ended) => {
                Ok(state.expect("the board outlives every life").clone())
            }
            _ = season.wait_for(|season| *season != Season::Chaos) => Err(TOO_LATE.to_owned()),
        }
    }

    /// Rests until `end`; an error when the season for new faults is over first.
    async fn rest_until(&self, end: Instant) -> Result<(), String> {
        let mut season = self.season.clone();
        match timeout_at(end, season.wait_for(|season| *season != Season::Chaos)).await {
            Ok(_) => Err(TOO_LATE.to_owned()),
            Err(_) => Ok(()),
        }
    }

    /// Finding its targets and looking at them took a while: whoever has ended the run meanwhile wants nobody struck any more.
    fn still_wanted(&self) -> Result<(), String> {
        if *self.season.borrow() == Season::Over { Err(INTERRUPTED.to_owned()) } else { Ok(()) }
    }

    async fn resolve(&self, target: &Target) -> Result<Vec<Victim>, TargetError> {
        let struck_by = |fault: &FaultId| self.board.struck_by(fault);
        if let Some(client) = self.client.as_ref().filter(|_| *target == self.step.target) {
            return Ok(vec![Victim::Client(client.clone())]);
        }
        let (reach, deadline) = (Reach::of(&self.step.kind), Instant::now() + RESOLVE_LIMIT);
        loop {
            let cluster = self.nemesis.cluster.as_ref();
            match target::resolve(cluster, target, reach, &self.step.draw, struck_by).await {
                Ok(targets) => return Ok(targets),
                // A cluster under load, or under another fault, may miss one look.
                Err(TargetError::Cluster(_)) if Instant::now() < deadline => sleep(BETWEEN_LOOKS).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Who is there when it strikes.
    async fn set_scene(&self, targets: Vec<Victim>) -> Result<Scene, SceneError> {
        let cluster = self.nemesis.cluster.as_ref();
        let all = cluster.brokers();
        let is_target = |broker: &BrokerId| targets.contains(&Victim::Broker(*broker));
        let to: Vec<BrokerId> = match self.step.kind.to() {
            Some(to) => self.resolve(to).await?.iter().filter_map(Victim::broker).collect(),
            None => all.clone(),
        };
        let to: Vec<BrokerId> = to.into_iter().filter(|broker| !is_target(broker)).collect();
        if let (true, Some(target)) = (to.is_empty(), self.step.kind.to()) {
            return Err(SceneError::NoOtherEnd(format!("its other end, `{target}`, is its target itself")));
        }
        let reachable = all.iter().copied().filter(|broker| cluster.may_strike(*broker).is_ok()).collect();
        Ok(Scene { fault: self.step.fault.clone(), targets, to, all, reachable, seed: self.step.seed })
    }

    async fn strike(&mut self, scene: &Scene) {
        let (nemesis, step, targets) = (self.nemesis.clone(), self.step.clone(), scene.targets.clone());
        let hold = Hold::of(&step.kind, scene);
        let mut witness = Witness::new(&nemesis, &step, scene, hold.clone());
        witness.watch_until_well(WELL_LIMIT, || self.others(), self.over()).await;
        if let Err(reason) = self.still_wanted() {
            return self.skip(reason);
        }
        if let Err(reason) = self.board.admit(&step.fault, targets.clone(), hold) {
            return self.skip(reason);
        }
        let strike = match Strike::prepare(&nemesis, &step, &targets, step.kind.strokes(scene)).await {
            Ok(strike) => strike,
            // Nothing was done, so that there is nothing to heal.
            Err(reason) => return self.skip(format!("it could not be prepared: {reason}")),
        };
        if let Err(reason) = self.still_wanted() {
            strike.call_off().await;
            return self.skip(reason);
        }
        let course = match step.kind.course() {
            Course::Hold => self.hold(&strike, &mut witness).await,
            Course::Brief => strike.inject().await,
            Course::Rolling { down_ms } => self.roll(&strike, &mut witness, &targets, down_ms).await,
            Course::Loop { down_ms, up_ms } => self.repeat(&strike, &mut witness, down_ms, up_ms).await,
        };
        // Why an injection failed the history has in its own place; only what goes on after it has none.
        if let (Err(reason), Course::Rolling { .. } | Course::Loop { .. }) = (course, step.kind.course()) {
            nemesis.harness_error(format!("fault `{}` did not take its course: {reason}", step.fault));
        }
        // Also after a failed injection: some of the targets may have been struck before one refused.
        match strike.heal().await {
            Ok(()) => {
                self.enter(State::Healed(targets.clone()));
                if witness.watch_until_whole(nemesis.settle_limit, || self.others()).await {
                    self.enter(State::Whole(targets));
                }
            }
            Err(reason) => self.board.stick(&step.fault, reason),
        }
    }

    /// The same way for those that are no brokers.
    async fn strike_clients(&mut self, targets: Vec<Victim>, action: ClientAction) {
        let (nemesis, step) = (self.nemesis.clone(), self.step.clone());
        let mut strike = ClientStrike::new(&nemesis, &step, &targets, action);
        strike.look_before(self.over()).await;
        if let Err(reason) = self.still_wanted() {
            return self.skip(reason);
        }
        self.enter(State::InForce(targets.clone()));
        // Why an injection failed the history has in its own place.
        if strike.inject().await.is_ok() {
            strike.watch(Instant::now() + Duration::from_millis(step.duration_ms), self.over()).await;
        }
        match strike.heal().await {
            Ok(healed) => {
                self.enter(State::Healed(targets.clone()));
                if strike.watch_until_well(healed, nemesis.settle_limit).await {
                    self.enter(State::Whole(targets));
                }
            }
            Err(reason) => self.board.stick(&step.fault, reason),
        }
    }

    async fn hold(&self, strike: &Strike<'_>, witness: &mut Witness<'_>) -> Result<(), String> {
        strike.inject().await?;
        let end = Instant::now() + Duration::from_millis(self.step.duration_ms);
        witness.watch(Moment::During, end, self.over()).await;
        Ok(())
    }

    /// One after another; the next is struck when the one before is whole.
    async fn roll(
        &self,
        strike: &Strike<'_>,
        witness: &mut Witness<'_>,
        targets: &[Victim],
        down_ms: u64,
    ) -> Result<(), String> {
        strike.tell_inject(FaultStage::Invoke { targets: targets.to_vec() });
        for (place, target) in targets.iter().enumerate() {
            let is_it = |broker| target.broker() == Some(broker);
            let struck = strike.perform(is_it).await;
            // It is in force from the first of them on.
            if place == 0 || struck.is_err() {
                strike.tell_inject(stage(&struck));
            }
            struck?;
            witness.turn_to(target);
            witness.watch(Moment::During, Instant::now() + Duration::from_millis(down_ms), self.over()).await;
            strike.undo(is_it).await?;
            if !witness.watch_until_whole(self.nemesis.settle_limit, || self.others()).await {
                return Err(format!("{target} was not whole again in time, so that no other was struck after it"));
            }
            if *self.season.borrow() == Season::Over {
                break;
            }
        }
        witness.turn_to_all();
        Ok(())
    }

    /// Struck, well, struck again, until its time is over.
    async fn repeat(
        &self,
        strike: &Strike<'_>,
        witness: &mut Witness<'_>,
        down_ms: u64,
        up_ms: u64,
    ) -> Result<(), String> {
        strike.inject().await?;
        let end = Instant::now() + Duration::from_millis(self.step.duration_ms);
        let until = |millis| (Instant::now() + Duration::from_millis(millis)).min(end);
        loop {
            witness.watch(Moment::During, until(down_ms), self.over()).await;
            if Instant::now() >= end || *self.season.borrow() == Season::Over {
                return Ok(());
            }
            strike.undo(|_| true).await?;
            witness.watch(Moment::During, until(up_ms), self.over()).await;
            if Instant::now() >= end || *self.season.borrow() == Season::Over {
                return Ok(());
            }
            strike.perform(|_| true).await?;
        }
    }

    /// Waits until the run is interrupted.
    fn over(&self) -> impl Future {
        let mut season = self.season.clone();
        async move { season.wait_for(|season| *season == Season::Over).await.map(drop) }
    }

    /// Whom other faults hold away.
    fn others(&self) -> Vec<Hold> {
        self.board.held_by_others(&self.step.fault)
    }

    fn skip(&self, reason: String) {
        self.nemesis.recorder.event(EventKind::FaultSkipped { fault: self.step.fault.clone(), reason });
        self.enter(State::Skipped);
    }

    fn enter(&self, state: State) {
        self.board.enter(&self.step.fault, state);
    }
}
