//! What is in the ledger before a broker is told to end, and what undoes it however far that got.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::timeout;

use super::*;
use crate::cluster::ledger::Ledger;
use crate::cluster::{Cluster, TopicSpec};
use crate::fault::kinds::kill::Kill;
use crate::fault::{Deed, FaultKind, Probe, ProcessState, Signal, Target};
use crate::history::Environment;
use crate::history::recorder::Recorder;
use crate::kafka::levers::Fencing;
use crate::kafka::{Access, ClusterView};
use crate::nemesis::roll::Roll;
use crate::plan::{Plan, PlannedPhases, PlannedSafety, PlannedStart, SCHEMA_VERSION};
use crate::workload::testing;

const ONE: BrokerId = BrokerId(1);
const TWO: BrokerId = BrokerId(2);

/// Brokers that are told to end and go on: their shutdown takes longer than anybody waits.
struct Reluctant {
    ledger: Arc<Ledger>,
    /// Whether each that was told was in the ledger by then.
    announced: Mutex<Vec<bool>>,
    undone: Mutex<Vec<(BrokerId, Undo)>>,
}

fn kept<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn life(broker: BrokerId) -> String {
    format!("life of {broker}")
}

fn ending(broker: BrokerId) -> Entry {
    Entry::Ending { fault: FaultId("kill".to_owned()), broker, life: life(broker) }
}

#[async_trait]
impl Cluster for Reluctant {
    fn access(&self) -> Access {
        Access { bootstrap: Vec::new(), properties: BTreeMap::new() }
    }

    fn brokers(&self) -> Vec<BrokerId> {
        vec![ONE, TWO]
    }

    fn environment(&self) -> Environment {
        Environment::default()
    }

    async fn create_topics(&self, _topics: &[TopicSpec]) -> Result<(), ClusterError> {
        Ok(())
    }

    async fn view(&self, _except: Option<BrokerId>) -> Result<ClusterView, ClusterError> {
        Ok(ClusterView::default())
    }

    async fn coordinator(&self, _group: &str) -> Result<BrokerId, ClusterError> {
        Ok(ONE)
    }

    async fn process_state(&self, broker: BrokerId) -> Result<ProcessState, ClusterError> {
        Ok(ProcessState::Running { started_at: life(broker) })
    }

    async fn probe(&self, _broker: BrokerId) -> Probe {
        Probe::Silent
    }

    async fn prepare(&self, _broker: BrokerId, _action: &Action) -> Result<Undo, ClusterError> {
        Ok(Undo::Start)
    }

    async fn perform(&self, broker: BrokerId, _action: &Action) -> Result<Option<Deed>, ClusterError> {
        let is_announced = self.ledger.entries()?.contains(&ending(broker));
        kept(&self.announced).push(is_announced);
        Err(ClusterError::Engine { action: format!("end {broker}"), reason: "it takes its time".to_owned() })
    }

    async fn undo(&self, broker: BrokerId, undo: &Undo) -> Result<(), ClusterError> {
        kept(&self.undone).push((broker, undo.clone()));
        Ok(())
    }

    async fn fence(&self, _transactional_id: &str) -> Result<Fencing, ClusterError> {
        Err(ClusterError::UnknownBroker { broker: ONE })
    }

    async fn logs(&self, _broker: BrokerId) -> Result<Option<Vec<u8>>, ClusterError> {
        Ok(None)
    }

    async fn remove(&self) -> Result<(), ClusterError> {
        Ok(())
    }
}

fn step() -> Step {
    Step {
        fault: FaultId("kill".to_owned()),
        kind: FaultKind::Kill(Kill { signal: Signal::Term }),
        target: Target::All,
        draw: vec![1, 2],
        start: PlannedStart::AtMs(0),
        duration_ms: 1000,
        seed: 0,
        series: None,
    }
}

/// A nemesis of brokers that go on, with a ledger and a history.
struct Set {
    cluster: Arc<Reluctant>,
    nemesis: Nemesis,
    recorder: Recorder,
    _homes: (TempDir, TempDir),
}

impl Set {
    fn up() -> Self {
        let ((home, _), recorder) = testing::recorder(&[]);
        let state = tempfile::tempdir().expect("a directory");
        let ledger = Arc::new(Ledger::begin(state.path(), "test", Path::new("x")).expect("a ledger"));
        let (announced, undone) = (Mutex::default(), Mutex::default());
        let cluster = Arc::new(Reluctant { ledger: Arc::clone(&ledger), announced, undone });
        let controls = Arc::new(testing::controls(&recorder.handle()));
        let shared: Arc<dyn Cluster> = Arc::<Reluctant>::clone(&cluster);
        let nemesis = Nemesis::new(shared, recorder.handle(), ledger, controls, Duration::ZERO);
        Self { cluster, nemesis, recorder, _homes: (home, state) }
    }
}

#[tokio::test]
async fn a_fault_is_on_the_roll_until_its_task_is_gone() {
    const LONG: Duration = Duration::from_secs(60);
    let Set { nemesis, recorder, _homes, .. } = Set::up();
    let roll = Arc::new(Roll::default());
    let nemesis = nemesis.on_roll(Arc::clone(&roll));
    let mut later = step();
    later.start = PlannedStart::AtMs(60_000);
    let phases = PlannedPhases { warmup_ms: 0, chaos_ms: 100_000, recovery_limit_ms: 0, drain_limit_ms: 0 };
    let plan = Plan {
        schema_version: SCHEMA_VERSION,
        scenario: "s".to_owned(),
        seed: 42,
        phases,
        steps: vec![later],
        safety: PlannedSafety::default(),
        clients: Vec::new(),
    };
    let (_stop, stopped) = watch::channel(false);
    let mut disturbance = Box::pin(nemesis.disturb(&plan, stopped));
    assert!(timeout(Duration::from_millis(10), &mut disturbance).await.is_err(), "its turn is far off");
    roll.wait_until_gone(Duration::ZERO).await.expect_err("it waits for its turn");
    // The run is abandoned.
    drop(disturbance);
    roll.wait_until_gone(LONG).await.expect("it is gone");
    recorder.finish().expect("the history is closed");
}

#[tokio::test]
async fn a_broker_that_was_told_to_end_is_undone_by_that_life_and_one_that_was_not_by_a_start() {
    let Set { cluster, nemesis, recorder, _homes } = Set::up();
    let (step, targets) = (step(), [ONE.into(), TWO.into()]);
    let signal = Action::Signal { signal: Signal::Term };
    let strokes = [ONE, TWO].map(|broker| Stroke { broker, action: signal.clone() }).to_vec();
    let strike = Strike::prepare(&nemesis, &step, &targets, strokes).await.expect("prepared");

    strike.perform(|broker| broker == ONE).await.expect_err("it takes its time");
    assert_eq!(*kept(&cluster.announced), [true], "the ledger heard of it first");
    strike.undo(|_| true).await.expect("undone");
    let undone = kept(&cluster.undone).clone();
    assert!(undone.contains(&(ONE, Undo::Revive { life: life(ONE) })), "{undone:?}");
    assert!(undone.contains(&(TWO, Undo::Start)), "nobody told it anything: {undone:?}");
    recorder.finish().expect("the history is closed");
}
