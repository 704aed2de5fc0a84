//! `disk-slow = { target, bandwidth }`: the broker's disk writes and reads no faster than this.
//!
//! A disk that is about to die, or that a neighbour keeps busy. Where the engine uses control groups v1 only writes that
//! somebody waits for are slow: Kafka waits for its log with `flush.messages` set low, and leaves flushing to the kernel
//! otherwise. A bounded disk (`[cluster] disk`) lies in memory and cannot be slow.
//!
//! Proof: it ran and answered, and the kernel showed no limit; then a file was written and flushed in its container at no more
//! than twice the limit, and in more than twice the time that it took before, and the kernel showed the limit at every look;
//! then it shows none, and the broker runs and answers. How fast it writes is not measured again while the fault is in force:
//! every byte of such a measurement would be taken from what little the broker has.
//!
//! The limit is the control group's, which ends with the container's life. A broker that dies meanwhile is slow no more, so
//! that the fault is not proven then.

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use super::{Fault, on_each};
use crate::fault::disk::{DiskLimits, SLOWEST_BYTES_PER_SECOND, Throttled};
use crate::fault::{
    Action, Case, Deed, Keys, Look, Moment, Need, Noted, Question, Scene, Sight, State, Stroke, Target,
};
use crate::kafka::BrokerId;

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DiskSlow {
    /// How many bytes may be written in a second, and as many read.
    pub bytes_per_s: u64,
}

impl Fault for DiskSlow {
    const NAME: &'static str = "disk-slow";
    const KEYS: &'static [&'static str] = &["target", "bandwidth"];
    const MEANS: &'static str = "tool container: the broker's control group";
    const NEEDS: &'static [Need] = &[Need::Engine, Need::Tool, Need::Throttling];

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        let (target, rate) = (keys.whom(), keys.bytes_per_s("bandwidth"));
        let Some(bytes_per_s) = rate? else { return Err(keys.missing("bandwidth", "bandwidth = \"256KiB/s\"")) };
        if bytes_per_s < SLOWEST_BYTES_PER_SECOND {
            let message =
                format!("a disk cannot be slower than {}/s", ByteSize(SLOWEST_BYTES_PER_SECOND).display().iec());
            let help = "the broker would take minutes for what proves that its disk is slow; write a higher bandwidth";
            return Err(keys.refuse(Some("bandwidth"), message, "too slow", help));
        }
        Ok((Self { bytes_per_s }, target?))
    }

    fn detail(&self) -> String {
        format!("at {}/s", ByteSize(self.bytes_per_s).display().iec())
    }

    fn state(&self) -> State {
        State::Up
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        on_each(scene, &Action::Throttle { bytes_per_s: self.bytes_per_s })
    }

    fn questions(&self, scene: &Scene) -> Vec<(BrokerId, Question)> {
        scene.brokers().map(|broker| (broker, Question::DiskLimits)).collect()
    }

    fn prove(&self, case: &mut Case<'_>) {
        case.worked_before();
        match case.looks(Moment::Before).last().copied().map(limits) {
            Some(Ok(limits)) if limits.are_none() => {}
            seen => case.misses(format!("a disk without a limit before the fault ({})", describe(seen))),
        }
        let throttled = case.deeds().iter().find_map(|deed| match deed {
            Deed::Throttled(throttled) => Some(throttled),
            _ => None,
        });
        match throttled {
            Some(it) if was_slowed(it) => {
                let rate = |bytes| ByteSize(bytes).display().iec();
                let (before, after) = (it.before.bytes_per_second(), it.after.bytes_per_second());
                case.saw(format!("writes flushed at {}/s instead of {}/s", rate(after), rate(before)));
            }
            _ => case.misses("a measured slowness of its disk"),
        }
        if let Some(wanted) = throttled.map(Throttled::limits) {
            limit_stayed(case, &wanted);
        }
        match case.looks(Moment::After).last().copied().map(limits) {
            Some(Ok(limits)) if limits.are_none() => case.saw("then without a limit"),
            seen => case.misses(format!("the end of its limit after the heal ({})", describe(seen))),
        }
        case.lost_standing();
        case.works_again();
        case.regained_standing();
    }
}

fn was_slowed(it: &Throttled) -> bool {
    it.after.elapsed_ms > it.before.elapsed_ms.saturating_mul(2)
        && it.after.bytes_per_second() <= it.limit_bytes_per_second.saturating_mul(2)
}

/// A look that could not see the limit leaves time in which nobody knows of it, as one that saw none does.
fn limit_stayed(case: &mut Case<'_>, wanted: &DiskLimits) {
    let during: Vec<_> = case.looks(Moment::During).iter().copied().map(limits).collect();
    match during.iter().find(|seen| **seen != Ok(wanted)) {
        _ if during.is_empty() => case.misses("a look at its limit while the fault was in force"),
        Some(other) => case.misses(format!("its limit at every look ({})", describe(Some(*other)))),
        None => case.saw("limited at every look"),
    }
}

/// The limits that a look saw, or why it saw none.
fn limits(look: &Look) -> Result<&DiskLimits, &str> {
    match look.seen.sights.first() {
        Some(Sight::DiskLimits(limits)) => Ok(limits),
        Some(Sight::Blind { reason }) => Err(reason),
        _ => Err("nobody looked at its limit"),
    }
}

fn describe(seen: Option<Result<&DiskLimits, &str>>) -> String {
    match seen {
        Some(Ok(limits)) => format!("it had {limits}"),
        Some(Err(reason)) => reason.to_owned(),
        None => "never looked at".to_owned(),
    }
}
