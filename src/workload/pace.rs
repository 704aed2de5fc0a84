//! When each record of a producer is due: the open model, in which the clock asks and the cluster answers when it can.
//!
//! Latency counts from the due time, not from the moment a held-back producer got round to it. A closed loop would measure
//! an outage as one slow record (coordinated omission).

use serde::{Deserialize, Serialize};

use crate::kafka::TimeNs;
use crate::scenario::Rate;

/// One producer's timetable.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    start: TimeNs,
    first: u64,
    rate: Rate,
}

impl Pace {
    /// A timetable that begins at `start`.
    pub fn new(start: TimeNs, rate: Rate) -> Self {
        Self::resumed(start, rate, 0)
    }

    /// The timetable of a client that is back from the dead: nothing was asked of it while it did not exist, and it goes on
    /// with record `first`.
    pub fn resumed(start: TimeNs, rate: Rate, first: u64) -> Self {
        Self { start, first, rate }
    }

    /// How many records should have been sent by `now`.
    pub fn due(&self, now: TimeNs) -> u64 {
        match self.rate {
            Rate::Max => u64::MAX,
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "floor of a number >= 0")]
            Rate::PerSecond(rate) => self.first + (now.since(self.start) as f64 * rate / 1e9).floor() as u64,
        }
    }

    /// When record `number`, counted from 0, falls due; at the greatest rate each falls due when it can be sent.
    pub fn scheduled(&self, number: u64, now: TimeNs) -> TimeNs {
        match self.rate {
            Rate::Max => now,
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "nanoseconds >= 0")]
            Rate::PerSecond(rate) => {
                let place = number.saturating_sub(self.first) as f64 + 1.0;
                TimeNs(self.start.0 + (place * 1e9 / rate) as u64).min(now)
            }
        }
    }

    /// Whether a producer that is held back falls behind its timetable.
    pub fn is_open(&self) -> bool {
        matches!(self.rate, Rate::PerSecond(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_a_second_is_one_each_millisecond() {
        let pace = Pace::new(TimeNs(500), Rate::PerSecond(1000.0));
        assert_eq!(pace.due(TimeNs(500)), 0);
        assert_eq!(pace.due(TimeNs(1_000_499)), 0);
        assert_eq!(pace.due(TimeNs(1_000_500)), 1);
        assert_eq!(pace.due(TimeNs(10_000_000_500)), 10_000);
        assert_eq!(pace.scheduled(0, TimeNs(u64::MAX)), TimeNs(1_000_500));
    }

    #[test]
    fn a_client_that_comes_back_owes_nothing_for_the_time_it_was_gone() {
        let pace = Pace::resumed(TimeNs(5_000_000_000), Rate::PerSecond(1000.0), 400);
        assert_eq!(pace.due(TimeNs(5_000_000_000)), 400);
        assert_eq!(pace.due(TimeNs(5_001_000_000)), 401);
        assert_eq!(pace.scheduled(400, TimeNs(u64::MAX)), TimeNs(5_001_000_000));
    }

    #[test]
    fn a_record_is_never_scheduled_after_it_is_due() {
        let pace = Pace::new(TimeNs(3), Rate::PerSecond(2_777.7));
        for step in 0..100_000_u64 {
            let now = TimeNs(step * 12_345);
            let due = pace.due(now);
            if due > 0 {
                assert!(pace.scheduled(due - 1, now) <= now);
            }
        }
    }
}
