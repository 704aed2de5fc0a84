//! `[[fault]]`: each by itself, and what its target names.

use std::time::Duration;

use super::{attach, cluster, items, load, names, overlap, require, timing};
use crate::fault::{FaultId, FaultKind, Signal, Target};
use crate::kafka::{BrokerId, TopicPartition};
use crate::scenario::problem::{Problems, Span};
use crate::scenario::raw::{RawFault, RawScenario};
use crate::scenario::read::{At, Field};
use crate::scenario::suggest::listed;
use crate::scenario::{ClusterKind, FaultSpec, Start, units};

const DEFAULT_GRACE: Duration = Duration::from_secs(30);
const EXAMPLE_TARGET: &str = "kill = { target = \"leader:chat-0\" }";

/// A fault that could be read, with its place in the file.
pub(super) struct Placed<'a> {
    /// The fault.
    pub(super) spec: FaultSpec,
    /// As it was written.
    pub(super) raw: &'a RawFault,
}

impl Placed<'_> {
    /// Where its start stands.
    pub(super) fn start_span(&self) -> Span {
        let start = self.raw.at.get().map(|at| &at.span).or(self.raw.after.get().map(|at| &at.span));
        start.unwrap_or(&self.raw.span).clone()
    }

    /// Where its target stands.
    pub(super) fn target_span(&self) -> Span {
        let action = actions(self.raw).into_iter().find_map(|action| action.target?.get().map(|at| at.span.clone()));
        action.unwrap_or_else(|| self.raw.span.clone())
    }
}

/// Every `[[fault]]`.
pub(super) fn faults(raw: &RawScenario, problems: &mut Problems) -> Vec<FaultSpec> {
    let named = items(&raw.faults).filter_map(|fault| fault.id.get());
    names::unique("faults named", named, names::OWN_NAME, problems);
    let placed = read_all(raw, problems);
    for fault in items(&raw.faults) {
        for action in actions(fault).into_iter().filter(|action| !action.is_missing) {
            let target = action.target.and_then(Field::get);
            if let Some(target) = target {
                check_target(raw, target, problems);
            }
            if action.needs_a_container {
                attach::check_reach(raw, action.span.unwrap_or(&fault.span), target, problems);
            }
        }
    }
    // Unless every fault could be read, references between them cannot be judged.
    if placed.len() == items(&raw.faults).count() {
        timing::check(raw, &placed, problems);
        overlap::check(&placed, problems);
    }
    placed.into_iter().map(|fault| fault.spec).collect()
}

fn read_all<'a>(raw: &'a RawScenario, problems: &mut Problems) -> Vec<Placed<'a>> {
    items(&raw.faults).filter_map(|fault| Some(Placed { spec: one_fault(fault, problems)?, raw: fault })).collect()
}

/// The faults of a scenario that was found to be right, with their places.
pub(super) fn placed<'a>(raw: &'a RawScenario, specs: &[FaultSpec]) -> Vec<Placed<'a>> {
    items(&raw.faults).zip(specs).map(|(raw, spec)| Placed { spec: spec.clone(), raw }).collect()
}

fn one_fault(fault: &RawFault, problems: &mut Problems) -> Option<FaultSpec> {
    let id = require(&fault.id, "[[fault]]", &fault.span, "id", "id = \"kill\"", problems);
    let id = id.map(|at| names::plain("fault", at, problems));
    let start = start(fault, problems);
    let action = action(fault, problems);
    let duration = action.as_ref().and_then(|(kind, _)| duration(fault, kind, problems));
    let (kind, target) = action?;
    Some(FaultSpec { id: FaultId(id?), kind, target: target?, start: start?, duration: duration? })
}

/// `at`, or `after` with its `delay`.
fn start(fault: &RawFault, problems: &mut Problems) -> Option<Start> {
    if let (Some(at), Some(after)) = (fault.at.get(), fault.after.get()) {
        problems
            .error(&after.span, "a fault starts by `at` or by `after`, not by both", "and here")
            .and_at(at.span.clone(), "here")
            .help("remove one of them");
        return None;
    }
    if fault.at.is_missing() && fault.after.is_missing() {
        problems
            .error(&fault.span, "nothing says when this fault starts", "`at` or `after` is missing")
            .help("add at = \"5s\", counted from the beginning of the chaos phase, or after = \"other-fault\"");
        return None;
    }
    if let Some(At { value, .. }) = fault.at.get() {
        if let Some(delay) = fault.delay.get() {
            problems
                .error(&delay.span, "`delay` belongs to `after`", "this fault starts by `at`")
                .help("remove it, and add its time to `at`");
        }
        return Some(Start::At(*value));
    }
    let after = fault.after.get()?;
    let delay = if fault.delay.is_missing() { Duration::ZERO } else { *fault.delay.value()? };
    Some(Start::After { fault: FaultId(after.value.clone()), delay })
}

/// One of the mutually exclusive keys, as far as it was written.
struct Action<'a> {
    key: &'static str,
    span: Option<&'a Span>,
    is_missing: bool,
    target: Option<&'a Field<Target>>,
    /// Whether it strikes a broker's process, which the harness reaches by its container.
    needs_a_container: bool,
}

fn actions(fault: &RawFault) -> [Action<'_>; 4] {
    macro_rules! action {
        ($key:literal, $field:ident, needs_a_container: $needs:literal) => {
            Action {
                key: $key,
                span: fault.$field.get().map(|at| &at.span),
                is_missing: fault.$field.is_missing(),
                target: fault.$field.value().map(|action| &action.target),
                needs_a_container: $needs,
            }
        };
    }
    [
        action!("kill", kill, needs_a_container: true),
        action!("stop", stop, needs_a_container: true),
        action!("restart", restart, needs_a_container: true),
        action!("pause", pause, needs_a_container: true),
    ]
}

/// Exactly one kind; its target is `None` when that could not be read.
fn action(fault: &RawFault, problems: &mut Problems) -> Option<(FaultKind, Option<Target>)> {
    let written: Vec<Action<'_>> = actions(fault).into_iter().filter(|action| !action.is_missing).collect();
    match written.as_slice() {
        [] => {
            let kinds = listed(actions(fault).map(|action| action.key));
            problems
                .error(&fault.span, "this fault does nothing", "its kind is missing")
                .help(format!("add one of {kinds}: {EXAMPLE_TARGET}"));
            return None;
        }
        [_] => {}
        [first, rest @ ..] => {
            let keys = listed(written.iter().map(|action| action.key));
            let span = first.span.unwrap_or(&fault.span);
            let problem = problems.error(span, format!("a fault does one thing, not {}", written.len()), "the first");
            for extra in rest.iter().filter_map(|action| action.span) {
                problem.and_at(extra.clone(), "and another");
            }
            problem.help(format!("make a [[fault]] of each of {keys}: they may start at the same time"));
            return None;
        }
    }
    let Action { key, span, target, .. } = &written[0];
    let target = (*target)?;
    let example = format!("{key} = {{ target = \"leader:chat-0\" }}");
    if target.is_missing() {
        problems
            .error(span.unwrap_or(&fault.span), format!("`{key}` needs the key `target`"), "whom?")
            .help(format!("write {example}; targets are {}", Target::FORMS));
    }
    Some((kind(fault)?, target.value().cloned()))
}

fn kind(fault: &RawFault) -> Option<FaultKind> {
    let grace = |field: &Field<Duration>| {
        if field.is_missing() { Some(DEFAULT_GRACE) } else { field.value().copied() }.map(millis)
    };
    if let Some(kill) = fault.kill.value() {
        let signal = if kill.signal.is_missing() { Signal::Kill } else { *kill.signal.value()? };
        return Some(FaultKind::Kill { signal });
    }
    if let Some(stop) = fault.stop.value() {
        return Some(FaultKind::Stop { grace_ms: grace(&stop.grace)? });
    }
    if let Some(restart) = fault.restart.value() {
        return Some(FaultKind::Restart { grace_ms: grace(&restart.grace)? });
    }
    fault.pause.value().map(|_| FaultKind::Pause)
}

/// A duration in the plan's unit. The readers refuse what is longer than a week, so that this never saturates.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn duration(fault: &RawFault, kind: &FaultKind, problems: &mut Problems) -> Option<Duration> {
    let heals_itself = matches!(kind, FaultKind::Restart { .. });
    match fault.length.get() {
        Some(length) if heals_itself => {
            problems
                .error(&length.span, "a restart has no `for`", "it lasts until the broker answers again")
                .help("remove it, or write `stop` to keep the broker down for that long");
            None
        }
        None if heals_itself => Some(Duration::ZERO),
        Some(At { value, span }) if value.is_zero() => {
            problems
                .error(span, "a fault of no length proves nothing", "zero")
                .help("write how long it stays in force, such as for = \"15s\"");
            None
        }
        Some(length) => Some(length.value),
        None => {
            require(&fault.length, "[[fault]]", &fault.span, "for", "for = \"15s\"", problems);
            None
        }
    }
}

/// Whether the target's broker, partition or group exists, and how many there can be.
fn check_target(raw: &RawScenario, At { value, span }: &At<Target>, problems: &mut Problems) {
    let brokers = cluster::brokers(raw);
    let is_attached = cluster::kind(raw) == Some(ClusterKind::Attach);
    match value {
        // Of an attached cluster the named containers decide: ids are the cluster's own, and need not count from 1.
        Target::Broker(_) | Target::Random(_) if is_attached => {}
        Target::Broker(id) => check_broker(*id, brokers, span, problems),
        Target::Leader(partition) => check_partition(raw, partition, 1, span, problems),
        Target::Follower(partition) | Target::Followers(partition) => {
            check_partition(raw, partition, 2, span, problems);
        }
        Target::Coordinator(group) => check_group(raw, group, span, problems),
        Target::Random(wanted) => {
            if let Some(brokers) = brokers.filter(|brokers| *wanted > *brokers as usize) {
                let has = units::plural(brokers, "broker");
                problems
                    .error(span, format!("{wanted} of {has} cannot be drawn"), "more than there are")
                    .help(format!("write at most `random:{brokers}`, or `all`"));
            }
        }
        Target::Minority => {
            if let Some(brokers) = brokers.filter(|brokers| *brokers < 3) {
                let has = units::plural(brokers, "broker");
                problems
                    .error(span, format!("the minority of {has} is nobody"), "strikes nobody")
                    .help("write `random` for one broker, or give [cluster] three brokers");
            }
        }
        Target::Controller | Target::Majority | Target::All | Target::Same(_) => {}
    }
}

fn check_broker(BrokerId(id): BrokerId, brokers: Option<u32>, span: &Span, problems: &mut Problems) {
    let Some(brokers) = brokers else { return };
    if u32::try_from(id).is_ok_and(|id| (1..=brokers).contains(&id)) {
        return;
    }
    problems
        .error(span, format!("there is no broker {id}"), "not in the cluster")
        .help(format!("the cluster has {}, counted from 1", units::plural(brokers, "broker")));
}

fn check_partition(
    raw: &RawScenario,
    target: &TopicPartition,
    replicas_needed: u32,
    span: &Span,
    problems: &mut Problems,
) {
    let name = At { value: target.topic.clone(), span: span.clone() };
    let Some(topic) = load::declared_topic(raw, &name, problems) else { return };
    let number = target.partition.0;
    if let Some(partitions) = cluster::partitions(topic)
        && !u32::try_from(number).is_ok_and(|number| number < partitions)
    {
        let has = units::plural(partitions, "partition");
        problems
            .error(span, format!("topic `{}` has no partition {number}", target.topic), "not in the topic")
            .help(format!("it has {has}, counted from 0"));
    }
    let replicas = cluster::replicas(topic, cluster::brokers(raw));
    if replicas.is_some_and(|replicas| replicas < replicas_needed) {
        problems
            .error(span, format!("`{target}` has no followers"), "strikes nobody")
            .help("give the topic a greater `replication-factor`, or strike the leader");
    }
}

fn check_group(raw: &RawScenario, group: &str, span: &Span, problems: &mut Problems) {
    let mut declared = items(&raw.groups).map(|group| group.name.value());
    if declared.any(|name| name.is_none_or(|name| name == group)) {
        return;
    }
    let known: Vec<String> = items(&raw.groups).filter_map(|group| group.name.value().cloned()).collect();
    problems
        .error(span, format!("there is no consumer group `{group}`"), "not declared by any [[consumer-group]]")
        .help(names::help_for_unknown(group, "consumer group", &known));
}
