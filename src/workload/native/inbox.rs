//! Records by the batch: a queue beside a consumer's own, to which its partitions are led.
//!
//! A consumer's own queue holds records and events alike, and librdkafka's calls that give many records at once must not be made
//! on it: they give no events out, but call what the client has set for them, and rdkafka sets nothing. A rebalance would be
//! answered by giving up every partition, and nobody would hear of it. So events stay where they are, to be served by rdkafka's
//! `poll` between two batches, and records come here.
//!
//! **No record of a partition that was given up comes out of here.** librdkafka counts a partition's version up before it
//! tells of a rebalance, and again when the partition is given up; a record of an older version is thrown away when its turn
//! comes. What came out before that was taken in before the rebalance was served, because one thread does both.
//!
//! **A partition that is kept goes on exactly where it was.** For a rebalance in which partitions are kept (cooperative protocols,
//! KIP-848) librdkafka pauses them and goes on later where it saw the reader stand. So it has to see each record given out at once,
//! as `rd_kafka_consume_queue` does. `rd_kafka_consume_batch_queue` would not do: it gives out an array, and counts the
//! reader on when the array is full; what it had taken by the moment of a pause would come again, as if the reader had stepped back.
//!
//! **What waits for a slow reader is bounded.** librdkafka fetches no more while the inbox holds `queued.min.messages`, and has
//! one answer of each broker on the way at most.
//! `rd_kafka_consume_callback_queue` would not do: it takes the whole queue out while it gives out some of it, and puts the rest
//! back; whoever looks meanwhile finds it empty and fetches on, so that a reader who falls behind has all of the log in memory soon.
//!
//! **What is left to librdkafka.** Between taking a record off a queue and counting the reader on there is a moment in which a pause finds
//! the reader before the record; it comes twice then, here as by `rd_kafka_consumer_poll`, and the history says so.

use std::ffi::CString;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::bindings;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::types::{RDKafka, RDKafkaMessage};

use super::letter::Letter;
use crate::kafka::Partition;

/// The most records of a batch: so many that what is done once a batch costs nothing, so few that events need not wait for it.
pub const BATCH_MAX: usize = 1024;

/// Leads a consumer's partitions to its inbox, as long as that is open. The consumer's context has it, because a partition has to
/// be led before it is assigned.
#[derive(Default)]
pub struct Switch(Mutex<Option<Queue>>);

/// A queue, and the client whose it is.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Queue {
    queue: NonNull<bindings::rd_kafka_queue_t>,
    client: *mut RDKafka,
}

// SAFETY: librdkafka's queues and clients may be used from any thread.
unsafe impl Send for Queue {}

impl Switch {
    /// Leads a partition to the inbox until it is given up. Returns whether it is led there; the records of one that is not come
    /// out of the consumer's own queue.
    pub fn lead<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>, topic: &str, partition: Partition) -> bool {
        let client = consumer.client().native_ptr();
        let open = self.open();
        let (Some(to), Ok(topic)) = (open.filter(|queue| queue.client == client), CString::new(topic)) else {
            return false;
        };
        // SAFETY: the borrow of the consumer keeps the client alive, and the inbox's queue is destroyed only after it was taken out
        // of this switch, whose lock is held. The partition's queue is a reference of ours, which is given back.
        unsafe {
            let from = bindings::rd_kafka_queue_get_partition(client, topic.as_ptr(), partition.0);
            if from.is_null() {
                return false;
            }
            bindings::rd_kafka_queue_forward(from, to.queue.as_ptr());
            bindings::rd_kafka_queue_destroy(from);
        }
        true
    }

    fn open(&self) -> MutexGuard<'_, Option<Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The queue of one consumer's records.
pub struct Inbox<C: ConsumerContext> {
    switch: Arc<Switch>,
    queue: Queue,
    /// A client has to outlive its queues.
    _consumer: Arc<BaseConsumer<C>>,
}

// SAFETY: librdkafka's queues may be used from any thread, and the consumer may, too.
unsafe impl<C: ConsumerContext> Send for Inbox<C> {}

impl<C: ConsumerContext> Inbox<C> {
    /// Makes the queue, to which the switch leads from now on.
    pub fn open(consumer: &Arc<BaseConsumer<C>>, switch: &Arc<Switch>) -> Self {
        let client = consumer.client().native_ptr();
        // SAFETY: the borrow of the consumer keeps the client alive.
        let queue = unsafe { bindings::rd_kafka_queue_new(client) };
        let queue = Queue { queue: NonNull::new(queue).expect("librdkafka ends the process when memory does"), client };
        *switch.open() = Some(queue);
        Self { switch: Arc::clone(switch), queue, _consumer: Arc::clone(consumer) }
    }

    /// Gives out what is there, `most` at most; where nothing is, waits for the first and gives out what has come with it. While a
    /// message is looked at, the one before it is still there. Returns how many messages there were.
    pub fn read(&mut self, most: usize, wait: Duration, each: &mut dyn FnMut(Letter<'_>)) -> usize {
        let (mut given, mut last) = (0, None);
        while given < most.max(1) {
            let wait = if given == 0 { wait } else { Duration::ZERO };
            let Some(next) = self.next(wait) else { break };
            each(next.letter());
            last = Some(next);
            given += 1;
        }
        drop(last);
        given
    }

    /// How many messages wait.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        // SAFETY: the queue is destroyed when this is dropped.
        unsafe { bindings::rd_kafka_queue_length(self.queue.queue.as_ptr()) }
    }

    fn next(&mut self, wait: Duration) -> Option<Taken> {
        let wait_ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is destroyed when this is dropped. What comes out is ours to give back.
        NonNull::new(unsafe { bindings::rd_kafka_consume_queue(self.queue.queue.as_ptr(), wait_ms) }).map(Taken)
    }
}

/// A message that was taken out, until it is given back.
struct Taken(NonNull<RDKafkaMessage>);

impl Taken {
    fn letter(&self) -> Letter<'_> {
        // SAFETY: librdkafka gave the message, and leaves it alone until it has it back, which the borrow forbids.
        unsafe { Letter::at(self.0.as_ptr()) }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        // SAFETY: the message is given back once, and nobody looks at it any more.
        unsafe { bindings::rd_kafka_message_destroy(self.0.as_ptr()) };
    }
}

impl<C: ConsumerContext> Drop for Inbox<C> {
    fn drop(&mut self) {
        self.switch.open().take_if(|queue| *queue == self.queue);
        // SAFETY: nobody else has the queue any more: the switch, which alone lends it, does not lead to it. The client still lives.
        unsafe { bindings::rd_kafka_queue_destroy(self.queue.queue.as_ptr()) };
    }
}
