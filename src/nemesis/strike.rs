//! A fault's actions, carried out and undone: each in the ledger before it is done, each undone on every way out.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use super::Nemesis;
use crate::cluster::ClusterError;
use crate::cluster::ledger::Entry;
use crate::cluster::undo::{Remedy, Undo};
use crate::fault::{Action, FaultId, Stroke, Victim};
use crate::history::EventKind;
use crate::history::event::FaultStage;
use crate::kafka::BrokerId;
use crate::plan::Step;

/// How often a heal is tried before it is given up. Each try has the engine's own limit.
const HEAL_TRIES: u32 = 5;

/// A fault that is about to strike: what will be done, and what will undo it.
pub struct Strike<'a> {
    nemesis: &'a Nemesis,
    fault: &'a FaultId,
    targets: &'a [Victim],
    strokes: Vec<Stroke>,
    remedies: Vec<Remedy>,
    /// The life of each broker that was told to end last.
    told: Mutex<BTreeMap<BrokerId, String>>,
}

impl<'a> Strike<'a> {
    /// Finds what will undo each action, and writes it to the ledger. Nothing is done yet.
    pub async fn prepare(
        nemesis: &'a Nemesis,
        step: &'a Step,
        targets: &'a [Victim],
        strokes: Vec<Stroke>,
    ) -> Result<Self, String> {
        let mut remedies = Vec::new();
        for Stroke { broker, action } in &strokes {
            let undo = nemesis.cluster.prepare(*broker, action).await.map_err(|error| error.to_string())?;
            remedies.push(Remedy { broker: *broker, undo });
        }
        let entry = Entry::Inject {
            fault: step.fault.clone(),
            kind: step.kind.name().to_owned(),
            targets: targets.to_vec(),
            remedies: remedies.clone(),
        };
        nemesis.ledger.note(entry).await.map_err(|error| error.to_string())?;
        Ok(Self { nemesis, fault: &step.fault, targets, strokes, remedies, told: Mutex::default() })
    }

    /// Does it to everybody at once, and tells the history.
    pub async fn inject(&self) -> Result<(), String> {
        self.tell_inject(FaultStage::Invoke { targets: self.targets.to_vec() });
        let result = self.perform(|_| true).await;
        self.tell_inject(stage(&result));
        result
    }

    /// Undoes it for everybody, and tells the history and the ledger.
    pub async fn heal(&self) -> Result<(), String> {
        self.tell_heal(FaultStage::Invoke { targets: self.targets.to_vec() });
        let result = self.undo(|_| true).await;
        self.tell_heal(stage(&result));
        result?;
        self.note_healed().await;
        Ok(())
    }

    /// Takes back what was prepared and not begun.
    pub async fn call_off(&self) {
        self.note_healed().await;
    }

    /// A heal that the ledger does not know of is healed once more by the next sweep, which does no harm.
    async fn note_healed(&self) {
        if let Err(error) = self.nemesis.ledger.note(Entry::Heal { fault: self.fault.clone() }).await {
            self.nemesis.harness_error(error.to_string());
        }
    }

    /// Tells the history how the injection goes.
    pub fn tell_inject(&self, stage: FaultStage) {
        self.nemesis.recorder.event(EventKind::Inject { fault: self.fault.clone(), stage });
    }

    fn tell_heal(&self, stage: FaultStage) {
        self.nemesis.recorder.event(EventKind::Heal { fault: self.fault.clone(), stage });
    }

    /// Does what is meant for these brokers: each broker's actions in order, the brokers side by side.
    pub async fn perform(&self, is_meant: impl Fn(BrokerId) -> bool) -> Result<(), String> {
        let mut by_broker: BTreeMap<BrokerId, Vec<&Action>> = BTreeMap::new();
        for stroke in self.strokes.iter().filter(|stroke| is_meant(stroke.broker)) {
            by_broker.entry(stroke.broker).or_default().push(&stroke.action);
        }
        let strikes = by_broker.into_iter().map(|(broker, actions)| async move {
            for action in actions {
                self.note_ending(broker, action).await?;
                if let Some(deed) = self.nemesis.cluster.perform(broker, action).await? {
                    let (fault, target) = (self.fault.clone(), broker);
                    self.nemesis.recorder.event(EventKind::Deed { fault, target, deed });
                }
            }
            Ok::<(), ClusterError>(())
        });
        join_all(strikes).await.into_iter().collect::<Result<(), _>>().map_err(|error| error.to_string())
    }

    /// Undoes what was done to these brokers, trying again where that fails.
    pub async fn undo(&self, is_meant: impl Fn(BrokerId) -> bool) -> Result<(), String> {
        let mut by_broker: BTreeMap<BrokerId, Vec<Undo>> = BTreeMap::new();
        for Remedy { broker, undo } in self.remedies.iter().rev().filter(|remedy| is_meant(remedy.broker)) {
            let told = self.told().get(broker).map(|life| undo.once_told(life));
            by_broker.entry(*broker).or_default().push(told.unwrap_or_else(|| undo.clone()));
        }
        let heals = by_broker.into_iter().map(|(broker, undos)| async move {
            for undo in undos {
                self.persist(broker, &undo).await?;
            }
            Ok::<(), ClusterError>(())
        });
        join_all(heals).await.into_iter().collect::<Result<(), _>>().map_err(|error| error.to_string())
    }

    /// Writes down which life an action tells to end, before it does. An order whose answer never came, and a shutdown that
    /// takes minutes, leave a broker that runs and will not: by the life that was told, whoever heals knows it for one.
    async fn note_ending(&self, broker: BrokerId, action: &Action) -> Result<(), ClusterError> {
        if !action.tells_to_end() {
            return Ok(());
        }
        let state = self.nemesis.cluster.process_state(broker).await?;
        let Some(life) = state.life().map(str::to_owned) else { return Ok(()) };
        let ending = Entry::Ending { fault: self.fault.clone(), broker, life: life.clone() };
        self.nemesis.ledger.note(ending).await?;
        self.told().insert(broker, life);
        Ok(())
    }

    fn told(&self) -> MutexGuard<'_, BTreeMap<BrokerId, String>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn persist(&self, broker: BrokerId, undo: &Undo) -> Result<(), ClusterError> {
        let mut result = Ok(());
        for attempt in 1..=HEAL_TRIES {
            result = self.nemesis.cluster.undo(broker, undo).await;
            if result.is_ok() {
                break;
            }
            sleep(Duration::from_millis(500) * attempt).await;
        }
        result
    }
}

/// How it went, for the history.
pub fn stage(result: &Result<(), String>) -> FaultStage {
    match result {
        Ok(()) => FaultStage::Ok,
        // Several targets, or a limit that ran out: what was asked for may have been done in part, or may be done yet.
        Err(reason) => FaultStage::Info { reason: reason.clone() },
    }
}
