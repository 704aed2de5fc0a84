//! What librdkafka knows about a message or a group's member and rdkafka's safe interface does not tell.
//!
//! The only module with `unsafe` code. Each function reads one value out of a message or a client that the caller has borrowed, by
//! C functions that neither keep nor change the pointer, or looks up a static name. Headers are here because rdkafka's own reader
//! of them panics on a key that is no UTF-8, and damaged ones are what we look for.

#![expect(
    unsafe_code,
    reason = "message status, broker, leader epoch, headers as bytes and generation exist in librdkafka's C interface only"
)]

use std::ffi::CStr;
use std::ptr;

use rdkafka::bindings;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::message::BorrowedMessage;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};

use crate::kafka::{BrokerId, Generation, LeaderEpoch};

/// How far a message got, by librdkafka's own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Persistence {
    /// librdkafka holds it for not written. See [`super::outcome`] for how far that can be believed.
    NotPersisted,
    /// It was transmitted, and what became of it is unknown.
    PossiblyPersisted,
    /// A broker acknowledged it.
    Persisted,
}

/// How far a message got, at the moment of its delivery report.
pub fn persistence(message: &BorrowedMessage<'_>) -> Persistence {
    use bindings::rd_kafka_msg_status_t as status;
    // SAFETY: the borrow keeps the message, and the event that owns it, alive during the call; the function only reads the
    // message's private part, which exists for every message that librdkafka itself made.
    match unsafe { bindings::rd_kafka_message_status(message.ptr()) } {
        status::RD_KAFKA_MSG_STATUS_NOT_PERSISTED => Persistence::NotPersisted,
        status::RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED => Persistence::PossiblyPersisted,
        status::RD_KAFKA_MSG_STATUS_PERSISTED => Persistence::Persisted,
    }
}

/// The broker that a message was produced to, where librdkafka knows it.
pub fn broker(message: &BorrowedMessage<'_>) -> Option<BrokerId> {
    // SAFETY: as above.
    let id = unsafe { bindings::rd_kafka_message_broker_id(message.ptr()) };
    (id >= 0).then_some(BrokerId(id))
}

/// The leader's epoch of the batch that a message was fetched in, where the broker told it.
pub fn leader_epoch(message: &BorrowedMessage<'_>) -> Option<LeaderEpoch> {
    // SAFETY: as above.
    let epoch = unsafe { bindings::rd_kafka_message_leader_epoch(message.ptr()) };
    (epoch >= 0).then_some(LeaderEpoch(epoch))
}

/// The headers of a message, in order: keys and values, null ones as `None`. Empty for a message without; `None` when there are
/// bytes in their place that are no headers.
pub fn headers<'a>(
    message: &'a BorrowedMessage<'_>,
) -> Option<impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a>> {
    let mut headers = ptr::null_mut();
    // SAFETY: as above; the list belongs to the message and lives as long as it does.
    let found = unsafe { bindings::rd_kafka_message_headers(message.ptr(), &raw mut headers) };
    let count = match found {
        // SAFETY: librdkafka has just given the list.
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => unsafe { bindings::rd_kafka_header_cnt(headers) },
        RDKafkaRespErr::RD_KAFKA_RESP_ERR__NOENT => 0,
        _ => return None,
    };
    Some((0..count).map_while(move |index| {
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the list lives as long as the message, which is borrowed for `'a`; the three are written before they are read.
        let got =
            unsafe { bindings::rd_kafka_header_get_all(headers, index, &raw mut name, &raw mut value, &raw mut size) };
        if got != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        // SAFETY: librdkafka ends a name with a zero, and a value that is not null has so many bytes; both are the list's own.
        unsafe {
            let value = (!value.is_null()).then(|| std::slice::from_raw_parts(value.cast::<u8>(), size));
            Some((CStr::from_ptr(name).to_bytes(), value))
        }
    }))
}

/// The generation of its group that a member is in, where its client library knows it. Inside the callback that gives it partitions
/// this is the generation in which it is given them: librdkafka joins none other before the callback is answered.
pub fn generation<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> Option<Generation> {
    // SAFETY: the borrow keeps the client alive during the calls. The first one asks the client's own thread for a copy of what it
    // knows of the group, or returns null; the copy is ours, is read once and given back, and is not used after that.
    let generation = unsafe {
        let metadata = bindings::rd_kafka_consumer_group_metadata(consumer.client().native_ptr());
        if metadata.is_null() {
            return None;
        }
        let generation = bindings::rd_kafka_consumer_group_metadata_generation_id(metadata);
        bindings::rd_kafka_consumer_group_metadata_destroy(metadata);
        generation
    };
    (generation >= 0).then_some(Generation(generation))
}

/// librdkafka's name for an error code, such as `_ALL_BROKERS_DOWN`.
pub fn code_name(code: RDKafkaErrorCode) -> String {
    match RDKafkaRespErr::try_from(code as i32) {
        // SAFETY: the argument is one of the enum's values, for each of which librdkafka returns a static C string.
        Ok(error) => unsafe { CStr::from_ptr(bindings::rd_kafka_err2name(error)) }.to_string_lossy().into_owned(),
        Err(_) => format!("{code:?}"),
    }
}
