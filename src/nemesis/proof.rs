//! Looks at a fault's targets before, during and after it, and writes down what three witnesses said.
//!
//! Nothing is judged here: whether the looks prove the fault is for `check::proof` to say, from the history alone.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::cluster::{Cluster, ClusterError};
use crate::fault::{FaultId, Moment, Observation, Probe, ProcessState, Standing};
use crate::history::EventKind;
use crate::history::recorder::RecorderHandle;
use crate::kafka::{BrokerId, ClusterView};

/// How often targets are looked at. Fine enough to tell when a broker was fenced; coarse enough not to be load.
const LOOK_INTERVAL: Duration = Duration::from_millis(400);

/// Looks at one fault's targets and records each look that shows something new.
pub struct Witness<'a> {
    cluster: &'a Arc<dyn Cluster>,
    recorder: &'a RecorderHandle,
    fault: &'a FaultId,
    targets: &'a [BrokerId],
    last: BTreeMap<BrokerId, (Moment, Observation)>,
}

impl<'a> Witness<'a> {
    /// A witness of one fault.
    pub fn new(
        cluster: &'a Arc<dyn Cluster>,
        recorder: &'a RecorderHandle,
        fault: &'a FaultId,
        targets: &'a [BrokerId],
    ) -> Self {
        Self { cluster, recorder, fault, targets, last: BTreeMap::new() }
    }

    /// Looks at every target once.
    pub async fn look(&mut self, moment: Moment) {
        let cluster = self.cluster.as_ref();
        let looks =
            join_all(self.targets.iter().map(|broker| async move { (*broker, observe(cluster, *broker).await) }));
        for (target, look) in looks.await {
            match look {
                Ok(observation) => self.record(moment, target, observation),
                Err(error) => self.recorder.event(EventKind::HarnessError {
                    message: format!("could not look at {target} for fault `{}`: {error}", self.fault),
                }),
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

    /// Looks until every target runs, answers and is in sync for all its partitions again. False when that takes longer
    /// than `limit`.
    pub async fn watch_until_whole(&mut self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        loop {
            self.look(Moment::After).await;
            if self.last.len() == self.targets.len() && self.last.values().all(|(_, look)| is_whole(look)) {
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
            self.recorder.event(EventKind::Proof { fault: self.fault.clone(), moment, target, observation });
        }
    }
}

/// Asks the engine, the broker itself, and the other brokers; all three at once.
async fn observe(cluster: &dyn Cluster, broker: BrokerId) -> Result<Observation, ClusterError> {
    let (process, probe, view) =
        tokio::join!(cluster.process_state(broker), cluster.probe(broker), cluster.view(Some(broker)));
    Ok(Observation { process: process?, probe, standing: view.ok().map(|view| standing(&view, broker)) })
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
    matches!(look.process, ProcessState::Running { .. })
        && matches!(look.probe, Probe::Answered { .. })
        && look.standing.is_some_and(|standing| standing.registered && standing.in_isr_of == standing.replica_of)
}

/// Whether two looks say the same; how fast an answer came is no news.
fn same(a: &Observation, b: &Observation) -> bool {
    let probe_alike = match (&a.probe, &b.probe) {
        (Probe::Answered { .. }, Probe::Answered { .. }) => true,
        (a, b) => a == b,
    };
    probe_alike && a.process == b.process && a.standing == b.standing
}
