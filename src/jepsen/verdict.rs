//! Which error types are bad, and what follows: `allowed-error-types` and the checker's `:valid?`.

use serde::Serialize;

use super::finding::{ErrorType, Findings};
use super::thrown::Thrown;

/// How consumers got their partitions: Jepsen's `:sub-via`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubVia {
    /// They took them themselves, so that a process reads on where it left off.
    Assign,
    /// The group's coordinator gave and took them, so that a process may find itself anywhere.
    Subscribe,
}

/// The two options of the workload that its checker looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Options {
    /// How consumers got their partitions; both may have been tried in one test.
    pub sub_via: Vec<SubVia>,
    /// Whether the order of sends in a log counts as a dependency of one on the other.
    pub ww_deps: bool,
}

impl Options {
    /// Whether an error of this type does not make a history invalid.
    pub fn allow(&self, error: ErrorType) -> bool {
        match error {
            // Records of several transactions lie mixed, and writes are never isolated.
            ErrorType::IntSendSkip
            | ErrorType::G0
            | ErrorType::G0Realtime
            | ErrorType::Pl1CycleExists
            | ErrorType::StrongPl1CycleExists => true,
            // Partitions come and go between the operations of a process.
            ErrorType::PollSkip | ErrorType::NonmonotonicPoll => self.sub_via.contains(&SubVia::Subscribe),
            // Because writes are not isolated, a cycle with ww in it is to be expected.
            ErrorType::G1c | ErrorType::G1cRealtime | ErrorType::Pl2CycleExists | ErrorType::StrongPl2CycleExists => {
                self.ww_deps
            }
            ErrorType::AbortedRead
            | ErrorType::Duplicate
            | ErrorType::EmptyTransactionGraph
            | ErrorType::InconsistentOffsets
            | ErrorType::IntNonmonotonicPoll
            | ErrorType::IntNonmonotonicSend
            | ErrorType::IntPollSkip
            | ErrorType::LostWrite
            | ErrorType::NonmonotonicSend
            | ErrorType::PrecommittedRead
            | ErrorType::Unseen => false,
        }
    }
}

/// Jepsen's `:valid?`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Nothing bad was found.
    Valid,
    /// Something bad was found.
    Invalid,
    /// The analysis would throw.
    Unknown,
}

/// In JSON as in Jepsen's results: `true`, `false`, or `"unknown"`.
impl Serialize for Validity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Valid => serializer.serialize_bool(true),
            Self::Invalid => serializer.serialize_bool(false),
            Self::Unknown => serializer.serialize_str("unknown"),
        }
    }
}

/// What the checker says of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is valid.
    pub validity: Validity,
    /// The types of error that are not allowed, in the order of their names.
    pub bad: Vec<ErrorType>,
    /// All that was found; nothing where the analysis would throw.
    pub findings: Findings,
    /// Why the analysis would throw.
    pub thrown: Vec<Thrown>,
}

/// Judges what was found.
pub fn decide(analysis: Result<Findings, Vec<Thrown>>, options: &Options) -> Verdict {
    match analysis {
        Ok(findings) => {
            let bad: Vec<ErrorType> = findings.types().filter(|error| !options.allow(*error)).collect();
            let validity = if bad.is_empty() { Validity::Valid } else { Validity::Invalid };
            Verdict { validity, bad, findings, thrown: Vec::new() }
        }
        Err(thrown) => Verdict { validity: Validity::Unknown, bad: Vec::new(), findings: Findings::default(), thrown },
    }
}
