//! Finds what belongs to a process, for every row again. A run numbers its processes from 0, so that a table does it.

use crate::kafka::ProcessId;

/// Processes beyond this are searched for: their ids are no run's.
const TABLE_MAX: u32 = 1 << 20;

/// One value a process.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup<T> {
    table: Vec<Option<T>>,
    others: Vec<(ProcessId, T)>,
}

impl<T> Default for Lookup<T> {
    fn default() -> Self {
        Self { table: Vec::new(), others: Vec::new() }
    }
}

impl<T> Lookup<T> {
    /// The process's, if it has one.
    pub fn get(&self, process: ProcessId) -> Option<&T> {
        match self.table.get(process.0 as usize) {
            Some(value) => value.as_ref(),
            None if process.0 < TABLE_MAX => None,
            None => self.others.binary_search_by_key(&process, |(id, _)| *id).ok().map(|at| &self.others[at].1),
        }
    }

    /// The process's, which is made if there is none.
    pub fn entry(&mut self, process: ProcessId, make: impl FnOnce() -> T) -> &mut T {
        if process.0 >= TABLE_MAX {
            let at = self.others.binary_search_by_key(&process, |(id, _)| *id).unwrap_or_else(|at| {
                self.others.insert(at, (process, make()));
                at
            });
            return &mut self.others[at].1;
        }
        let at = process.0 as usize;
        if at >= self.table.len() {
            self.table.resize_with(at + 1, || None);
        }
        self.table[at].get_or_insert_with(make)
    }

    /// All of them, by process.
    pub fn iter(&self) -> impl Iterator<Item = (ProcessId, &T)> {
        let table = (0_u32..).zip(&self.table).filter_map(|(id, value)| Some((ProcessId(id), value.as_ref()?)));
        table.chain(self.others.iter().map(|(id, value)| (*id, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_any_size_are_found() {
        let mut lookup = Lookup::default();
        for id in [3, 0, u32::MAX, TABLE_MAX, 3] {
            *lookup.entry(ProcessId(id), || 0) += 1;
        }
        assert_eq!(lookup.get(ProcessId(3)), Some(&2));
        assert_eq!(lookup.get(ProcessId(u32::MAX)), Some(&1));
        assert_eq!(lookup.get(ProcessId(1)), None);
        assert_eq!(lookup.get(ProcessId(TABLE_MAX + 1)), None);
        let ids: Vec<u32> = lookup.iter().map(|(id, _)| id.0).collect();
        assert_eq!(ids, [0, 3, TABLE_MAX, u32::MAX]);
    }
}
