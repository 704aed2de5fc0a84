//! What was seen of one target of a fault, and the clauses that make a proof of it: the words that faults judge with.
//!
//! Every clause either finds what it looks for, and says so, or says what is missing. A target is proven when nothing is
//! missing. The engine and the broker itself have to agree; what the other brokers thought of it is told.

mod client;
mod levers;
mod network;
mod rules;
mod treatment;

pub use levers::value;

use super::client::ClientSight;
use super::{Deed, Moment, Observation, Probe, ProcessState, Standing, Victim};
use crate::kafka::{ProcessId, TimeNs};

/// One look at a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// When.
    pub time: TimeNs,
    /// At which moment of the fault's life.
    pub moment: Moment,
    /// At whom.
    pub target: Victim,
    /// What was seen.
    pub seen: Observation,
}

/// A member of a group got partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// When.
    pub time: TimeNs,
    /// In which group.
    pub group: String,
    /// Who.
    pub process: ProcessId,
    /// When that process had begun.
    pub born: TimeNs,
}

/// A client of the load was told that another producer writes in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldFenced {
    /// When.
    pub time: TimeNs,
    /// Who.
    pub process: ProcessId,
    /// By which error.
    pub code: String,
}

/// Everything that was seen of one fault.
#[derive(Clone, Debug, Default)]
pub struct Testimony {
    /// Every look at a broker.
    pub looks: Vec<Look>,
    /// What its actions said of themselves, by whom they were done to.
    pub deeds: Vec<(Victim, Deed)>,
    /// Every look at a client or a group.
    pub clients: Vec<ClientSight>,
    /// For a fault that strikes groups: who got partitions during the run.
    pub handovers: Vec<Handover>,
    /// For a fault that strikes producers: who was told during the run that it is fenced.
    pub fenced: Vec<ToldFenced>,
}

/// When the fault was in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// When it had been injected.
    pub injected: Option<TimeNs>,
    /// When it had been healed.
    pub healed: Option<TimeNs>,
}

/// What is known of one target.
#[derive(Debug)]
pub struct Case<'a> {
    before: Vec<&'a Look>,
    during: Vec<&'a Look>,
    after: Vec<&'a Look>,
    deeds: Vec<&'a Deed>,
    clients: Vec<&'a ClientSight>,
    handovers: Vec<&'a Handover>,
    fenced: Vec<&'a ToldFenced>,
    times: Times,
    seen: Vec<String>,
    missing: Vec<String>,
}

impl<'a> Case<'a> {
    /// What was seen of `target`.
    pub fn new(testimony: &'a Testimony, target: &Victim, times: Times) -> Self {
        let Testimony { looks, deeds, clients, handovers, fenced } = testimony;
        let at =
            |moment| looks.iter().filter(|look| look.moment == moment && look.target == *target).collect::<Vec<_>>();
        let (before, during, after) = (at(Moment::Before), at(Moment::During), at(Moment::After));
        let is_its = |(victim, _): &&(Victim, Deed)| victim == target;
        let deeds = deeds.iter().filter(is_its).map(|(_, deed)| deed).collect();
        let clients = clients.iter().filter(|sight| target.client() == Some(sight.seen.label())).collect();
        let handovers = handovers.iter().filter(|handover| target.client() == Some(handover.group.as_str())).collect();
        let fenced = fenced.iter().collect();
        Self { before, during, after, deeds, clients, handovers, fenced, times, seen: Vec::new(), missing: Vec::new() }
    }

    /// Whether something was seen and nothing is missing.
    pub fn is_proven(&self) -> bool {
        self.missing.is_empty() && !self.seen.is_empty()
    }

    /// Adds what was seen.
    pub fn saw(&mut self, what: impl Into<String>) {
        self.seen.push(what.into());
    }

    /// Adds what is missing.
    pub fn misses(&mut self, what: impl Into<String>) {
        self.missing.push(what.into());
    }

    /// What the fault's actions on this target said of themselves.
    pub fn deeds(&self) -> &[&'a Deed] {
        &self.deeds
    }

    /// Every look at this target at a moment.
    pub fn looks(&self, moment: Moment) -> &[&'a Look] {
        match moment {
            Moment::Before => &self.before,
            Moment::During => &self.during,
            Moment::After => &self.after,
        }
    }

    /// What was seen, and what is missing, in short clauses.
    pub fn sentence(&self) -> String {
        let seen = self.seen.join("; ");
        match (self.missing.is_empty(), seen.is_empty()) {
            (true, _) => seen,
            (false, true) => format!("missing: {}", self.missing.join(", ")),
            (false, false) => format!("missing: {}; seen: {seen}", self.missing.join(", ")),
        }
    }

    /// The last look before the injection must show a broker that works; its life is what `after` is compared with.
    pub fn worked_before(&mut self) -> Option<&'a str> {
        match self.before.last().map(|look| &look.seen) {
            Some(Observation {
                process: ProcessState::Running { started_at }, probe: Probe::Answered { .. }, ..
            }) => Some(started_at),
            Some(look) => {
                self.missing.push(format!("a working broker before the fault (it was {})", describe(look)));
                match &look.process {
                    ProcessState::Running { started_at } | ProcessState::Paused { started_at } => Some(started_at),
                    ProcessState::Exited { .. } | ProcessState::Missing | ProcessState::Unwatched => None,
                }
            }
            None => {
                self.missing.push("a look at it before the fault".to_owned());
                None
            }
        }
    }

    /// It exited with one of these codes, or with `forced` when its grace had run out, and was never reached meanwhile.
    pub fn ended(&mut self, in_order: &[i64], forced: Option<i64>) {
        let mut codes = self.during.iter().filter_map(|look| match look.seen.process {
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
        // One that somebody started before its time need not have got as far as to answer.
        let exit = self.during.iter().position(|look| matches!(look.seen.process, ProcessState::Exited { .. }));
        let started = exit.and_then(|exit| {
            self.during[exit..].iter().find(|look| matches!(look.seen.process, ProcessState::Running { .. }))
        });
        if let Some(look) = started {
            self.missing.push(format!("its staying down (it ran {})", after(look.time, self.times.injected)));
        }
        match self.during.iter().rev().map(|look| &look.seen.probe).find(|probe| is_shut(probe)) {
            Some(Probe::Refused) => self.seen.push("port refused".to_owned()),
            Some(_) => self.seen.push("port unreachable".to_owned()),
            None => self.missing.push("a refused or unreachable port".to_owned()),
        }
        self.never_answered();
    }

    /// A restart is over too soon to insist on seeing it down; where it was seen, it is told.
    pub fn interruption(&mut self) {
        for look in &self.during {
            match &look.seen.process {
                ProcessState::Exited { exit_code } => self.seen.push(format!("exited {exit_code}")),
                _ if look.seen.probe == Probe::Refused => self.seen.push("port refused".to_owned()),
                _ => {}
            }
        }
        self.seen.dedup();
    }

    /// It was frozen, and silent or unreachable at the same look.
    pub fn was_frozen(&mut self) {
        let frozen = self.during.iter().filter(|look| matches!(look.seen.process, ProcessState::Paused { .. }));
        match frozen.clone().find(|look| matches!(look.seen.probe, Probe::Silent | Probe::Unreachable)) {
            Some(look) if look.seen.probe == Probe::Silent => self.seen.push("paused; connected but silent".to_owned()),
            Some(_) => self.seen.push("paused; unreachable".to_owned()),
            None if frozen.count() > 0 => {
                self.missing.push(format!("its silence while paused (last seen {})", self.last_seen()));
            }
            None => self.missing.push(format!("its pause (last seen {})", self.last_seen())),
        }
        self.never_answered();
    }

    /// It never answered while the fault was in force.
    pub fn never_answered(&mut self) {
        let answered = self.during.iter().find(|look| matches!(look.seen.probe, Probe::Answered { .. }));
        if let Some(look) = answered {
            self.missing.push(format!("its silence (it answered {})", after(look.time, self.times.injected)));
        }
    }

    /// It runs and answers after the heal: the same life as before, or a later one.
    pub fn works_after(&mut self, life: Option<&str>, next: NextLife) {
        let Some(look) = self.after.iter().rev().find(|look| look.seen.works()) else {
            let last = self.after.last().map_or_else(|| "never looked at".to_owned(), |look| describe(&look.seen));
            self.missing.push(format!("a working broker after the heal ({last})"));
            return;
        };
        let ProcessState::Running { started_at } = &look.seen.process else { return };
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

    /// It exited with one of these codes while the fault was in force. When is its own affair: it answered until then.
    pub fn exited(&mut self, codes: &[i64]) {
        let mut seen = self.during.iter().filter_map(|look| match look.seen.process {
            ProcessState::Exited { exit_code } => Some((look.time, exit_code)),
            _ => None,
        });
        let wanted: Vec<String> = codes.iter().map(i64::to_string).collect();
        match seen.next() {
            Some((time, code)) if codes.contains(&code) => {
                self.seen.push(format!("exited {code} {}", after(time, self.times.injected)));
            }
            Some((_, code)) => {
                self.missing.push(format!("an exit with code {} (it exited {code})", wanted.join(" or ")));
            }
            None => self.missing.push(format!("its exit (last seen {})", self.last_seen())),
        }
    }

    /// Tells how it exited, where it did.
    pub fn tell_exit(&mut self) {
        let exit = self.during.iter().find_map(|look| match look.seen.process {
            ProcessState::Exited { exit_code } => Some((look.time, exit_code)),
            _ => None,
        });
        if let Some((time, code)) = exit {
            self.seen.push(format!("exited {code} {}", after(time, self.times.injected)));
        }
    }

    /// It exited with this code at least `needed` times, each time out of another life.
    pub fn ended_again_and_again(&mut self, code: i64, needed: usize) {
        let mut exits = 0;
        // Only a life that was seen between two exits makes two of them.
        let mut lived = true;
        for look in &self.during {
            match &look.seen.process {
                ProcessState::Running { .. } => lived = true,
                ProcessState::Exited { exit_code } if *exit_code == code && lived => {
                    exits += 1;
                    lived = false;
                }
                _ => {}
            }
        }
        let times = if exits == 1 { "once".to_owned() } else { format!("{exits} times") };
        if exits >= needed {
            self.seen.push(format!("exited {code} {times}"));
        } else {
            self.missing.push(format!("{needed} exits with code {code} (it exited so {times})"));
        }
    }

    /// It stood in all its ISRs again while the fault was still going round, so that no two targets were away at once.
    pub fn was_whole(&mut self) {
        let is_whole = |look: &&&Look| look.seen.works() && look.seen.standing.is_some_and(stands_fully);
        match self.after.iter().find(is_whole) {
            Some(_) => self.seen.push("back in all its ISRs".to_owned()),
            None => self.missing.push("its return to every ISR".to_owned()),
        }
    }

    /// It runs and answers after the heal, in whichever life.
    pub fn works_again(&mut self) {
        match self.after.iter().rev().find(|look| look.seen.works()) {
            Some(_) => self.seen.push("then it answered".to_owned()),
            None => self.missing.push("a working broker after the heal".to_owned()),
        }
    }

    /// Tells when the other brokers took note of its absence. That proves nothing alone: a controller needs seconds.
    pub fn lost_standing(&mut self) {
        let standings = || self.during.iter().filter_map(|look| Some((look.time, look.seen.standing?)));
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

    /// Tells when it was back in every ISR.
    pub fn regained_standing(&mut self) {
        // A dead broker keeps its standing until the controller notices, so its standing counts only once it answers.
        let back = self.after.iter().find(|look| look.seen.works() && look.seen.standing.is_some_and(stands_fully));
        if let (Some(look), true) = (back, self.times.healed.is_some()) {
            let was_out =
                self.during.iter().chain(&self.after).any(|look| look.seen.standing.is_some_and(has_lost_standing));
            let what = if was_out { "back in all its ISRs" } else { "in all its ISRs" };
            let seconds = seconds_since(look.time, self.times.healed);
            self.seen.push(format!("{what} {seconds:.1} s after the heal"));
        }
    }

    fn last_seen(&self) -> String {
        self.during.last().map_or_else(|| "never while the fault was in force".to_owned(), |look| describe(&look.seen))
    }
}

/// Which life a proof expects after the heal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextLife {
    /// The one before the fault.
    Same,
    /// A later one.
    Another,
}

fn stands_fully(standing: Standing) -> bool {
    standing.registered && standing.replica_of > 0 && standing.in_isr_of == standing.replica_of
}

fn has_lost_standing(standing: Standing) -> bool {
    !standing.registered || standing.in_isr_of < standing.replica_of
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
        ProcessState::Unwatched => "without an engine".to_owned(),
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
