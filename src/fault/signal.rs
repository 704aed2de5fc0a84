//! The signals that end a broker, and how the process tells that one did.

use serde::{Deserialize, Serialize};

/// A POSIX signal that a kill may send. Closed, because each ends a broker in its own way, and the proof knows how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Signal {
    /// `SIGKILL`: the process is gone at once, nothing is flushed.
    #[serde(rename = "SIGKILL")]
    Kill,
    /// `SIGTERM`: Kafka hands its leaderships over, flushes, and leaves.
    #[serde(rename = "SIGTERM")]
    Term,
    /// `SIGINT`: as `SIGTERM`, by another number.
    #[serde(rename = "SIGINT")]
    Interrupt,
    /// `SIGHUP`: as `SIGTERM`, by another number.
    #[serde(rename = "SIGHUP")]
    HangUp,
    /// `SIGABRT`: the JVM aborts with a core-dump message.
    #[serde(rename = "SIGABRT")]
    Abort,
    /// `SIGSEGV`: the JVM believes in a bug of its own, writes a crash report and aborts.
    #[serde(rename = "SIGSEGV")]
    Segfault,
}

impl Signal {
    /// Every signal.
    pub const ALL: [Self; 6] = [Self::Kill, Self::Term, Self::Interrupt, Self::HangUp, Self::Abort, Self::Segfault];

    /// The name as the engine takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "SIGKILL",
            Self::Term => "SIGTERM",
            Self::Interrupt => "SIGINT",
            Self::HangUp => "SIGHUP",
            Self::Abort => "SIGABRT",
            Self::Segfault => "SIGSEGV",
        }
    }

    /// The exit code of a process that this signal ended: 128 + the signal's number. The JVM turns a segmentation fault
    /// into an abort.
    pub fn exit_code(self) -> i64 {
        match self {
            Self::Kill => 137,
            Self::Term => 143,
            Self::Interrupt => 130,
            Self::HangUp => 129,
            Self::Abort | Self::Segfault => 134,
        }
    }
}
