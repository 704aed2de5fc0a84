//! The audit: all brokers are halted at once, and what their replicas store is read from their disks.
//!
//! **Halted, not stopped in order.** A broker that stops in order hands its leaderships over, and a new leader's followers cut off
//! what it does not have; the last of three waits for a quorum that is gone, for minutes. Killed all at once, each log stays as
//! the drain had left it. Nothing is lost by that: what a broker had appended is in the kernel's hands, not in its own. An append
//! that was under way may be cut off in the middle, at the log's end and above every high watermark.

use futures_util::future::join_all;

use crate::cluster::containers::Containers;
use crate::cluster::disk::{DiskError, DiskLog};
use crate::cluster::{ClusterError, chain};
use crate::kafka::{BrokerId, TopicPartition};

/// What came of an audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audit {
    /// It cannot be done here; says why.
    Skipped(String),
    /// Each broker's logs, or why they could not be read.
    Done(Vec<(BrokerId, Result<Vec<DiskLog>, String>)>),
}

/// Halts the brokers in these containers, and reads their logs of these partitions.
pub(in crate::cluster) async fn audit(containers: &Containers, partitions: &[TopicPartition]) -> Audit {
    let brokers = containers.brokers();
    let halted = join_all(brokers.iter().map(|broker| containers.halt(*broker))).await;
    let read = brokers.iter().zip(halted).map(|(broker, halted)| async move {
        let logs = match halted {
            Ok(()) => read(containers, *broker, partitions).await,
            Err(error) => Err(error),
        };
        (*broker, logs.map_err(|error| chain(&error)))
    });
    Audit::Done(join_all(read).await)
}

async fn read(
    containers: &Containers,
    broker: BrokerId,
    partitions: &[TopicPartition],
) -> Result<Vec<DiskLog>, ClusterError> {
    let logs = async { containers.disk(broker).await?.logs(partitions).await };
    logs.await.map_err(|error: DiskError| error.into())
}
