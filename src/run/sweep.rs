//! Finds what dead runs left in the engine, and removes it. Living runs, and anything without our label, are not touched.

use std::collections::BTreeSet;
use std::path::Path;

use crate::cluster::ClusterError;
use crate::cluster::attach::leftovers::{self, AttachLeftovers};
use crate::cluster::engine::{Engine, Leftovers};
use crate::cluster::ledger::{self, DeadLedger, LedgerError, Ledgers};

/// Which labelled things may be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Only what a ledger here proves dead. A ledger that is not here may lie on another host that shares the engine, or
    /// in another user's state directory, and its run may live: nobody here can tell.
    Ours,
    /// Also what no ledger here knows.
    Everything,
}

/// Whether to remove, or only to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Remove.
    Remove,
    /// Tell what would be removed.
    DryRun,
}

/// What one dead run left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The run's label.
    pub label: String,
    /// What is in the engine.
    pub leftovers: Leftovers,
    /// What is on a cluster that the run had attached to.
    pub attached: AttachLeftovers,
}

impl Found {
    /// Everything by name, each with its kind.
    pub fn names(&self) -> Vec<String> {
        self.leftovers.clone().into_names().chain(self.attached.names()).collect()
    }
}

/// What a sweep found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// What dead runs left; removed, unless it was a dry run.
    pub dead: Vec<Found>,
    /// The labels of the runs that live.
    pub alive: Vec<String>,
    /// Labelled things that no ledger here knows, left alone.
    pub foreign: Vec<Found>,
}

/// Why a sweep could not be done.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The engine could not be asked.
    #[error(transparent)]
    Engine(#[from] ClusterError),
    /// The engine would not remove something.
    #[error("run {label} could not be removed: {source}")]
    Stuck {
        /// The run's label.
        label: String,
        /// The engine's answer.
        source: ClusterError,
    },
    /// The ledgers could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Sweeps. A dead run's ledger is deleted once nothing of it is left. What cannot be removed keeps nothing else from being
/// removed; the first error is told at the end.
pub async fn sweep(state: &Path, scope: Scope, mode: Mode) -> Result<Swept, SweepError> {
    let ledgers = ledger::survey(state)?;
    let mut swept = Swept { alive: ledgers.alive.clone(), ..Swept::default() };
    // Before the engine's, which a run that attached to a cluster may not need at all.
    let mut stuck = sweep_attached(&ledgers.dead, mode, &mut swept).await;
    stuck.extend(sweep_engine(&ledgers, scope, mode, &mut swept).await?);
    if mode == Mode::Remove {
        let clear = |dead: &DeadLedger| !stuck.iter().any(|(label, _)| *label == dead.label);
        for dead in ledgers.dead.into_iter().filter(clear) {
            dead.close()?;
        }
    }
    match stuck.into_iter().next() {
        None => Ok(swept),
        Some((label, source)) => Err(SweepError::Stuck { label, source }),
    }
}

/// What would not go, with its run's label.
type Stuck = Vec<(String, ClusterError)>;

async fn sweep_attached(dead: &[DeadLedger], mode: Mode, swept: &mut Swept) -> Stuck {
    let mut stuck = Stuck::new();
    for dead in dead {
        let attached = leftovers::find(&dead.entries);
        if attached.is_empty() {
            continue;
        }
        if mode == Mode::Remove
            && let Err(error) = attached.undo().await
        {
            stuck.push((dead.label.clone(), error));
        }
        swept.dead.push(Found { label: dead.label.clone(), leftovers: Leftovers::default(), attached });
    }
    stuck
}

async fn sweep_engine(ledgers: &Ledgers, scope: Scope, mode: Mode, swept: &mut Swept) -> Result<Stuck, SweepError> {
    let engine = Engine::connect().await?;
    let living: BTreeSet<&String> = ledgers.alive.iter().collect();
    let our_dead: BTreeSet<&String> = ledgers.dead.iter().map(|dead| &dead.label).collect();
    let mut stuck = Stuck::new();
    for ((label, _), leftovers) in engine.labelled(None).await? {
        let found = Found { label, leftovers, attached: AttachLeftovers::default() };
        if living.contains(&found.label) {
            continue;
        }
        if our_dead.contains(&found.label) || scope == Scope::Everything {
            if mode == Mode::Remove
                && let Err(error) = engine.remove(&found.leftovers).await
            {
                stuck.push((found.label.clone(), error));
            }
            swept.dead.push(found);
        } else {
            swept.foreign.push(found);
        }
    }
    Ok(stuck)
}

/// What every start does first. It must not stand in a run's way: without an engine there is nothing to sweep, and what
/// cannot be removed now is found again by `clean`, which says so.
pub async fn dead_runs(state: &Path) {
    let has_dead = ledger::survey(state).is_ok_and(|ledgers| !ledgers.dead.is_empty());
    if has_dead {
        drop(sweep(state, Scope::Ours, Mode::Remove).await);
    }
}
