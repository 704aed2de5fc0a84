//! What a record's bytes say: who sent it, as which of its records, to which partition; sealed by a CRC.
//!
//! ```text
//! offset  0  "WBC1"            offset 16  partition u32     offset 40  crc u32
//!         4  run u32                  20  length u32               44  filler
//!         8  process u32              24  sequence u64
//!        12  topic u16, 2 zero bytes  32  send_ns u64
//! ```
//! Everything is little endian. `run` is the CRC-32 of the run's id; `length` is the whole payload's. The CRC-32 covers
//! every byte but its own four, and then the record's key. The filler is drawn from (process, sequence), so that no two
//! records look alike, and compresses badly.

use std::ops::Range;

use crate::kafka::{Partition, ProcessId, ReadStatus, RecordId, Sequence, TimeNs, TopicIndex};

/// The smallest payload: the header and a little filler.
pub const MIN_BYTES: u32 = 64;

const MAGIC: [u8; 4] = *b"WBC1";
const RUN: Range<usize> = 4..8;
const PROCESS: Range<usize> = 8..12;
const TOPIC: Range<usize> = 12..14;
const ZERO: Range<usize> = 14..16;
const PARTITION: Range<usize> = 16..20;
const LENGTH: Range<usize> = 20..24;
const SEQUENCE: Range<usize> = 24..32;
const SEND_NS: Range<usize> = 32..40;
const CRC: Range<usize> = 40..44;
const HEADER_BYTES: usize = 44;

/// A run, as payloads name it: the CRC-32 of its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunTag(u32);

impl RunTag {
    /// The tag of a run's id.
    pub fn of(run: &str) -> Self {
        Self(crc32fast::hash(run.as_bytes()))
    }
}

/// Where a record is sent, or where it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The topic.
    pub topic: TopicIndex,
    /// The partition.
    pub partition: Partition,
}

/// What a payload is to say.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// The run.
    pub run: RunTag,
    /// The record's identity.
    pub record: RecordId,
    /// Where it is sent.
    pub place: Place,
    /// When.
    pub send_ns: TimeNs,
    /// The payload's length; at least [`MIN_BYTES`] are written.
    pub bytes: u32,
}

/// Writes a payload into `buffer`, which is cleared first and keeps its allocation.
pub fn encode(buffer: &mut Vec<u8>, stamp: &Stamp, key: &[u8]) {
    let length = stamp.bytes.max(MIN_BYTES);
    buffer.clear();
    buffer.resize(length as usize, 0);
    buffer[..4].copy_from_slice(&MAGIC);
    buffer[RUN].copy_from_slice(&stamp.run.0.to_le_bytes());
    buffer[PROCESS].copy_from_slice(&stamp.record.process.0.to_le_bytes());
    buffer[TOPIC].copy_from_slice(&stamp.place.topic.0.to_le_bytes());
    buffer[PARTITION].copy_from_slice(&stamp.place.partition.0.to_le_bytes());
    buffer[LENGTH].copy_from_slice(&length.to_le_bytes());
    buffer[SEQUENCE].copy_from_slice(&stamp.record.sequence.0.to_le_bytes());
    buffer[SEND_NS].copy_from_slice(&stamp.send_ns.0.to_le_bytes());
    fill(&mut buffer[HEADER_BYTES..], stamp.record);
    let crc = seal(buffer, key);
    buffer[CRC].copy_from_slice(&crc.to_le_bytes());
}

/// Judges a record that was read at `place`, and says whose it claims to be.
///
/// - Foreign: no header of ours, or that of another run.
/// - Corrupt: ours by magic and run, but its length, its CRC or its zero bytes disagree with the bytes.
/// - Misplaced: whole, but sent to another topic or partition.
///
/// The identity is zero for a foreign record, and what the damaged bytes say for a corrupt one.
pub fn decode(run: RunTag, place: Place, key: &[u8], payload: &[u8]) -> (ReadStatus, RecordId) {
    let nobody = RecordId { process: ProcessId(0), sequence: Sequence(0) };
    if !payload.starts_with(&MAGIC) || payload.get(RUN) != Some(&run.0.to_le_bytes()) {
        return (ReadStatus::Foreign, nobody);
    }
    if payload.len() < HEADER_BYTES {
        return (ReadStatus::Corrupt, nobody);
    }
    let record = RecordId {
        process: ProcessId(u32::from_le_bytes(field(payload, PROCESS))),
        sequence: Sequence(u64::from_le_bytes(field(payload, SEQUENCE))),
    };
    let length = u32::from_le_bytes(field(payload, LENGTH)) as usize;
    let sealed = u32::from_le_bytes(field(payload, CRC));
    let whole = length == payload.len() && payload[ZERO] == [0, 0] && sealed == seal(payload, key);
    let sent_to = Place {
        topic: TopicIndex(u16::from_le_bytes(field(payload, TOPIC))),
        partition: Partition(i32::from_le_bytes(field(payload, PARTITION))),
    };
    let status = match (whole, sent_to == place) {
        (false, _) => ReadStatus::Corrupt,
        (true, false) => ReadStatus::Misplaced,
        (true, true) => ReadStatus::Intact,
    };
    (status, record)
}

/// One step of splitmix64, a generator cheap enough for every record's filler.
pub fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The state of splitmix64 after this many steps from `state`: its state only counts up.
pub fn splitmix64_skip(state: u64, steps: u64) -> u64 {
    state.wrapping_add(steps.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn fill(filler: &mut [u8], record: RecordId) {
    let mut state = u64::from(record.process.0).rotate_left(40) ^ record.sequence.0;
    for chunk in filler.chunks_mut(8) {
        let word = splitmix64(&mut state).to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}

fn seal(payload: &[u8], key: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&payload[..CRC.start]);
    hasher.update(&payload[CRC.end..]);
    hasher.update(key);
    hasher.finalize()
}

fn field<const N: usize>(payload: &[u8], range: Range<usize>) -> [u8; N] {
    payload[range].try_into().expect("a field's range has its type's length")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { topic: TopicIndex(1), partition: Partition(2) };
    const ID: RecordId = RecordId { process: ProcessId(7), sequence: Sequence(99) };

    fn sample(bytes: u32) -> Vec<u8> {
        let mut buffer = Vec::new();
        let stamp = Stamp { run: RunTag::of("run"), record: ID, place: PLACE, send_ns: TimeNs(5), bytes };
        encode(&mut buffer, &stamp, b"k3");
        buffer
    }

    fn judge(payload: &[u8]) -> ReadStatus {
        decode(RunTag::of("run"), PLACE, b"k3", payload).0
    }

    #[test]
    fn an_untouched_record_is_intact_and_names_its_sender() {
        for bytes in [0, 64, 65, 71, 1000] {
            let payload = sample(bytes);
            assert_eq!(payload.len(), bytes.max(MIN_BYTES) as usize);
            assert_eq!(decode(RunTag::of("run"), PLACE, b"k3", &payload), (ReadStatus::Intact, ID));
        }
    }

    #[test]
    fn a_change_of_any_bit_is_never_taken_for_intact() {
        let payload = sample(90);
        for byte in 0..payload.len() {
            for bit in 0..8 {
                let mut damaged = payload.clone();
                damaged[byte] ^= 1 << bit;
                let expected = if byte < 8 { ReadStatus::Foreign } else { ReadStatus::Corrupt };
                assert_eq!(judge(&damaged), expected, "byte {byte}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_record_cut_short_or_grown_is_never_taken_for_intact() {
        let payload = sample(90);
        for length in 0..payload.len() {
            let expected = if length < 8 { ReadStatus::Foreign } else { ReadStatus::Corrupt };
            assert_eq!(judge(&payload[..length]), expected, "cut to {length}");
        }
        let mut grown = payload;
        grown.push(0);
        assert_eq!(judge(&grown), ReadStatus::Corrupt);
    }

    #[test]
    fn another_key_makes_a_record_corrupt() {
        assert_eq!(decode(RunTag::of("run"), PLACE, b"k4", &sample(64)).0, ReadStatus::Corrupt);
    }

    #[test]
    fn a_record_in_another_partition_or_topic_is_misplaced_but_keeps_its_name() {
        for place in [
            Place { topic: TopicIndex(1), partition: Partition(3) },
            Place { topic: TopicIndex(0), partition: Partition(2) },
        ] {
            assert_eq!(decode(RunTag::of("run"), place, b"k3", &sample(64)), (ReadStatus::Misplaced, ID));
        }
    }

    #[test]
    fn a_record_of_another_run_is_foreign() {
        assert_eq!(decode(RunTag::of("other"), PLACE, b"k3", &sample(64)).0, ReadStatus::Foreign);
        assert_eq!(judge(b"hello"), ReadStatus::Foreign);
        assert_eq!(judge(b""), ReadStatus::Foreign);
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let payload = sample(64);
        assert_eq!(&payload[..4], b"WBC1");
        assert_eq!(payload[8..12], 7_u32.to_le_bytes());
        assert_eq!(payload[12..16], [1, 0, 0, 0]);
        assert_eq!(payload[16..20], 2_u32.to_le_bytes());
        assert_eq!(payload[20..24], 64_u32.to_le_bytes());
        assert_eq!(payload[24..32], 99_u64.to_le_bytes());
        assert_eq!(payload[32..40], 5_u64.to_le_bytes());
    }
}
