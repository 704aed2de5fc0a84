//! Looks at a fault's targets before, during and after it, and writes down what three witnesses said.
//!
//! Nothing is judged here: whether the looks prove the fault is for `check::proof` to say, from the history alone.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::Nemesis;
use crate::cluster::{Cluster, ClusterError};
use crate::fault::{FaultId, Hold, Moment, Observation, Probe, Question, Scene, Standing, Victim, is_full_around};
use crate::history::EventKind;
use crate::kafka::{BrokerId, ClusterView};
use crate::plan::Step;

/// How often targets are looked at. Fine enough to tell when a broker was fenced; coarse enough not to be load.
const LOOK_INTERVAL: Duration = Duration::from_millis(400);

/// Looks at one fault's targets and records each look that shows something new.
pub struct Witness<'a> {
    nemesis: &'a Nemesis,
    fault: &'a FaultId,
    /// Every target, and what is to be looked at of it beyond what is looked at of all.
    targets: BTreeMap<BrokerId, Vec<Question>>,
    /// The targets that are looked at now.
    turn: Vec<BrokerId>,
    /// Whom the fault may have taken out of an ISR, as far as those are concerned that are looked at now.
    touched: BTreeSet<BrokerId>,
    /// Whom it holds away.
    hold: Hold,
    last: BTreeMap<BrokerId, (Moment, Observation)>,
    /// What the others told of the cluster when a target was looked at last.
    views: BTreeMap<BrokerId, ClusterView>,
}

impl<'a> Witness<'a> {
    /// A witness of one fault.
    pub fn new(nemesis: &'a Nemesis, step: &'a Step, scene: &Scene, hold: Hold) -> Self {
        let mut targets: BTreeMap<BrokerId, Vec<Question>> =
            scene.brokers().map(|broker| (broker, Vec::new())).collect();
        for (broker, question) in step.kind.questions(scene) {
            targets.entry(broker).or_default().push(question);
        }
        let (turn, touched, last, views) = (Vec::new(), BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
        let mut witness = Self { nemesis, fault: &step.fault, targets, turn, touched, hold, last, views };
        witness.turn_to_all();
        witness
    }

    /// From now on only this target is looked at.
    pub fn turn_to(&mut self, target: &Victim) {
        self.turn = target.broker().into_iter().collect();
        self.touched = self.turn.iter().copied().collect();
    }

    /// From now on every target is looked at.
    pub fn turn_to_all(&mut self) {
        self.turn = self.targets.keys().copied().collect();
        self.touched = self.hold.brokers().into_iter().chain(self.turn.iter().copied()).collect();
    }

    /// Looks at every target once.
    pub async fn look(&mut self, moment: Moment) {
        let cluster = self.nemesis.cluster.as_ref();
        let targets = &self.targets;
        let looks = join_all(self.turn.iter().map(|broker| async move {
            let questions = targets.get(broker).map(Vec::as_slice).unwrap_or_default();
            (*broker, observe(cluster, *broker, questions).await)
        }));
        for (target, look) in looks.await {
            match look {
                Ok((observation, view)) => {
                    self.record(moment, target, observation);
                    // What was told before is not told any more.
                    self.views.remove(&target);
                    self.views.extend(view.map(|view| (target, view)));
                }
                Err(error) => {
                    // Nor is it where nobody could look: a target that was whole before the fault need not be so now.
                    self.last.remove(&target);
                    self.views.remove(&target);
                    self.nemesis
                        .harness_error(format!("could not look at {target} for fault `{}`: {error}", self.fault));
                }
            }
        }
    }

    /// Looks until every target works but those that `others` hold away, or until `stop` resolves: a machine that gasps for
    /// a moment is no reason to strike a broker of which nobody could say afterwards that it had worked. Whoever does not
    /// work within `limit` is struck all the same, and the history says how it was.
    pub async fn watch_until_well(&mut self, limit: Duration, others: impl Fn() -> Vec<Hold>, stop: impl Future) {
        let (mut stop, end) = (pin!(stop), Instant::now() + limit);
        loop {
            self.look(Moment::Before).await;
            let held: BTreeSet<BrokerId> = others().iter().flat_map(Hold::brokers).collect();
            let is_well = |broker| held.contains(broker) || self.last.get(broker).is_some_and(|(_, look)| look.works());
            if self.turn.iter().all(is_well) || Instant::now() >= end {
                return;
            }
            tokio::select! {
                () = sleep(LOOK_INTERVAL) => {}
                _ = &mut stop => return,
            }
        }
    }

    /// Looks again and again until `end`, or until `stop` resolves. At least once, however short the time is.
    pub async fn watch(&mut self, moment: Moment, end: Instant, stop: impl Future) {
        let mut stop = pin!(stop);
        loop {
            self.look(moment).await;
            let now = Instant::now();
            if now >= end {
                return;
            }
            tokio::select! {
                () = sleep(LOOK_INTERVAL.min(end - now)) => {}
                _ = &mut stop => return,
            }
        }
    }

    /// Looks until every target runs, answers and is in sync for all its partitions again, and the ISR is full of every
    /// partition that the fault may have touched, but for whom `others` hold away at that moment. False when that takes longer
    /// than `limit`.
    pub async fn watch_until_whole(&mut self, limit: Duration, others: impl Fn() -> Vec<Hold>) -> bool {
        let end = Instant::now() + limit;
        loop {
            self.look(Moment::After).await;
            let others = others();
            let is_full =
                |broker| self.views.get(broker).is_some_and(|view| is_full_around(view, &self.touched, &others));
            let is_whole = |broker| self.last.get(broker).is_some_and(|(_, look)| is_whole(look)) && is_full(broker);
            if self.turn.iter().all(is_whole) {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    fn record(&mut self, moment: Moment, target: BrokerId, observation: Observation) {
        let news = self.last.get(&target).is_none_or(|(last, seen)| *last != moment || !same(seen, &observation));
        self.last.insert(target, (moment, observation.clone()));
        if news {
            self.nemesis.recorder.event(EventKind::Proof { fault: self.fault.clone(), moment, target, observation });
        }
    }
}

/// Asks the engine, the broker itself, and the other brokers, and looks at what the fault's proof asks for; all at once.
async fn observe(
    cluster: &dyn Cluster,
    broker: BrokerId,
    questions: &[Question],
) -> Result<(Observation, Option<ClusterView>), ClusterError> {
    let (process, probe, view, sights) = tokio::join!(
        cluster.process_state(broker),
        cluster.probe(broker),
        cluster.view(Some(broker)),
        cluster.look(broker, questions)
    );
    let view = view.ok();
    let standing = view.as_ref().map(|view| standing(view, broker));
    Ok((Observation { process: process?, probe, standing, sights }, view))
}

fn standing(view: &ClusterView, broker: BrokerId) -> Standing {
    let count = |held: &dyn Fn(&crate::kafka::PartitionView) -> bool| {
        u32::try_from(view.partitions.iter().filter(|partition| held(partition)).count()).unwrap_or(u32::MAX)
    };
    Standing {
        registered: view.brokers.contains(&broker),
        replica_of: count(&|partition| partition.replicas.contains(&broker)),
        in_isr_of: count(&|partition| partition.isr.contains(&broker)),
        leads: count(&|partition| partition.leader == Some(broker)),
    }
}

fn is_whole(look: &Observation) -> bool {
    look.works()
        && look.standing.is_some_and(|standing| standing.registered && standing.in_isr_of == standing.replica_of)
}

/// Whether two looks say the same; how fast an answer came is no news.
fn same(a: &Observation, b: &Observation) -> bool {
    let probe_alike = match (&a.probe, &b.probe) {
        (Probe::Answered { .. }, Probe::Answered { .. }) => true,
        (a, b) => a == b,
    };
    probe_alike && a.process == b.process && a.standing == b.standing && a.sights == b.sights
}
