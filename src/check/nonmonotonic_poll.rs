//! `nonmonotonic-poll`: a reader stepped back in a partition, or read an offset again, while it owned it.
//!
//! **Definition.** In one reading (`readings`: one reader, one partition, one ownership interval), each read lies at a higher
//! offset than the read before it. What counts is the offset, not what lies there: corrupt bytes are read, too.
//!
//! **Why Kafka promises it.** As for `poll-skip`: within an interval a consumer only goes forward. At-least-once delivery gives
//! records again when a partition changes hands, and at no other time: an application that keeps state by partition relies
//! on it.
//!
//! **Against Jepsen**, whose name this is (with `int-nonmonotonic-poll`): there it is judged by places in the version order,
//! and not at all between two polls of a subscriber. Here a subscriber is judged within each ownership interval, and not
//! across two of them: that a new owner begins at a lower offset than the last one had read is redelivery, which is counted
//! (`redelivery`) and legal, unless it lies before what was committed (`commit-regression`).
//!
//! **What breaks it by right**: an unclean election, after which a log may end before a reader's position. The client finds
//! that out and begins at the log's start. A scenario that elects so has to allow this check to find something.
//!
//! **When it cannot tell**: in a cut history, where the event that began an interval may be missing. Reads outside of every
//! interval are not judged, and counted in the notes.
//!
//! **Examined**: reads inside readings.

use crate::anomaly::{CheckName, CheckResult};
use crate::history::ReadRow;

use super::Checker;
use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::readings::{Reading, Readings, about_read, judge_readings};

/// Looks for readers that stepped back.
pub struct NonmonotonicPoll;

impl Checker for NonmonotonicPoll {
    fn name(&self) -> CheckName {
        CheckName::NonmonotonicPoll
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::NonmonotonicPoll);
        if let Some(doubt) = evidence.torn() {
            findings.doubt(doubt);
        }
        judge_readings(evidence, &mut findings, check_reading);
        findings.finish()
    }
}

fn check_reading(
    evidence: &Evidence<'_>,
    partition: &PartitionEvidence<'_>,
    (_, reading): (&Readings, &Reading),
    findings: &mut Findings,
) {
    let mut previous: Option<&ReadRow> = None;
    for read in reading.reads(partition) {
        let Some(before) = previous.replace(read).filter(|before| read.offset <= before.offset) else { continue };
        findings.violation(|| {
            let step = if read.offset == before.offset { "the same again" } else { "stepped back" };
            let text = format!(
                "{} read offset {} of {} and then offset {} in one ownership interval: {step}.",
                evidence.label(reading.reader),
                before.offset,
                partition.name(),
                read.offset,
            );
            about_read(evidence, partition, reading.party, read, text)
        });
    }
}
