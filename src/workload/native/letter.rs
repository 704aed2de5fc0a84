//! A message as librdkafka keeps it, looked at where it lies: no copy, no name that is looked up, no allocation.

use std::ffi::CStr;
use std::ptr;

use rdkafka::Timestamp;
use rdkafka::bindings::{self, rd_kafka_timestamp_type_t as timestamp_type};
use rdkafka::message::BorrowedMessage;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};

use crate::kafka::{LeaderEpoch, Offset, Partition};

/// A message that a consumer was given, and that is not taken back while this is looked at.
#[derive(Clone, Copy)]
pub struct Letter<'a>(&'a bindings::rd_kafka_message_t);

/// Which topic a letter is of, told without its name. Of two letters that are there at one time, the same mark means the same topic;
/// it says nothing beyond that, because another topic may come to lie where one has been.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TopicMark(*const bindings::rd_kafka_topic_t);

impl<'a> Letter<'a> {
    /// What rdkafka's own poll gave.
    pub fn of(message: &'a BorrowedMessage<'_>) -> Self {
        // SAFETY: rdkafka never holds a null pointer in a message, and the borrow keeps the message alive for `'a`, in which
        // nothing writes to it.
        Self(unsafe { &*message.ptr() })
    }

    /// What a queue gave.
    ///
    /// # Safety
    ///
    /// `message` is one that librdkafka gave, not null, and neither taken back nor written to during `'a`.
    pub(super) unsafe fn at(message: *const bindings::rd_kafka_message_t) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { &*message })
    }

    /// What is wrong, where this is no record but word of an error in reading its partition: the code, and what librdkafka says.
    pub fn error(self) -> Option<(RDKafkaErrorCode, String)> {
        if self.0.err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        // SAFETY: the message is borrowed; what is returned is null or a C string that lives as long as the message does.
        let text = unsafe {
            let text = bindings::rd_kafka_message_errstr(self.0);
            if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
        };
        Some((self.0.err.into(), text))
    }

    /// Which topic it is of.
    pub fn topic_mark(self) -> TopicMark {
        TopicMark(self.0.rkt)
    }

    /// Its topic's name; empty where it has none.
    pub fn topic(self) -> &'a str {
        if self.0.rkt.is_null() {
            return "";
        }
        // SAFETY: the message holds its topic, whose name is a C string that lives as long as the topic does.
        unsafe { CStr::from_ptr(bindings::rd_kafka_topic_name(self.0.rkt)) }.to_str().unwrap_or_default()
    }

    /// Its partition.
    pub fn partition(self) -> Partition {
        Partition(self.0.partition)
    }

    /// Its offset.
    pub fn offset(self) -> Offset {
        Offset(self.0.offset)
    }

    /// Its payload; empty where it has none.
    pub fn payload(self) -> &'a [u8] {
        // SAFETY: librdkafka keeps so many bytes there for as long as the message lives.
        unsafe { bytes(self.0.payload, self.0.len) }.unwrap_or_default()
    }

    /// Its key, if it has one.
    pub fn key(self) -> Option<&'a [u8]> {
        // SAFETY: as above.
        unsafe { bytes(self.0.key, self.0.key_len) }
    }

    /// Its timestamp.
    pub fn timestamp(self) -> Timestamp {
        let mut kind = timestamp_type::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is borrowed, and `kind` is written to during the call only.
        let millis = unsafe { bindings::rd_kafka_message_timestamp(self.0, &raw mut kind) };
        match kind {
            _ if millis == -1 => Timestamp::NotAvailable,
            timestamp_type::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => Timestamp::NotAvailable,
            timestamp_type::RD_KAFKA_TIMESTAMP_CREATE_TIME => Timestamp::CreateTime(millis),
            timestamp_type::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => Timestamp::LogAppendTime(millis),
        }
    }

    /// The leader's epoch of the batch that it was fetched in, where the broker told it.
    pub fn leader_epoch(self) -> Option<LeaderEpoch> {
        // SAFETY: the message is borrowed; the function only reads its private part, which every message of librdkafka's has.
        let epoch = unsafe { bindings::rd_kafka_message_leader_epoch(self.0) };
        (epoch >= 0).then_some(LeaderEpoch(epoch))
    }

    /// Its headers, in order: keys and values, null ones as `None`. Empty where it has none; `None` when there are bytes in
    /// their place that are no headers.
    pub fn headers(self) -> Option<impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a>> {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is borrowed; the list belongs to it and lives as long as it does.
        let found = unsafe { bindings::rd_kafka_message_headers(self.0, &raw mut headers) };
        let count = match found {
            // SAFETY: librdkafka has just given the list.
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => unsafe { bindings::rd_kafka_header_cnt(headers) },
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__NOENT => 0,
            _ => return None,
        };
        Some((0..count).map_while(move |index| {
            let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
            // SAFETY: the list lives as long as the message, which is borrowed for `'a`; the three are written before they are
            // read.
            let got = unsafe {
                bindings::rd_kafka_header_get_all(headers, index, &raw mut name, &raw mut value, &raw mut size)
            };
            if got != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                return None;
            }
            // SAFETY: librdkafka ends a name with a zero, and a value that is not null has so many bytes; both are the list's.
            unsafe { Some((CStr::from_ptr(name).to_bytes(), bytes(value, size))) }
        }))
    }
}

/// Bytes of librdkafka's; `None` where there are none.
///
/// # Safety
///
/// `start` is null, or so many bytes are there that nothing writes to during `'a`.
unsafe fn bytes<'a>(start: *const std::ffi::c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start.cast::<u8>(), length) })
}
