//! The places of a page that others link to: an anomaly's card, its mark on the time line, a fault's row.

use super::axis::{Size, TimeAxis};
use super::frame::Frame;
use crate::anomaly::{Anomaly, CheckName};
use crate::report::Report;

/// The name of the drawing that bears the marks.
pub(super) const LANES: &str = "lanes";

/// The row of a fault, by its place in the verdict.
pub(super) fn fault_row(fault: usize) -> String {
    format!("fault-{fault}")
}

/// The card of an anomaly, by its place in the report.
pub(super) fn card(anomaly: usize) -> String {
    format!("anomaly-{anomaly}")
}

/// The cards of a check.
pub(super) fn cards_of(check: CheckName) -> String {
    format!("anomalies-{check}")
}

/// The second under which an anomaly is marked on the time line; `None` when nobody knows its time, or it lies beyond the axis.
pub(super) fn second(report: &Report, anomaly: &Anomaly) -> Option<u64> {
    let (from, to) = TimeAxis::of(report, Size::Wide).seconds();
    let second = anomaly.moment()?.0 / 1_000_000_000;
    (second as f64 + 1.0 > from && (second as f64) < to).then_some(second)
}

/// The mark of a check's anomalies of a second, in a drawing.
pub(super) fn mark(frame: &Frame<'_>, check: CheckName, second: u64) -> String {
    frame.id(&mark_part(check, second))
}

/// The same mark, in the drawing of a size.
pub(super) fn mark_in(size: Size, check: CheckName, second: u64) -> String {
    format!("{LANES}-{}-{}", size.name(), mark_part(check, second))
}

fn mark_part(check: CheckName, second: u64) -> String {
    format!("{check}-at-{second}")
}
