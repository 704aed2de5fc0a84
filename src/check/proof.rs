//! Whether a fault provably bit and provably healed: the engine, the broker itself and the other brokers as witnesses.
//!
//! A chaos tool whose faults do nothing reports a green run. So each kind of fault has a rule of its own, which stands in its
//! file (`fault::kinds`) and judges each target by itself: what has to be seen before, during and after it. A target that
//! does not meet it makes the fault unproven, and the sentence says what is missing.

use crate::fault::{Case, FaultKind, Testimony, Times, Victim};

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Whether every target provably was struck and provably recovered.
    pub proven: bool,
    /// By what, or what is missing, in short clauses.
    pub sentence: String,
}

impl Proof {
    /// No proof at all, for this reason.
    pub fn missing(reason: String) -> Self {
        Self { proven: false, sentence: reason }
    }

    /// The proof, broken by one more thing that is missing.
    #[must_use]
    pub fn without(self, missing: &str) -> Self {
        Self { proven: false, sentence: format!("{missing}; {}", self.sentence) }
    }
}

/// Judges all that was seen of every target.
pub fn prove(kind: &FaultKind, testimony: &Testimony, targets: &[Victim], times: Times) -> Proof {
    let judged = targets.iter().map(|target| {
        let mut case = Case::new(testimony, target, times);
        kind.prove(&mut case);
        (target, case)
    });
    let cases: Vec<(&Victim, Case<'_>)> = judged.collect();
    let sentences: Vec<String> = cases
        .iter()
        .map(
            |(target, case)| {
                if targets.len() == 1 { case.sentence() } else { format!("{target}: {}", case.sentence()) }
            },
        )
        .collect();
    Proof {
        proven: !cases.is_empty() && cases.iter().all(|(_, case)| case.is_proven()),
        sentence: sentences.join(". "),
    }
}
