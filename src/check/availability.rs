//! How long a partition acknowledged nothing although sends were waiting.
//!
//! **Definition.** A send waits from its scheduled time to its completion, whatever its outcome: the load's clock asked for
//! it, so a producer that is held back counts too (no coordinated omission). Take the union of these times, and cut it at
//! every acknowledgement; the longest piece is the partition's unavailability. Time in which nobody waited is never part
//! of it. A piece belongs to a fault when it overlaps the time from when the fault was asked for until it was
//! healed, and counts for it from then on: what stood still before was not its doing.
//!
//! Two sorts a partition, O(n log n), eight bytes a send.

use crate::history::SendRow;
use crate::kafka::{Outcome, TimeNs};

use super::index::row_number;

/// A time in which sends waited and none was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// When it began: at an acknowledgement, or when the first of the waiting sends was due.
    pub start: TimeNs,
    /// When it ended: at an acknowledgement, or when nobody waited any more.
    pub end: TimeNs,
}

impl Gap {
    /// How long it was, in nanoseconds.
    pub fn nanos(&self) -> u64 {
        self.end.since(self.start)
    }
}

/// The longest gaps of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// The longest of all; the earliest of equals.
    pub longest: Option<Gap>,
    /// The longest that overlaps each window, from the window's start on, in the order of the windows given.
    pub by_window: Vec<Option<Gap>>,
}

impl Gaps {
    fn take(&mut self, gap: Gap, windows: &[Option<(TimeNs, TimeNs)>]) {
        if gap.nanos() == 0 {
            return;
        }
        keep_longer(&mut self.longest, gap);
        for (longest, window) in self.by_window.iter_mut().zip(windows) {
            if let Some((start, _)) = window.filter(|(start, end)| gap.start < *end && *start < gap.end) {
                keep_longer(longest, Gap { start: gap.start.max(start), end: gap.end });
            }
        }
    }
}

fn keep_longer(longest: &mut Option<Gap>, gap: Gap) {
    if longest.is_none_or(|longest| longest.nanos() < gap.nanos()) {
        *longest = Some(gap);
    }
}

/// Finds one partition's longest gaps, overall and for each window.
pub fn gaps(sends: &[SendRow], windows: &[Option<(TimeNs, TimeNs)>]) -> Gaps {
    let mut by_schedule: Vec<u32> = (0..row_number(sends.len())).collect();
    let mut acks: Vec<u32> = by_schedule.clone();
    acks.retain(|row| sends[*row as usize].outcome == Outcome::Ok);
    by_schedule.sort_by_key(|row| sends[*row as usize].scheduled_ns);
    acks.sort_by_key(|row| sends[*row as usize].complete_ns);
    let waits = by_schedule.iter().map(|row| &sends[*row as usize]).map(|send| (send.scheduled_ns, send.complete_ns));
    between(waits, acks.iter().map(|row| sends[*row as usize].complete_ns), windows)
}

/// The union of `waits` (from, to; by when they begin), cut at each of `relieved` (in order): the longest pieces, overall and
/// for each window. What comes to nobody's relief, because nobody waited, cuts nothing.
pub fn between(
    waits: impl Iterator<Item = (TimeNs, TimeNs)>,
    relieved: impl Iterator<Item = TimeNs>,
    windows: &[Option<(TimeNs, TimeNs)>],
) -> Gaps {
    let mut gaps = Gaps { longest: None, by_window: vec![None; windows.len()] };
    let (mut waits, mut relieved) = (waits.peekable(), relieved.peekable());
    while let Some((start, mut end)) = waits.next() {
        while let Some(next) = waits.next_if(|next| next.0 <= end) {
            end = end.max(next.1);
        }
        while relieved.next_if(|time| *time < start).is_some() {}
        let mut from = start;
        while let Some(time) = relieved.next_if(|time| *time <= end) {
            gaps.take(Gap { start: from, end: time }, windows);
            from = time;
        }
        gaps.take(Gap { start: from, end }, windows);
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::RunBuilder;

    fn rows(sends: &[(u64, u64, Outcome)]) -> Vec<SendRow> {
        let mut run = RunBuilder::small();
        for (sequence, (scheduled, complete, outcome)) in (0..).zip(sends) {
            let send = run.send(1, 0, sequence).outcome(*outcome).times(*scheduled, *complete);
            send.push();
        }
        run.history.partitions[&RunBuilder::chat(0)].sends.clone()
    }

    fn span(gap: Option<Gap>) -> Option<(u64, u64)> {
        gap.map(|gap| (gap.start.0, gap.end.0))
    }

    #[test]
    fn time_in_which_nobody_waited_is_no_gap() {
        let rows = rows(&[(0, 10, Outcome::Ok), (1000, 1005, Outcome::Ok)]);
        assert_eq!(span(gaps(&rows, &[]).longest), Some((0, 10)));
    }

    #[test]
    fn a_gap_runs_from_one_acknowledgement_to_the_next_while_sends_wait() {
        let rows = rows(&[(0, 10, Outcome::Ok), (5, 100, Outcome::Ok), (20, 101, Outcome::Ok)]);
        assert_eq!(span(gaps(&rows, &[]).longest), Some((10, 100)));
    }

    #[test]
    fn sends_that_are_never_acknowledged_wait_until_they_are_given_up() {
        let rows = rows(&[(0, 10, Outcome::Ok), (8, 60, Outcome::Fail), (50, 90, Outcome::Info)]);
        assert_eq!(span(gaps(&rows, &[]).longest), Some((10, 90)));
    }

    #[test]
    fn a_gap_belongs_to_each_window_that_it_overlaps_from_the_windows_start() {
        let rows = rows(&[(0, 10, Outcome::Ok), (5, 100, Outcome::Ok), (200, 230, Outcome::Ok)]);
        let window = |start, end| Some((TimeNs(start), TimeNs(end)));
        let gaps = gaps(&rows, &[window(90, 150), window(150, 190), window(210, 300), None]);
        let spans: Vec<_> = gaps.by_window.into_iter().map(span).collect();
        assert_eq!(spans, [Some((90, 100)), None, Some((210, 230)), None]);
    }
}
