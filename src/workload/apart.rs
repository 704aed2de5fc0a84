//! Clients in processes of their own, so that they can be crashed and frozen for real.
//!
//! # Why a process
//!
//! A crash inside the harness would be played: librdkafka sends what is queued or leaves its group when a handle goes, and
//! whatever keeps it from doing so (purging, `RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE`) is a path that no crashing program
//! takes. A freeze cannot even be played: librdkafka's own threads send heartbeats and run timers whether anybody polls or
//! not, so that a member that merely stops polling is dismissed by its own library after `max.poll.interval.ms`, leaves the
//! group in order, and is no zombie. A process gets what a real one gets: SIGKILL takes queue, sockets and threads at one
//! moment, SIGSTOP stops every thread between two instructions while the kernel keeps its connections open, and after
//! SIGCONT it goes on in the belief that no time has passed. No `unsafe` is needed for it.
//!
//! # What a process must not cost
//!
//! The evidence. A client's process has one line to the harness, a socket pair, and hands everything to it at once: an event
//! or a batch of rows is in the kernel before the call returns, where a SIGKILL of the client does not reach it. What a
//! client is about to do goes over the line before it does it ([`herald`]), so that each send it may have invoked gets a row
//! (`info` when the process died first), and so does each commit. Rows reach the line before the commit that covers them.
//! Times compare, because all processes of a machine share one monotonic clock.
//!
//! One process of the operating system is one process of the history, is one life: a crash ends it, and what is resumed is a
//! new one, which goes on with the seed's next choices. A crashed producer's timetable stands still while it is down, for
//! nobody asks anything of a program that does not run; a frozen one's goes on, and what fell due meanwhile is late.
//!
//! A killed client never says `revoked`; its keeper does, with the cause `crashed`, at the moment when the process is known
//! to be dead. Clients die with the harness, stopped ones too (`PR_SET_PDEATHSIG`), so that nothing is left behind.
//!
//! # What it cannot show
//!
//! A client in a process of its own costs some MB and a hundredth of a second to start, and its rows cross a socket: a load
//! at the greatest rate is slower. And it is one machine's crash no more than a container's is: the kernel lives on, closes
//! the sockets, and delivers what was in their buffers. A host that vanishes is for the network's faults to play.

mod account;
pub mod child;
pub mod frame;
pub mod herald;
mod keeper;
mod pids;
pub mod post;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

pub use keeper::{Keeper, Work};

/// Which clients get processes of their own, and of which program.
#[derive(Clone, Debug, Default)]
pub struct Apart {
    /// Which.
    pub clients: Clients,
    /// A program that calls [`child::serve`] when it is given these arguments.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// Which clients of a load are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Clients {
    /// None: all live in threads of the harness.
    #[default]
    None,
    /// Those with these labels, such as `chatters/0`.
    Named(BTreeSet<String>),
    /// All.
    All,
}

impl Apart {
    /// `clients` in processes of the program `wiber-chaos` at this path.
    pub fn of_program(clients: Clients, program: impl Into<PathBuf>) -> Self {
        Self { clients, program: program.into(), args: vec![OsString::from("client-process")] }
    }

    /// Whether this client gets a process of its own.
    pub fn holds(&self, label: &str) -> bool {
        match &self.clients {
            Clients::None => false,
            Clients::Named(labels) => labels.contains(label),
            Clients::All => true,
        }
    }
}
