//! Measures what each fault did to producers and consumers, and how available each partition was, from what was counted of the rows.

use crate::check::availability::{self, Ended, Gap, Gaps};
use crate::check::consumption::{self, CaughtUp, Known};
use crate::check::faults::FaultLife;
use crate::check::recovery;
use crate::check::timeline::Timeline;
use crate::history::tally::{PartitionSends, Tally, Window};
use crate::history::{EventKind, History, Phase};
use crate::kafka::{Outcome, TimeNs, TopicPartition};
use crate::plan::Plan;
use crate::scenario::{ClusterKind, Scenario};

use super::thresholds::{Lasted, Measured};
use super::{Availability, FaultLine, Outage, PartitionAvailability};

/// What is measured of one fault; nanoseconds.
#[derive(Clone, Debug, Default)]
struct Aftermath {
    unavailability_ns: Option<u64>,
    acked_again: Option<TimeNs>,
    consume_stall_ns: Option<u64>,
    caught_up: Option<CaughtUp>,
}

/// Everything about faults and availability.
pub(super) fn measure(
    history: &History,
    scenario: &Scenario,
    plan: &Plan,
    (timeline, tally): (&Timeline, &Tally),
) -> (Vec<FaultLine>, Availability, Measured) {
    let lives = FaultLife::all(plan, history);
    let reaches: Vec<Window> = lives.iter().map(|life| life.reach(timeline.end)).collect();
    let heals: Vec<Option<TimeNs>> = lives.iter().map(|life| life.heal.done).collect();
    let mut availability = Availability::default();
    let mut measured = Measured::default();
    let mut aftermaths = vec![Aftermath::default(); lives.len()];
    for (place, sends) in tally.sends.partitions.iter() {
        let gaps = availability::gaps(&sends.waits, &sends.acks, &reaches);
        if sends.sent > 0 {
            measured.unavailability_ns = measured.unavailability_ns.max(Some(nanos(gaps.longest)));
        }
        if sends.sent > 0 {
            aftermaths.iter_mut().zip(&gaps.by_window).for_each(|(aftermath, gap)| aftermath.produced(*gap));
        }
        let partition = TopicPartition { topic: history.topic_name(place.0), partition: place.1 };
        let mut line = partition_line(&partition, sends, gaps);
        for name in tally.reads.groups() {
            let known = Known { end: timeline.end, deleted_below: timeline.deleted.get(&place).copied() };
            let read = tally.reads.group(place, name);
            let consumed = read.and_then(|read| consumption::of_group(&sends.acked_at, read, known, &reaches, &heals));
            let Some(consumed) = consumed else { continue };
            measured.consume_stall_ns = measured.consume_stall_ns.max(Some(nanos(consumed.gaps.longest)));
            line.stalled(name, consumed.gaps.longest);
            for (at, aftermath) in aftermaths.iter_mut().enumerate() {
                aftermath.consume_stall_ns = aftermath.consume_stall_ns.max(Some(nanos(consumed.gaps.by_window[at])));
                aftermath.caught_up = aftermath.caught_up.max(consumed.caught_up[at]);
            }
        }
        availability.partitions.push(line);
    }
    let worst = |of: fn(&PartitionAvailability) -> Option<u64>| availability.partitions.iter().filter_map(of).max();
    availability.max_unavailability_ms = worst(|line| line.max_unavailability_ms);
    availability.max_consume_stall_ms = worst(|line| line.max_consume_stall_ms);

    let mut faults = Vec::with_capacity(lives.len());
    for (at, life) in lives.iter().enumerate() {
        let recovery = recovery_of(life, history, scenario, timeline.end);
        measured.recoveries.extend(recovery);
        measured.catch_ups.extend(aftermaths[at].caught_up.map(|caught_up| match caught_up {
            CaughtUp::After(ns) => Lasted::Exactly(ns),
            CaughtUp::Never => Lasted::AtLeast(life.heal.done.map_or(0, |healed| timeline.end.since(healed))),
        }));
        let mut line = fault_line(life, scenario.cluster.kind, tally.sends.overlapping[at], recovery);
        line.take(&aftermaths[at], tally.sends.first_failures[at], life, timeline.end);
        line.settled_ms = reaches[at].and_then(|(asked, _)| settled(history, &lives, asked));
        faults.push(line);
    }
    (faults, availability, measured)
}

impl Aftermath {
    /// Takes the longest gap of one partition more.
    fn produced(&mut self, gap: Option<Gap>) {
        if Some(nanos(gap)) > self.unavailability_ns {
            self.unavailability_ns = Some(nanos(gap));
            self.acked_again = gap.filter(|gap| gap.ended == Ended::Served).map(|gap| gap.end);
        }
    }
}

impl PartitionAvailability {
    /// Keeps the longest stall of any group.
    fn stalled(&mut self, group: &str, longest: Option<Gap>) {
        let ms = TimeNs(nanos(longest)).as_millis();
        if Some(ms) <= self.max_consume_stall_ms {
            return;
        }
        self.max_consume_stall_ms = Some(ms);
        if ms > 0 {
            self.stall_began_ms = longest.map(|gap| gap.start.as_millis());
            self.stalled_group = Some(group.to_owned());
        }
    }
}

impl FaultLine {
    fn take(&mut self, aftermath: &Aftermath, first_failure: Option<TimeNs>, life: &FaultLife<'_>, end: TimeNs) {
        let asked = life.inject.invoked;
        let after = |time: Option<TimeNs>| time.zip(asked).map(|(time, asked)| TimeNs(time.since(asked)).as_millis());
        let lasted = |ns: Option<u64>| ns.filter(|_| asked.is_some()).map(|ns| TimeNs(ns).as_millis());
        self.unavailability_ms = lasted(aftermath.unavailability_ns);
        self.acked_again_ms = after(aftermath.acked_again);
        self.first_failure_ms = after(first_failure);
        self.consume_stall_ms = lasted(aftermath.consume_stall_ns);
        match aftermath.caught_up {
            Some(CaughtUp::After(ns)) => self.caught_up_ms = Some(TimeNs(ns).as_millis()),
            Some(CaughtUp::Never) => {
                self.still_behind_ms = life.heal.done.map(|healed| TimeNs(end.since(healed)).as_millis());
            }
            None => {}
        }
    }
}

fn nanos(gap: Option<Gap>) -> u64 {
    gap.map_or(0, |gap| gap.nanos())
}

fn earliest(one: Option<TimeNs>, other: Option<TimeNs>) -> Option<TimeNs> {
    one.into_iter().chain(other).min()
}

/// How long after a fault was asked for the groups' partitions changed hands for the last time, before the next fault was asked
/// for or the load ended: from then on every group was stable. `None` if none changed hands.
fn settled(history: &History, lives: &[FaultLife<'_>], asked: TimeNs) -> Option<u64> {
    let next = lives.iter().filter_map(|life| life.inject.invoked).filter(|time| *time > asked).min();
    let drained = history.events.iter().find_map(|event| match event.kind {
        EventKind::PhaseStarted { phase: Phase::Drain } => Some(event.time_ns),
        _ => None,
    });
    let until = earliest(next, drained).unwrap_or(TimeNs(u64::MAX));
    let moved = history.events.iter().filter(|event| {
        matches!(event.kind, EventKind::Assigned { .. } | EventKind::Revoked { .. })
            && asked < event.time_ns
            && event.time_ns < until
    });
    moved.map(|event| TimeNs(event.time_ns.since(asked)).as_millis()).max()
}

fn partition_line(partition: &TopicPartition, sends: &PartitionSends, gaps: Gaps) -> PartitionAvailability {
    let Gaps { longest, outages, .. } = gaps;
    PartitionAvailability {
        partition: partition.to_string(),
        acked: sends.of(Outcome::Ok),
        max_unavailability_ms: (sends.sent > 0).then(|| TimeNs(nanos(longest)).as_millis()),
        began_ms: longest.map(|gap| gap.start.as_millis()),
        outages: outages
            .into_iter()
            .map(|gap| Outage { from_ms: gap.start.as_millis(), to_ms: gap.end.as_millis() })
            .collect(),
        ..PartitionAvailability::default()
    }
}

/// How long it took after a heal until all was well: the cluster whole again, or, where only clients were struck, which
/// cannot break it, each of them at work again.
fn recovery_of(life: &FaultLife<'_>, history: &History, scenario: &Scenario, end: TimeNs) -> Option<Lasted> {
    let healed = life.heal.done?;
    let answered = life.answered_again();
    let whole = if life.targets.iter().any(|victim| victim.broker().is_some()) {
        let whole_since = |answered| recovery::whole_again(&history.events, answered, scenario.cluster.brokers);
        answered.and_then(|answered| whole_since(healed.max(answered)))
    } else {
        answered
    };
    Some(match whole {
        Some(whole) => Lasted::Exactly(whole.since(healed)),
        None => Lasted::AtLeast(end.since(healed)),
    })
}

fn fault_line(
    life: &FaultLife<'_>,
    cluster: ClusterKind,
    sends_overlapping: u64,
    recovery: Option<Lasted>,
) -> FaultLine {
    let proof = life.proof();
    FaultLine {
        id: life.step.fault.clone(),
        kind: life.step.kind.name().to_owned(),
        target: life.step.target.to_string(),
        targets: life.targets.clone(),
        detail: life.step.kind.detail(),
        injected_ms: life.inject.done.map(TimeNs::as_millis),
        healed_ms: life.heal.done.map(TimeNs::as_millis),
        proven: proof.proven,
        proof: match cluster {
            ClusterKind::Mock => format!("mock: {}", proof.sentence),
            ClusterKind::Docker | ClusterKind::Attach => proof.sentence,
        },
        sends_overlapping,
        recovery_ms: match recovery {
            Some(Lasted::Exactly(ns)) => Some(TimeNs(ns).as_millis()),
            Some(Lasted::AtLeast(_)) | None => None,
        },
        unavailability_ms: None,
        first_failure_ms: None,
        acked_again_ms: None,
        settled_ms: None,
        caught_up_ms: None,
        still_behind_ms: None,
        consume_stall_ms: None,
    }
}
