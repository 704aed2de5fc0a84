//! The load in the live view: how fast it sends, gets acknowledgements and reads; how long those take; what is left to read.

use std::time::Duration;

use super::row::{Ink, Row};
use crate::cli::progress::state::{LATENCY_WINDOW, State};
use crate::history::Phase;
use crate::report::format;

/// Rates are those of so long.
const RATE_WINDOW: Duration = Duration::from_secs(2);

/// Its lines; none before there is a load.
pub(super) fn rows(state: &State) -> Vec<Row> {
    let Some(latest) = state.latest() else { return Vec::new() };
    let (rates, totals) = (state.rates(RATE_WINDOW), latest.totals);
    let mut load = Row::new("load", Ink::Plain)
        .item(Ink::Plain, &format!("sent {}/s", format::count(rates.sent)))
        .item(Ink::Plain, &format!("acked {}/s", format::count(rates.acked)))
        .item(Ink::Plain, &format!("read {}/s", format::count(rates.read)))
        .item(Ink::Plain, &format!("in flight {}", format::count(totals.in_flight)));
    if totals.failed > 0 {
        load = load.item(Ink::Bad, &format!("failed {}", format::count(totals.failed)));
    }
    if totals.indeterminate > 0 {
        load = load.item(Ink::Doubtful, &format!("unknown {}", format::count(totals.indeterminate)));
    }
    let mut rows = vec![load];
    rows.extend(latency(state));
    if !latest.unread.is_empty() {
        let row = Row::new("unread", Ink::Plain);
        let groups = latest.unread.iter();
        rows.push(
            groups
                .fold(row, |row, (group, unread)| row.item(Ink::Plain, &format!("{group} {}", format::count(*unread)))),
        );
    }
    rows
}

/// The latencies of the last seconds; that nothing was acknowledged is news only while something should be.
fn latency(state: &State) -> Option<Row> {
    let latencies = state.latencies();
    let row = Row::new("latency", Ink::Plain);
    let last = format!("last {} s", LATENCY_WINDOW.as_secs());
    let quantile = |per_mille| latencies.quantile_us(per_mille).map(format::duration_us);
    if let Some((p50, p99)) = quantile(500).zip(quantile(990)) {
        let row = row.item(Ink::Plain, &format!("p50 {p50}")).item(Ink::Plain, &format!("p99 {p99}"));
        return Some(row.item(Ink::Faint, &last));
    }
    let is_loaded = matches!(state.phase, Some((Phase::Warmup | Phase::Chaos | Phase::Recovery, _)));
    is_loaded.then(|| row.item(Ink::Doubtful, &format!("nothing acknowledged, {last}")))
}
