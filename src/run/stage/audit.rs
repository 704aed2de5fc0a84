//! The last thing that is asked of a run's brokers: what their replicas store.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::{SharedCluster, Stage, lock};
use crate::cluster::audit::Audit;
use crate::cluster::disk::DiskLog;
use crate::history::{EventKind, Phase, ReplicaRow};
use crate::kafka::{BrokerId, TopicPartition};

/// How long the whole audit may take: each of its steps has a limit of its own, and together they stay below this.
const AUDIT_LIMIT: Duration = Duration::from_secs(180);

/// How long the brokers of a busy machine may take to tell who is in sync, and how often they are asked.
const VIEW_LIMIT: Duration = Duration::from_secs(30);
const BETWEEN_VIEWS: Duration = Duration::from_millis(500);

/// The cluster's metadata, or that nobody tells it.
async fn last_view(cluster: &SharedCluster) -> EventKind {
    let end = Instant::now() + VIEW_LIMIT;
    loop {
        match cluster.view(None).await {
            Ok(view) => return EventKind::ClusterObserved { view },
            Err(error) if Instant::now() >= end => {
                return EventKind::ClusterUnreachable { reason: error.to_string() };
            }
            Err(_) => sleep(BETWEEN_VIEWS).await,
        }
    }
}

impl Stage {
    /// Halts the brokers and records what each of their replicas stores. An audit that fails is told, and takes nothing else
    /// from the run's evidence.
    pub(in crate::run) async fn audit(&self, cluster: &SharedCluster) {
        self.enter(Phase::Stop);
        lock(&self.observer).take();
        // Who leads and who is in sync in the last moment: what a replica owes follows from that.
        self.handle.event(last_view(cluster).await);
        let partitions = self.all_partitions();
        match timeout(AUDIT_LIMIT, cluster.audit(&partitions)).await {
            Ok(Audit::Skipped(reason)) => self.handle.event(EventKind::AuditSkipped { reason }),
            Ok(Audit::Done(brokers)) => {
                for (broker, logs) in brokers {
                    self.keep_replicas(broker, logs);
                }
            }
            Err(_) => {
                for broker in cluster.brokers() {
                    let reason = format!("the audit took longer than {} s", AUDIT_LIMIT.as_secs());
                    self.handle.event(EventKind::ReplicasUnread { broker, reason });
                }
            }
        }
    }

    fn all_partitions(&self) -> Vec<TopicPartition> {
        let topics = self.scenario.topics.iter();
        let of = |topic: &crate::scenario::TopicSpec| {
            let name = topic.name.clone();
            (0..topic.partitions.cast_signed()).map(move |partition| TopicPartition::new(name.clone(), partition))
        };
        topics.flat_map(of).collect()
    }

    fn keep_replicas(&self, broker: BrokerId, logs: Result<Vec<DiskLog>, String>) {
        let logs = match logs {
            Ok(logs) => logs,
            Err(reason) => return self.handle.event(EventKind::ReplicasUnread { broker, reason }),
        };
        for log in &logs {
            let partition = &log.summary.partition;
            let Some(topic) = self.handle.topic_index(&partition.topic) else { continue };
            let row = |batch| ReplicaRow { broker, topic, partition: partition.partition, batch };
            self.handle.replicas(log.batches.iter().copied().map(row).collect());
        }
        let logs = logs.into_iter().map(|log| log.summary).collect();
        self.handle.event(EventKind::ReplicasRead { broker, logs });
    }
}
