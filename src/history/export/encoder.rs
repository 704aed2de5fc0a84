//! Batches to bytes, one format each; every batch leaves as it comes.

use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_json::writer::LineDelimited;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::{ExportError, Format};

/// Parquet keeps the rows of a group in memory until it is full, so that this bounds it; large enough for readers to skip by.
const ROWS_PER_GROUP: usize = 262_144;

/// A table on its way out.
pub(super) struct Encoder<W: Write + Send> {
    schema: SchemaRef,
    way: Way<W>,
}

enum Way<W: Write + Send> {
    /// Each batch is made text in memory first, because the text writers tell of a broken pipe in words only.
    Text {
        out: W,
        text: Vec<u8>,
        kind: Text,
    },
    Parquet(Box<ArrowWriter<Watched<W>>>, FirstError),
}

#[derive(Clone, Copy)]
enum Text {
    /// The header is written with the first batch.
    CsvBegin,
    Csv,
    Jsonl,
}

impl<W: Write + Send> Encoder<W> {
    pub(super) fn new(format: Format, schema: SchemaRef, out: W) -> Result<Self, ExportError> {
        let way = match format {
            Format::Csv => Way::Text { out, text: Vec::new(), kind: Text::CsvBegin },
            Format::Jsonl => Way::Text { out, text: Vec::new(), kind: Text::Jsonl },
            Format::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::SNAPPY)
                    .set_max_row_group_row_count(Some(ROWS_PER_GROUP))
                    .build();
                let first = FirstError::default();
                let out = Watched { out, first: first.clone() };
                let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties));
                Way::Parquet(Box::new(writer.map_err(|error| first.or(error))?), first)
            }
        };
        Ok(Self { schema, way })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), ExportError> {
        match &mut self.way {
            Way::Parquet(writer, first) => writer.write(batch).map_err(|error| first.or(error)),
            Way::Text { out, text, kind } => {
                text.clear();
                match kind {
                    Text::CsvBegin | Text::Csv => {
                        let has_header = matches!(kind, Text::CsvBegin);
                        arrow_csv::WriterBuilder::new().with_header(has_header).build(&mut *text).write(batch)?;
                        *kind = Text::Csv;
                    }
                    Text::Jsonl => {
                        let builder = arrow_json::WriterBuilder::new().with_explicit_nulls(true);
                        builder.build::<_, LineDelimited>(&mut *text).write(batch)?;
                    }
                }
                Ok(out.write_all(text)?)
            }
        }
    }

    /// Writes what is still to be written; a table without rows has its columns nevertheless.
    pub(super) fn finish(mut self) -> Result<(), ExportError> {
        if matches!(self.way, Way::Text { kind: Text::CsvBegin, .. }) {
            self.write(&RecordBatch::new_empty(self.schema.clone()))?;
        }
        match self.way {
            Way::Text { mut out, .. } => Ok(out.flush()?),
            Way::Parquet(writer, first) => {
                let mut watched = writer.into_inner().map_err(|error| first.or(error))?;
                Ok(watched.out.flush()?)
            }
        }
    }
}

/// What takes a Parquet file in. It keeps its first error, because Parquet's writer tells of some in words only.
struct Watched<W> {
    out: W,
    first: FirstError,
}

impl<W: Write> Write for Watched<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes).map_err(|error| self.first.keep(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush().map_err(|error| self.first.keep(error))
    }
}

/// The first error of what takes a file in, if there was one.
#[derive(Clone, Default)]
struct FirstError(Arc<Mutex<Option<io::Error>>>);

impl FirstError {
    /// Keeps an error, and gives one of its kind; an interrupted write is tried again and is none.
    fn keep(&self, error: io::Error) -> io::Error {
        let kind = error.kind();
        if kind == ErrorKind::Interrupted {
            return error;
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        kind.into()
    }

    /// The error that was kept, or this one when none was: then it is Parquet's own.
    fn or(&self, error: ParquetError) -> ExportError {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        kept.map_or(ExportError::Pack(error), ExportError::Write)
    }
}
