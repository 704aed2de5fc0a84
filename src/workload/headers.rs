//! A record's headers: as many as its producer gives each, and each drawn from whose record it is and which one it is.
//!
//! They take every shape that Kafka knows, by turns: text, an empty value, no value at all (null), and bytes that are no text.
//! Neighbours share a key, because Kafka allows that and keeps their order; who sorts headers or keeps them in a map loses one.
//! Nothing is stored beside the count: a reader draws them again and compares.

use std::io::Write;

use super::payload::splitmix64;
use crate::kafka::RecordId;

/// The longest value, in bytes.
const VALUE_MAX: usize = 40;
/// A key for every two of the most headers that a scenario may ask for.
const KEYS: [&str; 8] = ["wbc-0", "wbc-1", "wbc-2", "wbc-3", "wbc-4", "wbc-5", "wbc-6", "wbc-7"];

/// One header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    key: &'static str,
    value: [u8; VALUE_MAX],
    length: Option<usize>,
}

impl Header {
    /// Its key, which its neighbour may bear too.
    pub fn key(&self) -> &'static str {
        self.key
    }

    /// Its value; `None` is null, which is not the same as empty.
    pub fn value(&self) -> Option<&[u8]> {
        self.length.map(|length| &self.value[..length])
    }
}

/// The headers of a record that has so many, in order.
pub fn drawn(record: RecordId, count: u8) -> impl ExactSizeIterator<Item = Header> {
    (0..count).map(move |index| nth(record, index))
}

/// Whether a record's headers, as a reader was given them, are the drawn ones: all of them, in order, and no more.
pub fn agree<'a>(record: RecordId, count: u8, mut found: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>) -> bool {
    let all_there = drawn(record, count).all(|header| found.next() == Some((header.key.as_bytes(), header.value())));
    all_there && found.next().is_none()
}

fn nth(record: RecordId, index: u8) -> Header {
    let RecordId { process, sequence } = record;
    let turn = u64::from(process.0).wrapping_add(sequence.0).wrapping_add(u64::from(index));
    let mut value = [0; VALUE_MAX];
    let length = match turn % 4 {
        0 => Some(text(&mut value, record, index)),
        1 => Some(0),
        2 => None,
        _ => Some(bytes(&mut value, record, index)),
    };
    Header { key: KEYS[usize::from(index / 2) % KEYS.len()], value, length }
}

/// Writes `process/sequence/index`; returns its length.
fn text(value: &mut [u8; VALUE_MAX], record: RecordId, index: u8) -> usize {
    let mut room = value.as_mut_slice();
    write!(room, "{}/{}/{index}", record.process.0, record.sequence.0).expect("three numbers are shorter than that");
    VALUE_MAX - room.len()
}

/// Writes bytes that are no text, a zero among them; returns how many.
fn bytes(value: &mut [u8; VALUE_MAX], record: RecordId, index: u8) -> usize {
    let mut state = u64::from(record.process.0).rotate_left(40) ^ record.sequence.0 ^ u64::from(index).rotate_left(56);
    for chunk in value.chunks_exact_mut(8) {
        chunk.copy_from_slice(&splitmix64(&mut state).to_le_bytes());
    }
    let length = 2 + usize::from(value[2]) % (VALUE_MAX - 1);
    value[..2].copy_from_slice(&[0xff, 0]);
    length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::{ProcessId, Sequence};
    use crate::scenario::HEADERS_MAX;

    type Pair = (Vec<u8>, Option<Vec<u8>>);

    fn record(process: u32, sequence: u64) -> RecordId {
        RecordId { process: ProcessId(process), sequence: Sequence(sequence) }
    }

    fn pairs(record: RecordId, count: u8) -> Vec<Pair> {
        let pair = |header: Header| (header.key().as_bytes().to_vec(), header.value().map(<[u8]>::to_vec));
        drawn(record, count).map(pair).collect()
    }

    fn judge(record: RecordId, count: u8, found: &[Pair]) -> bool {
        agree(record, count, found.iter().map(|(key, value)| (key.as_slice(), value.as_deref())))
    }

    #[test]
    fn the_drawn_headers_agree_whoever_sent_the_record() {
        for record in [record(0, 0), record(7, 99), record(u32::MAX, u64::MAX)] {
            for count in 0..=HEADERS_MAX {
                let headers = pairs(record, count);
                assert_eq!(headers.len(), usize::from(count));
                assert!(judge(record, count, &headers), "{record:?} with {count}");
            }
        }
    }

    #[test]
    fn four_headers_have_every_shape_and_share_keys() {
        for sequence in 0..4 {
            let headers = pairs(record(7, sequence), 4);
            let has = |what: &dyn Fn(&Option<Vec<u8>>) -> bool| headers.iter().filter(|(_, value)| what(value)).count();
            assert_eq!(has(&|value| value.is_none()), 1, "null");
            assert_eq!(has(&|value| value.as_ref().is_some_and(Vec::is_empty)), 1, "empty");
            assert_eq!(
                has(&|value| value.as_ref().is_some_and(|value| std::str::from_utf8(value).is_err())),
                1,
                "bytes"
            );
            assert_eq!(has(&|value| value.as_ref().is_some_and(|value| value.contains(&b'/'))), 1, "text");
            assert_eq!(headers[0].0, headers[1].0);
            assert_ne!(headers[1].0, headers[2].0);
        }
    }

    #[test]
    fn a_change_of_any_byte_of_any_header_is_seen() {
        let (id, count) = (record(7, 98), 6);
        let headers = pairs(id, count);
        for index in 0..headers.len() {
            for byte in 0..headers[index].0.len() {
                let mut damaged = headers.clone();
                damaged[index].0[byte] ^= 1;
                assert!(!judge(id, count, &damaged), "key of {index}, byte {byte}");
            }
            for byte in 0..headers[index].1.as_ref().map_or(0, Vec::len) {
                let mut damaged = headers.clone();
                damaged[index].1.as_mut().expect("a value")[byte] ^= 1;
                assert!(!judge(id, count, &damaged), "value of {index}, byte {byte}");
            }
        }
    }

    #[test]
    fn null_is_not_empty_and_empty_not_null() {
        let (id, count) = (record(7, 98), 4);
        let headers = pairs(id, count);
        let mut changed = 0;
        for index in 0..headers.len() {
            let other = match headers[index].1.as_deref() {
                None => Some(Vec::new()),
                Some([]) => None,
                Some(_) => continue,
            };
            let mut damaged = headers.clone();
            damaged[index].1 = other;
            assert!(!judge(id, count, &damaged), "{index}");
            changed += 1;
        }
        assert_eq!(changed, 2);
    }

    #[test]
    fn another_order_another_count_and_another_records_headers_are_seen() {
        let (id, count) = (record(7, 98), 6);
        let headers = pairs(id, count);
        for index in 1..headers.len() {
            let mut swapped = headers.clone();
            swapped.swap(index - 1, index);
            assert!(!judge(id, count, &swapped), "{index} before its neighbour");
            let mut fewer = headers.clone();
            fewer.remove(index);
            assert!(!judge(id, count, &fewer), "without {index}");
        }
        let mut more = headers.clone();
        more.push(more[5].clone());
        assert!(!judge(id, count, &more));
        assert!(!judge(id, count, &[]));
        assert!(!judge(id, 0, &headers[..1]));
        assert!(!judge(record(7, 99), count, &headers));
        assert!(!judge(record(8, 98), count, &headers));
    }
}
