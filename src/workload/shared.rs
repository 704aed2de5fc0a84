//! What the clients of a load share, and what tells them to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::apart::herald::Herald;
use super::counters::{Counters, ProcessIds};
use super::gauge::Gauge;
use super::payload::RunTag;
use crate::history::recorder::RecorderHandle;

/// What all clients of a load share, and each one's own gauge and herald.
#[derive(Clone)]
pub struct Shared {
    /// The run, as payloads name it.
    pub run: RunTag,
    /// Where everything is recorded.
    pub recorder: RecorderHandle,
    /// The live totals.
    pub counters: Arc<Counters>,
    /// Hands out process ids.
    pub ids: Arc<ProcessIds>,
    /// This client's counts and tempo.
    pub gauge: Arc<Gauge>,
    /// Whom this client tells what it is about to do.
    pub herald: Herald,
}

impl Shared {
    /// Counts records that librdkafka took, or refused for good.
    pub fn count_sent(&self, sends: usize) {
        self.counters.add_sent(sends as u64);
        self.gauge.add_sent(sends as u64);
    }

    /// What another client gets: the same, with a gauge of its own.
    pub fn of_another(&self) -> Self {
        Self { gauge: Arc::default(), ..self.clone() }
    }
}

/// Tells producers to stop.
#[derive(Debug, Default)]
pub struct StopOrder {
    given: AtomicBool,
    deadline: OnceLock<Instant>,
}

impl StopOrder {
    /// Stops scheduling; what is in flight may take until `deadline`. The first order stands.
    pub fn give(&self, deadline: Instant) {
        self.deadline.get_or_init(|| deadline);
        self.given.store(true, Ordering::Release);
    }

    /// Until when what is in flight may take, once the order is given.
    pub fn deadline(&self) -> Option<Instant> {
        if self.given.load(Ordering::Acquire) { self.deadline.get().copied() } else { None }
    }
}
