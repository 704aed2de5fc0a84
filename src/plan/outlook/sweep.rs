//! How many brokers are away at once, from one end of the chaos phase to the other.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use super::{Away, FaultOutlook, Window};
use crate::fault::FaultId;
use crate::scenario::units::show;

/// What ends by itself, nobody knows when, counts for so long.
const MOMENT_MS: u64 = 1;

/// A stretch of time in which the same brokers are away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// From when on, in milliseconds since the chaos phase began.
    pub from_ms: u64,
    /// Until when.
    pub until_ms: u64,
    /// How many brokers are away at most.
    pub brokers: u32,
    /// By which steps.
    pub steps: Vec<FaultId>,
}

impl Stretch {
    /// The time in words: `5s to 20s`; of what ends by itself only the beginning is known.
    pub fn when(&self) -> String {
        let shown = |millis| show(Duration::from_millis(millis));
        match self.until_ms - self.from_ms {
            0..=MOMENT_MS => format!("from {} on", shown(self.from_ms)),
            _ => format!("{} to {}", shown(self.from_ms), shown(self.until_ms)),
        }
    }
}

/// Every stretch in which somebody is away, in order.
pub(super) fn stretches(faults: &[FaultOutlook], of: u32) -> Vec<Stretch> {
    let windows: Vec<&Window> = faults.iter().flat_map(|fault| &fault.windows).collect();
    sweep(&windows, of, shown_until)
}

/// Until when a window counts that is drawn: one that ends by itself counts at the moment at which it begins.
fn shown_until(window: &Window) -> u64 {
    window.until_ms.unwrap_or(window.from_ms).max(window.from_ms.saturating_add(MOMENT_MS))
}

/// The stretches of these windows, each of which lasts until `until` says.
pub(super) fn sweep(windows: &[&Window], of: u32, until: impl Fn(&Window) -> u64) -> Vec<Stretch> {
    let is_away = |window: &&&Window| window.away.at_most(of) > 0;
    let windows: Vec<&Window> = windows.iter().filter(is_away).copied().collect();
    let edges: BTreeSet<u64> = windows.iter().flat_map(|window| [window.from_ms, until(window)]).collect();
    let edges: Vec<u64> = edges.into_iter().collect();
    let mut stretches: Vec<Stretch> = Vec::new();
    for pair in edges.windows(2) {
        let (from_ms, until_ms) = (pair[0], pair[1]);
        let active: Vec<&Window> =
            windows.iter().filter(|window| window.from_ms <= from_ms && from_ms < until(window)).copied().collect();
        let away = active.iter().fold(Away::default(), |away, window| away.and(&window.away));
        let steps: Vec<FaultId> = active.iter().map(|window| window.step.clone()).collect();
        match stretches.last_mut() {
            Some(last) if last.until_ms == from_ms && last.steps == steps => last.until_ms = until_ms,
            _ if steps.is_empty() => {}
            _ => stretches.push(Stretch { from_ms, until_ms, brokers: away.at_most(of), steps }),
        }
    }
    stretches
}
