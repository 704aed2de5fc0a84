//! `lost-write`: somebody read a later value of the key, and nobody this one.
//!
//! For each key that an ok operation polled:
//!
//! - the *bound* is the highest index that was certainly reached: of the values that ok operations read, each at the first
//!   of its places, the last one;
//! - every value whose last place is at or below the bound should have been read;
//! - lost is what no ok operation read, if its sender must have committed.
//!
//! First and last places make it cautious where a value has several. Always bad.
//!
//! So the loss of a log's end is no lost write but `unseen`, and so is the loss of a value whose offset nobody knows. And
//! where ok operations name a key but of no value that they read is a place known, Jepsen looks for the value before the
//! first one, and throws.

use std::collections::HashMap;

use super::finding::{ErrorType, Findings, OpRef, Witness};
use super::index::Index;
use super::op::{History, Key, Stage, Value, pairs};
use super::thrown::Thrown;
use super::version_order::{VersionOrder, VersionOrders};

/// The first and the last place of a value.
type Span = (usize, usize);

/// Finds lost writes.
pub fn find(history: &History, index: &Index, orders: &VersionOrders, findings: &mut Findings) -> Vec<Thrown> {
    let mut thrown = Vec::new();
    let mut keys: Vec<Key> = index.ok_reads.keys().copied().collect();
    keys.sort_unstable();
    for key in keys {
        let order = orders.of(key);
        let spans = spans(order);
        let reached = index.ok_reads[&key].iter().filter_map(|value| spans.get(value).map(|span| span.0)).max();
        let Some(bound) = reached else {
            thrown.push(Thrown::NothingPlaced(history.key(key)));
            continue;
        };
        let mut lost: Vec<(usize, Value, usize)> = spans
            .iter()
            .filter(|(value, span)| span.1 <= bound && !index.was_read(key, **value))
            .filter_map(|(value, span)| index.writer_of(key, *value).map(|writer| (span.0, *value, writer)))
            .filter(|(_, _, writer)| index.must_have_committed(&history.ops[*writer]))
            .collect();
        lost.sort_unstable();
        for (first, value, writer) in lost {
            findings.add(ErrorType::LostWrite, || Witness::Lost {
                key: history.key(key),
                value: history.value(value),
                index: first,
                max_read_index: bound,
                writer: (&history.ops[writer]).into(),
                max_read: first_reader(history, key, &order.log[bound].values),
            });
        }
    }
    thrown
}

fn spans(order: &VersionOrder) -> HashMap<Value, Span> {
    let mut spans: HashMap<Value, Span> = HashMap::new();
    for (at, place) in order.log.iter().enumerate() {
        for value in &place.values {
            spans.entry(*value).or_insert((at, at)).1 = at;
        }
    }
    spans
}

/// Who first read one of these values, for certain.
fn first_reader(history: &History, key: Key, values: &[Value]) -> Option<OpRef> {
    let mut oks = history.ops.iter().filter(|op| op.stage == Stage::Ok);
    oks.find(|op| pairs(&op.reads).any(|(other, value)| other == key && values.contains(&value))).map(OpRef::from)
}
