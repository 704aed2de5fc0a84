//! When held packets leave: a heap of those that wait, and a link that carries one after the other. Pure; times are
//! nanoseconds on a clock that the caller reads.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::treatment::Rate;

const NS_PER_S: u128 = 1_000_000_000;

/// Things that leave at their time; of those due at the same time, the first one in is the first one out.
#[derive(Debug)]
pub struct Schedule<T> {
    waiting: BinaryHeap<Reverse<Waiting<T>>>,
    /// How many came so far, which orders those of one time.
    came: u64,
}

#[derive(Debug)]
struct Waiting<T> {
    release_ns: u64,
    place: u64,
    thing: T,
}

impl<T> Schedule<T> {
    /// One in which nothing waits.
    pub fn new() -> Self {
        Self { waiting: BinaryHeap::new(), came: 0 }
    }

    /// Lets something wait.
    pub fn push(&mut self, release_ns: u64, thing: T) {
        self.waiting.push(Reverse(Waiting { release_ns, place: self.came, thing }));
        self.came += 1;
    }

    /// When the next one leaves.
    pub fn next_ns(&self) -> Option<u64> {
        self.waiting.peek().map(|Reverse(next)| next.release_ns)
    }

    /// The next one, if its time has come.
    pub fn pop_due(&mut self, now_ns: u64) -> Option<T> {
        if self.next_ns()? > now_ns {
            return None;
        }
        self.waiting.pop().map(|Reverse(next)| next.thing)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl<T> Waiting<T> {
    fn key(&self) -> (u64, u64) {
        (self.release_ns, self.place)
    }
}

impl<T> PartialEq for Waiting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Waiting<T> {}

impl<T> PartialOrd for Waiting<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Waiting<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// A link of a certain rate: a token bucket that holds no more than the packet on it, so that nothing comes in bursts.
///
/// Departures are reckoned from the time that the link becomes free, not from when somebody woke up, so that late wake-ups
/// cost no throughput.
#[derive(Debug)]
pub struct Link {
    rate: Rate,
    /// When all that was admitted has been carried.
    free_ns: u64,
}

/// The link's backlog is full.
#[derive(Debug, PartialEq, Eq)]
pub struct Overflow;

impl Link {
    /// A link on which nothing is.
    pub fn new(rate: Rate) -> Self {
        Self { rate, free_ns: 0 }
    }

    /// Admits a packet of so many bytes, and says when it has been carried. A packet that finds nothing before it is
    /// always admitted, however small the backlog.
    pub fn admit(&mut self, now_ns: u64, bytes: usize) -> Result<u64, Overflow> {
        let wait_ns = self.free_ns.saturating_sub(now_ns);
        let waiting_bytes = u128::from(wait_ns) * u128::from(self.rate.bytes_per_s) / NS_PER_S;
        if wait_ns > 0 && waiting_bytes + bytes as u128 > u128::from(self.rate.backlog_bytes) {
            return Err(Overflow);
        }
        let carry_ns = bytes as u128 * NS_PER_S / u128::from(self.rate.bytes_per_s);
        self.free_ns = self.free_ns.max(now_ns).saturating_add(u64::try_from(carry_ns).unwrap_or(u64::MAX));
        Ok(self.free_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn drain(schedule: &mut Schedule<&'static str>, now_ns: u64) -> Vec<&'static str> {
        std::iter::from_fn(|| schedule.pop_due(now_ns)).collect()
    }

    #[test]
    fn things_leave_at_their_time_and_not_before() {
        let mut schedule = Schedule::new();
        schedule.push(30, "late");
        schedule.push(10, "early");
        assert_eq!((schedule.len(), schedule.next_ns()), (2, Some(10)));
        assert_eq!(drain(&mut schedule, 9), Vec::<&str>::new());
        assert_eq!(drain(&mut schedule, 10), ["early"]);
        assert_eq!(drain(&mut schedule, 29), Vec::<&str>::new());
        assert_eq!(drain(&mut schedule, u64::MAX), ["late"]);
        assert_eq!((schedule.len(), schedule.next_ns()), (0, None));
    }

    #[test]
    fn those_of_one_time_keep_their_order() {
        let mut schedule = Schedule::new();
        for name in ["a", "b", "c", "d", "e"] {
            schedule.push(5, name);
        }
        assert_eq!(drain(&mut schedule, 5), ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn one_that_is_due_earlier_comes_ahead_of_one_that_came_earlier() {
        let mut schedule = Schedule::new();
        schedule.push(100, "held");
        schedule.push(1, "ahead");
        assert_eq!(drain(&mut schedule, 100), ["ahead", "held"]);
    }

    #[test]
    fn a_link_carries_its_rate_and_neither_more_nor_less() {
        let mut link = Link::new(Rate { bytes_per_s: 1_000_000, backlog_bytes: 10_000_000 });
        let departures: Vec<u64> = (0..1000).map(|_| link.admit(0, 1500).unwrap()).collect();
        assert_eq!(departures[0], 1_500_000, "1500 bytes take 1.5 ms");
        assert_eq!(departures[999], 1_500_000_000, "a thousand of them take 1.5 s");
        assert!(departures.windows(2).all(|two| two[1] - two[0] == 1_500_000));
    }

    #[test]
    fn an_idle_link_saves_nothing_up() {
        let mut link = Link::new(Rate { bytes_per_s: 1_000_000, backlog_bytes: 10_000 });
        assert_eq!(link.admit(0, 1000), Ok(MS));
        assert_eq!(link.admit(500 * MS, 1000), Ok(501 * MS));
        assert_eq!(link.admit(500 * MS, 1000), Ok(502 * MS));
    }

    #[test]
    fn what_finds_the_backlog_full_is_refused_until_some_of_it_is_carried() {
        let mut link = Link::new(Rate { bytes_per_s: 1_000_000, backlog_bytes: 3000 });
        assert_eq!([link.admit(0, 1500), link.admit(0, 1500)], [Ok(1_500_000), Ok(3 * MS)]);
        assert_eq!(link.admit(0, 1500), Err(Overflow));
        assert_eq!(link.admit(MS, 1500), Err(Overflow), "2000 bytes are left, and 1500 more are too many");
        assert_eq!(link.admit(2 * MS, 1500), Ok(4_500_000));
    }

    #[test]
    fn a_packet_larger_than_the_backlog_passes_an_idle_link() {
        let mut link = Link::new(Rate { bytes_per_s: 1000, backlog_bytes: 100 });
        assert_eq!(link.admit(0, 1500), Ok(1500 * MS));
        assert_eq!(link.admit(0, 10), Err(Overflow));
        assert_eq!(link.admit(1500 * MS, 10), Ok(1510 * MS));
    }
}
