//! The run's clock: monotonic nanoseconds since an origin whose wall-clock time is known.
//!
//! One `Clock` is made per run and copied everywhere, so that times from all threads compare. The wall clock is looked at
//! once only: a step of the host's clock moves no event.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::kafka::TimeNs;

/// By what another process of this machine can make the same clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The origin on the machine's monotonic clock, which all its processes share.
    monotonic: Duration,
    /// The origin on the wall clock, as it was looked at then.
    started: jiff::Timestamp,
}

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

    /// By what another process of this machine can make the same clock.
    pub fn origin(&self) -> Origin {
        let (reading, now) = Self::reading();
        let monotonic = reading.saturating_sub(Duration::from_nanos(self.at(now).0));
        Origin { monotonic, started: self.started }
    }

    /// The clock of another process of this machine, by its [`Clock::origin`]. The two differ by the time between two
    /// readings of one clock, some hundred nanoseconds: far less than any message between them takes. Their wall-clock times
    /// of one [`TimeNs`] are the same.
    pub fn of_origin(origin: Origin) -> Self {
        let (reading, now) = Self::reading();
        let age = reading.saturating_sub(origin.monotonic);
        Self { origin: now.checked_sub(age).unwrap_or(now), started: origin.started }
    }

    /// The machine's monotonic clock and an instant of the same moment: of a few tries, the one with the least time
    /// between its readings, because any try may be interrupted in the middle.
    fn reading() -> (Duration, Instant) {
        let read = |_| {
            let before = Instant::now();
            let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
            let width = before.elapsed();
            let nanos = u32::try_from(now.tv_nsec).expect("the kernel gives less than a second of nanoseconds");
            let seconds = u64::try_from(now.tv_sec).expect("a monotonic clock does not run below zero");
            (width, Duration::new(seconds, nanos), before + width / 2)
        };
        let best = (0..8).map(read).min_by_key(|(width, ..)| *width);
        let (_, reading, instant) = best.expect("there were eight tries");
        (reading, instant)
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

    /// A time on the wall clock of the origin, in milliseconds since 1970: what a record sent then has as its timestamp. The
    /// origin counts in whole milliseconds, so that the history's `started_utc` is enough to compute it.
    pub fn wall_ms(&self, time: TimeNs) -> i64 {
        let since = i64::try_from(time.0 / 1_000_000).expect("64 bits of nanoseconds are fewer milliseconds");
        self.started.as_millisecond() + since
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
    fn another_process_of_the_machine_makes_the_same_clock() {
        let clock = Clock::start();
        let other = Clock::of_origin(clock.origin());
        let (here, there) = (clock.now(), other.now());
        assert!(there.0.abs_diff(here.0) < 1_000_000, "{here} and {there}");
        for time in [TimeNs(0), here, TimeNs(u64::MAX)] {
            assert_eq!(clock.wall_ms(time), other.wall_ms(time), "{time}");
        }
    }

    #[test]
    fn the_wall_clock_follows_from_the_written_origin() {
        let clock = Clock::start();
        let written: jiff::Timestamp = clock.started_utc().parse().expect("an RFC 3339 timestamp");
        assert_eq!(clock.wall_ms(TimeNs(0)), written.as_millisecond());
        assert_eq!(clock.wall_ms(TimeNs(999_999)), written.as_millisecond());
        assert_eq!(clock.wall_ms(TimeNs(5_000_000)), written.as_millisecond() + 5);
    }

    #[test]
    fn the_origin_is_written_as_rfc_3339_in_utc() {
        let text = Clock::start().started_utc();
        assert!(text.ends_with('Z'), "{text}");
        text.parse::<jiff::Timestamp>().expect("an RFC 3339 timestamp");
    }
}
