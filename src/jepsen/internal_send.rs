//! `int-send-skip` and `int-nonmonotonic-send`: how the sends of one operation lie in the log.
//!
//! Of each key the values that one operation sent, in order: from each to the next more than one place is a skip, no place or
//! less is nonmonotonic. Completions of every type count. A skip is never bad, because records of other transactions may lie
//! in between; the other always is.

use super::finding::{ErrorType, Findings, Witness};
use super::op::History;
use super::version_order::VersionOrders;

/// Finds what came between an operation's sends, and sends that changed places.
pub fn find(history: &History, orders: &VersionOrders, findings: &mut Findings) {
    for op in history.ops.iter().filter(|op| op.is_completion()) {
        for (key, values) in &op.writes {
            let order = orders.of(*key);
            for pair in values.windows(2) {
                let delta = order.delta(Some(pair[0]), Some(pair[1]));
                let error = match delta {
                    2.. => ErrorType::IntSendSkip,
                    1 => continue,
                    _ => ErrorType::IntNonmonotonicSend,
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
