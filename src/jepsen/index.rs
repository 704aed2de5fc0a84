//! Who sent what, and what was read for certain: `writer-of`, `reads-by-type` and `must-have-committed?`.
//!
//! - The writer of a value is the completion, of whatever type, that sent it; of several the last.
//! - An operation *must have committed* if it is ok; or if it is info and an ok poll read anything that it sent. Then all of
//!   it happened, because transactions are atomic.

use std::collections::{HashMap, HashSet};

use super::op::{History, Key, Op, Stage, Value, pairs};

/// What the anomalies' definitions look up.
pub struct Index {
    /// The place of the completion that sent a value.
    writers: HashMap<(Key, Value), usize>,
    /// What ok operations read of each key; a key may be there without a value.
    pub ok_reads: HashMap<Key, HashSet<Value>>,
    /// What failed operations sent.
    pub failed_writes: HashSet<(Key, Value)>,
}

impl Index {
    /// Indexes a history.
    pub fn build(history: &History) -> Self {
        let mut index = Self { writers: HashMap::new(), ok_reads: HashMap::new(), failed_writes: HashSet::new() };
        for (at, op) in history.numbered().filter(|(_, op)| op.is_completion()) {
            index.writers.extend(pairs(&op.writes).map(|pair| (pair, at)));
            if op.stage == Stage::Fail {
                index.failed_writes.extend(pairs(&op.writes));
            }
            if op.stage == Stage::Ok {
                for (key, values) in &op.reads {
                    index.ok_reads.entry(*key).or_default().extend(values);
                }
            }
        }
        index
    }

    /// The place of the completion that sent a value.
    pub fn writer_of(&self, key: Key, value: Value) -> Option<usize> {
        self.writers.get(&(key, value)).copied()
    }

    /// Every value that some completion sent, with the completion's place.
    pub fn written(&self) -> impl Iterator<Item = (Key, Value, usize)> + '_ {
        self.writers.iter().map(|((key, value), at)| (*key, *value, *at))
    }

    /// Whether an ok operation read a value.
    pub fn was_read(&self, key: Key, value: Value) -> bool {
        self.ok_reads.get(&key).is_some_and(|values| values.contains(&value))
    }

    /// Whether everything that an operation sent is certainly in the log.
    pub fn must_have_committed(&self, op: &Op) -> bool {
        match op.stage {
            Stage::Ok => true,
            Stage::Info => pairs(&op.writes).any(|(key, value)| self.was_read(key, value)),
            Stage::Invoke | Stage::Fail => false,
        }
    }
}
