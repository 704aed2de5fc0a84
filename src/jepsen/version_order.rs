//! The order of each key's values, and `inconsistent-offsets`.
//!
//! **Log.** Of each key the values that were ever seen at each offset: by every poll, whether its operation is ok, info or
//! failed, because a consumer has to be given safe records whatever becomes of its transaction; and by sends that know their
//! offset, if their operation must have committed. Jepsen's logs are vectors from offset 0, so that a negative offset is in
//! none of them.
//!
//! **Version order.** Offsets without a value are left out, which makes the others dense *indices*: gaps from transaction
//! markers are no gaps here. Of an offset with several values the one that a Clojure set yields first is taken
//! ([`super::hash`]), and of a value at several offsets the last index counts.
//!
//! **`inconsistent-offsets`.** An offset of a key with two values or more. Always bad.

use std::collections::{BTreeMap, HashMap};

use super::finding::{ErrorType, Findings, Witness};
use super::hash::clojure_rank;
use super::index::Index;
use super::op::{History, Key, Mop, Value};
use super::thrown::{Thrown, incomparable};

/// One offset of a log, with what was seen there.
#[derive(Debug)]
pub struct Place {
    /// The offset.
    pub offset: i64,
    /// The values, the one that the version order takes first.
    pub values: Vec<Value>,
}

/// The order of one key's values.
#[derive(Debug, Default)]
pub struct VersionOrder {
    /// The log, by index.
    pub log: Vec<Place>,
    /// The last index of each value that the version order took.
    by_value: HashMap<Value, usize>,
}

impl VersionOrder {
    /// The index of a value, if its place is known.
    pub fn index_of(&self, value: Value) -> Option<usize> {
        self.by_value.get(&value).copied()
    }

    /// The value at an index.
    pub fn at(&self, index: usize) -> Value {
        self.log[index].values[0]
    }

    /// The value right before another one, if there is any.
    pub fn previous(&self, value: Value) -> Option<Value> {
        self.index_of(value)?.checked_sub(1).map(|index| self.at(index))
    }

    /// How many places lie from one value to another: 1 is the next one. Where a place is not known nothing is held
    /// against anybody, and the distance is 1.
    pub fn delta(&self, from: Option<Value>, to: Option<Value>) -> isize {
        let place = |value: Option<Value>| value.and_then(|value| self.index_of(value));
        match (place(from), place(to)) {
            (Some(from), Some(to)) => to.cast_signed() - from.cast_signed(),
            _ => 1,
        }
    }
}

/// The orders of all keys.
#[derive(Debug)]
pub struct VersionOrders {
    orders: BTreeMap<Key, VersionOrder>,
    none: VersionOrder,
}

impl VersionOrders {
    /// Infers the orders.
    pub fn build(history: &History, index: &Index) -> Self {
        let mut seen: Vec<(Key, i64, Value)> = Vec::new();
        for op in history.ops.iter().filter(|op| op.function.is_transactional()) {
            let committed = index.must_have_committed(op);
            for mop in &op.mops {
                match mop {
                    Mop::Send(key, Some(offset), value) if committed => seen.push((*key, *offset, *value)),
                    Mop::Send(..) => {}
                    Mop::Poll(polled) => seen.extend(polled.iter().flat_map(|(key, pairs)| {
                        pairs.iter().filter_map(|(offset, value)| offset.map(|offset| (*key, offset, *value)))
                    })),
                }
            }
        }
        seen.retain(|(_, offset, _)| *offset >= 0);
        seen.sort_unstable();
        seen.dedup();

        let mut orders: BTreeMap<Key, VersionOrder> = BTreeMap::new();
        for place in seen.chunk_by(|left, right| (left.0, left.1) == (right.0, right.1)) {
            let (key, offset, _) = place[0];
            let mut values: Vec<Value> = place.iter().map(|(_, _, value)| *value).collect();
            if values.len() > 1 {
                values.sort_by_key(|value| clojure_rank(history.atoms.value(*value)));
            }
            let order = orders.entry(key).or_default();
            order.by_value.insert(values[0], order.log.len());
            order.log.push(Place { offset, values });
        }
        Self { orders, none: VersionOrder::default() }
    }

    /// The order of a key; an empty one where nothing is known of it.
    pub fn of(&self, key: Key) -> &VersionOrder {
        self.orders.get(&key).unwrap_or(&self.none)
    }

    /// All orders.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &VersionOrder)> {
        self.orders.iter().map(|(key, order)| (*key, order))
    }
}

/// Finds offsets with more than one value. Jepsen sorts the values of each.
pub fn inconsistent_offsets(history: &History, orders: &VersionOrders, findings: &mut Findings) -> Option<Thrown> {
    let mut thrown = None;
    for (key, order) in orders.iter() {
        for (index, place) in order.log.iter().enumerate().filter(|(_, place)| place.values.len() > 1) {
            let mut values: Vec<_> = place.values.iter().map(|value| history.value(*value)).collect();
            values.sort_unstable();
            thrown = thrown.or_else(|| incomparable("the values of an offset", &values));
            findings.add(ErrorType::InconsistentOffsets, || Witness::Values {
                key: history.key(key),
                offset: place.offset,
                index,
                values,
            });
        }
    }
    thrown
}
