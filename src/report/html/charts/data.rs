//! The numbers behind the charts, as a table.

use maud::{Markup, html};

use crate::report::format;
use crate::report::html::points::{Point, Points};
use crate::report::html::{Filter, filtered};

/// A column: its heading, and a point's value in words.
type Column = (&'static str, fn(&Point) -> String);

const COLUMNS: [Column; 12] = [
    ("Second", |point| format::count(point.second)),
    ("Sent/s", |point| rate(point.sent)),
    ("Acknowledged/s", |point| rate(point.acked)),
    ("Failed/s", |point| rate(point.failed)),
    ("Indeterminate/s", |point| rate(point.indeterminate)),
    ("Read/s", |point| rate(point.read)),
    ("p50 ms", |point| ms(point.p50_ms)),
    ("p99 ms", |point| ms(point.p99_ms)),
    ("Longest ms", |point| ms(point.max_ms)),
    ("ISR lacks a replica", |point| format::or_dash(point.under_replicated, rate)),
    ("Unread", |point| format::or_dash(point.unread, rate)),
    ("Longest wait ms", |point| format::or_dash(point.lag_ms, rate)),
];

/// A row a point.
pub(super) fn table(series: &Points) -> Markup {
    let table = html! {
        // All of it is numbers, which the table says once: each of thousands of cells saying so makes a fifth of a long run's page.
        table class="data number" {
            thead { tr { @for (name, _) in COLUMNS { th scope="col" { (name) } } } }
            tbody { @for point in &series.points { tr {
                @for (index, (_, value)) in COLUMNS.iter().enumerate() {
                    @if index == 0 {
                        th scope="row" { (value(point)) }
                    } @else {
                        td { (value(point)) }
                    }
                }
            } } }
        }
    };
    html! { details { summary { "The numbers behind the charts" } (filtered("The load over time", Filter::Rows, &table)) } }
}

/// Means of several seconds may lie between 0 and 1: nothing that happened is told as 0.
fn rate(value: f64) -> String {
    if value > 0.0 && value < 10.0 && value.fract() > 0.0 {
        return format!("{:.2}", value.max(0.01));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of records, rounded")]
    let whole = value.round() as u64;
    format::count(whole)
}

fn ms(value: Option<f64>) -> String {
    format::or_dash(value, |value| format!("{value:.2}"))
}
