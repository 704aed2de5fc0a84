//! The first anomalies of each check as cards, each with all that is known of it and with the log around it.

use maud::{Markup, html};

use super::axis::Size;
use super::{places, scrolled};
use crate::anomaly::{Anomaly, CheckName};
use crate::report::{BrokerLine, Card, Circumstances, NamedRecord, Neighbour, Report, Standing, format};

/// How many cards of each check are open to the eye at once.
const SHOWN_AT_ONCE: usize = 4;

/// The cards, by check, and how many more there are.
pub(super) fn anomalies(report: &Report) -> Markup {
    let found = report.anomalies_found().max(report.anomalies.len() as u64);
    if found == 0 {
        return html! { p class="empty" { "None was found." } };
    }
    let listed = report.anomalies.len() as u64;
    let (more, unlisted) = (listed - (report.cards.len() as u64).min(listed), found - listed.min(found));
    let mut checks: Vec<CheckName> = Vec::new();
    for card in &report.cards {
        let check = report.anomalies[card.anomaly].check;
        if !checks.contains(&check) {
            checks.push(check);
        }
    }
    html! {
        p class="lead" {
            (format::count(found)) @if found == 1 { " was found." } @else { " were found." }
            @if more > 0 {
                " " (report.cards.len()) " of them, of each check in turn, are below; " (format::count(more)) " more are in "
                a href="anomalies.csv" { "anomalies.csv" } "."
            }
            @if unlisted > 0 { " " (format::count(unlisted)) " more were counted, and are listed nowhere." }
            " " (jump_to_first(report))
        }
        div data-filter="cards" data-filter-name="Filter the cards" {
            @for check in checks { (of_check(report, check)) }
        }
    }
}

/// A link to the card of what happened first of all that breaks an expectation; nothing where no card is.
pub(super) fn jump_to_first(report: &Report) -> Markup {
    let broken = |check| Standing::is_broken(check, &report.verdict);
    let check = |card: &&Card| report.anomalies[card.anomaly].check;
    let any_broken = report.cards.iter().any(|card| broken(check(&card)));
    // Of each check there is a card of what happened first.
    let counted = report.cards.iter().filter(|card| !any_broken || broken(check(card)));
    let first = counted.min_by_key(|card| report.anomalies[card.anomaly].moment().map_or(u64::MAX, |time| time.0));
    html! {
        @if let Some(card) = first {
            @let anomaly = &report.anomalies[card.anomaly];
            a class="jump" href={ "#" (places::card(card.anomaly)) } {
                "Jump to the first: " (anomaly.check)
                @if let Some(time) = anomaly.moment() { " at " (format::moment_ms(time.as_millis())) }
            }
        }
    }
}

fn of_check(report: &Report, check: CheckName) -> Markup {
    let cards: Vec<(&Card, &Anomaly)> = report
        .cards
        .iter()
        .map(|card| (card, &report.anomalies[card.anomaly]))
        .filter(|(_, anomaly)| anomaly.check == check)
        .collect();
    let found = report.verdict.checks.iter().find(|line| line.check == check).map_or(0, |line| line.found);
    let (first, rest) = cards.split_at(cards.len().min(SHOWN_AT_ONCE));
    html! {
        div class="of-check" { h3 id=(places::cards_of(check)) { (check) " " span class="aside" { (format::count(found)) " found" } }
        div class="cards" { @for (card, anomaly) in first { (draw(report, card, anomaly)) } }
        @if !rest.is_empty() {
            details {
                summary { (rest.len()) " more of " (check) }
                div class="cards" { @for (card, anomaly) in rest { (draw(report, card, anomaly)) } }
            }
        } }
    }
}

fn draw(report: &Report, card: &Card, anomaly: &Anomaly) -> Markup {
    let text = |value: Option<String>| format::or_dash(value, |text| text);
    let moment = |ns: Option<crate::kafka::TimeNs>| {
        format::or_dash(ns, |time| format!("{}.{:06} s", time.0 / 1_000_000_000, time.0 / 1_000 % 1_000_000))
    };
    let fields = [
        ("partition", format!("{}-{}", anomaly.topic, anomaly.partition)),
        ("acknowledged at offset", text(anomaly.acked_offset.map(|offset| offset.to_string()))),
        ("seen at offset", text(anomaly.offset.map(|offset| offset.to_string()))),
        ("producer", text(anomaly.producer.as_ref().map(ToString::to_string))),
        ("process", text(anomaly.record.map(|record| record.process.to_string()))),
        ("sequence", text(anomaly.record.map(|record| record.sequence.to_string()))),
        ("sent", moment(anomaly.send_ns)),
        ("acknowledged", moment(anomaly.ack_ns)),
        ("acknowledged by", text(anomaly.acked_by.map(|broker| broker.to_string()))),
        ("read by", text(anomaly.reader.as_ref().map(ToString::to_string))),
        ("read", moment(anomaly.read_ns)),
        ("read under leader epoch", text(anomaly.leader_epoch.map(|epoch| epoch.to_string()))),
        ("group", text(anomaly.group.as_ref().map(ToString::to_string))),
    ];
    let then = report.circumstances.get(card.anomaly).and_then(Option::as_ref);
    html! {
        article class="card" id=(places::card(card.anomaly)) tabindex="-1" {
            p class="explanation" { (anomaly.explanation) }
            (to_timeline(report, anomaly))
            dl {
                @for (name, value) in fields.into_iter().chain(then.map(circumstances).into_iter().flatten()) {
                    @if value != "–" { div { dt { (name) } dd { (value) } } }
                }
            }
            @if !card.neighbourhood.is_empty() { (neighbourhood(card, anomaly)) }
            @if !card.log.is_empty() { (broker_log(&card.log)) }
        }
    }
}

/// The way to the anomaly's mark, in whichever drawing is shown.
fn to_timeline(report: &Report, anomaly: &Anomaly) -> Markup {
    html! {
        @if let Some(second) = places::second(report, anomaly) {
            p class="to-timeline" {
                @for size in Size::BOTH {
                    a class=(size.name()) href={ "#" (places::mark_in(size, anomaly.check, second)) } data-second=(second) {
                        "Show on the timeline" span class="unseen" { ": " (anomaly.check) " in second " (second) }
                    }
                }
            }
        }
    }
}

/// How things stood then.
fn circumstances(then: &Circumstances) -> [(&'static str, String); 6] {
    let joined = |words: Vec<String>| if words.is_empty() { "none".to_owned() } else { words.join(", ") };
    let standing = then.standing.as_ref();
    let leader = standing.map(|view| match (view.leader, view.leader_epoch) {
        (Some(leader), Some(epoch)) => format!("{leader}, epoch {epoch}"),
        (Some(leader), None) => leader.to_string(),
        (None, _) => "none".to_owned(),
    });
    let isr = standing.map(|view| joined(view.isr.iter().map(ToString::to_string).collect()));
    [
        ("leader then", format::or_dash(leader, |text| text)),
        ("in sync then", format::or_dash(isr, |text| text)),
        ("assigned then to", joined(then.owners.clone())),
        ("faults in force then", joined(then.faults.iter().map(ToString::to_string).collect())),
        ("what came next", joined(then.next.clone())),
        ("phase", format::or_dash(then.phase, |phase| phase.name().to_owned())),
    ]
}

/// What was acknowledged and what was found at the offsets around: offsets across, operations down.
fn neighbourhood(card: &Card, anomaly: &Anomaly) -> Markup {
    let own = anomaly.acked_offset.or(anomaly.offset);
    let nearness = |neighbour: &Neighbour| if Some(neighbour.offset) == own { "own" } else { "near" };
    let table = html! {
        table class="data log" {
            thead { tr {
                th scope="col" { "Offset" }
                @for neighbour in &card.neighbourhood {
                    th scope="col" class=(nearness(neighbour)) { (neighbour.offset) @if Some(neighbour.offset) == own { " ▾" } }
                }
            } }
            tbody {
                tr {
                    th scope="row" { "Acknowledged here" }
                    @for neighbour in &card.neighbourhood { td class=(nearness(neighbour)) { (records(&neighbour.acked)) } }
                }
                tr {
                    th scope="row" { "Found here by the drain" }
                    @for neighbour in &card.neighbourhood {
                        td class={ (nearness(neighbour)) " " (if disagrees(neighbour) { "disagrees" } else { "agrees" }) } {
                            (records(&neighbour.found))
                        }
                    }
                }
            }
        }
    };
    scrolled("The log around it", &table)
}

/// What the brokers wrote around it.
fn broker_log(lines: &[BrokerLine]) -> Markup {
    let table = html! {
        table class="data broker-log" {
            thead { tr { th scope="col" class="number" { "At" } th scope="col" { "Broker" } th scope="col" { "Wrote" } } }
            tbody { @for line in lines { tr {
                td class="number" { (format!("{:.3} s", line.time_ns.as_secs_f64())) }
                th scope="row" { (line.broker) }
                td class="text" { (line.text) }
            } } }
        }
    };
    html! {
        details {
            summary { "The brokers’ own logs around it, " (format::counted(lines.len() as u64, "line")) }
            (scrolled("The brokers’ logs around it", &table))
        }
    }
}

/// Whether the log holds something else than was acknowledged at the offset.
fn disagrees(neighbour: &Neighbour) -> bool {
    !neighbour.acked.is_empty() && neighbour.acked != neighbour.found
}

fn records(records: &[NamedRecord]) -> Markup {
    html! {
        @if records.is_empty() { "nothing" }
        @for (index, named) in records.iter().enumerate() {
            @if index > 0 { ", " }
            (named.producer) " #" (named.record.sequence)
        }
    }
}
