//! A client's keeper: the thread in the harness that makes its process, takes in what it reports, tells it when to stop, and
//! makes the next one when that is wanted.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Apart;
use super::account::Account;
use super::frame::{self, Begin, Client, Ended, Instruction, Report};
use super::post::{Post, Wish};
use crate::history::EventKind;
use crate::kafka::ProcessId;
use crate::workload::consumer;
use crate::workload::pace::Pace;
use crate::workload::producer::{self, Birth};
use crate::workload::progress::{Order, Progress};
use crate::workload::shared::{Shared, StopOrder};

/// How often a keeper looks whether its client is to be told something.
const TICK: Duration = Duration::from_millis(20);
/// How much is read from the line at once.
const PIECE_BYTES: usize = 1 << 18;
/// Lives begin this far apart at least, unless somebody asked for the next one.
const BETWEEN_LIVES: Duration = Duration::from_secs(1);
/// How long a small instruction may wait for room on the line.
const WRITE_LIMIT: Duration = Duration::from_secs(5);
/// How long the kernel may take to let a stopped process run on.
const THAW_LIMIT: Duration = Duration::from_secs(5);
/// How much longer than its limit a producer's process may take, to purge and to end its client.
const PRODUCER_GRACE: Duration = Duration::from_secs(17);
/// How long a member's process may take to commit, leave and end its client.
const MEMBER_GRACE: Duration = Duration::from_secs(55);

/// A client's keeper.
pub struct Keeper {
    /// Where it is controlled from.
    pub post: Arc<Post>,
    /// The client's.
    pub shared: Shared,
    /// Which program to run.
    pub apart: Arc<Apart>,
    /// What the client does.
    pub work: Work,
}

/// What a client in a process of its own does.
pub enum Work {
    /// It produces.
    Producer {
        /// What to do.
        assignment: producer::Assignment,
        /// When to stop.
        stop: Arc<StopOrder>,
        /// How the next life begins.
        next: Birth,
    },
    /// It is a group's member.
    Member {
        /// What to do.
        assignment: consumer::Assignment,
        /// Where its group stands.
        progress: Arc<Progress>,
        /// Whether the run is given up.
        abort: Arc<AtomicBool>,
        /// Which life is next.
        next: u32,
    },
}

/// How a life ended.
enum Close {
    /// For good.
    Over,
    /// By our SIGKILL.
    Crashed,
    /// Otherwise: the next one is due.
    Lost,
}

/// How far the end of the load has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Nothing,
    Goal,
    End(Instant),
}

impl Keeper {
    /// Keeps the client until the load has ended. Blocks the thread, which must be the only one to make its processes: they
    /// die with the thread that made them.
    pub fn run(mut self) {
        let mut not_before = Instant::now();
        while self.wait_until_wanted(not_before) {
            let born = Instant::now();
            match self.live() {
                Ok(Close::Over) => break,
                Ok(Close::Crashed) => not_before = born,
                Ok(Close::Lost) => not_before = born + BETWEEN_LIVES,
                Err(error) => {
                    self.post.unmade(error.to_string());
                    self.complain(&format!("cannot make a process: {error}"));
                    not_before = Instant::now() + BETWEEN_LIVES;
                }
            }
        }
        self.post.ended();
    }

    /// Waits until the client is to live; `false` when it never will again.
    fn wait_until_wanted(&mut self, not_before: Instant) -> bool {
        let mut was_down = false;
        loop {
            match self.season() {
                Season::Over => return false,
                // A group has to finish, so a dead member comes back; a dead producer has nothing to finish.
                Season::Needed => self.post.want(),
                Season::Load => {}
            }
            match self.post.wish(Wish::Up, TICK) {
                Wish::Down => {
                    if !was_down {
                        self.post.is_dead();
                    }
                    was_down = true;
                }
                Wish::Up if was_down || Instant::now() >= not_before => {
                    if was_down {
                        self.renew_timetable();
                    }
                    return true;
                }
                Wish::Up => std::thread::sleep(TICK.min(not_before.saturating_duration_since(Instant::now()))),
            }
        }
    }

    fn season(&self) -> Season {
        match &self.work {
            Work::Producer { stop, .. } if stop.deadline().is_some() => Season::Over,
            Work::Producer { .. } => Season::Load,
            Work::Member { abort, .. } if abort.load(Ordering::Relaxed) => Season::Over,
            Work::Member { progress, .. } => match progress.order() {
                Order::Run => Season::Load,
                Order::Drain => Season::Needed,
                Order::Done | Order::OutOfTime => Season::Over,
            },
        }
    }

    fn renew_timetable(&mut self) {
        let now = self.shared.recorder.now();
        if let Work::Producer { assignment, next, .. } = &mut self.work {
            next.pace = Pace::resumed(now, assignment.rate, next.first);
        }
    }

    /// One life: makes the process, takes in what it reports until its line ends, and settles the rest.
    fn live(&mut self) -> io::Result<Close> {
        let process = self.shared.ids.next();
        let mut line = self.spawn(process)?;
        let progress = match &self.work {
            Work::Producer { .. } => None,
            Work::Member { progress, .. } => Some(Arc::clone(progress)),
        };
        let mut account = Account::new(process, self.shared.clone(), progress);
        let problem = self.take_in(&mut line, &mut account).err();
        if let Some(problem) = &problem {
            self.complain(problem);
            self.try_control(Post::put_down);
        }
        let status = self.post.disembody();
        let wish = self.post.wish(Wish::Down, Duration::ZERO);
        let end = match status {
            Some(Ok(status)) => match (status.signal(), status.code()) {
                (Some(signal), _) => format!("killed by signal {signal}"),
                (_, code) => format!("ended with exit code {}", code.unwrap_or(-1)),
            },
            Some(Err(error)) => format!("ended, nobody knows how: {error}"),
            None => "ended".to_owned(),
        };
        account.settle(&end);
        self.prepare_next(&account);
        if let Some(reason) = account.unmade {
            self.complain(&format!("cannot make a client: {reason}"));
            self.post.unmade(reason);
            return Ok(Close::Lost);
        }
        Ok(match (account.ended, wish) {
            (Some(Ended::Told), _) => Close::Over,
            (Some(Ended::Fatal { .. }), Wish::Up) => Close::Lost,
            (_, Wish::Down) => Close::Crashed,
            (None, Wish::Up) => {
                if problem.is_none() {
                    self.complain(&format!("its process was {end}, and nobody of this run did that"));
                }
                Close::Lost
            }
        })
    }

    fn spawn(&mut self, process: ProcessId) -> io::Result<UnixStream> {
        let (line, theirs) = UnixStream::pair()?;
        line.set_read_timeout(Some(TICK))?;
        line.set_write_timeout(Some(WRITE_LIMIT))?;
        let mut command = Command::new(&self.apart.program);
        command
            .args(&self.apart.args)
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            // A terminal's Ctrl-C is for the harness, which ends its clients in order.
            .process_group(0);
        let child = command.spawn()?;
        // The command holds the client's end of the line, which would never be at its end.
        drop(command);
        let begin = Begin {
            header: self.shared.recorder.header().clone(),
            origin: self.shared.recorder.clock().origin(),
            process,
            per_record_ns: u64::try_from(self.shared.gauge.tempo().as_nanos()).unwrap_or(u64::MAX),
            client: match &self.work {
                Work::Producer { assignment, next, .. } => Client::Producer(assignment.clone(), *next),
                Work::Member { assignment, progress, next, .. } => {
                    Client::Member { assignment: assignment.clone(), incarnation: *next, spots: progress.spots() }
                }
            },
        };
        let embodied = self.post.embody(child, line.try_clone()?, process);
        if let Err(error) = embodied {
            self.complain(&error.to_string());
        }
        match (&line).write_all(&Instruction::Begin(Box::new(begin)).encode()) {
            // It died at once; what it died of is for its exit status to say.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written?,
        }
        Ok(line)
    }

    /// Reads the line to its end. An error is what is wrong with the line or with the time the process takes.
    fn take_in(&mut self, line: &mut UnixStream, account: &mut Account) -> Result<(), String> {
        let (mut buffer, mut piece) = (Vec::new(), vec![0; PIECE_BYTES]);
        let mut told = Told::Nothing;
        loop {
            self.tell(&mut told)?;
            match line.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(read) => {
                    buffer.extend_from_slice(&piece[..read]);
                    while let Some(frame) = frame::take(&mut buffer).map_err(|error| error.to_string())? {
                        let report = Report::decode(frame).map_err(|error| error.to_string())?;
                        account.take(report, &self.post);
                    }
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {}
                    // It died with instructions unread.
                    io::ErrorKind::ConnectionReset => return Ok(()),
                    _ => return Err(format!("its line cannot be read: {error}")),
                },
            }
        }
    }

    /// Tells the process that the load ends, once; a frozen one is thawed first. An error says that it takes too long.
    fn tell(&self, told: &mut Told) -> Result<(), String> {
        if let Told::End(deadline) = told {
            let late = Instant::now() >= *deadline;
            return if late { Err("its process did not end within its limit".to_owned()) } else { Ok(()) };
        }
        let (instruction, next) = match &self.work {
            Work::Producer { stop, .. } => {
                let Some(deadline) = stop.deadline() else { return Ok(()) };
                let limit = deadline.saturating_duration_since(Instant::now());
                let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
                (Instruction::Stop { limit_ms }, Told::End(deadline + PRODUCER_GRACE))
            }
            Work::Member { progress, abort, .. } => {
                let end = Told::End(Instant::now() + MEMBER_GRACE);
                match (progress.order(), progress.goal()) {
                    _ if abort.load(Ordering::Relaxed) => (Instruction::Abort, end),
                    (Order::Drain, Some((ends, _))) if *told < Told::Goal => (Instruction::Drain { ends }, Told::Goal),
                    (order @ (Order::Done | Order::OutOfTime), _) => {
                        (Instruction::End { order, missing: progress.missing() }, end)
                    }
                    _ => return Ok(()),
                }
            }
        };
        self.try_control(|post| post.thaw(THAW_LIMIT));
        self.try_control(|post| post.instruct(&instruction));
        *told = next;
        Ok(())
    }

    /// Says how the next life begins: each goes on with the seed's next choices.
    fn prepare_next(&mut self, account: &Account) {
        match &mut self.work {
            Work::Producer { next, .. } => {
                next.first = match account.ended {
                    Some(Ended::Fatal { first }) => first,
                    Some(Ended::Told) | None => next.first + account.invoked,
                };
                next.incarnation += u32::from(account.unmade.is_none());
            }
            Work::Member { next, .. } => *next += u32::from(account.unmade.is_none()),
        }
    }

    fn try_control(&self, what: impl FnOnce(&Post) -> Result<(), crate::workload::control::ControlError>) {
        if let Err(error) = what(&self.post) {
            self.complain(&error.to_string());
        }
    }

    fn complain(&self, problem: &str) {
        let message = format!("{}: {problem}", self.post.label());
        self.shared.recorder.event(EventKind::HarnessError { message });
    }
}

/// What time it is for a client that is not there.
enum Season {
    /// The load runs.
    Load,
    /// The drain needs it.
    Needed,
    /// Nobody needs it any more.
    Over,
}
