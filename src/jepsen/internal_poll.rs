//! `int-poll-skip` and `int-nonmonotonic-poll`: the same within one operation.
//!
//! Of each key all values that one operation polled, in order, over all of its polls: from each to the next more than one
//! place is a skip, no place or less is nonmonotonic. Operations of every type count. Both are always bad, but for the keys
//! that the operation's own `:rebalance-log` names: those are passed over, in that operation only.

use super::finding::{ErrorType, Findings, Witness};
use super::op::History;
use super::version_order::VersionOrders;

/// Finds skips and repetitions within operations.
pub fn find(history: &History, orders: &VersionOrders, findings: &mut Findings) {
    for op in &history.ops {
        for (key, values) in op.reads.iter().filter(|(key, _)| !op.rebalanced.contains(key)) {
            let order = orders.of(*key);
            for pair in values.windows(2) {
                let delta = order.delta(Some(pair[0]), Some(pair[1]));
                let error = match delta {
                    2.. => ErrorType::IntPollSkip,
                    1 => continue,
                    _ => ErrorType::IntNonmonotonicPoll,
                };
                findings.add(error, || Witness::Within {
                    key: history.key(*key),
                    values: [history.value(pair[0]), history.value(pair[1])],
                    delta,
                    op: op.into(),
                });
            }
        }
    }
}
