//! The run second by second. A moment exactly on a second's edge belongs to the second that it begins.

use std::collections::BTreeMap;

use super::{SECOND_NS, latency};
use crate::history::{EventKind, History, ProcessRole};
use crate::kafka::{Outcome, ProcessId, TimeNs};
use crate::report::{FaultBand, PhaseSpan, Second};

/// One entry a second, from 0 to the second of the last thing recorded; none when nothing was.
pub(super) fn series(history: &History, end_ns: TimeNs, phases: &[PhaseSpan], faults: &[FaultBand]) -> Vec<Second> {
    if history.events.is_empty() && history.partitions.values().all(|p| p.sends.is_empty() && p.reads.is_empty()) {
        return Vec::new();
    }
    let last = end_ns.0 / SECOND_NS;
    let mut seconds: Vec<Second> = (0..=last).map(|second| Second { second, ..Second::default() }).collect();
    count_sends(history, &mut seconds);
    count_reads(history, &mut seconds);
    for (second, latency) in seconds.iter_mut().zip(latency::by_second(history, last)) {
        second.latency = latency;
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

fn count_sends(history: &History, seconds: &mut [Second]) {
    for send in history.partitions.values().flat_map(|partition| &partition.sends) {
        let invoked = index_of(send.invoke_ns, seconds);
        seconds[invoked].sent += 1;
        let completed = index_of(send.complete_ns, seconds);
        let second = &mut seconds[completed];
        match send.outcome {
            Outcome::Ok => second.acked += 1,
            Outcome::Fail => second.failed += 1,
            Outcome::Info => second.indeterminate += 1,
        }
    }
}

fn count_reads(history: &History, seconds: &mut [Second]) {
    // The drain reads the whole log at once; its reads would dwarf those of the groups that the chart is about.
    let is_member: BTreeMap<ProcessId, bool> =
        history.processes.iter().map(|(id, role)| (*id, matches!(role, ProcessRole::Consumer { .. }))).collect();
    for read in history.partitions.values().flat_map(|partition| &partition.reads) {
        if is_member.get(&read.reader) == Some(&true) {
            let index = index_of(read.read_ns, seconds);
            seconds[index].read += 1;
        }
    }
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

/// The most sends between their invocation and completion at once. Counted by the millisecond (coarser for runs of more
/// than an hour), each send from the one it begins in to the one it ends in, so that it errs upwards by what one step holds.
pub(super) fn max_in_flight(history: &History, end_ns: TimeNs) -> u64 {
    const MOST_STEPS: u64 = 1 << 22;
    let step_ns = (end_ns.0 / MOST_STEPS + 1).max(1_000_000);
    let steps = usize::try_from(end_ns.0 / step_ns + 2).expect("no more steps than MOST_STEPS + 2");
    let mut changes = vec![0_i64; steps];
    let step_of = |time: TimeNs| usize::try_from(time.0 / step_ns).unwrap_or(usize::MAX).min(steps - 2);
    for send in history.partitions.values().flat_map(|partition| &partition.sends) {
        changes[step_of(send.invoke_ns)] += 1;
        changes[step_of(send.complete_ns) + 1] -= 1;
    }
    let mut in_flight = 0_i64;
    let most = changes.into_iter().map(|change| {
        in_flight += change;
        in_flight
    });
    most.max().unwrap_or(0).max(0).unsigned_abs()
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
