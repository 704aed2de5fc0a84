//! What is said to a hand and what it answers: one JSON object a line, each way.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault::network::{Distribution, Flow, LinkProbe, PartsPerMillion, Treatment, Verdict};

/// The version of the protocol that this side speaks.
pub(super) const VERSION: u32 = 1;

/// What the kernel under a hand can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol's version.
    pub version: u32,
    /// Whether the kernel delays packets by itself.
    pub netem: bool,
    /// Whether it hands packets to a program.
    pub queue: bool,
}

/// The line that a hand begins with.
#[derive(Deserialize)]
pub(super) struct Greeting {
    pub(super) hello: Hello,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum Request {
    Ping,
    Cut { name: String, flows: Vec<Flow>, verdict: Verdict },
    Shape { name: String, flows: Vec<Flow>, treatment: Ratios, seed: u64 },
    Undo { name: String },
    Look,
    Probe { to: Vec<SocketAddrV4>, limit_ms: u64 },
    Clear,
}

impl Request {
    /// In words, to go after "the hand could not".
    pub(super) fn action(&self) -> String {
        match self {
            Self::Ping => "answer a ping".to_owned(),
            Self::Cut { name, .. } => format!("cut {name}"),
            Self::Shape { name, .. } => format!("shape {name}"),
            Self::Undo { name } => format!("undo {name}"),
            Self::Look => "look".to_owned(),
            Self::Probe { to, .. } => format!("probe {} addresses", to.len()),
            Self::Clear => "clear".to_owned(),
        }
    }
}

/// A request with the number that its answer repeats.
#[derive(Serialize)]
pub(super) struct Numbered<'a> {
    pub(super) id: u64,
    #[serde(flatten)]
    pub(super) request: &'a Request,
}

/// A treatment as the protocol has it: shares are ratios from 0 to 1, and what does nothing is left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Ratios {
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    distribution: Option<Distribution>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loss: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reorder: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    corrupt: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_bytes_per_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backlog_bytes: Option<u64>,
}

impl From<&Treatment> for Ratios {
    fn from(treatment: &Treatment) -> Self {
        let ratio = |share: PartsPerMillion| (!share.is_none()).then(|| share.as_ratio());
        let time_us = |us: u64| Some(us).filter(|us| *us > 0);
        let jitter_us = time_us(treatment.jitter_us);
        Self {
            delay_us: time_us(treatment.delay_us),
            jitter_us,
            distribution: jitter_us.map(|_| treatment.distribution),
            loss: ratio(treatment.loss),
            duplicate: ratio(treatment.duplicate),
            reorder: ratio(treatment.reorder),
            corrupt: ratio(treatment.corrupt),
            rate_bytes_per_s: treatment.rate_bytes_per_s,
            backlog_bytes: treatment.backlog_bytes,
        }
    }
}

/// An answer: either what was asked for, or why not.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnswer {
    id: u64,
    ok: Option<Value>,
    error: Option<String>,
}

/// Reads an answer; `None` for a line that is none.
pub(super) fn answer(line: &str) -> Option<(u64, Result<Value, String>)> {
    match serde_json::from_str(line).ok()? {
        RawAnswer { id, ok: Some(ok), error: None } => Some((id, Ok(ok))),
        RawAnswer { id, ok: None, error: Some(error) } => Some((id, Err(error))),
        RawAnswer { .. } => None,
    }
}

/// The answer to an order that tells nothing.
#[derive(Deserialize)]
pub(super) struct Done {}

/// The answer to an undo.
#[derive(Deserialize)]
pub(super) struct Was {
    pub(super) was: bool,
}

/// The answer to a probe.
#[derive(Deserialize)]
pub(super) struct Probed {
    pub(super) results: Vec<LinkProbe>,
}

/// The answer to a clear.
#[derive(Deserialize)]
pub(super) struct Cleared {
    pub(super) removed: Vec<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fault::network::Way;

    fn line(request: &Request) -> Value {
        serde_json::to_value(Numbered { id: 3, request }).expect("json")
    }

    #[test]
    fn requests_are_written_as_the_protocol_has_them() {
        assert_eq!(line(&Request::Ping), json!({"id": 3, "do": "ping"}));
        let flows = vec![Flow { peers: vec!["172.18.0.3".parse().expect("an address")], ..Flow::all(Way::Out) }];
        assert_eq!(
            line(&Request::Cut { name: "f1".to_owned(), flows, verdict: Verdict::Unreachable }),
            json!({"id": 3, "do": "cut", "name": "f1", "flows": [{"way": "out", "peers": ["172.18.0.3"]}],
                   "verdict": "unreachable"})
        );
        let to = vec!["172.18.0.3:29092".parse().expect("an address")];
        assert_eq!(
            line(&Request::Probe { to, limit_ms: 1000 }),
            json!({"id": 3, "do": "probe", "to": ["172.18.0.3:29092"], "limit_ms": 1000})
        );
    }

    #[test]
    fn parts_per_million_become_ratios_at_the_edge() {
        let loss = PartsPerMillion::new(12_500).expect("a share");
        let treatment = Treatment { delay_us: 50_000, loss, rate_bytes_per_s: Some(1000), ..Treatment::default() };
        let request = Request::Shape {
            name: "f2".to_owned(),
            flows: vec![Flow::all(Way::In)],
            treatment: Ratios::from(&treatment),
            seed: 42,
        };
        assert_eq!(
            line(&request),
            json!({"id": 3, "do": "shape", "name": "f2", "flows": [{"way": "in"}], "seed": 42,
                   "treatment": {"delay_us": 50_000, "loss": 0.0125, "rate_bytes_per_s": 1000}})
        );
    }

    #[test]
    fn an_answer_is_either_good_or_an_error_and_never_both_or_neither() {
        assert_eq!(answer(r#"{"id":1,"ok":{}}"#), Some((1, Ok(json!({})))));
        assert_eq!(answer(r#"{"id":1,"error":"no"}"#), Some((1, Err("no".to_owned()))));
        for line in
            [r#"{"id":1}"#, r#"{"id":1,"ok":{},"error":"no"}"#, r#"{"ok":{}}"#, "hello", r#"{"id":1,"okay":{}}"#]
        {
            assert_eq!(answer(line), None, "{line}");
        }
    }
}
