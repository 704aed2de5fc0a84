//! Who depends on whom: the graph that Elle searches for cycles.
//!
//! Its vertices are the completions of sends, polls and transactions, those that failed or are in doubt too. Its edges:
//!
//! - **ww**, only with `ww-deps`: from the sender of a value to the sender of the next one in the key's version order;
//! - **wr**: from the sender of a value to everybody who polled it, not only to those who polled it last;
//! - **realtime**: from an ok operation to every one that was begun after it was over, as far as no other ok operation lies
//!   between them (Elle's transitive reduction).
//!
//! No rw edges are drawn, and no edges by process: those are among the real-time ones. A polled value that nobody sent makes
//! the graph throw. A graph without any edge is the error `empty-transaction-graph`, which is bad.

use super::explain::Explainer;
use super::index::Index;
use super::op::{History, Stage, pairs};
use super::thrown::Thrown;
use super::verdict::Options;
use super::version_order::VersionOrders;

/// Kinds of dependency, as a set of bits.
pub type Rels = u8;

/// The next value was sent.
pub const WW: Rels = 1;
/// The value was polled.
pub const WR: Rels = 2;
/// It was over before the other began.
pub const REALTIME: Rels = 4;

/// One dependency: the second operation, by its place in the history, depends on the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Who comes first.
    pub from: usize,
    /// Who depends on it.
    pub to: usize,
    /// In which ways.
    pub rels: Rels,
}

/// All dependencies, and what tells why each is one.
pub struct Dependencies<'a> {
    /// At most one edge for each pair of operations.
    pub edges: Vec<Edge>,
    /// What tells of the operations.
    pub explainer: Explainer<'a>,
}

/// Builds the graph.
pub fn build<'a>(
    history: &'a History,
    paired: &[Option<usize>],
    index: &'a Index,
    orders: &'a VersionOrders,
    options: &Options,
) -> Result<Dependencies<'a>, Vec<Thrown>> {
    let mut edges = write_read(history, index)?;
    if options.ww_deps {
        edges.extend(write_write(index, orders));
    }
    edges.extend(realtime(history, paired));
    edges.sort_unstable();
    edges.dedup_by(|later, earlier| {
        let same = (later.from, later.to) == (earlier.from, earlier.to);
        if same {
            earlier.rels |= later.rels;
        }
        same
    });
    Ok(Dependencies { edges, explainer: Explainer { history, index, orders, ww_deps: options.ww_deps } })
}

fn write_read(history: &History, index: &Index) -> Result<Vec<Edge>, Vec<Thrown>> {
    let mut edges = Vec::new();
    let mut thrown = Vec::new();
    for (to, op) in history.numbered().filter(|(_, op)| op.is_completion()) {
        for (key, value) in pairs(&op.reads) {
            match index.writer_of(key, value) {
                Some(from) if from == to => {}
                // Of a poll's values many come from one sender, one after the other.
                Some(from) if edges.last().is_some_and(|edge: &Edge| (edge.from, edge.to) == (from, to)) => {}
                Some(from) => edges.push(Edge { from, to, rels: WR }),
                None => thrown.push(Thrown::NoWriter {
                    key: history.key(key),
                    value: history.value(value),
                    reader: op.into(),
                }),
            }
        }
    }
    if thrown.is_empty() { Ok(edges) } else { Err(thrown) }
}

fn write_write<'a>(index: &'a Index, orders: &'a VersionOrders) -> impl Iterator<Item = Edge> + 'a {
    index.written().filter_map(|(key, value, to)| {
        let previous = orders.of(key).previous(value)?;
        // Whoever is in a version order was sent by somebody, or `write_read` has thrown already.
        let from = index.writer_of(key, previous)?;
        (from != to).then_some(Edge { from, to, rels: WW })
    })
}

fn realtime(history: &History, paired: &[Option<usize>]) -> Vec<Edge> {
    let mut edges = Vec::new();
    // Ok operations that nothing which is over has come after.
    let mut latest: Vec<usize> = Vec::new();
    // Of each operation that was begun, by the place of its completion: which ones were over by then.
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); history.ops.len()];
    for (at, op) in history.numbered().filter(|(_, op)| op.function.is_transactional()) {
        if !op.is_completion() {
            if let Some(to) = paired[at].filter(|to| history.ops[*to].function.is_transactional()) {
                edges.extend(latest.iter().map(|from| Edge { from: *from, to, rels: REALTIME }));
                before[to].clone_from(&latest);
            }
        } else if op.stage == Stage::Ok {
            let implied = std::mem::take(&mut before[at]);
            latest.retain(|earlier| !implied.contains(earlier));
            latest.push(at);
        }
    }
    edges
}
