//! A fault's own table, `kind = { key = value }`, as [`Keys`] has it: typed values with every mistake noted at its place.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::leaf::{ByteRate, Bytes, Properties, Ratio, choice};
use super::problem::{Problems, Span};
use super::read::{At, Field, FromToml, field, span_of};
use super::suggest::{listed, nearest};
use crate::fault::{FaultFacts, FaultId, FaultKind, Keys, Noted, Target, WordOrTarget};
use crate::kafka::TopicPartition;
use crate::scenario::Rate;

/// Less than a record in a week is less than any run would show.
const SLOWEST_PER_SECOND: f64 = 1.0 / (7.0 * 24.0 * 3600.0);

/// What a fault's table says.
#[derive(Clone, Debug)]
pub struct RawKind {
    /// The kind's word.
    pub name: &'static str,
    /// Where the table stands.
    pub span: Span,
    /// The kind and whom it strikes; `None` when that could not be read, which has been noted.
    pub read: Option<(FaultKind, Target)>,
    /// Every target in it, each member of a list with its own place.
    pub targets: Vec<At<Target>>,
    /// Those of them that the fault strikes.
    pub struck: Vec<At<Target>>,
}

impl RawKind {
    /// What is said of its kind.
    pub fn facts(&self) -> &'static FaultFacts {
        FaultFacts::named(self.name).expect("only known kinds are read")
    }
}

/// Reads every kind that a `[[fault]]` names, in the order of the kinds.
pub(super) fn read_kinds(table: &DeTable<'_>, id: &FaultId, problems: &mut Problems) -> Vec<RawKind> {
    let named =
        |name: &&'static str| table.iter().find(|(key, _)| key.get_ref() == *name).map(|(_, value)| (*name, value));
    let found: Vec<(&'static str, &Spanned<DeValue<'_>>)> = FaultKind::NAMES.iter().filter_map(named).collect();
    found.into_iter().map(|(name, value)| read_kind(name, value, id, problems)).collect()
}

/// The kind that an unknown key of a `[[fault]]` probably means.
pub(super) fn meant(table: &DeTable<'_>) -> Option<&'static str> {
    let mut keys = table.keys().map(|key| key.get_ref().as_ref());
    keys.find_map(|key| nearest(key, FaultKind::NAMES.iter().copied()).filter(|name| *name != key))
}

fn read_kind(name: &'static str, value: &Spanned<DeValue<'_>>, id: &FaultId, problems: &mut Problems) -> RawKind {
    let span = span_of(value);
    let facts = FaultFacts::named(name).expect("every name has its facts");
    let Some(table) = value.get_ref().as_table() else {
        let help = format!("the keys of `{name}` are {}", listed(facts.keys.iter().copied()));
        problems.wrong_type(name, value, "a table", &help);
        return RawKind { name, span, read: None, targets: Vec::new(), struck: Vec::new() };
    };
    for (key, _) in table {
        if !facts.keys.contains(&key.get_ref().as_ref()) {
            problems.unknown_key(key.get_ref(), &key.span(), name, facts.keys);
        }
    }
    let mut keys = TableKeys {
        name,
        id,
        table,
        span: span.clone(),
        known: facts.keys,
        targets: Vec::new(),
        struck: Vec::new(),
        problems,
    };
    let read = FaultKind::read(name, &mut keys).ok();
    let (targets, struck) = (keys.targets, keys.struck);
    RawKind { name, span, read, targets, struck }
}

struct TableKeys<'a> {
    name: &'static str,
    id: &'a FaultId,
    table: &'a DeTable<'a>,
    span: Span,
    known: &'static [&'static str],
    targets: Vec<At<Target>>,
    struck: Vec<At<Target>>,
    problems: &'a mut Problems,
}

impl TableKeys<'_> {
    fn get<T: FromToml>(&mut self, key: &'static str) -> Result<Option<At<T>>, Noted> {
        debug_assert!(self.known.contains(&key), "{} reads a key that it does not name: {key}", self.name);
        match field(self.table, key, self.known, self.problems) {
            Field::Good(at) => Ok(Some(at)),
            Field::Missing => Ok(None),
            Field::Bad => Err(Noted),
        }
    }

    fn value<T: FromToml>(&mut self, key: &'static str) -> Result<Option<T>, Noted> {
        Ok(self.get(key)?.map(|at| at.value))
    }

    fn partition_at(&mut self, key: &'static str) -> Result<Option<At<TopicPartition>>, Noted> {
        let Some(At { value, span }) = self.get::<String>(key)? else { return Ok(None) };
        let Ok(partition) = value.parse::<TopicPartition>() else {
            let message = format!("`{value}` is not a partition");
            return Err(self.refuse(Some(key), message, "no topic and number", "write it as \"chat-0\""));
        };
        Ok(Some(At { value: partition, span }))
    }

    /// Has it looked up whether the scenario has this partition.
    fn concerns(&mut self, partition: TopicPartition, span: Span) {
        self.targets.push(At { value: Target::Leader(partition), span });
    }

    fn span_of(&self, key: Option<&'static str>) -> Span {
        let value = key.and_then(|key| self.table.iter().find(|(name, _)| name.get_ref() == key));
        value.map_or_else(|| self.span.clone(), |(_, value)| span_of(value))
    }
}

impl Keys for TableKeys<'_> {
    fn fault(&self) -> FaultId {
        self.id.clone()
    }

    fn target(&mut self, key: &'static str) -> Result<Option<Target>, Noted> {
        let is_list = self.table.iter().any(|(name, value)| name.get_ref() == key && value.get_ref().is_array());
        let read: Vec<At<Target>> =
            if is_list { self.value(key)?.unwrap_or_default() } else { self.get(key)?.into_iter().collect() };
        let one = |at: &At<Target>| {
            let span = at.span.clone();
            at.value.members().iter().map(|value| At { value: value.clone(), span: span.clone() }).collect::<Vec<_>>()
        };
        let read: Vec<At<Target>> = read.iter().flat_map(one).collect();
        if is_list && read.is_empty() {
            return Err(self.refuse(Some(key), format!("`{key}` names nobody"), "an empty list", "name one at least"));
        }
        self.targets.extend(read.iter().cloned());
        if key == "target" {
            self.struck.extend(read.iter().cloned());
        }
        Ok(Target::all_of(&read.into_iter().map(|at| at.value).collect::<Vec<_>>()))
    }

    fn millis(&mut self, key: &'static str) -> Result<Option<u64>, Noted> {
        // The readers refuse what is longer than a week, so that this never saturates.
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Ok(self.value(key)?.map(millis))
    }

    fn bytes(&mut self, key: &'static str) -> Result<Option<u64>, Noted> {
        Ok(self.value(key)?.map(|Bytes(bytes)| bytes))
    }

    fn bytes_per_s(&mut self, key: &'static str) -> Result<Option<u64>, Noted> {
        Ok(self.value(key)?.map(|ByteRate(rate)| rate))
    }

    fn millionths(&mut self, key: &'static str) -> Result<Option<u32>, Noted> {
        Ok(self.value(key)?.map(|Ratio(millionths)| millionths))
    }

    fn count(&mut self, key: &'static str) -> Result<Option<u32>, Noted> {
        self.value(key)
    }

    fn group(&mut self, key: &'static str) -> Result<Option<Target>, Noted> {
        let name = self.get::<String>(key)?;
        let target = name.map(|At { value, span }| At { value: Target::Group(value), span });
        self.targets.extend(target.clone());
        Ok(target.map(|at| at.value))
    }

    fn nanos_per_record(&mut self, key: &'static str) -> Result<Option<u64>, Noted> {
        match self.get::<Rate>(key)? {
            Some(At { value: Rate::PerSecond(rate), .. }) => {
                let nanos = Duration::from_secs_f64(1.0 / rate.max(SLOWEST_PER_SECOND)).as_nanos();
                Ok(Some(u64::try_from(nanos).unwrap_or(u64::MAX).max(1)))
            }
            Some(At { value: Rate::Max, .. }) => {
                let help = "write how many records a second, such as \"100/s\"";
                Err(self.refuse(Some(key), "as fast as it goes is not slow".to_owned(), "no limit", help))
            }
            None => Ok(None),
        }
    }

    fn any_partition(&mut self, key: &'static str) -> Result<Option<TopicPartition>, Noted> {
        Ok(self.partition_at(key)?.map(|at| at.value))
    }

    fn partition(&mut self, key: &'static str) -> Result<Option<TopicPartition>, Noted> {
        let Some(At { value, span }) = self.partition_at(key)? else { return Ok(None) };
        self.concerns(value.clone(), span);
        Ok(Some(value))
    }

    fn topic(&mut self, key: &'static str) -> Result<Option<String>, Noted> {
        let Some(topic) = self.get::<String>(key)? else { return Ok(None) };
        self.concerns(TopicPartition::new(topic.value.clone(), 0), topic.span);
        Ok(Some(topic.value))
    }

    fn settings(&mut self, key: &'static str) -> Result<Option<BTreeMap<String, String>>, Noted> {
        Ok(self.value::<Properties>(key)?.map(|properties| properties.to_map()))
    }

    fn word<T: Copy>(&mut self, key: &'static str, choices: &[(&'static str, T)]) -> Result<Option<T>, Noted> {
        let Some((_, value)) = self.table.iter().find(|(name, _)| name.get_ref() == key) else {
            // Asked through `field`, so that a misspelt key is told once.
            return self.value::<String>(key).map(|_| None);
        };
        choice(key, value, self.problems, choices).map(Some).ok_or(Noted)
    }

    fn word_or_target<T: Clone>(
        &mut self,
        key: &'static str,
        choices: &[(&'static str, T)],
    ) -> Result<Option<WordOrTarget<T>>, Noted> {
        let found = self.table.iter().find(|(name, _)| name.get_ref() == key);
        let text = found.and_then(|(_, value)| value.get_ref().as_str());
        match text.and_then(|text| choices.iter().find(|(word, _)| *word == text)) {
            Some((_, meant)) => Ok(Some(WordOrTarget::Word(meant.clone()))),
            None => Ok(self.target(key)?.map(WordOrTarget::Target)),
        }
    }

    fn missing(&mut self, key: &'static str, example: &str) -> Noted {
        let message = format!("`{}` needs the key `{key}`", self.name);
        let label = if key == "target" { "whom?".to_owned() } else { format!("`{key}` is missing") };
        let facts = FaultFacts::named(self.name).expect("every name has its facts");
        let forms = if key == "target" { format!("; targets are {}", facts.strikes.forms()) } else { String::new() };
        let help = format!("write {} = {{ {example} }}{forms}", self.name);
        self.problems.error(&self.span, message, label).help(help);
        Noted
    }

    fn refuse(&mut self, key: Option<&'static str>, message: String, label: &str, help: &str) -> Noted {
        let span = self.span_of(key);
        self.problems.refuse(&span, message, label, help);
        Noted
    }
}
