//! `duplicate`: a value at more than one offset of its key.
//!
//! Counted over the whole log, not over the version order, which keeps one value an offset only. Reading one offset twice is
//! no duplicate but a nonmonotonic poll. Always bad.
//!
//! Because the version order keeps the last of a value's places, a duplicate also shows as `int-poll-skip` and
//! `int-nonmonotonic-poll` in whoever read both.

use std::collections::HashMap;

use super::finding::{ErrorType, Findings, Witness};
use super::op::{History, Value};
use super::version_order::VersionOrders;

/// Finds values at several offsets.
pub fn find(history: &History, orders: &VersionOrders, findings: &mut Findings) {
    for (key, order) in orders.iter() {
        let mut places: HashMap<Value, usize> = HashMap::new();
        for value in order.log.iter().flat_map(|place| &place.values) {
            *places.entry(*value).or_default() += 1;
        }
        let mut twice: Vec<Value> =
            places.into_iter().filter(|(_, count)| *count > 1).map(|(value, _)| value).collect();
        twice.sort_unstable();
        for value in twice {
            findings.add(ErrorType::Duplicate, || {
                let there = order.log.iter().filter(|place| place.values.contains(&value));
                Witness::Offsets {
                    key: history.key(key),
                    value: history.value(value),
                    offsets: there.map(|place| place.offset).collect(),
                }
            });
        }
    }
}
