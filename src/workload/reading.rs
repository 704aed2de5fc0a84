//! From a message that librdkafka delivered to a row of the history; what group members and drain readers share.

use rdkafka::Timestamp;
use rdkafka::message::{BorrowedMessage, Message};

use super::headers;
use super::payload::{self, Decoded, Place, RunTag};
use super::status;
use crate::history::ReadRow;
use crate::history::clock::Clock;
use crate::history::recorder::RecorderHandle;
use crate::kafka::{Offset, Partition, ProcessId, ReadStatus, TopicIndex, TopicPartition};

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

/// Judges a message, which was read now, and makes its row; `None` for a topic that is none of the run's.
pub fn row(
    message: &BorrowedMessage<'_>,
    reader: ProcessId,
    run: RunTag,
    topics: &Topics,
    clock: Clock,
) -> Option<ReadRow> {
    let topic = topics.index(message.topic())?;
    let partition = Partition(message.partition());
    let payload = message.payload().unwrap_or_default();
    let key = message.key().unwrap_or_default();
    let read_ns = clock.now();
    let decoded = payload::decode(run, Place { topic, partition }, key, payload);
    Some(ReadRow {
        reader,
        topic,
        partition,
        offset: Offset(message.offset()),
        leader_epoch: status::leader_epoch(message),
        read_ns,
        status: judge(&decoded, clock, message.timestamp(), status::headers(message)),
        record: decoded.record,
        bytes: u32::try_from(payload.len()).unwrap_or(u32::MAX),
    })
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
    use crate::kafka::{RecordId, Sequence, TimeNs};

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
}
