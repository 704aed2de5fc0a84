//! The load: producers, consumer groups, and the final drain.
//!
//! Each client has a thread of its own and everything here blocks; an async caller uses `spawn_blocking`. A client's life
//! is in the history from `process-started` to `process-ended`, each invoked send is one send row, and each record that
//! came out of a client library is one read row, whatever it holds.

mod close;
mod committer;
mod config;
mod consumer;
mod counters;
pub mod drain;
pub mod ends;
mod errors;
mod held;
mod in_flight;
mod membership;
pub mod outcome;
mod pace;
pub mod payload;
mod producer;
mod progress;
mod reading;
mod status;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;

pub use counters::{Counters, ProcessIds, Totals};
pub use status::{Persistence, persistence};

use crate::history::event::LogRange;
use crate::history::recorder::RecorderHandle;
use crate::kafka::{Access, Partition, TopicIndex};
use crate::plan::Plan;
use crate::scenario::{GroupSpec, ProducerSpec, Scenario};
use consumer::Member;
use drain::DrainError;
use ends::Ends;
use payload::RunTag;
use producer::{Producer, Shared, StopOrder};
use progress::Progress;
use reading::Topics;

/// How much longer than its limit a producer may take: its purge and its client's end.
const PRODUCER_GRACE: Duration = Duration::from_secs(20);
/// How much longer than its limit a member may take: its last commit, its leave, and its client's end.
const MEMBER_GRACE: Duration = Duration::from_secs(60);

/// Why a load could not start.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// A client could not be made; its properties are wrong, most likely.
    #[error("cannot make a client for {label}")]
    Client {
        /// Whose.
        label: String,
        /// Why.
        source: KafkaError,
    },
    /// The plan has no seed for a producer: plan and scenario do not belong together.
    #[error("the plan has no seed for {name}/{index}")]
    NoSeed {
        /// The producers' name.
        name: String,
        /// Which of them.
        index: u32,
    },
    /// A topic is not among those that the history was begun with.
    #[error("`{0}` is no topic of this run")]
    UnknownTopic(String),
    /// A thread could not be started.
    #[error("cannot start the thread of {label}")]
    Thread {
        /// Whose.
        label: String,
        /// Why.
        source: std::io::Error,
    },
}

struct Group {
    progress: Arc<Progress>,
    members: Vec<(String, JoinHandle<()>)>,
}

/// A running load. Dropping it stops it without any drain.
pub struct Workload {
    shared: Shared,
    topics: Topics,
    stop: Arc<StopOrder>,
    abort: Arc<AtomicBool>,
    producers: Vec<(String, JoinHandle<()>)>,
    groups: Vec<Group>,
}

impl Workload {
    /// Makes every client of the scenario and starts them all. `recorder` must have been begun with the scenario's topics.
    pub fn start(
        scenario: &Scenario,
        plan: &Plan,
        access: &Access,
        recorder: &RecorderHandle,
    ) -> Result<Self, WorkloadError> {
        let shared = Shared {
            run: RunTag::of(&recorder.header().run),
            recorder: recorder.clone(),
            counters: Arc::default(),
            ids: Arc::default(),
        };
        let mut workload = Self {
            shared,
            topics: Topics::of(recorder),
            stop: Arc::default(),
            abort: Arc::default(),
            producers: Vec::new(),
            groups: Vec::new(),
        };
        // Members are made and started first: a group that is there from the first record on is the plain case.
        for spec in &scenario.groups {
            workload.start_group(spec, access)?;
        }
        let mut producers = Vec::new();
        for spec in &scenario.producers {
            for index in 0..spec.count {
                producers.push(workload.make_producer(spec, index, plan, access)?);
            }
        }
        for (label, producer) in producers {
            let thread = spawn(&label, move || producer.run())?;
            workload.producers.push((label, thread));
        }
        Ok(workload)
    }

    /// The live totals.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.shared.counters)
    }

    /// What hands out process ids in this run; the drain takes its own from here.
    pub fn ids(&self) -> Arc<ProcessIds> {
        Arc::clone(&self.shared.ids)
    }

    /// Stops scheduling, and waits up to `limit` for what is in flight; what is unresolved then is purged, and becomes info
    /// rows. Blocks.
    pub fn finish_producers(&mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        self.stop.give(deadline);
        for (label, thread) in self.producers.drain(..) {
            close::join(thread, &label, &self.shared.recorder, deadline + PRODUCER_GRACE);
        }
    }

    /// How far the logs reach, asked of the cluster; see [`ends`]. Blocks for up to `limit`.
    pub fn end_offsets(&self, access: &Access, topics: &[(String, u32)], limit: Duration) -> Result<Ends, DrainError> {
        let acked = self.shared.counters.acked_ends();
        let acked = acked.into_iter().map(|(spot, end)| (self.topics.named(spot), end)).collect();
        ends::end_offsets(access, topics, &acked, limit)
    }

    /// Lets every group read to the ends of `ranges`, up to `limit`; then members say where they stand and leave. Blocks.
    /// Whether a group got there is in its members' positions; the reason of their end says what was missing.
    pub fn drain_groups(&mut self, ranges: &[LogRange], limit: Duration) {
        let deadline = Instant::now() + limit;
        for group in &self.groups {
            group.progress.drain_to(ranges, &self.topics, deadline);
        }
        for group in std::mem::take(&mut self.groups) {
            for (label, thread) in group.members {
                close::join(thread, &label, &self.shared.recorder, deadline + MEMBER_GRACE);
            }
        }
    }

    fn start_group(&mut self, spec: &GroupSpec, access: &Access) -> Result<(), WorkloadError> {
        let mut spots = Vec::new();
        for topic in &spec.topics {
            let (index, partitions) = self.topic(topic)?;
            spots.extend(partitions.map(|partition| (index, partition)));
        }
        let progress = Arc::new(Progress::new(spots));
        let mut members = Vec::new();
        for member in 0..spec.members {
            let label = format!("{}/{member}", spec.name);
            let assignment = consumer::Assignment {
                group: spec.name.clone(),
                member,
                topics: spec.topics.clone(),
                commit: spec.commit,
                config: config::member(spec, access, &label),
            };
            let (shared, abort) = (self.shared.clone(), Arc::clone(&self.abort));
            let made = Member::new(assignment, shared, Arc::clone(&progress), abort)
                .map_err(|source| WorkloadError::Client { label: label.clone(), source })?;
            members.push((label, made));
        }
        let mut group = Group { progress, members: Vec::new() };
        for (label, member) in members {
            let thread = spawn(&label, move || member.run())?;
            group.members.push((label, thread));
        }
        self.groups.push(group);
        Ok(())
    }

    fn make_producer(
        &self,
        spec: &ProducerSpec,
        index: u32,
        plan: &Plan,
        access: &Access,
    ) -> Result<(String, Producer), WorkloadError> {
        let label = format!("{}/{index}", spec.name);
        let seed = plan
            .clients
            .iter()
            .find(|client| client.name == spec.name && client.index == index)
            .ok_or_else(|| WorkloadError::NoSeed { name: spec.name.clone(), index })?
            .seed;
        let (topic_index, all) = self.topic(&spec.topic)?;
        let partitions = if spec.partitions.is_empty() {
            all.collect()
        } else {
            spec.partitions.iter().map(|partition| Partition(partition.cast_signed())).collect()
        };
        let assignment = producer::Assignment {
            name: spec.name.clone(),
            index,
            topic: spec.topic.clone(),
            topic_index,
            partitions,
            rate: spec.rate,
            size_bytes: spec.size_bytes,
            keys: spec.keys,
            in_flight: spec.in_flight,
            seed,
            acks: config::acks(&spec.config),
            config: config::producer(spec, access, &label),
        };
        let made = Producer::new(assignment, self.shared.clone(), Arc::clone(&self.stop))
            .map_err(|source| WorkloadError::Client { label: label.clone(), source })?;
        Ok((label, made))
    }

    /// A topic's index and its partitions.
    fn topic(&self, name: &str) -> Result<(TopicIndex, impl Iterator<Item = Partition> + use<>), WorkloadError> {
        let unknown = || WorkloadError::UnknownTopic(name.to_owned());
        let index = self.topics.index(name).ok_or_else(unknown)?;
        let partitions = &self.shared.recorder.header().partitions;
        let count = partitions.get(usize::from(index.0)).copied().filter(|count| *count > 0).ok_or_else(unknown)?;
        Ok((index, (0..count.cast_signed()).map(Partition)))
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        self.stop.give(Instant::now());
        self.abort.store(true, Ordering::Relaxed);
    }
}

fn spawn(label: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, WorkloadError> {
    std::thread::Builder::new()
        .name(label.to_owned())
        .spawn(work)
        .map_err(|source| WorkloadError::Thread { label: label.to_owned(), source })
}
