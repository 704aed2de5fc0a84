//! What becomes of the n-th packet of a shape: pure, and drawn from the seed and n alone.
//!
//! Each packet has a ChaCha8 stream of its own, keyed by the seed and numbered n, from which the draws come in a fixed
//! order: loss, duplicate, reorder, corrupt, the bit to flip, two for the delay. All are drawn for every packet, so that
//! one treatment differs from another only in what it asks for. What depends on time is no draw: whether the link's backlog
//! is full, and where in the sequence a packet arrives.
//!
//! The meanings are netem's where netem has one:
//! - A **lost** packet is nothing else. (netem lets a packet that is lost and duplicated at once pass; here it is lost.)
//! - The **delay** is the middle, and jitter strays from it, for each packet by itself. So jitter reorders packets that
//!   come closer together than it strays. Without jitter all keep their order. A delay below zero is none.
//! - A **reordered** packet is not delayed at all and so comes ahead of those that are; without a delay there is nothing
//!   to come ahead of, and the treatment is refused.
//! - A **duplicate** leaves right after its packet. (netem delays it anew.)
//! - A **corrupted** packet has one bit flipped behind its checksum's back, so that its receiver has to drop it.
//! - The **rate** comes before the delay: a link that carries one packet after the other, and no burst.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::protocol::{Distribution, RawTreatment};

/// The longest that a packet may be held by its delay. TCP gives up on a connection long after it.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// Further than this many standard deviations nothing strays: netem's tables end there too.
const FURTHEST_DEVIATIONS: f64 = 4.0;

/// The exponent of the Pareto distribution, as in netem's table.
const PARETO_SHAPE: f64 = 3.0;

/// A backlog that nobody chose: enough that a rate delays before it drops.
const DEFAULT_BACKLOG_BYTES: u64 = 1024 * 1024;

/// A treatment that can be given.
#[derive(Clone, Debug, PartialEq)]
pub struct Treatment {
    delay_ns: u64,
    jitter_ns: u64,
    distribution: Distribution,
    loss: f64,
    duplicate: f64,
    reorder: f64,
    corrupt: f64,
    /// What the link carries, if it is limited.
    pub rate: Option<Rate>,
}

/// A limited link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What it carries, in bytes a second; never 0.
    pub bytes_per_s: u64,
    /// What waits for it at most, in bytes.
    pub backlog_bytes: u64,
}

/// Why a treatment cannot be given.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum TreatmentError {
    /// Nothing would happen, so a fault that was asked for would not be one.
    #[error("this treatment changes nothing: it needs a delay, a rate, or a ratio above 0")]
    Nothing,
    /// Not a share.
    #[error("{key} is {value}; a ratio lies between 0 and 1")]
    Ratio {
        /// Its key.
        key: &'static str,
        /// Its value.
        value: f64,
    },
    /// Held for too long.
    #[error("{key} is longer than {} s", LONGEST_DELAY.as_secs())]
    Long {
        /// Its key.
        key: &'static str,
    },
    /// A key that means nothing without another one.
    #[error("{key} needs {other}")]
    Needs {
        /// The key that is there.
        key: &'static str,
        /// The key that is missing.
        other: &'static str,
    },
    /// A link that carries nothing is a cut.
    #[error("rate_bytes_per_s is 0, which would be a cut")]
    NoRate,
}

/// What becomes of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is dropped.
    Lost,
    /// It goes on.
    Passed {
        /// How long it is held, in nanoseconds.
        delay_ns: u64,
        /// What else happens to it.
        marks: Marks,
    },
}

/// What happens to a packet that goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// A copy follows it.
    pub duplicated: Option<Duplicated>,
    /// It comes ahead of those that are held.
    pub reordered: Option<Reordered>,
    /// The draw that chooses the bit that is flipped.
    pub flip: Option<u64>,
}

/// Marks a packet that comes twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicated;

/// Marks a packet that is not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reordered;

impl Treatment {
    /// Checks what is asked for.
    pub fn new(raw: &RawTreatment) -> Result<Self, TreatmentError> {
        let treatment = Self {
            delay_ns: nanoseconds("delay_us", raw.delay_us)?,
            jitter_ns: nanoseconds("jitter_us", raw.jitter_us)?,
            distribution: raw.distribution.unwrap_or_default(),
            loss: ratio("loss", raw.loss)?,
            duplicate: ratio("duplicate", raw.duplicate)?,
            reorder: ratio("reorder", raw.reorder)?,
            corrupt: ratio("corrupt", raw.corrupt)?,
            rate: rate(raw)?,
        };
        let needs = |key, other| Err(TreatmentError::Needs { key, other });
        if treatment.jitter_ns > 0 && treatment.delay_ns == 0 {
            return needs("jitter_us", "delay_us");
        }
        if raw.distribution.is_some() && treatment.jitter_ns == 0 {
            return needs("distribution", "jitter_us");
        }
        if treatment.reorder > 0.0 && treatment.delay_ns == 0 {
            return needs("reorder", "delay_us");
        }
        let ratios = treatment.loss + treatment.duplicate + treatment.reorder + treatment.corrupt;
        if treatment.delay_ns == 0 && treatment.rate.is_none() && ratios == 0.0 {
            return Err(TreatmentError::Nothing);
        }
        Ok(treatment)
    }

    /// What becomes of the n-th packet.
    pub fn decide(&self, seed: u64, n: u64) -> Decision {
        let mut draws = ChaCha8Rng::seed_from_u64(seed);
        draws.set_stream(n);
        let lost = unit(&mut draws) < self.loss;
        let duplicated = unit(&mut draws) < self.duplicate;
        let reordered = unit(&mut draws) < self.reorder;
        let corrupted = unit(&mut draws) < self.corrupt;
        let bit = draws.next_u64();
        let delay_ns = self.delay_ns(unit(&mut draws), unit(&mut draws));
        if lost {
            return Decision::Lost;
        }
        let marks = Marks {
            duplicated: duplicated.then_some(Duplicated),
            reordered: reordered.then_some(Reordered),
            flip: corrupted.then_some(bit),
        };
        Decision::Passed { delay_ns: if reordered { 0 } else { delay_ns }, marks }
    }

    /// The delay that two even draws make.
    fn delay_ns(&self, first: f64, second: f64) -> u64 {
        let deviations = match self.distribution {
            Distribution::Uniform => 2.0 * first - 1.0,
            // Box and Muller's way; 1 - x keeps the logarithm's argument above 0.
            Distribution::Normal => (-2.0 * (1.0 - first).ln()).sqrt() * (std::f64::consts::TAU * second).cos(),
            Distribution::Pareto => {
                let mean = PARETO_SHAPE / (PARETO_SHAPE - 1.0);
                let deviation = mean.sqrt() / ((PARETO_SHAPE - 1.0) * (PARETO_SHAPE - 2.0)).sqrt();
                ((1.0 - first).powf(-1.0 / PARETO_SHAPE) - mean) / deviation
            }
        };
        let strayed = deviations.clamp(-FURTHEST_DEVIATIONS, FURTHEST_DEVIATIONS) * self.jitter_ns as f64;
        // A float below zero becomes zero.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most five minutes, and saturating"
        )]
        let delay_ns = (self.delay_ns as f64 + strayed).round() as u64;
        delay_ns
    }
}

/// An even draw from 0 up to and without 1.
fn unit(draws: &mut ChaCha8Rng) -> f64 {
    // As many bits as a float holds.
    (draws.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

fn ratio(key: &'static str, value: Option<f64>) -> Result<f64, TreatmentError> {
    let value = value.unwrap_or_default();
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err(TreatmentError::Ratio { key, value }) }
}

fn nanoseconds(key: &'static str, us: Option<u64>) -> Result<u64, TreatmentError> {
    let us = us.unwrap_or_default();
    if Duration::from_micros(us) > LONGEST_DELAY { Err(TreatmentError::Long { key }) } else { Ok(us * 1000) }
}

fn rate(raw: &RawTreatment) -> Result<Option<Rate>, TreatmentError> {
    match (raw.rate_bytes_per_s, raw.backlog_bytes) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(TreatmentError::Needs { key: "backlog_bytes", other: "rate_bytes_per_s" }),
        (Some(0), _) => Err(TreatmentError::NoRate),
        (Some(bytes_per_s), backlog) => {
            Ok(Some(Rate { bytes_per_s, backlog_bytes: backlog.unwrap_or(DEFAULT_BACKLOG_BYTES) }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKETS: u64 = 20_000;

    fn treatment(raw: &RawTreatment) -> Treatment {
        Treatment::new(raw).unwrap()
    }

    fn share(raw: &RawTreatment, seed: u64, is_it: impl Fn(Decision) -> bool) -> f64 {
        let treatment = treatment(raw);
        (0..PACKETS).filter(|n| is_it(treatment.decide(seed, *n))).count() as f64 / PACKETS as f64
    }

    fn marks(decision: Decision) -> Marks {
        match decision {
            Decision::Lost => Marks::default(),
            Decision::Passed { marks, .. } => marks,
        }
    }

    fn delays_ms(raw: &RawTreatment) -> Vec<f64> {
        let treatment = treatment(raw);
        let delay = |n| match treatment.decide(7, n) {
            Decision::Lost => panic!("nothing is lost"),
            Decision::Passed { delay_ns, .. } => delay_ns as f64 / 1e6,
        };
        (0..PACKETS).map(delay).collect()
    }

    fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
        (mean, variance.sqrt())
    }

    #[track_caller]
    fn assert_near(value: f64, expected: f64, within: f64) {
        assert!((value - expected).abs() <= within, "{value} is not {expected} +- {within}");
    }

    #[test]
    fn each_share_is_the_share_that_was_asked_for() {
        let all = RawTreatment {
            delay_us: Some(1000),
            loss: Some(0.2),
            duplicate: Some(0.1),
            reorder: Some(0.3),
            corrupt: Some(0.05),
            ..RawTreatment::default()
        };
        assert_near(share(&all, 1, |decision| decision == Decision::Lost), 0.2, 0.01);
        // What is lost is nothing else.
        assert_near(share(&all, 1, |decision| marks(decision).duplicated.is_some()), 0.08, 0.01);
        assert_near(share(&all, 1, |decision| marks(decision).reordered.is_some()), 0.24, 0.01);
        assert_near(share(&all, 1, |decision| marks(decision).flip.is_some()), 0.04, 0.005);
    }

    #[test]
    fn a_ratio_of_0_never_happens_and_one_of_1_always_does() {
        let raw = RawTreatment { loss: Some(1.0), ..RawTreatment::default() };
        assert_near(share(&raw, 3, |decision| decision == Decision::Lost), 1.0, 0.0);
        let raw = RawTreatment { corrupt: Some(1.0), ..RawTreatment::default() };
        assert_near(share(&raw, 3, |decision| marks(decision).flip.is_some()), 1.0, 0.0);
        assert_near(share(&raw, 3, |decision| marks(decision).duplicated.is_some()), 0.0, 0.0);
    }

    #[test]
    fn a_decision_depends_on_the_seed_and_the_packets_number_alone() {
        let raw = RawTreatment {
            delay_us: Some(50_000),
            jitter_us: Some(10_000),
            loss: Some(0.2),
            ..RawTreatment::default()
        };
        let (one, other) = (treatment(&raw), treatment(&raw));
        let forwards: Vec<Decision> = (0..500).map(|n| one.decide(42, n)).collect();
        let mut backwards: Vec<Decision> = (0..500).rev().map(|n| other.decide(42, n)).collect();
        backwards.reverse();
        assert_eq!(forwards, backwards);
        assert_ne!(forwards, (0..500).map(|n| one.decide(43, n)).collect::<Vec<_>>());
    }

    #[test]
    fn asking_for_more_changes_no_other_draw() {
        let raw = RawTreatment { loss: Some(0.2), ..RawTreatment::default() };
        let more = RawTreatment { delay_us: Some(10), duplicate: Some(0.5), corrupt: Some(0.5), ..raw.clone() };
        let lost = |raw| -> Vec<bool> {
            let treatment = treatment(raw);
            (0..500).map(|n| treatment.decide(9, n) == Decision::Lost).collect()
        };
        assert_eq!(lost(&raw), lost(&more));
    }

    #[test]
    fn the_draws_of_a_seed_never_change() {
        let raw = RawTreatment { loss: Some(0.3), ..RawTreatment::default() };
        let treatment = treatment(&raw);
        let lost: Vec<u64> = (0..40).filter(|n| treatment.decide(42, *n) == Decision::Lost).collect();
        assert_eq!(lost, LOST_OF_SEED_42);
    }

    /// What the first version drew. Whoever changes it changes what a stored seed means.
    const LOST_OF_SEED_42: [u64; 16] = [2, 7, 13, 14, 15, 16, 18, 24, 25, 26, 27, 28, 31, 32, 33, 38];

    #[test]
    fn delays_are_as_long_and_stray_as_far_as_asked_for() {
        let raw = |distribution| RawTreatment {
            delay_us: Some(50_000),
            jitter_us: Some(10_000),
            distribution,
            ..RawTreatment::default()
        };
        let uniform = delays_ms(&raw(None));
        assert_near(mean_and_deviation(&uniform).0, 50.0, 0.5);
        assert_near(mean_and_deviation(&uniform).1, 10.0 / 3_f64.sqrt(), 0.2);
        assert!(uniform.iter().all(|delay| (40.0..=60.0).contains(delay)));
        let normal = delays_ms(&raw(Some(Distribution::Normal)));
        assert_near(mean_and_deviation(&normal).0, 50.0, 0.5);
        assert_near(mean_and_deviation(&normal).1, 10.0, 0.3);
        let pareto = delays_ms(&raw(Some(Distribution::Pareto)));
        // Its tail is cut off at four deviations, so that both are a little less than asked for.
        assert_near(mean_and_deviation(&pareto).0, 49.0, 1.5);
        assert_near(mean_and_deviation(&pareto).1, 8.5, 1.5);
        assert!(pareto.iter().all(|delay| (44.0..=90.0).contains(delay)), "never much shorter, sometimes much longer");
    }

    #[test]
    fn without_jitter_every_packet_is_held_alike_and_below_zero_is_none() {
        let raw = RawTreatment { delay_us: Some(250), ..RawTreatment::default() };
        assert!(delays_ms(&raw).iter().all(|delay| (delay - 0.25).abs() < 1e-9));
        let wide = RawTreatment { delay_us: Some(1000), jitter_us: Some(100_000), ..RawTreatment::default() };
        assert!(delays_ms(&wide).iter().all(|delay| (0.0..=101.0).contains(delay)));
    }

    #[test]
    fn what_cannot_be_given_is_refused_with_a_reason() {
        let none = RawTreatment::default;
        for (raw, expected) in [
            (none(), "changes nothing"),
            (RawTreatment { loss: Some(1.5), ..none() }, "loss is 1.5"),
            (RawTreatment { loss: Some(f64::NAN), ..none() }, "loss is NaN"),
            (RawTreatment { corrupt: Some(-0.1), ..none() }, "corrupt is -0.1"),
            (RawTreatment { delay_us: Some(61_000_000), ..none() }, "delay_us is longer than 60 s"),
            (RawTreatment { delay_us: Some(u64::MAX), ..none() }, "delay_us is longer than 60 s"),
            (RawTreatment { jitter_us: Some(5), loss: Some(0.1), ..none() }, "jitter_us needs delay_us"),
            (RawTreatment { reorder: Some(0.5), ..none() }, "reorder needs delay_us"),
            (RawTreatment { rate_bytes_per_s: Some(0), ..none() }, "would be a cut"),
            (RawTreatment { backlog_bytes: Some(9), ..none() }, "backlog_bytes needs rate_bytes_per_s"),
            (
                RawTreatment { delay_us: Some(5), distribution: Some(Distribution::Pareto), ..none() },
                "distribution needs jitter_us",
            ),
        ] {
            let error = Treatment::new(&raw).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
