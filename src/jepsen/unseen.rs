//! `unseen`: acknowledged values that nobody had polled when the history ended.
//!
//! Of the ok sends, polls and transactions, in order: what was sent, less what was polled, of each key. What counts is what
//! is left after the last of them. A value needs no offset to be unseen. Always bad, so that a history which ends before
//! everything was polled is invalid.
//!
//! It can fire wrongly, because keys that were polled and not yet sent to are merged in as if all that was polled of them was
//! sent: if the last operation is the first to poll a key, and no acknowledged send to that key came before, what it polled
//! counts as unseen. One more operation clears it.

use std::collections::{HashMap, HashSet};

use super::finding::{ErrorType, Findings, Witness};
use super::op::{Atom, History, Key, Op, Stage, Value};
use super::thrown::{Thrown, incomparable};

/// How many unseen values of a key a witness shows.
const SHOWN_MAX: usize = 32;

/// Finds what is unseen at the end. Jepsen sorts the keys that it reports.
pub fn find(history: &History, findings: &mut Findings) -> Option<Thrown> {
    let mut walk = Walk::default();
    for op in history.ops.iter().filter(|op| op.stage == Stage::Ok && op.function.is_transactional()) {
        walk.step(op);
    }
    let mut left: Vec<(Atom, HashSet<Value>)> = walk
        .unseen
        .into_iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(key, values)| (history.key(key), values))
        .collect();
    left.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    let thrown = incomparable("the keys that have unseen values", left.iter().map(|(key, _)| key));
    for (key, values) in left {
        findings.add(ErrorType::Unseen, || {
            let mut messages: Vec<Atom> = values.iter().map(|value| history.value(*value)).collect();
            messages.sort_unstable();
            messages.truncate(SHOWN_MAX);
            Witness::Unseen { key, count: values.len(), messages }
        });
    }
    thrown
}

#[derive(Default)]
struct Walk {
    /// Sent and not polled, or taken for sent.
    unseen: HashMap<Key, HashSet<Value>>,
    polled: HashMap<Key, HashSet<Value>>,
    /// Keys whose polled values were taken for sent by the operation before.
    mistaken: Vec<Key>,
}

impl Walk {
    fn step(&mut self, op: &Op) {
        // All of them were polled, so the next comparison of sent and polled takes them out again.
        for key in self.mistaken.drain(..) {
            self.unseen.entry(key).or_default().clear();
        }
        for (key, values) in &op.reads {
            self.polled.entry(*key).or_default().extend(values);
        }
        for (key, values) in &op.writes {
            let polled = self.polled.get(key);
            let is_new = |value: &&Value| !polled.is_some_and(|polled| polled.contains(*value));
            self.unseen.entry(*key).or_default().extend(values.iter().filter(is_new));
        }
        for (key, values) in &op.reads {
            if let Some(unseen) = self.unseen.get_mut(key) {
                for value in values {
                    unseen.remove(value);
                }
            } else {
                self.unseen.insert(*key, self.polled[key].clone());
                self.mistaken.push(*key);
            }
        }
    }
}
