//! Letting go of clients within a limit. Destroying a librdkafka handle joins its threads and can block (rust-rdkafka
//! #509); a run must not hang on that, nor be silent about it.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::history::EventKind;
use crate::history::recorder::RecorderHandle;

/// How long destroying a client may take before it is left to itself.
pub const DESTROY_LIMIT: Duration = Duration::from_secs(10);

/// Drops `client` on a thread of its own; after `limit`, leaves it there and records a harness error.
pub fn destroy<T: Send + 'static>(client: T, label: &str, recorder: &RecorderHandle, limit: Duration) {
    let (done, finished) = mpsc::channel();
    let spawned = thread::Builder::new().name("close".to_owned()).spawn(move || {
        drop(client);
        // The receiver may have given up; then nobody needs to know.
        let _ = done.send(());
    });
    let problem = match spawned {
        Err(error) => Some(format!("cannot start a thread to destroy the client of {label}: {error}")),
        Ok(_) if finished.recv_timeout(limit).is_err() => {
            Some(format!("the client of {label} was not destroyed within {} s", limit.as_secs()))
        }
        Ok(_) => None,
    };
    if let Some(message) = problem {
        recorder.event(EventKind::HarnessError { message });
    }
}

/// Waits for a thread until `deadline`; records a harness error when it does not end, or ended by a panic.
pub fn join<T>(thread: JoinHandle<T>, label: &str, recorder: &RecorderHandle, deadline: Instant) -> Option<T> {
    while !thread.is_finished() {
        if Instant::now() >= deadline {
            let message = format!("the thread of {label} did not end within its limit");
            recorder.event(EventKind::HarnessError { message });
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
    let joined = thread.join();
    if joined.is_err() {
        recorder.event(EventKind::HarnessError { message: format!("the thread of {label} panicked") });
    }
    joined.ok()
}
