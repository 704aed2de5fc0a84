//! How long a partition acknowledged nothing although sends were waiting.
//!
//! **Definition.** A send waits from its scheduled time to its completion, whatever its outcome: the load's clock asked for
//! it, so a producer that is held back counts too (no coordinated omission). Take the union of these times, and cut it at
//! every acknowledgement; the longest piece is the partition's unavailability. Time in which nobody waited is never part
//! of it, and pieces of less than a millisecond are none. A piece belongs to a fault when it overlaps the time from when the fault
//! was asked for until it was healed, and counts for it from then on: what stood still before was not its doing.
//!
//! Both the waits and the acknowledgements are counted as the rows go by (`history::tally`), so that this costs what the stretches
//! cost, and no row is looked at again.

use crate::history::tally::{Cover, Window, Windows};
use crate::kafka::TimeNs;

/// What is shorter is no gap.
pub const SHORTEST_NS: u64 = 1_000_000;

/// A time in which sends waited and none was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// When it began: at an acknowledgement, or when the first of the waiting sends was due.
    pub start: TimeNs,
    /// When it ended.
    pub end: TimeNs,
    /// By what.
    pub ended: Ended,
}

/// What ends a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// What was waited for came.
    Served,
    /// Nobody waited any more.
    GivenUp,
}

impl Gap {
    /// How long it was, in nanoseconds.
    pub fn nanos(&self) -> u64 {
        self.end.since(self.start)
    }
}

/// From this length on a gap is an outage, which is kept: one that a person may see and ask about.
pub const OUTAGE_NS: u64 = 500_000_000;

/// The gaps of one partition that anybody asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Those of [`OUTAGE_NS`] and more, in order: two a second of the run at most.
    pub outages: Vec<Gap>,
    /// The longest of all; the earliest of equals.
    pub longest: Option<Gap>,
    /// The longest that overlaps each window, from the window's start on, in the order of the windows given.
    pub by_window: Vec<Option<Gap>>,
}

impl Gaps {
    /// None so far.
    pub fn of(windows: usize) -> Self {
        Self { outages: Vec::new(), longest: None, by_window: vec![None; windows] }
    }

    /// Takes a gap, if it is one; `windows` as they were given, and in order.
    pub fn take(&mut self, gap: Gap, windows: &[Window], ordered: &Windows) {
        if gap.nanos() < SHORTEST_NS {
            return;
        }
        if gap.nanos() >= OUTAGE_NS {
            self.outages.push(gap);
        }
        keep_longer(&mut self.longest, gap);
        for at in ordered.touching(gap.start, gap.end) {
            let Some((start, end)) = windows[at].filter(|(start, end)| gap.start < *end && *start < gap.end) else {
                continue;
            };
            debug_assert!(start <= end, "a window ends after it begins");
            keep_longer(&mut self.by_window[at], Gap { start: gap.start.max(start), ..gap });
        }
    }
}

fn keep_longer(longest: &mut Option<Gap>, gap: Gap) {
    if longest.is_none_or(|longest| longest.nanos() < gap.nanos()) {
        *longest = Some(gap);
    }
}

/// Finds the longest pieces of the times of waiting, cut by stretches of acknowledgements: overall and for each window.
pub fn gaps(waits: &Cover, acks: &Cover, windows: &[Window]) -> Gaps {
    let ordered = Windows::new(windows);
    let mut gaps = Gaps::of(windows.len());
    for (start, end) in &waits.stretches {
        let mut from = *start;
        let first = acks.stretches.partition_point(|(_, last)| last < start);
        for (began, ended) in acks.stretches[first..].iter().take_while(|(began, _)| began <= end) {
            if *began > from {
                let gap = Gap { start: TimeNs(from), end: TimeNs(*began), ended: Ended::Served };
                gaps.take(gap, windows, &ordered);
            }
            from = from.max(*ended);
        }
        if *end > from {
            let gap = Gap { start: TimeNs(from), end: TimeNs(*end), ended: Ended::GivenUp };
            gaps.take(gap, windows, &ordered);
        }
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::RunBuilder;
    use crate::history::tally::{Asked, Tally};
    use crate::kafka::Outcome;

    /// The gaps of sends that were scheduled and completed at these milliseconds.
    fn of(sends: &[(u64, u64, Outcome)], windows: &[Window]) -> Gaps {
        let mut run = RunBuilder::small();
        for (sequence, (scheduled, complete, outcome)) in (0..).zip(sends) {
            let send = run.send(1, 0, sequence).outcome(*outcome);
            send.times(scheduled * 1_000_000, complete * 1_000_000).push();
        }
        let tally = Tally::of(&run.history, &Asked::default());
        let rows = tally.sends.partitions.get(RunBuilder::chat(0)).expect("a partition");
        gaps(&rows.waits, &rows.acks, windows)
    }

    fn span(gap: Option<Gap>) -> Option<(u64, u64)> {
        gap.map(|gap| (gap.start.as_millis(), gap.end.as_millis()))
    }

    #[test]
    fn time_in_which_nobody_waited_is_no_gap() {
        let gaps = of(&[(0, 10, Outcome::Ok), (1000, 1005, Outcome::Ok)], &[]);
        assert_eq!(span(gaps.longest), Some((0, 10)));
    }

    #[test]
    fn a_gap_runs_from_one_acknowledgement_to_the_next_while_sends_wait() {
        let gaps = of(&[(0, 10, Outcome::Ok), (5, 100, Outcome::Ok), (20, 101, Outcome::Ok)], &[]);
        assert_eq!(span(gaps.longest), Some((10, 100)));
        assert_eq!(gaps.longest.map(|gap| gap.ended), Some(Ended::Served));
    }

    #[test]
    fn sends_that_are_never_acknowledged_wait_until_they_are_given_up() {
        let gaps = of(&[(0, 10, Outcome::Ok), (8, 60, Outcome::Fail), (50, 90, Outcome::Info)], &[]);
        assert_eq!(span(gaps.longest), Some((10, 90)));
        assert_eq!(gaps.longest.map(|gap| gap.ended), Some(Ended::GivenUp));
    }

    #[test]
    fn every_gap_of_half_a_second_is_kept_and_no_shorter_one() {
        let gaps = of(&[(0, 500, Outcome::Ok), (500, 999, Outcome::Ok), (2_000, 4_000, Outcome::Info)], &[]);
        let spans: Vec<_> = gaps.outages.into_iter().map(|gap| span(Some(gap))).collect();
        assert_eq!(spans, [Some((0, 500)), Some((2_000, 4_000))]);
    }

    #[test]
    fn a_gap_belongs_to_each_window_that_it_overlaps_from_the_windows_start() {
        let window = |start, end| Some((TimeNs::from_millis(start), TimeNs::from_millis(end)));
        let windows = [window(90, 150), window(150, 190), window(210, 300), None];
        let gaps = of(&[(0, 10, Outcome::Ok), (5, 100, Outcome::Ok), (200, 230, Outcome::Ok)], &windows);
        let spans: Vec<_> = gaps.by_window.into_iter().map(span).collect();
        assert_eq!(spans, [Some((90, 100)), None, Some((210, 230)), None]);
    }

    #[test]
    fn acknowledgements_that_follow_one_another_at_once_leave_no_gap_however_long_they_go_on() {
        let gaps = of(&(0..500).map(|ms| (ms, ms + 1, Outcome::Ok)).collect::<Vec<_>>(), &[]);
        assert!(gaps.longest.is_none_or(|gap| gap.nanos() <= SHORTEST_NS), "{gaps:?}");
    }
}
