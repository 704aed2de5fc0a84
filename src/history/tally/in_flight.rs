//! How many sends are between their invocation and their completion at once, at most. Counted by the millisecond, coarser for runs of more
//! than an hour: each send from the step it begins in to the one it ends in, so that it errs upwards by what one step holds.

use crate::kafka::TimeNs;

/// There are never more steps: they double instead.
const MOST_STEPS: usize = 1 << 22;

/// Counts by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlight {
    step_ns: u64,
    /// Of each step: how many began in it, and how many ended.
    steps: Vec<[u32; 2]>,
}

impl Default for InFlight {
    fn default() -> Self {
        Self { step_ns: 1_000_000, steps: Vec::new() }
    }
}

impl InFlight {
    /// Counts one.
    pub fn take(&mut self, from: TimeNs, to: TimeNs) {
        // What a damaged file says must not double the steps until one holds a whole run.
        let [from, to] = [from, to].map(|time| time.0.min(7 * 24 * 3_600_000_000_000));
        while to.max(from) / self.step_ns >= MOST_STEPS as u64 {
            self.double();
        }
        let last = usize::try_from(to.max(from) / self.step_ns).expect("fewer than MOST_STEPS");
        if last >= self.steps.len() {
            self.steps.resize(last + 1, [0; 2]);
        }
        let step_ns = self.step_ns;
        let step = |time: u64| usize::try_from(time / step_ns).expect("fewer than MOST_STEPS");
        self.steps[step(from)][0] += 1;
        self.steps[step(to)][1] += 1;
    }

    fn double(&mut self) {
        self.step_ns *= 2;
        let pairs =
            self.steps.chunks(2).map(|pair| pair.iter().fold([0; 2], |sum, one| [sum[0] + one[0], sum[1] + one[1]]));
        self.steps = pairs.collect();
    }

    /// The most at once.
    pub fn most(&self) -> u64 {
        let (mut now, mut most) = (0_i64, 0_i64);
        for [began, ended] in &self.steps {
            now += i64::from(*began);
            most = most.max(now);
            now -= i64::from(*ended);
        }
        most.max(0).unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_have_coarser_steps_and_the_same_answer() {
        let mut in_flight = InFlight::default();
        let minute = 60_000_000_000;
        for begin in [0, 1, 30] {
            in_flight.take(TimeNs(begin * minute), TimeNs((begin + 20) * minute));
        }
        assert_eq!(in_flight.most(), 2);
        in_flight.take(TimeNs(600 * minute), TimeNs(601 * minute));
        assert!(in_flight.steps.len() <= MOST_STEPS && in_flight.step_ns > 1_000_000);
        assert_eq!(in_flight.most(), 2);
    }
}
