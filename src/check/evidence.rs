//! The evidence that all checkers share: gathered once, never changed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::anomaly::{Anomaly, CheckName};
use crate::history::tally::Tally;
use crate::history::{Closure, History, Plain, ReadRow, SendRow};
use crate::kafka::{Offset, Outcome, Partition, ProcessId, RecordId, TimeNs, TopicPartition};
use crate::plan::Plan;
use crate::scenario::Scenario;

use super::index::{SendIndex, Slot};
use super::log::{Content, Log, Reach, Sighting};
use super::parallel;
use super::readers::Readers;
use super::timeline::{PartitionKey, Timeline};
use super::transactions::{Fate, Transactions};
use super::witness::Shown;

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
    /// What became of each transaction.
    pub transactions: Arc<Transactions>,
    /// What was counted of all rows.
    pub tally: Arc<Tally>,
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
    pub reads: &'a [ReadRow],
    /// What transformers made its records of.
    pub sources: &'a [crate::history::SourceRow],
    /// What its replicas stored in the end, broker by broker.
    pub replicas: &'a [crate::history::ReplicaRow],
    /// What of it is plain, and therefore in none of the rows above.
    pub plain: &'a Plain,
    /// Its log.
    pub log: Log,
    /// What the witness was shown of it, if there was one and it got anywhere.
    pub shown: Option<Shown<'a>>,
    /// Its first and end offset after the load; `None` when nobody asked the cluster. The first is that of after the drain, if
    /// somebody asked then too.
    pub range: Option<(Offset, Offset)>,
    /// Its high watermark then, which may be beyond where readers get to; `None` when nobody asked.
    pub high_watermark: Option<Offset>,
    /// What became of each transaction, in all partitions.
    pub transactions: Arc<Transactions>,
    /// When that was told.
    pub told_ns: Option<TimeNs>,
    /// The offsets that readers of committed records are kept from, from the last stable offset to the high watermark: a
    /// transaction is open there. `None` where none is, or where nobody asked.
    pub hidden: Option<Range<Offset>>,
    /// Whether something acknowledged lies among these.
    pub hides_acked: bool,
    /// Below this offset a fault deleted the records on purpose; `None` where none did.
    pub deleted_below: Option<Offset>,
    /// How far each drain reader got, in the order of `Readers::drains`.
    pub reaches: Vec<Reach>,
}

impl<'a> Evidence<'a> {
    /// Gathers the evidence.
    pub fn gather(history: &'a History, scenario: &'a Scenario, plan: &'a Plan) -> Self {
        let timeline = Timeline::new(history);
        let readers = Readers::new(history, scenario);
        let transactions = Arc::new(Transactions::new(history, scenario));
        let topics: Vec<Arc<str>> = history.topics.iter().map(|topic| Arc::from(topic.as_str())).collect();
        let keyed: Vec<_> = history.partitions.iter().collect();
        let partitions = parallel::each(&keyed, |(key, rows)| {
            let key = *key;
            let topic = topics.get(usize::from(key.0.0)).cloned();
            let sends = SendIndex::new(&rows.sends);
            let mut log = Log::new(&rows.reads, &sends, &readers);
            log.add_plain(&rows.plain);
            let told = timeline.ranges.get(key);
            // Retention may have gone on while the drain read; what it took is nobody's loss.
            let later = timeline.starts.get(key).copied().unwrap_or(Offset(0));
            let range = told.map(|range| (range.start.max(later), range.end.max(later)));
            let high_watermark = told.and_then(|range| range.high_watermark);
            let hidden = told.zip(high_watermark).map(|(range, end)| range.end..end);
            let hidden = hidden.filter(|hidden| !hidden.is_empty());
            let hides_acked = hidden.as_ref().is_some_and(|hidden| {
                let mut acked = sends.iter().filter(|(_, send)| send.outcome == Outcome::Ok);
                acked.any(|(_, send)| send.offset.is_some_and(|offset| hidden.contains(&offset)))
            });
            let told_ns = told.and(timeline.ranges_ns);
            let reaches = reaches(history, &timeline, &readers, *key, &log, range);
            let topic = topic.unwrap_or_else(|| Arc::from(key.0.to_string()));
            let (reads, sources) = (rows.reads.as_slice(), rows.sources.as_slice());
            let shown = Shown::of((*key, reads), (&timeline, &readers, &history.closure));
            let replicas = rows.replicas.as_slice();
            let (key, deleted_below) = (*key, timeline.deleted.get(key).copied());
            PartitionEvidence {
                key,
                topic,
                sends,
                reads,
                sources,
                replicas,
                plain: &rows.plain,
                log,
                shown,
                range,
                high_watermark,
                transactions: Arc::clone(&transactions),
                told_ns,
                hidden,
                hides_acked,
                deleted_below,
                reaches,
            }
        });
        let labels = history.processes.iter().map(|(id, role)| (*id, Arc::from(role.label()))).collect();
        let tally = super::tally(history, plan);
        Self { history, scenario, plan, timeline, readers, transactions, tally, partitions, labels }
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

    /// What may be missing because the harness died, as a sentence.
    pub fn torn(&self) -> Option<String> {
        match &self.history.closure {
            Closure::Whole => None,
            Closure::Cut(missing) => Some(format!("The history is cut, so rows may be missing: {missing}.")),
        }
    }

    /// Which parts of the log nobody looked at: a check of the whole log cannot be valid while there are any.
    pub fn blind_spots(&self) -> Vec<String> {
        let mut spots: Vec<String> = self.torn().into_iter().collect();
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

/// A witness that says by whom, when and under which leader epoch something was read.
pub fn as_read(evidence: &Evidence<'_>, read: &ReadRow, witness: Anomaly) -> Anomaly {
    let reader = Some(evidence.label(read.reader));
    Anomaly { reader, read_ns: Some(read.read_ns), leader_epoch: read.leader_epoch, ..witness }
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

    /// Whether some drain reader reached the end offset, and nothing acknowledged is hidden behind that.
    pub fn is_drained(&self) -> bool {
        self.is_read_to_its_end() && !self.hides_acked
    }

    /// Whether some drain reader reached the end offset.
    pub fn is_read_to_its_end(&self) -> bool {
        self.reaches.iter().any(|reach| reach.complete)
    }

    /// What readers of committed records are kept from at the log's end, as a sentence. By then every transactional id was claimed
    /// once more, so that nothing may be open any more.
    pub fn kept_back(&self) -> Option<String> {
        let Range { start, end } = self.hidden.as_ref()?;
        Some(format!(
            "{} ends at {end}, and an open transaction keeps readers from what lies above {start}: nobody knows how it ends.",
            self.name()
        ))
    }

    /// The highest offset below which some drain reader saw all there is.
    pub fn drain_reached(&self) -> Offset {
        self.reaches.iter().map(|reach| reach.reached).max().unwrap_or(Offset(0))
    }

    /// What the drain left unread, as a clause; `None` when some drain reader saw all of it.
    pub fn unread(&self) -> Option<String> {
        if self.is_drained() {
            return None;
        }
        let name = self.name();
        if let Some(hidden) = self.hidden.as_ref().filter(|_| self.is_read_to_its_end()) {
            let Range { start, end } = hidden;
            return Some(format!(
                "{name} ends at {end}, and an open transaction keeps readers from what lies above {start}"
            ));
        }
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

    /// The send of a record that certainly lies where it was sighted: a drain reader found it there, nobody saw another one
    /// there, its send did not fail, and its transaction was not aborted, which readers pass over by right.
    pub fn certain(&self, place: usize) -> Option<(Slot, &SendRow)> {
        let slot = self.log.sightings[place].slot().filter(|_| self.log.drained.get(place))?;
        let send = self.sends.send(slot);
        let is_aborted = self.transactions.fate(self.key, send.id()) == Some(Fate::Aborted);
        (send.outcome != Outcome::Fail && !is_aborted && !self.is_contested(place)).then_some((slot, send))
    }

    /// Whether a sighting belongs to the final log (see `log`).
    pub fn is_final(&self, place: usize) -> bool {
        self.log.drained.get(place) || self.log.sightings[place].offset >= self.drain_reached()
    }

    /// Whether every record that was acknowledged or seen was drained, and what was acknowledged at an offset was drained there.
    pub fn is_all_there(&self) -> bool {
        let all_drained = (0..self.log.sightings.len()).all(|place| self.log.drained.get(place));
        all_drained
            && self.sends.iter().all(|(slot, send)| match send.outcome {
                Outcome::Ok => {
                    let place = send.offset.map(|offset| self.log.place_at(slot, offset));
                    place.is_none_or(|place| place.is_some_and(|place| self.log.drained.get(place)))
                        && self.log.is_drained(slot)
                }
                Outcome::Info => !self.log.is_seen(slot) || self.log.is_drained(slot),
                Outcome::Fail => true,
            })
    }

    /// Whether a record must be in the log: acknowledged, or of unknown outcome and seen by a reader (Jepsen's
    /// must-have-committed). A record in a transaction has to be seen by a reader that waits for commits, and not to be of one
    /// that was aborted; of one whose commit was acknowledged it must be there, whatever became of its own acknowledgement,
    /// because no commit is asked for before every record has been acknowledged.
    pub fn must_have(&self, evidence: &Evidence<'_>, slot: Slot, send: &SendRow) -> bool {
        match send.outcome {
            Outcome::Ok => true,
            Outcome::Info if evidence.transactions.are_of(send.process) => {
                match evidence.transactions.fate(self.key, send.id()) {
                    Some(Fate::Aborted) => false,
                    Some(Fate::Committed) => true,
                    Some(Fate::Unknown) | None => {
                        self.log.places(slot).any(|place| self.was_seen_committed(&evidence.readers, place))
                    }
                }
            }
            Outcome::Info => self.log.is_seen(slot),
            Outcome::Fail => false,
        }
    }

    /// Whether a sighting is that of a reader that waits for commits.
    pub fn was_seen_committed(&self, readers: &Readers, place: usize) -> bool {
        let mut groups = self.log.by_group.iter().enumerate();
        self.log.drained.get(place) || groups.any(|(group, seen)| readers.waits_for_commits(group) && seen.get(place))
    }

    /// A witness about a record with a send row.
    pub fn about(&self, evidence: &Evidence<'_>, send: &SendRow, offset: Option<Offset>, text: String) -> Anomaly {
        let acked = send.outcome == Outcome::Ok;
        Anomaly {
            acked_offset: send.offset.filter(|_| acked),
            send_ns: Some(send.invoke_ns),
            ack_ns: acked.then_some(send.complete_ns),
            acked_by: send.broker.filter(|_| acked),
            ..self.witness(evidence, Some(send.id()), offset, text)
        }
    }

    /// A witness about what one reader was given: its record's send too, where that has a row.
    pub fn about_read(&self, evidence: &Evidence<'_>, read: &ReadRow, text: String) -> Anomaly {
        let record = match Content::of(read) {
            Content::Intact(record) => Some(record),
            _ => None,
        };
        let witness = match record.and_then(|record| self.sends.find(record)) {
            Some(slot) => self.about(evidence, self.sends.send(slot), Some(read.offset), text),
            None => self.witness(evidence, record, Some(read.offset), text),
        };
        as_read(evidence, read, witness)
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
            acked_by: None,
            reader: None,
            read_ns: None,
            leader_epoch: None,
            group: None,
            explanation,
        }
    }
}
