//! Faults of the broker's process: kill, stop, restart, pause, and how each is undone.
//!
//! An injection is over when the engine confirms the new state, not when it has taken the order: a signal is only sent,
//! and a proof taken before the process is gone would show a broker that still answers.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use crate::cluster::{Cluster, ClusterError};
use crate::fault::{FaultKind, ProcessState};
use crate::kafka::BrokerId;

/// How long a process may take to end after a signal. A broker that hands its leaderships over takes seconds.
const EXIT_LIMIT: Duration = Duration::from_secs(90);

const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Brings the fault into force on every target at once.
pub async fn inject(cluster: &dyn Cluster, kind: &FaultKind, targets: &[BrokerId]) -> Result<(), ClusterError> {
    let strikes = targets.iter().map(|broker| async move {
        match kind {
            FaultKind::Kill { signal } => {
                cluster.kill(*broker, *signal).await?;
                wait_for_exit(cluster, *broker).await
            }
            FaultKind::Stop { grace_ms } | FaultKind::Restart { grace_ms } => {
                cluster.stop(*broker, Duration::from_millis(*grace_ms)).await?;
                wait_for_exit(cluster, *broker).await
            }
            FaultKind::Pause => cluster.pause(*broker).await,
        }
    });
    join_all(strikes).await.into_iter().collect()
}

/// Undoes the fault on every target at once. May be repeated: a target that is well already stays well.
pub async fn heal(cluster: &dyn Cluster, kind: &FaultKind, targets: &[BrokerId]) -> Result<(), ClusterError> {
    let heals = targets.iter().map(|broker| async move {
        match kind {
            FaultKind::Kill { .. } | FaultKind::Stop { .. } | FaultKind::Restart { .. } => cluster.start(*broker).await,
            FaultKind::Pause => cluster.unpause(*broker).await,
        }
    });
    join_all(heals).await.into_iter().collect()
}

async fn wait_for_exit(cluster: &dyn Cluster, broker: BrokerId) -> Result<(), ClusterError> {
    let deadline = Instant::now() + EXIT_LIMIT;
    loop {
        let state = cluster.process_state(broker).await?;
        if matches!(state, ProcessState::Exited { .. }) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(ClusterError::Engine {
                action: format!("end {broker}"),
                reason: format!("waited {} s for its process to end; last seen: {state:?}", EXIT_LIMIT.as_secs()),
            });
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
