//! Sifts a history while it is read, so that no more of it is kept than what something may be the matter with.
//!
//! A run of an hour has hundreds of millions of rows, and nearly all of them say that nothing happened. A log is looked at in chunks of
//! offsets. A chunk is **plain** if all of this is so:
//!
//! 1. each of its offsets was acknowledged, once, to one record, and each reader of the drain, and each group that had to or did read the
//!    partition, read each of these offsets once, with the very record that was acknowledged there, of the length that was sent, intact.
//!    The sets are compared by their fingerprints (`print`), and a chunk lies between the ends that the cluster told of the log;
//! 2. every reader went through it offset by offset, inside one ownership interval, and neither began, nor ended, nor jumped there;
//! 3. each process's records lie in the order of their sequences, in it and behind everything before it, whichever drain reader one asks;
//! 4. none of its records was sent after one was acknowledged that lies behind it, nor acknowledged before one was sent that lies before
//!    it, in it or in any other chunk;
//! 5. all of it was read under one leader epoch, no later than what follows, acknowledged by one broker while that epoch lasted for certain,
//!    and it is not the first that is known of that broker and epoch;
//! 6. its neighbours are plain so far, so that whoever looks at something odd sees what lies beside it.
//!
//! The rows of plain chunks are dropped, and [`Plain`] tells how many there were. No check can tell the difference: lost-write, duplicate,
//! phantom, corrupt, inconsistent-offsets, group-delivery and redelivery find nothing in what meets 1, and nothing outside that needs it,
//! but for a record that lies elsewhere too (its home is brought back, see below); poll-skip, nonmonotonic-poll, group-skip and
//! commit-regression by 2, producer-order by 3, realtime-order by 4, leader-epoch and high-watermark by 5. What they would have examined
//! is added. Tests hold the answers of every check, word by word, against those that the whole history gives.
//!
//! **What is brought back**: the chunk where a record was acknowledged that was read where nothing was acknowledged; for a record that lies
//! late, wherever and by whomever it was seen, the last chunk before it with a later one of its process, because what the first pass saw
//! it lie behind may be a record that nobody convicts by; where an acknowledged record is not seen and replicas were audited, a chunk for
//! each producer id that follows from no other record; and what lies between the highest commit that may have stood and an owner's first
//! read.
//!
//! **What is not sifted**: a history that is cut, because nobody knows what its rows would say; one with transactions, whose logs have
//! offsets that nobody reads; one with a group that commits before it processes, whose losses depend on what was read when; and a
//! partition of which two rows name one send.

mod chunks;
mod print;
mod reads;
mod sends;
mod settle;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod wanted;

pub use chunks::ChunkSize;
pub use reads::ReadSieve;
pub use sends::SendSieve;
pub use wanted::Wanted;

use super::readers::Readers;
use super::timeline::Timeline;
use super::transactions::Transactions;
use crate::history::tally::{Place, SendTally};
use crate::history::{Closure, History};
use crate::kafka::TimeNs;
use crate::plan::Plan;
use crate::scenario::{CommitMode, Scenario};

/// The first pass over a history's rows. Both halves are independent of each other, and of the order of rows of several clients.
pub struct Sieve {
    /// Takes the sends.
    pub sends: SendSieve,
    /// Takes the reads.
    pub reads: ReadSieve,
}

impl Sieve {
    /// A sieve for a history of which the events are known; `None` where nothing may be dropped.
    pub fn new(history: &History, scenario: &Scenario, size: ChunkSize) -> Option<Self> {
        let readers = Readers::new(history, scenario);
        let is_hasty = scenario.all_groups().any(|group| group.commit == CommitMode::BeforeProcess);
        let has_transactions = Transactions::new(history, scenario).are_run() || !scenario.transformers.is_empty();
        if history.closure != Closure::Whole || is_hasty || has_transactions || readers.have_witness() {
            return None;
        }
        let timeline = Timeline::new(history);
        let asked = [timeline.ranges_ns, timeline.drain_began].into_iter().flatten().min().unwrap_or(TimeNs(u64::MAX));
        let places: Vec<Place> = history.partitions.keys().copied().collect();
        let reads = ReadSieve::new(history, readers, asked, size);
        Some(Self { sends: SendSieve::new(&places, size), reads })
    }

    /// Which rows have to be looked at, after the last row was taken in; `tally` is what was counted of the sends.
    pub fn settle(mut self, history: &History, scenario: &Scenario, tally: &SendTally) -> Wanted {
        self.reads.finish();
        settle::settle(self, history, scenario, tally)
    }
}

/// What is to be known of a run beside its rows.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// What was asked for.
    pub scenario: &'a Scenario,
    /// What was planned.
    pub plan: &'a Plan,
}
