//! Who read: the consumer groups of the load and the readers of the drain, numbered.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{History, ProcessRole};
use crate::kafka::ProcessId;
use crate::scenario::Scenario;

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
    parties: BTreeMap<ProcessId, Party>,
}

impl Readers {
    /// Numbers the groups that the scenario declares or the history shows, and the drain readers.
    pub fn new(history: &History, scenario: &Scenario) -> Self {
        let mut names: BTreeSet<&str> = scenario.groups.iter().map(|group| group.name.as_str()).collect();
        for role in history.processes.values() {
            if let ProcessRole::Consumer { group, .. } = role {
                names.insert(group);
            }
        }
        let mut readers = Self { groups: names.into_iter().map(str::to_owned).collect(), ..Self::default() };
        for (process, role) in &history.processes {
            let party = match role {
                ProcessRole::Producer { .. } => continue,
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

    /// Whose reads this process's are; `None` for a process whose start was not recorded.
    pub fn party(&self, process: ProcessId) -> Option<Party> {
        self.parties.get(&process).copied()
    }
}
