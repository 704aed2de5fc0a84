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

mod events;
mod rows;
mod sifted;
mod stored;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow_schema::ArrowError;

pub use sifted::{Scanned, Visitor};
pub use stored::Stored;

use super::columns::{BadColumns, Columnar};
use super::recorder::Header;
use super::{FORMAT_VERSION, History, PartitionHistory};
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

/// Reads the whole history in a directory into memory.
pub fn read(dir: &Path) -> Result<History, ReadError> {
    let (mut stored, mut history) = Stored::open_bare(dir)?;
    stored.load_all(&mut history)?;
    Ok(history)
}

/// Adds all rows of one kind to their partitions.
fn add_rows<R: Columnar>(
    stored: &mut Stored,
    partitions: &mut BTreeMap<(TopicIndex, Partition), PartitionHistory>,
    add: impl Fn(&mut PartitionHistory, R),
) -> Result<(), ReadError> {
    stored.rows(&mut |rows: Vec<R>| {
        for row in rows {
            let partition = partitions.get_mut(&row.place());
            add(partition.expect("a row of a place that the run did not have is refused before"), row);
        }
        Ok(())
    })
}

fn empty_partitions(header: &Header) -> BTreeMap<(TopicIndex, Partition), PartitionHistory> {
    let topics = (0..=u16::MAX).map(TopicIndex).zip(&header.partitions);
    topics
        .flat_map(|(topic, count)| (0..count.cast_signed()).map(move |partition| (topic, Partition(partition))))
        .map(|place| (place, PartitionHistory::default()))
        .collect()
}
