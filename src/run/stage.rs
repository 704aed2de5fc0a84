//! What a run stands on while it is played: its directory, ledger, recorder and plan; and each step of the play.

mod audit;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::cluster::attach::{AttachCluster, leftovers};
use crate::cluster::docker::DockerCluster;
use crate::cluster::engine::{Engine, Leftovers};
use crate::cluster::ledger::Ledger;
use crate::cluster::maker::Maker;
use crate::cluster::means;
use crate::cluster::mock::MockCluster;
use crate::cluster::{Cluster, ClusterError, wholeness};
use crate::fault::{ClientAction, FaultId};
use crate::history::clock::Clock;
use crate::history::recorder::{Recorder, RecorderError, RecorderHandle};
use crate::history::{Environment, EventKind, FORMAT_VERSION, Phase};
use crate::kafka::TopicPartition;
use crate::nemesis::roll::Roll;
use crate::nemesis::{Disturbance, Nemesis};
use crate::plan::{self, Plan};
use crate::run::directory::RunDirectory;
use crate::run::observer::Observer;
use crate::run::{Options, RunError, Source, chain};
use crate::scenario::{ClusterKind, Scenario};
use crate::workload::apart::{Apart, Clients};
use crate::workload::{Workload, drain, ends};

/// The cluster as everybody in a run shares it.
pub(super) type SharedCluster = Arc<dyn Cluster>;

/// How often the load is asked whether anything was acknowledged.
const ACK_INTERVAL: Duration = Duration::from_millis(50);

/// How much longer than planned a warm-up may last until something is acknowledged. On a busy machine new brokers may take
/// many seconds to serve their first producer.
const FIRST_ACK_LIMIT: Duration = Duration::from_secs(60);

/// How often the cluster is asked whether it is whole again.
const WHOLE_INTERVAL: Duration = Duration::from_millis(250);

/// How many fresh readers read the whole log at the end, independently of one another.
const DRAIN_READERS: u32 = 2;

/// How long a producer may take to end once the load is over, beyond its own delivery timeout.
const FLUSH_LIMIT: Duration = Duration::from_secs(75);
/// How long the coordinators may take to end what producers left open. Whatever is open then shows at the end offsets.
const LEFTOVERS_LIMIT: Duration = Duration::from_secs(30);

/// How long the brokers may take to tell once more where the logs begin.
const STARTS_LIMIT: Duration = Duration::from_secs(15);

/// How often the recorder is asked whether it still can write.
const DISK_INTERVAL: Duration = Duration::from_secs(1);

/// How long faults that were told to stop may take until they have. Each of them waits for something nearly all the time.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// How long may be asked what is here for faults, before the start.
const MEANS_LIMIT: Duration = Duration::from_secs(30);

/// How a run was cleared away.
pub(super) struct Cleared {
    /// What could not be undone or removed.
    pub(super) left: Option<String>,
    /// How the history was closed.
    pub(super) history: Result<(), RecorderError>,
}

/// Why a phase ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CutShort {
    /// Somebody interrupted the run.
    Interrupt,
    /// The run has taken as long as it may.
    Deadline,
}

/// A run's footing.
pub(super) struct Stage {
    scenario: Scenario,
    plan: Plan,
    /// The clients that have to have processes of their own.
    apart: Apart,
    label: String,
    directory: RunDirectory,
    ledger: Arc<Ledger>,
    clock: Clock,
    options: Options,
    handle: RecorderHandle,
    recorder: Mutex<Option<Recorder>>,
    observer: Mutex<Option<Observer>>,
    /// The phase that began last.
    phase: Mutex<Option<Phase>>,
    /// What could not be undone or removed.
    unclean: Mutex<Vec<String>>,
    /// Set once the first signal is in the history.
    interrupted: OnceLock<()>,
    /// When the chaos phase ends at the latest.
    deadline: Option<tokio::time::Instant>,
    /// The faults that may still strike.
    roll: Arc<Roll>,
}

impl Stage {
    /// Makes the directory, the ledger and the history, in this order, before anything else is made.
    pub(super) fn set(source: &Source, options: &Options) -> Result<Self, RunError> {
        let mut scenario = source.scenario.clone();
        if options.image.is_some() {
            scenario.cluster.image.clone_from(&options.image);
        }
        let seed = options.seed.or(scenario.seed).unwrap_or_else(draw_seed);
        let plan = plan::plan(&scenario, seed);
        let apart = apart(&plan, options.program.as_deref())?;
        let directory = RunDirectory::create(&options.reports, &scenario.name, seed)?;
        directory.write("scenario.toml", source.text.as_bytes())?;
        directory.write_json("plan.json", &plan)?;
        let label = label(&scenario.name, &directory.run_id());
        let ledger = Arc::new(Ledger::begin(&options.state, &label, directory.path())?);
        let clock = Clock::start();
        let limit = plan.safety.deadline_ms.map(Duration::from_millis);
        let deadline = limit.map(|limit| tokio::time::Instant::now() + limit);
        let header = EventKind::RunStarted {
            format_version: FORMAT_VERSION,
            run: directory.run_id(),
            scenario: scenario.name.clone(),
            seed,
            started_utc: clock.started_utc(),
            topics: scenario.topics.iter().map(|topic| topic.name.clone()).collect(),
            partitions: scenario.topics.iter().map(|topic| topic.partitions).collect(),
            scenario_crc32: crc32fast::hash(source.text.as_bytes()),
            plan_crc32: crc32fast::hash(directory.read("plan.json")?.as_bytes()),
            asked_crc32: Some(source.scenario.asked_crc32()),
        };
        let tap = options.live.as_ref().map(|live| live.events.clone());
        let recorder = Recorder::create(&directory.make("history")?, clock, header, tap)?;
        directory.become_latest()?;
        if let Some(live) = &options.live {
            live.directory.get_or_init(|| directory.path().to_owned());
        }
        let handle = recorder.handle();
        Ok(Self {
            scenario,
            plan,
            apart,
            label,
            directory,
            ledger,
            clock,
            options: options.clone(),
            handle,
            recorder: Mutex::new(Some(recorder)),
            observer: Mutex::default(),
            phase: Mutex::default(),
            unclean: Mutex::default(),
            interrupted: OnceLock::new(),
            deadline,
            roll: Arc::default(),
        })
    }

    /// The run's directory.
    pub(super) fn directory(&self) -> &RunDirectory {
        &self.directory
    }

    /// How many partitions the scenario's topics have together.
    fn partitions(&self) -> usize {
        self.scenario.topics.iter().map(|topic| topic.partitions as usize).sum()
    }

    /// Records that a phase begins, unless it has begun already.
    pub(super) fn enter(&self, phase: Phase) {
        if lock(&self.phase).replace(phase) != Some(phase) {
            self.handle.event(EventKind::PhaseStarted { phase });
        }
    }

    /// Starts the brokers and makes the topics. On an error nothing of them is left.
    pub(super) async fn start_cluster(&self) -> Result<SharedCluster, ClusterError> {
        self.enter(Phase::Start);
        let scenario = &self.scenario;
        self.refuse_the_impossible().await?;
        let ledger = Arc::clone(&self.ledger);
        let cluster: SharedCluster = match (scenario.cluster.kind, &scenario.cluster.attach) {
            (ClusterKind::Docker, _) => {
                Arc::new(DockerCluster::start(&scenario.cluster, &self.label, &scenario.topics, ledger).await?)
            }
            (ClusterKind::Attach, attach) => {
                let attach = attach.as_ref().expect("a validated scenario says where its cluster is");
                let groups: Vec<String> = scenario.all_groups().map(|group| group.name.clone()).collect();
                Arc::new(
                    AttachCluster::attach(&scenario.cluster, attach, &self.label, &scenario.topics, &groups, ledger)
                        .await?,
                )
            }
            (ClusterKind::Mock, _) => Arc::new(MockCluster::start(&scenario.cluster, &scenario.topics)?),
        };
        let needs = scenario.faults.iter().flat_map(|fault| fault.kind.needs()).collect();
        let made = match cluster.can(&needs).await {
            Ok(()) => cluster.create_topics(&scenario.topics).await,
            Err(error) => Err(error),
        };
        if let Err(error) = made {
            self.stop_cluster(&cluster).await;
            return Err(error);
        }
        Ok(cluster)
    }

    /// Refuses faults that cannot be injected here, before any broker is started. Whether each broker bears them is asked of
    /// the brokers' own containers afterwards, and what could not be asked now is found out then.
    async fn refuse_the_impossible(&self) -> Result<(), ClusterError> {
        let needs = means::needs(&self.scenario);
        if needs.is_empty() {
            return Ok(());
        }
        let maker = Maker::run(&self.label, Arc::clone(&self.ledger));
        let means = means::look(&Engine::connect().await?, &needs, &maker, MEANS_LIMIT).await;
        means.refuse(&self.scenario)
    }

    /// Writes down what the run runs on, begins to watch the cluster, and starts the load.
    pub(super) async fn start_load(&self, cluster: &SharedCluster) -> Result<Workload, RunError> {
        let environment = Environment {
            run: self.directory.run_id(),
            started_utc: self.clock.started_utc(),
            wiber_chaos: env!("CARGO_PKG_VERSION").to_owned(),
            librdkafka: rdkafka::util::get_rdkafka_version().1,
            ..cluster.environment()
        };
        self.directory.write_json("environment.json", &environment)?;
        let observer = Observer::start(Arc::clone(cluster), self.handle.clone());
        *lock(&self.observer) = Some(observer);

        let (scenario, plan, handle) = (self.scenario.clone(), self.plan.clone(), self.handle.clone());
        let (access, apart) = (cluster.access(), self.apart.clone());
        let workload = blocking(move || Workload::start_apart(&scenario, &plan, &access, &handle, apart)).await?;
        if let Some(live) = &self.options.live {
            live.counters.get_or_init(|| workload.counters());
        }
        Ok(workload)
    }

    /// Lets the load run for a while without faults, and until something was acknowledged: before that there is nothing that
    /// a fault could stop. The limit leaves it to the verdict to say so.
    pub(super) async fn warm_up(&self, workload: &Workload) {
        let planned = Duration::from_millis(self.plan.phases.warmup_ms);
        let counters = workload.counters();
        let warm = async {
            sleep(planned).await;
            while counters.totals().acked == 0 {
                sleep(ACK_INTERVAL).await;
            }
        };
        let warm = timeout(planned + FIRST_ACK_LIMIT, warm);
        tokio::select! {
            // Warm or not, the time is over.
            _ = warm => {}
            _ = self.cut_short() => {}
        }
        self.note_interrupt();
    }

    /// Lets the nemesis loose. Afterwards nothing is in force any more.
    pub(super) async fn disturb(&self, cluster: &SharedCluster, workload: &Workload) -> Disturbance {
        let limit = Duration::from_millis(self.plan.phases.recovery_limit_ms);
        let (cluster, ledger) = (Arc::clone(cluster), Arc::clone(&self.ledger));
        let nemesis = Nemesis::new(cluster, self.handle.clone(), ledger, workload.controls(), limit);
        let nemesis = nemesis.on_roll(Arc::clone(&self.roll));
        let (stop, stopped) = watch::channel(self.options.interrupt.received().is_some());
        let interrupted = async {
            if self.cut_short().await == CutShort::Deadline {
                let deadline_ms = self.plan.safety.deadline_ms.unwrap_or_default();
                self.handle.event(EventKind::DeadlinePassed { deadline_ms });
            }
            stop.send_replace(true);
            std::future::pending::<()>().await;
        };
        let disturbance = tokio::select! {
            disturbance = nemesis.disturb(&self.plan, stopped) => disturbance,
            () = interrupted => unreachable!("it waits for ever once it has told the nemesis"),
        };
        self.note_interrupt();
        disturbance
    }

    /// Waits until the last proofs are taken and the cluster is whole again, or the limit is over.
    pub(super) async fn recover(&self, cluster: &SharedCluster, disturbance: Disturbance) {
        let began = Instant::now();
        let limit = Duration::from_millis(self.plan.phases.recovery_limit_ms);
        for (FaultId(fault), reason) in disturbance.settle().await {
            lock(&self.unclean).push(format!("fault `{fault}` could not be undone: {reason}"));
        }
        loop {
            let last_seen = match cluster.view(None).await {
                Ok(view) => match wholeness(&view, &cluster.brokers(), self.partitions()) {
                    Ok(()) => return self.handle.event(EventKind::ClusterWhole { waited_ms: millis(began.elapsed()) }),
                    Err(missing) => missing,
                },
                Err(error) => error.to_string(),
            };
            if began.elapsed() >= limit {
                let waited_ms = millis(began.elapsed());
                return self.handle.event(EventKind::ClusterNotWhole { waited_ms, last_seen });
            }
            sleep(WHOLE_INTERVAL).await;
        }
    }

    /// Ends the load, reads the end offsets, and lets groups and fresh readers read up to them.
    pub(super) async fn drain(&self, cluster: &SharedCluster, mut workload: Workload) -> Result<(), RunError> {
        let limit = Duration::from_millis(self.plan.phases.drain_limit_ms);
        let topics: Vec<(String, u32)> =
            self.scenario.topics.iter().map(|topic| (topic.name.clone(), topic.partitions)).collect();
        let (access, handle) = (cluster.access(), self.handle.clone());
        let drained = blocking(move || {
            workload.finish_producers(FLUSH_LIMIT);
            workload.end_leftovers(LEFTOVERS_LIMIT);
            workload.finish_transformers(&access, &topics, limit)?;
            workload.end_transformers_leftovers(LEFTOVERS_LIMIT);
            // A partition that nobody answers for must not keep the others from being read, so it gets a share of the time.
            let ends = workload.end_offsets(&access, &topics, limit / 3)?;
            for missing in &ends.missing {
                handle.event(EventKind::HarnessError { message: missing.to_string() });
            }
            let ranges = ends.ranges;
            handle.event(EventKind::EndOffsets { ranges: ranges.clone() });
            let (ids, fresh) = (workload.ids(), workload.drain_readers(DRAIN_READERS));
            // Side by side, because neither may use up the other's time: a group that is stuck is no reason not to read the
            // logs, and the fresh readers are the evidence that everything else rests on.
            let drained = std::thread::scope(|scope| {
                let readers = scope.spawn(|| drain::drain(&access, &ranges, &fresh, &ids, &handle, limit));
                workload.drain_groups(&ranges, limit);
                readers.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            // What retention removed while the logs were read is not lost.
            let read: Vec<TopicPartition> = ranges.iter().map(|range| range.partition.clone()).collect();
            // What keeps the drain from being complete is told beside what keeps its starts from being known.
            let untold = match ends::log_starts(&access, &read, STARTS_LIMIT) {
                Ok((starts, missing)) => {
                    handle.event(EventKind::LogStarts { starts });
                    missing
                }
                Err(error) => vec![error],
            };
            for error in &untold {
                handle.event(EventKind::HarnessError { message: chain(error) });
            }
            drained
        })
        .await;
        if let Err(error) = drained {
            // What is missing now leaves the verdict unknown; the history says why.
            self.handle.event(EventKind::HarnessError { message: chain(&error) });
        }
        self.note_interrupt();
        Ok(())
    }

    /// Keeps the brokers' logs and removes the brokers. Whatever came before, the last phase begins here at the latest.
    pub(super) async fn stop_cluster(&self, cluster: &SharedCluster) {
        self.enter(Phase::Stop);
        lock(&self.observer).take();
        // A run that was abandoned has dropped its faults in the middle of whatever they were at.
        if let Err(error) = self.roll.wait_until_gone(STOP_LIMIT).await {
            self.handle.event(EventKind::HarnessError { message: error.to_string() });
        }
        for broker in cluster.brokers() {
            let kept = match cluster.logs(broker).await {
                Ok(None) => Ok(()),
                Ok(Some(log)) => self
                    .directory
                    .make("logs")
                    .and_then(|_| self.directory.write(&format!("logs/{broker}.log"), &log))
                    .map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(reason) = kept {
                self.handle
                    .event(EventKind::HarnessError { message: format!("the log of {broker} is lost: {reason}") });
            }
        }
        if let Err(error) = cluster.remove().await {
            lock(&self.unclean).push(error.to_string());
        }
    }

    /// Closes the ledger when nothing is left of the run, and the history in any case. What is left, and how the closing
    /// of the history went, are told apart: neither may hide the other.
    pub(super) async fn clear(&self) -> Cleared {
        if let Err(left) = self.nothing_is_left().await {
            lock(&self.unclean).push(left);
        }
        if lock(&self.unclean).is_empty()
            && let Err(error) = self.ledger.close()
        {
            lock(&self.unclean).push(error.to_string());
        }
        let left = Some(lock(&self.unclean).join("; ")).filter(|left| !left.is_empty());
        if let Some(what) = left.clone() {
            self.handle.event(EventKind::LeftBehind { what });
        }
        let recorder = lock(&self.recorder).take();
        let history = recorder.map_or(Ok(()), |recorder| recorder.finish().map(drop));
        Cleared { left, history }
    }

    /// Removes whatever the ledger knows of, for a start that was broken off in the middle.
    pub(super) async fn remove_by_ledger(&self) {
        let removed = async {
            let left = leftovers::find(&self.ledger.entries()?);
            left.undo(|entry| self.ledger.write(entry)).await?;
            left.doubts()?;
            if !self.ledger.made_something() {
                return Ok(());
            }
            let engine = Engine::connect().await?;
            for leftovers in engine.labelled(Some(&self.label)).await?.into_values() {
                engine.remove(&leftovers).await?;
            }
            Ok::<(), ClusterError>(())
        };
        if let Err(error) = removed.await {
            lock(&self.unclean).push(error.to_string());
        }
    }

    /// Asks the engine itself, because a removal that failed half-way has told nobody what it missed.
    async fn nothing_is_left(&self) -> Result<(), String> {
        if !self.ledger.made_something() {
            return Ok(());
        }
        let engine = Engine::connect().await.map_err(|error| error.to_string())?;
        let left = engine.labelled(Some(&self.label)).await.map_err(|error| error.to_string())?;
        let names: Vec<String> = left.into_values().flat_map(Leftovers::into_names).collect();
        if names.is_empty() { Ok(()) } else { Err(format!("left behind: {}", names.join(", "))) }
    }

    /// Records why the run ended before its time.
    pub(super) fn note_failure(&self, error: &RunError) {
        let text = chain(error);
        // The help is for the terminal's reader; a history keeps what happened, on one line.
        let told: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.starts_with("help:")).collect();
        self.handle.event(EventKind::HarnessError { message: told.join("; ") });
    }

    /// Waits until the history can no longer be written, which makes going on pointless.
    pub(super) async fn history_fails(&self) -> RunError {
        loop {
            if let Some(reason) = self.handle.failed() {
                return RunError::Recorder(RecorderError::Write(reason));
            }
            sleep(DISK_INTERVAL).await;
        }
    }

    /// Waits until the load without faults, or the chaos, has to end before its time.
    async fn cut_short(&self) -> CutShort {
        let deadline = async {
            match self.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.options.interrupt.once() => CutShort::Interrupt,
            () = deadline => CutShort::Deadline,
        }
    }

    fn note_interrupt(&self) {
        let Some(signal) = self.options.interrupt.received() else { return };
        self.interrupted.get_or_init(|| self.handle.event(EventKind::Interrupted { signal: signal.name().to_owned() }));
    }
}

/// The clients that the plan's faults crash or freeze, as processes of `program`. Only those: all others are threads, which
/// cost less.
fn apart(plan: &Plan, program: Option<&Path>) -> Result<Apart, RunError> {
    let mut struck = BTreeMap::new();
    for step in &plan.steps {
        if step.kind.client_action().is_some_and(ClientAction::needs_process) {
            for client in plan.clients_of(step) {
                struck.entry(client).or_insert(&step.fault);
            }
        }
    }
    let Some((client, fault)) = struck.first_key_value() else { return Ok(Apart::default()) };
    let missing = |reason: String| RunError::NoProgram { fault: (*fault).clone(), client: client.clone(), reason };
    let program = program.ok_or_else(|| missing("none is named".to_owned()))?;
    if !program.is_file() {
        return Err(missing(format!("{} is no file", program.display())));
    }
    Ok(Apart::of_program(Clients::Named(struck.keys().cloned().collect()), program))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs what blocks on a thread of its own. A panic there goes on here.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A seed for a scenario that names none: any will do, as long as it is written down.
fn draw_seed() -> u64 {
    let nanos = jiff::Timestamp::now().as_nanosecond().unsigned_abs();
    u64::try_from(nanos % 1_000_000).expect("below a million")
}

/// The label of everything that a run makes; also the beginning of its brokers' host names, so it obeys their rules
/// (letters, digits and dashes, 63 characters at most with what is added to it).
fn label(scenario: &str, run: &str) -> String {
    let salt = format!("{scenario}/{run}/{}/{}", std::process::id(), jiff::Timestamp::now().as_nanosecond());
    let clean = |text: &str| -> String {
        text.to_ascii_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
    };
    let scenario: String = clean(scenario).chars().take(24).collect();
    format!("wiber-{}-{:08x}", scenario.trim_matches('-'), crc32fast::hash(salt.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_a_host_name_whatever_the_scenario_is_called() {
        for scenario in ["kill-one", "controls/Äcks_one.loses", "a-very-long-name-that-goes-on-and-on-and-on-and-on"] {
            let broker = format!("{}-kafka-3", label(scenario, "20261123T220000Z-42"));
            assert!(broker.len() <= 63, "{broker}");
            assert!(broker.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{broker}");
        }
    }

    #[test]
    fn two_runs_never_share_a_label() {
        assert_ne!(label("kill-one", "x"), label("kill-one", "x"));
    }
}
