//! What is known of a run while it goes on: made of its events and of counts once a second, and of nothing else.

use std::collections::VecDeque;
use std::time::Duration;

use super::brokers::Brokers;
use super::words;
use crate::fault::{FaultId, FaultKind, Moment};
use crate::history::event::FaultStage;
use crate::history::tally::Histogram;
use crate::history::{Event, EventKind, Phase};
use crate::kafka::TimeNs;
use crate::plan::{Plan, PlannedStart, Step, plan};
use crate::scenario::Scenario;
use crate::workload::Totals;

/// Latencies are those of so long.
pub(super) const LATENCY_WINDOW: Duration = Duration::from_secs(5);

/// How much earlier than after a second counts may come.
const EARLY: Duration = Duration::from_millis(100);

/// How many counts are kept: those of the longest window, and one before it.
const SAMPLES: usize = 8;

/// The load's counts at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    /// When.
    pub(super) at: TimeNs,
    /// What was done so far.
    pub(super) totals: Totals,
    /// How long acknowledgements took so far.
    pub(super) latencies: Histogram,
    /// How much each group has yet to read.
    pub(super) unread: Vec<(String, u64)>,
}

/// Records a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rates {
    /// Sends invoked.
    pub(super) sent: u64,
    /// Sends acknowledged.
    pub(super) acked: u64,
    /// Records read.
    pub(super) read: u64,
}

/// A fault that is being injected, is in force, or is being healed.
#[derive(Clone, Debug)]
pub(super) struct InForce {
    pub(super) fault: FaultId,
    /// Whom it strikes.
    pub(super) targets: Vec<String>,
    /// Since when it is in force, once it is.
    pub(super) since: Option<TimeNs>,
    /// How long it is to last, if the plan says so.
    pub(super) lasts: Option<Duration>,
    /// What was seen of each target last while it was in force.
    pub(super) seen: Vec<(String, String)>,
    /// What did not go as it should.
    pub(super) trouble: Option<String>,
    pub(super) healing: Healing,
}

/// Whether somebody is undoing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Healing {
    NotYet,
    UnderWay,
}

/// How long a phase lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// This long, or a little longer.
    Planned(Duration),
    /// No longer than this.
    AtMost(Duration),
    /// Nobody said.
    Open,
}

/// What the live view shows.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) scenario: Scenario,
    pub(super) now: TimeNs,
    /// The phase, and since when.
    pub(super) phase: Option<(Phase, TimeNs)>,
    /// Since when everything is recorded, and only the verdict is missing.
    pub(super) recorded: Option<TimeNs>,
    /// Why the run ends before its time, if it does.
    pub(super) cut_short: Option<String>,
    pub(super) brokers: Brokers,
    pub(super) in_force: Vec<InForce>,
    plan: Option<Plan>,
    samples: VecDeque<Sample>,
}

impl State {
    /// A run of this scenario that has not begun.
    pub(super) fn new(scenario: &Scenario) -> Self {
        Self {
            scenario: scenario.clone(),
            now: TimeNs(0),
            phase: None,
            recorded: None,
            cut_short: None,
            brokers: Brokers::new(scenario.cluster.broker_ids()),
            in_force: Vec::new(),
            plan: None,
            samples: VecDeque::new(),
        }
    }

    /// It is that late.
    pub(super) fn pass(&mut self, now: TimeNs) {
        self.now = self.now.max(now);
    }

    /// Takes a second's counts in; `None` before there is a load.
    pub(super) fn second(&mut self, sample: Option<Sample>) {
        self.brokers.second();
        let Some(sample) = sample else { return };
        self.samples.push_back(sample);
        if self.samples.len() > SAMPLES {
            self.samples.pop_front();
        }
    }

    /// Takes an event in.
    pub(super) fn take(&mut self, event: &Event) {
        self.pass(event.time_ns);
        let kind = self.kind_of(&event.kind).cloned();
        self.brokers.take(&event.kind, kind.as_ref());
        match &event.kind {
            // The plan follows from the scenario and the seed alone.
            EventKind::RunStarted { seed, .. } => self.plan = Some(plan(&self.scenario, *seed)),
            EventKind::PhaseStarted { phase } => self.phase = Some((*phase, event.time_ns)),
            EventKind::Interrupted { signal } => self.cut_short = Some(format!("interrupted by {signal}")),
            EventKind::DeadlinePassed { .. } => self.cut_short = Some("the deadline is over".to_owned()),
            EventKind::RunEnded { .. } => self.recorded = Some(event.time_ns),
            EventKind::FaultSkipped { fault, .. } => self.in_force.retain(|other| other.fault != *fault),
            EventKind::Inject { fault, stage } => self.inject(fault, stage, event.time_ns),
            EventKind::Heal { fault, stage } => self.heal(fault, stage),
            EventKind::Proof { fault, moment: Moment::During, target, observation } => {
                let seen = [Some(words::seen(observation)), words::packets(observation)];
                let seen: Vec<String> = seen.into_iter().flatten().collect();
                self.saw(fault, target.to_string(), seen.join("; "));
            }
            EventKind::ClientProof { fault, moment: Moment::During, look } => {
                self.saw(fault, look.label.clone(), format!("is {}", look.state));
            }
            EventKind::StormProof { fault, moment: Moment::During, look } => {
                let storm = look.storm;
                let seen = format!("{} joined, {} left, {} there", storm.joined, storm.left, storm.present);
                self.saw(fault, look.group.clone(), seen);
            }
            _ => {}
        }
    }

    fn kind_of(&self, event: &EventKind) -> Option<&FaultKind> {
        let (EventKind::Inject { fault, .. } | EventKind::Heal { fault, .. }) = event else { return None };
        self.plan.as_ref()?.steps.iter().find(|step| step.fault == *fault).map(|step| &step.kind)
    }

    fn inject(&mut self, fault: &FaultId, stage: &FaultStage, now: TimeNs) {
        if let FaultStage::Invoke { targets } = stage {
            let steps = self.plan.iter().flat_map(|plan| &plan.steps);
            let lasts = steps.into_iter().find(|step| step.fault == *fault).map(|step| step.duration_ms);
            self.in_force.retain(|other| other.fault != *fault);
            self.in_force.push(InForce {
                fault: fault.clone(),
                targets: targets.iter().map(ToString::to_string).collect(),
                since: None,
                lasts: lasts.filter(|millis| *millis > 0).map(Duration::from_millis),
                seen: Vec::new(),
                trouble: None,
                healing: Healing::NotYet,
            });
        }
        let Some(this) = self.find(fault) else { return };
        match stage {
            FaultStage::Invoke { .. } => {}
            FaultStage::Ok => this.since = this.since.or(Some(now)),
            FaultStage::Fail { reason } => this.trouble = Some(format!("refused: {reason}")),
            FaultStage::Info { reason } => this.trouble = Some(format!("unknown: {reason}")),
        }
    }

    fn heal(&mut self, fault: &FaultId, stage: &FaultStage) {
        if *stage == FaultStage::Ok {
            return self.in_force.retain(|other| other.fault != *fault);
        }
        let Some(this) = self.find(fault) else { return };
        match stage {
            FaultStage::Invoke { .. } | FaultStage::Ok => this.healing = Healing::UnderWay,
            FaultStage::Fail { reason } => this.trouble = Some(format!("not healed: {reason}")),
            FaultStage::Info { reason } => this.trouble = Some(format!("whether it is healed is unknown: {reason}")),
        }
    }

    fn saw(&mut self, fault: &FaultId, target: String, seen: String) {
        let Some(this) = self.find(fault) else { return };
        match this.seen.iter_mut().find(|(other, _)| *other == target) {
            Some((_, last)) => *last = seen,
            None => this.seen.push((target, seen)),
        }
    }

    fn find(&mut self, fault: &FaultId) -> Option<&mut InForce> {
        self.in_force.iter_mut().find(|other| other.fault == *fault)
    }

    /// The last counts.
    pub(super) fn latest(&self) -> Option<&Sample> {
        self.samples.back()
    }

    /// The rates of so long; zero until there are two counts.
    pub(super) fn rates(&self, window: Duration) -> Rates {
        let Some((now, then)) = self.latest().zip(self.before(window)) else { return Rates::default() };
        let millis = (now.at.since(then.at) / 1_000_000).max(1);
        let rate = |new: u64, old: u64| new.saturating_sub(old).saturating_mul(1000) / millis;
        let (new, old) = (now.totals, then.totals);
        Rates { sent: rate(new.sent, old.sent), acked: rate(new.acked, old.acked), read: rate(new.read, old.read) }
    }

    /// The latencies of what was acknowledged in the last seconds.
    pub(super) fn latencies(&self) -> Histogram {
        match self.latest().zip(self.before(LATENCY_WINDOW)) {
            Some((now, then)) => now.latencies.since(&then.latencies),
            None => Histogram::default(),
        }
    }

    /// The last counts that are that much older than the latest, or the oldest there are. A count that comes a little early
    /// still stands for its second.
    fn before(&self, window: Duration) -> Option<&Sample> {
        let latest = self.latest()?;
        let window_ns = u64::try_from(window.saturating_sub(EARLY).as_nanos()).unwrap_or(u64::MAX);
        let is_older = |sample: &&Sample| latest.at.since(sample.at) >= window_ns;
        self.samples.iter().rev().find(is_older).or_else(|| self.samples.front())
    }

    /// For how long the phase has gone on, and for how long it is to.
    pub(super) fn phase_time(&self) -> (Duration, Length) {
        let Some((phase, since)) = self.phase else { return (Duration::ZERO, Length::Open) };
        let phases = self.scenario.phases;
        let length = match phase {
            Phase::Start => Length::AtMost(self.scenario.cluster.start_limit),
            // It ends as soon as what is in force is healed.
            Phase::Warmup | Phase::Chaos if self.cut_short.is_some() => Length::Open,
            Phase::Warmup => Length::Planned(phases.warmup),
            Phase::Chaos => Length::Planned(phases.chaos),
            Phase::Recovery => Length::AtMost(phases.recovery),
            Phase::Drain => Length::AtMost(phases.drain),
            Phase::Stop => Length::Open,
        };
        (Duration::from_nanos(self.now.since(since)), length)
    }

    /// The next fault whose time the clock decides, and how long it is until then.
    pub(super) fn next_fault(&self) -> Option<(&FaultId, Duration)> {
        let elapsed = self.phase_time().0;
        let (to_chaos, gone) = match self.phase? {
            _ if self.cut_short.is_some() => return None,
            (Phase::Warmup, _) => (self.scenario.phases.warmup.saturating_sub(elapsed), Duration::ZERO),
            (Phase::Chaos, _) => (Duration::ZERO, elapsed),
            _ => return None,
        };
        let until = |step: &Step| match step.start {
            PlannedStart::AtMs(at_ms) => Duration::from_millis(at_ms).checked_sub(gone),
            PlannedStart::After { .. } => None,
        };
        let steps = self.plan.iter().flat_map(|plan| &plan.steps);
        let next = steps.filter_map(|step| Some((&step.fault, until(step)?))).min_by_key(|(_, until)| *until)?;
        Some((next.0, next.1 + to_chaos))
    }
}
