//! Who read: the consumer groups of the load and the readers of the drain, numbered.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{History, ProcessRole};
use crate::kafka::ProcessId;
use crate::scenario::{GroupSpec, Isolation, Scenario};

/// Whose reads a process's reads are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// A member of this group, by its place in `Readers::groups`.
    Group(usize),
    /// This drain reader, by its place in `Readers::drains`.
    Drain(usize),
}

/// The readers of a run.
#[derive(Clone, Debug, Default)]
pub struct Readers {
    /// The groups' names, sorted.
    pub groups: Vec<String>,
    /// The drain readers.
    pub drains: Vec<ProcessId>,
    /// The drain readers that wait for no commits, whose reads are no evidence of anything but of what was hidden.
    witnesses: BTreeSet<ProcessId>,
    /// By group: what its members may read of transactions.
    isolations: Vec<Isolation>,
    parties: BTreeMap<ProcessId, Party>,
}

impl Readers {
    /// Numbers the groups that the scenario declares or the history shows, and the drain readers.
    pub fn new(history: &History, scenario: &Scenario) -> Self {
        let mut names: BTreeSet<&str> = scenario.all_groups().map(|group| group.name.as_str()).collect();
        for role in history.processes.values() {
            if let ProcessRole::Consumer { group, .. } = role {
                names.insert(group);
            }
        }
        let isolation = |name: &str| {
            scenario.all_groups().find(|group| group.name == name).map_or(Isolation::Committed, GroupSpec::isolation)
        };
        let isolations = names.iter().map(|name| isolation(name)).collect();
        let groups = names.into_iter().map(str::to_owned).collect();
        let mut readers = Self { groups, isolations, ..Self::default() };
        for (process, role) in &history.processes {
            let party = match role {
                ProcessRole::Producer { .. } => continue,
                ProcessRole::Witness => {
                    readers.witnesses.insert(*process);
                    continue;
                }
                ProcessRole::Consumer { group, .. } => {
                    Party::Group(readers.group(group).expect("every group in the roles was numbered"))
                }
                ProcessRole::Drain { .. } => {
                    readers.drains.push(*process);
                    Party::Drain(readers.drains.len() - 1)
                }
            };
            readers.parties.insert(*process, party);
        }
        readers
    }

    /// A group's number.
    pub fn group(&self, name: &str) -> Option<usize> {
        self.groups.binary_search_by(|group| group.as_str().cmp(name)).ok()
    }

    /// Whether this process read what others wait for, to show that it is there.
    pub fn is_witness(&self, process: ProcessId) -> bool {
        self.witnesses.contains(&process)
    }

    /// Whether there is such a one.
    pub fn have_witness(&self) -> bool {
        !self.witnesses.is_empty()
    }

    /// Whether a group's members get no record before its transaction is committed.
    pub fn waits_for_commits(&self, group: usize) -> bool {
        self.isolations[group] == Isolation::Committed
    }

    /// Whose reads this process's are; `None` for a witness, and for a process whose start was not
    /// recorded.
    pub fn party(&self, process: ProcessId) -> Option<Party> {
        self.parties.get(&process).copied()
    }
}
