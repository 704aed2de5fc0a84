//! Exact latency quantiles of acknowledged sends, by second and by stretch of the run.
//!
//! Latency counts from the moment the load's clock asked for the send, not from when a stalled client got round to it, so
//! that a stall shows in full (no coordinated omission). Quantiles are of nearest rank: the value at place `ceil(q * n)`.

use super::SECOND_NS;
use crate::history::{History, SendRow};
use crate::kafka::{Outcome, TimeNs};
use crate::report::{FaultBand, Latency, LatencyWindow, PhaseSpan, Window};

/// A send's latency in microseconds, rounded down. Saturates at 71 minutes.
fn latency_us(send: &SendRow) -> u32 {
    u32::try_from(send.complete_ns.since(send.scheduled_ns) / 1_000).unwrap_or(u32::MAX)
}

fn acked(history: &History) -> impl Iterator<Item = &SendRow> {
    history.partitions.values().flat_map(|partition| &partition.sends).filter(|send| send.outcome == Outcome::Ok)
}

/// The quantiles of some latencies, which it sorts; `None` of none.
fn summarise(latencies_us: &mut [u32]) -> Option<Latency> {
    latencies_us.sort_unstable();
    let max_us = *latencies_us.last()?;
    let count = latencies_us.len();
    let at = |per_mille: usize| latencies_us[(count * per_mille).div_ceil(1000) - 1];
    Some(Latency { count: count as u64, p50_us: at(500), p90_us: at(900), p99_us: at(990), p999_us: at(999), max_us })
}

/// The latency of each second from 0 to `last`, by the second of the acknowledgement.
pub(super) fn by_second(history: &History, last: u64) -> Vec<Option<Latency>> {
    let second_of = |send: &SendRow| usize::try_from((send.complete_ns.0 / SECOND_NS).min(last)).unwrap_or(usize::MAX);
    let length = usize::try_from(last + 1).expect("a week has fewer seconds than any address space");
    // One array for all seconds, each with a stretch of its own: four bytes a send, also after hours at full speed.
    let mut next = vec![0_usize; length];
    for send in acked(history) {
        next[second_of(send)] += 1;
    }
    let mut total = 0;
    for start in &mut next {
        total += std::mem::replace(start, total);
    }
    let starts = next.clone();
    let mut latencies = vec![0_u32; total];
    for send in acked(history) {
        let place = &mut next[second_of(send)];
        latencies[*place] = latency_us(send);
        *place += 1;
    }
    // After filling, each stretch's next free place is its end.
    starts.into_iter().zip(next).map(|(start, end)| summarise(&mut latencies[start..end])).collect()
}

/// The latency of the whole run, of each phase in which something was acknowledged, and of each fault that was injected.
pub(super) fn windows(
    history: &History,
    end_ns: TimeNs,
    phases: &[PhaseSpan],
    faults: &[FaultBand],
) -> Vec<LatencyWindow> {
    let gather = |wanted: &dyn Fn(&SendRow) -> bool| {
        let mut latencies: Vec<u32> = acked(history).filter(|send| wanted(send)).map(latency_us).collect();
        summarise(&mut latencies)
    };
    let mut windows = vec![LatencyWindow { window: Window::Run, latency: gather(&|_| true) }];
    for span in phases {
        let latency = gather(&|send| (span.start_ns..span.end_ns).contains(&send.scheduled_ns));
        if latency.is_some() {
            windows.push(LatencyWindow { window: Window::Phase(span.phase), latency });
        }
    }
    for fault in faults {
        if let Some((from, to)) = fault.span(end_ns) {
            let latency = gather(&|send| send.scheduled_ns <= to && send.complete_ns >= from);
            windows.push(LatencyWindow { window: Window::Fault(fault.id.clone()), latency });
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn quantiles_are_of_nearest_rank() {
        let mut values: Vec<u32> = (1..=1000).rev().collect();
        let latency = summarise(&mut values).expect("a thousand values");
        let quantiles = (latency.p50_us, latency.p90_us, latency.p99_us, latency.p999_us, latency.max_us);
        assert_eq!(quantiles, (500, 900, 990, 999, 1000));
    }

    #[test]
    fn one_value_is_its_own_quantile_and_none_has_none() {
        let latency = summarise(&mut [7]).expect("one value");
        assert_eq!((latency.count, latency.p50_us, latency.p999_us, latency.max_us), (1, 7, 7, 7));
        assert_eq!(summarise(&mut []), None);
    }

    #[test]
    fn latency_counts_acknowledged_sends_by_the_second_of_their_end() {
        let report = fixture::of_sends(&[
            (100_000_000, 102_000_000, Outcome::Ok),
            (900_000_000, 1_000_000_000, Outcome::Ok),
            (1_000_000_000, 1_900_000_000, Outcome::Info),
            (3_000_000_000, 3_000_000_500, Outcome::Ok),
        ]);
        let max: Vec<_> = report.seconds.iter().map(|second| second.latency.map(|latency| latency.max_us)).collect();
        assert_eq!(max, [Some(2_000), Some(100_000), None, Some(0)]);
    }

    #[test]
    fn a_fault_s_latency_includes_what_was_in_flight_as_it_struck() {
        let report = fixture::valid();
        let of = |wanted: &Window| report.latencies.iter().find(|w| w.window == *wanted).and_then(|w| w.latency);
        let fault = of(&Window::Fault(report.faults[0].id.clone())).expect("sends overlap the fault");
        assert_eq!(of(&Window::Run).expect("sends").max_us, fault.max_us);
    }
}
