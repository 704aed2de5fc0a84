//! Errors that client libraries report outside any single record, as events: each code once a second per client at most.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use super::native;
use crate::history::EventKind;
use crate::history::recorder::RecorderHandle;
use crate::kafka::{ProcessId, TimeNs};

const ONCE_PER: Duration = Duration::from_secs(1);

/// One client's errors.
pub struct ClientErrors {
    process: ProcessId,
    recorder: RecorderHandle,
    told: Mutex<BTreeMap<i32, TimeNs>>,
    fatal: AtomicBool,
    muted: AtomicBool,
}

impl ClientErrors {
    /// The errors of `process`, none yet.
    pub fn new(process: ProcessId, recorder: RecorderHandle) -> Self {
        Self { process, recorder, told: Mutex::default(), fatal: AtomicBool::new(false), muted: AtomicBool::new(false) }
    }

    /// Records an error, unless the same code was recorded within the last second.
    pub fn note(&self, error: &KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        let fatal = matches!(error, KafkaError::MessageConsumptionFatal(_)) || code == Some(RDKafkaErrorCode::Fatal);
        if fatal {
            self.fatal.store(true, Ordering::Relaxed);
        }
        let now = self.recorder.now();
        if !self.muted.load(Ordering::Relaxed) && self.is_news(code.map_or(0, |code| code as i32), now) {
            let code = code.map_or_else(|| "_UNKNOWN".to_owned(), native::code_name);
            self.recorder.event(EventKind::ClientError { process: self.process, code, message: reason.to_owned() });
        }
    }

    /// Stops recording: the client's process has ended, and what a handle says while it is destroyed is nobody's.
    pub fn mute(&self) {
        self.muted.store(true, Ordering::Relaxed);
    }

    /// Whether the client met an error after which it is of no use.
    pub fn is_fatal(&self) -> bool {
        self.fatal.load(Ordering::Relaxed)
    }

    fn is_news(&self, code: i32, now: TimeNs) -> bool {
        let mut told = self.told.lock().expect("no holder of this lock panics");
        match told.get(&code) {
            Some(last) if u128::from(now.since(*last)) < ONCE_PER.as_nanos() => false,
            _ => {
                told.insert(code, now);
                true
            }
        }
    }
}
