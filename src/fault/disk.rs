//! What can be done to a broker's disk, and what was found of it. Data only, as it goes into histories and proofs.

use std::fmt;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use crate::kafka::TopicPartition;

/// How much a file system holds, and how much of that is free. Both count what is kept back for root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// All of it, in bytes.
    pub total_bytes: u64,
    /// What is free, in bytes.
    pub free_bytes: u64,
}

/// A disk was filled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filled {
    /// The file that fills it, as seen in the broker's container.
    pub path: String,
    /// How long that file is, in bytes.
    pub ballast_bytes: u64,
    /// The room before.
    pub before: Room,
    /// The room after: nothing is free.
    pub after: Room,
}

/// What of a broker's data is made unwritable.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockedPlace {
    /// The whole data directory. Bites within seconds.
    DataDirectory,
    /// One partition's directory. Bites when its log rolls, its leader changes, or the broker starts.
    Partition(TopicPartition),
}

impl LockedPlace {
    /// Its path below the data directory; empty for that directory itself.
    pub fn below_data(&self) -> String {
        match self {
            Self::DataDirectory => String::new(),
            Self::Partition(partition) => partition.to_string(),
        }
    }
}

impl fmt::Display for LockedPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DataDirectory => f.write_str("the data directory"),
            Self::Partition(partition) => write!(f, "the directory of {partition}"),
        }
    }
}

/// A place was made unwritable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locked {
    /// Where, as seen in the broker's container.
    pub path: String,
    /// How many files and directories may not be written any more.
    pub entries: u64,
    /// The user that the broker runs as, who tried to write there.
    pub user: u32,
    /// What that user was answered.
    pub refused: String,
}

/// A file of a broker's data that can be damaged.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhichFile {
    /// A segment of a partition's log: the records themselves.
    Log(TopicPartition, Segment),
    /// A segment's index by offset.
    Index(TopicPartition, Segment),
    /// A segment's index by time.
    TimeIndex(TopicPartition, Segment),
    /// Which leader epochs the partition's log has seen, and since which offsets.
    LeaderEpochCheckpoint(TopicPartition),
    /// Up to where each log is known to be flushed.
    RecoveryPointCheckpoint,
    /// The high watermark of each replica.
    ReplicationOffsetCheckpoint,
    /// The newest segment of the controllers' log.
    MetadataLog,
    /// For whom the controller voted, and in which epoch.
    QuorumState,
}

/// Which segment of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Segment {
    /// The one that is written to.
    Newest,
    /// The one with the lowest offsets.
    Oldest,
}

/// How a file is damaged. What lies behind its last byte that is not zero (indexes are allocated ahead) counts as no part
/// of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HowDamaged {
    /// So many bits are flipped, each in a byte of its own, at places that a seed draws.
    Corrupt {
        /// How many, from 1 to 1000.
        bits: u32,
        /// Where.
        within: Within,
    },
    /// The end is cut off.
    Truncate(Cut),
}

/// Where bits are flipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Within {
    /// Anywhere in the file.
    Anywhere,
    /// In its last so many bytes.
    LastBytes(u64),
}

/// How much is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cut {
    /// This many bytes at the end; the whole file when it is shorter.
    LastBytes(u64),
    /// All but this many percent of the file, from 0 to 99.
    ToPercent(u8),
}

/// A bit that was flipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flip {
    /// The byte's place in the file.
    pub offset: u64,
    /// The bit, from 0, the lowest.
    pub bit: u8,
}

/// A file was damaged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// The file, as seen in the broker's container.
    pub path: String,
    /// Its length before, in bytes.
    pub size_before_bytes: u64,
    /// Its length after, in bytes.
    pub size_after_bytes: u64,
    /// The CRC-32 of its content before.
    pub crc32_before: u32,
    /// The CRC-32 of its content after.
    pub crc32_after: u32,
    /// The bits that were flipped; none where it was cut.
    pub flips: Vec<Flip>,
}

/// A broker's data were removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wiped {
    /// The data directory, which is there still, empty.
    pub path: String,
    /// How many files and directories it had.
    pub entries: u64,
    /// How many bytes they took.
    pub bytes: u64,
}

/// How fast something was written and flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// How many bytes.
    pub bytes: u64,
    /// In how long.
    pub elapsed_ms: u64,
}

impl Pace {
    /// Bytes a second.
    pub fn bytes_per_second(self) -> u64 {
        self.bytes.saturating_mul(1000) / self.elapsed_ms.max(1)
    }
}

/// No disk is made slower than this: to measure that it is would take minutes.
pub const SLOWEST_BYTES_PER_SECOND: u64 = 64 << 10;

/// A broker's disk was made slow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttled {
    /// The block device, as `major:minor`.
    pub device: String,
    /// How many bytes a second may be written, and as many read.
    pub limit_bytes_per_second: u64,
    /// How fast a file was written and flushed in the broker's container before.
    pub before: Pace,
    /// The same, afterwards.
    pub after: Pace,
}

impl Throttled {
    /// What the kernel has to show while this is in force.
    pub fn limits(&self) -> DiskLimits {
        let limit = Some(self.limit_bytes_per_second);
        DiskLimits { device: self.device.clone(), write_bytes_per_second: limit, read_bytes_per_second: limit }
    }
}

/// How fast a broker may use its disk, as the kernel shows it in the control group of the broker's container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskLimits {
    /// The block device, as `major:minor`.
    pub device: String,
    /// How many bytes a second may be written; `None` for as many as it takes.
    pub write_bytes_per_second: Option<u64>,
    /// How many may be read; `None` for as many as it gives.
    pub read_bytes_per_second: Option<u64>,
}

impl DiskLimits {
    /// Whether nothing is limited.
    pub fn are_none(&self) -> bool {
        self.write_bytes_per_second.is_none() && self.read_bytes_per_second.is_none()
    }
}

impl fmt::Display for DiskLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = |limit: Option<u64>| {
            limit.map_or_else(|| "any rate".to_owned(), |bytes| format!("{}/s", ByteSize(bytes).display().iec()))
        };
        if self.are_none() {
            return f.write_str("no limit");
        }
        let (writes, reads) = (rate(self.write_bytes_per_second), rate(self.read_bytes_per_second));
        write!(f, "writes at {writes} and reads at {reads}")
    }
}

/// Whether an engine can make a disk slow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "throttling", rename_all = "kebab-case")]
pub enum Throttling {
    /// It can, for writes that somebody waits for (`fsync`, `O_DIRECT`) and reads from the device: control groups v1. Kafka
    /// waits for its log's writes only with `flush.messages` or `flush.ms` set low.
    FlushedWrites,
    /// It can, for all writes: control groups v2.
    AllWrites,
    /// It cannot.
    Unavailable {
        /// Why.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_to_a_disk_survives_its_way_into_a_history_and_back() {
        let chat = TopicPartition::new("chat", 0);
        let files = [
            WhichFile::Log(chat.clone(), Segment::Newest),
            WhichFile::LeaderEpochCheckpoint(chat),
            WhichFile::MetadataLog,
        ];
        for file in files {
            let text = serde_json::to_string(&file).expect("data can be written");
            assert_eq!(serde_json::from_str::<WhichFile>(&text).expect("and read"), file);
        }
        let throttling = Throttling::Unavailable { reason: "no device".to_owned() };
        let text = serde_json::to_string(&throttling).expect("data can be written");
        assert_eq!(text, r#"{"throttling":"unavailable","reason":"no device"}"#);
    }

    #[test]
    fn a_pace_that_no_clock_could_tell_is_no_division_by_zero() {
        assert_eq!(Pace { bytes: 10, elapsed_ms: 0 }.bytes_per_second(), 10_000);
        assert_eq!(Pace { bytes: 1_000_000, elapsed_ms: 500 }.bytes_per_second(), 2_000_000);
    }
}
