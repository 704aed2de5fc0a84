//! `limit = { target, cpu, memory }`: the broker may use less of a processor, or less memory, than before.
//!
//! A noisy neighbour, or a limit that somebody set too low. With too little memory the kernel kills the broker, which then is
//! what the fault does; with too little processor it is slow to answer, to fetch, and to send heartbeats.
//!
//! Proof: it ran and answered, could use more than afterwards, and its host has more than that; then the engine told the new
//! limits at every look, and the kernel showed them in the broker's control group; then both told the old ones, and the broker
//! ran and answered. What the engine tells is what it was asked for, and the group what holds. A look that could not see is one
//! that saw no limit, unless the broker did not run: a limit may be its end. How often it was held back is told, and need not
//! have happened: a broker may have had nothing to do.

use serde::{Deserialize, Serialize};

use super::{Fault, on_each};
use crate::fault::{
    Action, Allowance, Case, Keys, Look, Moment, Need, Noted, Question, Scene, Sight, State, Stroke, Target,
};
use crate::kafka::BrokerId;

/// The parameters; at least one of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limit {
    /// Processor time, in thousandths of one processor.
    pub cpu_millis: Option<u32>,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
}

impl Limit {
    fn wanted(&self) -> Allowance {
        Allowance { cpu_millis: self.cpu_millis, memory_bytes: self.memory_bytes }
    }
}

/// What one look told of what the broker may use.
struct Told {
    /// By the engine.
    engine: Allowance,
    /// By the kernel.
    group: Allowance,
    held_back: u64,
    /// What the host has; `None` when the engine did not tell.
    host: Option<Allowance>,
}

/// What a look saw, or why it saw nothing; `None` where the broker did not run, which may use nothing then.
fn told(look: &Look) -> Option<Result<Told, &str>> {
    Some(match look.seen.sights.first() {
        Some(Sight::Limits { cpu_millis, memory_bytes, group: Some(group), held_back, host }) => Ok(Told {
            engine: Allowance { cpu_millis: *cpu_millis, memory_bytes: *memory_bytes },
            group: *group,
            held_back: held_back.unwrap_or(0),
            host: *host,
        }),
        Some(Sight::NotRunning { .. }) => return None,
        Some(Sight::Blind { reason }) => Err(reason),
        _ => Err("nobody looked at its control group"),
    })
}

impl Fault for Limit {
    const NAME: &'static str = "limit";
    const KEYS: &'static [&'static str] = &["target", "cpu", "memory"];
    const MEANS: &'static str = "engine: update";
    const NEEDS: &'static [Need] = &[Need::Engine, Need::ControlGroups];

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        let (target, cpu, memory) = (keys.whom(), keys.millionths("cpu"), keys.bytes("memory"));
        let cpu_millis = cpu?.map(|millionths| (millionths / 1000).max(1));
        let memory_bytes = memory?;
        if cpu_millis.is_none() && memory_bytes.is_none() {
            let message = "this limit limits nothing".to_owned();
            let help = "add cpu = \"20%\" (of one processor) or memory = \"700MiB\"";
            return Err(keys.refuse(None, message, "neither `cpu` nor `memory`", help));
        }
        Ok((Self { cpu_millis, memory_bytes }, target?))
    }

    fn detail(&self) -> String {
        format!("to {}", self.wanted())
    }

    fn state(&self) -> State {
        State::Up
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        let Self { cpu_millis, memory_bytes } = *self;
        on_each(scene, &Action::Limit { cpu_millis, memory_bytes })
    }

    fn questions(&self, scene: &Scene) -> Vec<(BrokerId, Question)> {
        scene.brokers().map(|broker| (broker, Question::Limits)).collect()
    }

    fn prove(&self, case: &mut Case<'_>) {
        case.worked_before();
        let before = case.looks(Moment::Before).last().copied().and_then(told);
        self.was_free(case, before.as_ref());
        self.held(case);
        let after = case.looks(Moment::After).last().copied().and_then(told);
        match (before, after) {
            (Some(Ok(before)), Some(Ok(after))) if (before.engine, before.group) == (after.engine, after.group) => {
                case.saw("then limited as before");
            }
            (_, after) => case.misses(format!("its old limits after the heal ({})", describe(after.as_ref()))),
        }
        case.lost_standing();
        case.works_again();
        case.regained_standing();
    }
}

impl Limit {
    /// Before the fault it could use more than afterwards, and there was more.
    fn was_free(&self, case: &mut Case<'_>, before: Option<&Result<Told, &str>>) {
        let wanted = self.wanted();
        let host = before.and_then(|told| told.as_ref().ok()?.host);
        match host.and_then(|host| host.has_more_than(&wanted)) {
            Some(true) => {}
            Some(false) => {
                case.misses(format!("a limit below what its host has, which is {}", host.unwrap_or_default()));
            }
            None => case.misses("what its host has, which nobody told"),
        }
        match before {
            Some(Ok(told)) if told.group.is_looser_than(&wanted) && told.engine.is_looser_than(&wanted) => {}
            before => case.misses(format!("a looser limit before the fault ({})", describe(before))),
        }
    }

    /// At every look while the fault was in force the engine told the new limit, and the kernel held it.
    fn held(&self, case: &mut Case<'_>) {
        let wanted = self.wanted();
        let during: Vec<_> = case.looks(Moment::During).iter().copied().filter_map(told).collect();
        let is_met = |told: &Told| told.engine.meets(&wanted) && told.group.meets(&wanted);
        let other = during.iter().find(|told| !told.as_ref().is_ok_and(is_met));
        if other.is_some() || during.is_empty() {
            return case.misses(format!("its limit {}, at every look ({})", self.detail(), describe(other)));
        }
        case.saw(format!("limited {}", self.detail()));
        let mut held_back = during.iter().flatten().map(|told| told.held_back);
        if let (Some(first), Some(last)) = (held_back.next(), held_back.next_back())
            && last > first
        {
            case.saw(format!("held back {} times", last - first));
        }
    }
}

fn describe(seen: Option<&Result<Told, &str>>) -> String {
    match seen {
        Some(Ok(told)) if told.engine == told.group => format!("it had {}", told.group),
        Some(Ok(told)) => format!("the engine told {}, and the kernel {}", told.engine, told.group),
        Some(Err(reason)) => (*reason).to_owned(),
        None => "never looked at".to_owned(),
    }
}
