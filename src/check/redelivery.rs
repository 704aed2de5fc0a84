//! `redelivery`: a consumer group got a record more than once.
//!
//! **Definition.** One offset of a partition was read more than once, with the same content, by the members of one group
//! together: by one member again, or by another one after a handover. Groups that share a topic count each for itself.
//!
//! **Legal unless the scenario says otherwise.** At-least-once delivery gives again what was read and not committed when a
//! partition changed hands; so this check is `allowed` by default. Then what it finds is no violation: it is counted, the
//! notes tell it group by group, and the answer is valid. A scenario that forbids it (for readers which must not get a record
//! twice, since they commit before they process) or requires it (a control) makes a violation of each such record.
//!
//! To transformers it is legal always: they go back after an abort, and what they make of what they read again is
//! `exactly-once`'s question.
//!
//! **Beside others.** What may not come again even at-least-once is `nonmonotonic-poll`'s inside an ownership interval, and
//! `commit-regression`'s where one begins. A record that lies at two offsets is a `duplicate`; reading both is no redelivery.
//! That zombies are among those who read again changes nothing: what a member processed before it learnt that it had lost a
//! partition, it processed.
//!
//! **Against Jepsen**: there a subscriber that steps back between two polls is not judged, nor counted.
//!
//! **Which reads count**: all of the members' rows, whatever the bytes were.
//!
//! **When it cannot tell**: in a cut history, where a member's last reads may be missing.
//!
//! **Examined**: records that groups got, once a group. **Found**: those that a group got more than once, once a group.
//! A scenario without groups gives this check nothing to examine by construction.

use crate::anomaly::{CheckName, CheckResult, Expectation};
use crate::history::ReadRow;
use crate::scenario::GroupSpec;

use super::Checker;
use super::evidence::{Evidence, PartitionEvidence};
use super::finding::Findings;
use super::log::Content;
use super::readers::Party;
use super::readings::about_read;

/// Looks for records that a group got more than once.
pub struct Redelivery;

impl Checker for Redelivery {
    fn name(&self) -> CheckName {
        CheckName::Redelivery
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::Redelivery);
        if evidence.scenario.all_groups().next().is_none() {
            return findings.not_applicable("The scenario declares no consumer group, so nobody got anything twice.");
        }
        if let Some(doubt) = evidence.torn() {
            findings.doubt(doubt);
        }
        for group in evidence.scenario.all_groups() {
            check_group(evidence, group, &mut findings);
        }
        findings.finish()
    }
}

fn check_group(evidence: &Evidence<'_>, group: &GroupSpec, findings: &mut Findings) {
    let number = evidence.readers.group(&group.name).expect("the scenario's groups are numbered");
    let (mut records, mut reads) = (0, 0);
    for partition in &evidence.partitions {
        let log = &partition.log;
        let got = log.by_group[number].count() + partition.plain.group_reads.get(number).copied().unwrap_or(0);
        findings.examined += got;
        records += log.again_by_group[number].count();
        reads += log.group_reads[number] - got;
    }
    if records == 0 {
        return;
    }
    let counted = format!("{} got {records} records more than once, by {reads} reads", group.name);
    let is_transformers = evidence.scenario.transformers.iter().any(|transformer| transformer.name() == group.name);
    if is_transformers || evidence.scenario.expectation(CheckName::Redelivery) == Expectation::Allowed {
        let why = if is_transformers { "going back after an abort" } else { "at-least-once delivery" };
        findings.legal(records);
        findings.remark(format!("{counted} beyond the first, which {why} allows."));
        return;
    }
    findings.remark(format!("{counted} beyond the first."));
    for partition in &evidence.partitions {
        let rows = rows_of_repeated(evidence, partition, number);
        for rows in rows.chunk_by(|one, other| one.offset == other.offset && Content::of(one) == Content::of(other)) {
            findings.violation(|| {
                let last = rows.last().expect("a chunk has a row at least");
                about_read(evidence, partition, Party::Group(number), last, explain(evidence, partition, rows))
            });
        }
    }
}

/// The group's reads of what it read more than once, by offset, content and time.
fn rows_of_repeated<'p>(evidence: &Evidence<'_>, partition: &PartitionEvidence<'p>, group: usize) -> Vec<&'p ReadRow> {
    let log = &partition.log;
    let is_repeated = |read: &&ReadRow| {
        evidence.readers.party(read.reader) == Some(Party::Group(group))
            && log.at(read.offset).any(|place| {
                log.again_by_group[group].get(place) && partition.content(&log.sightings[place]) == Content::of(read)
            })
    };
    let mut rows: Vec<&ReadRow> = partition.reads.iter().filter(is_repeated).collect();
    rows.sort_by_key(|read| (read.offset, Content::of(read), read.read_ns));
    rows
}

fn explain(evidence: &Evidence<'_>, partition: &PartitionEvidence<'_>, rows: &[&ReadRow]) -> String {
    let (first, last) = (rows[0], rows[rows.len() - 1]);
    format!(
        "{} at offset {} of {} was read {} times by one group: first by {} at {:.3} s, last by {} at {:.3} s.",
        evidence.describe(Content::of(first)),
        first.offset,
        partition.name(),
        rows.len(),
        evidence.label(first.reader),
        first.read_ns.as_secs_f64(),
        evidence.label(last.reader),
        last.read_ns.as_secs_f64(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{RunBuilder, id};
    use super::*;
    use crate::anomaly::Validity;

    const MEMBER: u32 = 20;
    const HEIR: u32 = 21;
    const OTHER: u32 = 30;

    /// Ten records, of which one member read six and the next one all from `heir` on; another group read each once.
    fn handed_over(heir: i64, expect: Expectation) -> CheckResult {
        let mut run = RunBuilder::small();
        run.member(MEMBER, "readers", 0);
        run.member(HEIR, "readers", 1);
        run.member(OTHER, "others", 0);
        for offset in 0..10_i64 {
            let record = id(1, offset.cast_unsigned());
            run.acked(1, record.sequence.0, offset);
            let readers = [(MEMBER, offset < 6, 2_000), (HEIR, offset >= heir, 5_000), (OTHER, true, 3_000)];
            for (reader, _, time_ms) in readers.into_iter().filter(|(_, reads, _)| *reads) {
                run.read_at(time_ms * 1_000_000, reader, 0, offset, record);
            }
        }
        run.scenario.expect.insert(CheckName::Redelivery, expect);
        Redelivery.check(&Evidence::gather(&run.history, &run.scenario, &run.plan))
    }

    #[test]
    fn what_a_group_got_again_is_counted_and_legal() {
        let result = handed_over(4, Expectation::Allowed);
        assert_eq!((result.validity, result.found, result.examined), (Validity::Valid, 2, 20));
        let note =
            "readers got 2 records more than once, by 2 reads beyond the first, which at-least-once delivery allows.";
        assert_eq!(result.notes, [note]);
    }

    #[test]
    fn nobody_has_to_allow_it() {
        assert_eq!(CheckName::Redelivery.usual_expectation(), Expectation::Allowed);
    }

    #[test]
    fn where_it_is_forbidden_each_record_is_a_violation_that_says_who_read_it() {
        let result = handed_over(4, Expectation::Forbidden);
        assert_eq!((result.validity, result.found), (Validity::Invalid, 2));
        let [first, _] = &result.anomalies[..] else { panic!("two: {result:?}") };
        assert_eq!((first.record, first.group.as_deref()), (Some(id(1, 4)), Some("readers")));
        assert_eq!(
            first.explanation,
            "chatters/1.0 #4 at offset 4 of chat-0 was read 2 times by one group: first by readers/0.0 at 2.000 s, last by \
             readers/1.0 at 5.000 s."
        );
    }

    #[test]
    fn a_group_that_goes_on_where_it_stood_got_nothing_again() {
        let result = handed_over(6, Expectation::Forbidden);
        assert_eq!((result.validity, result.found, result.notes.len()), (Validity::Valid, 0, 0));
    }

    #[test]
    fn a_control_without_it_finds_nothing() {
        assert_eq!(handed_over(6, Expectation::Required).validity, Validity::Valid);
        assert_eq!(handed_over(4, Expectation::Required).validity, Validity::Invalid);
    }
}
