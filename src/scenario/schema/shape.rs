//! The forms of single values: quantities with their units, words of a closed set, targets, addresses, properties.
//!
//! Each pattern takes every spelling that its reader in [`units`](crate::scenario::units) takes and a person would write; some that
//! the reader refuses for their size (`"0s"`, `"200%"`) pass here.

use serde_json::{Value, json};

use crate::fault::Strikes;

const NUMBER: &str = r"([0-9]+(\.[0-9]+)?|\.[0-9]+)";
const TIME_UNIT: &str = "(ms|msec|millis|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?)";
const SIZE_UNIT: &str = "([kKmMgGtTpPeE][iI]?[bB]?|[bB])";

const BROKERS: &str = "broker:[0-9]+|(leader|followers?):.+-[0-9]+|controller|coordinator:.+|random(:[0-9]+)?|minority|majority|all|same:.+";
const PRODUCERS: &str = "producer:[^/]+(/[0-9]+)?|same:.+";
const MEMBERS: &str = "member:[^/]+(/[0-9]+)?|same:.+";
const CLIENTS: &str = "(producer|member):[^/]+(/[0-9]+)?|same:.+";

fn matching(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

fn one_duration() -> String {
    format!(r"\s*{NUMBER}\s*{TIME_UNIT}(\s*{NUMBER}\s*{TIME_UNIT})*\s*")
}

fn one_size() -> String {
    format!(r"\s*{NUMBER}\s*{SIZE_UNIT}\s*")
}

/// `10s`, `1m 30s`.
pub fn duration() -> Value {
    matching(&format!("^{}$", one_duration()))
}

/// `4s`, or `4s..9s`.
pub fn duration_range() -> Value {
    let one = one_duration();
    matching(&format!(r"^{one}(\.\.=?{one})?$"))
}

/// `5000/s`, or `max`.
pub fn rate() -> Value {
    matching(&format!(r"^\s*(max|{NUMBER}\s*/s)\s*$"))
}

/// `128B`, `1.5MB`.
pub fn size() -> Value {
    matching(&format!("^{}$", one_size()))
}

/// `128B`, or `128B..1KiB`.
pub fn size_range() -> Value {
    let one = one_size();
    matching(&format!(r"^{one}(\.\.=?{one})?$"))
}

/// `1MiB/s`, `10mbit/s`.
pub fn byte_rate() -> Value {
    matching(&format!(r"^\s*{NUMBER}\s*({SIZE_UNIT}|[kmg]?bit)\s*/s\s*$"))
}

/// `5%`.
pub fn ratio() -> Value {
    matching(&format!(r"^\s*{NUMBER}\s*%\s*$"))
}

/// One word of a closed set.
pub fn words(words: impl IntoIterator<Item = &'static str>) -> Value {
    json!({ "type": "string", "enum": words.into_iter().collect::<Vec<_>>() })
}

/// Whom a target may be among.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// Whoever a kind of fault strikes.
    Struck(Strikes),
    /// Brokers and clients alike.
    All,
}

fn target_pattern(among: Among) -> String {
    let one = match among {
        Among::Struck(Strikes::Brokers | Strikes::Groups) => BROKERS.to_owned(),
        Among::Struck(Strikes::Clients) => CLIENTS.to_owned(),
        Among::Struck(Strikes::Producers) => PRODUCERS.to_owned(),
        Among::Struck(Strikes::Members) => MEMBERS.to_owned(),
        Among::All => format!("{BROKERS}|{CLIENTS}"),
    };
    format!(r"^({one})(\s*,\s*({one}))*$")
}

/// One target.
pub fn target(among: Among) -> Value {
    matching(&target_pattern(among))
}

/// One target, or a list of them; or one of a few words that stand for more than brokers.
pub fn targets(among: Among, words: &[&str]) -> Value {
    let list = json!({ "type": "array", "items": target(among), "minItems": 1 });
    let mut forms = vec![target(among), list];
    if !words.is_empty() {
        forms.insert(0, json!({ "type": "string", "enum": words }));
    }
    json!({ "anyOf": forms })
}

/// `chat-0`.
pub fn partition() -> Value {
    matching("^.+-[0-9]+$")
}

/// `localhost:9092`.
pub fn endpoint() -> Value {
    matching(r"^[^\s/]+$")
}

/// Each broker's container, by the broker's id.
pub fn containers() -> Value {
    json!({
        "type": "object",
        "patternProperties": { "^(0|[1-9][0-9]*)$": { "type": "string" } },
        "additionalProperties": false,
    })
}

/// Properties of Kafka or librdkafka, whose dotted names may be tables in TOML.
pub fn properties() -> Value {
    json!({ "type": "object", "additionalProperties": { "type": ["string", "number", "boolean", "object"] } })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;
    use crate::fault::Target;
    use crate::scenario::units;

    fn taken(schema: &Value) -> impl Fn(&str) -> bool + use<> {
        let pattern = schema["pattern"].as_str().expect("these have a pattern");
        let pattern = Regex::new(pattern).expect("a pattern that everybody understands");
        move |text| pattern.is_match(text)
    }

    #[test]
    fn every_form_of_a_target_is_taken_and_nothing_like_it() {
        let among_all = taken(&target(Among::All));
        let forms = [Target::FORMS, Target::CLIENT_FORMS].join(", ");
        for form in forms.split(", ") {
            let written = form.replace("TOPIC-P", "chat-0").replace(":N", ":2").replace("/N", "/0");
            assert!(written.parse::<Target>().is_ok() && among_all(&written), "{written}");
        }
        assert!(among_all("broker:1, leader:chat-0"));
        for wrong in ["broker", "broker:one", "leader:chat", "randomly", "chat-0", ""] {
            assert!(!among_all(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_fault_of_clients_takes_no_brokers() {
        let clients = taken(&target(Among::Struck(Strikes::Clients)));
        assert!(clients("member:chat-consumers/1") && !clients("broker:1"));
        let producers = taken(&target(Among::Struck(Strikes::Producers)));
        assert!(producers("producer:payers") && !producers("member:chat-consumers"));
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for (schema, wrong) in [
            (duration(), "10"),
            (duration(), "10 parsecs"),
            (duration_range(), "4s.."),
            (rate(), "5000"),
            (rate(), "5000/min"),
            (size(), "128"),
            (size_range(), "128..1KiB"),
            (byte_rate(), "1MiB"),
            (ratio(), "0.05"),
        ] {
            assert!(!taken(&schema)(wrong), "{wrong}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_quantity_that_is_read_is_taken(
            number in "[0-9]{1,3}(\\.[0-9]{1,2})?",
            space in " ?",
            unit in "(ms|s|m|min|h|secs|B|KiB|kB|MiB|GB|mb|/s|%|kbit/s|mbit/s|MiB/s|kB/s)",
        ) {
            let text = format!("{number}{space}{unit}");
            let range = format!("{text}..{text}");
            let read_and_taken = [
                (units::duration(&text).is_ok(), duration(), &text),
                (units::duration_range(&range).is_ok(), duration_range(), &range),
                (units::rate(&text).is_ok(), rate(), &text),
                (units::size(&text).is_ok(), size(), &text),
                (units::size_range(&range).is_ok(), size_range(), &range),
                (units::byte_rate(&text).is_ok(), byte_rate(), &text),
                (units::ratio(&text).is_ok(), ratio(), &text),
            ];
            for (is_read, schema, text) in read_and_taken {
                prop_assert!(!is_read || taken(&schema)(text), "{text}");
            }
        }
    }
}
