//! Watches the cluster's metadata for as long as the brokers live, and records each change.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::history::EventKind;
use crate::history::recorder::RecorderHandle;
use crate::kafka::ClusterView;
use crate::run::stage::SharedCluster;

/// Often enough that a leader's term of a second is seen; each look costs one short connection a broker.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// A task that watches; it ends when this is dropped.
pub(super) struct Observer(JoinHandle<()>);

impl Observer {
    /// Begins to watch.
    pub(super) fn start(cluster: SharedCluster, recorder: RecorderHandle) -> Self {
        Self(tokio::spawn(async move {
            let mut last: Option<Result<ClusterView, ()>> = None;
            loop {
                let look = cluster.view(None).await;
                let seen = look.as_ref().map_err(|_| ()).cloned();
                if last.as_ref() != Some(&seen) {
                    recorder.event(match look {
                        Ok(view) => EventKind::ClusterObserved { view },
                        Err(error) => EventKind::ClusterUnreachable { reason: error.to_string() },
                    });
                    last = Some(seen);
                }
                sleep(LOOK_INTERVAL).await;
            }
        }))
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.0.abort();
    }
}
