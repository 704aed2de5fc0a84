//! As much of JSON Schema (draft 2020-12) as the scenarios' schema uses. A keyword that this does not know is a panic, so that the
//! schema says nothing that nobody checks.

use regex::Regex;
use serde_json::Value;

/// All that is wrong with a value by a schema, each with its place.
pub fn problems_of(schema: &Value, value: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    check(schema, value, "", &mut problems);
    problems
}

fn check(schema: &Value, value: &Value, place: &str, problems: &mut Vec<String>) {
    for (keyword, wanted) in schema.as_object().expect("a schema is an object") {
        let holds = match keyword.as_str() {
            // What says nothing of the value, and what `check_key` looks at.
            "$schema"
            | "title"
            | "description"
            | "default"
            | "properties"
            | "patternProperties"
            | "additionalProperties" => true,
            "type" => is_of(wanted, value),
            "enum" => wanted.as_array().expect("a list of words").contains(value),
            "pattern" => {
                let pattern = Regex::new(wanted.as_str().expect("a pattern")).expect("a pattern that is one");
                value.as_str().is_none_or(|text| pattern.is_match(text))
            }
            "minimum" => value.as_i64().is_none_or(|number| Some(number) >= wanted.as_i64()),
            "maximum" => value.as_i64().is_none_or(|number| Some(number) <= wanted.as_i64()),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= wanted.as_u64().expect("a number")),
            "required" => {
                let keys = wanted.as_array().expect("a list of keys").iter().filter_map(Value::as_str);
                value.as_object().is_none_or(|map| keys.clone().all(|key| map.contains_key(key)))
            }
            "anyOf" => alternatives(wanted, value) > 0,
            "oneOf" => alternatives(wanted, value) == 1,
            "allOf" => alternatives(wanted, value) == wanted.as_array().expect("a list of schemas").len(),
            "items" => {
                for (at, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(wanted, item, &format!("{place}/{at}"), problems);
                }
                true
            }
            other => panic!("nobody checks `{other}`"),
        };
        if !holds {
            problems.push(format!("{place}: {value} breaks {keyword}: {wanted}"));
        }
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        check_key(schema, key, value, &format!("{place}/{key}"), problems);
    }
}

/// A key by its own schema, by that of its pattern, or else by that of all others.
fn check_key(schema: &Value, key: &str, value: &Value, place: &str, problems: &mut Vec<String>) {
    let patterns = schema["patternProperties"].as_object().into_iter().flatten();
    let mut matching = patterns.filter(|(pattern, _)| Regex::new(pattern).expect("a pattern").is_match(key));
    let own = schema["properties"].get(key).or_else(|| matching.next().map(|(_, schema)| schema));
    match own.or_else(|| schema.get("additionalProperties")) {
        Some(Value::Bool(false)) => problems.push(format!("{place}: no such key")),
        Some(schema) => check(schema, value, place, problems),
        None => {}
    }
}

fn alternatives(schemas: &Value, value: &Value) -> usize {
    let schemas = schemas.as_array().expect("a list of schemas").iter();
    schemas.filter(|schema| problems_of(schema, value).is_empty()).count()
}

/// Whether a value is of a type, or of one of several.
fn is_of(wanted: &Value, value: &Value) -> bool {
    match wanted {
        Value::Array(several) => several.iter().any(|wanted| is_of(wanted, value)),
        Value::String(name) => match name.as_str() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            other => panic!("there is no type `{other}`"),
        },
        other => panic!("{other} is no type"),
    }
}
