//! A log's segment, batch by batch, from its bytes as they come: record batch format v2, of which the records themselves are
//! only summed. Pure, and no more than a batch's head is ever held.
//!
//! <https://kafka.apache.org/documentation/#recordbatch>. The CRC-32C covers everything from the attributes on; base offset, length,
//! leader epoch and magic lie before it, so that a flipped bit in one of them is found by comparing replicas, or makes a head
//! that cannot be one.

use crate::kafka::replica::{Break, Checksum, StoredBatch};
use crate::kafka::{LeaderEpoch, Offset};

/// A batch's head: everything before its records.
const HEAD_BYTES: usize = 61;

/// What comes before the bytes that the length counts: base offset and length.
const BEFORE_LENGTH: usize = 12;

/// Where the bytes begin that the CRC-32C covers.
const SUMMED_FROM: usize = 21;

/// The only format that Kafka writes since 0.11, and that 4.0 and later read.
const MAGIC: u8 = 2;

/// Reads one segment.
pub(super) struct Segment {
    base: Offset,
    /// The next batch cannot begin below this offset.
    next: Offset,
    /// One past the last offset.
    end: Offset,
    /// How many bytes have come.
    position: u64,
    head: [u8; HEAD_BYTES],
    at: At,
}

/// Where a segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    /// One past its last offset; its beginning when it is empty.
    pub(super) end: Offset,
    /// The next segment's first batch cannot begin below this offset.
    pub(super) next: Offset,
}

/// What the next byte belongs to.
enum At {
    /// A head, of which so many bytes are there.
    Head(usize),
    /// A batch whose records are still to come: so many bytes of them.
    Records { batch: StoredBatch, left: usize, sum: u32 },
    /// Nothing: from this place on there are no batches.
    Astray { from: u64, noise: Noise },
}

/// What lies where a batch should.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Noise {
    /// Zeroes only: room that was allocated ahead, or never written.
    Zeroes,
    /// Something.
    Bytes,
}

impl Noise {
    fn of(bytes: &[u8]) -> Self {
        if bytes.iter().all(|&byte| byte == 0) { Self::Zeroes } else { Self::Bytes }
    }

    fn and(self, other: Self) -> Self {
        if self == Self::Zeroes { other } else { self }
    }
}

impl Segment {
    /// A segment of that name, whose first batch cannot begin below `next`.
    pub(super) fn new(base: Offset, next: Offset) -> Self {
        let next = next.max(base);
        Self { base, next, end: next, position: 0, head: [0; HEAD_BYTES], at: At::Head(0) }
    }

    /// Takes the next bytes, and hands on each batch that ends in them.
    pub(super) fn add(&mut self, mut bytes: &[u8], batches: &mut Vec<StoredBatch>) {
        while !bytes.is_empty() {
            let taken = self.take(bytes, batches);
            self.position += taken as u64;
            bytes = &bytes[taken..];
        }
    }

    /// Takes what belongs together; how many bytes that was.
    fn take(&mut self, bytes: &[u8], batches: &mut Vec<StoredBatch>) -> usize {
        match &mut self.at {
            At::Head(filled) => {
                let filled = *filled;
                let taken = bytes.len().min(HEAD_BYTES - filled);
                self.head[filled..filled + taken].copy_from_slice(&bytes[..taken]);
                self.at = At::Head(filled + taken);
                if filled + taken == HEAD_BYTES {
                    let from = self.position - filled as u64;
                    self.at = self.read_head(from, batches);
                }
                taken
            }
            At::Records { batch, left, sum } => {
                let taken = bytes.len().min(*left);
                *sum = crc32c::crc32c_append(*sum, &bytes[..taken]);
                *left -= taken;
                if *left == 0 {
                    let whole = close(*batch, *sum);
                    self.at = self.go_on_after(whole, batches);
                }
                taken
            }
            At::Astray { noise, .. } => {
                *noise = noise.and(Noise::of(bytes));
                bytes.len()
            }
        }
    }

    /// What follows a whole head that began at `from`.
    fn read_head(&mut self, from: u64, batches: &mut Vec<StoredBatch>) -> At {
        let Some((batch, left)) = self.parse_head() else {
            return At::Astray { from, noise: Noise::of(&self.head) };
        };
        let sum = crc32c::crc32c(&self.head[SUMMED_FROM..]);
        if left > 0 { At::Records { batch, left, sum } } else { self.go_on_after(close(batch, sum), batches) }
    }

    fn go_on_after(&mut self, batch: StoredBatch, batches: &mut Vec<StoredBatch>) -> At {
        self.end = Offset(batch.last_offset.0 + 1);
        // What a damaged head says of its end is not to be believed; the batch after it shall not suffer for it.
        self.next = if batch.checksum == Checksum::Right { self.end } else { Offset(batch.base_offset.0 + 1) };
        batches.push(batch);
        At::Head(0)
    }

    /// The head as a batch, with how many bytes of records follow; `None` where it cannot be one.
    fn parse_head(&self) -> Option<(StoredBatch, usize)> {
        let base_offset = i64::from_be_bytes(self.field(0));
        let length = usize::try_from(i32::from_be_bytes(self.field(8))).ok()?;
        let left = (length + BEFORE_LENGTH).checked_sub(HEAD_BYTES)?;
        let last_delta = i32::from_be_bytes(self.field(23));
        let last_offset = base_offset.checked_add(i64::from(last_delta))?;
        let batch = StoredBatch {
            base_offset: Offset(base_offset),
            last_offset: Offset(last_offset),
            leader_epoch: LeaderEpoch(i32::from_be_bytes(self.field(12))),
            bytes: u32::try_from(length + BEFORE_LENGTH).ok()?,
            crc: u32::from_be_bytes(self.field(17)),
            checksum: Checksum::Wrong,
            attributes: i16::from_be_bytes(self.field(21)),
            producer_id: i64::from_be_bytes(self.field(43)),
            producer_epoch: i16::from_be_bytes(self.field(51)),
            base_sequence: i32::from_be_bytes(self.field(53)),
            records: i32::from_be_bytes(self.field(57)),
        };
        let plausible = self.head[16] == MAGIC
            && batch.base_offset >= self.next
            && last_delta >= 0
            && last_offset < i64::MAX
            && batch.records >= 0;
        plausible.then_some((batch, left))
    }

    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        self.head[at..at + N].try_into().expect("the field lies inside the head")
    }

    /// Ends the segment: where it ends, and where its bytes are no batches. A batch that the file's end cuts off is
    /// none; zeroes at the end are room that was allocated ahead.
    pub(super) fn end(self) -> (Ends, Option<Break>) {
        let from = match &self.at {
            At::Head(filled) if Noise::of(&self.head[..*filled]) == Noise::Zeroes => None,
            At::Head(filled) => Some(self.position - *filled as u64),
            At::Records { batch, left, .. } => Some(self.position - (u64::from(batch.bytes) - *left as u64)),
            At::Astray { noise: Noise::Zeroes, .. } => None,
            At::Astray { from, noise: Noise::Bytes } => Some(*from),
        };
        let broken = from.map(|from| Break {
            segment: self.base,
            position: from,
            bytes: self.position - from,
            offset: self.next,
        });
        (Ends { end: self.end, next: self.next }, broken)
    }
}

fn close(batch: StoredBatch, sum: u32) -> StoredBatch {
    StoredBatch { checksum: if sum == batch.crc { Checksum::Right } else { Checksum::Wrong }, ..batch }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A batch's bytes, with noise for records.
    pub(in crate::cluster::disk) fn batch(base_offset: i64, records: i32, epoch: i32, body: &[u8]) -> Vec<u8> {
        let mut summed = Vec::new();
        summed.extend(0i16.to_be_bytes());
        summed.extend((records - 1).to_be_bytes());
        summed.extend([0; 16]);
        summed.extend(4000i64.to_be_bytes());
        summed.extend(0i16.to_be_bytes());
        summed.extend(17i32.to_be_bytes());
        summed.extend(records.to_be_bytes());
        summed.extend(body);
        let mut bytes = Vec::new();
        bytes.extend(base_offset.to_be_bytes());
        bytes.extend(i32::try_from(9 + summed.len()).expect("a small batch").to_be_bytes());
        bytes.extend(epoch.to_be_bytes());
        bytes.push(MAGIC);
        bytes.extend(crc32c::crc32c(&summed).to_be_bytes());
        bytes.extend(summed);
        bytes
    }

    fn read(bytes: &[u8], piece: usize) -> (Vec<StoredBatch>, Offset, Option<Break>) {
        let (mut segment, mut batches) = (Segment::new(Offset(5), Offset(0)), Vec::new());
        for chunk in bytes.chunks(piece) {
            segment.add(chunk, &mut batches);
        }
        let (ends, broken) = segment.end();
        (batches, ends.end, broken)
    }

    fn three() -> Vec<u8> {
        [batch(5, 2, 0, b"ab"), batch(7, 1, 3, b""), batch(12, 3, 3, b"cdef")].concat()
    }

    #[test]
    fn every_field_of_a_head_is_read_from_its_place() {
        let (batches, next, broken) = read(&three(), 7);
        let first = StoredBatch {
            base_offset: Offset(5),
            last_offset: Offset(6),
            leader_epoch: LeaderEpoch(0),
            bytes: 63,
            crc: batches[0].crc,
            checksum: Checksum::Right,
            attributes: 0,
            producer_id: 4000,
            producer_epoch: 0,
            base_sequence: 17,
            records: 2,
        };
        assert_eq!(batches[0], first);
        assert_eq!(
            (batches.len(), batches[1].leader_epoch, batches[2].span().to_string()),
            (3, LeaderEpoch(3), "offsets 12 to 14".to_owned())
        );
        assert_eq!((next, broken), (Offset(15), None));
    }

    #[test]
    fn a_torn_tail_is_a_break_where_its_batch_begins() {
        let whole = three();
        let start = whole.len() - batch(12, 3, 3, b"cdef").len();
        for cut in start + 8..whole.len() {
            let (batches, next, broken) = read(&whole[..cut], 10);
            let broken = broken.unwrap_or_else(|| panic!("cut at {cut}"));
            assert_eq!((batches.len(), next), (2, Offset(8)));
            assert_eq!((broken.position, broken.bytes, broken.offset), (start as u64, (cut - start) as u64, Offset(8)));
        }
    }

    #[test]
    fn zeroes_that_were_allocated_ahead_are_no_break() {
        for zeroes in [1, 11, 60, 61, 62, 4096] {
            let (batches, next, broken) = read(&[three(), vec![0; zeroes]].concat(), 100);
            assert_eq!((batches.len(), next, broken), (3, Offset(15), None), "{zeroes}");
        }
    }

    #[test]
    fn what_comes_after_zeroes_is_a_break() {
        let (_, _, broken) = read(&[three(), vec![0; 100], b"x".to_vec()].concat(), 100);
        assert_eq!(broken.map(|broken| broken.bytes), Some(101));
    }

    #[test]
    fn an_older_format_and_offsets_that_step_back_are_no_batches() {
        let mut older = batch(15, 1, 3, b"");
        older[16] = 1;
        for bad in [older, batch(14, 1, 3, b"")] {
            let (batches, next, broken) = read(&[three(), bad].concat(), 100);
            assert_eq!((batches.len(), next), (3, Offset(15)));
            assert!(broken.is_some());
        }
    }

    proptest! {
        #[test]
        fn no_flipped_bit_passes_unseen(bit in 0..8_u8, piece in 1..200_usize) {
            let whole = three();
            let (before, ..) = read(&whole, piece);
            for at in 0..whole.len() {
                let mut damaged = whole.clone();
                damaged[at] ^= 1 << bit;
                let (after, _, broken) = read(&damaged, piece);
                let wrong = after.iter().any(|batch| batch.checksum == Checksum::Wrong);
                // Of what no checksum covers, only another replica can tell.
                prop_assert!(wrong || broken.is_some() || after != before, "byte {at}");
            }
        }

        #[test]
        fn noise_never_panics(noise: Vec<u8>, piece in 1..200_usize) {
            read(&[three(), noise].concat(), piece);
        }
    }
}
