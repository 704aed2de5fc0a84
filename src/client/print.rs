//! Records as people and programs read them.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rdkafka::Message;
use rdkafka::message::Headers as _;
use serde_json::{Map, Value, json};

/// How a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Where it lies, its key and its text, on one line.
    Human,
    /// One JSON object on one line.
    Json,
    /// Its bytes and a line break.
    Raw,
}

/// Writes one record.
pub fn record(out: &mut dyn Write, message: &impl Message, shape: Shape) -> io::Result<()> {
    match shape {
        Shape::Human => {
            write!(out, "{}-{} @ {}  ", message.topic(), message.partition(), message.offset())?;
            if let Some(key) = message.key() {
                write!(out, "[{}] ", plain(&String::from_utf8_lossy(key)))?;
            }
            match message.payload() {
                Some(payload) => writeln!(out, "{}", plain(&String::from_utf8_lossy(payload))),
                None => writeln!(out, "(no value)"),
            }
        }
        Shape::Json => {
            serde_json::to_writer(&mut *out, &object(message))?;
            out.write_all(b"\n")
        }
        Shape::Raw => {
            out.write_all(message.payload().unwrap_or_default())?;
            out.write_all(b"\n")
        }
    }
}

fn object(message: &impl Message) -> Value {
    let mut object = Map::new();
    object.insert("topic".to_owned(), json!(message.topic()));
    object.insert("partition".to_owned(), json!(message.partition()));
    object.insert("offset".to_owned(), json!(message.offset()));
    object.insert("timestamp_ms".to_owned(), json!(message.timestamp().to_millis()));
    insert(&mut object, "key", message.key());
    insert(&mut object, "value", message.payload());
    let mut headers = Vec::new();
    for header in message.headers().into_iter().flat_map(|headers| headers.iter()) {
        let mut one = Map::new();
        one.insert("name".to_owned(), json!(header.key));
        insert(&mut one, "value", header.value);
        headers.push(Value::Object(one));
    }
    object.insert("headers".to_owned(), Value::Array(headers));
    Value::Object(object)
}

/// Text as it is; what is no text in base64, under another name, so that nobody takes one for the other.
fn insert(object: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    match bytes.map(std::str::from_utf8) {
        None => object.insert(name.to_owned(), Value::Null),
        Some(Ok(text)) => object.insert(name.to_owned(), json!(text)),
        Some(Err(_)) => object.insert(format!("{name}_base64"), json!(STANDARD.encode(bytes.unwrap_or_default()))),
    };
}

/// Text on one line that does nothing to a terminal: control characters are written out.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() && letter != '\t' {
            plain.extend(letter.escape_default());
        } else {
            plain.push(letter);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::Timestamp;
    use rdkafka::message::{Header, OwnedHeaders, OwnedMessage};

    fn message(payload: &[u8]) -> OwnedMessage {
        let headers = OwnedHeaders::new().insert(Header { key: "from", value: Some("alice") });
        OwnedMessage::new(
            Some(payload.to_vec()),
            Some(b"room-1".to_vec()),
            "chat".to_owned(),
            Timestamp::CreateTime(1_700_000_000_000),
            2,
            41,
            Some(headers),
        )
    }

    fn written(payload: &[u8], shape: Shape) -> String {
        let mut out = Vec::new();
        record(&mut out, &message(payload), shape).expect("memory takes it");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_person_sees_where_it_lies_its_key_and_its_text() {
        assert_eq!(written(b"Hello World!", Shape::Human), "chat-2 @ 41  [room-1] Hello World!\n");
    }

    #[test]
    fn a_message_does_nothing_to_the_terminal() {
        assert_eq!(written(b"a\x1b[2J\nb", Shape::Human), "chat-2 @ 41  [room-1] a\\u{1b}[2J\\nb\n");
    }

    #[test]
    fn a_program_gets_one_object_a_line() {
        let object: Value = serde_json::from_str(&written(b"Hello\nWorld!", Shape::Json)).expect("JSON");
        assert_eq!(object["value"], "Hello\nWorld!");
        assert_eq!(object["headers"][0]["name"], "from");
        assert_eq!((object["partition"].as_i64(), object["offset"].as_i64()), (Some(2), Some(41)));
    }

    #[test]
    fn what_is_no_text_comes_in_base64() {
        let object: Value = serde_json::from_str(&written(&[0xff, 0x00], Shape::Json)).expect("JSON");
        assert_eq!((object.get("value"), &object["value_base64"]), (None, &json!("/wA=")));
    }

    #[test]
    fn raw_is_raw() {
        assert_eq!(written(b"a\x1bb", Shape::Raw), "a\u{1b}b\n");
    }
}
