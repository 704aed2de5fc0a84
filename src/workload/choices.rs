//! What chance decides for each record of a producer, by the seed.

use std::collections::VecDeque;

use super::payload::{MIN_BYTES, splitmix64, splitmix64_skip};
use super::producer::Assignment;

/// How many numbers are drawn for each record.
const DRAWS: u64 = 2;

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
    /// Its key's number.
    pub key: u32,
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
            let key = splitmix64(&mut self.state) % u64::from(assignment.keys.max(1));
            let extra = splitmix64(&mut self.state) % span;
            #[expect(clippy::cast_possible_truncation, reason = "remainders of 32-bit numbers")]
            let (key, extra) = (key as u32, extra as u32);
            let bytes = least.saturating_add(extra).max(MIN_BYTES);
            self.drafts.push_back(Draft { number: self.number, key, bytes });
            self.number += 1;
        }
        &self.drafts
    }

    /// The first that waits was taken, or refused for good.
    pub fn done(&mut self) {
        self.drafts.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::{Partition, TopicIndex};
    use crate::scenario::Rate;
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
    fn what_nobody_took_is_undone() {
        let mut choices = Choices::new(42, 5);
        choices.draw(8, 20, &assignment());
        choices.done();
        assert_eq!(choices.first_undone(), 6);
    }
}
