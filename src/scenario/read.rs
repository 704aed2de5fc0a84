//! From TOML values to typed ones, with every mistake noted rather than the first one thrown.
//!
//! serde stops at its first error, and a person who made three mistakes would run the tool three times. So a table is
//! declared once, by [`raw_table!`]: the keys it knows, their types and their documentation; the macro makes the struct
//! and its reader, which also refuses every key that the table does not know.

use std::ops::Range;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::problem::{Problems, Span};
use super::suggest::{listed, nearest};

/// A value with its place in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

/// A key's value in a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Field<T> {
    /// The key is not there.
    Missing,
    /// The key is there and its value is unusable, which has been noted already.
    Bad,
    /// The key's value.
    Good(At<T>),
}

impl<T> Field<T> {
    /// The value with its place, if there is a usable one.
    pub fn get(&self) -> Option<&At<T>> {
        match self {
            Self::Good(at) => Some(at),
            Self::Missing | Self::Bad => None,
        }
    }

    /// The value, if there is a usable one.
    pub fn value(&self) -> Option<&T> {
        self.get().map(|at| &at.value)
    }

    /// Whether the key is not there at all.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }
}

impl<T: Clone> Field<T> {
    /// The value, or this one. A bad value has been noted, so that what stands in for it never reaches a scenario.
    pub fn or(&self, default: T) -> T {
        self.value().cloned().unwrap_or(default)
    }
}

/// What can be read from a TOML value.
pub trait FromToml: Sized {
    /// Reads the value of `key`, or notes what is wrong with it.
    fn from_toml(key: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Self>;

    /// What an editor is told of such values, as JSON Schema: it takes all that `from_toml` reads, and as little else as a schema
    /// can say.
    fn schema() -> Value;
}

impl Problems {
    /// Notes a value that is not what its key takes.
    pub(super) fn refuse(&mut self, span: &Span, message: String, label: &str, help: &str) {
        self.error(span, message, label).help(help);
    }

    /// Notes a value of another type than the key takes.
    pub(super) fn wrong_type(&mut self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str, help: &str) {
        let found = describe(value.get_ref());
        self.refuse(&value.span(), format!("`{key}` takes {wanted}"), &format!("this is {found}"), help);
    }

    /// Notes a check that does not exist.
    pub(super) fn unknown_check(&mut self, name: &str, span: &Span, known: &[&str]) {
        let help = if TOP_LEVEL_KEYS.contains(&name) {
            help_for_unknown_key(name, "[expect]", known)
        } else if let Some(meant) = nearest(name, known.iter().copied()) {
            format!("did you mean `{meant}`?")
        } else {
            format!("the checks are {}", listed(known.iter().copied()))
        };
        self.error(span, format!("there is no check `{name}`"), "unknown check").help(help);
    }

    /// Notes a key that the table does not know.
    pub(super) fn unknown_key(&mut self, key: &str, span: &Span, table: &str, known: &[&str]) {
        let problem = self.error(span, format!("{table} has no key `{key}`"), "unknown key");
        problem.help(help_for_unknown_key(key, table, known));
    }
}

/// The keys that belong above every header.
pub(super) const TOP_LEVEL_KEYS: [&str; 3] = ["name", "description", "seed"];

fn help_for_unknown_key(key: &str, table: &str, known: &[&str]) -> String {
    if TOP_LEVEL_KEYS.contains(&key) {
        return format!(
            "move `{key}` to the top of the file, above the first [header]: in TOML a key belongs to the header above it"
        );
    }
    if let Some(meant) = nearest(key, known.iter().copied()) {
        return format!("did you mean `{meant}`?");
    }
    if let Some(meant) = nearest(key, TOP_LEVEL_KEYS) {
        return format!("did you mean `{meant}`? It stands at the top of the file, above the first [header]");
    }
    if known.contains(&"config") && table != "the scenario" {
        return format!(
            "known keys: {}; Kafka's own properties go into `config = {{ \"property.name\" = value }}`",
            listed(known.iter().copied())
        );
    }
    format!("known keys: {}", listed(known.iter().copied()))
}

/// A value's type in a sentence.
fn describe(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Reads one key of a table that knows the keys `known`.
pub fn field<T: FromToml>(table: &DeTable<'_>, key: &str, known: &[&str], problems: &mut Problems) -> Field<T> {
    // Tables are small, and their keys carry spans that no lookup could name.
    let Some((_, value)) = table.iter().find(|(name, _)| name.get_ref() == key) else {
        let unknown = table.keys().map(|name| name.get_ref().as_ref()).filter(|name| !known.contains(name));
        // A misspelt key has been noted; to call it missing as well would be to tell one mistake twice.
        let misspelt = unknown.filter_map(|name| nearest(name, known.iter().copied())).any(|meant| meant == key);
        return if misspelt { Field::Bad } else { Field::Missing };
    };
    match T::from_toml(key, value, problems) {
        Some(read) => Field::Good(At { value: read, span: span_of(value) }),
        None => Field::Bad,
    }
}

/// A value's place; of a `[table]` it is its header.
pub fn span_of(value: &Spanned<DeValue<'_>>) -> Range<usize> {
    value.span()
}

/// An integer of either sign that fits; `None` when it is too great for 64 bits.
pub fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// Declares a table once: its keys, their types, their documentation; makes the struct, its reader and its schema. Keys `besides`
/// these are known too, and read by somebody else.
///
/// The documentation is data, for editors (`schema::Documented`): a sentence `Required.` or `Without it: VALUE.` is taken at its
/// word there, and tests hold it to the truth.
macro_rules! raw_table {
    (
        $(#[doc = $doc:literal])*
        $name:ident, $shown:literal $(, besides $others:path)? {
            $( $(#[doc = $field_doc:literal])* $field:ident = $key:literal: $kind:ty, )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug)]
        pub struct $name {
            /// Where the table begins.
            pub span: crate::scenario::problem::Span,
            $( $(#[doc = $field_doc])* pub $field: crate::scenario::read::Field<$kind>, )*
        }

        impl $name {
            /// The keys that the table knows.
            pub const KEYS: &[&str] = &[$($key),*];

            /// Each key, with what is written of it above and the schema of its type.
            pub fn documented() -> Vec<crate::scenario::schema::Documented> {
                vec![$(crate::scenario::schema::Documented {
                    key: $key,
                    doc: concat!($($field_doc),*).trim().to_owned(),
                    schema: <$kind as crate::scenario::read::FromToml>::schema(),
                }),*]
            }

            /// Reads the table that begins at `span`.
            pub fn from_table(
                table: &toml::de::DeTable<'_>,
                span: crate::scenario::problem::Span,
                problems: &mut crate::scenario::problem::Problems,
            ) -> Self {
                let known = [Self::KEYS $(, $others)?].concat();
                for (key, _) in table {
                    if !known.contains(&key.get_ref().as_ref()) {
                        problems.unknown_key(key.get_ref(), &key.span(), $shown, &known);
                    }
                }
                Self { $( $field: crate::scenario::read::field(table, $key, &known, problems), )* span }
            }
        }

        impl crate::scenario::read::FromToml for $name {
            fn from_toml(
                key: &str,
                value: &toml::Spanned<toml::de::DeValue<'_>>,
                problems: &mut crate::scenario::problem::Problems,
            ) -> Option<Self> {
                let Some(table) = value.get_ref().as_table() else {
                    let help = concat!("the keys of ", $shown, " are ");
                    let help = format!("{help}{}", crate::scenario::suggest::listed(Self::KEYS.iter().copied()));
                    problems.wrong_type(key, value, "a table", &help);
                    return None;
                };
                Some(Self::from_table(table, crate::scenario::read::span_of(value), problems))
            }

            fn schema() -> serde_json::Value {
                crate::scenario::schema::table(concat!($($doc),*).trim(), Self::documented())
            }
        }
    };
}
pub(super) use raw_table;
