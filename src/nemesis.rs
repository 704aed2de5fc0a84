//! The nemesis: carries a plan's faults out, each in a task of its own, proves them and heals them on every way out.
//!
//! A fault goes through the same states whatever it is: it waits for its turn, resolves its target, is looked at, is
//! written to the ledger, injected, looked at while it is in force, healed, and looked at until its targets are whole
//! again. [`Nemesis::disturb`] ends when the chaos phase is over and nothing is in force any more; [`Nemesis::settle`]
//! waits for the last looks.

mod board;
mod clients;
mod life;
pub mod proof;
pub mod roll;
pub mod strike;
pub mod target;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::cluster::Cluster;
use crate::cluster::ledger::Ledger;
use crate::fault::{FaultId, Target};
use crate::history::EventKind;
use crate::history::recorder::RecorderHandle;
use crate::plan::Plan;
use crate::workload::control::Controls;
use board::Board;
use life::Life;
use roll::Roll;

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

/// What is needed to strike: the cluster, the load's clients, the history, and the ledger of what must be undone.
#[derive(Clone)]
pub struct Nemesis {
    cluster: Arc<dyn Cluster>,
    recorder: RecorderHandle,
    ledger: Arc<Ledger>,
    /// The hold on the load's clients.
    controls: Arc<Controls>,
    /// How long a healed target is watched until it is whole.
    settle_limit: Duration,
    /// Where everybody is who may strike.
    roll: Arc<Roll>,
}

/// The faults under way. Must be settled, so that the last proofs are in the history.
#[must_use = "settle the faults, or their last proofs are lost"]
pub struct Disturbance {
    board: Arc<Board>,
    tasks: JoinSet<()>,
}

impl Nemesis {
    /// A nemesis for one cluster and the load on it.
    pub fn new(
        cluster: Arc<dyn Cluster>,
        recorder: RecorderHandle,
        ledger: Arc<Ledger>,
        controls: Arc<Controls>,
        settle_limit: Duration,
    ) -> Self {
        Self { cluster, recorder, ledger, controls, settle_limit, roll: Arc::default() }
    }

    /// The same, whose tasks are on this roll.
    #[must_use]
    pub fn on_roll(self, roll: Arc<Roll>) -> Self {
        Self { roll, ..self }
    }

    /// Runs the plan's chaos phase. Returns when it is over and nothing is in force: later than planned where a fault had
    /// to wait for the one before, early when `stop` turns true.
    pub async fn disturb(&self, plan: &Plan, mut stop: watch::Receiver<bool>) -> Disturbance {
        let began = Instant::now();
        let end = began + Duration::from_millis(plan.phases.chaos_ms);
        let (season, _) = watch::channel(Season::Chaos);
        let board = Arc::new(Board::new(plan));
        let mut tasks = JoinSet::new();
        for step in plan.steps.clone() {
            let client = plan.client_of(&step).filter(|_| !matches!(step.target, Target::Same(_)));
            let (nemesis, board) = (self.clone(), Arc::clone(&board));
            let life = Life { nemesis, step, client, board, season: season.subscribe() };
            let present = self.roll.join();
            tasks.spawn(async move {
                life.live(began).await;
                drop(present);
            });
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
            drop(timeout(self.settle_limit, board.all_over()).await);
            season.send_replace(Season::Closing);
            board.all_over().await;
        };
        tokio::select! {
            () = played => {}
            () = interrupted => {
                season.send_replace(Season::Over);
                board.all_over().await;
            }
        }
        Disturbance { board, tasks }
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
        self.board.stuck()
    }
}

impl Nemesis {
    fn harness_error(&self, message: String) {
        self.recorder.event(EventKind::HarnessError { message });
    }
}
