//! What else a reader should know of: errors of clients and of the harness, interruptions, a cluster that did not answer.
//! Like ones are one incident with a count, so that a storm of errors is one line.

use std::collections::BTreeMap;

use super::label;
use crate::history::{EventKind, History};
use crate::kafka::TimeNs;
use crate::report::{Incident, format};

/// All incidents, by the time of the first.
pub(super) fn incidents(history: &History) -> Vec<Incident> {
    let mut seen: BTreeMap<(String, String), (TimeNs, u64)> = BTreeMap::new();
    let mut held_ms: BTreeMap<(String, String), (TimeNs, u64, u64)> = BTreeMap::new();
    for event in &history.events {
        if let EventKind::Backpressure { process, cause, held_ms: held } = &event.kind {
            let entry = held_ms.entry((label(history, *process), cause.clone())).or_insert((event.time_ns, 0, 0));
            (entry.1, entry.2) = (entry.1 + 1, entry.2 + held);
        } else if let Some(key) = describe(history, &event.kind) {
            seen.entry(key).or_insert((event.time_ns, 0)).1 += 1;
        }
    }
    let mut incidents: Vec<Incident> = seen
        .into_iter()
        .map(|((subject, text), (first_ns, count))| Incident { first_ns, count, subject, text })
        .collect();
    incidents.extend(held_ms.into_iter().map(|((subject, cause), (first_ns, count, held))| Incident {
        first_ns,
        count,
        subject,
        text: format!("the load was held back for {} in all: {cause}", format::duration_ms(held)),
    }));
    incidents.sort_by(|a, b| (a.first_ns, &a.subject, &a.text).cmp(&(b.first_ns, &b.subject, &b.text)));
    incidents
}

/// Whom an event concerns and what happened, for the events that are incidents.
fn describe(history: &History, event: &EventKind) -> Option<(String, String)> {
    let (subject, text) = match event {
        EventKind::ClientError { process, code, message } => (label(history, *process), format!("{code}: {message}")),
        EventKind::HarnessError { message } => ("harness".to_owned(), message.clone()),
        EventKind::LeftBehind { what } => ("harness".to_owned(), format!("not clean: {what}")),
        EventKind::Interrupted { signal } => ("harness".to_owned(), format!("interrupted by {signal}")),
        EventKind::ClusterUnreachable { reason } => {
            ("cluster".to_owned(), format!("nobody answered a request for metadata: {reason}"))
        }
        EventKind::ClusterNotWhole { waited_ms, last_seen } => {
            let waited = format::duration_ms(*waited_ms);
            ("cluster".to_owned(), format!("not whole after {waited}: {last_seen}"))
        }
        EventKind::FaultSkipped { fault, reason } => (format!("fault {fault}"), format!("struck nobody: {reason}")),
        EventKind::FaultPassedOver { fault, reason } => (format!("fault {fault}"), format!("passed over: {reason}")),
        EventKind::DeadlinePassed { deadline_ms } => {
            let limit = format::duration_ms(*deadline_ms);
            ("harness".to_owned(), format!("the deadline of {limit} passed before the chaos phase was over"))
        }
        _ => return None,
    };
    Some((subject, text))
}
