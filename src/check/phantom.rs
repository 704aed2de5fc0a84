//! `phantom`: a record was read that nobody sent, or whose send certainly failed.
//!
//! **Definition.** Some reader read an intact record whose (process, sequence) was never sent to the partition in this
//! run; or one whose send is `fail` (the analogue of Jepsen's G1a: a failed write became visible), unless its producer runs
//! transactions: that is `aborted-read`; or a record that carries no header of this run, although the run made the topic for
//! itself.
//!
//! **Why Kafka promises it.** A broker invents no records. A send is `fail` only where the client library knows that the
//! record was never persisted, so reading it afterwards means that an outcome which the application relied on was wrong.
//!
//! **Which reads count**: every reader's, the witness's too (Jepsen's G1a looks at `ok` polls only; here every poll is real). Misplaced
//! records were sent, elsewhere: they are `corrupt`'s.
//!
//! **When it cannot tell**: a missing send row is a witness only if the producer handed in all its rows. So a record without
//! one is unknown in a cut history, because its row may not have been flushed before the harness died; and when its process
//! was started but has no `process-ended`, because rows that it held are gone with it. A process that was never started
//! held none: in a whole history its records are phantoms. Nor can it tell when part of the log was not read.
//!
//! **Examined**: sightings (one content at one offset, however many readers saw it), and what only the witness saw. **Found**: the
//! same.

use crate::anomaly::{CheckName, CheckResult};
use crate::kafka::{Offset, Outcome};

use super::Checker;
use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::index::Slot;
use super::log::Content;

/// Looks for records out of nowhere.
pub struct Phantom;

impl Checker for Phantom {
    fn name(&self) -> CheckName {
        CheckName::Phantom
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::Phantom);
        findings.doubts(&evidence.blind_spots());
        let mut without_row = 0u64;
        for partition in &evidence.partitions {
            findings.examined += partition.log.sightings.len() as u64 + partition.plain.records();
            for sighting in &partition.log.sightings {
                let (offset, content) = (sighting.offset, partition.content(sighting));
                check(evidence, partition, (offset, content, sighting.slot()), &mut findings, &mut without_row);
            }
            let Some(shown) = &partition.shown else { continue };
            for read in shown.reads.iter().copied() {
                let (offset, content) = (read.offset, Content::of(read));
                let log = &partition.log;
                if log.at(offset).any(|place| partition.content(&log.sightings[place]) == content) {
                    continue;
                }
                findings.examined += 1;
                let slot = match content {
                    Content::Intact(record) => partition.sends.find(record),
                    _ => None,
                };
                check(evidence, partition, (offset, content, slot), &mut findings, &mut without_row);
            }
        }
        if without_row > 0 {
            findings.doubt(format!(
                "{without_row} records were read whose sends have no row; the history is cut or their producers never ended, so the \
                 rows may have been lost."
            ));
        }
        findings.finish()
    }
}

fn check(
    evidence: &Evidence<'_>,
    partition: &PartitionEvidence<'_>,
    (offset, content, slot): (Offset, Content, Option<Slot>),
    findings: &mut Findings,
    without_row: &mut u64,
) {
    match (content, slot) {
        (Content::Intact(record), Some(slot)) => {
            let send = partition.sends.send(slot);
            if send.outcome == Outcome::Fail && !evidence.transactions.are_of(record.process) {
                findings.violation(|| {
                    let text = format!(
                        "{} lies at offset {offset}, although its send certainly failed.",
                        evidence.name(record)
                    );
                    partition.about(evidence, send, Some(offset), text)
                });
            }
        }
        (Content::Intact(record), None) if evidence.may_lack_rows(record.process) => *without_row += 1,
        (Content::Intact(record), None) => findings.violation(|| {
            let text = format!("{} lies at offset {offset}, although nobody sent it.", evidence.name(record));
            partition.witness(evidence, Some(record), Some(offset), text)
        }),
        (Content::Foreign, _) => findings.violation(|| {
            let text = format!("A record that nobody in this run sent lies at offset {offset}.");
            partition.witness(evidence, None, Some(offset), text)
        }),
        (Content::Misplaced(_) | Content::Corrupt, _) => {}
    }
}
