//! Why Jepsen's analysis would throw, and so know nothing of the history: its checker then says `:unknown`.

use thiserror::Error;

use super::finding::OpRef;
use super::op::Atom;

/// One reason. A real run meets none of them unless its client or its history is at fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Thrown {
    /// Jepsen's folds have nothing to fold over.
    #[error("the history has no operation of a client")]
    NoClientOps,
    /// `::double-invoke`: a process has one operation at a time.
    #[error("process {} begins an operation in line {} while that of line {} is still running", .next.process, .next.line, .running.line)]
    DoubleInvoke {
        /// The operation that is still running.
        running: OpRef,
        /// The one that begins.
        next: OpRef,
    },
    /// `::not-running`: what ends has to have begun.
    #[error("process {} ends an operation in line {} and had begun none", .0.process, .0.line)]
    NotRunning(OpRef),
    /// `:no-writer-of-value`: somebody has to have sent it, and that send has to have ended somehow.
    #[error("line {} polled {value} from key {key}, and no send of it ended, neither well nor badly", .reader.line)]
    NoWriter {
        /// Of which key.
        key: Atom,
        /// Which value.
        value: Atom,
        /// Who polled it.
        reader: OpRef,
    },
    /// `lost-write` looks at the last place that somebody read, and there is none.
    #[error("ok polls name key {0}, and of none of the values that they read is an offset known")]
    NothingPlaced(Atom),
    /// What is found is sorted, and Clojure compares no integer with a keyword.
    #[error("{what} would be sorted, and are not of one kind: {one} and {other}")]
    Incomparable {
        /// What would be sorted.
        what: &'static str,
        /// One of them.
        one: Atom,
        /// One of another kind.
        other: Atom,
    },
}

/// Two atoms that Clojure's `compare` would not compare; `nil` it puts before anything.
pub fn incomparable<'a>(what: &'static str, atoms: impl IntoIterator<Item = &'a Atom>) -> Option<Thrown> {
    let mut atoms = atoms.into_iter().filter(|atom| **atom != Atom::Nil);
    let one = atoms.next()?;
    let other = atoms.find(|atom| std::mem::discriminant(*atom) != std::mem::discriminant(one))?;
    Some(Thrown::Incomparable { what, one: one.clone(), other: other.clone() })
}
