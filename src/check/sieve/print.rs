//! Fingerprints of sets of rows: two sets with one fingerprint are the same set, whatever order their rows came in.
//!
//! A row's fingerprint is 128 bits of two mixing functions that have nothing in common; a set's is their sum and how many there are. Rows
//! that differ by chance (nobody makes them up) give one fingerprint once in 2^128 times.

use crate::kafka::{Offset, RecordId};

/// The fingerprint of a set of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Print {
    /// How many rows there are.
    pub count: u32,
    low: u64,
    high: u64,
}

impl Print {
    /// Takes in that a record of so many bytes lies at an offset.
    pub(super) fn add(&mut self, offset: Offset, record: RecordId, bytes: u32) {
        let place = offset.0.cast_unsigned();
        let process = (u64::from(record.process.0) << 32) | u64::from(bytes);
        let one = fold(place ^ 0x9e37_79b9_7f4a_7c15, record.sequence.0 ^ 0xd1b5_4a32_d192_ed03);
        let other = fold(record.sequence.0 ^ 0x8bb8_4b93_962e_acc9, place.rotate_left(32) ^ 0x2d35_8dcc_aa6c_78a5);
        self.count = self.count.saturating_add(1);
        self.low = self.low.wrapping_add(fold(one ^ process, 0x4b33_a62e_d433_d4a3 ^ place));
        self.high =
            self.high.wrapping_add(fold(other ^ process.rotate_left(17), 0xa076_1d64_78bd_642f ^ record.sequence.0));
    }
}

/// Both halves of a product, folded: each bit of either factor changes half of the result's.
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
    let folded = (product as u64) ^ ((product >> 64) as u64);
    folded
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::kafka::{ProcessId, Sequence};

    fn print(rows: &[(i64, u32, u64, u32)]) -> Print {
        let mut print = Print::default();
        for (offset, process, sequence, bytes) in rows {
            let record = RecordId { process: ProcessId(*process), sequence: Sequence(*sequence) };
            print.add(Offset(*offset), record, *bytes);
        }
        print
    }

    #[test]
    fn the_order_changes_nothing_and_anything_else_does() {
        let rows = [(0, 1, 0, 100), (1, 1, 1, 100), (2, 2, 0, 100)];
        assert_eq!(print(&rows), print(&[rows[2], rows[0], rows[1]]));
        let others: [&[(i64, u32, u64, u32)]; 6] = [
            &[(0, 1, 0, 100), (1, 1, 1, 100)],
            &[(0, 1, 1, 100), (1, 1, 0, 100), (2, 2, 0, 100)],
            &[(0, 1, 0, 100), (2, 1, 1, 100), (1, 2, 0, 100)],
            &[(0, 1, 0, 101), (1, 1, 1, 100), (2, 2, 0, 100)],
            &[(0, 1, 0, 101), (1, 1, 1, 99), (2, 2, 0, 100)],
            &[(0, 2, 0, 100), (1, 1, 1, 100), (2, 1, 0, 100)],
        ];
        assert!(others.into_iter().all(|other| print(other) != print(&rows)));
    }

    #[test]
    fn a_million_neighbouring_rows_have_a_million_fingerprints() {
        let all: BTreeSet<(u64, u64)> = (0..100)
            .flat_map(|offset| {
                (0..100).flat_map(move |sequence| (0..100).map(move |process| (offset, sequence, process)))
            })
            .map(|(offset, sequence, process)| {
                let print = print(&[(offset, process, sequence, 128)]);
                (print.low, print.high)
            })
            .collect();
        assert_eq!(all.len(), 1_000_000);
    }
}
