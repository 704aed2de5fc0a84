//! How much happened: the numbers that stand at the head of a report.

use crate::history::{History, PartitionHistory, ProcessRole};
use crate::kafka::{Outcome, ReadStatus, RecordId};

use super::Counts;

/// Counts a history's sends and reads.
pub fn count(history: &History) -> Counts {
    let mut counts = Counts::default();
    for rows in history.partitions.values() {
        for send in &rows.sends {
            counts.sent += 1;
            *match send.outcome {
                Outcome::Ok => &mut counts.acked,
                Outcome::Fail => &mut counts.failed,
                Outcome::Info => &mut counts.indeterminate,
            } += 1;
        }
        counts.read += rows.reads.len() as u64;
        counts.read_distinct += distinct(history, rows);
    }
    counts
}

/// How many distinct intact records the drain readers found in one partition.
fn distinct(history: &History, rows: &PartitionHistory) -> u64 {
    let is_drain = |read: &&crate::history::ReadRow| {
        matches!(history.processes.get(&read.reader), Some(ProcessRole::Drain { .. }))
    };
    let intact = rows.reads.iter().filter(|read| read.status == ReadStatus::Intact).filter(is_drain);
    let mut records: Vec<RecordId> = intact.map(|read| read.record).collect();
    records.sort_unstable();
    records.dedup();
    records.len() as u64
}
