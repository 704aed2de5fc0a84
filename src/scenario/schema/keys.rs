//! The keys of each kind of fault, found by letting it read tables that do not exist.
//!
//! A kind says what its keys are by reading them (`Fault::read`), and by nothing else. So it is let read from a [`Probe`], which has
//! an answer for each key but one, and notes how each was asked for. Where the kind refuses so many keys at once, the one that it
//! points at is left out too, until it is content. A key without which it complains whatever else there is, is required. Which words
//! an answer is decides which keys are read next, so that each word gets its turn.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::shape::{self, Among};
use super::{Documented, words};
use crate::fault::{FaultFacts, FaultId, FaultKind, Keys, Noted, Strikes, Target, WordOrTarget};
use crate::kafka::{BrokerId, TopicPartition};

/// No kind has a word for more.
const MOST_WORDS: usize = 8;

/// Every key of this kind, in the kind's own order.
pub(super) fn of(facts: &'static FaultFacts) -> Vec<Documented> {
    let mut seen = BTreeMap::new();
    let mut documented = Vec::new();
    for key in facts.keys {
        // Every turn is taken, because each may ask for keys that the others do not.
        let missing = (0..MOST_WORDS).filter(|turn| misses(facts, key, *turn, &mut seen)).count();
        let required = missing == MOST_WORDS;
        let doc = words::of(facts.name, key);
        let doc = if required { format!("{doc} Required.") } else { doc.to_owned() };
        documented.push(Documented { key, doc, schema: Value::Null });
    }
    for key in &mut documented {
        key.schema = seen.get(key.key).cloned().unwrap_or_else(|| json!({}));
    }
    documented
}

/// Whether the kind complains of a table without this key, in the end.
fn misses(
    facts: &'static FaultFacts,
    key: &'static str,
    turn: usize,
    seen: &mut BTreeMap<&'static str, Value>,
) -> bool {
    let mut there: BTreeSet<&'static str> = facts.keys.iter().copied().filter(|other| *other != key).collect();
    loop {
        let mut probe = Probe { strikes: facts.strikes, there: &there, turn, seen, missed: None, refused: None };
        if FaultKind::read(facts.name, &mut probe).is_ok() {
            return false;
        }
        let (missed, refused) = (probe.missed, probe.refused);
        match refused {
            Some(refused) if there.remove(refused) => {}
            _ => return missed == Some(key),
        }
    }
}

/// A table that has some of the keys.
struct Probe<'a> {
    strikes: Strikes,
    there: &'a BTreeSet<&'static str>,
    /// Which of several answers is given.
    turn: usize,
    seen: &'a mut BTreeMap<&'static str, Value>,
    missed: Option<&'static str>,
    refused: Option<&'static str>,
}

type Answer<T> = Result<Option<T>, Noted>;

impl Probe<'_> {
    #[expect(clippy::unnecessary_wraps, reason = "it answers as whoever reads a table, who may be told of a mistake")]
    fn answer<T>(&mut self, key: &'static str, schema: Value, value: T) -> Answer<T> {
        self.seen.insert(key, schema);
        Ok(self.there.contains(key).then_some(value))
    }

    fn some_partition() -> TopicPartition {
        TopicPartition::new("chat", 0)
    }

    /// A broker, or the leader of a partition: where a target names one, its partition may be left out.
    fn some_target(&self) -> Target {
        if self.turn.is_multiple_of(2) { Target::Broker(BrokerId(1)) } else { Target::Leader(Self::some_partition()) }
    }
}

impl Keys for Probe<'_> {
    fn fault(&self) -> FaultId {
        FaultId(String::new())
    }

    fn target(&mut self, key: &'static str) -> Answer<Target> {
        let among = if key == "target" { Among::Struck(self.strikes) } else { Among::Struck(Strikes::Brokers) };
        self.answer(key, shape::targets(among, &[]), self.some_target())
    }

    fn millis(&mut self, key: &'static str) -> Answer<u64> {
        self.answer(key, shape::duration(), 1000)
    }

    fn bytes(&mut self, key: &'static str) -> Answer<u64> {
        self.answer(key, shape::size(), 1 << 20)
    }

    fn bytes_per_s(&mut self, key: &'static str) -> Answer<u64> {
        self.answer(key, shape::byte_rate(), 1 << 20)
    }

    fn millionths(&mut self, key: &'static str) -> Answer<u32> {
        self.answer(key, shape::ratio(), 10_000)
    }

    fn count(&mut self, key: &'static str) -> Answer<u32> {
        self.answer(key, json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }), 1)
    }

    fn group(&mut self, key: &'static str) -> Answer<Target> {
        self.answer(key, json!({ "type": "string" }), Target::Group("chat-consumers".to_owned()))
    }

    fn nanos_per_record(&mut self, key: &'static str) -> Answer<u64> {
        self.answer(key, shape::rate(), 1_000_000)
    }

    fn any_partition(&mut self, key: &'static str) -> Answer<TopicPartition> {
        self.answer(key, shape::partition(), Self::some_partition())
    }

    fn partition(&mut self, key: &'static str) -> Answer<TopicPartition> {
        self.any_partition(key)
    }

    fn topic(&mut self, key: &'static str) -> Answer<String> {
        self.answer(key, json!({ "type": "string" }), "chat".to_owned())
    }

    fn settings(&mut self, key: &'static str) -> Answer<BTreeMap<String, String>> {
        let settings = BTreeMap::from([("retention.ms".to_owned(), "1000".to_owned())]);
        self.answer(key, shape::properties(), settings)
    }

    fn word<T: Copy>(&mut self, key: &'static str, choices: &[(&'static str, T)]) -> Answer<T> {
        let (_, chosen) = choices[self.turn % choices.len()];
        self.answer(key, shape::words(choices.iter().map(|(word, _)| *word)), chosen)
    }

    fn word_or_target<T: Clone>(
        &mut self,
        key: &'static str,
        choices: &[(&'static str, T)],
    ) -> Answer<WordOrTarget<T>> {
        let listed: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let schema = shape::targets(Among::Struck(Strikes::Brokers), &listed);
        self.answer(key, schema, WordOrTarget::Target(self.some_target()))
    }

    fn missing(&mut self, key: &'static str, _example: &str) -> Noted {
        self.missed = Some(key);
        Noted
    }

    fn refuse(&mut self, key: Option<&'static str>, _message: String, _label: &str, _help: &str) -> Noted {
        self.refused = key;
        Noted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn required(kind: &str) -> Vec<&'static str> {
        let keys = of(FaultFacts::named(kind).expect("a kind"));
        keys.iter().filter(|key| key.is_required()).map(|key| key.key).collect()
    }

    #[test]
    fn each_kind_reads_every_key_that_it_names_and_each_is_described() {
        for facts in FaultKind::ALL {
            for key in of(facts) {
                assert!(key.doc.ends_with('.'), "nothing is said of {} {}", facts.name, key.key);
                assert_ne!(key.schema, json!({}), "{} never reads {}", facts.name, key.key);
            }
        }
    }

    #[test]
    fn a_key_is_required_where_nothing_stands_in_for_it() {
        assert_eq!(required("kill"), ["target"]);
        assert_eq!(required("disk-slow"), ["target", "bandwidth"]);
        assert_eq!(required("rolling"), [""; 0]);
        assert_eq!(required("slow-consumer"), ["target"], "per-record or rate");
        assert_eq!(required("damage"), ["target", "file"], "the target may name the partition");
        assert_eq!(required("alter-config"), ["set"], "topic or target");
    }

    #[test]
    fn the_words_of_a_key_come_from_its_reader() {
        let partition = of(FaultFacts::named("partition").expect("a kind"));
        let to = partition.iter().find(|key| key.key == "to").expect("its other end");
        assert_eq!(to.schema["anyOf"][0]["enum"], json!(["rest", "clients", "all"]));
        let mode = partition.iter().find(|key| key.key == "mode").expect("its mode");
        assert_eq!(mode.schema["enum"], json!(["drop", "reject"]));
    }
}
