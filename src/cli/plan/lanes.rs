//! The drawing of a plan: an axis with its phases, a lane a fault, and a lane that counts the brokers that are away at once.
//!
//! The chaos phase is to scale. The other phases are not: how long they take is known for one of them only.

use super::timeline::shown;
use crate::cli::sheet::Sheet;
use crate::plan::Plan;
use crate::plan::outlook::{FaultOutlook, Outlook, Stretch, Timing};

/// The lane that counts.
const AWAY: &str = "away";

/// Longer names of faults are cut.
const LONGEST_NAME: usize = 20;

/// How much of the axis is the chaos phase's at least, before the labels of the other phases are left out.
const CHAOS_COLUMNS: usize = 34;

/// What a phase without a label is as wide as.
const SIDE_COLUMNS: usize = 2;

/// From one mark on the axis to the next, in milliseconds: the first that leaves room for its label is taken.
const TICKS_MS: [u64; 20] = [
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    15_000,
    30_000,
    60_000,
    120_000,
    300_000,
    600_000,
    900_000,
    1_800_000,
    3_600_000,
    7_200_000,
    14_400_000,
    21_600_000,
    43_200_000,
    86_400_000,
    172_800_000,
];

/// The letters of a drawing.
struct Ink {
    bar: char,
    ends: [char; 3],
    rule: char,
    tick: char,
    nothing: char,
    in_force: char,
    earliest: char,
    /// From here on, nobody knows until when.
    begins: char,
    at_most: &'static str,
}

const UNICODE: Ink = Ink {
    bar: '│',
    ends: ['├', '┼', '┤'],
    rule: '─',
    tick: '┴',
    nothing: '·',
    in_force: '█',
    earliest: '▒',
    begins: '▶',
    at_most: "≤",
};

const ASCII: Ink = Ink {
    bar: '|',
    ends: ['|', '|', '|'],
    rule: '-',
    tick: '+',
    nothing: '.',
    in_force: '#',
    earliest: '~',
    begins: '>',
    at_most: "<=",
};

/// Where everything is.
struct Axis {
    ink: &'static Ink,
    /// How wide the names are.
    names: usize,
    /// The phases before and after the chaos, with their labels; empty ones where there is no room.
    sides: [String; 3],
    /// How many columns the chaos phase has.
    chaos: usize,
    chaos_ms: u64,
}

/// The drawing, and what its letters mean.
pub(super) fn draw(plan: &Plan, outlook: &Outlook, sheet: &Sheet) -> String {
    let axis = Axis::new(plan, outlook, sheet);
    let mut lines = axis.head();
    for fault in &outlook.faults {
        lines.push(axis.lane(&fault.fault.0, |column| axis.mark(fault, column)));
    }
    if !outlook.away.is_empty() {
        lines.push(axis.lane(AWAY, |column| axis.count(&outlook.away, column)));
    }
    let mut text = String::new();
    for line in &lines {
        text.extend([line.trim_end(), "\n"]);
    }
    text.push_str(&axis.legend(outlook, sheet));
    text
}

impl Axis {
    fn new(plan: &Plan, outlook: &Outlook, sheet: &Sheet) -> Self {
        let ink = sheet.charset.pick(&UNICODE, &ASCII);
        let longest = outlook.faults.iter().map(|fault| fault.fault.0.chars().count()).max().unwrap_or(0);
        let names = longest.clamp(AWAY.len(), LONGEST_NAME.min(sheet.width / 4));
        let phases = plan.phases;
        let labels = [
            format!("warm-up {}", shown(phases.warmup_ms)),
            format!("recovery {}{}", ink.at_most, shown(phases.recovery_limit_ms)),
            format!("drain {}{}", ink.at_most, shown(phases.drain_limit_ms)),
        ];
        // Two columns before the names, two behind them, and the bars between the phases.
        let room = sheet.width.saturating_sub(names + 4 + 5);
        let labels = labels.map(|label| format!(" {label} "));
        let labelled: usize = labels.iter().map(|label| label.chars().count()).sum();
        let (sides, taken) = match room.checked_sub(labelled) {
            Some(left) if left >= CHAOS_COLUMNS => (labels, labelled),
            _ => ([const { String::new() }; 3], 3 * SIDE_COLUMNS),
        };
        let chaos = room.saturating_sub(taken).max(SIDE_COLUMNS);
        Self { ink, names, sides, chaos, chaos_ms: phases.chaos_ms.max(1) }
    }

    fn side(&self, place: usize) -> usize {
        self.sides[place].chars().count().max(SIDE_COLUMNS)
    }

    /// The phases' names, the times, and the rule below them.
    fn head(&self) -> Vec<String> {
        let indent = " ".repeat(self.names + 4);
        let chaos = format!(" chaos {}", shown(self.chaos_ms));
        let (width, sides) = (self.chaos, [0, 1, 2].map(|place| self.side(place)));
        let phases = format!(
            "{indent} {} {chaos:<width$} {} {}",
            padded(&self.sides[0], sides[0]),
            padded(&self.sides[1], sides[1]),
            padded(&self.sides[2], sides[2]),
        );
        let (times, ticks) = self.times();
        let before = " ".repeat(sides[0] + 1);
        let rule = |width: usize| self.ink.rule.to_string().repeat(width);
        let [first, between, last] = self.ink.ends;
        let ruled: String =
            (0..self.chaos).map(|column| if ticks.contains(&column) { self.ink.tick } else { self.ink.rule }).collect();
        vec![
            phases,
            format!("{indent}{before}{times}"),
            format!(
                "{indent}{first}{}{between}{ruled}{between}{}{between}{}{last}",
                rule(sides[0]),
                rule(sides[1]),
                rule(sides[2])
            ),
        ]
    }

    /// The times above the rule, as they stand from the bar before the chaos phase on, and the columns that they mark.
    fn times(&self) -> (String, Vec<usize>) {
        let fits = |tick: &&u64| {
            // Cheaper than their labels, of which there may be thousands.
            let column = self.column(**tick);
            let widest = || (1..=self.chaos_ms / **tick).map(|times| shown(times * **tick).len()).max().unwrap_or(0);
            column > 2 && column >= widest() + 2
        };
        let tick = TICKS_MS.iter().find(fits).copied().unwrap_or(u64::MAX);
        let (mut text, mut ticks) = ("0s".to_owned(), Vec::new());
        let mut at = tick;
        while at < self.chaos_ms {
            let (label, column) = (shown(at), self.column(at));
            if column + label.len() <= self.chaos {
                // The bar before the phase takes a column, and the label begins on its mark.
                text = format!("{text:<0$}{label}", column + 1);
                ticks.push(column);
            }
            at = at.saturating_add(tick);
        }
        (text, ticks)
    }

    fn column(&self, ms: u64) -> usize {
        let column = u128::from(ms) * self.chaos as u128 / u128::from(self.chaos_ms);
        usize::try_from(column).unwrap_or(self.chaos).min(self.chaos)
    }

    fn lane(&self, name: &str, mark: impl Fn(usize) -> char) -> String {
        let bar = self.ink.bar;
        let blank = |place: usize| " ".repeat(self.side(place));
        let marks: String = (0..self.chaos).map(mark).collect();
        let name = cut(name, self.names);
        format!("  {name:<0$}  {bar}{1}{bar}{marks}{bar}{2}{bar}{3}{bar}", self.names, blank(0), blank(1), blank(2))
    }

    /// Whether the fault is in force there; at least one column, however short it is.
    fn mark(&self, fault: &FaultOutlook, column: usize) -> char {
        let is_there = |from_ms: u64, until_ms: Option<u64>| self.covers(from_ms, until_ms.unwrap_or(from_ms), column);
        match fault.windows.iter().find(|window| is_there(window.from_ms, window.until_ms)) {
            Some(window) if window.until_ms.is_none() => self.ink.begins,
            Some(window) if window.timing == Timing::Earliest => self.ink.earliest,
            Some(_) => self.ink.in_force,
            None => self.ink.nothing,
        }
    }

    /// The most brokers that are away there.
    fn count(&self, away: &[Stretch], column: usize) -> char {
        let there = away.iter().filter(|stretch| self.covers(stretch.from_ms, stretch.until_ms, column));
        match there.map(|stretch| stretch.brokers).max() {
            None => self.ink.nothing,
            Some(brokers) => char::from_digit(brokers, 10).unwrap_or('+'),
        }
    }

    fn covers(&self, from_ms: u64, until_ms: u64, column: usize) -> bool {
        let from = self.column(from_ms).min(self.chaos - 1);
        (from..self.column(until_ms).max(from + 1)).contains(&column)
    }

    /// What the letters mean that are there.
    fn legend(&self, outlook: &Outlook, sheet: &Sheet) -> String {
        if outlook.faults.is_empty() {
            return String::new();
        }
        let windows = || outlook.faults.iter().flat_map(|fault| &fault.windows);
        let mut said = Vec::new();
        if windows().any(|window| window.until_ms.is_some() && window.timing == Timing::Exact) {
            said.push(format!("{} in force", self.ink.in_force));
        }
        if windows().any(|window| window.until_ms.is_some() && window.timing == Timing::Earliest) {
            said.push(format!("{} no earlier than that: it waits for another", self.ink.earliest));
        }
        if windows().any(|window| window.until_ms.is_none()) {
            said.push(format!("{} from there on, until it ends by itself", self.ink.begins));
        }
        if !outlook.away.is_empty() {
            said.push(format!("{AWAY}: how many brokers are away at once, at most"));
        }
        sheet.plain_paragraph(&" ".repeat(self.names + 4), &said.join("; "))
    }
}

fn padded(text: &str, width: usize) -> String {
    format!("{text:<width$}")
}

/// The name, or as much of it as there is room for.
fn cut(name: &str, width: usize) -> String {
    if name.chars().count() <= width {
        return name.to_owned();
    }
    name.chars().take(width.saturating_sub(1)).chain(['~']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sheet::Charset;
    use crate::cli::terminal::Style;
    use crate::plan::outlook::outlook;
    use crate::plan::plan;
    use crate::scenario;

    fn drawn(phases: &str, faults: &str, width: usize) -> String {
        let text = format!(
            "name = \"s\"\n[[topic]]\nname = \"chat\"\n[[producer]]\nname = \"p\"\ntopic = \"chat\"\n[phases]\n{phases}\n{faults}"
        );
        let scenario = scenario::parse("s.toml", &text).expect("the test's scenario is right").scenario;
        let plan = plan(&scenario, 42);
        let sheet = Sheet { width, charset: Charset::Ascii, style: Style::Plain };
        draw(&plan, &outlook(&scenario, &plan), &sheet)
    }

    const BRIEF: &str = "[[fault]]\nid = \"a-name-that-is-much-too-long-for-a-lane\"\nat = \"59m\"\nrestart = { target = \"broker:1\" }\n";

    #[test]
    fn nothing_is_wider_than_the_sheet_however_long_the_phases_are() {
        for width in [40, 60, 80, 100, 120] {
            for phases in
                ["chaos = \"2s\"", "chaos = \"30s\"", "chaos = \"1h\"", "chaos = \"7d\"\ndrain = \"1h 5m 7s\""]
            {
                let text = drawn(phases, "", width);
                assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
            }
        }
    }

    #[test]
    fn what_ends_by_itself_is_drawn_where_it_begins() {
        let text = drawn("chaos = \"1h\"", BRIEF, 60);
        let lane = text.lines().find(|line| line.contains("a-name")).expect("its lane");
        assert_eq!(lane.matches('>').count(), 1, "{text}");
        assert!(lane.contains("a-name-that-is~"), "{text}");
        assert!(text.contains("> from there on, until it ends by itself"), "{text}");
    }

    #[test]
    fn a_fault_takes_one_column_however_short_it_is() {
        let short = "[[fault]]\nid = \"f\"\nat = \"59m\"\nfor = \"1s\"\nkill = { target = \"broker:1\" }\n";
        let text = drawn("chaos = \"1h\"", short, 60);
        let lane = text.lines().find(|line| line.starts_with("  f ")).expect("its lane");
        assert_eq!(lane.matches('#').count(), 1, "{text}");
    }
}
