//! How a fault reads its own table of a scenario, without knowing of TOML, of places in a file, or of other faults.

use std::collections::BTreeMap;

use super::{FaultId, Target};
use crate::kafka::TopicPartition;

/// Something was wrong with a value, and has been told with its place. Only the reader makes these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted;

/// What a key says that takes words of its own beside targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WordOrTarget<T> {
    /// What the word means.
    Word(T),
    /// The target.
    Target(Target),
}

/// The keys of one fault's table, `kind = { key = value }`. `Ok(None)`: the key is not there. Every value is read before
/// any is used, so that all problems are told at once.
pub trait Keys {
    /// The name of the fault that reads.
    fn fault(&self) -> FaultId;

    /// Whom: a target.
    fn target(&mut self, key: &'static str) -> Result<Option<Target>, Noted>;

    /// A duration, in whole milliseconds.
    fn millis(&mut self, key: &'static str) -> Result<Option<u64>, Noted>;

    /// A size in bytes.
    fn bytes(&mut self, key: &'static str) -> Result<Option<u64>, Noted>;

    /// A rate in bytes a second.
    fn bytes_per_s(&mut self, key: &'static str) -> Result<Option<u64>, Noted>;

    /// A share, in millionths: `"5%"` is 50,000.
    fn millionths(&mut self, key: &'static str) -> Result<Option<u32>, Noted>;

    /// A whole number.
    fn count(&mut self, key: &'static str) -> Result<Option<u32>, Noted>;

    /// The name of a consumer group, as a target.
    fn group(&mut self, key: &'static str) -> Result<Option<Target>, Noted>;

    /// A rate in records a second, as the time that each of them takes, in nanoseconds.
    fn nanos_per_record(&mut self, key: &'static str) -> Result<Option<u64>, Noted>;

    /// A partition of any topic, internal ones included.
    fn any_partition(&mut self, key: &'static str) -> Result<Option<TopicPartition>, Noted>;

    /// A partition of one of the scenario's topics.
    fn partition(&mut self, key: &'static str) -> Result<Option<TopicPartition>, Noted>;

    /// One of the scenario's topics.
    fn topic(&mut self, key: &'static str) -> Result<Option<String>, Noted>;

    /// A table of properties, with their values as Kafka takes them.
    fn settings(&mut self, key: &'static str) -> Result<Option<BTreeMap<String, String>>, Noted>;

    /// One word of a closed set.
    fn word<T: Copy>(&mut self, key: &'static str, choices: &[(&'static str, T)]) -> Result<Option<T>, Noted>;

    /// One word of a closed set, or else a target.
    fn word_or_target<T: Clone>(
        &mut self,
        key: &'static str,
        choices: &[(&'static str, T)],
    ) -> Result<Option<WordOrTarget<T>>, Noted>;

    /// Notes that a key is missing, with a line that would do.
    fn missing(&mut self, key: &'static str, example: &str) -> Noted;

    /// Notes that a value, or without a key the whole table, cannot be.
    fn refuse(&mut self, key: Option<&'static str>, message: String, label: &str, help: &str) -> Noted;

    /// The partition that a fault is about, by the key `partition`.
    fn that_partition(&mut self) -> Result<TopicPartition, Noted> {
        match self.partition("partition")? {
            Some(partition) => Ok(partition),
            None => Err(self.missing("partition", "partition = \"chat-0\"")),
        }
    }

    /// The target, which most faults cannot do without.
    fn whom(&mut self) -> Result<Target, Noted> {
        match self.target("target")? {
            Some(target) => Ok(target),
            None => Err(self.missing("target", "target = \"leader:chat-0\"")),
        }
    }

    /// The target of a fault that strikes clients; `example` is one that would do.
    fn which_client(&mut self, example: &str) -> Result<Target, Noted> {
        match self.target("target")? {
            Some(target) => Ok(target),
            None => Err(self.missing("target", &format!("target = \"{example}\""))),
        }
    }
}
