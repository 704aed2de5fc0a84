//! `nonmonotonic-send`: a process's value came at or before the one that it had sent before.
//!
//! Of each process and key: from the last value that its previous ok or info operation sent to the first that this one sent.
//! No place on or less is nonmonotonic. An ok or info `assign` or `subscribe` makes the process forget the keys that it does
//! not name, as if it was about producers too. Always bad. What others sent in between is no fault, so there is no skip.

use std::collections::HashMap;

use super::finding::{ErrorType, Findings, Witness};
use super::op::{Function, History, Key, Op, Stage, Value};
use super::version_order::VersionOrders;

/// Finds sends of one process that changed places.
pub fn find(history: &History, orders: &VersionOrders, findings: &mut Findings) {
    let mut processes: HashMap<i64, HashMap<Key, (&Op, Value)>> = HashMap::new();
    for op in history.ops.iter().filter(|op| matches!(op.stage, Stage::Ok | Stage::Info)) {
        let sent = processes.entry(op.process).or_default();
        if matches!(op.function, Function::Assign | Function::Subscribe) {
            sent.retain(|key, _| op.keys.contains(key));
        }
        for (key, values) in &op.writes {
            let (Some(first), Some(last)) = (values.first(), values.last()) else { continue };
            if let Some((before, previous)) = sent.insert(*key, (op, *last)) {
                let delta = orders.of(*key).delta(Some(previous), Some(*first));
                if delta < 1 {
                    findings.add(ErrorType::NonmonotonicSend, || Witness::Between {
                        key: history.key(*key),
                        values: [history.value(previous), history.value(*first)],
                        delta,
                        ops: [before.into(), op.into()],
                    });
                }
            }
        }
    }
}
