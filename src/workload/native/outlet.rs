//! Records to one topic, whose handle is looked up once and not for each of them.

use std::ffi::CString;
use std::mem;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use rdkafka::bindings::{self, rd_kafka_vtype_t as part};
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};

use crate::kafka::Partition;

/// A topic as one producer's client knows it.
pub struct Outlet<C: ProducerContext<DeliveryOpaque = usize>> {
    topic: NonNull<bindings::rd_kafka_topic_t>,
    client: Arc<BaseProducer<C>>,
}

// SAFETY: librdkafka's topics may be used from any thread, and the client may, too.
unsafe impl<C: ProducerContext<DeliveryOpaque = usize>> Send for Outlet<C> {}

/// A record that is to be sent.
pub struct Parcel<'a> {
    /// By what its delivery report calls it.
    pub slot: usize,
    /// Where to.
    pub partition: Partition,
    /// Its timestamp.
    pub timestamp_ms: i64,
    /// Its key, if it has one.
    pub key: Option<&'a [u8]>,
    /// Its payload.
    pub payload: &'a [u8],
    /// Its headers, if it has any.
    pub headers: Option<HeaderList>,
}

impl<C: ProducerContext<DeliveryOpaque = usize>> Outlet<C> {
    /// Finds the topic; `None` where librdkafka takes its name for none.
    pub fn open(client: &Arc<BaseProducer<C>>, topic: &str) -> Option<Self> {
        let name = CString::new(topic).ok()?;
        // SAFETY: the borrow keeps the client alive, and the name is copied during the call. Without a configuration of its own
        // the topic has the client's, as one that is looked up by its name.
        let topic =
            unsafe { bindings::rd_kafka_topic_new(client.client().native_ptr(), name.as_ptr(), ptr::null_mut()) };
        Some(Self { topic: NonNull::new(topic)?, client: Arc::clone(client) })
    }

    /// Hands a record to librdkafka, which copies it.
    pub fn send(&self, parcel: Parcel<'_>) -> Result<(), RDKafkaErrorCode> {
        let Parcel { slot, partition, timestamp_ms, key, payload, headers } = parcel;
        let (key, key_length) = key.map_or((ptr::null(), 0), |key| (key.as_ptr(), key.len()));
        let list = headers.as_ref().map_or(ptr::null_mut(), |list| list.0.as_ptr());
        // SAFETY: client and topic live as long as this does, and belong together. Each part is followed by what librdkafka's
        // documentation names for it. Key and payload are copied during the call; the report's name is a number, which nobody
        // follows as a pointer.
        let error = unsafe {
            bindings::rd_kafka_producev(
                self.client.client().native_ptr(),
                part::RD_KAFKA_VTYPE_RKT,
                self.topic.as_ptr(),
                part::RD_KAFKA_VTYPE_PARTITION,
                partition.0,
                part::RD_KAFKA_VTYPE_MSGFLAGS,
                bindings::RD_KAFKA_MSG_F_COPY,
                part::RD_KAFKA_VTYPE_VALUE,
                payload.as_ptr(),
                payload.len(),
                part::RD_KAFKA_VTYPE_KEY,
                key,
                key_length,
                part::RD_KAFKA_VTYPE_OPAQUE,
                ptr::without_provenance::<u8>(slot),
                part::RD_KAFKA_VTYPE_TIMESTAMP,
                timestamp_ms,
                part::RD_KAFKA_VTYPE_HEADERS,
                list,
                part::RD_KAFKA_VTYPE_END,
            )
        };
        if error != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(error.into());
        }
        // The record has its headers now.
        mem::forget(headers);
        Ok(())
    }
}

impl<C: ProducerContext<DeliveryOpaque = usize>> Drop for Outlet<C> {
    fn drop(&mut self) {
        // SAFETY: the topic is a reference of ours, and the client still lives.
        unsafe { bindings::rd_kafka_topic_destroy(self.topic.as_ptr()) };
    }
}

/// Headers as librdkafka takes them.
pub struct HeaderList(NonNull<bindings::rd_kafka_headers_t>);

impl HeaderList {
    /// A list of these: names, and values of which each may be null.
    pub fn of<'a>(headers: impl ExactSizeIterator<Item = (&'a str, Option<&'a [u8]>)>) -> Self {
        // SAFETY: makes a list, and needs nothing for it.
        let list = NonNull::new(unsafe { bindings::rd_kafka_headers_new(headers.len()) });
        let list = Self(list.expect("librdkafka ends the process when memory does"));
        for (name, value) in headers {
            let (start, length) = value.map_or((ptr::null(), 0), |value| (value.as_ptr(), value.len()));
            // SAFETY: the list is ours; name and value are as long as is said, and are copied during the call.
            let error = unsafe {
                bindings::rd_kafka_header_add(
                    list.0.as_ptr(),
                    name.as_ptr().cast(),
                    name.len().cast_signed(),
                    start.cast(),
                    length.cast_signed(),
                )
            };
            // A record without a header that it is to have would be taken for damaged on its way.
            assert_eq!(error, RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR, "a list that is ours can be written to");
        }
        list
    }
}

impl Drop for HeaderList {
    fn drop(&mut self) {
        // SAFETY: the list is ours, unless a record has it, and then this is forgotten.
        unsafe { bindings::rd_kafka_headers_destroy(self.0.as_ptr()) };
    }
}
