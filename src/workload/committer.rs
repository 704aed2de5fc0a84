//! The thread that commits offsets for one group member, so that the member goes on polling meanwhile.
//!
//! It commits synchronously, one request at a time, because in rdkafka 0.39 the result of an asynchronous commit reaches
//! nobody (librdkafka answers it only to an `offset_commit_cb`, which rdkafka does not set), and because commits that
//! overtake one another could set a group back. A commit request is one append to one partition of the offsets topic, so
//! that its partitions share one outcome; librdkafka reports an error only when every partition failed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::apart::herald::Herald;
use super::outcome::judge_commit;
use super::reading::{Spot, Topics};
use crate::history::EventKind;
use crate::history::event::Position;
use crate::history::recorder::RecorderHandle;
use crate::kafka::{Outcome, ProcessId};

/// Next offsets by partition.
pub type Positions = BTreeMap<Spot, i64>;

struct Request {
    positions: Positions,
    done: Option<Sender<Outcome>>,
}

/// A way to the committing thread; dropping it ends the thread after its last commit.
#[derive(Debug)]
pub struct Committer(Sender<Request>);

impl Committer {
    /// Starts the thread of `process`.
    pub fn start<C: ConsumerContext + 'static>(
        consumer: Arc<BaseConsumer<C>>,
        process: ProcessId,
        topics: Topics,
        recorder: RecorderHandle,
        herald: Herald,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (requests, queue) = bounded::<Request>(0);
        let thread = std::thread::Builder::new()
            .name(format!("commit-{process}"))
            .spawn(move || serve(&queue, &consumer, process, &topics, (&recorder, &herald)))?;
        Ok((Self(requests), thread))
    }

    /// Commits, if no other commit is under way; returns whether it is being done.
    pub fn try_commit(&self, positions: &Positions) -> bool {
        !positions.is_empty() && self.0.try_send(Request { positions: positions.clone(), done: None }).is_ok()
    }

    /// Commits, after what is under way, and waits for the result; `None` if it did not come within `limit`.
    pub fn commit(&self, positions: &Positions, limit: Duration) -> Option<Outcome> {
        if positions.is_empty() {
            return Some(Outcome::Ok);
        }
        let (done, finished) = bounded(1);
        let request = Request { positions: positions.clone(), done: Some(done) };
        self.0.send_timeout(request, limit).ok()?;
        finished.recv_timeout(limit).ok()
    }
}

fn serve<C: ConsumerContext>(
    queue: &Receiver<Request>,
    consumer: &BaseConsumer<C>,
    process: ProcessId,
    topics: &Topics,
    (recorder, herald): (&RecorderHandle, &Herald),
) {
    for Request { positions, done } in queue {
        herald.commit(|| named(&positions, topics));
        let result = list(&positions, topics).and_then(|list| consumer.commit(&list, CommitMode::Sync));
        let code = result.as_ref().err().and_then(rdkafka::error::KafkaError::rdkafka_error_code);
        // Nothing to commit is what librdkafka says of positions that stand committed already.
        let is_committed_already = code == Some(RDKafkaErrorCode::NoOffset);
        let outcome = match (&result, code) {
            (Ok(()), _) => Outcome::Ok,
            _ if is_committed_already => Outcome::Ok,
            (Err(_), Some(code)) => judge_commit(code as i32),
            (Err(_), None) => Outcome::Info,
        };
        if !is_committed_already {
            recorder.event(EventKind::Committed {
                process,
                outcome,
                positions: named(&positions, topics),
                error: result.err().map(|error| error.to_string()),
            });
        }
        if let Some(done) = done {
            // Whoever asked may have given up waiting.
            let _ = done.send(outcome);
        }
    }
}

/// Positions as librdkafka takes them.
pub fn list(positions: &Positions, topics: &Topics) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for ((topic, partition), next) in positions {
        list.add_partition_offset(topics.name(*topic), partition.0, Offset::Offset(*next))?;
    }
    Ok(list)
}

/// Positions as events show them.
pub fn named(positions: &Positions, topics: &Topics) -> Vec<Position> {
    let named =
        |(spot, next): (&Spot, &i64)| Position { partition: topics.named(*spot), offset: crate::kafka::Offset(*next) };
    positions.iter().map(named).collect()
}

/// The positions that a list of librdkafka's names; entries without an offset are left out.
pub fn positions(list: &TopicPartitionList, topics: &Topics) -> Positions {
    let spot = |entry: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
        let Offset::Offset(next) = entry.offset() else { return None };
        Some(((topics.index(entry.topic())?, crate::kafka::Partition(entry.partition())), next))
    };
    list.elements().iter().filter_map(spot).collect()
}
