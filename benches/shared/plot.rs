//! Figures as pictures, with both axes logarithmic: what grows in proportion is a straight line of slope one.

use std::fmt::Write as _;

/// One chart.
pub struct Chart<'a> {
    pub title: &'a str,
    /// What is measured, such as `s`.
    pub unit: &'a str,
    /// What it is measured against, such as `records`.
    pub against: &'a str,
    /// By what it is measured against, from the least on.
    pub points: &'a [(f64, f64)],
    /// A line beside them, of what was promised; none if there is no point.
    pub promised: &'a [(f64, f64)],
}

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 82.0;
const BOTTOM: f64 = 46.0;
const TOP: f64 = 34.0;
const RIGHT: f64 = 16.0;

/// An SVG with charts side by side.
pub fn page(charts: &[Chart<'_>]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <style>text{{fill:#333}}.axis{{stroke:#888}}.linear{{stroke:#999;stroke-dasharray:4 4}}\
         @media (prefers-color-scheme:dark){{text{{fill:#ddd}}}}</style>\n",
        charts.len() as f64 * WIDTH
    );
    for (place, drawn) in charts.iter().enumerate() {
        chart(&mut svg, place as f64 * WIDTH, drawn);
    }
    svg.push_str("</svg>\n");
    svg
}

fn chart(svg: &mut String, left: f64, drawn: &Chart<'_>) {
    let Chart { title, unit, against, points, promised } = drawn;
    let exponent = |value: f64| value.max(1e-9).log10();
    let bounds = |values: &mut dyn Iterator<Item = f64>| {
        let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        (exponent(low).floor(), exponent(high).ceil().max(exponent(low).floor() + 1.0))
    };
    let (x_low, x_high) = bounds(&mut points.iter().map(|point| point.0));
    let (y_low, y_high) = bounds(&mut points.iter().map(|point| point.1));
    let x = |value: f64| left + LEFT + (exponent(value) - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - (exponent(value) - y_low) / (y_high - y_low) * (HEIGHT - BOTTOM - TOP);
    let mut say = |text: std::fmt::Arguments<'_>| svg.write_fmt(text).expect("a String takes all");
    say(format_args!("<text x=\"{}\" y=\"18\" font-weight=\"bold\">{title}</text>\n", left + LEFT));
    let mut tick = x_low;
    while tick <= x_high {
        let (at, base) = (x(10_f64.powf(tick)), HEIGHT - BOTTOM);
        say(format_args!("<line class=\"axis\" x1=\"{at}\" x2=\"{at}\" y1=\"{base}\" y2=\"{}\"/>\n", base + 5.0));
        say(format_args!(
            "<text x=\"{at}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
            base + 20.0,
            short(10_f64.powf(tick))
        ));
        tick += 1.0;
    }
    let mut tick = y_low;
    while tick <= y_high {
        let (at, edge) = (y(10_f64.powf(tick)), left + LEFT);
        say(format_args!("<line class=\"axis\" x1=\"{}\" x2=\"{edge}\" y1=\"{at}\" y2=\"{at}\"/>\n", edge - 5.0));
        let label = short(10_f64.powf(tick));
        say(format_args!("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{label} {unit}</text>\n", edge - 8.0, at + 4.0));
        tick += 1.0;
    }
    let (edge, base) = (left + LEFT, HEIGHT - BOTTOM);
    say(format_args!(
        "<path class=\"axis\" fill=\"none\" d=\"M{edge} {TOP}V{base}H{}\"/>\n<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{against}</text>\n",
        left + WIDTH - RIGHT,
        left + WIDTH - RIGHT,
        HEIGHT - 8.0
    ));
    if let (Some(first), Some(last)) = (promised.first(), promised.last()) {
        let (x1, y1, x2, y2) = (x(first.0), y(first.1), x(last.0), y(last.1));
        say(format_args!(
            "<line class=\"linear\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>
"
        ));
    }
    let path: Vec<String> =
        points.iter().map(|(records, value)| format!("{:.1},{:.1}", x(*records), y(*value))).collect();
    say(format_args!(
        "<polyline fill=\"none\" stroke=\"#0072b2\" stroke-width=\"2\" points=\"{}\"/>\n",
        path.join(" ")
    ));
    for (records, value) in *points {
        say(format_args!(
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"#0072b2\"><title>{} {against}: {value:.2} {unit}</title></circle>\n",
            x(*records),
            y(*value),
            short(*records)
        ));
    }
}

/// A power of ten in few letters.
fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{} M", value / 1e6),
        value if value >= 1e3 => format!("{} k", value / 1e3),
        value => format!("{value}"),
    }
}
