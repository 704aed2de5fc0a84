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

    /// The origin on the machine's monotonic clock, by which another process of this machine can make the same clock.
    pub fn origin(&self) -> Duration {
        let (reading, now) = Self::reading();
        reading.saturating_sub(Duration::from_nanos(self.at(now).0))
    }

    /// The clock of another process of this machine, by its [`Clock::origin`]. The two differ by the time between two
    /// readings of one clock, some hundred nanoseconds: far less than any message between them takes.
    pub fn of_origin(origin: Duration) -> Self {
        let (reading, now) = Self::reading();
        let age = reading.saturating_sub(origin);
        let wall_age = jiff::SignedDuration::try_from(age).unwrap_or(jiff::SignedDuration::ZERO);
        Self { origin: now.checked_sub(age).unwrap_or(now), started: jiff::Timestamp::now() - wall_age }
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
    }

    #[test]
    fn the_origin_is_written_as_rfc_3339_in_utc() {
        let text = Clock::start().started_utc();
        assert!(text.ends_with('Z'), "{text}");
        text.parse::<jiff::Timestamp>().expect("an RFC 3339 timestamp");
    }
}
