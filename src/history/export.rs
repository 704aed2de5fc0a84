//! A stored history as tables for Polars, `DuckDB`, pandas and spreadsheets: CSV, JSON Lines or Parquet.
//!
//! There are five: events, sends, reads, sources and replicas. They say what the history's own files say, in words where those have
//! numbers of their own: outcomes and statuses by name, topics by name, and each process's label (`chatters/0.0`) beside its
//! number. Columns are described in `docs/history.md`; columns are added at the end, never changed.
//!
//! A table is written as it is read, batch by batch, so that memory does not grow with the run.

mod columns;
mod encoder;
mod events;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};
use parquet::errors::ParquetError;

use super::reader::{ReadError, Stored};
use super::{ReadRow, ReplicaRow, SendRow, SourceRow};
use columns::Names;
use encoder::Encoder;

/// A table of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// What comes a few per second: phases, faults, proofs, assignments, commits, errors.
    Events,
    /// One row a completed send.
    Sends,
    /// One row a record that one reader saw.
    Reads,
    /// One row a record that a transformer made.
    Sources,
    /// One row a batch that a replica stored in the end.
    Replicas,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Events, Self::Sends, Self::Reads, Self::Sources, Self::Replicas];

    /// The word for it, and the stem of its file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Sends => "sends",
            Self::Reads => "reads",
            Self::Sources => "sources",
            Self::Replicas => "replicas",
        }
    }

    /// Its columns, in order.
    pub fn fields(self) -> Vec<Field> {
        match self {
            Self::Events => events::fields(),
            Self::Sends => columns::send_fields(),
            Self::Reads => columns::read_fields(),
            Self::Sources => columns::source_fields(),
            Self::Replicas => columns::replica_fields(),
        }
    }
}

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated, with a header, nulls as nothing (RFC 4180).
    Csv,
    /// One JSON object a line, every column in each, nulls as `null`.
    Jsonl,
    /// Parquet, packed by Snappy.
    Parquet,
}

impl Format {
    /// The ending of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
        }
    }
}

/// Why a table could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The history cannot be read, or not to its end.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What takes the table in refuses it.
    #[error("cannot write the table")]
    Write(#[from] io::Error),
    /// A batch does not fit its own table: a bug.
    #[error("cannot make the table's batches")]
    Batch(#[from] ArrowError),
    /// A batch cannot be packed.
    #[error("cannot pack the table as Parquet")]
    Pack(#[source] ParquetError),
}

/// Writes one table, whole or as far as the history goes. Whether that was to its end, [`Stored::closure`] says afterwards.
pub fn write<W: Write + Send>(stored: &mut Stored, table: Table, format: Format, out: W) -> Result<(), ExportError> {
    let schema = schema(stored, table);
    let names = Names::of(stored);
    let mut encoder = Encoder::new(format, Arc::clone(&schema), out)?;
    let mut put = |columns: Vec<ArrayRef>| -> Result<(), ExportError> {
        encoder.write(&RecordBatch::try_new(Arc::clone(&schema), columns)?)
    };
    match table {
        Table::Events => events::write(stored, &names, &mut put)?,
        Table::Sends => stored.rows(&mut |rows: Vec<SendRow>| put(columns::sends(&names, &rows)))?,
        Table::Reads => stored.rows(&mut |rows: Vec<ReadRow>| put(columns::reads(&names, &rows)))?,
        Table::Sources => stored.rows(&mut |rows: Vec<SourceRow>| put(columns::sources(&names, &rows)))?,
        Table::Replicas => stored.rows(&mut |rows: Vec<ReplicaRow>| put(columns::replicas(&names, &rows)))?,
    }
    encoder.finish()
}

/// The columns, and which run they are of; Parquet keeps that in its metadata.
fn schema(stored: &Stored, table: Table) -> SchemaRef {
    let about = [("run", stored.header().run.as_str()), ("started_utc", stored.started_utc()), ("table", table.name())];
    let metadata: HashMap<_, _> = about.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    Arc::new(Schema::new_with_metadata(table.fields(), metadata))
}
