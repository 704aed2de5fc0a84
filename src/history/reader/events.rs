//! Reads `events.jsonl` line by line, keeping no more of it than whoever asks.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::ReadError;
use crate::history::recorder::Header;
use crate::history::seal::{FileSum, Summer};
use crate::history::writer::EVENTS_FILE;
use crate::history::{Event, EventKind, FORMAT_VERSION, ProcessRole, Seal};
use crate::kafka::ProcessId;

/// What the events say about the whole history.
pub(super) struct Survey {
    /// What the history says about itself at its start.
    pub header: Header,
    /// The wall-clock time of the run's origin, RFC 3339.
    pub started_utc: String,
    /// Who each process was.
    pub processes: BTreeMap<ProcessId, ProcessRole>,
    /// What `run-ended` says, if the history gets there.
    pub ending: Option<Ending>,
    /// The length and the checksum of all lines but the last, which is `run-ended` in a whole history.
    pub sum: FileSum,
}

/// What `run-ended` says.
#[derive(Clone, Copy)]
pub(super) struct Ending {
    /// How many send rows were written.
    pub sends: u64,
    /// How many read rows were written.
    pub reads: u64,
    /// What each file was then.
    pub seal: Seal,
}

/// Goes through all events once and notes what they say about the whole; each is also given to `keep`.
pub(super) fn survey(path: &Path, cuts: &mut Vec<String>, keep: &mut dyn FnMut(Event)) -> Result<Survey, ReadError> {
    let mut beginning = None;
    let mut processes = BTreeMap::new();
    let mut ending = None;
    let sum = each::<ReadError>(path, cuts, &mut |event| {
        match &event.kind {
            EventKind::RunStarted { run, topics, partitions, started_utc, .. } => {
                let header = Header { run: run.clone(), topics: topics.clone(), partitions: partitions.clone() };
                beginning = Some((header, started_utc.clone()));
            }
            EventKind::ProcessStarted { process, role } => {
                processes.insert(*process, role.clone());
            }
            EventKind::RunEnded { sends, reads, seal } => {
                ending = Some(Ending { sends: *sends, reads: *reads, seal: *seal });
            }
            _ => {}
        }
        keep(event);
        Ok(())
    })?;
    match beginning {
        Some((header, started_utc)) if header.topics.len() == header.partitions.len() => {
            Ok(Survey { header, started_utc, processes, ending, sum })
        }
        _ => Err(ReadError::NoHeader { path: path.to_owned() }),
    }
}

/// Gives each event to `visit`, in recorded order. Returns the sum of all lines but the last.
pub(super) fn each<E: From<ReadError>>(
    path: &Path,
    cuts: &mut Vec<String>,
    visit: &mut dyn FnMut(Event) -> Result<(), E>,
) -> Result<FileSum, E> {
    let io_error = |source| ReadError::Io { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(io_error)?);
    let mut summer = Summer::default();
    let (mut line, mut last_line) = (Vec::new(), Vec::new());
    let mut number = 0;
    let mut ended_at = None;
    loop {
        line.clear();
        if file.read_until(b'\n', &mut line).map_err(io_error)? == 0 {
            return Ok(summer.sum());
        }
        summer.add(&last_line);
        number += 1;
        if let Some(line) = ended_at {
            return Err(misplaced(path, line, "run-ended is not the last line").into());
        }
        match serde_json::from_slice::<Event>(&line) {
            Ok(event) => {
                check_place(path, number, &event.kind)?;
                ended_at = matches!(event.kind, EventKind::RunEnded { .. }).then_some(number);
                visit(event)?;
            }
            Err(_) if number == 1 => return Err(ReadError::NoHeader { path: path.to_owned() }.into()),
            Err(source) if line.ends_with(b"\n") => {
                return Err(ReadError::Line { path: path.to_owned(), line: number, source }.into());
            }
            Err(_) => cuts.push(format!("{EVENTS_FILE} ends in the middle of line {number}")),
        }
        std::mem::swap(&mut line, &mut last_line);
    }
}

/// The first line is `run-started`, of a version that this build reads, and no other line is. Looked at before the next line is,
/// because a newer version may have events that this build does not know.
fn check_place(path: &Path, number: usize, kind: &EventKind) -> Result<(), ReadError> {
    match kind {
        EventKind::RunStarted { .. } if number > 1 => Err(misplaced(path, number, "run-started is not the first line")),
        EventKind::RunStarted { format_version, .. } if *format_version > FORMAT_VERSION => {
            Err(ReadError::Newer { path: path.to_owned(), found: format_version.to_string() })
        }
        EventKind::RunStarted { .. } => Ok(()),
        _ if number == 1 => Err(ReadError::NoHeader { path: path.to_owned() }),
        _ => Ok(()),
    }
}

fn misplaced(path: &Path, line: usize, problem: &'static str) -> ReadError {
    ReadError::Misplaced { path: path.to_owned(), line, problem }
}
