//! What is compared with what.

use crate::lab::Lab;
use crate::{ours, peer, plain};

/// Runs one contestant once, for so many seconds; its figure, or what went wrong.
pub type Run = fn(&Lab, u64) -> Result<f64, String>;

/// One benchmark. The first contestant is this project's.
pub struct Benchmark {
    pub name: &'static str,
    pub unit: &'static str,
    pub contestants: fn() -> Vec<(&'static str, Run)>,
}

/// Every benchmark.
pub const ALL: [Benchmark; 5] = [
    // Replication factor 3, acks=all, idempotent, 128 bytes: what is acknowledged a second.
    Benchmark {
        name: "produce",
        unit: "records/s",
        contestants: || {
            vec![
                ("wiber-chaos, recorded", ours::produce as Run),
                ("kcat", peer::kcat_produce),
                ("kcat, as ours is configured", peer::kcat_produce_as_we_do),
                ("kafka-producer-perf-test", peer::perf_test_produce),
                ("kafka-verifiable-producer", peer::verifiable_producer),
            ]
        },
    },
    // The same records, from the log's start to its end, by one member of a group.
    Benchmark {
        name: "consume",
        unit: "records/s",
        contestants: || {
            vec![
                ("wiber-chaos, checked, recorded", ours::consume as Run),
                ("kcat", peer::kcat_consume),
                ("kafka-consumer-perf-test", peer::perf_test_consume),
            ]
        },
    },
    // Produced, read by a group and by two fresh readers, recorded, and found valid by every check that a history of these
    // has; from the first send to the last read of the drain.
    Benchmark {
        name: "end-to-end",
        unit: "records/s",
        contestants: || vec![("wiber-chaos, verified", ours::end_to_end as Run)],
    },
    // What more partitions cost and bring, by the same producer; each is held against the first.
    Benchmark {
        name: "partitions",
        unit: "records/s",
        contestants: || {
            vec![
                ("1", ours::produce_to::<1> as Run),
                ("2", ours::produce_to::<2>),
                ("4", ours::produce_to::<4>),
                ("8", ours::produce_to::<8>),
                ("16", ours::produce_to::<16>),
                ("32", ours::produce_to::<32>),
                ("64", ours::produce_to::<64>),
            ]
        },
    },
    // Until three more brokers can serve a client.
    Benchmark {
        name: "start",
        unit: "s",
        contestants: || vec![("wiber-chaos", ours::start as Run), ("the image, started plainly", plain::start)],
    },
];
