//! The client's end: what runs in its process, from the first instruction to the end of its one life.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::frame::{self, BadFrame, Begin, Client, Ended, Instruction, Report};
use super::herald::{HARNESS_GONE, Herald, Line};
use crate::history::clock::Clock;
use crate::history::recorder::RecorderHandle;
use crate::workload::consumer::{self, Exits, Member};
use crate::workload::counters::ProcessIds;
use crate::workload::gauge::Gauge;
use crate::workload::payload::RunTag;
use crate::workload::producer::{self, Producer};
use crate::workload::progress::Progress;
use crate::workload::shared::{Shared, StopOrder};

/// The harness says when time is up; this is only so long that no clock overflows.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Why a client's process could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// Standard input is no line to a harness: somebody called this by hand.
    #[error("a client's process is started by a run, which gives it a socket as its standard input")]
    NoLine(#[source] io::Error),
    /// The line does not begin with instructions.
    #[error(transparent)]
    BadFrame(#[from] BadFrame),
    /// A thread could not be started, or the kernel refused a request.
    #[error("cannot prepare a client's process")]
    Os(#[source] io::Error),
}

/// Lives one client's life, as told by whoever holds the other end of standard input. Returns when it has ended in order.
pub fn serve() -> Result<(), ChildError> {
    // Whatever the harness dies of, nobody is left behind: not even a process that is stopped and reads no line.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(|error| ChildError::Os(error.into()))?;
    let socket = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from).map_err(ChildError::NoLine)?;
    let mut orders = Orders { socket: socket.try_clone().map_err(ChildError::NoLine)?, buffer: Vec::new() };
    let Instruction::Begin(begin) = orders.next()? else {
        return Err(ChildError::NoLine(io::ErrorKind::InvalidData.into()));
    };
    let Begin { header, origin, process, per_record_ns, client } = *begin;
    let line = Arc::new(Line::new(socket));
    let hand = Arc::clone(&line);
    let run = RunTag::of(&header.run);
    let recorder = RecorderHandle::elsewhere(Clock::of_origin(origin), header, move |handed| hand.hand(handed));
    let shared = Shared {
        run,
        recorder,
        counters: Arc::default(),
        ids: Arc::new(ProcessIds::from(process)),
        gauge: Arc::default(),
        herald: Herald::Harness(Arc::clone(&line)),
    };
    shared.gauge.set_tempo(Duration::from_nanos(per_record_ns));
    let ended = match client {
        Client::Producer(assignment, birth) => {
            let stop = Arc::new(StopOrder::default());
            let (ears, gauge) = (Ears::Producer(Arc::clone(&stop)), Arc::clone(&shared.gauge));
            listen(orders, ears, gauge)?;
            Producer::born(assignment, shared, stop, birth).map(|mut producer| match producer.live() {
                producer::End::Told => Ended::Told,
                producer::End::Fatal => Ended::Fatal { first: producer.first_undone() },
            })
        }
        Client::Member { assignment, incarnation, spots } => {
            let teller = Arc::clone(&line);
            let tell = move |spot, next| teller.tell(&Report::Stands(spot, next));
            let (progress, exits) = (Arc::new(Progress::told(spots, tell)), Exits::default());
            let ears = Ears::Member(Arc::clone(&progress), exits.clone());
            listen(orders, ears, Arc::clone(&shared.gauge))?;
            Member::new(assignment, shared, progress, exits, incarnation).map(|mut member| match member.live() {
                consumer::End::Fatal => Ended::Fatal { first: 0 },
                _ => Ended::Told,
            })
        }
    };
    line.tell(&match ended {
        Ok(ended) => Report::Ended(ended),
        Err(error) => Report::Unmade(error.to_string()),
    });
    Ok(())
}

/// The instructions, one after another.
struct Orders {
    socket: UnixStream,
    buffer: Vec<u8>,
}

impl Orders {
    fn next(&mut self) -> Result<Instruction, ChildError> {
        let mut piece = [0; 4096];
        loop {
            if let Some(frame) = frame::take(&mut self.buffer)? {
                return Ok(Instruction::decode(frame)?);
            }
            match self.socket.read(&mut piece) {
                Ok(0) => std::process::exit(HARNESS_GONE),
                Ok(read) => self.buffer.extend_from_slice(&piece[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ChildError::NoLine(error)),
            }
        }
    }
}

/// Who heeds instructions.
enum Ears {
    Producer(Arc<StopOrder>),
    Member(Arc<Progress>, Exits),
}

impl Ears {
    fn heed(&self, instruction: Instruction, gauge: &Gauge) {
        match (self, instruction) {
            (_, Instruction::Tempo { per_record_ns }) => gauge.set_tempo(Duration::from_nanos(per_record_ns)),
            (Self::Producer(stop), Instruction::Stop { limit_ms }) => {
                stop.give(Instant::now() + Duration::from_millis(limit_ms));
            }
            (Self::Member(progress, _), Instruction::Drain { ends }) => progress.aim(ends, Instant::now() + FAR),
            (Self::Member(progress, _), Instruction::End { order, missing }) => progress.end(order, &missing),
            (Self::Member(_, exits), Instruction::Abort) => exits.abort.store(true, Ordering::Relaxed),
            // The harness gives each client its own kind of instructions only.
            _ => {}
        }
    }
}

/// Heeds instructions on a thread of its own, until the process ends. It ends with the harness.
fn listen(mut orders: Orders, ears: Ears, gauge: Arc<Gauge>) -> Result<(), ChildError> {
    let heed = move || {
        while let Ok(instruction) = orders.next() {
            ears.heed(instruction, &gauge);
        }
        std::process::exit(HARNESS_GONE)
    };
    std::thread::Builder::new().name("orders".to_owned()).spawn(heed).map(drop).map_err(ChildError::Os)
}
