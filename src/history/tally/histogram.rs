//! How often each latency came, to within 0.4 %: a histogram whose steps grow with the values, as those of `HdrHistogram` do, so that an hour at
//! full rate costs a few kilobytes a second of the run.
//!
//! Up to 512 µs each microsecond has a step of its own; from there on each power of two has 256 steps.

/// The latencies below this have steps of their own. Twice the steps of a power of two.
const EXACT: u32 = 512;

/// How many steps a power of two has, as a power of two.
const STEP_BITS: u32 = 8;

/// Counts by latency, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    steps: Vec<u32>,
    count: u64,
    max_us: u32,
}

impl Histogram {
    /// Counts one.
    pub fn record(&mut self, us: u32) {
        let step = step(us);
        if step >= self.steps.len() {
            self.steps.resize(step + 1, 0);
        }
        self.steps[step] += 1;
        self.count += 1;
        self.max_us = self.max_us.max(us);
    }

    /// What came since an earlier moment of the same histogram. Its greatest one is known to within a step.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let then = earlier.steps.iter().copied().chain(std::iter::repeat(0));
        let steps: Vec<u32> = self.steps.iter().zip(then).map(|(now, then)| now.saturating_sub(then)).collect();
        let last = steps.iter().rposition(|count| *count > 0);
        let max_us = last.map_or(0, |step| greatest(step).min(self.max_us));
        Self { steps, count: self.count.saturating_sub(earlier.count), max_us }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The greatest one, exactly; 0 of none.
    pub fn max_us(&self) -> u32 {
        self.max_us
    }

    /// The quantile of nearest rank, the value at place `ceil(share * n)`, or up to 0.4 % more; `None` of none.
    pub fn quantile_us(&self, per_mille: u64) -> Option<u32> {
        let place = (self.count * per_mille).div_ceil(1000).max(1);
        let mut passed = 0_u64;
        let step = self.steps.iter().position(|count| {
            passed += u64::from(*count);
            passed >= place
        })?;
        Some(greatest(step).min(self.max_us))
    }
}

fn step(us: u32) -> usize {
    if us < EXACT {
        return us as usize;
    }
    let shift = us.ilog2() - STEP_BITS;
    (((shift + 1) << STEP_BITS) + ((us >> shift) - (1 << STEP_BITS))) as usize
}

/// The greatest value of a step.
fn greatest(step: usize) -> u32 {
    let step = u32::try_from(step).expect("there are some 6,500 steps");
    if step < EXACT {
        return step;
    }
    let shift = (step >> STEP_BITS) - 1;
    let lead = (step & ((1 << STEP_BITS) - 1)) + (1 << STEP_BITS);
    // The last step ends with the greatest value there is.
    u32::try_from(((u64::from(lead) + 1) << shift) - 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_step_holds_its_value_to_within_four_thousandths(us in any::<u32>()) {
            let told = greatest(step(us));
            prop_assert!(us <= told && f64::from(told - us) <= f64::from(us) * 0.004, "{us} {told}");
        }

        #[test]
        fn a_quantile_is_of_nearest_rank(mut values in prop::collection::vec(0_u32..100_000, 1..200), share in 1_u64..=1000) {
            let mut histogram = Histogram::default();
            for us in &values {
                histogram.record(*us);
            }
            values.sort_unstable();
            let place = usize::try_from((values.len() as u64 * share).div_ceil(1000)).expect("a small number");
            let (exact, told) = (values[place - 1], histogram.quantile_us(share).expect("there are values"));
            prop_assert!(exact <= told && f64::from(told - exact) <= f64::from(exact) * 0.004, "{exact} {told}");
            prop_assert_eq!((histogram.count(), histogram.max_us()), (values.len() as u64, values[values.len() - 1]));
        }
    }

    #[test]
    fn the_last_seconds_are_what_came_between_two_moments() {
        let mut histogram = Histogram::default();
        let record = |histogram: &mut Histogram, values: &[u32]| values.iter().for_each(|us| histogram.record(*us));
        record(&mut histogram, &[1_000; 99]);
        let before = histogram.clone();
        record(&mut histogram, &[7; 99]);
        record(&mut histogram, &[900_000]);
        let came = histogram.since(&before);
        assert_eq!((came.count(), came.quantile_us(500), came.quantile_us(990)), (100, Some(7), Some(7)));
        assert_eq!((came.quantile_us(1000), came.max_us()), (Some(900_000), 900_000));
        assert_eq!(before.since(&before), Histogram { steps: vec![0; before.steps.len()], ..Histogram::default() });
        assert_eq!(before.since(&before).quantile_us(500), None, "nothing came");
    }

    #[test]
    fn of_nothing_there_is_no_quantile() {
        assert_eq!(Histogram::default().quantile_us(500), None);
    }
}
