//! `poll-skip`: a reader jumped over a record of a partition while it owned it.
//!
//! **Definition.** In one reading (`readings`: one reader, one partition, one ownership interval), between the highest offset
//! read so far and the next one read: every record that certainly lies in between was passed over. A record certainly lies
//! where a drain reader found it, if nobody saw another one there and its send did not fail.
//!
//! **Why Kafka promises it.** A consumer that is given a partition fetches it offset by offset. It is told its place once,
//! when it is given the partition, and goes on from there, whichever broker leads and however often it has to ask again.
//!
//! **Against Jepsen**, whose name this is (with `int-poll-skip`): there a skip is judged by places in the version order, in
//! which lost and aborted records have places too, and not at all between two polls of a subscriber. Here only the final log
//! counts: what nobody found there is charged to `lost-write` alone. And a subscriber is judged within each ownership
//! interval, where nothing excuses it. Where an interval begins is `group-skip`'s question.
//!
//! **What is no skip**: offsets of control records and of aborted transactions, which no drain reader sees; a record that no
//! drain reader read at the time of the read beyond it or later, because retention or a fault may have moved the log's start,
//! past which a reader is set by right; a record that bears a later leader's epoch than the read beyond it, because it was
//! written after a log was cut off. That another member of the group reads the record is no excuse.
//!
//! **When it cannot tell**: what the drain did not read; in a cut history, where the event that began an interval may be
//! missing. Reads outside of every interval are not judged, and counted in the notes.
//!
//! **Examined**: reads inside readings.

use crate::anomaly::{CheckName, CheckResult};
use crate::history::ReadRow;

use super::Checker;
use super::evidence::{Evidence, PartitionEvidence, as_read};
use super::finding::Findings;
use super::readings::{Reading, Readings, after, judge_readings, of_party};

/// Looks for readers that jumped over records.
pub struct PollSkip;

impl Checker for PollSkip {
    fn name(&self) -> CheckName {
        CheckName::PollSkip
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::PollSkip);
        findings.doubts(&evidence.blind_spots());
        judge_readings(evidence, &mut findings, check_reading);
        findings.finish()
    }
}

fn check_reading(
    evidence: &Evidence<'_>,
    partition: &PartitionEvidence<'_>,
    (readings, reading): (&Readings, &Reading),
    findings: &mut Findings,
) {
    let mut highest: Option<&ReadRow> = None;
    for read in reading.reads(partition) {
        let Some(before) = highest.replace(read) else { continue };
        if read.offset <= before.offset {
            // Back to where it was is `nonmonotonic-poll`'s; what it has read it has not passed over.
            highest = Some(before);
            continue;
        }
        for place in readings.passed(evidence, partition, after(before)..read.offset, read) {
            let Some((_, send)) = partition.certain(place) else { continue };
            let offset = partition.log.sightings[place].offset;
            findings.violation(|| {
                let text = format!(
                    "{} read offsets {} and then {} of {} in one ownership interval, and passed over {} at offset {offset}.",
                    evidence.label(reading.reader),
                    before.offset,
                    read.offset,
                    partition.name(),
                    evidence.name(send.id()),
                );
                of_party(evidence, reading.party, as_read(evidence, read, partition.about(evidence, send, Some(offset), text)))
            });
        }
    }
}
