//! `precommitted-read`: a transaction polled a value that it had sent itself.
//!
//! Legal in most databases; in Kafka nobody is to see what is not committed, the sender's own consumer included. Operations
//! of every type count, failed and info ones too, each once. Always bad.

use super::finding::{ErrorType, Findings, Witness};
use super::op::{History, pairs};

/// Finds transactions that read what they sent.
pub fn find(history: &History, findings: &mut Findings) {
    for op in history.ops.iter().filter(|op| !op.writes.is_empty() && !op.reads.is_empty()) {
        let read = |pair: &_| pairs(&op.reads).any(|other| other == *pair);
        if let Some((key, value)) = pairs(&op.writes).find(read) {
            findings.add(ErrorType::PrecommittedRead, || Witness::OwnRead {
                key: history.key(key),
                value: history.value(value),
                op: op.into(),
            });
        }
    }
}
