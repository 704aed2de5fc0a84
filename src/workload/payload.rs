//! What a record's bytes say: who sent it, as which of its records, to which partition; sealed by a CRC.
//!
//! ```text
//! offset  0  "WBC1"            offset 16  partition u32     offset 40  crc u32
//!         4  run u32                  20  length u32               44  filler
//!         8  process u32              24  sequence u64
//!        12  topic u16                32  send_ns u64
//!        14  headers u8
//!        15  timed u8
//! ```
//! Everything is little endian. `run` is the CRC-32 of the run's id; `length` is the whole payload's. The CRC-32 covers
//! every byte but its own four, and then the record's key, or 0xff where it has none. The filler is drawn from (process, sequence), so that no two
//! records look alike, and compresses badly.
//!
//! What Kafka carries beside payload and key is announced, and so is covered too: `headers` is how many headers the record has
//! ([`super::headers`]), and `timed` is 1 where its timestamp is `send_ns` on the wall clock of the run's origin, 0 where nobody
//! set it. Both were zero before there were either.

use std::ops::Range;

use crate::kafka::{Partition, ProcessId, ReadStatus, RecordId, Sequence, TimeNs, TopicIndex};
use crate::scenario::HEADERS_MAX;

/// The smallest payload: the header and a little filler.
pub const MIN_BYTES: u32 = 64;

const MAGIC: [u8; 4] = *b"WBC1";
const RUN: Range<usize> = 4..8;
const PROCESS: Range<usize> = 8..12;
const TOPIC: Range<usize> = 12..14;
const HEADERS: usize = 14;
const TIMED: usize = 15;
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
    /// When, which is the record's timestamp too.
    pub send_ns: TimeNs,
    /// How many headers the record has.
    pub headers: u8,
    /// The payload's length; at least [`MIN_BYTES`] are written.
    pub bytes: u32,
}

/// What a payload says, and whether it can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// What was found.
    pub status: ReadStatus,
    /// Whose it claims to be: nobody's (zero) for a foreign record, and what the damaged bytes say for a corrupt one.
    pub record: RecordId,
    /// How many headers the record should have.
    pub headers: u8,
    /// The time that the record's timestamp should say; `None` when its producer set none.
    pub timestamp: Option<TimeNs>,
}

impl Decoded {
    fn nobodys(status: ReadStatus) -> Self {
        let record = RecordId { process: ProcessId(0), sequence: Sequence(0) };
        Self { status, record, headers: 0, timestamp: None }
    }
}

/// Writes a payload into `buffer`, which keeps its allocation and nothing else: every byte is written anew.
pub fn encode(buffer: &mut Vec<u8>, stamp: &Stamp, key: Option<&[u8]>) {
    let length = stamp.bytes.max(MIN_BYTES);
    buffer.resize(length as usize, 0);
    buffer[..4].copy_from_slice(&MAGIC);
    buffer[RUN].copy_from_slice(&stamp.run.0.to_le_bytes());
    buffer[PROCESS].copy_from_slice(&stamp.record.process.0.to_le_bytes());
    buffer[TOPIC].copy_from_slice(&stamp.place.topic.0.to_le_bytes());
    buffer[HEADERS] = stamp.headers;
    buffer[TIMED] = 1;
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
/// - Corrupt: ours by magic and run, but its length or its CRC disagrees with the bytes, or a field says what none can.
/// - Misplaced: whole, but sent to another topic or partition.
pub fn decode(run: RunTag, place: Place, key: Option<&[u8]>, payload: &[u8]) -> Decoded {
    if !payload.starts_with(&MAGIC) || payload.get(RUN) != Some(&run.0.to_le_bytes()) {
        return Decoded::nobodys(ReadStatus::Foreign);
    }
    if payload.len() < HEADER_BYTES {
        return Decoded::nobodys(ReadStatus::Corrupt);
    }
    let record = RecordId {
        process: ProcessId(u32::from_le_bytes(field(payload, PROCESS))),
        sequence: Sequence(u64::from_le_bytes(field(payload, SEQUENCE))),
    };
    let length = u32::from_le_bytes(field(payload, LENGTH)) as usize;
    let sealed = u32::from_le_bytes(field(payload, CRC));
    let (headers, timed) = (payload[HEADERS], payload[TIMED]);
    let is_possible = headers <= HEADERS_MAX && timed <= 1;
    let whole = length == payload.len() && is_possible && sealed == seal(payload, key);
    let sent_to = Place {
        topic: TopicIndex(u16::from_le_bytes(field(payload, TOPIC))),
        partition: Partition(i32::from_le_bytes(field(payload, PARTITION))),
    };
    let status = match (whole, sent_to == place) {
        (false, _) => ReadStatus::Corrupt,
        (true, false) => ReadStatus::Misplaced,
        (true, true) => ReadStatus::Intact,
    };
    let send_ns = TimeNs(u64::from_le_bytes(field(payload, SEND_NS)));
    Decoded { status, record, headers, timestamp: (timed == 1).then_some(send_ns) }
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
    let mut chunks = filler.chunks_exact_mut(8);
    for chunk in &mut chunks {
        chunk.copy_from_slice(&splitmix64(&mut state).to_le_bytes());
    }
    let rest = chunks.into_remainder();
    if !rest.is_empty() {
        rest.copy_from_slice(&splitmix64(&mut state).to_le_bytes()[..rest.len()]);
    }
}

/// What stands for the key of a record that has none; no key of this project's producers is the like.
const NO_KEY: [u8; 1] = [0xff];

fn seal(payload: &[u8], key: Option<&[u8]>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&payload[..CRC.start]);
    hasher.update(&payload[CRC.end..]);
    // No key is another thing than an empty one.
    hasher.update(key.unwrap_or(&NO_KEY));
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
        let stamp = Stamp { run: RunTag::of("run"), record: ID, place: PLACE, send_ns: TimeNs(5), headers: 3, bytes };
        encode(&mut buffer, &stamp, Some(b"k3"));
        buffer
    }

    #[test]
    fn a_buffer_that_held_another_payload_holds_nothing_of_it() {
        for (before, after) in [(200, 64), (64, 200), (101, 99)] {
            let mut buffer = vec![0xff; before];
            let stamp = Stamp {
                run: RunTag::of("run"),
                record: ID,
                place: PLACE,
                send_ns: TimeNs(5),
                headers: 3,
                bytes: after,
            };
            encode(&mut buffer, &stamp, Some(b"k3"));
            assert_eq!(buffer, sample(after));
        }
    }

    fn judge(payload: &[u8]) -> ReadStatus {
        decode(RunTag::of("run"), PLACE, Some(b"k3"), payload).status
    }

    #[test]
    fn an_untouched_record_is_intact_and_names_its_sender() {
        for bytes in [0, 64, 65, 71, 1000] {
            let payload = sample(bytes);
            assert_eq!(payload.len(), bytes.max(MIN_BYTES) as usize);
            let expected = Decoded { status: ReadStatus::Intact, record: ID, headers: 3, timestamp: Some(TimeNs(5)) };
            assert_eq!(decode(RunTag::of("run"), PLACE, Some(b"k3"), &payload), expected);
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
        for key in [Some(b"k4".as_slice()), Some(b""), None] {
            assert_eq!(decode(RunTag::of("run"), PLACE, key, &sample(64)).status, ReadStatus::Corrupt, "{key:?}");
        }
    }

    #[test]
    fn a_record_that_had_no_key_is_corrupt_when_it_has_an_empty_one() {
        let mut payload = sample(64);
        let crc = seal(&payload, None);
        payload[CRC].copy_from_slice(&crc.to_le_bytes());
        let status = |key| decode(RunTag::of("run"), PLACE, key, &payload).status;
        assert_eq!(status(None), ReadStatus::Intact);
        assert_eq!(status(Some(b"".as_slice())), ReadStatus::Corrupt);
    }

    #[test]
    fn a_record_in_another_partition_or_topic_is_misplaced_but_keeps_its_name() {
        for place in [
            Place { topic: TopicIndex(1), partition: Partition(3) },
            Place { topic: TopicIndex(0), partition: Partition(2) },
        ] {
            let found = decode(RunTag::of("run"), place, Some(b"k3"), &sample(64));
            assert_eq!((found.status, found.record), (ReadStatus::Misplaced, ID));
        }
    }

    #[test]
    fn a_record_of_another_run_is_foreign() {
        assert_eq!(decode(RunTag::of("other"), PLACE, Some(b"k3"), &sample(64)).status, ReadStatus::Foreign);
        assert_eq!(judge(b"hello"), ReadStatus::Foreign);
        assert_eq!(judge(b""), ReadStatus::Foreign);
    }

    /// Seals these bytes anew, as a sender of another build would.
    fn resealed(mut payload: Vec<u8>) -> Vec<u8> {
        let crc = seal(&payload, Some(b"k3"));
        payload[CRC].copy_from_slice(&crc.to_le_bytes());
        payload
    }

    #[test]
    fn a_payload_from_before_headers_and_timestamps_is_intact_and_asks_for_neither() {
        let mut old = sample(64);
        old[HEADERS..=TIMED].fill(0);
        let found = decode(RunTag::of("run"), PLACE, Some(b"k3"), &resealed(old));
        assert_eq!(found, Decoded { status: ReadStatus::Intact, record: ID, headers: 0, timestamp: None });
    }

    #[test]
    fn a_payload_that_asks_for_what_no_producer_gives_is_corrupt() {
        for (place, value) in [(HEADERS, HEADERS_MAX + 1), (TIMED, 2)] {
            let mut odd = sample(64);
            odd[place] = value;
            assert_eq!(judge(&resealed(odd)), ReadStatus::Corrupt, "{value} at {place}");
        }
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let payload = sample(64);
        assert_eq!(&payload[..4], b"WBC1");
        assert_eq!(payload[8..12], 7_u32.to_le_bytes());
        assert_eq!(payload[12..16], [1, 0, 3, 1]);
        assert_eq!(payload[16..20], 2_u32.to_le_bytes());
        assert_eq!(payload[20..24], 64_u32.to_le_bytes());
        assert_eq!(payload[24..32], 99_u64.to_le_bytes());
        assert_eq!(payload[32..40], 5_u64.to_le_bytes());
    }
}
