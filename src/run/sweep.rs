//! Finds what dead runs left in the engine, and removes it. Living runs, and anything without our label, are not touched.

use std::collections::BTreeSet;
use std::path::Path;

use crate::cluster::ClusterError;
use crate::cluster::attach::leftovers::{self, AttachLeftovers};
use crate::cluster::engine::{Engine, Leftovers};
use crate::cluster::ledger::{self, DeadLedger, LedgerError};

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
#[derive(Debug, Default)]
pub struct Swept {
    /// What dead runs left; removed, unless it was a dry run.
    pub dead: Vec<Found>,
    /// The labels of the runs that live.
    pub alive: Vec<String>,
    /// Labelled things that no ledger here knows, left alone.
    pub foreign: Vec<Found>,
    /// What could not be done. It kept nothing else from being done.
    pub troubles: Vec<SweepError>,
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
/// removed. An error only when there is nobody to ask where ledgers lie.
pub async fn sweep(state: &Path, scope: Scope, mode: Mode) -> Result<Swept, SweepError> {
    let ledgers = ledger::survey(state)?;
    let mut swept = Swept { alive: ledgers.alive.clone(), ..Swept::default() };
    swept.troubles.extend(ledgers.unreadable.into_iter().map(SweepError::Ledger));
    let mut kept = BTreeSet::new();
    // Before the engine's, which a run that attached to a cluster may not need at all.
    sweep_attached(&ledgers.dead, mode, &mut swept, &mut kept).await;
    if let Err(error) = sweep_engine(&ledgers.dead, &ledgers.alive, scope, mode, &mut swept, &mut kept).await {
        kept.extend(ledgers.dead.iter().filter(|dead| dead.is_in_engine()).map(|dead| dead.label.clone()));
        swept.troubles.push(SweepError::Engine(error));
    }
    if mode == Mode::Remove {
        for dead in ledgers.dead.into_iter().filter(|dead| !kept.contains(&dead.label)) {
            if let Err(error) = dead.close() {
                swept.troubles.push(SweepError::Ledger(error));
            }
        }
    }
    Ok(swept)
}

async fn sweep_attached(dead: &[DeadLedger], mode: Mode, swept: &mut Swept, kept: &mut BTreeSet<String>) {
    for dead in dead {
        let attached = leftovers::find(&dead.entries);
        if attached.is_empty() {
            continue;
        }
        let label = dead.label.clone();
        if mode == Mode::Remove
            && let Err(source) = attached.undo(|entry| dead.write(entry)).await
        {
            kept.insert(label.clone());
            swept.troubles.push(SweepError::Stuck { label: label.clone(), source });
        }
        swept.dead.push(Found { label, leftovers: Leftovers::default(), attached });
    }
}

async fn sweep_engine(
    dead: &[DeadLedger],
    alive: &[String],
    scope: Scope,
    mode: Mode,
    swept: &mut Swept,
    kept: &mut BTreeSet<String>,
) -> Result<(), ClusterError> {
    let engine = Engine::connect().await?;
    for ((label, _), leftovers) in engine.labelled(None).await? {
        let found = Found { label, leftovers, attached: AttachLeftovers::default() };
        if alive.contains(&found.label) {
            continue;
        }
        if scope == Scope::Everything || dead.iter().any(|dead| dead.label == found.label) {
            if mode == Mode::Remove
                && let Err(source) = engine.remove(&found.leftovers).await
            {
                kept.insert(found.label.clone());
                swept.troubles.push(SweepError::Stuck { label: found.label.clone(), source });
            }
            swept.dead.push(found);
        } else {
            swept.foreign.push(found);
        }
    }
    Ok(())
}

/// What every start does first; `None` when no dead run has left anything. It must not stand in a run's way: what cannot be
/// removed now is told, and found again.
pub async fn dead_runs(state: &Path) -> Option<Swept> {
    let ledgers = ledger::survey(state).ok()?;
    if ledgers.dead.is_empty() && ledgers.unreadable.is_empty() {
        return None;
    }
    // The sweep takes hold of them itself.
    drop(ledgers);
    sweep(state, Scope::Ours, Mode::Remove).await.ok()
}
