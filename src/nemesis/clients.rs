//! Faults that strike the load's clients: carried out through the load's own controls, looked at, and undone.
//!
//! The ledger hears nothing of them: clients die with the harness, frozen ones too, and a storm's members leave with it, so
//! that a sweep would find nothing to undo.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Nemesis;
use super::strike::stage;
use crate::cluster::chain;
use crate::fault::client::{
    ClientAction, ClientLook, ClientSeen, ClientState, Count, GroupLook, Strikes, best_pace, pace,
};
use crate::fault::{Deed, Moment, Victim};
use crate::history::EventKind;
use crate::history::event::FaultStage;
use crate::kafka::TimeNs;
use crate::plan::Step;
use crate::workload::control::{ControlError, Controls, Storm};
use crate::workload::transactional_id;

/// How often clients are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(400);

/// How long a client that is to be slowed down is watched before, so that its own speed is known.
const PACE_TIME: Duration = Duration::from_secs(2);

/// How often a heal is tried before it is given up. Each try has the controls' own limit.
const HEAL_TRIES: u32 = 3;

/// A fault that is about to strike clients or a group.
pub(super) struct ClientStrike<'a> {
    nemesis: &'a Nemesis,
    step: &'a Step,
    targets: &'a [Victim],
    action: ClientAction,
    /// The latest look at each target.
    last: BTreeMap<String, Sight>,
    /// What each target had read by when, before the fault and after it.
    before: BTreeMap<String, Vec<Count>>,
    after: BTreeMap<String, Vec<Count>>,
    /// Which life of each target was there before the fault.
    first_life: BTreeMap<String, u32>,
}

struct Sight {
    moment: Moment,
    seen: ClientSeen,
}

/// Whether a look is written down that shows nothing new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tell {
    /// No.
    News,
    /// Yes: how long nothing changed is what it shows.
    Always,
}

impl<'a> ClientStrike<'a> {
    /// Nothing is done yet.
    pub(super) fn new(nemesis: &'a Nemesis, step: &'a Step, targets: &'a [Victim], action: ClientAction) -> Self {
        let (last, before, after) = <(BTreeMap<_, _>, BTreeMap<_, _>, BTreeMap<_, _>)>::default();
        Self { nemesis, step, targets, action, last, before, after, first_life: BTreeMap::new() }
    }

    /// Looks at every target before the fault: once, or for a while, where its speed is in question.
    pub(super) async fn look_before(&mut self, stop: impl Future) {
        match self.action {
            ClientAction::Slow { .. } => self.look_until(Moment::Before, Instant::now() + PACE_TIME, stop).await,
            _ => self.look(Moment::Before, Tell::News).await,
        }
    }

    /// Does it, and tells the history.
    pub(super) async fn inject(&self) -> Result<(), String> {
        let tell = |stage| self.nemesis.recorder.event(EventKind::Inject { fault: self.step.fault.clone(), stage });
        tell(FaultStage::Invoke { targets: self.targets.to_vec() });
        let mut result = Ok(());
        for label in self.labels() {
            let (action, seed) = (self.action, self.step.seed);
            let done = if action == ClientAction::Fence {
                self.fence(label).await
            } else {
                let done = self.blocking(move |controls| perform(controls, &label, action, seed)).await;
                done.map_err(|error| error.to_string())
            };
            result = result.and(done);
        }
        tell(stage(&result));
        result
    }

    /// Takes a producer's transactional id, and tells the history what the coordinator said of it.
    async fn fence(&self, client: String) -> Result<(), String> {
        let recorder = &self.nemesis.recorder;
        let id = transactional_id(&recorder.header().run, &client);
        let fencing = self.nemesis.cluster.fence(&id).await.map_err(|error| chain(&error))?;
        let deed = Deed::Fenced(Box::new(fencing));
        recorder.event(EventKind::ClientDeed { fault: self.step.fault.clone(), client, deed });
        Ok(())
    }

    /// Undoes it, and tells the history. Returns when that was.
    pub(super) async fn heal(&self) -> Result<TimeNs, String> {
        let tell = |stage| self.nemesis.recorder.event(EventKind::Heal { fault: self.step.fault.clone(), stage });
        tell(FaultStage::Invoke { targets: self.targets.to_vec() });
        let mut result = Ok(());
        for label in self.labels() {
            result = result.and(self.persist(&label).await.map_err(|error| error.to_string()));
        }
        tell(stage(&result));
        result.map(|()| self.nemesis.recorder.now())
    }

    async fn persist(&self, label: &str) -> Result<(), ControlError> {
        let mut result = Ok(());
        for attempt in 1..=HEAL_TRIES {
            let (label, action) = (label.to_owned(), self.action);
            result = self.blocking(move |controls| undo(controls, &label, action)).await;
            if result.is_ok() {
                break;
            }
            sleep(Duration::from_millis(500) * attempt).await;
        }
        result
    }

    /// Looks again and again while it is in force, until `end` or until `stop` resolves.
    pub(super) async fn watch(&mut self, end: Instant, stop: impl Future) {
        self.look_until(Moment::During, end, stop).await;
    }

    /// Looks until every target is as it was and got something done since the heal. False when that takes longer than
    /// `limit`.
    pub(super) async fn watch_until_well(&mut self, healed: TimeNs, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        loop {
            self.look(Moment::After, Tell::News).await;
            if self.labels().iter().all(|label| self.is_well(label, healed)) {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    fn is_well(&self, label: &str, healed: TimeNs) -> bool {
        let is_well =
            self.last.get(label).is_some_and(|sight| sight.moment == Moment::After && sight.seen.is_well_since(healed));
        let counts = |looks: &BTreeMap<String, Vec<Count>>| looks.get(label).cloned().unwrap_or_default();
        // A member that was slow has to be seen for long enough to be as fast again.
        let is_fast = match self.action {
            ClientAction::Slow { .. } => match (pace(&counts(&self.before)), best_pace(&counts(&self.after))) {
                (Some(before), Some(after)) => after > before / 2.0,
                (None, after) => after.is_some(),
                (Some(_), None) => false,
            },
            _ => true,
        };
        // What the fenced life had acknowledged just before may be counted a moment later.
        let is_another = self.action != ClientAction::Fence || self.lives_again(label);
        is_well && is_fast && is_another
    }

    fn lives_again(&self, label: &str) -> bool {
        let now = self.last.get(label).and_then(|sight| sight.seen.incarnation());
        now > self.first_life.get(label).copied()
    }

    async fn look_until(&mut self, moment: Moment, end: Instant, stop: impl Future) {
        let mut stop = pin!(stop);
        let mut is_over = false;
        while !is_over && Instant::now() < end {
            self.look(moment, Tell::News).await;
            tokio::select! {
                () = sleep(LOOK_INTERVAL.min(end.saturating_duration_since(Instant::now()))) => {}
                _ = &mut stop => is_over = true,
            }
        }
        self.look(moment, Tell::Always).await;
    }

    async fn look(&mut self, moment: Moment, tell: Tell) {
        for label in self.labels() {
            let (wanted, strikes) = (label.clone(), self.step.kind.facts().strikes);
            match self.blocking(move |controls| look_at(controls, &wanted, strikes)).await {
                Ok(seen) => self.take(moment, label, seen, tell),
                Err(error) => {
                    let fault = &self.step.fault;
                    self.nemesis.harness_error(format!("could not look at {label} for fault `{fault}`: {error}"));
                }
            }
        }
    }

    fn take(&mut self, moment: Moment, label: String, seen: ClientSeen, tell: Tell) {
        let count = (self.nemesis.recorder.now(), seen.read());
        let is_fast = !matches!(&seen, ClientSeen::Client(ClientLook { state: ClientState::Slow { .. }, .. }));
        match moment {
            Moment::Before => {
                self.before.entry(label.clone()).or_default().push(count);
                self.first_life.extend(seen.incarnation().map(|life| (label.clone(), life)));
            }
            Moment::After if is_fast => self.after.entry(label.clone()).or_default().push(count),
            Moment::During | Moment::After => {}
        }
        let is_news = self.last.get(&label).is_none_or(|last| last.moment != moment || last.seen != seen);
        if is_news || tell == Tell::Always {
            let fault = self.step.fault.clone();
            self.nemesis.recorder.event(match seen.clone() {
                ClientSeen::Client(look) => EventKind::ClientProof { fault, moment, look },
                ClientSeen::Group(look) => EventKind::StormProof { fault, moment, look },
            });
        }
        self.last.insert(label, Sight { moment, seen });
    }

    fn labels(&self) -> Vec<String> {
        self.targets.iter().filter_map(Victim::client).map(str::to_owned).collect()
    }

    /// The controls block, so that they are used on a thread of their own. A panic there goes on here.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Controls) -> T + Send + 'static) -> T {
        let controls = Arc::clone(&self.nemesis.controls);
        match tokio::task::spawn_blocking(move || work(&controls)).await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

fn perform(controls: &Controls, label: &str, action: ClientAction, seed: u64) -> Result<(), ControlError> {
    match action {
        ClientAction::Crash => controls.crash(label),
        ClientAction::Freeze => controls.freeze(label),
        ClientAction::Fence => unreachable!("the cluster is asked for that, not the load"),
        ClientAction::Slow { per_record_ns } => controls.slow(label, Duration::from_nanos(per_record_ns)),
        ClientAction::Storm { extra, every_ms } => {
            controls.storm(label, Storm { extra, every: Duration::from_millis(every_ms), seed })
        }
    }
}

fn undo(controls: &Controls, label: &str, action: ClientAction) -> Result<(), ControlError> {
    match action {
        ClientAction::Crash | ClientAction::Freeze => controls.resume(label),
        ClientAction::Slow { .. } => controls.full_speed(label),
        ClientAction::Storm { .. } => controls.calm(label).map(drop),
        // The client takes its id back by itself.
        ClientAction::Fence => Ok(()),
    }
}

fn look_at(controls: &Controls, label: &str, strikes: Strikes) -> Result<ClientSeen, ControlError> {
    if strikes != Strikes::Groups {
        return controls.look(label).map(ClientSeen::Client);
    }
    let is_its = |member: &String| member.rsplit_once('/').is_some_and(|(group, _)| group == label);
    let members: Result<Vec<ClientLook>, ControlError> =
        controls.labels().iter().filter(|member| is_its(member)).map(|member| controls.look(member)).collect();
    let members = members?;
    let is_running = |look: &&ClientLook| matches!(look.state, ClientState::Running | ClientState::Slow { .. });
    Ok(ClientSeen::Group(GroupLook {
        group: label.to_owned(),
        storm: controls.storm_look(label),
        running: u32::try_from(members.iter().filter(is_running).count()).unwrap_or(u32::MAX),
        read: members.iter().map(|look| look.read).sum(),
        last_progress: members.iter().filter_map(|look| look.last_progress).max(),
    }))
}
