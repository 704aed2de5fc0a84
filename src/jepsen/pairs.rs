//! Which completion belongs to which invocation: `jepsen.history`'s pair index.
//!
//! A process has one operation at a time, so an invocation pairs with the next completion of its process. Where that rule is
//! broken the pair index throws. It is built only where something asks for it, and that is so in every history with a
//! `send`, `poll` or `txn`: a history of nothing but `assign` operations may be as unpaired as it likes.

use std::collections::HashMap;

use super::op::{History, Op};
use super::thrown::Thrown;

/// For each operation the place of the one that it pairs with, if any.
pub type Pairs = Vec<Option<usize>>;

/// Pairs invocations with completions.
pub fn pair(history: &History) -> Result<Pairs, Thrown> {
    let mut pairs = vec![None; history.ops.len()];
    if !history.ops.iter().any(|op| op.function.is_transactional()) {
        return Ok(pairs);
    }
    let mut running: HashMap<i64, (usize, &Op)> = HashMap::new();
    for (at, op) in history.numbered() {
        if op.is_completion() {
            let (begun, _) = running.remove(&op.process).ok_or_else(|| Thrown::NotRunning(op.into()))?;
            pairs[begun] = Some(at);
            pairs[at] = Some(begun);
        } else if let Some((_, earlier)) = running.insert(op.process, (at, op)) {
            return Err(Thrown::DoubleInvoke { running: earlier.into(), next: op.into() });
        }
    }
    Ok(pairs)
}
