//! `[[fault]]`: each by itself, and what its target names.

use std::time::Duration;

use super::{
    again, attach, cluster, fence, full_disk, items, keepsakes, load, names, overlap, phases_of, require, timing,
    transformer,
};
use crate::fault::{FaultId, FaultKind, Need, Target};
use crate::kafka::{BrokerId, TopicPartition};
use crate::scenario::RawKind;
use crate::scenario::problem::{Problems, Span};
use crate::scenario::raw::{RawFault, RawScenario, RawWhen};
use crate::scenario::read::At;
use crate::scenario::suggest::listed;
use crate::scenario::{ClusterKind, FaultSpec, Spread, Start, units};

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
        self.raw.start_span().clone()
    }

    /// Where its target stands.
    pub(super) fn target_span(&self) -> Span {
        let target = self.raw.kinds.iter().find_map(|kind| kind.struck.first());
        target.map_or_else(|| self.raw.span.clone(), |target| target.span.clone())
    }

    /// Where it stands what is changed: its target, the partition that it names, or else its kind's table.
    pub(super) fn change_span(&self) -> Span {
        let kind = self.raw.kinds.first();
        let target = kind.and_then(|kind| kind.struck.first().or(kind.targets.first()));
        let span = target.map(|target| &target.span).or(kind.map(|kind| &kind.span));
        span.unwrap_or(&self.raw.span).clone()
    }
}

/// Every `[[fault]]`.
pub(super) fn faults(raw: &RawScenario, problems: &mut Problems) -> Vec<FaultSpec> {
    let named = items(&raw.faults).filter_map(|fault| fault.when.id.get());
    names::unique("faults named", named, names::OWN_NAME, problems);
    let placed = read_all(raw, problems);
    for kind in items(&raw.faults).flat_map(|fault| &fault.kinds) {
        for target in &kind.targets {
            if check_sort(kind, target, problems) {
                check_target(raw, target, problems);
            }
        }
        let needs_a_container = kind.facts().needs.contains(&Need::Engine);
        if needs_a_container {
            attach::check_reach(raw, &kind.span, &kind.struck, problems);
        }
    }
    // Unless every fault could be read, references between them cannot be judged.
    if placed.len() == items(&raw.faults).count() {
        again::check(raw, &placed, problems);
        timing::check(raw, &placed, problems);
        fence::check(raw, &placed, problems);
        transformer::check_faults(raw, &placed, problems);
        full_disk::check(raw, &placed, problems);
        if let Some(phases) = phases_of(raw) {
            overlap::check(&placed, &phases, problems);
            keepsakes::check(&placed, &phases, problems);
        }
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
    let when = &fault.when;
    let id = require(&when.id, "[[fault]]", &when.span, "id", "id = \"kill\"", problems)
        .map(|id| names::plain("fault", id, problems));
    let start = start(when, problems);
    let kind = the_kind(fault, problems);
    let duration = kind.and_then(|kind| duration(when, kind, problems));
    let again = again::read(when, duration, problems);
    let (kind, target) = kind?.read.clone()?;
    Some(FaultSpec { id: FaultId(id?), kind, target, start: start?, duration: duration?, again: again? })
}

/// `at`, or `after` with its `delay`, or the first of `every`.
fn start(fault: &RawWhen, problems: &mut Problems) -> Option<Start> {
    if let (Some(at), Some(after)) = (fault.at.get(), fault.after.get()) {
        problems
            .error(&after.span, "a fault starts by `at` or by `after`, not by both", "and here")
            .and_at(at.span.clone(), "here")
            .help("remove one of them");
        return None;
    }
    if fault.at.is_missing() && fault.after.is_missing() && fault.every.is_missing() {
        problems
            .error(&fault.span, "nothing says when this fault starts", "`at` or `after` is missing")
            .help("add at = \"5s\", counted from the beginning of the chaos phase, or after = \"other-fault\"");
        return None;
    }
    if let Some(At { value, .. }) = fault.at.get() {
        if let Some(delay) = fault.delay.get().filter(|_| fault.repeat.is_missing() && fault.every.is_missing()) {
            problems
                .error(&delay.span, "`delay` belongs to `after`", "this fault starts by `at`")
                .help("remove it, and add its time to `at`");
        }
        return Some(Start::At(*value));
    }
    if let (true, true, Some(every)) = (fault.at.is_missing(), fault.after.is_missing(), fault.every.get()) {
        return Some(Start::At(every.value.least));
    }
    let after = fault.after.get()?;
    let delay = if fault.delay.is_missing() { Duration::ZERO } else { *fault.delay.value()? };
    Some(Start::After { fault: FaultId(after.value.clone()), delay })
}

/// Exactly one kind.
fn the_kind<'a>(fault: &'a RawFault, problems: &mut Problems) -> Option<&'a RawKind> {
    match fault.kinds.as_slice() {
        // To call the kind missing as well would be to tell one mistake twice; but one has to be told.
        [] if fault.meant.is_some() && problems.any_error() => None,
        [] => {
            let kinds = listed(FaultKind::NAMES.iter().copied());
            problems
                .error(&fault.span, "this fault does nothing", "its kind is missing")
                .help(format!("add one of {kinds}: {EXAMPLE_TARGET}"));
            None
        }
        [kind] => Some(kind),
        [first, rest @ ..] => {
            let keys = listed(fault.kinds.iter().map(|kind| kind.name));
            let message = format!("a fault does one thing, not {}", fault.kinds.len());
            let problem = problems.error(&first.span, message, "the first");
            for extra in rest {
                problem.and_at(extra.span.clone(), "and another");
            }
            problem.help(format!("make a [[fault]] of each of {keys}: they may start at the same time"));
            None
        }
    }
}

fn duration(fault: &RawWhen, kind: &RawKind, problems: &mut Problems) -> Option<Spread> {
    let heals_itself = !kind.facts().has_length;
    match fault.length.get() {
        Some(length) if heals_itself => {
            problems
                .error(&length.span, format!("a {} has no `for`", kind.name), "it ends by itself")
                .help("remove it; what keeps a broker down for that long is `stop`");
            None
        }
        None if heals_itself => Some(Spread::default()),
        Some(At { value, span }) if value.least.is_zero() => {
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

/// Whether the kind strikes targets of this sort: brokers, clients or groups.
fn check_sort(kind: &RawKind, At { value, span }: &At<Target>, problems: &mut Problems) -> bool {
    let strikes = kind.facts().strikes;
    if strikes.takes(value) {
        return true;
    }
    let whom = strikes.whom();
    problems
        .error(span, format!("`{}` strikes {whom}, and `{value}` is none", kind.name), format!("not among the {whom}"))
        .help(format!("its targets are {}", strikes.forms()));
    false
}

/// Whether the target's broker, partition, client or group exists, and how many there can be.
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
        Target::Coordinator(group) => {
            let transformers = items(&raw.transformers).map(|transformer| transformer.name.value());
            check_group(groups(raw).chain(transformers).collect(), group, span, problems);
        }
        Target::Group(group) => check_group(groups(raw).collect(), group, span, problems),
        Target::Producer { name, index } => {
            let out = transformer::producers(raw);
            let producers = items(&raw.producers).map(|producer| (producer.name.value(), producer.count.or(1)));
            let declared: Vec<_> = producers.chain(out.iter().map(|(name, count)| (name.as_ref(), *count))).collect();
            check_client("producer", &declared, name, *index, span, problems);
        }
        Target::Member { group, index } => {
            let declared: Vec<_> = items(&raw.groups).map(|group| (group.name.value(), group.members.or(1))).collect();
            check_client("consumer group", &declared, group, *index, span, problems);
        }
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
        Target::Set(_) => unreachable!("its members are looked at one by one"),
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

fn groups(raw: &RawScenario) -> impl Iterator<Item = Option<&String>> {
    items(&raw.groups).map(|group| group.name.value())
}

fn check_group(declared: Vec<Option<&String>>, group: &str, span: &Span, problems: &mut Problems) {
    if declared.iter().any(|name| name.is_none_or(|name| name == group)) {
        return;
    }
    let known: Vec<String> = declared.into_iter().flatten().cloned().collect();
    problems
        .error(span, format!("there is no consumer group `{group}`"), "not declared by any [[consumer-group]]")
        .help(names::help_for_unknown(group, "consumer group", &known));
}

/// Whether there is a client of this name and number among those `declared`, each a name and a count.
fn check_client(
    what: &str,
    declared: &[(Option<&String>, u32)],
    name: &str,
    index: Option<u32>,
    span: &Span,
    problems: &mut Problems,
) {
    let known: Vec<String> = declared.iter().filter_map(|(name, _)| (*name).cloned()).collect();
    let Some((_, count)) = declared.iter().find(|(declared, _)| declared.is_some_and(|declared| declared == name))
    else {
        // One whose name cannot be read may be meant.
        if known.len() == declared.len() {
            problems
                .error(span, format!("there is no {what} `{name}`"), "not declared")
                .help(names::help_for_unknown(name, what, &known));
        }
        return;
    };
    if let Some(index) = index.filter(|index| index >= count) {
        let has = if what == "producer" { units::plural(*count, "producer") } else { units::plural(*count, "member") };
        problems
            .error(span, format!("`{name}` has no number {index}"), "more than there are")
            .help(format!("it has {has}, counted from 0"));
    }
}
