//! Checksums of a history's files, so that one that was changed after the run is never taken for what was recorded.
//!
//! Arrow's streams and JSON have no checksums of their own, and a flipped bit in a row can still make a plausible row. So
//! each file is summed while it is written, `run-ended` holds the sums, and the reader sums again what it reads.

use std::fs::File;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

/// What each file of a history was when the run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
// A flipped bit in the name of a file that may be missing must not make it missing.
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// Of `events.jsonl`, all lines before the one with `run-ended`.
    pub events: FileSum,
    /// Of the whole `sends.arrows`.
    pub sends: FileSum,
    /// Of the whole `reads.arrows`.
    pub reads: FileSum,
    /// Of the whole `sources.arrows`; `None` in histories from before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<FileSum>,
    /// Of the whole `replicas.arrows`; `None` in histories from before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<FileSum>,
}

/// The length and the checksum of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSum {
    /// How many bytes it has. Tells a file that was cut from one that was changed.
    pub bytes: u64,
    /// CRC-32 (IEEE 802.3, as in zip and PNG) of them.
    pub crc32: u32,
}

/// Sums bytes as they pass.
#[derive(Clone, Debug, Default)]
pub(super) struct Summer {
    bytes: u64,
    hasher: crc32fast::Hasher,
}

impl Summer {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hasher.update(bytes);
    }

    pub(super) fn sum(&self) -> FileSum {
        FileSum { bytes: self.bytes, crc32: self.hasher.clone().finalize() }
    }
}

/// A file that sums what is written to it.
pub(super) struct SummedFile {
    file: File,
    summer: Summer,
}

impl SummedFile {
    pub(super) fn new(file: File) -> Self {
        Self { file, summer: Summer::default() }
    }

    /// The sum of what the operating system has taken so far.
    pub(super) fn sum(&self) -> FileSum {
        self.summer.sum()
    }

    /// Has the disk confirm everything.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

impl Write for SummedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.file.write(bytes)?;
        self.summer.add(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
