//! Which charts there are, and what each of them shows.

use crate::report::Report;
use crate::report::html::points::{Point, Points};

/// One line of a chart.
pub(super) struct Line {
    pub(super) class: &'static str,
    pub(super) name: &'static str,
    pub(super) value: fn(&Point) -> Option<f64>,
}

const THROUGHPUT: [Line; 3] = [
    Line { class: "sent", name: "sent", value: |point| Some(point.sent) },
    Line { class: "acked", name: "acknowledged", value: |point| Some(point.acked) },
    Line { class: "read", name: "read by groups", value: |point| Some(point.read) },
];

const ERRORS: [Line; 2] = [
    Line { class: "failed", name: "failed", value: |point| Some(point.failed) },
    Line { class: "indeterminate", name: "indeterminate", value: |point| Some(point.indeterminate) },
];

const LATENCY: [Line; 3] = [
    Line { class: "p50", name: "p50", value: |point| point.p50_ms },
    Line { class: "p99", name: "p99", value: |point| point.p99_ms },
    Line { class: "max", name: "longest", value: |point| point.max_ms },
];

const REPLICATION: [Line; 1] =
    [Line { class: "under-replicated", name: "partitions", value: |point| point.under_replicated }];

const UNREAD: [Line; 1] = [Line { class: "unread", name: "of the group furthest behind", value: |point| point.unread }];

const LAG: [Line; 1] = [Line { class: "lag", name: "of the group furthest behind", value: |point| point.lag_ms }];

/// A chart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Records a second.
    Throughput,
    /// Sends that were not acknowledged.
    Errors,
    /// From schedule to acknowledgement.
    Latency,
    /// Partitions whose ISR lacks a replica.
    Replication,
    /// Acknowledged records that wait for a group.
    Unread,
    /// How long one of them has waited.
    Lag,
}

impl Kind {
    pub(super) const ALL: [Self; 6] =
        [Self::Throughput, Self::Errors, Self::Latency, Self::Replication, Self::Unread, Self::Lag];

    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Errors => "errors",
            Self::Latency => "latency",
            Self::Replication => "replication",
            Self::Unread => "unread",
            Self::Lag => "lag",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Throughput => "Records a second",
            Self::Errors => "Sends a second that were not acknowledged",
            Self::Latency => "Produce latency, logarithmic",
            Self::Replication => "Partitions whose ISR lacks a replica",
            Self::Unread => "Acknowledged records not yet read",
            Self::Lag => "Longest wait of an unread record",
        }
    }

    /// What follows a value in a sentence.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Throughput | Self::Errors => " a second",
            Self::Latency | Self::Lag => " ms",
            Self::Replication => " partitions",
            Self::Unread => " records",
        }
    }

    /// The height of its plot: what people compare in detail has more of it.
    pub(super) fn height(self) -> f64 {
        match self {
            Self::Throughput | Self::Latency => 190.0,
            Self::Errors | Self::Replication | Self::Unread | Self::Lag => 90.0,
        }
    }

    pub(super) fn lines(self) -> &'static [Line] {
        match self {
            Self::Throughput => &THROUGHPUT,
            Self::Errors => &ERRORS,
            Self::Latency => &LATENCY,
            Self::Replication => &REPLICATION,
            Self::Unread => &UNREAD,
            Self::Lag => &LAG,
        }
    }

    /// A sentence in the place of a chart that would be empty.
    pub(super) fn nothing_to_draw(self, series: &Points, report: &Report) -> Option<&'static str> {
        let values = || series.points.iter().flat_map(|p| self.lines().iter().filter_map(move |l| (l.value)(p)));
        let (known, some) = (values().next().is_some(), values().any(|value| value > 0.0));
        let counts = &report.verdict.counts;
        match self {
            Self::Errors if counts.sent == 0 => Some("Nothing was sent."),
            Self::Unread | Self::Lag if counts.acked == 0 => Some("Nothing was acknowledged."),
            // What was under way when the harness died has no row.
            Self::Errors | Self::Unread | Self::Lag if !some && known && report.cut.is_some() => {
                Some("None recorded, in a history that is cut.")
            }
            Self::Errors if !some => Some("None: every send was acknowledged."),
            Self::Replication if !known => Some("Nobody observed the cluster."),
            Self::Replication if !some => Some("None at any time."),
            Self::Unread | Self::Lag if !known => Some("There are no consumer groups."),
            Self::Unread | Self::Lag if !some => {
                Some("None: each record was read in the second of its acknowledgement.")
            }
            Self::Latency if !known => Some("Nothing was acknowledged."),
            _ => None,
        }
    }
}
