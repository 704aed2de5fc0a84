//! Words for what is done to a broker's network, and for what was seen of it. Data only, and stable: plans, ledgers and
//! histories hold them. Numbers are integers, so that two treatments are equal or not, without a doubt.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

use serde::{Deserialize, Serialize};

/// Which way packets go, as the broker sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Those that arrive at the broker.
    In,
    /// Those that leave it.
    Out,
}

/// Which packets are meant. The broker talking to itself over its loopback is never meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// The way they go.
    pub way: Way,
    /// Only those from or to one of these addresses; empty for everybody...
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<Ipv4Addr>,
    /// ...but these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<Ipv4Addr>,
    /// Only TCP with one of these ports at either end; empty for all ports and all protocols.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
}

impl Flow {
    /// Every packet that goes this way.
    pub fn all(way: Way) -> Self {
        Self { way, peers: Vec::new(), except: Vec::new(), ports: Vec::new() }
    }
}

/// What becomes of the packets of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// They vanish, and their senders wait.
    Drop,
    /// TCP connections are reset; what is no TCP vanishes.
    Reset,
    /// Their senders are told that nobody is there.
    Unreachable,
}

/// A share of packets in parts per million, from none to all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct PartsPerMillion(u32);

/// The number is no share.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0} parts per million are more than all")]
pub struct MoreThanAll(pub u32);

impl PartsPerMillion {
    /// None.
    pub const NONE: Self = Self(0);
    /// All.
    pub const ALL: Self = Self(1_000_000);

    /// That many of a million; at most a million.
    pub fn new(parts: u32) -> Result<Self, MoreThanAll> {
        if parts <= Self::ALL.0 { Ok(Self(parts)) } else { Err(MoreThanAll(parts)) }
    }

    /// How many of a million.
    pub fn get(self) -> u32 {
        self.0
    }

    /// From 0 for none to 1 for all.
    pub fn as_ratio(self) -> f64 {
        f64::from(self.0) / f64::from(Self::ALL.0)
    }

    /// Whether it is none; what is none need not be written.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

impl TryFrom<u32> for PartsPerMillion {
    type Error = MoreThanAll;

    fn try_from(parts: u32) -> Result<Self, MoreThanAll> {
        Self::new(parts)
    }
}

impl From<PartsPerMillion> for u32 {
    fn from(share: PartsPerMillion) -> Self {
        share.0
    }
}

impl fmt::Display for PartsPerMillion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.0) / 10_000.0)
    }
}

/// How delays spread about their middle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// Evenly.
    #[default]
    Uniform,
    /// As a bell.
    Normal,
    /// With a long tail.
    Pareto,
}

/// What is done to packets that are not cut. A field that is zero or absent does nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Treatment {
    /// How long each is held, in microseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub delay_us: u64,
    /// By how much that varies, in microseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub jitter_us: u64,
    /// How it varies.
    #[serde(skip_serializing_if = "is_default")]
    pub distribution: Distribution,
    /// How many are lost.
    #[serde(skip_serializing_if = "PartsPerMillion::is_none")]
    pub loss: PartsPerMillion,
    /// How many come twice.
    #[serde(skip_serializing_if = "PartsPerMillion::is_none")]
    pub duplicate: PartsPerMillion,
    /// How many overtake others.
    #[serde(skip_serializing_if = "PartsPerMillion::is_none")]
    pub reorder: PartsPerMillion,
    /// How many are damaged.
    #[serde(skip_serializing_if = "PartsPerMillion::is_none")]
    pub corrupt: PartsPerMillion,
    /// How many bytes pass in a second, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_bytes_per_s: Option<u64>,
    /// How many bytes the rate holds back at most; beyond that packets are dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog_bytes: Option<u64>,
}

/// What a cut did so far, as the kernel counts it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CutCount {
    /// The cut's name.
    pub name: String,
    /// How many packets it stopped.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What a shape did so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ShapeCount {
    /// The shape's name.
    pub name: String,
    /// How many packets the kernel handed over, by its own count.
    pub rule_packets: u64,
    /// How many packets arrived for treatment. Fewer than the kernel's: some passed untreated.
    pub seen: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many were held for a time.
    pub delayed: u64,
    /// How many were dropped by chance.
    pub lost: u64,
    /// How many were sent twice.
    pub duplicated: u64,
    /// How many overtook others.
    pub reordered: u64,
    /// How many were damaged.
    pub corrupted: u64,
    /// How many were dropped because too many were held already.
    pub overflowed: u64,
    /// How many are held at this moment.
    pub held_now: u64,
    /// How often packets passed untreated because there were too many of them to take. Histories from before this was kept
    /// have none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub overruns: u64,
}

/// What is in force in a broker's network, and what it did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NetworkLook {
    /// The cuts.
    pub cuts: Vec<CutCount>,
    /// The shapes.
    pub shapes: Vec<ShapeCount>,
}

/// What became of a TCP connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkResult {
    /// It was made.
    Connected,
    /// It was refused or reset.
    Refused,
    /// No answer came in time.
    Silent,
    /// The network said that nobody is there.
    Unreachable,
}

/// One TCP connect from inside a broker's network.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LinkProbe {
    /// Where to.
    pub to: SocketAddrV4,
    /// What became of it.
    pub result: LinkResult,
    /// After how many microseconds.
    pub elapsed_us: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `skip_serializing_if` hands a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_more_than_all_is_refused_from_code_and_from_text() {
        assert_eq!(PartsPerMillion::new(1_000_001), Err(MoreThanAll(1_000_001)));
        assert_eq!(PartsPerMillion::new(1_000_000), Ok(PartsPerMillion::ALL));
        assert!(serde_json::from_str::<PartsPerMillion>("1000001").is_err());
        let share: PartsPerMillion = serde_json::from_str("12500").expect("a share");
        assert_eq!((share.to_string(), share.as_ratio()), ("1.25 %".to_owned(), 0.0125));
    }

    #[test]
    fn a_flow_and_a_treatment_write_only_what_they_say() {
        let flow = Flow { ports: vec![29092], ..Flow::all(Way::In) };
        assert_eq!(serde_json::to_string(&flow).expect("json"), r#"{"way":"in","ports":[29092]}"#);
        let treatment = Treatment { delay_us: 50_000, loss: PartsPerMillion(5), ..Treatment::default() };
        let text = serde_json::to_string(&treatment).expect("json");
        assert_eq!(text, r#"{"delay_us":50000,"loss":5}"#);
        assert_eq!(serde_json::from_str::<Treatment>(&text).expect("it reads back"), treatment);
    }

    #[test]
    fn an_unknown_key_of_a_flow_is_refused() {
        assert!(serde_json::from_str::<Flow>(r#"{"way":"in","port":[1]}"#).is_err());
    }
}
