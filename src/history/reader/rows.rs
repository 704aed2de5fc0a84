//! Reads one file of rows, batch by batch.

use std::fs::File;
use std::io::Read;
use std::panic::AssertUnwindSafe;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_schema::ArrowError;

use super::ReadError;
use crate::history::FORMAT_VERSION;
use crate::history::columns::{Columnar, VERSION_KEY};
use crate::history::recorder::Header;
use crate::history::seal::{FileSum, Summer};
use crate::kafka::{Partition, TopicIndex};

/// How much of a file is read at a time.
const CHUNK_BYTES: usize = 4 << 20;

/// Gives the rows of one file to `visit`, batch by batch; returns how many there were. Each is of a partition that the run had.
pub(super) fn each<R: Columnar, E: From<ReadError>>(
    dir: &Path,
    header: &Header,
    cuts: &mut Vec<String>,
    visit: &mut dyn FnMut(Vec<R>) -> Result<(), E>,
) -> Result<u64, E> {
    let path = dir.join(R::FILE);
    let mut file = open(&path)?;
    let mut decoder = StreamDecoder::new();
    let mut rows = 0_u64;
    let mut version_checked = false;
    loop {
        let mut chunk = next_chunk(&mut file, &path)?;
        if chunk.is_empty() {
            break;
        }
        while !chunk.is_empty() {
            let batch = decode(&mut decoder, &mut chunk).map_err(|source| ReadError::Batch {
                path: path.clone(),
                rows,
                source,
            })?;
            if !version_checked && decoder.schema().is_some() {
                check_schema(&path, &decoder)?;
                version_checked = true;
            }
            let Some(batch) = batch else { continue };
            let batch = R::rows(&batch).map_err(|source| ReadError::Columns { path: path.clone(), rows, source })?;
            for (row, place) in (rows..).zip(batch.iter().map(Columnar::place)) {
                check_place(&path, header, row, place)?;
            }
            rows += batch.len() as u64;
            visit(batch)?;
        }
    }
    // The decoder takes in a schema only once something follows it: without one there was no batch and no end mark.
    if decoder.schema().is_none() {
        cuts.push(format!("{} ends before its first batch", R::FILE));
    } else if decoder.finish().is_err() {
        cuts.push(format!("{} ends in the middle of a batch, after {rows} rows", R::FILE));
    }
    Ok(rows)
}

fn check_place(
    path: &Path,
    header: &Header,
    row: u64,
    (topic, partition): (TopicIndex, Partition),
) -> Result<(), ReadError> {
    let count = header.partitions.get(usize::from(topic.0)).copied().unwrap_or(0);
    if u32::try_from(partition.0).is_ok_and(|partition| partition < count) {
        return Ok(());
    }
    Err(ReadError::Place { path: path.to_owned(), row, topic: topic.0, partition: partition.0 })
}

/// Arrow trusts the lengths inside a batch and panics on some damaged ones. A sealed file is summed before it gets here;
/// one whose harness was killed has no seal.
fn decode(decoder: &mut StreamDecoder, chunk: &mut Buffer) -> Result<Option<RecordBatch>, ArrowError> {
    let attempt = std::panic::catch_unwind(AssertUnwindSafe(|| decoder.decode(chunk)));
    attempt.unwrap_or_else(|_| Err(ArrowError::IpcError("its lengths contradict one another".to_owned())))
}

fn open(path: &Path) -> Result<File, ReadError> {
    File::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })
}

fn next_chunk(file: &mut File, path: &Path) -> Result<Buffer, ReadError> {
    let mut bytes = Vec::new();
    file.take(CHUNK_BYTES as u64)
        .read_to_end(&mut bytes)
        .map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    Ok(Buffer::from_vec(bytes))
}

fn check_schema(path: &Path, decoder: &StreamDecoder) -> Result<(), ReadError> {
    let found = decoder.schema().and_then(|schema| schema.metadata().get(VERSION_KEY).cloned()).unwrap_or_default();
    match found.parse::<u32>() {
        Ok(version) if version <= FORMAT_VERSION => Ok(()),
        _ => Err(ReadError::Newer { path: path.to_owned(), found }),
    }
}

/// The length and the checksum of a file.
pub(super) fn sum(path: &Path) -> Result<FileSum, ReadError> {
    let mut file = open(path)?;
    let mut summer = Summer::default();
    loop {
        let chunk = next_chunk(&mut file, path)?;
        if chunk.is_empty() {
            return Ok(summer.sum());
        }
        summer.add(&chunk);
    }
}
