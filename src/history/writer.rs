//! The files of a history, as the recorder's thread writes them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow_ipc::CompressionType;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::{ArrowError, SchemaRef};

use super::columns::{self, Columnar};
use super::recorder::{Header, RecorderError, Totals};
use super::seal::{FileSum, SummedFile};
use super::{Event, EventKind, ReadRow, ReplicaRow, Seal, SendRow, SourceRow};
use crate::kafka::TimeNs;

/// The name of the file of events.
pub(super) const EVENTS_FILE: &str = "events.jsonl";
/// A batch is closed at this many rows; big enough to compress well, small enough to hold in memory twice. In unit tests, whose
/// histories are short, so few that one has many batches.
const ROWS_PER_BATCH: usize = if cfg!(test) { 48 } else { 65_536 };

/// A batch of rows of one kind.
#[derive(Debug)]
pub(super) enum Rows {
    Sends(Vec<SendRow>),
    Reads(Vec<ReadRow>),
    Sources(Vec<SourceRow>),
    Replicas(Vec<ReplicaRow>),
}

/// All files, open for appending. Errors are sentences that name the file.
pub(super) struct Writer {
    events: BufWriter<SummedFile>,
    events_path: PathBuf,
    sends: RowFile<SendRow>,
    reads: RowFile<ReadRow>,
    sources: RowFile<SourceRow>,
    replicas: RowFile<ReplicaRow>,
    tap: Option<std::sync::mpsc::Sender<Event>>,
    written: u64,
}

impl Writer {
    /// `open` opens a new file by its name.
    pub(super) fn create(
        dir: &Path,
        header: &Header,
        tap: Option<std::sync::mpsc::Sender<Event>>,
        open: impl Fn(&str) -> io::Result<File>,
    ) -> Result<Self, RecorderError> {
        std::fs::create_dir_all(dir).map_err(|source| RecorderError::Create { path: dir.to_owned(), source })?;
        let create = |name: &str| {
            let path = dir.join(name);
            match open(name) {
                Ok(file) => Ok((SummedFile::new(file), path)),
                Err(source) => Err(RecorderError::Create { path, source }),
            }
        };
        let (events, events_path) = create(EVENTS_FILE)?;
        Ok(Self {
            events: BufWriter::new(events),
            events_path,
            sends: RowFile::new(create(SendRow::FILE)?, header)?,
            reads: RowFile::new(create(ReadRow::FILE)?, header)?,
            sources: RowFile::new(create(SourceRow::FILE)?, header)?,
            replicas: RowFile::new(create(ReplicaRow::FILE)?, header)?,
            tap,
            written: 0,
        })
    }

    pub(super) fn event(&mut self, event: &Event) -> Result<(), String> {
        let line = serde_json::to_vec(event).map_err(|error| failed(&self.events_path, &error))?;
        self.events
            .write_all(&line)
            .and_then(|()| self.events.write_all(b"\n"))
            .map_err(|error| failed(&self.events_path, &error))?;
        self.written += 1;
        if let Some(tap) = &self.tap
            && tap.send(event.clone()).is_err()
        {
            // The display is gone; the history goes on without it.
            self.tap = None;
        }
        Ok(())
    }

    pub(super) fn rows(&mut self, rows: Rows) -> Result<(), String> {
        match rows {
            Rows::Sends(rows) => self.sends.append(rows),
            Rows::Reads(rows) => self.reads.append(rows),
            Rows::Sources(rows) => self.sources.append(rows),
            Rows::Replicas(rows) => self.replicas.append(rows),
        }
    }

    /// Hands everything to the operating system: a killed process loses nothing that came before.
    pub(super) fn flush(&mut self) -> Result<(), String> {
        self.events.flush().map_err(|error| failed(&self.events_path, &error))?;
        self.sends.flush()?;
        self.reads.flush()?;
        self.sources.flush()?;
        self.replicas.flush()
    }

    /// Ends the row files and has the disk confirm them, so that `run-ended` never stands beside fewer rows than it says.
    pub(super) fn close_rows(&mut self) -> Result<(), String> {
        self.sends.close()?;
        self.reads.close()?;
        self.sources.close()?;
        self.replicas.close()?;
        self.events.flush().map_err(|error| failed(&self.events_path, &error))
    }

    /// Writes `run-ended` and has the disk confirm it.
    pub(super) fn end(&mut self, time_ns: TimeNs) -> Result<(), String> {
        let Totals { sends, reads, .. } = self.totals();
        // Only what was flushed is summed, and the line that holds the sum cannot be in it.
        self.events.flush().map_err(|error| failed(&self.events_path, &error))?;
        let seal = Seal {
            events: self.events.get_ref().sum(),
            sends: self.sends.sum(),
            reads: self.reads.sum(),
            sources: Some(self.sources.sum()),
            replicas: Some(self.replicas.sum()),
        };
        self.event(&Event { time_ns, kind: EventKind::RunEnded { sends, reads, seal } })?;
        self.events
            .flush()
            .and_then(|()| self.events.get_ref().sync())
            .map_err(|error| failed(&self.events_path, &error))
    }

    pub(super) fn totals(&self) -> Totals {
        Totals {
            events: self.written,
            sends: self.sends.written,
            reads: self.reads.written,
            sources: self.sources.written,
            replicas: self.replicas.written,
        }
    }
}

/// One Arrow IPC stream of rows.
struct RowFile<R> {
    path: PathBuf,
    schema: SchemaRef,
    stream: StreamWriter<BufWriter<SummedFile>>,
    open: Vec<R>,
    written: u64,
}

impl<R: Columnar> RowFile<R> {
    fn new((file, path): (SummedFile, PathBuf), header: &Header) -> Result<Self, RecorderError> {
        let schema = columns::schema::<R>(&header.run, &header.topics);
        let stream = IpcWriteOptions::default()
            .try_with_compression(Some(CompressionType::LZ4_FRAME))
            .and_then(|options| StreamWriter::try_new_with_options(BufWriter::new(file), &schema, options))
            .map_err(|error| RecorderError::Write(failed(&path, &error)))?;
        Ok(Self { path, schema, stream, open: Vec::with_capacity(ROWS_PER_BATCH), written: 0 })
    }

    fn append(&mut self, rows: Vec<R>) -> Result<(), String> {
        self.open.extend(rows);
        if self.open.len() >= ROWS_PER_BATCH { self.close_batch() } else { Ok(()) }
    }

    fn close_batch(&mut self) -> Result<(), String> {
        for rows in self.open.chunks(ROWS_PER_BATCH) {
            columns::batch(&self.schema, rows)
                .and_then(|batch| self.stream.write(&batch))
                .map_err(|error| failed(&self.path, &error))?;
            self.written += rows.len() as u64;
        }
        self.open.clear();
        Ok(())
    }

    fn flush(&mut self) -> Result<(), String> {
        self.close_batch()?;
        self.stream.flush().map_err(|error| failed(&self.path, &error))
    }

    /// The checksum of what reached the file; of all of it once the file is closed.
    fn sum(&self) -> FileSum {
        self.stream.get_ref().get_ref().sum()
    }

    fn close(&mut self) -> Result<(), String> {
        self.close_batch()?;
        self.stream
            .finish()
            .and_then(|()| self.stream.flush())
            .and_then(|()| self.stream.get_ref().get_ref().sync().map_err(ArrowError::from))
            .map_err(|error| failed(&self.path, &error))
    }
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("cannot write {}: {error}", path.display())
}
