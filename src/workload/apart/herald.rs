//! What a client in a process of its own tells the harness before it does it, so that a SIGKILL leaves nothing unknown:
//! every send that may have been invoked, and every commit that may have been made, is known to the harness already.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use super::frame::Report;
use crate::history::event::Position;
use crate::history::recorder::Handed;
use crate::kafka::{ProcessId, TopicIndex};
use crate::workload::in_flight::Pending;

/// With this code a client's process ends when the harness is gone: what it would do, nobody would record.
pub const HARNESS_GONE: i32 = 3;

/// A client's end of the line to the harness. What is written is in the kernel when the call returns, where a SIGKILL of the
/// client's process does not reach it.
pub struct Line(Mutex<UnixStream>);

impl Line {
    /// A line over this socket.
    pub fn new(socket: UnixStream) -> Self {
        Self(Mutex::new(socket))
    }

    /// Tells the harness. Blocks while the harness is behind.
    pub fn tell(&self, report: &Report) {
        let bytes = report.encode();
        let mut socket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if socket.write_all(&bytes).is_err() {
            // Nobody is left to be told of anything.
            std::process::exit(HARNESS_GONE);
        }
    }

    /// Tells the harness what was handed to the recorder.
    pub fn hand(&self, handed: Handed) {
        self.tell(&match handed {
            Handed::Event(event) => Report::Event(event),
            Handed::Sends(rows) => Report::Sends(rows),
            Handed::Reads(rows) => Report::Reads(rows),
        });
    }
}

/// Whom a client tells what it is about to do.
#[derive(Clone)]
pub enum Herald {
    /// Nobody: it dies with the harness only.
    Nobody,
    /// The harness, in another process.
    Harness(Arc<Line>),
}

impl Herald {
    /// These records are about to be handed to librdkafka.
    pub fn sends<'p>(&self, process: ProcessId, topic: TopicIndex, sends: impl Iterator<Item = &'p Pending>) {
        if let Self::Harness(line) = self {
            line.tell(&Report::Invoking { process, topic, sends: sends.copied().collect() });
        }
    }

    /// These positions are about to be committed.
    pub fn commit(&self, positions: impl FnOnce() -> Vec<Position>) {
        if let Self::Harness(line) = self {
            line.tell(&Report::Committing(positions()));
        }
    }
}
