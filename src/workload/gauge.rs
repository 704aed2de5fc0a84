//! One client's gauge: what it did so far, for whoever asks, and how fast it may go.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::kafka::{ProcessId, TimeNs};

/// How long a slow client sleeps at most before it looks whether it is still to be slow.
const NAP: Duration = Duration::from_millis(20);
/// No process yet, no progress yet.
const NONE_32: u32 = u32::MAX;
const NONE_64: u64 = u64::MAX;

/// One client's counts, over all its lives, and its tempo.
#[derive(Debug)]
pub struct Gauge {
    process: AtomicU32,
    incarnation: AtomicU32,
    sent: AtomicU64,
    acked: AtomicU64,
    read: AtomicU64,
    progress_ns: AtomicU64,
    per_record_ns: AtomicU64,
}

impl Default for Gauge {
    fn default() -> Self {
        Self {
            process: AtomicU32::new(NONE_32),
            incarnation: AtomicU32::new(0),
            sent: AtomicU64::new(0),
            acked: AtomicU64::new(0),
            read: AtomicU64::new(0),
            progress_ns: AtomicU64::new(NONE_64),
            per_record_ns: AtomicU64::new(0),
        }
    }
}

impl Gauge {
    /// A new life began, which has got nothing done yet: what the one before handed in last must not pass for its work.
    pub fn begins(&self, process: ProcessId, incarnation: u32) {
        self.progress_ns.store(NONE_64, Ordering::Relaxed);
        self.incarnation.store(incarnation, Ordering::Relaxed);
        self.process.store(process.0, Ordering::Release);
    }

    /// The latest life.
    pub fn life(&self) -> (Option<ProcessId>, u32) {
        let process = self.process.load(Ordering::Acquire);
        ((process != NONE_32).then_some(ProcessId(process)), self.incarnation.load(Ordering::Relaxed))
    }

    /// Sends were invoked.
    pub fn add_sent(&self, sends: u64) {
        self.sent.fetch_add(sends, Ordering::Relaxed);
    }

    /// Sends that had been counted were not invoked after all.
    pub fn take_back_sent(&self, sends: u64) {
        self.sent.fetch_sub(sends, Ordering::Relaxed);
    }

    /// Sends were acknowledged.
    pub fn add_acked(&self, acks: u64, now: TimeNs) {
        if acks > 0 {
            self.acked.fetch_add(acks, Ordering::Relaxed);
            self.progress_ns.store(now.0, Ordering::Relaxed);
        }
    }

    /// Records were read.
    pub fn add_read(&self, records: u64, now: TimeNs) {
        if records > 0 {
            self.read.fetch_add(records, Ordering::Relaxed);
            self.progress_ns.store(now.0, Ordering::Relaxed);
        }
    }

    /// Sends invoked, sends acknowledged, records read.
    pub fn counts(&self) -> (u64, u64, u64) {
        let [sent, acked, read] = [&self.sent, &self.acked, &self.read].map(|count| count.load(Ordering::Relaxed));
        (sent, acked, read)
    }

    /// When the latest life last got an acknowledgement or a record.
    pub fn last_progress(&self) -> Option<TimeNs> {
        let nanos = self.progress_ns.load(Ordering::Relaxed);
        (nanos != NONE_64).then_some(TimeNs(nanos))
    }

    /// From now on each record takes this long; zero is as fast as it goes.
    pub fn set_tempo(&self, per_record: Duration) {
        self.per_record_ns.store(u64::try_from(per_record.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long each record takes.
    pub fn tempo(&self) -> Duration {
        Duration::from_nanos(self.per_record_ns.load(Ordering::Relaxed))
    }

    /// Spends a record's time, counted from `last`, when the one before was done with. Ends early when the tempo changes or
    /// `hurry` says so. Returns when this record was done with.
    pub fn spend(&self, last: Instant, hurry: impl Fn() -> bool) -> Instant {
        let began = Instant::now();
        let tempo = self.tempo();
        // What was slept too long over one record is made up for over the next, so that short times add up right; a pause
        // in which nothing came is not made up for.
        let done = (last + tempo).max(began.checked_sub(NAP).unwrap_or(began));
        while self.tempo() == tempo && !hurry() {
            let left = done.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return done;
            }
            std::thread::sleep(left.min(NAP));
        }
        Instant::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_life_got_done_is_no_progress_of_the_next_one() {
        let gauge = Gauge::default();
        gauge.begins(ProcessId(1), 0);
        gauge.add_acked(5, TimeNs(7));
        assert_eq!(gauge.last_progress(), Some(TimeNs(7)));
        gauge.begins(ProcessId(2), 1);
        assert_eq!((gauge.last_progress(), gauge.counts()), (None, (0, 5, 0)));
    }

    #[test]
    fn a_hundred_records_of_two_milliseconds_take_a_fifth_of_a_second() {
        let gauge = Gauge::default();
        gauge.set_tempo(Duration::from_millis(2));
        let start = Instant::now();
        let end = (0..100).fold(start, |last, _| gauge.spend(last, || false));
        assert!(start.elapsed() >= Duration::from_millis(195), "{:?}", start.elapsed());
        assert!(end.duration_since(start) < Duration::from_secs(2), "{:?}", end.duration_since(start));
    }

    #[test]
    fn a_long_record_ends_at_once_when_the_tempo_changes() {
        let gauge = Gauge::default();
        gauge.set_tempo(Duration::from_secs(600));
        let start = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| gauge.spend(start, || false));
            std::thread::sleep(Duration::from_millis(30));
            gauge.set_tempo(Duration::ZERO);
        });
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }
}
