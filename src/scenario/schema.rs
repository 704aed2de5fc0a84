//! The JSON Schema of scenario files (draft 2020-12), for editors that complete and check TOML: `wiber-chaos schema`.
//!
//! It is made of what reads scenarios, so that a key, a word or a kind of fault that is read is in it. [`shape`] holds the forms of
//! single values, [`keys`] asks each kind of fault for its keys, and [`words`] says what those mean. What is written of a key
//! (`raw_table!`) becomes its description; a sentence `Required.` makes it required, `At least one.` a list that is not empty,
//! and `Without it: VALUE.` names its default.
//!
//! A schema looks at one value after another: it takes every scenario that [`super::parse`] takes, and many more. Whether topics
//! exist, faults overlap or a quorum is lost is for `wiber-chaos validate`.

mod keys;
pub mod shape;
mod words;

use serde_json::{Map, Value, json};

use super::raw::RawScenario;
use super::read::FromToml;
use crate::anomaly::{CheckName, Expectation};
use crate::fault::{FaultFacts, FaultKind};

/// A key of a table, with what is written of it and the form of its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Documented {
    /// The key.
    pub key: &'static str,
    /// What it means, in sentences.
    pub doc: String,
    /// The schema of its values.
    pub schema: Value,
}

impl Documented {
    fn is_required(&self) -> bool {
        self.doc.ends_with("Required.") || self.is_never_empty()
    }

    fn is_never_empty(&self) -> bool {
        self.doc.ends_with("At least one.")
    }

    /// What holds without the key, where that is one value and not a rule.
    fn default(&self) -> Option<Value> {
        let (_, named) = self.doc.rsplit_once("Without it: ")?;
        let value = named.strip_suffix('.')?;
        match value.strip_prefix('`').and_then(|value| value.strip_suffix('`')).filter(|value| !value.contains('`')) {
            Some("true") => Some(Value::Bool(true)),
            Some("false") => Some(Value::Bool(false)),
            Some(word) => Some(word.into()),
            None => value.parse::<u64>().ok().map(Value::from),
        }
    }

    /// The schema of its values, with what is written of it.
    fn property(mut self) -> Value {
        let default = self.default();
        let is_never_empty = self.is_never_empty();
        let told = self.schema.as_object_mut().expect("the schema of a type is an object");
        told.insert("description".to_owned(), std::mem::take(&mut self.doc).into());
        if let Some(default) = default {
            told.insert("default".to_owned(), default);
        }
        if is_never_empty {
            told.insert("minItems".to_owned(), 1.into());
        }
        self.schema
    }
}

/// The schema of scenario files. The same bytes from every build, whichever order its maps keep.
pub fn schema() -> Value {
    let mut schema = RawScenario::schema();
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "A scenario of wiber-chaos".into();
    schema["description"] = "A cluster, a load, faults, and what must hold. docs/scenario.md is the reference.".into();
    sorted(schema)
}

/// The schema as a file: pretty JSON, one trailing newline.
pub fn text() -> String {
    format!("{:#}\n", schema())
}

/// A table that knows these keys and no others.
pub(super) fn table(description: &str, keys: Vec<Documented>) -> Value {
    let required: Vec<&str> = keys.iter().filter(|key| key.is_required()).map(|key| key.key).collect();
    let mut table = json!({ "type": "object", "description": description, "additionalProperties": false });
    if !required.is_empty() {
        table["required"] = json!(required);
    }
    let properties: Map<String, Value> = keys.into_iter().map(|key| (key.key.to_owned(), key.property())).collect();
    table["properties"] = properties.into();
    table
}

/// `[[fault]]`: when, for how long, and exactly one of the kinds.
pub(super) fn fault(when: Vec<Documented>) -> Value {
    let mut fault = table("`[[fault]]`: what strikes whom, when, and for how long.", when);
    for facts in FaultKind::ALL {
        fault["properties"][facts.name] = table(facts.about.trim(), keys::of(facts));
    }
    let named = |facts: &FaultFacts| json!({ "required": [facts.name] });
    let one_kind: Vec<Value> = FaultKind::ALL.iter().map(named).collect();
    let without_length = FaultKind::ALL.iter().filter(|facts| !facts.has_length);
    let has_its_length: Vec<Value> =
        std::iter::once(json!({ "required": ["for"] })).chain(without_length.map(named)).collect();
    let has_its_start = ["at", "after", "every"].map(|key| json!({ "required": [key] }));
    fault["oneOf"] = one_kind.into();
    fault["allOf"] = json!([{ "anyOf": has_its_length }, { "anyOf": has_its_start }]);
    fault
}

/// `[expect]`: a word for each check.
pub(super) fn expectations() -> Value {
    let one = |check: CheckName| {
        let mut word = match check {
            // Too little evidence cannot be waived.
            CheckName::Coverage => shape::words(["forbidden"]),
            _ => Expectation::schema(),
        };
        word["description"] = check.question().into();
        word["default"] = check.usual_expectation().to_string().into();
        (check.name().to_owned(), word)
    };
    let properties: Map<String, Value> = CheckName::ALL.into_iter().map(one).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// The same value with the keys of every map in order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = map.into_iter().collect();
            entries.sort_by(|one, other| one.0.cmp(&other.0));
            entries.into_iter().map(|(key, value)| (key, sorted(value))).collect::<Map<String, Value>>().into()
        }
        Value::Array(items) => items.into_iter().map(sorted).collect::<Vec<Value>>().into(),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(doc: &str) -> Documented {
        Documented { key: "key", doc: doc.to_owned(), schema: json!({ "type": "string" }) }
    }

    #[test]
    fn a_default_is_told_where_it_is_one_value_and_not_a_rule() {
        assert_eq!(key("How long. Without it: `180s`.").default(), Some("180s".into()));
        assert_eq!(key("How many. Without it: 10000.").default(), Some(10000.into()));
        assert_eq!(key("Whether. Without it: `false`.").default(), Some(false.into()));
        for rule in ["How many. Without it: 3, or as many as there are.", "Without it: none.", "Where. Required."] {
            assert_eq!(key(rule).default(), None, "{rule}");
        }
    }

    #[test]
    fn what_is_required_says_so() {
        assert!(key("Its name. Required.").is_required());
        assert!(key("The topics. At least one.").is_required());
        assert!(!key("Whom to ask first. Required with `attach`, and only there.").is_required());
    }

    #[test]
    fn every_key_is_described() {
        let mut undescribed = Vec::new();
        walk(&schema(), "scenario", &mut undescribed);
        assert_eq!(undescribed, Vec::<String>::new());
    }

    /// Notes every property below a schema that has no description, or one that does not end as a sentence.
    fn walk(schema: &Value, path: &str, undescribed: &mut Vec<String>) {
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{key}");
            if !property["description"].as_str().is_some_and(|text| text.ends_with(['.', '?'])) {
                undescribed.push(path.clone());
            }
            walk(property, &path, undescribed);
            walk(&property["items"], &path, undescribed);
        }
    }
}
