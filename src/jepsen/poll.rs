//! `poll-skip` and `nonmonotonic-poll`: a process went past a value, or back, from one operation to the next.
//!
//! Of each process and key: from the last value that its previous ok operation read to the first value that this one read.
//! More than one place on is a skip, no place on or less is nonmonotonic; where a place is not known nothing is said. Both are
//! bad unless consumers subscribe: then partitions come and go between operations.
//!
//! What moves a process's position, and what does not:
//!
//! - only ok operations do. The client seeks back after one that failed or is in doubt, so that such a one is compared with
//!   the position, and so is the next one after it;
//! - an ok or info `assign` or `subscribe` keeps the positions of the keys that it names and forgets the others;
//! - an ok operation whose poll names a key and holds nothing of it makes the process forget its position there; a key that is
//!   left out keeps it;
//! - a `:rebalance-log` excuses nothing here, and neither does `:seek-to-beginning?`.

use std::collections::HashMap;

use super::finding::{ErrorType, Findings, Witness};
use super::op::{Function, History, Key, Op, Stage, Value};
use super::version_order::VersionOrders;

/// Where a process is in a key: the operation that read it last, and the last value, if there was one.
type Position<'a> = (&'a Op, Option<Value>);

/// Finds what processes skipped and where they went back.
pub fn find(history: &History, orders: &VersionOrders, findings: &mut Findings) {
    let mut processes: HashMap<i64, HashMap<Key, Position<'_>>> = HashMap::new();
    for op in &history.ops {
        let positions = processes.entry(op.process).or_default();
        match op.function {
            Function::Assign | Function::Subscribe if matches!(op.stage, Stage::Ok | Stage::Info) => {
                positions.retain(|key, _| op.keys.contains(key));
            }
            Function::Poll | Function::Txn => {
                compare(history, orders, positions, op, findings);
                if op.stage == Stage::Ok {
                    positions.extend(op.reads.iter().map(|(key, values)| (*key, (op, values.last().copied()))));
                }
            }
            _ => {}
        }
    }
}

fn compare(
    history: &History,
    orders: &VersionOrders,
    positions: &HashMap<Key, Position<'_>>,
    op: &Op,
    findings: &mut Findings,
) {
    for (key, values) in &op.reads {
        let Some((before, last)) = positions.get(key) else { continue };
        let first = values.first().copied();
        let delta = orders.of(*key).delta(*last, first);
        let error = match delta {
            2.. => ErrorType::PollSkip,
            1 => continue,
            _ => ErrorType::NonmonotonicPoll,
        };
        let (Some(last), Some(first)) = (*last, first) else { continue };
        findings.add(error, || Witness::Between {
            key: history.key(*key),
            values: [history.value(last), history.value(first)],
            delta,
            ops: [(*before).into(), op.into()],
        });
    }
}
