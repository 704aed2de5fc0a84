//! Reads a history back, whole or cut.
//!
//! Three things may be wrong with a history, and they are told apart:
//! - It ends too early, because the harness was killed, is still running, or the files were copied in part: everything up
//!   to there is kept, and the history is [`Closure::Cut`], from which no verdict can be valid. That covers a torn last
//!   line, a torn last batch, a missing `run-ended`, and fewer rows than `run-ended` counts (row files are confirmed by the
//!   disk before `run-ended` is written, so they were shortened afterwards).
//! - It says something that no recorder of this format writes, such as an outcome that means nothing or more rows than
//!   `run-ended` counts, or a file is other bytes than those that were sealed: then none of it can be believed, and that is
//!   a [`ReadError`].
//! - It is of a newer format: also a [`ReadError`], which says so.

mod rows;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow_schema::ArrowError;

use super::columns::{BadColumns, Columnar};
use super::recorder::Header;
use super::seal::{FileSum, Summer};
use super::writer::EVENTS_FILE;
use super::{
    Closure, Event, EventKind, FORMAT_VERSION, History, PartitionHistory, ReadRow, ReplicaRow, Seal, SendRow, SourceRow,
};
use crate::kafka::{Partition, TopicIndex};

/// Why a history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file could not be opened or read.
    #[error("cannot read {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The first line is not a whole `run-started`: nothing is known about the run.
    #[error("{} does not begin with run-started", path.display())]
    NoHeader {
        /// The file of events.
        path: PathBuf,
    },
    /// The history was written by a newer version of this tool.
    #[error("{} has format version {found}; this build reads up to {FORMAT_VERSION}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: String,
    },
    /// A line that is not the last means nothing.
    #[error("{} line {line} is no event", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// Something stands where it cannot.
    #[error("{} line {line}: {problem}", path.display())]
    Misplaced {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What.
        problem: &'static str,
    },
    /// A whole batch cannot be decoded.
    #[error("{} is damaged after row {rows}", path.display())]
    Batch {
        /// The file.
        path: PathBuf,
        /// How many rows came before.
        rows: u64,
        /// Why.
        source: ArrowError,
    },
    /// A batch holds a value that no recorder writes.
    #[error("{} is damaged in the batch after row {rows}", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// How many rows came before the batch.
        rows: u64,
        /// Which value.
        source: BadColumns,
    },
    /// A row belongs to a partition that the run did not have.
    #[error("{} row {row} names topic {topic}, partition {partition}, which the run did not have", path.display())]
    Place {
        /// The file.
        path: PathBuf,
        /// Counted from 0.
        row: u64,
        /// The topic's index.
        topic: u16,
        /// The partition.
        partition: i32,
    },
    /// There are more rows than `run-ended` counted: the files do not belong together.
    #[error("{} has {found} rows, but run-ended counts {counted}", path.display())]
    TooMany {
        /// The file.
        path: PathBuf,
        /// How many rows there are.
        found: u64,
        /// How many there should be.
        counted: u64,
    },
    /// A file is as long as it was when the run ended, or longer, and holds other bytes.
    #[error("{} was changed after the run: its CRC-32 is {found:08x}, and run-ended says {sealed:08x}", path.display())]
    Altered {
        /// The file.
        path: PathBuf,
        /// The checksum of what is there.
        found: u32,
        /// The checksum of what was written.
        sealed: u32,
    },
}

/// Reads the history in a directory.
pub fn read(dir: &Path) -> Result<History, ReadError> {
    let mut cuts = Vec::new();
    let path = dir.join(EVENTS_FILE);
    let (events, events_sum) = read_events(&path, &mut cuts)?;
    let header = header(&path, &events)?;
    check_seals(dir, &events, events_sum, &mut cuts)?;
    let mut partitions = empty_partitions(&header);

    let mut add_send = |partition: &mut PartitionHistory, row: SendRow| partition.sends.push(row);
    let sends = rows::read(dir, &mut partitions, &mut add_send, &mut cuts)?;
    let mut add_read = |partition: &mut PartitionHistory, row: ReadRow| partition.reads.push(row);
    let reads = rows::read(dir, &mut partitions, &mut add_read, &mut cuts)?;
    if has_file::<SourceRow>(dir, &events, |seal| seal.sources) {
        let mut add_source = |partition: &mut PartitionHistory, row: SourceRow| partition.sources.push(row);
        rows::read(dir, &mut partitions, &mut add_source, &mut cuts)?;
    }
    if has_file::<ReplicaRow>(dir, &events, |seal| seal.replicas) {
        let mut add_replica = |partition: &mut PartitionHistory, row: ReplicaRow| partition.replicas.push(row);
        rows::read(dir, &mut partitions, &mut add_replica, &mut cuts)?;
    }
    reconcile(dir, &events, sends, reads, &mut cuts)?;

    let processes = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::ProcessStarted { process, role } => Some((*process, role.clone())),
            _ => None,
        })
        .collect();
    let closure = if cuts.is_empty() { Closure::Whole } else { Closure::Cut(cuts.join("; ")) };
    Ok(History { events, topics: header.topics, processes, partitions, closure })
}

/// Reads the lines, and sorts them by time; lines of one time keep their order. Sums all lines but the last, which is
/// `run-ended` in a whole history.
fn read_events(path: &Path, cuts: &mut Vec<String>) -> Result<(Vec<Event>, FileSum), ReadError> {
    let text = std::fs::read(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    let mut events: Vec<Event> = Vec::new();
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    for (index, line) in lines.iter().enumerate() {
        let line_number = index + 1;
        match serde_json::from_slice::<Event>(line) {
            Ok(event) => events.push(event),
            Err(source) => {
                // A newer version may have events that this build does not know; say that rather than "no event".
                check_version(path, &events)?;
                if index == 0 {
                    return Err(ReadError::NoHeader { path: path.to_owned() });
                }
                if line.ends_with(b"\n") {
                    return Err(ReadError::Line { path: path.to_owned(), line: line_number, source });
                }
                cuts.push(format!("{EVENTS_FILE} ends in the middle of line {line_number}"));
            }
        }
    }
    check_version(path, &events)?;
    let misplaced = |line, problem| Err(ReadError::Misplaced { path: path.to_owned(), line, problem });
    for (index, event) in events.iter().enumerate() {
        match event.kind {
            EventKind::RunStarted { .. } if index > 0 => {
                return misplaced(index + 1, "run-started is not the first line");
            }
            EventKind::RunEnded { .. } if index + 1 < lines.len() => {
                return misplaced(index + 1, "run-ended is not the last line");
            }
            _ => {}
        }
    }
    events.sort_by_key(|event| event.time_ns);
    let mut summer = Summer::default();
    summer.add(&text[..text.len() - lines.last().map_or(0, |line| line.len())]);
    Ok((events, summer.sum()))
}

fn check_version(path: &Path, events: &[Event]) -> Result<(), ReadError> {
    match events.first().map(|event| &event.kind) {
        Some(EventKind::RunStarted { format_version, .. }) if *format_version > FORMAT_VERSION => {
            Err(ReadError::Newer { path: path.to_owned(), found: format_version.to_string() })
        }
        _ => Ok(()),
    }
}

fn header(path: &Path, events: &[Event]) -> Result<Header, ReadError> {
    match events.first().map(|event| &event.kind) {
        Some(EventKind::RunStarted { run, topics, partitions, .. }) if topics.len() == partitions.len() => {
            Ok(Header { run: run.clone(), topics: topics.clone(), partitions: partitions.clone() })
        }
        _ => Err(ReadError::NoHeader { path: path.to_owned() }),
    }
}

fn empty_partitions(header: &Header) -> BTreeMap<(TopicIndex, Partition), PartitionHistory> {
    let topics = (0..=u16::MAX).map(TopicIndex).zip(&header.partitions);
    topics
        .flat_map(|(topic, count)| (0..count.cast_signed()).map(move |partition| (topic, Partition(partition))))
        .map(|place| (place, PartitionHistory::default()))
        .collect()
}

/// Holds each file against its seal, before anything in it is believed.
fn check_seals(dir: &Path, events: &[Event], events_sum: FileSum, cuts: &mut Vec<String>) -> Result<(), ReadError> {
    let Some(EventKind::RunEnded { seal, .. }) = events.last().map(|event| &event.kind) else { return Ok(()) };
    let mut sums = vec![
        (EVENTS_FILE, events_sum, seal.events),
        (SendRow::FILE, rows::sum(&dir.join(SendRow::FILE))?, seal.sends),
        (ReadRow::FILE, rows::sum(&dir.join(ReadRow::FILE))?, seal.reads),
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

/// Whether there are rows of this kind to be read: a history from before there were any has no file of them.
fn has_file<R: Columnar>(dir: &Path, events: &[Event], sealed: fn(&Seal) -> Option<FileSum>) -> bool {
    match events.last().map(|event| &event.kind) {
        Some(EventKind::RunEnded { seal, .. }) => sealed(seal).is_some(),
        _ => dir.join(R::FILE).exists(),
    }
}

/// Holds the rows that were found against what `run-ended` counts.
fn reconcile(
    dir: &Path,
    events: &[Event],
    found_sends: u64,
    found_reads: u64,
    cuts: &mut Vec<String>,
) -> Result<(), ReadError> {
    let Some(EventKind::RunEnded { sends, reads, .. }) = events.last().map(|event| &event.kind) else {
        cuts.push(format!("{EVENTS_FILE} has no run-ended"));
        return Ok(());
    };
    for (file, found, counted) in [(SendRow::FILE, found_sends, *sends), (ReadRow::FILE, found_reads, *reads)] {
        if found > counted {
            return Err(ReadError::TooMany { path: dir.join(file), found, counted });
        }
        if found < counted {
            cuts.push(format!("{file} has {found} of the {counted} rows that run-ended counts"));
        }
    }
    Ok(())
}
