//! One client's post: where its keeper and whoever controls it meet.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::frame::Instruction;
use super::pids;
use crate::fault::client::{ClientHome, ClientLook, ClientState};
use crate::history::EventKind;
use crate::history::recorder::RecorderHandle;
use crate::kafka::ProcessId;
use crate::workload::control::ControlError;
use crate::workload::gauge::Gauge;

/// How often the kernel is asked whether a signal took effect.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// One client of a load, whatever its home.
pub struct Post {
    label: String,
    home: ClientHome,
    gauge: Arc<Gauge>,
    recorder: RecorderHandle,
    desk: Mutex<Desk>,
    changed: Condvar,
}

struct Desk {
    stand: Stand,
    wish: Wish,
    body: Option<Body>,
    /// Why the client could not be made the last time.
    unmade: Option<String>,
}

/// A living process and the harness's end of its line.
struct Body {
    child: Child,
    line: UnixStream,
    process: ProcessId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Starting,
    Running,
    Frozen,
    Crashed,
    Ended,
}

/// Whether a client is to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// It is to run.
    Up,
    /// It is to be dead until it is resumed.
    Down,
}

impl Post {
    /// The post of a client that has not begun.
    pub fn new(label: &str, home: ClientHome, gauge: Arc<Gauge>, recorder: RecorderHandle) -> Arc<Self> {
        let stand = if home == ClientHome::Thread { Stand::Running } else { Stand::Starting };
        let desk = Mutex::new(Desk { stand, wish: Wish::Up, body: None, unmade: None });
        Arc::new(Self { label: label.to_owned(), home, gauge, recorder, desk, changed: Condvar::new() })
    }

    /// The client's name, such as `chatters/0`.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Kills the client's process. Returns when it is dead and all that it did is in the history.
    pub fn crash(&self, limit: Duration) -> Result<(), ControlError> {
        self.must_be_apart()?;
        let mut desk = self.desk();
        if desk.stand == Stand::Ended {
            return Err(self.not_up(&desk, "crashed"));
        }
        desk.wish = Wish::Down;
        if let Some(body) = &desk.body {
            self.signal(body, Signal::KILL)?;
        }
        self.changed.notify_all();
        self.wait(desk, "its process to be dead", limit, |desk| match desk.stand {
            Stand::Crashed => Some(Ok(())),
            Stand::Ended => Some(Err(self.not_up(desk, "crashed"))),
            Stand::Starting | Stand::Running | Stand::Frozen => None,
        })
    }

    /// Stops every thread of the client's process. Returns when the kernel says that they are stopped.
    pub fn freeze(&self, limit: Duration) -> Result<(), ControlError> {
        self.must_be_apart()?;
        let deadline = Instant::now() + limit;
        self.await_life(limit)?;
        let mut desk = self.desk();
        match (desk.stand, &desk.body) {
            (Stand::Frozen, _) => Ok(()),
            (Stand::Running, Some(body)) if desk.wish == Wish::Up => {
                self.signal(body, Signal::STOP)?;
                self.until_threads(body, "every thread to be stopped", pids::is_stopped, (limit, deadline))?;
                self.recorder.event(EventKind::ProcessFrozen { process: body.process });
                desk.stand = Stand::Frozen;
                Ok(())
            }
            _ => Err(self.not_up(&desk, "frozen")),
        }
    }

    /// Lets a frozen client run on, and makes a crashed one anew. Returns when it runs.
    pub fn resume(&self, limit: Duration) -> Result<(), ControlError> {
        let deadline = Instant::now() + limit;
        let mut desk = self.desk();
        if desk.stand == Stand::Frozen {
            self.thaw_at(&mut desk, limit, deadline)?;
        }
        desk.wish = Wish::Up;
        desk.unmade = None;
        self.changed.notify_all();
        drop(desk);
        self.await_life(limit)
    }

    /// Waits until the client runs (or is frozen, having run).
    pub fn await_life(&self, limit: Duration) -> Result<(), ControlError> {
        self.wait(self.desk(), "it to run", limit, |desk| match (desk.stand, desk.wish) {
            (Stand::Running | Stand::Frozen, Wish::Up) => Some(Ok(())),
            (Stand::Ended, _) | (_, Wish::Down) => Some(Err(self.not_up(desk, "running"))),
            (Stand::Starting | Stand::Crashed, Wish::Up) => desk
                .unmade
                .as_ref()
                .map(|reason| Err(ControlError::Unmade { label: self.label.clone(), reason: reason.clone() })),
        })
    }

    /// From now on the client takes this long over each record.
    pub fn set_tempo(&self, per_record: Duration) -> Result<(), ControlError> {
        let mut desk = self.desk();
        if desk.stand == Stand::Ended {
            return Err(self.not_up(&desk, "slow"));
        }
        self.gauge.set_tempo(per_record);
        let per_record_ns = u64::try_from(per_record.as_nanos()).unwrap_or(u64::MAX);
        // One that is dead now will be told when it begins.
        if desk.body.is_some() {
            self.instruct_at(&mut desk, &Instruction::Tempo { per_record_ns })?;
        }
        Ok(())
    }

    /// What is known of the client.
    pub fn look(&self) -> ClientLook {
        let desk = self.desk();
        let tempo = self.gauge.tempo();
        // Somebody else may have stopped it, or let it run on: the kernel knows, where there is a process to ask it of.
        let stand = match (desk.stand, is_stopped(&desk)) {
            (Stand::Running | Stand::Frozen, Some(true)) => Stand::Frozen,
            (Stand::Running | Stand::Frozen, Some(false)) => Stand::Running,
            (stand, _) => stand,
        };
        let state = match stand {
            Stand::Starting => ClientState::Starting,
            Stand::Running if !tempo.is_zero() => {
                ClientState::Slow { per_record_ns: u64::try_from(tempo.as_nanos()).unwrap_or(u64::MAX) }
            }
            Stand::Running => ClientState::Running,
            Stand::Frozen => ClientState::Frozen,
            Stand::Crashed => ClientState::Crashed,
            Stand::Ended => ClientState::Ended,
        };
        let ((process, incarnation), (sent, acked, read)) = (self.gauge.life(), self.gauge.counts());
        ClientLook {
            label: self.label.clone(),
            home: self.home,
            state,
            pid: desk.body.as_ref().map(|body| body.child.id()),
            process,
            incarnation,
            sent,
            acked,
            read,
            last_progress: self.gauge.last_progress(),
        }
    }

    // ---- The keeper's side.

    /// A process was made. Kills it at once when nobody wants it any more.
    pub(super) fn embody(&self, child: Child, line: UnixStream, process: ProcessId) -> Result<(), ControlError> {
        let mut desk = self.desk();
        let body = Body { child, line, process };
        let unwanted = desk.wish == Wish::Down;
        let killed = if unwanted { self.signal(&body, Signal::KILL) } else { Ok(()) };
        desk.body = Some(body);
        desk.stand = Stand::Starting;
        killed
    }

    /// Its client was made and has begun.
    pub(super) fn runs(&self) {
        let mut desk = self.desk();
        if desk.stand == Stand::Starting {
            desk.stand = Stand::Running;
        }
        desk.unmade = None;
        self.changed.notify_all();
    }

    /// Its client could not be made.
    pub(super) fn unmade(&self, reason: String) {
        self.desk().unmade = Some(reason);
        self.changed.notify_all();
    }

    /// The line is at its end: takes the process back, for nobody may signal it any more, and waits for its end.
    pub(super) fn disembody(&self) -> Option<std::io::Result<ExitStatus>> {
        let mut desk = self.desk();
        let body = desk.body.take();
        if desk.stand != Stand::Crashed {
            desk.stand = Stand::Starting;
        }
        drop(desk);
        body.map(|mut body| body.child.wait())
    }

    /// The client is dead, and all that it did is in the history.
    pub(super) fn is_dead(&self) {
        self.desk().stand = Stand::Crashed;
        self.changed.notify_all();
    }

    /// The client will not live again. A keeper or a thread calls this last.
    pub fn ended(&self) {
        self.desk().stand = Stand::Ended;
        self.changed.notify_all();
    }

    /// Whether the client is to be there; waits for up to `limit` for the wish to become `wanted`.
    pub(super) fn wish(&self, wanted: Wish, limit: Duration) -> Wish {
        let desk = self.desk();
        let later = self.changed.wait_timeout_while(desk, limit, |desk| desk.wish != wanted);
        later.unwrap_or_else(PoisonError::into_inner).0.wish
    }

    /// The client is needed: it is to be there.
    pub(super) fn want(&self) {
        self.desk().wish = Wish::Up;
    }

    /// Lets the client run on, if it is frozen.
    pub(super) fn thaw(&self, limit: Duration) -> Result<(), ControlError> {
        let mut desk = self.desk();
        if desk.stand == Stand::Frozen { self.thaw_at(&mut desk, limit, Instant::now() + limit) } else { Ok(()) }
    }

    /// Tells the client's process something.
    pub(super) fn instruct(&self, instruction: &Instruction) -> Result<(), ControlError> {
        self.instruct_at(&mut self.desk(), instruction)
    }

    /// Ends the client's process for good: it did not end by itself in time.
    pub(super) fn put_down(&self) -> Result<(), ControlError> {
        match &self.desk().body {
            Some(body) => self.signal(body, Signal::KILL),
            None => Ok(()),
        }
    }

    fn instruct_at(&self, desk: &mut Desk, instruction: &Instruction) -> Result<(), ControlError> {
        let Some(body) = &mut desk.body else { return Ok(()) };
        match body.line.write_all(&instruction.encode()) {
            // It is dying; its keeper is about to see that.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|source| ControlError::Line { label: self.label.clone(), source }),
        }
    }

    fn thaw_at(&self, desk: &mut Desk, limit: Duration, deadline: Instant) -> Result<(), ControlError> {
        if let Some(body) = &desk.body {
            self.recorder.event(EventKind::ProcessThawed { process: body.process });
            self.signal(body, Signal::CONT)?;
            self.until_threads(body, "its threads to run on", |threads| !threads.contains('T'), (limit, deadline))?;
        }
        desk.stand = Stand::Running;
        self.changed.notify_all();
        Ok(())
    }

    fn until_threads(
        &self,
        body: &Body,
        what: &str,
        enough: impl Fn(&str) -> bool,
        (limit, deadline): (Duration, Instant),
    ) -> Result<(), ControlError> {
        loop {
            let last_seen = match pids::threads(body.child.id()) {
                Ok(threads) if enough(&threads) => return Ok(()),
                Ok(threads) => format!("threads in states {threads}"),
                Err(error) => error.to_string(),
            };
            if Instant::now() >= deadline {
                return Err(self.timed_out(what, limit, last_seen));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn wait(
        &self,
        mut desk: MutexGuard<'_, Desk>,
        what: &str,
        limit: Duration,
        done: impl Fn(&Desk) -> Option<Result<(), ControlError>>,
    ) -> Result<(), ControlError> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(result) = done(&desk) {
                return result;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.timed_out(what, limit, format!("{:?}", desk.stand).to_lowercase()));
            }
            desk = self.changed.wait_timeout(desk, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn must_be_apart(&self) -> Result<(), ControlError> {
        if self.home == ClientHome::Process { Ok(()) } else { Err(ControlError::NotApart(self.label.clone())) }
    }

    fn signal(&self, body: &Body, signal: Signal) -> Result<(), ControlError> {
        pids::send(body.child.id(), signal).map_err(|source| ControlError::Signal {
            label: self.label.clone(),
            signal: format!("{signal:?}"),
            source,
        })
    }

    fn not_up(&self, desk: &Desk, wanted: &'static str) -> ControlError {
        let state = format!("{:?}", desk.stand).to_lowercase();
        ControlError::NotUp { label: self.label.clone(), state, wanted }
    }

    fn timed_out(&self, what: &str, limit: Duration, last_seen: String) -> ControlError {
        ControlError::TimedOut { label: self.label.clone(), what: what.to_owned(), limit, last_seen }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether every thread of the client's process is stopped; `None` where it has none of its own, or that is gone.
fn is_stopped(desk: &Desk) -> Option<bool> {
    let body = desk.body.as_ref()?;
    pids::threads(body.child.id()).ok().map(|threads| pids::is_stopped(&threads))
}
