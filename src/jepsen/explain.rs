//! Why one operation of a cycle comes before the next, and by what name Elle calls the cycle.
//!
//! A cycle is searched by the edges of the graph and named by explanations, and they need not agree: an edge that was walked
//! because of real time is explained by a value if there is one. The explanations are tried in this order: ww, wr, realtime.
//! With a wr among them the cycle is a G1c, else a G0; with a realtime among them it has `-realtime` in its name.

use super::finding::{ErrorType, OpRef, Step, Witness};
use super::index::Index;
use super::op::{History, pairs};
use super::version_order::VersionOrders;

/// What explanations are found in.
pub struct Explainer<'a> {
    /// The operations.
    pub history: &'a History,
    /// Who sent what.
    pub index: &'a Index,
    /// In which order it lies.
    pub orders: &'a VersionOrders,
    /// Whether the order of sends counts.
    pub ww_deps: bool,
}

impl Explainer<'_> {
    /// The name of a cycle, and the cycle with its reasons. The operations are given by their places; the last one comes
    /// before the first.
    pub fn cycle(&self, places: &[usize]) -> (ErrorType, Witness) {
        let next = places.iter().cycle().skip(1);
        let steps: Vec<Step> = places.iter().zip(next).map(|(from, to)| self.step(*from, *to)).collect();
        let has = |wanted: fn(&Step) -> bool| steps.iter().any(wanted);
        let read = has(|step| matches!(step, Step::Wr { .. }));
        let realtime = has(|step| matches!(step, Step::Realtime));
        let error = match (read, realtime) {
            (false, false) => ErrorType::G0,
            (false, true) => ErrorType::G0Realtime,
            (true, false) => ErrorType::G1c,
            (true, true) => ErrorType::G1cRealtime,
        };
        let cycle: Vec<OpRef> = places.iter().map(|place| (&self.history.ops[*place]).into()).collect();
        (error, Witness::Cycle { cycle, steps })
    }

    fn step(&self, from: usize, to: usize) -> Step {
        self.write_write(from, to).or_else(|| self.write_read(from, to)).unwrap_or(Step::Realtime)
    }

    fn write_write(&self, from: usize, to: usize) -> Option<Step> {
        if !self.ww_deps {
            return None;
        }
        pairs(&self.history.ops[to].writes).find_map(|(key, value)| {
            let previous = self.orders.of(key).previous(value)?;
            (self.index.writer_of(key, previous) == Some(from)).then(|| Step::Ww {
                key: self.history.key(key),
                value: self.history.value(previous),
                next_value: self.history.value(value),
            })
        })
    }

    fn write_read(&self, from: usize, to: usize) -> Option<Step> {
        let mut read = pairs(&self.history.ops[to].reads);
        let (key, value) = read.find(|(key, value)| self.index.writer_of(*key, *value) == Some(from))?;
        Some(Step::Wr { key: self.history.key(key), value: self.history.value(value) })
    }
}
