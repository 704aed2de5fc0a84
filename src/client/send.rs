//! A producer for people: each message gets exactly one receipt, in the order of sending, and none is dropped in silence.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};
use tokio::sync::mpsc;

use crate::kafka::{Access, Outcome};
use crate::workload::outcome::{self, Acks};
use crate::workload::persistence;

/// How many messages may be without a receipt; more wait.
pub const IN_FLIGHT_MAX: usize = 10_000;

/// How many bytes they may hold together.
const IN_FLIGHT_BYTES_MAX: usize = 256 << 20;

/// Room in librdkafka's queue beyond that, so that our own limits are what holds a sender back.
const QUEUE_MAX: usize = 2 * IN_FLIGHT_MAX;
const QUEUE_MAX_KIB: usize = 2_097_151;

/// How much of a message is shown when it must be named.
const SHOWN_CHARS: usize = 80;

/// How messages are sent.
#[derive(Clone, Debug)]
pub struct Sending {
    /// The topic.
    pub topic: String,
    /// Only to this partition; else by the key, or in turn.
    pub partition: Option<i32>,
    /// Each message's key.
    pub key: Option<Vec<u8>>,
    /// Each message's headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// `acks`, as librdkafka takes it.
    pub acks: String,
    /// After how long a message that nobody acknowledged is given up.
    pub timeout: Duration,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The message's number, counted from 1.
    pub number: u64,
    /// Its text, shortened.
    pub shown: String,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was acknowledged.
    Stored {
        /// Its partition.
        partition: i32,
        /// Its offset; `None` where acks=0 asked nobody.
        offset: Option<i64>,
    },
    /// It was not acknowledged.
    Undelivered {
        /// The error.
        error: String,
        /// Whether it may be in the log all the same: [`Outcome::Fail`] is certain, [`Outcome::Info`] is not.
        outcome: Outcome,
    },
}

/// A producer with the messages that wait for their receipts.
pub struct Sender {
    producer: ThreadedProducer<Reports>,
    config: ClientConfig,
    reports: Reports,
    receipts: mpsc::UnboundedReceiver<(u64, Fate)>,
    /// How the last message ended.
    last: Outcome,
    sending: Sending,
    /// Messages without a receipt, shortened, and how many bytes each holds.
    open: BTreeMap<u64, (String, usize)>,
    open_bytes: usize,
    /// Receipts that came before their turn.
    early: BTreeMap<u64, Fate>,
    sent: u64,
}

impl Sender {
    /// Makes the producer. An error is one of its properties.
    pub fn new(access: &Access, sending: Sending) -> Result<Self, KafkaError> {
        let (told, receipts) = mpsc::unbounded_channel();
        let acks = if sending.acks == "0" { Acks::None } else { Acks::Some };
        let mut config = super::config(access);
        config
            .set("acks", &sending.acks)
            .set("message.timeout.ms", sending.timeout.as_millis().to_string())
            .set("queue.buffering.max.messages", QUEUE_MAX.to_string())
            .set("queue.buffering.max.kbytes", QUEUE_MAX_KIB.to_string());
        let mut default = |name: &str, value: &str| {
            if !access.properties.contains_key(name) {
                config.set(name, value);
            }
        };
        // As the Java clients choose partitions, so that a key lies where others look for it.
        default("partitioner", "murmur2_random");
        if !access.properties.contains_key("queue.buffering.max.ms") {
            default("linger.ms", "5");
        }
        if sending.acks == "all" || sending.acks == "-1" {
            default("enable.idempotence", "true");
        }
        let reports = Reports { acks, told };
        let producer = config.create_with_context(reports.clone())?;
        Ok(Self {
            producer,
            config,
            reports,
            receipts,
            sending,
            open: BTreeMap::new(),
            open_bytes: 0,
            early: BTreeMap::new(),
            sent: 0,
            last: Outcome::Ok,
        })
    }

    /// Whether another message may be sent now.
    pub fn has_room(&self) -> bool {
        self.open.len() < IN_FLIGHT_MAX && self.open_bytes < IN_FLIGHT_BYTES_MAX
    }

    /// How many messages wait for their receipts.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Hands a message to librdkafka. What that refuses at once gets its receipt like any other.
    pub fn send(&mut self, payload: &[u8]) {
        self.renew_after_silence();
        self.sent += 1;
        let number = self.sent;
        self.open.insert(number, (shown(payload), payload.len()));
        self.open_bytes += payload.len();
        let mut record = BaseRecord::with_opaque_to(&self.sending.topic, Box::new(number)).payload(payload);
        if let Some(key) = &self.sending.key {
            record = record.key(key);
        }
        if let Some(partition) = self.sending.partition {
            record = record.partition(partition);
        }
        if !self.sending.headers.is_empty() {
            let headers =
                self.sending.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
                    headers.insert(Header { key, value: Some(value) })
                });
            record = record.headers(headers);
        }
        let sent = self.producer.send(record);
        if let Err((error, _)) = sent {
            // No byte of it ever left this process.
            let fate = Fate::Undelivered { error: error.to_string(), outcome: outcome::refused().outcome };
            self.early.insert(number, fate);
        }
    }

    /// A client whose last message nobody answered may have forgotten every broker, as librdkafka does after an answer
    /// without any (issue 5301): the next message goes by a new one.
    fn renew_after_silence(&mut self) {
        if self.last == Outcome::Info && self.open.is_empty() {
            // The properties were good once; should it fail all the same, the old client is as good as none.
            if let Ok(producer) = self.config.create_with_context(self.reports.clone()) {
                self.producer = producer;
                self.last = Outcome::Ok;
            }
        }
    }

    /// Waits for the next receipt, in the order of sending. Never ends while nothing is open.
    pub async fn receipt(&mut self) -> Receipt {
        loop {
            if let Some(receipt) = self.in_turn() {
                return receipt;
            }
            match self.receipts.recv().await {
                Some((number, fate)) => self.early.insert(number, fate),
                None => unreachable!("the producer that is held here holds the other end"),
            };
        }
    }

    /// Gives up: what is open is purged, and what was said of it so far is told. For an end that must not wait.
    pub fn abandon(mut self) -> Vec<Receipt> {
        if self.open.is_empty() {
            return Vec::new();
        }
        self.producer.purge(rdkafka::producer::PurgeConfig::default().queue().inflight());
        self.producer.poll(Duration::from_millis(200));
        while let Ok((number, fate)) = self.receipts.try_recv() {
            self.early.insert(number, fate);
        }
        let unknown = || Fate::Undelivered {
            error: "given up when it was interrupted".to_owned(),
            outcome: outcome::abandoned().outcome,
        };
        let open = std::mem::take(&mut self.open);
        let told = open.into_iter().map(|(number, (shown, _))| {
            let fate = self.early.remove(&number).unwrap_or_else(unknown);
            Receipt { number, shown, fate }
        });
        told.collect()
    }

    fn in_turn(&mut self) -> Option<Receipt> {
        let number = *self.open.keys().next()?;
        let fate = self.early.remove(&number)?;
        let (shown, bytes) = self.open.remove(&number)?;
        self.open_bytes -= bytes;
        self.last = match fate {
            Fate::Stored { .. } => Outcome::Ok,
            Fate::Undelivered { outcome, .. } => outcome,
        };
        Some(Receipt { number, shown, fate })
    }
}

/// Hears librdkafka's delivery reports, on its thread.
#[derive(Clone)]
struct Reports {
    acks: Acks,
    told: mpsc::UnboundedSender<(u64, Fate)>,
}

impl ClientContext for Reports {
    /// Single messages tell what is wrong; what a client says in passing would be told twice.
    fn error(&self, _error: KafkaError, _reason: &str) {}
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<u64>;

    fn delivery(&self, result: &DeliveryResult<'_>, number: Box<u64>) {
        let fate = match result {
            Ok(message) => Fate::Stored {
                partition: message.partition(),
                offset: Some(message.offset()).filter(|offset| self.acks == Acks::Some && *offset >= 0),
            },
            Err((error, message)) => {
                let code = error.rdkafka_error_code().map_or(-1, code_of);
                let judged = outcome::judge(persistence(message), code, self.acks);
                Fate::Undelivered { error: sentence(error), outcome: judged.outcome }
            }
        };
        // Whoever gave up on receipts needs none.
        let _ = self.told.send((*number, fate));
    }
}

fn code_of(code: RDKafkaErrorCode) -> i16 {
    i16::try_from(code as i32).unwrap_or(-1)
}

/// The error's own words, without what rdkafka puts before them.
fn sentence(error: &KafkaError) -> String {
    error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string())
}

/// A message's beginning, on one line.
fn shown(payload: &[u8]) -> String {
    let text = super::print::plain(&String::from_utf8_lossy(payload));
    if text.chars().count() <= SHOWN_CHARS {
        return text;
    }
    let beginning: String = text.chars().take(SHOWN_CHARS).collect();
    format!("{beginning}…")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::Endpoint;

    fn sending(timeout: Duration) -> Sending {
        Sending {
            topic: "chat".to_owned(),
            partition: None,
            key: None,
            headers: vec![("from".to_owned(), b"test".to_vec())],
            acks: "all".to_owned(),
            timeout,
        }
    }

    #[tokio::test]
    async fn every_message_gets_its_receipt_in_the_order_of_sending() {
        let mock = rdkafka::mocking::MockCluster::new(3).expect("a mock cluster");
        mock.create_topic("chat", 3, 3).expect("a topic");
        let access = Access::plaintext(Endpoint::parse_list(&mock.bootstrap_servers()).expect("addresses"));
        let mut sender = Sender::new(&access, sending(Duration::from_secs(20))).expect("a producer");
        for number in 1..=100 {
            sender.send(format!("message {number}").as_bytes());
        }
        for number in 1..=100 {
            let receipt = sender.receipt().await;
            assert_eq!((receipt.number, receipt.shown), (number, format!("message {number}")));
            assert!(matches!(receipt.fate, Fate::Stored { offset: Some(_), .. }), "{:?}", receipt.fate);
        }
        assert_eq!(sender.open(), 0);
    }

    #[tokio::test]
    async fn a_message_that_nobody_takes_is_named_within_its_timeout() {
        let access = Access::plaintext(vec![Endpoint::new("127.0.0.1", 1)]);
        let mut sender = Sender::new(&access, sending(Duration::from_secs(1))).expect("a producer");
        sender.send(b"Hello World!");
        let receipt = tokio::time::timeout(Duration::from_secs(20), sender.receipt()).await.expect("a receipt");
        let Fate::Undelivered { error, outcome } = receipt.fate else { panic!("{receipt:?}") };
        assert!(error.contains("timed out"), "{error}");
        assert_eq!((receipt.shown.as_str(), outcome), ("Hello World!", Outcome::Info));
    }

    #[tokio::test]
    async fn a_message_after_one_that_nobody_answered_goes_by_a_new_client() {
        let mock = rdkafka::mocking::MockCluster::new(1).expect("a mock cluster");
        mock.create_topic("chat", 1, 1).expect("a topic");
        let access = Access::plaintext(Endpoint::parse_list(&mock.bootstrap_servers()).expect("addresses"));
        let mut sender = Sender::new(&access, sending(Duration::from_secs(2))).expect("a producer");
        mock.broker_down(1).expect("down");
        sender.send(b"lost");
        assert!(matches!(sender.receipt().await.fate, Fate::Undelivered { outcome: Outcome::Info, .. }));
        mock.broker_up(1).expect("up");
        sender.send(b"kept");
        assert!(matches!(sender.receipt().await.fate, Fate::Stored { .. }));
    }

    #[tokio::test]
    async fn what_is_abandoned_is_told() {
        let access = Access::plaintext(vec![Endpoint::new("127.0.0.1", 1)]);
        let mut sender = Sender::new(&access, sending(Duration::from_secs(60))).expect("a producer");
        sender.send(b"one");
        sender.send(b"two");
        let told: Vec<String> = sender.abandon().into_iter().map(|receipt| receipt.shown).collect();
        assert_eq!(told, ["one", "two"]);
    }

    #[test]
    fn a_long_message_is_shown_by_its_beginning() {
        let text = shown("x".repeat(200).as_bytes());
        assert_eq!(text.chars().count(), SHOWN_CHARS + 1);
    }
}
