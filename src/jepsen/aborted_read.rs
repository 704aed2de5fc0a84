//! `G1a`, aborted read: an ok poll or txn read a value that a failed operation had sent.
//!
//! Always bad. Only ok reads count: an aborted value in a failed or info poll is reported by nothing.

use super::finding::{ErrorType, Findings, Witness};
use super::index::Index;
use super::op::{History, Stage, pairs};

/// Finds aborted reads.
pub fn find(history: &History, index: &Index, findings: &mut Findings) {
    for op in history.ops.iter().filter(|op| op.stage == Stage::Ok) {
        for (key, value) in pairs(&op.reads).filter(|pair| index.failed_writes.contains(pair)) {
            findings.add(ErrorType::AbortedRead, || Witness::AbortedRead {
                key: history.key(key),
                value: history.value(value),
                writer: index.writer_of(key, value).map(|at| (&history.ops[at]).into()),
                reader: op.into(),
            });
        }
    }
}
