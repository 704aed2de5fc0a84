//! What the analysis finds: error types by Jepsen's and Elle's names, how often, and witnesses of each.

use std::collections::BTreeMap;

use serde::Serialize;

use super::op::{Atom, Function, Op, Stage};

/// How many witnesses of one error type are kept. The rest is counted.
pub const EXAMPLES_MAX: usize = 32;

macro_rules! error_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// A type of error, in the order of their names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        pub enum ErrorType {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)+
        }

        impl ErrorType {
            /// All of them, in the order of their names.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name, without the colon of Jepsen's keyword.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

error_types! {
    /// A cycle of write-write dependencies.
    G0 = "G0",
    /// The same, with real-time order in it.
    G0Realtime = "G0-realtime",
    /// A value was polled whose send had certainly failed.
    AbortedRead = "G1a",
    /// A cycle of write-write and write-read dependencies.
    G1c = "G1c",
    /// The same, with real-time order in it.
    G1cRealtime = "G1c-realtime",
    /// Somewhere is a G0.
    Pl1CycleExists = "PL-1-cycle-exists",
    /// Somewhere is a G1c.
    Pl2CycleExists = "PL-2-cycle-exists",
    /// A value at more than one offset.
    Duplicate = "duplicate",
    /// No operation depends on any other, so that nothing can be said of cycles.
    EmptyTransactionGraph = "empty-transaction-graph",
    /// An offset with more than one value.
    InconsistentOffsets = "inconsistent-offsets",
    /// One operation polled a value at or before the one before it.
    IntNonmonotonicPoll = "int-nonmonotonic-poll",
    /// One operation sent a value that came at or before the one before it.
    IntNonmonotonicSend = "int-nonmonotonic-send",
    /// One operation polled past a value.
    IntPollSkip = "int-poll-skip",
    /// Between two values that one operation sent came another.
    IntSendSkip = "int-send-skip",
    /// A value below what somebody read that nobody read.
    LostWrite = "lost-write",
    /// A process went back.
    NonmonotonicPoll = "nonmonotonic-poll",
    /// A process's value came at or before the one that it had sent before.
    NonmonotonicSend = "nonmonotonic-send",
    /// A process went past a value.
    PollSkip = "poll-skip",
    /// An operation polled what it had sent itself.
    PrecommittedRead = "precommitted-read",
    /// Somewhere is a G0-realtime.
    StrongPl1CycleExists = "strong-PL-1-cycle-exists",
    /// Somewhere is a G1c-realtime.
    StrongPl2CycleExists = "strong-PL-2-cycle-exists",
    /// At the end of the history, acknowledged values that nobody had polled.
    Unseen = "unseen",
}

/// An operation as a witness names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpRef {
    /// Its `:index`.
    pub index: i64,
    /// The line of the file that it begins in.
    pub line: usize,
    /// Its process.
    pub process: i64,
    /// How it ended.
    #[serde(rename = "type")]
    pub stage: Stage,
    /// What it did.
    #[serde(rename = "f")]
    pub function: Function,
}

impl From<&Op> for OpRef {
    fn from(op: &Op) -> Self {
        Self { index: op.index, line: op.line, process: op.process, stage: op.stage, function: op.function }
    }
}

/// Why one operation of a cycle comes before the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Step {
    /// It sent the value right before the one that the next sent.
    Ww {
        /// To which key.
        key: Atom,
        /// What it sent.
        value: Atom,
        /// What the next sent.
        next_value: Atom,
    },
    /// It sent what the next polled.
    Wr {
        /// To which key.
        key: Atom,
        /// What.
        value: Atom,
    },
    /// It was over before the next began.
    Realtime,
}

/// One witness. Its fields are Jepsen's, but that operations are named and not repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "the fields are Jepsen's and are explained in docs/jepsen.md")]
pub enum Witness {
    /// `duplicate`.
    Offsets { key: Atom, value: Atom, offsets: Vec<i64> },
    /// `inconsistent-offsets`.
    Values { key: Atom, offset: i64, index: usize, values: Vec<Atom> },
    /// `G1a`.
    AbortedRead { key: Atom, value: Atom, writer: Option<OpRef>, reader: OpRef },
    /// `precommitted-read`.
    OwnRead { key: Atom, value: Atom, op: OpRef },
    /// `lost-write`.
    Lost { key: Atom, value: Atom, index: usize, max_read_index: usize, writer: OpRef, max_read: Option<OpRef> },
    /// `unseen`, of one key; the first values only.
    Unseen { key: Atom, count: usize, messages: Vec<Atom> },
    /// The `int-` types: two values of one operation, one after the other.
    Within { key: Atom, values: [Atom; 2], delta: isize, op: OpRef },
    /// The others: the last value of one operation and the first of the next.
    Between { key: Atom, values: [Atom; 2], delta: isize, ops: [OpRef; 2] },
    /// A cycle: each operation comes before the next, and the last before the first.
    Cycle { cycle: Vec<OpRef>, steps: Vec<Step> },
    /// A cycle exists among these operations, which is not what this consistency model allows.
    CycleExists { not: &'static str, scc_size: usize, scc: Vec<i64> },
    /// `empty-transaction-graph`.
    Nothing {},
}

/// What was found of one type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// How many.
    pub count: usize,
    /// The first of them, at most [`EXAMPLES_MAX`].
    pub examples: Vec<Witness>,
}

/// Everything that was found, by type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Findings(pub BTreeMap<ErrorType, Found>);

impl Findings {
    /// Counts one more of a type, and keeps a witness of it while there is room.
    pub fn add(&mut self, error: ErrorType, witness: impl FnOnce() -> Witness) {
        let found = self.0.entry(error).or_default();
        found.count += 1;
        if found.examples.len() < EXAMPLES_MAX {
            found.examples.push(witness());
        }
    }

    /// The types that were found.
    pub fn types(&self) -> impl Iterator<Item = ErrorType> + '_ {
        self.0.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_come_in_the_order_of_their_names() {
        let names: Vec<&str> = ErrorType::ALL.iter().map(|error| error.name()).collect();
        assert!(names.is_sorted(), "{names:?}");
        assert!(ErrorType::ALL.is_sorted());
        for error in ErrorType::ALL {
            assert_eq!(serde_json::to_value(error).expect("a name"), error.name());
        }
    }

    #[test]
    fn what_is_found_too_often_is_counted_and_not_kept() {
        let mut findings = Findings::default();
        for _ in 0..=EXAMPLES_MAX {
            findings.add(ErrorType::G0, || Witness::Nothing {});
        }
        let found = &findings.0[&ErrorType::G0];
        assert_eq!((found.count, found.examples.len()), (EXAMPLES_MAX + 1, EXAMPLES_MAX));
    }
}
