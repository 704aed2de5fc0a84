//! The words that faults of clients are judged with: what a client was before, during and after it, by its process and by
//! what it got done.

use super::{Case, NextLife, seconds_since};
use crate::fault::Moment;
use crate::fault::client::{ClientLook, ClientSeen, ClientState, Count, GroupLook, best_pace, pace};
use crate::kafka::TimeNs;

/// A client that is still for less than this may merely have had nothing to do.
const STILL_FOR_NS: u64 = 1_000_000_000;

/// By how much a member has to be slower, and after the heal faster again than, its own speed of before.
const SLOW_SHARE: f64 = 0.5;

/// How often extra members have to join, and as often leave, for a storm.
const STORM_STEPS: u32 = 2;

impl<'a> Case<'a> {
    /// The last look before the injection must show a client that runs and has got something done.
    pub fn ran_before(&mut self) -> Option<&'a ClientLook> {
        let last = self.client_looks(Moment::Before).last().map(|(_, look)| look);
        match last {
            Some(look) if look.state == ClientState::Running && look.last_progress.is_some() => {}
            Some(look) if look.state == ClientState::Running => {
                self.misses("progress before the fault (it had got nothing done)");
            }
            Some(look) => self.misses(format!("a running client before the fault (it was {})", look.state)),
            None => self.misses("a look at it before the fault"),
        }
        last
    }

    /// Its process was dead, and stayed so until the heal.
    pub fn crashed(&mut self) {
        let looks: Vec<_> = self.client_looks(Moment::During).collect();
        let is_dead = |look: &ClientLook| look.state == ClientState::Crashed && look.pid.is_none();
        match (looks.iter().find(|(_, look)| is_dead(look)), looks.last()) {
            (Some((_, first)), Some((_, last))) if is_dead(last) && counts(first) == counts(last) => {
                self.saw("its process was killed, and it stayed away");
            }
            (Some(_), Some((_, last))) => {
                self.misses(format!("its absence until the heal (it was {}, or got something done)", last.state));
            }
            (None, last) => self.misses(format!("its death ({})", last_seen(last.map(|(_, look)| *look)))),
            (Some(_), None) => unreachable!("the first of the looks is one of them"),
        }
    }

    /// Every thread of its process was stopped, and it got nothing done for at least a second until the heal.
    pub fn was_frozen_and_still(&mut self) {
        let looks: Vec<_> = self.client_looks(Moment::During).collect();
        let Some((end, last)) = looks.last().filter(|(_, look)| look.state == ClientState::Frozen) else {
            let last = last_seen(looks.last().map(|(_, look)| *look));
            return self.misses(format!("its freeze until the heal ({last})"));
        };
        if let Some((_, other)) = looks.iter().find(|(_, look)| look.state != ClientState::Frozen) {
            return self.misses(format!("its freeze all the time (once it was {})", other.state));
        }
        // What it had handed over before it stopped may be counted a moment later.
        let still =
            looks.iter().find(|(_, look)| counts(look) == counts(last)).map_or(0, |(start, _)| end.since(*start));
        if still >= STILL_FOR_NS {
            let seconds = TimeNs(still).as_secs_f64();
            self.saw(format!("every thread of its process was stopped; it got nothing done for {seconds:.1} s"));
        } else {
            self.misses("a second in which it got nothing done while it was frozen");
        }
    }

    /// The life of before was told that another producer writes in its place.
    pub fn was_told_that_it_is_fenced(&mut self, before: Option<&ClientLook>) {
        let Some(process) = before.and_then(|look| look.process) else {
            return self.misses("the life that was to be fenced");
        };
        match self.fenced.iter().find(|told| told.process == process) {
            Some(told) => {
                let told_after = seconds_since(told.time, self.times.injected);
                self.saw(format!("it was told so ({}) after {told_after:.1} s", told.code));
            }
            None => self.misses("its being told that it is fenced"),
        }
    }

    /// It ran after the heal, in the life that is expected, and got something done there.
    pub fn lives_on(&mut self, before: Option<&ClientLook>, expected: NextLife) {
        let healed = self.times.healed.unwrap_or(TimeNs(0));
        let well = self.clients.iter().filter(|sight| sight.moment == Moment::After);
        let Some(sight) = well.clone().find(|sight| sight.seen.is_well_since(healed)) else {
            let last = last_seen(self.client_looks(Moment::After).last().map(|(_, look)| look));
            return self.misses(format!("progress after the heal ({last})"));
        };
        let (ClientSeen::Client(look), Some(before)) = (&sight.seen, before) else { return };
        let seconds = seconds_since(sight.time, self.times.healed);
        let is_same = look.incarnation == before.incarnation && look.pid == before.pid;
        match expected {
            NextLife::Another if look.incarnation > before.incarnation => {
                self.saw(format!("then a new process of it was at work {seconds:.1} s after the heal"));
            }
            NextLife::Another => self.misses("a new life after the heal (it never went down)"),
            NextLife::Same if is_same => {
                self.saw(format!("then the same process was at work {seconds:.1} s after the heal"));
            }
            NextLife::Same => self.misses("the same life after the heal (it was started anew)"),
        }
    }

    /// It read less than half as fast while it was slow, and more than half as fast again afterwards.
    pub fn was_slow(&mut self) {
        let before = pace(&self.reads(Moment::Before));
        let is_slow = |look: &ClientLook| matches!(look.state, ClientState::Slow { .. });
        // What was read before it became slow may be counted a moment later.
        let settled = self.times.injected.unwrap_or(TimeNs(0)).0 + STILL_FOR_NS / 2;
        let slow = self.client_looks(Moment::During).filter(|(time, look)| is_slow(look) && time.0 >= settled);
        let during = pace(&slow.map(|(time, look)| (time, look.read)).collect::<Vec<Count>>());
        let well = self.client_looks(Moment::After).filter(|(_, look)| look.state == ClientState::Running);
        let after = best_pace(&well.map(|(time, look)| (time, look.read)).collect::<Vec<Count>>());
        match (before, during) {
            (Some(before), _) if before <= 0.0 => self.misses("reads before the fault (it read nothing)"),
            (Some(before), Some(during)) if during < before * SLOW_SHARE => {
                self.saw(format!("it read {before:.0}/s before, and {during:.0}/s while it was slow"));
            }
            (Some(before), Some(during)) => {
                self.misses(format!("less than half its speed (it read {before:.0}/s before, and {during:.0}/s)"));
            }
            (None, _) => self.misses("its speed before the fault"),
            (_, None) => self.misses("a second and a half in which it was slow"),
        }
        match (before, after) {
            (Some(before), Some(after)) if after > before * SLOW_SHARE => self.saw(format!("then {after:.0}/s")),
            (_, Some(after)) => self.misses(format!("its speed after the heal (it read {after:.0}/s)")),
            (_, None) => self.misses("its speed after the heal"),
        }
    }

    /// Extra members joined and left, and members that were there before were given partitions anew meanwhile.
    pub fn was_stirred(&mut self) {
        if self.group_looks(Moment::Before).last().is_none_or(|look| look.last_progress.is_none()) {
            self.misses("a group that read before the fault");
        }
        let storm = self.group_looks(Moment::During).last().map(|look| look.storm).unwrap_or_default();
        let steps = format!("{} extra members joined and {} left", storm.joined, storm.left);
        if storm.joined >= STORM_STEPS && storm.left >= STORM_STEPS {
            self.saw(steps);
        } else {
            self.misses(format!("{STORM_STEPS} joins and as many leaves ({steps})"));
        }
        let (from, to) = (self.times.injected.unwrap_or(TimeNs(0)), self.times.healed.unwrap_or(TimeNs(u64::MAX)));
        let stirred = self.handovers.iter().filter(|handover| handover.born < from);
        let stirred = stirred.filter(|handover| handover.time >= from && handover.time <= to).count();
        match stirred {
            0 => self.misses("a new assignment to a member that had been there before"),
            1 => self.saw("a member that had been there before was assigned anew once"),
            many => self.saw(format!("members that had been there before were assigned anew {many} times")),
        }
    }

    /// All extra members were gone after the heal, and the group's own ones read on.
    pub fn calmed_down(&mut self) {
        let healed = self.times.healed.unwrap_or(TimeNs(0));
        let calm = self.clients.iter().filter(|sight| sight.moment == Moment::After);
        let calm = calm.clone().find(|sight| sight.seen.is_well_since(healed)).map(|sight| sight.time);
        match calm {
            Some(time) => {
                let seconds = seconds_since(time, self.times.healed);
                self.saw(format!("then the others had left, and the group read on {seconds:.1} s after the heal"));
            }
            None => match self.group_looks(Moment::After).last().map(|look| look.storm.present) {
                Some(present) => self.misses(format!("reads after the heal ({present} extra members were left)")),
                None => self.misses("a look at the group after the heal"),
            },
        }
    }

    fn client_looks(&self, moment: Moment) -> impl Iterator<Item = (TimeNs, &'a ClientLook)> {
        self.clients.iter().filter(move |sight| sight.moment == moment).filter_map(|sight| match &sight.seen {
            ClientSeen::Client(look) => Some((sight.time, look)),
            ClientSeen::Group(_) => None,
        })
    }

    fn group_looks(&self, moment: Moment) -> impl Iterator<Item = &'a GroupLook> {
        self.clients.iter().filter(move |sight| sight.moment == moment).filter_map(|sight| match &sight.seen {
            ClientSeen::Group(look) => Some(look),
            ClientSeen::Client(_) => None,
        })
    }

    fn reads(&self, moment: Moment) -> Vec<Count> {
        self.client_looks(moment).map(|(time, look)| (time, look.read)).collect()
    }
}

fn counts(look: &ClientLook) -> (u64, u64, u64) {
    (look.sent, look.acked, look.read)
}

fn last_seen(look: Option<&ClientLook>) -> String {
    look.map_or_else(|| "nobody looked".to_owned(), |look| format!("last seen {}", look.state))
}
