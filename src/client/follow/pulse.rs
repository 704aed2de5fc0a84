//! Whether a client that hears nothing is cut off for good, or only has nothing to hear.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};

use crate::kafka::Access;

/// How often a client that hears nothing is looked at.
const EVERY: Duration = Duration::from_secs(10);

/// How many looks in a row must fail: leaders and coordinators move within seconds.
const LOOKS: u32 = 2;

const ASK_LIMIT: Duration = Duration::from_secs(3);

/// A client's pulse.
pub(super) struct Pulse {
    looked: Instant,
    failed: u32,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self { looked: Instant::now(), failed: 0 }
    }

    /// It was heard of.
    pub(super) fn felt(&mut self) {
        *self = Self::new();
    }

    /// Whether this client reaches nobody, several looks long, while a new one does. Where a new one reaches nobody either,
    /// the cluster is away, and waiting is right.
    pub(super) fn is_gone<C: ConsumerContext>(
        &mut self,
        consumer: &BaseConsumer<C>,
        access: &Access,
        topics: &[String],
    ) -> bool {
        if self.looked.elapsed() < EVERY {
            return false;
        }
        self.looked = Instant::now();
        let topic = topics.first().map(String::as_str);
        if consumer.fetch_metadata(topic, ASK_LIMIT).is_ok() {
            self.failed = 0;
            return false;
        }
        self.failed += 1;
        self.failed >= LOOKS && is_there(access, topic)
    }
}

fn is_there(access: &Access, topic: Option<&str>) -> bool {
    let config: ClientConfig = crate::client::config(access);
    let fresh: Result<BaseConsumer, _> = config.create();
    fresh.is_ok_and(|fresh| fresh.fetch_metadata(topic, ASK_LIMIT).is_ok_and(|metadata| !metadata.brokers().is_empty()))
}
