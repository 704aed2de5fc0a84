//! How far the consumer groups were behind the producers, second by second: how many acknowledged records lay beyond the furthest one
//! that a group had read in each partition, and how long the first of them had waited.
//!
//! By offsets, as everybody counts lag: what a group passed by, or was given twice, changes nothing.

use crate::history::History;
use crate::history::tally::{GroupTally, Highs, Tally};
use crate::kafka::Offset;
use crate::report::Second;
use crate::scenario::{GroupSpec, Scenario};

/// How far behind a group is at the end of a second.
#[derive(Clone, Copy, Default)]
struct Behind {
    unread: u64,
    lag_ms: u64,
}

/// Marks each second with the group furthest behind at its end. Without groups nobody is behind, and nothing is marked.
pub(super) fn mark((history, tally): (&History, &Tally), scenario: &Scenario, seconds: &mut [Second]) {
    for group in scenario.all_groups() {
        let behind = of_group((history, tally), group, seconds.len());
        for (second, behind) in seconds.iter_mut().zip(behind) {
            second.unread = second.unread.max(Some(behind.unread));
            second.lag_ms = second.lag_ms.max(Some(behind.lag_ms));
        }
    }
}

/// Its records of all partitions together, and the longest wait in any of them.
fn of_group((history, tally): (&History, &Tally), group: &GroupSpec, seconds: usize) -> Vec<Behind> {
    let mut all = vec![Behind::default(); seconds];
    for (place, sends) in tally.sends.partitions.iter() {
        let topic = history.topics.get(usize::from(place.0.0));
        if !topic.is_some_and(|topic| group.topics.contains(topic)) {
            continue;
        }
        let read = tally.reads.group(place, &group.name);
        for (total, behind) in all.iter_mut().zip(of_partition(&sends.acked_at, read, seconds)) {
            total.unread += behind.unread;
            total.lag_ms = total.lag_ms.max(behind.lag_ms);
        }
    }
    all
}

fn of_partition(acked: &Highs, read: Option<&GroupTally>, seconds: usize) -> Vec<Behind> {
    let step_ms = read.map_or(1, |read| read.read_at.step_ms()).max(acked.step_ms());
    let acked = acked.so_far(step_ms);
    let read = read.map(|read| read.read_at.so_far(step_ms)).unwrap_or_default();
    let Some((_, first)) = acked.first() else { return vec![Behind::default(); seconds] };
    // One that has read nothing yet waits for all that there is.
    let mut position = Offset(first.0 - 1);
    let (mut known, mut passed, mut waiting) = (0, 0, 0);
    let mut behind = Vec::with_capacity(seconds);
    for end_ms in (1..=seconds as u64).map(|second| second * 1_000) {
        // A step that is not over by then counts for the next second, on both sides.
        let is_over = |ms: u64| ms + step_ms <= end_ms;
        while acked.get(known).is_some_and(|(ms, _)| is_over(*ms)) {
            known += 1;
        }
        while let Some((_, offset)) = read.get(passed).filter(|(ms, _)| is_over(*ms)) {
            position = position.max(*offset);
            passed += 1;
        }
        while acked.get(waiting).is_some_and(|(_, offset)| *offset <= position) {
            waiting += 1;
        }
        behind.push(match acked[..known].get(waiting) {
            Some((since_ms, _)) => {
                Behind { unread: (acked[known - 1].1.0 - position.0).max(0).unsigned_abs(), lag_ms: end_ms - since_ms }
            }
            None => Behind::default(),
        });
    }
    behind
}

#[cfg(test)]
mod tests {
    use crate::history::tally::{GroupTally, Highs};
    use crate::kafka::{Offset, TimeNs};
    use crate::report::fixture;

    #[test]
    fn a_record_waits_from_its_acknowledgement_until_it_is_read() {
        let mut acked = Highs::default();
        for (ms, offset) in [(200, 0), (400, 1), (2_500, 2)] {
            acked.take(TimeNs::from_millis(ms), Offset(offset));
        }
        let mut group = GroupTally::default();
        for (ms, offset) in [(1_300, 0), (3_100, 2)] {
            group.read_at.take(TimeNs::from_millis(ms), Offset(offset));
        }
        let told: Vec<_> = super::of_partition(&acked, Some(&group), 4).iter().map(|b| (b.unread, b.lag_ms)).collect();
        assert_eq!(told, [(2, 800), (1, 1_600), (2, 2_600), (0, 0)]);
        let nobody: Vec<_> = super::of_partition(&acked, None, 2).iter().map(|b| (b.unread, b.lag_ms)).collect();
        assert_eq!(nobody, [(2, 800), (2, 1_800)]);
    }

    #[test]
    fn groups_are_behind_while_a_fault_keeps_records_back_and_not_at_the_end() {
        let report = fixture::valid();
        let last = report.seconds.last().expect("a run of seconds");
        assert_eq!((last.unread, last.lag_ms), (Some(0), Some(0)));
        assert!(report.seconds.iter().any(|second| second.unread > Some(0)));
    }
}
