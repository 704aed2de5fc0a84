//! What a run shows while it goes on, on stderr: a living line on a terminal, one line an event elsewhere.
//!
//! It follows the run through the recorder's own events and the load's counters, and can neither slow it nor change it.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal::{Style, complain};
use super::{ColorChoice, ProgressChoice};
use crate::fault::client::ClientState;
use crate::fault::{Moment, Probe, ProcessState};
use crate::history::event::FaultStage;
use crate::history::{Event, EventKind, Phase};
use crate::run::Live;
use crate::scenario::Scenario;
use crate::workload::{Counters, Totals};

const REDRAW_INTERVAL: Duration = Duration::from_millis(200);

/// How often the counters are told where nothing can be redrawn.
const TELL_INTERVAL: Duration = Duration::from_secs(5);

/// A display of one run.
pub struct Progress {
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Begins to follow a run that is given the returned [`Live`]. The display ends when the run drops it.
    pub fn start(scenario: &Scenario, choice: ProgressChoice, color: ColorChoice) -> (Self, Live) {
        let (events, inbox) = mpsc::channel();
        let counters: Arc<OnceLock<Arc<Counters>>> = Arc::default();
        let directory: Arc<OnceLock<PathBuf>> = Arc::default();
        let live = Live { events, counters: Arc::clone(&counters), directory };
        let bar = match choice {
            ProgressChoice::None => None,
            ProgressChoice::Bar => Some(Display::Bar(bar())),
            ProgressChoice::Auto if std::io::stderr().is_terminal() => Some(Display::Bar(bar())),
            ProgressChoice::Auto => Some(Display::Lines),
        };
        let style = Style::choose(color, &std::io::stderr());
        let name = scenario.name.clone();
        let thread =
            bar.map(|display| std::thread::spawn(move || Follower::new(name, display, style, counters).follow(&inbox)));
        (Self { thread }, live)
    }

    /// Waits until the last event is shown.
    pub fn finish(self) {
        // A display that panicked has shown less than it should; the run is none the worse for it.
        if let Some(Err(_)) = self.thread.map(JoinHandle::join) {
            complain("warning: the progress display ended early\n");
        }
    }
}

enum Display {
    Bar(ProgressBar),
    Lines,
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let template = ProgressStyle::with_template("{spinner} {wide_msg}").expect("a fixed template");
    bar.set_style(template);
    bar
}

struct Follower {
    scenario: String,
    display: Display,
    style: Style,
    counters: Arc<OnceLock<Arc<Counters>>>,
    began: Instant,
    phase: Option<Phase>,
    in_force: Vec<String>,
    told: (Instant, Totals),
    rates: (u64, u64),
}

impl Follower {
    fn new(scenario: String, display: Display, style: Style, counters: Arc<OnceLock<Arc<Counters>>>) -> Self {
        let now = Instant::now();
        Self {
            scenario,
            display,
            style,
            counters,
            began: now,
            phase: None,
            in_force: Vec::new(),
            told: (now, Totals::default()),
            rates: (0, 0),
        }
    }

    fn follow(mut self, inbox: &mpsc::Receiver<Event>) {
        loop {
            match inbox.recv_timeout(REDRAW_INTERVAL) {
                Ok(event) => self.take(&event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.refresh();
        }
        if let Display::Bar(bar) = &self.display {
            bar.finish_and_clear();
        }
    }

    fn take(&mut self, event: &Event) {
        match &event.kind {
            EventKind::PhaseStarted { phase } => self.phase = Some(*phase),
            EventKind::Inject { fault, stage: FaultStage::Invoke { .. } } => self.in_force.push(fault.to_string()),
            EventKind::Heal { fault, stage: FaultStage::Ok | FaultStage::Info { .. } } => {
                self.in_force.retain(|other| *other != fault.to_string());
            }
            _ => {}
        }
        if let Some(text) = tell(&event.kind) {
            self.say(&format!("{} {text}", self.style.dim(&format!("T+{:>6.1}s", event.time_ns.as_secs_f64()))));
        }
    }

    fn refresh(&mut self) {
        let Some(counters) = self.counters.get() else { return self.draw(None) };
        let now = counters.totals();
        let since = self.told.0.elapsed();
        let interval = match self.display {
            Display::Bar(_) => Duration::from_secs(1),
            Display::Lines => TELL_INTERVAL,
        };
        if since >= interval {
            let since_ms = since.as_millis().max(1);
            let rate = |new: u64, old: u64| {
                u64::try_from(u128::from(new.saturating_sub(old)) * 1000 / since_ms).unwrap_or(u64::MAX)
            };
            self.rates = (rate(now.acked, self.told.1.acked), rate(now.read, self.told.1.read));
            self.told = (Instant::now(), now);
            let loaded = matches!(self.phase, Some(Phase::Warmup | Phase::Chaos | Phase::Recovery | Phase::Drain));
            if loaded && matches!(self.display, Display::Lines) {
                let time = format!("T+{:>6.1}s", self.began.elapsed().as_secs_f64());
                self.say(&format!("{} {}", self.style.dim(&time), self.load(&now)));
            }
        }
        self.draw(Some(&now));
    }

    fn draw(&self, counters: Option<&Totals>) {
        let Display::Bar(bar) = &self.display else { return };
        let phase = self.phase.map_or("prepare", Phase::name);
        let mut text =
            format!("{} {phase} {:.0} s", self.style.bold(&self.scenario), self.began.elapsed().as_secs_f64());
        if let Some(counters) = counters {
            text = format!("{text}  {}", self.load(counters));
        }
        if !self.in_force.is_empty() {
            text = format!("{text}  in force: {}", self.in_force.join(", "));
        }
        bar.set_message(text);
        bar.tick();
    }

    fn load(&self, counters: &Totals) -> String {
        format!(
            "acked {} ({}/s), read {} ({}/s), in flight {}, failed {}, unknown {}",
            counters.acked,
            self.rates.0,
            counters.read,
            self.rates.1,
            counters.in_flight,
            counters.failed,
            counters.indeterminate
        )
    }

    fn say(&self, line: &str) {
        match &self.display {
            Display::Bar(bar) => bar.suspend(|| complain(&format!("{line}\n"))),
            Display::Lines => complain(&format!("{line}\n")),
        }
    }
}

/// An event in a few words, or `None` where it is no news to somebody who watches.
fn tell(event: &EventKind) -> Option<String> {
    Some(match event {
        EventKind::RunStarted { scenario, run, seed, .. } => format!("run {scenario}/{run}, seed {seed}"),
        EventKind::PhaseStarted { phase } => format!("phase {}", phase.name()),
        EventKind::Inject { fault, stage } => format!("inject {fault}: {}", tell_stage(stage)),
        EventKind::Heal { fault, stage } => format!("heal {fault}: {}", tell_stage(stage)),
        EventKind::FaultSkipped { fault, reason } => format!("fault {fault} skipped: {reason}"),
        EventKind::FaultPassedOver { fault, reason } => format!("fault {fault} passed over: {reason}"),
        EventKind::Proof { fault, moment: Moment::During | Moment::After, target, observation } => {
            let process = match &observation.process {
                ProcessState::Running { .. } => "runs".to_owned(),
                ProcessState::Paused { .. } => "is paused".to_owned(),
                ProcessState::Exited { exit_code } => format!("exited {exit_code}"),
                ProcessState::Missing => "is missing".to_owned(),
                ProcessState::Unwatched => "has no engine here".to_owned(),
            };
            let probe = match &observation.probe {
                Probe::Answered { .. } => "answers",
                Probe::Refused => "refuses",
                Probe::Silent => "is silent",
                Probe::Unreachable => "is unreachable",
            };
            let standing = observation.standing.map_or_else(
                || "nobody can say more".to_owned(),
                |seen| {
                    let registered = if seen.registered { "registered" } else { "fenced" };
                    format!("{registered}, in sync {}/{}, leads {}", seen.in_isr_of, seen.replica_of, seen.leads)
                },
            );
            format!("proof {fault}: {target} {process}, {probe}; {standing}")
        }
        EventKind::ClientProof { fault, moment: Moment::During, look }
            if matches!(look.state, ClientState::Crashed | ClientState::Frozen) =>
        {
            format!("proof {fault}: {} is {}", look.label, look.state)
        }
        EventKind::ClusterWhole { waited_ms } => format!("cluster whole again after {:.1} s", *waited_ms as f64 / 1e3),
        EventKind::ClusterNotWhole { last_seen, .. } => format!("cluster not whole: {last_seen}"),
        EventKind::EndOffsets { ranges } => {
            format!("end offsets read: {} records", ranges.iter().map(|range| range.end.0 - range.start.0).sum::<i64>())
        }
        EventKind::Interrupted { signal } => format!("interrupted by {signal}"),
        EventKind::DeadlinePassed { deadline_ms } => {
            format!("the deadline of {} s is over", *deadline_ms as f64 / 1e3)
        }
        EventKind::HarnessError { message } => format!("harness error: {message}"),
        EventKind::ClusterUnreachable { reason } => format!("cluster unreachable: {reason}"),
        _ => return None,
    })
}

fn tell_stage(stage: &FaultStage) -> String {
    match stage {
        FaultStage::Invoke { targets } => targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        FaultStage::Ok => "done".to_owned(),
        FaultStage::Fail { reason } => format!("refused: {reason}"),
        FaultStage::Info { reason } => format!("unknown: {reason}"),
    }
}
