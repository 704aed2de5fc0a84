//! Transactions that the load may have left open, or of which nobody knows how they ended.
//!
//! Whoever claims a transactional id fences the client that had it, and has the coordinator end what that one left: by its commit
//! where the commit was written down already, else by its abort (KIP-98). A producer's next life does so; where none came any
//! more, the drain does it. What readers are shown afterwards is final, which is what resolves a commit of unknown outcome.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::BaseProducer;

use super::transaction::Transactions;
use crate::history::EventKind;
use crate::history::recorder::RecorderHandle;

/// A client of the load that runs transactions.
pub struct Claimant {
    /// Its name, such as `payers/0`.
    pub label: String,
    /// The topic that it sends to.
    pub topic: String,
    /// Its configuration, its transactional id in it.
    pub config: ClientConfig,
}

/// Claims each id once more, all at once; tells the history where that fails. Blocks for up to `limit`.
pub fn claim_all<'a>(claimants: impl IntoIterator<Item = &'a Claimant>, recorder: &RecorderHandle, limit: Duration) {
    let deadline = Instant::now() + limit;
    thread::scope(|scope| {
        for Claimant { label, config, .. } in claimants {
            scope.spawn(move || {
                let claimed = config.create().and_then(|client: BaseProducer| {
                    Transactions::claim(&client, || Some(deadline))?;
                    Ok(())
                });
                if let Err(error) = claimed {
                    let message = format!("what {label} may have left open could not be ended: {error}");
                    recorder.event(EventKind::HarnessError { message });
                }
            });
        }
    });
}
