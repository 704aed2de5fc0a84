//! librdkafka's own interface, where rdkafka's safe one does not tell something or takes too long over each record.
//!
//! The only module with `unsafe` code. What is here itself reads one value out of a message or a client that the caller has
//! borrowed, by C functions that neither keep nor change the pointer, or looks up a static name. [`letter`] looks at a message where
//! it lies; [`inbox`] takes records out by the batch; [`outlet`] sends records to a topic that is looked up once.

#![expect(
    unsafe_code,
    reason = "message status, broker, leader epoch, headers as bytes, generation, batches of records and handles of topics exist in \
              librdkafka's C interface only"
)]

pub mod inbox;
pub mod letter;
pub mod outlet;

use std::ffi::CStr;

use rdkafka::bindings;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::message::BorrowedMessage;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};

use crate::kafka::{BrokerId, Generation};

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
