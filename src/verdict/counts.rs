//! How much happened: the numbers that stand at the head of a report.

use crate::history::tally::Tally;
use crate::kafka::Outcome;

use super::Counts;

/// Brings the sends and reads of all partitions together.
pub fn count(tally: &Tally) -> Counts {
    let mut counts = Counts::default();
    for (_, sends) in tally.sends.partitions.iter() {
        counts.sent += sends.sent;
        counts.acked += sends.of(Outcome::Ok);
        counts.failed += sends.of(Outcome::Fail);
        counts.indeterminate += sends.of(Outcome::Info);
    }
    for (_, reads) in tally.reads.partitions.iter() {
        counts.read += reads.reads;
        counts.read_distinct += reads.drained_intact();
    }
    counts
}
