//! The verdict loop of one shape: a thread that takes packets from its queue, holds them, and lets them go.
//!
//! An inbound packet is held in the kernel until its time has come. So is an outbound one that is not TCP. Outbound TCP is
//! taken over: the kernel drops its own and we send our copy when it is due, because TCP counts what has not left its host
//! yet and would hold itself back (to two segments or so for each delay) by what we hold. `netem` disowns packets for the
//! same reason. Either way, what is held when the hand dies is lost, as it is when a `netem` is removed.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::packet;
use crate::protocol::Way;
use crate::queue::{Packet, PacketId, Queue, Received};
use crate::resend::Resender;
use crate::schedule::{Link, Schedule};
use crate::treatment::{Decision, Duplicated, Marks, Treatment};

/// How many reads come between two looks at what is due.
const READS_PER_ROUND: usize = 64;

const NS_PER_S: u64 = 1_000_000_000;

/// What is asked of a shape.
#[derive(Clone, Debug)]
pub struct Orders {
    /// What becomes of its packets.
    pub treatment: Treatment,
    /// What all draws come from.
    pub seed: u64,
    /// The bit of a packet's mark that says that this shape had it.
    pub bit: u32,
}

/// What a shape has counted so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// Packets that came to it, each as it goes on the wire.
    pub seen: AtomicU64,
    /// Their bytes, IP headers included.
    pub bytes: AtomicU64,
    /// Those that were held, by delay or rate.
    pub delayed: AtomicU64,
    /// Those that were dropped by the ratio.
    pub lost: AtomicU64,
    /// Those of which a copy was sent.
    pub duplicated: AtomicU64,
    /// Those that were sent ahead by the ratio.
    pub reordered: AtomicU64,
    /// Those in which a bit was flipped.
    pub corrupted: AtomicU64,
    /// Those that found the backlog full.
    pub overflowed: AtomicU64,
    /// Those that are held right now.
    pub held_now: AtomicU64,
    /// How often packets passed untreated because we read too slowly.
    pub overruns: AtomicU64,
}

/// A shape at work.
#[derive(Debug)]
pub struct Shaper {
    counts: Arc<Counts>,
    works: Arc<AtomicBool>,
    /// Closing it ends the loop.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Shaper {
    /// Sets one to work on a queue. Every failure of its loop is told to `complain`, and ends it: packets pass then.
    pub fn start(queue: Queue, orders: Orders, complain: fn(&str)) -> io::Result<Self> {
        let (stop, stopped) = UnixStream::pair()?;
        let counts = Arc::new(Counts::default());
        let works = Arc::new(AtomicBool::new(true));
        let mut work = Loop {
            queue,
            resender: Resender::open()?,
            link: orders.treatment.rate.map(Link::new),
            orders,
            held: Schedule::new(),
            origin: Instant::now(),
            counts: Arc::clone(&counts),
            complain,
            told: Vec::new(),
        };
        let still_works = Arc::clone(&works);
        let thread = thread::Builder::new().name("shaper".to_owned()).spawn(move || {
            if let Err(error) = work.run(&stopped) {
                complain(&format!("a shape ended, and its packets pass untreated: {error}"));
            }
            still_works.store(false, Ordering::Release);
        })?;
        Ok(Self { counts, works, stop: Some(stop), thread: Some(thread) })
    }

    /// What it counted.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether its loop still runs.
    pub fn works(&self) -> bool {
        self.works.load(Ordering::Acquire)
    }
}

impl Drop for Shaper {
    /// Ends the loop, which lets go of everything that it held, at once and in order.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A packet that waits for its time.
#[derive(Debug)]
struct Held {
    body: Body,
    mark: u32,
    duplicated: Option<Duplicated>,
}

#[derive(Debug)]
enum Body {
    /// The kernel has it; the bytes are there if they were changed, or are to be copied.
    Kernel(PacketId, Option<Vec<u8>>, Change),
    /// We have it, and the kernel has it no more.
    Ours(Vec<u8>),
    /// There is only the copy that follows a packet.
    Copy(Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Whole,
    Damaged,
}

struct Loop {
    queue: Queue,
    resender: Resender,
    orders: Orders,
    link: Option<Link>,
    held: Schedule<Held>,
    origin: Instant,
    counts: Arc<Counts>,
    complain: fn(&str),
    /// What was complained of already: once for each kind is enough.
    told: Vec<io::ErrorKind>,
}

fn count(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::Relaxed)
}

impl Loop {
    fn run(&mut self, stopped: &UnixStream) -> io::Result<()> {
        loop {
            let stop = self.wait(stopped)?;
            self.receive()?;
            // What is left when the end has come leaves at once: without the fault it would have been there long ago.
            self.release(if stop { u64::MAX } else { self.now_ns() })?;
            if stop {
                return Ok(());
            }
        }
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Waits for a packet, for a release, or for the end; true at the end.
    fn wait(&self, stopped: &UnixStream) -> io::Result<bool> {
        let timeout = self.held.next_ns().map(|next_ns| {
            let wait_ns = next_ns.saturating_sub(self.now_ns());
            let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
            Timespec { tv_sec: signed(wait_ns / NS_PER_S), tv_nsec: signed(wait_ns % NS_PER_S) }
        });
        let (queue, stopped) = (self.queue.as_fd(), stopped.as_fd());
        let mut waited =
            [PollFd::from_borrowed_fd(queue, PollFlags::IN), PollFd::from_borrowed_fd(stopped, PollFlags::IN)];
        match poll(&mut waited, timeout.as_ref()) {
            Ok(_) => Ok(!waited[1].revents().is_empty()),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn receive(&mut self) -> io::Result<()> {
        for _ in 0..READS_PER_ROUND {
            match self.queue.receive()? {
                Received::Packets(packets) => {
                    let now_ns = self.now_ns();
                    for packet in packets {
                        self.treat(packet, now_ns)?;
                    }
                }
                Received::Nothing => break,
                Received::Overrun => {
                    count(&self.counts.overruns);
                }
            }
        }
        Ok(())
    }

    fn treat(&mut self, packet: Packet, now_ns: u64) -> io::Result<()> {
        let number = count(&self.counts.seen);
        self.counts.bytes.fetch_add(packet.bytes.len() as u64, Ordering::Relaxed);
        let Decision::Passed { delay_ns, mut marks } = self.orders.treatment.decide(self.orders.seed, number) else {
            count(&self.counts.lost);
            return self.queue.drop(packet.id);
        };
        let Some(carried_ns) = self.carry(now_ns, packet.bytes.len()) else {
            count(&self.counts.overflowed);
            return self.queue.drop(packet.id);
        };
        if marks.duplicated.is_some() && self.carry(now_ns, packet.bytes.len()).is_none() {
            // The link had room for one of the two.
            marks.duplicated = None;
        }
        let release_ns = carried_ns.saturating_add(delay_ns);
        if marks.reordered.is_some() {
            count(&self.counts.reordered);
        }
        if release_ns > now_ns {
            count(&self.counts.delayed);
        }
        let held = self.take(packet, marks, release_ns > now_ns)?;
        self.held.push(release_ns, held);
        self.tell_held();
        // Those that are due leave before any that comes later is looked at.
        self.release(now_ns)
    }

    /// When a limited link has carried a packet; none when its backlog is full.
    fn carry(&mut self, now_ns: u64, bytes: usize) -> Option<u64> {
        match &mut self.link {
            None => Some(now_ns),
            Some(link) => link.admit(now_ns, bytes).ok(),
        }
    }

    /// Takes a packet into our hands, or leaves it in the kernel's.
    fn take(&mut self, packet: Packet, marks: Marks, is_held: bool) -> io::Result<Held> {
        let Packet { id, way, mark, mut bytes } = packet;
        let damaged = marks.flip.is_some_and(|draw| packet::flip_bit(&mut bytes, draw));
        if damaged {
            count(&self.counts.corrupted);
        }
        let change = if damaged { Change::Damaged } else { Change::Whole };
        let is_needed = damaged || marks.duplicated.is_some();
        let body = if is_held && way == Way::Out && packet::is_tcp(&bytes) {
            self.queue.drop(id)?;
            Body::Ours(bytes)
        } else {
            Body::Kernel(id, is_needed.then_some(bytes), change)
        };
        Ok(Held { body, mark: mark | self.orders.bit, duplicated: marks.duplicated })
    }

    fn release(&mut self, until_ns: u64) -> io::Result<()> {
        while let Some(held) = self.held.pop_due(until_ns) {
            self.let_go(held)?;
        }
        self.tell_held();
        Ok(())
    }

    fn let_go(&mut self, held: Held) -> io::Result<()> {
        let copy = match held.body {
            Body::Kernel(id, bytes, change) => {
                let changed = bytes.as_deref().filter(|_| change == Change::Damaged);
                self.queue.pass(id, held.mark, changed)?;
                bytes
            }
            Body::Ours(bytes) => {
                self.resend(&bytes, held.mark);
                Some(bytes)
            }
            Body::Copy(bytes) => {
                if self.resend(&bytes, held.mark) {
                    count(&self.counts.duplicated);
                }
                None
            }
        };
        if let (Some(Duplicated), Some(bytes)) = (held.duplicated, copy) {
            return self.let_go(Held { body: Body::Copy(bytes), mark: held.mark, duplicated: None });
        }
        Ok(())
    }

    /// Sends a packet by ourselves. One that the kernel refuses (a cut that came meanwhile, no route, larger than the
    /// link) is lost like one that met the same on its own; the first of its kind is told, and the others go on.
    fn resend(&mut self, bytes: &[u8], mark: u32) -> bool {
        let sent = self.resender.send(bytes, mark);
        if let Err(error) = &sent
            && error.kind() != io::ErrorKind::PermissionDenied
            && !self.told.contains(&error.kind())
        {
            self.told.push(error.kind());
            (self.complain)(&format!("a packet of {} bytes could not be sent again: {error}", bytes.len()));
        }
        sent.is_ok()
    }

    fn tell_held(&self) {
        self.counts.held_now.store(self.held.len() as u64, Ordering::Relaxed);
    }
}
