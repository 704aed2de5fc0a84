//! What every chart has around its data: an accessible SVG, patterns, time ticks, fault bands with labels.

use maud::{Markup, html};

use super::axis::{Size, TimeAxis, coordinate as c, text_width};
use super::places::fault_row;
use crate::report::{Report, Standing};

/// What a drawing is to somebody who cannot see it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// One picture, told by its title and description.
    Picture,
    /// A map with links in it, each told on its own.
    Map,
}

/// One chart in one size.
pub(super) struct Frame<'a> {
    pub(super) report: &'a Report,
    /// Unique on the page with the size's name.
    pub(super) id: &'a str,
    pub(super) nature: Nature,
    pub(super) size: Size,
    pub(super) axis: TimeAxis,
    /// The plot's upper edge.
    pub(super) top: f64,
    /// The plot's lower edge.
    pub(super) bottom: f64,
}

/// Room for the time ticks below a plot.
const FOOT: f64 = 26.0;

/// Room for one row of fault labels above a plot.
pub(super) const LABEL_ROW: f64 = 18.0;

/// Faults beyond this many rows of overlapping labels go unlabelled here; the table of faults has them all.
const MOST_LABEL_ROWS: usize = 3;

impl Frame<'_> {
    /// An id that no other drawing has.
    pub(super) fn id(&self, part: &str) -> String {
        format!("{}-{}-{part}", self.id, self.size.name())
    }

    /// A reference to a pattern of this drawing.
    pub(super) fn pattern(&self, part: &str) -> String {
        format!("url(#{})", self.id(part))
    }

    /// The drawing, with its title, description and patterns. What stays where it is when somebody zooms is apart from what moves
    /// along the time axis, so that the page's script needs to know nothing of what is drawn.
    pub(super) fn svg(&self, title: &str, description: &str, still: &Markup, moves: &Markup) -> Markup {
        let (width, height) = (self.size.width(), self.bottom + FOOT);
        let (title_id, desc_id) = (self.id("title"), self.id("desc"));
        let (from, to) = self.axis.seconds();
        let role = match self.nature {
            Nature::Picture => "img",
            Nature::Map => "group",
        };
        html! {
            svg class={ "chart " (self.size.name()) } viewBox={ "0 0 " (c(width)) " " (c(height)) } role=(role)
                aria-labelledby={ (title_id) " " (desc_id) } data-left=(c(self.axis.left)) data-right=(c(self.axis.right))
                data-width=(c(width)) data-top=(c(self.top)) data-bottom=(c(self.bottom))
                data-from=(format!("{from:.3}")) data-to=(format!("{to:.3}"))
            {
                title id=(title_id) { (title) }
                desc id=(desc_id) { (description) }
                defs {
                    (hatch(&self.id("fault"), "hatch-fault", 45))
                    (hatch(&self.id("down"), "hatch-down", 45))
                    (hatch(&self.id("cut"), "hatch-cut", 90))
                    (hatch(&self.id("paused"), "hatch-paused", 135))
                    (hatch(&self.id("isr"), "hatch-isr", 135))
                    clipPath id=(self.id("plot")) {
                        rect x=(c(self.axis.left)) y="0" width=(c(self.axis.right - self.axis.left)) height=(c(height)) {}
                    }
                }
                g class="ticks" aria-hidden="true" { (self.time_ticks()) }
                g aria-hidden="true" { (still) }
                g class="moves" clip-path={ "url(#" (self.id("plot")) ")" } { (moves) }
                g class="fault-labels" { (self.fault_labels()) }
            }
        }
    }

    /// The vertical lines and the text of the time axis.
    fn time_ticks(&self) -> Markup {
        html! {
            @for (second, text) in self.axis.ticks(self.size) {
                @let x = c(self.axis.x_of_secs(second as f64));
                line class="grid" x1=(x) x2=(x) y1=(c(self.top)) y2=(c(self.bottom)) {}
                text class="tick middle" x=(x) y=(c(self.bottom + 16.0)) { (text) }
            }
        }
    }

    /// The faults as bands over the plot, hatched, with dashed edges.
    pub(super) fn fault_bands(&self) -> Markup {
        html! {
            @for (line, band) in self.report.verdict.faults.iter().zip(&self.report.faults) {
                @if let Some((from, to)) = band.span(self.report.end_ns) {
                    @let (x1, x2) = (self.axis.x(from), self.axis.x(to));
                    rect class="band" x=(c(x1)) y=(c(self.top)) width=(c((x2 - x1).max(1.5)))
                        height=(c(self.bottom - self.top)) fill=(self.pattern("fault")) { title { (band.sentence) " " (line.proof) } }
                    @for x in [x1, x2] {
                        line class=(if line.proven { "edge" } else { "edge doubtful" }) x1=(c(x)) x2=(c(x))
                            y1=(c(self.top)) y2=(c(self.bottom)) {}
                    }
                }
            }
        }
    }

    /// The faults' names above the plot, in as many rows as overlapping ones need. One that finds no room is there for whoever zooms.
    fn fault_labels(&self) -> Markup {
        html! {
            @for label in labels(self.report, self.axis) {
                @let y = self.top - 6.0 - (label.row.unwrap_or(0) as f64) * LABEL_ROW;
                @let crowded = label.row.is_none().then_some("crowded");
                @let text = html! {
                    text class="fault-label" x=(c(label.x)) y=(c(y))
                        data-begins=(c(label.band.0)) data-ends=(c(label.band.1)) { (label.text) }
                };
                @match self.nature {
                    Nature::Picture => { g class=[crowded] { (text) } }
                    Nature::Map => { a class=[crowded] href={ "#" (fault_row(label.fault)) } { (text) } }
                }
            }
        }
    }
}

/// How many rows of labels the faults need above a plot.
pub(super) fn label_rows(report: &Report, axis: TimeAxis) -> usize {
    labels(report, axis).iter().filter_map(|label| label.row).max().map_or(0, |row| row + 1)
}

struct Label {
    text: String,
    /// Its place in the verdict.
    fault: usize,
    x: f64,
    row: Option<usize>,
    /// Where its band begins and ends.
    band: (f64, f64),
}

/// Puts each fault's name at its band's beginning, in the lowest row where it overlaps no other.
fn labels(report: &Report, axis: TimeAxis) -> Vec<Label> {
    let mut rows_end = [f64::MIN; MOST_LABEL_ROWS];
    let mut bands: Vec<_> = report.verdict.faults.iter().zip(&report.faults).enumerate().collect();
    bands.sort_by_key(|(_, (_, band))| band.injected_ns);
    let mut labels = Vec::new();
    for (fault, (line, band)) in bands {
        let Some((from, to)) = band.span(report.end_ns) else { continue };
        let proven = if line.proven { "" } else { " (not proven)" };
        let text = format!("{} {}{proven}", Standing::of_fault(line).symbol(), band.id);
        let width = text_width(&text);
        let x = axis.x(from).min(axis.right - width).max(0.0);
        let row = rows_end.iter().position(|end| *end < x);
        if let Some(row) = row {
            rows_end[row] = x + width + 10.0;
        }
        labels.push(Label { text, fault, x, row, band: (axis.x(from), axis.x(to)) });
    }
    labels
}

/// Slanted lines, told apart by their angle and class.
fn hatch(id: &str, class: &str, degrees: u32) -> Markup {
    html! {
        pattern id=(id) width="7" height="7" patternUnits="userSpaceOnUse" patternTransform={ "rotate(" (degrees) ")" } {
            rect class={ (class) " ground" } width="7" height="7" {}
            line class=(class) x1="0" x2="0" y1="0" y2="7" {}
        }
    }
}

/// A drawing in both sizes; the style sheet shows one.
pub(super) fn both(draw: impl Fn(Size) -> Markup) -> Markup {
    html! { @for size in Size::BOTH { (draw(size)) } }
}
