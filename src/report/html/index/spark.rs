//! A small line from run to run. A run that did not pass is a cross and not a dot, so that nobody needs to see its colour.

use maud::{Markup, html};

use crate::report::html::axis::coordinate as c;
use crate::report::html::class_of;
use crate::report::index::Longest;
use crate::report::{Standing, format};

const WIDTH: f64 = 260.0;
const HEIGHT: f64 = 44.0;
/// Room around the line for the marks at its ends.
const MARGIN: f64 = 6.0;

/// One run.
pub(super) struct Point {
    /// Its id.
    pub(super) run: String,
    /// How it ended.
    pub(super) standing: Standing,
    /// Its value. One that was not seen to end is longer than all others.
    pub(super) longest: Longest,
}

/// The drawing.
pub(super) struct Spark {
    /// Unique on the page.
    pub(super) id: String,
    pub(super) title: String,
    pub(super) points: Vec<Point>,
}

impl Spark {
    pub(super) fn svg(&self) -> Markup {
        let (title, desc) = (format!("{}-title", self.id), format!("{}-desc", self.id));
        let places = self.places();
        let line: Vec<String> = places.iter().map(|(x, y, _)| format!("{},{}", c(*x), c(*y))).collect();
        html! {
            svg class="spark" viewBox={ "0 0 " (c(WIDTH)) " " (c(HEIGHT)) } role="img"
                aria-labelledby={ (title) " " (desc) }
            {
                title id=(title) { (self.title) }
                desc id=(desc) { (self.description()) }
                line class="ground" x1="0" x2=(c(WIDTH)) y1=(c(HEIGHT - 1.0)) y2=(c(HEIGHT - 1.0)) {}
                polyline points=(line.join(" ")) {}
                @for (x, y, point) in &places { (mark(*x, *y, point)) }
            }
        }
    }

    /// The points that have a value, and where they lie: from left to right, and upwards from 0 to the greatest. What was not seen
    /// to end lies at the top edge.
    fn places(&self) -> Vec<(f64, f64, &Point)> {
        let greatest = self.points.iter().filter_map(Point::ms).max().unwrap_or(0).max(1) as f64;
        let gaps = self.points.len().saturating_sub(1).max(1) as f64;
        let place = |(at, point): (usize, &'_ Point)| {
            let share = match point.longest {
                Longest::Ms(ms) => ms as f64 / greatest,
                Longest::NotSeen => 1.0,
                Longest::Nothing => return None,
            };
            let x =
                if self.points.len() == 1 { WIDTH / 2.0 } else { MARGIN + (WIDTH - 2.0 * MARGIN) * at as f64 / gaps };
            Some((x, HEIGHT - MARGIN - (HEIGHT - 2.0 * MARGIN) * share))
        };
        let placed = self.points.iter().enumerate();
        placed.filter_map(|(at, point)| place((at, point)).map(|(x, y)| (x, y, point))).collect()
    }

    fn description(&self) -> String {
        let ms: Vec<u64> = self.points.iter().filter_map(Point::ms).collect();
        let range = |value: Option<&u64>| format::or_dash(value, |ms| format::duration_ms(*ms));
        let told: Vec<Longest> =
            self.points.iter().map(|point| point.longest).filter(|longest| *longest != Longest::Nothing).collect();
        let unseen = told.iter().filter(|longest| **longest == Longest::NotSeen).count() as u64;
        let unseen = if unseen == 0 { String::new() } else { format!("; of {} not seen", format::count(unseen)) };
        format!(
            "{}, from {} to {}{unseen}; the last {}",
            format::counted(told.len() as u64, "run"),
            range(ms.iter().min()),
            range(ms.iter().max()),
            told.last().map_or_else(|| "–".to_owned(), |last| shown(*last))
        )
    }
}

impl Point {
    fn ms(&self) -> Option<u64> {
        match self.longest {
            Longest::Ms(ms) => Some(ms),
            Longest::NotSeen | Longest::Nothing => None,
        }
    }
}

/// A value in words.
pub(super) fn shown(longest: Longest) -> String {
    match longest {
        Longest::Ms(ms) => format::duration_ms(ms),
        Longest::NotSeen => "not seen".to_owned(),
        Longest::Nothing => "–".to_owned(),
    }
}

fn mark(x: f64, y: f64, point: &Point) -> Markup {
    let told = format!("{}: {}", point.run, shown(point.longest));
    let class = format!("mark {}", class_of(point.standing));
    html! {
        @if point.standing == Standing::Met && point.longest != Longest::NotSeen {
            circle class=(class) cx=(c(x)) cy=(c(y)) r="2.6" { title { (told) } }
        } @else {
            path class=(class) d=(format!("M{} {}l7 7m0 -7l-7 7", c(x - 3.5), c(y - 3.5))) { title { (told) } }
        }
    }
}
