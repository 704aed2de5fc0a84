//! What the harness knows of one life in another process: takes in what it reports, and settles what it leaves open when it
//! is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::frame::{Ended, Report};
use super::post::Post;
use crate::history::event::{Position, RevocationCause};
use crate::history::{Event, EventKind, ProcessRole};
use crate::kafka::{Outcome, Partition, ProcessId, Sequence, TopicIndex, TopicPartition};
use crate::workload::in_flight::{self, Pending};
use crate::workload::progress::Progress;
use crate::workload::reading::Topics;
use crate::workload::shared::Shared;

/// One life's account.
pub struct Account {
    process: ProcessId,
    shared: Shared,
    topics: Topics,
    progress: Option<Arc<Progress>>,
    pending: BTreeMap<(Partition, Sequence), Pending>,
    topic: TopicIndex,
    committing: Option<Vec<Position>>,
    owned: BTreeSet<TopicPartition>,
    life: Life,
    /// How many records it announced.
    pub invoked: u64,
    /// How it ended, if it said so.
    pub ended: Option<Ended>,
    /// Why its client could not be made, if it said so.
    pub unmade: Option<String>,
}

/// How much of a life the history has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Unborn,
    Begun,
    Over,
}

impl Account {
    /// The account of a life that has not spoken yet. `progress` is the group's, for a member.
    pub fn new(process: ProcessId, shared: Shared, progress: Option<Arc<Progress>>) -> Self {
        Self {
            process,
            topics: Topics::of(&shared.recorder),
            shared,
            progress,
            pending: BTreeMap::new(),
            topic: TopicIndex(0),
            committing: None,
            owned: BTreeSet::new(),
            life: Life::Unborn,
            invoked: 0,
            ended: None,
            unmade: None,
        }
    }

    /// Takes a report in.
    pub fn take(&mut self, report: Report, post: &Post) {
        let Shared { recorder, counters, gauge, .. } = &self.shared;
        match report {
            Report::Event(event) => self.take_event(event, post),
            Report::Sends(rows) => {
                for row in &rows {
                    self.pending.remove(&(row.partition, row.sequence));
                    counters.add_outcome(row.outcome);
                }
                let acked = rows.iter().filter(|row| row.outcome == Outcome::Ok);
                gauge.add_acked(acked.count() as u64, recorder.now());
                counters.note_acks(&rows);
                // A full queue holds this thread back, and with it the line, and with it the client, which tells of it.
                let _held = recorder.sends(rows);
            }
            Report::Reads(rows) => {
                counters.add_read(rows.len());
                gauge.add_read(rows.len() as u64, recorder.now());
                let _held = recorder.reads(rows);
            }
            Report::Invoking { topic, sends, .. } => {
                self.topic = topic;
                let announced = sends.len();
                let before = self.pending.len();
                self.pending.extend(sends.into_iter().map(|send| ((send.partition, send.sequence), send)));
                // One that librdkafka had no room for is announced again.
                let new = (self.pending.len() - before) as u64;
                debug_assert!(new <= announced as u64, "a map does not grow by more than was put in");
                self.invoked += new;
                counters.add_sent(new);
                gauge.add_sent(new);
            }
            Report::Committing(positions) => self.committing = Some(positions),
            Report::Stands(spot, next) => {
                if let Some(progress) = &self.progress {
                    progress.stands_at(spot, self.process, next);
                }
            }
            Report::Unmade(reason) => self.unmade = Some(reason),
            Report::Ended(ended) => self.ended = Some(ended),
        }
    }

    fn take_event(&mut self, Event { time_ns, kind }: Event, post: &Post) {
        match &kind {
            EventKind::ProcessStarted {
                process,
                role: ProcessRole::Producer { incarnation, .. } | ProcessRole::Consumer { incarnation, .. },
            } => {
                self.shared.gauge.begins(*process, *incarnation);
                self.life = Life::Begun;
                post.runs();
            }
            EventKind::ProcessEnded { .. } => self.life = Life::Over,
            EventKind::Assigned { partitions, .. } => {
                self.owned.extend(partitions.iter().cloned());
                for partition in partitions {
                    if let (Some(progress), Some(topic)) = (&self.progress, self.topics.index(&partition.topic)) {
                        progress.given_to((topic, partition.partition), self.process);
                    }
                }
            }
            EventKind::Revoked { partitions, .. } => partitions.iter().for_each(|partition| {
                self.owned.remove(partition);
            }),
            EventKind::Committed { .. } => self.committing = None,
            _ => {}
        }
        self.shared.recorder.event_at(time_ns, kind);
    }

    /// The process is gone, for this reason, and nothing more will come. What it left open is settled at the present time: it
    /// cannot have done anything after it.
    pub fn settle(&mut self, reason: &str) {
        let Shared { recorder, counters, gauge, .. } = &self.shared;
        let left = std::mem::take(&mut self.pending);
        if self.life == Life::Over {
            // It accounted for its sends by itself; what is left was announced and then found no room in its library.
            counters.take_back_sent(left.len() as u64);
            gauge.take_back_sent(left.len() as u64);
            return;
        }
        let now = recorder.now();
        let rows: Vec<_> = left.values().map(|send| in_flight::killed(self.process, self.topic, send, now)).collect();
        for row in &rows {
            counters.add_outcome(row.outcome);
        }
        let _held = recorder.sends(rows);
        if let Some(progress) = &self.progress {
            progress.forget(self.process);
        }
        if self.life == Life::Unborn {
            return;
        }
        if let Some(positions) = self.committing.take() {
            let error = Some(format!("{reason} before the answer came"));
            recorder.event_at(
                now,
                EventKind::Committed { process: self.process, outcome: Outcome::Info, positions, error },
            );
        }
        let partitions: Vec<TopicPartition> = std::mem::take(&mut self.owned).into_iter().collect();
        if !partitions.is_empty() {
            let cause = RevocationCause::Crashed;
            recorder.event_at(now, EventKind::Revoked { process: self.process, partitions, cause });
        }
        recorder.event_at(now, EventKind::ProcessEnded { process: self.process, reason: reason.to_owned() });
        self.life = Life::Over;
    }
}
