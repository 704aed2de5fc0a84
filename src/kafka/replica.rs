//! What a replica stores of a partition: its batches (record batch format v2) without their records, and where its log begins
//! and ends. Data only.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{LeaderEpoch, Offset, TopicPartition};

/// Whether a batch's bytes are those that its CRC-32C was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Checksum {
    /// They are.
    Right = 0,
    /// They are not: the batch must never be served.
    Wrong = 1,
}

impl Checksum {
    /// The value stored as this byte, or `None` when none is.
    pub fn from_u8(byte: u8) -> Option<Self> {
        [Self::Right, Self::Wrong].into_iter().find(|checksum| *checksum as u8 == byte)
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
        }
    }
}

/// How a batch's records are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// Not at all.
    None,
    /// By zlib.
    Gzip,
    /// By Snappy.
    Snappy,
    /// By LZ4, in its frames.
    Lz4,
    /// By Zstandard.
    Zstd,
}

impl Codec {
    /// All of them, in the order of Kafka's numbers, from 0.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The word for it, which is also that of `compression.type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// A batch as one replica stores it. A follower stores what its leader does, byte by byte, so that every field is the same on
/// every replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredBatch {
    /// Its first offset.
    pub base_offset: Offset,
    /// Its last offset.
    pub last_offset: Offset,
    /// The term of the leader that appended it.
    pub leader_epoch: LeaderEpoch,
    /// How long it is, its head included.
    pub bytes: u32,
    /// The CRC-32C that it carries.
    pub crc: u32,
    /// Whether its bytes agree with that.
    pub checksum: Checksum,
    /// The codec, and whether it is transactional or a control batch, as Kafka's bits.
    pub attributes: i16,
    /// The producer's id; -1 for one without idempotence.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The producer's number of its first record.
    pub base_sequence: i32,
    /// How many records it holds.
    pub records: i32,
}

impl StoredBatch {
    /// How its records are packed; `None` for a number that Kafka does not know.
    pub fn codec(&self) -> Option<Codec> {
        Codec::ALL.get(usize::from(self.attributes.cast_unsigned() & 7)).copied()
    }

    /// The offsets that it takes, for people.
    pub fn span(&self) -> Span {
        Span(self.base_offset, self.last_offset)
    }
}

/// Offsets from the first to the last, for people: `offset 7` or `offsets 7 to 9`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Offset, pub Offset);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(first, last) if first == last => write!(f, "offset {first}"),
            Self(first, last) => write!(f, "offsets {first} to {last}"),
        }
    }
}

/// What was found where a batch should begin and none does, to the end of its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Break {
    /// The segment, by the offset that its name says.
    pub segment: Offset,
    /// The place in the segment's file.
    pub position: u64,
    /// How many bytes there are from there on.
    pub bytes: u64,
    /// The offset that the next batch could not have been below.
    pub offset: Offset,
}

/// One partition's log on the disk of one broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaLog {
    /// Which partition.
    pub partition: TopicPartition,
    /// Where its first segment begins.
    pub start: Offset,
    /// One past its last batch's last offset; its last segment's beginning where that is empty.
    pub end: Offset,
    /// How many batches it holds.
    pub batches: u64,
    /// How many bytes of segments were read.
    pub bytes: u64,
    /// What is no batch. One at the log's end may be an append that was cut off in the middle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breaks: Vec<Break>,
    /// The first segment that was not read, because there was too much; none after it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread_from: Option<Offset>,
}
