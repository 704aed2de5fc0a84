//! What comes out of a consumer's inbox, and what must not.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};

use super::{LIMIT, Mock, PARTITIONS, mock};
use crate::kafka::Partition;
use crate::workload::native::inbox::{BATCH_MAX, Inbox, Switch};
use crate::workload::native::letter::Letter;

/// How many records each partition has: more than a few batches.
const RECORDS: i64 = 20_000;
const TICK: Duration = Duration::from_millis(10);

/// What a member owns, and the next offset of each partition, once something was read of it.
#[derive(Default)]
struct Owner {
    switch: Arc<Switch>,
    owned: Mutex<BTreeMap<Partition, Option<i64>>>,
    has_lost: AtomicBool,
}

impl ClientContext for Owner {}

impl ConsumerContext for Owner {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let partitions = |list: &TopicPartitionList| -> Vec<i32> {
            list.elements().iter().map(TopicPartitionListElem::partition).collect()
        };
        let mut owned = self.owned.lock().expect("a table");
        match rebalance {
            Rebalance::Assign(list) => {
                for partition in partitions(list).into_iter().map(Partition) {
                    assert!(self.switch.lead(consumer, "chat", partition));
                    owned.insert(partition, None);
                }
            }
            Rebalance::Revoke(list) => {
                for partition in partitions(list).into_iter().map(Partition) {
                    owned.remove(&partition);
                    self.has_lost.store(true, Ordering::Relaxed);
                }
            }
            Rebalance::Error(error) => panic!("{error}"),
        }
    }
}

impl Owner {
    /// A record is of a partition that is owned, and the next one of it.
    fn take(&self, letter: Letter<'_>) {
        assert_eq!((letter.error(), letter.topic()), (None, "chat"));
        let (partition, offset) = (letter.partition(), letter.offset().0);
        let mut owned = self.owned.lock().expect("a table");
        let next = owned.get_mut(&partition).unwrap_or_else(|| panic!("{partition} at {offset} was given up"));
        assert!(next.is_none_or(|next| next == offset), "{partition} at {offset}, not {next:?}");
        *next = Some(offset + 1);
    }

    fn owns(&self) -> usize {
        self.owned.lock().expect("a table").len()
    }
}

fn fill(mock: &Mock) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", mock.bootstrap_servers()).set("batch.num.messages", "100");
    let client: BaseProducer = config.create().expect("a producer");
    for _ in 0..RECORDS {
        for partition in 0..PARTITIONS.cast_signed() {
            let record = BaseRecord::<(), str>::to("chat").partition(partition).payload("something");
            assert!(client.send(record).is_ok());
        }
        client.poll(Duration::ZERO);
    }
    client.flush(LIMIT).expect("every record is delivered");
}

fn config(mock: &Mock, assignor: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", mock.bootstrap_servers())
        .set("group.id", "readers")
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "200")
        .set("enable.auto.commit", "false")
        .set("partition.assignment.strategy", assignor);
    config
}

fn member(mock: &Mock, assignor: &str) -> (Arc<BaseConsumer<Owner>>, Inbox<Owner>) {
    let consumer = config(mock, assignor).create_with_context(Owner::default()).expect("a consumer");
    let consumer: Arc<BaseConsumer<Owner>> = Arc::new(consumer);
    let inbox = Inbox::open(&consumer, &consumer.context().switch);
    consumer.subscribe(&["chat"]).expect("a subscription");
    (consumer, inbox)
}

/// Serves events and reads until this is so; returns how many records were read.
fn read_until(
    (consumer, inbox): (&BaseConsumer<Owner>, &mut Inbox<Owner>),
    most: usize,
    mut enough: impl FnMut(usize) -> bool,
) -> usize {
    let (mut read, deadline) = (0, Instant::now() + LIMIT);
    while !enough(read) {
        assert!(Instant::now() < deadline, "{read} records were read");
        assert!(consumer.poll(Duration::ZERO).is_none(), "no record comes out of the consumer's own queue");
        let given = inbox.read(most, TICK, &mut |letter| consumer.context().take(letter));
        assert!(given <= most, "{given} of {most}");
        read += given;
    }
    read
}

/// One member reads a little, and leaves what has come since then in its inbox, while another one joins.
fn share(assignor: &str) {
    let mock = mock();
    fill(&mock);
    let (consumer, mut inbox) = member(&mock, assignor);
    let owner = Arc::clone(consumer.context());
    let all = PARTITIONS as usize;
    let read = read_until((&consumer, &mut inbox), 10, |read| owner.owns() == all && read >= 50);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let other: BaseConsumer = config(&mock, assignor).create().expect("a consumer");
        scope.spawn(|| {
            let (other, deadline) = (other, Instant::now() + LIMIT);
            other.subscribe(&["chat"]).expect("a subscription");
            while !is_over.load(Ordering::Relaxed) && Instant::now() < deadline {
                other.poll(TICK);
            }
        });
        // Nothing is taken out from here until partitions were lost, so that all of it lies there by then.
        let deadline = Instant::now() + LIMIT;
        while !owner.has_lost.load(Ordering::Relaxed) {
            assert!(Instant::now() < deadline, "nothing was lost");
            assert!(consumer.poll(TICK).is_none());
        }
        let is_left = |_| owner.owns() > 0 && owner.owns() < all;
        let more = read_until((&consumer, &mut inbox), BATCH_MAX, is_left);
        let left = owner.owns();
        let rest = read_until((&consumer, &mut inbox), BATCH_MAX, |read| {
            let table = owner.owned.lock().expect("a table");
            read > 0 && table.values().all(|next| *next == Some(RECORDS))
        });
        is_over.store(true, Ordering::Relaxed);
        assert!(left < all && rest > 0, "{read}, {more} and {rest} records of {left} partitions");
    });
}

#[test]
fn what_lies_in_the_inbox_of_a_partition_that_was_given_up_never_comes_out() {
    share("range");
}

#[test]
fn a_partition_that_is_kept_across_a_rebalance_goes_on_exactly_where_it_was() {
    share("cooperative-sticky");
}

#[test]
fn the_end_of_a_partition_is_an_error_in_its_place_and_no_record() {
    let mock = mock();
    fill(&mock);
    let mut config = config(&mock, "range");
    config.set("enable.partition.eof", "true");
    let consumer: BaseConsumer<Owner> = config.create_with_context(Owner::default()).expect("a consumer");
    let consumer = Arc::new(consumer);
    let mut inbox = Inbox::open(&consumer, &consumer.context().switch);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("chat", 1, Offset::Offset(RECORDS - 5)).expect("a list");
    assert!(consumer.context().switch.lead(&consumer, "chat", Partition(1)));
    consumer.assign(&list).expect("an assignment");
    let mut seen: Vec<Option<RDKafkaErrorCode>> = Vec::new();
    let deadline = Instant::now() + LIMIT;
    while seen.len() < 6 {
        assert!(Instant::now() < deadline, "{seen:?}");
        consumer.poll(Duration::ZERO);
        inbox.read(2, TICK, &mut |letter| seen.push(letter.error().map(|(code, _)| code)));
    }
    assert_eq!(seen, [None, None, None, None, None, Some(RDKafkaErrorCode::PartitionEOF)]);
}

#[test]
fn a_panic_over_a_record_passes_through_and_the_record_after_it_is_the_next() {
    let mock = mock();
    fill(&mock);
    let (consumer, mut inbox) = member(&mock, "range");
    read_until((&consumer, &mut inbox), 10, |read| read >= 50);
    let mut fallen = None;
    while fallen.is_none() {
        let reading = AssertUnwindSafe(|| {
            inbox.read(BATCH_MAX, TICK, &mut |letter| {
                consumer.context().take(letter);
                panic!("over one record");
            })
        });
        fallen = catch_unwind(reading).err();
    }
    assert_eq!(fallen.and_then(|panic| panic.downcast_ref::<&str>().copied()), Some("over one record"));
    read_until((&consumer, &mut inbox), 10, |read| read >= 50);
}

#[test]
fn what_waits_for_a_slow_reader_is_bounded() {
    let mock = mock();
    fill(&mock);
    let mut config = config(&mock, "range");
    let (bound, fetch_bytes) = (500, 4096);
    config
        .set("queued.min.messages", bound.to_string())
        .set("fetch.message.max.bytes", fetch_bytes.to_string())
        .set("fetch.queue.backoff.ms", "1");
    let consumer: BaseConsumer<Owner> = config.create_with_context(Owner::default()).expect("a consumer");
    let consumer = Arc::new(consumer);
    let mut inbox = Inbox::open(&consumer, &consumer.context().switch);
    consumer.subscribe(&["chat"]).expect("a subscription");
    read_until((&consumer, &mut inbox), 10, |read| read > 0);
    // No record is smaller than its payload, and each partition may have one answer on the way when the bound is reached.
    let most = bound + PARTITIONS as usize * fetch_bytes / "something".len();
    let mut seen = 0;
    // As slow over each record as it takes for the whole log to be fetched meanwhile, if nothing holds that back.
    for _ in 0..100 {
        assert!(consumer.poll(Duration::ZERO).is_none());
        inbox.read(5, TICK, &mut |letter| {
            consumer.context().take(letter);
            std::thread::sleep(Duration::from_millis(4));
        });
        seen = seen.max(inbox.waiting());
    }
    assert!((1..=most).contains(&seen), "{seen} waited, which is more than {most} or nothing");
}

#[test]
fn an_inbox_that_is_closed_with_records_in_it_leads_nobody_anywhere() {
    let mock = mock();
    fill(&mock);
    let (consumer, mut inbox) = member(&mock, "range");
    let owner = Arc::clone(consumer.context());
    read_until((&consumer, &mut inbox), 10, |read| read >= 50);
    drop(inbox);
    assert!(!owner.switch.lead(&consumer, "chat", Partition(0)));
    drop(consumer);
}
