//! `slow-consumer = { target, per-record | rate }`: one member takes its time over each record. Healed by full speed.
//!
//! A database that became slow, seen from Kafka. The member polls and sends heartbeats on, so that its group keeps it, and
//! its lag grows. One that takes longer over a record than `max.poll.interval.ms` leaves its group by itself.
//!
//! Proof: it ran and read; then it read less than half as fast; then more than half as fast again.

use serde::{Deserialize, Serialize};

use super::Fault;
use crate::fault::{Case, ClientAction, Keys, Need, NextLife, Noted, Scene, State, Strikes, Stroke, Target};

const NANOS_PER_MILLI: u64 = 1_000_000;

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SlowConsumer {
    /// How long it takes over each record, in nanoseconds.
    pub per_record_ns: u64,
}

impl Fault for SlowConsumer {
    const NAME: &'static str = "slow-consumer";
    const KEYS: &'static [&'static str] = &["target", "per-record", "rate"];
    const MEANS: &'static str = "load: time spent over each record";
    const NEEDS: &'static [Need] = &[];
    const STRIKES: Strikes = Strikes::Members;

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        const HOW: &str = "write per-record = \"10ms\", or rate = \"100/s\"";
        let target = keys.which_client("member:chat-consumers/0");
        let (per_record, rate) = (keys.millis("per-record"), keys.nanos_per_record("rate"));
        let per_record_ns = match (per_record?.map(|millis| millis.saturating_mul(NANOS_PER_MILLI)), rate?) {
            (Some(0), None) => {
                let message = "no time over each record is not slow".to_owned();
                return Err(keys.refuse(Some("per-record"), message, "no time", HOW));
            }
            (Some(nanos), None) | (None, Some(nanos)) => nanos,
            (None, None) => return Err(keys.missing("per-record", "target = \"...\", per-record = \"10ms\"")),
            (Some(_), Some(_)) => {
                let message = "a member is slow by `per-record` or by `rate`, not by both".to_owned();
                return Err(keys.refuse(Some("rate"), message, "one too many", HOW));
            }
        };
        Ok((Self { per_record_ns }, target?))
    }

    fn detail(&self) -> String {
        let per_record = std::time::Duration::from_nanos(self.per_record_ns);
        format!("by {per_record:?} over each record")
    }

    fn state(&self) -> State {
        State::Up
    }

    fn strokes(&self, _scene: &Scene) -> Vec<Stroke> {
        Vec::new()
    }

    fn client_action(&self) -> Option<ClientAction> {
        Some(ClientAction::Slow { per_record_ns: self.per_record_ns })
    }

    fn prove(&self, case: &mut Case<'_>) {
        let before = case.ran_before();
        case.was_slow();
        case.lives_on(before, NextLife::Same);
    }
}
