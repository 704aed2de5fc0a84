//! A plan for people: what there is, when what happens to whom, what is left then, and what is expected. Nothing is in the
//! colour alone.

use std::fmt::Write;
use std::time::Duration;

use super::{blast, lanes};
use crate::anomaly::{CheckName, Expectation};
use crate::cli::sheet::Sheet;
use crate::fault::{Course, Target};
use crate::plan::outlook::Outlook;
use crate::plan::{EmptyTarget, Plan, PlannedStart, Step};
use crate::scenario::units::{plural, show};
use crate::scenario::{AttachSpec, ClusterKind, ClusterSpec, Rate, Scenario};

/// The whole of it.
pub fn render(scenario: &Scenario, plan: &Plan, outlook: &Outlook, sheet: &Sheet) -> String {
    let mut text = String::new();
    let out = &mut text;
    write_head(out, scenario, plan, sheet);
    write_cluster(out, scenario, sheet);
    write_load(out, scenario, sheet);
    write_phases(out, plan, sheet);
    heading(out, "Timeline", sheet);
    out.push_str(&lanes::draw(plan, outlook, sheet));
    write_faults(out, scenario, plan, sheet);
    out.push_str(&blast::tell(scenario, plan, outlook, sheet));
    write_safety(out, plan, sheet);
    write_expectations(out, scenario, sheet);
    text
}

pub(super) fn heading(out: &mut String, text: &str, sheet: &Sheet) {
    writeln!(out, "\n{}", sheet.style.bold(text)).expect("a String takes all that is written to it");
}

fn line(out: &mut String, sheet: &Sheet, text: &str) {
    out.push_str(&sheet.plain_paragraph("  ", text));
}

pub(super) fn shown(millis: u64) -> String {
    show(Duration::from_millis(millis))
}

fn write_head(out: &mut String, scenario: &Scenario, plan: &Plan, sheet: &Sheet) {
    let name = sheet.style.bold(&plan.scenario);
    writeln!(out, "{name}  seed {}", plan.seed).expect("a String takes all that is written to it");
    if let Some(description) = &scenario.description {
        out.push_str(&sheet.plain_paragraph("", description));
    }
}

fn write_cluster(out: &mut String, scenario: &Scenario, sheet: &Sheet) {
    heading(out, "Cluster", sheet);
    write_brokers(out, &scenario.cluster, sheet);
    for topic in &scenario.topics {
        let (partitions, replicas) =
            (plural(topic.partitions, "partition"), plural(topic.replication_factor, "replica"));
        line(out, sheet, &format!("topic {}: {partitions}, {replicas} each", topic.name));
    }
}

fn write_brokers(out: &mut String, cluster: &ClusterSpec, sheet: &Sheet) {
    let brokers = plural(cluster.brokers, "broker");
    let where_from = match cluster.kind {
        ClusterKind::Docker => "in Docker",
        ClusterKind::Mock => "mocked in this process: proves nothing about Kafka",
        ClusterKind::Attach => "there already, and they stay; the run's own topics and groups are deleted afterwards",
    };
    line(out, sheet, &format!("{brokers}, {where_from}"));
    if let Some(attach) = &cluster.attach {
        write_attached(out, attach, sheet);
    }
}

/// Whom to ask first, and whom faults may strike.
fn write_attached(out: &mut String, attach: &AttachSpec, sheet: &Sheet) {
    let bootstrap: Vec<String> = attach.bootstrap.iter().map(ToString::to_string).collect();
    line(out, sheet, &format!("bootstrap: {}", bootstrap.join(", ")));
    let containers: Vec<String> =
        attach.containers.iter().map(|(broker, container)| format!("{container} ({broker})")).collect();
    if containers.is_empty() {
        line(out, sheet, "containers: none, so that no broker's process can be struck");
    } else {
        line(out, sheet, &format!("containers: {}", containers.join(", ")));
    }
}

fn write_load(out: &mut String, scenario: &Scenario, sheet: &Sheet) {
    heading(out, "Load", sheet);
    for producer in &scenario.producers {
        let rate = match producer.rate {
            Rate::PerSecond(rate) => format!("{rate}/s each"),
            Rate::Max => "as fast as it goes".to_owned(),
        };
        let count = plural(producer.count, "producer");
        line(out, sheet, &format!("{}: {count} to {}, {rate}", producer.name, producer.topic));
    }
    for group in &scenario.groups {
        let members = plural(group.members, "member");
        line(out, sheet, &format!("{}: {members} reading {}", group.name, group.topics.join(", ")));
    }
    for transformer in &scenario.transformers {
        let instances = plural(transformer.group.members, "transformer");
        let (name, from, to) = (transformer.name(), transformer.from(), transformer.to());
        line(out, sheet, &format!("{name}: {instances} from {from} to {to}"));
    }
}

fn write_phases(out: &mut String, plan: &Plan, sheet: &Sheet) {
    heading(out, "Phases", sheet);
    let phases = plan.phases;
    let rows = [
        ("warm-up", phases.warmup_ms, "load, no faults"),
        ("chaos", phases.chaos_ms, "load and faults; whatever is still broken at its end is healed"),
        ("recovery", phases.recovery_limit_ms, "at most, until every ISR is full again"),
        ("drain", phases.drain_limit_ms, "at most, until everybody has read to the end"),
    ];
    for (phase, millis, what) in rows {
        out.push_str(&sheet.plain_paragraph(&format!("  {phase:<8}  {:>8}   ", shown(millis)), what));
    }
}

fn write_faults(out: &mut String, scenario: &Scenario, plan: &Plan, sheet: &Sheet) {
    heading(out, "Faults", sheet);
    if plan.steps.is_empty() {
        return line(out, sheet, "none");
    }
    let ids = plan.steps.iter().map(|step| step.fault.0.chars().count()).max().unwrap_or(0);
    for step in &plan.steps {
        let lead = format!("  {:ids$}  ", step.fault.0);
        out.push_str(&sheet.paragraph(
            &lead,
            &sheet.style.bold(&lead),
            &sentence(plan, step, scenario.cluster.brokers),
        ));
    }
}

/// `at 5s for 15s: kill random (draws 2, then 3, 1) with SIGKILL`.
fn sentence(plan: &Plan, step: &Step, brokers: u32) -> String {
    let when = match &step.start {
        PlannedStart::AtMs(at_ms) => format!("at {}", shown(*at_ms)),
        PlannedStart::After { fault, delay_ms: 0 } => format!("when `{fault}` is healed"),
        PlannedStart::After { fault, delay_ms } => format!("{} after `{fault}` is healed", shown(*delay_ms)),
    };
    let length = match step.kind.course() {
        Course::Brief => "until it answers again".to_owned(),
        Course::Rolling { .. } => "until the last of them is whole again".to_owned(),
        Course::Hold | Course::Loop { .. } => format!("for {}", shown(step.duration_ms)),
    };
    let detail = step.kind.detail();
    let how = if detail.is_empty() { detail } else { format!(" {detail}") };
    format!("{when}, {length}: {} {}{}{how}", step.kind.name(), step.target, drawn(plan, step, brokers))
}

/// Whom random targets strike: the seed has decided it already.
fn drawn(plan: &Plan, step: &Step, brokers: u32) -> String {
    if let Target::Producer { index: None, .. } | Target::Member { index: None, .. } = step.target {
        return plan.client_of(step).map(|client| format!(" ({client})")).unwrap_or_default();
    }
    let brokers = brokers as usize;
    let count = |target: &Target| match target {
        Target::Random(count) => Some(*count),
        Target::Minority => Some(brokers.saturating_sub(1) / 2),
        Target::Majority => Some(brokers / 2 + 1),
        _ => None,
    };
    let Some(count) = step.target.members().iter().filter_map(count).max() else { return String::new() };
    let ids: Vec<String> = step.draw.iter().take(count).map(|id| format!("broker-{id}")).collect();
    format!(" ({})", ids.join(", "))
}

/// What the nemesis will not do, and when it ends at the latest.
fn write_safety(out: &mut String, plan: &Plan, sheet: &Sheet) {
    let mut lines = Vec::new();
    if let Some(bound) = plan.safety.max_unavailable {
        lines.push(format!(
            "at most {} away at one time; a fault that would exceed it is skipped, and the run is inconclusive",
            plural(bound, "broker")
        ));
    }
    if let Some(deadline_ms) = plan.safety.deadline_ms {
        lines.push(format!("chaos ends {} after the run began at the latest", shown(deadline_ms)));
    }
    if plan.safety.empty_target == EmptyTarget::Skip {
        lines.push("a fault whose target is nobody is passed over".to_owned());
    }
    if lines.is_empty() {
        return;
    }
    heading(out, "Safety", sheet);
    for text in lines {
        line(out, sheet, &text);
    }
}

fn write_expectations(out: &mut String, scenario: &Scenario, sheet: &Sheet) {
    heading(out, "Expected", sheet);
    let expected = CheckName::ALL.map(|check| (check, scenario.expectation(check)));
    for (check, expectation) in expected.into_iter().filter(|(_, expectation)| *expectation != Expectation::Forbidden) {
        let usual = if scenario.expect.contains_key(&check) { "" } else { ", as ever" };
        line(out, sheet, &format!("{check}: {expectation}{usual}"));
    }
    line(out, sheet, "every other check: forbidden to find anything");
    for threshold in &scenario.thresholds {
        line(out, sheet, &format!("{}: at most {}", threshold.metric.name(), show(threshold.max)));
    }
}
