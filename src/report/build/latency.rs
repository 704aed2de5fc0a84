//! Latency quantiles of acknowledged sends, by second and by stretch of the run, to within 0.4 % (`history::tally`); the greatest is exact.
//!
//! Latency counts from the moment the load's clock asked for the send, not from when a stalled client got round to it, so
//! that a stall shows in full (no coordinated omission). Quantiles are of nearest rank: the value at place `ceil(q * n)`.

use crate::history::tally::{Histogram, Tally};
use crate::kafka::TimeNs;
use crate::report::{FaultBand, Latency, LatencyWindow, PhaseSpan, Window};

/// The quantiles of some latencies; `None` of none.
pub(super) fn of(latencies: &Histogram) -> Option<Latency> {
    let at = |per_mille: u64| latencies.quantile_us(per_mille);
    Some(Latency {
        count: latencies.count(),
        p50_us: at(500)?,
        p90_us: at(900)?,
        p99_us: at(990)?,
        p999_us: at(999)?,
        max_us: latencies.max_us(),
    })
}

/// The latency of the whole run, of each phase in which something was acknowledged, and of each fault that was injected.
pub(super) fn windows(tally: &Tally, end_ns: TimeNs, phases: &[PhaseSpan], faults: &[FaultBand]) -> Vec<LatencyWindow> {
    let mut windows = vec![LatencyWindow { window: Window::Run, latency: of(&tally.sends.latency) }];
    for (span, counted) in phases.iter().zip(&tally.sends.by_phase) {
        let latency = of(counted);
        if latency.is_some() {
            windows.push(LatencyWindow { window: Window::Phase(span.phase), latency });
        }
    }
    for (fault, counted) in faults.iter().zip(&tally.sends.by_fault) {
        if fault.span(end_ns).is_some() {
            windows.push(LatencyWindow { window: Window::Fault(fault.id.clone()), latency: of(counted) });
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use crate::kafka::Outcome;
    use crate::report::{Window, fixture};

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
