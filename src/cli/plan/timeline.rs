//! A plan as a timeline for people: phases, faults, and a lane a fault. Nothing is in the colour alone.

use std::fmt::Write;
use std::time::Duration;

use crate::cli::terminal::Style;
use crate::cluster::means::back_end;
use crate::fault::{Course, FaultId, Target};
use crate::plan::{EmptyTarget, Plan, PlannedStart, Step};
use crate::scenario::units::{plural, show};
use crate::scenario::{AttachSpec, ClusterKind, ClusterSpec, Rate, Scenario};

/// How many columns the chaos phase takes in the drawing.
const LANE_COLUMNS: u64 = 60;

/// The whole timeline.
pub fn render(scenario: &Scenario, plan: &Plan, style: Style) -> String {
    let mut text = String::new();
    let out = &mut text;
    let written = write_head(out, scenario, plan, style)
        .and_then(|()| write_phases(out, plan, style))
        .and_then(|()| write_faults(out, scenario, plan, style))
        .and_then(|()| write_safety(out, plan, style))
        .and_then(|()| write_expectations(out, scenario, style));
    written.expect("a String takes all that is written to it");
    text
}

fn write_head(out: &mut String, scenario: &Scenario, plan: &Plan, style: Style) -> std::fmt::Result {
    writeln!(out, "{}  seed {}", style.bold(&plan.scenario), plan.seed)?;
    if let Some(description) = &scenario.description {
        writeln!(out, "{description}")?;
    }
    writeln!(out, "\n{}", style.bold("Cluster"))?;
    write_cluster(out, &scenario.cluster)?;
    for topic in &scenario.topics {
        let (partitions, replicas) =
            (plural(topic.partitions, "partition"), plural(topic.replication_factor, "replica"));
        writeln!(out, "  topic {}: {partitions}, {replicas} each", topic.name)?;
    }
    writeln!(out, "\n{}", style.bold("Load"))?;
    for producer in &scenario.producers {
        let rate = match producer.rate {
            Rate::PerSecond(rate) => format!("{rate}/s each"),
            Rate::Max => "as fast as it goes".to_owned(),
        };
        let count = plural(producer.count, "producer");
        writeln!(out, "  {}: {count} to {}, {rate}", producer.name, producer.topic)?;
    }
    for group in &scenario.groups {
        let members = plural(group.members, "member");
        writeln!(out, "  {}: {members} reading {}", group.name, group.topics.join(", "))?;
    }
    for transformer in &scenario.transformers {
        let instances = plural(transformer.group.members, "transformer");
        writeln!(out, "  {}: {instances} from {} to {}", transformer.name(), transformer.from(), transformer.to())?;
    }
    Ok(())
}

fn write_cluster(out: &mut String, cluster: &ClusterSpec) -> std::fmt::Result {
    let brokers = plural(cluster.brokers, "broker");
    match cluster.kind {
        ClusterKind::Docker => writeln!(out, "  {brokers}, in Docker"),
        ClusterKind::Mock => writeln!(out, "  {brokers}, mocked in this process: proves nothing about Kafka"),
        ClusterKind::Attach => {
            writeln!(
                out,
                "  {brokers}, there already, and they stay; the run's own topics and groups are deleted afterwards"
            )?;
            cluster.attach.as_ref().map_or(Ok(()), |attach| write_attached(out, attach))
        }
    }
}

/// Whom to ask first, and whom faults may strike.
fn write_attached(out: &mut String, attach: &AttachSpec) -> std::fmt::Result {
    let bootstrap: Vec<String> = attach.bootstrap.iter().map(ToString::to_string).collect();
    writeln!(out, "  bootstrap: {}", bootstrap.join(", "))?;
    let containers: Vec<String> =
        attach.containers.iter().map(|(broker, container)| format!("{container} ({broker})")).collect();
    if containers.is_empty() {
        writeln!(out, "  containers: none, so that no broker's process can be struck")
    } else {
        writeln!(out, "  containers: {}", containers.join(", "))
    }
}

fn write_phases(out: &mut String, plan: &Plan, style: Style) -> std::fmt::Result {
    let phases = plan.phases;
    writeln!(out, "\n{}", style.bold("Phases"))?;
    writeln!(out, "  warm-up   {:>8}   load, no faults", shown(phases.warmup_ms))?;
    writeln!(
        out,
        "  chaos     {:>8}   load and faults; whatever is still broken at its end is healed",
        shown(phases.chaos_ms)
    )?;
    writeln!(out, "  recovery  {:>8}   at most, until every ISR is full again", shown(phases.recovery_limit_ms))?;
    writeln!(out, "  drain     {:>8}   at most, until everybody has read to the end", shown(phases.drain_limit_ms))
}

fn shown(millis: u64) -> String {
    show(Duration::from_millis(millis))
}

fn write_faults(out: &mut String, scenario: &Scenario, plan: &Plan, style: Style) -> std::fmt::Result {
    writeln!(out, "\n{}", style.bold("Faults"))?;
    if plan.steps.is_empty() {
        return writeln!(out, "  none");
    }
    let earliest = plan.earliest_ms();
    let ids = plan.steps.iter().map(|step| step.fault.0.chars().count()).max().unwrap_or(0);
    writeln!(out, "  {:ids$}  {}", "", scale(plan.phases.chaos_ms))?;
    for (fault, steps) in lanes(plan) {
        // By which means, whatever machine this is: whether they are here, `validate` finds out.
        let means = steps.first().map_or("", |step| back_end(&step.kind, scenario.cluster.kind));
        let spans = steps.into_iter().map(|step| (step, earliest.get(&step.fault).copied().unwrap_or(0)));
        let lane = lane(&spans.collect::<Vec<_>>(), plan.phases.chaos_ms);
        writeln!(out, "  {:ids$}  {lane}  {}", fault.0, style.dim(means))?;
    }
    writeln!(out)?;
    for step in &plan.steps {
        // Padded before it is styled: colour codes have no width.
        let id = style.bold(&format!("{:ids$}", step.fault.0));
        writeln!(out, "  {id}  {}", sentence(plan, step, scenario.cluster.brokers))?;
    }
    Ok(())
}

/// `0s ... 30s` above the lanes.
fn scale(chaos_ms: u64) -> String {
    let end = shown(chaos_ms);
    let columns = usize::try_from(LANE_COLUMNS).expect("a few dozen");
    format!("|0s{end:>width$}|", width = columns - "0s".len())
}

/// The steps of each of the scenario's faults, in the order in which these first strike.
fn lanes(plan: &Plan) -> Vec<(&FaultId, Vec<&Step>)> {
    let mut lanes: Vec<(&FaultId, Vec<&Step>)> = Vec::new();
    for step in &plan.steps {
        match lanes.iter_mut().find(|(fault, _)| *fault == step.origin()) {
            Some((_, steps)) => steps.push(step),
            None => lanes.push((step.origin(), vec![step])),
        }
    }
    lanes
}

/// `|....####....|`: where in the chaos phase the fault is in force; `~` of one that waits for another, because it may
/// start later; `#` in force, and at least one, however short. With each step goes its earliest start.
fn lane(steps: &[(&Step, u64)], chaos_ms: u64) -> String {
    let column = |ms: u64| (ms.saturating_mul(LANE_COLUMNS) / chaos_ms.max(1)).min(LANE_COLUMNS);
    let mark = |place: u64| {
        let is_there = |(step, start_ms): &&(&Step, u64)| {
            let from = column(*start_ms).min(LANE_COLUMNS - 1);
            let until = column(start_ms.saturating_add(step.duration_ms)).max(from + 1);
            (from..until).contains(&place)
        };
        match steps.iter().find(is_there) {
            Some((step, _)) if matches!(step.start, PlannedStart::After { .. }) => '~',
            Some(_) => '#',
            None => '.',
        }
    };
    format!("|{}|", (0..LANE_COLUMNS).map(mark).collect::<String>())
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
fn write_safety(out: &mut String, plan: &Plan, style: Style) -> std::fmt::Result {
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
        return Ok(());
    }
    writeln!(out, "\n{}", style.bold("Safety"))?;
    lines.into_iter().try_for_each(|line| writeln!(out, "  {line}"))
}

fn write_expectations(out: &mut String, scenario: &Scenario, style: Style) -> std::fmt::Result {
    writeln!(out, "\n{}", style.bold("Expected"))?;
    for (check, expectation) in &scenario.expect {
        writeln!(out, "  {check}: {expectation}")?;
    }
    let rest = if scenario.expect.is_empty() { "every check" } else { "every other check" };
    writeln!(out, "  {rest}: forbidden to find anything")?;
    for threshold in &scenario.thresholds {
        writeln!(out, "  {}: at most {}", threshold.metric.name(), show(threshold.max))?;
    }
    Ok(())
}
