//! A history on the disk, whose rows are read batch by batch, so that memory does not grow with the run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::events::{self, Ending, Survey};
use super::{ReadError, rows};
use crate::history::columns::Columnar;
use crate::history::recorder::Header;
use crate::history::seal::{FileSum, Seal};
use crate::history::writer::EVENTS_FILE;
use crate::history::{Closure, Event, ProcessRole, ReadRow, ReplicaRow, SendRow, SourceRow};
use crate::kafka::ProcessId;

/// A history whose files have been held against their seal, and whose events have been gone through once.
pub struct Stored {
    pub(super) dir: PathBuf,
    /// What its events say about the whole.
    pub(super) survey: Survey,
    pub(super) cuts: Vec<String>,
}

impl Stored {
    /// Opens the history in a directory.
    pub fn open(dir: &Path) -> Result<Self, ReadError> {
        Self::open_with(dir, &mut |_| {})
    }

    /// The same; each event is also given to `keep`, in recorded order.
    pub(super) fn open_with(dir: &Path, keep: &mut dyn FnMut(Event)) -> Result<Self, ReadError> {
        let mut cuts = Vec::new();
        let survey = events::survey(&dir.join(EVENTS_FILE), &mut cuts, keep)?;
        match &survey.ending {
            Some(ending) => check_seals(dir, &survey, ending, &mut cuts)?,
            None => cuts.push(format!("{EVENTS_FILE} has no run-ended")),
        }
        Ok(Self { dir: dir.to_owned(), survey, cuts })
    }

    /// What the history says about itself at its start.
    pub fn header(&self) -> &Header {
        &self.survey.header
    }

    /// The wall-clock time of the run's origin, RFC 3339.
    pub fn started_utc(&self) -> &str {
        &self.survey.started_utc
    }

    /// Who each process was.
    pub fn processes(&self) -> &BTreeMap<ProcessId, ProcessRole> {
        &self.survey.processes
    }

    /// Gives each event to `visit`, in recorded order.
    pub fn events<E: From<ReadError>>(&self, visit: &mut dyn FnMut(Event) -> Result<(), E>) -> Result<(), E> {
        // Where the events are cut was noted when the history was opened.
        events::each(&self.dir.join(EVENTS_FILE), &mut Vec::new(), visit).map(drop)
    }

    /// Gives the rows of one kind to `visit`, batch by batch.
    pub(in crate::history) fn rows<R: Columnar, E: From<ReadError>>(
        &mut self,
        visit: &mut dyn FnMut(Vec<R>) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.has(R::FILE) {
            return Ok(());
        }
        let found = rows::each(&self.dir, &self.survey.header, &mut self.cuts, visit)?;
        Ok(self.reconcile(R::FILE, found)?)
    }

    /// Whether the history is whole, as far as it has been read.
    pub fn closure(&self) -> Closure {
        if self.cuts.is_empty() { Closure::Whole } else { Closure::Cut(self.cuts.join("; ")) }
    }

    /// Whether there are rows of this kind to be read: a history from before there were any has no file of them.
    fn has(&self, file: &str) -> bool {
        let sealed = self.survey.ending.as_ref().map(|ending| ending.seal);
        let is_there = |sum: fn(Seal) -> Option<FileSum>| match sealed {
            Some(seal) => sum(seal).is_some(),
            None => self.dir.join(file).exists(),
        };
        match file {
            _ if file == SourceRow::FILE => is_there(|seal| seal.sources),
            _ if file == ReplicaRow::FILE => is_there(|seal| seal.replicas),
            _ => true,
        }
    }

    /// Holds the rows that were found against what `run-ended` counts.
    pub(super) fn reconcile(&mut self, file: &str, found: u64) -> Result<(), ReadError> {
        let Some(Ending { sends, reads, .. }) = self.survey.ending else { return Ok(()) };
        let counts = [(SendRow::FILE, sends), (ReadRow::FILE, reads)];
        let Some((_, counted)) = counts.into_iter().find(|(counted, _)| *counted == file) else { return Ok(()) };
        if found > counted {
            return Err(ReadError::TooMany { path: self.dir.join(file), found, counted });
        }
        if found < counted {
            self.cuts.push(format!("{file} has {found} of the {counted} rows that run-ended counts"));
        }
        Ok(())
    }
}

/// Holds each file against its seal, before anything in it is believed.
fn check_seals(dir: &Path, survey: &Survey, ending: &Ending, cuts: &mut Vec<String>) -> Result<(), ReadError> {
    let seal = ending.seal;
    let (sends, reads) = std::thread::scope(|scope| {
        let sends = scope.spawn(|| rows::sum(&dir.join(SendRow::FILE)));
        let reads = rows::sum(&dir.join(ReadRow::FILE));
        (sends.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), reads)
    });
    let mut sums = vec![
        (EVENTS_FILE, survey.sum, seal.events),
        (SendRow::FILE, sends?, seal.sends),
        (ReadRow::FILE, reads?, seal.reads),
    ];
    for (file, sealed) in [(SourceRow::FILE, seal.sources), (ReplicaRow::FILE, seal.replicas)] {
        if let Some(sealed) = sealed {
            sums.push((file, rows::sum(&dir.join(file))?, sealed));
        }
    }
    for (file, found, sealed) in sums {
        // The events end with `run-ended`, so that they are all there; a file of rows may have lost its end.
        if file != EVENTS_FILE && found.bytes < sealed.bytes {
            cuts.push(format!("{file} has {} of the {} bytes that run-ended seals", found.bytes, sealed.bytes));
        } else if found != sealed {
            return Err(ReadError::Altered { path: dir.join(file), found: found.crc32, sealed: sealed.crc32 });
        }
    }
    Ok(())
}
