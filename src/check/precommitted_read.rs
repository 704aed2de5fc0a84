//! `precommitted-read`: a record was read before the commit of its transaction was asked for.
//!
//! **Definition.** A reader got an intact record of a transaction out of its client library before its producer asked for the
//! transaction's commit. The time of the asking is taken before the client library is asked, and that of the read after the
//! client library gave the record out, by one clock; so the order of the two is certain.
//!
//! **Why Kafka promises it.** A consumer with `isolation.level=read_committed` is given no record beyond the first one of a
//! transaction that is open (the last stable offset, KIP-98). With `read_uncommitted` it is given everything at once: a group
//! that reads so is judged like any other, because a control has to be caught.
//!
//! **Against Jepsen**, whose name this is: there a transaction has to have polled itself what it had sent. Here it is whoever
//! reads, by time: clients run side by side, which one process with one consumer and one producer does not.
//!
//! **When it cannot tell**: a cut history; one that does not tell of transactions' ends. Reads of a transaction that was
//! certainly aborted are `aborted-read`'s. One that was under way when its producer was killed asked for nothing that is known,
//! and is no witness. Where no producer runs transactions, there is nothing to judge.
//!
//! **Examined**: intact reads of records of transactions whose commit was asked for. **Found**: reads.

use crate::anomaly::{CheckName, CheckResult};
use crate::history::ReadRow;
use crate::history::event::TransactionEnding;

use super::Checker;
use super::aborted_read::NO_TRANSACTIONS;
use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::log::Content;
use super::readings::about_read;

/// Looks for records that were read too early.
pub struct PrecommittedRead;

impl Checker for PrecommittedRead {
    fn name(&self) -> CheckName {
        CheckName::PrecommittedRead
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::PrecommittedRead);
        if !evidence.transactions.are_run() {
            return findings.not_applicable(NO_TRANSACTIONS);
        }
        let untold = evidence.transactions.untold().map(str::to_owned);
        evidence.torn().into_iter().chain(untold).for_each(|doubt| findings.doubt(doubt));
        for partition in &evidence.partitions {
            for read in partition.reads {
                check_read(evidence, partition, read, &mut findings);
            }
        }
        findings.finish()
    }
}

fn check_read(
    evidence: &Evidence<'_>,
    partition: &PartitionEvidence<'_>,
    read: &ReadRow,
    findings: &mut Findings,
) -> Option<()> {
    let Content::Intact(record) = Content::of(read) else { return None };
    let party = evidence.readers.party(read.reader)?;
    let transaction = &evidence.transactions.all[evidence.transactions.of(partition.key, record)?];
    if transaction.ending != TransactionEnding::Commit {
        return None;
    }
    findings.examined += 1;
    if read.read_ns < transaction.invoke_ns {
        findings.violation(|| {
            let text = format!(
                "{} read {} at offset {}, {:.1} ms before the commit of its transaction was asked for.",
                evidence.label(read.reader),
                evidence.name(record),
                read.offset,
                transaction.invoke_ns.since(read.read_ns) as f64 / 1e6,
            );
            about_read(evidence, partition, party, read, text)
        });
    }
    Some(())
}
