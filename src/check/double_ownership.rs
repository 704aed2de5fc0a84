//! `double-ownership`: two members of a consumer group were given one partition in one generation, and held it at once.
//!
//! **Definition.** A group's generation is what its members were given between two rebalances. Two members that were given one
//! partition in the same generation (`assigned-in`), whose ownership intervals (`ownership`) of it overlap, both owned it.
//!
//! **Why Kafka promises it.** A generation's assignment is one message that one member makes and the coordinator hands out, and it
//! gives each partition to one member; whoever is of another generation is refused. Two owners in one are an assignor that
//! gave a partition twice, or two coordinators that took themselves for the group's at once.
//!
//! **The generation is the member's own**, as its client library has it inside the callback that gives it the partitions. There it
//! is the one of that assignment, or unknown: librdkafka joins a later generation only when the program has answered the callback
//! (a rebalance in between is put off), and what it is told in the meantime can but make it forget the number (-1), which is then not
//! recorded.
//!
//! **Which groups are judged.** Those of the classic protocol without static members. With `group.protocol = consumer` (KIP-848)
//! members have epochs of their own, and two of them may pass a partition on within one number. With `group.instance.id`
//! (KIP-345) a client takes another one's place in the same generation, while that one sleeps and does not know.
//!
//! **Overlaps across generations** are told by `group-delivery` and judged by nobody: a member that was thrown out of its group
//! learns of it late.
//!
//! **When it cannot tell**: in a cut history. **Skipped** where nobody was told a generation, as in older histories, and where no
//! group is of those that are judged. A scenario without groups gives it nothing to examine by construction.
//!
//! **Examined**: partitions given to a member in a known generation. **Found**: pairs of owners.

use std::collections::BTreeMap;

use crate::anomaly::{CheckName, CheckResult};
use crate::history::{EventKind, ProcessRole};
use crate::kafka::{Generation, ProcessId, TimeNs, TopicPartition};
use crate::scenario::GroupSpec;

use super::Checker;
use super::evidence::Evidence;
use super::finding::Findings;
use super::ownership::{Interval, Intervals, in_time_order};
use super::readers::Party;
use super::readings::of_party;

/// Looks for partitions with two owners.
pub struct DoubleOwnership;

impl Checker for DoubleOwnership {
    fn name(&self) -> CheckName {
        CheckName::DoubleOwnership
    }

    fn check(&self, evidence: &Evidence<'_>) -> CheckResult {
        let mut findings = Findings::of(CheckName::DoubleOwnership);
        if evidence.scenario.all_groups().next().is_none() {
            return findings.not_applicable("The scenario declares no consumer group, so nobody owned anything.");
        }
        for (group, why) in evidence.scenario.all_groups().filter_map(|group| Some((group, unjudged(group)?))) {
            findings.remark(format!("{} {why}: its generations are not judged.", group.name));
        }
        let given = Given::all(evidence);
        if given.is_empty() && !evidence.is_cut() {
            return findings.skipped("Nobody was told in which generation members were given their partitions.");
        }
        findings.doubts(evidence.torn().as_slice());
        for owners in given.values() {
            findings.examined += owners.len() as u64;
            for (place, one) in owners.iter().enumerate() {
                for other in owners[place + 1..].iter().filter(|other| one.holds_beside(other)) {
                    convict(evidence, one, other, &mut findings);
                }
            }
        }
        findings.finish()
    }
}

/// Why a group's generations say nothing of who owns what; `None` if they do.
fn unjudged(group: &GroupSpec) -> Option<&'static str> {
    let is = |key: &str, value: &str| group.config.get(key).is_some_and(|set| set.trim().eq_ignore_ascii_case(value));
    if is("group.protocol", "consumer") {
        return Some("has the protocol of KIP-848, whose members have epochs of their own");
    }
    group.config.contains_key("group.instance.id").then_some("has static members, who take each other's place")
}

/// A partition that a member was given.
#[derive(Clone, Debug)]
struct Given {
    group: usize,
    partition: TopicPartition,
    generation: Generation,
    process: ProcessId,
    interval: Interval,
}

impl Given {
    /// Everything that was given, by group, partition and generation.
    fn all(evidence: &Evidence<'_>) -> BTreeMap<(usize, TopicPartition, Generation), Vec<Self>> {
        let intervals = Intervals::new(evidence.history);
        let mut all: BTreeMap<_, Vec<Self>> = BTreeMap::new();
        for event in in_time_order(evidence.history) {
            let EventKind::AssignedIn { process, generation, partitions } = &event.kind else { continue };
            let Some(group) = judged_group(evidence, *process) else { continue };
            for partition in partitions {
                let began = intervals.of(partition, *process).iter().rfind(|interval| interval.from <= event.time_ns);
                let Some(interval) = began.copied() else { continue };
                let (partition, generation, process) = (partition.clone(), *generation, *process);
                let key = (group, partition.clone(), generation);
                all.entry(key).or_default().push(Self { group, partition, generation, process, interval });
            }
        }
        all
    }

    /// Whether it is another member's, and both lasted for a while together.
    fn holds_beside(&self, other: &Self) -> bool {
        let ends_after = |one: &Interval, other: &Interval| one.until.is_none_or(|until| until > other.from);
        let overlap = ends_after(&self.interval, &other.interval) && ends_after(&other.interval, &self.interval);
        self.process != other.process && overlap
    }
}

/// The number of a member's group, if that is judged.
fn judged_group(evidence: &Evidence<'_>, process: ProcessId) -> Option<usize> {
    let Some(ProcessRole::Consumer { group, .. }) = evidence.history.processes.get(&process) else { return None };
    let spec = evidence.scenario.all_groups().find(|spec| spec.name == *group)?;
    if unjudged(spec).is_some() { None } else { evidence.readers.group(group) }
}

fn convict(evidence: &Evidence<'_>, one: &Given, other: &Given, findings: &mut Findings) {
    let name = &one.partition;
    let partition = evidence.partitions.iter().find(|partition| partition.name() == *name);
    let Some(partition) = partition else { return };
    let from = one.interval.from.max(other.interval.from);
    let until = [one.interval.until, other.interval.until].into_iter().flatten().min().unwrap_or(evidence.timeline.end);
    findings.violation(|| {
        let seconds = TimeNs::as_secs_f64;
        let text = format!(
            "{} and {} were both given {name} in generation {} of {}, and held it together from {:.3} s to {:.3} s.",
            evidence.label(one.process),
            evidence.label(other.process),
            one.generation,
            evidence.readers.groups[one.group],
            seconds(from),
            seconds(until),
        );
        of_party(evidence, Party::Group(one.group), partition.witness(evidence, None, None, text))
    });
}
