//! Whether a fault provably bit and provably healed: the engine, the broker itself and the other brokers as witnesses.
//!
//! A chaos tool whose faults do nothing reports a green run. So each kind has a rule for each moment, and each target has
//! to meet all three; one that is not met makes the fault unproven, and the sentence says what is missing.
//!
//! | kind | before | during | after |
//! |---|---|---|---|
//! | kill | runs and answers | exited with the signal's code, port refused or unreachable, never an answer | a later life runs and answers |
//! | stop | runs and answers | as kill, but code 143 or 0; or 137, if only the grace's end ended it | a later life runs and answers |
//! | restart | runs and answers | nothing is asked for: the new life is the proof | another life runs and answers |
//! | pause | runs and answers | paused, and silent or unreachable at the same look, never an answer | the same life runs and answers |
//!
//! The kernel of a paused broker still accepts connections, so `silent` is what a pause looks like from outside. What the
//! other brokers thought (`Standing`) proves nothing alone, because a controller needs seconds to notice, but it is told.

use crate::fault::{FaultKind, Moment, Observation, Probe, ProcessState, Standing};
use crate::kafka::{BrokerId, TimeNs};

/// One look at a target: when, at which moment of the fault's life, at whom, and what was seen.
pub type Look = (TimeNs, Moment, BrokerId, Observation);

/// When the fault was in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// When the engine had injected it.
    pub injected: Option<TimeNs>,
    /// When the engine had healed it.
    pub healed: Option<TimeNs>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Whether every target provably was struck and provably recovered.
    pub proven: bool,
    /// By what, or what is missing, in short clauses.
    pub sentence: String,
}

impl Proof {
    /// No proof at all, for this reason.
    pub fn missing(reason: String) -> Self {
        Self { proven: false, sentence: reason }
    }

    /// The proof, broken by one more thing that is missing.
    #[must_use]
    pub fn without(self, missing: &str) -> Self {
        Self { proven: false, sentence: format!("{missing}; {}", self.sentence) }
    }
}

/// Judges every look at every target.
pub fn prove(kind: &FaultKind, looks: &[Look], targets: &[BrokerId], times: Times) -> Proof {
    let cases: Vec<(BrokerId, Case)> =
        targets.iter().map(|target| (*target, Case::new(kind, looks, *target, times))).collect();
    let proven = !cases.is_empty() && cases.iter().all(|(_, case)| case.missing.is_empty());
    let sentences: Vec<String> = cases
        .iter()
        .map(
            |(target, case)| {
                if targets.len() == 1 { case.sentence() } else { format!("{target}: {}", case.sentence()) }
            },
        )
        .collect();
    Proof { proven, sentence: sentences.join(". ") }
}

/// What is known of one target.
struct Case<'a> {
    before: Vec<&'a Look>,
    during: Vec<&'a Look>,
    after: Vec<&'a Look>,
    times: Times,
    seen: Vec<String>,
    missing: Vec<String>,
}

impl<'a> Case<'a> {
    fn new(kind: &FaultKind, looks: &'a [Look], target: BrokerId, times: Times) -> Self {
        let at = |moment| looks.iter().filter(|look| look.1 == moment && look.2 == target).collect::<Vec<_>>();
        let (before, during, after) = (at(Moment::Before), at(Moment::During), at(Moment::After));
        let mut case = Self { before, during, after, times, seen: Vec::new(), missing: Vec::new() };
        let life = case.ran_before();
        match kind {
            FaultKind::Kill { signal } => case.ended(&[signal.exit_code()], None),
            FaultKind::Stop { .. } => case.ended(&[143, 0], Some(137)),
            FaultKind::Restart { .. } => case.interruption(),
            FaultKind::Pause => case.was_frozen(),
        }
        case.lost_standing();
        match kind {
            FaultKind::Pause => case.runs_on(life, NextLife::Same),
            FaultKind::Kill { .. } | FaultKind::Stop { .. } | FaultKind::Restart { .. } => {
                case.runs_on(life, NextLife::Another);
            }
        }
        case.regained_standing();
        case
    }

    fn sentence(&self) -> String {
        let seen = self.seen.join("; ");
        match (self.missing.is_empty(), seen.is_empty()) {
            (true, _) => seen,
            (false, true) => format!("missing: {}", self.missing.join(", ")),
            (false, false) => format!("missing: {}; seen: {seen}", self.missing.join(", ")),
        }
    }

    /// The last look before the injection must show a broker that works; its life is what `after` is compared with.
    fn ran_before(&mut self) -> Option<&'a str> {
        match self.before.last().map(|look| &look.3) {
            Some(Observation {
                process: ProcessState::Running { started_at }, probe: Probe::Answered { .. }, ..
            }) => Some(started_at),
            Some(look) => {
                self.missing.push(format!("a working broker before the fault (it was {})", describe(look)));
                match &look.process {
                    ProcessState::Running { started_at } | ProcessState::Paused { started_at } => Some(started_at),
                    ProcessState::Exited { .. } | ProcessState::Missing => None,
                }
            }
            None => {
                self.missing.push("a look at it before the fault".to_owned());
                None
            }
        }
    }

    fn ended(&mut self, in_order: &[i64], forced: Option<i64>) {
        let mut codes = self.during.iter().filter_map(|look| match look.3.process {
            ProcessState::Exited { exit_code } => Some(exit_code),
            _ => None,
        });
        match codes.next_back() {
            Some(code) if in_order.contains(&code) => self.seen.push(format!("exited {code}")),
            Some(code) if forced == Some(code) => {
                self.seen.push(format!("exited {code}, killed when its grace had run out"));
            }
            Some(code) => {
                let expected: Vec<String> = in_order.iter().map(i64::to_string).collect();
                self.missing.push(format!("an exit with code {} (it exited {code})", expected.join(" or ")));
            }
            None => self.missing.push(format!("its exit (last seen {})", self.last_seen())),
        }
        match self.during.iter().rev().map(|look| &look.3.probe).find(|probe| is_shut(probe)) {
            Some(Probe::Refused) => self.seen.push("port refused".to_owned()),
            Some(_) => self.seen.push("port unreachable".to_owned()),
            None => self.missing.push("a refused or unreachable port".to_owned()),
        }
        self.never_answered();
    }

    /// A restart is over too soon to insist on seeing it down; where it was seen, it is told.
    fn interruption(&mut self) {
        for look in &self.during {
            match &look.3.process {
                ProcessState::Exited { exit_code } => self.seen.push(format!("exited {exit_code}")),
                _ if look.3.probe == Probe::Refused => self.seen.push("port refused".to_owned()),
                _ => {}
            }
        }
        self.seen.dedup();
    }

    fn was_frozen(&mut self) {
        let frozen = self.during.iter().filter(|look| matches!(look.3.process, ProcessState::Paused { .. }));
        match frozen.clone().find(|look| matches!(look.3.probe, Probe::Silent | Probe::Unreachable)) {
            Some(look) if look.3.probe == Probe::Silent => self.seen.push("paused; connected but silent".to_owned()),
            Some(_) => self.seen.push("paused; unreachable".to_owned()),
            None if frozen.count() > 0 => {
                self.missing.push(format!("its silence while paused (last seen {})", self.last_seen()));
            }
            None => self.missing.push(format!("its pause (last seen {})", self.last_seen())),
        }
        self.never_answered();
    }

    fn never_answered(&mut self) {
        let answered = self.during.iter().find(|look| matches!(look.3.probe, Probe::Answered { .. }));
        if let Some((time, ..)) = answered {
            self.missing.push(format!("its silence (it answered {})", after(*time, self.times.injected)));
        }
    }

    fn runs_on(&mut self, life: Option<&str>, next: NextLife) {
        let Some(look) = self.after.iter().rev().find(|look| works(&look.3)) else {
            let last = self.after.last().map_or_else(|| "never looked at".to_owned(), |look| describe(&look.3));
            self.missing.push(format!("a working broker after the heal ({last})"));
            return;
        };
        let ProcessState::Running { started_at } = &look.3.process else { return };
        match (life, next) {
            (None, _) => self.missing.push("the life before the fault to compare with".to_owned()),
            (Some(life), NextLife::Same) if life == started_at => {
                self.seen.push("then the same life answered".to_owned());
            }
            (Some(_), NextLife::Same) => {
                self.missing.push("the same life after the heal (it was started anew)".to_owned());
            }
            (Some(life), NextLife::Another) if is_later(life, started_at) => {
                self.seen.push("then a new life answered".to_owned());
            }
            (Some(_), NextLife::Another) => {
                self.missing.push("a new life after the heal (it never went down)".to_owned());
            }
        }
    }

    fn lost_standing(&mut self) {
        let standings = || self.during.iter().filter_map(|look| Some((look.0, look.3.standing?)));
        let fenced =
            standings().find(|(_, standing)| !standing.registered).map(|(time, _)| ("fenced by the controller", time));
        let out = || {
            let out = standings().find(|(_, standing)| standing.replica_of > 0 && standing.in_isr_of == 0);
            out.map(|(time, _)| ("out of every ISR", time))
        };
        if let Some((what, time)) = fenced.or_else(out) {
            self.seen.push(format!("{what} {}", after(time, self.times.injected)));
        }
    }

    fn regained_standing(&mut self) {
        // A dead broker keeps its standing until the controller notices, so its standing counts only once it answers.
        let back = self.after.iter().find(|look| works(&look.3) && look.3.standing.is_some_and(stands_fully));
        if let (Some((time, ..)), true) = (back, self.times.healed.is_some()) {
            let was_out =
                self.during.iter().chain(&self.after).any(|look| look.3.standing.is_some_and(has_lost_standing));
            let what = if was_out { "back in every ISR" } else { "in every ISR" };
            let seconds = seconds_since(*time, self.times.healed);
            self.seen.push(format!("{what} {seconds:.1} s after the heal"));
        }
    }

    fn last_seen(&self) -> String {
        self.during.last().map_or_else(|| "never while the fault was in force".to_owned(), |look| describe(&look.3))
    }
}

/// Which life a proof expects after the heal.
#[derive(Clone, Copy)]
enum NextLife {
    Same,
    Another,
}

fn stands_fully(standing: Standing) -> bool {
    standing.registered && standing.replica_of > 0 && standing.in_isr_of == standing.replica_of
}

fn has_lost_standing(standing: Standing) -> bool {
    !standing.registered || standing.in_isr_of < standing.replica_of
}

/// Whether the engine runs it and it answers.
pub(super) fn works(look: &Observation) -> bool {
    matches!(look.process, ProcessState::Running { .. }) && matches!(look.probe, Probe::Answered { .. })
}

fn is_shut(probe: &Probe) -> bool {
    matches!(probe, Probe::Refused | Probe::Unreachable)
}

/// Engines drop trailing zeros from their timestamps, so times are compared as times where both can be read as such.
fn is_later(before: &str, after: &str) -> bool {
    match (before.parse::<jiff::Timestamp>(), after.parse::<jiff::Timestamp>()) {
        (Ok(before), Ok(after)) => after > before,
        _ => after != before,
    }
}

fn describe(look: &Observation) -> String {
    let process = match &look.process {
        ProcessState::Running { .. } => "running".to_owned(),
        ProcessState::Paused { .. } => "paused".to_owned(),
        ProcessState::Exited { exit_code } => format!("exited {exit_code}"),
        ProcessState::Missing => "unknown to the engine".to_owned(),
    };
    let probe = match look.probe {
        Probe::Answered { .. } => "answering",
        Probe::Refused => "refusing connections",
        Probe::Silent => "silent",
        Probe::Unreachable => "unreachable",
    };
    format!("{process} and {probe}")
}

fn after(time: TimeNs, origin: Option<TimeNs>) -> String {
    format!("after {:.1} s", seconds_since(time, origin))
}

fn seconds_since(time: TimeNs, origin: Option<TimeNs>) -> f64 {
    TimeNs(time.since(origin.unwrap_or(TimeNs(0)))).as_secs_f64()
}
