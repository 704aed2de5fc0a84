//! What chance decides for each record of a producer, by the seed.

use std::collections::VecDeque;

use super::payload::{MIN_BYTES, splitmix64, splitmix64_skip};
use super::producer::Assignment;
use crate::scenario::Rate;

/// How many numbers are drawn for each record.
const DRAWS: u64 = 2;

/// For how long records without a key go to one partition before the next one has its turn: librdkafka's
/// `sticky.partitioning.linger.ms`, when nobody sets it.
const STICK_SECONDS: f64 = 0.01;

/// The same where there is no rate to reckon with: what fills a batch, by librdkafka's `batch.size` when nobody sets it (KIP-794).
const STICK_BYTES: u64 = 1_000_000;

/// The records that are due, drawn in order. Goes on from one life to the next.
pub struct Choices {
    state: u64,
    number: u64,
    drafts: VecDeque<Draft>,
}

/// A record that is due, and keeps its key and size until librdkafka takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Its place among the producer's records, counted from 0.
    pub number: u64,
    /// Its key's number, if it has a key.
    pub key: Option<u32>,
    /// Its partition's place among the producer's.
    pub chosen: usize,
    /// Its payload's length.
    pub bytes: u32,
}

impl Choices {
    /// The choices by this seed from record `first` on, as if the ones before had been drawn.
    pub fn new(seed: u64, first: u64) -> Self {
        Self { state: splitmix64_skip(seed, first.wrapping_mul(DRAWS)), number: first, drafts: VecDeque::new() }
    }

    /// The first record that no librdkafka has taken.
    pub fn first_undone(&self) -> u64 {
        self.drafts.front().map_or(self.number, |draft| draft.number)
    }

    /// Draws until `most` records wait or all that are due do; gives those that wait.
    pub fn draw(&mut self, due: u64, most: usize, assignment: &Assignment) -> &VecDeque<Draft> {
        while self.drafts.len() < most && self.number < due {
            let (least, greatest) = assignment.size_bytes;
            let span = u64::from(greatest.saturating_sub(least)) + 1;
            let (key, extra) = (splitmix64(&mut self.state), splitmix64(&mut self.state) % span);
            #[expect(clippy::cast_possible_truncation, reason = "remainders of 32-bit numbers")]
            let (key, extra) = (key.checked_rem(u64::from(assignment.keys)).map(|key| key as u32), extra as u32);
            let bytes = least.saturating_add(extra).max(MIN_BYTES);
            let turn = key.map_or_else(|| turn_of(self.number, assignment), u64::from);
            #[expect(clippy::cast_possible_truncation, reason = "a remainder of a length")]
            let chosen = (turn % assignment.partitions.len() as u64) as usize;
            self.drafts.push_back(Draft { number: self.number, key, chosen, bytes });
            self.number += 1;
        }
        &self.drafts
    }

    /// The first that waits was taken, or refused for good.
    pub fn done(&mut self) {
        self.drafts.pop_front();
    }
}

/// Which turn a record without a key belongs to: as with Kafka's own producers (KIP-480) each partition gets a run of records, so that
/// batches fill, and then the next one does. Like producers begin at different partitions.
fn turn_of(number: u64, assignment: &Assignment) -> u64 {
    let run = match assignment.rate {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it saturates, and no rate is negative"
        )]
        Rate::PerSecond(rate) => (rate * STICK_SECONDS) as u64,
        Rate::Max => STICK_BYTES / u64::from(assignment.size_bytes.1.max(1)),
    };
    // A transaction that lies in one partition cannot be torn, so that nothing would be learnt of it.
    let run =
        assignment.transactions.map_or(run, |it| run.min(u64::from(it.records) / assignment.partitions.len() as u64));
    number / run.max(1) + u64::from(assignment.index)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::kafka::{Partition, TopicIndex};
    use crate::scenario::{Rate, TransactionSpec};
    use crate::workload::outcome::Acks;

    fn assignment() -> Assignment {
        Assignment {
            name: "chatters".to_owned(),
            index: 0,
            topic: "chat".to_owned(),
            topic_index: TopicIndex(0),
            partitions: vec![Partition(0)],
            rate: Rate::Max,
            size_bytes: (64, 1000),
            keys: 50,
            in_flight: 10,
            headers: 0,
            seed: 42,
            acks: Acks::Some,
            transactions: None,
            config: rdkafka::ClientConfig::new(),
        }
    }

    #[test]
    fn a_new_life_goes_on_with_the_choices_of_the_one_before() {
        let mut whole = Choices::new(42, 0);
        let all: Vec<Draft> = whole.draw(20, 20, &assignment()).iter().copied().collect();
        let mut second = Choices::new(42, 13);
        let rest: Vec<Draft> = second.draw(20, 20, &assignment()).iter().copied().collect();
        assert_eq!(all[13..], rest);
    }

    #[test]
    fn a_key_always_goes_to_the_same_partition() {
        let assignment = Assignment { partitions: (0..3).map(Partition).collect(), ..assignment() };
        let drafts = Choices::new(42, 0).draw(500, 500, &assignment).clone();
        assert!(drafts.iter().all(|draft| draft.chosen == draft.key.expect("a key") as usize % 3));
    }

    #[test]
    fn records_without_keys_stick_to_a_partition_for_a_while_and_each_has_its_turn() {
        let keyless = Assignment { keys: 0, partitions: (0..3).map(Partition).collect(), ..assignment() };
        let runs = |assignment: &Assignment, most| {
            let mut drafts = Choices::new(42, 0).draw(most, usize::try_from(most).expect("few"), assignment).clone();
            assert!(drafts.iter().all(|draft| draft.key.is_none()));
            let runs = drafts.make_contiguous().chunk_by(|one, next| one.chosen == next.chosen);
            runs.map(|run| (run[0].chosen, run.len())).collect::<Vec<_>>()
        };
        let steady = Assignment { rate: Rate::PerSecond(250.0), index: 1, ..keyless.clone() };
        assert_eq!(runs(&steady, 8), [(1, 2), (2, 2), (0, 2), (1, 2)]);
        let slow = Assignment { rate: Rate::PerSecond(5.0), ..keyless.clone() };
        assert_eq!(runs(&slow, 4), [(0, 1), (1, 1), (2, 1), (0, 1)]);
        assert_eq!(runs(&keyless, 2500), [(0, 1000), (1, 1000), (2, 500)]);
        let second = Duration::from_secs(1);
        let spec = TransactionSpec { records: 9, every: second, abort_millionths: 0, timeout: second };
        let in_transactions = Assignment { transactions: Some(spec), ..keyless };
        assert_eq!(runs(&in_transactions, 9), [(0, 3), (1, 3), (2, 3)]);
    }

    #[test]
    fn what_nobody_took_is_undone() {
        let mut choices = Choices::new(42, 5);
        choices.draw(8, 20, &assignment());
        choices.done();
        assert_eq!(choices.first_undone(), 6);
    }
}
