//! The run's clock: monotonic nanoseconds since an origin whose wall-clock time is known.
//!
//! One `Clock` is made per run and copied everywhere, so that times from all threads compare. The wall clock is looked at
//! once only: a step of the host's clock moves no event.

use std::time::{Duration, Instant};

use crate::kafka::TimeNs;

/// A monotonic clock with a wall-clock origin. Copies share the origin.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    started: jiff::Timestamp,
}

impl Clock {
    /// A clock whose time 0 is now.
    pub fn start() -> Self {
        Self { origin: Instant::now(), started: jiff::Timestamp::now() }
    }

    /// The time since the origin.
    pub fn now(&self) -> TimeNs {
        self.at(Instant::now())
    }

    /// The time of an instant; 0 when it lies before the origin.
    pub fn at(&self, instant: Instant) -> TimeNs {
        let nanos = instant.saturating_duration_since(self.origin).as_nanos();
        TimeNs(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The instant of a time.
    pub fn instant(&self, time: TimeNs) -> Instant {
        self.origin + Duration::from_nanos(time.0)
    }

    /// The wall-clock time of the origin, RFC 3339 in UTC with milliseconds.
    pub fn started_utc(&self) -> String {
        format!("{:.3}", self.started)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_steps_back() {
        let clock = Clock::start();
        let times: Vec<TimeNs> = (0..1000).map(|_| clock.now()).collect();
        assert!(times.is_sorted());
    }

    #[test]
    fn the_origin_is_written_as_rfc_3339_in_utc() {
        let text = Clock::start().started_utc();
        assert!(text.ends_with('Z'), "{text}");
        text.parse::<jiff::Timestamp>().expect("an RFC 3339 timestamp");
    }
}
