//! The clauses about a broker's network: its connections and its addresses.

use super::Case;
use crate::fault::network::{LinkResult, PartsPerMillion, Treatment};
use crate::fault::{Link, LinkSeen, Look, Moment, Probe, Sight};

/// So many times are many: no busy machine holds each of them by chance.
const MANY: usize = 8;

/// How much longer something took while a fault was in force.
struct Slower {
    during_us: u64,
    without_us: u64,
    /// What of the times was compared.
    measure: &'static str,
}

/// How many of so many packets may have been sent ahead: twice what is expected, and two.
fn ahead_at_most(reorder: PartsPerMillion, of: usize) -> usize {
    if reorder.is_none() {
        return 0;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count of looks")]
    let expected = (of as f64 * reorder.as_ratio()).ceil() as usize;
    2 * expected + 2
}

/// Compares the times of before, during and after, each sorted; `None` where those during were not longer by so much. Some
/// packets may have been sent ahead, and held nobody.
fn slower([before, during, after]: [Vec<u64>; 3], by_us: u64, reorder: PartsPerMillion) -> Option<Slower> {
    let median = |times: &[u64]| times.get(times.len() / 2).copied();
    if let (Some(without_us), Some(during_us)) = (median(&before), median(&during))
        && during_us >= without_us + by_us
    {
        return Some(Slower { during_us, without_us, measure: "medians" });
    }
    let without_us = *before.first().into_iter().chain(after.first()).min()?;
    let held = during.get(ahead_at_most(reorder, during.len())..).unwrap_or_default();
    let during_us = *held.first()?;
    (held.len() >= MANY && during_us >= without_us + by_us).then_some(Slower {
        during_us,
        without_us,
        measure: "the quickest",
    })
}

/// The connections that a look tried, those that are cut and those that stay open; `None` where it could see none.
fn links(look: &Look) -> Option<(Vec<&LinkSeen>, Vec<&LinkSeen>)> {
    let (mut all_cut, mut all_open) = (Vec::new(), Vec::new());
    for sight in &look.seen.sights {
        if let Sight::Links { cut, open, .. } = sight {
            all_cut.extend(cut);
            all_open.extend(open);
        }
    }
    (!all_cut.is_empty() || !all_open.is_empty()).then_some((all_cut, all_open))
}

/// Why a look did not see all that it was to see, if it did not.
fn blindness(look: &Look) -> Option<&str> {
    look.seen.sights.iter().find_map(|sight| match sight {
        Sight::Blind { reason } => Some(reason.as_str()),
        _ => None,
    })
}

impl Case<'_> {
    /// Connections that had to be cut came about before, not while the fault was in force, and do again; those that had to be
    /// open always came about. Nobody needs to see those of a broker that does not run.
    pub fn links_were_cut(&mut self) {
        self.links_open_at(Moment::Before, "before the fault");
        if let Some(reason) = self.looks(Moment::During).iter().find_map(|look| blindness(look)) {
            self.misses(format!("its connections at every look ({reason})"));
        }
        let during = self.links_at(Moment::During);
        let (mut silent, mut refused, mut through, mut closed) = (0, 0, None, None);
        for (cut, open) in &during {
            for seen in cut {
                match seen.result {
                    LinkResult::Connected => through = through.or(Some(seen.link)),
                    LinkResult::Refused => refused += 1,
                    LinkResult::Silent | LinkResult::Unreachable => silent += 1,
                }
            }
            closed = closed.or(open.iter().find(|seen| seen.result != LinkResult::Connected).map(|seen| seen.link));
        }
        if let Some(link) = through {
            self.misses(format!("the cut of its {} connections to {} (one came about)", link.plane, link.to));
        }
        match (silent, refused) {
            (0, 0) => self.misses("a look at its connections while the fault was in force"),
            (0, _) => self.saw("connections refused"),
            (_, 0) => self.saw("connections silent"),
            (_, _) => self.saw("connections refused or silent"),
        }
        if let Some(link) = closed {
            self.misses(format!("its {} connections to {}, which should have stayed open", link.plane, link.to));
        }
        self.links_open_at(Moment::After, "after the heal");
    }

    /// With a latency, connections to other brokers or answers to clients took longer by half of it at least: by their medians
    /// than before it was injected; or, where a busy machine was slow then, every one of many took so much longer than the
    /// quickest before it and after its heal, but for those that chance sends ahead. Nothing but the fault holds each of them.
    pub(in crate::fault) fn was_slower(&mut self, treatment: &Treatment) {
        if treatment.delay_us == 0 {
            return;
        }
        let half_us = treatment.delay_us / 2;
        let links = slower(
            [Moment::Before, Moment::During, Moment::After].map(|at| self.link_times_us(at)),
            half_us,
            treatment.reorder,
        );
        let answers = [Moment::Before, Moment::During, Moment::After].map(|at| self.answer_times_us(at));
        let answers = slower(answers, half_us, treatment.reorder);
        let (what, slower) = match (links, answers) {
            (Some(slower), _) => ("connections", slower),
            (None, Some(slower)) => ("answers to clients", slower),
            (None, None) => {
                let least = half_us / 1000;
                return self.misses(format!("connections or answers that took longer by {least} ms at least"));
            }
        };
        let millis = |micros: u64| micros as f64 / 1000.0;
        let (during, without) = (millis(slower.during_us), millis(slower.without_us));
        self.saw(format!("{what} in {during:.1} ms instead of {without:.1} ms ({})", slower.measure));
    }

    /// The last look at that moment that saw them all found every connection to come about.
    pub(in crate::fault) fn links_open_at(&mut self, moment: Moment, when: &str) {
        let sighted = self.looks(moment).iter().rev().filter(|look| blindness(look).is_none());
        let Some((cut, open)) = sighted.copied().find_map(links) else {
            return self.misses(format!("a look at its connections {when}"));
        };
        let closed = cut.iter().chain(&open).find(|seen| seen.result != LinkResult::Connected);
        if let Some(seen) = closed {
            let Link { to, plane } = seen.link;
            self.misses(format!("its {plane} connections to {to} {when}"));
        }
    }

    /// Some look at that moment found a connection to come about. Another fault may cut the others meanwhile.
    pub(in crate::fault) fn some_link_passes_at(&mut self, moment: Moment, when: &str) {
        if self.link_times_us(moment).is_empty() {
            self.misses(format!("a connection that came about {when}"));
        }
    }

    /// The connections that each look at that moment tried, those that are cut and those that stay open. A look that could
    /// see none is left out.
    fn links_at(&self, moment: Moment) -> Vec<(Vec<&LinkSeen>, Vec<&LinkSeen>)> {
        self.looks(moment).iter().copied().filter_map(links).collect()
    }

    /// The times that connections took at that moment, in microseconds, the quickest first; none where none came about.
    fn link_times_us(&self, moment: Moment) -> Vec<u64> {
        let links = self.links_at(moment);
        let made = links.iter().flat_map(|(cut, open)| cut.iter().chain(open));
        let mut times: Vec<u64> =
            made.filter(|seen| seen.result == LinkResult::Connected).map(|seen| seen.elapsed_us).collect();
        times.sort_unstable();
        times
    }

    /// The times of the broker's answers to a client at that moment, in microseconds, the quickest first.
    fn answer_times_us(&self, moment: Moment) -> Vec<u64> {
        let answers = self.looks(moment).iter().filter_map(|look| match look.seen.probe {
            Probe::Answered { elapsed_ms } => Some(elapsed_ms * 1000),
            _ => None,
        });
        let mut times: Vec<u64> = answers.collect();
        times.sort_unstable();
        times
    }

    /// Clients never reached it while the fault was in force.
    pub fn clients_were_cut(&mut self) {
        let probes: Vec<&Probe> = self.looks(Moment::During).iter().map(|look| &look.seen.probe).collect();
        match probes.last() {
            None => self.misses("a look at it while the fault was in force"),
            Some(Probe::Refused) => self.saw("clients refused"),
            Some(Probe::Silent | Probe::Unreachable) => self.saw("clients not answered"),
            Some(Probe::Answered { .. }) => {}
        }
        self.never_answered();
    }

    /// It was in a network before, in none while the fault was in force, and is at the same addresses again.
    pub fn was_unplugged(&mut self) {
        let addresses = |look: &&&Look| {
            look.seen.sights.iter().find_map(|sight| match sight {
                Sight::Networks { addresses } => Some(addresses.clone()),
                _ => None,
            })
        };
        let before = self.looks(Moment::Before).last().and_then(|look| addresses(&look));
        // A look that could not see it leaves time in which nobody knows of it, as one that saw it in a network does.
        let during: Vec<_> = self.looks(Moment::During).iter().map(|look| addresses(&look)).collect();
        let after =
            self.looks(Moment::After).iter().rev().find(|look| look.seen.works()).and_then(|look| addresses(&look));
        let is_in_none = |addresses: &Option<Vec<_>>| addresses.as_ref().is_some_and(Vec::is_empty);
        if during.is_empty() || !during.iter().all(is_in_none) {
            self.misses("its absence from every network");
        } else {
            self.saw("in no network");
        }
        match (before, after) {
            (Some(before), Some(after)) if before == after && !before.is_empty() => {
                self.saw("back at the same address");
            }
            (_, after) => self.misses(format!("its return to the same address (now {})", after.map_or(0, |a| a.len()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_was_slow_before_hides_no_latency_that_held_every_one_of_many() {
        let (slow, quick) = (vec![400_000], vec![8_000, 9_000]);
        let held: Vec<u64> = (0..20).map(|more| 51_000 + more * 10_000).collect();
        let of = |before: &Vec<u64>, during: &[u64], after: &Vec<u64>| {
            let none = PartsPerMillion::default();
            slower([before.clone(), during.to_vec(), after.clone()], 25_000, none).map(|slower| slower.measure)
        };
        assert_eq!(of(&quick, &held, &quick), Some("medians"));
        assert_eq!(of(&slow, &held, &quick), Some("the quickest"));
        assert_eq!(of(&slow, &held[..MANY - 1], &quick), None, "few may be slow by chance");
        let one_passed: Vec<u64> = std::iter::once(9_000).chain(held.iter().copied()).collect();
        assert_eq!(of(&slow, &one_passed, &quick), None, "one that was not held tells that none has to be");
        assert_eq!(of(&slow, &held, &slow), None, "nobody saw it quick");
        assert_eq!(of(&quick, &[], &quick), None);
    }

    #[test]
    fn what_chance_sends_ahead_tells_nothing_of_those_that_are_held() {
        let twentieth = PartsPerMillion::new(50_000).expect("a share");
        let held = (0..20).map(|more| 51_000 + more * 10_000);
        let with_ahead = |count| {
            let during: Vec<u64> = std::iter::repeat_n(8_000, count).chain(held.clone()).collect();
            slower([vec![400_000], during, vec![8_000]], 25_000, twentieth).map(|slower| slower.measure)
        };
        assert_eq!(with_ahead(3), Some("the quickest"));
        assert_eq!(with_ahead(7), None, "more than chance explains");
    }
}
