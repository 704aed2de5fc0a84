//! The first pass over sends: which chunks were acknowledged in full, in an order that real time allows, by one broker.

use std::collections::BTreeMap;

use super::chunks::{ChunkSize, Chunks};
use super::print::Print;
use crate::history::SendRow;
use crate::history::tally::{ByPlace, Place};
use crate::kafka::{BrokerId, Offset, Outcome, TimeNs};

/// How many chunks of a partition may be acknowledged in part before the oldest of them is taken for odd: as many as producers have
/// under way at once. All partitions together have [`ALL_OPEN_MAX`], some 100 MiB, so that memory does not grow with them.
const OPEN_MAX: usize = 64;
const ALL_OPEN_MAX: usize = 1_024;
/// One that is being filled, and the next.
const OPEN_MIN: usize = 2;

/// What was acknowledged of each partition.
pub struct SendSieve {
    pub(super) size: ChunkSize,
    most_open: usize,
    pub(super) partitions: ByPlace<Sent>,
}

/// What was acknowledged of one partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent {
    pub chunks: Chunks<SentChunk>,
    open: BTreeMap<i64, Open>,
}

/// What was acknowledged in one chunk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SentChunk {
    pub print: Print,
    pub earliest_ack: TimeNs,
    pub latest_ack: TimeNs,
    pub latest_invoke: TimeNs,
    /// The broker that acknowledged all of it; `None` if there were several, or it is not known.
    pub broker: Option<BrokerId>,
    /// Every offset of it was acknowledged once, and none of its records was sent after a later one's acknowledgement.
    pub is_whole: bool,
}

/// A chunk of which not everything is acknowledged yet: when each of its records was sent, and acknowledged.
#[derive(Clone, Debug)]
struct Open {
    times: Vec<Option<(TimeNs, TimeNs)>>,
    missing: usize,
}

impl SendSieve {
    pub(super) fn new(places: &[Place], size: ChunkSize) -> Self {
        let most_open = (ALL_OPEN_MAX / places.len().max(1)).clamp(OPEN_MIN, OPEN_MAX);
        Self { size, most_open, partitions: ByPlace::new(places) }
    }

    /// Takes a row in.
    pub fn take(&mut self, send: &SendRow) {
        let size = self.size;
        let Some(partition) = self.partitions.get_mut((send.topic, send.partition)) else { return };
        // Every other row is looked at: there are few of them.
        if let Some(offset) = send.offset.filter(|_| send.outcome == Outcome::Ok) {
            partition.acked((size, self.most_open), send, offset);
        }
    }
}

impl Sent {
    fn acked(&mut self, (size, most_open): (ChunkSize, usize), send: &SendRow, offset: Offset) {
        let number = size.of(offset);
        let chunk = self.chunks.at(number, SentChunk::default);
        if chunk.print.count == 0 {
            (chunk.earliest_ack, chunk.broker) = (send.complete_ns, send.broker);
            self.open.insert(number, Open { times: vec![None; size.len()], missing: size.len() });
        }
        chunk.print.add(offset, send.id(), send.bytes);
        chunk.earliest_ack = chunk.earliest_ack.min(send.complete_ns);
        chunk.latest_ack = chunk.latest_ack.max(send.complete_ns);
        chunk.latest_invoke = chunk.latest_invoke.max(send.invoke_ns);
        chunk.broker = chunk.broker.filter(|broker| Some(*broker) == send.broker);
        let Some(open) = self.open.get_mut(&number) else {
            // More than every offset once, or what was given up: whether it is whole is over.
            chunk.is_whole = false;
            return;
        };
        let time = &mut open.times[size.place(offset)];
        if time.replace((send.invoke_ns, send.complete_ns)).is_some() {
            self.open.remove(&number);
            return;
        }
        open.missing -= 1;
        if open.missing == 0 {
            chunk.is_whole = open.is_in_real_time();
            self.open.remove(&number);
        } else if self.open.len() > most_open {
            self.open.pop_first();
        }
    }
}

impl Open {
    /// Whether no record was sent after a later one's acknowledgement.
    fn is_in_real_time(&self) -> bool {
        let mut earliest_ack = TimeNs(u64::MAX);
        self.times.iter().rev().flatten().all(|(invoke, complete)| {
            let is_fine = *invoke <= earliest_ack;
            earliest_ack = earliest_ack.min(*complete);
            is_fine
        })
    }
}
