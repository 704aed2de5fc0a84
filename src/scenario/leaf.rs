//! The values that a key may take: text, numbers, quantities with units, words from a closed set, lists, properties.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use toml::Spanned;
use toml::de::DeValue;

use super::address::is_reference;
use super::problem::Problems;
use super::read::{At, FromToml, integer, span_of};
use super::schema::{self, shape};
use super::suggest::{listed, nearest};
use super::units::{self, NotAQuantity};
use super::{ClusterKind, CommitMode, EmptyTarget, Metric, OffsetsCommitted, Rate, Spread};
use crate::anomaly::{CheckName, Expectation};
use crate::fault::Target;
use crate::kafka::is_secret;

impl FromToml for String {
    fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            problems.wrong_type(key, value, "a string", "write it in quotes");
        }
        text.map(str::to_owned)
    }

    fn schema() -> Value {
        json!({ "type": "string" })
    }
}

impl FromToml for bool {
    fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self> {
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            problems.wrong_type(key, value, "true or false", "write it without quotes");
        }
        flag
    }

    fn schema() -> Value {
        json!({ "type": "boolean" })
    }
}

impl FromToml for u64 {
    fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self> {
        let Some(number) = value.get_ref().as_integer() else {
            problems.wrong_type(key, value, "a whole number", "write a whole number without quotes, such as 3");
            return None;
        };
        let read = integer(number).and_then(|number| u64::try_from(number).ok());
        if read.is_none() {
            let message = format!("`{key}` cannot be {number}");
            problems.refuse(&value.span(), message, "out of range", "write a whole number of at least 0");
        }
        read
    }

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 0 })
    }
}

impl FromToml for u32 {
    fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self> {
        let wide = u64::from_toml(key, value, problems)?;
        let read = u32::try_from(wide).ok();
        if read.is_none() {
            let message = format!("`{key}` cannot be {wide}");
            problems.refuse(&value.span(), message, "out of range", "write a whole number below 4294967296");
        }
        read
    }

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })
    }
}

impl<T: FromToml> FromToml for Vec<At<T>> {
    fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self> {
        let Some(items) = value.get_ref().as_array() else {
            let help = if value.get_ref().is_table() {
                format!("there may be several: write [[{key}]] with double brackets")
            } else {
                format!("write it in brackets, even if it is only one: {key} = [...]")
            };
            problems.wrong_type(key, value, "a list", &help);
            return None;
        };
        let read = |item| T::from_toml(key, item, problems).map(|value| At { value, span: span_of(item) });
        let (count, read) = (items.len(), items.iter().filter_map(read).collect::<Vec<_>>());
        (read.len() == count).then_some(read)
    }

    fn schema() -> Value {
        json!({ "type": "array", "items": T::schema() })
    }
}

/// Reads a quantity: a string that carries its unit.
fn quantity<T>(
    key: &str,
    value: &Spanned<DeValue<'_>>,
    problems: &mut Problems,
    wanted: &str,
    parse: impl Fn(&str) -> Result<T, NotAQuantity>,
) -> Option<T> {
    let number = match value.get_ref() {
        DeValue::String(text) => {
            let NotAQuantity { what, help } = match parse(text) {
                Ok(read) => return Some(read),
                Err(error) => error,
            };
            problems.refuse(&value.span(), format!("`{text}` {what}"), &format!("expected {wanted}"), &help);
            return None;
        }
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        _ => {
            problems.wrong_type(key, value, wanted, "write it in quotes, with its unit");
            return None;
        }
    };
    let help = parse(&number).err().map_or_else(|| "write it in quotes, with its unit".to_owned(), |error| error.help);
    problems.refuse(&value.span(), format!("`{key}` needs a unit"), &format!("a bare number, not {wanted}"), &help);
    None
}

impl FromToml for Duration {
    fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self> {
        quantity(key, value, problems, "a duration", units::duration)
    }

    fn schema() -> Value {
        shape::duration()
    }
}

impl FromToml for Spread {
    fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self> {
        quantity(key, value, problems, "a duration", units::duration_range).map(|(least, most)| Self { least, most })
    }

    fn schema() -> Value {
        shape::duration_range()
    }
}

impl FromToml for Rate {
    fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self> {
        quantity(key, value, problems, "records a second", units::rate)
    }

    fn schema() -> Value {
        shape::rate()
    }
}

/// A size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl FromToml for Bytes {
    fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self> {
        quantity(key, value, problems, "a size", units::size).map(Self)
    }

    fn schema() -> Value {
        shape::size()
    }
}

/// A rate in bytes a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRate(pub u64);

impl FromToml for ByteRate {
    fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self> {
        quantity(key, value, problems, "bytes or bits a second", units::byte_rate).map(Self)
    }

    fn schema() -> Value {
        shape::byte_rate()
    }
}

/// A share of a whole, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio(pub u32);

impl FromToml for Ratio {
    fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self> {
        quantity(key, value, problems, "a share", units::ratio).map(Self)
    }

    fn schema() -> Value {
        shape::ratio()
    }
}

/// A range of sizes in bytes, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange(pub u64, pub u64);

impl FromToml for ByteRange {
    fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self> {
        quantity(key, value, problems, "a size", units::size_range).map(|(low, high)| Self(low, high))
    }

    fn schema() -> Value {
        shape::size_range()
    }
}

/// Reads one word of a closed set.
pub(super) fn choice<T: Copy>(
    key: &str,
    value: &Spanned<DeValue<'_>>,
    problems: &mut Problems,
    choices: &[(&'static str, T)],
) -> Option<T> {
    let text = String::from_toml(key, value, problems)?;
    if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text) {
        return Some(*choice);
    }
    let words = || choices.iter().map(|(word, _)| *word);
    let help = match nearest(&text, words()) {
        Some(meant) => format!("did you mean \"{meant}\"? The choices are {}", listed(words())),
        None => format!("the choices are {}", listed(words())),
    };
    problems.refuse(&value.span(), format!("`{key}` cannot be \"{text}\""), "not one of its choices", &help);
    None
}

/// A word of a closed set, with the set.
macro_rules! choices {
    ($kind:ty: $($word:expr => $choice:expr),+ $(,)?) => {
        impl FromToml for $kind {
            fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self> {
                choice(key, value, problems, &[$(($word, $choice)),+])
            }

            fn schema() -> Value {
                shape::words([$($word),+])
            }
        }
    };
}

choices!(ClusterKind:
    "docker" => ClusterKind::Docker,
    "attach" => ClusterKind::Attach,
    "mock" => ClusterKind::Mock,
);
choices!(CommitMode:
    "after-process" => CommitMode::AfterProcess,
    "before-process" => CommitMode::BeforeProcess,
    "auto" => CommitMode::Auto,
);
choices!(OffsetsCommitted:
    "in-transaction" => OffsetsCommitted::InTransaction,
    "afterwards" => OffsetsCommitted::Afterwards,
);
choices!(EmptyTarget:
    "fail" => EmptyTarget::Fail,
    "skip" => EmptyTarget::Skip,
);
choices!(Expectation:
    "forbidden" => Expectation::Forbidden,
    "allowed" => Expectation::Allowed,
    "required" => Expectation::Required,
);

impl FromToml for Metric {
    fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self> {
        choice(key, value, problems, &Metric::ALL.map(|metric| (metric.name(), metric)))
    }

    fn schema() -> Value {
        shape::words(Metric::ALL.map(Metric::name))
    }
}

impl FromToml for Target {
    fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self> {
        const WORDS: [&str; 13] = [
            "broker",
            "leader",
            "follower",
            "followers",
            "controller",
            "coordinator",
            "random",
            "minority",
            "majority",
            "all",
            "same",
            "producer",
            "member",
        ];
        let text = String::from_toml(key, value, problems)?;
        let error = match text.parse::<Target>() {
            Ok(target) => return Some(target),
            Err(error) => error,
        };
        let word = text.split(':').next().unwrap_or(&text);
        let forms = format!("{}; of clients {}", Target::FORMS, Target::CLIENT_FORMS);
        let help = match nearest(word, WORDS).filter(|meant| *meant != word) {
            Some(meant) => format!("did you mean `{meant}`? Targets are {forms}"),
            None => format!("targets are {forms}"),
        };
        let label = if error.reason.starts_with("expected") { "no such target" } else { error.reason.as_str() };
        problems.refuse(&value.span(), format!("`{text}` is not a target"), label, &help);
        None
    }

    fn schema() -> Value {
        shape::target(shape::Among::All)
    }
}

/// Properties of a broker, topic or client, each with its value's text and place.
///
/// Kafka's names hold dots. `"min.insync.replicas" = 2` and `min.insync.replicas = 2` say the same, although TOML makes
/// nested tables of the second: no Kafka property is a table, so nothing is lost by joining the names again.
#[derive(Clone, Debug, Default)]
pub struct Properties(pub BTreeMap<String, Property>);

/// One property.
#[derive(Clone, Debug)]
pub struct Property {
    /// Its value as Kafka takes it.
    pub value: String,
    /// Where its name stands.
    pub key_span: std::ops::Range<usize>,
    /// Where its value stands.
    pub span: std::ops::Range<usize>,
}

impl Properties {
    /// The plain map.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(key, property)| (key.clone(), property.value.clone())).collect()
    }

    /// The first of these names that is set: librdkafka knows some properties by two.
    pub fn any_of(&self, names: &[&str]) -> Option<&Property> {
        names.iter().find_map(|name| self.0.get(*name))
    }

    fn collect(&mut self, prefix: &str, table: &toml::de::DeTable<'_>, problems: &mut Problems) {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            let text = match value.get_ref() {
                DeValue::Table(inner) => {
                    self.collect(&format!("{name}."), inner, problems);
                    continue;
                }
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(number) => {
                    integer(number).map_or_else(|| number.to_string(), |number| number.to_string())
                }
                DeValue::Float(number) => number.to_string(),
                DeValue::Boolean(flag) => flag.to_string(),
                DeValue::Datetime(_) | DeValue::Array(_) => {
                    let help = "write it as Kafka's own files do, in quotes: lists are \"a,b,c\"";
                    problems.wrong_type(&name, value, "a string, a number, true or false", help);
                    continue;
                }
            };
            if is_secret(&name) && !is_reference(&text) {
                problems.hide(value.span());
            }
            self.0.insert(name, Property { value: text, key_span: key.span(), span: value.span() });
        }
    }
}

impl FromToml for Properties {
    fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self> {
        let Some(table) = value.get_ref().as_table() else {
            let help = format!("write {key} = {{ \"property.name\" = value }}");
            problems.wrong_type(key, value, "a table of properties", &help);
            return None;
        };
        let mut properties = Self::default();
        properties.collect("", table, problems);
        Some(properties)
    }

    fn schema() -> Value {
        shape::properties()
    }
}

/// `[expect]`: what is expected of which check.
#[derive(Clone, Debug, Default)]
pub struct Expectations(pub BTreeMap<CheckName, At<Expectation>>);

impl FromToml for Expectations {
    fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self> {
        let Some(table) = value.get_ref().as_table() else {
            problems.wrong_type(key, value, "a table", "write [expect], and below it: duplicate = \"allowed\"");
            return None;
        };
        let mut read = BTreeMap::new();
        for (name, value) in table {
            let Ok(check) = name.get_ref().parse::<CheckName>() else {
                let known = CheckName::ALL.map(CheckName::name);
                problems.unknown_check(name.get_ref(), &name.span(), &known);
                continue;
            };
            if let Some(expectation) = Expectation::from_toml(check.name(), value, problems) {
                read.insert(check, At { value: expectation, span: value.span() });
            }
        }
        Some(Self(read))
    }

    fn schema() -> Value {
        schema::expectations()
    }
}
