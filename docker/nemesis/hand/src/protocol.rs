//! What is said to the hand, and what it answers: one JSON object a line.
//!
//! Each request has an `id` that its answer repeats: `{"id":1,"ok":{...}}` or `{"id":1,"error":"a sentence"}`. Answers to
//! probes may come after answers to later requests; all others come in order. A key that is not known is an error, because
//! a fault that somebody asked for and did not get would make a run worthless.

use std::net::{Ipv4Addr, SocketAddrV4};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The version that the hand says it speaks; raised when an old harness would misread a new hand.
pub const VERSION: u32 = 1;

/// What may be asked of the hand.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Shows that the harness lives, and asks whether the hand does.
    Ping {},
    /// Lets nothing of some flows pass.
    Cut {
        /// The fault's name; one fault has one name.
        name: String,
        /// What is cut, all of it or nothing.
        flows: Vec<Flow>,
        /// What becomes of a packet.
        verdict: CutVerdict,
    },
    /// Lets some flows pass badly.
    Shape {
        /// The fault's name; one fault has one name.
        name: String,
        /// What is shaped, all of it or nothing.
        flows: Vec<Flow>,
        /// How badly.
        treatment: RawTreatment,
        /// What every decision about the n-th packet is drawn from, together with n.
        seed: u64,
    },
    /// Ends one fault.
    Undo {
        /// The fault's name.
        name: String,
    },
    /// Reads from the kernel what is in force, and counts.
    Look {},
    /// Opens TCP connections, all at once, and tells what became of each.
    Probe {
        /// Where to.
        to: Vec<SocketAddrV4>,
        /// How long an answer is waited for, in milliseconds.
        limit_ms: u64,
    },
    /// Removes every rule of any hand in this namespace.
    Clear {},
}

/// Which way a packet goes, seen from the namespace.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// It arrives here.
    In,
    /// It leaves from here.
    Out,
}

/// Some of the packets of a namespace. The namespace's own loopback never belongs to a flow.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// The way they go.
    pub way: Way,
    /// Whom they come from or go to; nobody named means everybody.
    #[serde(default)]
    pub peers: Vec<Ipv4Addr>,
    /// Peers that do not belong to it after all.
    #[serde(default)]
    pub except: Vec<Ipv4Addr>,
    /// Only TCP packets with one of these as their source or their destination; none means every packet.
    #[serde(default)]
    pub ports: Vec<u16>,
}

/// What becomes of a packet of a flow that is cut.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CutVerdict {
    /// It is gone, and nobody is told.
    Drop,
    /// Its sender gets a TCP reset; what is not TCP is dropped.
    Reset,
    /// Its sender is told by ICMP that the port cannot be reached, as often as the kernel's limit for such messages allows.
    Unreachable,
}

/// How packets are treated, as it is asked for. What is left out does not happen.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RawTreatment {
    /// How long each packet is held, in microseconds.
    pub delay_us: Option<u64>,
    /// How far the delay strays, in microseconds.
    pub jitter_us: Option<u64>,
    /// How it strays; uniform unless it is said.
    pub distribution: Option<Distribution>,
    /// The share of packets that is dropped, from 0 to 1.
    pub loss: Option<f64>,
    /// The share that comes twice.
    pub duplicate: Option<f64>,
    /// The share that is not held, and so comes ahead of others.
    pub reorder: Option<f64>,
    /// The share in which one bit is flipped.
    pub corrupt: Option<f64>,
    /// What the link carries, in bytes a second, IP headers included.
    pub rate_bytes_per_s: Option<u64>,
    /// How much waits for the link at most, in bytes; what comes on top is dropped.
    pub backlog_bytes: Option<u64>,
}

/// How a delay strays from its middle.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// Evenly, by the jitter at most.
    #[default]
    Uniform,
    /// By a bell curve; the jitter is its standard deviation.
    Normal,
    /// Mostly less and sometimes much more; the jitter is its standard deviation.
    Pareto,
}

/// A request with the number that its answer repeats.
#[derive(Debug, PartialEq)]
pub struct Numbered {
    /// The number.
    pub id: u64,
    /// The request, or a sentence on why it is none.
    pub request: Result<Request, String>,
}

/// Reads a line. One whose number cannot be read has number 0.
pub fn read(line: &str) -> Numbered {
    let mut value: Value = match serde_json::from_str(line) {
        Ok(value) => value,
        Err(error) => return Numbered { id: 0, request: Err(format!("a request that is not JSON: {error}")) },
    };
    let id = value.as_object_mut().and_then(|object| object.remove("id"));
    let Some(id) = id.as_ref().and_then(Value::as_u64) else {
        return Numbered { id: 0, request: Err("a request needs an id, a whole number from 0 on".to_owned()) };
    };
    Numbered { id, request: serde_json::from_value(value).map_err(|error| format!("not a request: {error}")) }
}

/// The line that answers a request.
pub fn answer(id: u64, result: &Result<Value, String>) -> String {
    match result {
        Ok(value) => json!({"id": id, "ok": value}),
        Err(sentence) => json!({"id": id, "error": sentence}),
    }
    .to_string()
}

/// The line that the hand begins with: what the kernel is able to do.
pub fn hello(netem: Support, queue: Support) -> String {
    json!({"hello": {"version": VERSION, "netem": netem == Support::Present, "queue": queue == Support::Present}})
        .to_string()
}

/// Whether the kernel has something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It has.
    Present,
    /// It has not, or does not let us use it.
    Missing,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_read_with_what_it_leaves_out() {
        let line = r#"{"id":2,"do":"cut","name":"f1","flows":[{"way":"in","peers":["172.18.0.3"]}],"verdict":"reset"}"#;
        let flow =
            Flow { way: Way::In, peers: vec![Ipv4Addr::new(172, 18, 0, 3)], except: Vec::new(), ports: Vec::new() };
        let expected = Request::Cut { name: "f1".to_owned(), flows: vec![flow], verdict: CutVerdict::Reset };
        assert_eq!(read(line), Numbered { id: 2, request: Ok(expected) });
    }

    #[test]
    fn what_is_not_known_is_refused_under_the_requests_own_number() {
        for line in [
            r#"{"id":7,"do":"shape","name":"f","flows":[{"way":"in"}],"treatment":{"delay_ms":5},"seed":1}"#,
            r#"{"id":7,"do":"cut","name":"f","flows":[{"way":"in","port":[1]}],"verdict":"drop"}"#,
            r#"{"id":7,"do":"cut","name":"f","flows":[{"way":"in","peers":["fe80::1"]}],"verdict":"drop"}"#,
            r#"{"id":7,"do":"ping","loud":true}"#,
            r#"{"id":7,"do":"dance"}"#,
        ] {
            let read = read(line);
            assert_eq!(read.id, 7, "{line}");
            assert!(read.request.is_err(), "{line}");
        }
    }

    #[test]
    fn a_line_without_a_number_is_answered_too() {
        for line in ["", "{", "[]", r#"{"do":"ping"}"#, r#"{"id":-1,"do":"ping"}"#] {
            let Numbered { id, request } = read(line);
            assert!(id == 0 && request.is_err(), "{line}");
        }
    }

    #[test]
    fn answers_and_the_hello_are_as_promised() {
        assert_eq!(answer(1, &Ok(json!({}))), r#"{"id":1,"ok":{}}"#);
        assert_eq!(answer(2, &Err("no".to_owned())), r#"{"error":"no","id":2}"#);
        let hello = hello(Support::Missing, Support::Present);
        assert_eq!(hello, r#"{"hello":{"netem":false,"queue":true,"version":1}}"#);
    }
}
