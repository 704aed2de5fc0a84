//! Reads a history's sends and reads side by side without keeping them, and then again those that somebody asks for.

use std::ops::Range;
use std::path::Path;
use std::thread;

use super::rows::{self, Piece};
use super::{ReadError, Stored, add_rows, empty_partitions};
use crate::history::columns::Columnar;
use crate::history::{Event, History, ReadRow, ReplicaRow, SendRow, SourceRow};

/// Who looks at rows as they are read: at some of them at a time, and at the end of each batch, which is all of it that can be
/// asked for again.
pub trait Visitor<R>: Send {
    /// Some rows, in recorded order.
    fn rows(&mut self, rows: &[R]);
    /// The batch that they were in is over.
    fn batch_ended(&mut self);
}

/// Where the batches of sends and reads lie.
#[derive(Clone, Debug, Default)]
pub struct Scanned {
    sends: Vec<Range<u64>>,
    reads: Vec<Range<u64>>,
}

impl Stored {
    /// Opens the history in a directory, and gives everything but its sends and reads.
    pub fn open_bare(dir: &Path) -> Result<(Self, History), ReadError> {
        let mut events: Vec<Event> = Vec::new();
        let mut stored = Self::open_with(dir, &mut |event| events.push(event))?;
        // Lines of one time keep their order.
        events.sort_by_key(|event| event.time_ns);
        let mut partitions = empty_partitions(stored.header());
        add_rows(&mut stored, &mut partitions, |partition, row: SourceRow| partition.sources.push(row))?;
        add_rows(&mut stored, &mut partitions, |partition, row: ReplicaRow| partition.replicas.push(row))?;
        let (topics, processes) = (stored.survey.header.topics.clone(), stored.survey.processes.clone());
        let closure = stored.closure();
        Ok((stored, History { events, topics, processes, partitions, closure, tally: None }))
    }

    /// Adds all sends and reads to a history that was opened without them.
    pub fn load_all(&mut self, history: &mut History) -> Result<(), ReadError> {
        add_rows(self, &mut history.partitions, |partition, row: SendRow| partition.sends.push(row))?;
        add_rows(self, &mut history.partitions, |partition, row: ReadRow| partition.reads.push(row))?;
        history.closure = self.closure();
        Ok(())
    }

    /// Gives all sends and all reads to those who look at them, at the same time, each in recorded order.
    pub fn scan(
        &mut self,
        sends: &mut impl Visitor<SendRow>,
        reads: &mut impl Visitor<ReadRow>,
    ) -> Result<Scanned, ReadError> {
        let (sent, read) = {
            let stored = &*self;
            thread::scope(|scope| {
                let sent = scope.spawn(|| stored.scan_one(sends));
                let read = stored.scan_one(reads);
                (sent.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), read)
            })
        };
        let (sent, read) = (sent?, read?);
        self.reconcile(SendRow::FILE, sent.rows)?;
        self.reconcile(ReadRow::FILE, read.rows)?;
        self.cuts.extend(sent.cuts.into_iter().chain(read.cuts));
        Ok(Scanned { sends: sent.batches, reads: read.batches })
    }

    fn scan_one<R: Columnar>(&self, visitor: &mut impl Visitor<R>) -> Result<OneScanned, ReadError> {
        let mut one = OneScanned::default();
        one.rows = rows::each_batch(&self.dir, self.header(), &mut one.cuts, &mut |piece| {
            match piece {
                Piece::Rows(rows) => visitor.rows(&rows),
                Piece::End(range) => {
                    one.batches.push(range);
                    visitor.batch_ended();
                }
            }
            Ok::<(), ReadError>(())
        })?;
        Ok(one)
    }

    /// Adds those sends and reads to a history that are `wanted`, of the batches that have any; what it had of them before is dropped.
    /// Batches are counted in the order in which they were scanned.
    pub fn load(
        &self,
        scanned: &Scanned,
        history: &mut History,
        (sends, reads): (&[usize], &[usize]),
        (is_wanted_send, is_wanted_read): (impl Fn(&SendRow) -> bool, impl Fn(&ReadRow) -> bool),
    ) -> Result<(), ReadError> {
        for rows in history.partitions.values_mut() {
            rows.sends.clear();
            rows.reads.clear();
        }
        let partitions = &mut history.partitions;
        self.load_one(&scanned.sends, sends, &mut |row: SendRow| {
            if is_wanted_send(&row) {
                partitions.get_mut(&row.place()).expect(HAD).sends.push(row);
            }
        })?;
        self.load_one(&scanned.reads, reads, &mut |row: ReadRow| {
            if is_wanted_read(&row) {
                partitions.get_mut(&row.place()).expect(HAD).reads.push(row);
            }
        })
    }

    fn load_one<R: Columnar>(
        &self,
        all: &[Range<u64>],
        which: &[usize],
        keep: &mut dyn FnMut(R),
    ) -> Result<(), ReadError> {
        let (Some(first), false) = (all.first(), which.is_empty()) else { return Ok(()) };
        let batches: Vec<Range<u64>> = which.iter().map(|batch| all[*batch].clone()).collect();
        rows::of_batches(&self.dir, self.header(), first, &batches, &mut |rows: Vec<R>| {
            rows.into_iter().for_each(&mut *keep);
        })
    }
}

const HAD: &str = "a row of a place that the run did not have is refused before";

/// What came of one file.
#[derive(Default)]
struct OneScanned {
    rows: u64,
    batches: Vec<Range<u64>>,
    cuts: Vec<String>,
}
