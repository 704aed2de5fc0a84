//! Live totals for displays: relaxed atomics that nobody decides anything by.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::progress::Progress;
use super::reading::Spot;
use crate::history::SendRow;
use crate::history::tally::Histogram;
use crate::kafka::{Outcome, ProcessId};

/// What the whole load did so far.
#[derive(Default)]
pub struct Counters {
    sent: AtomicU64,
    acked: AtomicU64,
    failed: AtomicU64,
    indeterminate: AtomicU64,
    read: AtomicU64,
    acked_ends: Mutex<BTreeMap<Spot, i64>>,
    latencies: Mutex<Histogram>,
    groups: OnceLock<Vec<(String, Arc<Progress>)>>,
}

impl std::fmt::Debug for Counters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Counters").field(&self.totals()).finish()
    }
}

/// The totals at one moment. Each is right; together they may be some records apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Sends invoked.
    pub sent: u64,
    /// Sends acknowledged.
    pub acked: u64,
    /// Sends that certainly failed.
    pub failed: u64,
    /// Sends of unknown outcome.
    pub indeterminate: u64,
    /// Records read, by all groups' members together.
    pub read: u64,
    /// Sends invoked and not yet resolved.
    pub in_flight: u64,
}

impl Counters {
    /// The totals now.
    pub fn totals(&self) -> Totals {
        let [acked, failed, indeterminate] =
            [&self.acked, &self.failed, &self.indeterminate].map(|counter| counter.load(Ordering::Relaxed));
        let sent = self.sent.load(Ordering::Relaxed);
        let in_flight = sent.saturating_sub(acked + failed + indeterminate);
        Totals { sent, acked, failed, indeterminate, read: self.read.load(Ordering::Relaxed), in_flight }
    }

    /// One past the highest offset acknowledged in each partition.
    pub(super) fn acked_ends(&self) -> BTreeMap<Spot, i64> {
        self.acked_ends.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How long acknowledgements took until now.
    pub fn latencies(&self) -> Histogram {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whose positions [`Counters::unread`] compares with what was acknowledged. The first call stands.
    pub(super) fn follow(&self, groups: Vec<(String, Arc<Progress>)>) {
        self.groups.get_or_init(|| groups);
    }

    /// How many offsets up to the last acknowledged ones each group has yet to reach. A partition that is between two owners
    /// counts from where the last one stood.
    pub fn unread(&self) -> Vec<(String, u64)> {
        let ends = self.acked_ends();
        let behind = |(spot, next): (Spot, i64)| {
            let end = ends.get(&spot).copied().unwrap_or(0);
            u64::try_from(end.saturating_sub(next)).unwrap_or(0)
        };
        let groups = self.groups.get().into_iter().flatten();
        groups.map(|(name, progress)| (name.clone(), progress.last_seen().into_iter().map(behind).sum())).collect()
    }

    /// Notes how far these rows' acknowledgements reach, and how long they took. Called once a batch, so that the locks cost
    /// nothing a record.
    pub(super) fn note_acks(&self, rows: &[SendRow]) {
        let mut latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        rows.iter().filter(|row| row.outcome == Outcome::Ok).for_each(|row| latencies.record(row.latency_us()));
        drop(latencies);
        let mut ends = self.acked_ends.lock().unwrap_or_else(PoisonError::into_inner);
        for row in rows.iter().filter(|row| row.outcome == Outcome::Ok) {
            let Some(offset) = row.offset else { continue };
            let end = ends.entry((row.topic, row.partition)).or_default();
            *end = (*end).max(offset.0 + 1);
        }
    }

    pub(super) fn add_sent(&self, sends: u64) {
        self.sent.fetch_add(sends, Ordering::Relaxed);
    }

    pub(super) fn take_back_sent(&self, sends: u64) {
        self.sent.fetch_sub(sends, Ordering::Relaxed);
    }

    pub(super) fn add_outcome(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Ok => &self.acked,
            Outcome::Fail => &self.failed,
            Outcome::Info => &self.indeterminate,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add_read(&self, records: usize) {
        self.read.fetch_add(records as u64, Ordering::Relaxed);
    }
}

/// Hands out process ids; each is given once in a run.
#[derive(Debug, Default)]
pub struct ProcessIds(AtomicU32);

impl ProcessIds {
    /// Begins at this id.
    pub(super) fn from(first: ProcessId) -> Self {
        Self(AtomicU32::new(first.0))
    }

    /// The next id.
    pub fn next(&self) -> ProcessId {
        ProcessId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}
