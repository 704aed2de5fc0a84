//! Reads one file of rows, batch by batch.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::thread;

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

/// How many rows are made of a batch at a time: few enough to stay in a processor's cache while they are looked at;
/// in unit tests so few that a batch of theirs takes several times.
const ROWS_AT_ONCE: usize = if cfg!(test) { 20 } else { 4096 };

/// Gives the rows of one file to `visit`, some at a time; returns how many there were. Each is of a partition that the run had.
pub(super) fn each<R: Columnar, E: From<ReadError>>(
    dir: &Path,
    header: &Header,
    cuts: &mut Vec<String>,
    visit: &mut dyn FnMut(Vec<R>) -> Result<(), E>,
) -> Result<u64, E> {
    each_batch(dir, header, cuts, &mut |piece| match piece {
        Piece::Rows(rows) => visit(rows),
        Piece::End(_) => Ok(()),
    })
}

/// What comes of a file, in order.
pub(super) enum Piece<R> {
    /// Some of the rows of a batch.
    Rows(Vec<R>),
    /// A batch is over, which lay at these bytes of the file; the first one's begin with the schema.
    End(Range<u64>),
}

/// The same, and where each batch lies. Batches are unpacked by a thread of their own, one ahead of those that are looked at.
pub(super) fn each_batch<R: Columnar, E: From<ReadError>>(
    dir: &Path,
    header: &Header,
    cuts: &mut Vec<String>,
    visit: &mut dyn FnMut(Piece<R>) -> Result<(), E>,
) -> Result<u64, E> {
    let path = &dir.join(R::FILE);
    thread::scope(|scope| {
        let (to, unpacked) = crossbeam_channel::bounded(1);
        let unpacking = scope.spawn(move || {
            let mut cuts = Vec::new();
            // Whoever looks at the batches may have had enough.
            let give = &mut |batch| to.send(batch).is_ok();
            unpack::<R>(path, &mut cuts, give).map(|()| cuts)
        });
        let mut rows = 0_u64;
        // Until the thread has given all, or has met what it cannot read, which it says when it is joined.
        for (batch, range) in unpacked {
            rows = some_at_a_time((path, header), &batch, rows, visit)?;
            visit(Piece::End(range))?;
        }
        cuts.extend(unpacking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        Ok(rows)
    })
}

/// Gives every batch of a file, and where it lies, to `give`, until that wants no more.
fn unpack<R: Columnar>(
    path: &Path,
    cuts: &mut Vec<String>,
    give: &mut dyn FnMut((RecordBatch, Range<u64>)) -> bool,
) -> Result<(), ReadError> {
    let mut file = open(path)?;
    let mut decoder = StreamDecoder::new();
    let mut rows = 0;
    let (mut fed, mut begun) = (0_u64, 0_u64);
    let mut version_checked = false;
    loop {
        let mut chunk = next_chunk(&mut file, path)?;
        if chunk.is_empty() {
            break;
        }
        fed += chunk.len() as u64;
        while !chunk.is_empty() {
            let batch = decode(&mut decoder, &mut chunk).map_err(|source| ReadError::Batch {
                path: path.to_owned(),
                rows,
                source,
            })?;
            if !version_checked && decoder.schema().is_some() {
                check_schema(path, &decoder)?;
                version_checked = true;
            }
            let Some(batch) = batch else { continue };
            rows += batch.num_rows() as u64;
            let end = fed - chunk.len() as u64;
            if !give((batch, begun..end)) {
                return Ok(());
            }
            begun = end;
        }
    }
    // The decoder takes in a schema only once something follows it: without one there was no batch and no end mark.
    if decoder.schema().is_none() {
        cuts.push(format!("{} ends before its first batch", R::FILE));
    } else if decoder.finish().is_err() {
        cuts.push(format!("{} ends in the middle of a batch, after {rows} rows", R::FILE));
    }
    Ok(())
}

/// Makes rows of a batch; returns how many there are with those of before.
fn some_at_a_time<R: Columnar, E: From<ReadError>>(
    (path, header): (&Path, &Header),
    batch: &RecordBatch,
    mut rows: u64,
    visit: &mut dyn FnMut(Piece<R>) -> Result<(), E>,
) -> Result<u64, E> {
    for from in (0..batch.num_rows()).step_by(ROWS_AT_ONCE) {
        let some = batch.slice(from, ROWS_AT_ONCE.min(batch.num_rows() - from));
        let some = R::rows(&some).map_err(|source| ReadError::Columns { path: path.to_owned(), rows, source })?;
        for (row, place) in (rows..).zip(some.iter().map(Columnar::place)) {
            check_place(path, header, row, place)?;
        }
        rows += some.len() as u64;
        visit(Piece::Rows(some))?;
    }
    Ok(rows)
}

/// Gives the rows of some batches to `visit`, which lie at these bytes of a file that was read before. `first` are those of the first one.
pub(super) fn of_batches<R: Columnar>(
    dir: &Path,
    header: &Header,
    first: &Range<u64>,
    batches: &[Range<u64>],
    visit: &mut dyn FnMut(Vec<R>),
) -> Result<(), ReadError> {
    let path = dir.join(R::FILE);
    let mut file = open(&path)?;
    let mut decoder = StreamDecoder::new();
    let mut visit = |piece: Piece<R>| {
        if let Piece::Rows(rows) = piece {
            visit(rows);
        }
        Ok(())
    };
    // Without the schema before it no batch can be read.
    let others = batches.iter().filter(|batch| *batch != first);
    for range in std::iter::once(first).chain(others) {
        let batch = one_batch(&mut file, &path, &mut decoder, range)?;
        if range != first || batches.contains(first) {
            some_at_a_time((&path, header), &batch, 0, &mut visit)?;
        }
    }
    Ok(())
}

fn one_batch(
    file: &mut File,
    path: &Path,
    decoder: &mut StreamDecoder,
    range: &Range<u64>,
) -> Result<RecordBatch, ReadError> {
    let io = |source| ReadError::Io { path: path.to_owned(), source };
    file.seek(SeekFrom::Start(range.start)).map_err(io)?;
    let mut bytes = Vec::new();
    file.take(range.end - range.start).read_to_end(&mut bytes).map_err(io)?;
    let mut chunk = Buffer::from_vec(bytes);
    let broken = |source| ReadError::Batch { path: path.to_owned(), rows: 0, source };
    loop {
        match decode(decoder, &mut chunk).map_err(broken)? {
            Some(batch) => return Ok(batch),
            None if chunk.is_empty() => {
                return Err(broken(ArrowError::IpcError("the file was changed while it was read".to_owned())));
            }
            None => {}
        }
    }
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
    let mut bytes = Vec::with_capacity(CHUNK_BYTES);
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
