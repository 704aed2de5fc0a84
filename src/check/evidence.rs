//! The evidence that all checkers share: gathered once, never changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::anomaly::{Anomaly, CheckName};
use crate::history::{Closure, History, SendRow};
use crate::kafka::{Offset, Outcome, Partition, ProcessId, RecordId, TopicPartition};
use crate::plan::Plan;
use crate::scenario::Scenario;

use super::index::{SendIndex, Slot};
use super::log::{Content, Log, Reach, Sighting};
use super::readers::Readers;
use super::timeline::{PartitionKey, Timeline};

/// Everything that the checkers know.
pub struct Evidence<'a> {
    /// The history as it was recorded.
    pub history: &'a History,
    /// What was asked for.
    pub scenario: &'a Scenario,
    /// What was planned.
    pub plan: &'a Plan,
    /// The events' digest.
    pub timeline: Timeline,
    /// Who read.
    pub readers: Readers,
    /// Every partition.
    pub partitions: Vec<PartitionEvidence<'a>>,
    labels: BTreeMap<ProcessId, Arc<str>>,
}

/// What is known of one partition.
pub struct PartitionEvidence<'a> {
    /// Which, as the columnar history names it.
    pub key: PartitionKey,
    /// Its topic's name.
    pub topic: Arc<str>,
    /// Its sends, by record.
    pub sends: SendIndex<'a>,
    /// Its reads, as recorded.
    pub reads: &'a [crate::history::ReadRow],
    /// Its log.
    pub log: Log,
    /// Its first and end offset after the load; `None` when nobody asked the cluster.
    pub range: Option<(Offset, Offset)>,
    /// How far each drain reader got, in the order of `Readers::drains`.
    pub reaches: Vec<Reach>,
}

impl<'a> Evidence<'a> {
    /// Gathers the evidence.
    pub fn gather(history: &'a History, scenario: &'a Scenario, plan: &'a Plan) -> Self {
        let timeline = Timeline::new(history);
        let readers = Readers::new(history, scenario);
        let topics: Vec<Arc<str>> = history.topics.iter().map(|topic| Arc::from(topic.as_str())).collect();
        let partitions = history.partitions.iter().map(|(key, rows)| {
            let topic = topics.get(usize::from(key.0.0)).cloned();
            let sends = SendIndex::new(&rows.sends);
            let log = Log::new(&rows.reads, &sends, &readers);
            let range = timeline.ranges.get(key).map(|range| (range.start, range.end));
            let reaches = reaches(history, &timeline, &readers, *key, &log, range);
            let topic = topic.unwrap_or_else(|| Arc::from(key.0.to_string()));
            PartitionEvidence { key: *key, topic, sends, reads: &rows.reads, log, range, reaches }
        });
        let partitions = partitions.collect();
        let labels = history.processes.iter().map(|(id, role)| (*id, Arc::from(role.label()))).collect();
        Self { history, scenario, plan, timeline, readers, partitions, labels }
    }

    /// Whether rows may be missing because the harness died.
    pub fn is_cut(&self) -> bool {
        matches!(self.history.closure, Closure::Cut(_))
    }

    /// Whether a process may have sent more than its rows say, so that a missing row is no evidence: the history is cut, or
    /// the process was started and never seen to end. One that was never started has no rows to lose.
    pub fn may_lack_rows(&self, process: ProcessId) -> bool {
        self.is_cut() || self.timeline.unfinished.contains(&process)
    }

    /// Which parts of the log nobody looked at: a check of the whole log cannot be valid while there are any.
    pub fn blind_spots(&self) -> Vec<String> {
        let mut spots = Vec::new();
        if let Closure::Cut(missing) = &self.history.closure {
            spots.push(format!("The history is cut, so rows may be missing: {missing}."));
        }
        let unread: Vec<String> = self.partitions.iter().filter_map(PartitionEvidence::unread).collect();
        if let Some(first) = unread.first() {
            let others = match unread.len() - 1 {
                0 => String::new(),
                others => format!(" (and {others} more partitions likewise)"),
            };
            spots.push(format!("The drain did not read the whole log: {first}{others}."));
        }
        spots
    }

    /// A process in one word.
    pub fn label(&self, process: ProcessId) -> Arc<str> {
        self.labels.get(&process).cloned().unwrap_or_else(|| Arc::from(process.to_string()))
    }

    /// A record for people: `chatters/0.0 #17`.
    pub fn name(&self, record: RecordId) -> String {
        format!("{} #{}", self.label(record.process), record.sequence)
    }

    /// What lies at an offset, for people.
    pub fn describe(&self, content: Content) -> String {
        match content {
            Content::Intact(record) => self.name(record),
            Content::Misplaced(record) => format!("{} of another partition", self.name(record)),
            Content::Foreign => "a record that is not this run's".to_owned(),
            Content::Corrupt => "corrupt bytes".to_owned(),
        }
    }
}

fn reaches(
    history: &History,
    timeline: &Timeline,
    readers: &Readers,
    key: PartitionKey,
    log: &Log,
    range: Option<(Offset, Offset)>,
) -> Vec<Reach> {
    let by_rows = readers.drains.iter().zip(&log.drain_reached);
    by_rows
        .map(|(reader, rows)| {
            // In a cut history the event may have been flushed and the rows not; a reader's own rows come in offset order,
            // so what is below its last row is certain either way.
            let position = match history.closure {
                Closure::Whole => timeline.drained.get(reader).and_then(|positions| positions.get(&key)).copied(),
                Closure::Cut(_) => None,
            };
            let reached = position.map_or(*rows, |position| position.max(*rows));
            Reach { reader: *reader, reached, complete: range.is_some_and(|(_, end)| reached >= end) }
        })
        .collect()
}

impl PartitionEvidence<'_> {
    /// `chat-0`.
    pub fn name(&self) -> TopicPartition {
        TopicPartition { topic: self.topic.to_string(), partition: self.key.1 }
    }

    /// The partition's number.
    pub fn partition(&self) -> Partition {
        self.key.1
    }

    /// Whether some drain reader reached the end offset.
    pub fn is_drained(&self) -> bool {
        self.reaches.iter().any(|reach| reach.complete)
    }

    /// The highest offset below which some drain reader saw all there is.
    pub fn drain_reached(&self) -> Offset {
        self.reaches.iter().map(|reach| reach.reached).max().unwrap_or(Offset(0))
    }

    /// What the drain left unread, as a clause; `None` when some drain reader reached the end offset.
    pub fn unread(&self) -> Option<String> {
        if self.is_drained() {
            return None;
        }
        let name = self.name();
        Some(match (self.range, self.reaches.is_empty()) {
            (None, _) => format!("{name}'s end offset was never read from the cluster"),
            (Some(_), true) => format!("no drain reader read {name}"),
            (Some((_, end)), false) => {
                format!("{name} was read to offset {} and ends at {end}", self.drain_reached())
            }
        })
    }

    /// What lies at a sighting.
    pub fn content(&self, sighting: &Sighting) -> Content {
        Content::of(&self.reads[sighting.read()])
    }

    /// Whether some reader saw another record at the offset of a sighting.
    pub fn is_contested(&self, place: usize) -> bool {
        let content = self.content(&self.log.sightings[place]);
        self.log.at_neighbours(place).any(|other| self.content(&self.log.sightings[other]).contradicts(content))
    }

    /// Whether a sighting belongs to the final log (see `log`).
    pub fn is_final(&self, place: usize) -> bool {
        self.log.drained.get(place) || self.log.sightings[place].offset >= self.drain_reached()
    }

    /// Whether a record must be in the log: acknowledged, or of unknown outcome and seen by a reader (Jepsen's
    /// must-have-committed).
    pub fn must_have(&self, slot: Slot, send: &SendRow) -> bool {
        match send.outcome {
            Outcome::Ok => true,
            Outcome::Info => self.log.is_seen(slot),
            Outcome::Fail => false,
        }
    }

    /// A witness about a record with a send row.
    pub fn about(&self, evidence: &Evidence<'_>, send: &SendRow, offset: Option<Offset>, text: String) -> Anomaly {
        let acked = send.outcome == Outcome::Ok;
        Anomaly {
            acked_offset: send.offset.filter(|_| acked),
            send_ns: Some(send.invoke_ns),
            ack_ns: acked.then_some(send.complete_ns),
            ..self.witness(evidence, Some(send.id()), offset, text)
        }
    }

    /// A witness about what lies at an offset, whether or not it has a send row.
    pub fn witness(
        &self,
        evidence: &Evidence<'_>,
        record: Option<RecordId>,
        offset: Option<Offset>,
        explanation: String,
    ) -> Anomaly {
        Anomaly {
            // The checker's own name replaces this when the witness is taken in.
            check: CheckName::Coverage,
            topic: self.topic.clone(),
            partition: self.key.1,
            record,
            producer: record.map(|record| evidence.label(record.process)),
            offset,
            acked_offset: None,
            send_ns: None,
            ack_ns: None,
            group: None,
            explanation,
        }
    }
}
