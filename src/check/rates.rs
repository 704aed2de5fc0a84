//! How fast producers were asked to send, and how fast they did.
//!
//! A rate is the clock's to ask (`workload::pace`): a producer that is held back catches up as soon as it can, so that in the end
//! it has sent what was asked of it, unless this machine or the cluster bears no more. It is asked for as long as one of its lives
//! lasts, up to the end of the load; nothing is asked of a client that does not exist.

use std::collections::BTreeMap;

use crate::history::tally::{Asked, Tally};
use crate::history::{EventKind, History, ProcessRole};
use crate::kafka::{ProcessId, TimeNs};
use crate::scenario::{Rate, Scenario};

/// One set of producers with a rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Achieved {
    /// Their name.
    pub producers: String,
    /// How many records a second all of them were asked for.
    pub asked_per_second: f64,
    /// How many they sent, while they were asked for any.
    pub sent_per_second: f64,
}

impl Achieved {
    /// The share of what was asked for that was sent.
    pub fn share(&self) -> f64 {
        self.sent_per_second / self.asked_per_second
    }
}

/// Every set of producers that sends at a rate, in the scenario's order; those of which no life was seen are left out.
pub fn achieved(history: &History, tally: &Tally, scenario: &Scenario) -> Vec<Achieved> {
    // Nothing was asked for any more while producers were being told to stop.
    let lives = lives(history, Asked::of_phases(history).load_ended);
    let mut all = Vec::new();
    for spec in &scenario.producers {
        let Rate::PerSecond(rate) = spec.rate else { continue };
        let own = lives.iter().filter(|(process, _)| is_of(history, **process, &spec.name));
        let (alive_ns, sent) = own.fold((0, 0), |(alive, records), (process, lasted)| {
            (alive + lasted, records + tally.sends.in_time(*process))
        });
        if alive_ns > 0 {
            let (asked, count) = (rate * alive_ns as f64 / 1e9, f64::from(spec.count));
            let (asked_per_second, sent_per_second) = (rate * count, rate * count * sent as f64 / asked);
            all.push(Achieved { producers: spec.name.clone(), asked_per_second, sent_per_second });
        }
    }
    all
}

fn is_of(history: &History, process: ProcessId, producers: &str) -> bool {
    matches!(history.processes.get(&process), Some(ProcessRole::Producer { name, .. }) if name == producers)
}

/// For how long each producer's life had something asked of it, in nanoseconds.
fn lives(history: &History, last: TimeNs) -> BTreeMap<ProcessId, u64> {
    let mut lives: BTreeMap<ProcessId, (TimeNs, TimeNs)> = BTreeMap::new();
    for event in &history.events {
        match &event.kind {
            EventKind::ProcessStarted { process, role: ProcessRole::Producer { .. } } => {
                lives.insert(*process, (event.time_ns, last));
            }
            EventKind::ProcessEnded { process, .. } => {
                lives.entry(*process).and_modify(|(_, until)| *until = event.time_ns.min(last));
            }
            _ => {}
        }
    }
    lives.into_iter().map(|(process, (from, until))| (process, until.since(from))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::RunBuilder;
    use crate::history::Phase;

    const SECOND: u64 = 1_000_000_000;

    /// Two lives of one producer of 10 records a second, of 4 and 5 seconds, of which the load lasts only 4 of the second.
    fn run(sent: [u64; 2]) -> RunBuilder {
        let mut run = RunBuilder::small();
        run.runs_transactions("chatters");
        run.scenario.producers[0].rate = Rate::PerSecond(10.0);
        for (incarnation, sent) in (0_u32..).zip(sent) {
            let process = ProcessId(incarnation);
            let role = ProcessRole::Producer { name: "chatters".to_owned(), index: 0, incarnation };
            let began = u64::from(incarnation) * 6 * SECOND;
            run.event(began, EventKind::ProcessStarted { process, role: role.clone() });
            for sequence in 0..sent {
                run.send(incarnation, 0, sequence).push();
            }
            run.history.processes.insert(process, role);
            let reason = String::new();
            run.event(began + (4 + u64::from(incarnation)) * SECOND, EventKind::ProcessEnded { process, reason });
        }
        run.event(10 * SECOND, EventKind::PhaseStarted { phase: Phase::Drain });
        run
    }

    fn told(run: &RunBuilder) -> Vec<Achieved> {
        let tally = Tally::of(&run.history, &Asked::of_phases(&run.history));
        achieved(&run.history, &tally, &run.scenario)
    }

    #[test]
    fn a_rate_is_asked_of_what_lives_while_the_load_lasts() {
        let run = run([40, 40]);
        let achieved = told(&run);
        assert_eq!(achieved.len(), 1);
        assert!((achieved[0].share() - 1.0).abs() < 1e-9, "{achieved:?}");
        assert!((achieved[0].asked_per_second - 10.0).abs() < 1e-9, "{achieved:?}");
    }

    #[test]
    fn what_was_not_sent_lowers_the_share() {
        let run = run([30, 30]);
        let achieved = told(&run);
        assert!((achieved[0].sent_per_second - 7.5).abs() < 1e-9, "{achieved:?}");
    }

    #[test]
    fn the_greatest_rate_there_is_cannot_be_missed() {
        let mut run = run([30, 30]);
        run.scenario.producers[0].rate = Rate::Max;
        assert_eq!(told(&run), []);
    }
}
