//! How long a producer was held back, told once a second when it matters: a load that could not keep its rate must not
//! look as if it had.

use std::time::Duration;

use crate::history::EventKind;
use crate::history::recorder::RecorderHandle;
use crate::kafka::{ProcessId, TimeNs};

const TELL_EVERY_NS: u64 = 1_000_000_000;
/// Less than this in a second is noise.
const WORTH_TELLING: Duration = Duration::from_millis(100);

/// What was full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The scenario's in-flight limit.
    InFlight,
    /// librdkafka's own queue.
    ClientQueue,
    /// The recorder's queue of rows.
    Recorder,
}

impl Cause {
    const ALL: [Self; 3] = [Self::InFlight, Self::ClientQueue, Self::Recorder];

    fn name(self) -> &'static str {
        match self {
            Self::InFlight => "in-flight limit",
            Self::ClientQueue => "client queue",
            Self::Recorder => "recorder queue",
        }
    }
}

/// One producer's account of the last second.
#[derive(Debug)]
pub struct Held {
    process: ProcessId,
    since: TimeNs,
    times: [Duration; Cause::ALL.len()],
}

impl Held {
    /// An empty account.
    pub fn new(process: ProcessId, now: TimeNs) -> Self {
        Self { process, since: now, times: [Duration::ZERO; Cause::ALL.len()] }
    }

    /// Adds time that was spent waiting.
    pub fn add(&mut self, cause: Cause, time: Duration) {
        self.times[cause as usize] += time;
    }

    /// After a second, records what was worth telling and begins anew.
    pub fn tell(&mut self, recorder: &RecorderHandle) {
        let now = recorder.now();
        if now.since(self.since) < TELL_EVERY_NS {
            return;
        }
        for cause in Cause::ALL {
            let time = std::mem::take(&mut self.times[cause as usize]);
            if time > WORTH_TELLING {
                let held_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                recorder.event(EventKind::Backpressure {
                    process: self.process,
                    cause: cause.name().to_owned(),
                    held_ms,
                });
            }
        }
        self.since = now;
    }
}
