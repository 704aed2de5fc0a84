//! The load: producers, consumer groups, what consumes and produces in one, and the final drain.
//!
//! Each client has a thread of its own, or a process ([`apart`]) in which it can be crashed and frozen while the load runs
//! ([`control`]). Everything here blocks; an async caller uses `spawn_blocking`. A client's life
//! is in the history from `process-started` to `process-ended`, each invoked send is one send row, and each record that
//! came out of a client library is one read row, whatever it holds.

pub mod apart;
mod choices;
mod close;
mod committer;
mod config;
mod consumer;
pub mod control;
mod counters;
pub mod drain;
pub mod ends;
mod errors;
mod gauge;
mod headers;
mod held;
mod in_flight;
pub mod leftover;
mod membership;
mod native;
pub mod outcome;
mod pace;
pub mod payload;
mod producer;
mod progress;
mod reading;
mod seat;
mod serve;
mod shared;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod transaction;
mod transformer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;

pub use counters::{Counters, ProcessIds, Totals};
pub use native::{Persistence, persistence};

use crate::fault::client::ClientHome;
use crate::history::event::LogRange;
use crate::history::recorder::RecorderHandle;
use crate::kafka::{Access, Partition, TopicIndex};
use crate::plan::Plan;
use crate::scenario::{GroupSpec, ProducerSpec, Scenario, TransformerSpec};
use apart::herald::Herald;
use apart::post::Post;
use apart::{Apart, Keeper, Work};
use consumer::{Exits, Member};
use control::{Controls, GroupControl};
use drain::{DrainError, ReaderKind};
use ends::Ends;
use leftover::Claimant;
use pace::Pace;
use payload::RunTag;
use producer::{Birth, Producer};
use progress::Progress;
use reading::Topics;
use shared::{Shared, StopOrder};
use transformer::Transformer;

/// How much longer than its limit a producer may take: its purge and its client's end.
const PRODUCER_GRACE: Duration = Duration::from_secs(20);
/// How much longer than its limit a member may take: its last commit, its leave, and its client's end.
const MEMBER_GRACE: Duration = Duration::from_secs(60);
/// The same of a transformer, which ends a transaction besides, and two clients.
const TRANSFORMER_GRACE: Duration = Duration::from_secs(120);
/// How long the process of a client may take to begin.
const BEGIN_LIMIT: Duration = Duration::from_secs(30);

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
    /// A client that was to have a process of its own did not begin.
    #[error(transparent)]
    Apart(#[from] control::ControlError),
    /// A thread could not be started.
    #[error("cannot start the thread of {label}")]
    Thread {
        /// Whose.
        label: String,
        /// Why.
        source: std::io::Error,
    },
}

/// The transactional id of a producer, such as `chatters/0`, in a run: one that nobody else uses, the same in all its lives.
pub fn transactional_id(run: &str, label: &str) -> String {
    format!("wiber-chaos-{run}-{label}")
}

struct Group {
    progress: Arc<Progress>,
    members: Vec<(String, JoinHandle<()>)>,
}

/// The instances of one transformer.
struct Flow {
    /// The topic they read.
    from: String,
    progress: Arc<Progress>,
    instances: Vec<(String, JoinHandle<()>)>,
    claimants: Vec<Claimant>,
}

/// A running load. Dropping it stops it without any drain.
pub struct Workload {
    shared: Shared,
    topics: Topics,
    stop: Arc<StopOrder>,
    abort: Arc<AtomicBool>,
    producers: Vec<(String, JoinHandle<()>)>,
    /// Those that run transactions.
    claimants: Vec<Claimant>,
    groups: Vec<Group>,
    transformers: Vec<Flow>,
    apart: Arc<Apart>,
    controls: Arc<Controls>,
}

/// A client that is made and not yet running.
struct Ready {
    label: String,
    post: Arc<Post>,
    work: Box<dyn FnOnce() + Send>,
}

impl Workload {
    /// Makes every client of the scenario and starts them all, in threads. `recorder` must have been begun with the
    /// scenario's topics.
    pub fn start(
        scenario: &Scenario,
        plan: &Plan,
        access: &Access,
        recorder: &RecorderHandle,
    ) -> Result<Self, WorkloadError> {
        Self::start_apart(scenario, plan, access, recorder, Apart::default())
    }

    /// The same, with some clients in processes of their own, where [`Workload::controls`] can crash and freeze them.
    /// Returns when those have begun.
    pub fn start_apart(
        scenario: &Scenario,
        plan: &Plan,
        access: &Access,
        recorder: &RecorderHandle,
        apart: Apart,
    ) -> Result<Self, WorkloadError> {
        let shared = Shared {
            run: RunTag::of(&recorder.header().run),
            recorder: recorder.clone(),
            counters: Arc::default(),
            ids: Arc::default(),
            gauge: Arc::default(),
            herald: Herald::Nobody,
        };
        let mut workload = Self {
            topics: Topics::of(recorder),
            stop: Arc::default(),
            abort: Arc::default(),
            producers: Vec::new(),
            claimants: Vec::new(),
            groups: Vec::new(),
            transformers: Vec::new(),
            apart: Arc::new(apart),
            controls: Arc::new(Controls::new(shared.clone())),
            shared,
        };
        let mut posts = BTreeMap::new();
        let mut groups = BTreeMap::new();
        // Members are made and started first: a group that is there from the first record on is the plain case.
        for spec in &scenario.groups {
            let members = workload.start_group(spec, access, &mut groups)?;
            members.iter().try_for_each(|post| post.await_life(BEGIN_LIMIT))?;
            posts.extend(members.into_iter().map(|post| (post.label().to_owned(), post)));
        }
        for spec in &scenario.transformers {
            let outs = workload.start_transformer(spec, plan, access)?;
            posts.extend(outs.into_iter().map(|post| (post.label().to_owned(), post)));
        }
        let mut producers = Vec::new();
        for spec in &scenario.producers {
            for index in 0..spec.count {
                producers.push(workload.make_producer(spec, index, plan, access)?);
            }
        }
        let mut begun = Vec::new();
        for Ready { label, post, work } in producers {
            let thread = spawn(&label, work)?;
            workload.producers.push((label, thread));
            begun.push(post);
        }
        begun.iter().try_for_each(|post| post.await_life(BEGIN_LIMIT))?;
        posts.extend(begun.into_iter().map(|post| (post.label().to_owned(), post)));
        workload.controls.take_over(posts, groups);
        workload.shared.counters.follow(workload.progress_by_group(scenario));
        Ok(workload)
    }

    /// Each group's name and where it stands. Groups and transformers were started in the scenario's order.
    fn progress_by_group(&self, scenario: &Scenario) -> Vec<(String, Arc<Progress>)> {
        let groups = self.groups.iter().map(|group| &group.progress);
        let flows = self.transformers.iter().map(|flow| &flow.progress);
        scenario
            .all_groups()
            .zip(groups.chain(flows))
            .map(|(spec, progress)| (spec.name.clone(), Arc::clone(progress)))
            .collect()
    }

    /// What crashes, freezes, slows and multiplies the clients while they run.
    pub fn controls(&self) -> Arc<Controls> {
        Arc::clone(&self.controls)
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

    /// Has what producers may have left open in transactions ended; see [`leftover`]. Blocks for up to `limit`.
    pub fn end_leftovers(&self, limit: Duration) {
        leftover::claim_all(&self.claimants, &self.shared.recorder, limit);
    }

    /// The same for what transformers may have left open, when they have ended.
    pub fn end_transformers_leftovers(&self, limit: Duration) {
        let claimants = self.transformers.iter().flat_map(|flow| &flow.claimants);
        leftover::claim_all(claimants, &self.shared.recorder, limit);
    }

    /// Lets every transformer get to the end of what it reads, which gets no more records by now. Blocks for up to `limit`, and
    /// until the last one has left.
    pub fn finish_transformers(
        &mut self,
        access: &Access,
        topics: &[(String, u32)],
        limit: Duration,
    ) -> Result<(), DrainError> {
        let deadline = Instant::now() + limit;
        let read: Vec<(String, u32)> = topics
            .iter()
            .filter(|(topic, _)| self.transformers.iter().any(|flow| flow.from == *topic))
            .cloned()
            .collect();
        if read.is_empty() {
            return Ok(());
        }
        // A partition that nobody answers for is told when all ends are asked for.
        let ends = self.end_offsets(access, &read, limit / 3)?;
        for flow in &self.transformers {
            flow.progress.drain_to(&ends.ranges, &self.topics, deadline);
        }
        for flow in &mut self.transformers {
            for (label, thread) in flow.instances.drain(..) {
                close::join(thread, &label, &self.shared.recorder, deadline + TRANSFORMER_GRACE);
            }
        }
        Ok(())
    }

    /// Who is to read the logs in the drain: `fresh` readers, and a witness where something may be hidden from them.
    pub fn drain_readers(&self, fresh: u32) -> Vec<ReaderKind> {
        let mut readers = ReaderKind::fresh(fresh);
        readers.extend(self.all_claimants().next().map(|_| ReaderKind::Witness));
        readers
    }

    /// How far the logs reach, asked of the cluster; see [`ends`]. Blocks for up to `limit`.
    pub fn end_offsets(&self, access: &Access, topics: &[(String, u32)], limit: Duration) -> Result<Ends, DrainError> {
        let acked = self.shared.counters.acked_ends();
        let acked = acked.into_iter().map(|(spot, end)| (self.topics.named(spot), end)).collect();
        let in_transactions: BTreeSet<String> = self.all_claimants().map(|client| client.topic.clone()).collect();
        ends::end_offsets(access, topics, &acked, &in_transactions, limit)
    }

    /// Lets every group read to the ends of `ranges`, up to `limit`; then members say where they stand and leave. Blocks.
    /// Storms end before; members that are frozen, slow or crashed are brought back.
    /// Whether a group got there is in its members' positions; the reason of their end says what was missing.
    pub fn drain_groups(&mut self, ranges: &[LogRange], limit: Duration) {
        let deadline = Instant::now() + limit;
        self.controls.calm_all();
        for group in &self.groups {
            group.progress.drain_to(ranges, &self.topics, deadline);
        }
        for group in std::mem::take(&mut self.groups) {
            for (label, thread) in group.members {
                close::join(thread, &label, &self.shared.recorder, deadline + MEMBER_GRACE);
            }
        }
    }

    fn all_claimants(&self) -> impl Iterator<Item = &Claimant> {
        self.claimants.iter().chain(self.transformers.iter().flat_map(|flow| &flow.claimants))
    }

    fn start_transformer(
        &mut self,
        spec: &TransformerSpec,
        plan: &Plan,
        access: &Access,
    ) -> Result<Vec<Arc<Post>>, WorkloadError> {
        let (from, partitions) = self.topic(spec.from())?;
        let progress = Arc::new(Progress::new(partitions.map(|partition| (from, partition))));
        let mut flow = Flow {
            from: spec.from().to_owned(),
            progress: Arc::clone(&progress),
            instances: Vec::new(),
            claimants: Vec::new(),
        };
        let mut made = Vec::new();
        for index in 0..spec.producer.count {
            let label = format!("{}/{index}", spec.name());
            let (out, claimant) = self.producer_assignment(&spec.producer, index, plan, access)?;
            flow.claimants.extend(claimant);
            let config = config::member(&spec.group, access, &label);
            let (group, from) = (spec.name().to_owned(), spec.from().to_owned());
            let assignment = transformer::Assignment { group, from, config, out, offsets: spec.offsets };
            // Whoever strikes an instance strikes it by its producer.
            let (post, shared) = self.post(&format!("{}/{index}", spec.producer.name));
            let transformer = Transformer::new(assignment, shared, Arc::clone(&progress), Arc::clone(&self.abort))
                .map_err(|source| WorkloadError::Client { label: label.clone(), source })?;
            made.push((label, in_thread(post, move || transformer.run())));
        }
        let mut posts = Vec::new();
        for (label, Ready { post, work, .. }) in made {
            let thread = spawn(&label, work)?;
            flow.instances.push((label, thread));
            posts.push(post);
        }
        self.transformers.push(flow);
        Ok(posts)
    }

    fn start_group(
        &mut self,
        spec: &GroupSpec,
        access: &Access,
        controls: &mut BTreeMap<String, GroupControl>,
    ) -> Result<Vec<Arc<Post>>, WorkloadError> {
        let mut spots = Vec::new();
        for topic in &spec.topics {
            let (index, partitions) = self.topic(topic)?;
            spots.extend(partitions.map(|partition| (index, partition)));
        }
        let progress = Arc::new(Progress::new(spots));
        let assignment = |member: u32| {
            let label = format!("{}/{member}", spec.name);
            let config = config::member(spec, access, &label);
            let (group, topics, commit) = (spec.name.clone(), spec.topics.clone(), spec.commit);
            consumer::Assignment { group, member, topics, commit, config }
        };
        let ready: Result<Vec<Ready>, WorkloadError> =
            (0..spec.members).map(|member| self.make_member(assignment(member), &progress)).collect();
        let mut group = Group { progress: Arc::clone(&progress), members: Vec::new() };
        let mut posts = Vec::new();
        for Ready { label, post, work } in ready? {
            let thread = spawn(&label, work)?;
            group.members.push((label, thread));
            posts.push(post);
        }
        self.groups.push(group);
        let extra = assignment(spec.members);
        controls.insert(spec.name.clone(), GroupControl { extra, progress, abort: Arc::clone(&self.abort) });
        Ok(posts)
    }

    fn make_member(&self, assignment: consumer::Assignment, progress: &Arc<Progress>) -> Result<Ready, WorkloadError> {
        let label = format!("{}/{}", assignment.group, assignment.member);
        let (post, shared) = self.post(&label);
        let (progress, abort) = (Arc::clone(progress), Arc::clone(&self.abort));
        if self.apart.holds(&label) {
            return Ok(self.keep(post, shared, Work::Member { assignment, progress, abort, next: 0 }));
        }
        let made = Member::new(assignment, shared, progress, Exits::with(&abort), 0)
            .map_err(|source| WorkloadError::Client { label: label.clone(), source })?;
        Ok(in_thread(post, move || {
            made.run();
        }))
    }

    fn make_producer(
        &mut self,
        spec: &ProducerSpec,
        index: u32,
        plan: &Plan,
        access: &Access,
    ) -> Result<Ready, WorkloadError> {
        let label = format!("{}/{index}", spec.name);
        let (assignment, claimant) = self.producer_assignment(spec, index, plan, access)?;
        self.claimants.extend(claimant);
        let ((post, shared), stop) = (self.post(&label), Arc::clone(&self.stop));
        if self.apart.holds(&label) {
            let pace = Pace::new(self.shared.recorder.now(), spec.rate);
            let next = Birth { incarnation: 0, first: 0, pace };
            return Ok(self.keep(post, shared, Work::Producer { assignment, stop, next }));
        }
        let made = Producer::new(assignment, shared, stop).map_err(|source| WorkloadError::Client { label, source })?;
        Ok(in_thread(post, move || made.run()))
    }

    /// What one of the producers of a specification is to do, and by whom what it leaves open is ended.
    fn producer_assignment(
        &self,
        spec: &ProducerSpec,
        index: u32,
        plan: &Plan,
        access: &Access,
    ) -> Result<(producer::Assignment, Option<Claimant>), WorkloadError> {
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
        let mut config = config::producer(spec, access, &label);
        let claimant = spec.transactions.as_ref().map(|transactions| {
            let id = transactional_id(&self.shared.recorder.header().run, &label);
            config::transactional(&mut config, transactions, &id);
            Claimant { label: label.clone(), topic: spec.topic.clone(), config: config.clone() }
        });
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
            headers: spec.headers,
            seed,
            acks: config::acks(&spec.config),
            transactions: spec.transactions,
            config,
        };
        Ok((assignment, claimant))
    }

    fn post(&self, label: &str) -> (Arc<Post>, Shared) {
        let shared = self.shared.of_another();
        let home = if self.apart.holds(label) { ClientHome::Process } else { ClientHome::Thread };
        (Post::new(label, home, Arc::clone(&shared.gauge), shared.recorder.clone()), shared)
    }

    fn keep(&self, post: Arc<Post>, shared: Shared, work: Work) -> Ready {
        let keeper = Keeper { post: Arc::clone(&post), shared, apart: Arc::clone(&self.apart), work };
        Ready { label: post.label().to_owned(), post, work: Box::new(move || keeper.run()) }
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
        self.controls.give_up();
        self.stop.give(Instant::now());
        self.abort.store(true, Ordering::Relaxed);
    }
}

/// A client in a thread of the harness, whose post says when it has ended.
fn in_thread(post: Arc<Post>, work: impl FnOnce() + Send + 'static) -> Ready {
    let ends = Arc::clone(&post);
    let work = move || {
        work();
        ends.ended();
    };
    Ready { label: post.label().to_owned(), post, work: Box::new(work) }
}

fn spawn(label: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, WorkloadError> {
    std::thread::Builder::new()
        .name(label.to_owned())
        .spawn(work)
        .map_err(|source| WorkloadError::Thread { label: label.to_owned(), source })
}
