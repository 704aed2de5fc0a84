//! Which commits of a partition may stand when it changes hands.
//!
//! A group's coordinator keeps one offset a partition, the last that was committed; a new owner is told it some time after it
//! was given the partition and before it read its first record. A history tells when a commit's answer came, and not when the
//! coordinator took it in. So each commit gets the span of time in which that may have happened:
//!
//! - not before the same process's commit before it was answered, because a member commits one at a time; nor before the
//!   process was given the partition for the first time;
//! - not after its own answer, if that was `ok`. An `info` commit may be taken in later, or never; a `fail` one never is.
//!
//! A commit *is over* when another one was certainly taken in after it: an `ok` one whose span begins when this one's had
//! ended. An `info` commit's span has no end; but a later owner's commit ends it too, because the coordinator takes nothing
//! more from a generation that has passed. What is not over may stand.
//!
//! Commits that were answered after the new owner was given the partition may stand as well, if their span had begun before
//! its first read: they were on their way.

use std::collections::BTreeMap;

use crate::history::EventKind;
use crate::kafka::{Offset, Outcome, ProcessId, TimeNs, TopicPartition};

use super::evidence::Evidence;
use super::ownership::{Intervals, in_time_order};
use super::readers::Party;

/// One commit of one partition's next offset, which may have been taken in.
#[derive(Clone, Copy, Debug)]
struct Commit {
    process: ProcessId,
    offset: Offset,
    is_acked: bool,
    /// The span in which it may have been taken in, if it is acknowledged; otherwise the second is no bound.
    span: (TimeNs, TimeNs),
    /// In which of the process's intervals of the partition, counted from 1, it was made at the earliest and at the latest.
    interval: (usize, usize),
}

impl Commit {
    /// Whether `other`, which is acknowledged, was certainly taken in after this one, and after whatever may become of it.
    fn is_over_by(&self, other: &Self) -> bool {
        let another_generation = self.process != other.process || self.interval.1 < other.interval.0;
        self.span.1 <= other.span.0 && (self.is_acked || another_generation)
    }
}

/// The commits of every group and partition.
#[derive(Clone, Debug, Default)]
pub struct Commits(BTreeMap<(usize, TopicPartition), Ledger>);

/// The commits of one group and partition, by when they were answered.
#[derive(Clone, Debug, Default)]
struct Ledger {
    commits: Vec<Commit>,
    /// The earliest beginning of a span, of each commit and those answered after it.
    earliest: Vec<TimeNs>,
}

/// What may stand when a partition changes hands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The committed offsets that may stand.
    pub offsets: Vec<Offset>,
    /// Whether it may be that nothing is committed yet.
    pub maybe_nothing: bool,
}

impl Commits {
    /// Reads the events once.
    pub fn new(evidence: &Evidence<'_>, intervals: &Intervals) -> Self {
        let mut all = Self::default();
        let mut answered: BTreeMap<ProcessId, TimeNs> = BTreeMap::new();
        for event in in_time_order(evidence.history) {
            let EventKind::Committed { process, outcome, positions, .. } = &event.kind else { continue };
            let Some(Party::Group(group)) = evidence.readers.party(*process) else { continue };
            let before = answered.insert(*process, event.time_ns).unwrap_or(TimeNs(0));
            if *outcome == Outcome::Fail {
                continue;
            }
            for position in positions {
                let owned = intervals.of(&position.partition, *process);
                let begun = |time: TimeNs| owned.iter().take_while(|interval| interval.from <= time).count();
                let from = owned.first().map_or(before, |first| first.from.max(before));
                let commit = Commit {
                    process: *process,
                    offset: position.offset,
                    is_acked: *outcome == Outcome::Ok,
                    span: (from.min(event.time_ns), event.time_ns),
                    interval: (begun(from), begun(event.time_ns)),
                };
                all.0.entry((group, position.partition.clone())).or_default().commits.push(commit);
            }
        }
        for ledger in all.0.values_mut() {
            let mut earliest = TimeNs(u64::MAX);
            ledger.earliest = ledger
                .commits
                .iter()
                .rev()
                .map(|commit| {
                    earliest = earliest.min(commit.span.0);
                    earliest
                })
                .collect();
            ledger.earliest.reverse();
        }
        all
    }

    /// What may have stood for owners of a partition that were given it and then read their first record at these times, which
    /// have to ascend by the first.
    pub fn standing(&self, group: usize, partition: &TopicPartition, hands: &[(TimeNs, TimeNs)]) -> Vec<Standing> {
        let Some(ledger) = self.0.get(&(group, partition.clone())) else {
            return vec![Standing { offsets: Vec::new(), maybe_nothing: true }; hands.len()];
        };
        let (mut answered, mut standing, mut maybe_nothing) = (0, Vec::<Commit>::new(), true);
        let mut all = Vec::with_capacity(hands.len());
        for (given, first_read) in hands {
            while let Some(commit) = ledger.commits.get(answered).filter(|commit| commit.span.1 <= *given) {
                if commit.is_acked {
                    standing.retain(|earlier| !earlier.is_over_by(commit));
                    maybe_nothing = false;
                }
                standing.push(*commit);
                answered += 1;
            }
            let on_their_way = (answered..ledger.commits.len())
                .take_while(|at| ledger.earliest[*at] < *first_read)
                .map(|at| &ledger.commits[at])
                .filter(|commit| commit.span.0 < *first_read);
            let offsets = standing.iter().chain(on_their_way).map(|commit| commit.offset).collect();
            all.push(Standing { offsets, maybe_nothing });
        }
        all
    }
}
