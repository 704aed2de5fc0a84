//! Who is still at work for a nemesis. A task that is told to stop goes on until it next waits for something, and may write
//! to the ledger and strike until then: whoever heals behind its back has to wait until it is gone.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// The roll, kept by whoever heals.
#[derive(Debug, Default)]
pub struct Roll(watch::Sender<()>);

/// A place on the roll, for as long as it is held.
#[derive(Debug)]
#[must_use = "whoever lets go of it is gone"]
pub struct Present {
    _place: watch::Receiver<()>,
}

impl Roll {
    /// Puts somebody on it.
    pub fn join(&self) -> Present {
        Present { _place: self.0.subscribe() }
    }

    /// Waits until nobody is on it any more; an error when somebody still is after that long.
    pub async fn wait_until_gone(&self, limit: Duration) -> Result<(), StillThere> {
        timeout(limit, self.0.closed()).await.map_err(|_| StillThere { limit_s: limit.as_secs() })
    }
}

/// Somebody is still at work.
#[derive(Debug, thiserror::Error)]
#[error("a fault that was told to stop had not after {limit_s} s, and may have struck after it was undone")]
pub struct StillThere {
    limit_s: u64,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::sync::oneshot;
    use tokio::task::JoinSet;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whoever_is_told_to_stop_is_waited_for_until_it_has() {
        let (roll, done) = (Roll::default(), Arc::new(AtomicBool::new(false)));
        let (present, deed) = (roll.join(), Arc::clone(&done));
        let (begun, has_begun) = oneshot::channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            begun.send(()).expect("somebody waits");
            // It does not wait for anything meanwhile, so that nobody can stop it.
            std::thread::sleep(Duration::from_millis(300));
            deed.store(true, Ordering::Release);
            std::future::pending::<()>().await;
            drop(present);
        });
        has_begun.await.expect("it began");
        drop(tasks);
        roll.wait_until_gone(LONG).await.expect("it is gone");
        assert!(done.load(Ordering::Acquire), "what it was at is done, and nothing comes after it");
    }

    #[tokio::test]
    async fn nobody_is_waited_for_in_vain() {
        let roll = Roll::default();
        roll.wait_until_gone(Duration::ZERO).await.expect("nobody ever came");
        let present = roll.join();
        roll.wait_until_gone(Duration::ZERO).await.expect_err("one is there");
        drop(present);
        roll.wait_until_gone(LONG).await.expect("it left");
    }
}
