//! The blast radius of a plan: whom each fault takes away and by which means, what is left when most are away, and warnings.

use super::timeline::heading;
use crate::cli::sheet::Sheet;
use crate::cluster::means::back_end;
use crate::plan::Plan;
use crate::plan::outlook::{Effect, Extent, FaultOutlook, Outlook, Quorum, TopicOutlook, lanes};
use crate::scenario::Scenario;
use crate::scenario::units::plural;

/// What is said of the whole, beside what is said of each fault.
const AT_WORST: &str = "at worst";

/// Everything about it; nothing where there are no faults.
pub(super) fn tell(scenario: &Scenario, plan: &Plan, outlook: &Outlook, sheet: &Sheet) -> String {
    let mut text = String::new();
    if outlook.faults.is_empty() {
        return text;
    }
    heading(&mut text, "Blast radius", sheet);
    let names = outlook.faults.iter().map(|fault| fault.fault.0.chars().count());
    let width = names.max().unwrap_or(0).max(AT_WORST.len());
    let lead = |name: &str| format!("  {name:width$}  ");
    for (fault, steps) in outlook.faults.iter().zip(lanes(plan)) {
        let lead = lead(&fault.fault.0);
        text.push_str(&sheet.paragraph(&lead, &sheet.style.bold(&lead), &sentence(fault, scenario.cluster.brokers)));
        // By which means, whatever machine this is: whether they are here, `validate` finds out.
        let means = back_end(&steps[0].kind, scenario.cluster.kind);
        text.push_str(&sheet.plain_paragraph(&" ".repeat(lead.chars().count()), means));
    }
    for (place, sentence) in at_worst(scenario, plan, outlook).into_iter().enumerate() {
        text.push_str(&sheet.plain_paragraph(&lead(if place == 0 { AT_WORST } else { "" }), &sentence));
    }
    if !outlook.warnings.is_empty() {
        heading(&mut text, "Warnings", sheet);
    }
    for warning in &outlook.warnings {
        text.push_str(&sheet.paragraph("  ! ", &sheet.style.doubtful("  ! "), &warning.text));
    }
    text
}

/// `broker-2 is down: 1 of 3 brokers away; every partition of chat has a replica there`.
fn sentence(fault: &FaultOutlook, brokers: u32) -> String {
    if fault.effect == Effect::Clients {
        let clients = if fault.clients.is_empty() { fault.target.to_string() } else { list(&fault.clients) };
        return format!("{clients}: the load's own; every broker stays up");
    }
    let (whom, is_one) = whom(fault);
    let is = if is_one { "is" } else { "are" };
    let stays = if is_one { "stays" } else { "stay" };
    let away = format!("{} of {} away", fault.away_at_once, plural(brokers, "broker"));
    let at_a_time =
        if fault.windows.len() > 1 || fault.brokers.len() > fault.away_at_once as usize { " at one time" } else { "" };
    let what = match fault.effect {
        Effect::Down => format!("{is} down: {away}{at_a_time}"),
        Effect::Frozen => format!("{is} frozen: {away}{at_a_time}"),
        Effect::OthersCutOff => format!("{stays} in touch with all, and the others lose one another: {away}"),
        Effect::CutOff => format!("{is} cut off: {away}{at_a_time}"),
        Effect::Up | Effect::Clients => format!("{stays} up: no broker is away"),
    };
    let mut said = vec![format!("{whom} {what}")];
    said.extend(concerned(fault));
    said.join("; ")
}

/// Those who are struck, and whether that is one.
fn whom(fault: &FaultOutlook) -> (String, bool) {
    let known: Vec<String> = fault.brokers.iter().map(|id| format!("broker-{id}")).collect();
    match (known.len(), fault.more_brokers) {
        (0, 0) => (fault.target.to_string(), true),
        (0, 1) => (format!("whoever is `{}`", fault.target), true),
        (0, _) => (format!("whoever are `{}`", fault.target), false),
        (count, 0) => (list(&known), count == 1),
        (_, more) => (format!("{} and {} that the moment decides", known.join(", "), plural(more, "other")), false),
    }
}

/// Which partitions that concerns; topics of which the same is said are told together.
fn concerned(fault: &FaultOutlook) -> Vec<String> {
    let of = |extent: Extent| {
        let same = fault.partitions.iter().filter(|touched| touched.extent == extent);
        list(&same.map(|touched| touched.topic.clone()).collect::<Vec<_>>())
    };
    let mut told: Vec<Extent> = Vec::new();
    for touched in &fault.partitions {
        if !told.contains(&touched.extent) {
            told.push(touched.extent);
        }
    }
    let is_there = !matches!(fault.effect, Effect::Up | Effect::OthersCutOff);
    told.into_iter()
        .map(|extent| match extent {
            Extent::One(partition) => format!("{}-{partition} alone is concerned", of(extent)),
            Extent::Every if is_there => format!("every partition of {} has a replica there", of(extent)),
            Extent::Every => format!("every partition of {} is concerned", of(extent)),
            Extent::Some => format!("some partitions of {} have a replica there", of(extent)),
        })
        .collect()
}

fn at_worst(scenario: &Scenario, plan: &Plan, outlook: &Outlook) -> Vec<String> {
    let Some(worst) =
        outlook.away.iter().rev().max_by_key(|stretch| (stretch.brokers, stretch.until_ms - stretch.from_ms))
    else {
        return vec!["no broker is away".to_owned()];
    };
    let steps: Vec<String> = worst.steps.iter().map(ToString::to_string).collect();
    let bound = match plan.safety.max_unavailable {
        Some(bound) if bound < worst.brokers => format!(", were it not for `max-unavailable` = {bound}"),
        _ => String::new(),
    };
    let brokers = plural(scenario.cluster.brokers, "broker");
    let mut all = vec![format!("{} of {brokers} away, {} ({}){bound}", worst.brokers, worst.when(), steps.join(", "))];
    all.extend(outlook.controllers.map(|quorum| controllers(&quorum)));
    all.extend(topics(&outlook.topics));
    all
}

fn controllers(quorum: &Quorum) -> String {
    let left = format!("{} of {} left", quorum.left, plural(quorum.controllers, "controller"));
    if quorum.holds {
        format!("{left}: a majority")
    } else {
        format!("{left}: no majority, which takes {}", quorum.majority)
    }
}

/// Topics of which the same is said are told together.
fn topics(topics: &[TopicOutlook]) -> Vec<String> {
    let mut said: Vec<(String, Vec<String>)> = Vec::new();
    for topic in topics {
        let holds = match (topic.min_insync, topic.holds) {
            (Some(needed), Some(true)) => format!("`min.insync.replicas` = {needed} holds"),
            (Some(needed), _) => format!("`min.insync.replicas` = {needed} does not hold"),
            (None, _) => "whether `min.insync.replicas` holds, only the cluster knows".to_owned(),
        };
        let text = format!("{} of {} left; {holds}", topic.left, plural(topic.replicas, "replica"));
        match said.iter_mut().find(|(other, _)| *other == text) {
            Some((_, names)) => names.push(topic.topic.clone()),
            None => said.push((text, vec![topic.topic.clone()])),
        }
    }
    said.into_iter().map(|(text, names)| format!("{}: {text}", list(&names))).collect()
}

/// `a`, `a and b`, `a, b and c`.
fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [firsts @ .., last] => format!("{} and {last}", firsts.join(", ")),
    }
}
