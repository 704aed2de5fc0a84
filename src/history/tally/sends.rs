//! What is counted of sends.

use super::{Asked, ByPlace, Cover, Highs, Histogram, InFlight, Lookup, Place, Spans, Windows, second_of};
use crate::history::SendRow;
use crate::kafka::{Outcome, ProcessId, TimeNs};

/// Two acknowledgements less than this apart leave no gap that anybody would speak of.
pub(crate) const NEAR_NS: u64 = 1_000_000;

/// Of all sends.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SendTally {
    /// By partition.
    pub partitions: ByPlace<PartitionSends>,
    /// By second of the run.
    pub seconds: Vec<SendSecond>,
    /// The latency of what was acknowledged.
    pub latency: Histogram,
    /// The same of what was asked for in each phase.
    pub by_phase: Vec<Histogram>,
    /// The same of what was under way during each fault.
    pub by_fault: Vec<Histogram>,
    /// How many sends were invoked or in flight while each fault was in force.
    pub overlapping: Vec<u64>,
    /// When the first send was given up or refused that was under way during each fault's reach.
    pub first_failures: Vec<Option<TimeNs>>,
    /// How many each process sent before the load ended.
    pub in_time: Lookup<u64>,
    /// When the first acknowledgement came.
    pub first_ack: Option<TimeNs>,
    /// How many were under way at once.
    pub in_flight: InFlight,
    /// The last completion.
    pub last: TimeNs,
    phases: Vec<(TimeNs, TimeNs)>,
    faults: Windows,
    reaches: Windows,
    load_ended: TimeNs,
}

/// Of one partition's sends.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartitionSends {
    /// All of them.
    pub sent: u64,
    /// By outcome, in the order of [`Outcome`]: `ok`, `fail`, `info`.
    pub by_outcome: [u64; 3],
    /// When sends waited, from their scheduled time to their completion.
    pub waits: Cover,
    /// When acknowledgements came, less than [`NEAR_NS`] apart.
    pub acks: Cover,
    /// How far the log had been acknowledged at any time.
    pub acked_at: Highs,
    /// How many rows name a send that another row names already.
    pub repeated: u64,
    sequences: Lookup<Spans>,
}

impl PartitionSends {
    /// How many ended so.
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.by_outcome[outcome as usize]
    }

    /// How many sends have no row although a later one of their process has.
    pub fn missing(&self) -> u64 {
        self.sequences.iter().map(|(_, sequences)| sequences.holes()).sum()
    }
}

/// Of one second of the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SendSecond {
    /// Sends invoked in it.
    pub sent: u64,
    /// Sends completed in it, by outcome as in [`PartitionSends::by_outcome`].
    pub by_outcome: [u64; 3],
    /// The latency of what was acknowledged in it.
    pub latency: Histogram,
}

impl SendTally {
    /// Nothing counted yet.
    pub fn new(places: &[Place], asked: &Asked) -> Self {
        Self {
            partitions: ByPlace::new(places),
            by_phase: vec![Histogram::default(); asked.phases.len()],
            by_fault: vec![Histogram::default(); asked.faults.len()],
            overlapping: vec![0; asked.faults.len()],
            first_failures: vec![None; asked.reaches.len()],
            phases: asked.phases.iter().map(|(_, from, to)| (*from, *to)).collect(),
            faults: Windows::new(&asked.faults),
            reaches: Windows::new(&asked.reaches),
            load_ended: asked.load_ended,
            ..Self::default()
        }
    }

    /// Counts one.
    pub fn take(&mut self, send: &SendRow) {
        self.last = self.last.max(send.complete_ns);
        self.in_flight.take(send.invoke_ns, send.complete_ns);
        if send.invoke_ns <= self.load_ended {
            *self.in_time.entry(send.process, || 0) += 1;
        }
        for fault in self.faults.touching(send.invoke_ns, send.complete_ns) {
            self.overlapping[fault] += 1;
        }
        second(&mut self.seconds, send.invoke_ns).sent += 1;
        second(&mut self.seconds, send.complete_ns).by_outcome[send.outcome as usize] += 1;
        if send.outcome == Outcome::Ok {
            self.acked(send);
        } else {
            for fault in self.reaches.touching(send.invoke_ns, send.complete_ns) {
                let first = &mut self.first_failures[fault];
                *first = Some(first.map_or(send.complete_ns, |first| first.min(send.complete_ns)));
            }
        }
        if let Some(partition) = self.partitions.get_mut((send.topic, send.partition)) {
            partition.take(send);
        }
    }

    fn acked(&mut self, send: &SendRow) {
        let us = send.latency_us();
        self.first_ack = Some(self.first_ack.map_or(send.complete_ns, |first| first.min(send.complete_ns)));
        self.latency.record(us);
        second(&mut self.seconds, send.complete_ns).latency.record(us);
        let begun = self.phases.partition_point(|(from, _)| *from <= send.scheduled_ns);
        if let Some(phase) = begun.checked_sub(1).filter(|phase| send.scheduled_ns < self.phases[*phase].1) {
            self.by_phase[phase].record(us);
        }
        for fault in self.faults.touching(send.scheduled_ns, send.complete_ns) {
            self.by_fault[fault].record(us);
        }
    }

    /// How many sends of a process there were before the load ended.
    pub fn in_time(&self, process: ProcessId) -> u64 {
        self.in_time.get(process).copied().unwrap_or(0)
    }
}

fn second(seconds: &mut Vec<SendSecond>, time: TimeNs) -> &mut SendSecond {
    let at = second_of(time);
    if at >= seconds.len() {
        seconds.resize_with(at + 1, SendSecond::default);
    }
    &mut seconds[at]
}

impl PartitionSends {
    fn take(&mut self, send: &SendRow) {
        self.sent += 1;
        self.by_outcome[send.outcome as usize] += 1;
        self.waits.insert(send.scheduled_ns.0, send.complete_ns.0, 0);
        if !self.sequences.entry(send.process, Spans::default).insert(send.sequence.0) {
            self.repeated += 1;
        }
        if send.outcome == Outcome::Ok {
            self.acks.insert(send.complete_ns.0, send.complete_ns.0, NEAR_NS);
            if let Some(offset) = send.offset {
                self.acked_at.take(send.complete_ns, offset);
            }
        }
    }
}
