//! Events in a few words, for lines that scroll by and for the live view.

use crate::fault::client::{ClientLook, ClientState};
use crate::fault::{Moment, Observation, Probe, ProcessState, RulesSeen, Sight};
use crate::history::EventKind;
use crate::history::event::FaultStage;
use crate::report::format;

/// An event in a few words, or `None` where it is no news to somebody who watches.
pub(super) fn tell(event: &EventKind) -> Option<String> {
    Some(match event {
        EventKind::RunStarted { scenario, run, seed, .. } => format!("run {scenario}/{run}, seed {seed}"),
        EventKind::PhaseStarted { phase } => format!("phase {}", phase.name()),
        EventKind::Inject { fault, stage } => format!("inject {fault}: {}", tell_stage(stage)),
        EventKind::Heal { fault, stage } => format!("heal {fault}: {}", tell_stage(stage)),
        EventKind::FaultSkipped { fault, reason } => format!("fault {fault} skipped: {reason}"),
        EventKind::FaultPassedOver { fault, reason } => format!("fault {fault} passed over: {reason}"),
        EventKind::Proof { fault, moment: Moment::During | Moment::After, target, observation } => {
            format!("proof {fault}: {target} {}", seen(observation))
        }
        EventKind::ClientProof { fault, moment: Moment::During, look }
            if matches!(look.state, ClientState::Crashed | ClientState::Frozen) =>
        {
            format!("proof {fault}: {}", client_seen(look))
        }
        EventKind::ClusterWhole { waited_ms } => format!("cluster whole again after {:.1} s", *waited_ms as f64 / 1e3),
        EventKind::ClusterNotWhole { last_seen, .. } => format!("cluster not whole: {last_seen}"),
        EventKind::EndOffsets { ranges } => {
            format!("end offsets read: {} records", ranges.iter().map(|range| range.end.0 - range.start.0).sum::<i64>())
        }
        EventKind::Interrupted { signal } => format!("interrupted by {signal}"),
        EventKind::DeadlinePassed { deadline_ms } => {
            format!("the deadline of {} s is over", *deadline_ms as f64 / 1e3)
        }
        EventKind::HarnessError { message } => format!("harness error: {message}"),
        EventKind::LeftBehind { what } => format!("not clean: {what}"),
        EventKind::ClusterUnreachable { reason } => format!("cluster unreachable: {reason}"),
        _ => return None,
    })
}

fn tell_stage(stage: &FaultStage) -> String {
    match stage {
        FaultStage::Invoke { targets } => targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        FaultStage::Ok => "done".to_owned(),
        FaultStage::Fail { reason } => format!("refused: {reason}"),
        FaultStage::Info { reason } => format!("unknown: {reason}"),
    }
}

/// What was seen of a broker.
pub(super) fn seen(observation: &Observation) -> String {
    let process = match &observation.process {
        ProcessState::Running { .. } => "runs".to_owned(),
        ProcessState::Paused { .. } => "is paused".to_owned(),
        ProcessState::Exited { exit_code } => format!("exited {exit_code}"),
        ProcessState::Missing => "is missing".to_owned(),
        ProcessState::Unwatched => "has no engine here".to_owned(),
    };
    let probe = match &observation.probe {
        Probe::Answered { .. } => "answers",
        Probe::Refused => "refuses",
        Probe::Silent => "is silent",
        Probe::Unreachable => "is unreachable",
    };
    let standing = observation.standing.map_or_else(
        || "nobody can say more".to_owned(),
        |seen| {
            let registered = if seen.registered { "registered" } else { "fenced" };
            format!("{registered}, in sync {}/{}, leads {}", seen.in_isr_of, seen.replica_of, seen.leads)
        },
    );
    format!("{process}, {probe}; {standing}")
}

/// How many packets a fault's rules have met, where it has any that were seen.
pub(super) fn packets(observation: &Observation) -> Option<String> {
    let rules = observation.sights.iter().filter_map(|sight| match sight {
        Sight::Rules { holders } => Some(holders),
        _ => None,
    });
    let met: Vec<u64> = rules.flatten().filter_map(|rules: &RulesSeen| rules.packets).collect();
    (!met.is_empty()).then(|| format!("{} met by its rules", format::counted(met.iter().sum(), "packet")))
}

/// What was seen of a client.
pub(super) fn client_seen(look: &ClientLook) -> String {
    format!("{} is {}", look.label, look.state)
}
