//! The run second by second. A moment exactly on a second's edge belongs to the second that it begins.

use super::{SECOND_NS, latency};
use crate::history::tally::Tally;
use crate::history::{EventKind, History};
use crate::kafka::TimeNs;
use crate::report::{FaultBand, PhaseSpan, Second};

/// One entry a second, from 0 to the second of the last thing recorded; none when nothing was.
pub(super) fn series(
    (history, tally): (&History, &Tally),
    end_ns: TimeNs,
    phases: &[PhaseSpan],
    faults: &[FaultBand],
) -> Vec<Second> {
    let is_empty = tally.sends.seconds.is_empty() && tally.reads.partitions.iter().all(|(_, reads)| reads.reads == 0);
    if history.events.is_empty() && is_empty {
        return Vec::new();
    }
    let last = end_ns.0 / SECOND_NS;
    let mut seconds: Vec<Second> = (0..=last).map(|second| Second { second, ..Second::default() }).collect();
    for (second, counted) in seconds.iter_mut().zip(&tally.sends.seconds) {
        second.sent = counted.sent;
        [second.acked, second.failed, second.indeterminate] = counted.by_outcome;
        second.latency = latency::of(&counted.latency);
    }
    for (second, read) in seconds.iter_mut().zip(&tally.reads.by_second) {
        second.read = *read;
    }
    mark_phases(phases, &mut seconds);
    mark_faults(faults, end_ns, &mut seconds);
    mark_under_replicated(history, &mut seconds);
    seconds
}

/// The second that a time lies in, no later than the last one.
fn index_of(time: TimeNs, seconds: &[Second]) -> usize {
    usize::try_from(time.0 / SECOND_NS).unwrap_or(usize::MAX).min(seconds.len() - 1)
}

fn mark_phases(phases: &[PhaseSpan], seconds: &mut [Second]) {
    let mut next = 0;
    for second in seconds {
        let end_ns = (second.second + 1) * SECOND_NS;
        while phases.get(next).is_some_and(|span| span.start_ns.0 < end_ns) {
            next += 1;
        }
        second.phase = next.checked_sub(1).map(|current| phases[current].phase);
    }
}

fn mark_faults(faults: &[FaultBand], end_ns: TimeNs, seconds: &mut [Second]) {
    for fault in faults {
        if let Some((from, to)) = fault.span(end_ns) {
            let (first, last) = (index_of(from, seconds), index_of(to, seconds));
            for second in &mut seconds[first..=last] {
                second.faults.push(fault.id.clone());
            }
        }
    }
}

fn mark_under_replicated(history: &History, seconds: &mut [Second]) {
    let observed = history.events.iter().filter_map(|event| match &event.kind {
        EventKind::ClusterObserved { view } => Some((event.time_ns, view.under_replicated().count())),
        _ => None,
    });
    let changes: Vec<(usize, u32)> =
        observed.map(|(time, count)| (index_of(time, seconds), u32::try_from(count).unwrap_or(u32::MAX))).collect();
    let mut changes = changes.into_iter().peekable();
    let mut current = None;
    for (index, second) in seconds.iter_mut().enumerate() {
        let mut worst = current;
        while let Some((_, count)) = changes.next_if(|(at, _)| *at <= index) {
            current = Some(count);
            worst = worst.max(current);
        }
        second.under_replicated = worst;
    }
}

#[cfg(test)]
mod tests {
    use crate::history::Phase;
    use crate::kafka::Outcome;
    use crate::report::fixture;

    #[test]
    fn a_moment_on_the_edge_belongs_to_the_second_that_it_begins() {
        let report = fixture::of_sends(&[
            (999_999_999, 1_000_000_000, Outcome::Ok),
            (1_000_000_000, 1_999_999_999, Outcome::Fail),
            (1_500_000_000, 2_000_000_000, Outcome::Info),
        ]);
        let counts: Vec<_> = report.seconds.iter().map(|s| (s.sent, s.acked, s.failed, s.indeterminate)).collect();
        assert_eq!(counts, [(1, 0, 0, 0), (2, 1, 1, 0), (0, 0, 0, 1)]);
    }

    #[test]
    fn sends_in_flight_are_counted_at_their_peak() {
        let report = fixture::of_sends(&[
            (0, 10_000_000, Outcome::Ok),
            (5_000_000, 20_000_000, Outcome::Ok),
            (15_000_000, 30_000_000, Outcome::Info),
            (40_000_000, 41_000_000, Outcome::Ok),
        ]);
        assert_eq!(report.max_in_flight, 2);
    }

    #[test]
    fn a_second_is_of_the_phase_that_is_in_force_at_its_end() {
        let report = fixture::valid();
        let phase = |second: usize| report.seconds[second].phase;
        assert_eq!((phase(0), phase(11), phase(12)), (Some(Phase::Start), Some(Phase::Start), Some(Phase::Warmup)));
    }

    #[test]
    fn a_fault_marks_every_second_that_it_touches() {
        let report = fixture::valid();
        let marked: Vec<u64> = report.seconds.iter().filter(|s| !s.faults.is_empty()).map(|s| s.second).collect();
        assert_eq!((marked.first(), marked.last(), marked.len()), (Some(&22), Some(&38), 17));
    }
}
