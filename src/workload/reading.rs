//! From a message that librdkafka delivered to a row of the history; what group members and drain readers share.

use rdkafka::Timestamp;
use rdkafka::error::KafkaError;

use super::errors::ClientErrors;
use super::headers;
use super::native::letter::{Letter, TopicMark};
use super::payload::{self, Decoded, Place, RunTag};
use crate::history::ReadRow;
use crate::history::clock::Clock;
use crate::history::recorder::RecorderHandle;
use crate::kafka::{Partition, ProcessId, ReadStatus, TopicIndex, TopicPartition};

/// A partition, as tables of positions name it.
pub type Spot = (TopicIndex, Partition);

/// The topics of a run by name and index.
#[derive(Clone, Debug)]
pub struct Topics(Vec<String>);

impl Topics {
    /// The topics of the run that is being recorded.
    pub fn of(recorder: &RecorderHandle) -> Self {
        Self(recorder.header().topics.clone())
    }

    /// A topic's index.
    pub fn index(&self, name: &str) -> Option<TopicIndex> {
        let place = self.0.iter().position(|topic| topic == name)?;
        u16::try_from(place).ok().map(TopicIndex)
    }

    /// A topic's name.
    pub fn name(&self, topic: TopicIndex) -> &str {
        self.0.get(usize::from(topic.0)).map_or("", String::as_str)
    }

    /// A spot as events name it.
    pub fn named(&self, (topic, partition): Spot) -> TopicPartition {
        TopicPartition { topic: self.name(topic).to_owned(), partition }
    }
}

/// What one reader is given one after another, each letter still there while the next one is looked at, made into rows.
pub struct Sitting<'a> {
    reader: ProcessId,
    run: RunTag,
    topics: &'a Topics,
    clock: Clock,
    /// The topic of the record before, of which the next one is, too, most of the time.
    last: Option<(TopicMark, TopicIndex)>,
}

impl<'a> Sitting<'a> {
    /// What `reader` is about to be given.
    pub fn of(reader: ProcessId, run: RunTag, topics: &'a Topics, clock: Clock) -> Self {
        Self { reader, run, topics, clock, last: None }
    }

    /// Takes in what was given: a row of a record, or a note of an error in reading a partition.
    pub fn take(&mut self, letter: Letter<'_>, rows: &mut Vec<ReadRow>, errors: &ClientErrors) {
        match letter.error() {
            None => rows.push(self.row(letter).expect("readers are given partitions of the run only")),
            Some((code, reason)) => {
                // The record before it is gone by the time of the next one, and its topic may be.
                self.last = None;
                errors.note(&KafkaError::MessageConsumption(code), &reason);
            }
        }
    }

    /// Judges a record and makes its row; `None` for a topic that is none of the run's.
    pub fn row(&mut self, letter: Letter<'_>) -> Option<ReadRow> {
        let (topic, partition) = (self.topic(letter)?, letter.partition());
        let payload = letter.payload();
        let decoded = payload::decode(self.run, Place { topic, partition }, letter.key(), payload);
        Some(ReadRow {
            reader: self.reader,
            topic,
            partition,
            offset: letter.offset(),
            leader_epoch: letter.leader_epoch(),
            read_ns: self.clock.now(),
            status: judge(&decoded, self.clock, letter.timestamp(), letter.headers()),
            record: decoded.record,
            bytes: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        })
    }

    fn topic(&mut self, letter: Letter<'_>) -> Option<TopicIndex> {
        let mark = letter.topic_mark();
        match self.last {
            Some((last, topic)) if last == mark => Some(topic),
            _ => {
                let topic = self.topics.index(letter.topic());
                self.last = topic.map(|topic| (mark, topic));
                topic
            }
        }
    }
}

/// What came out of the client library within this time is said to have come out at once.
const AT_ONCE_NS: u64 = 1_000_000;

/// Gives rows that came out of the client library together, in order, the time of the last one of them: no record is said to have
/// been read before it was, and times that are the same take little room on the disk. None becomes later by [`AT_ONCE_NS`] or more,
/// whatever held the reader up in between.
pub fn at_one_time(mut rows: &mut [ReadRow]) {
    while let Some(first) = rows.first().map(|row| row.read_ns) {
        let together = rows.iter().take_while(|row| row.read_ns.since(first) < AT_ONCE_NS).count();
        let (these, others) = rows.split_at_mut(together);
        let last = these[together - 1].read_ns;
        for row in these {
            row.read_ns = last;
        }
        rows = others;
    }
}

/// Where a reader stands after these rows: for each stretch of them that is of one partition, that and the next offset.
pub fn reached(rows: &[ReadRow]) -> impl Iterator<Item = (Spot, i64)> {
    let stretches = rows.chunk_by(|left, right| (left.topic, left.partition) == (right.topic, right.partition));
    stretches.filter_map(|stretch| stretch.last().map(|row| ((row.topic, row.partition), row.offset.0 + 1)))
}

/// What a record is worth after a look at what Kafka carries beside its payload and key: one whose headers or timestamp are not
/// those that its payload announces is corrupt, wherever it lies. `found` is `None` when its headers cannot be read.
fn judge<'a>(
    decoded: &Decoded,
    clock: Clock,
    timestamp: Timestamp,
    found: Option<impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>>,
) -> ReadStatus {
    let Decoded { status, record, headers, timestamp: sent } = *decoded;
    if matches!(status, ReadStatus::Foreign | ReadStatus::Corrupt) {
        return status;
    }
    let is_timely = sent.is_none_or(|sent| match timestamp {
        Timestamp::CreateTime(found_ms) => found_ms == clock.wall_ms(sent),
        // The topic has `message.timestamp.type` = `LogAppendTime`: the broker put its own in the place of the producer's.
        Timestamp::LogAppendTime(_) => true,
        Timestamp::NotAvailable => false,
    });
    let has_its_headers = found.is_some_and(|found| headers::agree(record, headers, found));
    if is_timely && has_its_headers { status } else { ReadStatus::Corrupt }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::{Offset, RecordId, Sequence, TimeNs};

    const RECORD: RecordId = RecordId { process: ProcessId(7), sequence: Sequence(99) };
    const SENT: TimeNs = TimeNs(5_999_999);

    fn decoded(status: ReadStatus) -> Decoded {
        Decoded { status, record: RECORD, headers: 4, timestamp: Some(SENT) }
    }

    fn judged(clock: Clock, decoded: &Decoded, timestamp: Timestamp, count: u8) -> ReadStatus {
        let headers: Vec<_> = headers::drawn(RECORD, count).collect();
        let found = headers.iter().map(|header| (header.key().as_bytes(), header.value()));
        judge(decoded, clock, timestamp, Some(found))
    }

    #[test]
    fn a_reader_stands_after_the_last_row_of_each_stretch_of_one_partition() {
        let row = |partition, offset| ReadRow {
            reader: ProcessId(1),
            topic: TopicIndex(0),
            partition: Partition(partition),
            offset: Offset(offset),
            leader_epoch: None,
            read_ns: TimeNs(0),
            status: ReadStatus::Intact,
            record: RECORD,
            bytes: 64,
        };
        let rows = [row(0, 4), row(0, 5), row(1, 9), row(0, 6)];
        let spot = |partition| (TopicIndex(0), Partition(partition));
        let stands: Vec<_> = reached(&rows).collect();
        assert_eq!(stands, [(spot(0), 6), (spot(1), 10), (spot(0), 7)]);
    }

    #[test]
    fn a_timestamp_that_is_off_by_a_millisecond_makes_a_record_corrupt() {
        let clock = Clock::start();
        let right_ms = clock.wall_ms(SENT);
        for status in [ReadStatus::Intact, ReadStatus::Misplaced] {
            let judged = |timestamp| judged(clock, &decoded(status), timestamp, 4);
            assert_eq!(judged(Timestamp::CreateTime(right_ms)), status);
            assert_eq!(judged(Timestamp::CreateTime(right_ms - 1)), ReadStatus::Corrupt);
            assert_eq!(judged(Timestamp::CreateTime(right_ms + 1)), ReadStatus::Corrupt);
            assert_eq!(judged(Timestamp::NotAvailable), ReadStatus::Corrupt);
        }
    }

    #[test]
    fn a_timestamp_that_the_broker_set_or_nobody_announced_is_not_judged() {
        let clock = Clock::start();
        let by_the_broker = Timestamp::LogAppendTime(clock.wall_ms(SENT) + 40);
        assert_eq!(judged(clock, &decoded(ReadStatus::Intact), by_the_broker, 4), ReadStatus::Intact);
        let unannounced = Decoded { timestamp: None, ..decoded(ReadStatus::Intact) };
        for timestamp in [Timestamp::CreateTime(1), Timestamp::NotAvailable] {
            assert_eq!(judged(clock, &unannounced, timestamp, 4), ReadStatus::Intact);
        }
    }

    #[test]
    fn headers_that_are_missing_unasked_or_unreadable_make_a_record_corrupt() {
        let clock = Clock::start();
        let timestamp = Timestamp::CreateTime(clock.wall_ms(SENT));
        let with = |count| judged(clock, &decoded(ReadStatus::Intact), timestamp, count);
        assert_eq!([with(3), with(4), with(5)], [ReadStatus::Corrupt, ReadStatus::Intact, ReadStatus::Corrupt]);
        let none_asked = Decoded { headers: 0, ..decoded(ReadStatus::Intact) };
        assert_eq!(judged(clock, &none_asked, timestamp, 0), ReadStatus::Intact);
        assert_eq!(judged(clock, &none_asked, timestamp, 1), ReadStatus::Corrupt);
        let unreadable = None::<std::iter::Empty<_>>;
        assert_eq!(judge(&none_asked, clock, timestamp, unreadable), ReadStatus::Corrupt);
    }

    #[test]
    fn what_surrounds_a_foreign_or_damaged_payload_says_nothing_more() {
        for status in [ReadStatus::Foreign, ReadStatus::Corrupt] {
            assert_eq!(judged(Clock::start(), &decoded(status), Timestamp::NotAvailable, 0), status);
        }
    }

    #[test]
    fn what_came_out_within_a_millisecond_has_the_time_of_the_last_of_it() {
        let row = |ns| ReadRow {
            reader: ProcessId(1),
            topic: TopicIndex(0),
            partition: Partition(0),
            offset: Offset(0),
            leader_epoch: None,
            read_ns: TimeNs(ns),
            status: ReadStatus::Intact,
            record: RECORD,
            bytes: 64,
        };
        let mut rows = [10, 500_000, 1_000_009, 1_000_010, 9_000_000, 9_000_001].map(row);
        at_one_time(&mut rows);
        let times = rows.map(|row| row.read_ns.0);
        assert_eq!(times, [1_000_009, 1_000_009, 1_000_009, 1_000_010, 9_000_001, 9_000_001]);
        at_one_time(&mut []);
    }
}
