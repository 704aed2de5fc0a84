//! Each fault's place on the time line: from the nemesis's own events to the nanosecond, else from the verdict.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::fault::FaultId;
use crate::history::event::FaultStage;
use crate::history::{EventKind, History};
use crate::kafka::TimeNs;
use crate::report::{FaultBand, format};
use crate::verdict::{FaultLine, Verdict};

/// What the events say of one fault.
#[derive(Default)]
struct Seen {
    injected_ns: Option<TimeNs>,
    healed_ns: Option<TimeNs>,
    skipped: Option<String>,
}

/// One band a fault, in the verdict's order.
pub(super) fn bands(history: &History, verdict: &Verdict) -> Vec<FaultBand> {
    let mut seen = seen(history);
    let bands = verdict.faults.iter().map(|line| {
        let seen = seen.remove(&line.id).unwrap_or_default();
        FaultBand {
            id: line.id.clone(),
            injected_ns: seen.injected_ns.or(line.injected_ms.map(TimeNs::from_millis)),
            healed_ns: seen.healed_ns.or(line.healed_ms.map(TimeNs::from_millis)),
            sentence: sentence(line, seen.skipped.as_deref()),
            skipped: seen.skipped,
        }
    });
    bands.collect()
}

fn seen(history: &History) -> BTreeMap<FaultId, Seen> {
    let mut all: BTreeMap<FaultId, Seen> = BTreeMap::new();
    for event in &history.events {
        match &event.kind {
            EventKind::Inject { fault, stage: FaultStage::Ok } => {
                all.entry(fault.clone()).or_default().injected_ns.get_or_insert(event.time_ns);
            }
            EventKind::Heal { fault, stage: FaultStage::Ok } => {
                all.entry(fault.clone()).or_default().healed_ns = Some(event.time_ns);
            }
            EventKind::FaultSkipped { fault, reason } | EventKind::FaultPassedOver { fault, reason } => {
                all.entry(fault.clone()).or_default().skipped = Some(reason.clone());
            }
            _ => {}
        }
    }
    all
}

/// What was done to whom, when, and whether it is proven.
fn sentence(line: &FaultLine, skipped: Option<&str>) -> String {
    if let Some(reason) = skipped {
        return format!("{} of {} struck nobody: {reason}.", line.kind, line.target);
    }
    // Whom it strikes is known as soon as it is begun.
    if line.targets.is_empty() {
        return format!("{} of {} was never injected.", line.kind, line.target);
    }
    let struck: Vec<String> = line.targets.iter().map(ToString::to_string).collect();
    let detail = if line.detail.is_empty() { String::new() } else { format!(" {},", line.detail) };
    let mut text = format!("{} of {} ({}){detail}", line.kind, struck.join(", "), line.target);
    let Some(injected_ms) = line.injected_ms else {
        return format!("{} was begun, and never seen to be done.", text.trim_end_matches(','));
    };
    write!(text, " at {}", format::moment_ms(injected_ms)).expect("a String takes all");
    match line.healed_ms {
        Some(healed_ms) => {
            let lasted = format::duration_ms(healed_ms.saturating_sub(injected_ms));
            write!(text, ", healed after {lasted}").expect("a String takes all");
        }
        None => text.push_str(", never healed"),
    }
    text.push_str(if line.proven { "; proven." } else { "; not proven." });
    text
}
