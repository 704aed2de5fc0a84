//! The live view as lines of text: a pure function of what is known, for terminals of every size. Symbols and words carry the
//! meaning; colour only repeats it.

mod load;
mod row;

use std::time::Duration;

use super::brokers::{Doing, Lane};
use super::state::{Healing, InForce, Length, State};
use crate::cli::sheet::{Charset, Sheet};
use crate::history::Phase;
use crate::kafka::TimeNs;
use row::{Ink, Row};

/// How many faults are shown with all that is known of them.
const FAULTS_SHOWN: usize = 3;

/// More brokers than this are shown in one line.
const BROKERS_SHOWN: usize = 9;

/// The bar of a phase is no wider.
const BAR_COLUMNS: usize = 40;

/// A bar or a lane that would be narrower is left out.
const LEAST_COLUMNS: usize = 8;

/// What there is to draw on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Its columns, letters and colours.
    pub(super) sheet: Sheet,
    /// How many lines it has.
    pub(super) rows: usize,
}

/// What is shown now. All of it where there is room; else brokers share a line, and faults say less; and on a terminal of a few
/// lines the first of them.
pub(super) fn lines(state: &State, frame: &Frame) -> Vec<String> {
    // Above the view there should be room for the events that scroll by.
    let room = frame.rows.saturating_sub(2).max(1);
    let mut rows = all(state, frame.sheet.charset);
    if rows.len() > room {
        rows = short(state, frame.sheet.charset);
    }
    rows.truncate(room);
    let labels = rows.iter().map(Row::label_columns).max().unwrap_or(0);
    rows.iter().map(|row| row.draw(labels, &frame.sheet)).collect()
}

fn all(state: &State, charset: Charset) -> Vec<Row> {
    let mut rows = vec![head(state, charset)];
    rows.extend(load::rows(state));
    if state.brokers.lanes.len() <= BROKERS_SHOWN {
        let lanes = state.brokers.lanes.iter();
        rows.extend(lanes.map(|(broker, lane)| broker_row(&broker.to_string(), lane, charset)));
    } else {
        rows.push(brokers_row(state, charset));
    }
    rows.extend(unreachable(state));
    for fault in state.in_force.iter().take(FAULTS_SHOWN) {
        rows.push(fault_row(fault, state.now, charset));
        rows.extend(seen_row(fault));
    }
    rows.extend(others(state));
    rows
}

fn short(state: &State, charset: Charset) -> Vec<Row> {
    let mut rows = vec![head(state, charset)];
    let faults = state.in_force.iter().take(1).map(|fault| fault_row(fault, state.now, charset));
    rows.extend(faults);
    rows.push(brokers_row(state, charset));
    rows.extend(load::rows(state));
    rows
}

/// The scenario, the phase, how much of it is left, and a bar of that.
fn head(state: &State, charset: Charset) -> Row {
    let mut row = Row::new("", Ink::Plain).item(Ink::Strong, &state.scenario.name);
    if let Some(recorded) = state.recorded {
        let taken = Duration::from_nanos(state.now.since(recorded));
        return row.item(Ink::Plain, &format!("checking what was recorded, {}", clock(taken)));
    }
    let (gone, length) = state.phase_time();
    row = row.item(Ink::Plain, &format!("{} {}", phase_word(state.phase.map(|(phase, _)| phase)), clock(gone)));
    let left = |whole: Duration| clock(whole.saturating_sub(gone));
    row = match length {
        Length::Planned(whole) if gone < whole => {
            row.item(Ink::Plain, &format!("of {}, {} left", clock(whole), left(whole)))
        }
        Length::Planned(whole) => row.item(Ink::Doubtful, &format!("of {}, {}", clock(whole), overrun(state))),
        Length::AtMost(whole) => row.item(Ink::Plain, &format!("of {} at most", clock(whole))),
        Length::Open => row,
    };
    if let Some(why) = &state.cut_short {
        row = row.item(Ink::Doubtful, why);
    }
    match length {
        Length::Planned(whole) | Length::AtMost(whole) => {
            let share = gone.as_secs_f64() / whole.as_secs_f64().max(f64::MIN_POSITIVE);
            row.fill(LEAST_COLUMNS, BAR_COLUMNS, move |columns| bar(share, columns, charset))
        }
        Length::Open => row,
    }
}

/// Why a phase takes longer than planned.
fn overrun(state: &State) -> &'static str {
    match state.phase {
        Some((Phase::Warmup, _)) => "waiting for the first acknowledgement",
        _ => "waiting for the last faults",
    }
}

fn phase_word(phase: Option<Phase>) -> &'static str {
    match phase {
        None => "preparing",
        Some(Phase::Warmup) => "warm-up",
        Some(phase) => phase.name(),
    }
}

fn bar(share: f64, columns: usize, charset: Charset) -> String {
    let (done, open) = charset.pick(("━", "─"), ("#", "."));
    let filled = (0..columns).filter(|column| (*column as f64 + 0.5) / (columns as f64) < share).count();
    format!("{}{}", done.repeat(filled), open.repeat(columns - filled))
}

fn broker_row(name: &str, lane: &Lane, charset: Charset) -> Row {
    let (ink, word) = (ink(lane.doing), word(lane.doing));
    let mut row = Row::new(name, Ink::Plain).item(ink, &format!("{} {word:<12}", symbol(lane.doing, charset)));
    if lane.doing != Doing::Unseen {
        row = row.item(Ink::Plain, &format!("leads {}", lane.leads));
        row = row.item(Ink::Plain, &format!("in sync {}", lane.in_sync));
        row = row.item(Ink::Plain, if lane.is_controller { "controller" } else { "          " });
    }
    let past: Vec<Doing> = lane.past.iter().copied().collect();
    row.fill(LEAST_COLUMNS, past.len(), move |columns| {
        past.iter().skip(past.len() - columns).map(|doing| stroke(*doing, charset)).collect()
    })
}

/// All of them in one line: their ids, symbols, and words for those that are not up.
fn brokers_row(state: &State, charset: Charset) -> Row {
    let mut row = Row::new("brokers", Ink::Plain);
    for (broker, lane) in &state.brokers.lanes {
        let what = match lane.doing {
            Doing::Up => format!("{} {}", broker.0, symbol(lane.doing, charset)),
            other => format!("{} {} {}", broker.0, symbol(other, charset), word(other)),
        };
        row = row.item(ink(lane.doing), &what);
    }
    row
}

fn unreachable(state: &State) -> Option<Row> {
    let reason = state.brokers.unreachable.as_ref()?;
    Some(Row::new("cluster", Ink::Doubtful).text(Ink::Doubtful, &format!("cannot be asked: {reason}")))
}

/// What is in force, on whom, since when, and for how long yet.
fn fault_row(fault: &InForce, now: TimeNs, charset: Charset) -> Row {
    let mark = charset.pick("▶", ">");
    let whom = if fault.targets.is_empty() { "nobody".to_owned() } else { fault.targets.join(", ") };
    let row = Row::new("in force", Ink::Doubtful).item(Ink::Doubtful, &format!("{mark} {}: {whom}", fault.fault));
    if let Some(trouble) = &fault.trouble {
        return row.text(Ink::Bad, trouble);
    }
    let Some(since) = fault.since else { return row.item(Ink::Plain, "being injected") };
    let gone = Duration::from_nanos(now.since(since));
    // What is left first: on a narrow terminal there is no room for more.
    let row = match (fault.healing, fault.lasts) {
        (Healing::UnderWay, _) => row.item(Ink::Plain, "being healed"),
        (Healing::NotYet, Some(lasts)) => row.item(Ink::Plain, &format!("{} left", clock(lasts.saturating_sub(gone)))),
        (Healing::NotYet, None) => row,
    };
    row.item(Ink::Plain, &format!("for {}", clock(gone)))
}

/// What was seen of its targets: what the proof will rest on.
fn seen_row(fault: &InForce) -> Option<Row> {
    let seen: Vec<String> = fault.seen.iter().map(|(target, seen)| format!("{target} {seen}")).collect();
    (!seen.is_empty()).then(|| Row::new("seen", Ink::Faint).text(Ink::Plain, &seen.join("; ")))
}

/// How many more faults there are; or which is next, where none is in force.
fn others(state: &State) -> Option<Row> {
    let more = state.in_force.len().saturating_sub(FAULTS_SHOWN);
    if more > 0 {
        return Some(Row::new("", Ink::Plain).item(Ink::Doubtful, &format!("and {more} more")));
    }
    let (next, until) = state.next_fault()?;
    let text = format!("{next} in {}", clock(until));
    Some(Row::new("next", Ink::Faint).item(Ink::Plain, &text))
}

fn word(doing: Doing) -> &'static str {
    match doing {
        Doing::Unseen => "not seen yet",
        Doing::Up => "up",
        Doing::Unregistered => "unregistered",
        Doing::Cut => "cut off",
        Doing::Paused => "paused",
        Doing::Down => "down",
    }
}

fn symbol(doing: Doing, charset: Charset) -> &'static str {
    match doing {
        Doing::Unseen => charset.pick("·", "."),
        Doing::Up => charset.pick("●", "+"),
        Doing::Unregistered => charset.pick("○", "?"),
        Doing::Cut => charset.pick("≠", "/"),
        Doing::Paused => charset.pick("‖", "="),
        Doing::Down => charset.pick("✗", "x"),
    }
}

/// A second of a broker's lane.
fn stroke(doing: Doing, charset: Charset) -> &'static str {
    match doing {
        Doing::Unseen => " ",
        Doing::Up => charset.pick("━", "-"),
        other => symbol(other, charset),
    }
}

fn ink(doing: Doing) -> Ink {
    match doing {
        Doing::Unseen => Ink::Faint,
        Doing::Up => Ink::Good,
        Doing::Unregistered | Doing::Cut | Doing::Paused => Ink::Doubtful,
        Doing::Down => Ink::Bad,
    }
}

/// Whole seconds, for a clock that does not flicker: `12 s`, `2 min 05 s`, `1 h 05 min`.
fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests;
