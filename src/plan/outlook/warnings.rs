//! What of a plan may not be as meant. The schema and the validation have let it pass: all of this can be run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::reach::cut_apart;
use super::sweep::sweep;
use super::{Away, Effect, FaultOutlook, Outlook, Quorum, Stretch, Timing, Window};
use crate::fault::{ClientAction, FaultId};
use crate::plan::{Plan, PlannedStart, Step};
use crate::scenario::units::{plural, show};
use crate::scenario::{ClusterKind, GroupSpec, QuorumLoss, Scenario};

/// Kafka's own `broker.session.timeout.ms`: how long the controllers wait for a broker before they fence it.
const BROKER_SESSION_MS: u64 = 9_000;

/// What members get as `session.timeout.ms` where the scenario sets none.
const GROUP_SESSION_MS: u64 = 10_000;

/// Something that a person should know before the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// What sort of thing.
    pub warning: WarningKind,
    /// The steps that it is about.
    pub steps: Vec<FaultId>,
    /// What it is, in a sentence.
    pub text: String,
}

/// The sorts of warnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WarningKind {
    /// No majority of controllers is left.
    QuorumLost,
    /// Fewer replicas are left than `min.insync.replicas`.
    TooFewReplicas,
    /// More would be away than `max-unavailable` allows, so that a fault is skipped.
    BeyondBound,
    /// More may be away at once than is drawn, because a fault comes later or lasts longer.
    MayMeet,
    /// A fault that waits for others may strike after the chaos phase should have ended.
    MayOutlastChaos,
    /// The recovery is shorter than the time in which a lost broker or member is noticed.
    ShortRecovery,
}

/// Every warning.
pub(super) fn warnings(scenario: &Scenario, plan: &Plan, outlook: &Outlook) -> Vec<Warning> {
    let mut all = Vec::new();
    all.extend(beyond_bound(plan, outlook, scenario.cluster.brokers));
    all.extend(quorum_lost(scenario, plan, outlook));
    all.extend(too_few_replicas(scenario, plan, outlook));
    all.extend(may_meet(scenario, plan, outlook));
    all.extend(may_outlast(scenario, plan, &outlook.faults));
    all.extend(short_recovery(scenario, plan, &outlook.faults));
    all
}

/// The first stretch with more brokers away than may be. Of a bridge the bound counts both halves, though neither is away for all.
fn beyond_bound(plan: &Plan, outlook: &Outlook, brokers: u32) -> Option<Warning> {
    let bound = plan.safety.max_unavailable?;
    let both_halves = |fault: &&FaultOutlook| fault.effect == Effect::OthersCutOff;
    let counted = |stretch: &Stretch| {
        let windows = outlook.faults.iter().filter(both_halves).flat_map(|fault| {
            let struck = Away { brokers: fault.brokers.clone(), more: fault.more_brokers };
            fault.windows.iter().map(move |window| (window, cut_apart(brokers, &struck)))
        });
        let other_halves = windows.filter(|(window, _)| stretch.steps.contains(&window.step)).map(|(_, both)| both / 2);
        other_halves.fold(stretch.brokers, u32::saturating_add).min(brokers)
    };
    let stretch = outlook.away.iter().find(|stretch| counted(stretch) > bound)?;
    let text = format!(
        "{}: {} would be away at once, and `max-unavailable` is {bound}: the last to strike is skipped, and the run is \
         inconclusive",
        when(stretch),
        up_to(counted(stretch))
    );
    Some(Warning { warning: WarningKind::BeyondBound, steps: stretch.steps.clone(), text })
}

/// The longest stretch without a majority of controllers.
fn quorum_lost(scenario: &Scenario, plan: &Plan, outlook: &Outlook) -> Option<Warning> {
    let quorum = outlook.controllers.filter(|quorum| !quorum.holds)?;
    if scenario.safety.quorum_loss == QuorumLoss::Allowed {
        return None;
    }
    let stretch = longest(&outlook.away, |stretch| loses_quorum(quorum, bounded(plan, stretch.brokers)))?;
    let overlap = if stretch.steps.len() > 1 { ", because faults overlap" } else { "" };
    let away = bounded(plan, stretch.brokers);
    let left = match quorum.controllers.saturating_sub(away) {
        1 => "1 is".to_owned(),
        left => format!("{left} are"),
    };
    let text = format!(
        "{}: {} of {} controllers away{overlap}, and {left} no majority: no leader is elected and no ISR changes",
        when(stretch),
        away,
        quorum.controllers
    );
    Some(Warning { warning: WarningKind::QuorumLost, steps: stretch.steps.clone(), text })
}

fn loses_quorum(quorum: Quorum, away: u32) -> bool {
    quorum.controllers.saturating_sub(away) < quorum.majority
}

/// For each topic the longest stretch without its `min.insync.replicas`, while a majority of controllers is there; without one it
/// is no news.
fn too_few_replicas(scenario: &Scenario, plan: &Plan, outlook: &Outlook) -> Vec<Warning> {
    let has_quorum = |away| outlook.controllers.is_none_or(|quorum| !loses_quorum(quorum, away));
    let mut warnings = Vec::new();
    for topic in outlook.topics.iter().filter(|topic| topic.holds == Some(false)) {
        let Some(needed) = topic.min_insync else { continue };
        let is_short = |stretch: &Stretch| {
            let away = bounded(plan, stretch.brokers);
            has_quorum(away) && topic.replicas.saturating_sub(away) < needed
        };
        let Some(stretch) = longest(&outlook.away, is_short) else { continue };
        let left = topic.replicas.saturating_sub(bounded(plan, stretch.brokers));
        let are = if left == 1 { "is" } else { "are" };
        let text = format!(
            "{}: {left} of {} replicas of {} {are} left, and `min.insync.replicas` is {needed}: what is sent with acks=all is \
             refused, or waits",
            when(stretch),
            topic.replicas,
            topic.topic
        );
        warnings.push(Warning { warning: WarningKind::TooFewReplicas, steps: stretch.steps.clone(), text });
    }
    // Topics that are alike are told once; what is said of them differs by the name only.
    if warnings.len() > 1 && scenario.topics.iter().all(|topic| topic.config == scenario.topics[0].config) {
        warnings.truncate(1);
    }
    warnings
}

/// What is drawn at the earliest may come later, and what ends by itself may take long. Those of one chain wait for one another.
fn may_meet(scenario: &Scenario, plan: &Plan, outlook: &Outlook) -> Option<Warning> {
    let quorum = outlook.controllers?;
    let brokers = scenario.cluster.brokers;
    let drawn = outlook.away.iter().map(|stretch| stretch.brokers).max().unwrap_or(0);
    let is_bound = plan.safety.max_unavailable.is_some_and(|bound| !loses_quorum(quorum, bound));
    if is_bound || loses_quorum(quorum, drawn) {
        return None;
    }
    let windows: Vec<&Window> = outlook.faults.iter().flat_map(|fault| &fault.windows).collect();
    let end = plan.phases.chaos_ms.max(drawn_end(&windows));
    let open = |window: &Window| match (window.timing, window.until_ms) {
        (Timing::Exact, Some(until)) => until,
        _ => end,
    };
    let roots = roots(plan);
    let at_once = |stretch: &Stretch| {
        let mut chains: BTreeMap<&FaultId, Away> = BTreeMap::new();
        for window in windows.iter().filter(|window| stretch.steps.contains(&window.step)) {
            let chain = chains.entry(roots.get(&window.step).copied().unwrap_or(&window.step)).or_default();
            if window.away.at_most(brokers) > chain.at_most(brokers) {
                *chain = window.away.clone();
            }
        }
        chains.values().fold(Away::default(), Away::and).at_most(brokers)
    };
    let possible = sweep(&windows, brokers, open);
    let stretch = possible.iter().find(|stretch| loses_quorum(quorum, at_once(stretch)))?;
    let text = format!(
        "{} may be away at once if what waits for the cluster, or ends by itself, takes longer than drawn",
        up_to(at_once(stretch))
    );
    Some(Warning { warning: WarningKind::MayMeet, steps: stretch.steps.clone(), text })
}

fn drawn_end(windows: &[&Window]) -> u64 {
    windows.iter().filter_map(|window| window.until_ms).max().unwrap_or(0)
}

/// The step at the head of each step's chain.
fn roots(plan: &Plan) -> BTreeMap<&FaultId, &FaultId> {
    let mut roots: BTreeMap<&FaultId, &FaultId> = BTreeMap::new();
    // Steps stand behind those that they wait for.
    for step in &plan.steps {
        let root = match &step.start {
            PlannedStart::AtMs(_) => &step.fault,
            PlannedStart::After { fault, .. } => roots.get(fault).copied().unwrap_or(&step.fault),
        };
        roots.insert(&step.fault, root);
    }
    roots
}

/// The last fault that waits for others and has less time to spare than it takes to notice that a broker is gone.
fn may_outlast(scenario: &Scenario, plan: &Plan, faults: &[FaultOutlook]) -> Option<Warning> {
    let waits = |window: &&Window| window.timing == Timing::Earliest;
    let windows = faults.iter().flat_map(|fault| &fault.windows).filter(waits);
    let last = windows.max_by_key(|window| window.until_ms.unwrap_or(window.from_ms))?;
    let spare_ms = plan.phases.chaos_ms.saturating_sub(last.until_ms.unwrap_or(last.from_ms));
    if spare_ms >= broker_session_ms(scenario) {
        return None;
    }
    let text = format!(
        "`{}` waits for the cluster and has {} to spare: if that takes longer, it outlasts the chaos phase, and the load goes on \
         that long; it gets its turn within {} more, or not at all",
        last.step,
        shown(spare_ms),
        shown(plan.phases.recovery_limit_ms)
    );
    Some(Warning { warning: WarningKind::MayOutlastChaos, steps: vec![last.step.clone()], text })
}

/// A recovery in which nobody may notice what was lost.
fn short_recovery(scenario: &Scenario, plan: &Plan, faults: &[FaultOutlook]) -> Vec<Warning> {
    let limit_ms = plan.phases.recovery_limit_ms;
    let mut warnings = Vec::new();
    let mut warn = |session_ms: u64, of: &str, who: &str, steps: Vec<FaultId>| {
        if limit_ms < session_ms && !steps.is_empty() {
            let text = format!(
                "recovery takes {} at most, and {who} is given up after {} ({of}): what is lost last may not be whole by then",
                shown(limit_ms),
                shown(session_ms)
            );
            warnings.push(Warning { warning: WarningKind::ShortRecovery, steps, text });
        }
    };
    if scenario.cluster.kind == ClusterKind::Docker {
        let away = faults.iter().filter(|fault| fault.effect.is_away());
        let steps = away.map(|fault| fault.fault.clone()).collect();
        warn(broker_session_ms(scenario), "broker.session.timeout.ms", "a broker", steps);
    }
    for group in scenario.all_groups() {
        let Some(session_ms) = group_session_ms(group) else { continue };
        let who = format!("a member of {}", group.name);
        warn(session_ms, "session.timeout.ms", &who, strikes_on(plan, group));
    }
    warnings
}

/// The steps that crash or freeze members of the group.
fn strikes_on(plan: &Plan, group: &GroupSpec) -> Vec<FaultId> {
    let silences = |step: &&Step| {
        let action = step.kind.client_action();
        let is_silent = matches!(action, Some(ClientAction::Crash | ClientAction::Freeze));
        let is_member = |client: &String| client.rsplit_once('/').is_some_and(|(name, _)| name == group.name);
        is_silent && plan.clients_of(step).iter().any(is_member)
    };
    let steps: BTreeSet<&FaultId> = plan.steps.iter().filter(silences).map(Step::origin).collect();
    steps.into_iter().cloned().collect()
}

fn broker_session_ms(scenario: &Scenario) -> u64 {
    let written = scenario.cluster.config.get("broker.session.timeout.ms");
    written.and_then(|written| written.trim().parse().ok()).unwrap_or(BROKER_SESSION_MS)
}

/// `None` for groups whose timeout the brokers decide (KIP-848).
fn group_session_ms(group: &GroupSpec) -> Option<u64> {
    if group.config.get("group.protocol").is_some_and(|protocol| protocol.trim().eq_ignore_ascii_case("consumer")) {
        return None;
    }
    let written = group.config.get("session.timeout.ms");
    Some(written.and_then(|written| written.trim().parse().ok()).unwrap_or(GROUP_SESSION_MS))
}

/// So many, or as many as the nemesis lets be away.
fn bounded(plan: &Plan, away: u32) -> u32 {
    plan.safety.max_unavailable.map_or(away, |bound| away.min(bound))
}

fn longest(away: &[Stretch], is_meant: impl Fn(&Stretch) -> bool) -> Option<&Stretch> {
    // The first of those that are as long.
    away.iter().rev().filter(|stretch| is_meant(stretch)).max_by_key(|stretch| stretch.until_ms - stretch.from_ms)
}

/// `12s to 15s (a, b)`: the time and whose it is.
fn when(stretch: &Stretch) -> String {
    let steps: Vec<String> = stretch.steps.iter().map(ToString::to_string).collect();
    format!("{} ({})", stretch.when(), steps.join(", "))
}

fn up_to(brokers: u32) -> String {
    format!("up to {}", plural(brokers, "broker"))
}

fn shown(millis: u64) -> String {
    show(Duration::from_millis(millis))
}
