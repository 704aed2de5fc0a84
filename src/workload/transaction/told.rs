//! What the history is told of one life's transactions.
//!
//! A life numbers its records to each partition in a row, and all of them are in transactions. So a transaction's records are
//! named by the sequences at which it began and at which it closed, and no row need say of which it is.

use crate::history::EventKind;
use crate::history::event::{Span, TransactionEnding, TransactionStage};
use crate::history::recorder::RecorderHandle;
use crate::kafka::{Partition, ProcessId, Sequence, TimeNs, TopicPartition, TransactionNumber};
use crate::workload::outcome::TransactionEnd;

/// Tells of one transaction after the other.
pub struct Told {
    recorder: RecorderHandle,
    process: ProcessId,
    partitions: Vec<TopicPartition>,
    number: u64,
    began_ns: TimeNs,
    /// The sequences at which the one under way began.
    from: Vec<u64>,
}

impl Told {
    /// Nothing is told yet of the life `process`, which sends to these partitions of a topic.
    pub fn new(recorder: RecorderHandle, process: ProcessId, topic: &str, partitions: &[Partition]) -> Self {
        let partitions: Vec<_> = partitions.iter().map(|partition| TopicPartition::new(topic, partition.0)).collect();
        let from = vec![0; partitions.len()];
        Self { began_ns: recorder.now(), recorder, process, partitions, number: 0, from }
    }

    /// One begins; its first records will bear the sequences `next`, partition by partition.
    pub(super) fn begins(&mut self, next: &[u64]) {
        self.began_ns = self.recorder.now();
        self.from.copy_from_slice(next);
    }

    /// It takes no more records, and is about to be ended in this way.
    pub(super) fn closes(&self, ending: TransactionEnding, next: &[u64]) {
        let spans = self.partitions.iter().zip(self.from.iter().zip(next));
        let spans = spans.map(|(partition, (from, next))| Span {
            partition: partition.clone(),
            first: Sequence(*from),
            count: next.saturating_sub(*from),
        });
        let records = spans.filter(|span| span.count > 0).collect();
        self.tell(TransactionStage::Invoke { ending, began_ns: self.began_ns, records });
    }

    /// It ended, or nobody knows whether; `reason` says why it did not end well.
    pub(super) fn ended(&mut self, end: TransactionEnd, reason: &str) {
        let reason = reason.to_owned();
        self.tell(match end {
            TransactionEnd::Committed | TransactionEnd::Aborted => TransactionStage::Ok,
            TransactionEnd::Fenced => TransactionStage::Fail { reason },
            TransactionEnd::Abandoned | TransactionEnd::Unknown => TransactionStage::Info { reason },
        });
        self.number += 1;
    }

    fn tell(&self, stage: TransactionStage) {
        let Self { process, number, .. } = *self;
        self.recorder.event(EventKind::Transaction { process, number: TransactionNumber(number), stage });
    }
}
